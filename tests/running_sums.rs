//! Sums over loops: a busy key, which keeps the sums of its groups in order, reports what a key that
//! lists its partial matches does, and what the reference does, which adds up all events anew.

use std::fmt::Write as _;
use std::ops::Range;

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, Ignore, Output};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_automata::exec::reference::Reference;
use kleene_explain::explain::Explanation;
use proptest::prelude::*;

const EVENTS: &str = "event a { at: time, v: int? }
event b { at: time, v: int? }
event c { at: time, v: int? }
event d { at: time, v: float }
";

/// Patterns with a sum that one condition compares.
const SUMS: [&str; 18] = [
    "b{1..} as x -> c[sum(x.v) > 20]",
    "b{1..} as x -> c[9 > sum(x.v)]",
    "b{1..} as x -> c[sum(x.v) >= v]",
    "b{2..} as x -> c[count(x) > 3 and v > 1]",
    "b{1..3} as x -> c[sum(x.v) > 8]",
    "b{1..} as x -> any c[sum(x.v) <= 12]",
    "b{1..} as x -> next c[count(x.v) >= 3]",
    "b[v != 3 or v is null]{1..} as x -> c[sum(x.v) > 6.5]",
    "b{1.. next} as x -> c[sum(x.v) < 9]",
    "a -> b{1..} as x -> c[sum(x.v) > 10]",
    "a as x -> b -> c[sum(x.v) > 3]",
    "a -> b{0..} as x -> c[sum(x.v) < 6]",
    "a -> b{0..} as x -> c[count(x.v) <= 2]",
    "a -> b{1..} as x -> any c[v < sum(x.v)]",
    "b{3} as x -> c[sum(x.v) >= 9]",
    "d{1..} as x -> c[count(x.v) > 3]",
    "a -> d{1..} as x -> c[count(x) <= v]",
    "a -> b{1..} as x -> not a -> c[count(x) <= v]",
];

/// Patterns with a sum that distinguishes partial matches.
const OTHERS: [&str; 7] = [
    "b{1..} as x ->[..1s] c[sum(x.v) < 14 and v != 2]",
    "b{1..} as x -> c[sum(x.v) == 12]",
    "b{1..} as x -> c[sum(x.v) > 12 or v > 4]",
    "b{1..} as x -> c[sum(x.v) > 9 and count(x) > 2]",
    "b[sum(x.v) < 20]{1..} as x -> c",
    "d{1..} as x -> c[sum(x.v) > 8.5]",
    "a -> d{1..} as x -> c[sum(x.v) < v]",
];

/// Patterns in which several partial matches have one start. There are too many to list.
const MULTIPLYING: [&str; 4] = [
    "d{1..} as x -> any c[sum(x.v) < 14]",
    "a{1..} as y -> b{1..} as x -> c[sum(x.v) < 14]",
    "b{1.. any each} as x -> c[sum(x.v) > 12]",
    "b{1..} as x -> c[sum(x.v) > 12] -> a",
];

const SKIPS: [&str; 7] = [
    "",
    "skip none",
    "skip to next",
    "skip to last x",
    "skip to first x",
    "skip past last ordered",
    "skip to next ordered",
];
const REPORTS: [&str; 4] = ["", "report count", "report first 2", "report longest"];

fn rules(steps: &str, clauses: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ from * match {steps}  {clauses} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The groups of a busy key differ in a sum, or in no value.
fn groups_of(steps: &str) -> Option<String> {
    let rules = rules(steps, "within 1h");
    let explained = Explanation::new(&rules.rules()[0], rules.schema()).expect("it can run");
    explained.rule_cost().groups
}

#[test]
fn a_sum_that_one_condition_compares_tells_no_groups_apart() {
    for steps in SUMS {
        let groups = groups_of(steps).unwrap_or_default();
        assert!(groups.contains("for any number"), "{steps}: {groups:?}");
    }
    for steps in OTHERS.into_iter().chain(MULTIPLYING) {
        let groups = groups_of(steps);
        assert!(groups.is_none_or(|groups| !groups.contains("for any number")), "{steps}");
    }
}

/// The type, the time since the event before, and the value.
type Made = (usize, u8, Value);

/// Most values are small integers. A host can hand over what was not declared, too.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        40 => (-2..8_i64).prop_map(Value::Int),
        3 => Just(Value::Null),
        1 => prop::sample::select(vec![
            Value::Int(i64::MAX),
            Value::Int(i64::MIN),
            Value::Int(1 << 59),
            Value::Float(0.5),
            Value::Float(f64::NAN),
            Value::Duration(3),
            Value::from("7"),
        ]),
    ]
}

