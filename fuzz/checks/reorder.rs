//! In whatever order events arrive within their lateness, in whatever batches: what is told is what
//! is told of the sorted stream, in the same order.

use std::time::Duration;

use kleene::stream::Output;
use kleene::{Event as _, Record, Timestamp};
use kleene_test::random::Choices;

use super::made;

/// How late an event is at most, but one millisecond.
const BOUND: u8 = 7;

/// Some of the patterns explode, and then both engines have to give way in the same manner.
const MOST_PARTIALS: usize = 500;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(data);
    let stream = choices.stream();
    let delays: Vec<i64> = stream.0.iter().map(|_| choices.millis(BOUND)).collect();
    let batches: Vec<usize> = stream.0.iter().map(|_| 1 + choices.below(4)).collect();
    let pattern = choices.pattern();
    let pattern = pattern.repaired().build();
    let mut arriving: Vec<(i64, &Record)> = stream
        .0
        .iter()
        .zip(delays)
        .map(|(event, delay)| (event.time().as_millis() + delay, event))
        .collect();
    arriving.sort_by_key(|(arrival, _)| *arrival);
    let arriving: Vec<Record> = arriving.into_iter().map(|(_, event)| event.clone()).collect();
    let mut sorted = arriving.clone();
    sorted.sort_by_key(Record::time);

    for has_key in [false, true] {
        let builder = || made::engine(&pattern.0, has_key).limit_partials_per_key(MOST_PARTIALS);
        // What is beyond the limits runs nowhere.
        let Ok(mut engine) = builder().build() else { return };
        let mut expected = Vec::new();
        engine.push_batch(&sorted, &mut expected).expect("it is not finished");
        engine.finish(&mut expected);

        let late = builder().out_of_order(Duration::from_millis(BOUND.into()));
        let mut engine = late.build().expect("it was built before");
        let mut told: Vec<Output<Record>> = Vec::new();
        let (mut rest, mut batches) = (&arriving[..], batches.iter());
        while !rest.is_empty() {
            let size = batches.next().map_or(rest.len(), |size| (*size).min(rest.len()));
            let (batch, others) = rest.split_at(size);
            engine.push_batch(batch, &mut told).expect("it is not finished");
            rest = others;
            // A watermark that says nothing new.
            let passed = batch.last().map_or(0, |event| event.time().as_millis());
            engine.advance(Timestamp::from_millis(passed - 2 * i64::from(BOUND)), &mut told);
        }
        engine.finish(&mut told);
        assert_eq!(told, expected, "{pattern:?} over {stream:?} as {arriving:?}");
        assert_eq!(engine.stats().late, 0);
    }
}
