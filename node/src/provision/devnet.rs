//! The public devnet: its chain id, its rollups, and keys that everybody knows.

use crate::error::{ExitCode, OperatorError};
use crate::keys::NodeKeys;
use rota_types::bls::SealSecret;
use rota_types::limits::VALIDATORS_MAX;
use rota_types::{Genesis, Hash, RollupId, keccak256};
use zeroize::Zeroizing;

/// Chain id of every devnet: `rota` in ASCII. Its keys are refused on any other.
pub const CHAIN_ID: u64 = 0x726f_7461;
/// Name of every devnet.
pub const NAME: &str = "devnet";
/// Password of every devnet key file: the keys are public, so it protects nothing.
pub const PASSWORD: &str = "devnet";
/// First demo rollup: a hashed id, with the top bit set.
pub const DEMO_ROLLUP: RollupId = RollupId(1 << 63 | 0x6465_6d6f);

/// Rollups registered when nothing else is asked for: a demo, and the chains whose real transactions are at hand.
#[must_use]
pub fn default_rollups() -> Vec<(RollupId, String)> {
    [
        (10, "OP Mainnet"),
        (8_453, "Base"),
        (59_144, "Linea"),
        (84_532, "Base Sepolia"),
        (167_000, "Taiko"),
        (534_352, "Scroll"),
        (DEMO_ROLLUP.0, "demo"),
    ]
    .into_iter()
    .map(|(id, name)| (RollupId(id), name.to_owned()))
    .collect()
}

fn seed(kind: &str, index: usize) -> Hash {
    keccak256(format!("rota devnet {kind} key {index}: public, worth nothing").as_bytes())
}

/// Secret of a demo account of the keystore, public like all else here.
#[must_use]
pub fn demo_account_secret(index: usize) -> [u8; 32] {
    seed("account", index).0
}

/// Keys of the devnet's node `index`.
///
/// # Errors
/// Never in practice; a seal scalar that is none would be a bug.
pub fn public_keys(index: usize, validator: bool) -> Result<NodeKeys, OperatorError> {
    let node_seed = Zeroizing::new(seed("node", index).0);
    if !validator {
        return Ok(NodeKeys { node_seed, validator_seed: None, seal: None });
    }
    let seal = SealSecret::derive(&seed("seal", index).0)
        .map_err(|error| OperatorError::new(ExitCode::Bug, "a devnet seal key").cause(error))?;
    Ok(NodeKeys {
        node_seed,
        validator_seed: Some(Zeroizing::new(seed("validator", index).0)),
        seal: Some(seal),
    })
}

/// Refuses a genesis other than a devnet's that names a validator whose key everybody knows.
///
/// # Errors
/// Config.
pub fn refuse_public_keys(genesis: &Genesis) -> Result<(), OperatorError> {
    if genesis.chain_id == CHAIN_ID {
        return Ok(());
    }
    for index in 0..VALIDATORS_MAX {
        let key = public_keys(index, true)?.validator_key();
        if let Some(found) = genesis.validators.iter().find(|v| Some(v.key) == key) {
            return Err(OperatorError::new(
                ExitCode::Config,
                format!("validator {} of this genesis has a devnet key", found.name),
            )
            .cause("devnet keys are public: anybody can sign with them")
            .hint("make fresh keys: rota init --validator, or rota testnet"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::{KeySource, NetworkPlan};
    use rota_types::TimestampMs;

    #[test]
    fn devnet_keys_are_refused_on_any_other_chain_id() {
        let mut plan = NetworkPlan::loopback(CHAIN_ID, 4, 2_000, TimestampMs(1)).unwrap();
        plan.keys = KeySource::Public;
        let devnet = crate::provision::make_network(&plan).unwrap().genesis;
        refuse_public_keys(&devnet).unwrap();
        plan.chain_id = 7;
        let other = crate::provision::make_network(&plan).unwrap().genesis;
        assert_eq!(refuse_public_keys(&other).unwrap_err().exit, ExitCode::Config);
        plan.keys = KeySource::Random;
        refuse_public_keys(&crate::provision::make_network(&plan).unwrap().genesis).unwrap();
    }
}
