//! `cargo +nightly fuzz run csv fuzz/corpus/csv fuzz/seeds/csv`

#![no_main]

#[path = "../checks/csv.rs"]
mod check;
#[path = "../checks/input.rs"]
mod input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
