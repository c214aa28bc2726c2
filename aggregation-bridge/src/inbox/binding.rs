//! How a proof is bound to its statement: the public inputs that the validator computes and verifies it with.

use super::statement::TransitionStatement;
use crate::error::Unfit;
use crate::fields::{halves, scalar};
use borsh::{BorshDeserialize, BorshSerialize};

/// Form in which a rule's proofs carry the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Binding {
    /// The 32 bytes of the statement hash are all public output: SP1 public values, RISC Zero journal.
    Digest,
    /// The upper and the lower 16 bytes of the statement hash are the two public inputs.
    DigestHalves,
    /// The statement's fields are the public inputs of a hand-written circuit.
    Fields(ScalarField),
}

/// Field of the circuit's scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ScalarField {
    /// BN254.
    Bn254,
    /// BLS12-381.
    Bls12381,
}

impl ScalarField {
    /// The modulus, big-endian.
    const fn modulus(self) -> [u8; 32] {
        match self {
            Self::Bn254 => [
                0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81,
                0x58, 0x5d, 0x28, 0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93,
                0xf0, 0x00, 0x00, 0x01,
            ],
            Self::Bls12381 => [
                0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1,
                0xd8, 0x05, 0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff,
                0x00, 0x00, 0x00, 0x01,
            ],
        }
    }
}

/// What a proof is verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicInputs {
    /// Public output of a virtual machine's program.
    Bytes([u8; 32]),
    /// Scalars, each 32 bytes big-endian and below the modulus.
    Scalars(Vec<[u8; 32]>),
}

impl Binding {
    /// The public inputs that say `statement`.
    ///
    /// # Errors
    /// [`Unfit::NotAScalar`] when a field of the statement is no element of the circuit's field: reduced, it
    /// would stand for another value too.
    pub fn public_inputs(
        self,
        chain_id: u64,
        statement: &TransitionStatement,
    ) -> Result<PublicInputs, Unfit> {
        match self {
            Self::Digest => Ok(PublicInputs::Bytes(statement.hash(chain_id).0)),
            Self::DigestHalves => {
                let halves = halves(&statement.hash(chain_id));
                Ok(PublicInputs::Scalars(halves.to_vec()))
            }
            Self::Fields(field) => fields(statement, field).map(PublicInputs::Scalars),
        }
    }
}

/// Pre and post cursor, pre and post inbox, pre and post state, count and hash of exits. Version and rule are
/// those of the key that verifies.
fn fields(statement: &TransitionStatement, field: ScalarField) -> Result<Vec<[u8; 32]>, Unfit> {
    let inputs = vec![
        scalar(&statement.pre_cursor.to_be_bytes()),
        scalar(&statement.post_cursor.to_be_bytes()),
        statement.pre_inbox.0,
        statement.post_inbox.0,
        statement.pre_state.0,
        statement.post_state.0,
        scalar(&statement.exits_count.to_be_bytes()),
        statement.exits_hash.0,
    ];
    let modulus = field.modulus();
    let canonical = inputs.iter().all(|input| *input < modulus);
    if canonical { Ok(inputs) } else { Err(Unfit::NotAScalar) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::STATEMENT_VERSION;
    use rota_types::Hash;

    fn statement() -> TransitionStatement {
        TransitionStatement {
            version: STATEMENT_VERSION,
            rule_id: 1,
            pre_cursor: 2,
            post_cursor: 5,
            pre_inbox: Hash([1; 32]),
            post_inbox: Hash([2; 32]),
            pre_state: Hash([3; 32]),
            post_state: Hash([4; 32]),
            exits_count: 6,
            exits_hash: Hash([5; 32]),
        }
    }

    #[test]
    fn digest_is_the_statement_hash_and_its_halves_join_to_it() {
        let hash = statement().hash(7);
        let digest = Binding::Digest.public_inputs(7, &statement());
        assert_eq!(digest, Ok(PublicInputs::Bytes(hash.0)));
        let Ok(PublicInputs::Scalars(halves)) =
            Binding::DigestHalves.public_inputs(7, &statement())
        else {
            panic!("two scalars");
        };
        assert_eq!(halves.len(), 2);
        assert_eq!([&halves[0][16..], &halves[1][16..]].concat(), hash.0);
        assert!(halves.iter().all(|half| half[..16] == [0; 16]));
    }

    #[test]
    fn fields_stand_in_their_order() {
        let fields = Binding::Fields(ScalarField::Bn254).public_inputs(7, &statement());
        let Ok(PublicInputs::Scalars(fields)) = fields else { panic!("scalars") };
        let expected =
            [scalar(&[2]), scalar(&[5]), [1; 32], [2; 32], [3; 32], [4; 32], scalar(&[6]), [5; 32]];
        assert_eq!(fields, expected);
    }

    /// A circuit reduces its inputs: `x` and `x + r` would be one statement to it and two to the ledger.
    #[test]
    fn a_field_of_the_modulus_or_above_is_refused() {
        for field in [ScalarField::Bn254, ScalarField::Bls12381] {
            let modulus = field.modulus();
            let mut below = modulus;
            below[31] -= 1;
            let with = |bytes| TransitionStatement { post_state: Hash(bytes), ..statement() };
            let binding = Binding::Fields(field);
            assert!(binding.public_inputs(7, &with(below)).is_ok());
            assert_eq!(binding.public_inputs(7, &with(modulus)), Err(Unfit::NotAScalar));
            assert_eq!(binding.public_inputs(7, &with([0xff; 32])), Err(Unfit::NotAScalar));
        }
    }
}
