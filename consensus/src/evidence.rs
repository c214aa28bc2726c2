//! Proofs of equivocation: ordered, verified, each reported once.

use rota_types::TypesError;
use rota_types::evidence::Evidence;
use rota_types::vote::{SignedProposal, SignedVote};

/// Two votes at one place, in evidence order.
///
/// # Errors
/// As [`Evidence::verify`]: the pair proves nothing.
pub(crate) fn double_vote(
    chain_id: u64,
    first: SignedVote,
    second: SignedVote,
) -> Result<Evidence, TypesError> {
    let pair = if first.vote.value < second.vote.value { (first, second) } else { (second, first) };
    let evidence = Evidence::DoubleVote(Box::new(pair));
    evidence.verify(chain_id)?;
    Ok(evidence)
}

/// Two proposals of one round, in evidence order.
///
/// # Errors
/// As [`Evidence::verify`]: the pair proves nothing.
pub(crate) fn double_proposal(
    chain_id: u64,
    first: SignedProposal,
    second: SignedProposal,
) -> Result<Evidence, TypesError> {
    let key = |signed: &SignedProposal| (signed.proposal.value, signed.proposal.pol_round);
    let pair = if key(&first) < key(&second) { (first, second) } else { (second, first) };
    let evidence = Evidence::DoubleProposal(Box::new(pair));
    evidence.verify(chain_id)?;
    Ok(evidence)
}
