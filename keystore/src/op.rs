//! The closed set of operations: their numbers, encodings and signed structs.
//!
//! Every operation of the table has its number now; those this version does not execute are refused by that
//! number. An operation is `[number, fields…]` in RLP, and a struct of its name in EIP-712.

use crate::config::{Config, Key};
use crate::eip712::Words;
use crate::error::{ensure, number};
use crate::keys::{KeyId, KeyKind};
use crate::limits::EOA_DELTA_UNITS;
use crate::rlp::{Reader, Writer};
use rota_types::{Hash, Refusal, RefusalCode, Slot};
use serde::{Deserialize, Serialize};

/// Number of an operation; once used it keeps its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are the names of the table in docs/protocol.md")]
pub enum OpKind {
    Init = 1,
    SetConfig = 2,
    RotateKey = 3,
    AddKey = 4,
    RemoveKey = 5,
    Freeze = 6,
    Unfreeze = 7,
    AddSession = 8,
    RevokeSession = 9,
    RevokeAll = 10,
    ProposeRecovery = 11,
    ApproveRecovery = 12,
    CancelRecovery = 13,
    ExecuteRecovery = 14,
    NameCommit = 15,
    NameReveal = 16,
    NameRenew = 17,
    NameSet = 18,
    NameTransfer = 19,
    BindAddress = 20,
    OrderLock = 21,
    OrderCancel = 22,
    Withdraw = 23,
}

impl OpKind {
    /// Every operation of the table.
    pub const ALL: [Self; 23] = [
        Self::Init,
        Self::SetConfig,
        Self::RotateKey,
        Self::AddKey,
        Self::RemoveKey,
        Self::Freeze,
        Self::Unfreeze,
        Self::AddSession,
        Self::RevokeSession,
        Self::RevokeAll,
        Self::ProposeRecovery,
        Self::ApproveRecovery,
        Self::CancelRecovery,
        Self::ExecuteRecovery,
        Self::NameCommit,
        Self::NameReveal,
        Self::NameRenew,
        Self::NameSet,
        Self::NameTransfer,
        Self::BindAddress,
        Self::OrderLock,
        Self::OrderCancel,
        Self::Withdraw,
    ];

    /// The number in encodings.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The operation of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether this protocol version executes the operation.
    #[must_use]
    pub const fn is_executed(self) -> bool {
        self.number() <= Self::Unfreeze.number()
    }

    /// Runs first in the slot, has no sequence number, and binds the account's state instead.
    #[must_use]
    pub const fn is_emergency(self) -> bool {
        matches!(self, Self::Freeze | Self::RevokeSession | Self::RevokeAll | Self::CancelRecovery)
    }
}

/// Whose threshold a freeze meets; signed, so that stripping signatures never turns one into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FreezeAuthority {
    /// The FREEZE threshold; its keys then rest for the cooldown.
    Freeze = 0,
    /// The CONFIG threshold; no cooldown.
    Config = 1,
}

/// An operation that this version executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates the account, and nothing else.
    Init,
    /// Replaces the whole config.
    SetConfig {
        /// Hash of the config in force.
        previous_config_hash: Hash,
        /// The config after it.
        new: Config,
    },
    /// Replaces one key by another.
    RotateKey {
        /// Hash of the config in force.
        previous_config_hash: Hash,
        /// The key that goes.
        old_key: KeyId,
        /// The key that comes.
        new_key: Key,
    },
    /// Adds a key.
    AddKey {
        /// Hash of the config in force.
        previous_config_hash: Hash,
        /// The key that comes.
        new_key: Key,
    },
    /// Removes a key.
    RemoveKey {
        /// Hash of the config in force.
        previous_config_hash: Hash,
        /// The key that goes.
        old_key: KeyId,
    },
    /// Freezes the account at once.
    Freeze {
        /// First slot in which the account is no longer frozen.
        until: Slot,
        /// `config_seq` the signer saw.
        config_seq: u64,
        /// `freeze_count` the signer saw.
        freeze_count: u64,
        /// Whose threshold the signatures meet.
        authority: FreezeAuthority,
    },
    /// Ends a freeze.
    Unfreeze,
}

