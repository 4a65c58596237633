//! `cargo +nightly fuzz run parse fuzz/corpus/parse fuzz/seeds/parse`

#![no_main]

#[path = "../checks/parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
