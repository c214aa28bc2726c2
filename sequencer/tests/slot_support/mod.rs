//! A network of keys, authors of lanes, and a lane view that certifies what it is told to.

#![expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test uses a part; tests fail loudly"
)]

pub mod chain;
pub mod ledger;

use rota_sequencer::execution::{DecidedSlot, OrderState};
use rota_sequencer::{Batch, Coverage, LaneTip, LaneView};
use rota_types::bls::SealSecret;
use rota_types::codec::encode;
use rota_types::genesis::{GenesisRollup, GenesisValidator};
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keeps the expectation of dead code true for a test that uses all the rest.
const UNUSED: () = ();

pub const CHAIN: u64 = 77;
pub const V: u64 = 600;

pub struct Net {
    pub genesis: Genesis,
    pub set: ValidatorSet,
    /// By rank.
    pub signers: Vec<Ed25519Signer>,
    pub seals: Vec<SealSecret>,
}

impl Net {
    pub fn new(n: usize) -> Self {
        Self::with(n, |_| ())
    }

    pub fn with(n: usize, change: impl FnOnce(&mut Genesis)) -> Self {
        let mut keys: Vec<_> = (0..n)
            .map(|i| {
                let seed = [u8::try_from(i).unwrap() + 1; 32];
                (Ed25519Signer::from_seed(&seed), SealSecret::derive(&seed).unwrap())
            })
            .collect();
        keys.sort_by_key(|(signer, _)| signer.public_key());
        let (signers, seals): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let validators = signers.iter().zip(&seals).map(|(signer, seal)| GenesisValidator {
            name: signer.public_key().to_string(),
            key: signer.public_key(),
            seal_key: seal.public_key(),
            seal_possession: seal.prove_possession(CHAIN),
            weight: Weight(1),
        });
        let mut genesis = Genesis {
            chain_id: CHAIN,
            name: "test".into(),
            genesis_time: TimestampMs(1_000_000),
            slot_ms: 1_200,
            protocol_version: 1,
            validity_slots_max: V,
            slot_bytes_max: 64 << 20,
            slot_txs_max: 4_000_000,
            lane_lead_max: 64,
            new_accounts_max: 8,
            emergency_bytes_max: 1 << 16,
            validators: validators.collect(),
            rollups: [10, 11, 12]
                .map(|id| GenesisRollup {
                    id: RollupId(id),
                    name: format!("r{id}"),
                    slot_bytes_max: if id == 12 { 1_000 } else { 0 },
                })
                .into(),
        };
        change(&mut genesis);
        let set = genesis.validate().unwrap();
        Self { genesis, set, signers, seals }
    }

    pub fn key(&self, rank: usize) -> ValidatorKey {
        self.signers[rank].public_key()
    }

    pub fn certify(&self, proposal: &SlotProposal) -> CommitCertificate {
        let value = proposal.id(CHAIN);
        let signatures = self.signers.iter().map(|signer| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height: proposal.height,
                round: proposal.round,
                value: Some(value),
                validator: signer.public_key(),
            };
            (signer.public_key(), vote.sign(CHAIN, signer).signature)
        });
        CommitCertificate {
            height: proposal.height,
            round: proposal.round,
            value,
            signatures: signatures.collect(),
        }
    }

    /// Decides everything certified in `lanes` and moves their decided tips.
    pub fn decide(&self, proposal: SlotProposal, lanes: &mut FakeLanes) -> DecidedSlot {
        let runs = proposal.cut.iter().map(|entry| lanes.run(entry)).collect();
        for entry in &proposal.cut {
            lanes.decided.insert(entry.position.lane, lanes.tip_of(&entry.header_digest));
        }
        let certificate = self.certify(&proposal);
        DecidedSlot { proposal, certificate, lanes: runs }
    }
}

pub fn tx(rollup: u64, valid_until: u64, payload: &[u8]) -> Transaction {
    Transaction {
        rollup: RollupId(rollup),
        valid_until_slot: Slot(valid_until),
        payload: payload.to_vec(),
    }
}

pub fn list(txs: &[Transaction]) -> TransactionList {
    TransactionList::parse(encode(&txs.to_vec()).into(), BATCH_BODY_BYTES_MAX).unwrap()
}

/// Everything is in one map; what is certified, and which headers are "held", is for the test to say.
#[derive(Clone, Default)]
pub struct FakeLanes {
    pub batches: BTreeMap<Hash, Arc<Batch>>,
    pub newest: BTreeMap<ValidatorKey, LaneTip>,
    pub certified: BTreeMap<ValidatorKey, LaneTip>,
    pub decided: BTreeMap<ValidatorKey, LaneTip>,
    pub lost_bodies: BTreeSet<Hash>,
    pub lost_headers: BTreeSet<Hash>,
}

impl FakeLanes {
    pub fn new(net: &Net) -> Self {
        let order = OrderState::genesis(&net.genesis, &net.set);
        let tips: BTreeMap<_, _> = order.lanes().map(|(key, state)| (*key, state.tip)).collect();
        Self { newest: tips.clone(), decided: tips, ..Self::default() }
    }

