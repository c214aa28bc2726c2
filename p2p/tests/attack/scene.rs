//! The stage of every attack: four honest nodes, their traffic, and what is measured meanwhile.
//!
//! Three validators and a full node stand on loopback, connected and in one mesh; the attacked
//! one is the first. While the attack runs, the full node publishes and the validators vote; an
//! attack passes if at least 99 % of that arrives, memory stays in its budget, no honest peer is
//! punished by anybody, and the guilty is banned within the stated number of messages, where the
//! crime is one that earns a ban.
//!
//! Memory is counted by the allocator of this process: all four nodes and the attacker, above the
//! level before the attack began.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rota_p2p::{
    Class, Config, Identity, Limits, Multiaddr, NetworkEvent, NetworkEvents, NetworkHandle, PeerId,
    RequestError, RequestProtocol, Verdict,
};

use crate::{
    attacker::Sent,
    common::{self, Node, guarded, identity, until},
};

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Memory that an attack may cost all nodes and the attacker together, unless it says otherwise.
pub(crate) const BUDGET_BYTES: usize = 64 * 1024 * 1024;
/// Rounds of honest traffic at least; in each one gossip message and four votes.
const ROUNDS_MIN: u64 = 200;
/// Pace of honest traffic.
const ROUND: Duration = Duration::from_millis(5);

/// One attack at a time in this process: the allocator counts for all of it.
static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What one honest node has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    gossip: BTreeSet<u64>,
    votes: BTreeSet<(Identity, u64)>,
    /// Peers it has lost.
    down: Vec<PeerId>,
    /// Gossip messages that its application was shown and that were not honest.
    pub(crate) foreign: u64,
    /// Requests that its application was shown.
    pub(crate) requests: u64,
    /// Frames that came directly and were no honest votes.
    pub(crate) direct: u64,
}

