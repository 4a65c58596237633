//! Sets of matches: random patterns with every `report` over random streams.
//!
//! The matcher reports what the reference reports, the text of a rule says what its pattern says,
//! and each `report` is what its definition says of `report all`.

use kleene::{Engine as Stream, Event as _, Record, RuleSet, Timestamp, on_match};
use kleene_automata::exec::reference::{Reference, ReferenceOutput};
use kleene_engine::pattern::refused_shape;
use kleene_syntax::hir::Report;
use kleene_test::engine::{Engine, GeneralEngine, MatcherEngine, Session, TextEngine};
use kleene_test::random::report::report;
use kleene_test::random::{self, Built};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::convert::identity;

/// Where combinations explode, the reference would take for ever: the rest of the stream is left
/// out.
const MOST_PARTIALS: usize = 1500;

/// How the matcher says that a pattern is beyond its limits; the reference has none.
const TOO_LARGE: &str = "exceeds the limits";

/// A matcher, if the pattern is within its limits.
fn start(engine: &dyn Engine, pattern: &Built) -> Result<Option<Box<dyn Session>>, TestCaseError> {
    match engine.start(&pattern.0) {
        Ok(session) => Ok(Some(session)),
        Err(reason) if reason.contains(TOO_LARGE) => Ok(None),
        Err(reason) => Err(TestCaseError::fail(reason)),
    }
}

/// True if both matchers report what the reference reports: which matches, in which order, with
/// which counts and totals.
fn reports_what_the_reference_reports(
    pattern: &Built,
    events: &[Record],
) -> Result<(), TestCaseError> {
    let mut reference = Reference::<Record>::new(&pattern.0, Vec::new())
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Some(mut matcher) = start(&MatcherEngine, pattern)? else { return Ok(()) };
    let Some(mut general) = start(&GeneralEngine, pattern)? else { return Ok(()) };
    // What the language has no words for, or refuses, is left out.
    let read = TextEngine::read_back(&pattern.0).ok();
    let mut text = read.and_then(|read| MatcherEngine.start(&read).ok());
    // Which partial match of a refused shape runs out of time is not defined.
    let defined = if refused_shape(&pattern.0).is_some() { matches } else { identity };
    for (number, event) in events.iter().enumerate() {
        let expected = defined(reference.advance(event.time()));
        let time = event.time();
        prop_assert_eq!(&defined(matcher.advance(time)), &expected, "time, event {}", number);
        prop_assert_eq!(&defined(general.advance(time)), &expected, "general, time {}", number);
        let expected = defined(Session::push(&mut reference, event));
        prop_assert_eq!(&defined(matcher.push(event)), &expected, "event {}", number);
        prop_assert_eq!(&defined(general.push(event)), &expected, "general, event {}", number);
        if let Some(text) = &mut text {
            text.advance(event.time());
            prop_assert_eq!(matches(text.push(event)), matches(expected), "text, event {}", number);
        }
        if reference.partial_count() > MOST_PARTIALS {
            return Ok(());
        }
    }
    let expected = defined(reference.finish());
    prop_assert_eq!(&defined(matcher.finish()), &expected, "the end");
    prop_assert_eq!(&defined(general.finish()), &expected, "general, the end");
    if let Some(text) = &mut text {
        prop_assert_eq!(matches(text.finish()), matches(expected), "text, the end");
    }
    Ok(())
}

/// The matches among outputs: the text of a rule has timeouts where a bound is written.
fn matches(mut reported: Vec<ReferenceOutput>) -> Vec<ReferenceOutput> {
    reported.retain(|one| one.is_match);
    reported
}

/// Returns the matches that `report` chooses of a set, by its definition.
fn chosen(report: Report, set: &[ReferenceOutput]) -> Vec<ReferenceOutput> {
    let length = |one: &&ReferenceOutput| one.captures.len();
    let (first, last) = (set.first(), set.last());
    let one = match report {
        Report::All => return set.to_vec(),
        Report::First(most) => return set.iter().take(most.get() as usize).cloned().collect(),
        Report::Last(most) => {
            let most = most.get() as usize;
            return set[set.len().saturating_sub(most)..].to_vec();
        }
        Report::Count => first,
        // The first of the longest ones: later ones have to be longer to win.
        Report::Longest => set.iter().fold(first, |best, one| {
            if Some(length(&one)) > best.as_ref().map(length) { Some(one) } else { best }
        }),
        Report::Shortest => set.iter().rev().fold(last, |best, one| {
            if Some(length(&one)) <= best.as_ref().map(length) { Some(one) } else { best }
        }),
    };
    one.cloned().into_iter().collect()
}

