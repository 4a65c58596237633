//! `cargo +nightly fuzz run reorder fuzz/corpus/reorder fuzz/seeds/reorder`

#![no_main]

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "../checks/reorder.rs"]
mod check;
#[path = "../checks/made.rs"]
mod made;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
