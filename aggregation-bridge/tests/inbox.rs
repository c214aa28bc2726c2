//! Statements against an inbox: what fits the proven head, and each way in which one does not.
#![expect(clippy::indexing_slicing, reason = "tests fail loudly")]

use rota_aggregation_bridge::error::{ExitError, Unfit};
use rota_aggregation_bridge::exits::NetworkId;
use rota_aggregation_bridge::inbox::{
    Inbox, InboxOrigin, Link, STATEMENT_VERSION, TransitionStatement,
};
use rota_aggregation_bridge::ledger::{CommitmentKind, deliveries_root};
use rota_aggregation_bridge::limits::INBOX_BOUNDARIES_MAX;
use rota_types::namespace::NamespaceEntry;
use rota_types::{Hash, Height, RollupId, Slot};
use std::collections::BTreeSet;

const RULE: u32 = 4;
const STATES: [Hash; 4] = [Hash([1; 32]), Hash([2; 32]), Hash([3; 32]), Hash([4; 32])];

fn origin() -> InboxOrigin {
    InboxOrigin {
        chain_id: 7,
        genesis_hash: Hash([5; 32]),
        rollup: RollupId(10),
        network: NetworkId(3),
        config_hash: Hash([6; 32]),
    }
}

fn link(height: u64) -> Link {
    Link {
        height: Height(height),
        slot: Slot(height * 2),
        namespace: Some(NamespaceEntry { count: height, bytes: 9, root: Hash([7; 32]) }),
        deliveries_root: deliveries_root(7, &[]),
        config_hash: Hash([6; 32]),
    }
}

/// Three heights executed.
fn inbox_of(origin: &InboxOrigin) -> (Inbox, Vec<Hash>) {
    let mut inbox = Inbox::new(origin, STATES[0]);
    let mut hashes = vec![inbox.head().inbox];
    for height in 1..=3 {
        assert_eq!(inbox.append(&link(height)), Ok(height));
        hashes.push(inbox.tip().1);
    }
    (inbox, hashes)
}

fn inbox() -> (Inbox, Vec<Hash>) {
    inbox_of(&origin())
}

fn statement(hashes: &[Hash], from: usize, to: usize) -> TransitionStatement {
    TransitionStatement {
        version: STATEMENT_VERSION,
        rule_id: RULE,
        pre_cursor: from as u64,
        post_cursor: to as u64,
        pre_inbox: hashes[from],
        post_inbox: hashes[to],
        pre_state: STATES[from],
        post_state: STATES[to],
        exits_count: 0,
        exits_hash: CommitmentKind::Keccak.exits_hash(7, &[]),
    }
}

#[test]
fn proofs_of_consecutive_ranges_move_the_head() {
    let (mut inbox, hashes) = inbox();
    inbox.advance(&statement(&hashes, 0, 2), RULE).unwrap();
    assert_eq!((inbox.head().cursor, inbox.head().state), (2, STATES[2]));
    inbox.advance(&statement(&hashes, 2, 3), RULE).unwrap();
    assert_eq!((inbox.head().cursor, inbox.head().inbox), (3, hashes[3]));
    assert_eq!(inbox.tip(), (3, hashes[3]));
    assert_eq!(inbox.append(&link(4)), Ok(4));
}

#[test]
fn a_range_proven_already_is_stale_and_so_is_an_overlap() {
    let (mut inbox, hashes) = inbox();
    let first = statement(&hashes, 0, 2);
    inbox.advance(&first, RULE).unwrap();
    assert_eq!(inbox.check(&first, RULE), Err(Unfit::Stale));
    assert_eq!(inbox.check(&statement(&hashes, 1, 3), RULE), Err(Unfit::Stale));
    assert_eq!(inbox.check(&statement(&hashes, 0, 3), RULE), Err(Unfit::Stale));
}

#[test]
fn a_gap_is_early_and_fits_once_the_gap_is_proven() {
    let (mut inbox, hashes) = inbox();
    let second = statement(&hashes, 2, 3);
    assert_eq!(inbox.check(&second, RULE), Err(Unfit::Gap));
    assert!(Unfit::Gap.is_early());
    inbox.advance(&statement(&hashes, 0, 2), RULE).unwrap();
    assert_eq!(inbox.check(&second, RULE), Ok(()));
}

/// An early statement that can never be true takes none of the few places for early ones.
#[test]
fn a_gap_before_a_false_inbox_is_wrong_at_once() {
    let (inbox, hashes) = inbox();
    let false_pre = TransitionStatement { pre_inbox: STATES[0], ..statement(&hashes, 2, 3) };
    assert_eq!(inbox.check(&false_pre, RULE), Err(Unfit::PreInbox));
    let false_post = TransitionStatement { post_inbox: STATES[0], ..statement(&hashes, 2, 3) };
    assert_eq!(inbox.check(&false_post, RULE), Err(Unfit::PostInbox));
}

#[test]
fn an_empty_or_backward_range_is_refused() {
    let (mut inbox, hashes) = inbox();
    let empty = statement(&hashes, 0, 0);
    assert_eq!(inbox.check(&empty, RULE), Err(Unfit::EmptyRange));
    inbox.advance(&statement(&hashes, 0, 2), RULE).unwrap();
    let backward = TransitionStatement { post_cursor: 1, ..statement(&hashes, 2, 3) };
    assert_eq!(inbox.check(&backward, RULE), Err(Unfit::EmptyRange));
}

