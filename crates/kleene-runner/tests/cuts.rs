//! Snapshots, restarts and other rules in the middle of a stream: the output and the counts are
//! those of one engine that goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, Output, Replacement, Stats, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_runner::{ReplaceError, Runner, RunnerBuilder, Stopped};

/// A small generator of numbers: the same ones in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

const EVENTS: &str = "
event created { order: int, user: int, at: time }
event paid { order: int, user: int, at: time }
event alert { user: int, order: int, at: time }
";

/// Rules of all kinds of places: divided, in one shard, fed by others.
const UNPAID: &str = "
rule unpaid {
  key order
  match created as c -> not paid for 20s
  emit as alert { user: c.user, order }
}";
const UNPAID_SOONER: &str = "
rule unpaid {
  key order
  match created as c -> not paid for 12s
  emit as alert { user: c.user, order }
}";
const TROUBLED: &str = "
rule troubled {
  key user
  match alert as a -> created as c -> alert as b
  within 5m
  skip to next
  emit { user, first: a.order, between: c.order, last: b.order }
}";
const SLOW: &str = "
rule slow {
  key order
  match created as c -> paid
  within 10s
  skip none
  emit { order, user: c.user }
  on timeout emit { order, reached: match.step }
  suppress 30s by user
}";
const SLOW_BY_KEY: &str = "
rule slow {
  key order
  match created as c -> paid -> paid as p
  within 15s
  skip none
  emit { order, user: p.user }
  on timeout emit { order, reached: match.step }
  suppress 30s by user, order
}";
const BUSY: &str = "
rule busy {
  key user
  match created+ as c -> paid as p
  within 20s
  emit { user, orders: collect(c.order), paid: p.order }
  suppress 2s
}";
const BUSY_FEEDS: &str = "
rule busy {
  key user
  match created{3} as c -> paid as p
  within 20s
  emit as alert { user, order: p.order }
}";
const FLOOD: &str = "
rule flood {
  match created{12} as c
  within 2s
  emit { n: 12, first: first(c.order) }
}";
const CAREFUL: &str = "
rule careful {
  key user
  match created as c -> paid[order == c.order] as p
  within 1m
  limit 100000 partials fail
  emit { user, order: p.order }
}";

const VARIANTS: [&[&str]; 6] = [
    &[UNPAID, TROUBLED, SLOW, BUSY, FLOOD],
    &[BUSY, SLOW_BY_KEY],
    &[UNPAID_SOONER, TROUBLED, SLOW_BY_KEY, BUSY_FEEDS],
    &[FLOOD, UNPAID, BUSY],
    &[CAREFUL, SLOW, UNPAID, TROUBLED],
    &[FLOOD],
];

fn variant(number: usize) -> RuleSet {
    RuleSet::parse(&format!("{EVENTS}{}", VARIANTS[number].concat())).unwrap()
}

fn builder(variant_number: usize) -> EngineBuilder<Record> {
    Engine::builder().rules(&variant(variant_number)).out_of_order(Duration::from_secs(2))
}

fn order_event(index: usize, random: &mut Random) -> Record {
    // `created` or `paid`, in the order of their declarations.
    let ty = TypeId::new(random.below(2));
    let late = random.below(2500);
    let at = Timestamp::from_millis(i64::try_from(index * 60 + 100_000 - late).unwrap() / 50 * 50);
    let order = Value::Int(i64::try_from(random.below(40) + index / 40).unwrap());
    let user = Value::Int(i64::try_from(random.below(12)).unwrap());
    Record::new(ty, at, vec![order, user, Value::Time(at)])
}

/// An operation of a host besides events.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Continues with this number of shards.
    Restart(usize),
    /// Goes on with one engine, as the only shard.
    One,
    Replace(usize),
    Advance,
    Count,
}

type Outputs = Receiver<Output<Record>>;
type Listener = Box<dyn FnMut(Output<Record>) + Send>;

fn listener() -> (Listener, Outputs) {
    let (sender, reported) = mpsc::channel();
    (Box::new(move |output| sender.send(output).unwrap()), reported)
}

