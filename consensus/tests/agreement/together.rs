//! What keeps validators together: early messages, help for a laggard, reconnection, evidence.

use crate::net::{CHAIN, Net};
use crate::solo::Solo;
use rota_consensus::{Effect, Event, Message, NilReason, Phase};
use rota_types::evidence::Evidence;
use rota_types::{Hash, Height, Round, Signer as _, Vote, VoteKind};

#[test]
fn messages_of_a_height_that_has_not_begun_are_kept() {
    let mut solo = Solo::new(1, 2_000);
    assert_eq!(solo.driver.status().phase, Phase::Waiting);
    let body = solo.body(0, 1);
    assert!(solo.propose(0, &body, None).is_empty());
    solo.others_vote(VoteKind::Prevote, 0, Some(body.id(CHAIN)), None);
    let effects = solo.pass(200);
    assert!(effects.iter().any(|e| matches!(e, Effect::Check { .. })), "known at the cut");
}

#[test]
fn a_validator_on_a_clock_far_behind_takes_part() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 31);
    net.nodes[2].skew_ms = -300;
    assert!(net.run_until(60_000, |net| net.all_decided(8)));
    net.assert_safe();
    for (height, _, slot) in net.slots(2) {
        assert_eq!(height, slot);
    }
}

#[test]
fn a_laggard_gets_the_decision_for_its_vote() {
    let mut net = Net::new(&[1, 1, 1, 1], 2_000, 32);
    assert!(net.run_until(60_000, |net| net.all_decided(2)));
    // Node 3 loses all precommits of height 3, and nothing else. There is no catch-up in this net.
    net.filter = Box::new(|_, _, to, message| match message {
        Message::Vote { vote, .. } => {
            to != 3 || vote.vote.height != Height(3) || vote.vote.kind != VoteKind::Precommit
        }
        _ => true,
    });
    assert!(net.run_until(60_000, |net| net.all_decided(6)));
    let helped = net.effects.iter().any(|(_, node, effect)| {
        let Effect::Send { class, bytes, .. } = effect else { return false };
        let message = Message::from_bytes(*class, bytes).unwrap();
        *node != 3 && matches!(message, Message::Decided { .. })
    });
    assert!(helped);
    net.assert_safe();
}

