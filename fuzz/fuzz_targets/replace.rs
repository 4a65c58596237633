//! `cargo +nightly fuzz run replace fuzz/corpus/replace fuzz/seeds/replace`

#![no_main]

#[path = "allocator.rs"]
mod allocator;
#[path = "../checks/replace.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
