//! From pages of results to files and webhooks.

pub(crate) mod file;
