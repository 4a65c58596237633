//! What Kleene's tests share: the recorded cases of Flink CEP, random patterns and streams, and
//! engines behind one trait.
//!
//! * [`format`] reads the files of `testdata/conformance`.
//! * [`convert`] turns a case into a pattern.
//! * [`engine`] runs the events of a case through an engine.
//! * [`judge`] compares what it told with what was recorded.

pub mod convert;
pub mod engine;
pub mod format;
pub mod judge;
pub mod known;
