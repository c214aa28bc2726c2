//! The lines of a validator that lost its guard: from whom, for what, and never below anything it can have signed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod slot_support;

use bytes::Bytes;
use rota_sequencer::catchup::{Protocol, Request, attest_question};
use rota_sequencer::lanes::LaneTerms;
use rota_sequencer::limits::{REJOIN_ASK_MS, REJOIN_REST_MS};
use rota_sequencer::rejoin::{Effect, Event, Lines, Rejoin, RejoinConfig};
use rota_types::codec::encode;
use rota_types::*;
use slot_support::chain::Chain;
use slot_support::*;

const NONCE: [u8; 32] = [9; 32];
const LEAD: u64 = 64;
const ME: usize = 1;

struct World {
    chain: Chain,
    rejoin: Rejoin,
    now: TimestampMs,
    effects: Vec<Effect>,
}

impl World {
    /// A chain of `heights`, and validator 1 without its guard.
    fn new(heights: u64) -> Self {
        let mut chain = Chain::new();
        for height in 1..=heights {
            for rank in 0..4 {
                chain.put(
                    rank,
                    &[tx(10, 500, &[u8::try_from(height).unwrap(), u8::try_from(rank).unwrap()])],
                );
            }
            chain.run(height);
        }
        let config = RejoinConfig {
            chain_id: CHAIN,
            me: chain.net.key(ME),
            validators: chain.net.set.clone(),
            lane_lead_max: LEAD,
            nonce: NONCE,
        };
        let (rejoin, now) = (Rejoin::new(config), TimestampMs(1_000));
        Self { chain, rejoin, now, effects: Vec::new() }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.rejoin.step(self.now, event);
        self.effects.extend(effects.clone());
        effects
    }

    fn connect(&mut self, rank: usize) -> Vec<Effect> {
        let validator = self.chain.net.key(rank);
        self.step(Event::Connected { peer: rank as u64, validator })
    }

    /// What the validator of this rank signs when its newest decided height is `decided`.
    fn status(&self, rank: usize, decided: u64) -> SignedStatus {
        let certificate = decided.checked_sub(1).map(|index| {
            let index = usize::try_from(index).unwrap();
            self.chain.history[index].0.certificate.clone()
        });
        let signer = &self.chain.net.signers[rank];
        SignedStatus::sign(CHAIN, &NONCE, Height(decided), certificate, signer)
    }

    fn answer(&mut self, question: u64, status: &SignedStatus) -> Vec<Effect> {
        let bytes = Some(Bytes::from(encode(status)));
        self.step(Event::Answer { question, bytes })
    }

    /// Asks a validator and takes its honest answer.
    fn hear(&mut self, rank: usize, decided: u64) -> Vec<Effect> {
        let question = question(&self.connect(rank));
        let status = self.status(rank, decided);
        self.answer(question, &status)
    }

    fn terms(&self, height: u64) -> Vec<LaneTerms> {
        let index = usize::try_from(height).unwrap() - 1;
        self.chain.history[index].1.order.terms()
    }

    fn execute(&mut self, height: u64) -> Vec<Effect> {
        let terms = self.terms(height);
        self.step(Event::Executed { height: Height(height), terms })
    }
}

fn question(effects: &[Effect]) -> u64 {
    match effects {
        [Effect::Ask { question, bytes, .. }] => {
            assert_eq!(*bytes, attest_question(&NONCE));
            let asked = Request::from_bytes(Protocol::Status, bytes).unwrap();
            assert!(matches!(asked, Request::Attest(NONCE)));
            *question
        }
        other => panic!("{other:?}"),
    }
}

fn lines(effects: &[Effect]) -> Option<&Lines> {
    effects.iter().find_map(|effect| match effect {
        Effect::Lines(lines) => Some(lines),
        _ => None,
    })
}

#[test]
fn lines_are_drawn_from_more_than_two_thirds_and_the_executed_target() {
    let mut world = World::new(9);
    world.execute(5);
    assert_eq!(world.hear(0, 6), []);
    assert_eq!(world.hear(2, 5), [], "two of four are not enough");
    assert_eq!(world.hear(3, 4), [Effect::Target { height: Height(7) }]);
    assert_eq!(world.execute(6), [], "the target is not executed yet");
    let effects = world.execute(7);
    let lines = lines(&effects).unwrap();
    assert_eq!((lines.vote_from, lines.seal_from), (Height(9), Height(8)));
    assert_eq!(lines.own_closed, Incarnation(0));
    assert_eq!(lines.acks.len(), 3);
    for place in &lines.acks {
        assert_ne!(place.lane, world.chain.net.key(ME));
        assert_eq!(place.seq, Seq(7 + LEAD));
    }
    assert_eq!(world.execute(8), [], "once");
}

#[test]
fn nobody_moves_the_lines_with_a_height_that_no_certificate_shows() {
    let mut world = World::new(4);
    world.execute(4);
    for rank in [0, 2] {
        world.hear(rank, 3);
    }
    let question = question(&world.connect(3));
    let mut far = world.status(3, 3);
    far = SignedStatus::sign(
        CHAIN,
        &NONCE,
        Height(1_000_000),
        far.certificate,
        &world.chain.net.signers[3],
    );
    assert!(matches!(&world.answer(question, &far)[..], [Effect::Liar { peer: 3, .. }]));
    assert!(lines(&world.effects).is_none());
    assert_eq!(world.rejoin.progress(), (Weight(2), Weight(4)));
}

