#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    kubesso_fuzz::run("claims_parameter", data);
});
