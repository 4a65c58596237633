//! Engines behind one trait.

use kleene::exec::reference::{Reference, Told};
use kleene::hir::Pattern;
use kleene::{Event as _, Record, Timestamp};

/// Something that finds patterns in one key's events.
pub trait Engine {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// A fresh matcher.
    ///
    /// # Errors
    /// Why the engine refuses the pattern.
    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String>;
}

/// A matcher at work.
pub trait Session {
    /// Moves time.
    fn advance(&mut self, to: Timestamp) -> Vec<Told>;
    /// Takes the next event.
    fn push(&mut self, event: &Record) -> Vec<Told>;
}

/// [`Reference`].
#[derive(Clone, Copy, Debug)]
pub struct ReferenceEngine;

impl Engine for ReferenceEngine {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        let reference = Reference::new(pattern, Vec::new()).map_err(|error| error.to_string())?;
        Ok(Box::new(reference))
    }
}

impl Session for Reference<Record> {
    fn advance(&mut self, to: Timestamp) -> Vec<Told> {
        self.advance(to)
    }

    fn push(&mut self, event: &Record) -> Vec<Told> {
        self.push(event.clone())
    }
}

/// What a session tells of `events`, by step: the events of one time are a step, and the end of time
/// is the last one.
pub fn run(session: &mut dyn Session, events: &[Record]) -> Vec<Vec<Told>> {
    let mut steps = Vec::new();
    for same_time in events.chunk_by(|a, b| a.time() == b.time()) {
        let mut told = session.advance(same_time[0].time());
        for event in same_time {
            told.extend(session.push(event));
        }
        steps.push(told);
    }
    steps.push(session.advance(Timestamp::MAX));
    steps
}
