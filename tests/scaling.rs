//! The costs of hostile rule text: time in proportion to its length, or an early refusal.
//!
//! Each text is built three times, of `n`, `2n` and `4n` parts. Four times the text may take ten
//! times as long, which leaves room for a noisy machine and for `n log n`; a quadratic step would
//! take sixteen times as long, and a cubic one sixty-four times.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kleene::diagnostic::Code;
use kleene::stream::Ignore;
use kleene::{Engine, Record, RuleSet};

const EVENTS: &str = "event a { k: string, v: int, at: time }\n\
                      event b { k: string, v: int, at: time }\n";

/// So many times longer four times the text may take.
const MOST: u32 = 10;
/// Less than that says nothing: it is lost in noise.
const LEAST: Duration = Duration::from_millis(2);

fn list(count: usize, between: &str, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().join(between)
}

fn rule(pattern: &str) -> String {
    format!("{EVENTS}rule r {{ key k  match {pattern}  within 1m }}")
}

/// How long it takes to read the rules, and to make an engine of them where there are no mistakes.
/// Least of two: noise only adds.
fn time(text: &str) -> Duration {
    let once = || {
        let start = Instant::now();
        if let Ok(rules) = RuleSet::parse(text) {
            let engine = Engine::<Record>::builder().rules(&rules).build();
            if let Ok(mut engine) = engine {
                engine.end_time(&mut Ignore).expect("no limit fails");
            }
        }
        start.elapsed()
    };
    (0..2).map(|_| once()).min().unwrap_or_default()
}

fn costs_in_proportion(what: &str, n: usize, text: impl Fn(usize) -> String) {
    let mut seen = Vec::new();
    // A machine that is busy for a moment is no finding: the growth has to be seen each time.
    for _ in 0..3 {
        let [small, middle, large] = [n, 2 * n, 4 * n].map(|n| time(&text(n)));
        if large <= MOST * small.max(LEAST) {
            return;
        }
        seen.push((small, middle, large));
    }
    panic!("{what} of {n}, {} and {} parts took {seen:?}", 2 * n, 4 * n);
}

/// Four times the text may make rules and automata that take a little more than four times the
/// memory. Sizes are counted, so that a busy machine changes nothing.
fn takes_memory_in_proportion(what: &str, n: usize, text: impl Fn(usize) -> String) {
    let [small, large] = [n, 4 * n].map(|n| {
        let rules = RuleSet::parse(&text(n)).unwrap_or_else(|error| panic!("{what}: {error}"));
        rules.memory_usage()
    });
    assert!(large <= 5 * small, "{what} of {n} and {} parts: {small} and {large} bytes", 4 * n);
}

#[test]
fn steps() {
    costs_in_proportion("steps", 2000, |n| rule(&list(n, " -> ", |_| "a".into())));
    costs_in_proportion("named steps", 1000, |n| {
        rule(&list(n, " -> ", |i| format!("a[v > {i}] as s{i}")))
    });
    costs_in_proportion("too many steps", 30_000, |n| rule(&list(n, " -> ", |_| "a".into())));
}

#[test]
fn steps_that_ask_what_others_captured() {
    costs_in_proportion("captured values", 500, |n| {
        let rest = list(n, " -> ", |i| format!("a[v > s{i}.v] as s{}", i + 1));
        rule(&format!("a as s0 -> {rest}"))
    });
    costs_in_proportion("values of the step before", 5000, |n| {
        let rest = list(n, " -> ", |i| format!("a[v > s{i}.v] as s{}", i + 1));
        rule(&format!("a as s0 -> {rest}"))
    });
    costs_in_proportion("values of the event before", 3000, |n| {
        rule(&format!("a -> {}", list(n, " -> ", |_| "a[v > prev.v]".into())))
    });
    costs_in_proportion("aggregates", 300, |n| {
        let all = list(n, " and ", |i| format!("sum(y.v + {i}) > 0"));
        rule(&format!("a -> b{{1..3}} as y -> a[{all}]"))
    });
    costs_in_proportion("lengths that events say", 300, |n| {
        let steps = list(n, " -> ", |i| format!("not x for s.d{i} -> x[v > {i}]"));
        let fields = list(n, ", ", |i| format!("d{i}: duration"));
        format!(
            "event s {{ k: string, at: time, {fields} }}\nevent x {{ k: string, v: int, at: time }}\n\
             rule r {{ key k  match s -> {steps}  within 1h }}"
        )
    });
}

#[test]
fn records_and_declarations() {
    costs_in_proportion("emitted fields", 2000, |n| {
        format!(
            "{EVENTS}rule r {{ key k  match a as x  emit {{ {} }} }}",
            list(n, ", ", |i| { format!("f{i}: x.v + {i}") })
        )
    });
    costs_in_proportion("fields of an event", 5000, |n| {
        format!("event e {{ {}, at: time }}", list(n, ", ", |i| format!("f{i}: int")))
    });
    costs_in_proportion("fields that a condition names", 500, |n| {
        let fields = list(n, ", ", |i| format!("field_number_{i}: int"));
        let all = list(n, " and ", |i| format!("field_number_{i} != {i}"));
        format!(
            "event e {{ {fields}, k: string, at: time }}\nrule r {{ key k  match e[{all}] within 1m }}"
        )
    });
    costs_in_proportion("parameters", 4000, |n| {
        format!("{EVENTS}{}", list(n, "\n", |i| format!("param p{i}: int = {i}")))
    });
    costs_in_proportion("list entries", 8000, |n| {
        rule(&format!("a[v in [{}]]", list(n, ", ", |i| i.to_string())))
    });
}

