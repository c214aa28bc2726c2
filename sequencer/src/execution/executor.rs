//! Execution of decided slots, one after another: the deterministic state machine of the network.
//!
//! It runs on its own thread: it owns its state, takes a [`DecidedSlot`] and gives an [`ExecutedSlot`] whose parts are
//! snapshots. It never waits, reads no clock and does no I/O.

use super::namespaces::SlotNamespaces;
use super::record::{DecidedSlot, ExecutedRecord};
use super::run::{Pass, PassRules, pass};
use super::state::OrderState;
use crate::batch::Batch;
use crate::error::ExecutionError;
use crate::lane_view::LaneTip;
use crate::order::{ReplayWindow, WindowReader, count};
use rota_keystore::order::Outcome;
use rota_keystore::{KeystoreState, Params};
use rota_types::genesis::Timing;
use rota_types::header::HEADER_VERSION;
use rota_types::namespace::list_root;
use rota_types::{
    Genesis, Hash, Height, Slot, SlotHeader, SlotProposal, TypesError, ValidatorKey, ValidatorSet,
};
use std::sync::Arc;

/// The outcome of a slot, in snapshots that other threads may keep.
#[derive(Clone, Debug)]
pub struct ExecutedSlot {
    /// The header; its id is what is sealed.
    pub header: SlotHeader,
    /// Id of the header.
    pub header_id: Hash,
    /// What the ledger keeps.
    pub record: ExecutedRecord,
    /// Namespaces of the slot, for proofs.
    pub namespaces: Arc<SlotNamespaces>,
    /// State that decides order, after the slot.
    pub order: Arc<OrderState>,
    /// New decided tips of the lanes that moved.
    pub tips: Vec<LaneTip>,
    /// Lanes closed by evidence of this slot.
    pub closed: Vec<ValidatorKey>,
    /// Keystore state after the slot.
    pub keystore: KeystoreState,
    /// Outcomes of the keystore's operations, by slot index.
    pub keystore_outcomes: Vec<Outcome>,
}

/// Salt of look-up tables where none is given: 2⁶⁴ / φ, which spreads well.
const DEFAULT_SALT: u64 = 0x9E37_79B9_7F4A_7C15;

/// The state machine.
#[derive(Debug)]
pub struct Executor {
    pub(super) genesis: Hash,
    pub(super) chain_id: u64,
    pub(super) protocol_version: u32,
    pub(super) timing: Timing,
    pub(super) validity_slots: u64,
    pub(super) validators: ValidatorSet,
    pub(super) validators_commitment: Hash,
    /// Header of the last executed slot; `None` before height 1.
    pub(super) header: Option<SlotHeader>,
    pub(super) header_id: Hash,
    /// Merkle root of the last slot's batch digests: part of its `order_root`.
    pub(super) batches_root: Hash,
    pub(super) order: OrderState,
    pub(super) keystore: KeystoreState,
    pub(super) window: WindowReader,
    /// Salt of the window's index.
    pub(super) salt: u64,
    /// First and last height whose ids the window lacks after a restart.
    pub(super) window_missing: Option<(Height, Height)>,
}

/// A copy has a window of its own: two executors never order into one.
impl Clone for Executor {
    fn clone(&self) -> Self {
        Self {
            genesis: self.genesis,
            chain_id: self.chain_id,
            protocol_version: self.protocol_version,
            timing: self.timing,
            validity_slots: self.validity_slots,
            validators: self.validators.clone(),
            validators_commitment: self.validators_commitment,
            header: self.header.clone(),
            header_id: self.header_id,
            batches_root: self.batches_root,
            order: self.order.clone(),
            keystore: self.keystore.clone(),
            window: self.window.detached(),
            salt: self.salt,
            window_missing: self.window_missing,
        }
    }
}

