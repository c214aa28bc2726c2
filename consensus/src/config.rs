//! What a driver is told once.

use rota_types::genesis::Timing;
use rota_types::{Height, ValidatorKey};

/// Settings of a [`crate::Driver`].
#[derive(Clone, Debug)]
pub struct Config {
    /// In every signature.
    pub chain_id: u64,
    /// Slot times of the network.
    pub timing: Timing,
    /// Our key. Outside the height's set the driver follows and decides, and signs nothing.
    pub local: ValidatorKey,
    /// Below this height a signature by our key that we do not remember is no alarm: 0, except after a
    /// rejoin, where it is the first height voted on again.
    pub own_signatures_known_from: Height,
}
