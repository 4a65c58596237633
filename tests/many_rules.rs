//! Many rules over one stream: an index finds those that an event concerns. It changes nothing but
//! speed: not what is reported, nor in which order, nor what is counted.

use kleene::stream::{Engine, Output, Stats};
use kleene::{Record, RuleSet, Timestamp, Value};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const TYPES: &str = "
    event a { k: int?, g: string, n: int?, x: float?, name: string, ok: bool, ip: ip, at: time }
    event b { k: int?, g: string, n: int?, x: float?, name: string, ok: bool, ip: ip, at: time }
    event c { k: int?, g: string, n: int?, x: float?, name: string, ok: bool, ip: ip, at: time }
    list few: int = [1, 3]
    list nets: ip = [\"10.0.0.0/8\"]
";

/// The conditions that may be asked of an event alone.
fn conjunct() -> impl Strategy<Value = String> {
    let number = -1..4_i64;
    prop_oneof![
        8 => number.clone().prop_map(|n| format!("n == {n}")),
        2 => number.clone().prop_map(|n| format!("{n} == n")),
        4 => (1..4_i64, number.clone()).prop_map(|(m, n)| format!("n % {m} == {n}")),
        2 => number.clone().prop_map(|n| format!("n + 1 == {n}")),
        2 => number.clone().prop_map(|n| format!("-n == {n}")),
        2 => number.clone().prop_map(|n| format!("n == {n}.0")),
        2 => number.clone().prop_map(|n| format!("x == {n}")),
        2 => number.clone().prop_map(|n| format!("n in [{n}, 2, 0]")),
        1 => Just("n in few".to_owned()),
        1 => Just("n not in few".to_owned()),
        2 => (number.clone(), 0..3_i64).prop_map(|(n, w)| format!("n in {n}..{}", n + w)),
        2 => (number.clone(), prop::sample::select(vec!["<", "<=", ">", ">="]))
            .prop_map(|(n, op)| format!("n {op} {n}")),
        2 => (number.clone(), prop::sample::select(vec!["<", "<=", ">", ">="]))
            .prop_map(|(n, op)| format!("{n}.5 {op} x")),
        2 => prop::sample::select(vec!["p", "q"]).prop_map(|s| format!("lower(name) == \"{s}\"")),
        1 => prop::sample::select(vec!["p", "Q"]).prop_map(|s| format!("name > \"{s}\"")),
        1 => Just("ip == \"10.0.0.1\"".to_owned()),
        1 => Just("ip in nets".to_owned()),
        1 => Just("ip in [\"10.0.0.1\", \"10.0.0.2\"]".to_owned()),
        1 => Just("ok".to_owned()),
        1 => Just("not ok".to_owned()),
        1 => Just("x is null".to_owned()),
        1 => Just("name ~ \"p\"".to_owned()),
        2 => prop::sample::select(vec!["p", "Q"])
            .prop_map(|s| format!("name == \"{s}\" nocase")),
        1 => Just("name in [\"P\", \"x\"] nocase".to_owned()),
        1 => Just("name not like [\"p*\", \"x\"]".to_owned()),
        1 => Just("any [name, \"z\"] == \"q\"".to_owned()),
        1 => Just("(x > 1) is not true".to_owned()),
        // What may divide by zero is counted.
        2 => number.clone().prop_map(|n| format!("6 / n > {n}")),
        1 => Just("n % n == 0".to_owned()),
        1 => Just("x / 0 > 1".to_owned()),
        2 => (number.clone(), number.clone()).prop_map(|(n, m)| format!("(n == {n} or x > {m})")),
        1 => number.clone().prop_map(|n| format!("(n == {n} or ok)")),
        1 => number.prop_map(|n| format!("(n == {n} or 1 / n == 1)")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    prop::collection::vec(conjunct(), 0..4).prop_map(|parts| {
        if parts.is_empty() { String::new() } else { format!("[{}]", parts.join(" and ")) }
    })
}

/// The body of a rule, without its name.
fn body() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "key k",
        "key k",
        "key g",
        "key k, g",
        "",
        "key k { a: k, b: n, c: k }",
        "key k { a: k, b: k, c: n }",
    ]);
    let shape = prop::sample::select(vec![
        "a1 as s -> b2",
        "a1 as s -> b[n == s.n]",
        "a1 as s -> b[n == s.n]",
        "a1 as s -> b[x == s.n]",
        "a1 as s -> b[n == s.x and ok]",
        "a1 as s -> b2 -> c[s.n == n]",
        "a1 as s -> b[n == s.n] as t -> c[n == t.n]",
        "a1 as s -> next b[n == s.n]",
        "a1+ as s -> b[n == last(s.n)]",
        "(a1 as s or b2 as s) -> c[n == s.n]",
        "a1 as s -> c without b[n == s.n]",
        "a1 as s -> next b2",
        "a1",
        "a1{2}",
        "a1{2 next}",
        "a1? -> b2",
        "a1 -> not b2 for 3s",
        "not b1 for 3s -> a2",
        "a1 or b2",
        "a1 and b2",
        "(a1 -> b2){1..2}",
        "a1 -> b2 -> c",
        "a1+ -> c2",
        "a1 -> c without b2",
    ]);
    let rest = prop::sample::select(vec![
        "",
        "skip none",
        "on timeout emit { t: match.awaits }",
        "limit 2 partials drop oldest",
        "skip none limit 1 partials drop newest",
    ]);
    (key, shape, condition(), condition(), 2..9_i64, rest, prop::bool::ANY).prop_map(
        |(key, shape, one, two, within, rest, all)| {
            let shape = shape.replace('1', "#").replace('2', "@");
            // The digits of quantifiers and times are put back.
            let shape = shape.replace("{@", "{2").replace("{#..@}", "{1..2}");
            let shape = shape.replace('#', &one).replace('@', &two);
            let from = if all { "from *" } else { "" };
            format!("{from} {key} match {shape} within {within}s {rest}")
        },
    )
}

