//! Timeouts of patterns whose partial matches multiply: the compact form, which lists them when
//! their time is over, reports what a list of partial matches does, and what the reference does.

use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, LimitKind, Output, Overflow};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_automata::exec::reference::Reference;
use kleene_automata::nfa::{Program, Strategy as Planned};
use proptest::prelude::*;

const EVENTS: &str = "event a { at: time, k: int, v: int? }
event b { at: time, k: int, v: int? }
event c { at: time, k: int, v: int? }
event d { at: time, k: int, v: int? }
";

/// Patterns whose partial matches multiply.
const PATTERNS: [&str; 35] = [
    "a -> any b{1.. any each} as x -> any c",
    "a -> any b as x -> any c",
    "a -> any b as x -> any c -> d",
    "a -> any b{1.. any each} as x -> any c?",
    "a -> any b{0..3 any each} as x -> c",
    "a as x -> any b -> next c",
    "a{2..3 any each} as x -> b",
    "a -> any b{1.. any each} until d as x -> any c",
    "a -> any b{1.. any} as x -> any c",
    "a -> any b[v > 2]{1.. any each} as x -> any c",
    "a as y -> any b[v >= y.v]{1.. any each} as x -> any c[v == y.v]",
    "a -> any b[v > prev.v]{1.. any each} as x -> any c",
    "a -> any b{1.. any each} as x -> any c[v > sum(x.v)]",
    "a -> any b{1.. any each} as x -> any c[count(x) < v]",
    "a -> any (b as x -> any c){1.. any each} -> any d",
    "a -> any b{1.. any each} as x -> not c for 2s",
    "a -> any b{1.. any each} as x -> not c",
    "a -> any b as x -> not c for 2s -> not d",
    "a -> any b as x -> not d for 2s -> any c",
    "a -> any b{1.. longest} as x",
    "a -> any b{1.. any each} as x -> c{1.. longest}",
    "a -> any b{1.. any each} as x -> c{1..} -> not d for 1s",
    "a ->[..3s] any b{1.. any each} as x ->[1s..4s] any c",
    "a -> any (b as x ->[..2s] c){1.. any each} -> any d",
    "(a -> any b{1.. any each} as x within 2s) -> any c",
    "a -> any (b as x -> any c within 2s) -> any d",
    "a -> any b as x -> any (c or d)",
    "a -> any b{1.. any each} as x -> (c ->[..1s] a or d)",
    "a -> any b as x -> (c and d)",
    "a -> any b{1.. any each} as x -> (a and c and d)",
    "a -> any b as x -> any 2 of (a, c, d)",
    "a -> any b as x -> (c or not d for 2s)",
    "a -> any b as x -> (c and not d for 2s)",
    "a as x -> any b -> (c and not d for 2s) -> a",
    "not d for 1s -> a -> any b{1.. any each} as x -> any c",
];

const SKIPS: [&str; 10] = [
    "past last",
    "none",
    "to next",
    "to first x",
    "to last x",
    "past last ordered",
    "to next ordered",
    "to first x ordered",
    "to last x ordered",
    "none",
];

const REPORTS: [&str; 5] =
    ["", "report count", "report first 1", "report last 2", "report longest"];

/// Clauses that the reference does not know.
const CLAUSES: [&str; 6] =
    ["", "", "", "once", "emit { k, size: matches.count } having size > 1", "suppress 2s"];

const WITHIN: [&str; 4] = ["2s", "4s", "7s", "1h"];

/// The clauses of a rule by their numbers.
type Chosen = (usize, usize, usize, usize);

fn chosen() -> impl Strategy<Value = Chosen> {
    (0..WITHIN.len(), 0..SKIPS.len(), 0..REPORTS.len(), 0..CLAUSES.len())
}

