//! The whole network in one value: machines, the ways between them, clients, and what happens next.

use super::cast;
use super::clients::Clients;
use super::counts::Counts;
use super::dice::Dice;
use super::faults::{Ending, Faults};
use super::gossip::Gossip;
use super::heap::Heap;
use super::invariants::{Actor, Check, Invariants, Violation, check_queues};
use super::machine::{Machine, Running};
use super::net::{Net, Parcel};
use super::parsed::Parsed;
use super::plan::{Byzantine, Plan};
use super::roles::Role;
use super::trace::{Lines, Trace};
use rota_types::{Genesis, Hash, Height, ValidatorKey, ValidatorSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events between two looks at all queues.
const QUEUE_CHECK_EVENTS: u64 = 64;

/// What may break with too many Byzantine, if somebody is named for it.
const FORKS: [&str; 7] = [
    "agreement",
    "equal headers",
    "prefix",
    "one certified batch a place",
    "no alarm",
    "no safety stop",
    "receipts",
];

/// What happens at a time.
pub(super) enum What {
    /// A machine that is down starts.
    Boot(usize),
    /// A core takes its next event.
    Turn { node: usize, life: u64 },
    /// A look at a core's deadline.
    Tick { node: usize, life: u64 },
    /// A group was written and synced.
    Committed { node: usize, life: u64 },
    /// A batch frame was parsed.
    Parsed { node: usize, life: u64 },
    /// A slot was executed.
    Executed { node: usize, life: u64 },
    /// Something arrives.
    Arrive(Box<Parcel>),
    /// Two machines try to connect.
    Dial(usize, usize),
    /// A machine notices that a connection is gone.
    HangUp { at: usize, other: usize, connection: u64 },
    /// A question was not answered in time.
    Expire { node: usize, life: u64, question: u64 },
    /// Clients send something.
    Submit,
    /// A client looks whether its submission was ordered.
    Look(usize),
    /// Something goes wrong.
    Fault,
    /// Something that went wrong ends.
    End(Ending),
    /// Byzantine machines do something of their own.
    Mischief(usize),
}

impl What {
    /// Number for the trace's hash: kind, machine.
    const fn mark(&self) -> (u64, usize) {
        match self {
            Self::Boot(node) => (1, *node),
            Self::Turn { node, .. } => (2, *node),
            Self::Tick { node, .. } => (3, *node),
            Self::Committed { node, .. } => (4, *node),
            Self::Parsed { node, .. } => (5, *node),
            Self::Executed { node, .. } => (6, *node),
            Self::Arrive(_) => (7, 0),
            Self::Dial(a, _) => (8, *a),
            Self::HangUp { at, .. } => (9, *at),
            Self::Expire { node, .. } => (10, *node),
            Self::Submit => (11, 0),
            Self::Look(submission) => (12, *submission),
            Self::Fault => (13, 0),
            Self::End(_) => (14, 0),
            Self::Mischief(node) => (15, *node),
        }
    }
}

/// See the module's documentation.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) genesis: Arc<Genesis>,
    pub(super) set: ValidatorSet,
    pub(super) heap: Heap<What>,
    pub(super) net: Net,
    pub(super) machines: Vec<Machine>,
    pub(super) index_of: BTreeMap<ValidatorKey, usize>,
    pub(super) gossip: Gossip,
    pub(super) clients: Clients,
    pub(super) faults: Faults,
    pub(super) parsed: Parsed,
    pub(super) invariants: Invariants,
    pub(super) counts: Counts,
    pub(super) trace: Trace,
    pub(super) dice: Dice,
    pub(super) events: u64,
    /// What honest nodes came to disagree on, with too many Byzantine.
    pub(super) forked: Option<Violation>,
    broken: Option<Violation>,
}

impl World {
    pub(super) fn new(plan: Plan, mut dice: Dice, lines: Lines) -> Self {
        let genesis = Arc::new(cast::genesis(&plan));
        let set = genesis.validator_set().expect("the cast is a valid set");
        let validators = plan.weights.len();
        let count = validators.saturating_add(plan.full_nodes);
        let mut machines: Vec<Machine> = Vec::with_capacity(count);
        for index in 0..count {
            let identity = (index < validators).then(|| cast::identity(index));
            let role = plan.roles.get(index).copied().unwrap_or(Role::Honest);
            let mut machine = Machine::new(index, identity, role, dice.split());
            machine.clock = plan.clocks.get(index).copied().unwrap_or_default();
            machines.push(machine);
        }
        let keys = machines.iter().enumerate();
        let index_of = keys.filter_map(|(index, m)| m.key().map(|key| (key, index))).collect();
        let honest = machines.iter().filter(|m| m.is_honest()).filter_map(Machine::key).collect();
        let mut world = Self {
            heap: Heap::new(),
            net: Net::new(&plan, count, dice.split()),
            invariants: Invariants::new(&genesis, set.clone(), honest),
            gossip: Gossip::new(count),
            clients: Clients::new(&plan, dice.split()),
            faults: Faults::new(plan.weather, dice.split()),
            parsed: Parsed::default(),
            counts: Counts::default(),
            trace: Trace::new(lines),
            events: 0,
            forked: None,
            broken: None,
            machines,
            index_of,
            genesis,
            set,
            plan,
            dice,
        };
        world.set_out();
        world
    }

