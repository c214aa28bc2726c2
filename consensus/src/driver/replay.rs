//! After a restart: the log is fed to a fresh core, which must derive what we signed.
//!
//! What the replay gave Invalid by clock may have missed its Valid, so every value is judged again
//! afterwards and handed again; see `settle.rs`.

use crate::context::Ctx;
use crate::driver::Driver;
use crate::driver::event::Effect;
use crate::driver::seat::{DoorState, HeldProposal, Judged, Seat, Value};
use crate::error::Fatal;
use crate::wal::WalEntry;
use arc_malachitebft_core_consensus::Input;
use bytes::Bytes;
use rota_types::{Gate, Mark, MarkPlace, ValidatorKey};

impl Driver {
    pub(super) fn replay(&mut self, wal: &[Bytes], gate: &mut dyn Gate) {
        let Some(seat) = self.seat.as_mut() else { return };
        let mut entries = Vec::with_capacity(wal.len());
        for (index, bytes) in wal.iter().enumerate() {
            match WalEntry::from_bytes(bytes) {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    let height = seat.height;
                    seat.fatal = Some(Fatal::WalUnreadable { height, index, error });
                    return;
                }
            }
        }
        seat.replaying = true;
        let chain_id = self.desk.config.chain_id;
        let local = self.desk.config.local;
        for entry in &entries {
            seat.recall(chain_id, &local, entry);
            // The log is synced before the guard: power may have gone between the two.
            if let Some(mark) = own_mark(chain_id, &local, entry) {
                gate.sign(mark);
            }
        }
        let inputs: Vec<Option<Input<Ctx>>> = entries.iter().map(WalEntry::to_input).collect();
        self.begin(gate);
        if let Some(core) = self.core.as_mut() {
            core.record_recovered_own_precommit_extensions(inputs.iter().flatten());
            core.index_wal_entries(inputs.iter().flatten());
        }
        for (entry, input) in entries.into_iter().zip(inputs) {
            if let Some(seat) = self.seat.as_mut() {
                seat.admit(chain_id, &local, entry);
            }
            if let Some(input) = input {
                self.run(input, gate);
            }
        }
        if let Some(core) = self.core.as_mut() {
            core.reset_entries_index();
        }
        self.end_replay();
    }

    /// A vote that the guard remembers and the replay did not derive may have rested on a lock that is
    /// lost: no vote at this height.
    fn end_replay(&mut self) {
        let Some(seat) = self.seat.as_mut() else { return };
        seat.replaying = false;
        let height = seat.height;
        let lost = seat.marks.iter().any(|mark| {
            matches!(mark.place, MarkPlace::Vote { height: at, .. } if at == height)
                && !seat.derived.contains(&mark.digest)
        });
        if lost {
            seat.abstaining = true;
            self.desk.push(Effect::Abstaining { height });
            if let Some(core) = self.core.as_mut() {
                core.params.enabled = false;
            }
        }
    }
}

/// The mark of what we signed ourselves.
fn own_mark(chain_id: u64, local: &ValidatorKey, entry: &WalEntry) -> Option<Mark> {
    match entry {
        WalEntry::Vote(signed) if signed.vote.validator == *local => {
            let (height, round, kind) = (signed.vote.height, signed.vote.round, signed.vote.kind);
            let place = MarkPlace::Vote { height, round, kind };
            Some(Mark { place, digest: signed.vote.signing_digest(chain_id) })
        }
        WalEntry::Proposal(signed) if signed.proposal.validator == *local => {
            let (height, round) = (signed.proposal.height, signed.proposal.round);
            let place = MarkPlace::Proposal { height, round };
            Some(Mark { place, digest: signed.proposal.signing_digest(chain_id) })
        }
        _ => None,
    }
}

impl Seat {
    /// What must be known before the core derives anything: that our own recorded messages are ours.
    fn recall(&mut self, chain_id: u64, local: &ValidatorKey, entry: &WalEntry) {
        match entry {
            WalEntry::Vote(vote) if vote.vote.validator == *local => {
                let digest = vote.vote.signing_digest(chain_id);
                self.signatures.signed(digest, vote.signature);
                self.derived.insert(digest);
            }
            WalEntry::Proposal(proposal) if proposal.proposal.validator == *local => {
                let digest = proposal.proposal.signing_digest(chain_id);
                self.signatures.signed(digest, proposal.signature);
            }
            _ => {}
        }
    }

    /// The door's state after an entry.
    fn admit(&mut self, chain_id: u64, local: &ValidatorKey, entry: WalEntry) {
        match entry {
            WalEntry::Body(body) => {
                let id = body.id(chain_id);
                let value = self.values.entry(id).or_insert_with(|| Value::new(body));
                value.logged = true;
            }
            WalEntry::Proposal(signed) => {
                let key = (signed.proposal.round.0, signed.proposal.value);
                let held = HeldProposal { signed, state: DoorState::Fed };
                self.proposals.entry(key).or_insert(held);
            }
            WalEntry::Value { round, proposer, value, valid, .. } => {
                if let Some(known) = self.values.get_mut(&value) {
                    known.given = Some(valid || known.given == Some(true));
                    if valid {
                        known.judged = Judged::Valid;
                    }
                    known.own |= proposer == *local && round == known.body.round;
                }
            }
            WalEntry::Vote(_) | WalEntry::Timeout { .. } | WalEntry::Polka(_) => {}
        }
    }
}
