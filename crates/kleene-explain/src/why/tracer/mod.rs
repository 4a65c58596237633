//! Follows one key of one rule through a stream: `event` has the effects of events, `deadline` those
//! of time. `time` says how far time has come, and `journal` keeps the story.

mod deadline;
mod ended;
mod error;
mod event;
mod journal;
mod time;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use self::ended::{Ended, TimeMove};
pub use self::error::TraceError;
pub use self::journal::Counts;
use self::journal::{Journal, Keep};
use self::time::{Arrived, TraceTime};
use super::judge::{Judge, Narrator, Roles};
use super::keys::{self, KeyError, Wanted, Whose};
use super::shadow::{MatchFate, Shadow, hides};
use super::story::{Cause, Effect, Entry, Fate, Reported, ShownEvent, Waits};
use crate::explain::Words;
use kleene::pattern::Pattern;
use kleene::ruleset::RuleSet;
use kleene::stream::{self, Match, RuleInfo};
use kleene_automata::exec::{KeyState, Matcher, Outcome, OutcomeKind, Store, Waiting};
use kleene_event::event::Event;
use kleene_event::schema::FieldId;
use kleene_event::time::{Timestamp, duration_to_millis};
use kleene_event::value::Value;
use kleene_syntax::hir::{Report, Rule, StepId};

/// The largest number of partial matches that are followed at once.
const MAX_PARTIALS: usize = 2_000;
/// The largest number of captured events, of all partial matches at all events, that are compared.
/// A second or two, whatever the rule.
const MAX_COMPARED: usize = 20_000_000;
/// The largest number of an event's fields that are shown.
const SHOWN_FIELDS: usize = 8;

/// Follows one key of one rule. See the [module](crate::why).
pub struct Tracer<E: Event> {
    pub(super) info: RuleInfo,
    pub(super) matcher: Matcher<E>,
    roles: Roles,
    store: Store<E>,
    state: KeyState,
    pub(super) wanted: Wanted,
    key: Vec<Value>,
    pub(super) time: TraceTime<E>,
    /// The rules that matter beside this one.
    shadow: Option<Shadow<E>>,
    rules: Option<RuleSet>,
    seq: u64,
    /// The partial matches that are open, with their numbers.
    open: Vec<(u64, Waiting)>,
    ended: VecDeque<Ended>,
    /// The time since which the key is over (`once`).
    over: Option<Over>,
    pub(super) journal: Journal,
    finished: bool,
    /// The number of captured events that were compared so far.
    compared: usize,
    /// The number of partial matches that were too many to follow, once the story has ended there.
    pub(super) not_followed: Option<usize>,
    /// The partial matches that were open when the stream ended.
    pub(super) open_at_end: Option<Vec<OpenPartial>>,
}

/// When `once` ended the key.
#[derive(Clone, Copy, Debug)]
struct Over {
    since: Timestamp,
    by_other_key: bool,
}

/// A partial match that is open.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenPartial {
    /// Its number.
    pub partial: u64,
    /// The names of the steps that it has taken.
    pub taken: Vec<Arc<str>>,
    /// Everything that it waits for.
    pub waits: Waits,
}

impl<E: Event> fmt::Debug for Tracer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("rule", &self.info.rule.name)
            .field("key", &self.wanted.text())
            .field("watermark", &self.time.watermark)
            .field("counts", &self.journal.counts)
            .finish_non_exhaustive()
    }
}

