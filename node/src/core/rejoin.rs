//! The core's side of a rejoin: lines for a key without a guard, and the operation that opens its lane again.

use super::{AskProtocol, Core, Effect, Notice, Todo};
use crate::guard::Floor;
use bytes::Bytes;
use rota_sequencer::lanes::Halt;
use rota_sequencer::limits::VALIDITY_RESERVE_SLOTS;
use rota_sequencer::rejoin::{self, Lines, Rejoin, RejoinConfig};
use rota_types::codec::encode;
use rota_types::status::StatusNonce;
use rota_types::{
    Gate, Genesis, Incarnation, Round, Seq, Slot, SystemEnvelope, SystemOp, TimestampMs,
    ValidatorKey, ValidatorSet,
};

/// Questions of the rejoin have this bit; those of catch-up count from 0.
const QUESTION_BIT: u64 = 1 << 63;

/// A validator key that is to sign again without its guard.
#[derive(Clone, Copy, Debug)]
pub struct RejoinSeed {
    /// The key.
    pub key: ValidatorKey,
    /// Drawn by the shell.
    pub nonce: StatusNonce,
}

pub(super) fn rejoin(genesis: &Genesis, validators: &ValidatorSet, seed: RejoinSeed) -> Rejoin {
    Rejoin::new(RejoinConfig {
        chain_id: genesis.chain_id,
        me: seed.key,
        validators: validators.clone(),
        lane_lead_max: genesis.lane_lead_max,
        nonce: seed.nonce,
    })
}

/// The lines as floors of a new guard.
fn floors(me: ValidatorKey, lines: Lines) -> Vec<Floor> {
    let own = Floor::OwnBatch { incarnation: lines.own_closed, seq: Seq(u64::MAX) };
    let mut floors = vec![
        Floor::Vote { height: lines.vote_from, round: Round(0) },
        Floor::Seal { height: lines.seal_from },
        own,
    ];
    floors.extend(lines.acks.into_iter().filter(|place| place.lane != me).map(|place| {
        Floor::Ack { lane: place.lane, incarnation: place.incarnation, seq: place.seq }
    }));
    floors
}

/// An operation on its way, and when it goes out again.
#[derive(Debug)]
pub(super) struct Raise {
    incarnation: Incarnation,
    valid_until: Slot,
    bundle: Bytes,
    again_at: TimestampMs,
}

impl Core {
    /// Gives the rejoin an event, if there is one.
    pub(super) fn tell_rejoin(&mut self, event: rejoin::Event) {
        if self.rejoin.is_some() {
            self.todo.push_back(Todo::Rejoin(event));
        }
    }

    /// Whether an answer is the rejoin's; then it has it.
    pub(super) fn rejoin_took(&mut self, question: u64, bytes: Option<&Bytes>) -> bool {
        if question & QUESTION_BIT == 0 {
            return false;
        }
        let (question, bytes) = (question & !QUESTION_BIT, bytes.cloned());
        self.tell_rejoin(rejoin::Event::Answer { question, bytes });
        true
    }

    pub(super) fn step_rejoin(&mut self, now: TimestampMs, event: rejoin::Event) {
        let Some((key, rejoin)) = self.rejoin.as_mut() else { return };
        let key = *key;
        for effect in rejoin.step(now, event) {
            match effect {
                rejoin::Effect::Ask { peer, question, bytes } => {
                    let (question, protocol) = (question | QUESTION_BIT, AskProtocol::Status);
                    self.out.push(Effect::Ask { peer, question, protocol, bytes });
                }
                rejoin::Effect::Liar { peer, fault } => {
                    self.out.push(Effect::BanPeer { peer, reason: fault.to_string() });
                }
                rejoin::Effect::Target { height } => {
                    self.out.push(Effect::Notice(Notice::RejoinTarget { height }));
                }
                rejoin::Effect::Lines(lines) => {
                    self.out.push(Effect::Rejoined { floors: floors(key, lines) });
                }
            }
        }
    }

    /// Publishes the operation that opens the own lane under a new incarnation, as long as the lane waits for it: once
    /// a slot, for others put it into their batches.
    pub(super) fn run_raise(&mut self, now: TimestampMs) {
        let (Some(lane), Some(Halt::AwaitsIncarnation(incarnation))) =
            (self.gate.validator(), self.lanes.halt())
        else {
            self.raise = None;
            return;
        };
        let closed = self.order.lane(&lane).is_none_or(|state| state.closed);
        let due = self.raise.as_ref().is_none_or(|raise| raise.again_at <= now);
        if closed || !due {
            return;
        }
        let slot = self.timing.slot_at(now);
        let stale = |raise: &Raise| raise.incarnation != incarnation || raise.valid_until <= slot;
        if self.raise.as_ref().is_none_or(stale) {
            let ahead = self.genesis.validity_slots_max.saturating_sub(VALIDITY_RESERVE_SLOTS);
            let valid_until = slot.plus(ahead / 2);
            let op = SystemOp::RaiseIncarnation { lane, incarnation };
            let digest = op.signing_digest(self.chain_id, valid_until);
            let Some(signature) = self.gate.sign_unmarked(&digest) else { return };
            let signatures = vec![(lane, signature)];
            let envelope = SystemEnvelope { valid_until_slot: valid_until, op, signatures };
            let bundle = encode(&vec![envelope.transaction()]).into();
            self.raise = Some(Raise { incarnation, valid_until, bundle, again_at: now });
        }
        if let Some(raise) = self.raise.as_mut() {
            raise.again_at = now.plus(self.genesis.slot_ms);
            self.out.push(Effect::Publish { bundle: raise.bundle.clone() });
        }
    }

