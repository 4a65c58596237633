//! Typed 32-bit indices, so that a state is never taken for a condition.

/// Declares `pub struct $name(u32)` with the conversions that an index into a `Vec` needs.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $vis:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        $vis struct $name(u32);

        impl $name {
            /// The id of the thing at position `index`.
            ///
            /// # Panics
            /// If `index` does not fit in 32 bits; every table that is indexed has a smaller limit.
            #[inline]
            $vis fn new(index: usize) -> Self {
                Self(u32::try_from(index).expect("tables are limited to 2^32 entries"))
            }

            /// The position that this id stands for.
            $vis fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}
