//! Code that Kleene's tests share: the recorded cases of Flink CEP, random patterns and streams,
//! and engines behind one trait.
//!
//! * [`mod@format`] reads the files of `testdata/conformance`.
//! * [`convert`] turns a case into a pattern, [`text`] a pattern into a rule.
//! * [`engine`] runs the events of a case through an engine.
//! * [`files`] finds rule files, and files of cases.
//! * [`judge`] compares what it reported with what was recorded.
//! * [`one_stream`] puts all cases into one rule file and one stream, and judges results from files.
//! * [`pages`] finds the fenced blocks of the documentation.
//! * [`random`] makes patterns and streams for property tests.
//! * [`restore`] compares restored engines with engines that never stopped.
//! * [`shelf`] is a cold store in memory.
//! * [`steps`] makes up what goes into them.

#![forbid(unsafe_code)]

pub mod convert;
pub mod engine;
pub mod files;
pub mod format;
pub mod judge;
pub mod known;
pub mod one_stream;
pub mod pages;
pub mod random;
pub mod restore;
pub mod shelf;
pub mod steps;
pub mod text;