/// A rule set, the rules of which have names from 0 on.
fn rules(bodies: &[String]) -> RuleSet {
    // What the checker refuses, as a number by which nothing can be divided, is left out.
    let mut text = TYPES.to_owned();
    for (number, body) in bodies.iter().enumerate() {
        let rule = format!("rule r{number} {{ {body} }}\n");
        if RuleSet::parse(&format!("{TYPES}{rule}")).is_ok() {
            text.push_str(&rule);
        }
    }
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

#[derive(Clone, Debug)]
struct Row {
    ty: &'static str,
    key: Option<i64>,
    number: Option<i64>,
    float: Option<f64>,
    flags: u8,
    gap: i64,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::sample::select(vec!["a", "a", "b", "c"]),
        prop::option::weighted(0.9, 0..3_i64),
        prop::option::weighted(0.9, -1..4_i64),
        prop::option::weighted(0.9, prop::sample::select(vec![0.0, -0.0, 1.0, 1.5, 2.0, 3.0])),
        0..16_u8,
        prop::sample::select(vec![0, 1, 500, 1000, 2500]),
    );
    let row = row.prop_map(|(ty, key, number, float, flags, gap)| Row {
        ty,
        key,
        number,
        float,
        flags,
        gap,
    });
    prop::collection::vec(row, 0..60)
}

fn records(rows: &[Row], rules: &RuleSet) -> Vec<Record> {
    let mut now = 0;
    let text = |one: bool, a: &str, b: &str| Value::from(if one { a } else { b });
    let record = |row: &Row| {
        now += row.gap;
        let address = if row.flags & 8 == 0 { [10, 0, 0, 1] } else { [11, 0, 0, 1] };
        let fields = [
            ("k", row.key.map_or(Value::Null, Value::Int)),
            ("g", text(row.flags & 1 == 0, "u", "v")),
            ("n", row.number.map_or(Value::Null, Value::Int)),
            ("x", row.float.map_or(Value::Null, Value::Float)),
            ("name", text(row.flags & 2 == 0, "P", "q")),
            ("ok", Value::Bool(row.flags & 4 == 0)),
            ("ip", Value::Ip(address.into())),
            ("at", Value::Time(Timestamp::from_millis(now))),
        ];
        Record::from_fields(rules.schema(), row.ty, fields).expect("it is declared so")
    };
    rows.iter().map(record).collect()
}

fn engine(rules: &RuleSet, indexed: bool) -> Engine<Record> {
    let builder = Engine::builder().rules(rules);
    let builder = if indexed { builder } else { builder.without_index() };
    builder.build().expect("they can be run")
}

