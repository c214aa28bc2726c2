//! Admission: whether a transaction may enter at a door of this node.
//!
//! One function, [`admit`], for RPC, gossip and own batching, so that all doors refuse alike and with one
//! code. Two kinds of check, never mixed: by the bytes alone ([`check_bytes`], wrong for ever, gossip verdict
//! *reject*), and by clock or state (differs between honest nodes, gossip verdict *ignore*).
//!
//! It never decides an acknowledgement: a batch is judged by its own bytes only (docs/protocol.md,
//! *Transactions*).

mod budget;
mod bundle;
mod rollups;

pub use budget::WorkBudget;
pub use bundle::{BundleVerdict, Verdict, judge_bundle, judge_gossip};
pub use rollups::Rollups;

use crate::execution::SystemView;
use crate::limits::{DECODED_BYTES_PER_UNIT, VALIDITY_RESERVE_SLOTS};
use rota_keystore::{Claim, KeystoreState};
use rota_types::transaction::TxView;
use rota_types::{Refusal, RefusalCode, RollupId, Slot, SystemEnvelope, TransactionList, TxId};

/// What a door knows at the moment of a submission.
#[derive(Clone, Copy)]
pub struct AdmissionContext<'a> {
    /// In keystore envelopes.
    pub chain_id: u64,
    /// Slot of the node's clock.
    pub slot: Slot,
    /// How far ahead `valid_until_slot` may be when a transaction is ordered.
    pub validity_slots_max: u64,
    /// Registered rollups.
    pub rollups: &'a Rollups,
    /// Whether an id is known. For gossip: ordered within the replay window, or held by pool or own lane. For
    /// RPC: ordered only, because what the own lane holds gets the place it has.
    pub known: &'a dyn Fn(&TxId) -> bool,
    /// State of the executed parent, for sequence numbers of keystore operations; `None` skips that check.
    pub keystore: Option<&'a KeystoreState>,
    /// The same for system operations.
    pub system: Option<SystemView<'a>>,
}

impl std::fmt::Debug for AdmissionContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdmissionContext").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// Takes units of work from whoever asks for it, before the work is done.
pub type Charge<'a> = dyn FnMut(u64) -> Result<(), Refusal> + 'a;

/// Checks what follows from the bytes alone: payloads of the rollups that the network executes. The size was
/// checked when the list was parsed.
///
/// # Errors
/// A code for which [`RefusalCode::from_bytes_alone`] holds.
pub fn check_bytes(view: &TxView<'_>, chain_id: u64) -> Result<(), Refusal> {
    Claimed::read(view, chain_id)?.map_or(Ok(()), Claimed::verify)
}

/// An operation whose form is in order, and whose signatures are not verified yet.
enum Claimed {
    Keystore(Box<Claim>),
    System { envelope: SystemEnvelope, chain_id: u64 },
}

impl Claimed {
    fn read(view: &TxView<'_>, chain_id: u64) -> Result<Option<Self>, Refusal> {
        let until = view.valid_until_slot;
        match view.rollup {
            RollupId::KEYSTORE => Claim::read(view.payload(), until, chain_id)
                .map(|claim| Some(Self::Keystore(Box::new(claim)))),
            RollupId::SYSTEM => {
                let envelope = SystemEnvelope::from_payload(view.payload(), until)?;
                Ok(Some(Self::System { envelope, chain_id }))
            }
            _ => Ok(None),
        }
    }

    /// What state says, before any signature is verified.
    fn admit(&self, context: &AdmissionContext<'_>) -> Result<(), Refusal> {
        match self {
            Self::Keystore(claim) => context
                .keystore
                .map_or(Ok(()), |state| rota_keystore::admit(state, claim, context.slot)),
            Self::System { envelope, .. } => {
                context.system.map_or(Ok(()), |system| Ok(system.judge(envelope)?))
            }
        }
    }

