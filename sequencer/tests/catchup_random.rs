//! Catch-up among peers that fail at random, and decoders of everything that comes from outside or from disk.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail loudly")]

mod slot_support;

use proptest::prelude::*;
use rota_sequencer::catchup::*;
use rota_sequencer::execution::{DecidedRecord, DecidedTips, ExecutedRecord, Executor};
use rota_sequencer::seals::SealMessage;
use rota_types::*;
use slot_support::ledger::{Ledger, honest};
use slot_support::*;
use std::sync::OnceLock;

/// What a peer does with the next request.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Honest,
    Silent,
    Failing,
    Busy,
    /// One bit of the answer flipped, at this thousandth of its length.
    Lying(u16),
    Leaving,
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        4 => Just(Mood::Honest),
        1 => Just(Mood::Silent),
        1 => Just(Mood::Failing),
        1 => Just(Mood::Busy),
        1 => (0u16..1000).prop_map(Mood::Lying),
        1 => Just(Mood::Leaving),
    ]
}

fn ledger() -> &'static Ledger {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    LEDGER.get_or_init(|| Ledger::new(&[(1, 10), (0, 0), (16, 70_000), (2, 10), (3, 10)]))
}

/// Peer 3 is honest; the others have moods. The clock moves by deadlines.
fn run(moods: Vec<Mood>) {
    let ledger = ledger();
    let mut executor = Executor::genesis(&ledger.net.genesis).unwrap();
    let start = Start { tips: DecidedTips::of(executor.order()), ..Start::default() };
    let config = Config::full_node(CHAIN, ledger.net.set.clone(), 1_000);
    let mut catch_up = CatchUp::new(config, start);
    let mut now = TimestampMs(1_000_000);
    let mut moods = moods.into_iter();
    let mut lied = false;
    let connected = |peer| Event::Connected { peer, validator: peer == 3 };
    let mut events: Vec<_> = (1..=3).map(connected).collect();
    let mut sealed = 0;
    for _ in 0..5_000 {
        let event = events.pop().unwrap_or_else(|| {
            now = now.max(catch_up.deadline().expect("peers are polled for ever"));
            Event::Tick
        });
        for effect in catch_up.step(now, event) {
            match effect {
                Effect::Request { peer, id, protocol, bytes } => {
                    let mut bytes = honest(ledger)(now, protocol, &bytes).unwrap().to_vec();
                    let mood = match peer {
                        3 => Mood::Honest,
                        _ => moods.next().unwrap_or(Mood::Silent),
                    };
                    match mood {
                        Mood::Honest => {}
                        Mood::Silent => continue,
                        Mood::Failing => {
                            events.push(Event::Failed { id });
                            continue;
                        }
                        Mood::Busy if protocol == Protocol::Slots => {
                            bytes = borsh::to_vec(&SlotsAnswer::Busy { retry_ms: 700 }).unwrap();
                        }
                        Mood::Busy => {}
                        Mood::Lying(at) => {
                            lied = true;
                            let at = usize::from(at) * bytes.len() / 1000;
                            bytes[at] ^= 1;
                        }
                        Mood::Leaving => {
                            events.push(connected(peer));
                            events.push(Event::Disconnected { peer });
                        }
                    }
                    events.push(Event::Answer { id, bytes: bytes.into() });
                }
                Effect::Apply(slot) => {
                    let executed = executor.execute(&slot).unwrap();
                    let height = slot.height();
                    assert_eq!(executed.header_id, ledger.headers[&height]);
                    events.push(Event::Executed { height, header_id: executed.header_id });
                }
                Effect::ApplySeal { sealed: shown } => {
                    assert_eq!(*shown, ledger.seals[&shown.header.height]);
                    sealed += 1;
                }
                Effect::Body(_) => {}
                Effect::Ban { peer, .. } => assert!(lied && peer != 3, "peer {peer} banned"),
                Effect::SafetyAlarm(fault) => panic!("{fault}"),
            }
        }
        if executor.height() == ledger.shown && sealed == ledger.seals.len() {
            return;
        }
    }
    panic!("stuck at {} with {sealed} seals", executor.height());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn one_honest_peer_suffices_and_is_never_banned(
        moods in prop::collection::vec(mood(), 0..40),
    ) {
        run(moods);
    }
}

proptest! {
    #[test]
    fn decoders_end_with_an_error_or_a_value(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for protocol in [Protocol::Status, Protocol::Slots, Protocol::Batches] {
            Request::from_bytes(protocol, &bytes).ok();
        }
        SealMessage::from_bytes(&bytes).ok();
        DecidedRecord::from_bytes(&bytes).ok();
        ExecutedRecord::from_bytes(&bytes).ok();
        Executor::from_checkpoint(&ledger().net.genesis, &bytes).ok();
    }

    #[test]
    fn records_cut_or_changed_are_refused_or_another_value(at in 0usize..10_000, bit in 0u8..8) {
        let slot = &ledger().slots[&Height(4)];
        let record = DecidedRecord::of(slot);
        let mut bytes = record.to_bytes();
        let at = at % bytes.len();
        prop_assert!(DecidedRecord::from_bytes(&bytes[..at]).is_err());
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(DecidedRecord::from_bytes(&bytes).ok(), Some(record));
    }
}
