//! The cost of the parts, each with as little else around it as the public API allows: rules that
//! can never match show the cost of a condition or a key, for example.
//!
//! `cargo bench --bench parts -- keys` measures those with `keys` in their names.

#[path = "workloads/mod.rs"]
mod suite;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kleene::diagnostic::Source;
use kleene::stream::{Engine, Ignore, on_match};
use kleene::{Record, RuleSet, Timestamp, Value};
use kleene_syntax::syntax;
use suite::{Workload, shuffle};

const EVENTS: i64 = 100_000;

/// The types that the rules below are about.
const EVENT_TYPES: &str = "
event order { ts: time, id: int, user: int, amount: float, note: string }
event paid  { ts: time, id: int }
event other { ts: time, id: int }
";

fn rules(text: &str) -> RuleSet {
    match RuleSet::parse(&format!("{EVENT_TYPES}\n{text}")) {
        Ok(rules) => rules,
        Err(error) => panic!("{error}"),
    }
}

/// An event of a type of [`EVENT_TYPES`] for each of `EVENTS` milliseconds.
fn events(rules: &RuleSet, make: impl Fn(i64) -> (&'static str, i64)) -> Vec<Record> {
    let event = |at: i64| {
        let (ty, id) = make(at);
        let id_of_type = rules.schema().type_id(ty).expect("it is declared");
        let time = Timestamp::from_millis(at);
        let mut values = vec![Value::Time(time), Value::Int(id)];
        if ty == "order" {
            let amount = f64::from(u16::try_from(at % 1000).unwrap_or(0));
            values.extend([Value::Int(at % 977), Value::Float(amount), Value::from("by hand")]);
        }
        Record::new(id_of_type, time, values)
    };
    (0..EVENTS).map(event).collect()
}

fn engine(rules: &RuleSet) -> Engine<Record> {
    Engine::builder().rules(rules).build().expect("the rules run")
}

/// Measures pushing all of `events` to a new engine, to the end of time.
fn pushed(
    criterion: &mut Criterion,
    group: &str,
    name: &str,
    make: impl Fn() -> Engine<Record>,
    events: &[Record],
    matches: u64,
) {
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(events.len() as u64)).sample_size(10);
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            &make,
            |engine| {
                engine.push_batch(events, &mut Ignore).expect("it is not finished");
                engine.end_time(&mut Ignore).expect("no limit fails");
                assert_eq!(engine.stats().matches, matches);
                assert_eq!(engine.stats().late, 0);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// The texts of all ready-made rules.
fn ready_made(dir: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    let entries = fs::read_dir(dir).expect("patterns/ is there");
    for entry in entries.map(|entry| entry.expect("it can be listed").path()) {
        if entry.is_dir() {
            texts.extend(ready_made(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "cep") {
            texts.push(fs::read_to_string(&entry).expect("a rule file is text"));
        }
    }
    texts
}

/// Text to tree; text to checked rules; text to an engine.
fn text(criterion: &mut Criterion) {
    let w8 = Workload::of("W8").expect("it is one of them");
    let patterns = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let texts = [
        ("one_rule", vec![w8.text(1)]),
        ("patterns", ready_made(&patterns)),
        ("1000_rules", vec![w8.text(1000)]),
        ("10000_rules", vec![w8.text(10_000)]),
    ];
    let mut group = criterion.benchmark_group("text");
    group.sample_size(10);
    for (name, texts) in &texts {
        let bytes = texts.iter().map(String::len).sum::<usize>();
        group.throughput(Throughput::Bytes(bytes as u64));
        let sources: Vec<Source> =
            texts.iter().map(|text| Source::new("bench.cep", text.as_str())).collect();
        group.bench_with_input(BenchmarkId::new("parse", name), &sources, |bencher, sources| {
            bencher.iter(|| {
                for source in sources {
                    let (tree, diagnostics) = syntax::parse(black_box(source));
                    assert!(diagnostics.is_empty());
                    black_box(tree);
                }
            });
        });
        group.bench_with_input(BenchmarkId::new("check", name), texts, |bencher, texts| {
            bencher.iter(|| {
                for text in texts {
                    black_box(RuleSet::parse(black_box(text)).expect("a rule file is right"));
                }
            });
        });
        let checked: Vec<RuleSet> =
            texts.iter().map(|text| RuleSet::parse(text).expect("a rule file is right")).collect();
        group.bench_with_input(BenchmarkId::new("compile", name), &checked, |bencher, checked| {
            bencher.iter(|| {
                for rules in checked {
                    black_box(engine(black_box(rules)));
                }
            });
        });
    }
    group.finish();
}

/// Rules that never start: what it costs to look at an event, with conditions of different kinds.
fn predicates(criterion: &mut Criterion) {
    let conditions = [
        ("type_only_of_others", "match paid -> other"),
        ("one_comparison", "match order[amount > 1000.0] -> paid"),
        (
            "four_comparisons",
            "match order[amount >= 0.0 and id >= 0 and user >= 0 and amount > 1000.0] -> paid",
        ),
        ("arithmetic", "match order[(amount * 2.0 + 1.0) / 3.0 > 10000.0] -> paid"),
        ("modulo", "match order[id % 1000 == 1000] -> paid"),
        ("text_equals", "match order[note == \"by mail\"] -> paid"),
        ("text_regex", "match order[note ~ \"^by (mail|phone)$\"] -> paid"),
        ("list", "match order[user in [1001, 1002, 1003, 1004, 1005]] -> paid"),
    ];
    for (name, pattern) in conditions {
        let rules = rules(&format!("rule r {{ key id {pattern} within 1m }}"));
        let events = events(&rules, |at| ("order", at % 1000));
        pushed(criterion, "predicates", name, || engine(&rules), &events, 0);
    }
    // The same condition in several rules.
    let text: Vec<String> = (0..10)
        .map(|i| {
            format!("rule r{i} {{ key id match order[amount > 1000.0] -> paid within {}m }}", i + 1)
        })
        .collect();
    let rules = rules(&text.join("\n"));
    let events = events(&rules, |at| ("order", at % 1000));
    pushed(criterion, "predicates", "one_comparison_in_ten_rules", || engine(&rules), &events, 0);
}

/// Events that nobody asks for, and events of keys that nothing is known of.
fn keys(criterion: &mut Criterion) {
    let rules = rules("rule r { key id match order -> paid within 10s skip none }");
    let mut push = |name: &str, make: &dyn Fn(i64) -> (&'static str, i64), matches: u64| {
        let events = events(&rules, make);
        pushed(criterion, "keys", name, || engine(&rules), &events, matches);
    };
    push("no_rule_names_the_type", &|at| ("other", at), 0);
    push("unique_and_unknown", &|at| ("paid", at), 0);
    push("one_and_unknown", &|_| ("paid", 0), 0);
    push("unique_and_started", &|at| ("order", at), 0);
    let started_and_moved = |at| (if at % 2 == 0 { "order" } else { "paid" }, at / 2);
    push("unique_started_and_matched", &started_and_moved, EVENTS.unsigned_abs() / 2);
}

/// The reorder buffer before a rule that takes nothing.
fn reorder(criterion: &mut Criterion) {
    let rules = rules("rule r { key id match order[amount > 1000.0] -> paid within 1m }");
    let sorted = events(&rules, |at| ("order", at % 1000));
    let waiting = |bound: u64| {
        let builder = Engine::builder().rules(&rules);
        builder.out_of_order(Duration::from_millis(bound)).build().expect("the rules run")
    };
    pushed(criterion, "reorder", "none", || engine(&rules), &sorted, 0);
    for bound in [100_u32, 5000] {
        let disordered = shuffle(&sorted, bound);
        let engine = || waiting(bound.into());
        pushed(criterion, "reorder", &format!("sorted_{bound}"), engine, &sorted, 0);
        pushed(criterion, "reorder", &format!("late_by_{bound}"), engine, &disordered, 0);
    }
}

/// Partial matches that all run out of time, reported or not.
fn timers(criterion: &mut Criterion) {
    for (name, clause) in [("reported", "on timeout emit { id }"), ("not_reported", "")] {
        let rules =
            rules(&format!("rule r {{ key id match order -> paid within 1s skip none {clause} }}"));
        let events = events(&rules, |at| ("order", at));
        pushed(criterion, "timers", name, || engine(&rules), &events, 0);
    }
    // Time alone: nothing comes, and a watermark for each millisecond says so.
    let rules =
        rules("rule r { key id match order -> paid within 10s skip none on timeout emit { id } }");
    let events = events(&rules, |at| ("order", at));
    let mut group = criterion.benchmark_group("timers");
    group.throughput(Throughput::Elements(EVENTS.unsigned_abs())).sample_size(10);
    group.bench_function("watermarks_alone", |bencher| {
        bencher.iter_batched_ref(
            || {
                let builder = Engine::builder().rules(&rules);
                let mut engine = builder.watermarks_from_source().build().expect("the rules run");
                engine.push_batch(&events, &mut Ignore).expect("it is not finished");
                engine
            },
            |engine| {
                for at in 0..EVENTS + 10_000 {
                    engine
                        .advance(Timestamp::from_millis(at), &mut Ignore)
                        .expect("no limit fails");
                }
                assert_eq!(engine.stats().partials, 0);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// A match for each event, reported to sinks that look at more and more of it.
fn emit(criterion: &mut Criterion) {
    let rules = rules(
        "rule r { key id match order as o skip none \
         emit { id, user: o.user, dear: o.amount * 1.2, text: o.note + \"!\" } }",
    );
    let events = events(&rules, |at| ("order", at));
    let mut group = criterion.benchmark_group("emit");
    group.throughput(Throughput::Elements(EVENTS.unsigned_abs())).sample_size(10);
    let mut reported = |name: &str, look: fn(kleene::stream::Match<'_, Record>) -> bool| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || engine(&rules),
                |engine| {
                    let mut seen = 0_u64;
                    let mut sink = on_match(|found| seen += u64::from(look(found)));
                    engine.push_batch(&events, &mut sink).expect("it is not finished");
                    assert_eq!(seen, EVENTS.unsigned_abs());
                },
                BatchSize::LargeInput,
            );
        });
    };
    reported("reported", |_| true);
    reported("key", |found| found.key_values().len() == 1);
    reported("captured_events", |found| {
        found.captures().all(|(_, event)| event.values().len() == 5)
    });
    reported("id", |found| black_box(found.id()) == found.id());
    reported("emit", |found| black_box(found.to_record()) != Value::Null);
    reported("all_of_it_owned", |found| black_box(found.to_owned()).captures.len() == 1);
    group.finish();
}

criterion_group!(benches, text, predicates, keys, reorder, timers, emit);
criterion_main!(benches);
