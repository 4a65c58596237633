//! Matches and timeouts, as a sink receives them.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "serde")]
use serde::de::DeserializeOwned;

use crate::stream::output::id::{self, FieldOrder, MatchId};
use crate::stream::output::overflow::LimitedKey;
use crate::stream::output::owned::{OwnedMatch, OwnedTimeout, of_step};
use kleene_automata::exec::{Outcome, OutcomeKind, OutcomeListing, OutcomeSet};
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;
use kleene_event::util::fnv::Fnv;
#[cfg(feature = "serde")]
use kleene_event::value::DecodeError;
use kleene_event::value::{Value, ValueCow, named};
use kleene_syntax::hir::{Emit, Expr, Rule, StepId};

/// A rule as the engine runs it.
#[derive(Clone, Debug)]
pub struct RuleInfo {
    /// The rule, with the numbers of the events' schema.
    pub rule: Arc<Rule>,
    /// The schema that numbers the events' types and fields.
    pub schema: Arc<Schema>,
    /// The order in which the rule's file declares fields; `None` if it is the order of the schema.
    pub(crate) order: Option<Arc<FieldOrder>>,
}

impl RuleInfo {
    /// True if this is the same rule with the same numbers of types and fields, and not only an equal
    /// one.
    pub(super) fn is_same(&self, other: &RuleInfo) -> bool {
        Arc::ptr_eq(&self.rule, &other.rule) && Arc::ptr_eq(&self.schema, &other.schema)
    }

    /// Returns the address of the rule, which no other rule has as long as this one lives.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.rule).addr()
    }

    /// Returns the names and values of a key.
    pub(super) fn key_values<'a>(
        &'a self,
        key: &'a [Value],
    ) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a Value)> + use<'a> {
        self.rule.key.iter().map(|part| &part.name).zip(key)
    }

    /// Returns the part of a key with this name.
    pub(super) fn key_part<'a>(&'a self, key: &'a [Value], name: &str) -> Option<&'a Value> {
        self.key_values(key).find(|(of, _)| ***of == *name).map(|(_, value)| value)
    }
}

/// A match, as a sink receives it.
///
/// ```
/// use kleene::{Engine, Record, RuleSet, Timestamp, on_match};
///
/// let rules = RuleSet::parse(
///     "event paid { user: string, at: time }
///      rule twice {
///        key user  match paid as one -> paid as two  emit { user, took: two.at - one.at }
///      }",
/// )?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut found = Vec::new();
/// let mut sink = on_match(|twice| {
///     let steps: Vec<&str> = twice.captures().map(|(step, _)| &**step).collect();
///     found.push((twice.rule().name.to_string(), steps.join(" "), twice.to_record().to_string()));
/// });
/// for second in [1, 3] {
///     let fields = [("user", "ann".into()), ("at", Timestamp::from_millis(1000 * second).into())];
///     engine.push(&Record::from_fields(rules.schema(), "paid", fields)?, &mut sink)?;
/// }
/// let (rule, steps, record) = &found[0];
/// assert_eq!((rule.as_str(), steps.as_str()), ("twice", "one two"));
/// assert_eq!(record, r#"{ user: "ann", took: 2s }"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Match<'a, E> {
    info: &'a RuleInfo,
    key: &'a [Value],
    outcome: Outcome<'a, E>,
}

impl<E> Clone for Match<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Match<'_, E> {}

impl<E: Event> fmt::Debug for Match<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("rule", &self.info.rule.name)
            .field("id", &self.id())
            .field("key", &self.key)
            .field("first_event_at", &self.first_event_at())
            .field("reported_at", &self.reported_at())
            .finish_non_exhaustive()
    }
}

impl<'a, E: Event> Match<'a, E> {
    /// Makes a match of an outcome of the rule's matcher, for programs that run it themselves.
    pub fn new(info: &'a RuleInfo, key: &'a [Value], outcome: Outcome<'a, E>) -> Self {
        Match { info, key, outcome }
    }

