//! The certificate that a slot proposal was decided at a height.

use crate::error::TypesError;
use crate::hash::Hash;
use crate::ids::{Height, Round};
use crate::keys::{Signature, ValidatorKey, verify_batch};
use crate::validators::ValidatorSet;
use crate::vote::{Vote, VoteKind};
use borsh::{BorshDeserialize, BorshSerialize};

/// Precommits of more than two thirds of weight for one value in one round.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CommitCertificate {
    /// Decided height.
    pub height: Height,
    /// Round of the deciding precommits.
    pub round: Round,
    /// Id of the decided slot proposal.
    pub value: Hash,
    /// Precommit signatures by strictly ascending key.
    pub signatures: Vec<(ValidatorKey, Signature)>,
}

impl CommitCertificate {
    /// Verifies quorum and every signature against the height's set.
    ///
    /// # Errors
    /// The first rule broken: order, membership, weight, signatures.
    pub fn verify(&self, chain_id: u64, set: &ValidatorSet) -> Result<(), TypesError> {
        set.check_signers(self.signatures.iter().map(|(key, _)| key))?;
        set.check_quorum(self.signatures.iter().map(|(key, _)| key))?;
        let items: Vec<_> = self
            .signatures
            .iter()
            .map(|(key, signature)| {
                let vote = Vote {
                    kind: VoteKind::Precommit,
                    height: self.height,
                    round: self.round,
                    value: Some(self.value),
                    validator: *key,
                };
                (*key, vote.signing_digest(chain_id), *signature)
            })
            .collect();
        verify_batch(&items, "commit certificate")
    }
}
