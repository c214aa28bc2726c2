//! The traces that break other readings of the protocol, one test each.

use crate::net::{CHAIN, Net};
use crate::solo::Solo;
use rota_consensus::wal::WalEntry;
use rota_consensus::{
    Effect, Event, Message, MessageClass, NilReason, Objective, Phase, SafetyAlarm,
};
use rota_types::{Hash, Height, Round, Slot, SlotProposal, ValidatorKey, VoteKind};

fn asks_timely(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::CheckTimely { .. }))
}

fn asks_check(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Check { .. }))
}

/// Answers the objective question with Valid, and the timely one as told.
fn judge(solo: &mut Solo, body: &SlotProposal, timely: Result<(), NilReason>) -> Vec<Effect> {
    let id = body.id(CHAIN);
    let mut effects = solo.step(Event::Objective { id, verdict: Objective::Valid });
    effects.extend(solo.step(Event::Timely { id, round: body.round, verdict: timely }));
    effects
}

#[test]
fn a_value_of_another_round_proposed_as_fresh_is_dropped_and_not_poisoned() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    // The proposer of round 1 is first: it shows the value of round 0 as its own.
    let effects = solo.propose(1, &body, None);
    assert!(!asks_check(&effects));
    assert_eq!(solo.penalised().len(), 1);
    // The rightful proposal is judged as if nothing had happened.
    assert!(asks_check(&solo.propose(0, &body, None)));
    judge(&mut solo, &body, Ok(()));
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(Some(body.id(CHAIN))));
    // And in round 1 the smuggled one is still not there.
    solo.fail_round(0);
    solo.propose(1, &body, None);
    solo.pass(600);
    assert_eq!(solo.voted(VoteKind::Prevote, 1), Some(None));
    assert_eq!(solo.reasons().last(), Some(&NilReason::NoProposal));
}

#[test]
fn a_made_up_proof_of_lock_does_not_skip_the_timely_check() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    solo.fail_round(0);
    // A value that names round 2 is shown in round 1 with a proof-of-lock that no polka backs.
    let body = solo.body(2, 1);
    solo.propose(1, &body, Some(0));
    judge(&mut solo, &body, Ok(()));
    solo.fail_round(1);
    let effects = solo.propose(2, &body, None);
    assert!(asks_timely(&effects), "it is fresh now, and asked about");
    let id = body.id(CHAIN);
    let verdict = Err(NilReason::OverLimit);
    solo.step(Event::Timely { id, round: Round(2), verdict });
    assert_eq!(solo.voted(VoteKind::Prevote, 2), Some(None));
}

#[test]
fn an_early_proposal_waits_for_its_cut() {
    let mut solo = Solo::new(1, 2_000);
    // Round 0 begins late, just before the cut of slot 2.
    solo.now = solo.timing.cut(Slot(2)).0 - 200;
    solo.pass(0);
    let body = solo.body(0, 2);
    solo.propose(0, &body, None);
    let id = body.id(CHAIN);
    let effects = solo.step(Event::Objective { id, verdict: Objective::Valid });
    assert!(!asks_timely(&effects));
    let tolerance = solo.timing.tolerance_ms();
    let effects = solo.pass(200 - tolerance - 1);
    assert!(!asks_timely(&effects) && solo.voted(VoteKind::Prevote, 0).is_none());
    assert!(asks_timely(&solo.pass(1)), "at the cut, less the tolerance");
    solo.step(Event::Timely { id, round: Round(0), verdict: Ok(()) });
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(Some(id)));
}

#[test]
fn a_proposal_for_another_slot_gets_nil_with_its_reason() {
    // Too late: its next cut is past.
    let mut solo = Solo::new(1, 2_000);
    solo.now = solo.timing.cut(Slot(2)).0 + 200;
    solo.pass(0);
    let body = solo.body(0, 1);
    solo.propose(0, &body, None);
    let id = body.id(CHAIN);
    let effects = solo.step(Event::Objective { id, verdict: Objective::Valid });
    assert!(!asks_timely(&effects), "the clock alone refuses it");
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(None));
    assert_eq!(solo.reasons(), vec![NilReason::WrongSlot]);
    // Far too early: the propose timeout comes first.
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 9);
    solo.propose(0, &body, None);
    judge(&mut solo, &body, Ok(()));
    solo.pass(600);
    assert_eq!(solo.reasons(), vec![NilReason::WrongSlot]);
    // Not above the parent's: wrong for ever, and nobody else is asked.
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 0);
    assert!(!asks_check(&solo.propose(0, &body, None)));
    assert_eq!(solo.reasons(), vec![NilReason::Malformed]);
}

