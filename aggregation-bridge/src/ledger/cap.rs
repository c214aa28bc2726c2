//! The attested cap: how much of a token may leave a network in a sliding window, and what waits for it.
//!
//! It bounds what a bug of a circuit or a verifier can carry off before anyone reacts. It does not bound a
//! dishonest quorum: contracts on other chains keep their own cap.

use super::network::Network;
use super::outcomes::ExitId;
use crate::exits::{BridgeExit, TokenInfo};
use crate::limits::{CAP_WINDOW_SLOTS_MAX, HELD_EXITS_MAX};
use borsh::{BorshDeserialize, BorshSerialize, io};
use rota_types::Slot;
use ruint::aliases::U256;
use std::collections::VecDeque;
use std::sync::Arc;

/// An exit that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) transition: u64,
    pub(super) exit: BridgeExit,
}

/// The cap of one token of one source, with its window and its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cap {
    /// Amount and window in slots; `None` once lifted, while the queue drains.
    limit: Option<(U256, u64)>,
    /// What left in each slot of the window, oldest first.
    window: VecDeque<(Slot, U256)>,
    queue: VecDeque<Held>,
}

/// What a cap shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapFigure {
    /// The token.
    pub token: TokenInfo,
    /// Most that may leave within the window; `None` once lifted, while held exits drain.
    pub amount: Option<U256>,
    /// The window in slots; 0 once lifted.
    pub window_slots: u64,
    /// What left within it.
    pub used: U256,
    /// Exits that wait.
    pub held_count: usize,
    /// What they carry.
    pub held_amount: U256,
}

impl Cap {
    /// Sum over the slots `(slot − window, slot]`; they stay below the cap, so it saturates only when wrong.
    fn used(&self, slot: Slot) -> U256 {
        let window = self.limit.map_or(0, |(_, window)| window);
        self.window
            .iter()
            .filter(|(at, _)| at.0.saturating_add(window) > slot.0)
            .fold(U256::ZERO, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Whether `amount` may leave in `slot` beside what left already.
    fn allows(&self, slot: Slot, amount: U256) -> bool {
        match self.limit {
            None => true,
            Some((limit, _)) => self.used(slot).checked_add(amount).is_some_and(|sum| sum <= limit),
        }
    }

    fn count(&mut self, slot: Slot, amount: U256) {
        match self.window.back_mut() {
            Some((at, sum)) if *at == slot => *sum = sum.saturating_add(amount),
            _ => self.window.push_back((slot, amount)),
        }
    }

    fn prune(&mut self, slot: Slot) {
        let window = self.limit.map_or(0, |(_, window)| window);
        while self.window.front().is_some_and(|(at, _)| at.0.saturating_add(window) <= slot.0) {
            self.window.pop_front();
        }
    }

    fn held_amount(&self) -> U256 {
        self.queue.iter().fold(U256::ZERO, |sum, held| sum.saturating_add(held.exit.amount))
    }
}

/// What a cap says to an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It leaves now, and is counted.
    Now,
    /// It waits.
    Wait,
    /// It would wait, and the queue is full.
    Full,
}

impl Network {
    pub(super) fn set_cap(&mut self, token: TokenInfo, limit: Option<(U256, u64)>) {
        let caps = Arc::make_mut(&mut self.caps);
        match (caps.get_mut(&token), limit) {
            (Some(cap), None) if cap.queue.is_empty() => {
                caps.remove(&token);
            }
            (Some(cap), limit) => cap.limit = limit,
            (None, Some(_)) => {
                let cap = Cap { limit, window: VecDeque::new(), queue: VecDeque::new() };
                caps.insert(token, cap);
            }
            (None, None) => {}
        }
    }

    /// Asks the cap of the exit's token and counts or queues it. A message carries nothing and passes.
    pub(super) fn pass_cap(&mut self, slot: Slot, number: u64, exit: &BridgeExit) -> Passage {
        let is_transfer = exit.leaf_type == crate::exits::LeafType::Transfer;
        if !is_transfer || !self.caps.contains_key(&exit.token) {
            return Passage::Now;
        }
        let transition = self.transitions;
        let Some(cap) = Arc::make_mut(&mut self.caps).get_mut(&exit.token) else {
            return Passage::Now;
        };
        if cap.queue.is_empty() && cap.allows(slot, exit.amount) {
            cap.count(slot, exit.amount);
            return Passage::Now;
        }
        if cap.queue.len() >= HELD_EXITS_MAX {
            return Passage::Full;
        }
        cap.queue.push_back(Held { number, transition, exit: *exit });
        Passage::Wait
    }