/// True if each `report` reports what its definition says of what `report all` reports.
fn chooses_among_all(pattern: &Built, events: &[Record]) -> Result<(), TestCaseError> {
    let all = pattern.clone().reporting(Report::All);
    let (Some(mut all), Some(mut some)) =
        (start(&MatcherEngine, &all)?, start(&MatcherEngine, pattern)?)
    else {
        return Ok(());
    };
    let compare = |all: Vec<ReferenceOutput>, some: Vec<ReferenceOutput>| {
        let mut expected = Vec::new();
        // A set is of one moment; timeouts of the moment come before it.
        for moment in all.chunk_by(|a, b| (a.at, a.is_match) == (b.at, b.is_match)) {
            let [one, ..] = moment else { continue };
            if !one.is_match {
                expected.extend_from_slice(moment);
                continue;
            }
            prop_assert!(moment.iter().all(|one| one.set.count == moment.len() as u64));
            expected.extend(chosen(pattern.0.report, moment));
        }
        prop_assert_eq!(some, expected);
        Ok(())
    };
    let mut known = 0;
    for event in events {
        compare(all.advance(event.time()), some.advance(event.time()))?;
        let reported = all.push(event);
        known += reported.len();
        compare(reported, some.push(event))?;
        if known > MOST_PARTIALS {
            return Ok(());
        }
    }
    let last = events.last().map_or(0, |event| event.time().as_millis());
    let after = Timestamp::from_millis(last + 100);
    compare(all.advance(after), some.advance(after))
}

/// Returns the outputs of two keys whose silences of several matches are over at one moment: for
/// each result its key, the count, the total, and where the matches of its listing start.
fn of_one_deadline(report: &str) -> Vec<(String, u64, String, Vec<i64>)> {
    let rules = RuleSet::parse(&format!(
        "event a {{ k: string, v: int, at: time }}
         event b {{ k: string, at: time }}
         rule r {{ key k  match a as x -> any a as y -> not b for 10s  within 1m  skip none
           report {report}  emit {{ sum: matches.sum(x.v) }} }}"
    ))
    .unwrap_or_else(|error| panic!("{error}"));
    let mut engine = Stream::builder().rules(&rules).build().expect("it can be run");
    let mut found = Vec::new();
    let mut sink = on_match(|one: kleene::Match<'_, Record>| {
        let (mut listing, mut starts) = (one.set().listing(), Vec::new());
        while let Some(listed) = listing.next_match() {
            assert_eq!(listed.captures().len(), 2);
            starts.push(listed.first_event_at().as_millis() / 1000);
        }
        let key = one.key_values().map(|(_, value)| value.to_string()).collect();
        found.push((key, one.set().count(), one.to_record().to_string(), starts));
    });
    for (second, key, v) in
        [(1, "p", 1), (2, "q", 5), (3, "p", 2), (3, "q", 6), (4, "p", 3), (4, "q", 7)]
    {
        let at = Timestamp::from_millis(second * 1000);
        let fields = [("k", key.into()), ("v", v.into()), ("at", at.into())];
        let event = Record::from_fields(rules.schema(), "a", fields).expect("it is declared");
        engine.push(&event, &mut sink).expect("no limit fails");
    }
    engine.advance(Timestamp::from_millis(60_000), &mut sink).expect("no limit fails");
    found
}

#[test]
fn sets_of_several_keys_at_one_deadline_are_apart() {
    let line = |key: &str, count, sum, starts: &[i64]| {
        (format!("\"{key}\""), count, format!("{{ sum: {sum} }}"), starts.to_vec())
    };
    // At 13 s one pair of each key, at 14 s two; the last events are those of 3 s and 4 s.
    let (p, q) = (line("p", 2, 3, &[1, 3]), line("q", 2, 11, &[2, 3]));
    let first = [line("p", 1, 1, &[1]), line("q", 1, 5, &[2])];
    let all = of_one_deadline("all");
    assert_eq!(all[..2], first);
    assert_eq!(all[2..], [p.clone(), q.clone(), p.clone(), q.clone()]);
    for report in ["count", "longest", "first 1", "last 1"] {
        let found = of_one_deadline(report);
        assert_eq!(found[..2], first, "{report}");
        assert_eq!(found[2..], [p.clone(), q.clone()], "{report}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_report_reports_what_the_reference_reports(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        report in report(),
        events in random::stream(),
    ) {
        reports_what_the_reference_reports(&pattern.reporting(report), &events.0)?;
    }

    #[test]
    fn large_sets_report_what_the_reference_reports(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        report in report(),
        events in random::stream(),
    ) {
        let pattern = pattern.keeping_all().reporting(report);
        reports_what_the_reference_reports(&pattern, &events.0)?;
    }

    #[test]
    fn sets_of_silences_report_what_the_reference_reports(
        pattern in random::with_silences().prop_map(|pattern| pattern.build()),
        report in report(),
        events in random::stream(),
    ) {
        let pattern = pattern.keeping_all().reporting(report);
        reports_what_the_reference_reports(&pattern, &events.0)?;
    }

    #[test]
    fn every_report_chooses_among_all(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        all in any::<bool>(),
        report in report(),
        events in random::stream(),
    ) {
        let pattern = if all { pattern.keeping_all() } else { pattern };
        chooses_among_all(&pattern.reporting(report), &events.0)?;
    }
}
