//! The engine around the matcher: order, keys, watermarks, deadlines, sources. The rules are made
//! by hand, so that nothing here depends on the language.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "derive")]
use kleene::RuleSet;
use kleene::schema::{EventType, Field, FieldId, FieldType, Schema, TypeId};
use kleene::stream::{Engine, EngineBuilder, Ignore, Output, RejectReason, SourceId};
use kleene::{Event, Record, Timestamp, Value};
use kleene_syntax::hir::expr::{CapturedField, Expr, FieldRef, MatchFact, Pick};
use kleene_syntax::hir::{
    Condition, ConditionId, Contiguity, Emit, Gap, Item, ItemKind, KeyPart, Length, Meta, Pattern,
    Quantifier, Report, Rule, Sequence, Skip, SkipStrategy, Step, StepId, Test,
};
use proptest::prelude::*;

/// The types `a`, `b` and `c`, each with a key `k` that can be null and a number `n`.
fn schema() -> Arc<Schema> {
    let field = |name: &str, optional| Field { name: name.into(), ty: FieldType::Int, optional };
    let mut schema = Schema::new();
    for name in ["a", "b", "c"] {
        schema.add(EventType {
            name: name.into(),
            fields: vec![field("k", true), field("n", false)],
            time: None,
            open: false,
        });
    }
    Arc::new(schema)
}

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn event(ty: usize, time: i64, key: i64, number: i64) -> Record {
    let values = vec![Value::Int(key), Value::Int(number)];
    Record::new(TypeId::new(ty), Timestamp::from_millis(time), values)
}

fn step(ty: usize, contiguity: Contiguity, times: u32) -> Item {
    let kind = ItemKind::Step {
        step: StepId::new(ty),
        condition: ConditionId::new(ty),
        quantifier: Quantifier {
            min: times,
            max: Some(times),
            inner: contiguity,
            ..Quantifier::ONCE
        },
    };
    Item { contiguity, gap: None, kind }
}

/// `-> not x for T`
fn not_for(ty: usize, bound: i64) -> Item {
    let kind = ItemKind::Not { step: StepId::new(ty), condition: ConditionId::new(ty) };
    let gap = Some(Gap { min: Length::Millis(bound), max: Some(Length::Millis(bound)) });
    Item { contiguity: Contiguity::Relaxed, gap, kind }
}

/// A rule over `items`, in which the step of each type is named like it.
fn rule(name: &str, items: Vec<Item>, within: Option<i64>, skip: SkipStrategy) -> Rule {
    let negated = |ty| {
        items
            .iter()
            .any(|item| matches!(item.kind, ItemKind::Not { step, .. } if step == StepId::new(ty)))
    };
    let step = |(ty, name): (usize, &str)| Step {
        name: name.into(),
        ty: Some(TypeId::new(ty)),
        negated: negated(ty),
    };
    let condition = |ty| Condition { ty: Some(TypeId::new(ty)), test: Test::True };
    let fields = (0..3).map(|ty| (TypeId::new(ty), FieldRef::Declared(FieldId::new(0))));
    let started = CapturedField {
        step: Some(StepId::new(A)),
        pick: Pick::First,
        field: FieldRef::Declared(FieldId::new(1)),
    };
    Rule {
        name: name.into(),
        meta: Meta::default(),
        types: (0..3).map(TypeId::new).collect(),
        key: vec![KeyPart { name: "k".into(), fields: fields.collect(), is_computed: false }],
        step_keys: Vec::new(),
        pattern: Pattern {
            steps: ["a", "b", "c"].into_iter().enumerate().map(step).collect(),
            conditions: (0..3).map(condition).collect(),
            body: Sequence { items, without: None },
            lengths: Vec::new(),
            within: within.map(Length::Millis),
            skip: Skip { strategy: skip, ordered: false },
            report: Report::All,
            totals: Vec::new(),
            report_timeouts: false,
            repeats: false,
        },
        emit: Some(Emit {
            fields: vec![
                ("k".into(), Expr::Key(0)),
                ("n".into(), Expr::Captured(started)),
                ("end".into(), Expr::Match(MatchFact::End)),
                ("id".into(), Expr::Match(MatchFact::Id)),
            ],
            feeds: None,
        }),
        on_timeout: None,
        having: None,
        suppress: None,
        once: None,
        limit: None,
        version: 7,
    }
}

