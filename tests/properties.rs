//! Random patterns over random streams: the matcher does what the reference does.

use kleene::exec::{KeyState, Matcher};
use kleene::{Event as _, Record, Timestamp};
use kleene_automata::exec::reference::Reference;
use kleene_automata::nfa::Program;
use kleene_syntax::hir::{ItemKind, LoopMode, Pattern, Report, Skip, SkipStrategy, StepId};
use kleene_test::engine::{
    CompactEngine, Engine as _, GeneralEngine, MatcherEngine, Session, TextEngine,
};
use kleene_test::random::{self, Built};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::FileFailurePersistence;

/// Where combinations explode, the reference would take for ever: the rest of the stream is left
/// out.
const MOST_PARTIALS: usize = 1500;

/// How the matcher says that a pattern is beyond its limits; the reference has none.
const TOO_LARGE: &str = "exceeds the limits";

/// A matcher, if the pattern is within its limits.
fn matcher(pattern: &Built) -> Result<Option<Box<dyn Session>>, TestCaseError> {
    match MatcherEngine.start(&pattern.0) {
        Ok(session) => Ok(Some(session)),
        Err(reason) if reason.contains(TOO_LARGE) => Ok(None),
        Err(reason) => Err(TestCaseError::fail(reason)),
    }
}

/// Checks that the matcher reports at each event and at each time what the reference reports.
fn reports_what_the_reference_reports(
    pattern: &Built,
    events: &[Record],
) -> Result<(), TestCaseError> {
    let mut reference = Reference::<Record>::new(&pattern.0, Vec::new())
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Some(mut matcher) = matcher(pattern)? else { return Ok(()) };
    let mut general = GeneralEngine.start(&pattern.0).map_err(TestCaseError::fail)?;
    for (number, event) in events.iter().enumerate() {
        let expected = reference.advance(event.time());
        let reported = general.advance(event.time());
        prop_assert_eq!(&reported, &expected, "general, time, event {}", number);
        prop_assert_eq!(matcher.advance(event.time()), expected, "time, event {}", number);
        let expected = Session::push(&mut reference, event);
        prop_assert_eq!(&general.push(event), &expected, "general, event {}", number);
        prop_assert_eq!(matcher.push(event), expected, "event {}", number);
        if reference.partial_count() > MOST_PARTIALS {
            break;
        }
    }
    let expected = reference.finish();
    prop_assert_eq!(&general.finish(), &expected, "general, the end");
    prop_assert_eq!(matcher.finish(), expected, "the end");
    Ok(())
}

/// Checks that the compact form reports what the reference reports.
fn is_alike_in_the_compact_form(pattern: &Built, events: &[Record]) -> Result<(), TestCaseError> {
    let Ok(mut reference) = Reference::<Record>::new(&pattern.0, Vec::new()) else {
        return Ok(());
    };
    if !Program::new(&pattern.0).is_ok_and(|program| program.why_not_compact().is_none()) {
        return Ok(());
    }
    let mut compact = CompactEngine.start(&pattern.0).map_err(TestCaseError::fail)?;
    for (number, event) in events.iter().enumerate() {
        let expected = reference.advance(event.time());
        prop_assert_eq!(compact.advance(event.time()), expected, "time, event {}", number);
        let expected = Session::push(&mut reference, event);
        prop_assert_eq!(compact.push(event), expected, "event {}", number);
        if reference.partial_count() > MOST_PARTIALS {
            break;
        }
    }
    let expected = reference.finish();
    prop_assert_eq!(compact.finish(), expected, "the end");
    Ok(())
}

/// Checks that the matcher reports the same whether time goes straight to the next event or in
/// steps.
fn is_alike_however_far_time_moves(
    pattern: &Built,
    events: &[Record],
    steps: Vec<i64>,
) -> Result<(), TestCaseError> {
    let Some(mut plain) = matcher(pattern)? else { return Ok(()) };
    let Some(mut stepping) = matcher(pattern)? else { return Ok(()) };
    let mut reference = Reference::<Record>::new(&pattern.0, Vec::new())
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let (mut expected, mut reported) = (Vec::new(), Vec::new());
    let mut now = 0;
    let mut steps = steps.into_iter();
    for event in events {
        // One goes straight to the event, the other in steps of any size.
        for step in steps.by_ref() {
            now += step;
            if now >= event.time().as_millis() {
                now = event.time().as_millis();
                break;
            }
            reported.extend(stepping.advance(Timestamp::from_millis(now)));
        }
        reported.extend(stepping.push(event));
        expected.extend(plain.push(event));
        Session::push(&mut reference, event);
        if reference.partial_count() > MOST_PARTIALS {
            break;
        }
    }
    reported.extend(stepping.finish());
    expected.extend(plain.finish());
    prop_assert_eq!(reported, expected);
    Ok(())
}