#[test]
fn a_height_not_executed_yet_is_early() {
    let (mut inbox, hashes) = inbox();
    let mut ahead = statement(&hashes, 0, 3);
    ahead.post_cursor = 4;
    ahead.post_inbox = link(4).after(7, &hashes[3]);
    assert_eq!(inbox.check(&ahead, RULE), Err(Unfit::Unexecuted));
    assert!(Unfit::Unexecuted.is_early());
    inbox.append(&link(4)).unwrap();
    assert_eq!(inbox.check(&ahead, RULE), Ok(()));
}

#[test]
fn the_state_before_must_be_the_proven_one() {
    let (inbox, hashes) = inbox();
    let other = TransitionStatement { pre_state: STATES[1], ..statement(&hashes, 0, 1) };
    assert_eq!(inbox.check(&other, RULE), Err(Unfit::PreState));
}

#[test]
fn skipped_and_altered_links_end_at_another_inbox() {
    let (inbox, hashes) = inbox();
    let skipped = link(3).after(7, &hashes[1]);
    let altered = Link { namespace: None, ..link(3) }.after(7, &hashes[2]);
    let repeated = link(2).after(7, &hashes[2]);
    for post_inbox in [skipped, altered, repeated] {
        let statement = TransitionStatement { post_inbox, ..statement(&hashes, 0, 3) };
        assert_eq!(inbox.check(&statement, RULE), Err(Unfit::PostInbox));
    }
}

#[test]
fn another_version_rule_or_number_of_exits_is_refused() {
    let (inbox, hashes) = inbox();
    let good = statement(&hashes, 0, 3);
    let version = TransitionStatement { version: 2, ..good };
    assert_eq!(inbox.check(&version, RULE), Err(Unfit::Version));
    assert_eq!(inbox.check(&good, RULE + 1), Err(Unfit::Rule));
    let exits = TransitionStatement { exits_count: 1025, ..good };
    assert_eq!(inbox.check(&exits, RULE), Err(Unfit::TooManyExits));
}

#[test]
fn a_statement_holds_for_no_other_rollup_chain_genesis_or_configuration() {
    let (own, hashes) = inbox();
    assert_eq!(own.check(&statement(&hashes, 0, 3), RULE), Ok(()));
    let others = [
        InboxOrigin { chain_id: 8, ..origin() },
        InboxOrigin { genesis_hash: Hash([8; 32]), ..origin() },
        InboxOrigin { rollup: RollupId(11), ..origin() },
        InboxOrigin { network: NetworkId(4), ..origin() },
        InboxOrigin { config_hash: Hash([8; 32]), ..origin() },
    ];
    for origin in others {
        let (inbox, _) = inbox_of(&origin);
        assert_eq!(inbox.check(&statement(&hashes, 0, 3), RULE), Err(Unfit::PreInbox));
    }
    assert_ne!(statement(&hashes, 0, 3).hash(7), statement(&hashes, 0, 3).hash(8));
}

#[test]
fn a_changed_configuration_changes_the_chain_from_there_on() {
    let (_, hashes) = inbox();
    let changed = Link { config_hash: Hash([8; 32]), ..link(3) };
    assert_ne!(changed.after(7, &hashes[2]), hashes[3]);
    assert_eq!(link(3).after(7, &hashes[2]), hashes[3]);
}

#[test]
fn a_refused_statement_moves_nothing() {
    let (mut inbox, hashes) = inbox();
    let before = inbox.clone();
    let wrong = TransitionStatement { pre_state: STATES[3], ..statement(&hashes, 0, 2) };
    assert_eq!(inbox.advance(&wrong, RULE), Err(Unfit::PreState));
    assert_eq!(inbox, before);
}

#[test]
fn a_full_inbox_takes_nothing_until_a_proof_moves_the_head() {
    let (mut inbox, hashes) = inbox();
    for height in 4..=INBOX_BOUNDARIES_MAX as u64 {
        inbox.append(&link(height)).unwrap();
    }
    assert!(inbox.is_full());
    assert_eq!(inbox.append(&link(0)), Err(Unfit::InboxFull));
    inbox.advance(&statement(&hashes, 0, 2), RULE).unwrap();
    inbox.append(&link(0)).unwrap();
}

#[test]
fn the_packed_statement_is_fixed_and_comes_back() {
    let (_, hashes) = inbox();
    let statement = statement(&hashes, 1, 3);
    let packed = statement.packed();
    assert_eq!(packed.len(), 186);
    assert_eq!(packed[..22], [0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(TransitionStatement::from_packed(&packed), Ok(statement));
    let mut other = packed;
    other[1] = 2;
    let refused = TransitionStatement::from_packed(&other);
    assert_eq!(refused, Err(ExitError::StatementVersion { found: 2 }));
    assert!(borsh::from_slice::<TransitionStatement>(&other).is_err());
    let hashes: BTreeSet<Hash> = (0..packed.len())
        .map(|at| {
            let mut bytes = packed;
            bytes[at] ^= 1;
            rota_types::Tag::Statement.digest(7, &bytes)
        })
        .collect();
    assert_eq!(hashes.len(), packed.len());
    assert!(!hashes.contains(&statement.hash(7)));
}

#[test]
fn codes_of_reasons_are_unique_and_early_ones_have_none() {
    let wrong = [
        Unfit::Version,
        Unfit::Rule,
        Unfit::TooManyExits,
        Unfit::EmptyRange,
        Unfit::NoBoundary,
        Unfit::PreInbox,
        Unfit::PostInbox,
        Unfit::PreState,
        Unfit::NotAScalar,
    ];
    let codes: BTreeSet<u16> = wrong.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), wrong.len());
    assert!(codes.iter().all(|code| code >> 8 == 1));
    for reason in [Unfit::Stale, Unfit::Gap, Unfit::Unexecuted, Unfit::InboxFull] {
        assert_eq!(reason.code(), 0);
    }
}