impl<E: Event> Tracer<E> {
    /// Follows a key of the rule of this name: a text for each part of the key, in the order of the
    /// rule or as `name=value`; one text can hold several, with commas. Text is written without
    /// quotes. A rule without key takes none.
    ///
    /// # Errors
    /// The rule does not exist, the key does not have the rule's form, or the rule cannot be run on
    /// events of type `E`.
    pub fn new(
        rules: &RuleSet,
        rule: &str,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Tracer<E>, TraceError> {
        let texts: Vec<String> = key.into_iter().map(Into::into).collect();
        Tracer::of_rule(rules, rule, |rule| keys::parse(rule, &texts))
    }

    /// Follows the key with these values, in the order of the rule's key: of an event of the key,
    /// say, whatever characters they hold.
    ///
    /// # Errors
    /// As [`new`](Tracer::new).
    pub fn of_key(rules: &RuleSet, rule: &str, key: &[Value]) -> Result<Tracer<E>, TraceError> {
        Tracer::of_rule(rules, rule, |rule| keys::written(rule, key))
    }

    fn of_rule(
        rules: &RuleSet,
        rule: &str,
        parts: impl FnOnce(&Rule) -> Result<Vec<String>, KeyError>,
    ) -> Result<Tracer<E>, TraceError> {
        let found = rules.rule(rule).ok_or_else(|| TraceError::NoRule {
            name: rule.to_owned(),
            known: rules.rules().iter().map(|rule| rule.name.clone()).collect(),
        })?;
        let builder =
            stream::EngineBuilder::new().rules_where(rules, |rule| rule.name == found.name);
        let mut tracer = Tracer::build(builder, parts)?;
        tracer.rules = Some(rules.clone());
        tracer.cast_shadow(None);
        Ok(tracer)
    }

    /// Follows a key of a pattern that was built in Rust.
    ///
    /// # Errors
    /// As [`new`](Tracer::new).
    pub fn of_pattern(
        pattern: &Pattern<E>,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Tracer<E>, TraceError> {
        let texts: Vec<String> = key.into_iter().map(Into::into).collect();
        let builder = stream::EngineBuilder::new().pattern("pattern", pattern);
        Tracer::build(builder, |rule| keys::parse(rule, &texts))
    }

    fn build(
        builder: stream::EngineBuilder<E>,
        parts: impl FnOnce(&Rule) -> Result<Vec<String>, KeyError>,
    ) -> Result<Tracer<E>, TraceError> {
        let engine = builder.build().map_err(TraceError::Build)?;
        let Some((info, matcher)) = engine.into_rule() else {
            return Err(TraceError::NoRule { name: String::new(), known: Vec::new() });
        };
        let mut limits = matcher.limits();
        limits.partial_matches_per_key = limits.partial_matches_per_key.min(MAX_PARTIALS);
        let matcher = matcher.with_limits(limits).generalized();
        let parts = parts(&info.rule).map_err(TraceError::Key)?;
        Ok(Tracer {
            roles: Roles::new(&info.rule.pattern),
            store: matcher.create_store(),
            state: KeyState::default(),
            wanted: Wanted::new(parts),
            key: Vec::new(),
            time: TraceTime::new(None),
            shadow: None,
            rules: None,
            seq: 0,
            open: Vec::new(),
            ended: VecDeque::new(),
            over: None,
            journal: Journal::new(),
            finished: false,
            compared: 0,
            not_followed: None,
            open_at_end: None,
            info,
            matcher,
        })
    }

    /// Accepts events that come up to `bound` later than a newer one, as
    /// [`EngineBuilder::out_of_order`](kleene::stream::EngineBuilder::out_of_order) does. Call it
    /// before the first event.
    #[must_use]
    pub fn out_of_order(mut self, bound: Duration) -> Self {
        self.time = TraceTime::new(Some(duration_to_millis(bound)));
        self.cast_shadow(Some(bound));
        self
    }

    fn cast_shadow(&mut self, out_of_order: Option<Duration>) {
        let RuleInfo { rule, schema, .. } = &self.info;
        let rules = self.rules.as_ref();
        let parts = self.wanted.parts();
        self.shadow = rules.and_then(|rules| Shadow::new(rules, rule, schema, parts, out_of_order));
    }

    /// Keeps only the first `count` entries of the story; 1,000 by default. What is left out is
    /// counted.
    #[must_use]
    pub fn keep_first(mut self, count: usize) -> Self {
        self.journal.keep = Keep::First(count);
        self
    }

    /// Keeps only the last `count` entries of the story.
    #[must_use]
    pub fn keep_last(mut self, count: usize) -> Self {
        self.journal.keep = Keep::Last(count);
        self
    }

    /// The rule, with the numbers of the events.
    pub fn rule(&self) -> &Rule {
        &self.info.rule
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> &Counts {
        &self.journal.counts
    }

    /// Returns the time that the watermark has reached.
    pub fn watermark(&self) -> Timestamp {
        self.time.watermark
    }

    /// The entries that are kept, in the order of time.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.journal.entries.iter()
    }

    /// Returns the number of entries that were left out.
    pub fn left_out(&self) -> u64 {
        self.journal.left_out
    }

    /// Takes an event of any key, from line `line` of the input if there are lines.
    pub fn push(&mut self, event: &E, line: Option<u64>) {
        if self.finished {
            return;
        }
        self.journal.counts.events += 1;
        if let Some(shadow) = &mut self.shadow {
            // Fails where a limit says so (`fail`): what came up to there still counts.
            let _ = shadow.push(event);
        }
        let (whose, key, step_keys) = self.wanted.whose(&self.info.rule, &self.info.schema, event);
        let is_ours = matches!(whose, Whose::Ours | Whose::Unseen);
        if whose == Whose::Ours && self.key.is_empty() {
            self.key = key;
        }
        self.journal.counts.keyless += u64::from(whose == Whose::Keyless);
        let time = event.time();
        if time == Timestamp::MAX || time == Timestamp::MIN {
            if is_ours {
                self.add(time, Cause::Rejected(self.seen(event, line)), Vec::new());
            }
            return;
        }
        if time <= self.time.watermark {
            if is_ours {
                self.journal.counts.late += 1;
                let cause =
                    Cause::Late { event: self.seen(event, line), watermark: self.time.watermark };
                self.add(time, cause, Vec::new());
            }
            self.time.observe(time);
            self.follow();
            return;
        }
        self.time.newest = self.time.newest.max(Some(time));
        self.time.observe(time);
        let is_seen = whose == Whose::Ours;
        let arrived = || {
            let event = event.clone();
            Arrived { event, line, is_seen, made_by: None, step_keys }
        };
        if self.time.out_of_order.is_none() {
            self.time.moved_by = Some((line, time));
            self.time.watermark = self.time.watermark.max(self.time.promised());
            if is_ours {
                self.release(&arrived());
            } else {
                self.catch_up(time, TimeMove::Before);
                self.end_at_once(time);
            }
            return;
        }
        if is_ours {
            self.time.add(time, arrived());
        }
        if self.time.promised() > self.time.watermark {
            self.time.moved_by = Some((line, time));
        }
        self.follow();
    }

    /// Moves the watermark: no event at or before `to` will come any more.
    pub fn advance(&mut self, to: Timestamp) {
        if !self.finished {
            self.time.moved_by = None;
            if let Some(shadow) = &mut self.shadow {
                shadow.advance(to);
            }
            self.time.promise(to.min(Timestamp::MAX.plus_millis(-1)));
            self.follow();
        }
    }

    /// Notes that a line of the input is no event; it may have been one of the key.
    pub fn unreadable(&mut self, line: u64, reason: &str) {
        let at = self.time.moved_by.map_or(self.time.watermark, |(_, time)| time);
        let cause = Cause::Unreadable { line, reason: reason.to_owned() };
        self.add(at, cause, Vec::new());
    }

    /// Ends the input, but not time: events that wait are released, time moves to the newest one,
    /// and what is open stays open. Nothing can be pushed any more.
    pub fn end_input(&mut self) {
        if self.finished {
            return;
        }
        if let Some(newest) = self.time.newest {
            self.advance(newest);
        }
        self.open_at_end = Some(self.open_partials());
        self.finished = true;
    }

    /// Ends time, as [`Engine::end_time`](kleene::Engine::end_time) does: time moves to its end.
    /// Partial matches that were open before it stay to be reported.
    pub fn end_time(&mut self) {
        if self.finished {
            return;
        }
        self.open_at_end = Some(self.open_partials());
        self.journal.counts.buffered = self.time.waiting();
        self.finished = true;
        let watermark = self.time.watermark;
        self.time.moved_by = None;
        if let Some(shadow) = &mut self.shadow {
            shadow.end_time();
        }
        let last = self.time.watermark.plus_millis(i64::from(self.time.out_of_order.is_none()));
        let last = last.max(self.time.newest.unwrap_or(last));
        if self.matcher.program().timing.repeat.is_some() && last > self.time.watermark {
            self.move_to(last);
        }
        self.store.end();
        self.move_to(Timestamp::MAX);
        self.time.watermark = watermark;
        let before = self.open.clone();
        let reported = self.collect(|matcher, store, state, sink| {
            matcher.end_time(store, state, sink);
            0
        });
        let effects = self.after_time(&before, &reported.0, Timestamp::MAX);
        if !effects.is_empty() {
            let last = before.iter().map(|(_, waiting)| waiting.last).max();
            self.add(last.unwrap_or(watermark), Cause::End, effects);
        }
    }

    /// Collects the open partial matches; after [`end_time`](Tracer::end_time), those that were
    /// open. The call is meant for inspection: it works out what each of them waits for.
    pub fn collect_open(&self) -> Vec<OpenPartial> {
        self.open_at_end.clone().unwrap_or_else(|| self.open_partials())
    }

    fn open_partials(&self) -> Vec<OpenPartial> {
        let judge = self.judge();
        let open = self.open.iter().map(|(number, waiting)| {
            let captures = Matcher::captures_of(&self.store, &self.state, &waiting.captured);
            let mut taken: Vec<Arc<str>> = Vec::new();
            for (step, _) in &waiting.captured {
                let name = judge.words.step(*step);
                if taken.last().is_none_or(|last| **last != *name) {
                    taken.push(name.into());
                }
            }
            OpenPartial { partial: *number, taken, waits: judge.waits(waiting, captures) }
        });
        open.collect()
    }

    /// The key's parts with their names, as rules spell them.
    pub(super) fn key_parts(&self) -> Vec<String> {
        let names = self.info.rule.key.iter().map(|part| &part.name);
        if self.key.is_empty() {
            let texts = self.wanted.parts();
            return names.zip(texts).map(|(name, text)| format!("{name} = {text}")).collect();
        }
        names.zip(&self.key).map(|(name, value)| format!("{name} = {value}")).collect()
    }

    /// Returns the current time as people see it: events at that time may still come.
    pub(super) fn now(&self) -> Option<Timestamp> {
        match self.time.out_of_order {
            None => self.time.newest,
            Some(_) => Some(self.time.watermark).filter(|watermark| *watermark > Timestamp::MIN),
        }
    }

    /// True if the last entries are kept, not the first.
    pub(super) fn keeps_last(&self) -> bool {
        matches!(self.journal.keep, Keep::Last(_))
    }

    /// The words of the rule.
    pub(super) fn words(&self) -> Words<'_> {
        Words { pattern: &self.info.rule.pattern, schema: &self.info.schema }
    }

    fn judge(&self) -> Judge<'_, E> {
        let Tracer { roles, matcher, store, .. } = self;
        let narrator = Narrator { words: self.words(), roles, program: matcher.program() };
        Judge { narrator, matcher, store }
    }

