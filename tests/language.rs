//! Rules as text and in Rust: how they are read, checked, printed and built.
//!
//! Each module is a subject. Fewer test programs mean that the generic engine is compiled fewer
//! times: fifty programs took minutes longer to build than these do.

mod builder;
mod derive;
mod diagnostics;
mod display;
mod expressions;
mod format;
mod host_functions;
mod hostile;
mod impossible;
mod mutations;
mod null;
mod portable;
mod semantics;
mod serde;
mod syntax;
mod witness;
