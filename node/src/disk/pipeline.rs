//! Group commit as a plain function: apply every write, sync each dirty file once, then release in order.
//!
//! Order of the syncs is ledger, WAL, guard: a mark is durable only after the bytes it speaks of. The thread around
//! it is [`super::committer`]; the simulator calls [`Pipeline::commit`] itself.

use super::DiskError;
use crate::guard::{GuardError, GuardLog, GuardRecord};
use crate::ledger::{BatchKey, Ledger, LedgerError, PruneReport, PruneRequest};
use crate::limits::CHECKPOINT_PART_BYTES;
use crate::wal::{Wal, WalError};
use bytes::Bytes;
use rota_types::{Hash, Height};

/// One thing to commit, or to let go once everything before it is durable.
#[derive(Debug)]
pub enum Item<R> {
    /// A batch, for the ledger.
    Batch {
        /// Its name.
        key: BatchKey,
        /// Signed header, encoded.
        header: Bytes,
        /// Body.
        body: Bytes,
    },
    /// A decided slot, after its batches.
    Slot {
        /// Height.
        height: Height,
        /// Digests of its batches.
        batches: Vec<Hash>,
        /// The sequencer's record.
        bytes: Bytes,
    },
    /// The header of a height.
    Header {
        /// Height.
        height: Height,
        /// Encoded header.
        bytes: Bytes,
    },
    /// The seal of a height.
    Seal {
        /// Height.
        height: Height,
        /// Encoded seal.
        bytes: Bytes,
    },
    /// State after a height.
    Checkpoint {
        /// Height.
        height: Height,
        /// Encoded state.
        bytes: Bytes,
    },
    /// A WAL entry.
    Wal {
        /// Height it belongs to.
        height: Height,
        /// Encoded entry.
        entry: Bytes,
    },
    /// A mark or floor that [`crate::guard::Guard`] decided on.
    Guard(GuardRecord),
    /// Prune the ledger; counted in the statistics.
    Prune(PruneRequest),
    /// To be handed out once everything in front of it is durable.
    Release(R),
}

impl<R> Item<R> {
    /// Bytes it holds, roughly, for the queue's limit.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let held = match self {
            Self::Batch { header, body, .. } => header.len().saturating_add(body.len()),
            Self::Slot { bytes, batches, .. } => {
                bytes.len().saturating_add(batches.len().saturating_mul(32))
            }
            Self::Header { bytes, .. } | Self::Seal { bytes, .. } => bytes.len(),
            // Written part by part; doors stay open and the core goes on meanwhile.
            Self::Checkpoint { bytes, .. } => bytes.len().min(CHECKPOINT_PART_BYTES),
            Self::Wal { entry, .. } => entry.len(),
            Self::Guard(_) | Self::Prune(_) | Self::Release(_) => 0,
        };
        held.saturating_add(128)
    }
}

/// Why nothing is committed any more. Always final: what the disk holds is known again only after a restart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The ledger.
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The WAL.
    #[error("WAL: {0}")]
    Wal(#[from] WalError),
    /// The guard.
    #[error("guard: {0}")]
    Guard(#[from] GuardError),
    /// A mark was queued on a node that has no guard.
    #[error("a guard mark without a guard")]
    NoGuard,
    /// The thread that commits is gone.
    #[error("the commit thread ended")]
    Ended,
}

impl CommitError {
    /// Whether room on the disk is all that is missing: free some and start again.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_full(),
            Self::Wal(error) => error.is_full(),
            Self::Guard(error) => error.is_full(),
            Self::NoGuard | Self::Ended => false,
        }
    }

    /// What an operator does about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        if self.is_full() {
            return "free space on this disk and start again; nothing acknowledged is lost";
        }
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Wal(error) => error.hint(),
            Self::Guard(error) => error.hint(),
            Self::NoGuard | Self::Ended => "this is a bug: report it with the log",
        }
    }
}

impl From<DiskError> for CommitError {
    fn from(error: DiskError) -> Self {
        Self::Ledger(LedgerError::Disk(error))
    }
}

/// The stores that are committed together.
pub struct Pipeline {
    /// Batches and slots.
    pub ledger: Ledger,
    /// The consensus WAL.
    pub wal: Wal,
    /// The guard's file; none on a full node or a key that must not sign.
    pub guard: Option<GuardLog>,
    failed: Option<CommitError>,
    pruned: Option<PruneReport>,
    /// Waits for the checkpoint that is being written: until then the one before it is what a start needs.
    prune_after: Option<PruneRequest>,
}

impl Pipeline {
    /// From opened stores.
    #[must_use]
    pub const fn new(ledger: Ledger, wal: Wal, guard: Option<GuardLog>) -> Self {
        Self { ledger, wal, guard, failed: None, pruned: None, prune_after: None }
    }

    /// Commits one group: all writes of `items`, one sync per dirty file, then `release` for each release in order.
    ///
    /// # Errors
    /// The first failure; nothing of this group is released then, and every later call fails the same way.
    pub fn commit<R>(
        &mut self,
        items: impl IntoIterator<Item = Item<R>>,
        mut release: impl FnMut(R),
    ) -> Result<(), CommitError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut releases = Vec::new();
        let committed = items
            .into_iter()
            .try_for_each(|item| self.write(item, &mut releases))
            .and_then(|()| self.write_checkpoint_part())
            .and_then(|()| self.sync());
        match committed {
            Ok(()) => {
                releases.into_iter().for_each(&mut release);
                Ok(())
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn write<R>(&mut self, item: Item<R>, releases: &mut Vec<R>) -> Result<(), CommitError> {
        match item {
            Item::Batch { key, header, body } => {
                self.ledger.append_batch(&key, &header, &body)?;
            }
            Item::Slot { height, batches, bytes } => {
                self.ledger.append_slot(height, &batches, &bytes)?;
            }
            Item::Header { height, bytes } => {
                self.ledger.append_header(height, &bytes)?;
            }
            Item::Seal { height, bytes } => {
                self.ledger.append_seal(height, &bytes)?;
            }
            Item::Checkpoint { height, bytes } => {
                if !self.ledger.begin_checkpoint(height, bytes) {
                    tracing::warn!(%height, "no checkpoint: the one before is still being written");
                }
            }
            Item::Wal { height, entry } => self.wal.append(height, &entry)?,
            Item::Guard(record) => {
                self.guard.as_mut().ok_or(CommitError::NoGuard)?.append(&record)?;
            }
            Item::Prune(request) => {
                self.prune_after.get_or_insert(request);
            }
            Item::Release(release) => releases.push(release),
        }
        Ok(())
    }

    /// Writes one part of a checkpoint a group, and prunes after the last: a large state holds up no vote for long.
    fn write_checkpoint_part(&mut self) -> Result<(), CommitError> {
        if !self.ledger.append_checkpoint_part()?
            && let Some(request) = self.prune_after.take()
        {
            self.pruned = Some(self.ledger.prune(&request)?);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), CommitError> {
        self.ledger.sync()?;
        self.wal.sync()?;
        if let Some(guard) = &mut self.guard {
            guard.sync()?;
        }
        Ok(())
    }

    /// What the last pruning did, once.
    pub const fn take_pruned(&mut self) -> Option<PruneReport> {
        self.pruned.take()
    }
}
