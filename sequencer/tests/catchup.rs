//! Catch-up between a node that is behind and peers that are honest, lying, slow, pruned or at their limit.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail loudly")]

mod slot_support;

use bytes::Bytes;
use rota_sequencer::catchup::*;
use rota_sequencer::execution::{DecidedRecord, DecidedTips, Executor};
use rota_sequencer::limits::{CATCHUP_ANSWER_BYTES_MAX, CATCHUP_PEERS_MAX, SERVE_BURST_BYTES};
use rota_types::*;
use slot_support::ledger::{Ledger, Peer, honest};
use slot_support::*;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Client<'a> {
    ledger: &'a Ledger,
    catch_up: CatchUp,
    executor: Executor,
    peers: BTreeMap<u64, Peer<'a>>,
    now: TimestampMs,
    applied: Vec<Height>,
    sealed: Vec<Height>,
    bodies: Vec<Hash>,
    banned: Vec<u64>,
    requests: Vec<(u64, Protocol)>,
    /// How long peer 1 takes to send slots, in milliseconds.
    delay_of_1: u64,
    delayed: Vec<(TimestampMs, Event)>,
}

impl<'a> Client<'a> {
    fn new(ledger: &'a Ledger, peers: Vec<Peer<'a>>) -> Self {
        Self::with_delay(ledger, peers, 0)
    }

    fn with_delay(ledger: &'a Ledger, peers: Vec<Peer<'a>>, delay_of_1: u64) -> Self {
        let net = &ledger.net;
        let executor = Executor::genesis(&net.genesis).unwrap();
        let start = Start { tips: DecidedTips::of(executor.order()), ..Start::default() };
        let config = Config::full_node(CHAIN, net.set.clone(), 1_000);
        let mut client = Self {
            ledger,
            catch_up: CatchUp::new(config, start),
            executor,
            peers: (1..).zip(peers).collect(),
            now: TimestampMs(1_000_000),
            applied: vec![],
            sealed: vec![],
            bodies: vec![],
            banned: vec![],
            requests: vec![],
            delay_of_1,
            delayed: vec![],
        };
        for peer in 1..=u64::try_from(client.peers.len()).unwrap() {
            client.step(Event::Connected { peer, validator: false });
        }
        client
    }

    fn step(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.catch_up.step(self.now, event) {
                match effect {
                    Effect::Request { peer, id, protocol, bytes } => {
                        self.requests.push((peer, protocol));
                        let answer = self.peers.get_mut(&peer).unwrap()(self.now, protocol, &bytes);
                        let answer = answer.map(|bytes| Event::Answer { id, bytes });
                        if self.delay_of_1 > 0 && (peer, protocol) == (1, Protocol::Slots) {
                            let due = self.now.plus(self.delay_of_1);
                            self.delayed.extend(answer.map(|event| (due, event)));
                        } else {
                            events.extend(answer);
                        }
                    }
                    Effect::Apply(slot) => {
                        let executed = self.executor.execute(&slot).unwrap();
                        let height = slot.height();
                        assert_eq!(executed.header_id, self.ledger.headers[&height]);
                        self.applied.push(height);
                        events.push(Event::Executed { height, header_id: executed.header_id });
                    }
                    Effect::ApplySeal { sealed } => {
                        let height = sealed.header.height;
                        assert_eq!(*sealed, self.ledger.seals[&height]);
                        self.sealed.push(height);
                    }
                    Effect::Body(batch) => self.bodies.push(batch.digest()),
                    Effect::Ban { peer, .. } => self.banned.push(peer),
                    Effect::SafetyAlarm(fault) => panic!("{fault}"),
                }
            }
        }
    }

    /// Lets the clock jump from deadline to deadline until `done`, at most `ms` milliseconds.
    fn run(&mut self, ms: u64, done: impl Fn(&Self) -> bool) {
        let end = self.now.plus(ms);
        let mut turns = 0;
        while !done(self) {
            turns += 1;
            assert!(turns < 10_000, "a deadline that does not move");
            let next = self.catch_up.deadline().expect("peers are polled for ever");
            assert!(next <= end, "not done after {ms} ms: {:?} {:?}", self.applied, self.sealed);
            let due = self.delayed.first().map(|(due, _)| *due).filter(|due| *due < next);
            self.now = self.now.max(due.unwrap_or(next));
            let event = due.map_or(Event::Tick, |_| self.delayed.remove(0).1);
            self.step(event);
        }
    }

    fn caught_up(&self) -> bool {
        self.applied.len() == self.ledger.slots.len() && self.sealed.len() == self.applied.len()
    }
}

