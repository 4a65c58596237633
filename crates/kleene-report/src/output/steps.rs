//! The captured events of a result by the names of their steps.

use std::sync::Arc;

use kleene::{Event, Match};
use kleene_event::util::order;
use smallvec::SmallVec;

use super::json::Comma;
use super::rule::RuleShape;

/// A captured event with the name of its step.
type Captured<'a, E> = (&'a Arc<str>, &'a E);

/// Writes the events by the names of their steps, in the order in which the steps were reached.
/// `write` writes an event.
pub(super) fn write_steps<E: Event>(
    line: &mut Vec<u8>,
    shape: &RuleShape,
    found: &Match<'_, E>,
    write: impl Fn(&mut Vec<u8>, &E),
) {
    let start = line.len();
    if !write_in_order(line, shape, found.captures(), &write) {
        // Events of other steps come between those of a step.
        line.truncate(start);
        let mut captured = found.captures().collect::<Vec<_>>();
        gather(&mut captured);
        write_in_order(line, shape, captured.into_iter(), &write);
    }
}

/// Writes the events in their order. Returns false if those of a step do not come one after the
/// other: the engine walks a chain for each call, and mostly one call is enough.
fn write_in_order<'a, E: 'a>(
    line: &mut Vec<u8>,
    shape: &RuleShape,
    captured: impl Iterator<Item = Captured<'a, E>>,
    write: &impl Fn(&mut Vec<u8>, &E),
) -> bool {
    let mut names: SmallVec<[&Arc<str>; 8]> = SmallVec::new();
    let mut comma = Comma::default();
    line.push(b'{');
    for (name, event) in captured {
        if names.last() == Some(&name) {
            line.push(b',');
        } else {
            if names.contains(&name) {
                return false;
            }
            if !names.is_empty() {
                line.push(b']');
            }
            shape.write_step(line, &mut comma, name);
            line.push(b'[');
            names.push(name);
        }
        write(line, event);
    }
    line.extend_from_slice(if names.is_empty() { b"}" } else { b"]}" });
    true
}

/// Brings the events of each step together, in the order in which the steps were reached.
fn gather<E>(captured: &mut [Captured<'_, E>]) {
    let mut names: SmallVec<[&Arc<str>; 8]> = SmallVec::new();
    for (name, _) in &*captured {
        if !names.contains(name) {
            names.push(name);
        }
    }
    // The sort is stable.
    order::sort_by_key(captured, |(name, _)| names.iter().position(|of| of == name));
}
