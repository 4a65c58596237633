//! Whatever the number of threads, the output and the counts are those of one engine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use kleene::schema::{FieldId, TypeId};
use kleene::stream::{EngineBuilder, Output, Stats};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_explain::testing::{TEST_START, TestStep};
use kleene_runner::{Runner, RunnerBuilder};
use kleene_syntax::hir::expr::FieldRef;
use kleene_test::files::rule_files;

fn files(folder: &str) -> Vec<PathBuf> {
    rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder))
}

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

/// An operation of a host.
#[derive(Clone, Debug)]
enum Step {
    Event(Record),
    Advance(Timestamp),
}

/// Returns the outputs of one engine.
fn one(
    builder: EngineBuilder<Record>,
    steps: &[Step],
) -> (Vec<Output<Record>>, Stats, Option<String>) {
    let mut engine = builder.build().expect("the rules can be run");
    let mut reported: Vec<Output<Record>> = Vec::new();
    for step in steps {
        match step {
            Step::Event(event) if engine.push(event, &mut reported).is_err() => break,
            Step::Event(_) => {}
            Step::Advance(to) => drop(engine.advance(*to, &mut reported)),
        }
    }
    // A limit may have stopped it.
    if engine.failure().is_none() {
        let _ = engine.end_time(&mut reported);
    }
    (reported, engine.stats(), engine.failure().map(ToString::to_string))
}

/// Returns the outputs of several shards, and the number of shards that really ran.
fn several(
    builder: RunnerBuilder<Record>,
    steps: &[Step],
) -> (Vec<Output<Record>>, Stats, Option<String>, usize) {
    let (sender, reported) = mpsc::channel();
    let mut runner = builder
        .start(move |output| sender.send(output).unwrap())
        .expect("the rules can be run, and threads be started");
    let count = runner.threads();
    for step in steps {
        let result = match step.clone() {
            Step::Event(event) => runner.push(event),
            Step::Advance(to) => runner.advance(to),
        };
        if result.is_err() {
            break;
        }
    }
    let ended = runner.end_time().expect("nothing panics");
    let failure = ended.failure.as_ref().map(ToString::to_string);
    drop(ended.collector);
    (reported.iter().collect(), ended.stats, failure, count)
}

/// Compares one engine with several, and gives the number of outputs and of shards.
fn compare(make: &dyn Fn() -> EngineBuilder<Record>, steps: &[Step], name: &str) -> (usize, usize) {
    let (reported, stats, failure) = one(make(), steps);
    let mut most = 0;
    for (of, batch) in [(1, 1000), (2, 7), (2, 1000), (3, 64), (5, 1)] {
        let builder = Runner::builder().engine(|_| make()).threads(of).batch(batch).waiting(2);
        let (others, sum, stopped, count) = several(builder, steps);
        if let Some(index) = reported.iter().zip(&others).position(|(a, b)| a != b) {
            let (a, b) = (&reported[index], &others[index]);
            panic!("{name}: {of} shards, output {index} of {}:\n{a:?}\n{b:?}", reported.len());
        }
        assert_eq!(reported.len(), others.len(), "{name}: {of} shards");
        assert_eq!(stats, sum, "{name}: {of} shards");
        assert_eq!(failure, stopped, "{name}: {of} shards");
        most = most.max(count);
    }
    (reported.len(), most)
}

