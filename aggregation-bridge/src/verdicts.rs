//! Verdicts on proofs and their root in the slot header: what was proved by whom, and whether it holds.

use crate::error::ExitError;
use crate::limits::VERDICTS_MAX;
use crate::tree::{self, LeafPath};
use borsh::{BorshDeserialize, BorshSerialize};
use rota_keystore::KeystoreId;
use rota_types::{Hash, RollupId, Tag, keccak256};

/// What a proof was attached as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum VerdictKind {
    /// A statement of ours over a rollup's inbox.
    Transition,
    /// Any proof of any registered key; it moves nothing.
    Claim,
}

/// What was found. A verdict never is the byte 0, so that zeroed memory says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Verdict {
    /// It holds.
    Valid,
    /// It holds for a range that another proof had passed by then; nobody checked the mathematics.
    Stale,
    /// It does not hold: one of the reason codes of `docs/bridge.md`.
    Invalid(u16),
    /// No verifier for it in this version of the protocol.
    Unsupported,
}

impl Verdict {
    /// Verdict byte and reason.
    const fn packed(self) -> (u8, u16) {
        match self {
            Self::Valid => (1, 0),
            Self::Stale => (2, 0),
            Self::Invalid(reason) => (3, reason),
            Self::Unsupported => (4, 0),
        }
    }
}

/// One leaf under `verdicts_root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct VerdictLeaf {
    /// Transition or claim.
    pub kind: VerdictKind,
    /// What was found.
    pub verdict: Verdict,
    /// The rollup whose rule was used.
    pub rollup: RollupId,
    /// The rule.
    pub rule_id: u32,
    /// Which code verified: a function of the protocol version.
    pub verifier_code: u32,
    /// Proof system.
    pub system: u16,
    /// Release of the system; of an unsupported proof, the selector that it named.
    pub release: u32,
    /// Hash of the verifying key.
    pub vk_hash: Hash,
    /// Hash of the public inputs.
    pub inputs_hash: Hash,
    /// Hash of the statement; zero for a claim.
    pub statement_hash: Hash,
    /// keccak256 of the proof.
    pub proof_hash: Hash,
    /// Who paid.
    pub submitter: KeystoreId,
}

impl VerdictLeaf {
    /// Whether a head moved: only a valid transition moves one.
    #[must_use]
    pub fn moves_head(&self) -> bool {
        self.kind == VerdictKind::Transition && self.verdict == Verdict::Valid
    }

    /// keccak256(0x00 ‖ kind u8 (1 transition, 2 claim) ‖ verdict u8 (1 valid, 2 stale, 3 invalid, 4
    /// unsupported) ‖ reason u16 ‖ rollup u64 ‖ rule id u32 ‖ verifier code u32 ‖ system u16 ‖ release u32 ‖ key
    /// hash ‖ inputs hash ‖ statement hash ‖ proof hash ‖ submitter), big-endian. A claim has no statement: its
    /// statement hash is written as zero, whatever stands in the field.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let (verdict, reason) = self.verdict.packed();
        let (kind, statement) = match self.kind {
            VerdictKind::Transition => (1, self.statement_hash),
            VerdictKind::Claim => (2, Hash::ZERO),
        };
        let mut bytes = vec![0, kind, verdict];
        bytes.extend(reason.to_be_bytes());
        bytes.extend(self.rollup.0.to_be_bytes());
        bytes.extend(self.rule_id.to_be_bytes());
        bytes.extend(self.verifier_code.to_be_bytes());
        bytes.extend(self.system.to_be_bytes());
        bytes.extend(self.release.to_be_bytes());
        let hashes = [self.vk_hash, self.inputs_hash, statement, self.proof_hash, self.submitter.0];
        bytes.extend(hashes.iter().flat_map(|hash| hash.0));
        keccak256(&bytes)
    }
}

/// Verdicts of one height, in slot order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    leaves: Vec<VerdictLeaf>,
}

impl Verdicts {
    /// Appends the next verdict; `false`, and nothing appended, once [`VERDICTS_MAX`] are there: the proof
    /// waits for the next height.
    #[must_use]
    pub fn push(&mut self, leaf: VerdictLeaf) -> bool {
        let fits = self.leaves.len() < VERDICTS_MAX;
        if fits {
            self.leaves.push(leaf);
        }
        fits
    }

    /// The verdicts in order.
    #[must_use]
    pub fn leaves(&self) -> &[VerdictLeaf] {
        &self.leaves
    }

    fn hashes(&self) -> Vec<Hash> {
        self.leaves.iter().map(VerdictLeaf::hash).collect()
    }

    /// `verdicts_root` of the header ([`crate::tree`]).
    #[must_use]
    pub fn root(&self, chain_id: u64) -> Hash {
        tree::root(Tag::VerdictsRoot, chain_id, self.hashes())
    }

