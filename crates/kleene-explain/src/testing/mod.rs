//! Runs the `test` blocks of rule files.
//!
//! A test has the rule to itself: a fresh [`Engine`] with that rule and those that feed it (`emit
//! as`) only, events in time order. Its durations count from [`TEST_START`]; an event whose record
//! does not give the event time has the time at which it comes. `advance to` moves time on without
//! an event; nothing else does, and nothing is finished at the end.
//!
//! An expectation is judged where it stands in the test, against the reports of the rule up to
//! there. If no other event of the same time follows, all reports at that time count. `expect
//! match` needs a match that no other expectation of the test has claimed. The match must be
//! reported at the given time, its emitted record or key must contain the given fields, and its set
//! must have `count` matches; each of these applies only if it is given. Values compare as in
//! conditions, but null equals null; against a time, a duration counts from the start of the test.
//! `expect no match` fails if any reported match fits. Matches that no expectation claims do not
//! fail a test.
//!
//! ```
//! let rules = kleene::RuleSet::parse(
//!     r#"event paid { order_id: string, at: time }
//!        event sent { order_id: string, at: time }
//!        rule not_sent { key order_id  match paid -> not sent for 2d }
//!        test not_sent {
//!          at 0s paid { order_id: "1" }
//!          at 1d paid { order_id: "2" }
//!          at 2d sent { order_id: "2" }
//!          expect match { order_id: "1" } at 2d
//!          expect no match { order_id: "2" }
//!        }"#,
//! )?;
//! let test = &rules.tests()[0];
//! assert!(kleene_explain::testing::run(&rules, test)?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod render;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

pub use kleene_syntax::hir::test_block::{Expectation, TEST_START, TestBlock, TestStep};

use crate::why::{self, Waits};
use kleene::ruleset::RuleSet;
use kleene::stream::{self, Engine, Match, Sink, Timeout};
use kleene_event::event::{Event, Record};
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_event::util::order;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::diagnostic::Span;
use kleene_syntax::hir::Rule;

/// An expectation that does not hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The expectation.
    pub expected: Expectation,
    /// The time that the test had reached.
    pub now: Timestamp,
    /// The reports of the same kind so far, the nearest first. For a failed `expect no`, the report
    /// that fits although none should.
    pub reported: Vec<ActualOutput>,
    /// The partial matches that were open there.
    pub open: Vec<OpenRun>,
}

impl Failure {
    /// Returns the place of the expectation.
    pub fn span(&self) -> Span {
        self.expected.span
    }
}

/// A match or timeout that was reported.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActualOutput {
    /// When it was reported.
    pub at: Timestamp,
    /// The key.
    pub key: Vec<(Arc<str>, Value)>,
    /// The emitted record; null if the rule emits nothing.
    pub emit: Value,
    /// The fields in which it differs from what is expected, each with the value that it has.
    pub differs: Vec<Difference>,
    /// True if it was reported at another time than expected.
    pub at_another_time: bool,
    /// True if an earlier expectation speaks of it.
    pub is_taken: bool,
}

/// A field that is not as expected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Difference {
    /// Its name.
    pub field: Arc<str>,
    /// The value that was expected.
    pub expected: Value,
    /// The value that was found.
    pub found: Value,
}

/// A partial match that was open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenRun {
    /// The key.
    pub key: Vec<(Arc<str>, Value)>,
    /// The captured events, in the order in which they were taken.
    pub events: Vec<CapturedEvent>,
    /// The names of the steps that would have moved it on.
    pub awaits: Vec<Arc<str>>,
    /// When it runs out of time, or matches where a `not` is last.
    pub deadline: Option<Timestamp>,
    /// True if it was complete and waited for older ones.
    pub is_complete: bool,
    /// Everything that the partial match waited for.
    pub waits: Waits,
}

/// A captured event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CapturedEvent {
    /// The step that it was captured as.
    pub step: Arc<str>,
    /// Its time.
    pub at: Timestamp,
    /// Its fields, without those that are null and without the event time.
    pub fields: Vec<(Arc<str>, Value)>,
}

/// A test that cannot be run.
#[derive(Clone, Debug)]
pub struct TestError(TestErrorKind);

