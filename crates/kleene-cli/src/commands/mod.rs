//! The commands, one a file.

mod check;
mod run;

pub(crate) use check::check;
pub(crate) use run::run;