/// `a -> b within 10` with timeouts.
fn paid() -> Rule {
    let items = vec![step(A, Contiguity::Relaxed, 1), step(B, Contiguity::Relaxed, 1)];
    let mut rule = rule("paid", items, Some(10), SkipStrategy::None);
    rule.pattern.report_timeouts = true;
    rule.on_timeout = rule.emit.clone();
    rule
}

/// `a -> not b for 6`
fn unpaid() -> Rule {
    let items = vec![step(A, Contiguity::Relaxed, 1), not_for(B, 6)];
    rule("unpaid", items, None, SkipStrategy::None)
}

/// `c{3 next} within 20`
fn burst() -> Rule {
    rule("burst", vec![step(C, Contiguity::Next, 3)], Some(20), SkipStrategy::PastLast)
}

/// `a -> any c within 8`, over all keys together.
fn any_key() -> Rule {
    let items = vec![step(A, Contiguity::Relaxed, 1), step(C, Contiguity::Any, 1)];
    Rule { key: Vec::new(), ..rule("any_key", items, Some(8), SkipStrategy::None) }
}

fn keyed_rules() -> Vec<Rule> {
    vec![paid(), unpaid(), burst()]
}

fn all_rules() -> Vec<Rule> {
    vec![any_key(), paid(), unpaid(), burst()]
}

fn builder(rules: &[Rule]) -> EngineBuilder<Record> {
    let schema = schema();
    rules.iter().fold(Engine::builder(), |builder, rule| {
        builder.rule(schema.clone(), Arc::new(rule.clone()))
    })
}

fn engine(rules: &[Rule]) -> Engine<Record> {
    builder(rules).build().expect("the rules are right")
}

type Outputs = Vec<Output<Record>>;

fn run(mut engine: Engine<Record>, events: &[Record]) -> Outputs {
    let mut out = Outputs::new();
    engine.push_batch(events, &mut out).expect("not finished");
    engine.end_time(&mut out).expect("no limit fails");
    out
}

