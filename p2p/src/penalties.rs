//! What offences cost, how they are forgotten, and when they end in a ban. Pure: time is passed.

use std::{collections::BTreeMap, time::Duration};

use libp2p::PeerId;
use tokio::time::Instant;

use crate::{Offence, limits};

/// What a node does about a peer's latest offence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sentence {
    /// The application's score of the peer from now on, zero or negative.
    Score(f64),
    /// No connection with it for this long.
    Ban(Duration),
}

#[derive(Debug)]
struct Offender {
    points: f64,
    at: Instant,
    bans: u32,
}

/// See the module. Bounded by [`limits::OFFENDERS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Penalties {
    offenders: BTreeMap<PeerId, Offender>,
}

/// Points of an offence; [`limits::SCORE_GRAYLIST`] of them are a ban.
fn points(offence: Offence, validator: bool) -> f64 {
    match offence {
        Offence::LyingAnswer => -limits::SCORE_GRAYLIST,
        // Points fade by the second, so each is a tenth more than its share: two of these are a
        // ban, four of the next, eight, ten.
        Offence::Oversize => 1_100.0,
        Offence::Malformed | Offence::BadSignature => 550.0,
        Offence::Flood => 275.0,
        Offence::InvalidGossip => 220.0,
        Offence::Liveness if validator => 0.0,
        Offence::Liveness => 50.0,
    }
}

impl Penalties {
    /// Adds an offence and gives what follows.
    pub(crate) fn add(
        &mut self,
        peer: PeerId,
        offence: Offence,
        validator: bool,
        now: Instant,
    ) -> Sentence {
        self.make_room(&peer);
        let offender = self.offender(peer, now);
        offender.points = offender.points_at(now) + points(offence, validator);
        offender.at = now;
        if offender.points >= -limits::SCORE_GRAYLIST {
            self.ban(peer, now)
        } else {
            Sentence::Score(-offender.points)
        }
    }

    /// A ban without counting points: the first is shorter than every later one.
    pub(crate) fn ban(&mut self, peer: PeerId, now: Instant) -> Sentence {
        self.make_room(&peer);
        let offender = self.offender(peer, now);
        offender.points = 0.0;
        offender.at = now;
        offender.bans += 1;
        Sentence::Ban(if offender.bans == 1 { limits::BAN_FIRST } else { limits::BAN_AGAIN })
    }

    /// The score of a peer at a moment, zero or negative.
    pub(crate) fn score(&self, peer: &PeerId, now: Instant) -> f64 {
        self.offenders.get(peer).map_or(0.0, |offender| -offender.points_at(now))
    }

    fn offender(&mut self, peer: PeerId, now: Instant) -> &mut Offender {
        self.offenders.entry(peer).or_insert(Offender { points: 0.0, at: now, bans: 0 })
    }

    /// At the limit forgets whoever offended longest ago, the never banned first.
    fn make_room(&mut self, peer: &PeerId) {
        if self.offenders.len() < limits::OFFENDERS_MAX || self.offenders.contains_key(peer) {
            return;
        }
        let oldest = self.offenders.iter().min_by_key(|(_, one)| (one.bans, one.at));
        if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
            self.offenders.remove(&oldest);
        }
    }
}

impl Offender {
    fn points_at(&self, now: Instant) -> f64 {
        let half_lives = now.saturating_duration_since(self.at).as_secs_f64()
            / limits::SCORE_HALF_LIFE.as_secs_f64();
        let points = self.points * (-half_lives).exp2();
        if points < 1.0 { 0.0 } else { points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offences_add_up_and_are_forgotten() {
        let (mut penalties, peer, now) =
            (Penalties::default(), PeerId::random(), crate::clock::now());
        assert_eq!(penalties.add(peer, Offence::Oversize, true, now), Sentence::Score(-1100.0));
        let later = now + limits::SCORE_HALF_LIFE;
        assert!((penalties.score(&peer, later) + 550.0).abs() < 1e-6);
        let much_later = now + limits::SCORE_HALF_LIFE * 20;
        assert!(penalties.score(&peer, much_later).abs() < f64::EPSILON);
    }

    #[test]
    fn the_second_ban_is_longer() {
        let (mut penalties, peer, now) =
            (Penalties::default(), PeerId::random(), crate::clock::now());
        let lie = Offence::LyingAnswer;
        assert_eq!(penalties.add(peer, lie, false, now), Sentence::Ban(limits::BAN_FIRST));
        assert_eq!(penalties.add(peer, lie, false, now), Sentence::Ban(limits::BAN_AGAIN));
    }

    #[test]
    fn liveness_never_bans_a_validator() {
        let (mut penalties, peer, now) =
            (Penalties::default(), PeerId::random(), crate::clock::now());
        for _ in 0..10_000 {
            assert_eq!(penalties.add(peer, Offence::Liveness, true, now), Sentence::Score(-0.0));
        }
        let stranger = PeerId::random();
        let banned = (0..100).any(|_| {
            matches!(penalties.add(stranger, Offence::Liveness, false, now), Sentence::Ban(_))
        });
        assert!(banned);
    }

    #[test]
    fn memory_is_bounded_and_bans_outlive_scores() {
        let (mut penalties, now) = (Penalties::default(), crate::clock::now());
        let banned = PeerId::random();
        penalties.add(banned, Offence::LyingAnswer, false, now);
        for _ in 0..limits::OFFENDERS_MAX * 2 {
            penalties.add(PeerId::random(), Offence::Flood, false, now);
        }
        assert_eq!(penalties.offenders.len(), limits::OFFENDERS_MAX);
        assert_eq!(penalties.ban(banned, now), Sentence::Ban(limits::BAN_AGAIN));
    }
}
