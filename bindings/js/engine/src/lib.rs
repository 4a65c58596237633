//! What events go through in the module for JavaScript.
//!
//! The engine is generic over events: it is compiled in the crate that uses it. This crate keeps
//! most of its speed, and all else of the module is as small as can be (`[profile.wasm]` in the
//! workspace). Whatever pushes events calls these functions. A call of the engine itself would give
//! the same results, but it would be a second copy of the engine, and a slow one.

#![forbid(unsafe_code)]

mod indexed;

use kleene::stream::{Engine, PushError};
use kleene::{RuleSet, Sink, Timestamp};
use kleene_explain::why::Tracer;
use kleene_report::test_report::{self, TestRun};

pub use indexed::Indexed;

/// Pushes an event.
///
/// # Errors
/// As [`Engine::push`].
pub fn push(
    engine: &mut Engine<Indexed>,
    event: &Indexed,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), PushError> {
    engine.push(event, sink)
}

/// Moves time on.
///
/// # Errors
/// As [`Engine::advance`].
pub fn advance(
    engine: &mut Engine<Indexed>,
    to: Timestamp,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), PushError> {
    engine.advance(to, sink)
}

/// Ends the input for now.
///
/// # Errors
/// As [`Engine::end_input`].
pub fn end_input(
    engine: &mut Engine<Indexed>,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), PushError> {
    engine.end_input(sink)
}

/// Ends time.
///
/// # Errors
/// As [`Engine::end_time`].
pub fn end_time(
    engine: &mut Engine<Indexed>,
    sink: &mut dyn Sink<Indexed>,
) -> Result<(), PushError> {
    engine.end_time(sink)
}

/// Runs the tests of the rules that are wanted.
pub fn test<'a>(rules: &'a RuleSet, is_wanted: &mut dyn FnMut(&str) -> bool) -> Vec<TestRun<'a>> {
    test_report::run::<Indexed>(rules, is_wanted)
}

/// Pushes an event to a tracer.
pub fn trace(tracer: &mut Tracer<Indexed>, event: &Indexed, line: Option<u64>) {
    tracer.push(event, line);
}

/// Moves the time of a tracer on.
pub fn advance_tracer(tracer: &mut Tracer<Indexed>, to: Timestamp) {
    tracer.advance(to);
}

/// Ends the time of a tracer.
pub fn end_tracer_time(tracer: &mut Tracer<Indexed>) {
    tracer.end_time();
}

/// Ends the input of a tracer.
pub fn end_tracer_input(tracer: &mut Tracer<Indexed>) {
    tracer.end_input();
}
