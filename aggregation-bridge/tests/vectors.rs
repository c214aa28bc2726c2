//! The vectors of `tests/python/bridge_vectors.py`, a second implementation written from docs/bridge.md.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests fail loudly")]

use rota_aggregation_bridge::exits::{
    Address, BridgeExit, GlobalIndex, ImportedExit, LeafType, LocalExitTree, NetworkCommitment,
    NetworkId, NullifierKey, SparseTree, TokenInfo, balance_leaf, global_exit_root,
    imported_exits_commitment, imported_indices_commitment, metadata_hash, nullifier_leaf,
    rollup_exit_root,
};
use rota_aggregation_bridge::inbox::{
    Binding, Entries, Inbox, InboxOrigin, Link, PublicInputs, TransitionStatement,
};
use rota_aggregation_bridge::ledger::{CommitmentKind, Delivery, DeliveryKind, deliveries_root};
use rota_aggregation_bridge::verdicts::{Verdict, VerdictKind, VerdictLeaf, Verdicts};
use rota_keystore::KeystoreId;
use rota_types::namespace::NamespaceEntry;
use rota_types::{Hash, Height, RollupId, Slot, keccak256};
use ruint::aliases::U256;
use serde_json::Value;

const CHAIN: u64 = 7;
const KECCAK: CommitmentKind = CommitmentKind::Keccak;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/bridge.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

