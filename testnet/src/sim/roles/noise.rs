//! Crimes without a plan: garbage, replays, lies in answers, bundles that nobody may accept, and forgetting.

use super::Role;
use crate::sim::net::Load;
use crate::sim::world::World;
use bytes::Bytes;
use rota_node::core::{AskProtocol, FrameClass};
use rota_p2p::RequestProtocol;
use rota_types::codec::encode;
use rota_types::{RollupId, Slot, Transaction};

/// Longest piece of garbage, bytes.
const GARBAGE_BYTES_MAX: usize = 600;

impl World {
    fn victim(&mut self, node: usize) -> usize {
        let count = self.machines.len();
        self.machine_mut(node).criminal.dice.index(count)
    }

    fn noise(&mut self, node: usize) -> Bytes {
        let dice = &mut self.machine_mut(node).criminal.dice;
        let length = dice.index(GARBAGE_BYTES_MAX).saturating_add(1);
        let mut bytes = Vec::with_capacity(length.saturating_add(32));
        while bytes.len() < length {
            bytes.extend(dice.bytes::<32>());
        }
        bytes.truncate(length);
        bytes.into()
    }

    pub(super) fn send_garbage(&mut self, node: usize) -> bool {
        let to = self.victim(node);
        let bytes = self.noise(node);
        let load = match self.machine_mut(node).criminal.dice.below(6) {
            0 => Load::Frame(FrameClass::Votes, bytes),
            1 => Load::Frame(FrameClass::Certificates, bytes),
            2 => Load::Frame(FrameClass::Proposals, bytes),
            3 => Load::Batch(bytes),
            4 => Load::Question { question: 0, protocol: AskProtocol::Slots, bytes },
            _ => {
                self.publish(bytes, &[to], false);
                return true;
            }
        };
        self.send(node, to, &load);
        to != node
    }

    /// Something heard before, at times with one byte changed.
    pub(super) fn send_again(&mut self, node: usize) -> bool {
        let to = self.victim(node);
        let criminal = &mut self.machine_mut(node).criminal;
        let at = criminal.dice.index(criminal.heard.len());
        let Some((class, bytes)) = criminal.heard.get(at).cloned() else { return false };
        let bytes = if criminal.dice.chance(300) {
            let mut changed = bytes.to_vec();
            let place = criminal.dice.index(changed.len());
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1 << criminal.dice.below(8);
            }
            changed.into()
        } else {
            bytes
        };
        self.send(node, to, &Load::Frame(class, bytes));
        to != node
    }

    pub(super) fn publish_forged(&mut self, node: usize) -> bool {
        let to = self.victim(node);
        let payload = self.noise(node).to_vec();
        let dice = &mut self.machine_mut(node).criminal.dice;
        let rollup =
            dice.pick(&[RollupId::KEYSTORE, RollupId::SYSTEM, RollupId(10), RollupId(999)]);
        let valid_until_slot = Slot(dice.below(2_000));
        let rollup = rollup.unwrap_or(RollupId::KEYSTORE);
        let transaction = Transaction { rollup, valid_until_slot, payload };
        self.publish(encode(&vec![transaction]).into(), &[to], false);
        true
    }

    /// Its guard and log are new again: its core signs what it signed before, otherwise.
    pub(super) fn forget_all(&mut self, node: usize) -> bool {
        if !self.machine_mut(node).criminal.dice.chance(200) {
            return false;
        }
        self.go_down(node);
        self.machine_mut(node).forget_signatures();
        self.heap.after(300_000, crate::sim::world::What::Boot(node));
        true
    }

    /// An answer as a liar gives it.
    pub(in crate::sim) fn lie(
        &mut self,
        node: usize,
        protocol: RequestProtocol,
        answer: Bytes,
    ) -> Option<Bytes> {
        let machine = self.machine_mut(node);
        let role = machine.role;
        let dice = &mut machine.criminal.dice;
        let lies = match role {
            Role::LyingAnswers => dice.chance(700),
            Role::Withhold => protocol == RequestProtocol::Batches,
            _ => false,
        };
        if !lies {
            return Some(answer);
        }
        self.counts.add(role.name());
        if role == Role::Withhold {
            return None;
        }
        let dice = &mut self.machine_mut(node).criminal.dice;
        let mut bytes = answer.to_vec();
        match dice.below(4) {
            0 => bytes.truncate(dice.index(bytes.len())),
            1 => return None,
            2 => bytes.extend(dice.bytes::<16>()),
            _ => {
                let at = dice.index(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
        Some(bytes.into())
    }
}
