//! The typed envelope: what a keystore transaction's payload is, byte for byte, and what is signed of it.
//!
//! ```text
//! payload = 0x01 ‖ rlp([chain_id, keystore_id, lane, seq, valid_until_slot, max_fee, sponsor, init, op, auths, sponsor_auths])
//! sponsor = "" or KeystoreId        init = [] or [salt, Config]        op = [number, fields…]
//! auth = [kind, public_key, signature]
//! ```
//!
//! An auth carries its public key, so that a signature is right or wrong by the bytes alone; that the key
//! belongs to the account is checked against state. Key ids are derived, never sent.

use crate::config::{Config, KeystoreId, read_public_key};
use crate::eip712::{self, Words};
use crate::error::{Malformed, ensure, number, within};
use crate::keys::{KeyId, KeyKind, PublicKey};
use crate::limits::{AUTHS_MAX, ENVELOPE_BYTES_MAX, SIGNATURE_BYTES_MAX};
use crate::op::Op;
use crate::rlp::{Reader, Writer};
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Refusal, RefusalCode, Slot};

/// First byte of a payload: this envelope format.
pub const ENVELOPE_TYPE: u8 = 0x01;

/// Members that every signed struct begins with.
pub const COMMON_MEMBERS: &str = "bytes32 keystoreId,uint64 lane,uint64 seq,uint64 validUntilSlot,uint128 maxFee,bytes32 sponsor,bytes32 initHash";

/// Creates the account with its first operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// Makes ids of equal configs differ.
    pub salt: Hash,
    /// The initial config.
    pub config: Config,
}

impl Init {
    /// The id of the account it creates.
    #[must_use]
    pub fn keystore_id(&self) -> KeystoreId {
        KeystoreId::new(&self.salt, &self.config.hash())
    }

    /// `keccak256(salt ‖ config_hash)`: signed, so that an `init` is neither added nor stripped by others.
    #[must_use]
    pub fn hash(&self) -> Hash {
        keccak256_concat(&[&self.salt.0, &self.config.hash().0])
    }
}

/// One key's signature over [`Envelope::digest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The key.
    pub public_key: PublicKey,
    /// At most [`SIGNATURE_BYTES_MAX`] bytes.
    pub signature: Vec<u8>,
}

impl Auth {
    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public_key.id()
    }
}

/// A decoded envelope; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The network; in the signing domain too.
    pub chain_id: u64,
    /// The account.
    pub keystore_id: KeystoreId,
    /// 0 for CONFIG and emergency operations.
    pub lane: u64,
    /// Sequence number within the lane, from 0; 0 for emergency operations.
    pub seq: u64,
    /// Last slot in which it may run; equal to the transaction's own.
    pub valid_until_slot: Slot,
    /// Most that the payer pays; without meaning on a zero-fee network, but signed.
    pub max_fee: u128,
    /// Account that pays instead; comes with fees.
    pub sponsor: Option<KeystoreId>,
    /// Creates the account if it does not exist.
    pub init: Option<Init>,
    /// What is done.
    pub op: Op,
    /// Signatures, strictly ascending by key id, 1 to [`AUTHS_MAX`].
    pub auths: Vec<Auth>,
}