    /// Returns the effect of the skip strategy, in words.
    fn skip_effect(&self) -> String {
        match self.over {
            Some(_) => String::from("`once` ends all else"),
            None => self.words().skip_effect(),
        }
    }

    /// Ends the key at `now`, if a match of another key ends it and it is not over yet. Returns the
    /// effects on its partial matches.
    fn end_by_other_key(&mut self, now: Timestamp) -> Vec<Effect> {
        let ended = self.shadow.as_ref().and_then(|shadow| shadow.heard.ended);
        let Some(since) = ended.filter(|since| *since <= now && self.over.is_none()) else {
            return Vec::new();
        };
        self.over = Some(Over { since, by_other_key: true });
        self.matcher.clear(&mut self.store, &mut self.state);
        let fate = Fate::Over { since, by_other_key: true };
        let open = std::mem::take(&mut self.open).into_iter();
        open.map(|(number, _)| effect(Some(number), fate.clone())).collect()
    }

    /// Ends the key up to `now` as [`end_by_other_key`](Tracer::end_by_other_key) does, with an entry
    /// of its own: no event of the key need come for that.
    pub(super) fn end_at_once(&mut self, now: Timestamp) {
        let effects = self.end_by_other_key(now);
        if let Some(Over { since, .. }) = self.over.filter(|_| !effects.is_empty()) {
            self.add(since, Cause::Time { moved_by: self.time.moved_by }, effects);
        }
    }