    /// Returns the rule with its name, version and documentation.
    pub fn rule(&self) -> &'a Rule {
        &self.info.rule
    }

    /// Returns the stable id. A replay gives the same id.
    pub fn id(&self) -> MatchId {
        let mut hash = Fnv::new();
        hash.write(&self.info.rule.version.to_le_bytes());
        hash.write(&[u8::from(self.outcome.kind() == OutcomeKind::Timeout)]);
        if self.outcome.repetition() > 0 {
            hash.write(&self.outcome.repetition().to_le_bytes());
        }
        for value in self.key {
            id::write_value(&mut hash, value.as_ref());
        }
        for (step, event) in self.outcome.captures().iter() {
            hash.write(&(step.index() as u64).to_le_bytes());
            id::write_event(&mut hash, event, &self.info.schema, self.info.order.as_deref());
        }
        MatchId(hash.finish())
    }

    /// Returns the names and values of the key, in the order of the rule's `key`.
    pub fn key_values(
        &self,
    ) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a Value)> + use<'a, E> {
        self.info.key_values(self.key)
    }

    /// Returns the part of the key with this name; `None` if the key has no such part.
    pub fn key(&self, name: &str) -> Option<&'a Value> {
        self.info.key_part(self.key, name)
    }

    /// Returns the time of the first captured event; `match.start` in rules.
    pub fn first_event_at(&self) -> Timestamp {
        self.outcome.start()
    }

    /// Returns the time of the last captured event.
    pub fn last_event_at(&self) -> Timestamp {
        self.outcome.last()
    }

    /// Returns the event time of the report: the time of the completing event, or the deadline that
    /// passed; `match.end` in rules.
    pub fn reported_at(&self) -> Timestamp {
        self.outcome.at()
    }

    /// Returns the captured events in the order of capture, each with the name of its step.
    pub fn captures(&self) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a E)> + use<'a, E> {
        let steps = &self.info.rule.pattern.steps;
        let events = self.outcome.captures().iter();
        events.map(move |(step, event)| (&steps[step.index()].name, event))
    }

    /// Returns the event that the step with this name captured; the last one of a loop. `None` if the
    /// step captured none, or the pattern has no such step.
    pub fn event(&self, step: &str) -> Option<&'a E> {
        self.events(step).last()
    }

    /// Returns the events that the step with this name captured, in their order; none if the pattern
    /// has no such step.
    pub fn events<'s>(&self, step: &'s str) -> impl Iterator<Item = &'a E> + use<'a, 's, E> {
        of_step(self.captures(), step)
    }

    /// Returns the names and values of the fields that the rule emits; none if the rule has no
    /// `emit`. The iterator computes each value when it is asked for it.
    pub fn emit(&self) -> impl ExactSizeIterator<Item = (&'a Arc<str>, ValueCow<'a>)> + use<'a, E> {
        let found = *self;
        let fields = self.emitted().map_or(&[][..], |emit| &emit.fields);
        fields.iter().map(move |(name, expr)| (name, found.value(expr)))
    }

    /// Returns the value that the rule emits under this name; `None` if the rule has no such field.
    /// What the rule takes from an event, from its key or from its own text is borrowed; other values
    /// are computed by this call.
    pub fn get(&self, name: &str) -> Option<ValueCow<'a>> {
        named(&self.emitted()?.fields, name).map(|expr| self.value(expr))
    }

    /// Makes a Rust value of what the rule emits, as [`Value::decode`] does. Available with the
    /// feature `serde`.
    ///
    /// # Errors
    /// A field is missing or of another type; the message names the field.
    #[cfg(feature = "serde")]
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.to_record().decode()
    }

    /// Makes the record that the rule emits; null if the rule has no `emit`.
    pub fn to_record(&self) -> Value {
        if self.emitted().is_none() {
            return Value::Null;
        }
        Value::Record(self.emit().map(|(name, value)| (name.clone(), value.into_owned())).collect())
    }

    /// Returns the set of matches that it belongs to: those of its key that the same event, or the
    /// same deadline, completes. The rule's `report` says which of them are reported.
    pub fn set(&self) -> MatchSet<'a, E> {
        MatchSet { found: *self, set: self.outcome.set() }
    }

    /// Returns an owned copy.
    pub fn to_owned(&self) -> OwnedMatch<E> {
        let names = self.key_values().map(|(name, value)| (name.clone(), value.clone()));
        OwnedMatch {
            rule: self.info.rule.name.clone(),
            version: self.info.rule.version,
            id: self.id(),
            key: names.collect(),
            first_event_at: self.first_event_at(),
            last_event_at: self.last_event_at(),
            reported_at: self.reported_at(),
            captures: self.captures().map(|(name, event)| (name.clone(), event.clone())).collect(),
            emit: self.to_record(),
            count: self.set().count(),
            is_saturated: self.set().is_saturated(),
        }
    }

    pub(super) fn info(&self) -> &'a RuleInfo {
        self.info
    }

    pub(super) fn outcome(&self) -> &Outcome<'a, E> {
        &self.outcome
    }

    /// Returns the sequence number of the first event.
    pub(in crate::stream) fn start_seq(&self) -> u64 {
        self.outcome.start_seq()
    }

    /// Returns the clause that says what is emitted.
    fn emitted(&self) -> Option<&'a Emit> {
        let rule: &'a Rule = &self.info.rule;
        match self.outcome.kind() {
            OutcomeKind::Match => rule.emit.as_ref(),
            OutcomeKind::Timeout => rule.on_timeout.as_ref(),
        }
    }

    /// Evaluates an expression of the rule, with the names that an `emit` can use.
    pub fn value<'e>(&self, expr: &'e Expr) -> ValueCow<'e>
    where
        'a: 'e,
    {
        self.outcome.evaluate(expr, self.key, &|| self.id().to_string())
    }

    /// Returns the rule and the key, for a limit that the match has reached.
    pub(in crate::stream) fn limited_key(&self) -> LimitedKey {
        LimitedKey::new(self.rule(), self.key)
    }

    /// Returns the values of the key in the order of its parts.
    pub(crate) fn key_slice(&self) -> &'a [Value] {
        self.key
    }

    fn step_name(&self, step: StepId) -> &'a Arc<str> {
        &self.info.rule.pattern.steps[step.index()].name
    }
}

