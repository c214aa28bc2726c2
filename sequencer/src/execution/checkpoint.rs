//! Checkpoints: the executor's state in bytes, checked against the header it belongs to.
//!
//! The replay window is not inside (up to 16 bytes a transaction of V slots): the checkpoint names the heights whose
//! [`ExecutedRecord`]s refill it.

use super::executor::Executor;
use super::record::ExecutedRecord;
use super::state::OrderState;
use crate::error::ExecutionError;
use crate::limits::CHECKPOINT_BYTES_MAX;
use crate::order::ReplayWindow;
use borsh::{BorshDeserialize, BorshSerialize};
use rota_keystore::KeystoreState;
use rota_types::codec::{decode, encode};
use rota_types::{Genesis, Hash, Height, SlotHeader, TypesError};

/// Version of the layout.
const CHECKPOINT_VERSION: u16 = 1;

#[derive(BorshSerialize, BorshDeserialize)]
struct Checkpoint {
    version: u16,
    genesis: Hash,
    header: Option<SlotHeader>,
    batches_root: Hash,
    order: OrderState,
    keystore: KeystoreState,
    window_first: Option<Height>,
}

impl Executor {
    /// The state after the last executed slot, without the replay window.
    #[must_use]
    pub fn to_checkpoint(&self) -> Vec<u8> {
        encode(&Checkpoint {
            version: CHECKPOINT_VERSION,
            genesis: self.genesis,
            header: self.header.clone(),
            batches_root: self.batches_root,
            order: self.order.clone(),
            keystore: self.keystore.clone(),
            window_first: self.window.read(ReplayWindow::first_height),
        })
    }

    /// Restores a checkpoint of the network of `genesis`. Before anything is executed, [`Self::load_window`] must be
    /// given the records of [`Self::window_missing`].
    ///
    /// # Errors
    /// [`TypesError`] for another version or network, or a state that its own header does not commit to.
    pub fn from_checkpoint(genesis: &Genesis, bytes: &[u8]) -> Result<Self, TypesError> {
        let checkpoint: Checkpoint = decode(bytes, CHECKPOINT_BYTES_MAX)?;
        let mismatch = |what| Err(TypesError::Mismatch { what });
        if checkpoint.version != CHECKPOINT_VERSION {
            return mismatch("checkpoint version");
        }
        if checkpoint.genesis != genesis.hash() {
            return mismatch("checkpoint genesis");
        }
        let mut executor = Self::genesis(genesis)?;
        let Some(header) = checkpoint.header else {
            return Ok(executor);
        };
        header.check_chain(genesis.chain_id)?;
        if checkpoint.keystore.root() != header.keystore_root {
            return mismatch("checkpoint keystore root");
        }
        if checkpoint.order.root(genesis.chain_id, &checkpoint.batches_root) != header.order_root {
            return mismatch("checkpoint order root");
        }
        let first = checkpoint.window_first.filter(|first| *first <= header.height);
        let Some(first) = first else {
            return mismatch("first height of the checkpoint's replay window");
        };
        executor.window_missing = Some((first, header.height));
        executor.header_id = header.id();
        executor.header = Some(header);
        executor.batches_root = checkpoint.batches_root;
        executor.order = checkpoint.order;
        executor.keystore = checkpoint.keystore;
        Ok(executor)
    }

    /// First and last height whose records the replay window still needs.
    #[must_use]
    pub const fn window_missing(&self) -> Option<(Height, Height)> {
        self.window_missing
    }

    /// Refills the replay window with the next record, ascending from [`Self::window_missing`].
    ///
    /// # Errors
    /// [`ExecutionError::NotNext`] for another height; [`ExecutionError::HeaderMismatch`] if the last record is not the
    /// slot of the checkpoint's header: the window is emptied and must be loaded again from its first height.
    pub fn load_window(&mut self, record: &ExecutedRecord) -> Result<(), ExecutionError> {
        let header = &record.header;
        let found = header.height;
        let Some((first, last)) = self.window_missing else {
            return Err(ExecutionError::NotNext { expected: self.height().next(), found });
        };
        if found != first {
            return Err(ExecutionError::NotNext { expected: first, found });
        }
        if found == last && header.id() != self.header_id {
            let restart = self.window.read(ReplayWindow::first_height).unwrap_or(first);
            let empty = ReplayWindow::new(self.validity_slots, self.salt);
            self.window.write(|window| *window = empty);
            self.window_missing = Some((restart, last));
            return Err(ExecutionError::HeaderMismatch {
                height: found,
                recorded: header.id(),
                computed: self.header_id,
            });
        }
        let skipped = record.skips.iter().map(|(index, _)| *index);
        self.window.write(|window| window.load(found, header.slot, &record.prefixes, skipped));
        self.window_missing = (found < last).then(|| (found.next(), last));
        Ok(())
    }
}
