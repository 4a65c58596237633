//! Random cases of the clauses: the engine, with each strategy and restarted on the way, and the
//! reference report what is enumerated.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kleene::RuleSet;

use super::clause_engines as engines;
use super::clause_random::{self as cases, ClauseCase, RULES};
use super::clauses::{Fate, RuleOutput, all_outputs, chosen_of_key};
use super::engines::STRATEGIES;
use super::random::Random;
use super::rule::TYPES;

/// The number of streams for each list of rules.
const STREAMS: u64 = 4;

/// What became of a case.
#[derive(Debug)]
enum Outcome {
    Same(usize),
    Refused(String),
    TooMany,
    Different(String),
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Compares what everyone reports of a case.
fn judge(case: &ClauseCase) -> Outcome {
    let rules = match RuleSet::parse(&case.text()) {
        Ok(rules) => rules,
        Err(error) => {
            let all = error.diagnostics().iter().map(|one| &one.diagnostic);
            let severe = kleene::diagnostic::Severity::Error;
            let codes =
                all.filter(|one| one.severity == severe).map(|one| format!("{:?}", one.code));
            return Outcome::Refused(codes.collect::<Vec<_>>().join(" "));
        }
    };
    let Some(expected) = all_outputs(&case.rules, &case.order(), &case.events, case.end()) else {
        return Outcome::TooMany;
    };
    let records = engines::records(&rules, &case.events);
    let mut differences = String::new();
    for (index, (name, configure)) in STRATEGIES.into_iter().enumerate() {
        let restarts = [0, case.restarts];
        for restarts in &restarts[..if index as u64 == case.restarts % 3 { 2 } else { 1 }] {
            match engines::run(&rules, configure, (&records, case.end()), *restarts) {
                Ok(reported) if reported == expected => {}
                Ok(reported) => {
                    let _ = writeln!(
                        differences,
                        "  {name}, restarts {restarts:b}:{}",
                        shown(&reported)
                    );
                }
                Err(error) => {
                    let _ = writeln!(differences, "  {name}, restarts {restarts:b}: {error}");
                }
            }
        }
    }
    differences += &difference_of_reference(case, &rules).unwrap_or_default();
    if differences.is_empty() {
        return Outcome::Same(expected.len());
    }
    Outcome::Different(format!("  enumerated:{}\n{differences}", shown(&expected)))
}

/// Compares the reference, which knows `skip`, `report` and timeouts, for each key.
fn difference_of_reference(case: &ClauseCase, rules: &RuleSet) -> Option<String> {
    let [rule] = &case.rules[..] else { return None };
    if rule.limit.is_some() {
        return None;
    }
    let types = rule.rule.stream();
    let mut keys: Vec<Option<i64>> = case.events.iter().map(|event| event.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(Option::is_some);
    if !rule.keyed {
        keys = vec![None];
    }
    for key in keys {
        let records = engines::records(rules, &case.events).into_iter().zip(&case.events);
        let of_key = records
            .filter(|(_, event)| types.contains(&event.ty) && (!rule.keyed || event.key == key));
        let of_key: Vec<_> = of_key.map(|(record, _)| record).collect();
        let expected = chosen_of_key(rule, key, &case.events, case.end())?;
        let expected: Vec<_> = expected
            .into_iter()
            .map(|one| (one.captures, one.time, one.count, one.fate == Fate::Timeout))
            .collect();
        match engines::reference(rules, &of_key, case.end()) {
            Ok(reported) if reported == expected => {}
            other => {
                return Some(format!(
                    "  reference, key {key:?}: {other:?}\n  enumerated for it: {expected:?}\n"
                ));
            }
        }
    }
    None
}

fn shown(outputs: &[RuleOutput]) -> String {
    let mut text = String::new();
    for one in outputs {
        let _ = write!(text, "\n    {} {:?}", RULES[one.rule], one.fate);
        if let Some(key) = one.key {
            let _ = write!(text, " k={key}");
        }
        for (event, step) in &one.captures {
            let _ = write!(text, " {event}:{step}");
        }
        let _ = write!(text, " at {} of {} {:?}", one.time, one.count, one.emit);
    }
    if outputs.is_empty() { String::from(" nothing") } else { text }
}

fn described(case: &ClauseCase) -> String {
    let mut text = String::new();
    for rule in &case.rules {
        let _ = writeln!(text, "  {}", rule.text());
    }
    text += "  events";
    for (number, event) in case.events.iter().enumerate() {
        let or_null = |value: Option<i64>| value.map_or(String::from("null"), |v| v.to_string());
        let (ty, v, key) = (TYPES[event.ty], or_null(event.v), or_null(event.key));
        let _ = write!(text, " {ty}{number}(v={v},k={key})@{}", event.time);
    }
    text + &format!("  restarts {:b}", case.restarts)
}

/// Returns the clauses of a case, by which differences are grouped.
fn kind(case: &ClauseCase) -> String {
    let text = case.text();
    let parts = [
        "skip none",
        "skip past",
        "skip to next",
        "skip to first",
        "skip to last",
        "report count",
        "report first",
        "report last",
        "report longest",
        "report shortest",
        "key k",
        "having",
        "suppress",
        " by ",
        "once",
        "per rule",
        "emit as",
        "on timeout",
        "limit",
        "ordered",
        "repeat",
        "longest}",
        ".wait",
        " or ",
        " and ",
        " of (",
        "each",
        "for ",
        "within",
    ];
    let mut has: Vec<&str> = parts.into_iter().filter(|part| text.contains(part)).collect();
    if case.restarts != 0 {
        has.push("restarts");
    }
    has.join(" + ")
}

/// The counts of a hunt, and its failures.
#[derive(Debug, Default)]
struct Tally {
    judged: u64,
    reporting: u64,
    too_many: u64,
    failures: u64,
    refused: BTreeMap<String, u64>,
    kinds: BTreeMap<String, u64>,
    found: String,
}

impl Tally {
    /// Records a failure with its smallest case, and whether a pattern differs without its clauses.
    fn fail(&mut self, seed: u64, case: ClauseCase) {
        let is_of_pattern = differs_in_pattern(&case);
        let fails = &mut |case: &ClauseCase| {
            matches!(judge(case), Outcome::Different(_))
                && is_of_pattern == differs_in_pattern(case)
        };
        let small = cases::smallest(case, fails);
        let Outcome::Different(difference) = judge(&small) else { return };
        let text = described(&small);
        self.failures += 1;
        let place = if is_of_pattern { "in a pattern" } else { "in the clauses" };
        let times = self.kinds.entry(kind(&small)).or_default();
        *times += 1;
        if *times <= 2 {
            let of = kind(&small);
            let _ = writeln!(self.found, "\n#{seed} {place}: {of}\n{text}\n{difference}");
        }
    }
}

/// True if a pattern of the case, without its clauses, differs on the events that its rule sees.
fn differs_in_pattern(case: &ClauseCase) -> bool {
    let patterns = case.patterns().unwrap_or_default();
    patterns.iter().any(|pattern| matches!(judge(pattern), Outcome::Different(_)))
}

/// Judges cases until there are enough of them, or too many failures.
fn hunt(cases: u64, make: fn(&mut Random) -> Vec<super::clauses::ClauseRule>) -> Tally {
    let cases = number("KLEENE_HUNT_CASES").unwrap_or(cases);
    let seed = number("KLEENE_HUNT_SEED").unwrap_or(1);
    let most = number("KLEENE_HUNT_FAILURES").unwrap_or(5);
    let mut tally = Tally::default();
    let mut number = 0;
    while tally.judged < cases && tally.failures < most {
        number += 1;
        let mut random = Random::new(seed.wrapping_mul(1 << 32).wrapping_add(number));
        let rules = make(&mut random);
        for _ in 0..STREAMS {
            let events = cases::stream(&mut random, &rules);
            let restarts = if random.one_in(2) { u64::MAX } else { random.next() };
            let case = ClauseCase { rules: rules.clone(), events, restarts };
            match judge(&case) {
                Outcome::Same(outputs) => tally.reporting += u64::from(outputs > 0),
                Outcome::TooMany => tally.too_many += 1,
                Outcome::Refused(why) => {
                    *tally.refused.entry(why).or_default() += 1;
                    break;
                }
                Outcome::Different(_) => {
                    tally.fail(number, case);
                    break;
                }
            }
            tally.judged += 1;
        }
    }
    tally
}

/// Checks a hunt, and returns what it says of itself.
fn summary(tally: &Tally) -> String {
    let Tally { judged, reporting, too_many, failures, refused, kinds, found } = tally;
    assert!(*failures == 0, "{failures} rules differ:{found}\n{kinds:#?}");
    assert!(reporting * 4 > *judged, "only {reporting} of {judged} cases report something");
    format!("{judged} cases, {reporting} with outputs, {too_many} too large; refused: {refused:?}")
}

#[test]
fn clauses_choose_what_the_page_says() {
    println!("{}", summary(&hunt(2000, cases::rules)));
}

#[test]
fn partial_matches_time_out_and_give_way_as_the_page_says() {
    println!("{}", summary(&hunt(2000, cases::rules_with_partials)));
}
