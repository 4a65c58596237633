//! The constructs of the language that the compact form holds, and their costs there.
//!
//! A table has a rule for each construct. The planner picks the compact form for all of them, their
//! sets are what the general strategy lists, and the groups of a long stream stay as few as
//! docs/explosive-patterns.md says. A second table has what is listed one by one, each with the
//! reason that `kleene explain` and `W0014` give.

use kleene::exec::{KeyState, Matcher};
use kleene::stream::{EngineBuilder, Match};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value, on_match};
use kleene_automata::nfa::{Program, Strategy};

const EVENTS: &str = "event a { at: time, k: int, v: int, s: string, x: list<int> }
event b { at: time, k: int, v: int, s: string, x: list<int> }
event c { at: time, k: int, v: int, s: string, x: list<int> }
event d { at: time, k: int, v: int, s: string, x: list<int> }
";

/// How the number of groups grows with the events of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Groups {
    /// The same, however many events.
    Constant,
    /// One for each value or for each event at most.
    Linear,
    /// One for each pair of values at most.
    Quadratic,
}

use Groups::{Constant, Linear, Quadratic};

/// Constructs that the compact form holds, by name: the pattern, and how many groups it has.
const HELD: &[(&str, &str, Groups)] = &[
    ("loop with any, each", "a -> any b{1.. any each} as x -> any c", Constant),
    ("loop with any, greedy", "a -> any b{1.. any} as x -> any c", Constant),
    ("relaxed loop", "a -> any b{1.. each} as x -> any c", Constant),
    ("relaxed greedy loop", "a -> any b{1..} as x -> any c", Constant),
    ("loop with next", "a -> any b{1.. next each} as x -> any c", Constant),
    ("bounded loop", "a -> any b{2..5 any each} as x -> any c", Constant),
    ("exact loop", "a -> any b{3 any} as x -> any c", Constant),
    ("loop until an event", "a -> any b{1.. any each} until d as x -> any c", Constant),
    ("loop until a condition", "a -> any b{1.. any each} until [v == 3] as x -> any c", Constant),
    ("several any", "a -> any b as x -> any c -> any d", Constant),
    ("group in a loop", "a -> any (b as x -> any c){1.. any each} -> any d", Constant),
    ("nested loops", "a -> any (b{1.. any each} as x -> c){1.. any each} -> any d", Constant),
    ("optional step", "a -> any b? as x -> any c", Constant),
    ("optional loop", "a -> any b{0.. any each} as x -> any c", Constant),
    ("optional group", "a -> any (b as x -> any c)? -> any d", Constant),
    ("and", "a -> any (b as x and c){1.. any each} -> any d", Constant),
    ("or", "a -> any (b as x or c){1.. any each} -> any d", Constant),
    ("of", "a -> any 2 of (b as x, c, d) -> any a", Constant),
    ("not between steps", "a -> any b{1.. any each} as x -> not d -> any c", Constant),
    ("not before a loop", "a -> not d -> any b{1.. any each} as x -> any c", Constant),
    ("next not", "a -> any b{1.. any each} as x -> next not d -> any c", Constant),
    ("silence at the start", "not d for 2s -> a -> any b{1.. any each} as x -> any c", Constant),
    ("silence between steps", "a -> any b{1.. any each} as x -> not d for 2s -> any c", Linear),
    ("silence at the end", "a -> any b{1.. any each} as x -> not d for 2s", Linear),
    ("not at the end", "a -> any b{1.. any each} as x -> not d[v == 0]", Constant),
    ("loop, then a silence", "a -> any b{1.. any} as x -> not d for 2s", Linear),
    ("two at the end", "a -> any b{1.. any each} as x -> not c for 1s -> not d[v == 99]", Linear),
    ("longest loop", "a -> any b{1.. longest} as x", Constant),
    ("longest loop until an event", "a -> any b{1.. longest} until d as x", Constant),
    ("longest loop with next", "a -> any b{1.. next longest} as x", Constant),
    ("longest loop behind a loop", "a -> any b{1.. any each} as x -> c{1.. longest}", Constant),
    ("gap before a loop", "a ->[1s..9s] any b{1.. any each} as x -> any c", Linear),
    ("gap behind a loop", "a -> any b{1.. any each} as x ->[1s..9s] any c", Linear),
    ("gap in a loop", "a -> any (b as x ->[..3s] c){1.. any each} -> any d", Linear),
    ("bound of a group", "(a -> any b{1.. any each} as x within 9s) -> any c", Linear),
    ("bound of a step", "a -> any (b as x -> any c within 9s){1.. any each} -> any d", Linear),
    ("condition on the event", "a -> any b[v > 2]{1.. any each} as x -> any c", Constant),
    ("condition on the key", "a -> any b[v > k]{1.. any each} as x -> any c", Constant),
    ("equal to a captured field", "a as y -> any b[v == y.v]{1.. any each} as x -> any c", Linear),
    ("equal text", "a as y -> any b[s == y.s]{1.. any each} as x -> any c[s == y.s]", Linear),
    ("compared with a field", "a as y -> any b[v > y.v]{1.. any each} as x -> any c", Linear),
    ("equal list", "a as y -> any b[x == y.x]{1.. any each} as x -> any c", Linear),
    ("prev", "a -> any b[v > prev.v]{1.. any each} as x -> any c", Linear),
    ("time since prev", "a -> any b[at - prev.at > 1s]{1.. any each} as x -> any c", Linear),
    (
        "first, x[0]",
        "a -> any b{1.. any each} as x -> any c[v > first(x.v) and v > x[0].v]",
        Linear,
    ),
    ("last, x[-1]", "a -> any b{1.. any each} as x -> any c[v > last(x.v) or v > x[-1].v]", Linear),
    ("min", "a -> any b{1.. any each} as x -> any c[v > min(x.v)]", Linear),
    ("max", "a -> any b{1.. any each} as x -> any c[v < max(x.v)]", Linear),
    ("count", "a -> any b{1.. any each} as x -> any c[v > count(x)]", Linear),
    ("sum", "a -> any b{1.. any each} as x -> any c[v < sum(x.v)]", Linear),
    ("running sum", "a -> any b[sum(x.v) + v < 20]{1.. any each} as x -> any c", Linear),
    ("avg", "a -> any b[count(x) < 5]{1.. any each} as x -> any c[v > avg(x.v)]", Quadratic),
    (
        "two aggregates",
        "a -> any b{1.. any each} as x -> any c[v > min(x.v) and v < max(x.v)]",
        Quadratic,
    ),
];

