//! One frame of a log file: how it is written, read back, and looked for behind damage.

use bytes::Bytes;

const MAGIC: [u8; 2] = [0xA7, b'R'];
const VERSION: u8 = 1;
/// Kind of the first frame of every file.
pub(super) const KIND_HEADER: u8 = 1;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD_BYTES: usize = 20;
const SUMMED_BYTES: usize = 16;
/// Most bytes of a file's context.
pub(super) const CONTEXT_BYTES_MAX: usize = 256;

pub(super) fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn checksum(salt: u64, head: &[u8], parts: &[&[u8]]) -> u32 {
    let seeded = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), head);
    parts.iter().fold(seeded, |sum, part| crc32c::crc32c_append(sum, part))
}

/// The first bytes of a frame.
pub(super) fn frame_head(
    salt: u64,
    kind: u8,
    synced: u64,
    length: u32,
    parts: &[&[u8]],
) -> Vec<u8> {
    let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&[kind, VERSION]);
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&synced.to_le_bytes());
    let sum = checksum(salt, &head, parts);
    head.extend_from_slice(&sum.to_le_bytes());
    head
}

/// A frame read back.
pub(super) struct Parsed {
    pub(super) kind: u8,
    pub(super) payload: Bytes,
}

/// The fields of a frame's first bytes.
struct Head<'a> {
    kind: u8,
    length: usize,
    synced: u64,
    summed: &'a [u8],
    sum: u32,
}

impl<'a> Head<'a> {
    fn parse(head: &'a [u8]) -> Option<Self> {
        let (summed, sum) = head.split_at_checked(SUMMED_BYTES)?;
        let (prefix, synced) = summed.split_at_checked(8)?;
        let (&[magic_a, magic_b, kind, version], length) = prefix.split_first_chunk::<4>()?;
        if [magic_a, magic_b] != MAGIC || version != VERSION {
            return None;
        }
        Some(Self {
            kind,
            length: usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?,
            synced: u64::from_le_bytes(synced.try_into().ok()?),
            summed,
            sum: u32::from_le_bytes(sum.try_into().ok()?),
        })
    }
}

/// The frame that begins at `offset` of `bytes`, if a whole one does.
pub(super) fn parse_frame(
    bytes: &Bytes,
    offset: usize,
    salt: u64,
    record_max: usize,
) -> Option<Parsed> {
    let (head, tail) = bytes.get(offset..)?.split_at_checked(FRAME_HEAD_BYTES)?;
    let head = Head::parse(head)?;
    if head.length > record_max {
        return None;
    }
    let payload = tail.get(..head.length)?;
    if checksum(salt, head.summed, &[payload]) != head.sum {
        return None;
    }
    let start = offset.checked_add(FRAME_HEAD_BYTES)?;
    let payload = bytes.slice(start..start.checked_add(head.length)?);
    Some(Parsed { kind: head.kind, payload })
}

/// Bytes between two kept sums.
const SUM_STEP_BYTES: usize = 4096;

/// Sums of all prefixes of a tail, so that the sum of any stretch costs at most two steps of reading. Without them a
/// tail full of forged heads, each claiming all that follows, would be read once for each.
struct PrefixSums<'a> {
    bytes: &'a [u8],
    steps: Vec<u32>,
}

impl<'a> PrefixSums<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut sum = 0;
        let mut steps = vec![sum];
        for step in bytes.chunks_exact(SUM_STEP_BYTES) {
            sum = crc32c::crc32c_append(sum, step);
            steps.push(sum);
        }
        Self { bytes, steps }
    }

    fn prefix(&self, end: usize) -> Option<u32> {
        let step = end / SUM_STEP_BYTES;
        let rest = self.bytes.get(step.checked_mul(SUM_STEP_BYTES)?..end)?;
        Some(crc32c::crc32c_append(*self.steps.get(step)?, rest))
    }

    /// `sum` over something, continued over `start..end`.
    fn continued(&self, sum: u32, start: usize, end: usize) -> Option<u32> {
        let length = end.checked_sub(start)?;
        if length == 0 {
            return Some(sum);
        }
        // A sum is linear: the prefix's own share, carried over the stretch, is taken out again.
        Some(crc32c::crc32c_combine(sum ^ self.prefix(start)?, self.prefix(end)?, length))
    }
}

/// Whether a whole frame behind `broken` proves that the bytes there had been durable.
pub(super) fn was_durable(bytes: &Bytes, broken: usize, salt: u64, record_max: usize) -> bool {
    let Some(tail) = bytes.get(broken..) else { return false };
    let sums = PrefixSums::new(tail);
    let proves = |at: usize| {
        let (head, rest) = tail.get(at..)?.split_at_checked(FRAME_HEAD_BYTES)?;
        let head = Head::parse(head)?;
        let start = at.checked_add(FRAME_HEAD_BYTES)?;
        let claims = head.synced > as_u64(broken) && head.length <= record_max;
        if !claims || head.length > rest.len() {
            return None;
        }
        let sum = checksum(salt, head.summed, &[]);
        let sum = sums.continued(sum, start, start.checked_add(head.length)?)?;
        (sum == head.sum).then_some(())
    };
    let magics = tail.windows(MAGIC.len()).enumerate().skip(1);
    magics.filter(|(_, window)| *window == MAGIC).any(|(at, _)| proves(at).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(salt: u64, synced: u64, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [frame_head(salt, 7, synced, length, &[payload]), payload.to_vec()].concat()
    }

    #[test]
    fn a_frame_anywhere_behind_the_break_proves_what_it_says_was_synced() {
        for gap in [1usize, 2, 19, 4076, 4095, 4096, 4097, 10_000] {
            for payload in [0usize, 1, 4096, 9_000] {
                let proof = frame(3, 6, &vec![0xA7; payload]);
                let bytes = Bytes::from([vec![0xA7; 5 + gap], proof].concat());
                assert!(was_durable(&bytes, 5, 3, 1 << 20), "{gap} {payload}");
                assert!(!was_durable(&bytes, 6, 3, 1 << 20), "it vouches for six bytes");
                assert!(!was_durable(&bytes, 5, 4, 1 << 20), "of another file");
                let cut = bytes.slice(..bytes.len() - 1);
                assert!(!was_durable(&cut, 5, 3, 1 << 20), "cut short");
            }
        }
    }

    /// A client may choose what lies in a torn tail: heads that each claim half of the file must not cost as many
    /// readings of it.
    #[test]
    fn forged_heads_cost_no_more_than_a_few_reads_of_the_tail() {
        let forged = frame_head(0, 7, u64::MAX, 1 << 19, &[]);
        let tail: Vec<u8> = forged.iter().copied().cycle().take(1 << 20).collect();
        assert!(!was_durable(&Bytes::from(tail), 0, 3, 1 << 20));
    }
}
