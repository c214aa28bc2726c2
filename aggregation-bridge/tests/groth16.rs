//! Groth16 on both curves: what holds, what is refused and why, one by one and many together.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

mod made;

use ark_bls12_381::Bls12_381;
use ark_bn254::Bn254;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField, Zero};
use made::{Encoded, Made};
use rota_aggregation_bridge::verify::*;

/// One submission that owns its bytes.
#[derive(Clone)]
struct Owned {
    system: System,
    key: Vec<u8>,
    inputs: Vec<u8>,
    proof: Vec<u8>,
}

impl Owned {
    fn new<E: Encoded>(system: System, made: &mut Made<E>, first: u64) -> Self {
        let (inputs, proof) = made.prove(first);
        Self {
            system,
            key: made::key(made.vk()),
            inputs: made::inputs(&inputs),
            proof: made::proof(&proof),
        }
    }

    fn view(&self) -> Submission<'_> {
        Submission {
            system: self.system,
            release: 0,
            key: &self.key,
            inputs: &self.inputs,
            proof: &self.proof,
        }
    }

    /// The verdict alone and in a batch, which must agree.
    fn verdict(&self) -> Verdict {
        let mut keys = PreparedKeys::new();
        let verdict = verify(&self.view(), &mut keys);
        let batch = verify_batch(&[self.view(); 3], &mut keys, &[7; 32]);
        assert_eq!(batch, [verdict; 3]);
        verdict
    }

    #[track_caller]
    fn refused(&self, reason: Reason) {
        assert_eq!(self.verdict(), Verdict::Invalid(reason));
    }
}

fn bn254() -> Owned {
    Owned::new(System::Groth16Bn254, &mut Made::<Bn254>::new(3, 1), 5)
}

fn bls12_381() -> Owned {
    Owned::new(System::Groth16Bls12381, &mut Made::<Bls12_381>::new(2, 1), 5)
}

fn both() -> [(Owned, usize); 2] {
    [(bn254(), 32), (bls12_381(), 48)]
}

/// A number one above the greatest of its field of `width` bytes.
fn modulus(width: usize) -> Vec<u8> {
    match width {
        32 => ark_bn254::Fq::MODULUS.to_bytes_be(),
        _ => ark_bls12_381::Fq::MODULUS.to_bytes_be(),
    }
}

#[test]
fn proofs_hold() {
    for (owned, _) in both() {
        assert_eq!(owned.verdict(), Verdict::Valid);
        assert_eq!(check_key(owned.system, &owned.key), Ok(()));
    }
    let alone = Owned::new(System::Groth16Bn254, &mut Made::<Bn254>::new(0, 1), 5);
    assert_eq!(alone.verdict(), Verdict::Valid, "a circuit without public inputs");
}

#[test]
fn another_statement_is_refused() {
    for (owned, _) in both() {
        let mut changed = owned.clone();
        *changed.inputs.last_mut().unwrap() ^= 1;
        changed.refused(Reason::Equation);
        let mut swapped = owned.clone();
        swapped.inputs = [&owned.inputs[32..64], &owned.inputs[..32], &owned.inputs[64..]].concat();
        swapped.refused(Reason::Equation);
    }
}

#[test]
fn another_key_is_refused() {
    let mut owned = bn254();
    owned.key = made::key(Made::<Bn254>::new(3, 2).vk());
    owned.refused(Reason::Equation);
}

#[test]
fn missing_and_surplus_inputs_are_refused() {
    for (owned, _) in both() {
        let mut missing = owned.clone();
        missing.inputs.truncate(32);
        missing.refused(Reason::MissingInputs);
        missing.inputs.truncate(31);
        missing.refused(Reason::MissingInputs);
        missing.inputs.clear();
        missing.refused(Reason::MissingInputs);
        let mut surplus = owned.clone();
        surplus.inputs.extend([0; 32]);
        surplus.refused(Reason::SurplusInputs);
        surplus.inputs.resize(1 << 20, 0);
        surplus.refused(Reason::SurplusInputs);
    }
}

#[test]
fn inputs_above_the_order_are_refused() {
    let mut owned = bn254();
    let mut value = ark_bn254::Fr::from_be_bytes_mod_order(&owned.inputs[..32]).into_bigint();
    assert!(!value.add_with_carry(&ark_bn254::Fr::MODULUS));
    owned.inputs[..32].copy_from_slice(&value.to_bytes_be());
    owned.refused(Reason::InputNonCanonical);
}

#[test]
fn wrong_lengths_are_refused() {
    for (owned, _) in both() {
        for change in [0, owned.proof.len() - 1, owned.proof.len() + 1, 1 << 20] {
            let mut wrong = owned.clone();
            wrong.proof.resize(change, 0);
            wrong.refused(Reason::ProofLength);
        }
        for change in [0, 100, owned.key.len() - 1, owned.key.len() + 1, 1 << 20] {
            let mut wrong = owned.clone();
            wrong.key.resize(change, 0);
            wrong.refused(Reason::KeyLength);
            assert_eq!(check_key(wrong.system, &wrong.key), Err(Reason::KeyLength));
        }
    }
}

