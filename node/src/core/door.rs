//! The gossip door: one admission function for all doors, and the mempool behind this one.

use super::{Bundle, Core, Effect, Todo};
use rota_sequencer::admission::{AdmissionContext, BundleVerdict, Verdict, judge_bundle};
use rota_sequencer::execution::SystemView;
use rota_sequencer::lanes as lane;
use rota_sequencer::mempool;
use rota_types::{Refusal, RefusalCode, TimestampMs, TransactionList, TxId};

const fn verdict_of(verdict: Verdict) -> rota_p2p::Verdict {
    match verdict {
        Verdict::Accept => rota_p2p::Verdict::Accept,
        Verdict::Ignore => rota_p2p::Verdict::Ignore,
        Verdict::Reject => rota_p2p::Verdict::Reject,
    }
}

impl Core {
    /// Judges a bundle, answers gossip, and keeps what is good until it is this node's turn to batch it.
    pub(super) fn on_gossip(&mut self, now: TimestampMs, token: u64, peer: u64, bundle: Bundle) {
        let verdict = match bundle {
            Ok(list) => {
                let judged = self.judge(now, peer, &list);
                let offered = self.pool.offer(now, peer, &list, &judged.admitted);
                judged.after_pool(offered.kept_bytes, list.tx_bytes())
            }
            Err(_) => Verdict::Reject,
        };
        let verdict = verdict_of(verdict);
        self.out.push(Effect::GossipVerdict { token, verdict });
    }

    /// Gives a client's list to the own lane. What its slot ordered while the list waited for its turn is known by now.
    pub(super) fn on_submit(&mut self, token: u64, list: TransactionList) {
        if let Some(index) = list.ids().position(|id| (self.known)(&id)) {
            let value = u64::try_from(index).ok();
            let refusal = Refusal { code: RefusalCode::Duplicate, limit: None, value };
            self.out.push(Effect::Refuse { token, refusal, retry_ms: None });
            return;
        }
        let origin = lane::Origin::Client(token);
        self.todo.push_back(Todo::Lanes(lane::Event::Submit { origin, list }));
    }

    fn judge(&mut self, now: TimestampMs, peer: u64, list: &TransactionList) -> BundleVerdict {
        let known = |id: &TxId| self.pool.contains(id) || self.lanes.holds(id) || (self.known)(id);
        let context = AdmissionContext {
            chain_id: self.chain_id,
            slot: self.timing.slot_at(now),
            validity_slots_max: self.genesis.validity_slots_max,
            rollups: &self.rollups,
            known: &known,
            keystore: Some(&self.keystore),
            system: Some(SystemView { order: &self.order, validators: &self.validators }),
        };
        let budget = &mut self.gossip_work;
        judge_bundle(list, &context, &mut |units| budget.charge(now, peer, units))
    }

    /// Lets the pool give what is due to the own lane, as far as the lane has room.
    pub(super) fn run_pool(&mut self, now: TimestampMs) {
        let slot = self.timing.slot_at(now);
        let own = mempool::Event::OwnLane {
            room: self.lanes.room(),
            certification_ms: self.lanes.certification_median_ms(),
        };
        for event in [mempool::Event::Slot(slot), own, mempool::Event::Tick] {
            let effects = self.pool.step(now, event);
            self.on_pool_effects(effects);
        }
    }

    pub(super) fn on_pool_effects(&mut self, effects: Vec<mempool::Effect>) {
        for effect in effects {
            match effect {
                mempool::Effect::Take(list) => {
                    let origin = lane::Origin::Pool;
                    self.todo.push_back(Todo::Lanes(lane::Event::Submit { origin, list }));
                }
            }
        }
    }
}
