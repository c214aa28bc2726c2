//! Why a transaction was refused or skipped: one list of codes for RPC, gossip and the slot record.
//!
//! Codes are part of the sealed order (skipped transactions keep theirs), so a number once used
//! keeps its meaning. [`RefusalCode::from_bytes_alone`] splits them: wrong for ever, or wrong here and now.

use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $permanence:ident;)*) => {
        /// Code of a refusal. Its number is in the slot record; its name is in every answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum RefusalCode { $($(#[$doc])* $name = $number,)* }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name used in answers and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// One sentence that says what to do.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// True for what is wrong by its bytes alone (gossip: reject and score); false for what depends on
            /// clock or state (gossip: ignore).
            #[must_use]
            pub const fn from_bytes_alone(self) -> bool {
                match self { $(Self::$name => codes!(@$permanence),)* }
            }
        }
    };
    (@bytes) => { true };
    (@state) => { false };
}

codes! {
    /// Not a transaction.
    Undecodable = 1, "the bytes are not a transaction: see docs/protocol.md, Transaction", bytes;
    /// Bytes after the transaction.
    TrailingBytes = 2, "there are bytes after the transaction", bytes;
    /// Larger than a transaction may be.
    Oversize = 3, "the transaction is larger than the limit", bytes;
    /// The slot in which it would be ordered is past `valid_until_slot`.
    Expired = 10, "valid_until_slot has passed: sign it again with a later one", state;
    /// `valid_until_slot` is too far ahead.
    TooFarAhead = 11, "valid_until_slot is too far ahead: choose one within the limit", state;
    /// The rollup is not registered.
    UnknownRollup = 12, "the rollup is not registered on this network", state;
    /// The id was ordered already, or is already held.
    Duplicate = 13, "a transaction with this id is known already", state;
    /// The rollup's quota of this slot is used up.
    Quota = 14, "the rollup's quota of this slot is used up: send it again next slot", state;
    /// The node holds as much as it may.
    Limited = 15, "the node is at a limit: retry after the time given", state;
    /// This node does not sequence: no validator key, or not safe to sign.
    NotSequencing = 16, "this node takes no transactions: send it to a validator", state;
    /// Not a keystore envelope.
    BadEnvelope = 100, "the payload is not a keystore envelope in canonical form", bytes;
    /// The envelope names another chain.
    WrongChain = 101, "the envelope is for another chain id", bytes;
    /// Inner and outer expiry differ.
    ValidUntilMismatch = 102, "valid_until_slot inside and outside differ", bytes;
    /// A key kind that this version does not verify.
    UnknownKind = 103, "this key kind is not supported by this protocol version", bytes;
    /// An operation that this version does not execute.
    UnknownOp = 104, "this operation is not supported by this protocol version", bytes;
    /// Authorisations out of order, repeated, too many, or not minimal.
    BadAuths = 105, "auths must be strictly ascending by key id and minimal", bytes;
    /// An authorisation's signature does not verify.
    BadSignature = 106, "a keystore signature does not verify", bytes;
    /// A config that breaks a rule of its own.
    BadConfig = 107, "the config breaks a rule: see docs/protocol.md, Config", bytes;
    /// `init` does not hash to the account's id.
    BadInit = 108, "init does not hash to the keystore id", bytes;
    /// No such account, and no `init`.
    UnknownAccount = 120, "no such account: the first operation carries init", state;
    /// The signers' weight is below the role's threshold.
    ThresholdNotMet = 121, "the signers' weight is below the threshold", state;
    /// An earlier sequence number is missing.
    SeqGap = 122, "an earlier sequence number of this lane is missing", state;
    /// The sequence number was used.
    SeqUsed = 123, "the sequence number was used already", state;
    /// The sequence number is further ahead than is kept.
    SeqTooFar = 124, "the sequence number is too far ahead", state;
    /// `previous_config_hash` is not the config in force.
    ConfigHashMismatch = 125, "previous_config_hash is not the config in force", state;
    /// The account is frozen.
    Frozen = 126, "the account is frozen", state;
    /// The account is not frozen.
    NotFrozen = 127, "the account is not frozen", state;
    /// The freeze would last longer than allowed.
    FreezeTooLong = 128, "a freeze lasts at most 7 days", state;
    /// This key froze too recently.
    Cooldown = 129, "this key's freeze ended less than 7 days ago", state;
    /// The slot's new accounts are used up.
    NewAccountsLimit = 130, "no more new accounts in this slot: send it again", state;
    /// The account has as many live lanes as it may.
    LaneLimit = 131, "the account has too many live lanes", state;
    /// An emergency operation bound to another configuration or freeze count.
    EmergencyStale = 132, "the emergency operation is bound to an older state of the account", state;
    /// An emergency operation that was executed already.
    EmergencyReplay = 133, "this emergency operation was executed already", state;
    /// The slot's budget for keystore work is used up.
    KeystoreBudget = 134, "the keystore budget of this slot is used up", state;
    /// An auth names a key the account does not have, or that may not act.
    UnknownKey = 135, "an auth names a key that may not act for this account", state;
    /// A signature that the threshold does not need.
    NotMinimal = 136, "a signature could be left out: send no more than the threshold needs", state;
    /// A key change that does not fit the config in force.
    DeltaRefused = 137, "the key is not there, is there already, or the config after it breaks a rule", state;
    /// Not an operation of the system rollup, or a signature of it that does not verify.
    BadSystemOp = 200, "the payload is not a signed operation of the system rollup", bytes;
    /// The operation does not follow on the incarnation in force.
    IncarnationMismatch = 201, "the incarnation is not the one after that in force", state;
    /// The signers may not order this.
    NotAuthorised = 202, "these signers may not order this operation", state;
    /// The slot's budget for system operations is used up.
    SystemBudget = 203, "the budget of this slot for system operations is used up", state;
}

