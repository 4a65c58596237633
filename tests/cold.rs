//! An engine that keeps idle keys elsewhere reports what one reports that has them all in memory,
//! in every kind of rule, with snapshots, restarts and other rules in between; and it stops where
//! what keeps them fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kleene::stream::{ColdError, ColdStore, EngineBuilder, Ignore, Output, RestoreError};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_engine::Shard;
use kleene_test::files::rule_files;
use kleene_test::random;
use kleene_test::restore::{Step, they_go_on_alike};
use kleene_test::steps::{Dice, as_rules, made_up, shuffled, steps_of_tests};
use proptest::prelude::*;

/// Keeps entries in memory, and does what a test wants to go wrong.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Content>>);

#[derive(Default)]
pub(crate) struct Content {
    entries: BTreeMap<u64, Vec<u8>>,
    last: Option<u64>,
    /// How often something was read.
    reads: u64,
    /// Counts what is brought back, for tests with many of these.
    brought: Arc<AtomicU64>,
    /// The largest number of bytes to keep.
    most: Option<usize>,
}

impl Shelf {
    fn with<T>(&self, run: impl FnOnce(&mut Content) -> T) -> T {
        run(&mut self.0.lock().expect("no test panics while it holds this"))
    }
}

impl ColdStore for Shelf {
    fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError> {
        self.with(|content| {
            if content.most.is_some_and(|most| content.entries.len() + entries.len() > most) {
                return Err("there is no space left".into());
            }
            for (number, bytes) in entries {
                assert!(content.last.is_none_or(|last| last < *number), "numbers rise");
                content.last = Some(*number);
                content.entries.insert(*number, bytes.to_vec());
            }
            Ok(())
        })
    }

    fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError> {
        self.with(|content| {
            content.reads += 1;
            let next = content.entries.range(from..).next();
            Ok(next.map(|(number, bytes)| (*number, bytes.clone())))
        })
    }

