//! `cargo +nightly fuzz run jsonl fuzz/corpus/jsonl fuzz/seeds/jsonl`

#![no_main]

#[path = "../checks/jsonl.rs"]
mod check;
#[path = "../checks/input.rs"]
mod input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
