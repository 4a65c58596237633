//! Small data structures that the rest of the crate is built on. Nothing here knows of events.

pub(crate) mod crc;
pub(crate) mod fnv;
pub(crate) mod ids;
pub(crate) mod slab;
pub(crate) mod spread;
pub(crate) mod wire;

/// Has the processor fetch the start of a value, without waiting for it.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(value), 0);
}
