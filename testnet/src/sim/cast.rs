//! Who plays: keys of up to 128 validators, made once a process, and the genesis of a run.

use super::plan::Plan;
use rota_types::bls::{BlsSignature, SealSecret};
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::limits::{BATCH_BODY_BYTES_MAX, VALIDATORS_MAX};
use rota_types::{
    Ed25519Signer, Genesis, Hash, RollupId, Signer as _, TimestampMs, ValidatorKey, Weight,
    keccak256,
};
use std::sync::OnceLock;

/// In every signature of a simulated network.
pub(super) const CHAIN_ID: u64 = 77_001;
/// Start of slot 0 in Unix milliseconds.
pub(super) const GENESIS_MS: u64 = 1_700_000_000_000;
/// Rollups that the load writes to.
pub(super) const ROLLUPS: [RollupId; 3] = [RollupId(10), RollupId(11), RollupId(12)];

/// Keys of one validator.
pub(super) struct Identity {
    pub(super) key: ValidatorKey,
    seed: Hash,
    seal_scalar: [u8; 32],
    seal_key: rota_types::bls::SealKey,
    possession: BlsSignature,
}

impl Identity {
    fn new(index: usize) -> Self {
        let seed = keccak256(format!("simulated validator {index}").as_bytes());
        let seal = SealSecret::derive(&keccak256(seed.as_bytes()).0)
            .expect("32 bytes are enough to derive a seal key");
        Self {
            key: Ed25519Signer::from_seed(&seed.0).public_key(),
            seal_scalar: *seal.to_bytes(),
            seal_key: seal.public_key(),
            possession: seal.prove_possession(CHAIN_ID),
            seed,
        }
    }

    pub(super) fn signer(&self) -> Ed25519Signer {
        Ed25519Signer::from_seed(&self.seed.0)
    }

    pub(super) fn seal_secret(&self) -> SealSecret {
        SealSecret::from_bytes(&self.seal_scalar).expect("a scalar that a secret key gave")
    }
}

/// The validator with this number; in order of keys.
pub(super) fn identity(index: usize) -> &'static Identity {
    static ALL: OnceLock<Vec<Identity>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut all: Vec<Identity> = (0..VALIDATORS_MAX).map(Identity::new).collect();
        all.sort_by_key(|identity| identity.key);
        all
    });
    all.get(index).expect("a plan has at most VALIDATORS_MAX validators")
}

/// The genesis document of a run.
pub(super) fn genesis(plan: &Plan) -> Genesis {
    let validators = plan.weights.iter().enumerate().map(|(index, weight)| {
        let identity = identity(index);
        GenesisValidator {
            name: format!("v{index}"),
            key: identity.key,
            seal_key: identity.seal_key,
            seal_possession: identity.possession,
            weight: Weight(*weight),
        }
    });
    let body = u64::try_from(BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let count = u64::try_from(plan.weights.len()).unwrap_or(u64::MAX);
    let rollup = |id: &RollupId| GenesisRollup {
        id: *id,
        name: format!("r{id}"),
        slot_bytes_max: if *id == ROLLUPS[2] { 64 * 1024 } else { 0 },
    };
    Genesis {
        chain_id: CHAIN_ID,
        name: "simulated".to_owned(),
        genesis_time: TimestampMs(GENESIS_MS),
        slot_ms: plan.slot_ms,
        protocol_version: 1,
        validity_slots_max: Genesis::default_validity_slots(plan.slot_ms),
        slot_bytes_max: count.saturating_mul(body).max(plan.slot_bytes_max),
        slot_txs_max: 3 * 1024 * 1024,
        lane_lead_max: plan.lane_lead_max,
        new_accounts_max: 256,
        emergency_bytes_max: 64 * 1024,
        validators: validators.collect(),
        rollups: ROLLUPS.iter().map(rollup).collect(),
    }
}
