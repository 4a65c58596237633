//! A key that a closure computes: an engine reports what it reports for the same key in a field, in
//! whichever way the event reaches the rule and wherever the state of keys is.

use std::collections::BTreeMap;
use std::time::Duration;

use kleene::stream::{ColdError, ColdStore, EngineBuilder, Output};
use kleene::{Engine, Event, Pattern, Portable, Record, RuleSet, Timestamp, Value, ValueRef};
use kleene_engine::{Plain, Shard};
use kleene_test::steps::Dice;

/// A move of an account, whose numbers the text `account` holds, too.
#[derive(Clone, Debug, Event, Portable)]
struct Transfer {
    account: String,
    bank: i64,
    number: Option<i64>,
    amount: i64,
    at: Timestamp,
}

/// The key of a test: in fields, computed, or one part of each kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum KeyKind {
    Fields,
    Computed,
    Mixed,
}

use KeyKind::{Computed, Fields, Mixed};

/// Returns three patterns over the same key: one with a prefilter, one that waits for a deadline,
/// and one with `suppress`.
fn patterns(kind: KeyKind) -> Vec<(&'static str, Pattern<Transfer>)> {
    let minute = Duration::from_mins(1);
    let one = Pattern::<Transfer>::begin("a")
        .when(|event| event.amount > 5)
        .followed_by("b")
        .when(|event| event.amount > 7)
        .within(minute);
    let two = Pattern::<Transfer>::begin("a")
        .when(|event| event.amount == 1)
        .not_followed_by("b")
        .when(|event| event.amount == 2)
        .lasting(Duration::from_secs(20));
    let three = Pattern::<Transfer>::begin("a").times(4).within(minute).suppress(minute);
    let with_key = |pattern: kleene::pattern::PatternBuilder<Transfer>| {
        let pattern = match kind {
            Fields => pattern.key("bank").key("number"),
            Computed => {
                pattern.key_by("bank", |event| event.bank).key_by("number", |event| event.number)
            }
            Mixed => pattern.key("bank").key_by("number", |event| event.number),
        };
        pattern.build().expect("it is right")
    };
    [("one", one), ("two", two), ("three", three)].map(|(name, it)| (name, with_key(it))).into()
}

