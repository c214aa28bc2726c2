//! Byzantine roles, named for the crime: an honest core whose effects are rewritten, with its own keys, on their way out.

use super::world::World;
use bytes::Bytes;
use rota_node::core::Effect;
use rota_p2p::RequestProtocol;

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// As the protocol says.
    Honest,
    /// Says nothing to anybody, though it hears all.
    Silent,
}

/// What becomes of an effect.
pub(super) enum Act {
    /// It goes as it is.
    As(Effect),
    /// These go instead.
    Instead(Vec<Effect>),
}

impl World {
    pub(super) fn commit_crime(&mut self, node: usize, effect: Effect) -> Act {
        match self.machine(node).role {
            Role::Honest => Act::As(effect),
            Role::Silent if effect.is_direct() => {
                self.counts.add("crime: silent");
                Act::Instead(Vec::new())
            }
            Role::Silent => Act::As(effect),
        }
    }

    pub(super) fn lie(&mut self, _node: usize, _protocol: RequestProtocol, answer: Bytes) -> Bytes {
        answer
    }

    pub(super) fn mischief(&mut self, _node: usize) {}
}
