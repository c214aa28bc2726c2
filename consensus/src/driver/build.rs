//! The proposer's side: ask for a value when the parent is executed and the slot is due.

use crate::context::{CoreHeight, CoreValue};
use crate::driver::Driver;
use crate::driver::Step;
use crate::driver::event::Effect;
use crate::driver::seat::{Judged, Value, Wish};
use crate::timing::FreshSlot;
use crate::wal::WalEntry;
use arc_malachitebft_core_consensus::{Input, LocallyProposedValue};
use arc_malachitebft_core_types::Round as CoreRound;
use rota_types::{Gate, Hash, Height, Round, SlotProposal};

impl Driver {
    /// Asks for a value if the core wants one and everything it must name is known. `true` if the core
    /// was fed.
    pub(super) fn try_build(&mut self, gate: &mut dyn Gate) -> bool {
        let (round, step) = self.position();
        let Some(seat) = self.seat.as_mut() else { return false };
        let Some(Wish::Wanted { round: wanted }) = seat.wish else { return false };
        if wanted != round || step != Step::Propose {
            seat.wish = None;
            return false;
        }
        // Built before a crash, and not proposed yet: the same again.
        let own = seat.values.iter().find(|(_, v)| v.own && v.body.round.0 == round);
        if let Some(id) = own.map(|(id, _)| *id) {
            seat.wish = None;
            self.propose(id, round, gate);
            return true;
        }
        let height = seat.height;
        // A proposer that has not executed the parent stays silent.
        let Some(parent_header) = self.desk.parent_header(height) else { return false };
        match self.desk.pace.fresh_slot(self.desk.now, seat.parent_slot, round) {
            FreshSlot::At(at) => seat.wake_at(at),
            FreshSlot::Now(slot) => {
                seat.wish = Some(Wish::Asked { round, slot });
                let round = Round(round);
                self.desk.push(Effect::Build { height, round, slot, parent_header });
            }
        }
        false
    }

    pub(super) fn built(
        &mut self,
        height: Height,
        round: Round,
        proposal: SlotProposal,
        gate: &mut dyn Gate,
    ) {
        let (at, step) = self.position();
        let Some(seat) = self.seat.as_mut().filter(|seat| seat.height == height) else { return };
        let Some(Wish::Asked { round: asked, slot }) = seat.wish else { return };
        if asked != round.0 || at != asked || step != Step::Propose {
            return;
        }
        let named = proposal.height == height
            && proposal.round == round
            && proposal.slot == slot
            && Some(proposal.parent_header) == self.desk.parent_header(height)
            && proposal.validate().is_ok();
        if !named {
            let reason = "the proposal built is not the one asked for".into();
            self.desk.push(Effect::Fault { reason });
            return;
        }
        seat.wish = None;
        let id = proposal.id(self.desk.config.chain_id);
        let value = seat.values.entry(id).or_insert_with(|| Value::new(proposal));
        value.own = true;
        self.propose(id, asked, gate);
    }

    fn propose(&mut self, id: Hash, round: u32, gate: &mut dyn Gate) {
        self.log_body(&id);
        let Some(seat) = self.seat.as_mut() else { return };
        if let Some(value) = seat.values.get_mut(&id) {
            value.judged = Judged::Valid;
            value.given = Some(true);
        }
        let height = CoreHeight(seat.height);
        let value = LocallyProposedValue::new(height, CoreRound::new(round), CoreValue(id));
        self.run(Input::Propose(value), gate);
    }

    /// Puts a body in the log, before the first entry that names it.
    pub(super) fn log_body(&mut self, id: &Hash) {
        let Some(seat) = self.seat.as_mut() else { return };
        let height = seat.height;
        let Some(value) = seat.values.get_mut(id) else { return };
        if !value.logged {
            value.logged = true;
            let entry = WalEntry::Body(value.body.as_ref().clone());
            self.desk.push(Effect::Wal { height, entry: entry.to_bytes() });
        }
    }
}
