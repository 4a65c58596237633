//! Functions that the host registers: rules call them, the checker knows their types, and the
//! version of a rule knows their signatures.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kleene::diagnostic::Source;
use kleene::ruleset::{HostFunction, RuleSetBuilder, RulesError};
use kleene::stream::Output;
use kleene::value::Kind;
use kleene::{Engine, Record, RuleSet, Timestamp, Value, ValueRef};

const RULES: &str = "
event login { user: string, ip: string, n: int?, at: time, .. }

rule abroad {
  key    user
  match  login as home -> login[country(ip) != country(home.ip) and score(n, 2) >= 1.5] as away
  within 1h
  emit   { user, from: country(away.ip), score: score(away.n), odd: score(away.extra) }
}
rule constant { key user  match login[country(\"10\") == \"DE\"]{5} }
";

fn country() -> HostFunction {
    let country = |args: &[ValueRef<'_>]| match args {
        [ValueRef::String(ip)] if ip.starts_with("10.") => Value::from("DE"),
        [ValueRef::String(_)] => Value::from("FR"),
        _ => Value::from("never called so"),
    };
    HostFunction::new("country", Kind::STRING, country).param("ip", Kind::STRING)
}

/// Half of the first number, times the second if there is one.
fn score() -> HostFunction {
    let score = |args: &[ValueRef<'_>]| match args {
        [ValueRef::Float(x)] => Value::Float(x / 2.0),
        [ValueRef::Float(x), ValueRef::Int(times)] => ValueRef::Int(*times)
            .as_f64()
            .map_or(Value::Null, |times| Value::Float(x / 2.0 * times)),
        _ => Value::from("never called so"),
    };
    HostFunction::new("score", Kind::FLOAT, score)
        .param("x", Kind::FLOAT)
        .optional("times", Kind::INT)
}

fn load(text: &str, functions: &[HostFunction]) -> Result<RuleSet, RulesError> {
    let builder = RuleSet::builder().source(Source::new("login.cep", text));
    functions.iter().cloned().fold(builder, RuleSetBuilder::function).build()
}

fn logins(rules: &RuleSet) -> Vec<Record> {
    let login = |second: i64, ip: &str, n: Option<i64>| {
        let fields = [
            ("user", Value::from("ann")),
            ("ip", Value::from(ip)),
            ("n", n.map_or(Value::Null, Value::Int)),
            ("at", Timestamp::from_millis(second * 1000).into()),
            ("extra", Value::from("no number")),
        ];
        Record::from_fields(rules.schema(), "login", fields).unwrap()
    };
    // Too low a score, none at all, and then enough.
    vec![
        login(1, "10.1", Some(5)),
        login(2, "9.1", Some(1)),
        login(3, "9.1", None),
        login(4, "9.2", Some(3)),
    ]
}

fn run(rules: &RuleSet) -> Vec<String> {
    let mut engine = Engine::builder().rules(rules).in_order().build().unwrap();
    let mut reported: Vec<Output<Record>> = Vec::new();
    engine.push_batch(&logins(rules), &mut reported).unwrap();
    engine.end_time(&mut reported).unwrap();
    let emits = reported.into_iter().filter_map(|output| match output {
        Output::Match(found) => Some(found.emit.to_string()),
        _ => None,
    });
    emits.collect()
}

#[test]
fn rules_call_them_in_conditions_and_in_what_they_emit() {
    let rules = load(RULES, &[country(), score()]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(run(&rules), [r#"{ user: "ann", from: "FR", score: 1.5, odd: null }"#]);
}

#[test]
fn without_them_the_rules_are_refused() {
    let error = load(RULES, &[score()]).unwrap_err().to_string();
    assert!(error.contains("error[E0206]: there is no function `country`"), "{error}");
    let error = load(&RULES.replace("country(ip)", "contry(ip)"), &[country(), score()]);
    assert!(error.unwrap_err().to_string().contains("did you mean `country`?"));
}

#[test]
fn versions_know_names_and_signatures_and_nothing_else() {
    let version = |functions: &[HostFunction]| {
        let rules = load(RULES, functions).unwrap_or_else(|error| panic!("{error}"));
        rules.rule("abroad").unwrap().version
    };
    let first = version(&[country(), score()]);
    let other_closure = HostFunction::new("country", Kind::STRING, |_| Value::Null);
    let unused = HostFunction::new("unused", Kind::INT, |_| Value::Int(1));
    assert_eq!(first, version(&[score(), other_closure.param("ip", Kind::STRING), unused]));
    let closure = |_: &[ValueRef<'_>]| Value::Null;
    let text = Kind::STRING;
    for other in [
        HostFunction::new("country", text.or(Kind::INT), closure).param("ip", text),
        HostFunction::new("country", text, closure).param("ip", text.or(Kind::NULL)),
        HostFunction::new("country", text, closure).param("ip", text).optional("day", text),
    ] {
        assert_ne!(first, version(&[other, score()]));
    }
}

#[test]
fn they_are_called_while_events_come_and_not_while_rules_are_loaded() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let counting = HostFunction::new("country", Kind::STRING, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Value::from("DE")
    });
    let rules = load(RULES, &[counting.param("ip", Kind::STRING), score()]).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(run(&rules), Vec::<String>::new());
    assert!(calls.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_condition_calls_them_once_for_an_event() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let seen = HostFunction::new("seen", Kind::BOOL, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        true.into()
    });
    let seen = [seen.param("n", Kind::INT)];
    // A counting window, runs that move in place, and the general strategy.
    for body in ["a[seen(n)]{3}", "a[seen(n)] -> b", "a[seen(n)]{3 any}"] {
        let declared = "event a { k: int, n: int, at: time } event b { k: int, at: time }";
        let rules = load(&format!("{declared} rule r {{ key k match {body} within 1m }}"), &seen);
        let rules = rules.unwrap();
        let events: Vec<Record> = (0..12)
            .map(|n| {
                let fields = [("k", Value::Int(n % 4)), ("n", Value::Int(n))];
                let at = ("at", Timestamp::from_millis(n).into());
                Record::from_fields(rules.schema(), "a", fields.into_iter().chain([at])).unwrap()
            })
            .collect();
        let mut engine = Engine::builder().rules(&rules).build().unwrap();
        let mut reported: Vec<Output<Record>> = Vec::new();
        calls.store(0, Ordering::Relaxed);
        engine.push_batch(&events, &mut reported).unwrap();
        engine.end_time(&mut reported).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), events.len(), "{body}");
    }
}

#[test]
fn a_panic_comes_to_whoever_pushed_the_event() {
    let panics = HostFunction::new("country", Kind::STRING, |_| panic!("no such place"));
    let rules = load(RULES, &[panics.param("ip", Kind::STRING), score()]).unwrap();
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| run(&rules))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"no such place"));
}