#[derive(Clone, Debug)]
enum TestErrorKind {
    NoRule(Arc<str>),
    Build(stream::BuildError),
    Stopped(stream::PushError),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            TestErrorKind::NoRule(name) => write!(f, "the rules have no rule `{name}`"),
            TestErrorKind::Build(error) => error.fmt(f),
            TestErrorKind::Stopped(error) => write!(f, "the test was stopped: {error}"),
        }
    }
}

impl Error for TestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            TestErrorKind::NoRule(_) | TestErrorKind::Stopped(_) => None,
            TestErrorKind::Build(error) => error.source(),
        }
    }
}

impl From<TestError> for kleene::Error {
    fn from(error: TestError) -> kleene::Error {
        kleene::Error::other(error)
    }
}

/// Runs a test of `rules` and gives the expectations that do not hold, in the order of the text:
/// the test passes if there are none.
///
/// # Errors
/// [`TestError`] if the rule cannot be run, is not one of `rules`, or stops because of its
/// `limit ... fail`.
pub fn run(rules: &RuleSet, test: &TestBlock) -> Result<Vec<Failure>, TestError> {
    run_as::<Record>(rules, test)
}

/// Runs a test as [`run`] does, with events of another type that hold records: that of the engines
/// of a program, so that the program has no second copy of all that is generic over events.
///
/// # Errors
/// As [`run`].
pub fn run_as<E: Event + From<Record> + Borrow<Record>>(
    rules: &RuleSet,
    test: &TestBlock,
) -> Result<Vec<Failure>, TestError> {
    let rule = rules
        .rule(&test.rule)
        .ok_or_else(|| TestError(TestErrorKind::NoRule(test.rule.clone())))?;
    let together = with_feeders(rules, rule);
    let builder = Engine::<E>::builder().rules_where(rules, |rule| together.contains(&rule.name));
    let mut engine = builder.build().map_err(|error| TestError(TestErrorKind::Build(error)))?;
    let mut log = Log { rule: &test.rule, reported: Vec::new() };
    let stopped = |error| TestError(TestErrorKind::Stopped(error));
    let mut claims = Claims::default();
    let mut failures = Vec::new();
    let mut now = TEST_START;
    for (index, step) in test.steps.iter().enumerate() {
        match step {
            TestStep::Event { ty, at, values, extra } => {
                now = *at;
                let event = Record::with_extra(*ty, *at, values.clone(), extra.clone());
                engine.push(&event.into(), log.sink()).map_err(stopped)?;
            }
            TestStep::Advance(to) => {
                now = *to;
                engine.advance(*to, log.sink()).map_err(stopped)?;
            }
            TestStep::Expect(expected) => {
                if together.len() > 1 && is_over(now, &test.steps[index..]) {
                    engine.advance(now, log.sink()).map_err(stopped)?;
                }
                let fitting: Vec<usize> = log.fitting(expected).collect();
                let holds = if expected.no { fitting.is_empty() } else { claims.claim(fitting) };
                if !holds {
                    failures.push(Failure {
                        reported: log.instead(expected, &claims),
                        open: open(&engine, rules.schema(), &test.rule, now),
                        expected: expected.clone(),
                        now,
                    });
                }
            }
        }
    }
    Ok(failures)
}

/// Returns the names of the rule, of those that feed it, and of those that feed these.
fn with_feeders<'r>(rules: &'r RuleSet, rule: &'r Rule) -> HashSet<&'r Arc<str>> {
    let feeds = |rule: &'r Rule| {
        let emits = rule.emit.iter().chain(&rule.on_timeout);
        emits.filter_map(|emit| emit.feeds)
    };
    let mut feeders: HashMap<TypeId, Vec<&'r Rule>> = HashMap::new();
    for rule in rules.rules() {
        for ty in feeds(rule) {
            feeders.entry(ty).or_default().push(rule);
        }
    }
    let mut names: HashSet<&Arc<str>> = [&rule.name].into_iter().collect();
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        for feeder in rule.types.iter().filter_map(|ty| feeders.get(ty)).flatten() {
            if names.insert(&feeder.name) {
                open.push(feeder);
            }
        }
    }
    names
}

/// True if no event of the time `now` is among the `steps` to come.
fn is_over(now: Timestamp, steps: &[TestStep]) -> bool {
    !steps.iter().any(|step| matches!(step, TestStep::Event { at, .. } if *at <= now))
}