/// Returns the rule, unless it has a mistake. Every second one reports timeouts if not all do.
fn parse(pattern: &str, (within, skip, report, clause): Chosen, timeouts: bool) -> Option<RuleSet> {
    let (within, skip, report) = (WITHIN[within], SKIPS[skip], REPORTS[report]);
    let timeout =
        if timeouts { "on timeout emit { step: match.step, awaits: match.awaits }" } else { "" };
    let (emit, clause) = match CLAUSES[clause].split_once(" having ") {
        Some((emit, having)) => (emit, format!("having {having}")),
        None => ("", CLAUSES[clause].into()),
    };
    let rule = format!(
        "rule r {{ from *  key k  match {pattern}  within {within}  skip {skip}  {report}  {emit}  {timeout}  \
         {clause} }}"
    );
    RuleSet::parse(&format!("{EVENTS}{rule}")).ok()
}

#[test]
fn timeouts_do_not_forbid_the_compact_form() {
    let (mut held, mut refused) = (0, Vec::new());
    for pattern in PATTERNS {
        for (skip, text) in SKIPS.iter().enumerate() {
            let [Some(with), Some(without)] =
                [true, false].map(|timeouts| parse(pattern, (1, skip, 0, 0), timeouts))
            else {
                refused.push((pattern, text));
                continue;
            };
            let program =
                |rules: &RuleSet| Program::new(&rules.rules()[0].pattern).expect("it fits");
            let (with, without) = (program(&with), program(&without));
            assert_eq!(with.why_not_compact(), without.why_not_compact(), "{pattern}");
            assert_eq!(with.strategy(), without.strategy(), "{pattern}");
            held += u32::from(with.strategy() == Planned::Compact);
        }
    }
    println!("{held} are held; refused: {refused:?}");
    assert!(refused.len() < 40 && held > 200, "{held}; refused: {refused:?}");
}

/// The type, the time since the event before, the key, and the value.
type Made = (usize, u8, i64, Option<i64>);

fn made() -> impl Strategy<Value = Vec<Made>> {
    let ty = prop_oneof![3 => Just(0_usize), 6 => Just(1), 3 => Just(2), 1 => Just(3)];
    let value = prop_oneof![9 => (0..6_i64).prop_map(Some), 1 => Just(None)];
    let passed = prop::sample::select(vec![0, 0, 1, 1, 1, 2, 2, 3, 6]);
    prop::collection::vec((ty, passed, prop_oneof![3 => Just(1_i64), 1 => Just(2)], value), 1..16)
}

fn events(made: &[Made]) -> Vec<Record> {
    let mut at = 0;
    let event = |(ty, passed, key, value): &Made| {
        at += 500 * i64::from(*passed);
        let time = Timestamp::from_millis(at);
        let value = value.map_or(Value::Null, Value::Int);
        Record::new(TypeId::new(*ty), time, [Value::Time(time), Value::Int(*key), value])
    };
    made.iter().map(event).collect()
}

/// Sets the way in which an engine matches.
type Configure = fn(EngineBuilder<Record>) -> EngineBuilder<Record>;

/// Returns all outputs. After the events in `stops`, the engine is restored from a snapshot, or its
/// rules are replaced by `edited`.
fn reported(
    (rules, edited): (&RuleSet, Option<&RuleSet>),
    with: Configure,
    events: &[Record],
    stops: impl Fn(usize) -> bool,
) -> Vec<Output<Record>> {
    let builder = || with(Engine::builder().rules(rules).in_order());
    let mut engine = builder().build().expect("it can be run");
    let mut outputs = Vec::new();
    for (number, event) in events.iter().enumerate() {
        engine.push(event, &mut outputs).expect("no limit fails");
        match edited {
            _ if !stops(number) => {}
            Some(edited) => drop(engine.replace_rules(edited).expect("it can be run")),
            None => engine = builder().restore(&[&engine.snapshot()]).expect("it is whole").0,
        }
    }
    let end = events.last().map_or(0, |event| event.time().as_millis()) + 5000;
    engine.advance(Timestamp::from_millis(end), &mut outputs).expect("no limit fails");
    engine.end_time(&mut outputs).expect("no limit fails");
    outputs
}

/// True for a match, the numbers of the captured events, and the time.
type Shown = (bool, Vec<usize>, Timestamp);

