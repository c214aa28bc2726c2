//! The bounded map of marks and floors, and the rules that decide.
//!
//! | signed thing | new only if |
//! |---|---|
//! | vote | no mark at (height, round, step), and height ≥ the highest marked or floor height, round ≥ its floor round |
//! | seal | no mark at the height, and height ≥ floor |
//! | own batch | (incarnation, seq) > the highest marked |
//! | ack | (incarnation, seq) > the highest marked in that lane |
//!
//! A mark that is there decides by its digest alone: equal is `Same`, else `Conflict`. Recording never forgets
//! without raising a floor over what it forgot, and no floor ever falls.

use super::mark::{Floor, GuardRecord, Mark, Step};
use crate::limits::{
    GUARD_ACKS_PER_LANE, GUARD_LANES_MAX, GUARD_OWN_BATCHES, GUARD_SEAL_HEIGHTS, GUARD_VOTES_MAX,
};
use rota_types::{Hash, Height, Incarnation, Round, Seq, ValidatorKey};
use std::collections::BTreeMap;

/// May this be signed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, once its mark is durable.
    New,
    /// Yes: the very same thing was marked before.
    Same,
    /// No.
    Conflict {
        /// What was marked at that place; `None` if the place is closed by a floor.
        existing: Option<Hash>,
    },
}

/// Place of a batch in a lane.
pub(super) type Place = (Incarnation, Seq);

/// Marks of one lane or of the own batches: digests of the newest places, and the highest place ever marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) last: Option<Place>,
    pub(super) digests: BTreeMap<Place, Hash>,
}

impl Chain {
    fn check(&self, place: Place, digest: Hash) -> Decision {
        match self.digests.get(&place) {
            Some(found) if *found == digest => Decision::Same,
            Some(found) => Decision::Conflict { existing: Some(*found) },
            None if self.last.is_none_or(|last| place > last) => Decision::New,
            None => Decision::Conflict { existing: None },
        }
    }

    fn record(&mut self, place: Place, digest: Hash, kept: usize) {
        self.digests.entry(place).or_insert(digest);
        self.last = self.last.max(Some(place));
        while self.digests.len() > kept {
            self.digests.pop_first();
        }
    }

    fn raise(&mut self, place: Place) {
        self.last = self.last.max(Some(place));
        self.digests = self.digests.split_off(&place);
    }
}

/// Everything a guard remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub(super) vote_floor: (Height, Round),
    pub(super) votes: BTreeMap<(Height, Round, Step), Hash>,
    pub(super) seal_floor: Height,
    pub(super) seals: BTreeMap<Height, Hash>,
    pub(super) own: Chain,
    pub(super) acks: BTreeMap<ValidatorKey, Chain>,
}

impl Marks {
    /// Whether `mark` may be signed.
    #[must_use]
    pub fn check(&self, mark: &Mark) -> Decision {
        let by_digest = |found: Option<&Hash>, digest: Hash, open: bool| match found {
            Some(found) if *found == digest => Decision::Same,
            Some(found) => Decision::Conflict { existing: Some(*found) },
            None if open => Decision::New,
            None => Decision::Conflict { existing: None },
        };
        match *mark {
            Mark::Vote { height, round, step, digest } => {
                let newest = self.votes.last_key_value().map(|((height, ..), _)| *height);
                let open = (height, round) >= self.vote_floor && Some(height) >= newest;
                by_digest(self.votes.get(&(height, round, step)), digest, open)
            }
            Mark::Seal { height, digest } => {
                by_digest(self.seals.get(&height), digest, height >= self.seal_floor)
            }
            Mark::OwnBatch { incarnation, seq, digest } => {
                self.own.check((incarnation, seq), digest)
            }
            Mark::Ack { lane, incarnation, seq, digest } => match self.acks.get(&lane) {
                Some(chain) => chain.check((incarnation, seq), digest),
                None if self.acks.len() < GUARD_LANES_MAX => Decision::New,
                None => Decision::Conflict { existing: None },
            },
        }
    }

    /// Takes in a record of the file, or a mark that was just decided `New`.
    pub fn record(&mut self, record: &GuardRecord) {
        match *record {
            GuardRecord::Mark(Mark::Vote { height, round, step, digest }) => {
                self.votes.entry((height, round, step)).or_insert(digest);
                self.trim_votes();
            }
            GuardRecord::Mark(Mark::Seal { height, digest }) => {
                self.seals.entry(height).or_insert(digest);
                self.raise_seal(height.minus(GUARD_SEAL_HEIGHTS));
            }
            GuardRecord::Mark(Mark::OwnBatch { incarnation, seq, digest }) => {
                self.own.record((incarnation, seq), digest, GUARD_OWN_BATCHES);
            }
            GuardRecord::Mark(Mark::Ack { lane, incarnation, seq, digest }) => {
                let chain = self.acks.entry(lane).or_default();
                chain.record((incarnation, seq), digest, GUARD_ACKS_PER_LANE);
            }
            GuardRecord::Floor(Floor::Vote { height, round }) => self.raise_vote((height, round)),
            GuardRecord::Floor(Floor::Seal { height }) => self.raise_seal(height),
            GuardRecord::Floor(Floor::OwnBatch { incarnation, seq }) => {
                self.own.raise((incarnation, seq));
            }
            GuardRecord::Floor(Floor::Ack { lane, incarnation, seq }) => {
                self.acks.entry(lane).or_default().raise((incarnation, seq));
            }
        }
    }

