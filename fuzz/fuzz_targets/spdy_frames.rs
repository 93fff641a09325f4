#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    kubesso_fuzz::run("spdy_frames", data);
});
