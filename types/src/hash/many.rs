//! keccak256 of many messages at once: one message in each lane of a vector register.
//!
//! A slot's transactions and the nodes of its trees are hashed by the thousand and independent of each other, and
//! hashing them is the largest single cost of an ordered byte. Eight lanes of AVX-512 take a sixth of the time of
//! the scalar assembly, four lanes of AVX2 a third; elsewhere every message goes the scalar way. The digests are
//! the same on every machine.

use super::{Hash, keccak256};

/// keccak256 of each message, in order.
#[must_use]
pub fn keccak256_all<T: AsRef<[u8]>>(messages: &[T]) -> Vec<Hash> {
    #[cfg(target_arch = "x86_64")]
    if messages.len() > 2 {
        if let Some(isa) = pulp::x86::V4::try_new() {
            return x86::hash_all::<_, 8, T>(isa, messages);
        }
        if let Some(isa) = pulp::x86::V3::try_new() {
            return x86::hash_all::<_, 4, T>(isa, messages);
        }
    }
    messages.iter().map(|message| keccak256(message.as_ref())).collect()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::permutation::{Lanes, STATE_WORDS, permute};
    use super::{Hash, keccak256};

    /// Bytes absorbed by one permutation.
    const RATE: usize = 136;
    /// Of those, words.
    const RATE_WORDS: usize = RATE / 8;
    /// A round of permutations costs about as much as this many scalar ones.
    const SCALAR_WORTH: usize = 2;

    /// Blocks of a message, with its padding.
    const fn blocks(message: &[u8]) -> usize {
        (message.len() / RATE).saturating_add(1)
    }

    /// Hashes messages of equal block counts beside each other.
    pub(super) fn hash_all<I: Lanes<N>, const N: usize, T: AsRef<[u8]>>(
        isa: I,
        messages: &[T],
    ) -> Vec<Hash> {
        let mut order: Vec<(usize, &[u8])> =
            messages.iter().map(AsRef::as_ref).enumerate().collect();
        if order.windows(2).any(|pair| matches!(pair, [(_, a), (_, b)] if blocks(a) != blocks(b))) {
            order.sort_by_key(|(_, message)| blocks(message));
        }
        let mut digests = vec![Hash::ZERO; messages.len()];
        for group in order.chunks(N) {
            let longest = group.iter().map(|(_, message)| blocks(message)).max().unwrap_or(0);
            let all: usize = group.iter().map(|(_, message)| blocks(message)).sum();
            let beside = all > longest.saturating_mul(SCALAR_WORTH);
            let mut found = [Hash::ZERO; N];
            if beside {
                let mut lanes: [&[u8]; N] = [&[]; N];
                for (lane, (_, message)) in lanes.iter_mut().zip(group) {
                    *lane = message;
                }
                found = isa.run(Group { isa, messages: lanes, longest });
            }
            for ((index, message), digest) in group.iter().zip(found) {
                if let Some(slot) = digests.get_mut(*index) {
                    *slot = if beside { digest } else { keccak256(message) };
                }
            }
        }
        digests
    }

    /// The block at `index` of a message: its bytes, or its last ones padded, or nothing past those.
    #[inline(always)]
    fn block(message: &[u8], index: usize) -> [u8; RATE] {
        let (whole, tail) = message.as_chunks::<RATE>();
        if let Some(block) = whole.get(index) {
            return *block;
        }
        let mut last = [0; RATE];
        if index == whole.len() {
            for (to, from) in last.iter_mut().zip(tail.iter().chain(&[0x01])) {
                *to = *from;
            }
            let [.., end] = &mut last;
            *end |= 0x80;
        }
        last
    }

    /// Messages that are hashed together, one a lane, and the blocks of the longest.
    struct Group<'a, I, const N: usize> {
        isa: I,
        messages: [&'a [u8]; N],
        longest: usize,
    }

    impl<I: Lanes<N>, const N: usize> pulp::NullaryFnOnce for Group<'_, I, N> {
        type Output = [Hash; N];

        #[inline(always)]
        fn call(self) -> [Hash; N] {
            let Self { isa, messages, longest } = self;
            let mut state = [isa.splat(0); STATE_WORDS];
            let mut digests = [Hash::ZERO; N];
            for index in 0..longest {
                let taken = messages.map(|message| block(message, index));
                let words = taken.each_ref().map(|block| block.as_chunks::<8>().0);
                for (at, word) in state.iter_mut().take(RATE_WORDS).enumerate() {
                    let bytes = words.map(|words| words.get(at).copied().unwrap_or_default());
                    *word = isa.xor(*word, isa.load(bytes.map(u64::from_le_bytes)));
                }
                permute::<I, N>(isa, &mut state);
                for (lane, message) in messages.iter().enumerate() {
                    if blocks(message) == index.saturating_add(1)
                        && let Some(digest) = digests.get_mut(lane)
                    {
                        *digest = squeeze(isa, &state, lane);
                    }
                }
            }
            digests
        }
    }

    /// First 32 bytes of one lane.
    #[inline(always)]
    fn squeeze<I: Lanes<N>, const N: usize>(
        isa: I,
        state: &[I::Word; STATE_WORDS],
        lane: usize,
    ) -> Hash {
        let mut digest = Hash::ZERO;
        for (to, word) in digest.0.as_chunks_mut::<8>().0.iter_mut().zip(state) {
            *to = isa.store(*word).get(lane).map_or([0; 8], |word| word.to_le_bytes());
        }
        digest
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// All ways of this machine, not only the widest.
        #[test]
        fn every_width_of_this_machine_gives_the_scalar_digests() {
            let messages: Vec<Vec<u8>> =
                (0u8..=255).map(|n| vec![n; usize::from(n) * 3 % 700]).collect();
            let expected: Vec<Hash> = messages.iter().map(|m| keccak256(m)).collect();
            if let Some(isa) = pulp::x86::V3::try_new() {
                assert_eq!(hash_all::<_, 4, _>(isa, &messages), expected);
            }
            if let Some(isa) = pulp::x86::V4::try_new() {
                assert_eq!(hash_all::<_, 8, _>(isa, &messages), expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_length_around_the_block_borders_agrees_with_the_scalar_way() {
        for count in [0usize, 1, 2, 3, 7, 8, 9, 17] {
            for length in [0usize, 1, 135, 136, 137, 271, 272, 273, 536] {
                let messages: Vec<Vec<u8>> =
                    (0..count).map(|n| vec![u8::try_from(n).unwrap(); length]).collect();
                let expected: Vec<Hash> = messages.iter().map(|m| keccak256(m)).collect();
                assert_eq!(keccak256_all(&messages), expected, "{count} of {length} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn mixed_lengths_keep_their_order(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..900), 0..40)
        ) {
            let expected: Vec<Hash> = messages.iter().map(|m| keccak256(m)).collect();
            prop_assert_eq!(keccak256_all(&messages), expected);
        }
    }
}
