//! Places of the transactions in the own lane's waiting and undecided batches.
//!
//! Makes submission idempotent: the same transactions given again get the same place. One look-up and
//! one insert of a 16-byte id prefix a transaction, own lane only; the map is never iterated in an order that matters.

use rota_types::{TransactionList, TxId};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

/// Where a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// It waits for the next batch.
    Queued,
    /// It is in the own batch `seq`, from `first_index` on.
    Sealed {
        /// Batch.
        seq: u64,
        /// Index of the submission's first transaction.
        first_index: u32,
    },
}

/// What is known of a list of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// None of them.
    No,
    /// All, contiguously: from index `first` of submission `serial`.
    Same {
        /// Submission.
        serial: u64,
        /// Index in it.
        first: u32,
    },
    /// Some, or not in one piece; the index of the first known one.
    Partly(usize),
}

/// The look-up.
#[derive(Debug)]
pub(crate) struct Places {
    salt: u128,
    next: u64,
    ids: HashMap<u128, (u64, u32), BuildHasherDefault<DefaultHasher>>,
    submissions: BTreeMap<u64, Where>,
}

impl Places {
    pub(crate) fn new(salt: [u8; 16]) -> Self {
        Self {
            salt: u128::from_le_bytes(salt),
            next: 0,
            ids: HashMap::default(),
            submissions: BTreeMap::new(),
        }
    }

    fn key(&self, id: &TxId) -> u128 {
        self.key_of(id.0.first_chunk::<16>().copied().unwrap_or_default())
    }

    const fn key_of(&self, prefix: [u8; 16]) -> u128 {
        u128::from_le_bytes(prefix) ^ self.salt
    }

    pub(crate) fn holds(&self, id: &TxId) -> bool {
        self.ids.contains_key(&self.key(id))
    }

    /// Looks a list up.
    pub(crate) fn find(&self, list: &TransactionList) -> Known {
        let mut first_known = None;
        let mut start: Option<(u64, u32)> = None;
        let mut contiguous = true;
        for (index, id) in list.ids().enumerate() {
            let offset = u32::try_from(index).unwrap_or(u32::MAX);
            let found = self.ids.get(&self.key(&id)).copied();
            if found.is_some() && first_known.is_none() {
                first_known = Some(index);
            }
            if index == 0 {
                start = found;
            }
            let expected = start.map(|(serial, at)| (serial, at.saturating_add(offset)));
            contiguous &= found.is_some() && found == expected;
        }
        match (first_known, start) {
            (None, _) => Known::No,
            (Some(_), Some((serial, first))) if contiguous => Known::Same { serial, first },
            (Some(index), _) => Known::Partly(index),
        }
    }

    /// Adds a list of which nothing is known; gives its serial, or the index of an id that repeats in it.
    pub(crate) fn add(&mut self, list: &TransactionList, place: Where) -> Result<u64, usize> {
        let serial = self.next;
        for (index, id) in list.ids().enumerate() {
            let offset = u32::try_from(index).unwrap_or(u32::MAX);
            let key = self.key(&id);
            if let Some(before) = self.ids.insert(key, (serial, offset)) {
                self.ids.insert(key, before);
                if before.0 == serial {
                    self.undo(list, index, serial);
                    return Err(index);
                }
            }
        }
        self.next = self.next.saturating_add(1);
        self.submissions.insert(serial, place);
        Ok(serial)
    }

    /// Takes back the first `count` ids of a list that `serial` added.
    fn undo(&mut self, list: &TransactionList, count: usize, serial: u64) {
        for id in list.ids().take(count) {
            let key = self.key(&id);
            if self.ids.get(&key).is_some_and(|(other, _)| *other == serial) {
                self.ids.remove(&key);
            }
        }
    }

    pub(crate) fn place(&self, serial: u64) -> Option<Where> {
        self.submissions.get(&serial).copied()
    }

    /// Submission and index of a transaction that waits for the next batch, by the first bytes of its id.
    pub(crate) fn queued(&self, prefix: [u8; 16]) -> Option<(u64, u32)> {
        let (serial, index) = self.ids.get(&self.key_of(prefix)).copied()?;
        matches!(self.place(serial), Some(Where::Queued)).then_some((serial, index))
    }

    /// Puts a part of a queued submission in its place; with none left it is forgotten.
    pub(crate) fn replace(
        &mut self,
        serial: u64,
        list: &TransactionList,
        left: Option<&TransactionList>,
    ) {
        self.undo(list, list.len(), serial);
        let Some(left) = left else {
            self.submissions.remove(&serial);
            return;
        };
        for (offset, id) in (0u32..).zip(left.ids()) {
            self.ids.entry(self.key(&id)).or_insert((serial, offset));
        }
    }

    /// Notes the batch of a submission.
    pub(crate) fn seal(&mut self, serial: u64, seq: u64, first_index: u32) {
        self.submissions.insert(serial, Where::Sealed { seq, first_index });
    }

    /// Forgets what stands in batches up to `seq`.
    pub(crate) fn forget_upto(&mut self, seq: u64) {
        let before = self.submissions.len();
        self.submissions
            .retain(|_, place| !matches!(place, Where::Sealed { seq: at, .. } if *at <= seq));
        if self.submissions.len() < before {
            let submissions = &self.submissions;
            self.ids.retain(|_, (serial, _)| submissions.contains_key(serial));
        }
    }

    /// Forgets submissions that will not be sealed.
    pub(crate) fn forget_queued(&mut self) {
        self.submissions.retain(|_, place| !matches!(place, Where::Queued));
        let submissions = &self.submissions;
        self.ids.retain(|_, (serial, _)| submissions.contains_key(serial));
    }
}