/// The events of a stream. In a long one, loops are long: a key becomes busy, and can meet a value
/// that was not declared.
fn made() -> impl Strategy<Value = Vec<Made>> {
    let ty = || prop_oneof![1 => Just(0), 3 => Just(1), 2 => Just(2)];
    let of_loop = prop_oneof![1 => Just(0), 14 => Just(1), 1 => Just(2)];
    let ints = |range: Range<i64>| range.prop_map(Value::Int);
    let odd = prop::collection::vec((ty(), any::<u8>(), value()), 1..70);
    let small = prop::collection::vec((ty(), any::<u8>(), ints(-2..8)), 1..70);
    let few = prop_oneof![150 => ints(-1..2), 1 => value()];
    let long = prop::collection::vec((of_loop, any::<u8>(), few), 70..200);
    prop_oneof![odd, small, long]
}

/// Returns the events for a pattern: those of its loop have floats if they are of type `d`.
fn events(made: &[Made], steps: &str) -> Vec<Record> {
    let has_floats = steps.contains("d{");
    let mut at = 0;
    let event = |(ty, passed, value): &Made| {
        at += 1 + 125 * i64::from(passed % 3);
        let time = Timestamp::from_millis(at);
        let (ty, value) = match value {
            Value::Int(value) if has_floats && *ty == 1 => {
                let value = i32::try_from(*value).map_or(f64::INFINITY, f64::from);
                (3, Value::Float(value * 0.75))
            }
            value => (*ty, value.clone()),
        };
        Record::new(TypeId::new(ty), time, vec![Value::Time(time), value])
    };
    made.iter().map(event).collect()
}

/// What an engine reports; the number of partial matches after each event is part of it, unless
/// `within` can end them, which is noticed later.
fn reported(
    rules: &RuleSet,
    with: impl Fn(EngineBuilder<Record>) -> EngineBuilder<Record>,
    events: &[Record],
    is_restored: impl Fn(usize) -> bool,
) -> String {
    let builder = || with(Engine::builder().rules(rules).in_order());
    let mut engine = builder().build().expect("it can be run");
    let (mut outputs, mut text) = (Vec::new(), String::new());
    let has_end = rules.rules()[0].pattern.within.is_some();
    for (number, event) in events.iter().enumerate() {
        engine.push(event, &mut outputs).expect("no limit fails");
        if is_restored(number) {
            engine = builder().restore(&[&engine.snapshot()]).expect("it is whole").0;
        }
        if !has_end {
            let _ = writeln!(text, "{} open", engine.stats().partials);
        }
        for captured in outputs.drain(..).map(|output| times(&output)) {
            let _ = writeln!(text, "{captured:?}");
        }
    }
    text
}

/// The times of the captured events of a match. No two events have the same time.
fn times(output: &Output<Record>) -> Vec<i64> {
    let Output::Match(found) = output else { panic!("{output:?}") };
    found.captures.iter().map(|(_, event)| event.time().as_millis()).collect()
}

/// The matches that the reference reports.
fn of_reference(rules: &RuleSet, events: &[Record]) -> String {
    let mut reference = Reference::new(&rules.rules()[0].pattern, Vec::new()).expect("it fits");
    let mut text = String::new();
    for event in events {
        let mut reported = reference.advance(event.time());
        reported.extend(reference.push(event.clone()));
        for one in reported {
            let captured = one.captures.iter().map(|(_, at)| events[*at].time().as_millis());
            let _ = writeln!(text, "{:?}", captured.collect::<Vec<i64>>());
        }
    }
    text
}

