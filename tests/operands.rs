//! Large `and` and `of`: one state that waits for a set of operands does what a state for each set
//! does.

use kleene::exec::{KeyState, Matcher, Outcome, OutcomeKind};
use kleene::{Event as _, Record, Timestamp};
use kleene_syntax::hir::{Skip, SkipStrategy, StepId};
use kleene_test::random::{self, Built};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::FileFailurePersistence;

/// The number of partial matches from which on the rest of a stream is left out.
const MOST_PARTIALS: u64 = 1500;

type Captured = Vec<(StepId, u64)>;

/// An output, with everything that a host can see of it.
#[derive(Debug, PartialEq)]
struct Output {
    kind: OutcomeKind,
    captured: Captured,
    at: Timestamp,
    count: u64,
    awaits: Vec<StepId>,
}

impl Output {
    fn of(outcome: &Outcome<'_, Record>) -> Output {
        Output {
            kind: outcome.kind(),
            captured: outcome.captures().numbered().map(|(step, seq, _)| (step, seq)).collect(),
            at: outcome.at(),
            count: outcome.set().count(),
            awaits: outcome.awaits().collect(),
        }
    }
}

/// A partial match, with everything that a host can see of it.
type Partial = (Captured, Option<Timestamp>, Vec<StepId>);

/// Returns what is reported and what is open after each event, and last after the end.
fn run(matcher: &Matcher<Record>, events: &[Record]) -> Vec<(Vec<Output>, Vec<Partial>)> {
    let (mut store, mut key) = (matcher.create_store(), KeyState::default());
    let mut steps = Vec::new();
    for (seq, event) in (0..).zip(events) {
        let mut reported = Vec::new();
        let mut sink = |outcome: Outcome<'_, Record>| reported.push(Output::of(&outcome));
        matcher.advance(&mut store, &mut key, event.time(), &mut sink);
        matcher.push(&mut store, &mut key, event, seq, &mut sink);
        let open = matcher.open(&store, &key).into_iter().map(|open| {
            let captured = open.captures().numbered().map(|(step, seq, _)| (step, seq)).collect();
            (captured, open.deadline(), open.awaits().collect())
        });
        steps.push((reported, open.collect()));
        if key.partial_count() > MOST_PARTIALS {
            break;
        }
    }
    let mut reported = Vec::new();
    matcher.end_time(&mut store, &mut key, &mut |outcome| reported.push(Output::of(&outcome)));
    steps.push((reported, Vec::new()));
    matcher.clear(&mut store, &mut key);
    assert_eq!((store.event_count(), store.captured_bytes()), (0, 0), "nothing is left");
    steps
}

/// Checks that both layouts do the same, with each strategy.
fn layouts_are_alike(pattern: &Built, events: &[Record]) -> Result<(), TestCaseError> {
    let Ok(states) = Matcher::<Record>::new(&pattern.0, Vec::new()) else { return Ok(()) };
    let sets = Matcher::<Record>::with_most_in_states(&pattern.0, Vec::new(), 1)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let strategies =
        [|matcher| matcher, Matcher::<Record>::generalized, Matcher::<Record>::compacted];
    for (number, strategy) in strategies.into_iter().enumerate() {
        let expected = run(&strategy(states.clone()), events);
        let found = run(&strategy(sets.clone()), events);
        // One of them may stop earlier, where the two count partial matches in other ways.
        for (event, (expected, found)) in expected.iter().zip(&found).enumerate() {
            prop_assert_eq!(found, expected, "strategy {}, event {}", number, event);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_set_of_operands_does_what_a_state_for_each_set_does(
        pattern in random::with_operands().prop_map(|pattern| pattern.build()),
        events in random::stream(),
    ) {
        layouts_are_alike(&pattern, &events.0)?;
    }

    #[test]
    fn a_set_of_operands_is_alike_in_the_compact_form(
        pattern in random::with_operands().prop_map(|pattern| pattern.build()),
        to_next in any::<bool>(),
        ordered in any::<bool>(),
        events in random::stream(),
    ) {
        let mut pattern = pattern;
        pattern.0.report_timeouts = false;
        let strategy = if to_next { SkipStrategy::ToNext } else { SkipStrategy::None };
        pattern.0.skip = Skip { strategy, ordered };
        layouts_are_alike(&pattern, &events.0)?;
    }
}

/// The properties are about patterns that have a set.
#[test]
fn many_random_patterns_have_a_set_of_operands() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut sets, mut matches, mut timeouts) = (0, 0, 0);
    for _ in 0..800 {
        let pattern = random::with_operands().new_tree(&mut runner).expect("nothing is filtered");
        let pattern = pattern.current().build();
        let events = random::stream().new_tree(&mut runner).expect("nothing is filtered");
        let matcher = Matcher::<Record>::with_most_in_states(&pattern.0, Vec::new(), 1);
        let Ok(matcher) = matcher else { continue };
        sets += usize::from(format!("{matcher:?}").contains("HasCome"));
        for output in run(&matcher, &events.current().0).into_iter().flat_map(|step| step.0) {
            match output.kind {
                OutcomeKind::Match => matches += 1,
                OutcomeKind::Timeout => timeouts += 1,
            }
        }
    }
    assert!(sets > 250 && matches > 300 && timeouts > 1000, "{sets} {matches} {timeouts}");
}
