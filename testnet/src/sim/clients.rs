//! Clients: they submit to doors and to the mesh, keep receipts, and send again what is not ordered in time.

use super::cast::ROLLUPS;
use super::dice::Dice;
use super::plan::Plan;
use super::wallets::Wallets;
use super::world::{What, World};
use rota_node::core::Input;
use rota_node::shell::admit_list;
use rota_types::codec::encode;
use rota_types::limits::BATCH_BODY_BYTES_MAX;
use rota_types::receipt::SignedReceipt;
use rota_types::{Hash, RollupId, Slot, Transaction, TransactionList};

/// How often a submission that is not ordered is sent to another node.
const TRIES_MAX: u32 = 4;
/// Slots after which a client sends again.
const PATIENCE_SLOTS: u64 = 3;
/// Bytes before a payload's filling: its number.
const NUMBER_BYTES: usize = 8;

/// What a client sent.
struct Submission {
    list: TransactionList,
    ids: Vec<Hash>,
    valid_until: Slot,
    tries: u32,
    /// The one node it is sent to, as often as it takes.
    door: Option<usize>,
}

/// See the module's documentation.
pub(super) struct Clients {
    submissions: Vec<Submission>,
    number: u64,
    wallets: Wallets,
    dice: Dice,
    pub(super) stopped: bool,
    pub(super) receipts: u64,
}

impl Clients {
    pub(super) fn new(plan: &Plan, mut dice: Dice) -> Self {
        let wallets = Wallets::new(plan.load.accounts, &mut dice);
        Self { submissions: Vec::new(), number: 0, wallets, dice, stopped: false, receipts: 0 }
    }

    fn transaction(&mut self, valid_until_slot: Slot, bytes_max: u64) -> Transaction {
        self.number = self.number.saturating_add(1);
        let filling = usize::try_from(self.dice.below(bytes_max)).unwrap_or(0);
        let mut payload = self.number.to_be_bytes().to_vec();
        payload.resize(NUMBER_BYTES.saturating_add(filling), 0xab);
        let rollup = self.dice.pick(&ROLLUPS).unwrap_or(RollupId(10));
        Transaction { rollup, valid_until_slot, payload }
    }

    fn keep(&mut self, list: TransactionList, valid_until: Slot) -> usize {
        let ids = list.ids().collect();
        let submission = Submission { list, ids, valid_until, tries: 0, door: None };
        self.submissions.push(submission);
        self.submissions.len().saturating_sub(1)
    }
}

fn list_of(transactions: &[Transaction]) -> TransactionList {
    let bytes = encode(&transactions.to_vec()).into();
    TransactionList::parse(bytes, BATCH_BODY_BYTES_MAX).expect("a client's list is well formed")
}

impl World {
    pub(super) fn slot_now(&self) -> Slot {
        Slot(self.heap.now_us() / self.plan.slot_ms.saturating_mul(1_000).max(1))
    }

    /// The next submission, and when the one after it comes.
    pub(super) fn clients_submit(&mut self) {
        if self.clients.stopped {
            return;
        }
        let every_us = self.plan.load.every_us;
        let pause_us = self.clients.dice.between(every_us / 4, every_us.saturating_mul(7) / 4);
        self.heap.after(pause_us.max(1), What::Submit);
        let submission = self.new_submission();
        self.try_submission(submission);
    }

    fn new_submission(&mut self) -> usize {
        let slot = self.slot_now();
        let load = self.plan.load;
        if self.clients.dice.chance(load.keystore_per_mille)
            && let Some((payload, until)) = self.next_operation(slot)
        {
            let transaction =
                Transaction { rollup: RollupId::KEYSTORE, valid_until_slot: until, payload };
            self.counts.add("keystore operations");
            return self.clients.keep(list_of(&[transaction]), until);
        }
        let short = self.clients.dice.chance(load.short_lived_per_mille);
        let slots = if short {
            self.counts.add("submissions that expire soon");
            self.clients.dice.below(3)
        } else {
            self.genesis.validity_slots_max.saturating_sub(4)
        };
        let until = slot.plus(slots);
        let count = self.clients.dice.between(1, load.txs_max);
        let transactions: Vec<Transaction> =
            (0..count).map(|_| self.clients.transaction(until, load.tx_bytes_max)).collect();
        self.clients.keep(list_of(&transactions), until)
    }

