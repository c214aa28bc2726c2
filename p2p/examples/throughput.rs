//! What a direct stream costs: one sender, some receivers, batches of 512 KiB on loopback.
//!
//! `cargo run --release -p rota-p2p --example throughput -- [MB] [receivers] [quic]` prints MB/s
//! and CPU-milliseconds per MB and receiver, both ends together.

use std::{fs, sync::Arc, time::Instant};

use bytes::Bytes;
use rota_p2p::{
    Class, Config, Identity, Limits, NetworkEvent, NetworkEvents, NetworkHandle, PeerId, Policy,
    SendOutcome, start,
};
use zeroize::Zeroizing;

/// Everyone is a validator, by their own word.
struct Trusting(u8);

impl Policy for Trusting {
    fn binding(&self, _: &PeerId) -> Option<Bytes> {
        Some(vec![self.0; 32].into())
    }

    fn check_binding(
        &self,
        _: &PeerId,
        binding: Option<&[u8]>,
    ) -> Result<Option<Identity>, String> {
        Ok(binding.and_then(|bytes| bytes.try_into().ok()).map(Identity))
    }
}

fn node(seed: u8, quic: bool, to: Vec<rota_p2p::Multiaddr>) -> (NetworkHandle, NetworkEvents) {
    let listen = if quic { "/ip4/127.0.0.1/udp/0/quic-v1" } else { "/ip4/127.0.0.1/tcp/0" };
    let config = Config {
        chain_id: 1,
        network: [1; 32],
        node_key_seed: Zeroizing::new([seed; 32]),
        listen: vec![listen.parse().expect("a valid address")],
        external: Vec::new(),
        bootstrap: to,
        known: Vec::new(),
        quic,
        agent: "throughput".to_owned(),
        limits: Limits::default(),
    };
    start(config, Arc::new(Trusting(seed))).expect("loopback can be listened on")
}

/// CPU time of this process, user and system, in seconds.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index| fields.get(index).and_then(|f: &&str| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let megabytes: usize = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(500);
    let receivers: u8 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let quic = args.next().is_some();
    let (sender, _events) = node(1, quic, Vec::new());
    let address = sender.listen_addresses().await;
    let mut tasks = Vec::new();
    let batch = Bytes::from(vec![7; 512 * 1024]);
    let batches = megabytes * 1_000_000 / batch.len();
    for seed in 2..2 + receivers {
        let (handle, mut events) = node(seed, quic, address.clone());
        tasks.push(tokio::spawn(async move {
            let mut left = batches;
            while left > 0 {
                let event = events.recv().await.expect("the network is up");
                if matches!(event, NetworkEvent::Direct { class: Class::Batches, .. }) {
                    left -= 1;
                }
            }
            drop(handle);
        }));
    }
    while sender.connected_identities().len() < usize::from(receivers) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    #[expect(clippy::disallowed_methods, reason = "an example measures")]
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..batches {
        for identity in sender.connected_identities() {
            while sender.send(&identity, Class::Batches, batch.clone()) == SendOutcome::Full {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
    }
    for task in tasks {
        task.await.expect("a receiver ends well");
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let sent = (batches * batch.len()) as f64 / 1e6;
    let per = cpu * 1e3 / sent / f64::from(receivers);
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!(
            "{:.0} MB/s to each of {receivers}, {per:.2} CPU-ms per MB and receiver",
            sent / seconds
        );
    }
}