#[test]
fn a_voter_without_the_parent_waits_and_then_says_not_ready() {
    let mut solo = Solo::new(2, 2_000);
    solo.pass(150);
    let body = solo.body(0, 2);
    assert!(!asks_check(&solo.propose(0, &body, None)), "nothing is judged before the parent");
    let wait = 400;
    solo.pass(wait - 60);
    assert_eq!(solo.voted(VoteKind::Prevote, 0), None);
    solo.pass(60);
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(None));
    assert_eq!(solo.reasons(), vec![NilReason::NotReady]);
    // The reason travels beside the vote.
    let beside = solo
        .sent()
        .any(|message| matches!(message, Message::Vote { reason: Some(NilReason::NotReady), .. }));
    assert!(beside);
}

#[test]
fn a_voter_that_becomes_ready_in_time_votes() {
    let mut solo = Solo::new(2, 2_000);
    solo.pass(150);
    let body = solo.body(0, 2);
    solo.propose(0, &body, None);
    let effects = solo.step(Event::Executed { height: Height(1), header_id: Hash::ZERO });
    assert!(asks_check(&effects));
    judge(&mut solo, &body, Ok(()));
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(Some(body.id(CHAIN))));
}

#[test]
fn a_height_does_not_begin_before_the_grandparent_is_executed() {
    let mut solo = Solo::new(3, 2_000);
    assert_eq!(solo.driver.deadline(), None);
    solo.pass(5_000);
    assert_eq!(solo.driver.status().phase, Phase::Waiting);
    solo.step(Event::Executed { height: Height(1), header_id: Hash::ZERO });
    assert_eq!(solo.driver.status().phase, Phase::Running);
}

#[test]
fn a_commit_quorum_decides_even_where_the_parent_is_not_executed() {
    let mut solo = Solo::new(2, 2_000);
    solo.pass(150);
    let body = solo.body(0, 2);
    let id = body.id(CHAIN);
    solo.propose(0, &body, None);
    solo.others_vote(VoteKind::Prevote, 0, Some(id), None);
    let effects = solo.others_vote(VoteKind::Precommit, 0, Some(id), None);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decided { .. })));
}

#[test]
fn a_committed_value_that_is_invalid_here_is_an_alarm_and_no_decision() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    let id = body.id(CHAIN);
    solo.propose(0, &body, None);
    let reason = NilReason::BadCertificate;
    solo.step(Event::Objective { id, verdict: Objective::Invalid(reason) });
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(None));
    solo.others_vote(VoteKind::Prevote, 0, Some(id), None);
    let effects = solo.others_vote(VoteKind::Precommit, 0, Some(id), None);
    let alarm = SafetyAlarm::CommittedInvalid { height: Height(1), value: id, reason };
    assert!(effects.contains(&Effect::Alarm(alarm)));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Decided { .. })));
}

/// Weight, proposed and executed parent of each alarm.
fn parent_alarms(effects: &[Effect]) -> Vec<(usize, Option<Hash>, Option<Hash>)> {
    let alarm = |effect: &Effect| match effect {
        Effect::Alarm(SafetyAlarm::ParentMismatch { validators, proposed, executed, .. }) => {
            Some((validators.len(), *proposed, *executed))
        }
        _ => None,
    };
    effects.iter().filter_map(alarm).collect()
}

#[test]
fn nil_votes_against_our_parent_raise_no_alarm_for_the_proposer_may_have_shown_them_another_value()
{
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    solo.propose(0, &body, None);
    let effects = solo.others_vote(VoteKind::Prevote, 0, None, Some(NilReason::ParentMismatch));
    assert_eq!(parent_alarms(&effects), vec![]);
}

#[test]
fn a_third_that_votes_for_a_value_on_another_parent_raises_the_alarm_once() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let mut body = solo.body(0, 1);
    body.parent_header = Hash([9; 32]);
    let id = body.id(CHAIN);
    solo.propose(0, &body, None);
    assert_eq!(solo.reasons(), vec![NilReason::ParentMismatch]);
    let effects = solo.others_vote(VoteKind::Prevote, 0, Some(id), None);
    assert_eq!(parent_alarms(&effects), vec![(2, Some(Hash([9; 32])), Some(Hash::ZERO))]);
}

#[test]
fn one_proposer_that_names_a_parent_nobody_executed_raises_no_alarm() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let mut body = solo.body(0, 1);
    body.parent_header = Hash([9; 32]);
    solo.propose(0, &body, None);
    assert_eq!(solo.reasons(), vec![NilReason::ParentMismatch]);
    let effects = solo.others_vote(VoteKind::Prevote, 0, None, Some(NilReason::ParentMismatch));
    assert_eq!(parent_alarms(&effects), vec![]);
    let story = solo.driver.explain(Height(1)).unwrap();
    assert_eq!(story.rounds[&Round(0)].nil.len(), 4);
    assert!(story.rounds[&Round(0)].nil.values().all(|r| *r == Some(NilReason::ParentMismatch)));
}