/// Of the events that the tests of `rules` have, with other keys, in any order, at other times.
fn made_up(rules: &RuleSet, length: usize, jitter: usize, random: &mut Random) -> Vec<Step> {
    let mut known = Vec::new();
    let mut gaps = vec![0, 1, 1000];
    for test in rules.tests() {
        let mut last = TEST_START;
        for step in &test.steps {
            if let TestStep::Event { ty, at, values, extra } = step {
                known.push((*ty, values, extra));
                gaps.push(at.millis_since(last).clamp(0, 1_000_000_000));
                last = *at;
            }
        }
    }
    if known.is_empty() {
        return Vec::new();
    }
    let is_key = |ty: TypeId, field: usize| {
        let mut parts = rules.rules().iter().flat_map(|rule| &rule.key);
        parts.any(|part| {
            part.fields.iter().any(|(of, id)| {
                *of == ty && matches!(id, FieldRef::Declared(id) if *id == FieldId::new(field))
            })
        })
    };
    let mut now = TEST_START;
    let mut steps = Vec::new();
    for _ in 0..length {
        if random.below(3) == 0 {
            now = now.plus_millis(gaps[random.below(gaps.len())] / 3);
        }
        if random.below(40) == 0 {
            steps.push(Step::Advance(now.plus_millis(-1000)));
            continue;
        }
        let (ty, values, extra) = known[random.below(known.len())];
        let late = if random.below(30) == 0 { 100_000_000 } else { random.below(jitter) };
        let at = now.plus_millis(-i64::try_from(late).unwrap());
        let other = i64::try_from(random.below(9)).unwrap();
        let mut values = values.clone();
        for (field, value) in values.iter_mut().enumerate() {
            *value = match &*value {
                Value::String(text) if is_key(ty, field) => Value::from(format!("{text}{other}")),
                Value::Int(int) if is_key(ty, field) => Value::Int(int.wrapping_add(1000 * other)),
                value => value.clone(),
            };
        }
        if let Some(time) = rules.schema().ty(ty).time {
            values[time.index()] = Value::Time(at);
        }
        steps.push(Step::Event(Record::with_extra(ty, at, values, extra.clone())));
    }
    steps
}

#[test]
fn all_rules_report_the_same_of_many_keys_in_any_order() {
    let (mut outputs, mut divided) = (0, 0);
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        // A file's events do not depend on the other files: some rules explode on some streams.
        let mut random = Random(7);
        let rules = RuleSet::from_path(&file).unwrap_or_else(|error| panic!("{error}"));
        for (bound, jitter) in [(None, 1), (Some(2), 4000), (Some(600), 700_000)] {
            let steps = made_up(&rules, 300, jitter, &mut random);
            let make = || {
                let builder = Engine::builder().rules(&rules);
                match bound {
                    None => builder.in_order(),
                    Some(seconds) => builder.out_of_order(Duration::from_secs(seconds)),
                }
            };
            let (reported, shards) =
                compare(&make, &steps, &format!("{} {bound:?}", file.display()));
            outputs += reported;
            divided += usize::from(shards > 1);
        }
    }
    assert!(outputs > 20_000 && divided > 150, "{outputs} outputs, {divided} divided");
}

const SHOP: &str = "
event created { order: int, user: int, at: time }
event paid { order: int, at: time }
event alert { user: int, order: int, at: time }

rule unpaid {
  key order
  match created as c -> not paid for 20s
  emit as alert { user: c.user, order }
}
rule troubled {
  key user
  match alert{2}
  within 5m
  emit { user }
}
rule slow {
  key order
  match created as c -> paid
  within 10s
  skip none
  emit { order, user: c.user }
  on timeout emit { order, reached: match.step }
  suppress 30s by user
}
rule busy {
  key user
  match created{6}
  within 1m
  emit { user }
  suppress 10s
}
rule flood {
  match created{20}
  within 2s
  emit { n: 20 }
}
";

fn orders(count: usize, random: &mut Random) -> Vec<Step> {
    let rules = RuleSet::parse(SHOP).unwrap();
    let types = ["created", "paid"].map(|name| rules.schema().type_id(name).unwrap());
    let mut steps = Vec::new();
    for index in 0..count {
        let late = random.below(4000);
        let at = Timestamp::from_millis(i64::try_from(index * 50 + 100_000 - late).unwrap());
        let order = Value::Int(i64::try_from(random.below(80) + index / 40).unwrap());
        let user = Value::Int(i64::try_from(random.below(25)).unwrap());
        let is_paid = random.below(2) == 1;
        let mut values = vec![order, user, Value::Time(at)];
        if is_paid {
            values.remove(1);
        }
        steps.push(Step::Event(Record::new(types[usize::from(is_paid)], at, values)));
    }
    steps
}

#[test]
fn rules_that_cannot_be_divided_are_reported_in_their_place_among_those_that_can() {
    let steps = orders(6000, &mut Random(3));
    for bound in [3, 1] {
        let make = || {
            let rules = RuleSet::parse(SHOP).unwrap();
            Engine::builder().rules(&rules).out_of_order(Duration::from_secs(bound))
        };
        let (_, stats, _) = one(make(), &steps);
        let seen = [stats.matches, stats.timeouts, stats.suppressed, stats.derived, stats.late];
        assert!(seen.iter().all(|count| *count > 100), "{stats:?}");
        let (_, shards) = compare(&make, &steps, "shop");
        assert_eq!(shards, 5);
    }
}

