//! Seals: quorum, a bad signature found by bisection, two executions of one height, restart, late nodes.

#![expect(clippy::indexing_slicing, reason = "tests fail loudly")]

mod slot_support;

use rota_sequencer::seals::{Effect, Event, SealMessage, SealOffence, Seals};
use rota_types::bls::BlsSignature;
use rota_types::*;
use slot_support::*;
use std::collections::BTreeMap;

/// A gate with marks that outlive the node.
struct MemoryGate<'a> {
    net: &'a Net,
    rank: usize,
    sealed: &'a mut BTreeMap<Height, Hash>,
}

impl Gate for MemoryGate<'_> {
    fn public_key(&self) -> ValidatorKey {
        self.net.key(self.rank)
    }
    fn sign(&mut self, _: Mark) -> Option<Signature> {
        None
    }
    fn seal(&mut self, height: Height, chain_id: u64, header_id: &Hash) -> Option<BlsSignature> {
        let marked = self.sealed.entry(height).or_insert(*header_id);
        (marked == header_id).then(|| self.net.seals[self.rank].seal(chain_id, header_id))
    }
    fn sign_unmarked(&mut self, _: &Hash) -> Option<Signature> {
        None
    }
}

struct Node {
    rank: usize,
    seals: Seals,
    marks: BTreeMap<Height, Hash>,
}

impl Node {
    fn new(net: &Net, rank: usize) -> Self {
        Self { rank, seals: Seals::new(CHAIN, net.set.clone(), Height(0)), marks: BTreeMap::new() }
    }

    fn step(&mut self, net: &Net, now: u64, event: Event) -> Vec<Effect> {
        let mut gate = MemoryGate { net, rank: self.rank, sealed: &mut self.marks };
        self.seals.step(TimestampMs(now), event, Some(&mut gate))
    }

    fn execute(&mut self, net: &Net, header: &SlotHeader) -> Vec<Effect> {
        self.step(net, 0, Event::Executed { header: Box::new(header.clone()) })
    }

    fn receive(&mut self, net: &Net, from: usize, message: SealMessage) -> Vec<Effect> {
        self.step(net, 0, Event::Message { from: net.key(from), message })
    }
}

fn header(net: &Net, height: u64, salt: u8) -> SlotHeader {
    SlotHeader {
        version: header::HEADER_VERSION,
        protocol_version: 1,
        chain_id: CHAIN,
        height: Height(height),
        slot: Slot(height),
        time: TimestampMs(1),
        parent: Hash::ZERO,
        proposal: Hash([salt; 32]),
        txs_root: Hash::ZERO,
        keystore_root: Hash::ZERO,
        zk_root: Hash::ZERO,
        bridge_root: Hash::ZERO,
        verdicts_root: Hash::ZERO,
        global_exit_root: Hash::ZERO,
        order_root: Hash::ZERO,
        validators: net.set.commitment(CHAIN),
        next_validators: net.set.commitment(CHAIN),
        tx_count: 0,
        byte_count: 0,
        skipped_count: 0,
    }
}

fn signature(net: &Net, rank: usize, header: &SlotHeader) -> SealMessage {
    SealMessage::Signature(SealSignature {
        height: header.height,
        header_id: header.id(),
        validator: net.key(rank),
        signature: net.seals[rank].seal(CHAIN, &header.id()),
    })
}

fn shown(header: &SlotHeader, seal: &Seal) -> SealMessage {
    SealMessage::Seal(Box::new(SealedHeader { header: header.clone(), seal: seal.clone() }))
}

fn seal_of(net: &Net, header: &SlotHeader) -> Seal {
    let signatures: Vec<_> =
        (1..4).map(|rank| (net.key(rank), net.seals[rank].seal(CHAIN, &header.id()))).collect();
    Seal::aggregate(header.id(), &net.set, &signatures).expect("three of four")
}

fn sealed(effects: &[Effect]) -> Option<&Seal> {
    effects.iter().find_map(|effect| match effect {
        Effect::Sealed { sealed } => Some(&sealed.seal),
        _ => None,
    })
}

fn penalised(effects: &[Effect]) -> Vec<(ValidatorKey, SealOffence)> {
    let offence = |effect: &Effect| match effect {
        Effect::Penalise { validator, offence } => Some((*validator, *offence)),
        _ => None,
    };
    effects.iter().filter_map(offence).collect()
}

