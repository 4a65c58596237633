//! Follows one key of one rule through a stream.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::judge::{Judge, Narrator, Roles};
use super::keys::{self, KeyError, Wanted, Whose};
use super::shadow::{Made, MatchFate, Shadow, hides};
use super::story::{Cause, Effect, Entry, Fate, Misfit, Reported, Seen, Then, Waits};
use crate::event::Event;
use crate::exec::{KeyState, Limits, Matcher, Outcome, OutcomeKind, Place, Store, Waiting};
use crate::explain::Words;
use crate::hir::{LimitPolicy, Rule, SkipStrategy, StageId};
use crate::nfa::Action;
use crate::pattern::Pattern;
use crate::ruleset::RuleSet;
use crate::schema::{FieldId, TypeId};
use crate::stream::{self, Lent, Match, Progress, Reorder, RuleInfo, SourceId, Strategy};
use crate::time::{Timestamp, duration_to_millis};
use crate::value::Value;

/// How many partial matches are followed at once.
const MAX_PARTIALS: usize = 2_000;
/// How many partial matches that time has ended are remembered, to report what comes too late.
const REMEMBERED: usize = 16;
/// How many fields of an event are shown.
const SHOWN_FIELDS: usize = 8;
/// How many effects of one event or moment are kept.
const KEPT_EFFECTS: usize = 100;
/// How many entries are kept by default.
const KEPT_ENTRIES: usize = 1_000;

/// Follows one key of one rule. See the [module](crate::why).
pub struct Tracer<E: Event> {
    pub(super) info: RuleInfo,
    pub(super) matcher: Matcher<E>,
    roles: Roles,
    store: Store<E>,
    state: KeyState,
    pub(super) wanted: Wanted,
    key: Vec<Value>,
    pub(super) strategy: Strategy,
    progress: Progress,
    source: SourceId,
    buffer: Reorder<Arrived<E>>,
    /// The rules that matter beside this one.
    shadow: Option<Shadow<E>>,
    rules: Option<RuleSet>,
    pub(super) watermark: Timestamp,
    /// The event that moved time last: its line and its time.
    moved_by: Option<(Option<u64>, Timestamp)>,
    newest: Option<Timestamp>,
    seq: u64,
    /// The partial matches that are open, with their numbers.
    open: Vec<(u64, Waiting)>,
    ended: VecDeque<Ended>,
    /// Since when nothing becomes of the key any more (`once`).
    over: Option<Over>,
    entries: VecDeque<Entry>,
    keep: Keep,
    pub(super) left_out: u64,
    pub(super) counts: Counts,
    finished: bool,
    /// What was open when the stream ended.
    pub(super) open_at_end: Option<Vec<OpenPartial>>,
}

/// Which entries are kept.
#[derive(Clone, Copy, Debug)]
enum Keep {
    First(usize),
    Last(usize),
}

#[derive(Clone, Debug)]
struct Arrived<E> {
    event: E,
    line: Option<u64>,
    is_seen: bool,
    made_by: Option<Arc<str>>,
}

/// When `once` ended the key.
#[derive(Clone, Copy, Debug)]
struct Over {
    since: Timestamp,
    by_other_key: bool,
}

/// A partial match that time has ended.
#[derive(Clone, Debug)]
struct Ended {
    number: u64,
    at: Timestamp,
    matched: bool,
    types: Vec<TypeId>,
}

/// What a tracer has counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Events of any key.
    pub events: u64,
    /// Events of the key that the rule saw.
    pub of_key: u64,
    /// Events of the rule's types in which a part of the key is null.
    pub keyless: u64,
    /// Events of the key that came too late.
    pub late: u64,
    /// Partial matches of the key.
    pub partials: u64,
    /// Matches of the key.
    pub matches: u64,
    /// Matches of the key that were not reported, as the condition of `having` does not hold.
    pub filtered: u64,
    /// Matches of the key that were not reported, as another was reported before (`suppress`).
    pub suppressed: u64,
    /// Timeouts of the key.
    pub timeouts: u64,
    /// Events of the key that wait for time to pass.
    pub buffered: u64,
}

/// A partial match that is open.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenPartial {
    /// Its number.
    pub partial: u64,
    /// The names of the steps that it has taken.
    pub taken: Vec<Arc<str>>,
    /// What it waits for.
    pub waits: Waits,
}

/// Why a key of a rule cannot be followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// There is no such rule.
    #[non_exhaustive]
    NoRule {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<Arc<str>>,
    },
    /// The key does not fit the rule's.
    Key(KeyError),
    /// The rule cannot be run on these events.
    Build(stream::BuildError),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::NoRule { name, known } => {
                write!(f, "there is no rule `{name}`; there are: {}", known.join(", "))
            }
            TraceError::Key(error) => error.fmt(f),
            TraceError::Build(error) => error.fmt(f),
        }
    }
}

impl Error for TraceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TraceError::NoRule { .. } | TraceError::Key(_) => None,
            TraceError::Build(error) => error.source(),
        }
    }
}