impl Envelope {
    /// Decodes one canonical envelope.
    ///
    /// # Errors
    /// `BadEnvelope` (also for a sponsor, which comes with fees), `UnknownKind`, `UnknownOp`, `BadConfig`, `BadAuths`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        let envelope = Self::parse(bytes)?;
        envelope.check_points()?;
        Ok(envelope)
    }

    /// [`Self::from_bytes`] without [`Self::check_points`]: what is done before the work is charged.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        within(number(bytes.len()), number(ENVELOPE_BYTES_MAX), RefusalCode::BadEnvelope)?;
        let Some((&ENVELOPE_TYPE, rest)) = bytes.split_first() else {
            return Err(Malformed.into());
        };
        let mut list = Reader::open(rest)?;
        let envelope = Self {
            chain_id: list.number()?,
            keystore_id: KeystoreId(Hash(list.array()?)),
            lane: list.number()?,
            seq: list.number()?,
            valid_until_slot: Slot(list.number()?),
            max_fee: list.number()?,
            sponsor: list.optional_array()?.map(|id| KeystoreId(Hash(id))),
            init: read_init(list.list()?)?,
            op: Op::read(&mut list)?,
            auths: read_auths(&mut list)?,
        };
        let sponsor_auths = list.list()?;
        ensure(sponsor_auths.is_empty(), RefusalCode::BadEnvelope)?;
        list.end()?;
        envelope.check_shape()?;
        // One accepted encoding, whatever the reader let pass.
        ensure(envelope.to_bytes() == bytes, RefusalCode::BadEnvelope)?;
        Ok(envelope)
    }

    /// The canonical encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let init = self.init.as_ref().map_or_else(Writer::default, |init| {
            Writer::default().bytes(&init.salt.0).list(init.config.writer())
        });
        let list = Writer::default()
            .number(self.chain_id)
            .bytes(&self.keystore_id.0.0)
            .number(self.lane)
            .number(self.seq)
            .number(self.valid_until_slot.0)
            .number(self.max_fee)
            .bytes(self.sponsor.as_ref().map_or(&[], |id| id.0.0.as_slice()))
            .list(init)
            .list(self.op.writer())
            .items(&self.auths, |list, auth| {
                list.list(
                    Writer::default()
                        .number(auth.public_key.kind().number())
                        .bytes(auth.public_key.bytes())
                        .bytes(&auth.signature),
                )
            })
            .list(Writer::default());
        let mut bytes = vec![ENVELOPE_TYPE];
        bytes.extend_from_slice(&list.finish());
        bytes
    }

    /// The EIP-712 digest that every key signs, whatever its kind.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let type_string = self.op.type_string(COMMON_MEMBERS);
        let common = Words::of_type(type_string.as_bytes())
            .word(&self.keystore_id.0)
            .number(self.lane)
            .number(self.seq)
            .number(self.valid_until_slot.0)
            .number(self.max_fee)
            .word(&self.sponsor.map_or(Hash::ZERO, |id| id.0))
            .word(&self.init.as_ref().map_or(Hash::ZERO, Init::hash));
        eip712::digest(&eip712::domain_separator(self.chain_id), &self.op.words(common).hash())
    }

    /// Checks that the keys it brings, in `init` and in the operation, are good ones.
    pub(crate) fn check_points(&self) -> Result<(), Refusal> {
        self.init.as_ref().map_or(Ok(()), |init| init.config.check_points())?;
        self.op.check_points()
    }

    /// Work of the envelope in units: one for the state it writes, one for each key it brings (an eoa key that
    /// joins others costs more), and its signatures by their kinds.
    #[must_use]
    pub fn units(&self) -> u64 {
        let init = self.init.as_ref().map_or(0, |init| number(init.config.keys.len()));
        let keys = init.saturating_add(self.op.key_units());
        self.auths.iter().fold(keys.saturating_add(1), |sum, auth| {
            sum.saturating_add(auth.public_key.kind().units())
        })
    }

    /// [`Self::units`] of a payload's signatures alone, read without decoding the rest, whose keys cost work too: what
    /// a door charges before it looks closer. 0 for what is no envelope, which is refused before any signature.
    #[must_use]
    pub fn signature_units(payload: &[u8]) -> u64 {
        if payload.len() > ENVELOPE_BYTES_MAX {
            return 0;
        }
        named_kinds(payload).map_or(0, |kinds| {
            kinds.iter().fold(0, |sum: u64, kind| sum.saturating_add(kind.units()))
        })
    }

    /// Rules between the fields, from the bytes alone.
    fn check_shape(&self) -> Result<(), Refusal> {
        ensure(self.sponsor.is_none(), RefusalCode::BadEnvelope)?;
        let kind = self.op.kind();
        if kind.is_emergency() {
            // No sequence number (a thief would burn it) and no init in them.
            ensure(self.seq == 0 && self.init.is_none(), RefusalCode::BadEnvelope)?;
        }
        ensure(self.lane == 0 || !self.op.is_lane_0_only(), RefusalCode::BadEnvelope)?;
        if matches!(self.op, Op::Init) {
            ensure(self.seq == 0 && self.init.is_some(), RefusalCode::BadEnvelope)?;
        }
        if let Some(init) = &self.init {
            ensure(init.keystore_id() == self.keystore_id, RefusalCode::BadInit)?;
        }
        let ids: Vec<KeyId> = self.auths.iter().map(Auth::key_id).collect();
        ensure(!ids.is_empty(), RefusalCode::BadAuths)?;
        ensure(ids.iter().zip(ids.iter().skip(1)).all(|(a, b)| a < b), RefusalCode::BadAuths)
    }
}

/// Kinds of the keys that a payload names as its signers.
fn named_kinds(payload: &[u8]) -> Option<Vec<KeyKind>> {
    let mut list = Reader::open(payload.strip_prefix(&[ENVELOPE_TYPE])?).ok()?;
    // Chain, account, lane, seq, validity, fee, sponsor: numbers and ids of at most 32 bytes.
    for _ in 0..7 {
        list.bytes(32).ok()?;
    }
    let (_init, _op) = (list.list().ok()?, list.list().ok()?);
    list.items(AUTHS_MAX, |auth| {
        let kind: u8 = auth.list()?.number()?;
        KeyKind::from_number(kind).ok_or(Malformed)
    })
    .ok()
}

fn read_init(mut list: Reader<'_>) -> Result<Option<Init>, Refusal> {
    if list.is_empty() {
        return Ok(None);
    }
    let init = Init { salt: Hash(list.array()?), config: Config::read(&mut list)? };
    list.end()?;
    Ok(Some(init))
}

fn read_auths(list: &mut Reader<'_>) -> Result<Vec<Auth>, Refusal> {
    let mut items = list.list()?;
    let mut auths = Vec::new();
    while !items.is_empty() {
        within(number(auths.len()).saturating_add(1), number(AUTHS_MAX), RefusalCode::BadAuths)?;
        let mut item = items.list()?;
        let public_key = read_public_key(&mut item)?;
        let signature = item.bytes(SIGNATURE_BYTES_MAX)?.to_vec();
        item.end()?;
        auths.push(Auth { public_key, signature });
    }
    Ok(auths)
}