#[test]
fn a_reconnected_validator_is_sent_the_round_as_it_stands() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let body = solo.body(0, 1);
    let id = body.id(CHAIN);
    solo.propose(0, &body, None);
    solo.step(Event::Objective { id, verdict: rota_consensus::Objective::Valid });
    solo.step(Event::Timely { id, round: Round(0), verdict: Ok(()) });
    solo.others_vote(VoteKind::Prevote, 0, Some(id), None);
    let validator = solo.set.as_slice()[solo.proposer(1)].key;
    let sent: Vec<_> = solo
        .step(Event::Connected { validator })
        .into_iter()
        .map(|effect| match effect {
            Effect::Send { to, class, bytes } => {
                assert_eq!(to, validator);
                Message::from_bytes(class, &bytes).unwrap()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let has = |wanted: fn(&Message) -> bool| sent.iter().any(wanted);
    assert!(has(|m| matches!(m, Message::Proposal { body: Some(_), .. })));
    assert!(has(|m| matches!(m, Message::Polka(_))));
    let votes = sent.iter().filter(|m| matches!(m, Message::Vote { .. })).count();
    assert_eq!(votes, 2, "prevote and precommit");
}

#[test]
fn two_votes_of_one_kind_and_two_proposals_of_one_round_are_evidence_once() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let cheat = solo.proposer(0);
    let vote = |solo: &Solo, value| {
        let vote = Vote {
            kind: VoteKind::Prevote,
            height: Height(1),
            round: Round(0),
            value,
            validator: solo.signers[cheat].public_key(),
        };
        let vote = vote.sign(CHAIN, solo.signers[cheat].as_ref());
        Message::Vote { vote, reason: None }
    };
    for value in [None, Some(Hash([1; 32])), Some(Hash([1; 32])), None] {
        let message = vote(&solo, value);
        solo.hand(cheat, &message);
    }
    solo.propose(0, &solo.body(0, 1), None);
    solo.propose(0, &solo.body(0, 2), None);
    solo.propose(0, &solo.body(0, 2), None);
    let found: Vec<_> = solo
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Evidence(evidence) => Some(evidence.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    for evidence in &found {
        evidence.verify(CHAIN).unwrap();
    }
    assert!(found.iter().any(|e| matches!(e, Evidence::DoubleVote(_))));
    assert!(found.iter().any(|e| matches!(e, Evidence::DoubleProposal(_))));
}

#[test]
fn a_decision_with_one_bad_signature_is_refused_and_its_bearer_named() {
    let mut donor = Net::new(&[1, 1, 1, 1], 2_000, 33);
    assert!(donor.run_until(60_000, |net| net.all_decided(1)));
    let (proposal, certificate) = donor.nodes[0].disk.decided[&Height(1)].clone();
    let mut solo = Solo::new(1, 2_000);
    let mut bad = certificate.clone();
    bad.signatures[1].1.0[5] ^= 1;
    solo.hand(solo.proposer(0), &Message::Decided { certificate: bad, proposal: proposal.clone() });
    let mut few = certificate.clone();
    few.signatures.truncate(2);
    solo.hand(solo.proposer(0), &Message::Decided { certificate: few, proposal: proposal.clone() });
    assert_eq!(solo.penalised().len(), 2);
    // Our own precommit is among those of the donor's net, where the same keys are used.
    let local = solo.signers[solo.local].public_key();
    let foreign = certificate.signatures.iter().any(|(key, _)| *key == local);
    let effects = solo.hand(solo.proposer(0), &Message::Decided { certificate, proposal });
    let decided = effects.iter().any(|e| matches!(e, Effect::Decided { .. }));
    let fatal = effects.iter().any(|e| matches!(e, Effect::Fatal(_)));
    assert_eq!((decided, fatal), (!foreign, foreign));
}

#[test]
fn only_a_voters_own_connection_says_why_it_voted_nil() {
    let mut solo = Solo::new(1, 2_000);
    solo.pass(150);
    let (voter, other) = (solo.proposer(0), solo.proposer(1));
    let vote = Vote {
        kind: VoteKind::Prevote,
        height: Height(1),
        round: Round(0),
        value: None,
        validator: solo.signers[voter].public_key(),
    };
    let vote = vote.sign(CHAIN, solo.signers[voter].as_ref());
    let said = |solo: &Solo| {
        let story = solo.driver.explain(Height(1)).unwrap();
        story.rounds[&Round(0)].nil[&vote.vote.validator]
    };
    let reason = Some(NilReason::ParentMismatch);
    solo.hand(other, &Message::Vote { vote: vote.clone(), reason });
    assert_eq!(said(&solo), None);
    let reason = Some(NilReason::NotReady);
    solo.hand(voter, &Message::Vote { vote: vote.clone(), reason });
    assert_eq!(said(&solo), reason);
}

#[test]
fn entries_after_a_replayed_log_belong_to_its_height_though_the_height_before_had_none() {
    let logged = |effects: &[Effect]| -> Vec<(Height, bytes::Bytes)> {
        let wal = effects.iter().filter_map(|effect| match effect {
            Effect::Wal { height, entry } => Some((*height, entry.clone())),
            _ => None,
        });
        wal.collect()
    };
    // A first life at height 2, whose ledger is lost and whose log is kept.
    let parent = Event::Executed { height: Height(1), header_id: Hash::ZERO };
    let mut first = Solo::new(2, 2_000);
    first.step(parent.clone());
    first.pass(150);
    let body = first.body(0, 2);
    first.propose(0, &body, None);
    first.others_vote(VoteKind::Prevote, 0, Some(body.id(CHAIN)), None);
    let log: Vec<_> = logged(&first.effects).into_iter().map(|(_, entry)| entry).collect();
    assert!(!log.is_empty());

    // The second life catches up through height 1.
    let mut second = Solo::new(1, 2_000);
    second.pass(150);
    second.others_vote(VoteKind::Prevote, 0, None, None);
    let before = logged(&second.effects);
    assert!(!before.is_empty() && before.iter().all(|(height, _)| *height == Height(1)));
    second.step(parent);
    second.height = Height(2);
    second.effects.clear();
    second.step(Event::Start(rota_consensus::Start {
        height: Height(2),
        validators: second.set.clone(),
        parent_slot: rota_types::Slot(1),
        wal: log,
        marks: Vec::new(),
    }));
    second.pass(3_000);
    second.others_vote(VoteKind::Precommit, 0, None, None);
    second.others_vote(VoteKind::Prevote, 1, None, None);
    let after = logged(&second.effects);
    assert!(!after.is_empty() && after.iter().all(|(height, _)| *height == Height(2)), "{after:?}");
}
