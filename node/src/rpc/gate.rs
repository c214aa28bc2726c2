//! Who may ask how much: units per address, connections and sockets per address.

use super::error::DoorError;
use super::limits::{BODIES_BYTES_MAX, CONNECTIONS_PER_IP_MAX, METERED_IPS_MAX, RpcLimits};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The address a request came from, normalised: a /64 of IPv6 is one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Caller(pub(crate) IpAddr);

impl Caller {
    pub(crate) fn new(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            other => Self(other),
        }
    }

    fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

/// Counts of what an address holds open.
#[derive(Default)]
struct Held(Mutex<BTreeMap<Caller, u32>>);

/// One thing held open; gives its place back when dropped.
pub(crate) struct Place {
    held: Arc<Held>,
    caller: Caller,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = self.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = map.get_mut(&self.caller) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                map.remove(&self.caller);
            }
        }
    }
}

fn take(held: &Arc<Held>, caller: Caller, max: u32) -> Option<Place> {
    let mut map = held.0.lock().unwrap_or_else(PoisonError::into_inner);
    let count = map.entry(caller).or_insert(0);
    if *count >= max {
        return None;
    }
    *count = count.saturating_add(1);
    drop(map);
    Some(Place { held: held.clone(), caller })
}

/// The meters of one http listener.
pub(crate) struct Gate {
    units: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
    burst: u32,
    limits: RpcLimits,
    sockets: Arc<Held>,
    connections: Arc<Held>,
    bodies: Semaphore,
}

impl Gate {
    pub(crate) fn new(limits: RpcLimits) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let burst = at_least_one(limits.units_burst);
        let quota = Quota::per_second(at_least_one(limits.units_per_second)).allow_burst(burst);
        Self {
            units: RateLimiter::dashmap(quota),
            clock: DefaultClock::default(),
            burst: burst.get(),
            limits,
            sockets: Arc::default(),
            connections: Arc::default(),
            bodies: Semaphore::new(BODIES_BYTES_MAX),
        }
    }

    /// The limits it keeps.
    pub(crate) const fn limits(&self) -> &RpcLimits {
        &self.limits
    }

    /// Takes `cost` units from the caller, at most one burst.
    pub(crate) fn charge(&self, caller: Caller, cost: u32) -> Result<(), DoorError> {
        if caller.is_loopback() && !self.limits.limit_loopback {
            return Ok(());
        }
        if self.units.len() >= METERED_IPS_MAX {
            self.units.retain_recent();
            if self.units.len() >= METERED_IPS_MAX {
                return Err(DoorError::limited("addresses", 1_000));
            }
        }
        let Some(cost) = NonZeroU32::new(cost.min(self.burst)) else { return Ok(()) };
        match self.units.check_key_n(&caller, cost) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(self.clock.now());
                let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                Err(DoorError::limited("requests of this address", retry_ms))
            }
        }
    }

    /// Room for `bytes` more of a body that is being read.
    pub(crate) fn body(&self, bytes: usize) -> Result<SemaphorePermit<'_>, DoorError> {
        u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.bodies.try_acquire_many(bytes).ok())
            .ok_or_else(|| DoorError::limited("bodies being read", 250))
    }

    /// A place for a WebSocket.
    pub(crate) fn socket(&self, caller: Caller) -> Result<Place, DoorError> {
        take(&self.sockets, caller, self.limits.sockets_per_ip_max)
            .ok_or_else(|| DoorError::limited("sockets of this address", 5_000))
    }

    /// A place for a connection; loopback has as many as the listener.
    pub(crate) fn connection(&self, caller: Caller) -> Option<Place> {
        let max = if caller.is_loopback() { u32::MAX } else { CONNECTIONS_PER_IP_MAX };
        take(&self.connections, caller, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(text: &str) -> Caller {
        Caller::new(text.parse().unwrap())
    }

    #[test]
    fn a_metered_address_is_refused_with_a_time_and_others_are_not() {
        let gate =
            Gate::new(RpcLimits { units_burst: 10, units_per_second: 1, ..RpcLimits::default() });
        gate.charge(caller("192.0.2.1"), 10).unwrap();
        let refused = gate.charge(caller("192.0.2.1"), 5).unwrap_err();
        assert_eq!(refused.status, 429);
        assert!(refused.retry_ms.unwrap() >= 1_000);
        gate.charge(caller("192.0.2.2"), 10).unwrap();
        for _ in 0..100 {
            gate.charge(caller("127.0.0.1"), 10).unwrap();
        }
    }

    #[test]
    fn sockets_are_counted_per_address_and_given_back() {
        let gate = Gate::new(RpcLimits::default());
        let places: Vec<_> = (0..RpcLimits::default().sockets_per_ip_max)
            .map(|i| gate.socket(caller(&format!("2001:db8::{i:x}"))).unwrap())
            .collect();
        assert!(gate.socket(caller("2001:db8::ffff")).is_err(), "one /64 is one address");
        drop(places);
        assert!(gate.socket(caller("2001:db8::ffff")).is_ok());
    }

    #[test]
    fn mapped_addresses_are_their_own() {
        assert_eq!(caller("::ffff:192.0.2.1"), caller("192.0.2.1"));
    }
}