#[test]
fn an_empty_node_gets_every_slot_and_seal_in_order() {
    let ledger = Ledger::new(&[(1, 10), (0, 0), (3, 100), (2, 10)]);
    let mut client = Client::new(&ledger, vec![honest(&ledger)]);
    client.run(2_000, Client::caught_up);
    assert_eq!(client.applied, ledger.slots.keys().copied().collect::<Vec<_>>());
    assert_eq!(client.banned, []);
}

#[test]
fn a_slot_larger_than_an_answer_comes_in_pieces_from_several_peers() {
    let ledger = Ledger::new(&[(1, 10), (28, 100_000), (1, 10)]);
    let mut client = Client::new(&ledger, vec![honest(&ledger), honest(&ledger)]);
    client.run(2_000, Client::caught_up);
    let slots = client.requests.iter().filter(|(_, protocol)| *protocol == Protocol::Slots);
    assert!(slots.clone().count() > 4 && slots.clone().any(|(peer, _)| *peer == 2));
}

#[test]
fn a_lying_peer_is_banned_at_its_first_lie_and_nothing_of_it_is_stored() {
    let ledger = Ledger::new(&[(2, 10), (2, 10)]);
    let mut other = Ledger::new(&[(2, 11), (2, 11)]);
    // A decision that a quorum did not sign.
    for slot in other.slots.values_mut() {
        slot.certificate.signatures.truncate(2);
    }
    let lies: Vec<fn(&mut SlotPart)> = vec![
        |part| part.head.as_mut().unwrap().certificate.signatures.truncate(2),
        |part| part.head.as_mut().unwrap().certificate.round = Round(1),
        |part| part.head.as_mut().unwrap().proposal.slot = Slot(3),
        |part| part.head.as_mut().unwrap().proposal.cut.clear(),
        |part| part.head = None,
        |part| part.height = Height(2),
        |part| part.frames.reverse(),
        |part| part.frames[0].0 = Bytes::from_static(b"no batch"),
        |part| {
            let surplus = part.frames[0].clone();
            part.frames.push(surplus);
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let liar: Peer<'_> = Box::new(|now, protocol, bytes| {
            let answer = honest(&ledger)(now, protocol, bytes)?;
            if protocol != Protocol::Slots {
                return Some(answer);
            }
            let mut answer: SlotsAnswer = borsh::from_slice(&answer).unwrap();
            if let SlotsAnswer::Slots { parts, .. } = &mut answer {
                lie(&mut parts[0]);
            }
            Some(borsh::to_vec(&answer).unwrap().into())
        });
        let mut client = Client::new(&ledger, vec![liar]);
        client.run(2_000, |client| !client.banned.is_empty());
        assert_eq!((client.applied.len(), client.banned.len()), (0, 1), "lie {number}");
        client.peers.insert(7, honest(&ledger));
        client.step(Event::Connected { peer: 7, validator: false });
        client.run(5_000, Client::caught_up);
    }
    let mut client = Client::new(&ledger, vec![honest(&other)]);
    client.run(2_000, |client| !client.banned.is_empty());
    assert_eq!(client.applied, []);
}

#[test]
fn garbage_instead_of_an_answer_is_a_ban() {
    let ledger = &Ledger::new(&[(1, 10)]);
    for wrong in [Protocol::Status, Protocol::Slots] {
        let garbler: Peer<'_> = Box::new(move |now, protocol, bytes| match protocol == wrong {
            true => Some(vec![7; 1000].into()),
            false => honest(ledger)(now, protocol, bytes),
        });
        let mut client = Client::new(ledger, vec![garbler]);
        client.run(2_000, |client| client.banned == [1]);
        assert_eq!(client.applied, []);
    }
}

#[test]
fn a_silent_peer_is_rotated_and_never_banned() {
    let ledger = Ledger::new(&[(1, 10), (1, 10), (1, 10)]);
    let silent: Peer<'_> = Box::new(|now, protocol, bytes| match protocol {
        Protocol::Status => honest(&ledger)(now, protocol, bytes),
        _ => None,
    });
    let mut client = Client::new(&ledger, vec![silent, honest(&ledger)]);
    client.run(20_000, Client::caught_up);
    assert_eq!(client.banned, []);
    let asked = client.requests.iter().filter(|r| **r == (1, Protocol::Slots)).count();
    assert!(asked <= 2, "{asked}");
}

#[test]
fn a_slow_peer_is_asked_when_no_other_can_be() {
    let ledger = Ledger::new(&[(9, 100_000), (9, 100_000), (9, 100_000), (9, 100_000)]);
    let peers = vec![honest(&ledger), honest(&ledger)];
    let mut client = Client::with_delay(&ledger, peers, 2_000);
    client.run(20_000, Client::caught_up);
    let of_1 = client.requests.iter().filter(|r| **r == (1, Protocol::Slots)).count();
    let of_2 = client.requests.iter().filter(|r| **r == (2, Protocol::Slots)).count();
    assert!(of_1 <= 1 && of_2 >= 3, "{of_1} {of_2}");
}