/// The matches of one key that one event, or one deadline, completes.
///
/// The set of a timeout has none.
///
/// ```
/// use kleene::{Engine, Record, RuleSet, Timestamp, on_match};
///
/// let rules = RuleSet::parse(
///     "event hop { user: string, at: time }
///      rule paths { key user  match hop{2..3 each any}  within 1h  skip none  report count }",
/// )?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut found = Vec::new();
/// let mut sink = on_match(|reported| {
///     let mut lengths = Vec::new();
///     let mut listing = reported.set().listing();
///     while let Some(one) = listing.next_match() {
///         lengths.push(one.captures().len());
///     }
///     found.push((reported.set().count(), lengths));
/// });
/// for second in [1, 2, 3] {
///     let fields = [("user", "ann".into()), ("at", Timestamp::from_millis(1000 * second).into())];
///     engine.push(&Record::from_fields(rules.schema(), "hop", fields)?, &mut sink)?;
/// }
/// assert_eq!(found, [(1, vec![2]), (3, vec![3, 2, 2])]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MatchSet<'a, E> {
    found: Match<'a, E>,
    set: OutcomeSet<'a, E>,
}

impl<E> Clone for MatchSet<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for MatchSet<'_, E> {}

impl<E> fmt::Debug for MatchSet<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchSet")
            .field("count", &self.count())
            .field("is_saturated", &self.is_saturated())
            .finish_non_exhaustive()
    }
}

impl<'a, E> MatchSet<'a, E> {
    /// Returns the number of matches, or `u64::MAX` if there are more.
    pub fn count(&self) -> u64 {
        self.set.count()
    }

    /// True if there are more than `u64::MAX` matches. `matches.sum` and `matches.avg` are null
    /// then.
    pub fn is_saturated(&self) -> bool {
        self.set.is_saturated()
    }

    /// Returns the matches in their order, one at a time.
    pub fn listing(&self) -> Listing<'a, E> {
        Listing { found: self.found, matches: self.set.listing() }
    }
}

/// The matches of a [`MatchSet`] in their order: those with the earliest first event first, of
/// these those with the most events, then by the events from the last one backwards.
pub struct Listing<'a, E> {
    found: Match<'a, E>,
    matches: OutcomeListing<'a, E>,
}

impl<E> fmt::Debug for Listing<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("matches", &self.matches).finish_non_exhaustive()
    }
}

impl<E> Listing<'_, E> {
    /// Returns the next match; `None` after the last one. A match is written when it is asked for.
    pub fn next_match(&mut self) -> Option<Match<'_, E>> {
        let Match { info, key, .. } = self.found;
        let outcome = self.matches.next_match()?;
        Some(Match { info, key, outcome })
    }
}

/// A partial match that ran out of time, as a sink receives it.
///
/// ```
/// use kleene::{Engine, Event, Match, Record, RuleSet, Sink, Timeout, Timestamp};
///
/// #[derive(Default)]
/// struct Unsent(Vec<String>);
///
/// impl<E: Event> Sink<E> for Unsent {
///     fn matched(&mut self, _: Match<'_, E>) {}
///
///     fn timed_out(&mut self, timeout: Timeout<'_, E>) {
///         let awaits: Vec<&str> = timeout.awaits().map(|step| &**step).collect();
///         self.0.push(format!("{} waited for {}", timeout.rule().name, awaits.join(", ")));
///     }
/// }
///
/// let rules = RuleSet::parse(
///     "event paid { at: time }
///      event sent { at: time }
///      rule done  { match paid -> sent  within 2d  on timeout emit { since: paid.at } }",
/// )?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut unsent = Unsent::default();
/// let fields = [("at", Timestamp::from_millis(0).into())];
/// engine.push(&Record::from_fields(rules.schema(), "paid", fields)?, &mut unsent)?;
/// engine.advance(Timestamp::from_millis(3 * 24 * 3_600_000), &mut unsent)?;
/// assert_eq!(unsent.0, ["done waited for sent"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Timeout<'a, E>(Match<'a, E>);

