//! Operations of the system rollup against the state that decides order.
//!
//! They run after a slot's evidence was accepted and take effect with the next height, so no author escapes a closure
//! by raising its incarnation in the slot that carries the proof. The cheap questions come first: a flood of
//! operations costs a signature check only within its author's budget.

use super::state::OrderState;
use crate::limits::{SYSTEM_SIGNATURES_MIN, SYSTEM_SIGNATURES_PER_SLOT};
use rota_types::{RefusalCode, Slot, SystemEnvelope, SystemOp, ValidatorKey, ValidatorSet, Weight};
use std::collections::BTreeMap;

/// Who may order system operations, and by what: the state of the executed parent.
#[derive(Clone, Copy, Debug)]
pub struct SystemView<'a> {
    /// State that decides order.
    pub order: &'a OrderState,
    /// The validators.
    pub validators: &'a ValidatorSet,
}

impl SystemView<'_> {
    /// Whether this operation would be executed now. Signatures are the caller's to verify.
    ///
    /// # Errors
    /// `NotAuthorised` or `IncarnationMismatch`.
    pub fn judge(&self, envelope: &SystemEnvelope) -> Result<(), RefusalCode> {
        let SystemOp::RaiseIncarnation { lane, incarnation } = envelope.op;
        let state = self.order.lane(&lane).ok_or(RefusalCode::NotAuthorised)?;
        if incarnation <= state.incarnation || incarnation != state.incarnation.next() {
            return Err(RefusalCode::IncarnationMismatch);
        }
        let mut signers = envelope.signatures.iter().map(|(key, _)| key);
        let authorised = if state.closed {
            let weight: u64 = signers.map(|key| self.validators.weight(key).0).sum();
            self.validators.is_quorum(Weight(weight))
        } else {
            signers.next() == Some(&lane) && signers.next().is_none()
        };
        if authorised { Ok(()) } else { Err(RefusalCode::NotAuthorised) }
    }
}

/// One slot's operations.
pub(crate) struct SystemRun<'a> {
    chain_id: u64,
    validators: &'a ValidatorSet,
    order: &'a mut OrderState,
    /// Signatures verified for each author.
    spent: BTreeMap<ValidatorKey, u64>,
    budget: u64,
}

impl<'a> SystemRun<'a> {
    pub(crate) fn new(
        chain_id: u64,
        validators: &'a ValidatorSet,
        order: &'a mut OrderState,
    ) -> Self {
        let n = u64::try_from(validators.len()).unwrap_or(u64::MAX);
        let share = SYSTEM_SIGNATURES_PER_SLOT.checked_div(n).unwrap_or(0);
        let budget = share.max(SYSTEM_SIGNATURES_MIN);
        Self { chain_id, validators, order, spent: BTreeMap::new(), budget }
    }

    /// Executes one operation that `author` batched.
    pub(crate) fn execute(
        &mut self,
        author: ValidatorKey,
        payload: &[u8],
        valid_until: Slot,
    ) -> Result<(), RefusalCode> {
        let envelope = SystemEnvelope::from_payload(payload, valid_until)?;
        let view = SystemView { order: self.order, validators: self.validators };
        view.judge(&envelope)?;
        let spent = self.spent.entry(author).or_insert(0);
        let after =
            spent.saturating_add(u64::try_from(envelope.signatures.len()).unwrap_or(u64::MAX));
        if after > self.budget {
            return Err(RefusalCode::SystemBudget);
        }
        *spent = after;
        envelope.verify(self.chain_id)?;
        let SystemOp::RaiseIncarnation { lane, incarnation } = envelope.op;
        self.order.raise(&lane, incarnation);
        Ok(())
    }
}
