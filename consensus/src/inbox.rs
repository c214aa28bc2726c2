//! Messages for a round 0 that has not begun here: kept per sender, oldest dropped first.

use crate::limits::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX, INBOX_SENDERS_MAX};
use crate::wire::Message;
use rota_types::{Height, ValidatorKey};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(usize, Message)>,
    bytes: usize,
}

/// Waiting messages. One sender's flood displaces only its own.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    senders: BTreeMap<ValidatorKey, Queue>,
}

impl Inbox {
    /// Keeps a message of `bytes` encoded bytes.
    pub(crate) fn push(&mut self, from: ValidatorKey, bytes: usize, message: Message) {
        if !self.senders.contains_key(&from) && self.senders.len() >= INBOX_SENDERS_MAX {
            return;
        }
        let queue = self.senders.entry(from).or_default();
        queue.messages.push_back((bytes, message));
        queue.bytes = queue.bytes.saturating_add(bytes);
        while queue.messages.len() > INBOX_MESSAGES_MAX || queue.bytes > INBOX_BYTES_MAX {
            let Some((bytes, _)) = queue.messages.pop_front() else { break };
            queue.bytes = queue.bytes.saturating_sub(bytes);
        }
    }

    /// Takes what is for `height`, drops what is below it, keeps the rest.
    pub(crate) fn take(&mut self, height: Height) -> Vec<(ValidatorKey, Message)> {
        let mut taken = Vec::new();
        for (from, queue) in &mut self.senders {
            let waiting = std::mem::take(queue);
            for (bytes, message) in waiting.messages {
                if message.height() > height {
                    queue.bytes = queue.bytes.saturating_add(bytes);
                    queue.messages.push_back((bytes, message));
                } else if message.height() == height {
                    taken.push((*from, message));
                }
            }
        }
        self.senders.retain(|_, queue| !queue.messages.is_empty());
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::{Hash, Round};

    fn request(height: u64, round: u32) -> Message {
        Message::GetProposal { height: Height(height), round: Round(round), value: Hash::ZERO }
    }

    #[test]
    fn a_flood_displaces_only_its_own_sender_and_stays_bounded() {
        let mut inbox = Inbox::default();
        inbox.push(ValidatorKey([1; 32]), 10, request(5, 0));
        for round in 0..10_000 {
            inbox.push(ValidatorKey([2; 32]), 10, request(5, round));
        }
        for _ in 0..100 {
            inbox.push(ValidatorKey([3; 32]), 100_000, request(5, 1));
        }
        let taken = inbox.take(Height(5));
        let of = |key: u8| taken.iter().filter(|(from, _)| from.0[0] == key).count();
        assert_eq!((of(1), of(2), of(3)), (1, INBOX_MESSAGES_MAX, 2));
        assert!(inbox.take(Height(5)).is_empty());
    }

    #[test]
    fn later_heights_wait_and_earlier_ones_are_dropped() {
        let mut inbox = Inbox::default();
        for height in 4..=6 {
            inbox.push(ValidatorKey([1; 32]), 10, request(height, 0));
        }
        assert_eq!(inbox.take(Height(5)).len(), 1);
        assert_eq!(inbox.take(Height(6)).len(), 1);
    }
}