/// The reports of a test's rule so far.
struct Log<'t> {
    rule: &'t str,
    reported: Vec<LoggedOutput>,
}

struct LoggedOutput {
    is_timeout: bool,
    at: Timestamp,
    key: Vec<(Arc<str>, Value)>,
    emit: Value,
    /// The number of matches of its set.
    count: u64,
}

impl<E: Event> Sink<E> for Log<'_> {
    fn matched(&mut self, found: Match<'_, E>) {
        self.add(&found, OutputKind::Match);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.add(timeout.as_match(), OutputKind::Timeout);
    }
}

/// The kind of an output.
#[derive(Clone, Copy, Eq, PartialEq)]
enum OutputKind {
    Match,
    Timeout,
}

impl Log<'_> {
    /// Itself as a sink whose type is not known: nothing here has to be fast, and each type of sink
    /// would be a copy of the engine.
    fn sink<E: Event>(&mut self) -> &mut dyn Sink<E> {
        self
    }

    fn add<E: Event>(&mut self, reported: &Match<'_, E>, kind: OutputKind) {
        if *reported.rule().name != *self.rule {
            return;
        }
        let key = reported.key_values().map(|(name, value)| (name.clone(), value.clone()));
        self.reported.push(LoggedOutput {
            is_timeout: kind == OutputKind::Timeout,
            at: reported.reported_at(),
            key: key.collect(),
            emit: reported.to_record(),
            count: reported.set().count(),
        });
    }

    fn of_kind(&self, expected: &Expectation) -> impl Iterator<Item = (usize, &LoggedOutput)> {
        let is_timeout = expected.timeout;
        self.reported
            .iter()
            .enumerate()
            .filter(move |(_, reported)| reported.is_timeout == is_timeout)
    }

    /// The indices of what fits an expectation, in the order in which it was reported.
    fn fitting(&self, expected: &Expectation) -> impl Iterator<Item = usize> {
        self.of_kind(expected)
            .filter(|(_, reported)| reported.fits(expected))
            .map(|(index, _)| index)
    }

    /// Returns the reports that a failed expectation shows.
    fn instead(&self, expected: &Expectation, claims: &Claims) -> Vec<ActualOutput> {
        let mut reported: Vec<ActualOutput> = self
            .of_kind(expected)
            .filter(|(_, reported)| !expected.no || reported.fits(expected))
            .map(|(index, reported)| ActualOutput {
                at: reported.at,
                key: reported.key.clone(),
                emit: reported.emit.clone(),
                differs: reported.differences(expected),
                at_another_time: reported.is_at_another_time(expected),
                is_taken: claims.has(index),
            })
            .collect();
        order::sort_by_key(&mut reported, |reported| {
            (reported.differs.len() + usize::from(reported.at_another_time), reported.is_taken)
        });
        reported
    }
}

impl LoggedOutput {
    fn fits(&self, expected: &Expectation) -> bool {
        !self.is_at_another_time(expected) && self.differences(expected).is_empty()
    }

    fn is_at_another_time(&self, expected: &Expectation) -> bool {
        expected.at.is_some_and(|at| at != self.at)
    }

    fn differences(&self, expected: &Expectation) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (field, value) in &expected.fields {
            let found = self.field(field);
            if !fits(value.as_ref(), found) {
                differences.push(Difference {
                    field: field.clone(),
                    expected: value.clone(),
                    found: found.to_value(),
                });
            }
        }
        if let Some(count) = expected.count.filter(|count| *count != self.count) {
            let value = |count| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
            differences.push(Difference {
                field: "matches.count".into(),
                expected: value(count),
                found: value(self.count),
            });
        }
        differences
    }

    /// Returns the value of a field: from the emitted record, otherwise from the key.
    fn field(&self, name: &str) -> ValueRef<'_> {
        let emitted = match self.emit.as_ref() {
            ValueRef::Record(fields) => fields,
            _ => &[],
        };
        let mut fields = emitted.iter().chain(&self.key);
        let field = fields.find(|(field, _)| **field == *name);
        field.map_or(ValueRef::Null, |(_, value)| value.as_ref())
    }
}

