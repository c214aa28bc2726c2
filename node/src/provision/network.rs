//! From a plan to a genesis document and the keys of every node.

use super::devnet;
use super::{HTTP_PORT, METRICS_PORT, P2P_PORT};
use crate::error::{ExitCode, OperatorError};
use crate::keys::NodeKeys;
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::limits::{BATCH_BODY_BYTES_MAX, VALIDATORS_MAX};
use rota_types::{Genesis, RollupId, TimestampMs, Weight};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Ordered bytes a second that a slot makes room for.
const SLOT_BYTES_PER_SECOND: u64 = 32 * 1024 * 1024;
/// Ordered transactions a second that a slot makes room for: 32 MiB of 256-byte transactions.
const SLOT_TXS_PER_SECOND: u64 = 128 * 1024;
/// Most transactions of a slot: their id prefixes fill three quarters of a ledger record.
const SLOT_TXS_MAX: u64 = 3 * 1024 * 1024;
/// Undecided batches of a lane: two slots of 12 s at a batch every 20 ms, with room; the guard remembers twice as many.
const LANE_LEAD_MAX: u64 = 2048;
/// New keystore accounts of a slot.
const NEW_ACCOUNTS_MAX: u32 = 256;
/// Bytes of emergency operations of a slot.
const EMERGENCY_BYTES_MAX: u64 = 64 * 1024;

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The devnet's, known to everybody and refused on every other chain id.
    Public,
    /// The system's randomness.
    Random,
}

/// A node to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Name, also of its folder.
    pub name: String,
    /// Whether it is a validator.
    pub validator: bool,
    /// Where p2p listens.
    pub p2p: SocketAddr,
    /// Where others reach p2p, if not there.
    pub external: Option<SocketAddr>,
    /// Where JSON-RPC and REST listen.
    pub http: SocketAddr,
    /// Where metrics listen.
    pub metrics: SocketAddr,
}

impl NodePlan {
    /// Where others reach p2p.
    #[must_use]
    pub fn reachable(&self) -> SocketAddr {
        self.external.unwrap_or(self.p2p)
    }
}

/// A network to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// In every signature.
    pub chain_id: u64,
    /// For people and default paths.
    pub name: String,
    /// Start of slot 0.
    pub genesis_time: TimestampMs,
    /// Length of a slot, 1 s to 60 s.
    pub slot_ms: u64,
    /// Registered rollups in any order.
    pub rollups: Vec<(RollupId, String)>,
    /// Its nodes, validators among them.
    pub nodes: Vec<NodePlan>,
    /// Where keys come from.
    pub keys: KeySource,
}

/// A node with its keys.
pub struct PlannedNode {
    /// The plan.
    pub plan: NodePlan,
    /// Its keys.
    pub keys: NodeKeys,
    /// libp2p id of its node key.
    pub peer_id: String,
}

impl PlannedNode {
    /// Multiaddress at which others dial it.
    #[must_use]
    pub fn multiaddr(&self) -> String {
        format!("{}/p2p/{}", multiaddr(self.plan.reachable()), self.peer_id)
    }
}

/// A network with all its keys.
pub struct Network {
    /// What all nodes agree on.
    pub genesis: Genesis,
    /// Every node.
    pub nodes: Vec<PlannedNode>,
}

/// `/ip4/…/tcp/…` of an address.
pub(super) fn multiaddr(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("/ip4/{ip}/tcp/{}", address.port()),
        IpAddr::V6(ip) => format!("/ip6/{ip}/tcp/{}", address.port()),
    }
}

/// `count` validators on loopback, each with its own ports counted up from the bases.
///
/// # Errors
/// Usage, for none, too many, or ports past 65535.
pub fn loopback_nodes(
    count: usize,
    http: u16,
    metrics: u16,
    p2p: u16,
) -> Result<Vec<NodePlan>, OperatorError> {
    if count == 0 || count > VALIDATORS_MAX {
        return Err(OperatorError::new(ExitCode::Usage, format!("{count} validators"))
            .cause(format!("a network has 1 to {VALIDATORS_MAX}"))
            .hint("--validators 4"));
    }
    let at = |base: u16, index: usize| {
        u16::try_from(index)
            .ok()
            .and_then(|index| base.checked_add(index))
            .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .ok_or_else(|| OperatorError::new(ExitCode::Usage, "ports beyond 65535"))
    };
    (0..count)
        .map(|index| {
            Ok(NodePlan {
                name: format!("v{index}"),
                validator: true,
                p2p: at(p2p, index)?,
                external: None,
                http: at(http, index)?,
                metrics: at(metrics, index)?,
            })
        })
        .collect()
}