#[test]
fn a_peer_that_pruned_is_passed_over_and_a_busy_one_is_left_alone_for_as_long_as_it_says() {
    let ledger = &Ledger::new(&[(1, 10), (1, 10), (1, 10)]);
    let mut pruned = Ledger::new(&[(1, 10), (1, 10), (1, 10)]);
    pruned.first_kept = Height(3);
    let mut client = Client::new(ledger, vec![honest(&pruned)]);
    client.now = client.now.plus(1);
    for _ in 0..20 {
        client.now = client.catch_up.deadline().unwrap();
        client.step(Event::Tick);
    }
    assert_eq!((client.applied.len(), client.banned.len()), (0, 0));
    let until = client.now.plus(3_000);
    let busy: Peer<'_> = Box::new(move |now, protocol, bytes| match protocol {
        Protocol::Slots if now < until => {
            Some(borsh::to_vec(&SlotsAnswer::Busy { retry_ms: 3_000 }).unwrap().into())
        }
        _ => honest(ledger)(now, protocol, bytes),
    });
    client.peers.insert(2, busy);
    client.step(Event::Connected { peer: 2, validator: false });
    client.run(10_000, Client::caught_up);
    let asked = client.requests.iter().filter(|r| **r == (2, Protocol::Slots)).count();
    assert!(asked <= 1 + 3 + 3, "{asked}");
}

#[test]
fn new_slots_and_late_seals_are_followed() {
    let mut ledger = Ledger::new(&[(1, 10), (1, 10), (1, 10)]);
    ledger.shown = Height(1);
    let shown = std::cell::Cell::new(Height(1));
    let ledger = &ledger;
    struct Partial<'a>(&'a Ledger, Height);
    impl SlotSource for Partial<'_> {
        fn status(&self) -> Status {
            Status { decided: self.1, sealed: self.1.prev(), first_kept: Height(1) }
        }
        fn decided(&self, height: Height) -> Option<DecidedRecord> {
            self.0.slots.get(&height).filter(|_| height <= self.1).map(DecidedRecord::of)
        }
        fn sealed(&self, height: Height) -> Option<SealedHeader> {
            self.0.seals.get(&height).filter(|_| height < self.1).cloned()
        }
        fn frame(&self, digest: &Hash) -> Option<Bytes> {
            self.0.frame(digest)
        }
        fn attest(&self, nonce: &[u8; 32]) -> Option<SignedStatus> {
            self.0.attest(nonce)
        }
    }
    let growing: Peer<'_> = Box::new(|_, protocol, bytes| {
        let request = Request::from_bytes(protocol, bytes).unwrap();
        Some(answer(&request, &Partial(ledger, shown.get())))
    });
    let mut client = Client::new(ledger, vec![growing]);
    for height in 1..=3 {
        shown.set(Height(height));
        client.run(1_000, |client| client.applied.len() == usize::try_from(height).unwrap());
    }
    client.run(1_000, |client| client.sealed == [Height(1), Height(2)]);
}

#[test]
fn consensus_may_decide_a_height_while_it_is_on_its_way() {
    let ledger = Ledger::new(&[(28, 100_000), (1, 10)]);
    let answers = std::cell::Cell::new(0);
    let slow: Peer<'_> = Box::new(|now, protocol, bytes| {
        if protocol == Protocol::Slots {
            answers.set(answers.get() + 1);
            if answers.get() == 2 {
                return None;
            }
        }
        honest(&ledger)(now, protocol, bytes)
    });
    let mut client = Client::new(&ledger, vec![slow]);
    client.run(2_000, |_| answers.get() == 2);
    let slot = &ledger.slots[&Height(1)];
    let executed = client.executor.execute(slot).unwrap();
    client.step(Event::Decided { proposal: Arc::new(slot.proposal.clone()) });
    client.step(Event::Executed { height: Height(1), header_id: executed.header_id });
    client.run(20_000, |client| client.applied == [Height(2)]);
    assert_eq!(client.banned, []);
}

#[test]
fn wanted_bodies_come_from_holders_and_else_from_anyone() {
    let ledger = Ledger::new(&[(3, 10)]);
    let wanted: Vec<_> = ledger.batches.keys().copied().collect();
    let without: Peer<'_> = Box::new(|now, protocol, bytes| match protocol {
        Protocol::Batches => Some(borsh::to_vec(&BatchesAnswer::Batches(vec![])).unwrap().into()),
        _ => honest(&ledger)(now, protocol, bytes),
    });
    let mut client = Client::new(&ledger, vec![without, honest(&ledger)]);
    for digest in &wanted {
        client.step(Event::Want { digest: *digest, holders: vec![1] });
    }
    client.run(20_000, |client| client.bodies.len() == wanted.len());
    let mut bodies = client.bodies.clone();
    bodies.sort_unstable();
    assert_eq!((bodies, client.banned.len()), (wanted, 0));
    assert!(client.requests.contains(&(1, Protocol::Batches)));
}

