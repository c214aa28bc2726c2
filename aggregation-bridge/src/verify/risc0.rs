//! RISC Zero's Groth16 seals: the head of every release's proof names its control root.
//!
//! A proof is selector u32 ‖ Groth16 proof; the key is the program's image id, the inputs are the journal. What is
//! proven is a claim that the program halted with exit code 0 on no assumptions. One wrapper circuit
//! serves all releases; its public inputs are the control root and the claim's digest in halves, and the
//! wrapper's own control id.
//!
//! Source: risc0-ethereum (`contracts/src/groth16/`, commit 6329676ed58a) and the digests of `risc0-zkvm`.

use super::bytes::Reader;
use super::curve::number;
use super::verdict::{Part, Reason, Selector, Verdict};
use ark_bn254::Fr;
use hex_literal::hex;
use sha2::{Digest, Sha256};

/// A release by its control root: the Merkle root of the recursion programs that it trusts.
struct Release {
    name: &'static str,
    selector: u32,
    control_root: [u8; 32],
}

/// Oldest first.
const RELEASES: [Release; 5] = [
    Release {
        name: "2.0",
        selector: 0x9f39696c,
        control_root: hex!("539032186827b06719244873b17b2d4c122e2d02cfb1994fe958b2523b844576"),
    },
    Release {
        name: "2.1",
        selector: 0xf536085a,
        control_root: hex!("884389273e128b32475b334dec75ee619b77cb33d41c332021fe7e44c746ee60"),
    },
    Release {
        name: "2.2",
        selector: 0xbb001d44,
        control_root: hex!("ce52bf56033842021af3cf6db8a50d1b7535c125a34f1a22c6fdcf002c5a1529"),
    },
    Release {
        name: "3.0",
        selector: 0x73c457ba,
        control_root: hex!("a54dc85ac99f851c92d7c96d7318af41dbe7c0194edfcc37eb4d422a998c1f56"),
    },
    Release {
        name: "5.0",
        selector: 0xc27d1bc0,
        control_root: hex!("b1f64013f70bbb386a8b3a3d63552c5cb5ea4a549ec7fb1ecc2a031dbf488167"),
    },
];

/// Control id of the program that the wrapper circuit verifies, as a scalar.
const BN254_CONTROL_ID: [u8; 32] =
    hex!("04446e66d300eb7fb45c9726bb53c793dda407a62e9601618bb43c5c14657ac0");

/// Key of the wrapper circuit: five inputs.
pub(crate) const KEY: [u8; 832] = hex!(
    "2d4d9aa7e302d9df41749d5507949d05dbea33fbb16c643b22f599a2be6df2e214bedd503c37ceb0"
    "61d8ec60209fe345ce89830a19230301f076caff004d19260967032fcbf776d1afc985f88877f182"
    "d38480a653f2decaa9794cbc3bf3060c0e187847ad4c798374d0d6732bf501847dd68bc0e071241e"
    "0213bc7fc13db7ab304cfbd1e08a704a99f5e847d93f8c3caafddec46b7a0d379da69a4d112346a7"
    "1739c1b1a457a8c7313123d24d2f9192f896b7c63eea05a9d57f06547ad0cec8198e9393920d483a"
    "7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479"
    "674322d4f75edadd46debd5cd992f6ed090689d0585ff075ec9e99ad690c3395bc4b313370b38ef3"
    "55acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    "03b03cd5effa95ac9bee94f1f5ef907157bda4812ccf0b4c91f42bb629f83a1c1aa085ff28179a12"
    "d922dba0547057ccaae94b9d69cfaa4e60401fea7f3e0333110c10134f200b19f6490846d518c9ae"
    "a868366efb7228ca5c91d2940d0307621e60f31fcbf757e837e867178318832d0b2d74d59e2fea1c"
    "7142df187d3fc6d312ac9a25dcd5e1a832a9061a082c15dd1d61aa9c4d553505739d0f5d65dc3be4"
    "025aa744581ebe7ad91731911c898569106ff5a2d30f3eee2b23c60ee980acd40707b920bc978c02"
    "f292fae2036e057be54294114ccc3c8769d883f688a1423f2e32a094b7589554f7bc357bf63481ac"
    "d2d55555c203383782a4650787ff66420bca36e2cbe6394b3e249751853f961511011c7148e336f4"
    "fd974644850fc3472ede7c9acf48cf3a3729fa3d68714e2a8435d4fa6db8f7f409c153b1fcdf9b8b"
    "1b8af999dbfbb3927c091cc2aaf201e488cbacc3e2c6b6fb5a25f9112e04f2a72b91a26aa92e1b6f"
    "5722949f192a81c850d586d81a60157f3e9cf04f679cccd62b5f494ed674235b8ac1750bdfd5a761"
    "5f002d4a1dcefeddd06eda5a076ccd0d2fe520ad2020aab9cbba817fcbb9a863b8a76ff88f14f912"
    "c5e71665b2ad5e820f1c3c0d5d9da0fa03666843cde4e82e869ba5252fce3c25d5940320b1c4d493"
    "214bfcff74f425f6fe8c0d07b307482d8bc8bb2f3608f68287aa01bd0b69e809"
);