fn configured(engine: EngineBuilder<Record>, of: usize, batch: usize) -> RunnerBuilder<Record> {
    Runner::builder().engine(|_| engine).threads(of).batch(batch).waiting(2)
}

fn start(
    engine: EngineBuilder<Record>,
    of: usize,
    batch: usize,
) -> (Runner<Record, Listener>, Outputs) {
    let (listener, reported) = listener();
    (configured(engine, of, batch).start(listener).unwrap(), reported)
}

fn restore(
    engine: EngineBuilder<Record>,
    of: usize,
    batch: usize,
    parts: &[Vec<u8>],
) -> (Runner<Record, Listener>, Replacement, Outputs) {
    let (listener, reported) = listener();
    let (runner, replacement) = configured(engine, of, batch).restore(parts, listener).unwrap();
    (runner, replacement, reported)
}

/// One engine and a runner over the same random stream with random cuts.
struct Pair {
    engine: Engine<Record>,
    expected: Vec<Output<Record>>,
    runner: Runner<Record, Listener>,
    reported: Outputs,
    variant: usize,
    batch: usize,
}

impl Pair {
    fn new(variant: usize, of: usize, batch: usize) -> Pair {
        let (runner, reported) = start(builder(variant), of, batch);
        let engine = builder(variant).build().unwrap();
        Pair { engine, expected: Vec::new(), runner, reported, variant, batch }
    }

    fn push(&mut self, event: &Record) {
        self.engine.push(event, &mut self.expected).unwrap();
        self.runner.push(event.clone()).unwrap();
    }

    /// Compares what was reported since the last call. Gives its number.
    fn compare(&mut self, stats: Stats, name: &str) -> usize {
        let reported: Vec<_> = self.reported.try_iter().collect();
        if let Some(at) = reported.iter().zip(&self.expected).position(|(a, b)| a != b) {
            panic!("{name}: output {at}:\n{:?}\n{:?}", self.expected[at], reported[at]);
        }
        assert_eq!(reported.len(), self.expected.len(), "{name}");
        // Bytes are counted about: a list that has grown has more room than one that was read.
        let about = |stats: Stats| {
            let mut stats = stats;
            stats.captured_bytes = 0;
            stats
        };
        assert_eq!(about(stats), about(self.engine.stats()), "{name}");
        self.expected.clear();
        reported.len()
    }

    fn cut(&mut self, cut: Cut, name: &str) -> usize {
        match cut {
            Cut::Advance => {
                let to = self.engine.watermark().plus_millis(5000);
                self.engine.advance(to, &mut self.expected).unwrap();
                self.runner.advance(to).unwrap();
                0
            }
            Cut::Count => {
                let stats = self.runner.stats().unwrap();
                self.compare(stats, name)
            }
            Cut::Replace(variant_number) => {
                let rules = variant(variant_number);
                let expected = self.engine.replace_rules(&rules).unwrap();
                let replacement = self.runner.replace_rules(&rules).unwrap();
                assert_eq!(replacement, expected, "{name}");
                self.variant = variant_number;
                let stats = self.runner.stats().unwrap();
                self.compare(stats, name)
            }
            Cut::Restart(_) | Cut::One => {
                let parts = self.runner.snapshot().unwrap();
                let stats = self.runner.stats().unwrap();
                let count = self.compare(stats, name);
                let make = || builder(self.variant);
                let (runner, replacement, reported) = if let Cut::Restart(of) = cut {
                    restore(make(), of, self.batch, &parts)
                } else {
                    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                    let (engine, replacement) = make().restore(&parts).unwrap();
                    assert!(all_unchanged(&replacement), "{name}: {replacement}");
                    // The snapshot of that one engine is as good.
                    restore(make(), 1, self.batch, &[engine.snapshot()])
                };
                assert!(all_unchanged(&replacement), "{name}: {replacement}");
                let old = std::mem::replace(&mut self.runner, runner);
                // The old runner does not report its open partial matches.
                drop(old.stop().unwrap().collector);
                assert_eq!(self.reported.iter().count(), 0, "{name}");
                self.reported = reported;
                let stats = self.runner.stats().unwrap();
                count + self.compare(stats, name)
            }
        }
    }