fn big(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

fn origin() -> InboxOrigin {
    InboxOrigin {
        chain_id: CHAIN,
        genesis_hash: keccak256(b"genesis"),
        rollup: RollupId(10),
        network: NetworkId(3),
        config_hash: keccak256(b"config"),
    }
}

fn delivery(kind: DeliveryKind, source: u32, place: u64, exit: &BridgeExit) -> Delivery {
    Delivery { kind, source: NetworkId(source), place, exit: *exit }
}

fn exits(vectors: &Value) -> Vec<BridgeExit> {
    let address = |value: &Value| Address(bytes(value).try_into().unwrap());
    let exit = |value: &Value| BridgeExit {
        leaf_type: match value["type"].as_u64() {
            Some(0) => LeafType::Transfer,
            _ => LeafType::Message,
        },
        token: TokenInfo {
            origin_network: NetworkId(number(&value["origin_network"])),
            origin_address: address(&value["origin_address"]),
        },
        destination_network: NetworkId(number(&value["destination_network"])),
        destination_address: address(&value["destination_address"]),
        amount: big(&value["amount"]),
        metadata_hash: metadata_hash(&bytes(&value["metadata"])),
    };
    list(&vectors["exits"]["exits"]).iter().map(exit).collect()
}

#[test]
fn exit_leaves_and_the_local_exit_tree() {
    let vectors = vectors();
    let (exits, given) = (exits(&vectors), &vectors["exits"]);
    let mut tree = LocalExitTree::default();
    assert_eq!(tree.root(), hash(&given["exit_roots"][0]));
    for (n, exit) in exits.iter().enumerate() {
        assert_eq!(exit.packed()[..], bytes(&given["exits"][n]["packed"])[..]);
        assert_eq!(exit.hash(), hash(&given["exits"][n]["hash"]));
        tree.append(exit.hash()).unwrap();
        assert_eq!(tree.root(), hash(&given["exit_roots"][n + 1]));
    }
    assert_eq!(KECCAK.exits_hash(CHAIN, &exits), hash(&given["exits_hash"]));
    assert_eq!(KECCAK.exits_hash(CHAIN, &[]), hash(&given["exits_hash_of_none"]));
}

#[test]
fn nullifier_and_balance_trees() {
    let given = &vectors()["trees"];
    let mut nullifiers = SparseTree::<NullifierKey, 64>::default();
    for (key, roots) in
        list(&given["nullifiers"]).iter().zip(list(&given["nullifier_roots"]).windows(2))
    {
        assert_eq!(nullifiers.root(), hash(&roots[0]));
        let key = NullifierKey { source: NetworkId(number(&key[0])), leaf_index: number(&key[1]) };
        nullifiers.set(key, nullifier_leaf());
        assert_eq!(nullifiers.root(), hash(&roots[1]));
    }
    let mut balances = SparseTree::<TokenInfo, 192>::default();
    for (entry, roots) in
        list(&given["balances"]).iter().zip(list(&given["balance_roots"]).windows(2))
    {
        assert_eq!(balances.root(), hash(&roots[0]));
        let token = TokenInfo {
            origin_network: NetworkId(number(&entry[0])),
            origin_address: Address(bytes(&entry[1]).try_into().unwrap()),
        };
        balances.set(token, balance_leaf(big(&entry[2])));
        assert_eq!(balances.root(), hash(&roots[1]));
    }
}

#[test]
fn global_roots_indices_and_commitments() {
    let given = &vectors()["global"];
    let local = given["local_roots"].as_object().unwrap();
    let local = local.iter().map(|(id, root)| (NetworkId(id.parse().unwrap()), hash(root)));
    let rollups = rollup_exit_root(&local.collect());
    assert_eq!(rollups, hash(&given["rollup_exit_root"]));
    assert_eq!(global_exit_root(&Hash::ZERO, &rollups), hash(&given["global_exit_root"]));
    let mut imported = Vec::new();
    for entry in list(&given["indices"]) {
        let (source, leaf_index) = (NetworkId(number(&entry[0])), number(&entry[1]));
        let index = GlobalIndex { source, leaf_index };
        assert_eq!(index.to_u256(), big(&entry[2]));
        assert_eq!(GlobalIndex::from_u256(big(&entry[2])), Ok(index));
        let exit_hash = keccak256(&u64::from(leaf_index).to_be_bytes());
        imported.push(ImportedExit { index, exit_hash });
    }
    let found = imported_indices_commitment(&imported);
    assert_eq!(found, hash(&given["imported_indices_commitment"]));
    let found = imported_exits_commitment(&imported);
    assert_eq!(found, hash(&given["imported_exits_commitment"]));
    let commitment = NetworkCommitment {
        balance_root: keccak256(b"balance"),
        nullifier_root: keccak256(b"nullifier"),
        exit_count: 5,
        height: 6,
        network: NetworkId(7),
    };
    assert_eq!(commitment.pessimistic_root(), hash(&given["pessimistic_root"]));
    assert_eq!(commitment.pessimistic_root_v2(), hash(&given["pessimistic_root_v2"]));
}

#[test]
fn inbox_links_deliveries_and_the_statement() {
    let vectors = vectors();
    let (exits, given) = (exits(&vectors), &vectors["inbox"]);
    let (origin, config_hash) = (origin(), keccak256(b"config"));
    assert_eq!(origin.hash(), hash(&given["h0"]));
    let some = deliveries_root(
        CHAIN,
        &[
            delivery(DeliveryKind::Bounce, 3, 1 << 33, &exits[0]),
            delivery(DeliveryKind::Exit, 4, 0, &exits[1]),
            delivery(DeliveryKind::Exit, 4, 1, &exits[2]),
        ],
    );
    let none = deliveries_root(CHAIN, &[]);
    assert_eq!(some, hash(&given["deliveries_root"]));
    assert_eq!(none, hash(&given["deliveries_root_of_none"]));
    let entry = NamespaceEntry { count: 2, bytes: 300, root: keccak256(b"namespace") };
    let mut inbox = Inbox::new(&origin, keccak256(b"before"));
    let heights = [(Some(entry), none), (None, some), (Some(entry), some)];
    for ((height, (namespace, deliveries_root)), expected) in
        (1..).zip(heights).zip(list(&given["links"]))
    {
        let slot = Slot(2 * height);
        let link = Link { height: Height(height), slot, namespace, deliveries_root, config_hash };
        inbox.append(&link).unwrap();
        assert_eq!(inbox.tip().1, hash(expected));
    }
    let packed: [u8; 186] = bytes(&given["statement"]).try_into().unwrap();
    let statement = TransitionStatement::from_packed(&packed).unwrap();
    assert_eq!(statement.exits_hash, KECCAK.exits_hash(CHAIN, &exits));
    assert_eq!(statement.post_inbox, inbox.tip().1);
    assert_eq!(statement.hash(CHAIN), hash(&given["statement_hash"]));
    let halves = list(&given["halves"]).iter().map(|half| hash(half).0).collect();
    let inputs = Binding::DigestHalves.public_inputs(CHAIN, &statement);
    assert_eq!(inputs, Ok(PublicInputs::Scalars(halves)));
}

#[test]
fn exits_and_inbox_of_poseidon_kind() {
    let vectors = vectors();
    let (exits, given) = (exits(&vectors), &vectors["poseidon"]);
    let found = CommitmentKind::Poseidon.exits_hash(CHAIN, &exits[..5]);
    assert_eq!(found, hash(&given["exits_hash_of_five"]));
    let mut inbox = Inbox::of_entries(&origin(), Hash::ZERO);
    assert_eq!(inbox.head().inbox, hash(&given["h0"]));
    let deliveries = [
        delivery(DeliveryKind::Bounce, 3, 1 << 33, &exits[0]),
        delivery(DeliveryKind::Exit, 4, 0, &exits[1]),
    ];
    let payloads: Vec<Vec<u8>> = list(&given["payloads"]).iter().map(bytes).collect();
    let entries = Entries {
        deliveries: &deliveries,
        transactions: &[&payloads[0], &[1; 154], &payloads[1]],
        entry_chunks: 5,
        changed_config: Some(keccak256(b"changed")),
    };
    assert_eq!(inbox.append_entries(&entries), Ok(5));
    assert_eq!(inbox.tip().1, hash(&given["after_five_entries"]));
}

#[test]
fn verdict_leaves_and_roots() {
    let given = &vectors()["verdicts"];
    let mut verdicts = Verdicts::default();
    for n in 0..9u32 {
        assert_eq!(verdicts.root(CHAIN), hash(&given["roots"][n as usize]));
        let leaf = VerdictLeaf {
            kind: if n % 2 == 0 { VerdictKind::Transition } else { VerdictKind::Claim },
            verdict: match n % 4 {
                0 => Verdict::Valid,
                1 => Verdict::Stale,
                2 => Verdict::Invalid(0x0100 + u16::try_from(n).unwrap()),
                _ => Verdict::Unsupported,
            },
            rollup: RollupId(u64::from(10 + n)),
            rule_id: n,
            verifier_code: 1,
            system: 2,
            release: 3,
            vk_hash: keccak256(b"key"),
            inputs_hash: keccak256(b"inputs"),
            statement_hash: keccak256(&n.to_be_bytes()),
            proof_hash: keccak256(&[&b"proof"[..], &n.to_be_bytes()].concat()),
            submitter: KeystoreId(keccak256(b"payer")),
        };
        assert_eq!(leaf.hash(), hash(&given["leaves"][n as usize]));
        assert!(verdicts.push(leaf));
    }
    assert_eq!(verdicts.root(CHAIN), hash(&given["roots"][9]));
}
