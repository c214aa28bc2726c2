//! See `hostile::framing` in the crate.
#![no_main]

#[path = "../../../types/fuzz/meter.rs"]
mod meter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| meter::metered(data, rota_p2p::hostile::framing));