fn push(engine: &mut Engine<Record>, events: &[Record], reported: &mut Vec<Output<Record>>) {
    for event in events {
        engine.push(event, reported).expect("no limit fails");
    }
}

fn shown(reported: &[Output<Record>]) -> Vec<String> {
    reported.iter().map(|output| format!("{output:?}")).collect()
}

/// Returns the outputs for these events, and the counts.
fn run(rules: &RuleSet, events: &[Record], indexed: bool) -> (Vec<String>, Stats) {
    let mut engine = engine(rules, indexed);
    let mut reported = Vec::new();
    push(&mut engine, events, &mut reported);
    engine.end_time(&mut reported).expect("no limit fails");
    (shown(&reported), counted(&engine))
}

/// Returns the counts. Where nothing is reported at a deadline, it may be noticed sooner if a rule
/// sees more events.
fn counted(engine: &Engine<Record>) -> Stats {
    let mut stats = engine.stats();
    (stats.partials, stats.peak_partials, stats.keys) = (0, 0, 0);
    stats.captured_bytes = 0;
    stats
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_index_changes_nothing(
        bodies in prop::collection::vec(body(), 1..24),
        rows in rows(),
    ) {
        let rules = rules(&bodies);
        let events = records(&rows, &rules);
        prop_assert_eq!(run(&rules, &events, true), run(&rules, &events, false));
    }

    #[test]
    fn a_rule_among_many_reports_what_it_reports_alone(
        bodies in prop::collection::vec(body(), 1..12),
        rows in rows(),
    ) {
        let all = rules(&bodies);
        let events = records(&rows, &all);
        let mut many = Engine::builder().rules(&all).build().expect("they can be run");
        let mut reported = Vec::new();
        push(&mut many, &events, &mut reported);
        many.end_time(&mut reported).unwrap();
        // Alone or among others a rule may notice sooner that time has passed; by then both have.
        let later = Timestamp::from_millis(1_000_000_000);
        let mut keys = 0;
        for rule in all.rules() {
            let number: usize = rule.name[1..].parse().expect("a number");
            let mut single = bodies.clone();
            for (other, body) in single.iter_mut().enumerate() {
                if other != number {
                    // Refused, so that it is left out.
                    *body = String::from("match");
                }
            }
            let mut engine = Engine::builder().rules(&rules(&single)).build().expect("it can be run");
            let mut alone = Vec::new();
            push(&mut engine, &events, &mut alone);
            engine.advance(later, &mut alone).unwrap();
            keys += engine.stats().keys;
            engine.end_time(&mut alone).unwrap();
            let of_rule = |output: &&Output<Record>| match output {
                Output::Match(found) => found.rule == rule.name,
                Output::Timeout(timeout) => timeout.found.rule == rule.name,
                _ => false,
            };
            let among: Vec<_> = reported.iter().filter(of_rule).cloned().collect();
            let alone: Vec<_> = alone.iter().filter(of_rule).cloned().collect();
            prop_assert_eq!(shown(&among), shown(&alone));
        }
        let mut again = Engine::builder().rules(&all).build().expect("they can be run");
        push(&mut again, &events, &mut Vec::new());
        again.advance(later, &mut Vec::new()).unwrap();
        prop_assert_eq!(again.stats().keys, keys);
    }

    #[test]
    fn a_replacement_is_the_same_with_and_without_the_index(
        before in prop::collection::vec(body(), 1..10),
        edits in prop::collection::vec((0..10_usize, body()), 0..4),
        order in prop::bool::ANY,
        rows in (rows(), rows()),
    ) {
        let old = rules(&before);
        let mut after = before.clone();
        for (at, body) in edits {
            let at = at % after.len();
            after[at] = body;
        }
        if order {
            after.reverse();
        }
        let new = rules(&after);
        let events = records(&[rows.0.clone(), rows.1].concat(), &old);
        let (first, second) = events.split_at(rows.0.len());
        let outcome = |indexed: bool| {
            let mut engine = engine(&old, indexed);
            let mut reported = Vec::new();
            push(&mut engine, first, &mut reported);
            let replacement = engine.replace_rules(&new).map_err(|error| error.to_string());
            let verdicts = replacement.map(|replacement| {
                let rules = replacement.rules.into_iter();
                rules.map(|change| (change.rule, change.new_version)).collect::<Vec<_>>()
            });
            let open = (counted(&engine), verdicts);
            push(&mut engine, second, &mut reported);
            engine.end_time(&mut reported).unwrap();
            (shown(&reported), open, counted(&engine))
        };
        prop_assert_eq!(outcome(true), outcome(false));
    }
}

