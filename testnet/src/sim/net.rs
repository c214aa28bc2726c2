//! The network between machines: connections, delays, bandwidth, and what goes wrong on the way.

use super::dice::Dice;
use super::plan::Plan;
use super::regions;
use bytes::Bytes;
use rota_node::core::{AskProtocol, FrameClass};

/// Bytes that a frame costs beside its own: lengths, encryption, headers of the layers below.
const FRAME_OVERHEAD_BYTES: u64 = 80;
/// Random part of a delay on a quiet network.
const JITTER_US_MIN: u64 = 300;

/// What travels.
#[derive(Clone, Debug)]
pub(super) enum Load {
    /// On a stream between validators.
    Frame(FrameClass, Bytes),
    /// A batch, on its own stream.
    Batch(Bytes),
    /// A request.
    Question { question: u64, protocol: AskProtocol, bytes: Bytes },
    /// Its answer; `None` if the peer has none to give.
    Reply { question: u64, bytes: Option<Bytes> },
    /// A gossip message, by its number.
    Gossip { message: usize, bytes: usize },
}

impl Load {
    fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Frame(_, bytes) | Self::Batch(bytes) | Self::Question { bytes, .. } => {
                bytes.len()
            }
            Self::Reply { bytes, .. } => bytes.as_ref().map_or(0, Bytes::len),
            Self::Gossip { bytes, .. } => *bytes,
        };
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(FRAME_OVERHEAD_BYTES)
    }

    /// Streams that keep their order each.
    const fn stream(&self) -> usize {
        match self {
            Self::Frame(FrameClass::Votes, _) => 0,
            Self::Frame(FrameClass::Certificates, _) => 1,
            Self::Frame(FrameClass::Proposals, _) => 2,
            Self::Batch(_) => 3,
            Self::Question { .. } | Self::Reply { .. } => 4,
            Self::Gossip { .. } => 5,
        }
    }

    const fn is_bulk(&self) -> bool {
        matches!(self, Self::Batch(_) | Self::Reply { .. } | Self::Gossip { .. })
    }
}

/// Something on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The connection it was sent on: what a broken one carried is lost.
    pub(super) connection: u64,
    pub(super) load: Load,
}

/// How the network behaves now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weather {
    pub(super) loss_per_mille: u64,
    pub(super) duplicates_per_mille: u64,
    /// Frames of one stream may overtake each other.
    pub(super) reordering: bool,
    pub(super) jitter_us: u64,
}

/// What happened to frames, for the summary.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NetCounts {
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) overtook: u64,
    pub(super) blocked: u64,
}

#[derive(Clone, Default)]
struct Pair {
    /// The connection as the first of the pair sees it.
    side: Option<u64>,
    /// Nothing passes this way.
    blocked: bool,
    /// Newest arrival by stream.
    last_us: [u64; 6],
    dialing: bool,
}

#[derive(Clone, Copy, Default)]
struct Uplink {
    urgent_free_us: u64,
    bulk_free_us: u64,
}

/// See the module's documentation.
pub(super) struct Net {
    count: usize,
    pairs: Vec<Pair>,
    uplinks: Vec<Uplink>,
    bits_per_us: u64,
    regions: bool,
    lan_us: u64,
    pub(super) weather: Weather,
    pub(super) counts: NetCounts,
    next_connection: u64,
    dice: Dice,
}

impl Net {
    pub(super) fn new(plan: &Plan, count: usize, dice: Dice) -> Self {
        Self {
            count,
            pairs: vec![Pair::default(); count.saturating_mul(count)],
            uplinks: vec![Uplink::default(); count],
            bits_per_us: plan.uplink_mbit,
            regions: plan.regions,
            lan_us: plan.lan_us,
            weather: plan.weather,
            counts: NetCounts::default(),
            next_connection: 0,
            dice,
        }
    }

    fn pair(&self, from: usize, to: usize) -> &Pair {
        let at = from.saturating_mul(self.count).saturating_add(to);
        self.pairs.get(at).expect("machines are numbered below their count")
    }

    fn pair_mut(&mut self, from: usize, to: usize) -> &mut Pair {
        let at = from.saturating_mul(self.count).saturating_add(to);
        self.pairs.get_mut(at).expect("machines are numbered below their count")
    }

    /// The connection to a machine as this one sees it.
    pub(super) fn side(&self, at: usize, other: usize) -> Option<u64> {
        self.pair(at, other).side
    }

