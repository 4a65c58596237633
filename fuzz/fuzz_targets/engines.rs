//! `cargo +nightly fuzz run engines fuzz/corpus/engines fuzz/seeds/engines`

#![no_main]

#[path = "allocator.rs"]
mod allocator;
#[path = "../checks/engines.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
