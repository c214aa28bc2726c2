//! The compose file of a network: one container a node, fixed addresses, named volumes, health checks.

use super::network::Network;
use super::{HTTP_PORT, METRICS_PORT};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

/// How containers are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposePlan {
    /// Name of the image.
    pub image: String,
    /// First three numbers of the subnet, a /24.
    pub subnet: [u8; 3],
    /// Owner of the homes, so that files stay theirs: `uid:gid`.
    pub user: String,
    /// First port published for http on loopback of the host.
    pub http: u16,
    /// First port published for metrics.
    pub metrics: u16,
}

impl Default for ComposePlan {
    fn default() -> Self {
        Self {
            image: "rota:local".into(),
            subnet: [172, 30, 57],
            user: "0:0".into(),
            http: HTTP_PORT,
            metrics: METRICS_PORT,
        }
    }
}

impl ComposePlan {
    /// Address of container `index`.
    #[must_use]
    pub fn address(&self, index: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, index.saturating_add(11))
    }
}

/// The file, for homes written under `out`.
///
/// Exit 86 is never to be restarted and compose cannot tell exit codes apart, so nothing restarts by itself.
#[must_use]
pub fn compose_file(network: &Network, plan: &ComposePlan, out: &Path) -> String {
    let [a, b, c] = plan.subnet;
    let mut text = format!(
        "# {chain} (chain id {id}): {n} nodes. `docker-compose up`, or `docker compose up`.\n\
         # Volumes are the homes beside this file; set ROTA_HOMES if they have moved.\n\
         version: \"3.7\"\n\n\
         x-node: &node\n  \
           image: {image}\n  \
           user: \"{user}\"\n  \
           command: [\"start\", \"--home\", \"/home\"]\n  \
           # Never by itself: exit 86 means that signing is not safe.\n  \
           restart: \"no\"\n  \
           stop_grace_period: 20s\n  \
           healthcheck:\n    \
             test: [\"CMD\", \"/rota\", \"status\", \"--ready\"]\n    \
             interval: 5s\n    \
             timeout: 4s\n    \
             retries: 6\n    \
             start_period: 30s\n\n\
         services:\n",
        chain = network.genesis.name,
        id = network.genesis.chain_id,
        n = network.nodes.len(),
        image = plan.image,
        user = plan.user,
    );
    let mut volumes = String::from("\nvolumes:\n");
    for (index, node) in network.nodes.iter().enumerate() {
        let name = &node.plan.name;
        let shift = u16::try_from(index).unwrap_or(u16::MAX);
        let address = plan.address(u8::try_from(index).unwrap_or(u8::MAX));
        let parts = write!(
            text,
            "  {name}:\n    <<: *node\n    container_name: rota-{name}\n    hostname: {name}\n    \
               environment:\n      ROTA_HOME: /home\n    \
               volumes:\n      - {name}:/home\n    \
               ports:\n      - \"127.0.0.1:{http}:{HTTP_PORT}\"\n      - \"127.0.0.1:{metrics}:{METRICS_PORT}\"\n    \
               networks:\n      rota:\n        ipv4_address: {address}\n",
            http = plan.http.saturating_add(shift),
            metrics = plan.metrics.saturating_add(shift),
        )
        .and_then(|()| {
            write!(
                volumes,
                "  {name}:\n    driver: local\n    driver_opts:\n      type: none\n      o: bind\n      \
                   device: ${{ROTA_HOMES:-{out}}}/{name}\n",
                out = out.display(),
            )
        });
        debug_assert!(parts.is_ok(), "writing to a String cannot fail");
    }
    text.push_str(&volumes);
    text.push_str(&format!(
        "\nnetworks:\n  rota:\n    driver: bridge\n    ipam:\n      config:\n        - subnet: {a}.{b}.{c}.0/24\n"
    ));
    text
}
