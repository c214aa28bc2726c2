//! Validators that lie: two branches, bad certificates, bad acknowledgements, bad sums.

use crate::net::{CHAIN, Net, list};
use rota_sequencer::Batch;
use rota_sequencer::lanes::{
    AckStatement, Effect, Event, LaneMessage, LaneTerms, Offence, TipClaim,
};
use rota_types::{
    Ack, BatchCertificate, Incarnation, MarkPlace, Seq, SignedBatchHeader, TimestampMs,
};
use std::sync::Arc;

fn certificate(net: &Net, batch: &Batch, signers: &[usize]) -> BatchCertificate {
    let sign = |i: &usize| {
        let signer = net.nodes[*i].gate.signer();
        let ack = Ack::sign(CHAIN, batch.position(), batch.digest(), &signer);
        (ack.validator, ack.signature)
    };
    let mut acks: Vec<_> = signers.iter().map(sign).collect();
    acks.sort_by_key(|(key, _)| *key);
    BatchCertificate { batch: batch.signed().clone(), acks }
}

fn give(net: &mut Net, to: usize, from: usize, batch: &Arc<Batch>) {
    net.step(to, Event::Batch { from: net.keys[from], batch: Arc::clone(batch) });
}

fn give_certificate(net: &mut Net, to: usize, from: usize, certificate: BatchCertificate) {
    let message = LaneMessage::Certificate(Box::new(certificate));
    net.step(to, Event::Message { from: net.keys[from], message });
}

fn acked(net: &Net, at: usize, batch: &Batch) -> bool {
    let position = batch.position();
    let digest = Ack::signing_digest(CHAIN, &position, &batch.digest());
    net.nodes[at].gate.marks.get(&MarkPlace::Ack { position }) == Some(&digest)
}

#[test]
fn of_two_branches_one_is_certified_and_the_author_is_named_once() {
    let mut net = Net::new(4);
    net.crash(0);
    let (x, y) = (net.forge(0, None, &[1]), net.forge(0, None, &[2]));
    give(&mut net, 1, 0, &x);
    give(&mut net, 2, 0, &y);
    give(&mut net, 3, 0, &y);
    give(&mut net, 1, 0, &y);
    give(&mut net, 2, 0, &x);
    give(&mut net, 1, 0, &y);
    assert!(acked(&net, 1, &x) && acked(&net, 2, &y) && acked(&net, 3, &y));
    assert!(!acked(&net, 1, &y) && !acked(&net, 2, &x), "one acknowledgement a place");
    assert_eq!(net.nodes[1].evidence.len(), 1);
    assert_eq!(net.nodes[2].evidence.len(), 1);
    assert_eq!(net.nodes[1].evidence, net.nodes[2].evidence, "one fault has one encoding");

    // Branch y has the weight; a voter on branch x follows the certificate, and its child.
    let (x2, y2) = (net.forge(0, Some(&x), &[3]), net.forge(0, Some(&y), &[4]));
    give(&mut net, 1, 0, &y2);
    assert!(!acked(&net, 1, &y2), "its parent is neither acknowledged here nor certified");
    let good = certificate(&net, &y, &[2, 3]);
    give_certificate(&mut net, 1, 0, good);
    assert!(acked(&net, 1, &y2), "its parent is certified");
    give(&mut net, 1, 0, &y);
    assert!(net.nodes[1].ledger.iter().any(|b| b.digest() == y.digest()), "certified: kept");
    give(&mut net, 1, 0, &x2);
    assert!(!acked(&net, 1, &x2));
    assert_eq!(net.certified(1, 0), 1);
}

#[test]
fn certificates_below_quorum_or_with_a_signer_twice_are_refused() {
    let mut net = Net::new(4);
    net.crash(0);
    let x = net.forge(0, None, &[1]);
    let below = certificate(&net, &x, &[1]);
    let twice = certificate(&net, &x, &[1, 1]);
    let author_too = certificate(&net, &x, &[0, 1]);
    let mut forged = certificate(&net, &x, &[1, 3]);
    forged.acks[0].1 = forged.acks[1].1;
    for (n, bad) in [below, twice, author_too, forged].into_iter().enumerate() {
        give_certificate(&mut net, 2, 1, bad);
        assert_eq!(net.certified(2, 0), 0);
        assert_eq!(net.nodes[2].penalties.len(), n + 1);
        assert_eq!(net.nodes[2].penalties[n], (net.keys[1], Offence::BadCertificate));
    }
    let good = certificate(&net, &x, &[1, 3]);
    give_certificate(&mut net, 2, 1, good);
    assert_eq!(net.certified(2, 0), 1);
}