    /// Runs `step` on the key and gives what it reported, and how many partial matches it did not
    /// start.
    fn collect(
        &mut self,
        step: impl FnOnce(
            &Matcher<E>,
            &mut Store<E>,
            &mut KeyState,
            &mut dyn FnMut(Outcome<'_, E>),
        ) -> usize,
    ) -> (Vec<ReportedOutcome>, usize) {
        let Tracer { info, matcher, store, state, key, journal, shadow, over, .. } = self;
        let counts = &mut journal.counts;
        let (mut reported, mut sets) = (Vec::new(), Vec::new());
        let mut report = |outcome: Outcome<'_, E>| {
            let is_timeout = outcome.kind() == OutcomeKind::Timeout;
            if over.is_some() {
                return;
            }
            let judge = shadow.as_mut().filter(|_| !is_timeout && hides(&info.rule));
            let is_judged = judge.is_some();
            let verdict = judge.and_then(|shadow| shadow.heard.verdicts.pop_front());
            if info.rule.once.is_some() && !is_timeout {
                if is_judged && verdict.is_none() {
                    // Another key has ended the rule.
                    return;
                }
                if verdict != Some(MatchFate::Filtered) {
                    *over = Some(Over { since: outcome.at(), by_other_key: false });
                }
            }
            let is_suppressed = verdict == Some(MatchFate::Suppressed);
            let is_filtered = verdict == Some(MatchFate::Filtered);
            counts.timeouts += u64::from(is_timeout);
            counts.suppressed += u64::from(is_suppressed);
            counts.filtered += u64::from(is_filtered);
            counts.matches += u64::from(!is_timeout && !is_suppressed && !is_filtered);
            let of_all = info.rule.pattern.report == Report::All || is_timeout;
            if !of_all && info.rule.once.is_none() {
                list(&outcome, &mut sets);
            }
            reported.push(ReportedOutcome {
                captured: captured(&outcome),
                reported: Reported {
                    is_timeout,
                    is_suppressed,
                    is_filtered,
                    not_chosen: None,
                    of: if of_all { 1 } else { outcome.set().count() },
                    at: outcome.at(),
                    emit: Match::new(info, key, outcome).to_record(),
                },
            });
        };
        let dropped = step(matcher, store, state, &mut report);
        if over.is_some() {
            matcher.clear(store, state);
        }
        let chosen: HashSet<CapturedSteps> =
            reported.iter().map(|chosen: &ReportedOutcome| chosen.captured.clone()).collect();
        for (captured, at, of) in sets.into_iter().filter(|(one, ..)| !chosen.contains(one)) {
            counts.not_chosen += 1;
            let not_chosen = Some(info.rule.pattern.report);
            let (is_timeout, is_suppressed, is_filtered) = (false, false, false);
            let emit = Value::Null;
            let reported_ =
                Reported { is_timeout, is_suppressed, is_filtered, not_chosen, of, at, emit };
            reported.push(ReportedOutcome { captured, reported: reported_ });
        }
        (reported, dropped)
    }

