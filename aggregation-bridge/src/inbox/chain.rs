//! The hash chain of everything that a rollup must process, its proven head, and what fits that head.

use super::statement::{STATEMENT_VERSION, TransitionStatement};
use crate::error::Unfit;
use crate::exits::NetworkId;
use crate::limits::{EXITS_MAX, INBOX_BOUNDARIES_MAX};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_types::namespace::NamespaceEntry;
use rota_types::{Hash, Height, RollupId, Slot, Tag};
use std::collections::BTreeMap;

/// Whose inbox it is: what no other inbox, network or configuration shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InboxOrigin {
    /// The chain.
    pub chain_id: u64,
    /// Hash of its genesis document.
    pub genesis_hash: Hash,
    /// The rollup.
    pub rollup: RollupId,
    /// Its network id.
    pub network: NetworkId,
    /// Hash of the configuration that it was registered with.
    pub config_hash: Hash,
}

impl InboxOrigin {
    /// `H0` = keccak256("rota/inbox-genesis/v1" ‖ chain id u64 ‖ genesis hash ‖ rollup u64 ‖ network id u32 ‖
    /// config hash), big-endian.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let parts = [
            &self.genesis_hash.0[..],
            &self.rollup.0.to_be_bytes(),
            &self.network.0.to_be_bytes(),
            &self.config_hash.0,
        ];
        Tag::InboxGenesis.digest_parts(self.chain_id, &parts)
    }
}

/// What one height adds to an inbox of keccak kind: transactions, deliveries or a change of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Link {
    /// The height.
    pub height: Height,
    /// Its slot.
    pub slot: Slot,
    /// The rollup's transactions in it, if any.
    pub namespace: Option<NamespaceEntry>,
    /// Root over the deliveries made to it ([`crate::ledger::deliveries_root`]), of an empty list too.
    pub deliveries_root: Hash,
    /// Configuration in force after it.
    pub config_hash: Hash,
}

impl Link {
    /// `H'` = keccak256("rota/inbox-link/v1" ‖ chain id u64 ‖ H ‖ height u64 ‖ slot u64 ‖ namespace entry (count
    /// u64 ‖ bytes u64 ‖ root; 48 zero bytes for none) ‖ deliveries root ‖ config hash), big-endian.
    #[must_use]
    pub fn after(&self, chain_id: u64, before: &Hash) -> Hash {
        let none = NamespaceEntry { count: 0, bytes: 0, root: Hash::ZERO };
        let parts = [
            &before.0[..],
            &self.height.0.to_be_bytes(),
            &self.slot.0.to_be_bytes(),
            &self.namespace.unwrap_or(none).packed(),
            &self.deliveries_root.0,
            &self.config_hash.0,
        ];
        Tag::InboxLink.digest_parts(chain_id, &parts)
    }
}

/// How far a rollup is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProvenHead {
    /// Links processed.
    pub cursor: u64,
    /// Inbox hash there.
    pub inbox: Hash,
    /// State root there.
    pub state: Hash,
}

/// A rollup's inbox from the proven head on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Inbox {
    chain_id: u64,
    head: ProvenHead,
    /// Cursor and hash at the end of each executed height above the head.
    boundaries: BTreeMap<u64, Hash>,
}

impl Inbox {
    /// An inbox of keccak kind of a rollup just registered.
    #[must_use]
    pub fn new(origin: &InboxOrigin, genesis_state_root: Hash) -> Self {
        Self::starting(origin.chain_id, origin.hash(), genesis_state_root)
    }

    pub(super) const fn starting(chain_id: u64, inbox: Hash, state: Hash) -> Self {
        let head = ProvenHead { cursor: 0, inbox, state };
        Self { chain_id, head, boundaries: BTreeMap::new() }
    }

    /// The proven head.
    #[must_use]
    pub const fn head(&self) -> &ProvenHead {
        &self.head
    }

