//! The commands, one a file.

mod check;
mod completions;
mod explain;
mod fmt;
mod infer;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod test;
mod why;

pub(crate) use check::check;
pub(crate) use completions::completions;
pub(crate) use explain::explain;
pub(crate) use fmt::fmt;
pub(crate) use infer::infer;
pub(crate) use run::run;
#[cfg(feature = "serve")]
pub(crate) use serve::serve;
pub(crate) use test::test;
pub(crate) use why::why;
