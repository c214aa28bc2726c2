//! See `bodies::files`.
#![no_main]

#[path = "../bodies.rs"]
#[expect(dead_code, reason = "a target uses one of them")]
mod bodies;
#[path = "../../../types/fuzz/meter.rs"]
mod meter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| meter::metered(data, bodies::files));