#[test]
fn limits_give_way_in_the_same_place() {
    let steps = orders(4000, &mut Random(5));
    let limited = |limit: &str| {
        SHOP.replace(
            "  suppress 10s\n",
            &format!("  suppress 10s\n  skip none\n  limit 3 partials {limit}\n"),
        )
    };
    let wait = Duration::from_secs(2);
    for policy in ["drop oldest", "drop newest"] {
        let text = limited(policy);
        // A buffer that is too small for what is out of order moves time by itself.
        for buffered in [10_000, 30] {
            let make = || {
                let rules = RuleSet::parse(&text).unwrap();
                Engine::builder().rules(&rules).out_of_order(wait).limit_buffered(buffered)
            };
            let (_, stats, _) = one(make(), &steps);
            assert!(stats.overflowed > 100, "{stats:?}");
            compare(&make, &steps, policy);
        }
    }
    let text = SHOP.replace("  suppress 10s\n", "  suppress 10s\n  skip none\n");
    let make = || {
        let rules = RuleSet::parse(&text).unwrap();
        Engine::builder().rules(&rules).out_of_order(wait).limit_steps_per_event(2)
    };
    assert!(one(make(), &steps).1.overflowed > 100);
    compare(&make, &steps, "steps");
    // Limits that deadlines reach: each key reports its own.
    let text = "event created { order: int, user: int, at: time }
        event paid { order: int, at: time }
        event alert { user: int, order: int, at: time }
        rule nagging { key order  match created -> not paid for 20s repeat  within 5m }
        rule pairs {
          key user
          match created{1..2 any each} as c -> not created[order < 0] for 20s
          within 1m
          skip none
        }";
    let make = || {
        let builder = Engine::builder().rules(&RuleSet::parse(text).unwrap()).out_of_order(wait);
        builder.limit_repetitions(2).limit_matches_per_set(1)
    };
    let reported = one(make(), &steps).0;
    for limit in ["repetitions", "matches_per_set"] {
        let is_of = |output: &&Output<Record>| matches!(output, Output::Overflowed(one) if one.limit.as_str() == limit);
        assert!(reported.iter().filter(is_of).count() > 10, "{limit}");
    }
    compare(&make, &steps, "deadlines");
    let text = limited("fail");
    let make = || Engine::builder().rules(&RuleSet::parse(&text).unwrap()).out_of_order(wait);
    let (reported, _, failure) = one(make(), &steps);
    assert!(!reported.is_empty() && failure.is_some());
    // Only one engine has the failure that stops everything.
    assert_eq!(compare(&make, &steps, "fail").1, 1);
}

#[test]
fn several_sources_have_their_own_watermarks() {
    let steps = orders(2000, &mut Random(9));
    let make = || Engine::builder().rules(&RuleSet::parse(SHOP).unwrap()).in_order();
    let mut engine = make().build().unwrap();
    let names = ["a", "b", "c"];
    let ids = names.map(|name| engine.source(name));
    let mut expected: Vec<Output<Record>> = Vec::new();
    let (sender, reported) = mpsc::channel();
    let builder = Runner::builder().engine(|_| make()).threads(2);
    let mut runner = builder.start(move |output| sender.send(output).unwrap()).unwrap();
    assert_eq!(names.map(|name| runner.source(name).unwrap()), ids);
    for (index, step) in steps.iter().enumerate() {
        let Step::Event(event) = step else { continue };
        let source = ids[index % 3];
        if index % 500 == 100 {
            engine.set_idle(source, &mut expected).unwrap();
            runner.set_idle(source).unwrap();
        } else if index % 50 == 7 {
            engine.advance_source(source, event.time(), &mut expected).unwrap();
            runner.advance_source(source, event.time()).unwrap();
        } else {
            engine.push_from(source, event, &mut expected).unwrap();
            runner.push_from(source, event.clone()).unwrap();
        }
    }
    engine.end_time(&mut expected).unwrap();
    let ended = runner.end_time().unwrap();
    drop(ended.collector);
    assert_eq!(reported.iter().collect::<Vec<_>>(), expected);
    assert_eq!(ended.stats, engine.stats());
    assert!(expected.len() > 500);
}