    /// The verdict at `index` with its path, or `None` past the end.
    #[must_use]
    pub fn prove(&self, index: usize) -> Option<VerdictProof> {
        let leaf = *self.leaves.get(index)?;
        Some(VerdictProof { leaf, path: LeafPath::of(&self.hashes(), index)? })
    }
}

/// A verdict with its path to a sealed header.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct VerdictProof {
    /// The verdict.
    pub leaf: VerdictLeaf,
    /// Its path.
    pub path: LeafPath,
}

impl VerdictProof {
    /// Verifies that exactly this verdict stands under `verdicts_root`.
    ///
    /// # Errors
    /// [`ExitError::Path`].
    pub fn verify(&self, chain_id: u64, verdicts_root: &Hash) -> Result<(), ExitError> {
        let root = self.path.root_of(Tag::VerdictsRoot, chain_id, self.leaf.hash())?;
        let held = root == *verdicts_root;
        if held { Ok(()) } else { Err(ExitError::Path { step: "verdicts root" }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn leaf(n: u8) -> VerdictLeaf {
        VerdictLeaf {
            kind: VerdictKind::Transition,
            verdict: Verdict::Valid,
            rollup: RollupId(u64::from(n)),
            rule_id: 2,
            verifier_code: 3,
            system: 4,
            release: 5,
            vk_hash: Hash([6; 32]),
            inputs_hash: Hash([7; 32]),
            statement_hash: Hash([8; 32]),
            proof_hash: Hash([n; 32]),
            submitter: KeystoreId(Hash([9; 32])),
        }
    }

    fn verdicts(count: u8) -> Verdicts {
        let mut verdicts = Verdicts::default();
        assert!((0..count).all(|n| verdicts.push(leaf(n))));
        verdicts
    }

    #[test]
    fn every_verdict_proves_itself_under_the_root() {
        let verdicts = verdicts(11);
        let root = verdicts.root(7);
        for index in 0..11 {
            let proof = verdicts.prove(index).unwrap();
            assert_eq!(proof.verify(7, &root), Ok(()));
            assert!(proof.verify(8, &root).is_err());
            let bytes = borsh::to_vec(&proof).unwrap();
            assert_eq!(borsh::from_slice::<VerdictProof>(&bytes).unwrap(), proof);
        }
        assert_eq!(verdicts.prove(11), None);
    }

    #[test]
    fn an_invalid_verdict_cannot_be_shown_as_valid() {
        let mut verdicts = verdicts(3);
        let invalid = VerdictLeaf { verdict: Verdict::Invalid(0x0301), ..leaf(9) };
        assert!(verdicts.push(invalid));
        let root = verdicts.root(7);
        let mut proof = verdicts.prove(3).unwrap();
        for other in [Verdict::Valid, Verdict::Stale, Verdict::Invalid(1), Verdict::Unsupported] {
            proof.leaf.verdict = other;
            assert!(proof.verify(7, &root).is_err());
        }
        proof.leaf = invalid;
        assert_eq!(proof.verify(7, &root), Ok(()));
        assert!(!proof.leaf.moves_head());
    }

    #[test]
    fn a_claim_cannot_be_shown_as_a_transition() {
        let mut verdicts = verdicts(2);
        assert!(verdicts.push(VerdictLeaf { kind: VerdictKind::Claim, ..leaf(3) }));
        let root = verdicts.root(7);
        let mut proof = verdicts.prove(2).unwrap();
        assert!(!proof.leaf.moves_head());
        assert_eq!(proof.verify(7, &root), Ok(()));
        proof.leaf.kind = VerdictKind::Transition;
        assert!(proof.verify(7, &root).is_err());
        assert!(leaf(3).moves_head());
    }

    #[test]
    fn every_field_is_in_the_leaf() {
        let base = leaf(1);
        let changed = [
            VerdictLeaf { kind: VerdictKind::Claim, ..base },
            VerdictLeaf { verdict: Verdict::Stale, ..base },
            VerdictLeaf { verdict: Verdict::Invalid(0), ..base },
            VerdictLeaf { verdict: Verdict::Invalid(1), ..base },
            VerdictLeaf { verdict: Verdict::Unsupported, ..base },
            VerdictLeaf { rollup: RollupId(99), ..base },
            VerdictLeaf { rule_id: 99, ..base },
            VerdictLeaf { verifier_code: 99, ..base },
            VerdictLeaf { system: 99, ..base },
            VerdictLeaf { release: 99, ..base },
            VerdictLeaf { vk_hash: Hash::ZERO, ..base },
            VerdictLeaf { inputs_hash: Hash::ZERO, ..base },
            VerdictLeaf { statement_hash: Hash::ZERO, ..base },
            VerdictLeaf { proof_hash: Hash::ZERO, ..base },
            VerdictLeaf { submitter: KeystoreId(Hash::ZERO), ..base },
        ];
        let hashes: BTreeSet<Hash> = changed.iter().map(VerdictLeaf::hash).collect();
        assert_eq!(hashes.len(), changed.len());
        assert!(!hashes.contains(&base.hash()));
    }
}
