//! The matcher and the engine report what the reference reports, for any pattern and stream.

use std::sync::Arc;

use kleene::event::BatchBuilder;
use kleene::stream::{EngineBuilder, Output};
use kleene::{Event as _, Record, Timestamp};
use kleene_automata::exec::reference::{Reference, ReferenceOutput};
use kleene_syntax::hir::{Contiguity, ItemKind, Length, Pattern};
use kleene_test::convert;
use kleene_test::engine::{CompactEngine, Engine, GeneralEngine, MatcherEngine};
use kleene_test::random::{Built, Choices, report};

use super::made;

/// Where combinations explode, the rest of the stream is left out: the reference is slow.
const MOST_PARTIALS: usize = 16;

/// The effort of the reference after which the rest of the stream is left out.
const MOST_EFFORT: usize = 300;

/// Patterns that are larger are left out: their automata take long to build.
const MOST_STEPS: usize = 24;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(&data[..data.len().min(made::LONGEST)]);
    let [repaired, who, timeouts, repeats, shape] = choices.digits([2, 4, 2, 2, 4]);
    let stream = choices.stream();
    let pattern = match shape {
        0 | 1 => choices.pattern(),
        2 => choices.chain(),
        _ => choices.pattern_with_silences(),
    };
    if pattern.written_out() > MOST_STEPS {
        return;
    }
    // A refused pattern tests little: most patterns are repaired so that they are accepted.
    let mut pattern = if repaired == 0 { pattern.repaired() } else { pattern }.build();
    // Neither rule text nor the builder accepts this shape, so it has no defined meaning.
    if kleene_engine::pattern::refused_shape(&pattern.0).is_some() {
        return;
    }
    // The length chooses what is reported of a set, so that seeds from before keep their patterns.
    let number = u8::try_from(data.len() % 14).unwrap_or(0);
    if number < 7 {
        pattern = pattern.reporting(report::of_number(number));
    }
    pattern.0.report_timeouts = timeouts == 0;
    pattern.0.repeats = repeats == 1 && ends_with_silence(&pattern.0);
    let Ok(reference) = Reference::<Record>::new(&pattern.0, Vec::new()) else {
        assert!(made::engine(&pattern.0, false).build().is_err(), "{pattern:?} is not refused");
        return;
    };
    let seen = Expected::of(reference, &stream.0);
    match who {
        0 => by_matcher(&MatcherEngine, &pattern, &stream.0, &seen),
        1 => {
            by_matcher(&GeneralEngine, &pattern, &stream.0, &seen);
            by_matcher(&CompactEngine, &pattern, &stream.0, &seen);
        }
        other => by_engine(other == 2, &pattern, &stream.0, &seen),
    }
}

/// True if the pattern ends with a `not` for a time, which can be reported again and again.
fn ends_with_silence(pattern: &Pattern) -> bool {
    !pattern.skip.ordered
        && pattern.body.items.last().is_some_and(|last| {
            matches!(last.kind, ItemKind::Not { .. })
                && last.contiguity != Contiguity::Next
                && last.gap.is_some_and(|gap| gap.max.is_some_and(|max| max != Length::ZERO))
        })
}

/// The outputs of the reference: with each event that it reads, and at the end.
struct Expected {
    with_event: Vec<Vec<ReferenceOutput>>,
    at_end: Vec<ReferenceOutput>,
}

impl Expected {
    fn of(mut reference: Reference<Record>, events: &[Record]) -> Expected {
        let mut with_event = Vec::new();
        for event in events {
            let mut reported = reference.advance(event.time());
            reported.extend(reference.push(event.clone()));
            with_event.push(reported);
            if reference.partial_count() > MOST_PARTIALS || reference.effort() > MOST_EFFORT {
                break;
            }
        }
        Expected { with_event, at_end: reference.finish() }
    }
}

fn by_matcher(engine: &dyn Engine, pattern: &Built, events: &[Record], expected: &Expected) {
    let mut matcher = match engine.start(&pattern.0) {
        Ok(matcher) => matcher,
        // The reference has no limits.
        Err(reason) if reason.contains("exceeds the limits") => return,
        Err(reason) => panic!("{pattern:?} is refused: {reason}"),
    };
    for (number, (event, expected)) in events.iter().zip(&expected.with_event).enumerate() {
        let mut reported = matcher.advance(event.time());
        reported.extend(matcher.push(event));
        assert_eq!(&reported, expected, "{pattern:?}: event {number}");
    }
    assert_eq!(matcher.finish(), expected.at_end, "{pattern:?}: the end");
}

fn by_engine(indexed: bool, pattern: &Built, events: &[Record], expected: &Expected) {
    let builder = made::engine(&pattern.0, false);
    let builder = if indexed { builder } else { builder.without_index() };
    let mut engine = match builder.build() {
        Ok(engine) => engine,
        Err(reason) if reason.to_string().contains("exceeds the limits") => return,
        Err(reason) => panic!("{pattern:?} is refused: {reason}"),
    };
    let mut outputs = Vec::new();
    for event in &events[..expected.with_event.len()] {
        engine.push(event, &mut outputs).expect("it is not finished");
    }
    let _ = engine.end_time(&mut outputs);
    let seen = &events[..expected.with_event.len()];
    assert_eq!(by_columns(made::engine(&pattern.0, false), seen), outputs, "{pattern:?}: columns");
    let expected: Vec<Line> = expected
        .with_event
        .iter()
        .flatten()
        .chain(&expected.at_end)
        .map(|reported| line(pattern, reported, events))
        .collect();
    assert_eq!(lines(&outputs), expected, "{pattern:?}: the engine");
}

/// Returns the outputs for events that come in batches of columns, two events each.
fn by_columns(builder: EngineBuilder<Record>, events: &[Record]) -> Vec<Output<Record>> {
    let mut engine = builder.build().expect("it was built before");
    let (mut batch, mut outputs) = (BatchBuilder::new(), Vec::new());
    for some in events.chunks(2) {
        for event in some {
            batch.copy_record(&convert::schema(), event);
        }
        engine.push_columns(&batch.finish(), &mut outputs).expect("it is not finished");
    }
    let _ = engine.end_time(&mut outputs);
    outputs
}

fn line(pattern: &Built, reported: &ReferenceOutput, events: &[Record]) -> Line {
    let captures = reported.captures.iter().map(|(step, number)| {
        (pattern.0.steps[step.index()].name.clone(), events[*number].clone())
    });
    (reported.is_match, reported.at, captures.collect(), reported.set.count)
}

/// A match or a timeout: whether it is a match, when it is reported, what it captured, and how many
/// matches its set has.
type Line = (bool, Timestamp, Vec<(Arc<str>, Record)>, u64);

/// The matches and timeouts of what an engine reported.
fn lines(outputs: &[Output<Record>]) -> Vec<Line> {
    let line = |output: &Output<Record>| match output {
        Output::Match(found) => {
            Some((true, found.reported_at, found.captures.clone(), found.count))
        }
        Output::Timeout(timeout) => {
            let found = &timeout.found;
            Some((false, found.reported_at, found.captures.clone(), found.count))
        }
        _ => None,
    };
    outputs.iter().filter_map(line).collect()
}