    /// When [`Self::run_raise`] is due.
    pub(super) fn raise_deadline(&self) -> Option<TimestampMs> {
        self.raise.as_ref().map(|raise| raise.again_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, SimDisk};
    use crate::guard::{Create, Decision, Guard, GuardError, GuardLog, Mark, Step};
    use rota_types::{Hash, Height, LanePosition};
    use std::path::Path;
    use std::sync::Arc;

    const ME: ValidatorKey = ValidatorKey([1; 32]);
    const OTHER: ValidatorKey = ValidatorKey([2; 32]);
    const GUARD: &str = "state/guard.log";

    /// W = 20, lane of the other at seq 300 with a lead of 64, the own lane in incarnation 3.
    fn lines() -> Lines {
        let place = |lane| LanePosition { lane, incarnation: Incarnation(1), seq: Seq(364) };
        Lines {
            vote_from: Height(22),
            seal_from: Height(21),
            own_closed: Incarnation(3),
            acks: vec![place(OTHER)],
        }
    }

    fn rejoined() -> (Arc<dyn Disk>, Guard) {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        GuardLog::create(disk.as_ref(), Path::new(GUARD), ME, &floors(ME, lines())).unwrap();
        let opened = Guard::open(Arc::clone(&disk), Path::new(GUARD), ME, Create::Forbidden);
        let (guard, _, torn) = opened.unwrap();
        assert!(torn.is_none());
        (disk, guard)
    }

    /// Every step of a height, whatever its round.
    fn votes(height: u64) -> impl Iterator<Item = Mark> {
        let places = (0..3).flat_map(|round| {
            [Step::Propose, Step::Prevote, Step::Precommit].map(|step| (Round(round), step))
        });
        places.map(move |(round, step)| Mark::Vote {
            height: Height(height),
            round,
            step,
            digest: Hash([9; 32]),
        })
    }

    fn own(incarnation: u32, seq: u64) -> Mark {
        Mark::OwnBatch {
            incarnation: Incarnation(incarnation),
            seq: Seq(seq),
            digest: Hash([9; 32]),
        }
    }

    fn ack(lane: ValidatorKey, incarnation: u32, seq: u64) -> Mark {
        Mark::Ack {
            lane,
            incarnation: Incarnation(incarnation),
            seq: Seq(seq),
            digest: Hash([9; 32]),
        }
    }

    #[test]
    fn a_rejoined_guard_signs_nothing_at_or_below_its_lines() {
        let (_, guard) = rejoined();
        let seal = |height| Mark::Seal { height: Height(height), digest: Hash([9; 32]) };
        let below = (0..22)
            .flat_map(votes)
            .chain((0..21).map(seal))
            .chain((0..4).flat_map(|incarnation| [own(incarnation, 1), own(incarnation, 1 << 40)]))
            .chain((0..=364).map(|seq| ack(OTHER, 1, seq)))
            .chain([ack(OTHER, 0, 10_000)]);
        for mark in below {
            let decision = guard.check(&mark);
            assert_eq!(decision, Decision::Conflict { existing: None }, "{mark:?}");
        }
        let above = votes(22).chain([seal(21), own(4, 1), ack(OTHER, 1, 365), ack(OTHER, 2, 1)]);
        for mark in above {
            assert_eq!(guard.check(&mark), Decision::New, "{mark:?}");
        }
    }

    #[test]
    fn the_lines_stand_through_restarts_exports_and_a_second_rejoin() {
        let (disk, guard) = rejoined();
        let again = GuardLog::create(disk.as_ref(), Path::new(GUARD), ME, &[]);
        assert!(matches!(again, Err(GuardError::Exists { .. })), "a guard is never replaced");
        let export = guard.export();
        let read = crate::guard::GuardExport::from_json(&export.to_json(), ME).unwrap();
        assert_eq!(read, export);
        assert_eq!(
            read.own_batch.map(|own| (own.incarnation, own.seq)),
            Some((Incarnation(3), Seq(u64::MAX)))
        );
        drop(guard);
        let opened = Guard::open(disk, Path::new(GUARD), ME, Create::Forbidden).unwrap();
        assert_eq!(opened.0.export(), export);
    }
}