#[test]
fn more_than_two_thirds_make_a_seal_that_strangers_verify() {
    let net = Net::new(4);
    let header = header(&net, 1, 1);
    let mut node = Node::new(&net, 0);
    assert_eq!(node.receive(&net, 3, signature(&net, 3, &header)), [], "early ones are kept");
    let effects = node.execute(&net, &header);
    assert_eq!(effects, [Effect::Broadcast(signature(&net, 0, &header))]);
    assert!(node.seals.deadline().is_some());
    let effects = node.receive(&net, 1, signature(&net, 1, &header));
    let seal = sealed(&effects).expect("three of four");
    assert_eq!(seal.header_id, header.id());
    assert_eq!(seal.verify(CHAIN, &net.set), Ok(()));
    assert_eq!(seal.signers(&net.set), Ok(vec![net.key(0), net.key(1), net.key(3)]));
    assert_eq!(node.seals.deadline(), None);
    let late = node.receive(&net, 2, signature(&net, 2, &header));
    assert_eq!(late, [Effect::Send { to: net.key(2), message: shown(&header, seal) }]);
    assert_eq!(node.receive(&net, 2, signature(&net, 2, &header)), [], "answered once a tick");
}

#[test]
fn a_bad_signature_is_found_by_bisection_and_the_rest_still_seals() {
    let net = Net::new(7);
    let header = header(&net, 1, 1);
    let mut node = Node::new(&net, 0);
    node.execute(&net, &header);
    let SealMessage::Signature(mut forged) = signature(&net, 3, &header) else { unreachable!() };
    forged.validator = net.key(2);
    node.receive(&net, 2, SealMessage::Signature(forged));
    for rank in [1, 3] {
        assert_eq!(node.receive(&net, rank, signature(&net, rank, &header)), []);
    }
    let effects = node.receive(&net, 4, signature(&net, 4, &header));
    assert_eq!(penalised(&effects), [(net.key(2), SealOffence::BadSignature)]);
    assert!(sealed(&effects).is_none(), "four of seven");
    let effects = node.receive(&net, 2, signature(&net, 2, &header));
    assert!(sealed(&effects).is_some(), "its honest signature still counts");
}

#[test]
fn nobody_signs_in_anothers_name_or_from_outside_the_set() {
    let net = Net::new(4);
    let stranger = Net::new(5);
    let header = header(&net, 1, 1);
    let mut node = Node::new(&net, 0);
    node.execute(&net, &header);
    let effects = node.receive(&net, 2, signature(&net, 1, &header));
    assert_eq!(penalised(&effects), [(net.key(2), SealOffence::Impersonation)]);
    let outside = (0..5).find(|rank| !net.set.contains(&stranger.key(*rank))).expect("a fifth key");
    let effects = node.receive(&stranger, outside, signature(&stranger, outside, &header));
    assert_eq!(penalised(&effects), [(stranger.key(outside), SealOffence::Impersonation)]);
}

#[test]
fn two_executions_of_one_height_raise_an_alarm_with_both_headers() {
    let net = Net::new(4);
    let (ours, theirs) = (header(&net, 1, 1), header(&net, 1, 2));
    let mut node = Node::new(&net, 0);
    node.execute(&net, &ours);
    let effects = node.receive(&net, 2, signature(&net, 2, &theirs));
    let show = SealMessage::Header(Box::new(ours.clone()));
    assert_eq!(effects, [Effect::Send { to: net.key(2), message: show }]);
    let show = SealMessage::Header(Box::new(theirs.clone()));
    assert_eq!(node.receive(&net, 2, show), []);
    let effects = node.receive(&net, 3, signature(&net, 3, &theirs));
    let alarm = effects.iter().find_map(|effect| match effect {
        Effect::SafetyAlarm(alarm) => Some(alarm),
        _ => None,
    });
    let alarm = alarm.expect("half of the weight");
    assert_eq!((&alarm.ours, alarm.header.as_ref()), (&ours, Some(&theirs)));
    assert_eq!(alarm.signers, [net.key(2), net.key(3)]);
    let again = node.receive(&net, 1, signature(&net, 1, &theirs));
    assert!(again.iter().all(|effect| !matches!(effect, Effect::SafetyAlarm(_))), "raised once");
}

