//! Good names: no honest node is penalised, banned or named in evidence by an honest one, raises a safety alarm, or
//! stops for safety.

use super::{Check, broken};
use rota_node::core::{Effect, Notice};
use rota_types::ValidatorKey;
use std::collections::BTreeSet;

pub(super) struct GoodNames {
    honest: BTreeSet<ValidatorKey>,
}

impl GoodNames {
    pub(super) fn new(honest: Vec<ValidatorKey>) -> Self {
        Self { honest: honest.into_iter().collect() }
    }

    pub(super) fn on_effect(&self, node: usize, effect: &Effect) -> Check {
        let name = "honest are not punished";
        match effect {
            Effect::Penalise { validator, offence } if self.honest.contains(validator) => {
                broken(name, format!("n{node} penalises {validator}: {offence}"))
            }
            Effect::Notice(Notice::Evidence { culprit, what }) if self.honest.contains(culprit) => {
                broken(name, format!("n{node} has evidence against {culprit}: {what}"))
            }
            Effect::Notice(Notice::Alarm { what })
                if what.starts_with("SAFETY") || what.starts_with("consensus core") =>
            {
                broken("no alarm", format!("n{node}: {what}"))
            }
            Effect::Fatal { reason } => broken("no safety stop", format!("n{node}: {reason}")),
            _ => Ok(()),
        }
    }
}
