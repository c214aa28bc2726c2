//! Whether a set of signers may do something: thresholds, and no signature too many.

use crate::config::{Config, Role};
use crate::error::ensure;
use crate::keys::KeyId;
use rota_types::{Refusal, RefusalCode, Slot};

/// A threshold that the signers must meet.
#[derive(Clone, Copy)]
pub(crate) struct Demand<'a> {
    pub(crate) config: &'a Config,
    pub(crate) role: Role,
    pub(crate) slot: Slot,
}

impl Demand<'_> {
    /// Weight of one signer: 0 if its key is not in the config, lacks the role, has ended or has a policy.
    fn weight(&self, id: &KeyId) -> u32 {
        self.config
            .key(id)
            .filter(|key| key.may_act(self.role, self.slot))
            .map_or(0, |key| u32::from(key.weight))
    }

    fn is_met(&self, weights: impl Iterator<Item = u32>) -> bool {
        let threshold = self.config.threshold(self.role);
        threshold > 0 && weights.fold(0u32, u32::saturating_add) >= threshold
    }
}

/// Checks that the signers meet every demand at once and that none of them could be left out: so that no key
/// is counted twice and nobody makes a second id of one operation by stripping a signature.
///
/// # Errors
/// `UnknownKey` if a signer counts for nothing, `ThresholdNotMet`, `NotMinimal`.
pub(crate) fn authorise(signers: &[KeyId], demands: &[Demand<'_>]) -> Result<(), Refusal> {
    let weights: Vec<Vec<u32>> =
        demands.iter().map(|demand| signers.iter().map(|id| demand.weight(id)).collect()).collect();
    for at in 0..signers.len() {
        let counts = weights.iter().any(|row| row.get(at).is_some_and(|weight| *weight > 0));
        ensure(counts, RefusalCode::UnknownKey)?;
    }
    let met_without = |left_out: Option<usize>| {
        demands.iter().zip(&weights).all(|(demand, row)| {
            let kept = row.iter().enumerate().filter(|(at, _)| Some(*at) != left_out);
            demand.is_met(kept.map(|(_, weight)| *weight))
        })
    };
    ensure(met_without(None), RefusalCode::ThresholdNotMet)?;
    for at in 0..signers.len() {
        ensure(!met_without(Some(at)), RefusalCode::NotMinimal)?;
    }
    Ok(())
}