#[test]
fn a_seal_over_another_header_is_an_alarm_and_never_ours() {
    let net = Net::new(4);
    let (ours, theirs) = (header(&net, 1, 1), header(&net, 1, 2));
    let seal = seal_of(&net, &theirs);
    let mut node = Node::new(&net, 0);
    let sealed = Box::new(SealedHeader { header: theirs.clone(), seal: seal.clone() });
    let known = Event::Known { sealed };
    assert_eq!(node.step(&net, 0, known), [], "it waits for the own execution");
    let effects = node.execute(&net, &ours);
    let [Effect::Broadcast(_), Effect::SafetyAlarm(alarm)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((&alarm.ours, alarm.header.as_ref()), (&ours, Some(&theirs)));
    let mut bad = seal;
    bad.bitmap[0] ^= 0b0001;
    let effects = node.receive(&net, 3, shown(&theirs, &bad));
    assert_eq!(penalised(&effects), [(net.key(3), SealOffence::BadSeal)]);
}

/// A seal covers a header's id and no height: shown beside a newer header it says nothing about that height, and its
/// sender lies.
#[test]
fn the_seal_of_an_older_height_raises_no_alarm_at_a_newer_one() {
    let net = Net::new(4);
    let (old, new) = (header(&net, 1, 1), header(&net, 2, 1));
    let seal = seal_of(&net, &old);
    let mut node = Node::new(&net, 0);
    node.execute(&net, &old);
    node.execute(&net, &new);
    let effects = node.receive(&net, 3, shown(&new, &seal));
    let offence = SealOffence::BadSeal;
    assert_eq!(effects, [Effect::Penalise { validator: net.key(3), offence }]);
    let effects = node.receive(&net, 3, shown(&old, &seal));
    assert_eq!(sealed(&effects), Some(&seal), "at its own height it counts");
    let mut foreign = new.clone();
    foreign.chain_id += 1;
    let effects = node.receive(&net, 3, shown(&foreign, &seal_of(&net, &foreign)));
    assert_eq!(penalised(&effects), [(net.key(3), offence)], "nor does one of another chain");
}

#[test]
fn unsealed_heights_are_repeated_until_they_are_sealed_and_on_every_connection() {
    let net = Net::new(4);
    let headers: Vec<_> = (1..=3).map(|height| header(&net, height, 1)).collect();
    let mut node = Node::new(&net, 0);
    for header in &headers {
        node.execute(&net, header);
    }
    let due = node.seals.deadline().expect("three heights are open");
    assert_eq!(node.step(&net, due.0 - 1, Event::Tick), []);
    let repeated = node.step(&net, due.0, Event::Tick);
    let expected: Vec<_> =
        headers.iter().map(|header| Effect::Broadcast(signature(&net, 0, header))).collect();
    assert_eq!(repeated, expected);
    for rank in 1..3 {
        node.receive(&net, rank, signature(&net, rank, &headers[0]));
    }
    let connected = node.step(&net, 0, Event::Connected { validator: net.key(2) });
    assert_eq!(connected.len(), 2);
}

#[test]
fn a_restart_signs_the_same_and_never_another_header() {
    let net = Net::new(4);
    let first = header(&net, 1, 1);
    let mut node = Node::new(&net, 0);
    let before = node.execute(&net, &first);
    node.seals = Seals::new(CHAIN, net.set.clone(), Height(0));
    assert_eq!(node.execute(&net, &first), before);
    node.seals = Seals::new(CHAIN, net.set.clone(), Height(0));
    let effects = node.execute(&net, &header(&net, 1, 2));
    assert_eq!(effects, [Effect::Refused { height: Height(1) }]);
}

#[test]
fn a_full_node_takes_a_seal_and_keeps_a_bounded_number() {
    let net = Net::new(4);
    let mut seals = Seals::new(CHAIN, net.set.clone(), Height(0));
    for height in 1..=200 {
        let header = header(&net, height, 1);
        let event = Event::Executed { header: Box::new(header.clone()) };
        assert_eq!(seals.step(TimestampMs(0), event, None), []);
        if height % 20 == 0 {
            let signed = |rank: usize| (net.key(rank), net.seals[rank].seal(CHAIN, &header.id()));
            let seal = Seal::aggregate(header.id(), &net.set, &[signed(0), signed(1), signed(2)]);
            let seal = seal.expect("three of four");
            let known = Event::Known { sealed: Box::new(SealedHeader { header, seal }) };
            let effects = seals.step(TimestampMs(0), known, None);
            assert!(sealed(&effects).is_some());
        }
    }
    let far = signature(&net, 1, &header(&net, 500, 1));
    let message = Event::Message { from: net.key(1), message: far };
    assert_eq!(seals.step(TimestampMs(0), message, None), []);
    assert_eq!(seals.unsealed().count(), 190);
    assert!(seals.seal(Height(200)).is_some());
}
