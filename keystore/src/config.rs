//! The config of an account: its keys, the threshold of each role, and the rules a config must keep.
//!
//! ```text
//! config_hash = keccak256("rota/config/v1" ‖ rlp(Config))
//! KeystoreId  = keccak256("rota/keystore-id/v1" ‖ salt ‖ config_hash(initial))
//! Config = [keys, thresholds[8], recovery, implementations, zk_key, ext]
//! Key = [kind, public_key, weight, roles, not_after_slot, policy]
//! Recovery = [] or [guardians_root, count, threshold, delay_hours]; implementation = [chain_ref, code_hash]
//! ```

use crate::error::{Malformed, ensure, number, within};
use crate::keys::{KeyId, KeyKind, PublicKey, unknown_kind};
use crate::limits::{
    CHAIN_REF_BYTES_MAX, CONFIG_BYTES_MAX, GUARDIANS_MAX, IMPLEMENTATIONS_MAX, KEYS_MAX,
    PUBLIC_KEY_BYTES_MAX, RECOVERY_DELAY_HOURS_MAX, RECOVERY_DELAY_HOURS_MIN,
};
use crate::rlp::{Reader, Writer};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::hash::keccak256_concat;
use rota_types::{Hash, Refusal, RefusalCode, Slot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Names an account on every chain; exists before any transaction.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct KeystoreId(pub Hash);

impl KeystoreId {
    /// `keccak256("rota/keystore-id/v1" ‖ salt ‖ config_hash)` of the initial config.
    #[must_use]
    pub fn new(salt: &Hash, config_hash: &Hash) -> Self {
        Self(keccak256_concat(&[b"rota/keystore-id/v1", &salt.0, &config_hash.0]))
    }
}

impl fmt::Display for KeystoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeystoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for KeystoreId {
    type Err = rota_types::TypesError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a key may authorise. The number is its bit in [`Key::roles`] and its place in the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Role {
    /// Changes the config.
    Config = 0,
    /// Signs for the account elsewhere.
    Sign = 1,
    /// Withdraws to the exit tree.
    Withdraw = 2,
    /// Manages names.
    Name = 3,
    /// Freezes.
    Freeze = 4,
    /// Manages sessions.
    SessionAdmin = 5,
    /// Vetoes a recovery.
    Veto = 6,
    /// Pays for others.
    Sponsor = 7,
}

impl Role {
    /// Every role, in the order of the thresholds.
    pub const ALL: [Self; 8] = [
        Self::Config,
        Self::Sign,
        Self::Withdraw,
        Self::Name,
        Self::Freeze,
        Self::SessionAdmin,
        Self::Veto,
        Self::Sponsor,
    ];
    /// The bits of all known roles.
    pub const ALL_BITS: u16 = 0xff;

    /// The role's bit in [`Key::roles`].
    #[must_use]
    pub const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// A key of a config, with its weight and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Kind and public key.
    #[serde(flatten)]
    pub public_key: PublicKey,
    /// Counts towards the threshold of each of its roles; at least 1.
    pub weight: u16,
    /// Bits of [`Role`]; an unknown bit grants nothing.
    pub roles: u16,
    /// Last slot in which the key may act; 0 for never ending.
    pub not_after_slot: Slot,
    /// Hash of a spending policy; a key with one authorises no keystore operation.
    pub policy: Hash,
}

impl Key {
    /// A key that never ends, of weight 1, with every role and no policy.
    #[must_use]
    pub const fn all_roles(public_key: PublicKey) -> Self {
        Self {
            public_key,
            weight: 1,
            roles: Role::ALL_BITS,
            not_after_slot: Slot(0),
            policy: Hash::ZERO,
        }
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.public_key.id()
    }

    /// Whether the key has `role`.
    #[must_use]
    pub const fn has(&self, role: Role) -> bool {
        self.roles & role.bit() != 0
    }

    /// Whether the key may authorise keystore operations of `role` in `slot`.
    #[must_use]
    pub fn may_act(&self, role: Role, slot: Slot) -> bool {
        self.has(role)
            && self.policy == Hash::ZERO
            && (self.not_after_slot == Slot(0) || slot <= self.not_after_slot)
    }

    pub(crate) fn write(&self, list: Writer) -> Writer {
        list.list(
            Writer::default()
                .number(self.public_key.kind().number())
                .bytes(self.public_key.bytes())
                .number(self.weight)
                .number(self.roles)
                .number(self.not_after_slot.0)
                .bytes(&self.policy.0),
        )
    }

    pub(crate) fn read(list: &mut Reader<'_>) -> Result<Self, Refusal> {
        let mut key = list.list()?;
        let read = Self {
            public_key: read_public_key(&mut key)?,
            weight: key.number()?,
            roles: key.number()?,
            not_after_slot: Slot(key.number()?),
            policy: Hash(key.array()?),
        };
        key.end()?;
        Ok(read)
    }
}

/// Reads kind and bytes; a number that is no kind is refused by that number.
pub(crate) fn read_public_key(list: &mut Reader<'_>) -> Result<PublicKey, Refusal> {
    let kind: u8 = list.number()?;
    let bytes = list.bytes(PUBLIC_KEY_BYTES_MAX)?;
    let kind = KeyKind::from_number(kind).ok_or_else(|| unknown_kind(kind))?;
    ensure(bytes.len() == kind.public_key_bytes(), RefusalCode::BadEnvelope)?;
    PublicKey::new(kind, bytes)
}

/// The rule of social recovery. Its operations come with a later protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Merkle root of the blinded guardians.
    pub guardians_root: Hash,
    /// Number of guardians, at most [`GUARDIANS_MAX`].
    pub count: u16,
    /// Guardians needed, 1 to `count`.
    pub threshold: u16,
    /// Delay from the moment the threshold is reached, in hours, at least 12.
    pub delay_hours: u32,
}

/// The wallet code an account uses on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Implementation {
    /// Chain reference (ERC-7930), 1 to [`CHAIN_REF_BYTES_MAX`] bytes.
    #[serde(serialize_with = "as_hex")]
    pub chain_ref: Vec<u8>,
    /// keccak256 of the code.
    pub code_hash: Hash,
}