/// Partial matches that are listed from a value on that is no integer have a node for each event.
#[test]
fn what_is_listed_fits_the_limit_on_nodes() {
    let rules = rules("b{1..} as x -> c[sum(x.v) > 1000]", "");
    let builder = Engine::<Record>::builder().rules(&rules).limit_graph_nodes_per_key(200);
    let mut engine = builder.build().expect("it can be run");
    let mut push = |value: Value, at: i64| {
        let time = Timestamp::from_millis(at);
        let event = Record::new(TypeId::new(1), time, vec![Value::Time(time), value]);
        engine.push(&event, &mut Ignore).expect("no limit fails");
        (engine.stats().partials, engine.stats().overflowed)
    };
    assert_eq!((0..30).map(|at| push(Value::Int(1), at)).last(), Some((30, 0)));
    // 30 + 29 + .. + 24 nodes are 189. The event begins a partial match, too.
    assert_eq!(push(Value::Float(0.5), 30), (8, 1));
}

/// Rules before and after an edit.
const EDITS: [(&str, &str); 6] = [
    ("b{1..} as x -> c[sum(x.v) > 20]", "b{1..} as x -> c[sum(x.v) > 6]"),
    ("b{1..} as x -> c[sum(x.v) > 20]", "b{1..} as x -> c[sum(x.v) < 6 and v > 2]"),
    ("b{1..} as x -> c[sum(x.v) > 20]", "b{1..} as x -> c[count(x) > 3]"),
    ("a -> b{1..} as x -> c[sum(x.v) > 9]", "a -> b{1..} as x -> c[sum(x.v) > 3] -> a"),
    ("a -> b{1..} as x -> c[sum(x.v) > 9]", "a -> b{1..} as x -> c"),
    ("a -> b{1..} as x -> c", "a -> b{1..} as x -> c[sum(x.v) > 9]"),
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn running_sums_are_reported_as_by_the_reference(
        steps in 0..SUMS.len() + OTHERS.len(),
        (skip, report, is_bounded) in (0..SKIPS.len(), 0..REPORTS.len(), any::<bool>()),
        made in made(),
        stop in 0_usize..100,
    ) {
        let steps = SUMS.iter().chain(&OTHERS).nth(steps).expect("it is one of them");
        let within = if is_bounded { "within 4s" } else { "" };
        let clauses = format!("{within} {} {}", SKIPS[skip], REPORTS[report]);
        let (rules, events) = (rules(steps, &clauses), events(&made, steps));
        let listed = reported(&rules, EngineBuilder::general_strategy, &events, |_| false);
        let about = || format!("{steps} {clauses}");
        let busy = reported(&rules, |builder| builder, &events, |_| false);
        prop_assert_eq!(&busy, &listed, "{}", about());
        let compact = reported(&rules, EngineBuilder::compact_strategy, &events, |at| at == stop);
        prop_assert_eq!(&compact, &listed, "compact: {}", about());
        let restored = reported(&rules, |builder| builder, &events, |_| true);
        prop_assert_eq!(&restored, &listed, "restored: {}", about());
        if REPORTS[report].is_empty() {
            let matches = listed.lines().filter(|line| !line.ends_with("open"));
            let matches: Vec<&str> = matches.collect();
            let reference = of_reference(&rules, &events);
            let reference: Vec<&str> = reference.lines().collect();
            prop_assert_eq!(&reference, &matches, "reference: {}", about());
        }
    }

    /// An edit carries groups over, or the partial matches that they are.
    #[test]
    fn an_edit_changes_no_sum(
        edit in prop::sample::select(EDITS.to_vec()),
        skip in prop::sample::select(vec!["", "skip none"]),
        made in made(),
        stop in 0_usize..100,
    ) {
        let [old, new] = [edit.0, edit.1].map(|steps| rules(steps, &format!("within 6s {skip}")));
        let events = events(&made, edit.0);
        let run = |is_general: bool| {
            let builder = Engine::builder().rules(&old.clone()).in_order();
            let builder = if is_general { builder.general_strategy() } else { builder };
            let mut engine = builder.build().expect("it can be run");
            let mut outputs = Vec::new();
            for (number, event) in events.iter().enumerate() {
                if number == stop {
                    engine.replace_rules(&new).expect("it can be run");
                }
                engine.push(event, &mut outputs).expect("no limit fails");
            }
            outputs.iter().map(times).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(false), run(true), "{:?} {}", edit, skip);
    }
}
