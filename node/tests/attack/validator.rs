//! Crimes of a validator that has its key and no scruples: what it signs is well signed.

use crate::scene::{BUDGET_BYTES, GUILTY, Outcome, ROLLUP, Scene, Sent, guarded, until};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rota_consensus::Message;
use rota_node::keys::NodeKeys;
use rota_node::provision::{NodePlan, devnet};
use rota_p2p::{
    Class, Config, Identity, Limits, NetworkEvent, NetworkHandle, PeerId, Policy, SendOutcome,
};
use rota_types::codec::{decode, encode};
use rota_types::vote::SignedVote;
use rota_types::{
    BatchHeader, Ed25519Signer, Hash, Height, Incarnation, LanePosition, Round, Seq, Signature,
    Signer as _, Slot, Tag, Transaction, TransactionList, ValidatorKey, Vote, VoteKind, ids_tree,
    keccak256,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

#[derive(BorshSerialize, BorshDeserialize)]
struct Binding {
    validator: ValidatorKey,
    signature: Signature,
}

/// Proves that the attacker is the fourth validator, and takes everybody's word for theirs.
struct Guilty {
    chain_id: u64,
    genesis: Hash,
    keys: Arc<NodeKeys>,
}

impl Policy for Guilty {
    fn binding(&self, local: &PeerId) -> Option<Bytes> {
        let signer = self.keys.validator_signer()?;
        let digest =
            Tag::PeerBinding.digest_parts(self.chain_id, &[&self.genesis.0, &local.to_bytes()]);
        let signature = signer.sign(&digest);
        Some(encode(&Binding { validator: signer.public_key(), signature }).into())
    }

    fn check_binding(
        &self,
        _: &PeerId,
        binding: Option<&[u8]>,
    ) -> Result<Option<Identity>, String> {
        let Some(bytes) = binding else { return Ok(None) };
        let binding: Binding = decode(bytes, 96).map_err(|error| error.to_string())?;
        Ok(Some(Identity(binding.validator.0)))
    }
}

/// The fourth validator, connected to the other three.
struct Attacker {
    keys: Arc<NodeKeys>,
    network: NetworkHandle,
    honest: Vec<Identity>,
    chain_id: u64,
    /// How many of the honest have cut it off.
    lost: watch::Receiver<usize>,
}

impl Attacker {
    async fn join(scene: &Scene) -> Self {
        let keys = Arc::new(devnet::public_keys(GUILTY, true).unwrap());
        let chain_id = scene.genesis.chain_id;
        let address =
            |plan: &NodePlan| format!("/ip4/127.0.0.1/tcp/{}", plan.p2p.port()).parse().unwrap();
        let config = Config {
            chain_id,
            network: scene.genesis.hash().0,
            node_key_seed: keys.node_seed.clone(),
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            external: Vec::new(),
            bootstrap: scene.plans.iter().take(GUILTY).map(address).collect(),
            known: Vec::new(),
            quic: false,
            agent: "attacker".to_owned(),
            limits: Limits::default(),
        };
        let genesis = scene.genesis.hash();
        let policy = Guilty { chain_id, genesis, keys: Arc::clone(&keys) };
        let (network, mut events) = rota_p2p::start(config, Arc::new(policy)).unwrap();
        let honest = (0..GUILTY)
            .map(|index| devnet::public_keys(index, true).unwrap().validator_key().unwrap())
            .map(|key| Identity(key.0))
            .collect();
        let (losing, lost) = watch::channel(0);
        // Reads and forgets what comes, so that nobody waits for us.
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if matches!(event, NetworkEvent::PeerDown { .. }) {
                    losing.send_modify(|lost| *lost += 1);
                }
            }
        });
        let attacker = Self { keys, network, honest, chain_id, lost };
        until(async || attacker.network.connected_identities().len() == GUILTY).await;
        attacker
    }

    fn signer(&self) -> Ed25519Signer {
        self.keys.validator_signer().unwrap()
    }

    fn key(&self) -> ValidatorKey {
        self.signer().public_key()
    }

    /// Queues a frame to one validator and waits for room if there is none; `false` once cut off.
    async fn send(&self, to: &Identity, class: Class, frame: &Bytes, sent: &Sent) -> bool {
        let mut room = tokio::time::interval(Duration::from_millis(5));
        loop {
            match self.network.send(to, class, frame.clone()) {
                SendOutcome::Queued => {
                    sent.add(frame.len());
                    return true;
                }
                SendOutcome::Full => room.tick().await,
                SendOutcome::NotConnected | SendOutcome::TooLarge => return false,
            };
        }
    }

    /// Sends what `crime` makes to every honest validator, one each 10 ms, until all have cut us
    /// off. Fails after `most` frames to each. Gives how many each was sent.
    async fn until_banned(
        &self,
        class: Class,
        sent: &Sent,
        most: u64,
        crime: impl Fn(u64) -> Bytes,
    ) -> Outcome {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for number in 0.. {
            ticks.tick().await;
            let frame = crime(number);
            let mut heard = false;
            for to in &self.honest {
                heard |= self.send(to, class, &frame, sent).await;
            }
            if !heard {
                guarded(self.lost.clone().wait_for(|lost| *lost >= GUILTY)).await.unwrap();
                return Outcome { banned_after: Some(number), note: "each node".to_owned() };
            }
            assert!(number < most, "not banned after {most} frames");
        }
        unreachable!("it ends at most frames")
    }

    fn vote(&self, kind: VoteKind, height: Height, number: u64) -> SignedVote {
        let value = Some(keccak256(&number.to_le_bytes()));
        let vote = Vote { kind, height, round: Round(0), value, validator: self.key() };
        vote.sign(self.chain_id, &self.signer())
    }

    /// A batch of one transaction of ours, in good form: header and body.
    fn batch(&self, seq: u64, parent: Hash, before: (u64, u64), salt: u64) -> SignedBatch {
        let transaction = Transaction {
            rollup: ROLLUP,
            valid_until_slot: Slot(100),
            payload: [b"guilty".as_slice(), &seq.to_le_bytes(), &salt.to_le_bytes()].concat(),
        };
        let body = encode(&vec![transaction]);
        let list = TransactionList::parse(body.clone().into(), body.len()).unwrap();
        let header = BatchHeader {
            position: LanePosition { lane: self.key(), incarnation: Incarnation(0), seq: Seq(seq) },
            parent,
            body_digest: ids_tree::root(self.chain_id, list.ids()),
            cumulative_bytes: before.0 + list.tx_bytes(),
            cumulative_txs: before.1 + 1,
        };
        let sums = (header.cumulative_bytes, header.cumulative_txs);
        let digest = header.digest(self.chain_id);
        let signed = header.sign(self.chain_id, &self.signer());
        SignedBatch { frame: [encode(&signed), body].concat().into(), digest, sums }
    }
}