    fn next_operation(&mut self, slot: Slot) -> Option<(Vec<u8>, Slot)> {
        let until = slot.plus(60);
        let invariants = &self.invariants;
        let ordered = |id: &Hash| invariants.is_ordered(id);
        let operation = self.clients.wallets.next(until, &ordered, &mut self.clients.dice)?;
        Some((operation, until))
    }

    fn look_later(&mut self, number: usize) {
        let patience_us = self.plan.slot_ms.saturating_mul(1_000 * PATIENCE_SLOTS);
        self.heap.after(patience_us, What::Look(number));
    }

    /// Sends a submission somewhere, and looks later whether it was ordered.
    fn try_submission(&mut self, number: usize) {
        self.look_later(number);
        let up: Vec<usize> = (0..self.machines.len()).filter(|node| self.is_up(*node)).collect();
        let Some(node) = self.clients.dice.pick(&up) else { return };
        let Some(submission) = self.clients.submissions.get_mut(number) else { return };
        submission.tries = submission.tries.saturating_add(1);
        let list = submission.list.clone();
        let small = list.bytes().len() < 64 * 1024;
        if small && self.clients.dice.chance(self.plan.load.gossip_per_mille) {
            let mut doors = up;
            self.clients.dice.shuffle(&mut doors);
            doors.truncate(2);
            self.publish(list.bytes().clone(), &doors, true);
        } else {
            self.submit(node, number, &list);
        }
    }

    /// The door of a node: admission, and a token for the answer.
    fn submit(&mut self, node: usize, number: usize, list: &TransactionList) {
        let now = self.machine(node).clock.read(self.heap.now_us());
        let Some(running) = self.up(node) else { return };
        if admit_list(&running.view, &running.rollups, now, list).is_err() {
            self.counts.add("submissions refused at the door");
            return;
        }
        if running.me.is_none() {
            let small = list.bytes().len() < 64 * 1024;
            if small {
                self.publish_from(node, list.bytes().clone(), true);
            }
            return;
        }
        if running.is_crowded() || !running.bulk_has_room() {
            self.counts.add("submissions refused at a limit");
            return;
        }
        let token = running.token();
        running.waiting.insert(token, number);
        running.bulk.push_back(Input::Submit { token, list: list.clone() });
        self.counts.add("submissions");
        self.wake(node);
    }

    pub(super) fn receipted(&mut self, node: usize, token: u64, receipt: &SignedReceipt) {
        let number = self.up(node).and_then(|running| running.waiting.remove(&token));
        let Some(submission) = number.and_then(|n| self.clients.submissions.get(n)) else {
            return;
        };
        let ids = submission.ids.clone();
        self.clients.receipts = self.clients.receipts.saturating_add(1);
        self.counts.add("receipts");
        let check = self.invariants.on_receipt(receipt, ids);
        self.judge(check);
    }

    pub(super) fn refused(&mut self, node: usize, token: u64) {
        if let Some(running) = self.up(node) {
            running.waiting.remove(&token);
        }
        self.counts.add("submissions refused by the lane");
    }

    /// A client that waited long enough sends the same bytes elsewhere: one copy is ordered.
    pub(super) fn client_looks(&mut self, number: usize) {
        let slot = self.slot_now();
        let Some(submission) = self.clients.submissions.get(number) else { return };
        let first = submission.ids.first();
        let done = first.is_none_or(|id| self.invariants.is_ordered(id));
        if let Some(node) = submission.door.filter(|_| !done) {
            let list = submission.list.clone();
            self.look_later(number);
            self.submit(node, number, &list);
            return;
        }
        if done || submission.tries >= TRIES_MAX || submission.valid_until <= slot {
            return;
        }
        self.counts.add("submissions sent again");
        self.try_submission(number);
    }

    /// One fresh transaction to a node's door, again and again until it is ordered; its id.
    pub(super) fn fresh_transaction(&mut self, node: usize) -> Hash {
        let until = self.slot_now().plus(self.genesis.validity_slots_max.saturating_sub(8));
        let transaction = self.clients.transaction(until, 64);
        let id = transaction.id();
        let list = list_of(&[transaction]);
        let number = self.clients.keep(list.clone(), until);
        if let Some(submission) = self.clients.submissions.get_mut(number) {
            submission.door = Some(node);
        }
        self.look_later(number);
        self.submit(node, number, &list);
        id
    }
}
