//! The guard as a JSON document, to move a key to another machine. Importing only raises marks.
//!
//! An import closes everything up to what the document says: the highest vote height, seal, own batch and
//! acknowledgement of each lane become floors. Digests are not taken over, so nothing of the past is signed again.

use super::error::GuardError;
use super::guard_log::GuardLog;
use super::mark::{Floor, GuardRecord};
use super::marks::Marks;
use crate::limits::GUARD_LANES_MAX;
use rota_types::{Height, Incarnation, Round, Seq, ValidatorKey};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "rota-guard-1";

/// A place in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneFloor {
    /// Author of the lane.
    pub lane: ValidatorKey,
    /// Generation.
    pub incarnation: Incarnation,
    /// Number at and below which nothing is signed.
    pub seq: Seq,
}

/// What `rota key guard export` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardExport {
    /// Always `rota-guard-1`.
    pub format: String,
    /// The key whose marks these are.
    pub validator: ValidatorKey,
    /// First height at which the importing machine may vote.
    pub vote_from: Height,
    /// First height it may seal.
    pub seal_from: Height,
    /// Highest own batch.
    pub own_batch: Option<LaneFloor>,
    /// Highest acknowledgement of each lane.
    pub acks: Vec<LaneFloor>,
}

impl GuardExport {
    pub(super) fn of(key: ValidatorKey, marks: &Marks) -> Self {
        let newest_seal = marks.seals.last_key_value().map(|(height, _)| height.next());
        let own = marks.last_own_batch();
        let lanes = marks.lanes().filter_map(|lane| marks.last_ack(&lane).map(|last| (lane, last)));
        Self {
            format: FORMAT.to_owned(),
            validator: key,
            vote_from: match marks.vote_height() {
                Height::GENESIS => Height::GENESIS,
                height => height.next(),
            },
            seal_from: newest_seal.unwrap_or_default().max(marks.seal_floor),
            own_batch: own.map(|(incarnation, seq, _)| LaneFloor { lane: key, incarnation, seq }),
            acks: lanes
                .map(|(lane, (incarnation, seq, _))| LaneFloor { lane, incarnation, seq })
                .collect(),
        }
    }

    /// As JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and hex text always serialise")
    }

    /// From JSON text, for the guard of `key`.
    ///
    /// # Errors
    /// [`GuardError::BadExport`].
    pub fn from_json(text: &str, key: ValidatorKey) -> Result<Self, GuardError> {
        let bad = |reason: String| GuardError::BadExport { reason };
        let export: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        if export.format != FORMAT {
            return Err(bad(format!("format {:?}, expected {FORMAT:?}", export.format)));
        }
        if export.validator != key {
            return Err(bad(format!("it is of validator {}, not {key}", export.validator)));
        }
        if export.acks.len() > GUARD_LANES_MAX {
            return Err(bad(format!("more than {GUARD_LANES_MAX} lanes")));
        }
        Ok(export)
    }

    /// The floors it stands for.
    #[must_use]
    pub fn floors(&self) -> Vec<Floor> {
        let mut floors = vec![
            Floor::Vote { height: self.vote_from, round: Round(0) },
            Floor::Seal { height: self.seal_from },
        ];
        if let Some(LaneFloor { incarnation, seq, .. }) = self.own_batch {
            floors.push(Floor::OwnBatch { incarnation, seq });
        }
        for LaneFloor { lane, incarnation, seq } in self.acks.iter().copied() {
            floors.push(Floor::Ack { lane, incarnation, seq });
        }
        floors
    }
}

impl GuardLog {
    /// Raises marks to those of an export, durably. Nothing falls.
    ///
    /// # Errors
    /// Of the disk.
    pub fn import(&mut self, export: &GuardExport) -> Result<(), GuardError> {
        for floor in export.floors() {
            self.append(&GuardRecord::Floor(floor))?;
        }
        self.sync()
    }
}