/// Checks that the pattern said in rule text reports the same.
fn says_what_its_pattern_says(pattern: &Built, events: &[Record]) -> Result<(), TestCaseError> {
    // What the language has no words for, or refuses, is left out.
    let Ok(read) = TextEngine::read_back(&pattern.0) else { return Ok(()) };
    let Some(mut by_text) = matcher(&Built(read))? else { return Ok(()) };
    let Some(mut by_hand) = matcher(pattern)? else { return Ok(()) };
    for event in events {
        prop_assert_eq!(by_text.push(event), by_hand.push(event));
    }
    prop_assert_eq!(by_text.finish(), by_hand.finish());
    Ok(())
}

/// Returns the pattern with this skip strategy. Random patterns report timeouts.
pub(crate) fn compactable(mut pattern: Built, skip: Skip) -> Built {
    pattern.0.skip = skip;
    pattern
}

/// Skip strategies that need no step, at once and ordered.
pub(crate) fn skips() -> impl Strategy<Value = Skip> {
    let strategy = prop::sample::select(STRATEGIES);
    (strategy, any::<bool>()).prop_map(|(strategy, ordered)| Skip { strategy, ordered })
}

/// Skip strategies that need no step.
pub(crate) const STRATEGIES: &[SkipStrategy] =
    &[SkipStrategy::None, SkipStrategy::ToNext, SkipStrategy::PastLast];

/// True if a deadline can complete a match: the pattern ends with a `not` or a `longest` loop.
pub(crate) fn completes_at_deadlines(pattern: &Pattern) -> bool {
    pattern.body.items.last().is_some_and(|item| match &item.kind {
        ItemKind::Not { .. } => true,
        ItemKind::Step { quantifier, .. } | ItemKind::Group { quantifier, .. } => {
            quantifier.mode == LoopMode::Longest
        }
        ItemKind::Alternatives { .. } => false,
    })
}

/// The matches of a set, by the numbers and steps of their events.
type Set = Vec<Vec<(StepId, u64)>>;

/// Returns the matches of each set, and the number of events that were taken.
fn sets(matcher: &Matcher<Record>, events: &[Record]) -> (Vec<Set>, usize) {
    let (mut store, mut key) = (matcher.create_store(), KeyState::default());
    let (mut sets, mut taken) = (Vec::new(), 0);
    for (seq, event) in (0..).zip(events) {
        matcher.push(&mut store, &mut key, event, seq, &mut |outcome| {
            let (mut set, mut listing) = (Vec::new(), outcome.set().listing());
            while let Some(found) = listing.next_match() {
                set.push(found.captures().numbered().map(|(step, seq, _)| (step, seq)).collect());
            }
            sets.push(set);
        });
        taken += 1;
        if key.partial_count() > MOST_PARTIALS as u64 {
            break;
        }
    }
    matcher.clear(&mut store, &mut key);
    assert_eq!((store.event_count(), store.captured_bytes()), (0, 0), "nothing is left");
    (sets, taken)
}

/// The properties of the compact form are about patterns that can be held in it.
#[test]
fn many_random_patterns_can_be_held_in_the_compact_form() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::new();
    let mut at_deadlines = 0;
    for _ in 0..400 {
        let pattern = random::pattern().new_tree(&mut runner).expect("nothing is filtered");
        let skip = Skip { strategy: SkipStrategy::None, ordered: false };
        let pattern = compactable(pattern.current().repaired().build(), skip);
        if let Ok(program) = Program::new(&pattern.0) {
            let reason = program.why_not_compact();
            at_deadlines += u32::from(reason.is_none() && completes_at_deadlines(&pattern.0));
            *reasons.entry(reason).or_insert(0) += 1;
        }
    }
    println!("{at_deadlines} at deadlines, {reasons:?}");
    assert!(reasons[&None] > 200, "{reasons:?}");
    assert!(at_deadlines > 30, "{at_deadlines}");
}

