//! Lines of a run for people: what nodes decided, sealed, refused and complained of.

use super::world::World;
use rota_node::core::{Effect, Notice};

impl World {
    /// A line for an effect that says something.
    pub(super) fn tell(&mut self, node: usize, effect: &Effect) {
        let at = self.heap.now_us();
        self.trace.line_of(at, || line(node, effect));
    }
}

fn line(node: usize, effect: &Effect) -> Option<String> {
    let text = match effect {
        Effect::Receipt { token, receipt } => {
            let position = receipt.receipt.position;
            format!("receipt {token}: seq {} from {}", position.seq, receipt.receipt.first_index)
        }
        Effect::Refuse { token, refusal, .. } => format!("refuses submission {token}: {refusal}"),
        Effect::Execute(decided) => {
            let proposal = &decided.proposal;
            let (height, slot, round) = (proposal.height, proposal.slot, decided.certificate.round);
            let batches = decided.lanes.iter().flatten().count();
            format!("decides height {height}, slot {slot}, round {round}, {batches} batches")
        }
        Effect::BanPeer { peer, reason } => format!("bans peer {peer}: {reason}"),
        Effect::Penalise { validator, offence } => format!("penalises {validator}: {offence}"),
        Effect::Fatal { reason } => format!("SAFETY STOP: {reason}"),
        Effect::Notice(notice) => return told(node, notice),
        _ => return None,
    };
    Some(format!("n{node} {text}"))
}

fn told(node: usize, notice: &Notice) -> Option<String> {
    let text = match notice {
        Notice::Authored { position, txs, .. } => format!("batch {} of {txs}", position.seq),
        Notice::Certified { position } => {
            format!("sees lane {} certified up to {}", short(&position.lane), position.seq)
        }
        Notice::Executed(executed) => {
            let header = &executed.header;
            format!("executes {}: {} txs, {}", header.height, header.tx_count, executed.header_id)
        }
        Notice::Sealed { height, .. } => format!("sealed {height}"),
        Notice::NilVote { height, round, reason } => {
            format!("prevotes nil at {height}/{round}: {reason}")
        }
        Notice::GuardRefused => "its guard refuses a signature".to_owned(),
        Notice::Evidence { culprit, .. } => format!("evidence against {}", short(culprit)),
        Notice::RejoinTarget { height } => format!("may sign again once {height} is executed"),
        Notice::Halted { what } => format!("halted {what}"),
        Notice::Alarm { what } => format!("ALARM {what}"),
        Notice::Ordered { .. } => return None,
    };
    Some(format!("n{node} {text}"))
}

fn short(key: &rota_types::ValidatorKey) -> String {
    key.to_string().chars().take(6).collect()
}