    /// Cursor and hash of the last link.
    #[must_use]
    pub fn tip(&self) -> (u64, Hash) {
        let last = self.boundaries.last_key_value();
        last.map_or((self.head.cursor, self.head.inbox), |(cursor, hash)| (*cursor, *hash))
    }

    /// Whether so much waits for a proof that nothing more is taken: the rollup is to be paused, which a proof
    /// ends.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.boundaries.len() >= INBOX_BOUNDARIES_MAX
    }

    /// Appends what a height holds for the rollup, when the height's execution ends: after its proofs were
    /// counted, so that no proof speaks of the height that it is counted in. Gives the new cursor.
    ///
    /// # Errors
    /// [`Unfit::InboxFull`]; nothing is appended then.
    pub fn append(&mut self, link: &Link) -> Result<u64, Unfit> {
        let (_, before) = self.tip();
        self.append_boundary(1, link.after(self.chain_id, &before))
    }

    /// Appends the end of a height, `links` after the last.
    pub(super) fn append_boundary(&mut self, links: u64, hash: Hash) -> Result<u64, Unfit> {
        let (cursor, _) = self.tip();
        let next = cursor.checked_add(links).filter(|_| !self.is_full()).ok_or(Unfit::InboxFull)?;
        self.boundaries.insert(next, hash);
        Ok(next)
    }

    /// Whether a statement under rule `rule_id` fits the proven head, before any proof is looked at.
    ///
    /// # Errors
    /// [`Unfit`]. [`Unfit::is_early`] tells those that may fit later; [`Unfit::Stale`] never fits again; the
    /// others were never true.
    pub fn check(&self, statement: &TransitionStatement, rule_id: u32) -> Result<(), Unfit> {
        let wrong = |ok: bool, reason: Unfit| if ok { Ok(()) } else { Err(reason) };
        wrong(statement.version == STATEMENT_VERSION, Unfit::Version)?;
        wrong(statement.rule_id == rule_id, Unfit::Rule)?;
        let count = usize::try_from(statement.exits_count).unwrap_or(usize::MAX);
        wrong(count <= EXITS_MAX, Unfit::TooManyExits)?;
        let (from, to) = (statement.pre_cursor, statement.post_cursor);
        wrong(to > from, Unfit::EmptyRange)?;
        if from < self.head.cursor {
            return Err(Unfit::Stale);
        }
        self.check_boundary(from, &statement.pre_inbox, Unfit::PreInbox)?;
        self.check_boundary(to, &statement.post_inbox, Unfit::PostInbox)?;
        wrong(from == self.head.cursor, Unfit::Gap)?;
        wrong(statement.pre_state == self.head.state, Unfit::PreState)
    }

    /// Whether the inbox has exactly this hash at a boundary. `reason` says which of both ends is wrong.
    fn check_boundary(&self, cursor: u64, hash: &Hash, reason: Unfit) -> Result<(), Unfit> {
        let (tip, _) = self.tip();
        if cursor > tip {
            return Err(Unfit::Unexecuted);
        }
        let at_head = (cursor == self.head.cursor).then_some(&self.head.inbox);
        let known = at_head.or_else(|| self.boundaries.get(&cursor));
        match known {
            None => Err(Unfit::NoBoundary),
            Some(known) if known == hash => Ok(()),
            Some(_) => Err(reason),
        }
    }

    /// Moves the head over a statement whose proof was found valid and whose exits the ledger accepted.
    ///
    /// # Errors
    /// As [`Self::check`]; nothing has changed then.
    pub fn advance(&mut self, statement: &TransitionStatement, rule_id: u32) -> Result<(), Unfit> {
        self.check(statement, rule_id)?;
        self.head = ProvenHead {
            cursor: statement.post_cursor,
            inbox: statement.post_inbox,
            state: statement.post_state,
        };
        let above = statement.post_cursor.saturating_add(1);
        self.boundaries = self.boundaries.split_off(&above);
        Ok(())
    }
}