#[test]
fn a_liar_cannot_push_a_good_certificate_out() {
    let mut net = Net::new(4);
    net.crash(0);
    let x = net.forge(0, None, &[1]);
    let y = net.forge(0, Some(&x), &[2]);
    net.run(1);
    net.verify_now(2);
    let (good, bad) = (certificate(&net, &x, &[1, 3]), certificate(&net, &y, &[3]));
    give_certificate(&mut net, 2, 1, good);
    give_certificate(&mut net, 2, 3, bad);
    assert_eq!(net.certified(2, 0), 1);
    assert_eq!(net.nodes[2].penalties, vec![(net.keys[3], Offence::BadCertificate)]);
}

#[test]
fn a_bad_acknowledgement_delays_no_certificate() {
    let mut net = Net::new(4);
    net.no_batches.insert((0, 1));
    net.submit(0, 1, list([1], 64));
    let batch = net.nodes[0].ledger[0].clone();
    let mut ack = Ack::sign(CHAIN, batch.position(), batch.digest(), &net.nodes[1].gate.signer());
    ack.signature.0[5] ^= 1;
    let event = |ack| Event::Message { from: net.keys[1], message: LaneMessage::Ack(ack) };
    net.step(0, event(ack.clone()));
    net.run(100);
    assert_eq!(net.certified(0, 0), 1, "the other two are enough");
    assert_eq!(net.nodes[0].penalties, vec![(net.keys[1], Offence::BadAck)]);

    ack.validator = net.keys[2];
    net.step(0, Event::Message { from: net.keys[1], message: LaneMessage::Ack(ack) });
    assert_eq!(net.nodes[0].penalties[1], (net.keys[1], Offence::NotTheirs));
}

#[test]
fn an_acknowledgement_that_is_enough_with_the_good_ones_certifies_though_a_bad_one_came_before() {
    let mut net = Net::new(3);
    net.set_weights(&[1, 1, 3]);
    net.no_batches.extend([(0, 1), (0, 2)]);
    net.submit(0, 1, list([1], 64));
    let batch = net.nodes[0].ledger[0].clone();
    for (from, flip) in [(1, 1), (2, 0)] {
        let signer = net.nodes[from].gate.signer();
        let mut ack = Ack::sign(CHAIN, batch.position(), batch.digest(), &signer);
        ack.signature.0[5] ^= flip;
        let message = LaneMessage::Ack(ack);
        net.step(0, Event::Message { from: net.keys[from], message });
    }
    assert_eq!(net.nodes[0].penalties, vec![(net.keys[1], Offence::BadAck)]);
    assert_eq!(net.certified(0, 0), 1, "1 and 3 of 5 are a quorum");
}

#[test]
fn wrong_sums_are_never_acknowledged() {
    let mut net = Net::new(4);
    net.crash(0);
    let x = net.forge(0, None, &[1]);
    for (bytes, txs) in [(1, 0), (0, 1)] {
        let mut header = x.header().clone();
        header.cumulative_bytes += bytes;
        header.cumulative_txs += txs;
        let signed = header.sign(CHAIN, &net.nodes[0].gate.signer());
        let bad = Arc::new(Batch::assemble(CHAIN, signed, x.body().clone()));
        give(&mut net, 1, 0, &bad);
        assert!(!acked(&net, 1, &bad));
    }
    assert_eq!(net.nodes[1].penalties, vec![(net.keys[0], Offence::BadBatch); 2]);
    give(&mut net, 1, 0, &x);
    assert!(acked(&net, 1, &x));
}

#[test]
fn a_closed_lane_takes_nothing_until_its_new_incarnation() {
    let mut net = Net::new(4);
    net.submit(0, 1, list([1], 64));
    net.run(100);
    let terms = |closed, incarnation| {
        let of = |t: &LaneTerms| {
            let mine = t.tip.position.lane == net.keys[0];
            let tip = net.decided[&t.tip.position.lane];
            LaneTerms {
                tip,
                closed: closed && mine,
                incarnation: Incarnation(if mine { incarnation } else { 0 }),
                ..*t
            }
        };
        net.terms.iter().map(of).collect::<Vec<_>>()
    };
    let (closed, open) = (terms(true, 0), terms(false, 1));
    for i in 0..4 {
        net.step(i, Event::Executed { terms: closed.clone() });
    }
    net.submit(0, 2, list([2], 64));
    assert_eq!(net.nodes[0].refusals[&2].0.code, rota_types::RefusalCode::NotSequencing);
    let child = net.forge(0, None, &[7]);
    give(&mut net, 1, 0, &child);
    assert!(!acked(&net, 1, &child));

    for i in 0..4 {
        net.step(i, Event::Executed { terms: open.clone() });
    }
    net.submit(0, 3, list([3], 64));
    net.run(100);
    let position = net.nodes[0].receipts[&3].receipt.position;
    assert_eq!((position.incarnation, position.seq), (Incarnation(1), Seq(1)));
    for i in 0..4 {
        assert_eq!(net.certified(i, 0), 1, "node {i} acknowledges the new incarnation");
    }
}

