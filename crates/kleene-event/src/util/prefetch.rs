//! Has the processor fetch what will be read soon.
//!
//! `prefetch_address` holds the only `unsafe` block of the library. Rejected: the crate
//! `prefetch-index`, whose safe function takes a slice and an index. Given an empty slice and an
//! index that wraps to any address, it forbids `unsafe` in the letter only, and relies on what the
//! crate does not promise.

/// Has the processor fetch the value at `index`, or about all of it where it is large.
#[inline(always)]
pub fn prefetch_at<T>(values: &[T], index: u32) {
    let start = values.as_ptr().wrapping_add(index as usize);
    prefetch_address(start);
    // Its end.
    prefetch_address(start.wrapping_add(1));
}

/// Prefetches the value at an address, if something is there.
#[inline(always)]
pub fn prefetch_value<T>(address: *const T) {
    prefetch_address(address);
    prefetch_address(address.wrapping_add(1).wrapping_byte_sub(1));
}

/// Has the processor fetch the start of a value, without waiting for it.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    prefetch_address(value);
}

/// Has the processor fetch what is at an address, if anything is. It does nothing on processors
/// other than x86-64 and `AArch64`.
#[inline(always)]
#[cfg_attr(
    any(all(target_arch = "x86_64", target_feature = "sse"), target_arch = "aarch64"),
    expect(unsafe_code, reason = "a hint to the processor has no safe function")
)]
pub(crate) fn prefetch_address<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    // SAFETY: the instruction is a hint. It never faults, whatever the address, and changes nothing
    // that the program can see: it neither reads into a register nor writes. SSE is there.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: `prfm` is a hint. It never faults, whatever the address, and changes neither
    // registers, flags, the stack nor memory.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    }
    #[cfg(not(any(all(target_arch = "x86_64", target_feature = "sse"), target_arch = "aarch64")))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hint for an address where nothing is must not fault.
    #[test]
    fn any_address_may_be_prefetched() {
        let values = [1_u64; 4];
        prefetch(&values[0]);
        for index in [0, 3, 4, u32::MAX] {
            prefetch_at(&values, index);
        }
        for address in [0, 1, usize::MAX / 2, usize::MAX] {
            prefetch_value(std::ptr::without_provenance::<[u8; 4096]>(address));
        }
        assert_eq!(values, [1; 4]);
    }
}
