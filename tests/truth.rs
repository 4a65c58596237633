//! `why`, `kleene test` and `explain` held against the results on random rules and streams, and
//! results held against themselves across sources, idleness, live replacement and restarts.
//!
//! `KLEENE_TRUTH=100000` looks at as many cases for each property, and `KLEENE_RANDOM_SEED`
//! elsewhere.

mod accounts;
mod blocks;
mod edits;
mod listings;

use std::cell::Cell;
use std::fmt::{self, Write as _};

use kleene::event::Event as _;
use kleene::schema::TypeId;
use kleene::stream::{Output, OwnedMatch};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_explain::testing::TEST_START;
use kleene_syntax::hir::{ItemKind, Pattern, Report, Sequence};
use kleene_test::random::{self, Built, TYPES};
use kleene_test::text;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

/// The rest of a stream with more open partial matches is left out.
const MOST_PARTIALS: u64 = 80;

/// The type of all events: `k` is the key, and `n` is the number of the event.
const SCHEMA: &str = "event e { type: string, v: int, k: int, n: int }";

/// The keys of random streams.
const KEYS: [i64; 2] = [0, 1];

/// Clauses that decide what is reported of what matches.
const CLAUSES: [&str; 12] = [
    "",
    "",
    "",
    "once",
    "once per rule",
    "suppress 3ms",
    "suppress 6ms by total",
    "having total > 2",
    "having total > 2 once",
    "having total > 2 suppress 5ms",
    "limit 2 partials drop oldest",
    "limit 2 partials drop newest",
];

/// An event before it has a time and a number.
#[derive(Clone, Copy, Debug)]
struct RandomEvent {
    /// The milliseconds since the event before.
    passed: i64,
    ty: usize,
    v: i64,
    key: i64,
}

/// A rule and the events that it reads, in the order of time.
#[derive(Clone)]
struct Inputs {
    pattern: Built,
    clause: &'static str,
    events: Vec<RandomEvent>,
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Edit::default()).unwrap_or_default())?;
        for event in self.records() {
            write!(f, "{} ", shown(&event))?;
        }
        Ok(())
    }
}

/// An event as `3@12:a4/1`: number, time, type, `v` and key.
fn shown(event: &Record) -> String {
    let [Value::String(ty), v, key, n] = event.values() else { return format!("{event:?}") };
    format!("{n}@{}:{ty}{v}/{key}", millis(event.time()))
}

/// A time as durations of a test count.
fn millis(time: Timestamp) -> i64 {
    time.millis_since(TEST_START)
}

/// Changes of a rule that change nothing of what it finds.
#[derive(Clone, Copy, Debug, Default)]
struct Edit {
    /// What describes the rule.
    about: &'static str,
    /// A constant that it emits.
    constant: i64,
}

impl Inputs {
    /// The events with their times and numbers.
    fn records(&self) -> Vec<Record> {
        let mut time = 0;
        let numbered = (0..).zip(&self.events).map(|(n, event)| {
            time += event.passed;
            let values = vec![
                Value::from(TYPES[event.ty]),
                Value::from(event.v),
                Value::from(event.key),
                Value::from(n),
            ];
            Record::new(TypeId::new(0), TEST_START.plus_millis(time), values)
        });
        numbered.collect::<Vec<_>>()
    }

    /// The rule file; `None` if the language has no words for the pattern.
    fn text(&self, edit: Edit) -> Option<String> {
        let pattern = &self.pattern.0;
        let mut steps = Vec::new();
        captured(pattern, &pattern.body, &mut steps);
        let first = steps.first()?;
        let mut fields = format!("k, total: sum({first}.v)");
        for step in &steps {
            let _ = write!(fields, ", {step}: collect({step}.n)");
        }
        let text = text::rule(pattern).ok()?;
        let (_, text) = text.split_once("rule r {\n")?;
        let text = text.replacen("  from *\n", "  from *\n  key k\n", 1);
        let text = text.replacen("{ step: match.step }", &format!("{{ {fields} }}"), 1);
        let text = text.strip_suffix("}\n")?;
        let Edit { about, constant } = edit;
        let (clause, emit) = (self.clause, format!("emit {{ {fields}, c: {constant} }}"));
        Some(format!("{SCHEMA}\nrule r {{\n  {about}\n{text}  {emit}\n  {clause}\n}}\n"))
    }