    /// Work of its signatures.
    fn units(&self) -> u64 {
        match self {
            Self::Keystore(claim) => claim.envelope().units(),
            Self::System { envelope, .. } => {
                u64::try_from(envelope.signatures.len()).unwrap_or(u64::MAX)
            }
        }
    }

    fn verify(self) -> Result<(), Refusal> {
        match self {
            Self::Keystore(claim) => claim.verify().map(|_| ()),
            Self::System { envelope, chain_id } => Ok(envelope.verify(chain_id)?),
        }
    }
}

/// Checks clock and registry: the cheap part of [`admit`], for transactions whose bytes were judged before.
///
/// # Errors
/// `Expired`, `TooFarAhead` or `UnknownRollup`, with limit and value.
pub fn check_window(view: &TxView<'_>, context: &AdmissionContext<'_>) -> Result<(), Refusal> {
    let (slot, until) = (context.slot, view.valid_until_slot);
    if until < slot {
        return Err(Refusal::at_limit(RefusalCode::Expired, slot.0, until.0));
    }
    let ahead = context.validity_slots_max.saturating_sub(VALIDITY_RESERVE_SLOTS);
    let furthest = slot.plus(ahead);
    if until > furthest {
        return Err(Refusal::at_limit(RefusalCode::TooFarAhead, furthest.0, until.0));
    }
    if !context.rollups.contains(view.rollup) {
        let value = Some(view.rollup.0);
        return Err(Refusal { code: RefusalCode::UnknownRollup, limit: None, value });
    }
    Ok(())
}

/// Decides whether a transaction may enter, cheapest check first: clock, registry, duplicate, form, for keystore and
/// system operations the state, and signatures last.
///
/// # Errors
/// The first refusal, with limit and value where there are any.
pub fn admit(view: &TxView<'_>, context: &AdmissionContext<'_>) -> Result<(), Refusal> {
    admit_charged(view, context, &mut |_| Ok(()))
}

/// [`admit`] where decoding and verifying are paid for first.
fn admit_charged(
    view: &TxView<'_>,
    context: &AdmissionContext<'_>,
    charge: &mut Charge<'_>,
) -> Result<(), Refusal> {
    let Some(claimed) = admit_unverified(view, context, charge)? else { return Ok(()) };
    charge(claimed.units())?;
    claimed.verify()
}

/// All of [`admit`] but the signatures, which are claimed by what it gives.
fn admit_unverified(
    view: &TxView<'_>,
    context: &AdmissionContext<'_>,
    charge: &mut Charge<'_>,
) -> Result<Option<Claimed>, Refusal> {
    check_window(view, context)?;
    if (context.known)(&view.id) {
        return Err(Refusal::new(RefusalCode::Duplicate));
    }
    if view.rollup.is_executed() {
        let bytes = u64::try_from(view.payload().len()).unwrap_or(u64::MAX);
        charge(bytes.div_ceil(DECODED_BYTES_PER_UNIT))?;
    }
    let claimed = Claimed::read(view, context.chain_id)?;
    if let Some(claimed) = &claimed {
        claimed.admit(context)?;
    }
    Ok(claimed)
}

/// Admits a whole submission, which gets one receipt or none. No signature is verified before everything else of
/// every transaction holds.
///
/// # Errors
/// Index and refusal of the first transaction that may not enter by anything but its signatures, else of the
/// first with a bad one.
pub fn admit_list(
    list: &TransactionList,
    context: &AdmissionContext<'_>,
) -> Result<(), (usize, Refusal)> {
    let mut claims = Vec::new();
    for (index, view) in list.iter().enumerate() {
        let claim = admit_unverified(&view, context, &mut |_| Ok(()));
        claims.extend(claim.map_err(|refusal| (index, refusal))?.map(|claim| (index, claim)));
    }
    claims
        .into_iter()
        .try_for_each(|(index, claim)| claim.verify().map_err(|refusal| (index, refusal)))
}