/// A chain id that no other network is likely to have: 2³² to 2⁵², exact as a JSON number everywhere.
///
/// # Errors
/// I/O, if the system has no randomness.
pub fn random_chain_id() -> Result<u64, OperatorError> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        OperatorError::new(ExitCode::Io, "the system gave no randomness").cause(error)
    })?;
    Ok((u64::from_be_bytes(bytes) >> 12) | (1 << 32))
}

fn keys_of(plan: &NetworkPlan, index: usize, node: &NodePlan) -> Result<NodeKeys, OperatorError> {
    match plan.keys {
        KeySource::Public => devnet::public_keys(index, node.validator),
        KeySource::Random => {
            NodeKeys::generate(node.validator).map_err(|error| error.about("fresh keys"))
        }
    }
}

/// Makes keys and genesis of a network.
///
/// # Errors
/// Usage or config, for a plan that makes no valid genesis.
pub fn make_network(plan: &NetworkPlan) -> Result<Network, OperatorError> {
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    let mut validators = Vec::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let keys = keys_of(plan, index, node)?;
        let peer_id = rota_p2p::peer_id_of_seed(&keys.node_seed)
            .map_err(|error| OperatorError::new(ExitCode::Bug, "a node key").cause(error))?
            .to_string();
        if let (Some(key), Some(seal)) = (keys.validator_key(), &keys.seal) {
            validators.push(GenesisValidator {
                name: node.name.clone(),
                key,
                seal_key: seal.public_key(),
                seal_possession: seal.prove_possession(plan.chain_id),
                weight: Weight(1),
            });
        }
        nodes.push(PlannedNode { plan: node.clone(), keys, peer_id });
    }
    let genesis = genesis(plan, validators);
    genesis.validate().map_err(|error| {
        OperatorError::new(ExitCode::Config, "this plan makes no valid genesis").cause(error)
    })?;
    Ok(Network { genesis, nodes })
}

fn genesis(plan: &NetworkPlan, validators: Vec<GenesisValidator>) -> Genesis {
    let lanes = u64::try_from(validators.len()).unwrap_or(u64::MAX);
    let body = u64::try_from(BATCH_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    let a_second = |rate: u64| rate.saturating_mul(plan.slot_ms) / 1_000;
    let mut rollups: Vec<GenesisRollup> = plan
        .rollups
        .iter()
        .map(|(id, name)| GenesisRollup { id: *id, name: name.clone(), slot_bytes_max: 0 })
        .collect();
    rollups.sort_by_key(|rollup| rollup.id);
    rollups.dedup_by_key(|rollup| rollup.id);
    Genesis {
        chain_id: plan.chain_id,
        name: plan.name.clone(),
        genesis_time: plan.genesis_time,
        slot_ms: plan.slot_ms,
        protocol_version: 1,
        validity_slots_max: Genesis::default_validity_slots(plan.slot_ms),
        slot_bytes_max: a_second(SLOT_BYTES_PER_SECOND).max(lanes.saturating_mul(body)),
        slot_txs_max: a_second(SLOT_TXS_PER_SECOND).clamp(lanes, SLOT_TXS_MAX.max(lanes)),
        lane_lead_max: LANE_LEAD_MAX,
        new_accounts_max: NEW_ACCOUNTS_MAX,
        emergency_bytes_max: EMERGENCY_BYTES_MAX,
        validators,
        rollups,
    }
}

impl NetworkPlan {
    /// Validators on loopback at the usual ports, for tests and examples.
    ///
    /// # Errors
    /// As [`loopback_nodes`].
    pub fn loopback(
        chain_id: u64,
        validators: usize,
        slot_ms: u64,
        genesis_time: TimestampMs,
    ) -> Result<Self, OperatorError> {
        Ok(Self {
            chain_id,
            name: format!("local-{chain_id}"),
            genesis_time,
            slot_ms,
            rollups: devnet::default_rollups(),
            nodes: loopback_nodes(validators, HTTP_PORT, METRICS_PORT, P2P_PORT)?,
            keys: KeySource::Random,
        })
    }
}
