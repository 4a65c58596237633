//! `cargo +nightly fuzz run cold fuzz/corpus/cold fuzz/seeds/cold`

#![no_main]

#[path = "allocator.rs"]
mod allocator;
#[path = "../checks/cold.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