    pub fn tip_of(&self, digest: &Hash) -> LaneTip {
        let batch = &self.batches[digest];
        LaneTip {
            position: batch.position(),
            digest: *digest,
            cumulative_bytes: batch.header().cumulative_bytes,
            cumulative_txs: batch.header().cumulative_txs,
        }
    }

    /// A new batch at the end of the lane of `rank`; not certified yet.
    pub fn new_batch(&mut self, net: &Net, rank: usize, txs: &[Transaction]) -> Arc<Batch> {
        let parent = self.newest[&net.key(rank)];
        let batch = self.batch_after(net, rank, parent, txs);
        let tip = self.tip_of(&batch.digest());
        self.newest.insert(net.key(rank), tip);
        batch
    }

    pub fn batch_after(
        &mut self,
        net: &Net,
        rank: usize,
        parent: LaneTip,
        txs: &[Transaction],
    ) -> Arc<Batch> {
        let body = list(txs);
        let header = BatchHeader {
            position: LanePosition {
                lane: net.key(rank),
                incarnation: parent.position.incarnation,
                seq: parent.position.seq.next(),
            },
            parent: parent.digest,
            body_digest: ids_tree::root(CHAIN, body.ids()),
            cumulative_bytes: parent.cumulative_bytes + body.tx_bytes(),
            cumulative_txs: parent.cumulative_txs + u64::try_from(body.len()).unwrap(),
        };
        let signed = header.sign(CHAIN, &net.signers[rank]);
        let batch = Arc::new(Batch::assemble(CHAIN, signed, body));
        self.batches.insert(batch.digest(), batch.clone());
        batch
    }

    /// A new batch that is certified at once.
    pub fn certified_batch(&mut self, net: &Net, rank: usize, txs: &[Transaction]) -> Arc<Batch> {
        let batch = self.new_batch(net, rank, txs);
        self.certify(&batch.digest());
        batch
    }

    pub fn certify(&mut self, digest: &Hash) {
        let tip = self.tip_of(digest);
        self.certified.insert(tip.position.lane, tip);
    }

    /// Digests after the decided tip up to `digest`, oldest first; `None` off the chain.
    fn chain(&self, lane: &ValidatorKey, digest: &Hash) -> Option<Vec<Hash>> {
        let tip = self.decided.get(lane)?;
        let mut at = *digest;
        let mut chain = Vec::new();
        while at != tip.digest {
            let header = self.batches.get(&at)?.header();
            if header.position.seq <= tip.position.seq {
                return None;
            }
            chain.push(at);
            at = header.parent;
        }
        chain.reverse();
        Some(chain)
    }

    pub fn run(&self, entry: &CutEntry) -> Vec<Arc<Batch>> {
        let chain = self.chain(&entry.position.lane, &entry.header_digest).unwrap();
        chain.iter().map(|digest| self.batches[digest].clone()).collect()
    }
}

impl LaneView for FakeLanes {
    fn decided_tip(&self, lane: &ValidatorKey) -> Option<LaneTip> {
        self.decided.get(lane).copied()
    }

    fn certified_tip(&self, lane: &ValidatorKey) -> Option<LaneTip> {
        self.certified.get(lane).copied()
    }

    fn furthest_within(&self, lane: &ValidatorKey, bytes: u64, txs: u64) -> Option<LaneTip> {
        let tip = self.decided.get(lane)?;
        let chain = self.chain(lane, &self.certified.get(lane)?.digest)?;
        let tips: Vec<_> = chain.iter().map(|digest| self.tip_of(digest)).collect();
        let fits = |t: &&LaneTip| {
            t.cumulative_bytes - tip.cumulative_bytes <= bytes
                && t.cumulative_txs - tip.cumulative_txs <= txs
        };
        tips.iter().rev().find(fits).or(tips.first()).copied()
    }

    fn coverage(&self, entry: &CutEntry) -> Coverage {
        let lane = &entry.position.lane;
        let Some(chain) = self
            .certified
            .get(lane)
            .and_then(|certified| self.chain(lane, &certified.digest))
            .filter(|_| self.certified[lane].position.seq >= entry.position.seq)
        else {
            return Coverage::NeedCertificate;
        };
        if let Some(lost) = chain.iter().rev().find(|digest| self.lost_headers.contains(*digest)) {
            return Coverage::NeedHeader(*lost);
        }
        match chain.iter().position(|digest| *digest == entry.header_digest) {
            Some(at) => Coverage::Certified(chain[..=at].to_vec()),
            None => Coverage::Conflicts,
        }
    }

    fn header(&self, digest: &Hash) -> Option<&SignedBatchHeader> {
        let held = !self.lost_headers.contains(digest);
        self.batches.get(digest).filter(|_| held).map(|batch| batch.signed())
    }

    fn batch(&self, digest: &Hash) -> Option<Arc<Batch>> {
        let held = !self.lost_bodies.contains(digest) && !self.lost_headers.contains(digest);
        self.batches.get(digest).filter(|_| held).cloned()
    }

    fn holders(&self, _: &Hash) -> Vec<ValidatorKey> {
        vec![]
    }
}
