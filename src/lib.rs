//! Kleene finds patterns of events over time.

pub mod diagnostic;
pub mod event;
pub mod exec;
pub mod hir;
pub mod nfa;
pub mod schema;
pub mod stream;
pub mod syntax;
pub mod time;
mod util;
pub mod value;

pub use event::{Event, Record};
pub use time::Timestamp;
pub use value::{Value, ValueRef};
