//! A ledger of decided, executed and sealed slots, and peers that serve it.

use super::*;
use bytes::Bytes;
use rota_sequencer::catchup::*;
use rota_sequencer::execution::{DecidedRecord, Executor};
use rota_sequencer::limits::CATCHUP_ANSWER_BYTES_MAX;
use rota_sequencer::slot::{Parent, SlotDesk};

/// A ledger of decided, executed and sealed slots.
pub struct Ledger {
    pub net: Net,
    pub slots: BTreeMap<Height, DecidedSlot>,
    pub headers: BTreeMap<Height, Hash>,
    pub seals: BTreeMap<Height, SealedHeader>,
    pub batches: BTreeMap<Hash, Arc<Batch>>,
    pub first_kept: Height,
    pub shown: Height,
}

impl Ledger {
    /// `sizes[h − 1]` gives each lane's batches and the payload bytes of each of their transactions.
    pub fn new(sizes: &[(usize, usize)]) -> Self {
        let net = Net::new(4);
        let mut lanes = FakeLanes::new(&net);
        let mut executor = Executor::genesis(&net.genesis).unwrap();
        let desk = SlotDesk::new(&net.genesis, net.set.clone());
        let (mut slots, mut headers, mut seals) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut salt = 0u32;
        for (height, (batches, bytes)) in (1u64..).zip(sizes) {
            for rank in 0..4 {
                for _ in 0..*batches {
                    salt += 1;
                    let mut payload = vec![0u8; *bytes];
                    payload.extend(salt.to_le_bytes());
                    lanes.certified_batch(&net, rank, &[tx(10, 500, &payload)]);
                }
            }
            let parent = Parent { header_id: executor.header_id(), order: executor.order() };
            let slot = Slot(height * 2);
            let proposal = desk.build(Height(height), Round(0), slot, parent, &lanes, &[]);
            let decided = net.decide(proposal, &mut lanes);
            let header = executor.execute(&decided).unwrap().record.header;
            let id = header.id();
            let signed = |rank: usize| (net.key(rank), net.seals[rank].seal(CHAIN, &id));
            let seal = Seal::aggregate(id, &net.set, &[signed(0), signed(1), signed(2)]).unwrap();
            slots.insert(Height(height), decided);
            headers.insert(Height(height), id);
            seals.insert(Height(height), SealedHeader { header, seal });
        }
        let shown = Height(u64::try_from(sizes.len()).unwrap());
        let (batches, first_kept) = (lanes.batches, Height(1));
        Self { net, slots, headers, seals, batches, first_kept, shown }
    }
}

impl SlotSource for Ledger {
    fn status(&self) -> Status {
        Status { decided: self.shown, sealed: self.shown, first_kept: self.first_kept }
    }
    fn decided(&self, height: Height) -> Option<DecidedRecord> {
        let held = height >= self.first_kept && height <= self.shown;
        self.slots.get(&height).filter(|_| held).map(DecidedRecord::of)
    }
    fn sealed(&self, height: Height) -> Option<SealedHeader> {
        self.seals.get(&height).filter(|_| height <= self.shown).cloned()
    }
    fn frame(&self, digest: &Hash) -> Option<Bytes> {
        self.batches.get(digest).map(|batch| batch.frame().clone())
    }
    fn attest(&self, nonce: &[u8; 32]) -> Option<SignedStatus> {
        let decided = self.slots.get(&self.shown)?;
        let certificate = Some(decided.certificate.clone());
        Some(SignedStatus::sign(CHAIN, nonce, self.shown, certificate, &self.net.signers[0]))
    }
}

/// What a peer does with a request.
pub type Peer<'a> = Box<dyn FnMut(TimestampMs, Protocol, &[u8]) -> Option<Bytes> + 'a>;

pub fn honest(ledger: &Ledger) -> Peer<'_> {
    Box::new(|_, protocol, bytes| {
        let request = Request::from_bytes(protocol, bytes).unwrap();
        let answer = answer(&request, ledger);
        assert!(answer.len() <= CATCHUP_ANSWER_BYTES_MAX);
        Some(answer)
    })
}
