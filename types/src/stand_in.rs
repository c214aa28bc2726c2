//! A stand-in for the validators' signature schemes, for simulations of many validators in one process.
//!
//! Real signatures would cost a simulated network more than everything else it does. A program may install one
//! [`StandIn`] for its life; from then on what [`crate::keys`] and the seals of [`crate::bls`] sign and verify
//! goes to it, on the threads where it says so. `rota` never installs one: a house rule allows the call in the
//! simulator's folder alone.

use crate::bls::{BlsSignature, SealKey};
use crate::hash::Hash;
use crate::keys::{Signature, ValidatorKey};
use std::sync::OnceLock;

/// Tags in the place of signatures: anybody can make them, so nothing is proved by one.
pub trait StandIn: Send + Sync {
    /// Whether it stands in on the calling thread; elsewhere signatures are real.
    fn is_on(&self) -> bool;
    /// What `key` puts in the place of a signature over `digest`; a verifier makes it again and compares.
    fn signature(&self, key: &ValidatorKey, digest: &Hash) -> Signature;
    /// The same for seals.
    fn seal(&self, key: &SealKey, digest: &Hash) -> BlsSignature;
    /// Sum of seals: any order gives the same.
    fn sum(&self, seals: &[BlsSignature]) -> BlsSignature;
}

static INSTALLED: OnceLock<&'static dyn StandIn> = OnceLock::new();

/// Installs the stand-in of this process. The first one stays; `false` if another was there.
pub fn install(stand_in: &'static dyn StandIn) -> bool {
    INSTALLED.set(stand_in).is_ok()
}

/// The stand-in, where one is installed and stands in on this thread.
pub(crate) fn current() -> Option<&'static dyn StandIn> {
    INSTALLED.get().copied().filter(|stand_in| stand_in.is_on())
}
