//! What goes wrong, and when it ends.

use super::dice::Dice;
use super::world::{What, World};
use rota_node::disk::sim::Tail;
use rota_node::error::OperatorError;

/// Something that ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// The network is whole again.
    Partition,
}

/// Faults under way.
pub(super) struct Faults {
    pub(super) dice: Dice,
    pub(super) over: bool,
}

impl Faults {
    pub(super) const fn new(dice: Dice) -> Self {
        Self { dice, over: false }
    }
}

impl World {
    /// The node's process is gone; the machine and its page cache stay.
    pub(super) fn go_down(&mut self, node: usize) {
        self.take_down(node, &mut |_| Tail::Keep);
    }

    pub(super) fn take_down(&mut self, node: usize, tail: &mut dyn FnMut(usize) -> Tail) {
        if !self.is_up(node) {
            return;
        }
        if let Some(key) = self.machine(node).key() {
            self.invariants.forget_notes(key);
        }
        for other in 0..self.machines.len() {
            self.break_connection(node, other, 2_000);
        }
        self.machine_mut(node).stop(tail);
    }

    pub(super) fn crashes_at_release(&mut self, _node: usize) -> bool {
        false
    }

    pub(super) fn cannot_start(&mut self, node: usize, error: &OperatorError) {
        self.violate("a node starts", format!("n{node} cannot start: {error:?}"));
    }

    pub(super) fn fault(&mut self) {
        if self.faults.over {
            return;
        }
        self.heap.after(1_000_000, What::Fault);
    }

    pub(super) fn end_fault(&mut self, ending: Ending) {
        match ending {
            Ending::Partition => {}
        }
    }
}
