//! See `bodies::transactions`.
#![no_main]

#[path = "../bodies.rs"]
#[expect(dead_code, reason = "a target uses one of them")]
mod bodies;
#[path = "../meter.rs"]
mod meter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| meter::metered(data, bodies::transactions));
