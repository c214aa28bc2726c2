//! Keccak-f[1600] (FIPS 202 §3.3) over one state in each lane of a vector register.
//!
//! The instructions come from `pulp`, which calls them safely once it has seen that the machine has them. Rotations
//! take their amounts as constants, hence the table of ρ and π written out.

use pulp::x86::{V3, V4};
use std::arch::x86_64::{__m256i, __m512i};

/// 64-bit words of a state.
pub(super) const STATE_WORDS: usize = 25;

/// ι, FIPS 202 §3.2.5.
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// A vector of `N` words and what Keccak does with it.
pub(super) trait Lanes<const N: usize>: Copy {
    /// The register.
    type Word: Copy;
    fn load(self, words: [u64; N]) -> Self::Word;
    fn store(self, word: Self::Word) -> [u64; N];
    fn splat(self, word: u64) -> Self::Word {
        self.load([word; N])
    }
    fn xor(self, a: Self::Word, b: Self::Word) -> Self::Word;
    fn xor3(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
    /// `a ⊕ (¬b ∧ c)`.
    fn chi(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
    /// Rotates left by `L`; `R` is `64 − L`.
    fn rotate<const L: i32, const R: i32>(self, a: Self::Word) -> Self::Word;
    /// Runs the operation compiled for these instructions.
    fn run<F: pulp::NullaryFnOnce>(self, operation: F) -> F::Output;
}

impl Lanes<8> for V4 {
    type Word = __m512i;
    #[inline(always)]
    fn load(self, words: [u64; 8]) -> __m512i {
        pulp::cast(words)
    }
    #[inline(always)]
    fn store(self, word: __m512i) -> [u64; 8] {
        pulp::cast(word)
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512f._mm512_xor_si512(a, b)
    }
    #[inline(always)]
    fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        self.avx512f._mm512_ternarylogic_epi64::<0x96>(a, b, c)
    }
    #[inline(always)]
    fn chi(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        self.avx512f._mm512_ternarylogic_epi64::<0xD2>(a, b, c)
    }
    #[inline(always)]
    fn rotate<const L: i32, const R: i32>(self, a: __m512i) -> __m512i {
        self.avx512f._mm512_rol_epi64::<L>(a)
    }
    #[inline(always)]
    fn run<F: pulp::NullaryFnOnce>(self, operation: F) -> F::Output {
        self.vectorize(operation)
    }
}

impl Lanes<4> for V3 {
    type Word = __m256i;
    #[inline(always)]
    fn load(self, words: [u64; 4]) -> __m256i {
        pulp::cast(words)
    }
    #[inline(always)]
    fn store(self, word: __m256i) -> [u64; 4] {
        pulp::cast(word)
    }
    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2._mm256_xor_si256(a, b)
    }
    #[inline(always)]
    fn xor3(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        self.xor(self.xor(a, b), c)
    }
    #[inline(always)]
    fn chi(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        self.xor(a, self.avx2._mm256_andnot_si256(b, c))
    }
    #[inline(always)]
    fn rotate<const L: i32, const R: i32>(self, a: __m256i) -> __m256i {
        let (high, low) =
            (self.avx2._mm256_slli_epi64::<L>(a), self.avx2._mm256_srli_epi64::<R>(a));
        self.avx2._mm256_or_si256(high, low)
    }
    #[inline(always)]
    fn run<F: pulp::NullaryFnOnce>(self, operation: F) -> F::Output {
        self.vectorize(operation)
    }
}

/// θ, ρ, π, χ and ι, 24 times.
#[inline(always)]
pub(super) fn permute<I: Lanes<N>, const N: usize>(isa: I, state: &mut [I::Word; STATE_WORDS]) {
    for constant in ROUND_CONSTANTS {
        round::<I, N>(isa, state, constant);
    }
}

/// One plane after ρ and π: column by column, the word that comes here, what θ adds to it, and its rotation.
macro_rules! plane {
    ($isa:ident, $(($word:ident, $add:ident, $by:literal)),*) => {
        [$($isa.rotate::<$by, { 64 - $by }>($isa.xor(*$word, $add))),*]
    };
}

#[inline(always)]
fn round<I: Lanes<N>, const N: usize>(isa: I, state: &mut [I::Word; STATE_WORDS], constant: u64) {
    let [
        a0,
        a1,
        a2,
        a3,
        a4, //
        a5,
        a6,
        a7,
        a8,
        a9, //
        a10,
        a11,
        a12,
        a13,
        a14, //
        a15,
        a16,
        a17,
        a18,
        a19, //
        a20,
        a21,
        a22,
        a23,
        a24,
    ] = &*state;
    let column = |a: &I::Word, b: &I::Word, c: &I::Word, d: &I::Word, e: &I::Word| {
        isa.xor3(isa.xor3(*a, *b, *c), *d, *e)
    };
    let c0 = column(a0, a5, a10, a15, a20);
    let c1 = column(a1, a6, a11, a16, a21);
    let c2 = column(a2, a7, a12, a17, a22);
    let c3 = column(a3, a8, a13, a18, a23);
    let c4 = column(a4, a9, a14, a19, a24);
    let mix = |left, right| isa.xor(left, isa.rotate::<1, 63>(right));
    let (d0, d1, d2, d3, d4) = (mix(c4, c1), mix(c0, c2), mix(c1, c3), mix(c2, c4), mix(c3, c0));
    let first = isa.xor(*a0, d0);
    let [p1, p2, p3, p4] = plane!(isa, (a6, d1, 44), (a12, d2, 43), (a18, d3, 21), (a24, d4, 14));
    let plane1 =
        plane!(isa, (a3, d3, 28), (a9, d4, 20), (a10, d0, 3), (a16, d1, 45), (a22, d2, 61));
    let plane2 = plane!(isa, (a1, d1, 1), (a7, d2, 6), (a13, d3, 25), (a19, d4, 8), (a20, d0, 18));
    let plane3 =
        plane!(isa, (a4, d4, 27), (a5, d0, 36), (a11, d1, 10), (a17, d2, 15), (a23, d3, 56));
    let plane4 =
        plane!(isa, (a2, d2, 62), (a8, d3, 55), (a14, d4, 39), (a15, d0, 41), (a21, d1, 2));
    let chi = |[a, b, c, d, e]: [I::Word; 5]| {
        [isa.chi(a, b, c), isa.chi(b, c, d), isa.chi(c, d, e), isa.chi(d, e, a), isa.chi(e, a, b)]
    };
    let mut lowest = chi([first, p1, p2, p3, p4]);
    let [origin, ..] = &mut lowest;
    *origin = isa.xor(*origin, isa.splat(constant));
    let planes = [lowest, chi(plane1), chi(plane2), chi(plane3), chi(plane4)];
    for (word, new) in state.iter_mut().zip(planes.as_flattened()) {
        *word = *new;
    }
}
