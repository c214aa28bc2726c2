//! `rota key raise-incarnation`: signs the operation that puts a lane under a new incarnation.
//!
//! A closed lane opens by signatures of more than 2/3 of weight: each operator signs, the hex of one goes to the next,
//! and whoever has enough sends it as a transaction of rollup 1. It cannot equivocate, so the guard is not asked, and
//! the node may run meanwhile.

use super::args::{HomeArgs, PasswordArgs};
use super::output;
use crate::error::{ExitCode, OperatorError};
use crate::keys::load_keys;
use crate::provision::read_genesis;
use rota_types::{Incarnation, Slot, SystemEnvelope, SystemOp, ValidatorKey};

/// Arguments of `rota key raise-incarnation`.
#[derive(Clone, Debug, clap::Args)]
pub struct RaiseArgs {
    /// Validator key of the lane
    pub lane: ValidatorKey,
    /// The new incarnation: one above that in force
    #[arg(long, value_name = "N")]
    pub incarnation: Incarnation,
    /// Last slot in which it may be ordered; the same for all who sign
    #[arg(long, value_name = "SLOT")]
    pub valid_until: Slot,
    /// What another signed, in hex as this verb prints it; repeat it for more
    #[arg(long, value_name = "HEX")]
    pub join: Vec<String>,
    /// Which home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Signs, joins, and prints the payload for `rota tx submit --rollup 1`.
///
/// # Errors
/// As the files; data-refused for what others signed of another operation, or not at all.
pub fn run(args: &RaiseArgs) -> Result<(), OperatorError> {
    let home = args.home.resolve()?;
    let genesis = read_genesis(&home.genesis_file())?;
    let password = args.password.read("password of the key files", None)?;
    let signer = load_keys(&home, &password)?.validator_signer().ok_or_else(|| {
        OperatorError::new(ExitCode::MissingInput, "this home has no validator key")
    })?;
    let op = SystemOp::RaiseIncarnation { lane: args.lane, incarnation: args.incarnation };
    let mut envelope = SystemEnvelope::sign(genesis.chain_id, args.valid_until, op, &signer);
    for text in &args.join {
        join(&mut envelope, text, genesis.chain_id)?;
    }
    output::line(hex::encode(envelope.transaction().payload))
}

fn join(envelope: &mut SystemEnvelope, text: &str, chain_id: u64) -> Result<(), OperatorError> {
    let refused = |cause: String| {
        OperatorError::new(ExitCode::DataRefused, "cannot join what another signed")
            .cause(cause)
            .hint("all sign the same lane, incarnation and --valid-until")
    };
    let bytes = hex::decode(text.trim()).map_err(|error| refused(error.to_string()))?;
    let other = SystemEnvelope::from_payload(&bytes, envelope.valid_until_slot)
        .map_err(|code| refused(code.text().to_owned()))?;
    other.verify(chain_id).map_err(|code| refused(code.text().to_owned()))?;
    if envelope.join(&other) {
        return Ok(());
    }
    Err(refused("it is of another operation".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::Ed25519Signer;

    #[test]
    fn signatures_of_one_operation_join_and_others_do_not() {
        let sign = |seed: u8, incarnation| {
            let op = SystemOp::RaiseIncarnation {
                lane: ValidatorKey([4; 32]),
                incarnation: Incarnation(incarnation),
            };
            SystemEnvelope::sign(7, Slot(90), op, &Ed25519Signer::from_seed(&[seed; 32]))
        };
        let text = |envelope: &SystemEnvelope| hex::encode(envelope.transaction().payload);
        let mut mine = sign(1, 3);
        let mut theirs = sign(2, 3);
        join(&mut theirs, &text(&sign(3, 3)), 7).unwrap();
        join(&mut mine, &text(&theirs), 7).unwrap();
        assert_eq!(mine.signatures.len(), 3);
        mine.verify(7).unwrap();
        let mut forged = sign(5, 3);
        forged.signatures.first_mut().unwrap().1.0[0] ^= 1;
        for bad in [text(&sign(4, 2)), text(&forged), "zz".to_owned(), String::new()] {
            assert!(join(&mut mine, &bad, 7).is_err());
        }
        assert_eq!(mine.signatures.len(), 3);
    }
}