/// The properties with `ordered` are about streams in which matches wait.
#[test]
fn in_many_random_streams_matches_of_the_compact_form_wait() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut held, mut waited, mut late) = (0, 0, 0);
    for number in 0..1000 {
        let pattern = random::pattern().new_tree(&mut runner).expect("nothing is filtered");
        let events = random::stream().new_tree(&mut runner).expect("nothing is filtered").current();
        let strategy = STRATEGIES[1 + number % 2].clone();
        let ordered = Skip { strategy, ordered: true };
        let pattern = compactable(pattern.current().repaired().build(), ordered.clone());
        let Ok(program) = Program::new(&pattern.0) else { continue };
        if program.why_not_compact().is_some() {
            continue;
        }
        held += 1;
        late += u32::from(completes_at_deadlines(&pattern.0));
        let reported = |pattern: &Built| {
            let mut compact = CompactEngine.start(&pattern.0).expect("it can be held");
            let mut reported: Vec<_> = events
                .0
                .iter()
                .map(|event| (compact.advance(event.time()), compact.push(event)))
                .collect();
            reported.push((compact.finish(), Vec::new()));
            reported
        };
        let at_once = compactable(pattern.clone(), Skip { ordered: false, ..ordered });
        waited += u32::from(reported(&pattern) != reported(&at_once));
    }
    println!("{held} held, {late} of them complete at deadlines; in {waited} a match waits");
    assert!(held > 300 && late > 30 && waited > 0, "{held}, {late}, {waited}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_matcher_reports_what_the_reference_reports(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        events in random::stream(),
    ) {
        reports_what_the_reference_reports(&pattern, &events.0)?;
    }

    #[test]
    fn the_compact_form_reports_what_the_reference_reports(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        skip in skips(),
        report in random::report::report(),
        events in random::stream(),
    ) {
        let pattern = compactable(pattern, skip).reporting(report);
        is_alike_in_the_compact_form(&pattern, &events.0)?;
    }

    #[test]
    fn ordered_groups_report_what_the_reference_reports(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        report in random::report::report(),
        events in random::stream(),
    ) {
        let skip = Skip { ordered: true, ..pattern.0.skip.clone() };
        let pattern = compactable(pattern, skip).reporting(report);
        is_alike_in_the_compact_form(&pattern, &events.0)?;
    }

    #[test]
    fn the_compact_form_lists_what_the_general_strategy_lists(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        skip in skips(),
        events in random::stream(),
    ) {
        let pattern = compactable(pattern, skip).reporting(Report::Count);
        if let Ok(matcher) = Matcher::<Record>::new(&pattern.0, Vec::new()) {
            let (expected, taken) = sets(&matcher.clone().generalized(), &events.0);
            prop_assert_eq!(sets(&matcher.compacted(), &events.0[..taken]).0, expected);
        }
    }

    #[test]
    fn silences_as_ways_report_what_the_reference_reports(
        pattern in random::with_silences().prop_map(|pattern| pattern.build()),
        events in random::stream(),
    ) {
        reports_what_the_reference_reports(&pattern, &events.0)?;
    }

    #[test]
    fn a_rule_with_silences_as_ways_says_what_its_pattern_says(
        pattern in random::with_silences().prop_map(|pattern| pattern.build()),
        events in random::stream(),
    ) {
        says_what_its_pattern_says(&pattern, &events.0)?;
    }

    #[test]
    fn silences_as_ways_are_alike_however_far_time_moves(
        pattern in random::with_silences().prop_map(|pattern| pattern.build()),
        events in random::stream(),
        steps in prop::collection::vec(1..4_i64, 40),
    ) {
        is_alike_however_far_time_moves(&pattern, &events.0, steps)?;
    }

    #[test]
    fn the_matcher_refuses_what_the_reference_refuses(pattern in random::pattern()) {
        let pattern = pattern.build();
        let reference = Reference::<Record>::new(&pattern.0, Vec::new());
        let matcher = MatcherEngine.start(&pattern.0);
        let reasons = (matcher.err(), reference.err());
        if reasons.0.as_ref().is_some_and(|reason| reason.contains(TOO_LARGE)) {
            return Ok(());
        }
        prop_assert_eq!(reasons.0.is_some(), reasons.1.is_some(), "{:?}", reasons);
    }

    #[test]
    fn a_rule_says_what_its_pattern_says(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        events in random::stream(),
    ) {
        says_what_its_pattern_says(&pattern, &events.0)?;
    }

    #[test]
    fn how_far_time_moves_at_once_changes_nothing(
        pattern in random::pattern().prop_map(|pattern| pattern.repaired().build()),
        events in random::stream(),
        steps in prop::collection::vec(1..4_i64, 40),
    ) {
        is_alike_however_far_time_moves(&pattern, &events.0, steps)?;
    }

    #[test]
    fn shared_suffixes_report_what_the_reference_reports(
        pattern in random::chain().prop_map(|pattern| pattern.build()),
        events in random::stream(),
    ) {
        reports_what_the_reference_reports(&pattern, &events.0)?;
    }

    #[test]
    fn shared_suffixes_are_alike_however_far_time_moves(
        pattern in random::chain().prop_map(|pattern| pattern.build()),
        events in random::stream(),
        steps in prop::collection::vec(1..4_i64, 40),
    ) {
        is_alike_however_far_time_moves(&pattern, &events.0, steps)?;
    }
}
