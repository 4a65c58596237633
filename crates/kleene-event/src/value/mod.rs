//! The values that events hold and expressions compute: [`Value`] owns, [`ValueRef`] borrows,
//! [`ValueCow`] does either, [`Kind`] is a set of types.

mod access;
mod cow;
#[cfg(feature = "serde")]
mod decode;
mod kind;
mod list;
#[cfg(feature = "serde")]
mod serial;
mod values;
pub mod wire;

pub use access::named;
pub use cow::ValueCow;
#[cfg(feature = "serde")]
pub use decode::DecodeError;
pub use kind::Kind;
pub use list::ListRef;
pub use values::{Items, Same, Value, ValueRef, canonical_bits, equal_int, int_part};
