//! In whatever order events arrive within their lateness, in whatever batches: what is reported is
//! what is reported of the sorted stream, in the same order.

use std::time::Duration;

use kleene::stream::Output;
use kleene::{Event as _, Record, Timestamp};
use kleene_test::random::Choices;

use super::made;

/// One millisecond more than the largest delay of an event.
const BOUND: usize = 7;

/// Some of the patterns explode, and then both engines have to give way in the same manner.
const MOST_PARTIALS: usize = 60;

/// The number of matches of a set that are listed: all outputs are kept, twice.
const MOST_MATCHES: usize = 1000;

/// Patterns that are larger are left out: their automata take long to build.
const MOST_STEPS: usize = 24;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(&data[..data.len().min(made::LONGEST)]);
    let has_key = choices.below(2) == 1;
    let stream = choices.stream();
    // A byte for each event: how late it is, and how many come with it.
    let arrivals: Vec<[usize; 2]> = stream.0.iter().map(|_| choices.digits([BOUND, 4])).collect();
    let pattern = choices.pattern();
    if pattern.written_out() > MOST_STEPS {
        return;
    }
    let pattern = pattern.repaired().build();
    let mut arriving: Vec<(i64, &Record)> = stream
        .0
        .iter()
        .zip(&arrivals)
        .map(|(event, [delay, _])| (event.time().as_millis() + millis(*delay), event))
        .collect();
    arriving.sort_by_key(|(arrival, _)| *arrival);
    let arriving: Vec<Record> = arriving.into_iter().map(|(_, event)| event.clone()).collect();
    let mut sorted = arriving.clone();
    sorted.sort_by_key(Record::time);

    let builder = || {
        let builder = made::engine(&pattern.0, has_key).limit_partials_per_key(MOST_PARTIALS);
        builder.limit_matches_per_set(MOST_MATCHES)
    };
    // A pattern beyond the limits runs nowhere.
    let Ok(mut engine) = builder().build() else { return };
    let mut expected = Vec::new();
    engine.push_batch(&sorted, &mut expected).expect("it is not finished");
    let _ = engine.end_time(&mut expected);

    let late = builder().out_of_order(Duration::from_millis(BOUND as u64));
    let mut engine = late.build().expect("it was built before");
    let mut reported: Vec<Output<Record>> = Vec::new();
    let (mut rest, mut batches) = (&arriving[..], arrivals.iter());
    while !rest.is_empty() {
        let size = batches.next().map_or(rest.len(), |[_, more]| (1 + more).min(rest.len()));
        let (batch, others) = rest.split_at(size);
        engine.push_batch(batch, &mut reported).expect("it is not finished");
        rest = others;
        // A watermark that says nothing new.
        let passed = batch.last().map_or(0, |event| event.time().as_millis());
        let _ = engine.advance(Timestamp::from_millis(passed - 2 * millis(BOUND)), &mut reported);
    }
    let _ = engine.end_time(&mut reported);
    assert_eq!(reported, expected, "{pattern:?} over {stream:?} as {arriving:?}");
    assert_eq!(engine.stats().late, 0);
}

fn millis(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(0)
}