/// True if a value is the one that a test names.
fn fits(expected: ValueRef<'_>, found: ValueRef<'_>) -> bool {
    match (expected, found) {
        (ValueRef::Null, ValueRef::Null) => true,
        // The constants of rule text have no types of their own for these.
        (ValueRef::String(text), ValueRef::Ip(ip)) => text.parse() == Ok(ip),
        (ValueRef::String(text), ValueRef::Time(time)) => text.parse() == Ok(time),
        (ValueRef::Duration(millis), ValueRef::Time(time)) => {
            time == TEST_START.plus_millis(millis)
        }
        (expected, found) => match (expected.as_list(), found.as_list()) {
            (Some(expected), Some(found)) => {
                expected.len() == found.len()
                    && expected.iter().zip(found.iter()).all(|(a, b)| fits(a, b))
            }
            _ => expected.compare(found) == Some(Ordering::Equal),
        },
    }
}

/// The outputs that expectations speak of: each of another one.
#[derive(Default)]
struct Claims {
    /// For each expectation that holds, by the index of what was reported, what it could speak of.
    fitting: Vec<Vec<usize>>,
    /// For each expectation, what it speaks of.
    claimed: Vec<usize>,
    /// By the index of what was reported, which expectation speaks of it.
    owners: HashMap<usize, usize>,
}

impl Claims {
    /// True if `fitting` holds one for a further expectation, perhaps after others have changed to
    /// one that fits them as well: the search for an augmenting path of a bipartite matching.
    fn claim(&mut self, fitting: Vec<usize>) -> bool {
        let new = self.fitting.len();
        self.fitting.push(fitting);
        let mut waiting = VecDeque::from([new]);
        // Each report, with the expectation that would claim it.
        let mut takers: HashMap<usize, usize> = HashMap::new();
        while let Some(expectation) = waiting.pop_front() {
            for &reported in &self.fitting[expectation] {
                if takers.contains_key(&reported) {
                    continue;
                }
                takers.insert(reported, expectation);
                if let Some(owner) = self.owners.get(&reported) {
                    waiting.push_back(*owner);
                    continue;
                }
                self.hand_over(reported, &takers, new);
                return true;
            }
        }
        self.fitting.pop();
        false
    }

    /// Gives `free` to its taker, what that had before to the taker of that, and so on up to `new`.
    fn hand_over(&mut self, free: usize, takers: &HashMap<usize, usize>, new: usize) {
        let mut reported = free;
        while let Some(&taker) = takers.get(&reported) {
            self.owners.insert(reported, taker);
            if taker == new {
                self.claimed.push(reported);
                return;
            }
            reported = std::mem::replace(&mut self.claimed[taker], reported);
        }
    }

    fn has(&self, reported: usize) -> bool {
        self.owners.contains_key(&reported)
    }
}

/// The partial matches of the rule that are open at `now`.
fn open<E: Event + Borrow<Record>>(
    engine: &Engine<E>,
    schema: &Schema,
    rule: &str,
    now: Timestamp,
) -> Vec<OpenRun> {
    let captured = |step: &Arc<str>, event: &Record| {
        let ty = schema.ty(event.type_id());
        let declared = ty.fields.iter().zip(event.values()).enumerate();
        let declared = declared
            .filter(|(index, _)| ty.time.is_none_or(|time| time.index() != *index))
            .map(|(_, (field, value))| (field.name.clone(), value.clone()));
        let fields = declared.chain(event.extra().iter().cloned());
        let fields = fields.filter(|(_, value)| !value.is_null()).collect();
        CapturedEvent { step: step.clone(), at: event.time(), fields }
    };
    let partials = engine.collect_partials(rule).into_iter();
    partials
        .filter(|partial| partial.deadline().is_none_or(|deadline| deadline > now))
        .map(|partial| OpenRun {
            key: partial.key_values().map(|(name, value)| (name.clone(), value.clone())).collect(),
            events: partial
                .captures()
                .map(|(step, event)| captured(step, event.borrow()))
                .collect(),
            awaits: partial.awaits().cloned().collect(),
            deadline: partial.deadline(),
            is_complete: partial.is_complete(),
            waits: why::waits_of(&partial),
        })
        .collect()
}

#[cfg(test)]
mod tests;
