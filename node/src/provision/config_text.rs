//! The configuration file of a provisioned node.

use super::PASSWORD_FILE;
use super::network::{Network, PlannedNode, multiaddr};
use crate::config::Config;
use std::path::Path;

/// `config.toml` of `node`, whose home will be at `root` when it runs.
pub(super) fn of_node(network: &Network, node: &PlannedNode, root: &Path) -> String {
    let plan = &node.plan;
    let mut config = Config::default();
    config.p2p.listen = vec![multiaddr(plan.p2p)];
    config.p2p.external = plan.external.map(multiaddr).into_iter().collect();
    config.p2p.bootstrap = network
        .nodes
        .iter()
        .filter(|other| other.peer_id != node.peer_id && other.plan.validator)
        .map(PlannedNode::multiaddr)
        .collect();
    config.http.listen = plan.http;
    config.metrics.listen = plan.metrics;
    config.key.password_file = Some(root.join("keys").join(PASSWORD_FILE));
    config.to_toml()
}