/// Names and selectors of the releases whose control roots are known.
pub(crate) fn releases() -> impl Iterator<Item = (&'static str, u32)> {
    RELEASES.iter().map(|release| (release.name, release.selector))
}

/// An image id of the right length.
pub(crate) fn check_image_id(bytes: &[u8]) -> Result<[u8; 32], Reason> {
    bytes.try_into().map_err(|_| Reason::KeyLength)
}

/// What is left to check: the wrapper's inputs and the Groth16 proof's bytes.
pub(crate) fn open<'a>(
    release: u32,
    image_id: &[u8],
    journal: &[u8],
    proof: &'a [u8],
) -> Result<(Vec<Fr>, &'a [u8]), Verdict> {
    let image_id = check_image_id(image_id).map_err(Verdict::Invalid)?;
    let mut reader = Reader(proof);
    let selector = reader.u32().ok_or(Verdict::Invalid(Reason::ProofLength))?;
    let known = |wanted| RELEASES.iter().find(|release| release.selector == wanted);
    let unsupported = |selector| Verdict::Unsupported(Selector::Release(selector));
    let entry = known(release).ok_or_else(|| unsupported(release))?;
    if selector != release {
        known(selector).ok_or_else(|| unsupported(selector))?;
        return Err(Verdict::Invalid(Reason::WrongRelease));
    }
    let claim = claim_digest(image_id, journal);
    let inputs = halves(entry.control_root).into_iter().chain(halves(claim));
    let inputs = inputs.chain([BN254_CONTROL_ID]);
    let inputs: Result<_, _> = inputs.map(|input| number(&input)).collect();
    let inputs = inputs.map_err(|fault| Verdict::Invalid(Part::Inputs.reason(fault)))?;
    Ok((inputs, reader.0))
}

/// A digest as two scalars: read little-endian, the lower half first.
fn halves(mut digest: [u8; 32]) -> [[u8; 32]; 2] {
    digest.reverse();
    let (high, low) = digest.split_at(16);
    [low, high].map(|half| {
        let mut scalar = [0; 32];
        scalar.iter_mut().skip(16).zip(half).for_each(|(to, from)| *to = *from);
        scalar
    })
}

/// A digest of a structure: its tag, the digests of its members, its numbers, how many members.
fn tagged(tag: &str, members: &[[u8; 32]], numbers: &[u8], count: u16) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(Sha256::digest(tag));
    for member in members {
        hasher.update(member);
    }
    hasher.chain_update(numbers).chain_update(count.to_le_bytes()).finalize().into()
}

/// "This program halted with exit code 0, wrote this journal, and assumed nothing."
fn claim_digest(image_id: [u8; 32], journal: &[u8]) -> [u8; 32] {
    let none = [0; 32];
    let halted = tagged("risc0.SystemState", &[none], &0_u32.to_le_bytes(), 1);
    let output = tagged("risc0.Output", &[Sha256::digest(journal).into(), none], &[], 2);
    tagged("risc0.ReceiptClaim", &[none, image_id, halted, output], &[0; 8], 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::curve::Curve;
    use ark_bn254::Bn254;

    fn digest(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// A release's selector is the head of the digest of its verifier's parameters.
    #[test]
    fn selectors_follow_from_the_control_roots() {
        let (points, inputs) = KEY.split_at(Bn254::G1_BYTES + 3 * Bn254::G2_BYTES);
        let (alpha, twisted) = points.split_at(Bn254::G1_BYTES);
        let list = inputs.chunks(Bn254::G1_BYTES).rev().fold([0; 32], |tail, point| {
            tagged("risc0_groth16.VerifyingKey.IC", &[digest(point), tail], &[], 2)
        });
        let members: Vec<_> = [digest(alpha)]
            .into_iter()
            .chain(twisted.chunks(Bn254::G2_BYTES).map(digest))
            .chain([list])
            .collect();
        let key = tagged("risc0_groth16.VerifyingKey", &members, &[], 5);
        let mut control_id = BN254_CONTROL_ID;
        control_id.reverse();
        for release in RELEASES {
            let members = [release.control_root, control_id, key];
            let parameters = tagged("risc0.Groth16ReceiptVerifierParameters", &members, &[], 3);
            let head: [u8; 4] = parameters[..4].try_into().unwrap();
            assert_eq!(u32::from_be_bytes(head), release.selector, "{}", release.name);
        }
    }
}
