//! The story of recent heights: when they began, who proposed, who prevoted nil and why.
//!
//! Bounded by heights, rounds and validators; nothing is decided from it.

use crate::limits::{EXPLAIN_HEIGHTS_MAX, EXPLAIN_ROUNDS_MAX};
use crate::reason::NilReason;
use rota_types::{Hash, Height, Round, Slot, TimestampMs, ValidatorKey};
use std::collections::BTreeMap;

/// A round's story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundStory {
    /// Whose turn it was.
    pub proposer: ValidatorKey,
    /// When we entered it.
    pub entered: Option<TimestampMs>,
    /// The value proposed, if its proposal came.
    pub proposed: Option<Hash>,
    /// Who prevoted nil, and why if said.
    pub nil: BTreeMap<ValidatorKey, Option<NilReason>>,
}

/// A height's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeightStory {
    /// The height.
    pub height: Height,
    /// When round 0 began here.
    pub began: Option<TimestampMs>,
    /// Round, slot and time of the decision here.
    pub decided: Option<(Round, Slot, TimestampMs)>,
    /// Rounds by number.
    pub rounds: BTreeMap<Round, RoundStory>,
}

/// Stories of the newest heights.
#[derive(Debug, Default)]
pub(crate) struct Explain {
    heights: BTreeMap<Height, HeightStory>,
}

impl Explain {
    /// The story of a height, while it is kept.
    #[must_use]
    pub(crate) fn height(&self, height: Height) -> Option<&HeightStory> {
        self.heights.get(&height)
    }

    pub(crate) fn height_mut(&mut self, height: Height) -> &mut HeightStory {
        while self.heights.len() >= EXPLAIN_HEIGHTS_MAX && !self.heights.contains_key(&height) {
            self.heights.pop_first();
        }
        self.heights.entry(height).or_insert_with(|| HeightStory {
            height,
            began: None,
            decided: None,
            rounds: BTreeMap::new(),
        })
    }

    /// `None` past the rounds kept.
    pub(crate) fn round_mut(
        &mut self,
        height: Height,
        round: Round,
        proposer: ValidatorKey,
    ) -> Option<&mut RoundStory> {
        let story = self.height_mut(height);
        let full = story.rounds.len() >= EXPLAIN_ROUNDS_MAX;
        if full && !story.rounds.contains_key(&round) {
            return None;
        }
        Some(
            story
                .rounds
                .entry(round)
                .or_insert_with(|| RoundStory { proposer, ..RoundStory::default() }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_heights_and_the_latest_rounds_are_forgotten() {
        let mut explain = Explain::default();
        for height in 1..=200 {
            explain.height_mut(Height(height)).began = Some(TimestampMs(height));
        }
        assert!(explain.height(Height(136)).is_none());
        assert!(explain.height(Height(137)).is_some());
        for round in 0..100 {
            let kept = explain.round_mut(Height(200), Round(round), ValidatorKey::default());
            assert_eq!(kept.is_some(), round < 32);
        }
        assert!(explain.round_mut(Height(200), Round(3), ValidatorKey::default()).is_some());
    }
}
