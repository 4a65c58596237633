//! Values that Java holds by a number: their address, or 0 once they are freed.

use jni::sys::jlong;

/// Gives a value to Java, until [`free`].
pub(crate) fn give<T>(value: T) -> jlong {
    let address = Box::into_raw(Box::new(value)).expose_provenance();
    jlong::try_from(address).unwrap_or(0)
}

/// Returns the value of a handle; `None` for 0.
///
/// # Safety
/// The handle is of a value of this type, which was not freed, and no other thread uses it.
pub(crate) unsafe fn borrow<'h, T>(handle: jlong) -> Option<&'h mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer::<T>(handle).as_mut() }
}

/// Frees the value of a handle; nothing for 0.
///
/// # Safety
/// As for [`borrow`], and the handle is not used any more.
pub(crate) unsafe fn free<T>(handle: jlong) {
    let value = pointer::<T>(handle);
    if !value.is_null() {
        // SAFETY: the caller's promise: `give` has made the pointer of a box.
        drop(unsafe { Box::from_raw(value) });
    }
}

fn pointer<T>(handle: jlong) -> *mut T {
    std::ptr::with_exposed_provenance_mut(usize::try_from(handle).unwrap_or(0))
}
