//! Engines behind one trait.

use kleene::diagnostic::Severity;
use kleene::exec::{KeyState, Matcher, Outcome, OutcomeKind, Store};
use kleene::{Event as _, Record, RuleSet, Timestamp};
use kleene_automata::exec::reference::{Reference, ReferenceOutput, ReferenceSet};
use kleene_automata::nfa::Strategy;
use kleene_syntax::hir::Pattern;

use crate::text;

/// Something that finds patterns in one key's events.
pub trait Engine {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// A fresh matcher.
    ///
    /// # Errors
    /// Why the engine refuses the pattern.
    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String>;
}

/// A matcher at work.
pub trait Session {
    /// Moves time.
    fn advance(&mut self, to: Timestamp) -> Vec<ReferenceOutput>;
    /// Takes the next event, which has these variants of step keys in the stream of the key.
    fn push_keyed(&mut self, event: &Record, step_keys: u64) -> Vec<ReferenceOutput>;
    /// Takes the next event.
    fn push(&mut self, event: &Record) -> Vec<ReferenceOutput> {
        self.push_keyed(event, u64::MAX)
    }
    /// Ends the stream.
    fn finish(&mut self) -> Vec<ReferenceOutput>;
}

/// [`Reference`].
#[derive(Clone, Copy, Debug)]
pub struct ReferenceEngine;

impl Engine for ReferenceEngine {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        let reference = Reference::new(pattern, Vec::new()).map_err(|error| error.to_string())?;
        Ok(Box::new(reference))
    }
}

impl Session for Reference<Record> {
    fn advance(&mut self, to: Timestamp) -> Vec<ReferenceOutput> {
        self.advance(to)
    }

    fn push_keyed(&mut self, event: &Record, step_keys: u64) -> Vec<ReferenceOutput> {
        self.push_keyed(event.clone(), step_keys)
    }

    fn finish(&mut self) -> Vec<ReferenceOutput> {
        self.finish()
    }
}

/// [`Matcher`].
#[derive(Clone, Copy, Debug)]
pub struct MatcherEngine;

impl Engine for MatcherEngine {
    fn name(&self) -> &'static str {
        "matcher"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        MatcherSession::start(pattern, |matcher| matcher)
    }
}

/// [`Matcher`] with the general strategy, whatever the pattern.
#[derive(Clone, Copy, Debug)]
pub struct GeneralEngine;

impl Engine for GeneralEngine {
    fn name(&self) -> &'static str {
        "matcher, general strategy"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        MatcherSession::start(pattern, Matcher::generalized)
    }
}

/// [`Matcher`] with the compact form for every pattern that can be held in it.
#[derive(Clone, Copy, Debug)]
pub struct CompactEngine;

impl Engine for CompactEngine {
    fn name(&self) -> &'static str {
        "matcher, compact form"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        MatcherSession::start(pattern, Matcher::compacted)
    }
}

#[derive(Debug)]
struct MatcherSession {
    matcher: Matcher<Record>,
    store: Store<Record>,
    key: KeyState,
    seq: u64,
}

impl MatcherSession {
    fn start(
        pattern: &Pattern,
        configure: impl FnOnce(Matcher<Record>) -> Matcher<Record>,
    ) -> Result<Box<dyn Session>, String> {
        let matcher = Matcher::new(pattern, Vec::new()).map_err(|error| error.to_string())?;
        let matcher = configure(matcher);
        let store = matcher.create_store();
        Ok(Box::new(MatcherSession { matcher, store, key: KeyState::default(), seq: 0 }))
    }
}

impl Session for MatcherSession {
    fn advance(&mut self, to: Timestamp) -> Vec<ReferenceOutput> {
        let mut reported = Vec::new();
        let Self { matcher, store, key, .. } = self;
        matcher.advance(store, key, to, &mut |outcome| reported.push(report(&outcome)));
        reported
    }

    fn push_keyed(&mut self, event: &Record, step_keys: u64) -> Vec<ReferenceOutput> {
        let mut reported = Vec::new();
        let Self { matcher, store, key, seq } = self;
        store.set_step_keys(step_keys);
        matcher.push(store, key, event, *seq, &mut |outcome| reported.push(report(&outcome)));
        *seq += 1;
        reported
    }

    fn finish(&mut self) -> Vec<ReferenceOutput> {
        let mut reported = Vec::new();
        let Self { matcher, store, key, .. } = self;
        matcher.end_time(store, key, &mut |outcome| reported.push(report(&outcome)));
        reported
    }
}

fn report(outcome: &Outcome<'_, Record>) -> ReferenceOutput {
    let number = |seq: u64| usize::try_from(seq).unwrap_or(usize::MAX);
    ReferenceOutput {
        is_match: outcome.kind() == OutcomeKind::Match,
        captures: outcome.captures().numbered().map(|(step, seq, _)| (step, number(seq))).collect(),
        at: outcome.at(),
        set: ReferenceSet { count: outcome.set().count(), totals: outcome.set().totals() },
    }
}

/// True if an edit between two of these rules keeps or drops each partial match that statistics
/// count. In the compact form, groups that an edit makes equal become one, and groups that become
/// runs count once for each run.
pub fn counts_partials_exactly(rules: &RuleSet) -> bool {
    let mut matchers = rules.rules().iter().map(|rule| Matcher::<Record>::new(&rule.pattern, []));
    matchers.all(|one| one.is_ok_and(|matcher| matcher.strategy() != Strategy::Compact))
}

/// Returns the outputs of a session by step: the events of one time are a step, and the end of time
/// is the last one.
pub fn run(session: &mut dyn Session, events: &[Record]) -> Vec<Vec<ReferenceOutput>> {
    let mut steps = Vec::new();
    for same_time in events.chunk_by(|a, b| a.time() == b.time()) {
        let mut reported = session.advance(same_time[0].time());
        for event in same_time {
            reported.extend(session.push(event));
        }
        steps.push(reported);
    }
    steps.push(session.advance(Timestamp::MAX));
    steps
}

/// [`Matcher`], with the pattern printed as a rule, parsed and checked on the way.
#[derive(Clone, Copy, Debug)]
pub struct TextEngine;

impl TextEngine {
    /// The pattern that the parser and the checker make of the rule that says `pattern`. Its steps
    /// have the same ids.
    ///
    /// # Errors
    /// If the language has no words for it, or the checker refuses it.
    pub fn read_back(pattern: &Pattern) -> Result<Pattern, String> {
        let text = text::rule(pattern).map_err(|problems| problems.join(", "))?;
        let rules = RuleSet::parse(&text).map_err(|error| {
            let reports = error.diagnostics().iter().map(|report| &report.diagnostic);
            let errors = reports.filter(|diagnostic| diagnostic.severity == Severity::Error);
            let messages: Vec<_> = errors.map(|error| error.message.clone()).collect();
            format!("{}\n{text}", messages.join(", "))
        })?;
        let rule = rules.rules().first().ok_or("there is no rule")?;
        Ok(rule.pattern.clone())
    }
}

impl Engine for TextEngine {
    fn name(&self) -> &'static str {
        "text"
    }

    fn start(&self, pattern: &Pattern) -> Result<Box<dyn Session>, String> {
        MatcherEngine.start(&TextEngine::read_back(pattern)?)
    }
}
