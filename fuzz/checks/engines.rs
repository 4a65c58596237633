//! The matcher and the engine tell of any pattern and stream what the reference tells.

use std::sync::Arc;

use kleene::exec::reference::{Reference, Told};
use kleene::stream::Output;
use kleene::{Event as _, Record, Timestamp};
use kleene_test::engine::{Engine as _, MatcherEngine};
use kleene_test::random::{Built, Choices};

use super::made;

/// Where combinations explode, the rest of the stream is left out: the reference is slow.
const MOST_PARTIALS: usize = 100;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(data);
    let (stream, pattern) = (choices.stream(), choices.pattern());
    compare(&pattern.build(), &stream.0);
    compare(&pattern.repaired().build(), &stream.0);
}

fn compare(pattern: &Built, events: &[Record]) {
    let reference = Reference::<Record>::new(&pattern.0, Vec::new());
    let (mut reference, mut matcher) = match (reference, MatcherEngine.start(&pattern.0)) {
        (Ok(reference), Ok(matcher)) => (reference, matcher),
        // The reference has no limits.
        (_, Err(reason)) if reason.contains("beyond the limits") => return,
        (reference, matcher) => {
            let refused = (reference.err(), matcher.err());
            assert!(refused.0.is_some() && refused.1.is_some(), "{pattern:?}: {refused:?}");
            return;
        }
    };
    let mut expected = Vec::new();
    let mut looked_at = 0;
    for event in events {
        let mut told = reference.advance(event.time());
        told.extend(Reference::push(&mut reference, event.clone()));
        let mut by_matcher = matcher.advance(event.time());
        by_matcher.extend(matcher.push(event));
        assert_eq!(by_matcher, told, "{pattern:?}: event {looked_at}");
        expected.extend(told);
        looked_at += 1;
        if reference.partial_count() > MOST_PARTIALS {
            break;
        }
    }
    let told = reference.finish();
    assert_eq!(matcher.finish(), told, "{pattern:?}: the end");
    expected.extend(told);

    let mut engine = made::engine(&pattern.0, false).build().expect("the matcher runs it");
    let mut outputs = Vec::new();
    for event in &events[..looked_at] {
        engine.push(event, &mut outputs).expect("it is not finished");
    }
    engine.finish(&mut outputs);
    let expected: Vec<Line> = expected.iter().map(|told| line(pattern, told, events)).collect();
    assert_eq!(lines(&outputs), expected, "{pattern:?}: the engine");
}

fn line(pattern: &Built, told: &Told, events: &[Record]) -> Line {
    let captures = told.captures.iter().map(|(stage, number)| {
        (pattern.0.stages[stage.index()].name.clone(), events[*number].clone())
    });
    (told.is_match, told.at, captures.collect())
}

/// A match or a timeout: whether it is a match, when it is told, and what it captured.
type Line = (bool, Timestamp, Vec<(Arc<str>, Record)>);

/// The matches and timeouts of what an engine told.
fn lines(outputs: &[Output<Record>]) -> Vec<Line> {
    let line = |output: &Output<Record>| match output {
        Output::Match(found) => Some((true, found.end, found.events.clone())),
        Output::Timeout(timeout) => Some((false, timeout.found.end, timeout.found.events.clone())),
        _ => None,
    };
    outputs.iter().filter_map(line).collect()
}