impl<E: Event> fmt::Debug for Tracer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("rule", &self.info.rule.name)
            .field("key", &self.wanted.text())
            .field("watermark", &self.watermark)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<E: Event> Tracer<E> {
    /// Follows a key of the rule of this name: a text for each part of the key, in the order of the
    /// rule or as `name=value`; one text can hold several, with commas. Text is written without
    /// quotes. A rule without key takes none.
    ///
    /// # Errors
    /// There is no such rule, the key is not of its form, or the rule cannot be run on events of
    /// type `E`.
    pub fn new(
        rules: &RuleSet,
        rule: &str,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Tracer<E>, TraceError> {
        let found = rules.rule(rule).ok_or_else(|| TraceError::NoRule {
            name: rule.to_owned(),
            known: rules.rules().iter().map(|rule| rule.name.clone()).collect(),
        })?;
        let schema = Arc::new(rules.schema().clone());
        let builder = stream::Builder::new().rule(schema, Arc::new(found.clone()));
        let mut tracer = Tracer::build(builder, key)?;
        tracer.rules = Some(rules.clone());
        tracer.cast_shadow(None);
        Ok(tracer)
    }

    /// The same for a pattern that was built in Rust.
    ///
    /// # Errors
    /// As [`new`](Tracer::new).
    pub fn of_pattern(
        pattern: &Pattern<E>,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Tracer<E>, TraceError> {
        Tracer::build(stream::Builder::new().pattern("pattern", pattern), key)
    }

    fn build(
        builder: stream::Builder<E>,
        key: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Tracer<E>, TraceError> {
        let engine = builder.build().map_err(TraceError::Build)?;
        let Some((info, matcher)) = engine.into_rule() else {
            return Err(TraceError::NoRule { name: String::new(), known: Vec::new() });
        };
        let limits = matcher.limits();
        let most = limits.partial_matches_per_key.min(MAX_PARTIALS);
        let limits = Limits { partial_matches_per_key: most, ..limits };
        let matcher = matcher.with_limits(limits).generalized();
        let texts: Vec<String> = key.into_iter().map(Into::into).collect();
        let parts = keys::parse(&info.rule, &texts).map_err(TraceError::Key)?;
        let mut progress = Progress::new(Strategy::Sorted);
        let source = progress.source("");
        Ok(Tracer {
            roles: Roles::new(&info.rule.pattern),
            store: matcher.create_store(),
            state: KeyState::default(),
            wanted: Wanted::new(parts),
            key: Vec::new(),
            strategy: Strategy::Sorted,
            progress,
            source,
            buffer: Reorder::new(),
            shadow: None,
            rules: None,
            watermark: Timestamp::MIN,
            moved_by: None,
            newest: None,
            seq: 0,
            open: Vec::new(),
            ended: VecDeque::new(),
            over: None,
            entries: VecDeque::new(),
            keep: Keep::First(KEPT_ENTRIES),
            left_out: 0,
            counts: Counts::default(),
            finished: false,
            open_at_end: None,
            info,
            matcher,
        })
    }

    /// Events come at most `bound` later than a newer one, as for
    /// [`Builder::out_of_order`](crate::stream::Builder::out_of_order). To be said before the first
    /// event.
    #[must_use]
    pub fn out_of_order(mut self, bound: Duration) -> Self {
        self.strategy = Strategy::OutOfOrder(duration_to_millis(bound));
        self.progress = Progress::new(self.strategy);
        self.source = self.progress.source("");
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
        self.keep = Keep::First(count);
        self
    }

    /// Keeps only the last `count` entries of the story.
    #[must_use]
    pub fn keep_last(mut self, count: usize) -> Self {
        self.keep = Keep::Last(count);
        self
    }

    /// The rule, with the numbers of the events.
    pub fn rule(&self) -> &Rule {
        &self.info.rule
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How far time has come.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The entries that are kept, in the order of time.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many entries were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes an event of any key, from line `line` of the input if there are lines.
    pub fn push(&mut self, event: &E, line: Option<u64>) {
        if self.finished {
            return;
        }
        self.counts.events += 1;
        if let Some(shadow) = &mut self.shadow {
            // Fails where a limit says so (`fail`): what came up to there still counts.
            let _ = shadow.push(event);
        }
        let (whose, key) = self.wanted.whose(&self.info.rule, &self.info.schema, event);
        let is_ours = matches!(whose, Whose::Ours | Whose::Unseen);
        if whose == Whose::Ours && self.key.is_empty() {
            self.key = key;
        }
        self.counts.keyless += u64::from(whose == Whose::Keyless);
        let time = event.time();
        if time == Timestamp::MAX || time == Timestamp::MIN {
            if is_ours {
                self.add(time, Cause::Rejected(self.seen(event, line)), Vec::new());
            }
            return;
        }
        if time <= self.watermark {
            if is_ours {
                self.counts.late += 1;
                let cause =
                    Cause::Late { event: self.seen(event, line), watermark: self.watermark };
                self.add(time, cause, Vec::new());
            }
            self.progress.observe(self.source, time);
            self.follow();
            return;
        }
        self.newest = self.newest.max(Some(time));
        self.progress.observe(self.source, time);
        let is_seen = whose == Whose::Ours;
        let arrived = || Arrived { event: event.clone(), line, is_seen, made_by: None };
        if self.progress.is_sorted() {
            self.moved_by = Some((line, time));
            self.watermark = self.watermark.max(self.progress.watermark());
            if is_ours {
                self.release(&arrived());
            } else {
                self.catch_up(time, false);
            }
            return;
        }
        if is_ours {
            self.buffer.add(time, arrived());
        }
        if self.progress.watermark() > self.watermark {
            self.moved_by = Some((line, time));
        }
        self.follow();
    }

    /// No event at or before `to` will come any more: a watermark.
    pub fn advance(&mut self, to: Timestamp) {
        if !self.finished {
            self.moved_by = None;
            if let Some(shadow) = &mut self.shadow {
                shadow.advance(to);
            }
            self.progress.advance(self.source, to.min(Timestamp::MAX.plus_millis(-1)));
            self.follow();
        }
    }

    /// Notes that a line of the input is no event; it may have been one of the key.
    pub fn unreadable(&mut self, line: u64, reason: &str) {
        let at = self.moved_by.map_or(self.watermark, |(_, time)| time);
        let cause = Cause::Unreadable { line, reason: reason.to_owned() };
        self.add(at, cause, Vec::new());
    }

    /// Ends the input, but not time: events that wait are released, time moves to the newest one, and
    /// what is open stays open. Nothing can be pushed any more.
    pub fn end_input(&mut self) {
        if self.finished {
            return;
        }
        if let Some(newest) = self.newest {
            self.advance(newest);
        }
        self.open_at_end = Some(self.open_partials());
        self.finished = true;
    }

    /// Ends the input, as [`Engine::finish`](crate::Engine::finish) does: time moves to its end. What
    /// was open before it stays to be reported.
    pub fn finish(&mut self) {
        if self.finished {
            return;
        }
        self.open_at_end = Some(self.open_partials());
        self.counts.buffered = self.buffer.len() as u64;
        self.finished = true;
        let watermark = self.watermark;
        self.moved_by = None;
        if let Some(shadow) = &mut self.shadow {
            shadow.finish();
        }
        let last = self.watermark.plus_millis(i64::from(self.progress.is_sorted()));
        let last = last.max(self.newest.unwrap_or(last));
        if self.matcher.program().repeat.is_some() && last > self.watermark {
            self.move_to(last);
        }
        self.store.end();
        self.move_to(Timestamp::MAX);
        self.watermark = watermark;
        let before = self.waiting();
        let reported = self.collect(|matcher, store, state, sink| {
            matcher.finish(store, state, &mut |outcome| sink(outcome));
            0
        });
        let effects = self.after_time(&before, &reported.0, Timestamp::MAX);
        if !effects.is_empty() {
            let last = before.iter().map(|(_, waiting)| waiting.last).max();
            self.add(last.unwrap_or(watermark), Cause::End, effects);
        }
    }

    /// The partial matches that are open; after [`finish`](Tracer::finish), those that were.
    pub fn open(&self) -> Vec<OpenPartial> {
        self.open_at_end.clone().unwrap_or_else(|| self.open_partials())
    }

    fn open_partials(&self) -> Vec<OpenPartial> {
        let judge = self.judge();
        let open = self.open.iter().map(|(number, waiting)| {
            let captures = Matcher::captures_of(&self.store, &self.state, &waiting.captured);
            let mut taken: Vec<Arc<str>> = Vec::new();
            for (stage, _) in &waiting.captured {
                let name = judge.words.stage(*stage);
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

    /// How far time has come, as people see it: events at that time may still come.
    pub(super) fn now(&self) -> Option<Timestamp> {
        match self.strategy {
            Strategy::Sorted => self.newest,
            _ => (self.watermark > Timestamp::MIN).then_some(self.watermark),
        }
    }

    /// The time of the newest event.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Whether the last entries are kept, not the first.
    pub(super) fn keeps_last(&self) -> bool {
        matches!(self.keep, Keep::Last(_))
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

    /// Moves on to where the source is.
    fn follow(&mut self) {
        let watermark = self.progress.watermark();
        if watermark > self.watermark {
            self.move_to(watermark);
        }
    }

    fn move_to(&mut self, to: Timestamp) {
        self.watermark = to;
        while let Some(arrived) = self.buffer.take_until(to, &mut Lent::nothing()) {
            self.release(&arrived);
        }
        self.catch_up(to, true);
    }

    /// Handles the deadlines up to `to` and takes what other rules have made before it, in the order
    /// of time; up to and including it where the moment `is_over`.
    fn catch_up(&mut self, to: Timestamp, is_over: bool) {
        loop {
            let made = self.shadow.as_ref().and_then(|shadow| shadow.heard.made.front());
            let made = made.map(|(time, _)| *time);
            let Some(time) = made.filter(|time| *time < to || is_over && *time == to) else {
                break self.fire(to);
            };
            self.fire(time);
            let shadow = self.shadow.as_mut();
            let Some((_, made)) = shadow.and_then(|shadow| shadow.heard.made.pop_front()) else {
                break;
            };
            let Made { event, by } = made;
            let (whose, key) = self.wanted.whose(&self.info.rule, &self.info.schema, &event);
            if whose == Whose::Ours {
                if self.key.is_empty() {
                    self.key = key;
                }
                self.take(&Arrived { event, line: None, is_seen: true, made_by: Some(by) });
            }
        }
    }

    /// Handles the deadlines up to `to`, one after the other.
    fn fire(&mut self, to: Timestamp) {
        while let Some(deadline) = self.matcher.deadline(&self.state).filter(|&at| at <= to) {
            let effects = self.end_by_other_key(deadline.plus_millis(-1));
            if !effects.is_empty() {
                self.add(deadline, Cause::Time { moved_by: self.moved_by }, effects);
                break;
            }
            let before = self.waiting();
            let (reported, _) = self.collect(|matcher, store, state, sink| {
                matcher.advance(store, state, deadline, &mut |outcome| sink(outcome));
                0
            });
            let effects = self.after_time(&before, &reported, deadline);
            if !effects.is_empty() {
                self.add(deadline, Cause::Time { moved_by: self.moved_by }, effects);
            }
        }
    }

    /// What a match drops, in words.
    fn skip_effect(&self) -> String {
        match self.over {
            Some(_) => String::from("`once` ends all else"),
            None => self.words().skip_effect(),
        }
    }

    /// What ends the key at `now`, if something does that it has not done before. Gives the partial
    /// matches that it ends.
    fn end_by_other_key(&mut self, now: Timestamp) -> Vec<Effect> {
        let ended = self.shadow.as_ref().and_then(|shadow| shadow.heard.ended);
        let Some(since) = ended.filter(|since| *since <= now && self.over.is_none()) else {
            return Vec::new();
        };
        self.over = Some(Over { since, by_other_key: true });
        self.matcher.clear(&mut self.store, &mut self.state);
        let fate = Fate::Over { since, by_other_key: true };
        let open = std::mem::take(&mut self.open).into_iter();
        open.map(|(number, _)| Effect {
            partial: Some(number),
            fate: fate.clone(),
            reported: None,
            waits: None,
        })
        .collect()
    }

    /// The partial matches that are open, with what they wait for.
    fn waiting(&self) -> Vec<(u64, Waiting)> {
        self.open.clone()
    }

    /// Runs `step` on the key and gives what it reported, and how many partial matches it did not start.
    fn collect(
        &mut self,
        step: impl FnOnce(
            &Matcher<E>,
            &mut Store<E>,
            &mut KeyState,
            &mut dyn FnMut(Outcome<'_, E>),
        ) -> usize,
    ) -> (Vec<Heard>, usize) {
        let Tracer { info, matcher, store, state, key, counts, shadow, over, .. } = self;
        let mut reported = Vec::new();
        let mut report = |outcome: Outcome<'_, E>| {
            let captured = outcome.captures().numbered().map(|(stage, seq, _)| (stage, seq));
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
            reported.push(Heard {
                captured: captured.collect(),
                reported: Reported {
                    is_timeout,
                    is_suppressed,
                    is_filtered,
                    at: outcome.at(),
                    emit: Match::new(info, key, outcome).emit(),
                },
            });
        };
        let dropped = step(matcher, store, state, &mut report);
        if over.is_some() {
            matcher.clear(store, state);
        }
        (reported, dropped)
    }

    /// What passing time did to the partial matches that were open before.
    fn after_time(
        &mut self,
        before: &[(u64, Waiting)],
        reported: &[Heard],
        deadline: Timestamp,
    ) -> Vec<Effect> {
        let after = Matcher::waiting(&self.store, &self.state);
        let mut effects = Vec::new();
        let mut winner = None;
        let mut ended = Vec::new();
        {
            let judge = self.judge();
            for (number, waiting) in before {
                let reported =
                    reported.iter().find(|reported| reported.captured == waiting.captured);
                if let Some(reported) = reported.filter(|reported| !reported.reported.is_timeout) {
                    winner = winner.or(Some((*number, reported.captured.clone())));
                }
            }
            for (number, waiting) in before {
                let same = after.iter().find(|after| after.captured == waiting.captured);
                let reported =
                    reported.iter().find(|reported| reported.captured == waiting.captured);
                let due = waiting.deadline.filter(|at| *at <= deadline);
                if same.is_some_and(|after| !after.states.is_empty() || waiting.states.is_empty())
                    && reported.is_none()
                {
                    continue;
                }
                let is_match = reported.is_some_and(|reported| !reported.reported.is_timeout);
                let completes = is_match || same.is_some();
                let fate = if waiting.states.is_empty() && is_match {
                    Fate::TurnCame
                } else if completes && due.is_some() && !judge.absent(waiting).is_empty() {
                    let (bound, _) = judge.bound(waiting, due.unwrap_or(deadline));
                    Fate::Held { not: judge.absent(waiting), bound }
                } else if completes {
                    Fate::Settled
                } else if let Some(due) = due {
                    Fate::RanOut {
                        bound: judge.bound(waiting, due).0,
                        awaited: judge.waits::<E>(waiting, None).steps,
                    }
                } else if let Some((by, _)) = &winner {
                    Fate::Dropped { by: *by, skip: self.skip_effect() }
                } else {
                    Fate::RanOut {
                        bound: String::from("the end"),
                        awaited: judge.waits::<E>(waiting, None).steps,
                    }
                };
                if let Some(due) = due {
                    ended.push(Ended {
                        number: *number,
                        at: judge.bound(waiting, due).1,
                        matched: completes,
                        types: judge.types_of_interest(waiting),
                    });
                }
                effects.push(Effect {
                    partial: Some(*number),
                    fate,
                    reported: reported.map(|reported| reported.reported.clone()),
                    waits: same.map(|after| judge.waits::<E>(after, None)),
                });
            }
        }
        self.ended.extend(ended);
        while self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        self.open = before
            .iter()
            .filter_map(|(number, waiting)| {
                let same = after.iter().find(|after| after.captured == waiting.captured)?;
                Some((*number, same.clone()))
            })
            .collect();
        effects
    }

    /// Gives an event of the key to the rule, after the deadlines up to its time.
    fn release(&mut self, arrived: &Arrived<E>) {
        self.catch_up(arrived.event.time(), false);
        self.take(arrived);
    }

    /// Gives it to the rule; what is due before it has been handled.
    fn take(&mut self, arrived: &Arrived<E>) {
        let Arrived { event, line, is_seen, made_by } = arrived;
        let time = event.time();
        let seen = Seen { made_by: made_by.clone(), ..self.seen(event, *line) };
        if !is_seen {
            self.add(time, Cause::Unseen(seen), Vec::new());
            return;
        }
        self.counts.of_key += 1;
        let mut effects = self.end_by_other_key(time);
        if let Some(Over { since, by_other_key }) = self.over {
            if effects.is_empty() {
                let fate = Fate::Over { since, by_other_key };
                effects.push(Effect { partial: None, fate, reported: None, waits: None });
            }
            self.add(time, Cause::Event(seen), effects);
            return;
        }
        let seq = self.seq;
        self.seq += 1;
        let before = self.waiting();
        let (places, start) = self.matcher.probe(&mut self.store, &self.state, event, seq);
        let mut judged = self.judged(&before, &places, &start, event);
        let (reported, dropped) = self.collect(|matcher, store, state, sink| {
            matcher.push(store, state, event, seq, &mut |outcome| sink(outcome))
        });
        let mut effects = self.after_event(&before, &mut judged, reported, seq, dropped > 0, event);
        let own = self.info.rule.limit.map_or(usize::MAX, |limit| limit.partials);
        let gives_up = dropped > 0 && own > MAX_PARTIALS;
        if gives_up {
            effects.retain(|effect| effect.fate != Fate::Overflow);
            let fate = Fate::NotFollowed { limit: MAX_PARTIALS };
            effects.push(Effect { partial: None, fate, reported: None, waits: None });
        }
        let fails = dropped > 0 && self.matcher.limits().policy == LimitPolicy::Fail;
        if fails {
            effects.push(Effect { partial: None, fate: Fate::Failed, reported: None, waits: None });
        }
        self.add(time, Cause::Event(seen), effects);
        self.finished |= fails || gives_up;
    }

    /// What there is to say of an event before it changes anything: for each partial match, and for
    /// the start.
    fn judged(
        &self,
        before: &[(u64, Waiting)],
        places: &[Place],
        start: &Place,
        event: &E,
    ) -> Judged {
        let judge = self.judge();
        let mut by_captured: hashbrown::HashMap<_, Vec<&Place>> = hashbrown::HashMap::new();
        for place in places {
            let captured = Matcher::captured(&self.store, place);
            by_captured.entry(captured).or_default().push(place);
        }
        let has = |places: &[&Place], of: &dyn Fn(Action) -> bool| {
            let mut ways = places.iter().flat_map(|place| &place.ways);
            ways.any(|way| way.judged.holds && of(way.action))
        };
        let of_one = |places: &[&Place]| Verdict {
            misfits: judge.misfits(places, event),
            stopped_by: judge.stopped_by(places),
            goes_on: has(places, &|action| action != Action::Stop)
                || places.iter().any(|place| judge.settles(place)),
            takes: has(places, &|action| matches!(action, Action::Take { .. })),
            completes: has(places, &|action| action == Action::Complete),
        };
        let partials = before.iter().map(|(_, waiting)| {
            of_one(by_captured.get(&waiting.captured).map_or(&[], Vec::as_slice))
        });
        let partials = partials.collect();
        let mut of_start = of_one(&[start]);
        let silenced = judge.silenced(Matcher::<E>::broken(&self.state), event);
        let too_soon = silenced.filter(|_| of_start.takes);
        of_start.takes &= too_soon.is_none();
        Judged { partials, start: of_start, too_soon, silences: judge.silences(start, event) }
    }

    fn after_event(
        &mut self,
        before: &[(u64, Waiting)],
        judged: &mut Judged,
        mut reported: Vec<Heard>,
        seq: u64,
        overflow: bool,
        event: &E,
    ) -> Vec<Effect> {
        let after = Matcher::waiting(&self.store, &self.state);
        let mut after: Vec<Option<Waiting>> = after.into_iter().map(Some).collect();
        let mut open = Vec::new();
        let mut effects = Vec::new();
        // Those that neither went on nor ended by themselves: what dropped them is known at the end.
        let mut gone = Vec::new();
        // The matches that were reported, with their numbers.
        let mut winners: Vec<(u64, Vec<(StageId, u64)>)> = Vec::new();
        for ((number, waiting), verdict) in before.iter().zip(&mut judged.partials) {
            let misfits = std::mem::take(&mut verdict.misfits);
            let same = after.iter_mut().find(|after| {
                after.as_ref().is_some_and(|after| after.captured == waiting.captured)
            });
            let same = same.and_then(Option::take);
            let (mut stays, mut is_first) = (same.is_some(), true);
            let (parts, stops) = (&waiting.captured, std::mem::take(&mut verdict.stopped_by));
            let is_next = |captured: &[(StageId, u64)]| {
                captured.split_last().is_some_and(|((_, last), rest)| *last == seq && rest == parts)
            };
            let grown: Vec<Waiting> = after
                .iter_mut()
                .filter(|after| after.as_ref().is_some_and(|after| is_next(&after.captured)))
                .filter_map(Option::take)
                .collect();
            let (matched_here, rest): (Vec<_>, Vec<_>) = reported
                .into_iter()
                .partition(|reported| is_next(&reported.captured) || reported.captured == *parts);
            reported = rest;
            let (mut matched_same, mut matched): (Vec<_>, Vec<_>) =
                matched_here.into_iter().partition(|reported| reported.captured == *parts);
            let next_number = |stays: bool, is_first: &mut bool, started: &mut u64| {
                if !stays && std::mem::replace(is_first, false) {
                    return (*number, None);
                }
                *started += 1;
                (*started, Some(*number))
            };
            let had_children = !grown.is_empty() || !matched.is_empty();
            // A match without the event (a `not next` that held) ends what was there.
            if let Some(reported) = matched_same.pop() {
                winners.push((*number, reported.captured));
                stays = false;
                is_first = same.as_ref().is_none_or(|same| same.states.is_empty());
                let fate = match (waiting.states.is_empty(), verdict.completes) {
                    (true, _) => Fate::TurnCame,
                    (_, true) => Fate::Completed,
                    _ => Fate::Settled,
                };
                effects.push(Effect {
                    partial: Some(*number),
                    fate,
                    reported: Some(reported.reported),
                    waits: None,
                });
            } else if let Some(same) = &same {
                let judge = self.judge();
                let captures = Matcher::captures_of(&self.store, &self.state, &same.captured);
                let waits = judge.waits(same, captures);
                let fate = if same.states.is_empty() && !waiting.states.is_empty() {
                    Fate::Completed
                } else {
                    Fate::Skipped(misfits.clone())
                };
                effects.push(Effect {
                    partial: Some(*number),
                    fate,
                    reported: None,
                    waits: Some(waits),
                });
            }
            for grown in grown {
                let (name, branch_of) =
                    next_number(stays, &mut is_first, &mut self.counts.partials);
                let at = matched.iter().position(|reported| reported.captured == grown.captured);
                let reported = at.map(|at| matched.remove(at));
                if let Some(reported) = &reported {
                    winners.push((name, reported.captured.clone()));
                }
                effects.push(self.took(name, branch_of, &grown.captured, reported, Some(&grown)));
                open.push((name, grown));
            }
            for reported in matched {
                let (name, branch_of) =
                    next_number(stays, &mut is_first, &mut self.counts.partials);
                winners.push((name, reported.captured.clone()));
                let captured = reported.captured.clone();
                effects.push(self.took(name, branch_of, &captured, Some(reported), None));
            }
            let is_over = same.is_none() && !had_children && is_first;
            if let Some(same) = same {
                open.push((*number, same));
            }
            if !is_over
                || effects
                    .last()
                    .is_some_and(|last| last.partial == Some(*number) && last.reported.is_some())
            {
                continue;
            }
            let fate = if !stops.is_empty() {
                // Of an absence that would have been a match in the end.
                let is_pending = self.judge().then(&waiting.states) == Then::Match;
                let deadline = waiting.deadline.filter(|_| is_pending);
                let left = deadline.map(|deadline| deadline.millis_since(event.time()));
                Some(Fate::Stopped { by: stops, left })
            } else if !verdict.goes_on && !waiting.states.is_empty() {
                let repeats = self.matcher.program().repeat.is_some();
                Some(if repeats && misfits.is_empty() {
                    Fate::Stopped { by: self.judge().absent(waiting), left: None }
                } else {
                    Fate::Broken(misfits)
                })
            } else {
                None
            };
            match fate {
                Some(fate) => {
                    effects.push(Effect {
                        partial: Some(*number),
                        fate,
                        reported: None,
                        waits: None,
                    });
                }
                None => gone.push(*number),
            }
        }
        self.starts(judged, &mut after, reported, seq, &mut open, &mut effects, &mut winners);
        let skip = self.skip_effect();
        let skips =
            self.info.rule.pattern.skip.strategy != SkipStrategy::None || self.over.is_some();
        let winner = winners.first().map(|(number, _)| *number).filter(|_| skips);
        for number in gone {
            let fate = match winner {
                Some(by) if by != number => Fate::Dropped { by, skip: skip.clone() },
                _ if overflow => Fate::Overflow,
                _ => Fate::RanOut {
                    bound: String::from("the time of the next step"),
                    awaited: Vec::new(),
                },
            };
            effects.push(Effect { partial: Some(number), fate, reported: None, waits: None });
        }
        if judged.start.takes && !effects.iter().any(|effect| is_start(&effect.fate)) {
            let fate = match winner {
                Some(by) => Fate::Covered { by, skip },
                None => Fate::Overflow,
            };
            effects.push(Effect { partial: None, fate, reported: None, waits: None });
        } else if overflow && effects.iter().all(|effect| effect.fate != Fate::Overflow) {
            effects.push(Effect {
                partial: None,
                fate: Fate::Overflow,
                reported: None,
                waits: None,
            });
        }
        // What came too late for a partial match that time has ended is what people ask for most.
        let ty = event.type_id();
        let is_used = effects
            .iter()
            .any(|effect| matches!(effect.fate, Fate::Started { .. } | Fate::Took { .. }));
        let mut ended = self.ended.iter().rev().filter(|_| !is_used);
        if let Some(ended) = ended.find(|ended| ended.types.contains(&ty)) {
            let fate = Fate::TooLate { ended: ended.at, matched: ended.matched };
            effects.push(Effect { partial: Some(ended.number), fate, reported: None, waits: None });
            let number = ended.number;
            self.ended.retain(|ended| ended.number != number);
        }
        for (silence, is_it) in [(judged.too_soon.take(), false), (judged.silences.take(), true)] {
            if let Some((not, until)) = silence {
                let fate = if is_it {
                    Fate::Silenced { not, until }
                } else {
                    Fate::TooSoon { not, until }
                };
                effects.push(Effect { partial: None, fate, reported: None, waits: None });
            }
        }
        let misfits = std::mem::take(&mut judged.start.misfits);
        // What was said of another partial match already need not be said again.
        let is_said = |misfit: &Misfit| {
            effects.iter().any(|effect| match &effect.fate {
                Fate::Skipped(said) | Fate::Broken(said) => said.contains(misfit),
                _ => false,
            })
        };
        let mut says = misfits.iter();
        let says_more = says.any(|misfit| !misfit.is_of_other_type() && !is_said(misfit));
        if !judged.start.takes && (says_more || effects.is_empty()) {
            let fate = Fate::NotStarted(misfits);
            effects.push(Effect { partial: None, fate, reported: None, waits: None });
        }
        effects.sort_by_key(|effect| effect.partial.unwrap_or(u64::MAX));
        open.sort_by_key(|(number, _)| *number);
        self.open = open;
        effects
    }

    #[expect(clippy::too_many_arguments, reason = "what one event has done, in its parts")]
    fn starts(
        &mut self,
        judged: &Judged,
        after: &mut [Option<Waiting>],
        reported: Vec<Heard>,
        seq: u64,
        open: &mut Vec<(u64, Waiting)>,
        effects: &mut Vec<Effect>,
        winners: &mut Vec<(u64, Vec<(StageId, u64)>)>,
    ) {
        if !judged.start.takes {
            return;
        }
        let is_new =
            |captured: &[(StageId, u64)]| matches!(captured, [(_, first)] if *first == seq);
        let mut reported: Vec<Heard> =
            reported.into_iter().filter(|reported| is_new(&reported.captured)).collect();
        let new = after
            .iter_mut()
            .filter(|after| after.as_ref().is_some_and(|after| is_new(&after.captured)));
        let new: Vec<Waiting> = new.filter_map(Option::take).collect();
        for new in new {
            let at = reported.iter().position(|reported| reported.captured == new.captured);
            let reported = at.map(|at| reported.remove(at));
            self.start(&new.captured.clone(), reported, Some(new), open, effects, winners);
        }
        for reported in reported {
            self.start(&reported.captured.clone(), Some(reported), None, open, effects, winners);
        }
    }

    fn start(
        &mut self,
        captured: &[(StageId, u64)],
        reported: Option<Heard>,
        new: Option<Waiting>,
        open: &mut Vec<(u64, Waiting)>,
        effects: &mut Vec<Effect>,
        winners: &mut Vec<(u64, Vec<(StageId, u64)>)>,
    ) {
        self.counts.partials += 1;
        let number = self.counts.partials;
        let took = self.took(number, None, captured, reported, new.as_ref());
        if took.reported.is_some() {
            winners.push((number, captured.to_vec()));
        }
        let fate = match took.fate {
            Fate::Took { step, count, .. } => Fate::Started { step, count },
            other => other,
        };
        effects.push(Effect { fate, ..took });
        open.extend(new.map(|new| (number, new)));
    }

    /// The effect of an event that was taken as the last of `captured`.
    fn took(
        &self,
        number: u64,
        branch_of: Option<u64>,
        captured: &[(StageId, u64)],
        reported: Option<Heard>,
        waiting: Option<&Waiting>,
    ) -> Effect {
        let judge = self.judge();
        let stage = captured.last().map(|(stage, _)| *stage);
        let waits = waiting.map(|waiting| {
            let captures = Matcher::captures_of(&self.store, &self.state, &waiting.captured);
            judge.waits(waiting, captures)
        });
        Effect {
            partial: Some(number),
            fate: Fate::Took {
                step: stage.map_or("?", |stage| judge.words.stage(stage)).into(),
                count: stage.and_then(|stage| judge.count(stage, captured)),
                branch_of,
            },
            reported: reported.map(|reported| reported.reported),
            waits,
        }
    }

    fn seen(&self, event: &E, line: Option<u64>) -> Seen {
        let ty = event.type_id();
        let schema = &self.info.schema;
        if ty.index() >= schema.len() {
            let name = event.describe().unwrap_or("event");
            let (ty, fields) = (name.into(), Vec::new());
            return Seen { line, made_by: None, ty, fields };
        }
        let ty = schema.ty(ty);
        let is_key = |name: &str| self.info.rule.key.iter().any(|part| *part.name == *name);
        let fields = ty.fields.iter().enumerate().filter(|(index, field)| {
            ty.time.is_none_or(|time| time.index() != *index) && !is_key(&field.name)
        });
        let fields = fields
            .map(|(index, field)| (field.name.clone(), event.field(FieldId::new(index)).to_value()))
            .filter(|(_, value)| !value.is_null());
        let (ty, fields) = (ty.name.clone(), fields.take(SHOWN_FIELDS).collect());
        Seen { line, made_by: None, ty, fields }
    }

    fn add(&mut self, at: Timestamp, cause: Cause, effects: Vec<Effect>) {
        let (effects, more) = shortened(effects);
        let entry = Entry { at, cause, effects, more, at_end: self.finished };
        match self.keep {
            Keep::First(count) if self.entries.len() >= count => self.left_out += 1,
            Keep::Last(count) if self.entries.len() >= count => {
                self.left_out += 1;
                self.entries.pop_front();
                if count > 0 {
                    self.entries.push_back(entry);
                }
            }
            _ => self.entries.push_back(entry),
        }
    }
}

/// The effects that are kept, and how many more there were. What changed something goes first.
fn shortened(mut effects: Vec<Effect>) -> (Vec<Effect>, usize) {
    let more = effects.len().saturating_sub(KEPT_EFFECTS);
    if more > 0 {
        effects.sort_by_key(|effect| {
            (matches!(effect.fate, Fate::Skipped(_)), effect.partial.is_some())
        });
        effects.truncate(KEPT_EFFECTS);
        effects.sort_by_key(|effect| effect.partial.unwrap_or(u64::MAX));
    }
    (effects, more)
}

fn is_start(fate: &Fate) -> bool {
    matches!(fate, Fate::Started { .. })
}

/// An outcome that was reported, by what it has captured.
struct Heard {
    captured: Vec<(StageId, u64)>,
    reported: Reported,
}

/// What there is to say of an event before it changes anything.
struct Judged {
    partials: Vec<Verdict>,
    start: Verdict,
    /// What came too short a time before one could start, and from when on one can.
    too_soon: Option<(String, Timestamp)>,
    /// The same, if the event is what must not come before.
    silences: Option<(String, Timestamp)>,
}

/// What an event could do to one partial match.
struct Verdict {
    misfits: Vec<Misfit>,
    stopped_by: Vec<String>,
    /// Whether there is a way on, or it is complete as it can grow no more.
    goes_on: bool,
    /// Whether it is complete without the event.
    completes: bool,
    /// Whether it is taken.
    takes: bool,
}
