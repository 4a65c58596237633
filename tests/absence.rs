//! `not x for T` as an operand of `and`, `or` and `of`, held against its definition: every choice
//! of events is tried, and kept if it is what docs/semantics.md says. Nothing here knows of
//! automata.

use std::collections::{BTreeMap, BTreeSet};

use kleene::{Record, RuleSet, Timestamp, Value};
use kleene_syntax::hir::Pattern;
use kleene_test::engine::{Engine, GeneralEngine, MatcherEngine, ReferenceEngine, run};

const TYPES: [&str; 4] = ["a", "b", "c", "d"];
const EVENTS: &str = "event a { at: time }\nevent b { at: time }\nevent c { at: time }\n\
                      event d { at: time }\n";
/// How long a match may take, where the rule says so.
const WITHIN: i64 = 8000;

/// One of what is joined.
#[derive(Clone, Debug)]
enum Operand {
    Step(&'static str),
    /// None of these types for so long.
    Silence(Vec<&'static str>, i64),
}

/// `a -> d -> 2 of (b, c, not b for 5s) -> a`.
#[derive(Clone, Debug)]
struct Joined {
    before: Vec<&'static str>,
    operands: Vec<Operand>,
    count: usize,
    after: Option<&'static str>,
    bounded: bool,
}

impl Joined {
    fn random(random: &mut impl FnMut(usize) -> usize) -> Joined {
        let before = if random(3) == 0 { vec!["a", "d"] } else { vec!["a"] };
        let mut operands: Vec<Operand> = (0..=random(3))
            .map(|_| match random(3) {
                0 => Joined::silence(random),
                _ => Operand::Step(TYPES[random(4)]),
            })
            .collect();
        let at = random(operands.len() + 1);
        operands.insert(at, Joined::silence(random));
        let count = 1 + random(operands.len());
        let after = (random(2) == 0).then(|| TYPES[random(4)]);
        Joined { before, operands, count, after, bounded: after.is_some() && random(3) == 0 }
    }

    fn silence(random: &mut impl FnMut(usize) -> usize) -> Operand {
        let mut types = vec![TYPES[random(4)]];
        let other = TYPES[random(4)];
        if random(4) == 0 && other != types[0] {
            types.push(other);
        }
        Operand::Silence(types, [1000, 2000, 2500, 4000][random(4)])
    }

    fn text(&self) -> String {
        let mut steps: Vec<String> = Vec::new();
        steps.extend(self.before.iter().enumerate().map(|(n, ty)| format!("{ty} as p{n}")));
        let operands: Vec<String> = self.operands.iter().enumerate().map(operand).collect();
        let (count, all) = (self.count, operands.len());
        steps.push(match count {
            1 => format!("({})", operands.join(" or ")),
            _ if count == all => format!("({})", operands.join(" and ")),
            _ => format!("{count} of ({})", operands.join(", ")),
        });
        steps.extend(self.after.map(|ty| format!("{ty} as last")));
        let within = if self.bounded { format!("  within {WITHIN}ms") } else { String::new() };
        format!("{EVENTS}rule r {{ match {}{within}  skip none }}", steps.join(" -> "))
    }

    /// Every match that the definition allows: what is captured as what, and the time.
    fn matches(&self, events: &[(&str, i64)]) -> Found {
        let mut found = Found::new();
        for first in 0..events.len() {
            let Some(before) = self.follow(events, first) else { continue };
            let mut choices = vec![vec![None; self.operands.len()]];
            for (index, operand) in self.operands.iter().enumerate() {
                let Operand::Step(ty) = operand else { continue };
                for choice in std::mem::take(&mut choices) {
                    let behind = events.iter().enumerate().skip(before[before.len() - 1] + 1);
                    for (event, (of, _)) in behind {
                        if of == ty && !choice.contains(&Some(event)) {
                            let mut longer = choice.clone();
                            longer[index] = Some(event);
                            choices.push(longer);
                        }
                    }
                    choices.push(choice);
                }
            }
            found.extend(choices.iter().filter_map(|choice| self.judge(events, &before, choice)));
        }
        found
    }

    /// The events of the steps before: each is the first that fits.
    fn follow(&self, events: &[(&str, i64)], first: usize) -> Option<Vec<usize>> {
        let mut captured = Vec::new();
        for (number, ty) in self.before.iter().enumerate() {
            let from = captured.last().map_or(first, |last| last + 1);
            let until = if number == 0 { first + 1 } else { events.len() };
            captured.push((from..until).find(|&event| events[event].0 == *ty)?);
        }
        Some(captured)
    }

    /// The match in which the operands capture what `choice` says, if it is one.
    fn judge(
        &self,
        events: &[(&str, i64)],
        before: &[usize],
        choice: &[Option<usize>],
    ) -> Option<(Vec<(String, usize)>, i64)> {
        let entry = *before.last()?;
        // When each operand has happened. A silence is over before the events of the same moment.
        let moment = |event: usize| (events[event].1, 1, event);
        let mut happened: Vec<_> = choice.iter().flatten().map(|event| moment(*event)).collect();
        for operand in &self.operands {
            let Operand::Silence(types, time) = operand else { continue };
            let end = events[entry].1 + time;
            let breaks = |event: &(&str, i64)| types.contains(&event.0) && event.1 < end;
            if !events[entry + 1..].iter().any(breaks) {
                happened.push((end, 0, 0));
            }
        }
        happened.sort_unstable();
        let complete = *happened.get(self.count - 1)?;
        // Nothing more is begun than has to happen.
        if choice.iter().flatten().any(|event| moment(*event) > complete) {
            return None;
        }
        // What fits an operand that is still waited for is captured, by it or by another one.
        for (event, (of, _)) in events.iter().enumerate().skip(entry + 1) {
            if moment(event) >= complete || choice.contains(&Some(event)) {
                continue;
            }
            let waits = |(index, operand): (usize, &Operand)| {
                matches!(operand, Operand::Step(ty) if ty == of)
                    && choice[index].is_none_or(|own| own > event)
            };
            if self.operands.iter().enumerate().any(waits) {
                return None;
            }
        }
        let mut captured: Vec<(String, usize)> =
            before.iter().enumerate().map(|(n, event)| (format!("p{n}"), *event)).collect();
        let taken = choice.iter().enumerate().filter_map(|(n, event)| Some((n, (*event)?)));
        captured.extend(taken.map(|(n, event)| (format!("o{n}"), event)));
        captured.sort_by_key(|(_, event)| *event);
        let Some(ty) = self.after else { return Some((captured, complete.0)) };
        let last = (entry + 1..events.len())
            .find(|&event| moment(event) > complete && events[event].0 == ty)?;
        if self.bounded && events[last].1 - events[before[0]].1 >= WITHIN {
            return None;
        }
        captured.push(("last".to_owned(), last));
        Some((captured, events[last].1))
    }
}

fn operand((number, operand): (usize, &Operand)) -> String {
    match operand {
        Operand::Step(ty) => format!("{ty} as o{number}"),
        Operand::Silence(types, time) => format!("not ({}) for {time}ms", types.join(" or ")),
    }
}

type Found = BTreeSet<(Vec<(String, usize)>, i64)>;

fn reported(engine: &dyn Engine, pattern: &Pattern, events: &[Record]) -> Found {
    let mut session = engine.start(pattern).expect("the checker has accepted it");
    let matches =
        run(&mut *session, events).into_iter().flatten().filter(|reported| reported.is_match);
    let name = |step: kleene_syntax::hir::StepId| pattern.steps[step.index()].name.to_string();
    let named = |captures: &[(kleene_syntax::hir::StepId, usize)]| {
        captures.iter().map(|(step, event)| (name(*step), *event)).collect()
    };
    matches.map(|reported| (named(&reported.captures), reported.at.as_millis())).collect()
}

/// Up to nine events, at most two and a half seconds apart.
fn stream(random: &mut impl FnMut(usize) -> usize) -> Vec<(&'static str, i64)> {
    let (mut at, count) = (0, 3 + random(7));
    let event = |_| {
        at += [0, 500, 500, 1000, 1000, 1500, 2500][random(7)];
        (TYPES[random(5) % 4], at)
    };
    (0..count).map(event).collect()
}

fn records(events: &[(&str, i64)]) -> Vec<Record> {
    let rules = RuleSet::parse(EVENTS).expect("the declarations are right");
    let record = |&(ty, at): &(&str, i64)| {
        let ty = rules.schema().type_id(ty).expect("the type is declared");
        let at = Timestamp::from_millis(at);
        Record::new(ty, at, [Value::Time(at)])
    };
    events.iter().map(record).collect()
}

/// The number of rules to try, each on three streams: `KLEENE_ABSENCE_RULES=20000` looks longer.
fn rules() -> usize {
    let given = std::env::var("KLEENE_ABSENCE_RULES").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[test]
fn operands_with_an_absence_match_what_their_definition_says() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % below
    };
    let engines: [(&str, &dyn Engine); 3] =
        [("matcher", &MatcherEngine), ("general", &GeneralEngine), ("reference", &ReferenceEngine)];
    // How often a rule with so many operands of so many matched.
    let mut matched: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for _ in 0..rules() {
        let joined = Joined::random(&mut random);
        let text = joined.text();
        let parsed = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let pattern = &parsed.rules()[0].pattern;
        for _ in 0..3 {
            let events = stream(&mut random);
            let expected = joined.matches(&events);
            let size = (joined.count, joined.operands.len());
            *matched.entry(size).or_default() += expected.len();
            for (name, engine) in engines {
                let found = reported(engine, pattern, &records(&events));
                assert_eq!(found, expected, "{name}: {text}\non {events:?}");
            }
        }
    }
    // All of `and`, `or` and `of` are among those that matched.
    for size in [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3), (2, 4), (3, 4)] {
        assert!(matched.get(&size).is_some_and(|matches| *matches > 0), "{size:?}: {matched:?}");
    }
}