/// A client whose table strangers filled before a validator (the peer after them) came.
fn crowded(ledger: &Ledger) -> Client<'_> {
    let strangers = (0..CATCHUP_PEERS_MAX).map(|_| -> Peer<'_> { Box::new(|_, _, _| None) });
    let mut client = Client::new(ledger, strangers.collect());
    client.peers.insert(VALIDATOR, honest(ledger));
    client.step(Event::Connected { peer: VALIDATOR, validator: true });
    client
}

const VALIDATOR: u64 = CATCHUP_PEERS_MAX as u64 + 1;

#[test]
fn a_validator_is_asked_for_bodies_however_many_strangers_came_before_it() {
    let ledger = Ledger::new(&[(1, 10)]);
    let digest = *ledger.batches.keys().next().unwrap();
    let mut client = crowded(&ledger);
    client.step(Event::Want { digest, holders: vec![VALIDATOR] });
    let bodies = client.requests.iter().filter(|(_, protocol)| *protocol == Protocol::Batches);
    assert_eq!(bodies.collect::<Vec<_>>(), [&(VALIDATOR, Protocol::Batches)]);
    assert_eq!(client.bodies, [digest]);
}

#[test]
fn a_validator_is_asked_for_slots_however_many_strangers_came_before_it() {
    let ledger = Ledger::new(&[(1, 10), (2, 10)]);
    let mut client = crowded(&ledger);
    client.run(5_000, Client::caught_up);
    assert_eq!(client.banned, []);
}

#[test]
fn a_holder_that_has_no_place_or_left_does_not_keep_a_body_from_being_asked_of_others() {
    let ledger = Ledger::new(&[(2, 10)]);
    let wanted: Vec<_> = ledger.batches.keys().copied().collect();
    let mut client = crowded(&ledger);
    let crowd = VALIDATOR + 1;
    client.step(Event::Connected { peer: crowd, validator: false });
    client.step(Event::Want { digest: wanted[0], holders: vec![crowd] });
    client.run(20_000, |client| client.bodies == wanted[..1]);

    let silent: Peer<'_> = Box::new(|_, _, _| None);
    let mut client = Client::new(&ledger, vec![silent, honest(&ledger)]);
    client.step(Event::Want { digest: wanted[0], holders: vec![1] });
    client.step(Event::Want { digest: wanted[1], holders: vec![1] });
    assert_eq!(client.bodies, []);
    client.step(Event::Disconnected { peer: 1 });
    assert_eq!(client.bodies, wanted[..2]);
}

#[test]
fn what_is_asked_is_charged_before_work_and_unused_charge_comes_back() {
    let mut budgets = Budgets::new();
    let request =
        Request::Slots(SlotsRequest::Slots { from: Height(1), skip: 0, bytes_max: u32::MAX });
    let now = TimestampMs(5_000);
    let most = SERVE_BURST_BYTES / u64::try_from(CATCHUP_ANSWER_BYTES_MAX).unwrap();
    let served = (0..100).filter(|_| budgets.charge(now, 1, &request).is_ok()).count();
    assert!(u64::try_from(served).unwrap() <= most);
    let busy = budgets.charge(now, 1, &request).unwrap_err();
    let SlotsAnswer::Busy { retry_ms } = borsh::from_slice(&busy).unwrap() else { panic!() };
    assert!(budgets.charge(now.plus(u64::from(retry_ms)), 1, &request).is_ok());
    assert!(budgets.charge(now, 2, &request).is_ok(), "another peer has its own share");
    for _ in 0..5_000 {
        if budgets.charge(now, 3, &request).is_err() {
            return;
        }
        budgets.refund(3, &request, 100);
    }
    panic!("requests without an answer cost nothing");
}

#[test]
fn a_request_of_too_many_digests_or_with_trailing_bytes_is_refused() {
    let bytes = borsh::to_vec(&BatchesRequest { digests: vec![Hash::ZERO; 33] }).unwrap();
    assert!(Request::from_bytes(Protocol::Batches, &bytes).is_err());
    assert!(Request::from_bytes(Protocol::Status, &[1]).is_ok());
    for wrong in [&[][..], &[0], &[1, 1]] {
        assert!(Request::from_bytes(Protocol::Status, wrong).is_err(), "{wrong:?}");
    }
    assert!(Request::from_bytes(Protocol::Slots, &[9; 40]).is_err());
}
