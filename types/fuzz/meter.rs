//! Runs a fuzz body and fails if it takes more memory than its input can excuse.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What any body may take, whatever its input.
const FREE_BYTES: usize = 8 * 1024 * 1024;
/// What each byte of input may cost: a decoded value is larger than its encoding, and is encoded
/// again to compare.
const BYTES_PER_BYTE: usize = 256;

/// One execution.
pub fn metered(data: &[u8], body: fn(&[u8])) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    body(data);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    let allowed = FREE_BYTES + data.len() * BYTES_PER_BYTE;
    assert!(taken <= allowed, "{taken} bytes of memory for {} of input", data.len());
}