struct SignedBatch {
    frame: Bytes,
    digest: Hash,
    sums: (u64, u64),
}

fn frame_of(vote: SignedVote) -> Bytes {
    Message::Vote { vote, reason: None }.to_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_of_future_heights() {
    const VOTES: u64 = 5_000;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let attacker = Attacker::join(scene).await;
        let height = scene.sealed().await;
        for number in 0..VOTES {
            let far = Height(height.0 + 2 + number * 7);
            let frame = frame_of(attacker.vote(VoteKind::Prevote, far, number));
            for to in &attacker.honest {
                attacker.send(to, Class::Votes, &frame, &sent).await;
            }
        }
        Outcome::contained("well signed, so nobody is banned")
    };
    scene.run("votes of future heights", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_two_ways() {
    const HEIGHTS: u64 = 3;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let attacker = Attacker::join(scene).await;
        for _ in 0..HEIGHTS {
            let height = scene.sealed().await.next();
            for number in 0..300 {
                for kind in [VoteKind::Prevote, VoteKind::Precommit] {
                    let frame = frame_of(attacker.vote(kind, height, number));
                    for to in &attacker.honest {
                        attacker.send(to, Class::Votes, &frame, &sent).await;
                    }
                }
            }
            until(async || scene.sealed().await > height).await;
        }
        let evidence = scene.evidence(0).await;
        assert!(evidence.iter().any(|one| one.contains("DoubleVote")), "{evidence:?}");
        Outcome::contained("kept as evidence")
    };
    scene.run("votes two ways", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_with_forged_signatures() {
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let attacker = Attacker::join(scene).await;
        let height = scene.sealed().await.next();
        let crime = |number| {
            let mut vote = attacker.vote(VoteKind::Prevote, Height(height.0 + number / 50), number);
            vote.signature = Signature([7; 64]);
            frame_of(vote)
        };
        attacker.until_banned(Class::Votes, &sent, 1_000, crime).await
    };
    scene.run("votes with forged signatures", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_none() {
    for class in Class::ALL {
        let (scene, sent) = (Scene::new(&[]).await, Sent::default());
        let attack = async |scene: &Scene| {
            let attacker = Attacker::join(scene).await;
            let crime = |number: u64| [vec![0xfe], number.to_le_bytes().to_vec()].concat().into();
            attacker.until_banned(class, &sent, 100, crime).await
        };
        let crime = format!("undecodable {}", class.name());
        scene.run(&crime, BUDGET_BYTES, &sent, attack).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_batches_for_each_place() {
    const PLACES: u64 = 200;
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let attacker = Attacker::join(scene).await;
        let (mut parents, mut sums) = ([Hash::ZERO; 2], [(0, 0); 2]);
        for seq in 1..=PLACES {
            for (branch, to) in [(0, 0), (1, 1), (0, 2), (1, 2)] {
                let salt = u64::try_from(branch).unwrap();
                let (Some(parent), Some(before)) = (parents.get(branch), sums.get(branch)) else {
                    continue;
                };
                let batch = attacker.batch(seq, *parent, *before, salt);
                let to = attacker.honest.get(to).unwrap();
                attacker.send(to, Class::Batches, &batch.frame, &sent).await;
                // The last to be told of a branch moves it on.
                if *to == attacker.honest[2] {
                    parents[branch] = batch.digest;
                    sums[branch] = batch.sums;
                }
            }
        }
        // The one that was told both branches has the proof.
        let both = GUILTY - 1;
        until(async || !scene.evidence(both).await.is_empty()).await;
        let evidence = scene.evidence(both).await;
        assert!(evidence.iter().any(|one| one.contains("DoubleBatch")), "{evidence:?}");
        Outcome::contained("kept as evidence, slots go on")
    };
    scene.run("two batches for each place", BUDGET_BYTES, &sent, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_with_another_body() {
    let (scene, sent) = (Scene::new(&[]).await, Sent::default());
    let attack = async |scene: &Scene| {
        let attacker = Attacker::join(scene).await;
        let crime = |number| {
            let frame = attacker.batch(1, Hash::ZERO, (0, 0), number).frame;
            let mut frame = frame.to_vec();
            if let Some(last) = frame.last_mut() {
                *last ^= 1;
            }
            frame.into()
        };
        attacker.until_banned(Class::Batches, &sent, 100, crime).await
    };
    scene.run("batches with another body", BUDGET_BYTES, &sent, attack).await;
}