const KEY_TYPE: &str =
    "Key(uint8 kind,bytes publicKey,uint16 weight,uint16 roles,uint64 notAfterSlot,bytes32 policy)";

impl Op {
    /// The operation's number.
    #[must_use]
    pub const fn kind(&self) -> OpKind {
        match self {
            Self::Init => OpKind::Init,
            Self::SetConfig { .. } => OpKind::SetConfig,
            Self::RotateKey { .. } => OpKind::RotateKey,
            Self::AddKey { .. } => OpKind::AddKey,
            Self::RemoveKey { .. } => OpKind::RemoveKey,
            Self::Freeze { .. } => OpKind::Freeze,
            Self::Unfreeze => OpKind::Unfreeze,
        }
    }

    /// Whether lane 0 is the operation's only lane: CONFIG operations are strictly sequential, and emergency
    /// ones have no sequence number at all. So all of this version; session, name and order operations are not.
    #[must_use]
    pub const fn is_lane_0_only(&self) -> bool {
        match self {
            Self::Init
            | Self::SetConfig { .. }
            | Self::RotateKey { .. }
            | Self::AddKey { .. }
            | Self::RemoveKey { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze => true,
        }
    }

    pub(crate) fn writer(&self) -> Writer {
        let list = Writer::default().number(self.kind().number());
        match self {
            Self::Init | Self::Unfreeze => list,
            Self::SetConfig { previous_config_hash, new } => {
                list.bytes(&previous_config_hash.0).list(new.writer())
            }
            Self::RotateKey { previous_config_hash, old_key, new_key } => {
                new_key.write(list.bytes(&previous_config_hash.0).bytes(&old_key.0))
            }
            Self::AddKey { previous_config_hash, new_key } => {
                new_key.write(list.bytes(&previous_config_hash.0))
            }
            Self::RemoveKey { previous_config_hash, old_key } => {
                list.bytes(&previous_config_hash.0).bytes(&old_key.0)
            }
            Self::Freeze { until, config_seq, freeze_count, authority } => list
                .number(until.0)
                .number(*config_seq)
                .number(*freeze_count)
                .number(*authority as u8),
        }
    }

    pub(crate) fn read(list: &mut Reader<'_>) -> Result<Self, Refusal> {
        let mut fields = list.list()?;
        let code: u8 = fields.number()?;
        let unknown =
            Refusal { code: RefusalCode::UnknownOp, limit: None, value: Some(code.into()) };
        let kind = OpKind::from_number(code).filter(|kind| kind.is_executed()).ok_or(unknown)?;
        let op = match kind {
            OpKind::Init => Self::Init,
            OpKind::SetConfig => Self::SetConfig {
                previous_config_hash: Hash(fields.array()?),
                new: Config::read(&mut fields)?,
            },
            OpKind::RotateKey => Self::RotateKey {
                previous_config_hash: Hash(fields.array()?),
                old_key: Hash(fields.array()?),
                new_key: Key::read(&mut fields)?,
            },
            OpKind::AddKey => Self::AddKey {
                previous_config_hash: Hash(fields.array()?),
                new_key: Key::read(&mut fields)?,
            },
            OpKind::RemoveKey => Self::RemoveKey {
                previous_config_hash: Hash(fields.array()?),
                old_key: Hash(fields.array()?),
            },
            OpKind::Freeze => Self::Freeze {
                until: Slot(fields.number()?),
                config_seq: fields.number()?,
                freeze_count: fields.number()?,
                authority: read_authority(fields.number()?)?,
            },
            OpKind::Unfreeze => Self::Unfreeze,
            _ => return Err(unknown),
        };
        fields.end()?;
        Ok(op)
    }

    /// Checks the keys that the operation brings.
    pub(crate) fn check_points(&self) -> Result<(), Refusal> {
        match self {
            Self::SetConfig { new, .. } => new.check_points(),
            Self::RotateKey { new_key, .. } | Self::AddKey { new_key, .. } => {
                new_key.public_key.check()
            }
            Self::Init | Self::RemoveKey { .. } | Self::Freeze { .. } | Self::Unfreeze => Ok(()),
        }
    }

    /// Work of the keys that the operation brings, in units: one a key, and [`EOA_DELTA_UNITS`] for an eoa key
    /// beside others.
    pub(crate) fn key_units(&self) -> u64 {
        match self {
            Self::SetConfig { new, .. } => number(new.keys.len()),
            Self::RotateKey { new_key, .. } | Self::AddKey { new_key, .. } => {
                match new_key.public_key.kind() {
                    KeyKind::Eoa => EOA_DELTA_UNITS,
                    // Its own point, and its address to compare with eoa keys.
                    KeyKind::Secp256k1 => 2,
                    _ => 1,
                }
            }
            Self::Init | Self::RemoveKey { .. } | Self::Freeze { .. } | Self::Unfreeze => 0,
        }
    }

    /// The EIP-712 type of the signed struct: `common` members, then the operation's own.
    #[must_use]
    pub fn type_string(&self, common: &str) -> String {
        let (name, own) = match self {
            Self::Init => ("Init", ""),
            Self::SetConfig { .. } => {
                ("SetConfig", ",bytes32 previousConfigHash,bytes32 newConfigHash")
            }
            Self::RotateKey { .. } => {
                ("RotateKey", ",bytes32 previousConfigHash,bytes32 oldKey,Key newKey")
            }
            Self::AddKey { .. } => ("AddKey", ",bytes32 previousConfigHash,Key newKey"),
            Self::RemoveKey { .. } => ("RemoveKey", ",bytes32 previousConfigHash,bytes32 oldKey"),
            Self::Freeze { .. } => {
                ("Freeze", ",uint64 until,uint64 configSeq,uint64 freezeCount,uint8 authority")
            }
            Self::Unfreeze => ("Unfreeze", ""),
        };
        let nested = match self {
            Self::RotateKey { .. } | Self::AddKey { .. } => KEY_TYPE,
            _ => "",
        };
        format!("{name}({common}{own}){nested}")
    }

    /// Appends the operation's own members, in the order of [`Self::type_string`].
    pub(crate) fn words(&self, words: Words) -> Words {
        match self {
            Self::Init | Self::Unfreeze => words,
            Self::SetConfig { previous_config_hash, new } => {
                words.word(previous_config_hash).word(&new.hash())
            }
            Self::RotateKey { previous_config_hash, old_key, new_key } => {
                words.word(previous_config_hash).word(old_key).word(&key_hash(new_key))
            }
            Self::AddKey { previous_config_hash, new_key } => {
                words.word(previous_config_hash).word(&key_hash(new_key))
            }
            Self::RemoveKey { previous_config_hash, old_key } => {
                words.word(previous_config_hash).word(old_key)
            }
            Self::Freeze { until, config_seq, freeze_count, authority } => words
                .number(until.0)
                .number(*config_seq)
                .number(*freeze_count)
                .number(*authority as u8),
        }
    }
}

fn read_authority(number: u8) -> Result<FreezeAuthority, Refusal> {
    ensure(number <= 1, RefusalCode::BadEnvelope)?;
    Ok(if number == 0 { FreezeAuthority::Freeze } else { FreezeAuthority::Config })
}

fn key_hash(key: &Key) -> Hash {
    Words::of_type(KEY_TYPE.as_bytes())
        .number(key.public_key.kind().number())
        .bytes(key.public_key.bytes())
        .number(key.weight)
        .number(key.roles)
        .number(key.not_after_slot.0)
        .word(&key.policy)
        .hash()
}