#[test]
fn old_answers_answers_of_others_and_strangers_count_for_nothing() {
    let mut world = World::new(4);
    let stranger = Event::Connected { peer: 8, validator: ValidatorKey([8; 32]) };
    assert_eq!(world.step(stranger), []);
    assert_eq!(world.connect(ME), [], "its own weight counts for nothing");
    let signer = |world: &World, rank: usize| {
        Ed25519Signer::from_seed(&{
            let wanted = world.chain.net.key(rank);
            (1..=4u8)
                .map(|i| [i; 32])
                .find(|seed| Ed25519Signer::from_seed(seed).public_key() == wanted)
                .unwrap()
        })
    };
    let certificate = world.status(0, 3).certificate;
    let old =
        SignedStatus::sign(CHAIN, &[1; 32], Height(3), certificate.clone(), &signer(&world, 0));
    let other = world.status(2, 3);
    let chain = SignedStatus::sign(CHAIN + 1, &NONCE, Height(3), certificate, &signer(&world, 0));
    let mut bare = world.status(0, 3);
    bare.certificate = None;
    for bad in [old, other, chain, bare] {
        let asked = question(&world.connect(0));
        assert!(matches!(&world.answer(asked, &bad)[..], [Effect::Liar { peer: 0, .. }]));
        assert_eq!(world.answer(asked, &bad), [], "asked once, answered once");
    }
    assert_eq!(world.rejoin.progress().0, Weight(0));
}

#[test]
fn who_gives_nothing_is_asked_again_and_a_liar_rests() {
    let mut world = World::new(3);
    let asked = question(&world.connect(0));
    assert_eq!(world.step(Event::Answer { question: asked, bytes: None }), []);
    assert_eq!(world.rejoin.deadline(), Some(world.now.plus(REJOIN_ASK_MS)));
    world.now = world.now.plus(REJOIN_ASK_MS);
    let asked = question(&world.step(Event::Tick));
    let declined = Event::Answer { question: asked, bytes: Some(Bytes::new()) };
    assert_eq!(world.step(declined), []);
    world.now = world.now.plus(REJOIN_ASK_MS);
    let asked = question(&world.step(Event::Tick));
    let garbage = Event::Answer { question: asked, bytes: Some(Bytes::from_static(&[7; 90])) };
    assert!(matches!(&world.step(garbage)[..], [Effect::Liar { .. }]));
    assert_eq!(world.rejoin.deadline(), Some(world.now.plus(REJOIN_REST_MS)));
    world.step(Event::Disconnected { peer: 0 });
    assert_eq!(world.rejoin.deadline(), None);
}

/// For any point of loss: the validator had decided height d and may have voted on d + 1, so more than two thirds had
/// precommitted d. Whichever three of four answer, up to one of them lying low, the lines are above all that.
#[test]
fn nothing_signed_before_any_loss_is_above_the_lines() {
    for decided in 1..=6u64 {
        for liar in [0, 2, 3] {
            let mut world = World::new(9);
            // Honest ones that precommitted `decided` work on it: the one below is in their ledger. The liar says genesis.
            for rank in [0, 2, 3] {
                world.hear(rank, if rank == liar { 0 } else { decided - 1 });
            }
            let target = decided;
            let effects = world.execute(target);
            let lines = lines(&effects).unwrap_or_else(|| panic!("decided {decided}, liar {liar}"));
            assert!(lines.vote_from > Height(decided + 1), "votes up to d + 1");
            assert!(lines.seal_from > Height(decided), "seals up to d");
            let before = world.terms(decided);
            for place in &lines.acks {
                let tip = before.iter().find(|t| t.tip.position.lane == place.lane).unwrap();
                assert!(place.seq.0 >= tip.tip.position.seq.0 + LEAD, "acks up to the lead limit");
                assert!(place.incarnation >= tip.incarnation);
            }
            assert!(lines.own_closed >= before[0].incarnation);
        }
    }
}

#[test]
fn a_lane_raised_before_the_target_is_closed_under_its_newest_incarnation() {
    let mut world = World::new(3);
    let lane = world.chain.net.key(ME);
    let op = SystemOp::RaiseIncarnation { lane, incarnation: Incarnation(1) };
    let envelope = SystemEnvelope::sign(CHAIN, Slot(300), op, &world.chain.net.signers[ME]);
    world.chain.put(0, &[envelope.transaction()]);
    world.chain.run(4);
    for rank in [0, 2, 3] {
        world.hear(rank, 3);
    }
    let effects = world.execute(4);
    assert_eq!(lines(&effects).unwrap().own_closed, Incarnation(1));
}

#[test]
fn a_network_without_two_thirds_beside_it_gives_no_lines() {
    let mut world = World::new(5);
    world.execute(5);
    world.hear(0, 4);
    world.hear(2, 4);
    for _ in 0..10 {
        world.now = world.now.plus(REJOIN_ASK_MS);
        assert_eq!(world.step(Event::Tick), []);
    }
    assert!(lines(&world.effects).is_none());
}
