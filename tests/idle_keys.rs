//! Keys for which nothing is held, and which come again: where they are is left to them for a
//! while, which nobody can report from looking at them.

use kleene::stream::{EngineBuilder, Ignore, Output, Partial};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_test::steps::Dice;

const EVENTS: &str = "
    event tick { ts: time, k: int, v: int }
    event nothing { ts: time, k: int }
";

/// A rule that reports a fall and a rise after it; then the key has nothing open.
const TURN: &str = "
    rule turn {
      key k
      match tick as top -> next tick[v < prev.v]{1.. next greedy} -> next tick[v > prev.v]
      within 8s
      emit { k, top: top.v }
    }
";

/// A rule that has the same key, and holds nothing: with it no slot is left to a key.
const BESIDE: &str = "rule beside { key k match nothing -> nothing within 1s }";

fn rules(text: &[&str]) -> RuleSet {
    RuleSet::parse(&text.concat()).unwrap_or_else(|error| panic!("{error}"))
}

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules).in_order()
}

fn tick(rules: &RuleSet, at: i64, k: i64, v: i64) -> Record {
    let at = Timestamp::from_millis(at);
    let ty = rules.schema().type_id("tick").expect("it is declared");
    Record::new(ty, at, [Value::Time(at), Value::Int(k), Value::Int(v)])
}

/// A fall and a rise of a key.
fn turn(engine: &mut Engine<Record>, rules: &RuleSet, at: i64, k: i64) -> Vec<Output<Record>> {
    let mut reported = Vec::new();
    for (after, v) in [(0, 5), (1, 4), (2, 6)] {
        engine.push(&tick(rules, at + after, k, v), &mut reported).expect("no limit fails");
    }
    reported
}

#[test]
fn all_is_reported_and_counted_as_where_no_slot_is_left() {
    let (alone, beside) = (rules(&[EVENTS, TURN]), rules(&[EVENTS, TURN, BESIDE]));
    let mut matches = 0;
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let limited = |rules: &RuleSet| match seed % 4 {
            0 => builder(rules).limit_partials(7),
            1 => builder(rules).limit_partials_per_key(2),
            _ => builder(rules),
        };
        let (mut one, mut other) =
            (limited(&alone).build().unwrap(), limited(&beside).build().unwrap());
        let (mut by_one, mut by_other) = (Vec::new(), Vec::new());
        let mut at = 1000;
        for step in 0..600_u64 {
            // Often at once, sometimes after all that is open, seldom after all sweeps.
            at += match dice.below(40) {
                0 => 10_000,
                1..4 => 900,
                far => i64::try_from(far).unwrap(),
            };
            let k = i64::try_from(dice.below(if seed % 2 == 0 { 4 } else { 200 })).unwrap();
            let event = tick(&alone, at, k, i64::try_from(dice.below(5)).unwrap());
            one.push(&event, &mut by_one).unwrap();
            other.push(&event, &mut by_other).unwrap();
            assert_eq!(one.stats(), other.stats(), "seed {seed}, step {step}");
            let open = |engine: &Engine<Record>| -> Vec<Vec<Value>> {
                let key =
                    |open: &Partial<'_, Record>| open.key_values().map(|it| it.1.clone()).collect();
                engine.collect_partials("turn").iter().map(key).collect()
            };
            assert_eq!(open(&one), open(&other));
        }
        one.end_time(&mut by_one).unwrap();
        other.end_time(&mut by_other).unwrap();
        assert_eq!(one.stats(), other.stats());
        assert_eq!(format!("{by_one:?}"), format!("{by_other:?}"));
        matches += one.stats().matches;
    }
    assert!(matches > 1000, "{matches} are compared");
}

