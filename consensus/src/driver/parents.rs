//! Who executed another parent than we did: beyond a third of the weight it is an alarm, for execution differed.
//!
//! Counted are votes for values that stand on another parent than ours: they are signed, and an honest validator casts
//! none. That others call a parent a mismatch proves nothing: one proposer can show one value to them and another to us.
//! A vote that came before the body of its value is not counted; where execution differs, the next round has more.

use super::Driver;
use crate::driver::event::{Effect, SafetyAlarm};
use rota_types::{Vote, Weight};

impl Driver {
    pub(super) fn count_other_parent(&mut self, vote: &Vote) {
        let Some(seat) = self.seat.as_mut() else { return };
        let executed = self.desk.parent_header(seat.height);
        let value = vote.value.and_then(|id| seat.values.get(&id));
        let proposed = value.map(|value| value.body.parent_header);
        if executed.is_none() || proposed.is_none() || executed == proposed {
            return;
        }
        seat.mismatched.insert(vote.validator);
        let set = seat.set.set();
        let weight = Weight(seat.mismatched.iter().map(|key| set.weight(key).0).sum());
        if set.is_more_than_third(weight) && !seat.mismatch_alarmed {
            seat.mismatch_alarmed = true;
            self.desk.push(Effect::Alarm(SafetyAlarm::ParentMismatch {
                height: seat.height,
                executed,
                proposed,
                validators: seat.mismatched.iter().copied().collect(),
                weight,
            }));
        }
    }
}
