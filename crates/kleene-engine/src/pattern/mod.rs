//! Patterns that are built in Rust, with closures as conditions: `kleene::pattern` shows how.

mod builder;
mod captured;
mod compiled;
mod draft;
mod error;
mod lower;
mod shapes;
mod step_keys;

pub use builder::{AnyEvent, Only, PatternBuilder, View};
pub use captured::Captured;
pub use compiled::Pattern;
pub(crate) use draft::HostKey;
pub use draft::Repetitions;
pub use error::PatternError;
pub use shapes::refused_shape;

#[doc(inline)]
pub use kleene_syntax::hir::{LimitPolicy, Report, StepId};
