//! Nothing goes wrong, or a proposer is dead.

use crate::net::Net;

#[test]
fn four_validators_decide_one_slot_after_another_in_round_0() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 1);
    assert!(net.run_until(60_000, |net| net.all_decided(10)));
    net.assert_safe();
    for node in 0..4 {
        let slots = net.slots(node);
        for (height, round, slot) in slots {
            assert_eq!((round, slot), (0, height), "every slot is used, none is early");
        }
    }
}

#[test]
fn a_dead_proposers_slot_is_decided_in_a_later_round_of_the_same_slot() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 2);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    let dead = net.proposer(4, 0);
    net.crash(dead);
    assert!(net.run_until(60_000, |net| net.all_decided(6)));
    net.assert_safe();
    let node = (dead + 1) % 4;
    for (height, round, slot) in net.slots(node) {
        assert_eq!(slot, height, "no slot is lost");
        let proposer_dead = height > 2 && net.proposer(height, 0) == dead;
        assert_eq!(round > 0, proposer_dead, "height {height} round {round}");
    }
}

#[test]
fn weights_decide_and_not_heads() {
    // One of weight 4 in 7: no quorum (more than 4.67) without it, none of it alone.
    let mut net = Net::new(&[4, 1, 1, 1], 2_000, 3);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    net.crash(1);
    net.crash(2);
    let before = net.decided(0);
    assert!(net.run_until(60_000, |net| net.all_decided(before + 3)), "5 of 7 go on");
    net.crash(3);
    let before = net.decided(0);
    net.run_for(20_000);
    assert_eq!(net.decided(0), before, "4 of 7 do not");
    net.assert_safe();
}
