//! Kleene for JavaScript: what `bindings/js` is made of.
//!
//! Results cross as JSON, columns as typed arrays, failures as JSON of a [`Fault`](fault::Fault).
//! `core.js` makes of them what `index.d.ts` promises. Nothing here has a clock, a thread or a file.

#![forbid(unsafe_code)]

#[cfg(feature = "bench")]
pub mod bench;
pub mod engine;
pub mod explorer;
pub mod exports;
pub mod fault;
pub mod infer;
pub mod input;
pub mod options;
pub mod rules;
pub mod run;
pub mod summary;
pub mod text;
pub mod why;
