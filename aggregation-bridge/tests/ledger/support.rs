//! Ledgers with a few networks, and short ways to say what they send.

use rota_aggregation_bridge::error::Refused;
use rota_aggregation_bridge::exits::{
    Address, BridgeExit, EMPTY_METADATA_HASH, LeafType, NetworkId, TokenInfo,
};
use rota_aggregation_bridge::ledger::{
    CommitmentKind, ExitEvent, ExitOutcome, Ledger, Mode, NetworkConfig, Transition,
};
use rota_types::{Hash, Slot};
use ruint::aliases::U256;

pub(crate) const CHAIN: u64 = 7;
pub(crate) const A: NetworkId = NetworkId(3);
pub(crate) const B: NetworkId = NetworkId(4);
pub(crate) const C: NetworkId = NetworkId(5);

/// A and B receive by inbox, C by claims; all count 64 bits.
pub(crate) fn ledger() -> Ledger {
    let mut ledger = Ledger::new(CHAIN);
    for mode in [Mode::Inbox, Mode::Inbox, Mode::Claims] {
        ledger.register(config(mode, 64)).unwrap();
    }
    ledger.begin_height(Slot(1));
    ledger
}

pub(crate) fn config(mode: Mode, amount_bits: u32) -> NetworkConfig {
    NetworkConfig { mode, kind: CommitmentKind::Keccak, amount_bits }
}

pub(crate) fn exits_hash(exits: &[BridgeExit]) -> Hash {
    CommitmentKind::Keccak.exits_hash(CHAIN, exits)
}

pub(crate) fn token(of: NetworkId) -> TokenInfo {
    TokenInfo { origin_network: of, origin_address: Address([9; 20]) }
}

pub(crate) fn transfer(to: NetworkId, token: TokenInfo, amount: u128) -> BridgeExit {
    BridgeExit {
        leaf_type: LeafType::Transfer,
        token,
        destination_network: to,
        destination_address: Address([8; 20]),
        amount: U256::from(amount),
        metadata_hash: EMPTY_METADATA_HASH,
    }
}

pub(crate) fn message(from: NetworkId, to: NetworkId) -> BridgeExit {
    let sender = TokenInfo { origin_network: from, origin_address: Address([7; 20]) };
    BridgeExit { leaf_type: LeafType::Message, ..transfer(to, sender, 0) }
}

pub(crate) fn send(
    ledger: &mut Ledger,
    from: NetworkId,
    exits: &[BridgeExit],
) -> Result<Vec<ExitEvent>, Refused> {
    let exits_count = u32::try_from(exits.len()).unwrap();
    let transition = Transition { exits, exits_count, exits_hash: exits_hash(exits) };
    ledger.accept_transition(from, &transition)
}

/// Sends, and fails if the refusal changed anything.
pub(crate) fn refusal(ledger: &mut Ledger, from: NetworkId, exits: &[BridgeExit]) -> Refused {
    let mut after = ledger.clone();
    let refused = send(&mut after, from, exits).unwrap_err();
    assert_unchanged(ledger, after);
    refused
}

/// Same root, and the same deliveries at the end of the height.
pub(crate) fn assert_unchanged(before: &Ledger, mut after: Ledger) {
    let mut before = before.clone();
    assert_eq!(before.root(), after.root());
    assert_eq!(before.end_height(), after.end_height());
    assert_eq!(before.root(), after.root());
}

pub(crate) fn outcomes(events: &[ExitEvent]) -> Vec<ExitOutcome> {
    events.iter().map(|event| event.outcome).collect()
}

/// Ends the height and begins the next in `slot`.
pub(crate) fn next(ledger: &mut Ledger, slot: u64) -> Vec<ExitEvent> {
    ledger.end_height();
    ledger.begin_height(Slot(slot))
}