/// An honest node under watch.
pub(crate) struct Watched {
    pub(crate) handle: NetworkHandle,
    pub(crate) address: Multiaddr,
    seen: Arc<Mutex<Seen>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Watched {
    pub(crate) async fn start(config: Config, identity: Option<Identity>) -> Self {
        let Node { handle, events } = Node::start(config, identity);
        let address = guarded(handle.listen_addresses()).await.into_iter().next().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let watching = tokio::spawn(watch(handle.clone(), events, Arc::clone(&seen)));
        Self { handle, address, seen, watching }
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until the node has a peer with a finished hello.
    pub(crate) async fn has(&self, peer: PeerId) {
        until(|| self.handle.peers().iter().any(|info| info.peer == peer)).await;
    }
}

/// The application of an honest node: `h` is honest, `v` valid, `i` not for now, all else wrong.
async fn watch(handle: NetworkHandle, mut events: NetworkEvents, seen: Arc<Mutex<Seen>>) {
    while let Some(event) = events.recv().await {
        match event {
            NetworkEvent::Gossip { message, data, .. } => {
                let verdict = match data.first() {
                    Some(b'h' | b'v') => Verdict::Accept,
                    Some(b'i') => Verdict::Ignore,
                    _ => Verdict::Reject,
                };
                let mut seen = seen.lock().unwrap();
                match round_of(&data, b'h') {
                    Some(round) => {
                        seen.gossip.insert(round);
                    }
                    None => seen.foreign += 1,
                }
                handle.report(message, verdict);
            }
            NetworkEvent::Direct { identity, data, .. } => {
                let mut seen = seen.lock().unwrap();
                match round_of(&data, b'V') {
                    Some(round) => {
                        seen.votes.insert((identity, round));
                    }
                    None => seen.direct += 1,
                }
            }
            NetworkEvent::Request { data, reply, .. } => {
                seen.lock().unwrap().requests += 1;
                handle.respond(reply, data);
            }
            NetworkEvent::PeerDown { peer, .. } => seen.lock().unwrap().down.push(peer),
            NetworkEvent::PeerUp { .. } => {}
        }
    }
}

fn round_of(data: &[u8], kind: u8) -> Option<u64> {
    let (first, rest) = data.split_first()?;
    let round = rest.try_into().ok().map(u64::from_le_bytes);
    round.filter(|_| *first == kind)
}

fn numbered(kind: u8, round: u64) -> Bytes {
    [&[kind], round.to_le_bytes().as_slice()].concat().into()
}

/// What an attack came to.
pub(crate) struct Outcome {
    /// Messages after which the guilty was banned; `None` if the crime earns no ban.
    pub(crate) banned_after: Option<u64>,
    /// What else the line of figures should say.
    pub(crate) note: String,
}

impl Outcome {
    pub(crate) fn banned(sent: &Sent) -> Self {
        Self { banned_after: Some(sent.messages()), note: String::new() }
    }

    /// The crime was kept within limits.
    pub(crate) fn contained(note: impl Into<String>) -> Self {
        Self { banned_after: None, note: note.into() }
    }
}

/// See the module.
pub(crate) struct Scene {
    nodes: Vec<Watched>,
    publisher: Watched,
    _stage: tokio::sync::MutexGuard<'static, ()>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// All nodes with these limits, standing and in one mesh.
    pub(crate) async fn with(limits: Limits) -> Self {
        let stage = STAGE.lock().await;
        let config = |seed, bootstrap: &[Multiaddr]| Config {
            bootstrap: bootstrap.to_vec(),
            limits,
            ..common::config(seed)
        };
        let victim = Watched::start(config(1, &[]), Some(identity(1))).await;
        let known = [victim.address.clone()];
        let mut nodes = vec![victim];
        for seed in 2..=3 {
            nodes.push(Watched::start(config(seed, &known), Some(identity(seed))).await);
        }
        let publisher = Watched::start(config(4, &known), None).await;
        let scene = Self { nodes, publisher, _stage: stage };
        for node in &scene.nodes {
            until(|| node.handle.connected_identities().len() == 2).await;
        }
        until(|| scene.publisher.handle.connected_identities().len() == 3).await;
        scene.warm_up().await;
        scene
    }

    /// Publishes until every node hears it: the mesh stands.
    async fn warm_up(&self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        guarded(async {
            for round in (0..u64::MAX).rev() {
                self.publisher.handle.publish(numbered(b'h', round)).ok();
                ticks.tick().await;
                if self.nodes.iter().all(|node| node.seen(|seen| seen.gossip.len() >= 3)) {
                    return;
                }
            }
        })
        .await;
        for node in &self.nodes {
            *node.seen.lock().unwrap() = Seen::default();
        }
    }

    pub(crate) fn victim(&self) -> &Watched {
        self.nodes.first().expect("three nodes")
    }

    pub(crate) fn target(&self) -> Multiaddr {
        self.victim().address.clone()
    }

    /// Runs an attack beside honest traffic and judges what came of it.
    pub(crate) async fn run(
        &self,
        crime: &str,
        budget_bytes: usize,
        sent: &Sent,
        attack: impl Future<Output = Outcome>,
    ) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let started = tokio::time::Instant::now();
        let over = AtomicBool::new(false);
        let (outcome, rounds) = guarded(async {
            let attack = async {
                let outcome = attack.await;
                over.store(true, Ordering::Relaxed);
                outcome
            };
            tokio::join!(attack, self.traffic(&over))
        })
        .await;
        let seconds = started.elapsed().as_secs_f64();
        self.settle(rounds).await;
        let peak = MEMORY.peak_usage().saturating_sub(before);
        let delivery = self.delivered(rounds);
        let banned = outcome.banned_after.map_or("-".to_owned(), |sent| sent.to_string());
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let (rate, megabytes, mib) = (
            sent.messages() as f64 / seconds,
            sent.bytes() as f64 / 1e6 / seconds,
            peak as f64 / 1_048_576.0,
        );
        println!(
            "ATTACK {crime} | {rate:.0}/s, {megabytes:.2} MB/s | memory +{mib:.1} MiB | \
             delivery {delivery:.2} % | banned after {banned} | {}",
            outcome.note
        );
        assert!(delivery >= 99.0, "{crime}: honest delivery {delivery:.2} %");
        assert!(peak <= budget_bytes, "{crime}: {peak} bytes, allowed are {budget_bytes}");
        self.nobody_else_was_punished(crime);
    }

    /// Honest traffic until the attack is over, at least so many rounds; gives how many.
    async fn traffic(&self, over: &AtomicBool) -> u64 {
        let mut ticks = tokio::time::interval(ROUND);
        let mut round = 0;
        while round < ROUNDS_MIN || !over.load(Ordering::Relaxed) {
            ticks.tick().await;
            self.publisher.handle.publish(numbered(b'h', round)).ok();
            let vote = numbered(b'V', round);
            for other in 2..=3 {
                self.victim().handle.send(&identity(other), Class::Votes, vote.clone());
            }
            for node in self.nodes.iter().skip(1) {
                node.handle.send(&identity(1), Class::Votes, vote.clone());
            }
            round += 1;
        }
        round
    }

    /// Waits until what is enough has arrived; what never does shows in the figures.
    async fn settle(&self, rounds: u64) {
        let enough = async {
            let mut look = tokio::time::interval(Duration::from_millis(50));
            while self.delivered(rounds) < 100.0 {
                look.tick().await;
            }
        };
        tokio::time::timeout(common::HANG / 6, enough).await.ok();
    }

    /// Percent of honest messages that arrived where they should.
    fn delivered(&self, rounds: u64) -> f64 {
        let arrived: usize = self
            .nodes
            .iter()
            .map(|node| node.seen(|seen| seen.gossip.range(..rounds).count() + seen.votes.len()))
            .sum();
        let expected = rounds * 7;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let percent = 100.0 * arrived as f64 / expected as f64;
        percent
    }

    fn nobody_else_was_punished(&self, crime: &str) {
        let honest: BTreeSet<PeerId> = self.all().map(|node| node.handle.local_peer_id()).collect();
        for node in self.all() {
            let lost = node.seen(|seen| seen.down.clone());
            assert!(lost.iter().all(|peer| !honest.contains(peer)), "{crime}: an honest peer fell");
            for info in node.handle.peers() {
                let guilty = !honest.contains(&info.peer);
                assert!(guilty || info.score >= 0.0, "{crime}: honest score {}", info.score);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Watched> {
        self.nodes.iter().chain([&self.publisher])
    }

    /// Whether an honest validator still gets an answer from the victim.
    pub(crate) async fn answers(&self) -> Result<Bytes, RequestError> {
        let asking = self.nodes.last().expect("three nodes");
        let victim = self.victim().handle.local_peer_id();
        let question = Bytes::from_static(b"where are you");
        asking.handle.request(&victim, RequestProtocol::Status, question).await
    }
}
