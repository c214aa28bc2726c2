//! Index behind ledger: a slot is handed to execution, and an outcome to the index, once the ledger has it.

use super::{Check, broken};
use rota_node::core::{Effect, Notice};
use rota_node::ledger::LedgerReader;
use rota_node::shell::Outward;

/// Looks at the very moment at which something is let go.
pub(crate) fn check(node: usize, ledger: &LedgerReader, outward: &Outward) -> Check {
    let (height, there) = match outward {
        Outward::Effect(Effect::Execute(decided)) => {
            (decided.height(), ledger.tip() >= Some(decided.height()))
        }
        Outward::Effect(Effect::Notice(Notice::Executed(executed))) => {
            let height = executed.header.height;
            (height, ledger.header(height).is_ok_and(|header| header.is_some()))
        }
        _ => return Ok(()),
    };
    if there {
        return Ok(());
    }
    let what = format!("n{node} goes on with height {height} before the ledger has it");
    broken("index behind ledger", what)
}
