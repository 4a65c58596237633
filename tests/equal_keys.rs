//! Equal keys have equal bytes: what is reported of a key does not depend on the spelling of its
//! first event, which a restart, a cold store or an emptied slot forgets.

use std::fmt::Write as _;

use kleene::stream::{EngineBuilder, Output};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_test::shelf::Shelf;
use kleene_test::steps::Dice;

/// Floats alone, in composite keys, in lists, in events that rules make, and in `suppress`.
const RULES: &str = "
    event tick { ts: time, k: float, q: float, l: list<float>, n: int, v: int }
    event pair { ts: time, k: float, n: int }

    rule alone {
      key k
      match tick[v > 2] as a -> tick[v < a.v] as b within 20s
      on timeout emit { k }
      emit { k, first: a.k, last: b.k }
    }
    rule turn {
      key q
      match tick[v > 3] -> next tick[v <= 3]
      within 8s
    }
    rule both { key k, n  match tick{3 next} as all within 1m  emit { d: distinct(all.k), m: min(all.k), k, n } }
    rule lists { key l  match tick -> tick within 5s  emit { l } }
    rule feeds { key n  match tick as a -> tick as b within 3s  emit as pair { k: a.k, n: b.n } }
    rule fed { key k  match pair -> pair within 10s  emit { k } }
    rule seldom { key n  match tick[v > 3] as a  emit { k: a.k, h: hash(a.k) }  suppress 5s by k }
";

fn rules() -> RuleSet {
    RuleSet::parse(RULES).unwrap_or_else(|error| panic!("{error:#}"))
}

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules).in_order()
}

fn events(rules: &RuleSet, seed: u64) -> Vec<Record> {
    // Two zeros, two NaNs, and numbers that equal themselves only.
    let odd_nan = f64::from_bits(f64::NAN.to_bits() ^ (1 << 63) | 5);
    let spellings = [0.0, -0.0, f64::NAN, odd_nan, 1.5, f64::INFINITY, f64::MIN_POSITIVE / 4.0];
    let ty = rules.schema().type_id("tick").expect("it is declared");
    let mut dice = Dice(seed);
    let mut at = 1000;
    let number = |dice: &mut Dice| spellings[dice.below(spellings.len())];
    let all = (0..150).map(|_| {
        at += [10, 900, 4000][dice.below(3)];
        let time = Timestamp::from_millis(at);
        let (k, q) = (number(&mut dice), number(&mut dice));
        let list: Vec<Value> = (0..dice.below(3)).map(|_| number(&mut dice).into()).collect();
        let mut small = |most| Value::Int(i64::try_from(dice.below(most)).unwrap_or_default());
        let (n, v) = (small(2), small(6));
        Record::new(
            ty,
            time,
            [Value::Time(time), k.into(), q.into(), Value::List(list.into()), n, v],
        )
    });
    all.collect()
}

/// A value with the bits of its floats, which `Debug` does not show of NaN.
fn bits(out: &mut String, value: &Value) {
    match value {
        Value::Float(x) => drop(write!(out, "{x:?}/{:x} ", x.to_bits())),
        Value::List(items) => items.iter().for_each(|item| bits(out, item)),
        Value::Record(fields) => fields.iter().for_each(|(name, value)| {
            out.push_str(name);
            bits(out, value);
        }),
        other => drop(write!(out, "{other} ")),
    }
}

fn line(output: &Output<Record>) -> String {
    let (found, what) = match output {
        Output::Match(found) => (found, "match"),
        Output::Timeout(timeout) => (&timeout.found, "timeout"),
        other => return format!("{other:?}"),
    };
    let mut line = format!("{what} {} {} at {:?} ", found.rule, found.id, found.reported_at);
    found.key.iter().for_each(|(_, value)| bits(&mut line, value));
    bits(&mut line, &found.emit);
    line
}

/// Returns the outputs of an engine that is snapshotted and restored before each event for which
/// `restarts`.
fn reported(
    events: &[Record],
    new: &dyn Fn() -> EngineBuilder<Record>,
    mut restarts: impl FnMut() -> bool,
) -> Vec<String> {
    let mut engine = new().build().expect("the rules are fine");
    let mut reported = Vec::new();
    for event in events {
        if restarts() {
            let snapshot = engine.snapshot();
            engine = new().restore(&[&snapshot]).expect("it is the same engine").0;
        }
        engine.push(event, &mut reported).expect("no limit fails");
    }
    engine.end_time(&mut reported).expect("no limit fails");
    reported.iter().map(line).collect()
}

#[test]
fn equal_keys_are_reported_with_equal_bytes_whatever_was_forgotten() {
    let rules = rules();
    let (mut compared, mut odd_spellings) = (0, 0);
    for seed in 0..4 {
        let events = events(&rules, seed);
        let plain = || builder(&rules);
        let cold = || builder(&rules).cold_store(Shelf::default(), 0);
        let general = || builder(&rules).general_strategy();
        let expected = reported(&events, &plain, || false);
        let mut dice = Dice(seed + 1000);
        let ways = [
            ("restarted before each event", reported(&events, &plain, || true)),
            ("restarted sometimes", reported(&events, &plain, || dice.below(7) == 0)),
            ("with a cold store", reported(&events, &cold, || false)),
            ("with a cold store, restarted", reported(&events, &cold, || true)),
            ("in the general way", reported(&events, &general, || false)),
        ];
        for (way, found) in ways {
            let differs = expected.iter().zip(&found).find(|(one, other)| one != other);
            assert_eq!(differs, None, "seed {seed}, {way}");
            assert_eq!(expected.len(), found.len(), "seed {seed}, {way}");
        }
        // One spelling of each key, over all that is reported.
        let odd = format!("NaN/{:x} ", f64::NAN.to_bits() ^ (1 << 63) | 5);
        let fed = expected.iter().filter(|line| line.contains(" fed "));
        odd_spellings += fed.filter(|line| line.contains("-0.0/") || line.contains(&odd)).count();
        compared += expected.len();
    }
    assert!(compared > 300, "{compared} results are compared");
    assert_eq!(odd_spellings, 0);
}

#[test]
fn texts_in_other_unicode_forms_are_other_keys() {
    let rules = RuleSet::parse(
        "event a { ts: time, k: string }  rule two { key k  match a -> a within 1h  emit { k } }",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let ty = rules.schema().type_id("a").expect("it is declared");
    let mut engine = builder(&rules).build().expect("the rules are fine");
    let mut reported = Vec::new();
    for (at, k) in [(1, "\u{e9}"), (2, "e\u{301}"), (3, "\u{e9}")] {
        let at = Timestamp::from_millis(at);
        let event = Record::new(ty, at, [Value::Time(at), k.into()]);
        engine.push(&event, &mut reported).expect("no limit fails");
    }
    let [Output::Match(found)] = &reported[..] else { panic!("{reported:?}") };
    assert_eq!(found.key[0].1, Value::from("\u{e9}"));
}
