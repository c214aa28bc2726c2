//! Addresses of a run's nodes: free ports on loopback, or fixed ones in containers.

use crate::error::TestnetError;
use rota_node::provision::{ComposePlan, HTTP_PORT, METRICS_PORT, NodePlan, P2P_PORT};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports that this process has looked at.
static PORTS_TRIED: AtomicU32 = AtomicU32::new(0);

/// Nodes on loopback at ports that are free now.
///
/// With `fronts`, each also has an address at which others dial it. Below the range from which the system takes ports for outgoing connections: else one of those may sit on the port of
/// a node that is down when it is to be started again.
pub(super) fn loopback(
    names: &[(String, bool)],
    fronts: bool,
) -> Result<Vec<NodePlan>, TestnetError> {
    let mut held = Vec::new();
    let start = std::process::id().wrapping_mul(31);
    // Two networks of one process never look at the same port: both would find it free.
    let mut candidates = std::iter::from_fn(|| {
        let turn = PORTS_TRIED.fetch_add(1, Ordering::Relaxed);
        Some(start.wrapping_add(turn).checked_rem(12_000).unwrap_or(0).saturating_add(20_000))
    })
    .take(4_000);
    let mut free = || -> Result<SocketAddr, TestnetError> {
        let bound = candidates.by_ref().find_map(|port| {
            let port = u16::try_from(port).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let listener = bound.ok_or_else(|| TestnetError::Missing("a free port".into()))?;
        let address = listener.local_addr().map_err(TestnetError::file("a port"))?;
        // Held until all are chosen.
        held.push(listener);
        Ok(address)
    };
    names
        .iter()
        .map(|(name, validator)| {
            Ok(NodePlan {
                name: name.clone(),
                validator: *validator,
                p2p: free()?,
                external: if fronts { Some(free()?) } else { None },
                http: free()?,
                metrics: free()?,
            })
        })
        .collect()
}

/// Nodes in containers: each listens everywhere inside, at the usual ports.
pub(super) fn containers(names: &[(String, bool)], plan: &ComposePlan) -> Vec<NodePlan> {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let node = |(index, (name, validator)): (usize, &(String, bool))| {
        let address = plan.address(u8::try_from(index).unwrap_or(u8::MAX));
        NodePlan {
            name: name.clone(),
            validator: *validator,
            p2p: any(P2P_PORT),
            external: Some(SocketAddr::from((address, P2P_PORT))),
            http: any(HTTP_PORT),
            metrics: any(METRICS_PORT),
        }
    };
    names.iter().enumerate().map(node).collect()
}