impl<E> Clone for Timeout<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Timeout<'_, E> {}

impl<E: Event> fmt::Debug for Timeout<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.0).finish()
    }
}

impl<'a, E: Event> Timeout<'a, E> {
    pub(crate) fn new(reported: Match<'a, E>) -> Self {
        Timeout(reported)
    }

    /// Returns what a timeout shares with a match, for code that reports both.
    /// [`emit`](Match::emit) gives the fields of `on timeout emit`.
    pub fn as_match(&self) -> &Match<'a, E> {
        &self.0
    }

    /// Returns the rule with its name, version and documentation.
    pub fn rule(&self) -> &'a Rule {
        self.0.rule()
    }

    /// Returns the stable id. A replay gives the same id.
    pub fn id(&self) -> MatchId {
        self.0.id()
    }

    /// Returns the names and values of the key, in the order of the rule's `key`.
    pub fn key_values(
        &self,
    ) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a Value)> + use<'a, E> {
        self.0.key_values()
    }

    /// Returns the part of the key with this name; `None` if the key has no such part.
    pub fn key(&self, name: &str) -> Option<&'a Value> {
        self.0.key(name)
    }

    /// Returns the time of the first captured event; `match.start` in rules.
    pub fn first_event_at(&self) -> Timestamp {
        self.0.first_event_at()
    }

    /// Returns the time of the last captured event.
    pub fn last_event_at(&self) -> Timestamp {
        self.0.last_event_at()
    }

    /// Returns the deadline that passed, in event time.
    pub fn reported_at(&self) -> Timestamp {
        self.0.reported_at()
    }

    /// Returns the captured events in the order of capture, each with the name of its step.
    pub fn captures(&self) -> impl ExactSizeIterator<Item = (&'a Arc<str>, &'a E)> + use<'a, E> {
        self.0.captures()
    }

    /// Returns the event that the step with this name captured; the last one of a loop. `None` if the
    /// step captured none, or the pattern has no such step.
    pub fn event(&self, step: &str) -> Option<&'a E> {
        self.0.event(step)
    }

    /// Returns the events that the step with this name captured, in their order; none if the pattern
    /// has no such step.
    pub fn events<'s>(&self, step: &'s str) -> impl Iterator<Item = &'a E> + use<'a, 's, E> {
        self.0.events(step)
    }

    /// Returns the names and values of the fields of `on timeout emit`; none if the rule does not
    /// have the clause. The iterator computes each value when it is asked for it.
    pub fn emit(&self) -> impl ExactSizeIterator<Item = (&'a Arc<str>, ValueCow<'a>)> + use<'a, E> {
        self.0.emit()
    }

    /// Returns the value of this field of `on timeout emit`; `None` if the rule has no such field.
    pub fn get(&self, name: &str) -> Option<ValueCow<'a>> {
        self.0.get(name)
    }

    /// Makes a Rust value of the record of `on timeout emit`, as [`Value::decode`] does. Available
    /// with the feature `serde`.
    ///
    /// # Errors
    /// A field is missing or of another type; the message names the field.
    #[cfg(feature = "serde")]
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.0.decode()
    }

    /// Makes the record of `on timeout emit`; null if the rule has none.
    pub fn to_record(&self) -> Value {
        self.0.to_record()
    }

    /// Returns the name of the step that was captured last.
    pub fn reached(&self) -> Option<&'a Arc<str>> {
        self.0.outcome.reached().map(|step| self.0.step_name(step))
    }

    /// Returns the names of the steps that would have advanced the partial match, in the order of
    /// the pattern.
    pub fn awaits(&self) -> impl Iterator<Item = &'a Arc<str>> + use<'a, E> {
        let found = self.0;
        found.outcome.awaits().map(move |step| found.step_name(step))
    }

    /// Returns an owned copy.
    pub fn to_owned(&self) -> OwnedTimeout<E> {
        OwnedTimeout {
            found: self.0.to_owned(),
            reached: self.reached().cloned(),
            awaits: self.awaits().cloned().collect(),
        }
    }
}