    fn finish(mut self, name: &str) -> usize {
        self.engine.end_time(&mut self.expected).unwrap();
        let (runner, _) = start(builder(5), 1, 1);
        let ended = std::mem::replace(&mut self.runner, runner).end_time().unwrap();
        self.compare(ended.stats, name)
    }
}

fn all_unchanged(replacement: &Replacement) -> bool {
    replacement.rules.iter().all(|rule| rule.verdict == Verdict::Unchanged)
}

#[test]
fn a_stream_with_cuts_is_reported_as_by_one_engine() {
    let mut random = Random(11);
    let (mut outputs, mut cuts) = (0, 0);
    for round in 0..24 {
        let variant = random.below(VARIANTS.len() - 1);
        let (of, batch) = (1 + round % 3, [1, 7, 64, 1000][random.below(4)]);
        let mut pair = Pair::new(variant, of, batch);
        let mut done = format!("round {round}, variant {variant}, {of} shards, batch {batch}");
        for index in 0..1500 {
            pair.push(&order_event(index, &mut random));
            if random.below(150) == 0 {
                let cut = match random.below(6) {
                    0 | 1 => Cut::Restart(1 + random.below(4)),
                    2 => Cut::One,
                    3 => Cut::Replace(random.below(VARIANTS.len())),
                    4 => Cut::Advance,
                    _ => Cut::Count,
                };
                let _ = write!(done, ", {index}: {cut:?}");
                outputs += pair.cut(cut, &done);
                cuts += 1;
            }
        }
        outputs += pair.finish(&done);
    }
    assert!(outputs > 10_000 && cuts > 150, "{outputs} outputs, {cuts} cuts");
}

/// A fed rule and a divided one hold different events of the same number in the first shard.
#[test]
fn events_of_fed_rules_are_not_mixed_up_with_those_of_divided_rules() {
    let rules = RuleSet::parse(
        "event hit { user: int, n: int, at: time }
         event pair { user: int, n: int, at: time }
         rule pairs { key user  match hit as a -> hit as b  within 1h
                      emit as pair { user, n: 1000 * a.n + b.n } }
         rule fed   { key user  match pair as a -> hit as h -> pair as b  within 1h
                      emit { user, a: a.n, h: h.n, b: b.n } }
         rule open  { key user  match hit as a -> hit[n == a.n + 7] as b  within 1h
                      skip none  emit { user, a: a.n, b: b.n } }",
    )
    .unwrap();
    let make = || Engine::builder().rules(&rules);
    let hit = |n: i64| {
        let at = Value::Time(Timestamp::from_millis(1000 * n));
        let fields = [("user", (n % 5).into()), ("n", n.into()), ("at", at)];
        Record::from_fields(rules.schema(), "hit", fields).unwrap()
    };
    for (of, then) in [(2, 1), (3, 2), (1, 3)] {
        let mut engine = make().build().unwrap();
        let mut expected: Vec<Output<Record>> = Vec::new();
        let (mut runner, reported) = start(make(), of, 10);
        for n in 0..33 {
            engine.push(&hit(n), &mut expected).unwrap();
            runner.push(hit(n)).unwrap();
        }
        let parts = runner.snapshot().unwrap();
        drop(runner);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        // Through one engine and its own snapshot.
        let (one, _) = make().restore(&parts).unwrap();
        let bytes = one.snapshot();
        let (mut runner, _, later) = restore(make(), then, 10, &[bytes]);
        for n in 33..80 {
            engine.push(&hit(n), &mut expected).unwrap();
            runner.push(hit(n)).unwrap();
        }
        engine.end_time(&mut expected).unwrap();
        drop(runner.end_time().unwrap().collector);
        let reported: Vec<_> = reported.iter().chain(later.iter()).collect();
        assert!(reported == expected, "{of} shards, then {then}:\n{reported:?}\n{expected:?}");
        assert!(expected.len() > 50, "{}", expected.len());
    }
}

