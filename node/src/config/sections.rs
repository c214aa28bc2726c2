//! The sections of `config.toml`, with their defaults. A doc line here is a comment line there.

use super::define::config;
use super::value::{ByteSize, IndexTransactions, LogFormat};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

config! {
    /// The network of nodes.
    p2p: P2pConfig {
        /// Multiaddresses to listen on.
        listen: Vec<String> = vec!["/ip4/0.0.0.0/tcp/7645".to_owned()],
        /// Multiaddresses at which others reach this node, if they differ from the listening ones (NAT, containers).
        external: Vec<String> = Vec::new(),
        /// Multiaddresses dialed at start; one is enough to find all validators.
        bootstrap: Vec<String> = Vec::new(),
        /// Also take and make QUIC connections; listen on a /udp/…/quic-v1 address then.
        quic: bool = false,
        /// Most inbound connections; validators come on top.
        inbound_max: u32 = 64,
        /// Most outbound connections; validators come on top.
        outbound_max: u32 = 32,
        /// Most inbound connections from one IPv4 address or IPv6 /64; loopback is exempt.
        per_ip_max: u32 = 4,
    }
    /// JSON-RPC, REST and the web pages.
    http: HttpConfig {
        /// Address to listen on. Whoever reaches it may read and submit.
        listen: SocketAddr = loopback(8645),
    }
    /// Prometheus metrics and health checks.
    metrics: MetricsConfig {
        /// Address to listen on.
        listen: SocketAddr = loopback(9645),
    }
    /// The index, which can always be rebuilt from the ledger.
    index: IndexConfig {
        /// Which transactions are found by id beyond the replay window: "all", "none", or "auto" for all on a full
        /// node and none on a validator.
        transactions: IndexTransactions = IndexTransactions::Auto,
    }
    /// The ledger on disk.
    disk: DiskConfig {
        /// Size of the ledger above which old segments are removed. At least 128 slots stay whatever this says.
        keep: ByteSize = ByteSize(50_000_000_000),
    }
    /// Log lines, on stderr.
    log: LogConfig {
        /// Filter: error, warn, info, debug, trace, or per module as "info,rota_p2p=debug".
        level: String = "info".to_owned(),
        /// Form of a line: "text", "json" or "logfmt".
        format: LogFormat = LogFormat::Text,
    }
    /// Limits of the HTTP listener.
    rpc: RpcConfig {
        /// Most bytes of a request body.
        body_bytes_max: ByteSize = ByteSize(512 * 1024),
        /// Most transactions in one JSON submission; a binary one is bounded by its bytes.
        submit_transactions_max: u32 = 256,
        /// Units a client address may spend in a second; each method states its cost.
        units_per_second: u32 = 100,
        /// Units that may be saved up.
        units_burst: u32 = 200,
        /// Whether the unit limit also holds for clients on this machine.
        limit_loopback: bool = false,
        /// Most open connections.
        connections_max: u32 = 1024,
        /// Most WebSocket connections of one client address.
        sockets_per_ip_max: u32 = 16,
        /// Most subscriptions on one WebSocket.
        subscriptions_per_socket_max: u32 = 32,
        /// Bytes waiting for a slow reader at which it is closed.
        reader_bytes_max: ByteSize = ByteSize(4 * 1024 * 1024),
        /// Most slots in one answer.
        range_slots_max: u32 = 100,
        /// Time in which a request must have arrived whole.
        read_timeout: Duration = Duration::from_secs(10),
        /// Longest wait for a level that a submission may ask for.
        wait_max: Duration = Duration::from_secs(120),
    }
    /// Transactions waiting for a batch.
    mempool: MempoolConfig {
        /// Most bytes of them.
        bytes_max: ByteSize = ByteSize(256 * 1024 * 1024),
        /// Most of them.
        transactions_max: u32 = 512 * 1024,
    }
    /// Keys of this node.
    key: KeyConfig {
        /// File whose first line is the password of the key files. Without it the systemd credential
        /// "rota-password" is looked for, then a terminal is asked.
        password_file: Option<PathBuf> = None,
    }
}

impl Config {
    /// Shifts every port that is set by `10 × (instance − 1)`: several nodes on one machine from one file.
    pub fn shift_ports(&mut self, instance: u16) {
        let by = instance.saturating_sub(1).saturating_mul(10);
        if by == 0 {
            return;
        }
        for address in [&mut self.http.listen, &mut self.metrics.listen] {
            if address.port() != 0 {
                address.set_port(address.port().saturating_add(by));
            }
        }
        for address in self.p2p.listen.iter_mut().chain(&mut self.p2p.external) {
            *address = shifted(address, by);
        }
    }
}

/// A multiaddress with the ports behind `/tcp/` and `/udp/` shifted.
fn shifted(address: &str, by: u16) -> String {
    let mut previous = "";
    let mut parts = Vec::new();
    for part in address.split('/') {
        let port = part.parse::<u16>().ok().filter(|port| *port != 0);
        match port.filter(|_| previous == "tcp" || previous == "udp") {
            Some(port) => parts.push(port.saturating_add(by).to_string()),
            None => parts.push(part.to_owned()),
        }
        previous = part;
    }
    parts.join("/")
}
