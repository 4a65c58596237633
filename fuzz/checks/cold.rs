//! An engine with a cold store reports what it reports without, in the same order.

use std::time::Duration;

use kleene::stream::EngineBuilder;
use kleene::{Event as _, Record, Timestamp};
use kleene_test::random::Choices;
use kleene_test::restore::{Step, they_go_on_alike};
use kleene_test::shelf::Shelf;

use super::made;

/// Patterns that are larger are left out: their automata take long to build.
const MOST_STEPS: usize = 16;

/// Where combinations explode, those of a key give way: keys are what this is about.
const MOST_PARTIALS: usize = 40;

/// The number of restores of the engine with the store, for one input.
const MOST_RESTORES: usize = 2;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(&data[..data.len().min(made::LONGEST)]);
    let [keys, clause, lateness] = choices.digits([3, made::CLAUSES, 3]);
    let stream = choices.stream();
    // A byte for each event: how late it is, whether time moves before it, whether the engine is
    // restored before it.
    let arrivals: Vec<[usize; 3]> = stream.0.iter().map(|_| choices.digits([4, 6, 10])).collect();
    let pattern = choices.pattern();
    if pattern.written_out() > MOST_STEPS {
        return;
    }
    let pattern = pattern.repaired().build();
    let steps = steps(&stream.0, &arrivals);
    let mut restores = 0;
    let restore_at = |index: usize| {
        let says_so = steps[index].1 && restores < MOST_RESTORES;
        restores += usize::from(says_so);
        says_so
    };
    let plain = || -> Option<EngineBuilder<Record>> {
        let builder = made::engine_with(&pattern.0, true, clause);
        let builder = builder.limit_partials_per_key(MOST_PARTIALS);
        Some(builder.out_of_order(Duration::from_millis(lateness as u64)))
    };
    let cold = || plain().map(|builder| builder.cold_store(Shelf::default(), keys as u64));
    let only: Vec<Step> = steps.iter().map(|(step, _)| step.clone()).collect();
    if let Err(different) = they_go_on_alike(plain, cold, &only, restore_at) {
        panic!("{pattern:?} over {stream:?} by {arrivals:?}: {different}");
    }
}

/// The events in the order in which they arrive, with watermarks between them, and whether the
/// engine is restored before each.
fn steps(events: &[Record], arrivals: &[[usize; 3]]) -> Vec<(Step, bool)> {
    let millis = |number: usize| i64::try_from(number).unwrap_or(0);
    let mut arriving: Vec<(i64, &Record, bool, bool)> = events
        .iter()
        .zip(arrivals)
        .map(|(event, [late, moves, restored])| {
            (event.time().as_millis() + millis(*late), event, *moves == 1, *restored == 1)
        })
        .collect();
    arriving.sort_by_key(|(at, ..)| *at);
    let mut steps = Vec::new();
    for (at, event, moves, restored) in arriving {
        if moves {
            steps.push((Step::Advance(Timestamp::from_millis(at - 1)), false));
        }
        steps.push((Step::Push(event.clone()), restored));
    }
    steps
}
