//! `cargo +nightly fuzz run shards fuzz/corpus/shards fuzz/seeds/shards`

#![no_main]

#[path = "allocator.rs"]
mod allocator;
#[path = "../checks/shards.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
