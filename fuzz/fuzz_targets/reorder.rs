//! `cargo +nightly fuzz run reorder fuzz/corpus/reorder fuzz/seeds/reorder`

#![no_main]

#[path = "allocator.rs"]
mod allocator;
#[path = "../checks/reorder.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
