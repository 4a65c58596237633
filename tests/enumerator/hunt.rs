//! Random cases: the engine, with each strategy, and the reference report what is enumerated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kleene_automata::nfa::Program;

use super::engines::{self, Reported};
use super::matches::all_matches;
use super::random::{self, Random};
use super::rule::TYPES;
use super::shrink::{Case, shrink};
use crate::properties::completes_at_deadlines;

/// The number of streams for each rule.
const STREAMS: u64 = 6;

/// What became of a case.
#[derive(Debug)]
enum Outcome {
    Same(usize),
    Refused,
    TooMany,
    Different(String),
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Compares what everyone reports of a case.
fn judge(case: &Case) -> Outcome {
    let Ok(rules) = engines::parse(&case.rule) else { return Outcome::Refused };
    judge_with(case, &rules)
}

fn judge_with(case: &Case, rules: &kleene::RuleSet) -> Outcome {
    let end = case.events.last().map_or(0, |event| event.time) + 40;
    // "By default, the stream contains the types that the rule names. `from` lists them instead."
    let types = case.rule.stream();
    let numbers: Vec<usize> =
        (0..case.events.len()).filter(|number| types.contains(&case.events[*number].ty)).collect();
    let stream: Vec<_> = numbers.iter().map(|number| case.events[*number].clone()).collect();
    let Some(matches) = all_matches(&case.rule, &stream, end) else {
        return Outcome::TooMany;
    };
    let expected: Vec<Reported> = matches
        .iter()
        .map(|found| Reported {
            is_timeout: false,
            captures: (found.captures.iter())
                .map(|(event, step)| (numbers[*event], format!("s{step}")))
                .collect(),
            time: found.moment.time,
        })
        .collect();
    let records = engines::records(rules, &case.events);
    let mut differences = String::new();
    let mut compare = |name: &str, reported: Result<Vec<Reported>, String>| match reported {
        Ok(reported) => {
            let reported: Vec<_> = reported.into_iter().filter(|one| !one.is_timeout).collect();
            if reported != expected {
                let _ = writeln!(differences, "  {name}:{}", shown(&reported, case));
            }
        }
        Err(error) => {
            let _ = writeln!(differences, "  {name}: {error}");
        }
    };
    let of_stream: Vec<_> = numbers.iter().map(|number| records[*number].clone()).collect();
    compare("reference", engines::reference(rules, &of_stream, end));
    for (name, configure) in engines::STRATEGIES {
        compare(name, engines::run(rules, configure, &records, end));
    }
    if differences.is_empty() {
        return Outcome::Same(expected.len());
    }
    Outcome::Different(format!("  enumerated:{}\n{differences}", shown(&expected, case)))
}

fn shown(reported: &[Reported], case: &Case) -> String {
    let mut text = String::new();
    for one in reported {
        text += "\n    ";
        for (event, step) in &one.captures {
            let ty = case.events.get(*event).map_or("?", |event| TYPES[event.ty]);
            let _ = write!(text, "{ty}{event}:{step} ");
        }
        let _ = write!(text, "at {}", one.time);
    }
    if reported.is_empty() { String::from(" nothing") } else { text }
}

fn described(case: &Case) -> String {
    let mut text = format!("  {}\n  events", case.rule);
    for (number, event) in case.events.iter().enumerate() {
        let v = event.v.map_or(String::from("null"), |v| v.to_string());
        let _ = write!(text, " {}{number}(v={v})@{}", TYPES[event.ty], event.time);
    }
    text
}

/// Returns the constructs of a case, by which differences are grouped.
fn kind(case: &Case) -> String {
    let text = case.rule.to_string();
    let parts = [
        "until",
        "{0..1}",
        "{0..1 each}",
        "{0..",
        "{1..",
        "{2..",
        "{2}",
        "each",
        "longest",
        " next}",
        " any}",
        " next each}",
        " any each}",
        "-> not",
        "-> next not",
        "for ",
        "repeat",
        ".wait",
        "within",
        "without",
        "(",
        " and ",
        " or ",
        " of (",
        "->[",
        "-> next",
        "-> any",
        "any event",
        "from",
        "=",
        "<",
        ">",
        "count(",
        "sum(",
        "prev",
        "last(",
        "first(",
        "is null",
    ];
    let has: Vec<&str> = parts.into_iter().filter(|part| text.contains(part)).collect();
    has.join(" + ")
}

#[test]
fn everyone_reports_what_is_enumerated() {
    let cases = number("KLEENE_HUNT_CASES").unwrap_or(6000);
    let seed = number("KLEENE_HUNT_SEED").unwrap_or(1);
    let most = number("KLEENE_HUNT_FAILURES").unwrap_or(5);
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    let (mut failures, mut found) = (0, String::new());
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let (mut judged, mut matching, mut too_many) = (0_u64, 0_u64, 0_u64);
    let (mut number, mut at_deadlines) = (0, 0_u64);
    while judged < cases {
        number += 1;
        let mut random = Random::new(seed.wrapping_mul(1 << 32).wrapping_add(number));
        let rule = random::rule(&mut random);
        let rules = match engines::parse(&rule) {
            Ok(rules) => rules,
            Err(codes) => {
                for code in codes {
                    *refused.entry(code).or_default() += 1;
                }
                continue;
            }
        };
        let pattern = &rules.rules()[0].pattern;
        let is_held = Program::new(pattern).is_ok_and(|one| one.why_not_compact().is_none());
        at_deadlines += u64::from(is_held && completes_at_deadlines(pattern));
        let stream = rule.stream();
        for _ in 0..STREAMS {
            judged += 1;
            let events = random::stream(&mut random, &stream);
            let case = Case { rule: rule.clone(), events };
            match judge_with(&case, &rules) {
                Outcome::Same(matches) => matching += u64::from(matches > 0),
                Outcome::TooMany | Outcome::Refused => too_many += 1,
                Outcome::Different(_) => {
                    failures += 1;
                    let fails = &mut |case: &Case| matches!(judge(case), Outcome::Different(_));
                    let small = shrink(case, fails);
                    if let Outcome::Different(difference) = judge(&small) {
                        let times = kinds.entry(kind(&small)).or_default();
                        *times += 1;
                        if *times <= 2 {
                            let text = described(&small);
                            let _ = writeln!(
                                found,
                                "\n#{number} {}\n{text}\n{difference}",
                                kind(&small)
                            );
                        }
                    }
                    break;
                }
            }
        }
        if failures >= most {
            break;
        }
    }
    println!("{judged} cases, {matching} with matches, {too_many} too large; refused: {refused:?}");
    println!("{kinds:#?}");
    println!("{at_deadlines} of {number} rules have groups with deadlines");
    assert!(failures == 0, "{failures} rules of {number} differ:{found}");
    assert!(at_deadlines * 40 > number, "only {at_deadlines} have groups with deadlines");
    assert!(matching * 4 > judged, "only {matching} of {judged} cases have matches");
}