    fn seen(&self, event: &E, line: Option<u64>) -> ShownEvent {
        let ty = event.type_id();
        let schema = &self.info.schema;
        if ty.index() >= schema.len() {
            let name = event.describe().unwrap_or("event");
            let (ty, fields) = (name.into(), Vec::new());
            return ShownEvent { line, made_by: None, ty, fields };
        }
        let ty = schema.ty(ty);
        // What all events of the key have alike is not shown.
        let is_one = !self.info.rule.step_keys.iter().any(|keys| keys.ty == event.type_id());
        let is_key =
            |name: &str| is_one && self.info.rule.key.iter().any(|part| *part.name == *name);
        let fields = ty.fields.iter().enumerate().filter(|(index, field)| {
            ty.time.is_none_or(|time| time.index() != *index) && !is_key(&field.name)
        });
        let fields = fields
            .map(|(index, field)| (field.name.clone(), event.field(FieldId::new(index)).to_value()))
            .filter(|(_, value)| !value.is_null());
        let (ty, fields) = (ty.name.clone(), fields.take(SHOWN_FIELDS).collect());
        ShownEvent { line, made_by: None, ty, fields }
    }

    fn add(&mut self, at: Timestamp, cause: Cause, effects: Vec<Effect>) {
        self.journal.add(at, cause, effects, self.finished);
    }
}

/// The captured events of a match: steps and numbers of events.
type CapturedSteps = Vec<(StepId, u64)>;

fn captured<E>(outcome: &Outcome<'_, E>) -> CapturedSteps {
    outcome.captures().numbered().map(|(step, seq, _)| (step, seq)).collect()
}

/// Adds the matches of the outcome's set, unless those of a result before it are the same set. A set
/// with more matches than partial matches are followed is not gone through.
fn list<E>(outcome: &Outcome<'_, E>, sets: &mut Vec<(CapturedSteps, Timestamp, u64)>) {
    let own = captured(outcome);
    if sets.iter().any(|(listed, at, _)| *at == outcome.at() && *listed == own) {
        return;
    }
    let mut listing = outcome.set().listing();
    for _ in 0..MAX_PARTIALS {
        let Some(one) = listing.next_match() else { break };
        sets.push((captured(&one), one.at(), one.set().count()));
    }
}

/// An outcome that was reported, by what it has captured.
struct ReportedOutcome {
    captured: CapturedSteps,
    reported: Reported,
}

/// Returns an effect without a result; nothing is awaited.
fn effect(partial: Option<u64>, fate: Fate) -> Effect {
    Effect { partial, fate, reported: None, waits: None }
}