    /// First events: all machines start, clients and faults begin.
    fn set_out(&mut self) {
        for node in 0..self.machines.len() {
            let delay_us = self.dice.below(20_000);
            self.heap.at(delay_us, What::Boot(node));
            if !self.machine(node).is_honest() {
                self.heap.at(1_000_000, What::Mischief(node));
            }
        }
        self.heap.at(300_000, What::Submit);
        self.heap.at(1_000_000, What::Fault);
    }

    pub(super) fn machine(&self, node: usize) -> &Machine {
        self.machines.get(node).expect("machines are numbered below their count")
    }

    pub(super) fn machine_mut(&mut self, node: usize) -> &mut Machine {
        self.machines.get_mut(node).expect("machines are numbered below their count")
    }

    pub(super) fn running(&mut self, node: usize, life: u64) -> Option<&mut Running> {
        let machine = self.machine_mut(node);
        if machine.life == life { machine.running.as_mut() } else { None }
    }

    pub(super) fn up(&mut self, node: usize) -> Option<&mut Running> {
        self.machine_mut(node).running.as_mut()
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        self.machine(node).running.is_some()
    }

    /// Honest machines, full nodes among them.
    pub(super) fn honest(&self) -> Vec<usize> {
        (0..self.machines.len()).filter(|node| self.machine(*node).is_honest()).collect()
    }

    pub(super) fn weight(&self, node: usize) -> u64 {
        self.plan.weights.get(node).copied().unwrap_or(0)
    }

    /// Keeps the first thing that does not hold.
    pub(super) fn judge(&mut self, check: Check) {
        let Err(violation) = check else { return };
        if self.plan.byzantine == Byzantine::TooMany && FORKS.contains(&violation.invariant) {
            self.forked.get_or_insert(violation);
            return;
        }
        if self.broken.is_none() {
            let at = self.heap.now_us();
            self.trace.line(at, || format!("VIOLATED {}: {}", violation.invariant, violation.what));
            self.broken = Some(violation);
        }
    }

    pub(super) fn violate(&mut self, invariant: &'static str, what: String) {
        self.judge(Err(Violation { invariant, what }));
    }

    /// Judges by who a machine is and what its ledger holds.
    pub(super) fn judged<T>(
        &mut self,
        node: usize,
        judge: impl FnOnce(&mut Invariants, &Actor<'_>) -> T,
    ) -> T {
        let machine = self.machines.get(node).expect("machines are numbered below their count");
        let reader = machine.running.as_ref().map(|running| &running.reader);
        let holds = |digest: &Hash| reader.is_some_and(|reader| reader.has_batch(digest));
        let actor = Actor {
            node,
            life: machine.life,
            key: machine.key(),
            honest: machine.is_honest(),
            holds: &holds,
        };
        judge(&mut self.invariants, &actor)
    }

    /// Runs until a virtual time, or until `done` holds after an event.
    ///
    /// # Errors
    /// The first violation.
    pub(super) fn run_until(
        &mut self,
        end_us: u64,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Violation> {
        loop {
            if let Some(violation) = self.broken.take() {
                return Err(violation);
            }
            let Some(what) = self.heap.next_until(end_us) else { return Ok(done(self)) };
            let (kind, node) = what.mark();
            self.events = self.events.saturating_add(1);
            self.trace.number(self.heap.now_us());
            self.trace.number(kind.wrapping_shl(32) ^ u64::try_from(node).unwrap_or(0));
            self.happen(what);
            if self.events.is_multiple_of(QUEUE_CHECK_EVENTS) {
                if done(self) {
                    return Ok(true);
                }
                self.look_at_queues();
            }
        }
    }

    fn look_at_queues(&mut self) {
        let running = self.machines.iter().enumerate();
        let found = running
            .filter_map(|(node, machine)| Some((node, machine.running.as_ref()?)))
            .map(|(node, running)| check_queues(node, running))
            .find(Result::is_err);
        if let Some(check) = found {
            self.judge(check);
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Boot(node) => self.boot(node),
            What::Turn { node, life } => self.turn(node, life),
            What::Tick { node, life } => self.tick(node, life),
            What::Committed { node, life } => self.committed(node, life),
            What::Parsed { node, life } => self.frame_parsed(node, life),
            What::Executed { node, life } => self.slot_executed(node, life),
            What::Arrive(parcel) => self.arrive(*parcel),
            What::Dial(a, b) => self.dial(a, b),
            What::HangUp { at, other, connection } => self.hang_up(at, other, connection),
            What::Expire { node, life, question } => self.answer(node, life, question, None),
            What::Submit => self.clients_submit(),
            What::Look(submission) => self.client_looks(submission),
            What::Fault => self.fault(),
            What::End(ending) => self.end_fault(ending),
            What::Mischief(node) => self.mischief(node),
        }
    }

    /// Newest height that every one of these nodes has released.
    pub(super) fn least_decided(&self, nodes: &[usize]) -> Height {
        let heights = nodes.iter().map(|node| self.invariants.decided_by(*node));
        heights.min().unwrap_or_default()
    }
}