/// Who controls an account. Replaced as a whole; [`Config::validate`] holds for every config in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// 1 to [`KEYS_MAX`] keys, strictly ascending by key id.
    pub keys: Vec<Key>,
    /// Weight needed per role, in the order of [`Role::ALL`]; 0 disables the role.
    pub thresholds: [u32; 8],
    /// Social recovery, if any.
    pub recovery: Option<Recovery>,
    /// At most [`IMPLEMENTATIONS_MAX`], strictly ascending by chain reference.
    pub implementations: Vec<Implementation>,
    /// Key of the `zk_root` tree; refused by this version, which does not check its group.
    pub zk_key: Option<Hash>,
    /// Room for later versions; empty in this one, so that nothing stored gains a meaning later.
    #[serde(serialize_with = "as_hex")]
    pub ext: Vec<u8>,
}

impl Config {
    /// A config of `keys` (put into order) and thresholds, with nothing else.
    #[must_use]
    pub fn of_keys(mut keys: Vec<Key>, thresholds: [u32; 8]) -> Self {
        keys.sort_by_cached_key(Key::id);
        Self {
            keys,
            thresholds,
            recovery: None,
            implementations: vec![],
            zk_key: None,
            ext: vec![],
        }
    }

    /// `keccak256("rota/config/v1" ‖ rlp(Config))`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        keccak256_concat(&[b"rota/config/v1", &self.to_bytes()])
    }

    /// The threshold of `role`; 0 means that the role is disabled.
    #[must_use]
    pub fn threshold(&self, role: Role) -> u32 {
        self.thresholds.get(usize::from(role as u8)).copied().unwrap_or(0)
    }

    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == *id)
    }

    /// Canonical RLP.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.writer().finish()
    }

    /// Decodes and validates at most [`CONFIG_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// `BadEnvelope` if it is not canonical RLP of a config, else as [`Self::validate`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        let config = Self::parse(bytes)?;
        config.validate()?;
        Ok(config)
    }

    /// Decodes what was validated before it was written: no rule is checked.
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        within(number(bytes.len()), number(CONFIG_BYTES_MAX), RefusalCode::BadEnvelope)?;
        Self::read_fields(Reader::open(bytes)?)
    }

    pub(crate) fn writer(&self) -> Writer {
        let recovery = self.recovery.as_ref().map_or_else(Writer::default, |rule| {
            Writer::default()
                .bytes(&rule.guardians_root.0)
                .number(rule.count)
                .number(rule.threshold)
                .number(rule.delay_hours)
        });
        Writer::default()
            .items(&self.keys, |list, key| key.write(list))
            .items(&self.thresholds, |list, threshold| list.number(*threshold))
            .list(recovery)
            .items(&self.implementations, |list, item| {
                list.list(Writer::default().bytes(&item.chain_ref).bytes(&item.code_hash.0))
            })
            .bytes(self.zk_key.as_ref().map_or(&[], |key| key.0.as_slice()))
            .bytes(&self.ext)
    }

    /// Reads a config that keeps every rule but, perhaps, those of [`Self::check_points`].
    pub(crate) fn read(list: &mut Reader<'_>) -> Result<Self, Refusal> {
        let config = Self::read_fields(list.list()?)?;
        config.check_rules()?;
        Ok(config)
    }

    fn read_fields(mut list: Reader<'_>) -> Result<Self, Refusal> {
        let keys = list.items(KEYS_MAX, Key::read)?;
        let thresholds: Vec<u32> =
            list.items(Role::ALL.len(), |item| item.number::<u32>()).map_err(Refusal::from)?;
        let thresholds = thresholds.try_into().map_err(|_| Malformed)?;
        let recovery = read_recovery(list.list()?)?;
        let implementations = list.items(IMPLEMENTATIONS_MAX, |item| {
            let mut item = item.list()?;
            let chain_ref = item.bytes(CHAIN_REF_BYTES_MAX)?.to_vec();
            let read = Implementation { chain_ref, code_hash: Hash(item.array()?) };
            item.end()?;
            Ok::<_, Malformed>(read)
        })?;
        let zk_key = list.optional_array()?.map(Hash);
        let ext = list.bytes(CONFIG_BYTES_MAX)?.to_vec();
        list.end()?;
        Ok(Self { keys, thresholds, recovery, implementations, zk_key, ext })
    }

    /// Checks every rule of a config.
    ///
    /// # Errors
    /// `UnknownKind`, or `BadConfig`.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.check_rules()?;
        self.check_points()
    }

    /// The dear part of [`Self::validate`], one decompression a key: that every key is good, and that no two
    /// of them are one secret. The same secp256k1 signature would count for the point and for its address.
    pub(crate) fn check_points(&self) -> Result<(), Refusal> {
        let mut addresses = BTreeSet::new();
        for key in &self.keys {
            let address = key.public_key.checked_address()?;
            ensure(address.is_none_or(|own| addresses.insert(own)), RefusalCode::BadConfig)?;
        }
        Ok(())
    }

    /// What [`Self::check_points`] says of `new`, a good key, among others that were checked before: whether
    /// its secret has no second key here. An eoa key is compared with every secp256k1 key.
    pub(crate) fn is_only_key_of_its_secret(&self, new: &PublicKey) -> bool {
        let twins = match new.kind() {
            KeyKind::Eoa => KeyKind::Secp256k1,
            KeyKind::Secp256k1 => KeyKind::Eoa,
            // Equal keys of one kind have equal ids, which the order of keys forbids.
            _ => return true,
        };
        let mut twins = self.keys.iter().map(|key| &key.public_key).filter(|k| k.kind() == twins);
        let Some(first) = twins.next() else { return true };
        let own = new.address();
        first.address() != own && twins.all(|twin| twin.address() != own)
    }

    /// Every rule that is checked without decompressing a key.
    pub(crate) fn check_rules(&self) -> Result<(), Refusal> {
        let rule = |ok| ensure(ok, RefusalCode::BadConfig);
        rule((1..=KEYS_MAX).contains(&self.keys.len()))?;
        let ids: Vec<KeyId> = self.keys.iter().map(Key::id).collect();
        rule(ids.iter().zip(ids.iter().skip(1)).all(|(a, b)| a < b))?;
        for key in &self.keys {
            let kind = key.public_key.kind();
            if !kind.is_executed() {
                return Err(unknown_kind(kind.number()));
            }
            rule(key.weight > 0)?;
        }
        for role in Role::ALL {
            let weight = self.weight(|key| key.has(role));
            rule(self.threshold(role) <= weight)?;
        }
        // Else an account could be bricked by time, or by a policy that nobody enforces here.
        let lasting = self.weight(|key| key.may_act(Role::Config, Slot(u64::MAX)));
        rule(self.threshold(Role::Config) >= 1 && self.threshold(Role::Config) <= lasting)?;
        if let Some(recovery) = &self.recovery {
            rule((1..=GUARDIANS_MAX).contains(&recovery.count))?;
            rule((1..=recovery.count).contains(&recovery.threshold))?;
            rule(
                (RECOVERY_DELAY_HOURS_MIN..=RECOVERY_DELAY_HOURS_MAX)
                    .contains(&recovery.delay_hours),
            )?;
        }
        let refs = self.implementations.iter().map(|item| &item.chain_ref);
        rule(self.implementations.len() <= IMPLEMENTATIONS_MAX)?;
        rule(refs.clone().all(|item| (1..=CHAIN_REF_BYTES_MAX).contains(&item.len())))?;
        rule(refs.clone().zip(refs.skip(1)).all(|(a, b)| a < b))?;
        rule(self.zk_key.is_none() && self.ext.is_empty())
    }

    fn weight(&self, counts: impl Fn(&Key) -> bool) -> u32 {
        self.keys
            .iter()
            .filter(|key| counts(key))
            .fold(0u32, |sum, key| sum.saturating_add(u32::from(key.weight)))
    }
}

fn read_recovery(mut list: Reader<'_>) -> Result<Option<Recovery>, Malformed> {
    if list.is_empty() {
        return Ok(None);
    }
    let recovery = Recovery {
        guardians_root: Hash(list.array()?),
        count: list.number()?,
        threshold: list.number()?,
        delay_hours: list.number()?,
    };
    list.end()?;
    Ok(Some(recovery))
}

/// In state and checkpoints a config is its RLP, as a byte string. It was validated when it entered: reading it
/// back checks no rule.
impl BorshSerialize for Config {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&self.to_bytes(), writer)
    }
}

impl BorshDeserialize for Config {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let bytes = Vec::<u8>::deserialize_reader(reader)?;
        Self::parse(&bytes)
            .map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error))
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}
