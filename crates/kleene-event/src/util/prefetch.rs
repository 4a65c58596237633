//! Has the processor fetch what will be read soon.

/// Has the processor fetch the value at `index`, or about all of it where it is large.
#[inline(always)]
pub fn prefetch_at<T>(values: &[T], index: u32) {
    prefetch_index::prefetch_index(values, index as usize);
    // Its end.
    prefetch_index::prefetch_index(values, index as usize + 1);
}

/// Prefetches the value at an address, if something is there.
#[inline(always)]
pub fn prefetch_value<T>(address: *const T) {
    prefetch_address(address);
    prefetch_address(address.wrapping_add(1).wrapping_byte_sub(1));
}

/// Has the processor fetch what is at an address, if anything is.
#[inline(always)]
pub(crate) fn prefetch_address<T>(address: *const T) {
    // Prefetching counts on from the start of any slice, with overflow.
    let base: &[u8] = &[];
    prefetch_index::prefetch_index(base, address.addr().wrapping_sub(base.as_ptr().addr()));
}

/// Has the processor fetch the start of a value, without waiting for it.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(value), 0);
}