/// A coordinate plus the modulus is the same number in another encoding.
#[test]
fn coordinates_that_are_not_canonical_are_refused() {
    for (owned, width) in both() {
        let mut wrong = owned.clone();
        wrong.proof[..width].copy_from_slice(&modulus(width));
        wrong.refused(Reason::ProofNonCanonical);
        wrong.proof[..width].fill(0xff);
        wrong.refused(Reason::ProofNonCanonical);
        let mut wrong = owned.clone();
        wrong.proof[2 * width..3 * width].copy_from_slice(&modulus(width));
        wrong.refused(Reason::ProofNonCanonical);
        let mut wrong = owned.clone();
        wrong.key[..width].copy_from_slice(&modulus(width));
        wrong.refused(Reason::KeyNonCanonical);
    }
    let mut aliased = bn254();
    let mut value = ark_bn254::Fq::from_be_bytes_mod_order(&aliased.proof[..32]).into_bigint();
    assert!(!value.add_with_carry(&ark_bn254::Fq::MODULUS));
    aliased.proof[..32].copy_from_slice(&value.to_bytes_be());
    aliased.refused(Reason::ProofNonCanonical);
}

#[test]
fn the_point_at_infinity_is_refused() {
    for (owned, width) in both() {
        let (a, b, c) = (0..2 * width, 2 * width..6 * width, 6 * width..8 * width);
        for range in [a, b, c] {
            let mut wrong = owned.clone();
            wrong.proof[range].fill(0);
            wrong.refused(Reason::ProofInfinity);
        }
        let points = [0..2 * width, 2 * width..6 * width, 14 * width..16 * width];
        for range in points {
            let mut wrong = owned.clone();
            wrong.key[range].fill(0);
            wrong.refused(Reason::KeyInfinity);
            assert_eq!(check_key(wrong.system, &wrong.key), Err(Reason::KeyInfinity));
        }
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    for (owned, width) in both() {
        for last in [2 * width - 1, 6 * width - 1, 8 * width - 1] {
            let mut wrong = owned.clone();
            wrong.proof[last] ^= 1;
            wrong.refused(Reason::ProofOffCurve);
            wrong.proof = owned.proof.clone();
            wrong.key[last] ^= 1;
            wrong.refused(Reason::KeyOffCurve);
        }
    }
}

/// The first point on the curve that is outside the subgroup.
macro_rules! outside {
    ($affine:ty, $field:ty) => {
        (1_u64..)
            .filter_map(|x| <$affine>::get_point_from_x_unchecked(<$field>::from(x), false))
            .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap()
    };
}

#[test]
fn points_outside_the_subgroup_are_refused() {
    let mut owned = bn254();
    let point = Bn254::second(&outside!(ark_bn254::G2Affine, ark_bn254::Fq2));
    owned.proof[64..192].copy_from_slice(&point);
    owned.refused(Reason::ProofOffSubgroup);
    let mut owned = bn254();
    owned.key[64..192].copy_from_slice(&point);
    owned.refused(Reason::KeyOffSubgroup);
    assert_eq!(check_key(owned.system, &owned.key), Err(Reason::KeyOffSubgroup));

    let first = Bls12_381::first(&outside!(ark_bls12_381::G1Affine, ark_bls12_381::Fq));
    let second = Bls12_381::second(&outside!(ark_bls12_381::G2Affine, ark_bls12_381::Fq2));
    let mut owned = bls12_381();
    owned.proof[..96].copy_from_slice(&first);
    owned.refused(Reason::ProofOffSubgroup);
    let mut owned = bls12_381();
    owned.proof[96..288].copy_from_slice(&second);
    owned.refused(Reason::ProofOffSubgroup);
    let mut owned = bls12_381();
    owned.key[96..288].copy_from_slice(&second);
    owned.refused(Reason::KeyOffSubgroup);
    let mut owned = bls12_381();
    let ic = owned.key.len() - 96;
    owned.key[ic..].copy_from_slice(&first);
    owned.refused(Reason::KeyOffSubgroup);
}

/// A proof shifted by a point of small order passes a pairing check that forgets the subgroup.
#[test]
fn a_proof_shifted_out_of_the_subgroup_is_refused() {
    let mut made = Made::<Bls12_381>::new(2, 1);
    let mut owned = Owned::new(System::Groth16Bls12381, &mut made, 5);
    let (_, proof) = made.prove(5);
    let point = outside!(ark_bls12_381::G1Affine, ark_bls12_381::Fq);
    let order = ark_bls12_381::Fr::MODULUS;
    let small = point.mul_bigint(order).into_affine();
    assert!(!small.is_zero());
    let shifted = (proof.a.into_group() + small).into_affine();
    owned.proof[..96].copy_from_slice(&Bls12_381::first(&shifted));
    owned.refused(Reason::ProofOffSubgroup);
}

/// Anyone can make another proof of the same statement: it holds, under other bytes.
#[test]
fn a_rerandomised_proof_holds() {
    let mut made = Made::<Bn254>::new(3, 1);
    let mut owned = Owned::new(System::Groth16Bn254, &mut made, 5);
    let (_, proof) = made.prove(5);
    let r = ark_bn254::Fr::from(77);
    let mut other = proof.clone();
    other.a = (proof.a * r.inverse().unwrap()).into_affine();
    other.b = (proof.b * r).into_affine();
    assert_ne!(made::proof(&other), owned.proof);
    owned.proof = made::proof(&other);
    assert_eq!(owned.verdict(), Verdict::Valid);
}

/// Four keys on BN254 and two on BLS12-381.
fn many(count: usize) -> Vec<Owned> {
    let mut bn254: Vec<_> = (0..4).map(|seed| Made::<Bn254>::new(2, seed)).collect();
    let mut bls: Vec<_> = (0..2).map(|seed| Made::<Bls12_381>::new(1, seed)).collect();
    (0..count)
        .map(|place| {
            let first = u64::try_from(place).unwrap() + 3;
            if place % 5 == 4 {
                Owned::new(System::Groth16Bls12381, &mut bls[place % 2], first)
            } else {
                Owned::new(System::Groth16Bn254, &mut bn254[place % 4], first)
            }
        })
        .collect()
}

#[test]
fn a_batch_says_what_each_alone_says() {
    let good = many(16);
    for bad in [vec![], vec![0], vec![3, 4, 14], (0..16).collect()] {
        let mut all = good.clone();
        for place in &bad {
            *all[*place].inputs.last_mut().unwrap() ^= 1;
        }
        all[7].proof[..64].fill(0);
        all[11].system = System::Halo2Kzg;
        let views: Vec<_> = all.iter().map(Owned::view).collect();
        let mut keys = PreparedKeys::new();
        let alone: Vec<_> = views.iter().map(|view| verify(view, &mut keys)).collect();
        for seed in 0..2 {
            assert_eq!(verify_batch(&views, &mut keys, &[seed; 32]), alone, "{bad:?}");
        }
        for (place, verdict) in alone.iter().enumerate() {
            let expected = match place {
                7 => Verdict::Invalid(Reason::ProofInfinity),
                11 => Verdict::Unsupported(Selector::Named("halo2-kzg")),
                _ if bad.contains(&place) => Verdict::Invalid(Reason::Equation),
                _ => Verdict::Valid,
            };
            assert_eq!(*verdict, expected, "{place} of {bad:?}");
        }
    }
}

/// Two bad proofs whose errors cancel in a plain product do not cancel under random coefficients.
#[test]
fn errors_that_cancel_are_found() {
    let mut made = Made::<Bn254>::new(2, 1);
    let (inputs, proof) = made.prove(5);
    let shift = ark_bn254::G1Affine::generator();
    let with = |c: ark_bn254::G1Affine| {
        let mut shifted = proof.clone();
        shifted.c = c;
        Owned {
            system: System::Groth16Bn254,
            key: made::key(made.vk()),
            inputs: made::inputs(&inputs),
            proof: made::proof(&shifted),
        }
    };
    let up = with((proof.c + shift).into_affine());
    let down = with((proof.c - shift.into_group()).into_affine());
    let good = with(proof.c);
    let all = [up.view(), good.view(), down.view(), good.view()];
    let bad = Verdict::Invalid(Reason::Equation);
    let verdicts = verify_batch(&all, &mut PreparedKeys::new(), &[1; 32]);
    assert_eq!(verdicts, [bad, Verdict::Valid, bad, Verdict::Valid]);
}

#[test]
fn empty_and_small_batches() {
    let mut keys = PreparedKeys::new();
    assert!(verify_batch(&[], &mut keys, &[0; 32]).is_empty());
    let owned = bn254();
    assert_eq!(verify_batch(&[owned.view()], &mut keys, &[0; 32]), [Verdict::Valid]);
    assert_eq!(verify_batch(&[owned.view(); 2], &mut keys, &[0; 32]), [Verdict::Valid; 2]);
}

#[test]
fn a_field_element_of_zero_is_an_input_like_any_other() {
    let mut made = Made::<Bn254>::new(1, 3);
    let (inputs, proof) = made.prove(0);
    assert!(inputs[0].is_zero());
    let owned = Owned {
        system: System::Groth16Bn254,
        key: made::key(made.vk()),
        inputs: made::inputs(&inputs),
        proof: made::proof(&proof),
    };
    assert_eq!(owned.verdict(), Verdict::Valid);
}