/// Patterns that are listed one by one: pattern, clauses, and the reason in words.
const LISTED: &[(&str, &str, &str)] = &[
    (
        "a -> any b{1.. any each} as x -> not c for 2s repeat",
        "skip none",
        "a `not` at its end is reported again",
    ),
    (
        "a -> any b{1.. any each} as x -> any c[v > x[1].v]",
        "skip none",
        "reads all captured events",
    ),
    (
        "a -> any b{1.. any each} as x -> any c[v in collect(x.v)]",
        "skip none",
        "reads all captured",
    ),
    (
        "a -> any b[v not in distinct(x.v)]{1.. any each} as x -> any c",
        "skip none",
        "reads all captured",
    ),
    (
        "a -> any (b as x -> any c){1.. any each} as g -> any d",
        "skip none",
        "its groups have names",
    ),
];

/// Clauses under which all constructs are held, unless a match can be complete twice.
const SKIPS: [&str; 7] = [
    "skip none",
    "skip to next",
    "skip past last",
    "skip to next ordered",
    "skip past last ordered",
    "skip to first x ordered",
    "skip to last x ordered",
];

/// Patterns in which a match often waits for an older partial match.
const WAITING: [&str; 12] = [
    "a as y -> any b{1..3 any each} as x -> any c[v == y.v]",
    "a as y -> any b as x -> any c[v > y.v] -> any d",
    "a as y -> any b{1.. any each} as x -> any c[v >= y.v]",
    "a as y -> any b[v > y.v]{1.. any each} as x -> c",
    "a as y -> any b[v >= prev.v]{1..4 any each} as x -> any c[v > prev.v]",
    "a as y -> any b as x -> any d[v == y.v]",
    "a as y ->[..3s] any b as x -> any c[v != y.v]",
    "a as y -> any b as x -> not d for 2s -> any c[v > y.v]",
    "a as y -> any b[v > y.v] as x -> not c for 2s",
    "a as y -> any b{1..3 any each} as x -> not c[v == y.v]",
    "a as y -> any b[v > y.v]{1.. longest} as x",
    "a as y -> any b{1.. any each} as x -> any c[v > sum(x.v) - y.v]",
];

