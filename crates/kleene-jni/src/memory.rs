//! Counts the memory that the library has allocated, so that the host can bound it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

/// The system's allocator, with a count of the bytes in use.
///
/// Each thread counts for itself, and adds what it counted to the common count once it exceeds
/// `STEP`: a common counter for each allocation would pass between the processors.
#[derive(Debug)]
pub struct CountingAllocator;

/// The number of bytes by which a thread may differ from the common count.
const STEP: i64 = 64 << 10;

static USED: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

thread_local! {
    // Without a destructor: a thread that has one keeps the library from being unloaded.
    static UNCOUNTED: Cell<i64> = const { Cell::new(0) };
}

/// Returns the bytes in use; accurate to 64 KiB for each thread.
pub fn used_bytes() -> i64 {
    USED.load(Ordering::Relaxed).max(0)
}

/// Returns the most bytes that were in use at once.
pub fn peak_bytes() -> i64 {
    PEAK.load(Ordering::Relaxed).max(0)
}

#[inline]
fn count(bytes: i64) {
    UNCOUNTED.with(|uncounted| {
        let sum = uncounted.get() + bytes;
        if sum.abs() < STEP {
            uncounted.set(sum);
            return;
        }
        uncounted.set(0);
        let used = USED.fetch_add(sum, Ordering::Relaxed) + sum;
        PEAK.fetch_max(used, Ordering::Relaxed);
    });
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call goes to the system's allocator with the same arguments, and its result is
// returned as it is. Counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size) - signed(layout.size()));
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}