fn builder(patterns: &[(&'static str, Pattern<Transfer>)]) -> EngineBuilder<Transfer> {
    let add = |builder: EngineBuilder<Transfer>, (name, pattern): &(&str, _)| {
        builder.pattern(name, pattern)
    };
    patterns.iter().fold(EngineBuilder::new(), add)
}

fn transfers(count: usize) -> Vec<Transfer> {
    let mut dice = Dice(41);
    let mut below = |most: usize| i64::try_from(dice.below(most)).expect("it is small");
    let mut at = 0;
    let mut transfer = || {
        at += 1 + below(2000);
        let (bank, number) = (below(3), below(7));
        let number = (number > 0).then_some(number);
        let account = format!("{bank}/{number:?}");
        let amount = below(10);
        Transfer { account, bank, number, amount, at: Timestamp::from_millis(at) }
    };
    (0..count).map(|_| transfer()).collect()
}

/// Returns what outputs say, without the ids, which depend on the version of the pattern.
fn said(outputs: &[Output<Transfer>]) -> Vec<String> {
    let said = |output: &Output<Transfer>| match output {
        Output::Match(found) | Output::Suppressed(found) => {
            format!("{} {:?} {:?}", found.rule, found.key, found.captures)
        }
        other => format!("{other:?}"),
    };
    outputs.iter().map(said).collect()
}

/// Returns the outputs for a key in fields, from an engine that gets one event after the other.
fn expected(events: &[Transfer], names: &[&str]) -> Vec<String> {
    let mut patterns = patterns(Fields);
    patterns.retain(|(name, _)| names.contains(name));
    let mut engine = builder(&patterns).build().expect("the patterns fit");
    let mut outputs = Vec::new();
    for event in events {
        engine.push(event, &mut outputs).expect("no limit is reached");
    }
    engine.end_time(&mut outputs).expect("no limit is reached");
    let nulls = events.iter().filter(|event| event.number.is_none()).count();
    assert_eq!(engine.stats().keyless, nulls as u64);
    said(&outputs)
}

const SELECTIONS: [&[&str]; 4] = [&["one"], &["two"], &["three"], &["one", "two", "three"]];

#[test]
fn a_computed_key_is_the_same_key_in_a_field() {
    let events = transfers(3000);
    for names in SELECTIONS {
        let expected = expected(&events, names);
        assert!(expected.len() > 20, "{names:?}: {}", expected.len());
        for kind in [Computed, Mixed] {
            let mut patterns = patterns(kind);
            patterns.retain(|(name, _)| names.contains(name));
            // One by one, in batches, and in order again after a buffer.
            for (size, bound) in [(1, 0), (3000, 0), (700, 0), (500, 5)] {
                let builder = match bound {
                    0 => builder(&patterns),
                    bound => builder(&patterns).out_of_order(Duration::from_secs(bound)),
                };
                let mut engine = builder.build().expect("the patterns fit");
                let mut outputs = Vec::new();
                for batch in events.chunks(size) {
                    engine.push_batch(batch, &mut outputs).expect("no limit is reached");
                }
                engine.end_time(&mut outputs).expect("no limit is reached");
                assert_eq!(said(&outputs), expected, "{names:?} {kind:?} {size} {bound}");
                let nulls = events.iter().filter(|event| event.number.is_none()).count();
                assert_eq!(engine.stats().keyless, nulls as u64, "{names:?} {kind:?}");
            }
        }
    }
}

#[test]
fn shards_divide_computed_keys() {
    let events = transfers(2000);
    for names in SELECTIONS {
        let mut expected = expected(&events, names);
        expected.sort();
        for kind in [Computed, Mixed] {
            let mut patterns = patterns(kind);
            patterns.retain(|(name, _)| names.contains(name));
            let mut shards = Shard::build(builder(&patterns), 3).expect("the patterns fit");
            assert_eq!(shards.len(), 3);
            let mut all = Vec::new();
            let mut busy = 0;
            for shard in &mut shards {
                let mut outputs = Vec::new();
                for event in &events {
                    shard.push(event, &mut Plain(&mut outputs)).expect("no limit is reached");
                }
                shard.end_time(&mut Plain(&mut outputs)).expect("no limit is reached");
                busy += usize::from(!outputs.is_empty());
                all.extend(said(&outputs));
            }
            all.sort();
            assert_eq!((all, busy), (expected.clone(), 3), "{names:?} {kind:?}");
        }
    }
}

#[derive(Default)]
struct Shelf(BTreeMap<u64, Vec<u8>>);

impl ColdStore for Shelf {
    fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError> {
        self.0.extend(entries.iter().map(|(number, bytes)| (*number, bytes.to_vec())));
        Ok(())
    }

    fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError> {
        Ok(self.0.range(from..).next().map(|(number, bytes)| (*number, bytes.clone())))
    }

    fn remove(&mut self, number: u64) -> Result<(), ColdError> {
        self.0.remove(&number);
        Ok(())
    }
}

#[test]
fn computed_keys_survive_snapshots_shards_and_cold_stores() {
    let events = transfers(900);
    let (names, bound) = (SELECTIONS[3], Duration::from_secs(3));
    let expected = expected(&events, names);
    for kind in [Computed, Mixed] {
        let patterns = patterns(kind);
        let builder = || builder(&patterns).out_of_order(bound);
        let mut engine = builder().cold_store(Shelf::default(), 4).build().expect("they fit");
        let mut outputs = Vec::new();
        for (number, batch) in events.chunks(50).enumerate() {
            engine.push_batch(batch, &mut outputs).expect("no limit is reached");
            let bytes = engine.snapshot();
            engine = match number % 3 {
                0 => builder().restore(&[&bytes]).expect("it is whole").0,
                1 => {
                    let store = builder().cold_store(Shelf::default(), 4);
                    store.restore(&[&bytes]).expect("it is whole").0
                }
                _ => {
                    let shards = Shard::restore(builder(), 2, &[&bytes]).expect("it is whole").0;
                    assert_eq!(shards.len(), 2);
                    let all = engine.stats();
                    let parts: Vec<Vec<u8>> =
                        shards.iter().map(|shard| shard.snapshot(&all)).collect();
                    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                    builder().restore(&parts).expect("they are whole").0
                }
            };
        }
        engine.end_time(&mut outputs).expect("no limit is reached");
        assert_eq!(said(&outputs), expected, "{kind:?}");
    }
}

#[test]
fn state_does_not_continue_under_a_key_of_another_version() {
    let pattern = |version: u64, part: i64| {
        let pattern = Pattern::<Transfer>::begin("a").followed_by("b").version(version);
        pattern.key_by("part", move |event| event.bank % part).build().expect("it is right")
    };
    let event = |bank: i64, second: i64| {
        let at = Timestamp::from_millis(1000 * second);
        Transfer { account: String::new(), bank, number: None, amount: 0, at }
    };
    let with = |pattern: &Pattern<Transfer>| Engine::builder().pattern("pair", pattern);
    let mut engine = with(&pattern(1, 2)).build().expect("it fits");
    engine.push(&event(3, 1), &mut Vec::new()).expect("no limit is reached");
    let bytes = engine.snapshot();
    for (version, matches) in [(1, 1), (2, 0)] {
        let builder = with(&pattern(version, 2));
        let mut engine = builder.restore(&[&bytes]).expect("it is whole").0;
        engine.push(&event(5, 2), &mut Vec::new()).expect("no limit is reached");
        assert_eq!(engine.stats().matches, matches, "version {version}");
    }
    // A field of the same name is another key.
    let field = Pattern::<Transfer>::begin("a").followed_by("b").key("bank");
    let computed = Pattern::<Transfer>::begin("a").followed_by("b").key_by("bank", |e| e.bank);
    let versions =
        [field, computed].map(|it| it.build().expect("it is right").to_rule("r").version);
    assert_ne!(versions[0], versions[1]);
}

/// Pushes one event for each value. Returns how often each key has matched.
fn counts<K: Into<Value> + 'static>(
    key: fn(&Transfer) -> K,
    accounts: &[&str],
) -> Vec<(Value, usize)> {
    let pattern = Pattern::<Transfer>::begin("a").key_by("key", key).build().expect("it is right");
    let mut engine = Engine::builder().pattern("one", &pattern).build().expect("it fits");
    let mut counts: Vec<(Value, usize)> = Vec::new();
    for (second, account) in (0..).zip(accounts) {
        let at = Timestamp::from_millis(1000 * second);
        let account = (*account).to_owned();
        let event = Transfer { account, bank: 0, number: None, amount: 0, at };
        let mut count = kleene::on_match(|found: kleene::Match<'_, Transfer>| {
            let key = found.key_values().next().expect("the key has one part").1.clone();
            match counts.iter_mut().find(|(known, _)| *known == key) {
                Some((_, count)) => *count += 1,
                None => counts.push((key, 1)),
            }
        });
        engine.push(&event, &mut count).expect("no limit is reached");
    }
    counts
}