impl Executor {
    /// The state at genesis.
    ///
    /// # Errors
    /// [`TypesError`] if the document breaks a rule of the validator set.
    pub fn genesis(genesis: &Genesis) -> Result<Self, TypesError> {
        let validators = genesis.validator_set()?;
        Ok(Self {
            genesis: genesis.hash(),
            chain_id: genesis.chain_id,
            protocol_version: genesis.protocol_version,
            timing: genesis.timing(),
            validity_slots: genesis.validity_slots_max,
            validators_commitment: validators.commitment(genesis.chain_id),
            header: None,
            header_id: Hash::ZERO,
            batches_root: Hash::ZERO,
            order: OrderState::genesis(genesis, &validators),
            keystore: KeystoreState::new(Params::from_genesis(genesis)),
            window: WindowReader::new(ReplayWindow::new(genesis.validity_slots_max, DEFAULT_SALT)),
            salt: DEFAULT_SALT,
            window_missing: None,
            validators,
        })
    }

    /// Gives the look-up tables a secret of this node, so that nobody can choose ids that crowd them. It changes no
    /// outcome, and is for an executor that holds no ids yet.
    #[must_use]
    pub fn with_lookup_salt(mut self, salt: u64) -> Self {
        if self.window.read(ReplayWindow::is_empty) {
            self.salt = salt;
            self.window = WindowReader::new(ReplayWindow::new(self.validity_slots, salt));
        }
        self
    }

    /// Height of the last executed slot; 0 before the first.
    #[must_use]
    pub fn height(&self) -> Height {
        self.header.as_ref().map_or(Height::GENESIS, |header| header.height)
    }

