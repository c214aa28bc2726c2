//! The guard remembers: no place at which a node signed is open again after a restart from the durable bytes.

use super::signatures::SignedOnce;
use super::{Check, broken};
use rota_node::guard::{Decision, Mark, Marks, Step};
use rota_types::{MarkPlace, ValidatorKey, VoteKind};

/// The guard's mark for what was signed at a place.
fn mark_of(place: MarkPlace, digest: rota_types::Hash) -> Mark {
    match place {
        MarkPlace::Proposal { height, round } => {
            Mark::Vote { height, round, step: Step::Propose, digest }
        }
        MarkPlace::Vote { height, round, kind: VoteKind::Prevote } => {
            Mark::Vote { height, round, step: Step::Prevote, digest }
        }
        MarkPlace::Vote { height, round, kind: VoteKind::Precommit } => {
            Mark::Vote { height, round, step: Step::Precommit, digest }
        }
        MarkPlace::Seal { height } => Mark::Seal { height, digest },
        MarkPlace::OwnBatch { incarnation, seq } => Mark::OwnBatch { incarnation, seq, digest },
        MarkPlace::Ack { position } => {
            let (lane, incarnation, seq) = (position.lane, position.incarnation, position.seq);
            Mark::Ack { lane, incarnation, seq, digest }
        }
    }
}

/// Holds what a guard remembers against what the node said.
pub(super) fn check(
    node: usize,
    key: Option<ValidatorKey>,
    signed: &SignedOnce,
    marks: &Marks,
) -> Check {
    if key.is_none() {
        return Ok(());
    }
    for (place, digest) in signed.of(node) {
        match marks.check(&mark_of(place, digest)) {
            Decision::Same | Decision::Conflict { existing: None } => {}
            Decision::New => {
                let what = format!("n{node} signed at {place:?}, and its guard forgot it");
                return broken("the guard remembers", what);
            }
            Decision::Conflict { existing: Some(other) } => {
                let what = format!("n{node} signed {digest} at {place:?}, its guard says {other}");
                return broken("the guard remembers", what);
            }
        }
    }
    Ok(())
}
