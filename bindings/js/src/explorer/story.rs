//! The story of an event's key.

use kleene_explain::why::{Cause, Entry, Tracer, key_of};
use serde_json::Value as Json;

use super::Explorer;
use crate::fault::Fault;
use crate::why::{bounded, end, of_trace, story};
use kleene_wasm_engine::Indexed;

impl Explorer {
    /// Why a rule did or did not match for the key of an event.
    ///
    /// # Errors
    /// There is no such event, the rule does not see it, or there is no run.
    pub fn why(&self, rule: &str, event: usize) -> Result<Json, Fault> {
        let (decoded, run) = self.parts()?;
        let of = &run.rules[run.rule(rule)?];
        let record = decoded.record(event).filter(|_| event < run.done).ok_or_else(|| {
            Fault::options(format!("{event} is not an event of a type that the rules declare"))
        })?;
        let key = key_of(of, record).ok_or_else(|| {
            Fault::options(format!(
                "the rule `{rule}` does not see event {event}, or it has no key"
            ))
        })?;
        let tracer: Tracer<Indexed> =
            Tracer::of_key(&run.set, rule, &key).map_err(|error| of_trace(&error))?;
        let mut tracer = bounded(tracer, &run.options)?;
        for index in 0..run.done {
            if let Some(record) = decoded.record(index) {
                let event = Indexed::new(record, u32::try_from(index).unwrap_or(u32::MAX));
                kleene_wasm_engine::trace(
                    &mut tracer,
                    &event,
                    Some(decoded.line_number(index).into()),
                );
            }
        }
        if run.is_finished {
            end(&mut tracer, &run.options);
        }
        Ok(story(&tracer, |entry| decoded.index_of_line(line_of(entry)?)))
    }
}

/// The line of the event of an entry.
fn line_of(entry: &Entry) -> Option<u64> {
    match &entry.cause {
        Cause::Event(event)
        | Cause::Unseen(event)
        | Cause::Rejected(event)
        | Cause::Late { event, .. } => event.line,
        _ => None,
    }
}
