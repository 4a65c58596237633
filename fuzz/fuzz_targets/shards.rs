//! `cargo +nightly fuzz run shards fuzz/corpus/shards fuzz/seeds/shards`

#![no_main]

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "../checks/shards.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
