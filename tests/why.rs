//! A tracer reports for each key what an engine finds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kleene::stream::Output;
use kleene::{Engine, Event, Pattern, Record, RuleSet, Timestamp, Value};
use kleene_explain::testing::{TestBlock, TestStep};
use kleene_explain::why::{Cause, Fate, Tracer};

/// The inputs of both.
enum Input {
    Event(Record),
    Advance(Timestamp),
}

fn inputs(test: &TestBlock) -> Vec<Input> {
    let steps = test.steps.iter().filter_map(|step| match step {
        TestStep::Event { ty, at, values, extra } => {
            Some(Input::Event(Record::with_extra(*ty, *at, values.clone(), extra.clone())))
        }
        TestStep::Advance(to) => Some(Input::Advance(*to)),
        TestStep::Expect(_) => None,
    });
    steps.collect()
}

/// A key as it is typed.
fn typed(key: &[(Arc<str>, Value)]) -> Vec<String> {
    let parts = key.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    });
    parts.collect()
}

/// Follows each key that an engine reported something of; gives how many there were.
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn compare(rules: &RuleSet, test: &TestBlock, place: &str, late: Option<Duration>) -> usize {
    let builder = Engine::builder().rules(rules);
    let builder = match late {
        Some(late) => builder.out_of_order(late),
        None => builder,
    };
    let mut engine = builder.build().expect("they can be run");
    let mut reported: Vec<Output<Record>> = Vec::new();
    let inputs = inputs(test);
    for input in &inputs {
        match input {
            Input::Event(event) => {
                if engine.push(event, &mut reported).is_err() {
                    // A limit of some rule of the file ends the run (`fail`).
                    return 0;
                }
            }
            Input::Advance(to) => {
                if engine.advance(*to, &mut reported).is_err() {
                    return 0;
                }
            }
        }
    }
    if engine.end_time(&mut reported).is_err() {
        return 0;
    }
    let found = reported.iter().filter_map(|output| match output {
        Output::Match(found) => Some(("match", found)),
        Output::Suppressed(found) => Some(("suppressed", found)),
        Output::Filtered(found) => Some(("filtered", found)),
        Output::Timeout(expired) => Some(("timeout", &expired.found)),
        _ => None,
    });
    let found: Vec<_> = found
        .filter(|(_, found)| *found.rule == *test.rule)
        .map(|(kind, found)| (typed(&found.key), kind, found.reported_at, found.emit.clone()))
        .collect();
    let keys: BTreeSet<Vec<String>> = found.iter().map(|(key, ..)| key.clone()).collect();
    let limited = rules.rule(&test.rule).expect("it is there").limit.is_some();
    for key in &keys {
        let mut tracer: Tracer<Record> =
            Tracer::new(rules, &test.rule, key).expect("the key is of its form");
        if let Some(late) = late {
            tracer = tracer.out_of_order(late);
        }
        for input in &inputs {
            match input {
                Input::Event(event) => tracer.push(event, None),
                Input::Advance(to) => tracer.advance(*to),
            }
        }
        tracer.end_time();
        let effects = tracer.entries().flat_map(|entry| &entry.effects);
        let mut reported: Vec<_> = effects
            .filter_map(|effect| effect.reported.as_ref())
            .filter(|reported| reported.not_chosen.is_none())
            .map(|reported| {
                let kind = match (reported.is_timeout, reported.is_suppressed) {
                    _ if reported.is_filtered => "filtered",
                    (true, _) => "timeout",
                    (false, true) => "suppressed",
                    (false, false) => "match",
                };
                (kind, reported.at, reported.emit.to_string())
            })
            .collect();
        let mut expected: Vec<_> = found
            .iter()
            .filter(|(of, ..)| of == key)
            .map(|(_, kind, at, emit)| (*kind, *at, emit.to_string()))
            .collect();
        reported.sort();
        expected.sort();
        let story = tracer.story();
        assert_eq!(reported, expected, "{place}, key {key:?}:\n{story}");
        // Everything that happens has a reason.
        for entry in tracer.entries() {
            for effect in &entry.effects {
                let is_explained = match &effect.fate {
                    Fate::Overflow => limited,
                    Fate::RanOut { bound, .. } => !bound.is_empty(),
                    Fate::Broken(mismatches) => !mismatches.is_empty(),
                    Fate::Stopped { by, .. } => !by.is_empty(),
                    _ => true,
                };
                assert!(is_explained, "{place}, key {key:?}: {effect:?}\n{story}");
            }
            let is_silent = matches!(entry.cause, Cause::Event(_)) && entry.effects.is_empty();
            assert!(!is_silent, "{place}, key {key:?}: {entry:?}");
        }
    }
    keys.len()
}

#[test]
fn every_match_and_timeout_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compared = 0;
    let mut open = vec![root.join("testdata/suite"), root.join("patterns")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("it can be listed");
            open.extend(entries.map(|entry| entry.expect("it can be listed").path()));
        } else if path.extension().is_some_and(|extension| extension == "cep") {
            let name = path.display().to_string();
            let rules = RuleSet::from_path(&path).unwrap_or_else(|error| panic!("{error}"));
            for test in rules.tests() {
                let place = format!("{name}:{}", test.line());
                compared += compare(&rules, test, &place, None);
                // Results that wait for late events, and events that are put in order.
                compared += compare(&rules, test, &place, Some(Duration::from_secs(3)));
            }
        }
    }
    assert!(compared > 100, "{compared} keys");
}

#[derive(Clone, Event)]
struct Login {
    user: String,
    ok: bool,
    at: Timestamp,
}

#[test]
fn a_pattern_that_was_built_in_rust_is_explained() {
    let pattern = Pattern::<Login>::begin("fail")
        .when(|login| !login.ok)
        .followed_by("hit")
        .when(|login| login.ok)
        .key("user")
        .build()
        .expect("it can be built");
    let mut tracer = Tracer::of_pattern(&pattern, ["ann"]).expect("it has this key");
    for (second, user, ok) in [(1, "ann", false), (2, "bob", true), (3, "ann", true)] {
        let at = Timestamp::from_millis(1000 * second);
        tracer.push(&Login { user: user.to_owned(), ok, at }, None);
    }
    tracer.end_input();
    assert_eq!((tracer.counts().of_key, tracer.counts().matches), (2, 1));
    let effects = tracer.entries().flat_map(|entry| &entry.effects);
    let results: Vec<_> = effects.filter_map(|effect| effect.reported.as_ref()).collect();
    assert!(matches!(results[..], [only] if !only.is_timeout), "{results:?}");
    assert!(Tracer::of_pattern(&pattern, ["ann", "bob"]).is_err());
}