    pub(super) fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.pair(from, to).blocked
    }

    pub(super) fn block(&mut self, from: usize, to: usize, blocked: bool) {
        self.pair_mut(from, to).blocked = blocked;
    }

    /// Whether both sides hold one connection.
    pub(super) fn is_connected(&self, a: usize, b: usize) -> bool {
        let side = self.side(a, b);
        side.is_some() && side == self.side(b, a)
    }

    /// A connection that both sides see from now on.
    pub(super) fn connect(&mut self, a: usize, b: usize) {
        self.next_connection = self.next_connection.saturating_add(1);
        let connection = Some(self.next_connection);
        self.pair_mut(a, b).side = connection;
        self.pair_mut(b, a).side = connection;
    }

    /// This side lets go of a connection, if it still is the one it holds.
    pub(super) fn let_go(&mut self, at: usize, other: usize, connection: u64) -> bool {
        let pair = self.pair_mut(at, other);
        let held = pair.side == Some(connection);
        if held {
            pair.side = None;
        }
        held
    }

    /// Notes that a dial is set; `false` if one was.
    pub(super) fn begin_dial(&mut self, a: usize, b: usize) -> bool {
        let (low, high) = (a.min(b), a.max(b));
        !std::mem::replace(&mut self.pair_mut(low, high).dialing, true)
    }

    pub(super) fn end_dial(&mut self, a: usize, b: usize) {
        let (low, high) = (a.min(b), a.max(b));
        self.pair_mut(low, high).dialing = false;
    }

    /// One way between two machines, without jitter.
    pub(super) fn delay_us(&self, from: usize, to: usize) -> u64 {
        if self.regions { regions::one_way_us(from, to) } else { self.lan_us }
    }

    pub(super) fn jitter_us(&mut self) -> u64 {
        let most = self.weather.jitter_us.max(JITTER_US_MIN);
        self.dice.below(most)
    }

    /// Sends; gives the times at which it arrives, with the connection it goes on.
    pub(super) fn send(
        &mut self,
        now_us: u64,
        from: usize,
        to: usize,
        load: &Load,
    ) -> Option<(u64, [Option<u64>; 2])> {
        let connection = self.side(from, to)?;
        let bytes = load.bytes();
        let transmit_us = bytes.saturating_mul(8).checked_div(self.bits_per_us).unwrap_or(0);
        let uplink = self.uplinks.get_mut(from).expect("machines are numbered below their count");
        let left_us = if load.is_bulk() {
            uplink.bulk_free_us = uplink.bulk_free_us.max(now_us).saturating_add(transmit_us);
            uplink.bulk_free_us
        } else {
            // Small frames pass between bulk ones, and bulk waits that much longer.
            uplink.bulk_free_us = uplink.bulk_free_us.max(now_us).saturating_add(transmit_us);
            uplink.urgent_free_us = uplink.urgent_free_us.max(now_us).saturating_add(transmit_us);
            uplink.urgent_free_us
        };
        if self.pair(from, to).blocked {
            self.counts.blocked = self.counts.blocked.saturating_add(1);
            return None;
        }
        if self.dice.chance(self.weather.loss_per_mille) {
            self.counts.lost = self.counts.lost.saturating_add(1);
            return None;
        }
        let first = self.arrival(left_us, from, to, load);
        let twice = self.dice.chance(self.weather.duplicates_per_mille).then(|| {
            let later = self.dice.below(200_000);
            first.saturating_add(later)
        });
        self.counts.duplicated = self.counts.duplicated.saturating_add(u64::from(twice.is_some()));
        Some((connection, [Some(first), twice]))
    }

    fn arrival(&mut self, left_us: u64, from: usize, to: usize, load: &Load) -> u64 {
        let way_us = self.delay_us(from, to).saturating_add(self.jitter_us());
        let arrives_us = left_us.saturating_add(way_us);
        let overtakes = self.weather.reordering && self.dice.chance(100);
        let stream = load.stream();
        let last = self.pair_mut(from, to).last_us.get_mut(stream);
        let last = last.expect("streams are numbered below their count");
        if overtakes {
            let late_us = self.dice.between(1_000, 150_000);
            self.counts.overtook = self.counts.overtook.saturating_add(1);
            return arrives_us.saturating_add(late_us);
        }
        let in_order = arrives_us.max(last.saturating_add(1));
        *last = in_order;
        in_order
    }
}
