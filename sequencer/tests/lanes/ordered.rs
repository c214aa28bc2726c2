//! What waits for the own lane and is ordered through another one.

use crate::net::{Net, list};
use rota_sequencer::lanes::{Event, Origin};
use rota_types::{Hash, RefusalCode};

/// A node whose first batch nobody acknowledges: what comes next waits for its time.
fn waiting() -> Net {
    let mut net = Net::new(4);
    (1..4).for_each(|i| net.crash(i));
    net.submit(0, 1, list([1], 64));
    net.run(30);
    net
}

fn ordered(net: &mut Net, tags: impl IntoIterator<Item = u64>) {
    let prefixes = list(tags, 64).ids().map(|id| *id.0.first_chunk().unwrap()).collect();
    net.step(0, Event::Ordered { prefixes });
}

fn refusal(net: &Net, token: u64) -> (RefusalCode, Option<u64>) {
    let (refusal, retry_ms) = &net.nodes[0].refusals[&token];
    assert_eq!(*retry_ms, None);
    (refusal.code, refusal.value)
}

fn second_batch(net: &Net) -> Vec<Hash> {
    net.nodes[0].ledger[1].body().ids().collect()
}

fn ids(tags: impl IntoIterator<Item = u64>) -> Vec<Hash> {
    list(tags, 64).ids().collect()
}

#[test]
fn it_leaves_the_queue_and_its_client_is_told() {
    let mut net = waiting();
    net.submit(0, 2, list(10..14, 64));
    net.step(0, Event::Submit { origin: Origin::Pool, list: list(20..24, 64) });
    net.submit(0, 3, list(30..32, 64));
    ordered(&mut net, [11, 21, 99]);
    assert_eq!(refusal(&net, 2), (RefusalCode::Duplicate, Some(1)));
    let holds = |tag| net.nodes[0].lanes.holds(&ids([tag])[0]);
    assert!(!holds(10) && !holds(11) && !holds(21), "a refused submission leaves no trace");
    assert!(holds(20) && holds(30));
    net.submit(0, 4, list([10, 12, 13], 64));
    net.run(300);
    assert_eq!(second_batch(&net), ids([20, 22, 23, 30, 31, 10, 12, 13]));
    assert!(net.nodes[0].receipts.contains_key(&3) && net.nodes[0].receipts.contains_key(&4));
    net.check();
}

#[test]
fn clients_that_wait_for_other_parts_of_the_submission_keep_their_places() {
    let mut net = waiting();
    net.submit(0, 2, list(10..20, 64));
    net.submit(0, 3, list(12..14, 64));
    net.submit(0, 4, list(15..17, 64));
    net.submit(0, 5, list(16..19, 64));
    ordered(&mut net, [13, 13]);
    assert_eq!(refusal(&net, 2), (RefusalCode::Duplicate, Some(3)));
    assert_eq!(refusal(&net, 3), (RefusalCode::Duplicate, Some(1)));
    net.submit(0, 6, list(16..19, 64));
    net.run(300);
    assert_eq!(second_batch(&net), ids(15..19));
    let first = |token: u64| net.nodes[0].receipts[&token].receipt.first_index;
    assert_eq!((first(4), first(5), first(6)), (0, 1, 1));
    net.check();
}

/// The pool has let a gossiped transaction go: a client that sends it too, with one that is ordered elsewhere, must not
/// take it along when it is refused.
#[test]
fn what_the_pool_gave_stays_though_a_client_of_it_is_refused() {
    let mut net = waiting();
    net.step(0, Event::Submit { origin: Origin::Pool, list: list(10..12, 64) });
    net.submit(0, 2, list(10..12, 64));
    ordered(&mut net, [10]);
    assert_eq!(refusal(&net, 2), (RefusalCode::Duplicate, Some(0)));
    net.run(300);
    assert_eq!(second_batch(&net), ids([11]));
}

#[test]
fn the_queue_is_empty_again_for_its_limits() {
    let mut net = waiting();
    let room = net.nodes[0].lanes.room();
    net.submit(0, 2, list(10..500, 64));
    net.step(0, Event::Submit { origin: Origin::Pool, list: list(600..900, 64) });
    assert!(net.nodes[0].lanes.room() < room);
    ordered(&mut net, [400]);
    ordered(&mut net, 600..900);
    assert_eq!((net.nodes[0].lanes.room(), net.nodes[0].lanes.waits()), (room, false));
    net.run(300);
    assert_eq!(net.nodes[0].ledger.len(), 1, "nothing is left to seal");
}

#[test]
fn a_lane_at_its_lead_limit_brings_no_copies_when_a_slot_makes_room() {
    let mut net = Net::with_limits(4, 8 << 20, 1 << 20, 2);
    for token in 1..=3 {
        net.submit(0, token, list([token], 64));
        net.run(40);
    }
    assert_eq!(net.nodes[0].receipts.len(), 2, "the third waits for a slot");
    net.submit(1, 9, list([3], 64));
    net.run(100);
    net.decide(1);
    assert_eq!(refusal(&net, 3), (RefusalCode::Duplicate, Some(0)));
    net.run(500);
    let copies = net.nodes[2].ledger.iter().flat_map(|batch| batch.body().ids());
    assert_eq!(copies.filter(|id| *id == ids([3])[0]).count(), 1);
    assert_eq!(net.certified(0, 0), 2);
}
