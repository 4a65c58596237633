//! The allocator of targets that allocate much: faster than the system's, which a sanitizer needs.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