    fn remove(&mut self, number: u64) -> Result<(), ColdError> {
        let removed = self.with(|content| {
            content.brought.fetch_add(1, Ordering::Relaxed);
            content.entries.remove(&number)
        });
        assert!(removed.is_some(), "what is removed is there");
        Ok(())
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

fn builder(rules: &RuleSet, lateness: i64) -> EngineBuilder<Record> {
    let builder = Engine::builder().rules(rules);
    builder.out_of_order(Duration::from_millis(lateness.unsigned_abs()))
}

fn cold(rules: &RuleSet, lateness: i64, keys: u64) -> EngineBuilder<Record> {
    builder(rules, lateness).cold_store(Shelf::default(), keys)
}

#[test]
fn every_construct_reports_the_same_with_hardly_a_key_in_memory() {
    let (mut reported, mut dice) = (0, Dice(11));
    let brought = Arc::<AtomicU64>::default();
    for file in files("testdata/suite").into_iter().chain(files("patterns")) {
        let rules = RuleSet::from_path(&file).unwrap_or_else(|error| panic!("{error}"));
        let known = steps_of_tests(&rules);
        let mut check = |lateness, keys, steps: &[Step], restore: &mut dyn FnMut(usize) -> bool| {
            let plain = || Some(builder(&rules, lateness));
            let cold = || {
                let shelf = Shelf::default();
                shelf.with(|content| content.brought = brought.clone());
                Some(builder(&rules, lateness).cold_store(shelf, keys))
            };
            reported += they_go_on_alike(plain, cold, steps, restore)
                .unwrap_or_else(|different| panic!("{}: {different}", file.display()));
        };
        check(0, 0, &known, &mut |_| false);
        for keys in [0, 1, 2, 5, 0, 1, 2, 5, 0, 1] {
            let steps = made_up(&rules, &known, &mut dice);
            check(2000, keys, &steps, &mut |_| false);
            check(2000, keys, &steps, &mut |_| dice.below(3) == 0);
        }
    }
    assert!(reported > 20_000, "only {reported} matches and timeouts are compared");
    let brought = brought.load(Ordering::Relaxed);
    assert!(brought > 10_000, "only {brought} keys were brought back");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_patterns_report_the_same(
        pattern in random::runnable(),
        events in random::stream(),
        late in prop::collection::vec(0..4_i64, 13),
        restore in prop::collection::vec(prop::bool::weighted(0.2), 13),
        lateness in 0..3_i64,
        keys in 0..3_u64,
        most in prop::sample::select(vec![4, 1_000_000]),
        clauses in prop::sample::select(vec![
            "", "key v", "key type, v", "suppress 3ms", "key v suppress 5ms by 1", "key v once",
            "key v once per rule", "limit 2 partials drop oldest",
            "key v limit 3 partials fail",
        ]),
    ) {
        let Some(rules) = as_rules(&pattern.0, clauses) else { return Ok(()) };
        let done = they_go_on_alike(
            || Some(builder(&rules, lateness).limit_partials(most)),
            || Some(cold(&rules, lateness, keys).limit_partials(most)),
            &shuffled(&events.0, &late),
            |index| restore.get(index).copied().unwrap_or_default(),
        );
        prop_assert!(done.is_ok(), "{}", done.unwrap_err());
    }

    #[test]
    fn rules_are_replaced_with_the_same_verdicts(
        patterns in prop::collection::vec(random::runnable(), 2),
        edit in any::<bool>(),
        events in random::stream(),
        moment in 0..13_usize,
        keys in 0..3_u64,
    ) {
        let Some(old) = as_rules(&patterns[0].0, "key v") else { return Ok(()) };
        let new = if edit {
            as_rules(&patterns[0].0, "key v emit { reported: 1 }")
        } else {
            as_rules(&patterns[1].0, "key v")
        };
        let Some(new) = new else { return Ok(()) };
        let engines = (builder(&old, 1).build(), cold(&old, 1, keys).build());
        let (Ok(mut plain), Ok(mut cold)) = engines else { return Ok(()) };
        let (mut expected, mut reported) = (Vec::new(), Vec::new());
        for (index, event) in events.0.iter().enumerate() {
            if index == moment {
                prop_assert_eq!(cold.plan_replacement(&new), plain.plan_replacement(&new));
                prop_assert_eq!(cold.replace_rules(&new), plain.replace_rules(&new));
            }
            plain.push(event, &mut expected).expect("it has not ended");
            cold.push(event, &mut reported).expect("it has not ended");
            if plain.stats().partials > 1500 {
                return Ok(());
            }
        }
        plain.end_time(&mut expected).unwrap();
        cold.end_time(&mut reported).unwrap();
        prop_assert_eq!(reported, expected);
    }
}

fn orders() -> RuleSet {
    RuleSet::parse(
        "event created { order: int, at: time }
         event paid    { order: int, at: time }
         rule unpaid   { key order  match created -> paid within 1h  on timeout emit { order } }
         rule either   { key order  match created -> paid }",
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

fn order(rules: &RuleSet, ty: &str, order: i64, second: i64) -> Record {
    let at = Timestamp::from_millis(1000 * second);
    let fields = [("order", Value::Int(order)), ("at", Value::Time(at))];
    Record::from_fields(rules.schema(), ty, fields).expect("it is declared")
}

#[test]
fn memory_holds_as_many_keys_as_it_may() {
    let rules = orders();
    let shelf = Shelf::default();
    let builder = Engine::builder().rules(&rules);
    let mut engine = builder.cold_store(shelf.clone(), 200).build().unwrap();
    for id in 0..5000 {
        engine.push(&order(&rules, "created", id, 0), &mut Ignore).unwrap();
        let stats = engine.stats();
        assert!(stats.keys - stats.cold <= 202, "{stats:?}");
    }
    assert_eq!(engine.stats().keys, 10_000);
    // New keys are not looked for, but by chance.
    assert!(shelf.with(|content| content.reads) < 5);
    for id in 0..5000 {
        engine.push(&order(&rules, "paid", id, 1), &mut Ignore).unwrap();
    }
    assert_eq!((engine.stats().matches, engine.stats().cold), (10_000, 0));
    assert!(shelf.with(|content| content.entries.is_empty()));
    assert_eq!(engine.collect_partials("unpaid").len(), 0);
}

#[test]
fn a_key_that_stays_busy_stays_in_memory() {
    let rules = orders();
    let shelf = Shelf::default();
    let builder = Engine::builder().rules(&rules);
    let mut engine = builder.cold_store(shelf.clone(), 100).build().unwrap();
    for id in 1..3000 {
        engine.push(&order(&rules, "created", id, 0), &mut Ignore).unwrap();
        engine.push(&order(&rules, "created", 0, 0), &mut Ignore).unwrap();
    }
    assert!(shelf.with(|content| content.reads) < 5);
}

#[test]
fn deadlines_come_back_in_order_with_few_keys_in_memory_at_a_time() {
    let rules = orders();
    let builder = || Engine::builder().rules(&rules);
    let mut cold = builder().cold_store(Shelf::default(), 1000).build().unwrap();
    let mut plain = builder().build().unwrap();
    let (mut reported, mut expected) = (Vec::new(), Vec::new());
    for (engine, reported) in [(&mut cold, &mut reported), (&mut plain, &mut expected)] {
        for id in 0..20_000 {
            engine.push(&order(&rules, "created", id * 7919 % 20_000, id / 10), reported).unwrap();
        }
        // Now all the others run out of time.
        engine.advance(Timestamp::from_millis(1000 * 86_400), reported).unwrap();
    }
    assert_eq!((reported.len(), reported == expected), (20_000, true));
    // Rules without `within` hold the rest.
    assert_eq!(cold.stats().keys, 20_000);
    assert!(cold.stats().cold > 18_900, "{:?}", cold.stats());
}

/// Where nothing is reported at deadlines, many keys are looked at together.
#[test]
fn what_is_forgotten_together_is_not_brought_back_together() {
    let rules = RuleSet::parse(
        "event created { order: int, at: time }
         event paid    { order: int, at: time }
         rule paid_soon { key order  match created -> paid within 1h }
         rule twice     { key order  match created -> paid -> paid within 30m }",
    )
    .unwrap();
    // All at one moment, a second apart, and some of them with an event in between.
    for (apart, paid) in [(0, 0), (1, 0), (0, 3), (1, 3)] {
        let builder = || Engine::builder().rules(&rules);
        let mut cold = builder().cold_store(Shelf::default(), 200).build().unwrap();
        let mut plain = builder().build().unwrap();
        for engine in [&mut cold, &mut plain] {
            for id in 0..20_000 {
                let second = id * apart / 20;
                engine.push(&order(&rules, "created", id, second), &mut Ignore).unwrap();
                if paid > 0 && id % paid == 0 {
                    engine.push(&order(&rules, "paid", id, second), &mut Ignore).unwrap();
                }
            }
            engine.advance(Timestamp::from_millis(1000 * 86_400), &mut Ignore).unwrap();
        }
        let mut stats = cold.stats();
        stats.cold = 0;
        assert_eq!(stats, plain.stats());
        assert_eq!((cold.stats().keys, cold.failure().is_none()), (0, true));
        let (few, all) = (cold.memory_usage(), plain.memory_usage());
        assert!(few < all / 4, "{few} bytes, {all} with all keys in memory");
    }
}

/// Matches that wait for older partial matches without a bound are reported when no event can come.
#[test]
fn what_waits_for_the_end_is_reported_in_order_with_few_keys_brought_back() {
    let rules = RuleSet::parse(
        "event e { order: int, v: int, at: time }
         rule waits { key order  match e[v < 10] as a -> e[v == 10 * a.v] as b  skip past last ordered }",
    );
    let rules = rules.unwrap_or_else(|error| panic!("{error}"));
    let event = |key: i64, v: i64, at: i64| {
        let at = Timestamp::from_millis(at);
        let fields = [("order", Value::Int(key)), ("v", Value::Int(v)), ("at", Value::Time(at))];
        Record::from_fields(rules.schema(), "e", fields).expect("it is declared")
    };
    let shelf = Shelf::default();
    let brought = shelf.with(|content| content.brought.clone());
    let builder = || Engine::builder().rules(&rules);
    let mut cold = builder().cold_store(shelf, 10).build().unwrap();
    let mut plain = builder().build().unwrap();
    let (mut reported, mut expected) = (Vec::new(), Vec::new());
    let mut before_the_end = 0;
    for (engine, reported) in [(&mut plain, &mut expected), (&mut cold, &mut reported)] {
        for at in 0..300 {
            // In no order of keys; one in ten has a match that waits.
            let key = at * 7 % 300;
            engine.push(&event(key, 1, at), reported).unwrap();
            if key % 10 == 0 {
                engine.push(&event(key, 2, at), reported).unwrap();
                engine.push(&event(key, 20, at), reported).unwrap();
            }
        }
        assert_eq!(reported.len(), 0);
        before_the_end = brought.load(Ordering::Relaxed);
        engine.end_time(reported).unwrap();
    }
    assert_eq!((reported.len(), reported == expected), (30, true));
    assert!(brought.load(Ordering::Relaxed) - before_the_end <= 30);
}

#[test]
fn what_keeps_keys_may_fail() {
    let rules = orders();
    let make = |most: Option<usize>| {
        let shelf = Shelf::default();
        shelf.with(|content| content.most = most);
        let builder = Engine::builder().rules(&rules);
        (builder.cold_store(shelf.clone(), 8).build().unwrap(), shelf)
    };
    let created = |id| order(&rules, "created", id, id);
    // There is no room: nothing is lost, and nothing goes on.
    let ((mut engine, _), mut taken) = (make(Some(40)), 0);
    let error = loop {
        match engine.push(&created(taken), &mut Ignore) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    let text = "the store of idle keys has failed: it cannot write: there is no space left";
    assert_eq!((error.to_string().as_str(), error.rule()), (text, None));
    assert_eq!(engine.failure(), Some(&error));
    assert_eq!(engine.collect_partials("either").len(), usize::try_from(taken).unwrap());
    assert_eq!(engine.push(&created(0), &mut Ignore), Err(error));
    let parts = [engine.snapshot(), Shard::split_snapshot(&engine, 2, |_, _| 1).concat()];
    assert_eq!(parts, [[0_u8; 0]; 2]);

    let damage = |shelf: &Shelf| {
        shelf.with(|content| {
            let mut entries = content.entries.values_mut();
            let bytes = entries.next().expect("something is kept");
            bytes[3] ^= 1;
        });
    };
    let damaged = |engine: &Engine<Record>| {
        let error = engine.failure().expect("it has stopped").to_string();
        let text =
            "the store of idle keys has failed: it has kept what is not entry 0 as it was written";
        assert_eq!(error, text);
    };
    // An entry is another one: found by its event, at its deadline, at the end, by a snapshot.
    let filled = || {
        let (mut engine, shelf) = make(None);
        for id in 0..40 {
            engine.push(&created(id), &mut Ignore).unwrap();
        }
        damage(&shelf);
        engine
    };
    let mut engine = filled();
    let paid = |id| order(&rules, "paid", id, 100);
    let failed = (0..40).find_map(|id| engine.push(&paid(id), &mut Ignore).err());
    assert_eq!(engine.failure(), failed.as_ref());
    damaged(&engine);
    let mut engine = filled();
    let mut reported: Vec<Output<Record>> = Vec::new();
    assert!(engine.advance(Timestamp::from_millis(1_000_000_000), &mut reported).is_err());
    damaged(&engine);
    let mut engine = filled();
    assert!(engine.end_time(&mut reported).is_err());
    damaged(&engine);
    let mut engine = filled();
    let bytes = engine.snapshot();
    damaged(&engine);
    let builder = Engine::<Record>::builder().rules(&rules);
    assert_eq!(builder.restore(&[&bytes]).err(), Some(RestoreError::Damaged));
    assert!(engine.push(&created(100), &mut Ignore).is_err());
    let mut engine = filled();
    assert!(engine.replace_rules(&rules).is_err());
    damaged(&engine);

    // There is no room to restore.
    let mut engine = Engine::builder().rules(&rules).build().unwrap();
    for id in 0..100 {
        engine.push(&created(id), &mut Ignore).unwrap();
    }
    let shelf = Shelf::default();
    shelf.with(|content| content.most = Some(40));
    let builder = Engine::<Record>::builder().rules(&rules).cold_store(shelf, 8);
    let error = builder.restore(&[&engine.snapshot()]).unwrap_err();
    assert!(matches!(&error, RestoreError::Cold(_)) && error.to_string() == text, "{error}");

    // An entry is gone.
    let (mut engine, shelf) = make(None);
    for id in 0..40 {
        engine.push(&created(id), &mut Ignore).unwrap();
    }
    shelf.with(|content| content.entries.pop_first());
    let error = engine.end_time(&mut reported).unwrap_err().to_string();
    assert_eq!(error, "the store of idle keys has failed: it has lost an entry");
}