impl RefusalCode {
    /// The number in the slot record.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The code of a number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The JSON-RPC error code: −33000 − number.
    #[must_use]
    pub fn rpc_code(self) -> i32 {
        (-33_000i32).saturating_sub(i32::from(self.number()))
    }
}

impl BorshSerialize for RefusalCode {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.number().serialize(writer)
    }
}

impl BorshDeserialize for RefusalCode {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let number = u16::deserialize_reader(reader)?;
        Self::from_number(number).ok_or_else(|| {
            borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, "unknown refusal code")
        })
    }
}

/// A refusal: the code, and where a limit was met, the limit and the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", code.name(), code.text())]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// The limit that was met, in the unit of `value`.
    pub limit: Option<u64>,
    /// The value that met it.
    pub value: Option<u64>,
}

impl Refusal {
    /// A refusal without numbers.
    #[must_use]
    pub const fn new(code: RefusalCode) -> Self {
        Self { code, limit: None, value: None }
    }

    /// A refusal at a limit.
    #[must_use]
    pub const fn at_limit(code: RefusalCode, limit: u64, value: u64) -> Self {
        Self { code, limit: Some(limit), value: Some(value) }
    }
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self::new(code)
    }
}

impl From<&crate::TypesError> for Refusal {
    fn from(error: &crate::TypesError) -> Self {
        use crate::TypesError as E;
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        match error {
            E::TooLarge { limit, found } => {
                Self::at_limit(RefusalCode::Oversize, number(*limit), number(*found))
            }
            E::TooMany { limit, found, .. } => {
                Self::at_limit(RefusalCode::Oversize, number(*limit), number(*found))
            }
            E::TrailingBytes { count } => {
                Self::at_limit(RefusalCode::TrailingBytes, 0, number(*count))
            }
            _ => Self::new(RefusalCode::Undecodable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_round_trip() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::from_number(code.number()), Some(*code));
            let bytes = borsh::to_vec(code).unwrap();
            assert_eq!(borsh::from_slice::<RefusalCode>(&bytes).unwrap(), *code);
        }
        assert!(borsh::from_slice::<RefusalCode>(&[255, 255]).is_err());
    }
}