#[test]
fn equal_values_are_one_key_and_null_is_none() {
    let float = |event: &Transfer| event.account.parse::<f64>().ok();
    let found = counts(float, &["0", "-0", "NaN", "-NaN", "1", "one", "1e0"]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 2, 2]);
    let text = |event: &Transfer| event.account.to_lowercase();
    let found = counts(text, &["a", "A", "b", ""]);
    assert_eq!(found, [("a".into(), 2), ("b".into(), 1), ("".into(), 1)]);
    let list = |event: &Transfer| {
        let parts: Vec<Value> = event.account.split('/').map(Value::from).collect();
        Value::List(parts.into())
    };
    let found = counts(list, &["a/b", "a/b", "ab"]);
    assert_eq!(found.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 1]);
}

fn hit(rules: &RuleSet, path: &str, second: i64) -> Record {
    let at = Timestamp::from_millis(1000 * second);
    let fields = [("path", path.into()), ("at", at.into())];
    Record::from_fields(rules.schema(), "hit", fields).expect("it is declared")
}

#[test]
fn records_have_computed_keys_beside_rules_of_a_file() -> Result<(), Box<dyn std::error::Error>> {
    let rules = RuleSet::parse(
        "event hit { path: string, at: time }
         rule same { key path  match hit{2} }",
    )?;
    let path = rules.schema().type_id("hit").and_then(|ty| rules.schema().ty(ty).field_id("path"));
    let path = path.expect("it is declared");
    let pattern = Pattern::<Record>::begin("a")
        .of_type("hit")
        .times(2)
        .schema(rules.schema().clone())
        .key_by("root", move |hit| match hit.field(path) {
            ValueRef::String(path) => path.split('/').next().map(str::to_owned),
            _ => None,
        })
        .build()?;
    let mut engine = Engine::builder().rules(&rules).pattern("root", &pattern).build()?;
    let mut outputs: Vec<Output<Record>> = Vec::new();
    for (second, path) in (0..).zip(["a/b", "a/c", "a/b", "d", "a"]) {
        engine.push(&hit(&rules, path, second), &mut outputs)?;
    }
    let keys: Vec<(String, String)> = outputs
        .iter()
        .map(|output| match output {
            Output::Match(found) => (found.rule.to_string(), found.key[0].1.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(rule, key)| (&**rule, &**key)).collect();
    assert_eq!(keys, [("root", "\"a\""), ("same", "\"a/b\""), ("root", "\"a\"")]);
    // A replacement of the file's rules leaves the pattern and its keys alone.
    engine.push(&hit(&rules, "x/1", 10), &mut outputs)?;
    engine.replace_rules(&rules)?;
    let before = outputs.len();
    engine.push(&hit(&rules, "x/2", 11), &mut outputs)?;
    assert_eq!(outputs.len(), before + 1);
    Ok(())
}

#[test]
fn computed_keys_are_looked_up_ahead_when_much_is_open() {
    let pattern = Pattern::<Transfer>::begin("a").followed_by("b").within(Duration::from_hours(1));
    let pattern = pattern.key_by("half", |event| event.bank / 2).build().expect("it is right");
    let mut engine = Engine::builder().pattern("pair", &pattern).build().expect("it fits");
    let event = |bank: i64| {
        let at = Timestamp::from_millis(bank);
        Transfer { account: String::new(), bank, number: None, amount: 0, at }
    };
    // Keys open one by one, and only then their second events come.
    let odd_after_even = (0..40_000).map(|key| event(2 * key)).chain((0..40_000).map(|key| {
        let second = event(2 * key + 1);
        Transfer { at: Timestamp::from_millis(100_000 + key), ..second }
    }));
    let mut outputs = Vec::new();
    let events: Vec<Transfer> = odd_after_even.collect();
    engine.push_batch(&events, &mut outputs).expect("no limit is reached");
    assert_eq!((engine.stats().matches, engine.stats().peak_partials), (40_000, 40_000));
    let keys = outputs.iter().zip(0..).all(|(output, key)| match output {
        Output::Match(found) => found.key[0].1 == Value::Int(key),
        _ => false,
    });
    assert!(keys);
}