    fn raise_vote(&mut self, floor: (Height, Round)) {
        self.vote_floor = self.vote_floor.max(floor);
        let (height, round) = self.vote_floor;
        self.votes = self.votes.split_off(&(height, round, Step::Propose));
    }

    fn raise_seal(&mut self, floor: Height) {
        self.seal_floor = self.seal_floor.max(floor);
        self.seals = self.seals.split_off(&self.seal_floor);
    }

    /// Keeps the newest two heights: the one before may still be asked for again while it is restreamed.
    fn trim_votes(&mut self) {
        if let Some(((newest, ..), _)) = self.votes.last_key_value() {
            let oldest_kept = (newest.prev(), Round(0));
            if oldest_kept > self.vote_floor {
                self.raise_vote(oldest_kept);
            }
        }
        if self.votes.len() > GUARD_VOTES_MAX
            && let Some(((height, round, _), _)) = self.votes.first_key_value()
        {
            self.raise_vote((*height, round.next()));
        }
    }

    /// The fewest records that make the same marks.
    #[must_use]
    pub fn snapshot(&self) -> Vec<GuardRecord> {
        let mut records = Vec::new();
        let (height, round) = self.vote_floor;
        records.push(GuardRecord::Floor(Floor::Vote { height, round }));
        records.push(GuardRecord::Floor(Floor::Seal { height: self.seal_floor }));
        for ((height, round, step), digest) in &self.votes {
            let (height, round, step, digest) = (*height, *round, *step, *digest);
            records.push(GuardRecord::Mark(Mark::Vote { height, round, step, digest }));
        }
        for (height, digest) in &self.seals {
            records.push(GuardRecord::Mark(Mark::Seal { height: *height, digest: *digest }));
        }
        chain_records(
            &self.own,
            &mut records,
            |(incarnation, seq)| Floor::OwnBatch { incarnation, seq },
            |(incarnation, seq), digest| Mark::OwnBatch { incarnation, seq, digest },
        );
        for (lane, chain) in &self.acks {
            let lane = *lane;
            chain_records(
                chain,
                &mut records,
                |(incarnation, seq)| Floor::Ack { lane, incarnation, seq },
                |(incarnation, seq), digest| Mark::Ack { lane, incarnation, seq, digest },
            );
        }
        records
    }

    /// Highest own batch marked, with its digest if it is still known.
    #[must_use]
    pub fn last_own_batch(&self) -> Option<(Incarnation, Seq, Option<Hash>)> {
        let last = self.own.last?;
        Some((last.0, last.1, self.own.digests.get(&last).copied()))
    }

    /// Own batches marked with their digests, ascending: those missing from the ledger are fetched by digest.
    pub fn own_batches(&self) -> impl Iterator<Item = (Incarnation, Seq, Hash)> + '_ {
        self.own.digests.iter().map(|((incarnation, seq), digest)| (*incarnation, *seq, *digest))
    }

    /// Highest acknowledgement marked in a lane.
    #[must_use]
    pub fn last_ack(&self, lane: &ValidatorKey) -> Option<(Incarnation, Seq, Option<Hash>)> {
        let chain = self.acks.get(lane)?;
        let last = chain.last?;
        Some((last.0, last.1, chain.digests.get(&last).copied()))
    }

    /// Acknowledgements of a lane with their digests, ascending.
    pub fn acks(&self, lane: &ValidatorKey) -> impl Iterator<Item = (Incarnation, Seq, Hash)> + '_ {
        let digests = self.acks.get(lane).map(|chain| &chain.digests);
        digests.into_iter().flatten().map(|((inc, seq), digest)| (*inc, *seq, *digest))
    }

    /// The digest of an acknowledgement, if it is still known.
    #[must_use]
    pub fn ack_at(&self, lane: &ValidatorKey, incarnation: Incarnation, seq: Seq) -> Option<Hash> {
        self.acks.get(lane)?.digests.get(&(incarnation, seq)).copied()
    }

    /// Lanes with an acknowledgement or floor.
    pub fn lanes(&self) -> impl Iterator<Item = ValidatorKey> + '_ {
        self.acks.keys().copied()
    }

    /// Vote marks of a height: a restart compares them with what the WAL makes the core derive again.
    pub fn votes_at(&self, height: Height) -> impl Iterator<Item = (Round, Step, Hash)> + '_ {
        self.votes
            .range((height, Round(0), Step::Propose)..=(height, Round(u32::MAX), Step::Precommit))
            .map(|((_, round, step), digest)| (*round, *step, *digest))
    }

    /// Highest height with a vote mark or floor.
    #[must_use]
    pub fn vote_height(&self) -> Height {
        let marked = self.votes.last_key_value().map(|((height, ..), _)| *height);
        marked.unwrap_or_default().max(self.vote_floor.0)
    }

    /// The digest sealed at a height, if it is still known.
    #[must_use]
    pub fn seal_at(&self, height: Height) -> Option<Hash> {
        self.seals.get(&height).copied()
    }
}

fn chain_records(
    chain: &Chain,
    records: &mut Vec<GuardRecord>,
    floor: impl Fn(Place) -> Floor,
    mark: impl Fn(Place, Hash) -> Mark,
) {
    let Some(last) = chain.last else { return };
    records.extend(
        chain.digests.iter().map(|(place, digest)| GuardRecord::Mark(mark(*place, *digest))),
    );
    // The last place needs a floor only if its digest is not known: raising drops the digests below it.
    if !chain.digests.contains_key(&last) {
        records.push(GuardRecord::Floor(floor(last)));
    }
}