#[test]
fn a_slot_is_left_as_soon_as_no_rule_holds_anything() {
    let bodies: Vec<String> =
        (0..50).map(|n| format!("key k match a[n >= {}] -> b within 5s", n % 3)).collect();
    let rules = rules(&bodies);
    let row = |ty, gap| Row { ty, key: Some(1), number: Some(2), float: None, flags: 0, gap };
    let events = records(&[row("a", 0), row("b", 1000), row("a", 1000), row("c", 9000)], &rules);
    let builder = Engine::builder().rules(&rules).limit_partials(40);
    let mut engine = builder.build().expect("they can be run");
    let mut reported = Vec::new();
    push(&mut engine, &events[..1], &mut reported);
    assert_eq!((engine.stats().keys, engine.stats().partials), (40, 40));
    push(&mut engine, &events[1..2], &mut reported);
    assert_eq!((engine.stats().keys, engine.stats().matches), (0, 40));
    push(&mut engine, &events[2..3], &mut reported);
    assert_eq!(engine.stats().keys, 40);
    push(&mut engine, &events[3..], &mut reported);
    engine.end_time(&mut reported).unwrap();
    assert_eq!((engine.stats().keys, engine.stats().matches), (0, 40));
}

#[test]
fn what_a_list_held_when_an_event_came_is_not_asked_of_later_ones() {
    let set = |few: &str| {
        let bodies = (0..9).map(|number| {
            format!("rule r{number} {{ key k match a[n in few] as s -> b[n == s.n] within 1h }}\n")
        });
        let text = TYPES.replace("[1, 3]", few) + &bodies.collect::<String>();
        RuleSet::parse(&text).expect("it is right")
    };
    let row = |ty| Row { ty, key: Some(7), number: Some(3), float: None, flags: 0, gap: 1 };
    let events = records(&[row("a"), row("b")], &set("[1, 3]"));
    let mut engine = engine(&set("[1, 3]"), true);
    let mut reported = Vec::new();
    push(&mut engine, &events[..1], &mut reported);
    engine.replace_rules(&set("[1]")).expect("they can be run");
    push(&mut engine, &events[1..], &mut reported);
    assert_eq!((reported.len(), engine.stats().matches), (9, 9));
}

#[test]
fn partial_matches_go_on_where_rules_get_other_neighbours() {
    let by_n = "rule by_n { key k { a: k, b: n } match a -> b within 1h }";
    let by_k = "rule by_k { key k { a: k, b: k } match a -> b within 1h }";
    let twice = "rule twice { key k match c -> c within 1h }";
    // The first two cannot share their keys; the third does with whichever comes first.
    let sets =
        [[by_n, by_k, twice], [by_k, by_n, twice], [twice, by_k, by_n]].map(|rules| rules.concat());
    let two = [by_k, twice].concat();
    for before in sets.iter().chain([&two]) {
        for after in sets.iter().chain([&two]) {
            let load = |text: &str| RuleSet::parse(&format!("{TYPES}{text}")).expect("it is right");
            let row = |ty, key| Row {
                ty,
                key: Some(key),
                number: Some(7),
                float: None,
                flags: 0,
                gap: 1,
            };
            let rows =
                [row("a", 7), row("c", 7), row("c", 1), row("c", 7), row("b", 7), row("c", 1)];
            let events = records(&rows, &load(before));
            let mut engine =
                Engine::builder().rules(&load(before)).build().expect("they can be run");
            let mut reported = Vec::new();
            push(&mut engine, &events[..3], &mut reported);
            assert_eq!(reported.len(), 0);
            engine.replace_rules(&load(after)).expect("they can be run");
            let both = usize::from(before.contains("by_n") && after.contains("by_n"));
            assert_eq!(engine.stats().keys, 3 + both as u64, "{before} then {after}");
            push(&mut engine, &events[3..], &mut reported);
            assert_eq!(reported.len(), 3 + both, "{before} then {after}");
            assert_eq!(engine.stats().keys, 0);
            engine.end_time(&mut reported).unwrap();
            assert_eq!(reported.len(), 3 + both);
        }
    }
}