#[test]
fn a_key_without_anything_open_is_in_no_snapshot() {
    let rules = rules(&[EVENTS, TURN]);
    let mut engine = builder(&rules).build().unwrap();
    for k in 0..20 {
        assert_eq!(turn(&mut engine, &rules, 1000 + 10 * k, k).len(), 1);
    }
    engine.push(&tick(&rules, 2000, 77, 1), &mut Ignore).unwrap();
    assert_eq!((engine.stats().keys, engine.collect_partials("turn").len()), (1, 1));
    let (restored, _) = builder(&rules).restore(&[&engine.snapshot()]).unwrap();
    assert_eq!(restored.stats(), engine.stats());
    assert_eq!(restored.snapshot(), engine.snapshot());

    // Changes are followed: one that comes again and stays, one that comes again and goes.
    let base = engine.snapshot_base();
    engine.push(&tick(&rules, 2001, 3, 1), &mut Ignore).unwrap();
    assert_eq!(turn(&mut engine, &rules, 2010, 4).len(), 1);
    let changes = engine.snapshot_changes().unwrap();
    let (mut restored, _) = builder(&rules).restore(&[&base, &changes]).unwrap();
    assert_eq!((restored.stats(), restored.stats().keys), (engine.stats(), 2));
    for engine in [&mut engine, &mut restored] {
        let mut reported = Vec::new();
        for (at, v) in [(2020, 0), (2021, 9)] {
            engine.push(&tick(&rules, at, 3, v), &mut reported).unwrap();
        }
        assert_eq!((reported.len(), engine.stats().keys), (1, 1));
    }
    // The key that holds nothing any more is gone from what the next changes make.
    let changes = [base, changes, engine.snapshot_changes().unwrap()];
    let (restored, _) = builder(&rules).restore(&changes.each_ref().map(|it| &**it)).unwrap();
    assert_eq!((restored.stats(), restored.stats().keys), (engine.stats(), 1));
}

#[test]
fn a_key_comes_again_before_and_after_the_sweep_that_frees_it() {
    let rules = rules(&[EVENTS, TURN]);
    let mut engine = builder(&rules).build().unwrap();
    // The sweep that a key was noted for is nine seconds later at the latest.
    for at in [1000, 1010, 5000, 9500, 9990, 10_000, 10_500, 30_000, 30_010] {
        assert_eq!(turn(&mut engine, &rules, at, 1).len(), 1, "at {at}");
        assert_eq!((engine.stats().keys, engine.stats().partials), (0, 0));
    }
    // What is open then runs out of time as ever, and is freed.
    engine.push(&tick(&rules, 30_020, 1, 1), &mut Ignore).unwrap();
    assert_eq!(engine.stats().keys, 1);
    engine.push(&tick(&rules, 50_000, 2, 1), &mut Ignore).unwrap();
    assert_eq!((engine.stats().keys, engine.stats().partials), (1, 1));
}

#[test]
fn rules_are_replaced_without_the_keys_that_hold_nothing() {
    let (before, other) = (rules(&[EVENTS, TURN]), TURN.replace("8s", "9s"));
    for after in [rules(&[EVENTS, TURN, BESIDE]), rules(&[EVENTS, &other])] {
        let mut engine = builder(&before).build().unwrap();
        for k in 0..20 {
            turn(&mut engine, &before, 1000 + 10 * k, k);
        }
        engine.push(&tick(&before, 2000, 77, 5), &mut Ignore).unwrap();
        let replacement = engine.replace_rules(&after).unwrap();
        assert_eq!(replacement.rule("turn").unwrap().kept, 1);
        assert_eq!((engine.stats().keys, engine.stats().partials), (1, 1));
        let mut reported = turn(&mut engine, &before, 3000, 3);
        for (at, v) in [(3010, 4), (3011, 6)] {
            engine.push(&tick(&before, at, 77, v), &mut reported).unwrap();
        }
        assert_eq!((reported.len(), engine.stats().keys), (2, 0));
    }
}

#[test]
fn few_slots_are_left_however_many_keys_come_once() {
    let rules = rules(&[EVENTS, TURN]);
    let mut engine = builder(&rules).build().unwrap();
    let mut peak = 0;
    for k in 0..20_000 {
        assert_eq!(turn(&mut engine, &rules, 1000 + 3 * k, k).len(), 1);
        peak = peak.max(engine.memory_usage());
    }
    assert_eq!(engine.stats().keys, 0);
    assert!(peak < 40_000, "{peak} bytes");
}
