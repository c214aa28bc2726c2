//! Proof systems by number and name.

use std::fmt;

macro_rules! systems {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// A proof system with one form of key, inputs and proof. The number is what rules and verdicts carry; it
        /// never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum System {
            $($(#[$doc])* $variant = $number,)*
        }

        impl System {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that the command line and documents use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

systems! {
    /// Groth16 on BN254. Key: α ‖ β ‖ γ ‖ δ ‖ points of constant and inputs, uncompressed, big-endian, as EIP-197 has
    /// them. Inputs: 32 bytes each. Proof: A ‖ B ‖ C, 256 bytes.
    Groth16Bn254 = 1, "groth16-bn254";
    /// Groth16 on BLS12-381, in the same order with coordinates of 48 bytes; a proof has 384 bytes.
    Groth16Bls12381 = 2, "groth16-bls12-381";
    /// gnark's Groth16 on BN254 with one Pedersen commitment. Key: hash u8 (1 SHA-256, 2 keccak256) ‖ P ‖ Q (G2) ‖ count
    /// u16 ‖ count × index u16 of covered inputs ‖ Groth16 key, with e(commitment, P) · e(knowledge, Q) = 1.
    /// Proof: A ‖ B ‖ C ‖ commitment ‖ knowledge.
    Groth16Bn254Committed = 3, "groth16-bn254-committed";
    /// SP1's Groth16. Release: the proof's first four bytes. Key: hash of the program's key, 32 bytes. Inputs: public
    /// values. Proof: as SP1 hands it out.
    Sp1Groth16 = 4, "sp1-groth16";
    /// RISC Zero's Groth16. Release: the seal's first four bytes. Key: image id, 32 bytes. Inputs: journal. Proof: seal.
    Risc0Groth16 = 5, "risc0-groth16";
    /// SP1's Plonk, as SP1's Groth16.
    Sp1Plonk = 6, "sp1-plonk";
    /// gnark's Plonk on BN254. Key: domain bits u8 ‖ inputs u16 ‖ commitments u8 ‖ generator ‖ coset shift ‖ G₁ ‖ G₂ ‖
    /// τG₂ ‖ S1 S2 S3 ‖ Ql Qr Qm Qo Qk ‖ for each commitment Qcp and its row u32. Inputs: 32 bytes each. Proof: the
    /// linearised polynomial's value ‖ gnark's form for Solidity.
    GnarkPlonkBn254 = 7, "gnark-plonk-bn254";
    /// gnark's Plonk on BLS12-381, in the same order.
    GnarkPlonkBls12381 = 8, "gnark-plonk-bls12-381";
    /// snarkjs' Plonk on BN254. Key: domain bits u8 ‖ inputs u16 ‖ k1 ‖ k2 ‖ eight points (Qm, Ql, Qr, Qo, Qc, S1, S2,
    /// S3) ‖ X₂. Proof: nine points (A, B, C, Z, T1, T2, T3, Wxi, Wxiw) ‖ six evaluations.
    SnarkjsPlonkBn254 = 9, "snarkjs-plonk-bn254";
    /// Halo2 with KZG: not supported.
    Halo2Kzg = 32, "halo2-kzg";
    /// Halo2 with inner product arguments: not supported.
    Halo2Ipa = 33, "halo2-ipa";
    /// Plonky2: not supported.
    Plonky2 = 34, "plonky2";
    /// UltraHonk of Barretenberg: not supported.
    UltraHonk = 35, "ultra-honk";
    /// fflonk of snarkjs: not supported.
    Fflonk = 36, "fflonk";
    /// Kimchi and Pickles of Mina: not supported.
    Kimchi = 37, "kimchi";
    /// SP1's proofs before they are wrapped: not supported.
    Sp1Compressed = 38, "sp1-compressed";
    /// RISC Zero's receipts before they are wrapped: not supported.
    Risc0Stark = 39, "risc0-stark";
    /// `CometBLS` of Union: not supported.
    CometBls = 40, "cometbls";
}

impl System {
    /// The number in rules and verdicts.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The system of a number.
    #[must_use]
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|system| system.number() == number)
    }

    /// The system of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|system| system.name() == name)
    }

    /// Whether this version verifies it; what it does not is answered `Unsupported` by name.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        self.number() < Self::Halo2Kzg.number()
    }
}

impl fmt::Display for System {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