#[test]
fn a_body_that_is_missing_is_asked_for_from_those_who_voted_for_it() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    let id = body.id(CHAIN);
    // The proposal never came; a polka for it did.
    solo.others_vote(VoteKind::Prevote, 0, Some(id), None);
    let effects = solo.pass(1_000);
    let asked: Vec<ValidatorKey> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, class, bytes } => {
                let message = Message::from_bytes(*class, bytes).unwrap();
                matches!(message, Message::GetProposal { value, .. } if value == id).then_some(*to)
            }
            _ => None,
        })
        .collect();
    assert!(asked.len() >= 3, "asked again, of others: {asked:?}");
    assert!(asked.windows(2).any(|pair| pair[0] != pair[1]));
    solo.propose(0, &body, None);
    judge(&mut solo, &body, Ok(()));
    let effects = solo.others_vote(VoteKind::Precommit, 0, Some(id), None);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decided { .. })));
}

#[test]
fn hostile_frames_are_refused_and_the_sender_named() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    let liar = solo.proposer(1);
    solo.raw(liar, MessageClass::Votes, vec![0xff; 64]);
    solo.raw(liar, MessageClass::Votes, vec![0; 4_096]);
    let good =
        Message::Proposal { proposal: solo.sign_proposal(0, body.id(CHAIN), None), body: None };
    let mut trailing = good.to_bytes().to_vec();
    trailing.push(0);
    solo.raw(liar, MessageClass::Proposals, trailing);
    // Out of turn, forged, with another body, with a proof-of-lock of its own round.
    let mut turn = solo.sign_proposal(1, body.id(CHAIN), None);
    turn.proposal.round = Round(0);
    solo.hand(liar, &Message::Proposal { proposal: turn, body: None });
    let mut forged = solo.sign_proposal(0, body.id(CHAIN), None);
    forged.signature.0[3] ^= 1;
    solo.hand(liar, &Message::Proposal { proposal: forged, body: None });
    let signed = solo.sign_proposal(0, body.id(CHAIN), None);
    let other = solo.body(0, 2);
    solo.hand(liar, &Message::Proposal { proposal: signed, body: Some(other) });
    let lock = solo.sign_proposal(1, body.id(CHAIN), Some(1));
    solo.hand(liar, &Message::Proposal { proposal: lock, body: None });
    let offences = solo.penalised();
    assert_eq!(offences.len(), 7, "{offences:?}");
    assert!(offences.iter().all(|(who, _)| *who == liar));
    // None of it stood in the way of the real one.
    solo.propose(0, &body, None);
    judge(&mut solo, &body, Ok(()));
    assert_eq!(solo.voted(VoteKind::Prevote, 0), Some(Some(body.id(CHAIN))));
}

#[test]
fn a_proposer_without_the_parent_is_silent_and_proposes_once_it_is_ready() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 24);
    assert!(net.run_until(60_000, |net| net.all_decided(1)));
    let slow = net.proposer(3, 0);
    // It executes height 2 some 150 ms after height 3 began: within the propose timeout.
    net.nodes[slow].execution_ms = 2_150;
    assert!(net.run_until(60_000, |net| net.all_decided(3)));
    let builds: Vec<_> = net
        .effects
        .iter()
        .filter(|(_, node, effect)| {
            *node == slow && matches!(effect, Effect::Build { height, .. } if *height == Height(3))
        })
        .map(|(at, _, _)| *at)
        .collect();
    assert_eq!(builds.len(), 1);
    assert!(builds[0] > net.timing.cut(Slot(3)).0 + 50, "after the cut, when it was ready");
    assert_eq!(net.slots(slow)[2].1, 0, "still in round 0");
    net.assert_safe();
}

#[test]
fn a_restarted_proposer_proposes_what_it_had_built() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 25);
    assert!(net.run_until(60_000, |net| net.all_decided(1)));
    let victim = net.proposer(2, 0);
    // Its proposal is in the log and guard when it dies, before a byte of it left.
    let logged =
        |net: &Net| {
            net.nodes[victim].disk.wal_height == Height(2)
                && net.nodes[victim].disk.wal.iter().any(|bytes| {
                    matches!(WalEntry::from_bytes(bytes).unwrap(), WalEntry::Proposal(_))
                })
        };
    net.filter = Box::new(move |_, from, _, _| from != victim);
    assert!(net.run_until(60_000, logged));
    net.crash(victim);
    net.filter = Box::new(|_, _, _, _| true);
    net.restart(victim);
    assert!(net.run_until(60_000, |net| net.all_decided(3)));
    assert_eq!(net.slots(victim)[1].1, 0, "reconnecting brought the proposal to all in round 0");
    net.assert_safe();
}