/// Returns the outputs, shortly: `rule@end[times of events]`, `!` for a timeout, `late@time`.
fn brief(outputs: &Outputs) -> String {
    let millis = |events: &[(Arc<str>, Record)]| {
        let times = events.iter().map(|(_, event)| event.time().as_millis().to_string());
        times.collect::<Vec<_>>().join(",")
    };
    let one = |output: &Output<Record>| match output {
        Output::Match(found) => {
            format!("{}@{}[{}]", found.rule, found.reported_at.as_millis(), millis(&found.captures))
        }
        Output::Timeout(expired) => {
            let found = &expired.found;
            let awaits = expired.awaits.join("|");
            format!(
                "!{}@{}[{}]{}>{awaits}",
                found.rule,
                found.reported_at.as_millis(),
                millis(&found.captures),
                expired.reached.as_deref().unwrap_or_default()
            )
        }
        Output::Late { event, .. } => format!("late@{}", event.time().as_millis()),
        Output::Rejected { reason: RejectReason::TimeOutOfRange, .. } => "rejected".to_owned(),
        other => format!("{other:?}"),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn take(outputs: &mut Outputs) -> String {
    brief(&std::mem::take(outputs))
}

#[test]
fn a_silent_keys_deadline_fires_when_the_watermark_reaches_it() {
    let mut engine = builder(&[paid(), unpaid()]).watermarks_from_source().build().unwrap();
    let mut out = Outputs::new();
    engine.push(&event(A, 100, 1, 0), &mut out).unwrap();
    engine.push(&event(A, 103, 2, 0), &mut out).unwrap();
    for (watermark, reported) in [
        (105, ""),
        (106, "unpaid@106[100]"),
        (109, "unpaid@109[103]"),
        (111, "!paid@110[100]a>b"),
        (90, ""),
        (113, "!paid@113[103]a>b"),
    ] {
        engine.advance(Timestamp::from_millis(watermark), &mut out).unwrap();
        assert_eq!(take(&mut out), reported, "at {watermark}");
    }
    assert_eq!(engine.stats().keys, 0);
    assert_eq!(engine.stats().partials, 0);
}

#[test]
fn deadlines_come_before_events_of_the_same_time_by_rule_then_by_start() {
    let events = [
        event(A, 100, 2, 0),
        event(A, 100, 1, 1),
        event(A, 104, 3, 2),
        event(B, 110, 1, 3),
        event(C, 110, 1, 4),
    ];
    let reported = run(engine(&[unpaid(), paid()]), &events);
    assert_eq!(
        brief(&reported),
        "unpaid@106[100] unpaid@106[100] unpaid@110[104] !paid@110[100]a>b !paid@110[100]a>b \
         !paid@114[104]a>b"
    );
    let numbers = reported.iter().filter_map(|output| match output {
        Output::Match(found) | Output::Timeout(kleene::stream::OwnedTimeout { found, .. }) => {
            Some(found.key[0].1.clone())
        }
        _ => None,
    });
    let expected = [2, 1, 3, 2, 1, 3].map(Value::Int);
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_emitted_comes_from_key_captures_and_facts() {
    let reported = run(engine(&[paid()]), &[event(A, 100, 5, 42), event(B, 103, 5, 0)]);
    let [Output::Match(found)] = &reported[..] else { panic!("{reported:?}") };
    assert_eq!(
        found.emit.to_string(),
        format!("{{ k: 5, n: 42, end: 1970-01-01T00:00:00.103Z, id: \"{}\" }}", found.id)
    );
    assert_eq!(found.id.to_string().len(), 16);
    assert_eq!((found.first_event_at.as_millis(), found.last_event_at.as_millis()), (100, 103));
    assert_eq!(found.key, [("k".into(), Value::Int(5))]);
    let names: Vec<_> = found.captures.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn late_events_are_reported_and_counted_and_seen_by_no_rule() {
    let mut engine = builder(&[paid()]).out_of_order(Duration::from_millis(10)).build().unwrap();
    let mut out = Outputs::new();
    engine.push(&event(A, 100, 1, 0), &mut out).unwrap();
    engine.push(&event(C, 110, 1, 0), &mut out).unwrap();
    // As late as allowed, and one more.
    engine.push(&event(A, 100, 1, 0), &mut out).unwrap();
    engine.push(&event(A, 99, 1, 0), &mut out).unwrap();
    assert_eq!(take(&mut out), "late@99");
    assert_eq!(engine.watermark(), Timestamp::from_millis(99));
    engine.end_time(&mut out).unwrap();
    assert_eq!(take(&mut out), "!paid@110[100]a>b !paid@110[100]a>b");
    assert_eq!((engine.stats().late, engine.stats().events), (1, 4));
}

#[test]
fn sorted_input_is_reported_at_once_and_what_is_older_is_late() {
    let mut engine = engine(&[paid()]);
    let mut out = Outputs::new();
    for (ty, time, reported) in [
        (A, 100, ""),
        (B, 101, "paid@101[100,101]"),
        (A, 101, ""),
        (A, 100, "late@100"),
        (C, 111, "!paid@111[101]a>b"),
    ] {
        engine.push(&event(ty, time, 1, 0), &mut out).unwrap();
        assert_eq!(take(&mut out), reported, "at {time}");
    }
    assert_eq!(engine.stats().buffered, 0);
}

#[test]
fn the_slowest_source_holds_time_back_until_it_is_idle() {
    let mut engine = engine(&[paid()]);
    let mut out = Outputs::new();
    let (a, b): (SourceId, SourceId) = (engine.source("orders"), engine.source("payments"));
    assert_eq!(engine.source("orders"), a);
    engine.push_from(a, &event(A, 100, 1, 0), &mut out).unwrap();
    engine.push_from(a, &event(A, 120, 1, 0), &mut out).unwrap();
    assert_eq!(take(&mut out), "");
    engine.push_from(b, &event(B, 105, 1, 0), &mut out).unwrap();
    assert_eq!(take(&mut out), "");
    engine.advance_source(b, Timestamp::from_millis(106), &mut out).unwrap();
    assert_eq!(take(&mut out), "paid@105[100,105]");
    engine.set_idle(b, &mut out).unwrap();
    assert_eq!(engine.watermark(), Timestamp::from_millis(119));
    // A source that is back may find that time has gone on without it.
    engine.push_from(b, &event(B, 119, 1, 0), &mut out).unwrap();
    engine.push_from(b, &event(B, 121, 1, 0), &mut out).unwrap();
    assert_eq!(take(&mut out), "late@119");
    engine.end_time(&mut out).unwrap();
    assert_eq!(take(&mut out), "paid@121[120,121]");
}

#[test]
fn the_end_of_time_releases_and_reports_everything_and_is_the_end() {
    let mut engine = builder(&all_rules()).out_of_order(Duration::from_secs(9)).build().unwrap();
    let mut out = Outputs::new();
    for (ty, time) in [(A, 30), (C, 22), (C, 21), (C, 20)] {
        engine.push(&event(ty, time, 1, 0), &mut out).unwrap();
    }
    assert_eq!((take(&mut out).as_str(), engine.stats().buffered), ("", 4));
    engine.end_time(&mut out).unwrap();
    assert_eq!(take(&mut out), "burst@22[20,21,22] unpaid@36[30] !paid@40[30]a>b");
    let stats = engine.stats();
    assert_eq!((stats.buffered, stats.partials, stats.keys), (0, 0, 0));
    assert_eq!((stats.matches, stats.timeouts, stats.peak_partials), (2, 1, 3));
    assert!(engine.push(&event(A, 50, 1, 0), &mut out).is_err());
    engine.end_time(&mut out).unwrap();
    assert_eq!(take(&mut out), "");
}

#[test]
fn odd_events_are_counted_as_what_they_are() {
    let mut engine = engine(&all_rules());
    let mut out = Outputs::new();
    let keyless = Record::new(TypeId::new(A), Timestamp::from_millis(1), vec![]);
    engine.push(&keyless, &mut out).unwrap();
    engine.push(&event(7, 1, 1, 0), &mut out).unwrap();
    engine.push(&event(A, i64::MAX, 1, 0), &mut out).unwrap();
    engine.push(&event(A, i64::MIN, 1, 0), &mut out).unwrap();
    assert_eq!(take(&mut out), "rejected rejected");
    engine.push(&event(C, 2, 1, 0), &mut out).unwrap();
    // Without a key it is still in the one stream of the rule that has none.
    assert_eq!(take(&mut out), "any_key@2[1,2]");
    let stats = engine.stats();
    assert_eq!((stats.keyless, stats.unknown, stats.rejected, stats.events), (1, 1, 2, 5));
}

#[test]
fn a_full_buffer_moves_time_on_and_says_so() {
    let mut engine =
        builder(&[paid()]).out_of_order(Duration::from_secs(1)).limit_buffered(2).build().unwrap();
    let mut out = Outputs::new();
    for (ty, time) in [(A, 10), (C, 30), (B, 15), (B, 9)] {
        engine.push(&event(ty, time, 1, 0), &mut out).unwrap();
    }
    assert_eq!(engine.stats().overflowed, 1);
    engine.end_time(&mut out).unwrap();
    let reported = take(&mut out);
    assert!(reported.starts_with("Overflowed"), "{reported}");
    assert!(reported.ends_with("late@9 paid@15[10,15]"), "{reported}");
}

#[test]
fn partial_matches_beyond_the_limit_go_and_are_counted() {
    let mut engine = builder(&[paid()]).limit_partials(2).build().unwrap();
    let mut out = Outputs::new();
    for (ty, time, key) in [(A, 1, 1), (A, 2, 2), (A, 3, 2), (B, 4, 1), (B, 4, 2)] {
        engine.push(&event(ty, time, key, 0), &mut out).unwrap();
    }
    assert!(engine.stats().partials <= 2);
    assert_eq!((engine.stats().overflowed, engine.stats().peak_partials), (1, 2));
    out.retain(|output| !matches!(output, Output::Overflowed(_)));
    assert_eq!(take(&mut out), "paid@4[1,4]");
    let mut engine = builder(&[paid()]).limit_partials_per_key(1).build().unwrap();
    for (ty, time) in [(A, 1), (A, 2), (B, 3)] {
        engine.push(&event(ty, time, 1, 0), &mut out).unwrap();
    }
    out.retain(|output| !matches!(output, Output::Overflowed(_)));
    assert_eq!((take(&mut out).as_str(), engine.stats().overflowed), ("paid@3[1,3]", 1));
}

#[test]
fn an_engine_can_move_to_another_thread() {
    let mut engine = engine(&[paid()]);
    engine.push(&event(A, 1, 1, 0), &mut Ignore).unwrap();
    let engine = std::thread::spawn(move || {
        engine.push(&event(B, 2, 1, 0), &mut Ignore).unwrap();
        engine
    });
    assert_eq!(engine.join().unwrap().stats().matches, 1);
}

#[test]
fn memory_goes_with_the_keys_that_are_open() {
    let mut engine = engine(&[paid()]);
    let mut out = Outputs::new();
    let mut peak = 0;
    for i in 0..20_000 {
        engine.push(&event(A, i * 2, i, 0), &mut out).unwrap();
        engine.push(&event(B, i * 2 + 1, i, 0), &mut out).unwrap();
        out.clear();
        peak = peak.max(engine.memory_usage());
    }
    assert_eq!(engine.stats().keys, 0);
    assert!(peak < 20_000, "{peak} bytes");
}

#[cfg(feature = "derive")]
mod derived {
    use super::*;

    #[derive(Clone, Debug, Event, PartialEq)]
    struct B {
        at: Timestamp,
        k: i64,
    }

    #[derive(Clone, Debug, Event, PartialEq)]
    struct A {
        n: i64,
        at: Timestamp,
        k: Option<i64>,
    }

    #[derive(Clone, Debug, Event, PartialEq)]
    struct C {
        at: Timestamp,
        k: i64,
    }

    #[derive(Clone, Debug, Event, PartialEq)]
    #[expect(dead_code, reason = "rules name `c`, and none comes")]
    enum Shop {
        B(B),
        A(A),
        C(C),
    }

    #[test]
    fn rules_find_types_and_fields_of_rust_types_by_name() {
        let at = Timestamp::from_millis;
        let builder = Engine::builder().rule(schema(), Arc::new(any_key()));
        let mut engine = builder.rule(schema(), Arc::new(paid())).build().unwrap();
        let mut out: Vec<Output<Shop>> = Vec::new();
        engine.push(&Shop::A(A { n: 9, at: at(1), k: Some(3) }), &mut out).unwrap();
        engine.push(&Shop::A(A { n: 9, at: at(1), k: None }), &mut out).unwrap();
        engine.push(&Shop::B(B { at: at(2), k: 3 }), &mut out).unwrap();
        let [Output::Match(found)] = &out[..] else { panic!("{out:?}") };
        assert!(found.emit.to_string().starts_with("{ k: 3, n: 9,"), "{}", found.emit);
        assert_eq!(found.captures[1].1, Shop::B(B { at: at(2), k: 3 }));
        assert_eq!(engine.stats().keyless, 1);
    }

    #[test]
    fn a_type_that_no_event_has_is_an_error_with_the_nearest_name() {
        #[derive(Clone, Debug, Event)]
        #[expect(dead_code, reason = "only its declarations are of interest")]
        enum Orders {
            OrderCreated { order: u32, at: Timestamp },
            OrderPaid { order: u32, at: Timestamp },
        }
        let events = "event order_created { order: int, at: time }
             event order_payed { order: int, at: time }
             event zebra { order: int, at: time }";
        let missing = "there is no event type `order_payed`, which its pattern names: did you mean \
             `order_paid`?";
        for (rule, expected) in [
            ("match order_created -> order_payed", missing),
            ("match order_created -> not order_payed for 1h", missing),
            ("match order_created{2} without order_payed within 1h", missing),
            ("match (order_payed or order_created) -> order_created", missing),
            ("match zebra", "there is no event type `zebra`, which its pattern names"),
        ] {
            let text = format!("{events} rule unpaid {{ key order {rule} }}");
            let rules = RuleSet::parse(&text).unwrap();
            let refused = Engine::<Orders>::builder().rules(&rules).build().unwrap_err();
            assert_eq!(
                (refused.rule(), refused.to_string()),
                ("unpaid", format!("the rule `unpaid` does not fit the events: {expected}")),
            );
            // Nor can it take the place of others in an engine that runs.
            let mut engine = Engine::<Orders>::builder().build().unwrap();
            let refused = engine.replace_rules(&rules).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        // A declaration that no pattern names may stay, for files that are shared.
        let text =
            format!("{events} rule r {{ from * key order match order_created{{2}} within 1h }}");
        let engine = Engine::<Orders>::builder().rules(&RuleSet::parse(&text).unwrap()).build();
        assert!(engine.is_ok(), "{engine:?}");
    }

    #[test]
    fn rule_text_runs_over_rust_types() {
        let rules = RuleSet::parse(
            "event d { x: string, t: time }
             event b { at: time, k: int }
             event a { at: time, n: int, k: int? }
             rule r {
               key k
               match a[n > 1] as first -> not b for 5s
               emit { k, n: first.n, due: first.at + 5s, all: sum(first.n) }
             }",
        )
        .unwrap();
        let mut engine = Engine::builder().rules(&rules).build().unwrap();
        let mut out: Vec<Output<Shop>> = Vec::new();
        for (n, k) in [(1, 1), (2, 2), (3, 3)] {
            let at = Timestamp::from_millis(n * 1000);
            engine.push(&Shop::A(A { n, at, k: Some(k) }), &mut out).unwrap();
        }
        // Whether it has a key is seen also where it fulfils no condition.
        engine
            .push(&Shop::A(A { n: 0, at: Timestamp::from_millis(3500), k: None }), &mut out)
            .unwrap();
        assert_eq!(engine.stats().keyless, 1);
        engine.push(&Shop::B(B { at: Timestamp::from_millis(4000), k: 2 }), &mut out).unwrap();
        engine.end_time(&mut out).unwrap();
        let [Output::Match(found)] = &out[..] else { panic!("{out:?}") };
        assert_eq!(found.emit.to_string(), "{ k: 3, n: 3, due: 1970-01-01T00:00:08Z, all: 3 }");
    }

    #[derive(Clone, Event)]
    #[event(rename = "a")]
    struct WithoutNumber {
        at: Timestamp,
        k: i64,
    }

    #[derive(Clone, Event)]
    #[event(rename = "b")]
    struct TextKey {
        at: Timestamp,
        k: String,
    }

    #[test]
    fn what_does_not_fit_is_named() {
        fn refusal<E: Event>() -> String {
            let build = Engine::<E>::builder().rule(schema(), Arc::new(paid())).build();
            build.map_or_else(|error| error.to_string(), |_| "fits".to_owned())
        }
        assert_eq!(
            refusal::<WithoutNumber>(),
            "the rule `paid` does not fit the events: the events' type `a` has no field `n`, which \
             the rule reads"
        );
        assert_eq!(
            refusal::<TextKey>(),
            "the rule `paid` does not fit the events: the field `k` of `b` is declared as int in \
             the rules, but is string in the events"
        );
    }
}

/// Events in time order: small steps, few keys, so that ties and matches are common.
fn stream() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec((0..4_i64, 0..3_usize, 0..4_i64), 0..80).prop_map(|steps| {
        let mut time = 0;
        let numbered = (0..).zip(steps);
        numbered
            .map(|(number, (wait, ty, key))| {
                time += wait;
                event(ty, time, key, number)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn shuffled_within_the_bound_is_as_good_as_sorted(
        events in stream(),
        delays in prop::collection::vec(0..=9_i64, 80),
    ) {
        let mut arrivals: Vec<_> = events
            .iter()
            .zip(&delays)
            .map(|(event, delay)| (event.time().as_millis() + delay, event.clone()))
            .collect();
        arrivals.sort_by_key(|(arrival, _)| *arrival);
        let arrivals: Vec<_> = arrivals.into_iter().map(|(_, event)| event).collect();
        let mut sorted = arrivals.clone();
        sorted.sort_by_key(Event::time);
        let shuffled = builder(&all_rules()).out_of_order(Duration::from_millis(9));
        let reported = run(shuffled.build().unwrap(), &arrivals);
        prop_assert_eq!(brief(&reported), brief(&run(engine(&all_rules()), &sorted)));
        prop_assert_eq!(reported, run(engine(&all_rules()), &sorted));
    }

    #[test]
    fn batches_and_watermarks_change_nothing(
        events in stream(),
        marks in prop::collection::vec((any::<bool>(), 0..5_i64), 80),
    ) {
        let mut engine =
            builder(&all_rules()).watermarks_from_source().build().unwrap();
        let mut reported = Outputs::new();
        for (event, (mark, back)) in events.iter().zip(marks) {
            if mark {
                // Anything before the next event is true.
                let time = event.time().plus_millis(-1 - back);
                engine.advance(time, &mut reported).unwrap();
            }
            engine.push(event, &mut reported).unwrap();
        }
        engine.end_time(&mut reported).unwrap();
        prop_assert_eq!(reported, run(sorted(), &events));
    }

    #[test]
    fn keys_know_nothing_of_each_other(events in stream()) {
        let together = run(engine(&keyed_rules()), &events);
        let key = |output: &Output<Record>| match output {
            Output::Match(found) => found.key[0].1.clone(),
            Output::Timeout(expired) => expired.found.key[0].1.clone(),
            other => panic!("{other:?}"),
        };
        for k in 0..4 {
            let own: Vec<_> =
                events.iter().filter(|event| event.values()[0] == Value::Int(k)).cloned().collect();
            let mut of_key = together.clone();
            of_key.retain(|output| key(output) == Value::Int(k));
            prop_assert_eq!(of_key, run(engine(&keyed_rules()), &own));
        }
    }

    #[test]
    fn sources_are_brought_together_in_time_order(
        events in stream(),
        sources in prop::collection::vec(0..3_usize, 80),
    ) {
        let mut engine = engine(&all_rules());
        let mut reported = Outputs::new();
        let ids = ["x", "y", "z"].map(|name| engine.source(name));
        // One source after the other, which is as far from time order as can be. Ties then come in
        // another order than in the stream.
        let mut arrivals = Vec::new();
        for (i, id) in ids.into_iter().enumerate() {
            let own = events.iter().zip(&sources).filter(|(_, source)| **source == i);
            for (event, _) in own {
                engine.push_from(id, event, &mut reported).unwrap();
                arrivals.push(event.clone());
            }
        }
        engine.end_time(&mut reported).unwrap();
        arrivals.sort_by_key(Event::time);
        prop_assert_eq!(reported, run(sorted(), &arrivals));
    }

    #[test]
    fn no_two_results_of_different_events_have_the_same_id(events in stream()) {
        let reported = run(engine(&all_rules()), &events);
        let mut ids: Vec<_> = reported
            .iter()
            .map(|output| match output {
                Output::Match(found) => (&*found.rule, found.id),
                Output::Timeout(expired) => (&*expired.found.rule, expired.found.id),
                other => panic!("{other:?}"),
            })
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), all);
    }
}

/// All rules over sorted events.
fn sorted() -> Engine<Record> {
    engine(&all_rules())
}

#[test]
fn a_finished_engine_takes_nothing_more() {
    let mut engine = builder(&[paid()]).build().unwrap();
    let mut out = Outputs::new();
    engine.end_time(&mut out).unwrap();
    engine.end_time(&mut out).unwrap();
    let source = engine.source("late");
    assert!(engine.push(&event(A, 1, 1, 0), &mut out).is_err());
    assert!(engine.advance(Timestamp::from_millis(5), &mut out).is_err());
    assert!(engine.set_idle(source, &mut out).is_err());
    assert_eq!((out.len(), engine.failure()), (0, None));
}

#[test]
fn owned_events_and_asked_for_outputs_are_the_same_as_pushed() {
    let times = [(A, 10), (B, 15), (A, 12), (B, 40), (A, 41), (B, 20), (B, 45)];
    let events: Vec<_> = times.iter().map(|&(ty, time)| event(ty, time, 1, 0)).collect();
    for bound in [None, Some(Duration::from_millis(10))] {
        let engine = || {
            let builder = builder(&[paid()]);
            match bound {
                Some(bound) => builder.out_of_order(bound).build().unwrap(),
                None => builder.build().unwrap(),
            }
        };
        let (mut pushed, mut given, mut asked) = (engine(), engine(), engine());
        let (mut one, mut two) = (Outputs::new(), Outputs::new());
        for event in &events {
            pushed.push(event, &mut one).unwrap();
            given.push_owned(event.clone(), &mut two).unwrap();
        }
        assert!(!one.is_empty());
        assert_eq!((&one, pushed.stats()), (&two, given.stats()));
        let three: Outputs = asked.outputs(&events).collect::<Result<_, _>>().unwrap();
        assert_eq!((&one, pushed.stats()), (&three, asked.stats()));
    }
}
