//! The outputs of shards, merged by position, equal the outputs of one engine.

use std::time::Duration;

use kleene::stream::{Late, Match, Output, Overflow, PushError, Rejected, Sink, Stats, Timeout};
use kleene::{Event as _, Record, Timestamp};
use kleene_engine::{Position, Receiver, Shard};
use kleene_test::random::Choices;

use super::made;

/// Patterns that are larger are left out: their automata take long to build.
const MOST_STEPS: usize = 24;

/// Where combinations explode, those of a key give way.
const MOST_PARTIALS: usize = 60;

pub(crate) fn check(data: &[u8]) {
    let mut choices = Choices(&data[..data.len().min(made::LONGEST)]);
    let [of, clause, lateness, has_key] = choices.digits([4, made::CLAUSES, 3, 3]);
    let stream = choices.stream();
    let arrivals: Vec<[usize; 2]> = stream.0.iter().map(|_| choices.digits([4, 6])).collect();
    let patterns = [choices.pattern(), choices.pattern()];
    if patterns.iter().any(|pattern| pattern.written_out() > MOST_STEPS) {
        return;
    }
    let [one, other] = patterns.map(|pattern| pattern.repaired().build());
    let builder = || {
        // A rule with a key, and one more: not all rules can be divided.
        let builder = made::engine_with(&one.0, has_key > 0, clause);
        let builder = made::and(builder, &other.0, has_key == 1);
        let builder = builder.limit_partials_per_key(MOST_PARTIALS);
        builder.out_of_order(Duration::from_millis(lateness as u64))
    };
    let (Ok(mut engine), Ok(mut shards)) = (builder().build(), Shard::build(builder(), 2 + of))
    else {
        return;
    };
    let arriving = arriving(&stream.0, &arrivals);
    let context = || format!("{one:?} and {other:?} over {arriving:?} by {of}");
    for (event, watermark) in &arriving {
        if let Some(to) = watermark {
            let mut expected = Vec::new();
            let _ = engine.advance(*to, &mut expected);
            let reported = together(&mut shards, |shard, sink| {
                let _ = shard.advance(*to, sink);
                Ok(())
            });
            assert_eq!(reported, Ok(expected), "{}", context());
        }
        let mut expected = Vec::new();
        let pushed = engine.push(event, &mut expected);
        let reported = together(&mut shards, |shard, sink| shard.push(event, sink));
        // Where one is stopped by a limit, so are all: the rest is not compared.
        if pushed.is_err() || reported.is_err() {
            assert_eq!(pushed.err(), reported.err(), "{}", context());
            return;
        }
        assert_eq!(reported, Ok(expected), "{}", context());
    }
    let mut expected = Vec::new();
    let _ = engine.end_time(&mut expected);
    let reported = together(&mut shards, |shard, sink| {
        let _ = shard.end_time(sink);
        Ok(())
    });
    assert_eq!(reported, Ok(expected), "{}", context());
    let mut sum: Stats = shards.iter().map(Shard::stats).sum();
    // The shards have their peaks at different events.
    sum.peak_partials = engine.stats().peak_partials;
    assert_eq!(sum, engine.stats(), "{}", context());
}

/// The events in the order in which they arrive, some of them with a watermark before.
fn arriving(events: &[Record], arrivals: &[[usize; 2]]) -> Vec<(Record, Option<Timestamp>)> {
    let mut arriving: Vec<(i64, &Record, bool)> = events
        .iter()
        .zip(arrivals)
        .map(|(event, [late, moves])| {
            let late = i64::try_from(*late).unwrap_or(0);
            (event.time().as_millis() + late, event, *moves == 1)
        })
        .collect();
    arriving.sort_by_key(|(at, ..)| *at);
    let with_watermark = |(at, event, moves): (i64, &Record, bool)| {
        (event.clone(), moves.then(|| Timestamp::from_millis(at - 1)))
    };
    arriving.into_iter().map(with_watermark).collect()
}

/// Returns the outputs of all shards for one call, in the order of their positions.
fn together(
    shards: &mut [Shard<Record>],
    mut call: impl FnMut(&mut Shard<Record>, &mut Positioned) -> Result<(), PushError>,
) -> Result<Vec<Output<Record>>, PushError> {
    let mut all = Vec::new();
    let mut failure = Ok(());
    for shard in shards {
        let mut sink = Positioned::default();
        let called = call(shard, &mut sink);
        failure = failure.and(called);
        all.extend(sink.outputs);
    }
    failure?;
    // Outputs with the same position come from one shard, and are in order.
    all.sort_by_key(|(position, _)| *position);
    Ok(all.into_iter().map(|(_, output)| output).collect())
}

/// Outputs, each with its position.
#[derive(Default)]
struct Positioned {
    now: Position,
    outputs: Vec<(Position, Output<Record>)>,
}

impl Positioned {
    fn add(&mut self, report: impl FnOnce(&mut Vec<Output<Record>>)) {
        let mut outputs = Vec::new();
        report(&mut outputs);
        self.outputs.extend(outputs.into_iter().map(|output| (self.now, output)));
    }
}

impl Sink<Record> for Positioned {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.add(|outputs| outputs.matched(found));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.add(|outputs| outputs.timed_out(timeout));
    }

    fn filtered(&mut self, found: Match<'_, Record>) {
        self.add(|outputs| outputs.filtered(found));
    }

    fn suppressed(&mut self, found: Match<'_, Record>) {
        self.add(|outputs| outputs.suppressed(found));
    }

    fn late(&mut self, late: Late<'_, Record>) {
        self.add(|outputs| outputs.late(late));
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        self.add(|outputs| outputs.rejected(rejected));
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.add(|outputs| outputs.overflowed(overflow));
    }
}

impl Receiver<Record> for Positioned {
    type Sink = Self;

    fn outputs(&mut self) -> &mut Self {
        self
    }

    fn at(&mut self, position: Position) {
        self.now = position;
    }
}
