//! The story of a run: a hash over everything that happened, and lines for people when they are asked for.

use std::collections::VecDeque;

/// Lines kept for the report of a failure.
const LINES_KEPT: usize = 400;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
/// Bytes of a frame that go into the hash from each end; the rest is in its signatures and digests anyway.
const HASHED_BYTES: usize = 96;

/// What a trace does with its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Nothing: only the hash is kept.
    None,
    /// The newest few hundred are kept.
    Keep,
    /// Each goes to standard error at once.
    Print,
}

/// See the module's documentation.
pub(super) struct Trace {
    hash: u64,
    lines: Lines,
    kept: VecDeque<String>,
}

impl Trace {
    pub(super) const fn new(lines: Lines) -> Self {
        Self { hash: FNV_OFFSET, lines, kept: VecDeque::new() }
    }

    fn byte(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    }

    pub(super) fn number(&mut self, number: u64) {
        for byte in number.to_le_bytes() {
            self.byte(byte);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        for byte in bytes.iter().take(HASHED_BYTES) {
            self.byte(*byte);
        }
        for byte in bytes.iter().skip(HASHED_BYTES).rev().take(HASHED_BYTES) {
            self.byte(*byte);
        }
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// A line, made only if somebody reads it.
    pub(super) fn line(&mut self, at_us: u64, line: impl FnOnce() -> String) {
        if self.lines == Lines::None {
            return;
        }
        let text = format!("{:>10.3} {}", ms(at_us), line());
        if self.lines == Lines::Print {
            eprintln!("{text}");
        }
        self.kept.push_back(text);
        if self.kept.len() > LINES_KEPT {
            self.kept.pop_front();
        }
    }

    /// The same, where some things are not worth a line.
    pub(super) fn line_of(&mut self, at_us: u64, line: impl FnOnce() -> Option<String>) {
        if self.lines != Lines::None
            && let Some(text) = line()
        {
            self.line(at_us, || text);
        }
    }

    pub(super) fn kept(&self) -> Vec<String> {
        self.kept.iter().cloned().collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people; far below 2⁵³")]
fn ms(at_us: u64) -> f64 {
    at_us as f64 / 1_000.0
}