    /// The rule and the events that do not open too many partial matches; `None` if the checker
    /// refuses the rule.
    fn ready(&self) -> Option<(RuleSet, Vec<Record>)> {
        let rules = RuleSet::parse(&self.text(Edit::default())?).ok()?;
        let mut engine = Engine::builder().rules(&rules).build().ok()?;
        let mut events = Vec::new();
        for event in self.records() {
            engine.push(&event, &mut Vec::new()).ok()?;
            if engine.stats().partials > MOST_PARTIALS {
                break;
            }
            events.push(event);
        }
        Some((rules, events))
    }
}

/// The names of the steps that capture events, in the order of the pattern.
fn captured<'p>(pattern: &'p Pattern, sequence: &Sequence, names: &mut Vec<&'p str>) {
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { step, .. } => names.push(&pattern.steps[step.index()].name),
            ItemKind::Not { .. } => {}
            ItemKind::Group { body, .. } => captured(pattern, body, names),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    captured(pattern, branch, names);
                }
            }
        }
    }
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let silences = random::with_silences().prop_map(|pattern| pattern.build());
    let pattern = prop_oneof![5 => random::runnable(), 1 => silences];
    let report = prop_oneof![3 => Just(Report::All), 1 => random::report::report()];
    let event = (0..4_i64, 0..TYPES.len(), 0..5_i64, prop_oneof![3 => Just(0), 1 => Just(1)]);
    let event = event.prop_map(|(passed, ty, v, key)| RandomEvent { passed, ty, v, key });
    (pattern, report, select(&CLAUSES[..]), vec(event, 0..14)).prop_map(
        |(mut pattern, report, clause, events)| {
            pattern.0.report = report;
            Inputs { pattern, clause, events }
        },
    )
}

/// A captured event: the step and the number of the event.
type Capture = (String, i64);

/// The number of an event.
fn number(event: &Record) -> i64 {
    let Some(Value::Int(n)) = event.values().last() else { return -1 };
    *n
}

fn captures(found: &OwnedMatch<Record>) -> Vec<Capture> {
    found.captures.iter().map(|(step, event)| (step.to_string(), number(event))).collect()
}

/// A match or timeout, reported or not, with its kind.
fn result(output: &Output<Record>) -> Option<(&'static str, &OwnedMatch<Record>)> {
    match output {
        Output::Match(found) => Some(("match", found)),
        Output::Suppressed(found) => Some(("suppressed", found)),
        Output::Filtered(found) => Some(("filtered", found)),
        Output::Timeout(expired) => Some(("timeout", &expired.found)),
        _ => None,
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Checks a property of random values. A check gives `None` if the value is one that is refused;
/// at least an eighth must be of use.
fn hunt<S: Strategy>(
    cases: u32,
    strategy: &S,
    check: impl Fn(&S::Value) -> Result<Option<()>, String>,
) {
    let cases = setting("KLEENE_TRUTH").and_then(|cases| cases.try_into().ok()).unwrap_or(cases);
    let seed = setting("KLEENE_RANDOM_SEED").unwrap_or(7).to_le_bytes().repeat(4);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 5_000,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let checked = Cell::new(0_u32);
    let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        let used = check(&value).map_err(TestCaseError::fail)?;
        checked.set(checked.get() + u32::from(used.is_some()));
        Ok(())
    });
    match outcome {
        Ok(()) => assert!(checked.get() > cases / 8, "{} of {cases}", checked.get()),
        Err(TestError::Fail(reason, value)) => panic!("{reason}\n{value:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// An error unless the two are equal.
fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}:\n  {found:?}\nbut expected\n  {expected:?}"))
}