/// Returns what one key reports. Events are numbered by their first place among `events`.
fn of_key(outputs: &[Output<Record>], key: i64, events: &[Record]) -> Vec<Shown> {
    let shown = |output: &Output<Record>| {
        let (is_match, found) = match output {
            Output::Match(found) => (true, found),
            Output::Timeout(timeout) => (false, &timeout.found),
            other => panic!("{other:?}"),
        };
        let of = |event: &Record| events.iter().position(|one| one == event).expect("it came");
        let captured: Vec<usize> = found.captures.iter().map(|(_, event)| of(event)).collect();
        let is_own = found.key.iter().all(|(_, part)| *part == Value::Int(key));
        is_own.then_some((is_match, captured, found.reported_at))
    };
    outputs.iter().filter_map(shown).collect()
}

/// Returns what the reference reports for those of all `events` that have these numbers.
fn of_reference(rules: &RuleSet, numbers: &[usize], events: &[Record]) -> Vec<Shown> {
    let mut reference = Reference::new(&rules.rules()[0].pattern, Vec::new()).expect("it fits");
    let mut found = Vec::new();
    for at in numbers {
        found.extend(reference.advance(events[*at].time()));
        found.extend(reference.push(events[*at].clone()));
    }
    found.extend(reference.finish());
    let first = |at: usize| {
        let event = &events[numbers[at]];
        events.iter().position(|one| one == event).expect("it is among them")
    };
    let shown = found
        .into_iter()
        .map(|one| (one.is_match, one.captures.iter().map(|(_, at)| first(*at)).collect(), one.at));
    shown.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn timeouts_are_those_of_the_reference(
        pattern in 0..PATTERNS.len(),
        chosen in chosen(),
        made in made(),
        stop in 0..16_usize,
    ) {
        let Some(rules) = parse(PATTERNS[pattern], chosen, true) else { return Ok(()) };
        let (events, about) = (events(&made), (PATTERNS[pattern], chosen));
        let of = |with: Configure, stops: &dyn Fn(usize) -> bool| {
            reported((&rules, None), with, &events, stops)
        };
        let listed = of(EngineBuilder::general_strategy, &|_| false);
        prop_assert_eq!(&of(|builder| builder, &|_| false), &listed, "{:?}", about);
        prop_assert_eq!(&of(|builder| builder, &|_| true), &listed, "restored: {:?}", about);
        let compact = of(EngineBuilder::compact_strategy, &|at| at == stop);
        prop_assert_eq!(&compact, &listed, "compact: {:?}", about);
        if CLAUSES[chosen.3].is_empty() {
            for key in [1, 2] {
                let numbers: Vec<usize> =
                    (0..made.len()).filter(|at| made[*at].2 == key).collect();
                let reference = of_reference(&rules, &numbers, &events);
                let compact = of_key(&compact, key, &events);
                prop_assert_eq!(&compact, &reference, "{:?}", about);
            }
        }
    }

    /// An edit carries groups over, or the partial matches that they are.
    #[test]
    fn an_edit_changes_no_timeout(
        pattern in 0..PATTERNS.len(),
        chosen in (chosen(), chosen()),
        timeouts in (any::<bool>(), any::<bool>()),
        made in made(),
        stop in 0..16_usize,
    ) {
        let [Some(old), Some(new)] = [(chosen.0, timeouts.0), (chosen.1, timeouts.1)]
            .map(|(chosen, timeouts)| parse(PATTERNS[pattern], chosen, timeouts))
        else {
            return Ok(());
        };
        let events = events(&made);
        let of = |with| reported((&old, Some(&new)), with, &events, |at| at == stop);
        let listed = of(EngineBuilder::general_strategy);
        prop_assert_eq!(&of(|builder| builder), &listed, "{}: {:?}", PATTERNS[pattern], chosen);
    }
}

