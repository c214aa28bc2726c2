//! Frames and log entries: one form, within limits, and no bytes can do harm.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use rota_consensus::certificate::{
    PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundVote,
};
use rota_consensus::limits::{PROPOSALS_FRAME_BYTES_MAX, VOTES_FRAME_BYTES_MAX};
use rota_consensus::wal::{StepTimeout, WalEntry};
use rota_consensus::{Message, MessageClass, NilReason};
use rota_types::limits::VALIDATORS_MAX;
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{
    CommitCertificate, CutEntry, Hash, Height, Incarnation, LanePosition, Proposal, Round, Seq,
    Signature, Slot, SlotProposal, ValidatorKey, Vote, VoteKind,
};

fn key(i: usize) -> ValidatorKey {
    let mut key = ValidatorKey([7; 32]);
    key.0[0] = u8::try_from(i).unwrap();
    key
}

fn vote(value: Option<Hash>) -> SignedVote {
    let vote = Vote {
        kind: VoteKind::Prevote,
        height: Height(9),
        round: Round(2),
        value,
        validator: key(1),
    };
    SignedVote { vote, signature: Signature([3; 64]) }
}

fn body(lanes: usize) -> SlotProposal {
    let cut = (0..lanes)
        .map(|i| CutEntry {
            position: LanePosition { lane: key(i), incarnation: Incarnation(1), seq: Seq(5) },
            header_digest: Hash([8; 32]),
        })
        .collect();
    SlotProposal {
        height: Height(9),
        round: Round(2),
        slot: Slot(12),
        parent_header: Hash([1; 32]),
        cut,
        evidence: Vec::new(),
    }
}

fn proposal() -> SignedProposal {
    let proposal = Proposal {
        height: Height(9),
        round: Round(2),
        value: Hash([4; 32]),
        pol_round: Some(Round(1)),
        validator: key(1),
    };
    SignedProposal { proposal, signature: Signature([3; 64]) }
}

fn polka(signers: usize) -> PolkaCertificate {
    PolkaCertificate {
        height: Height(9),
        round: Round(2),
        value: Hash([4; 32]),
        signatures: (0..signers).map(|i| (key(i), Signature([3; 64]))).collect(),
    }
}

fn round(signers: usize, kind: RoundCertificateKind) -> RoundCertificate {
    let votes = (0..signers).map(|i| RoundVote {
        validator: key(i),
        kind: VoteKind::Precommit,
        value: Some(Hash([u8::try_from(i).unwrap(); 32])),
        signature: Signature([3; 64]),
    });
    RoundCertificate { height: Height(9), round: Round(2), kind, votes: votes.collect() }
}

fn decided() -> Message {
    let certificate = CommitCertificate {
        height: Height(9),
        round: Round(2),
        value: Hash([4; 32]),
        signatures: polka(VALIDATORS_MAX).signatures,
    };
    Message::Decided { certificate, proposal: body(VALIDATORS_MAX) }
}

fn messages() -> Vec<Message> {
    let omitted = NilReason::Omitted { lane: key(3), seq: Seq(u64::MAX) };
    vec![
        Message::Vote { vote: vote(Some(Hash([4; 32]))), reason: None },
        Message::Vote { vote: vote(None), reason: Some(omitted) },
        Message::Proposal { proposal: proposal(), body: None },
        Message::Proposal { proposal: proposal(), body: Some(body(VALIDATORS_MAX)) },
        Message::Polka(polka(VALIDATORS_MAX)),
        Message::Round(round(VALIDATORS_MAX, RoundCertificateKind::Skip)),
        Message::Round(round(3, RoundCertificateKind::Precommit)),
        Message::GetProposal { height: Height(9), round: Round(2), value: Hash([4; 32]) },
        decided(),
    ]
}

/// What the fuzzer begins with: the small ones.
fn write_seeds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let frames = messages().into_iter().map(|message| ("frames", message.to_bytes()));
    let entries = entries().into_iter().map(|entry| ("wal_entry", entry.to_bytes()));
    for (number, (target, bytes)) in frames.chain(entries).enumerate() {
        if bytes.len() <= 2048 {
            std::fs::write(corpus.join(target).join(format!("{number:02}")), bytes).unwrap();
        }
    }
}

#[test]
fn every_message_round_trips_within_its_streams_limit() {
    if std::env::var_os("ROTA_WRITE_VECTORS").is_some() {
        write_seeds();
    }
    for message in messages() {
        let bytes = message.to_bytes();
        assert!(bytes.len() <= message.class().bytes_max(), "{} bytes", bytes.len());
        assert_eq!(Message::from_bytes(message.class(), &bytes).unwrap(), message);
        assert_eq!(message.height(), Height(9));
    }
    assert_eq!(MessageClass::Votes.bytes_max(), VOTES_FRAME_BYTES_MAX);
    assert_eq!(MessageClass::Proposals.bytes_max(), PROPOSALS_FRAME_BYTES_MAX);
}

#[test]
fn cut_or_lengthened_frames_are_refused() {
    for message in messages() {
        let bytes = message.to_bytes();
        let class = MessageClass::Proposals;
        for len in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
            assert!(Message::from_bytes(class, &bytes[..len]).is_err(), "{len} of {}", bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Message::from_bytes(class, &longer).is_err());
    }
}

#[test]
fn flipped_bits_decode_to_another_message_or_not_at_all() {
    for message in messages() {
        let bytes = message.to_bytes();
        for bit in (0..bytes.len() * 8).step_by(1 + bytes.len() / 100) {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Message::from_bytes(MessageClass::Proposals, &flipped) {
                assert_ne!(other, message);
                assert_eq!(other.to_bytes(), flipped, "one form only");
            }
        }
    }
}

#[test]
fn what_the_bytes_alone_show_is_refused_when_decoding() {
    let refused = |message: Message| {
        Message::from_bytes(MessageClass::Proposals, &message.to_bytes()).is_err()
    };
    let mut unsorted = polka(3);
    unsorted.signatures.swap(0, 1);
    assert!(refused(Message::Polka(unsorted)));
    let mut twice = polka(3);
    twice.signatures[1] = twice.signatures[0];
    assert!(refused(Message::Polka(twice)));
    assert!(refused(Message::Polka(polka(0))));
    assert!(refused(Message::Polka(polka(VALIDATORS_MAX + 1))));
    let mut mixed = round(3, RoundCertificateKind::Precommit);
    mixed.votes[1].kind = VoteKind::Prevote;
    assert!(refused(Message::Round(mixed)));
    let reason = Some(NilReason::Locked);
    assert!(refused(Message::Vote { vote: vote(Some(Hash([4; 32]))), reason }));
    let large = Message::Proposal { proposal: proposal(), body: Some(body(200)) };
    assert!(Message::from_bytes(MessageClass::Votes, &large.to_bytes()).is_err());
}

fn entries() -> Vec<WalEntry> {
    vec![
        WalEntry::Body(body(VALIDATORS_MAX)),
        WalEntry::Vote(vote(None)),
        WalEntry::Proposal(proposal()),
        WalEntry::Value {
            height: Height(9),
            round: Round(2),
            valid_round: None,
            proposer: key(1),
            value: Hash([4; 32]),
            valid: false,
        },
        WalEntry::Timeout { step: StepTimeout::Precommit, round: Round(2) },
        WalEntry::Polka(polka(VALIDATORS_MAX)),
    ]
}

#[test]
fn log_entries_round_trip() {
    for entry in entries() {
        let bytes = entry.to_bytes();
        assert_eq!(WalEntry::from_bytes(&bytes).unwrap(), entry);
        assert!(WalEntry::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}
