//! The limit on steps for one event: what gives way to it, that it is reported, and that it is the
//! same for every strategy, after a restart, and wherever idle keys are kept.

use std::path::Path;
use std::time::Duration;

use kleene::exec::Limits;
use kleene::schema::TypeId;
use kleene::stream::{EngineBuilder, LimitKind, Output, Overflow};
use kleene::{Engine, Event as _, Record, RuleSet, Timestamp, Value};
use kleene_test::files::rule_files;
use kleene_test::random;
use kleene_test::restore::{Step, they_go_on_alike};
use kleene_test::shelf::Shelf;
use kleene_test::steps::{Dice, as_rules, made_up, shuffled, steps_of_tests};
use proptest::prelude::*;

const EVENTS: &str = "event a { ts: time, k: int, v: int }\nevent b { ts: time, k: int, v: int }\n";

fn rules(rule: &str) -> RuleSet {
    let text = format!("{EVENTS}rule r {{ key k  {rule} }}");
    RuleSet::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn event(ty: usize, at: i64, v: i64) -> Record {
    let time = Timestamp::from_millis(at);
    Record::new(TypeId::new(ty), time, vec![Value::Time(time), 1.into(), v.into()])
}

/// Matches by the times of their events, with what is reported of limits.
fn line(output: &Output<Record>) -> String {
    match output {
        Output::Match(found) => {
            let times = found.captures.iter().map(|(_, event)| event.time().as_millis());
            format!("{:?}", times.collect::<Vec<_>>())
        }
        Output::Overflowed(what) => format!("!{what}"),
        other => format!("{other:?}"),
    }
}

fn reported(builder: EngineBuilder<Record>, events: &[Record]) -> (Vec<String>, Engine<Record>) {
    let mut engine = builder.build().expect("it fits");
    let mut outputs = Vec::new();
    for event in events {
        engine.push(event, &mut outputs).expect("it fits");
    }
    (outputs.iter().map(line).collect(), engine)
}

#[test]
fn the_oldest_give_way_and_it_is_reported() {
    let events = [event(0, 1, 1), event(0, 2, 2), event(0, 3, 3), event(0, 4, 4), event(1, 5, 2)];
    let pairs = rules("match a -> b  skip none");
    let (lines, engine) =
        reported(Engine::builder().rules(&pairs).limit_steps_per_event(3), &events);
    let dropped = "!an event would take too many steps: 1 of the oldest partial matches of the rule \
                   `r` were dropped";
    assert_eq!(lines, [dropped, "[2, 5]", "[3, 5]", "[4, 5]"]);
    assert_eq!(engine.stats().overflowed, 1);
}

#[test]
fn the_limit_of_a_rule_comes_first() {
    let events = [event(0, 1, 1), event(0, 2, 2), event(0, 3, 3), event(1, 5, 2)];
    let pairs = rules("match a -> b  skip none  limit 2 partials drop newest");
    let steps = |steps| Engine::builder().rules(&pairs).limit_steps_per_event(steps);
    let too_many = "!too many partial matches: 1 of the rule `r` were dropped";
    assert_eq!(reported(steps(2), &events).0, [too_many, "[1, 5]", "[2, 5]"]);
    let dropped = "!an event would take too many steps: 1 of the oldest partial matches of the rule \
                   `r` were dropped";
    // Beyond the limit on steps the oldest go, whatever the rule says of its own.
    assert_eq!(reported(steps(1), &events).0, [dropped, dropped, "[3, 5]"]);
}

/// The steps of a partial match with registers that can go on along several branches.
const SEVERAL_BRANCHES: usize = 8;

/// The events that a condition goes through cost a step each.
#[test]
fn what_is_read_again_counts() {
    let (first, last) = ((1..=12).map(|at| event(0, at, at)), event(1, 99, 0));
    let events: Vec<Record> = first.chain([last]).collect();
    for (condition, expected) in [
        // A sum is no step: twelve partial matches take their own steps alone.
        ("sum(x.v) >= 0", 12),
        // The newest seven have captured 1, 2 ... 7 events, which are 28 steps more; eight would
        // take 8 x 8 + 36. A look-up is no step, but where a partial match can go along two
        // branches its list may have to be copied.
        ("v not in distinct(x.v)", 7),
        ("v not in collect(x.v)", 7),
        ("len(distinct(x.v)) < 99", 7),
        // It has no register: 12 + 78 steps.
        ("x[-2].v is null or x[-2].v > 0", 12),
    ] {
        let rules = rules(&format!("match a[{condition}]{{1..}} as x -> b  skip none"));
        let builder = || {
            let builder = Engine::builder().rules(&rules);
            builder.limit_steps_per_event(12 * SEVERAL_BRANCHES)
        };
        let lines = reported(builder(), &events).0;
        let matches = lines.iter().filter(|line| !line.starts_with('!')).count();
        assert_eq!(matches, expected, "{condition}: {lines:?}");
        let general = reported(builder().general_strategy(), &events).0;
        assert_eq!(lines, general, "{condition}");
    }
}

/// After a skipped event a partial match waits in two places. It gives way whole or not at all: a
/// half would run out of time without a match.
#[test]
fn a_partial_match_gives_way_whole() {
    let text = "match a as z -> a[v not in distinct(x.v) and v > 0]{1..} as x -> b  within 1h  \
                skip past last";
    let first = event(0, 1, 0);
    let loops = (1..=20).map(|v| event(0, 1 + v, v));
    // A value that the loop has already, so that it is skipped.
    let events: Vec<Record> =
        [first].into_iter().chain(loops).chain([event(0, 30, 7), event(1, 50, 1)]).collect();
    let rules = rules(text);
    let lone =
        [format!("[{}, 50]", (1..=21).map(|at| at.to_string()).collect::<Vec<_>>().join(", "))];
    let whole = |lines: &[String]| lines.iter().any(|line| lone.contains(line));
    let mut seen = [false, false];
    for budget in 20..800 {
        let builder = || Engine::builder().rules(&rules).limit_steps_per_event(budget);
        let (lines, engine) = reported(builder(), &events);
        let is_reported = whole(&lines);
        seen[usize::from(is_reported)] = true;
        let dropped = lines.iter().filter(|line| line.starts_with('!')).count();
        assert!(is_reported || dropped > 0, "{budget}: {lines:?}");
        // What matched has used up what is open; what has given way leaves no other half.
        assert!(engine.stats().partials <= u64::from(!is_reported) * 21, "{budget}");
        assert_eq!(lines, reported(builder().general_strategy(), &events).0, "{budget}");
    }
    assert_eq!(seen, [true, true]);
}

/// A single partial match is reported, or has given way with a message: with one key and one start,
/// nothing is left of it.
#[test]
fn a_single_partial_match_leaves_no_half() {
    let rules = rules(
        "match b as z -> a[v not in distinct(x.v)]{1..} as x -> b  within 1h  skip past last",
    );
    let loops = (1..=20).map(|v| event(0, 1 + v, v));
    let events: Vec<Record> =
        [event(1, 1, 0)].into_iter().chain(loops).chain([event(0, 30, 7)]).collect();
    for (budget, open) in [(28, 0), (29, 0), (36, 0), (37, 1), (38, 1), (58, 1)] {
        let builder = Engine::builder().rules(&rules).limit_steps_per_event(budget);
        let (lines, mut engine) = reported(builder, &events);
        assert_eq!(
            (engine.stats().partials, lines.len()),
            (open, usize::from(open == 0)),
            "{budget}"
        );
        let mut outputs: Vec<Output<Record>> = Vec::new();
        engine.push(&event(1, 50, 1), &mut outputs).expect("it fits");
        let matches = outputs.iter().filter(|output| matches!(output, Output::Match(_))).count();
        assert_eq!(matches as u64, open, "{budget}: {lines:?}");
    }
}

/// A hundredth of the default.
const FEW: usize = (1 << 20) / 100;

#[test]
fn the_default_is_a_hundred_times_what_rules_need() {
    assert_eq!(Limits::default().steps_per_event, 100 * FEW + 76);
    let mut dice = Dice(3);
    for folder in ["testdata/suite", "patterns"] {
        for file in rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            let rules = RuleSet::from_path(&file).unwrap_or_else(|error| panic!("{error}"));
            let steps = made_up(&rules, &steps_of_tests(&rules), &mut dice);
            let builder = Engine::builder().rules(&rules).limit_steps_per_event(FEW);
            let (mut engine, mut outputs) = (builder.build().expect("it fits"), Vec::new());
            for step in &steps {
                if let Step::Push(event) = step {
                    // Some rules stop at limits of their own.
                    let _ = engine.push(event, &mut outputs);
                }
            }
            assert!(!outputs.iter().any(is_of_steps), "{}", file.display());
        }
    }
    for workload in &crate::machines::WORKLOADS {
        let rules = workload.rule_set(20);
        let events = workload.generate(rules.schema(), 10_000, 1);
        // One doubles its partial matches with each event, on purpose.
        let most = if workload.id == "W7" { 100 * FEW } else { FEW };
        let builder = Engine::builder().rules(&rules).limit_steps_per_event(most);
        let (mut engine, mut outputs) = (builder.build().expect("it fits"), Vec::new());
        engine.push_batch(&events, &mut outputs).expect("it fits");
        assert!(!outputs.iter().any(is_of_steps), "{}", workload.id);
    }
}