/// Returns the numbers of the captured events of each timeout, and how many were not listed.
fn listed(most: usize, keys: i64) -> (Vec<Vec<i64>>, u64) {
    let rules = parse("a -> any b{1.. any each} as x -> any c", (3, 1, 0, 0), true);
    let rules = rules.expect("it is a rule");
    let builder = Engine::builder().rules(&rules).limit_matches_per_set(most);
    let mut engine = builder.in_order().build().expect("it can be run");
    let (mut outputs, mut timeouts, mut unlisted) = (Vec::new(), Vec::new(), 0);
    for at in 0..12 {
        for key in 0..keys {
            let time = Timestamp::from_millis(at);
            let values = [Value::Time(time), Value::Int(key), Value::Null];
            let event = Record::new(TypeId::new(usize::from(at > 1)), time, values);
            engine.push(&event, &mut outputs).expect("no limit fails");
        }
    }
    engine.end_time(&mut outputs).expect("no limit fails");
    for output in outputs {
        match output {
            Output::Timeout(timeout) => {
                let captured = timeout.found.captures.iter();
                timeouts.push(captured.map(|(_, event)| event.time().as_millis()).collect());
            }
            Output::Overflowed(Overflow { limit: LimitKind::MatchesPerSet, dropped, .. }) => {
                unlisted += dropped;
            }
            other => panic!("{other:?}"),
        }
    }
    (timeouts, unlisted)
}

/// Of each deadline, the first timeouts in their order are reported.
#[test]
fn timeouts_beyond_the_limit_are_counted() {
    // The two starts are over at different times. Each has captured one of 2^10 sets of events.
    let (all, unlisted) = listed(1 << 20, 1);
    assert_eq!((all.len(), unlisted), (2048, 0));
    assert_eq!(all[0], [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(all[1023..1025], [vec![0], vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]);
    for keys in [1, 3] {
        let (some, unlisted) = listed(5, keys);
        let of_keys = usize::try_from(keys).expect("it is small");
        assert_eq!((some.len(), unlisted), (10 * of_keys, 2038 * keys.unsigned_abs()));
        let (first, second) = some.split_at(5 * of_keys);
        let repeated = |from: usize| -> Vec<Vec<i64>> {
            let of_deadline = &all[from..from + 5];
            std::iter::repeat_n(of_deadline, of_keys).flatten().cloned().collect()
        };
        assert_eq!((first, second), (&repeated(0)[..], &repeated(1024)[..]));
    }
}

/// Groups of an ordered rule can hold what is out of time. It is no timeout of an edited rule.
#[test]
fn what_was_out_of_time_before_an_edit_does_not_time_out() {
    let pattern = "a -> any b{1.. any each} as x -> any c[v > sum(x.v)]";
    let parse = |chosen, timeouts| parse(pattern, chosen, timeouts).expect("it is a rule");
    let (old, new) = (parse((2, 5, 0, 0), false), parse((0, 0, 0, 0), true));
    let made = [(0, 0, 1), (0, 2, 1), (0, 12, 2)];
    let events = events(&made.map(|(ty, passed, key)| (ty, passed, key, Some(0))));
    let timeouts = |with: Configure| {
        let all = reported((&old, Some(&new)), with, &events, |at| at == 2);
        assert_eq!(of_key(&all, 2, &events).len(), 1, "{all:?}");
        of_key(&all, 1, &events)
    };
    let expected = vec![(false, vec![1], Timestamp::from_millis(7000))];
    assert_eq!(timeouts(EngineBuilder::general_strategy), expected);
    assert_eq!(timeouts(|builder| builder), expected);
}

/// Keys whose outputs of one moment are put in order keep their own events, whether a key has
/// matches or timeouts.
#[test]
fn timeouts_of_a_key_have_its_own_events() {
    let pattern = "a -> any b{1.. any each} as x -> not c";
    let rules = parse(pattern, (0, 1, 0, 0), true).expect("it is a rule");
    let made = [(0, 1), (0, 2), (0, 2), (0, 1), (0, 1), (1, 1)];
    let events = events(&made.map(|(ty, key)| (ty, 0, key, Some(key))));
    let of = |with: Configure| reported((&rules, None), with, &events, |_| false);
    let held = of(|builder| builder);
    assert_eq!(held, of(EngineBuilder::general_strategy));
    assert_eq!(of_key(&held, 2, &events).len(), 2);
    assert!(of_key(&held, 1, &events).iter().any(|(is_match, ..)| *is_match));
}