#[test]
fn what_the_own_key_signed_elsewhere_is_an_alarm() {
    let mut net = Net::new(4);
    net.submit(0, 1, list([1], 64));
    let other = net.forge(0, None, &[9]);
    give(&mut net, 0, 1, &other);
    assert!(net.nodes[0].key_misused);
}

#[test]
fn messages_from_strangers_and_about_strangers_do_nothing() {
    let mut net = Net::new(4);
    let stranger = rota_types::ValidatorKey([3; 32]);
    let statement =
        AckStatement { incarnation: Incarnation(0), after: Seq(0), last: None, resend: true };
    let node = &mut net.nodes[0];
    let event = Event::Message { from: stranger, message: LaneMessage::Statement(statement) };
    assert_eq!(node.lanes.step(TimestampMs(net.now), event, &mut node.gate), Vec::<Effect>::new());
    let (x, mut header) = (net.forge(1, None, &[1]), net.forge(1, None, &[1]).header().clone());
    header.position.lane = stranger;
    let signed = SignedBatchHeader { header, signature: x.signed().signature };
    let foreign = Arc::new(Batch::assemble(CHAIN, signed, x.body().clone()));
    give(&mut net, 0, 1, &foreign);
    assert!(net.nodes[0].ledger.is_empty() && net.nodes[0].lanes.usage() == (0, 0));
}

#[test]
fn every_message_has_one_encoding_and_bounded_lists() {
    let net = Net::new(4);
    let x = net.forge(1, None, &[1]);
    let signed = x.signed().clone();
    let good = LaneMessage::Headers(vec![signed.clone(); 64]);
    assert_eq!(LaneMessage::from_bytes(&good.to_bytes()).unwrap(), good);
    let tag = good.to_bytes()[0];
    assert!((rota_sequencer::lanes::FIRST_TAG..=rota_sequencer::lanes::LAST_TAG).contains(&tag));
    let many = LaneMessage::Headers(vec![signed; 65]);
    assert!(LaneMessage::from_bytes(&many.to_bytes()).is_err());
    let mut longer = good.to_bytes();
    longer.push(0);
    assert!(LaneMessage::from_bytes(&longer).is_err());
    for cut in 0..40 {
        assert!(LaneMessage::from_bytes(&good.to_bytes()[..cut]).is_err());
    }
    assert!(LaneMessage::from_bytes(&[0x10, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn the_first_byte_of_every_message_is_fixed() {
    let net = Net::new(4);
    let x = net.forge(1, None, &[1]);
    let position = x.position();
    let statement =
        AckStatement { incarnation: Incarnation(0), after: Seq(0), last: None, resend: false };
    let ack = Ack::sign(CHAIN, position, x.digest(), &net.nodes[2].gate.signer());
    let messages = [
        LaneMessage::Ack(ack),
        LaneMessage::Statement(statement),
        LaneMessage::Certificate(Box::new(certificate(&net, &x, &[2, 3]))),
        LaneMessage::Headers(vec![x.signed().clone()]),
        LaneMessage::CertificateRequest { position },
        LaneMessage::HeaderRequest { digest: x.digest() },
        LaneMessage::Tips(vec![TipClaim { position, digest: x.digest() }]),
    ];
    for (message, first) in messages.into_iter().zip(0x10u8..) {
        let bytes = message.to_bytes();
        assert_eq!(bytes[0], first);
        assert_eq!(LaneMessage::from_bytes(&bytes).unwrap(), message);
        for cut in 0..bytes.len() {
            assert!(LaneMessage::from_bytes(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_frame_is_refused() {
    let net = Net::new(4);
    let frame = net.forge(1, None, &[1]).frame().to_vec();
    assert!(Batch::from_frame(CHAIN, frame.clone().into()).is_ok());
    for bit in 0..frame.len() * 8 {
        let mut bad = frame.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Batch::from_frame(CHAIN, bad.into()).is_err(), "bit {bit}");
    }
    let mut longer = frame;
    longer.push(0);
    assert!(Batch::from_frame(CHAIN, longer.into()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(tag in 0x0fu8..0x18, rest: Vec<u8>) {
        let bytes: Vec<u8> = std::iter::once(tag).chain(rest).collect();
        if let Ok(message) = LaneMessage::from_bytes(&bytes) {
            proptest::prop_assert_eq!(message.to_bytes(), bytes, "one encoding");
        }
    }
}
