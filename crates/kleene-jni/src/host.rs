//! One engine in a host that distributes events by key, such as an operator of Apache Flink.

use std::fmt;
use std::sync::Arc;

use kleene::event::EventBatch;
use kleene::ruleset::Rule;
use kleene::schema::Schema;
use kleene::stream::{EngineBuilder, Replacement, RuleChange, Verdict};
use kleene::{Engine, Record, RuleSet, Timestamp, Value};
use kleene_event::util::wire::{put_bytes, put_len, put_u64};

use crate::key_group::{KeyHasher, key_group};
use crate::parts::{self, KeyGroups};
use crate::plan::Plan;
use crate::results::{ResultParts, ResultWriter};

/// An engine with the rules of one group, and what was reported since the host last asked.
#[derive(Debug)]
pub struct Host {
    engine: Engine<Record>,
    plan: Plan,
    settings: Settings,
    results: ResultWriter,
}

/// What stays the same when rules are replaced.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The signature of the group whose rules the engine runs ([`crate::plan::Group`]).
    pub signature: String,
    /// The name of the time in lines of JSON, for event types that declare none.
    pub time_field: String,
    /// The parts of results.
    pub parts: ResultParts,
}

/// Why a host cannot do what it was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostError(String);

impl HostError {
    pub(crate) fn new(reason: impl fmt::Display) -> HostError {
        HostError(reason.to_string())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

impl Host {
    /// Makes the engine of a group of rules.
    ///
    /// # Errors
    /// [`HostError`] if the engine cannot run the rules.
    pub fn new(rules: &RuleSet, settings: Settings) -> Result<Host, HostError> {
        let engine = builder(rules, &settings.signature).build().map_err(HostError::new)?;
        Ok(Host::with(engine, rules, settings))
    }

    fn with(engine: Engine<Record>, rules: &RuleSet, settings: Settings) -> Host {
        let results = ResultWriter::new(engine.schema(), &settings.time_field, settings.parts);
        Host { engine, plan: Plan::new(rules), settings, results }
    }

    /// Makes the engine of a group of rules, with the state of key groups that
    /// [`snapshot`](Host::snapshot) has written. Returns the verdict on each rule, too.
    ///
    /// # Errors
    /// [`HostError`] if the state is damaged or not of such rules.
    pub fn restore(
        rules: &RuleSet,
        settings: Settings,
        state: &KeyGroups,
    ) -> Result<(Host, Replacement), HostError> {
        let builder = || builder(rules, &settings.signature);
        let (engine, replacement) = parts::restore(builder, state)?;
        Ok((Host::with(engine, rules, settings), replacement))
    }

    /// The event types and groups of the rules.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The types and fields that the engine numbers.
    pub fn schema(&self) -> &Arc<Schema> {
        self.engine.schema()
    }

    /// The engine.
    pub fn engine(&self) -> &Engine<Record> {
        &self.engine
    }

    /// Pushes events. The events of one key come in the order in which they arrived.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn push(&mut self, batch: &EventBatch) -> Result<(), HostError> {
        self.engine.push_columns(batch, &mut self.results).map_err(HostError::new)
    }

    /// Advances the watermark: no event at or before `to` will come any more.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn advance(&mut self, to: Timestamp) -> Result<(), HostError> {
        self.engine.advance(to, &mut self.results).map_err(HostError::new)
    }

    /// Ends time: all deadlines pass.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn end_time(&mut self) -> Result<(), HostError> {
        self.engine.end_time(&mut self.results).map_err(HostError::new)
    }

    /// Returns the results since [`clear_results`](Host::clear_results).
    pub fn results(&self) -> &[u8] {
        self.results.bytes()
    }

    /// Drops the results.
    pub fn clear_results(&mut self) {
        self.results.clear();
    }

    /// Returns the state of the key groups from `first` to `last` of `groups`. The engine has keys of
    /// these alone.
    pub fn snapshot(&self, groups: u32, first: u32, last: u32) -> KeyGroups {
        let mut hasher = KeyHasher::default();
        let is_whole = self.settings.signature.is_empty();
        let count = last.saturating_sub(first) as usize + 1;
        let parts = self.engine.snapshot_shards(count, |_: &Rule, key: &[Value]| {
            let hash = hasher.hash(if is_whole { &[] } else { key });
            key_group(hash, groups).saturating_sub(first) as usize
        });
        KeyGroups::of_parts(parts)
    }

    /// Replaces the rules, and returns the verdict on each.
    ///
    /// # Errors
    /// [`HostError`] if the new rules cannot be run. The old rules stay.
    pub fn replace(&mut self, rules: &RuleSet) -> Result<Replacement, HostError> {
        let state = self.engine.snapshot();
        let builder = builder(rules, &self.settings.signature);
        let (engine, replacement) = builder.restore(&[&state]).map_err(HostError::new)?;
        let results =
            ResultWriter::new(engine.schema(), &self.settings.time_field, self.settings.parts);
        (self.engine, self.results, self.plan) = (engine, results, Plan::new(rules));
        Ok(replacement)
    }
}

/// A builder of engines with the rules of a group.
fn builder(rules: &RuleSet, signature: &str) -> EngineBuilder<Record> {
    let plan = Plan::new(rules);
    let names = plan.group(signature).map(|group| group.rules.clone()).unwrap_or_default();
    Engine::builder().rules_where(rules, |rule| names.contains(&rule.name)).watermarks_from_source()
}

/// Appends verdicts as bytes, which `RuleVerdict.java` reads: count `n`, and for each the rule, the
/// verdict in a word, the verdict in a sentence, all `text`; the number of partial matches that were
/// kept and dropped, `n`.
pub fn write_verdicts(out: &mut Vec<u8>, replacement: &Replacement) {
    put_len(out, replacement.rules.len());
    for change in &replacement.rules {
        put_bytes(out, change.rule.as_bytes());
        put_bytes(out, word(change).as_bytes());
        put_bytes(out, change.to_string().as_bytes());
        put_u64(out, change.kept);
        put_u64(out, change.dropped);
    }
}

fn word(change: &RuleChange) -> &'static str {
    match change.verdict {
        Verdict::Unchanged => "unchanged",
        Verdict::Added => "added",
        Verdict::Removed => "removed",
        Verdict::Reset(_) => "reset",
        _ => "continued",
    }
}
