//! What one peer may do by gossip, judged before gossipsub sees it: gossipsub itself ignores most
//! of these crimes, keeps what it should not, and blames nobody.
//!
//! - **Wrong by its bytes** (a topic we never joined, an author or signature where nothing has
//!   one, subscriptions or control entries without end, a stream given up for bad frames): dropped
//!   and reported, once for each frame.
//! - **Merely much**: the connection is read more slowly. Nobody is blamed, for only clock or state
//!   could say that a new message is not wanted; what gossipsub remembers of each message for
//!   [`limits::GOSSIP_SEEN`] is bounded by the pace.

use std::time::Duration;

use libp2p::swarm::{ConnectionHandler, THandler};
use libp2p_gossipsub::TopicHash;
use tokio::time::Instant;

use crate::{Offence, gossip::Gossipsub, limits, rate::Bucket};

/// What gossipsub's handler reports. Its type has no public name, its parts are public.
pub(super) type Heard = <THandler<Gossipsub> as ConnectionHandler>::ToBehaviour;

/// A crime and how it is told in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crime {
    pub(crate) offence: Offence,
    pub(crate) what: &'static str,
}

/// The pace and the record of one connection.
#[derive(Debug)]
pub(super) struct Police {
    topic: TopicHash,
    subscriptions: Bucket,
    control: Bucket,
    messages: Bucket,
    kibibytes: Bucket,
    streams: u32,
}

impl Police {
    pub(super) fn new(topic: TopicHash, now: Instant) -> Self {
        let bucket = |(per_second, burst)| Bucket::new(per_second, burst, now);
        Self {
            topic,
            subscriptions: bucket(limits::GOSSIP_SUBSCRIPTIONS_PACE),
            control: bucket(limits::GOSSIP_CONTROL_PACE),
            messages: bucket(limits::GOSSIP_MESSAGES_PACE),
            kibibytes: bucket(limits::GOSSIP_KIBIBYTES_PACE),
            streams: 0,
        }
    }

    /// The remote opened its gossip stream. It needs one as long as the connection lasts; a further
    /// one follows a stream that we gave up for its frames, which gossipsub does without a word.
    pub(super) fn on_stream(&mut self) -> Option<Crime> {
        self.streams = self.streams.saturating_add(1);
        (self.streams > limits::GOSSIP_STREAMS_GRANTED)
            .then_some(Crime { offence: Offence::Malformed, what: "gossip frames that are none" })
    }

    /// Judges one frame: a crime, for which it is dropped, or how long to wait before the next.
    pub(super) fn on_heard(&mut self, heard: &Heard, now: Instant) -> Result<Duration, Crime> {
        let Heard::Message { rpc, invalid_messages } = heard else { return Ok(Duration::ZERO) };
        if !invalid_messages.is_empty() {
            let what = "gossip message with an author";
            return Err(Crime { offence: Offence::InvalidGossip, what });
        }
        if rpc.messages.iter().any(|message| message.topic != self.topic) {
            let what = "gossip message on a topic we never joined";
            return Err(Crime { offence: Offence::InvalidGossip, what });
        }
        if rpc.messages.iter().any(|message| message.data.len() > limits::GOSSIP_BYTES_MAX) {
            return Err(Crime { offence: Offence::Oversize, what: "gossip message" });
        }
        let flood = |what| Err(Crime { offence: Offence::Flood, what });
        let topics = rpc.subscriptions.len();
        if topics > limits::GOSSIP_TOPICS_PER_PEER_MAX
            || !take(&mut self.subscriptions, topics, now)
        {
            return flood("gossip subscriptions");
        }
        if !take(&mut self.control, rpc.control_msgs.len(), now) {
            return flood("gossip control entries");
        }
        let bytes: usize = rpc.messages.iter().map(|message| message.data.len()).sum();
        let messages = self.messages.charge(count(rpc.messages.len()), now);
        Ok(messages.max(self.kibibytes.charge(count(bytes.div_ceil(1024)), now)))
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn take(bucket: &mut Bucket, number: usize, now: Instant) -> bool {
    (0..number).all(|_| bucket.take(now))
}
