//! Inputs of engines in tests: the steps of a rule file's own tests, streams that are made up of
//! their events, random patterns as rules.

use std::sync::Arc;

use kleene::schema::TypeId;
use kleene::{Event as _, Record, RuleSet, Timestamp, Value};
use kleene_explain::testing::{TEST_START, TestStep};
use kleene_syntax::hir::Pattern;

use crate::restore::Step;
use crate::text;

/// Random numbers, the same in each run.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// One of the numbers below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }
}

/// The steps of all tests of some rules, one test an hour after the other.
pub fn steps_of_tests(rules: &RuleSet) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut start = TEST_START;
    for test in rules.tests() {
        let mut last = start;
        let shift = |at: Timestamp| start.plus_millis(at.millis_since(TEST_START));
        for step in &test.steps {
            match step {
                TestStep::Event { ty, at, values, extra } => {
                    last = shift(*at);
                    steps.push(Step::Push(moved(rules, *ty, last, values, extra)));
                }
                TestStep::Advance(to) => {
                    last = shift(*to);
                    steps.push(Step::Advance(last));
                }
                TestStep::Expect(_) => {}
            }
        }
        start = last.plus_millis(3_600_000);
    }
    steps
}

fn moved(
    rules: &RuleSet,
    ty: TypeId,
    at: Timestamp,
    values: &[Value],
    extra: &[(Arc<str>, Value)],
) -> Record {
    let mut values = values.to_vec();
    if let Some(time) = rules.schema().ty(ty).time {
        values[time.index()] = Value::Time(at);
    }
    Record::with_extra(ty, at, values, extra.to_vec())
}

/// Events of `known` in any order, close together, some of them late.
pub fn made_up(rules: &RuleSet, known: &[Step], dice: &mut Dice) -> Vec<Step> {
    let events: Vec<&Record> = known
        .iter()
        .filter_map(|step| match step {
            Step::Push(event) => Some(event),
            Step::Advance(_) => None,
        })
        .collect();
    let mut at = TEST_START;
    let mut steps = Vec::new();
    for _ in 0..30 {
        let gaps = [0, 0, 1, 700, 20_000, 61_000, 900_000, 7_200_000];
        at = at.plus_millis(gaps[dice.below(gaps.len())]);
        if events.is_empty() || dice.below(12) == 0 {
            steps.push(Step::Advance(at.plus_millis(-1500)));
            continue;
        }
        let event = events[dice.below(events.len())];
        let back = [0, 0, 0, 400, 3000][dice.below(5)];
        let time = at.plus_millis(-back);
        steps.push(Step::Push(moved(rules, event.type_id(), time, event.values(), event.extra())));
    }
    steps
}

/// The rule that says `pattern`, with more clauses; `None` where the language has no words for it.
pub fn as_rules(pattern: &Pattern, clauses: &str) -> Option<RuleSet> {
    let text = text::rule(pattern).ok()?;
    let (start, end) = (text.find("rule r {")?, text.rfind('}')?);
    let rule = format!("{}{clauses}\n}}\n", &text[start..end]);
    RuleSet::parse(&format!("event e {{ type: string, v: int }}\n{rule}")).ok()
}

/// Events that come up to some milliseconds too late.
pub fn shuffled(events: &[Record], late: &[i64]) -> Vec<Step> {
    let mut order: Vec<(i64, &Record)> = events
        .iter()
        .zip(late)
        .map(|(event, late)| (event.time().as_millis().saturating_add(*late), event))
        .collect();
    order.sort_by_key(|(at, _)| *at);
    order.into_iter().map(|(_, event)| Step::Push(event.clone())).collect()
}