fn is_of_steps(output: &Output<Record>) -> bool {
    matches!(output, Output::Overflowed(Overflow { limit: LimitKind::StepsPerEvent, .. }))
}

/// The forms in which a budget must say the same: two strategies, restored, kept elsewhere.
fn agree(rules: &RuleSet, budget: usize, steps: &[Step], dice: &mut Dice) -> Result<(), String> {
    let plain = || {
        let builder = Engine::builder().rules(rules);
        // The compact form has fewer partial matches that could give way.
        let builder = builder.without_compact_strategy();
        Some(builder.out_of_order(Duration::from_secs(2)).limit_steps_per_event(budget))
    };
    let general = || plain().map(EngineBuilder::general_strategy);
    let cold = || plain().map(|builder| builder.cold_store(Shelf::default(), 1));
    they_go_on_alike(plain, general, steps, |_| false)?;
    they_go_on_alike(plain, plain, steps, |_| dice.below(3) == 0)?;
    they_go_on_alike(plain, cold, steps, |_| dice.below(5) == 0)?;
    Ok(())
}

#[test]
fn the_same_gives_way_in_every_form() {
    let mut dice = Dice(7);
    for folder in ["testdata/suite", "patterns"] {
        for file in rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            let rules = RuleSet::from_path(&file).unwrap_or_else(|error| panic!("{error}"));
            let known = steps_of_tests(&rules);
            for budget in [2, 6, 3 * SEVERAL_BRANCHES + 5] {
                let steps = made_up(&rules, &known, &mut dice);
                agree(&rules, budget, &steps, &mut dice)
                    .unwrap_or_else(|different| panic!("{}: {different}", file.display()));
            }
        }
    }
}

proptest! {
    #[test]
    fn the_same_gives_way_for_random_rules(
        pattern in random::runnable(),
        events in random::stream(),
        late in prop::collection::vec(0..4_i64, 13),
        budget in prop_oneof![1..8_usize, SEVERAL_BRANCHES..9 * SEVERAL_BRANCHES],
    ) {
        let Some(rules) = as_rules(&pattern.0, "skip none") else { return Ok(()) };
        let steps = shuffled(&events.0, &late);
        let agreed = agree(&rules, budget, &steps, &mut Dice(u64::try_from(budget).expect("it fits")));
        prop_assert!(agreed.is_ok(), "{agreed:?}");
    }
}
