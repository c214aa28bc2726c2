//! Signatures of one height: what was verified, and what we signed ourselves.
//!
//! A signature is verified once and remembered with the digest it is over; a message is never
//! believed because it claims to be ours. One that carries our valid signature over a digest we
//! never signed means that the key is used elsewhere.

use crate::limits::VERIFIED_MAX;
use rota_types::keys::verify_batch;
use rota_types::vote::{SignedProposal, SignedVote};
use rota_types::{Hash, Signature, TypesError, ValidatorKey};
use std::collections::{BTreeMap, BTreeSet};

/// Handed to the core for a signature that the gate refused; [`Signatures::verify`] always rejects it.
pub(crate) const REFUSED: Signature = Signature([0; 64]);

/// Outcome of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Verified, now or before.
    Good,
    /// Does not verify.
    Bad,
    /// Verifies, is by our key, and we did not make it.
    Foreign,
}

/// Verified and own signatures of the height.
#[derive(Debug)]
pub(crate) struct Signatures {
    chain_id: u64,
    local: ValidatorKey,
    verified: BTreeMap<(ValidatorKey, Hash), Signature>,
    own: BTreeSet<Hash>,
    /// Whether an unknown signature of ours is an alarm at this height.
    own_known: bool,
}

impl Signatures {
    /// For one height. `own` are the digests the guard remembers of it.
    #[must_use]
    pub(crate) fn new(
        chain_id: u64,
        local: ValidatorKey,
        own_known: bool,
        own: impl IntoIterator<Item = Hash>,
    ) -> Self {
        let own = own.into_iter().collect();
        Self { chain_id, local, verified: BTreeMap::new(), own, own_known }
    }

    /// Remembers that we signed `digest`.
    pub(crate) fn signed(&mut self, digest: Hash, signature: Signature) {
        self.own.insert(digest);
        self.remember(self.local, digest, signature);
    }

    /// Verifies one signature.
    pub(crate) fn verify(
        &mut self,
        key: ValidatorKey,
        digest: Hash,
        signature: &Signature,
    ) -> Verdict {
        if *signature == REFUSED {
            return Verdict::Bad;
        }
        if self.verified.get(&(key, digest)) == Some(signature) {
            return Verdict::Good;
        }
        if key.verify(&digest, signature, "consensus message").is_err() {
            return Verdict::Bad;
        }
        if self.is_foreign(&key, &digest) {
            return Verdict::Foreign;
        }
        self.remember(key, digest, *signature);
        Verdict::Good
    }

    /// Verifies a vote.
    pub(crate) fn verify_vote(&mut self, vote: &SignedVote) -> Verdict {
        let digest = vote.vote.signing_digest(self.chain_id);
        self.verify(vote.vote.validator, digest, &vote.signature)
    }

    /// Verifies a proposal message.
    pub(crate) fn verify_proposal(&mut self, proposal: &SignedProposal) -> Verdict {
        let digest = proposal.proposal.signing_digest(self.chain_id);
        self.verify(proposal.proposal.validator, digest, &proposal.signature)
    }

    /// Verifies the votes of a certificate, those not seen before in one batch.
    pub(crate) fn verify_votes(&mut self, votes: impl Iterator<Item = SignedVote>) -> Verdict {
        let mut fresh = Vec::new();
        for vote in votes {
            let digest = vote.vote.signing_digest(self.chain_id);
            let key = vote.vote.validator;
            if vote.signature == REFUSED {
                return Verdict::Bad;
            }
            if self.verified.get(&(key, digest)) != Some(&vote.signature) {
                fresh.push((key, digest, vote.signature));
            }
        }
        if !fresh.is_empty() && self.batch(&fresh).is_err() {
            return Verdict::Bad;
        }
        if fresh.iter().any(|(key, digest, _)| self.is_foreign(key, digest)) {
            return Verdict::Foreign;
        }
        for (key, digest, signature) in fresh {
            self.remember(key, digest, signature);
        }
        Verdict::Good
    }

    fn batch(&self, items: &[(ValidatorKey, Hash, Signature)]) -> Result<(), TypesError> {
        verify_batch(items, "certificate")
    }

    fn is_foreign(&self, key: &ValidatorKey, digest: &Hash) -> bool {
        self.own_known && *key == self.local && !self.own.contains(digest)
    }

    fn remember(&mut self, key: ValidatorKey, digest: Hash, signature: Signature) {
        if self.verified.len() < VERIFIED_MAX {
            self.verified.insert((key, digest), signature);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_types::{Ed25519Signer, Height, Round, Signer as _, Vote, VoteKind, keccak256};

    fn vote(signer: &Ed25519Signer, round: u32) -> SignedVote {
        Vote {
            kind: VoteKind::Prevote,
            height: Height(3),
            round: Round(round),
            value: Some(keccak256(b"value")),
            validator: signer.public_key(),
        }
        .sign(7, signer)
    }

    #[test]
    fn a_message_that_claims_to_be_ours_is_verified_and_a_foreign_one_is_told_apart() {
        let (us, other) = (Ed25519Signer::from_seed(&[1; 32]), Ed25519Signer::from_seed(&[2; 32]));
        let mut signatures = Signatures::new(7, us.public_key(), true, []);
        let ours = vote(&us, 0);
        signatures.signed(ours.vote.signing_digest(7), ours.signature);
        assert_eq!(signatures.verify_vote(&ours), Verdict::Good);
        let forged = SignedVote { signature: vote(&other, 1).signature, ..vote(&us, 1) };
        assert_eq!(signatures.verify_vote(&forged), Verdict::Bad);
        assert_eq!(signatures.verify_vote(&vote(&us, 1)), Verdict::Foreign);
        let both = [vote(&other, 1), vote(&us, 1)];
        assert_eq!(signatures.verify_votes(both.into_iter()), Verdict::Foreign);
    }

    #[test]
    fn what_the_guard_remembers_is_ours() {
        let us = Ed25519Signer::from_seed(&[1; 32]);
        let old = vote(&us, 4);
        let digest = old.vote.signing_digest(7);
        let mut signatures = Signatures::new(7, us.public_key(), true, [digest]);
        assert_eq!(signatures.verify_vote(&old), Verdict::Good);
    }

    #[test]
    fn a_refused_signature_never_verifies_and_one_bad_vote_spoils_a_batch() {
        let us = Ed25519Signer::from_seed(&[1; 32]);
        let other = Ed25519Signer::from_seed(&[2; 32]);
        let mut signatures = Signatures::new(7, us.public_key(), true, []);
        let refused = SignedVote { signature: REFUSED, ..vote(&us, 0) };
        assert_eq!(signatures.verify_vote(&refused), Verdict::Bad);
        let bad = SignedVote { signature: vote(&other, 9).signature, ..vote(&other, 1) };
        assert_eq!(signatures.verify_votes([vote(&other, 0), bad].into_iter()), Verdict::Bad);
        assert_eq!(signatures.verify_votes([vote(&other, 0)].into_iter()), Verdict::Good);
    }
}