    /// Tokens of which exits wait.
    pub(super) fn held_tokens(&self) -> Vec<TokenInfo> {
        let waiting = self.caps.iter().filter(|(_, cap)| !cap.queue.is_empty());
        waiting.map(|(token, _)| *token).collect()
    }

    /// The exit at the head of a queue, if it may leave in `slot`: because the window is free, or because its
    /// transition is folded. The bool says whether it is to be counted.
    pub(super) fn releasable(&self, token: &TokenInfo, slot: Slot) -> Option<(Held, bool)> {
        let cap = self.caps.get(token)?;
        let head = cap.queue.front()?;
        if head.transition <= self.folded {
            return Some((*head, false));
        }
        cap.allows(slot, head.exit.amount).then_some((*head, cap.limit.is_some()))
    }

    /// Takes the head of a queue off; a lifted cap goes with its last exit.
    pub(super) fn pop_held(&mut self, token: &TokenInfo, slot: Slot, counted: bool) {
        let caps = Arc::make_mut(&mut self.caps);
        let Some(cap) = caps.get_mut(token) else { return };
        if let Some(head) = cap.queue.pop_front()
            && counted
        {
            cap.count(slot, head.exit.amount);
        }
        if cap.limit.is_none() && cap.queue.is_empty() {
            caps.remove(token);
        }
    }

    /// Forgets what left every window.
    pub(super) fn prune_caps(&mut self, slot: Slot) {
        for cap in Arc::make_mut(&mut self.caps).values_mut() {
            cap.prune(slot);
        }
    }

    /// Whether a window holds a slot that is past.
    pub(super) fn caps_are_stale(&self, slot: Slot) -> bool {
        self.caps.values().any(|cap| {
            let window = cap.limit.map_or(0, |(_, window)| window);
            cap.window.front().is_some_and(|(at, _)| at.0.saturating_add(window) <= slot.0)
        })
    }

    /// Place of a held exit in its queue, from 0.
    pub(super) fn held_place(&self, id: ExitId) -> Option<usize> {
        let place = |cap: &Cap| cap.queue.iter().position(|held| held.number == id.number);
        self.caps.values().find_map(place)
    }

    pub(super) fn cap_figures(&self, slot: Slot) -> Vec<CapFigure> {
        let figure = |(token, cap): (&TokenInfo, &Cap)| CapFigure {
            token: *token,
            amount: cap.limit.map(|(amount, _)| amount),
            window_slots: cap.limit.map_or(0, |(_, window)| window),
            used: cap.used(slot),
            held_count: cap.queue.len(),
            held_amount: cap.held_amount(),
        };
        self.caps.iter().map(figure).collect()
    }
}

type Limit = Option<([u8; 32], u64)>;
type Window = Vec<(Slot, [u8; 32])>;

/// Limit, window, queue; amounts as 32 bytes big-endian.
impl BorshSerialize for Cap {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        let limit: Limit = self.limit.map(|(amount, slots)| (amount.to_be_bytes(), slots));
        let window: Window =
            self.window.iter().map(|(slot, sum)| (*slot, sum.to_be_bytes())).collect();
        (limit, window, &self.queue).serialize(writer)
    }
}

impl BorshDeserialize for Cap {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let limit = Limit::deserialize_reader(reader)?;
        let window = Window::deserialize_reader(reader)?;
        let queue = VecDeque::<Held>::deserialize_reader(reader)?;
        let slots_max = usize::try_from(CAP_WINDOW_SLOTS_MAX).unwrap_or(usize::MAX);
        if window.len() > slots_max || queue.len() > HELD_EXITS_MAX {
            let what = "a window or a queue beyond its limit";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let number = U256::from_be_bytes::<32>;
        Ok(Self {
            limit: limit.map(|(amount, slots)| (number(amount), slots)),
            window: window.into_iter().map(|(slot, sum)| (slot, number(sum))).collect(),
            queue,
        })
    }
}
