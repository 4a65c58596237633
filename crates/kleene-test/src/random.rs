//! Random patterns and streams for property tests.
//!
//! A [`RandomPattern`] is a plain tree that proptest can shrink; [`RandomPattern::build`] makes a
//! pattern of it over the events of [`crate::convert::schema`].

mod any;
mod build;
mod chain;
mod choices;
mod operands;
mod pattern;
mod repair;
pub mod report;
mod silences;
mod stream;

use proptest::prelude::*;

pub use self::any::pattern;
pub use self::build::Built;
pub use self::chain::chain;
pub use self::choices::Choices;
pub use self::operands::with_operands;
pub use self::pattern::RandomPattern;
pub use self::silences::with_silences;
pub use self::stream::{Stream, TYPES, stream};

/// Patterns of any kind that can be run, mostly.
pub fn runnable() -> impl Strategy<Value = Built> {
    let any = pattern().prop_map(|pattern| pattern.repaired().build());
    prop_oneof![3 => any, 1 => chain().prop_map(|pattern| pattern.build())]
}