#[test]
fn refused_rules_change_nothing_in_any_shard() {
    use kleene::Event;
    #[derive(Clone, Debug, Event, PartialEq)]
    struct Hit {
        user: i64,
        at: Timestamp,
    }
    let rules = |text: &str| {
        RuleSet::parse(&format!("event hit {{ user: int, name: string?, at: time }} {text}"))
            .unwrap()
    };
    let twice = "rule twice { key user  match hit{2}  within 1m }";
    let (sender, reported) = mpsc::channel();
    let listener = move |output: Output<Hit>| sender.send(output).unwrap();
    let builder = Runner::builder().rules(&rules(twice)).threads(3);
    let mut runner = builder.start(listener).unwrap();
    let hit = |second: i64, user| Hit { user, at: Timestamp::from_millis(1000 * second) };
    (0..10).try_for_each(|user| runner.push(hit(1, user))).unwrap();
    let other = "rule other { key user  match hit[name == \"x\"] -> hit  within 1m }";
    let refused = runner.replace_rules(&rules(&format!("{twice} {other}"))).unwrap_err();
    let ReplaceError::Refused(refused) = refused else { panic!("{refused}") };
    let verdict = &refused.replacement().rule("other").unwrap().verdict;
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict}");
    assert_eq!(runner.stats().unwrap().partials, 10);
    (0..10).try_for_each(|user| runner.push(hit(2, user))).unwrap();
    let ended = runner.end_time().unwrap();
    assert_eq!(ended.stats.matches, 10);
    drop(ended.collector);
    assert_eq!(reported.iter().count(), 10);
}

#[test]
fn sources_and_events_that_wait_go_on_in_other_shards() {
    let make = || Engine::builder().rules(&variant(0)).in_order();
    let names = ["a", "b", "c"];
    let mut engine = make().build().unwrap();
    let ids = names.map(|name| engine.source(name));
    let (mut runner, mut receiver) = start(make(), 2, 50);
    assert_eq!(names.map(|name| runner.source(name).unwrap()), ids);
    let mut expected: Vec<Output<Record>> = Vec::new();
    let mut random = Random(17);
    let mut reported = Vec::new();
    for index in 0..900 {
        if index % 200 == 150 {
            let parts = runner.snapshot().unwrap();
            runner.stop().unwrap();
            reported.extend(receiver.iter());
            (runner, _, receiver) = restore(make(), 1 + index / 200, 50, &parts);
            assert_eq!(names.map(|name| runner.source(name).unwrap()), ids);
            assert!(runner.stats().unwrap().buffered > 0);
        }
        let source = ids[random.below(3)];
        let event = order_event(index, &mut random);
        if random.below(60) == 0 {
            engine.set_idle(source, &mut expected).unwrap();
            runner.set_idle(source).unwrap();
        }
        engine.push_from(source, &event, &mut expected).unwrap();
        runner.push_from(source, event).unwrap();
    }
    engine.end_time(&mut expected).unwrap();
    let ended = runner.end_time().unwrap();
    assert_eq!(ended.stats, engine.stats());
    drop(ended.collector);
    reported.extend(receiver.iter());
    assert!(reported == expected && expected.len() > 300, "{} outputs", expected.len());
}

#[test]
fn a_runner_that_has_stopped_takes_no_snapshot_and_no_rules() {
    let rules = RuleSet::parse(&format!(
        "{EVENTS} rule few {{ key user  match created -> paid  skip none  limit 2 partials fail }}"
    ))
    .unwrap();
    let (mut runner, _reported) = start(Engine::builder().rules(&rules), 2, 1);
    let created = rules.schema().type_id("created").unwrap();
    for n in 0..10 {
        let at = Timestamp::from_millis(n);
        let event = Record::new(created, at, vec![n.into(), Value::Int(1), Value::Time(at)]);
        if runner.push(event).is_err() {
            break;
        }
    }
    assert_eq!(runner.snapshot(), Err(Stopped));
    assert_eq!(runner.replace_rules(&rules), Err(ReplaceError::Stopped));
    assert!(runner.end_time().unwrap().failure.is_some());
}