/// A rule with this pattern.
fn rules(pattern: &str, clauses: &str) -> RuleSet {
    let text = format!(
        "{EVENTS}rule r {{ key k  match {pattern}  within 1h  {clauses}
           emit {{ n: matches.count }} }}"
    );
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn program(rules: &RuleSet) -> Program {
    Program::new(&rules.rules()[0].pattern).expect("it is within the limits")
}

/// `n` events of one key, half a second apart, with values below `values`.
fn events(rules: &RuleSet, n: i64, values: i64) -> Vec<Record> {
    let mut state = 7_u64;
    let mut event = |at: i64| {
        // Knuth's MMIX generator: the same stream on every machine.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = (state >> 33).cast_signed();
        let ty = match chance % 8 {
            0 => "a",
            1 | 2 => "c",
            3 => "d",
            _ => "b",
        };
        let v = (chance / 8) % values;
        let fields = [
            ("at", Value::Time(Timestamp::from_millis(500 * at))),
            ("k", Value::Int(1)),
            ("v", Value::Int(v)),
            ("s", Value::from(format!("text {v}"))),
            ("x", Value::List([Value::Int(v)].into())),
        ];
        Record::from_fields(rules.schema(), if at == 0 { "a" } else { ty }, fields)
    };
    (0..n).map(|at| event(at).expect("it is declared so")).collect()
}

fn builder(rules: &RuleSet) -> EngineBuilder<Record> {
    Engine::builder().rules(rules)
}

/// Returns the time of a result, and the events of its set as listed.
fn shown(found: &Match<'_, Record>) -> String {
    let (set, mut listed) = (found.set(), Vec::new());
    let mut listing = set.listing();
    while let Some(one) = listing.next_match() {
        let seconds = one.captures().map(|(_, event)| event.time().as_millis());
        listed.push(seconds.collect::<Vec<_>>());
    }
    assert_eq!(set.count(), listed.len() as u64);
    format!("{:?}: {listed:?}", found.reported_at())
}