    /// Slot of the last executed height; 0 before the first.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.header.as_ref().map_or(Slot(0), |header| header.slot)
    }

    /// Header of the last executed slot.
    #[must_use]
    pub const fn header(&self) -> Option<&SlotHeader> {
        self.header.as_ref()
    }

    /// Its id; zero before the first.
    #[must_use]
    pub const fn header_id(&self) -> Hash {
        self.header_id
    }

    /// State that decides the next slot's order.
    #[must_use]
    pub const fn order(&self) -> &OrderState {
        &self.order
    }

    /// Keystore state.
    #[must_use]
    pub const fn keystore(&self) -> &KeystoreState {
        &self.keystore
    }

    /// Recent ids, for look-ups and for refusing duplicates at the doors, from any thread.
    #[must_use]
    pub fn window(&self) -> WindowReader {
        self.window.clone()
    }

    /// The validator set.
    #[must_use]
    pub const fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Executes the next decided slot.
    ///
    /// # Errors
    /// [`ExecutionError`]: the slot is not the next one, does not belong to this state (a safety alarm: a quorum
    /// decided on another parent), or the window is not loaded yet. The state is untouched then.
    pub fn execute(&mut self, decided: &DecidedSlot) -> Result<ExecutedSlot, ExecutionError> {
        self.check_next(&decided.proposal)?;
        let tips = self.check_batches(decided)?;
        let proposal = &decided.proposal;
        let proposal_id = proposal.id(self.chain_id);
        let closed = proposal.evidence.iter().filter_map(|item| self.order.punish(item)).collect();
        let rules = PassRules {
            chain_id: self.chain_id,
            proposal_id,
            validators: &self.validators,
            validity_slots: self.validity_slots,
        };
        let mut pass = pass(decided, &rules, &mut self.order, &self.window, &mut self.keystore);
        self.order.judge_copies(&pass.copies);
        for tip in &tips {
            self.order.advance(proposal.height, *tip);
        }
        let digests: Vec<Hash> =
            decided.lanes.iter().flatten().map(|batch| batch.digest()).collect();
        self.batches_root = list_root(&digests);
        let namespaces = SlotNamespaces::new(std::mem::take(&mut pass.namespaces));
        let header = self.build_header(proposal, proposal_id, namespaces.root(), &pass);
        self.header_id = header.id();
        self.header = Some(header.clone());
        Ok(ExecutedSlot {
            header_id: self.header_id,
            record: ExecutedRecord {
                header: header.clone(),
                batches: pass.batches,
                skips: pass.skips,
                prefixes: pass.prefixes,
            },
            header,
            namespaces: Arc::new(namespaces),
            order: Arc::new(self.order.clone()),
            tips,
            closed,
            keystore: self.keystore.clone(),
            keystore_outcomes: pass.keystore,
        })
    }

    /// Executes a slot that was executed before, and checks that the outcome is the recorded one.
    ///
    /// # Errors
    /// As [`Self::execute`]; [`ExecutionError::HeaderMismatch`] if ledger or state was damaged.
    pub fn replay(
        &mut self,
        decided: &DecidedSlot,
        recorded: &ExecutedRecord,
    ) -> Result<ExecutedSlot, ExecutionError> {
        let executed = self.execute(decided)?;
        if executed.record != *recorded {
            return Err(ExecutionError::HeaderMismatch {
                height: decided.height(),
                recorded: recorded.header.id(),
                computed: executed.header_id,
            });
        }
        Ok(executed)
    }

    fn check_next(&self, proposal: &SlotProposal) -> Result<(), ExecutionError> {
        if let Some((first, last)) = self.window_missing {
            return Err(ExecutionError::WindowIncomplete { first, last });
        }
        let expected = self.height().next();
        if proposal.height != expected || proposal.slot <= self.slot() {
            return Err(ExecutionError::NotNext { expected, found: proposal.height });
        }
        if proposal.parent_header != self.header_id {
            return Err(ExecutionError::ParentMismatch {
                executed: self.header_id,
                found: proposal.parent_header,
            });
        }
        Ok(())
    }

    /// Checks that each lane's batches lead from its tip to its cut entry; the new tips.
    fn check_batches(&self, decided: &DecidedSlot) -> Result<Vec<LaneTip>, ExecutionError> {
        let cut = &decided.proposal.cut;
        let first = cut.first().map_or(ValidatorKey::default(), |entry| entry.position.lane);
        if cut.len() != decided.lanes.len() {
            return Err(ExecutionError::Fork { lane: first });
        }
        let mut tips = Vec::with_capacity(cut.len());
        for (entry, run) in cut.iter().zip(&decided.lanes) {
            let lane = entry.position.lane;
            let fork = ExecutionError::Fork { lane };
            let state = self.order.lane(&lane).ok_or_else(|| fork.clone())?;
            let mut tip = state.tip;
            for batch in run {
                tip = follow(&tip, batch).ok_or_else(|| fork.clone())?;
            }
            if run.is_empty() || tip.digest != entry.header_digest || tip.position != entry.position
            {
                return Err(fork);
            }
            tips.push(tip);
        }
        Ok(tips)
    }

    fn build_header(
        &self,
        proposal: &SlotProposal,
        proposal_id: Hash,
        txs_root: Hash,
        pass: &Pass,
    ) -> SlotHeader {
        SlotHeader {
            version: HEADER_VERSION,
            protocol_version: self.protocol_version,
            chain_id: self.chain_id,
            height: proposal.height,
            slot: proposal.slot,
            time: self.timing.end(proposal.slot),
            parent: self.header_id,
            proposal: proposal_id,
            txs_root,
            keystore_root: self.keystore.root(),
            zk_root: Hash::ZERO,
            bridge_root: Hash::ZERO,
            verdicts_root: Hash::ZERO,
            global_exit_root: Hash::ZERO,
            order_root: self.order.root(self.chain_id, &self.batches_root),
            validators: self.validators_commitment,
            next_validators: self.validators_commitment,
            tx_count: pass.tx_count,
            byte_count: pass.byte_count,
            skipped_count: count(pass.skips.len()),
        }
    }
}

/// The tip after `batch`, if it follows `tip`.
fn follow(tip: &LaneTip, batch: &Batch) -> Option<LaneTip> {
    let header = batch.header();
    let position = header.position;
    let follows = position.lane == tip.position.lane
        && position.seq == tip.position.seq.next()
        && header.parent == tip.digest;
    follows.then(|| LaneTip {
        position,
        digest: batch.digest(),
        cumulative_bytes: header.cumulative_bytes,
        cumulative_txs: header.cumulative_txs,
    })
}