#[test]
fn defines_and_rules() {
    costs_in_proportion("defines that build on each other", 1000, |n| {
        let chain = list(n, "\n", |i| format!("define d{} = d{i}[v > {i}]", i + 1));
        format!("{EVENTS}define d0 = a\n{chain}\nrule r {{ key k  match d{n} -> b  within 1m }}")
    });
    costs_in_proportion("rules", 1000, |n| {
        let rules =
            list(n, "\n", |i| format!("rule r{i} {{ key k  match a[v == {i}] -> b  within 1m }}"));
        format!("{EVENTS}{rules}")
    });
    costs_in_proportion("rules with mistakes", 8000, |n| {
        list(n, "\n", |i| format!("rule r{i} {{ match }}"))
    });
}

#[test]
fn alternatives_that_must_not_come() {
    let alternatives = |n| list(n, " or ", |i| format!("b[v == {i}]"));
    let until = |n| rule(&format!("a -> a+ until ({}) -> a", alternatives(n)));
    let not = |n| rule(&format!("a -> not ({}) -> a", alternatives(n)));
    let without = |n| rule(&format!("(a -> a) without ({})", alternatives(n)));
    let not_of_types = |n| {
        let events = list(n, "\n", |i| format!("event t{i} {{ k: string, at: time }}"));
        format!(
            "{events}\n{}",
            rule(&format!("a -> not ({}) -> a", list(n, " or ", |i| format!("t{i}"))))
        )
    };
    costs_in_proportion("alternatives of `until`", 1000, until);
    costs_in_proportion("alternatives of `not`", 1000, not);
    costs_in_proportion("alternatives of `without`", 1000, without);
    costs_in_proportion("types of `not`", 3000, not_of_types);
    takes_memory_in_proportion("alternatives of `until`", 500, until);
    takes_memory_in_proportion("alternatives of `not`", 500, not);
    takes_memory_in_proportion("alternatives of `without`", 500, without);
    takes_memory_in_proportion("types of `not`", 500, not_of_types);
}

#[test]
fn rules_of_as_many_types() {
    let events = |n| list(n, "\n", |i| format!("event t{i} {{ k: string, v: int, at: time }}"));
    let own = |n| {
        let rule = |i| format!("rule r{i} {{ key k  match t{i}[v == {i}] -> t{i}  within 1m }}");
        format!("{}\n{}", events(n), list(n, "\n", rule))
    };
    let shared = |n| {
        let rule = |i| format!("rule r{i} {{ key k  match a[v == {i}] -> t{i}  within 1m }}");
        format!("{EVENTS}{}\n{}", events(n), list(n, "\n", rule))
    };
    let four_each = |n| {
        let rule = |i| format!("rule r{i} {{ match t{0}[v == {i}] -> t{0}  within 1m }}", i % n);
        format!("{}\n{}", events(n), list(4 * n, "\n", rule))
    };
    costs_in_proportion("rules of one type each", 1000, own);
    costs_in_proportion("rules of a shared type", 1000, shared);
    costs_in_proportion("rules of which four read a type", 1000, four_each);
    takes_memory_in_proportion("rules of one type each", 500, own);
    takes_memory_in_proportion("rules of a shared type", 500, shared);
    takes_memory_in_proportion("rules of which four read a type", 500, four_each);
    costs_in_proportion("types with a field of their own for the key", 3000, |n| {
        let events = list(n, "\n", |i| format!("event t{i} {{ k{i}: string, at: time }}"));
        let fields = list(n, ", ", |i| format!("t{i}: k{i}"));
        let types = list(n, " or ", |i| format!("t{i}"));
        format!(
            "{EVENTS}{events}\nrule r {{ key k {{ {fields} }}  match a -> not ({types}) -> a  within 1m }}"
        )
    });
}

/// The code of the first error.
fn code(text: &str) -> Option<Code> {
    let error = RuleSet::parse(text).err()?;
    error.diagnostics().first().map(|report| report.diagnostic.code)
}

#[test]
fn what_is_too_large_is_refused_early() {
    let mut rules = EVENTS.to_owned();
    for index in 0..=100_000 {
        let _ = writeln!(rules, "rule r{index} {{ key k match a within 1m }}");
    }
    assert_eq!(code(&rules), Some(Code::LimitExceeded));
    let large = list(320, "\n", |i| {
        format!("rule r{i} {{ key k match a{{{}}} -> b within 1m }}", 9_999 - i)
    });
    assert_eq!(code(&format!("{EVENTS}{large}")), Some(Code::LimitExceeded));
    // The automata, too, are looked at where rules are read: one, and all together.
    let optional = list(500, " -> ", |_| "a{0..1 each}".into());
    assert_eq!(code(&rule(&format!("a -> {optional} -> a"))), Some(Code::LimitExceeded));
    let large = list(45, "\n", |i| {
        format!(
            "rule r{i} {{ key k match a -> {} -> b{{{}}} within 1m }}",
            &optional[..16 * 430 - 4],
            i + 1
        )
    });
    assert_eq!(code(&format!("{EVENTS}{large}")), Some(Code::LimitExceeded));
    // Each state has a tree for each type.
    let types = list(5000, "\n", |i| format!("event t{i} {{ k: int, at: time }}"));
    let steps = list(5000, " -> ", |i| format!("t{i}"));
    assert_eq!(
        code(&format!("{types}\nrule r {{ key k match {steps} within 1m }}")),
        Some(Code::LimitExceeded)
    );
    let fields = list(20_000, ", ", |i| format!("f{i}: int"));
    assert_eq!(code(&format!("event e {{ {fields} }}")), Some(Code::LimitExceeded));
}