/// Returns for each result its time, the count of its set, and the events of its matches as listed.
fn sets(builder: EngineBuilder<Record>, events: &[Record]) -> Vec<String> {
    let mut engine = builder.build().expect("it can be run");
    let mut sets = Vec::new();
    let mut sink = on_match(|found: Match<'_, Record>| sets.push(shown(&found)));
    for event in events {
        engine.push(event, &mut sink).expect("no limit fails");
    }
    engine.end_time(&mut sink).expect("no limit fails");
    sets
}

/// Returns the largest number of groups that a stream of `n` events leaves.
fn most_groups(rules: &RuleSet, n: i64) -> usize {
    let rule = rules.rules().first().expect("there is one");
    let matcher = Matcher::<Record>::new(&rule.pattern, []).expect("it can be run");
    let (mut store, mut key) = (matcher.create_store(), KeyState::default());
    let mut most = 0;
    for (event, seq) in events(rules, n, 10).into_iter().zip(0..) {
        matcher.advance(&mut store, &mut key, event.time(), &mut |_| {});
        matcher.push(&mut store, &mut key, &event, seq, &mut |_| {});
        most = most.max(key.part_count());
    }
    most
}

#[test]
fn each_construct_is_held_in_the_compact_form() {
    for (name, pattern, _) in HELD {
        for clauses in ["skip none", "skip to next", "skip past last"] {
            let clauses = &format!("{clauses}  report count");
            let program = program(&rules(pattern, clauses));
            assert_eq!(program.why_not_compact(), None, "{name}, {clauses}");
            assert_eq!(program.strategy(), Strategy::Compact, "{name}, {clauses}");
        }
    }
}

#[test]
fn each_construct_has_the_sets_of_the_general_strategy() {
    for (name, pattern, _) in HELD {
        for clauses in SKIPS {
            let clauses = &format!("{clauses}  report count");
            let rules = rules(pattern, clauses);
            let events = events(&rules, 24, 4);
            let held = sets(builder(&rules), &events);
            let listed = sets(builder(&rules).general_strategy(), &events);
            assert!(!listed.is_empty(), "{name} matches nothing here");
            assert_eq!(held, listed, "{name}, {clauses}");
        }
    }
}

/// Returns the same as [`sets`], of an engine that is restored from a snapshot after each event.
fn sets_with_restarts(start: &dyn Fn() -> EngineBuilder<Record>, events: &[Record]) -> Vec<String> {
    let mut engine = start().build().expect("it can be run");
    let mut sets = Vec::new();
    let mut sink = on_match(|found: Match<'_, Record>| sets.push(shown(&found)));
    for event in events {
        engine.push(event, &mut sink).expect("no limit fails");
        let snapshot = engine.snapshot();
        engine = start().restore(&[&snapshot]).expect("it can be restored").0;
    }
    engine.end_time(&mut sink).expect("no limit fails");
    sets
}

/// Returns the same as [`sets`], of an engine whose rules are replaced after half of the events.
fn sets_with_an_edit(
    builder: EngineBuilder<Record>,
    new: &RuleSet,
    events: &[Record],
) -> Vec<String> {
    let mut engine = builder.build().expect("it can be run");
    let mut sets = Vec::new();
    let mut sink = on_match(|found: Match<'_, Record>| sets.push(shown(&found)));
    for (number, event) in events.iter().enumerate() {
        if 2 * number == events.len() {
            engine.replace_rules(new).expect("it can be run");
        }
        engine.push(event, &mut sink).expect("no limit fails");
    }
    engine.end_time(&mut sink).expect("no limit fails");
    sets
}

/// Matches that wait go on waiting when a rule is edited.
#[test]
fn matches_that_wait_outlive_an_edit() {
    let mut waited = 0;
    for pattern in WAITING {
        for (skip, within, edited) in [
            ("skip to next ordered", "within 1h", "skip to next ordered  within 1h  emit { v: 1 }"),
            ("skip to next ordered", "within 9s", "skip to next ordered  within 4s"),
            ("skip past last ordered", "within 4s", "skip past last ordered  within 1h"),
            (
                "skip to last x ordered",
                "within 1h",
                "skip to last x ordered  within 1h  report count",
            ),
        ] {
            let parse = |clauses: &str| {
                let rule = format!("rule r {{ key k  match {pattern}  {clauses} }}");
                RuleSet::parse(&format!("{EVENTS}{rule}")).expect("it is a rule")
            };
            let old = parse(&format!("{within}  {skip}"));
            let (skip, rest) = edited.split_once("within").expect("it has one");
            let new = parse(&format!("within{} {skip} {}", &rest[..3], &rest[3..]));
            for values in 2..8 {
                let events = events(&old, 30, values);
                let listed = sets_with_an_edit(builder(&old).general_strategy(), &new, &events);
                let held = sets_with_an_edit(builder(&old).compact_strategy(), &new, &events);
                assert_eq!(held, listed, "{pattern}  {skip}  {edited}, {values}");
                waited += u32::from(listed != sets(builder(&old), &events));
            }
        }
    }
    assert!(waited > 0, "{waited}");
}

/// `ordered` lets matches wait in the compact form as it does in a list.
#[test]
fn matches_wait_in_the_compact_form_as_they_do_in_a_list() {
    let (mut held, mut waited) = (0, 0);
    for pattern in WAITING {
        for skip in SKIPS.iter().filter(|skip| skip.ends_with("ordered")) {
            for within in ["within 1h", "within 4s", "within 9s"] {
                for report in ["all", "count", "last 2", "longest"] {
                    let parse = |skip: &str| {
                        let clauses = format!("{within}  {skip}  report {report}");
                        let rule = format!("rule r {{ key k  match {pattern}  {clauses} }}");
                        RuleSet::parse(&format!("{EVENTS}{rule}")).expect("it is a rule")
                    };
                    let rules = parse(skip);
                    if program(&rules).why_not_compact().is_some() {
                        continue;
                    }
                    held += 1;
                    let of = |rules: &RuleSet| builder(rules).compact_strategy();
                    let at_once = parse(skip.trim_end_matches("ordered"));
                    for values in 2..8 {
                        let events = events(&rules, 30, values);
                        let listed = sets(builder(&rules).general_strategy(), &events);
                        let name =
                            format!("{pattern}  {within}  {skip}  report {report}, {values}");
                        assert_eq!(sets(of(&rules), &events), listed, "{name}");
                        let restarted = sets_with_restarts(&|| of(&rules), &events);
                        assert_eq!(restarted, listed, "{name}, with restarts");
                        waited += u32::from(listed != sets(of(&at_once), &events));
                    }
                }
            }
        }
    }
    println!("{held} rules are held; of {} streams, matches wait in {waited}", 6 * held);
    assert!(held > 400 && waited > 400, "{held}, {waited}");
}

#[test]
fn groups_of_each_construct_are_few() {
    for (name, pattern, groups) in HELD {
        let rules = rules(pattern, "skip none  report count");
        let (some, more) = (most_groups(&rules, 200), most_groups(&rules, 400));
        match groups {
            Constant => assert!(more <= some.max(20) && more <= 40, "{name}: {some}, {more}"),
            Linear => assert!(more <= 5 * some / 2 + 10 && more <= 3000, "{name}: {some}, {more}"),
            Quadratic => assert!(more <= 4 * some + 10 && more <= 2000, "{name}: {some}, {more}"),
        }
    }
}

#[test]
fn what_is_listed_says_why() {
    for (pattern, clauses, reason) in LISTED {
        let rules = rules(pattern, &format!("{clauses}  report count"));
        let program = program(&rules);
        let why = program.why_not_compact().unwrap_or_else(|| panic!("{pattern} is held"));
        assert!(why.contains(reason), "{pattern}, {clauses}: {why}");
        assert_ne!(program.strategy(), Strategy::Compact, "{pattern}, {clauses}");
        // `check` warns where matches multiply and `skip` leaves them.
        let warnings: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
        let keeps_all = clauses.contains("none") || clauses.contains("next");
        let multiplies = pattern.contains("any each");
        let is_warned = warnings.iter().any(|warning| warning.contains("W0014"));
        assert_eq!(is_warned, keeps_all && multiplies, "{pattern}, {clauses}: {warnings:?}");
    }
}

#[test]
fn a_report_other_than_all_is_held_in_the_compact_form() {
    for report in ["count", "first 2", "last 2", "longest", "shortest"] {
        let program = program(&rules("a as x -> b", &format!("skip none  report {report}")));
        assert_eq!(program.strategy(), Strategy::Compact, "{report}");
    }
    assert_ne!(program(&rules("a as x -> b", "skip none")).strategy(), Strategy::Compact);
}
