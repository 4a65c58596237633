//! One rule as an engine runs it.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::event::Event;
use crate::exec::{KeyState, Matcher, Outcome, OutcomeKind, Store};
use crate::hir::{Length, LimitPolicy};
use crate::nfa::Program;
use crate::ruleset::RuleSet;
use crate::schema::{Schema, TypeId};
use crate::stream::builder::BuildError;
use crate::stream::failure::{Failure, LimitFailure, PushError};
use crate::stream::groups::Visit;
use crate::stream::partition::{Held, Partition};
use crate::stream::sink::{Overflow, Sink};
use crate::stream::stats::Stats;
use crate::stream::suppress::Quiet;
use crate::stream::timers::{Timer, Timers};
use crate::stream::told::{Match, RuleInfo};
use crate::stream::voice::{Books, Voice};
use crate::time::Timestamp;

/// A rule and what it holds.
pub(crate) struct Running<E: Event> {
    pub(super) info: RuleInfo,
    pub(super) matcher: Matcher<E>,
    pub(super) store: Store<E>,
    /// How many bytes of the store are in the engine's count.
    pub(super) accounted: u64,
    /// The rules that it shares its keys with.
    pub(super) group: u32,
    /// The event types that are declared with the rule; those of the events where `None`.
    pub(super) declared: Option<Arc<Schema>>,
    /// Whether it comes from rule text, so that it can be replaced.
    pub(super) is_text: bool,
    /// The rule set that it is of, where there is one.
    pub(super) text: Option<RuleSet>,
    pub(super) voice: Voice,
    /// By how many milliseconds its timers may be late: not 0 only where nothing can be told at a
    /// deadline, so that timers merely free memory.
    slack: i64,
}

impl<E: Event> Running<E> {
    pub(crate) fn new(
        info: RuleInfo,
        matcher: Matcher<E>,
        declared: Option<Arc<Schema>>,
        is_text: bool,
        text: Option<RuleSet>,
    ) -> Running<E> {
        let (store, slack) = (matcher.create_store(), slack(matcher.program()));
        let voice = Voice::new(&info.rule);
        let group = u32::MAX;
        let accounted = 0;
        Running { info, matcher, store, accounted, group, declared, is_text, text, voice, slack }
    }

    /// The same rule, holding nothing and not linked to others.
    pub(super) fn anew(&self) -> Running<E> {
        let Running { info, matcher, declared, is_text, text, .. } = self;
        let (info, matcher) = (info.clone(), matcher.clone());
        Running::new(info, matcher, declared.clone(), *is_text, text.clone())
    }

    /// Prepares what this rule makes for other rules, of which some see the types `read`. Fails where
    /// there can be no such events.
    pub(super) fn link(&mut self, read: &HashSet<TypeId>) -> Result<(), BuildError> {
        self.voice.link::<E>(&self.info, read)
    }
}

/// An eighth of `within` for rules that tell nothing at deadlines: a key that stays busy then sets a
/// timer for every few of its partial matches, not for each.
fn slack(program: &Program) -> i64 {
    match program.within().and_then(Length::as_millis) {
        Some(within) if !program.tells_at_deadlines() => within / 8,
        _ => 0,
    }
}

impl<E: Event> Running<E> {
    /// Heap bytes, without its keys.
    pub(super) fn memory_usage(&self) -> usize {
        let quiet = self.voice.quiet.as_ref().map_or(0, Quiet::memory_usage);
        self.store.memory_usage() + quiet
    }

    /// Gives an event to the key that it is of.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the parts of an engine that a rule needs")]
    pub(super) fn take<S: Sink<E> + ?Sized>(
        &mut self,
        index: u32,
        keys: &mut Partition,
        visit: &mut Visit<'_>,
        event: &E,
        seq: u64,
        timers: &mut Timers,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let Running { info, matcher, store, voice, .. } = self;
        let schema = &*info.schema;
        let dropped;
        let (slot, place) = if let Some((slot, place)) = visit.place(keys, index) {
            let (key, _, Held { state, .. }) = keys.at_mut(slot, place);
            let before = state.run_count();
            let mut tell = |outcome: Outcome<'_, E>| {
                voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
            };
            dropped = matcher.push(store, state, event, seq, &mut tell);
            count(&mut books.stats, before, state.run_count());
            (slot, place)
        } else if !matcher.can_start(event) {
            return;
        } else {
            // Most events start nothing, and then the key need not be remembered.
            let mut state = KeyState::default();
            let mut owned = None;
            let mut tell = |outcome: Outcome<'_, E>| {
                let key = owned.get_or_insert_with(|| visit.key.to_key());
                voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
            };
            dropped = matcher.push(store, &mut state, event, seq, &mut tell);
            if state.is_idle() {
                return;
            }
            count(&mut books.stats, 0, state.run_count());
            books.stats.keys += 1;
            visit.add(keys, index, state)
        };
        if dropped > 0 {
            books.stats.overflowed += 1;
            books.stand_at_event(sink);
            sink.overflowed(Overflow::Partials { rule: &info.rule, dropped });
            let limits = matcher.limits();
            if limits.policy == LimitPolicy::Fail {
                let (rule, key) = (info.rule.name.clone(), keys.slot(slot).key.to_vec());
                let key = info.rule.key.iter().map(|part| part.name.clone()).zip(key).collect();
                let (limit, at) = (limits.partial_matches_per_key, event.time());
                let failure = LimitFailure { rule, key, limit, at };
                books.failure = Some(PushError(Failure::Limit(Arc::new(failure))));
            }
        }
        let mut idle = self.settle(index, keys, (slot, place), timers, &mut books.stats);
        self.account(&mut books.stats);
        if books.hold_too_much() {
            self.overflow(keys.at_mut(slot, place).2, books, sink);
            idle = true;
        }
        if idle {
            // A slot has fewer places than there are rules.
            visit.idle.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// Makes sure that a timer waits for the next deadline of what is held at a place of a slot.
    /// Says if that is nothing any more: then the slot is to be made tidy.
    #[inline]
    pub(super) fn settle(
        &self,
        index: u32,
        keys: &mut Partition,
        (slot, place): (u32, usize),
        timers: &mut Timers,
        stats: &mut Stats,
    ) -> bool {
        let (_, generation, held) = keys.at_mut(slot, place);
        if held.state.is_idle() {
            stats.keys -= 1;
            return true;
        }
        if let Some(deadline) = self.matcher.deadline(&held.state) {
            let at = deadline.plus_millis(self.slack);
            if at < held.armed {
                held.armed = at;
                timers.add(Timer { at, rule: index, slot, generation });
            }
        }
        false
    }

    /// Sets the timer again that was set for what is held at a place of a slot, before it was kept
    /// elsewhere.
    pub(super) fn set_again(
        &self,
        index: u32,
        keys: &mut Partition,
        (slot, place): (u32, usize),
        armed: Timestamp,
        timers: &mut Timers,
        stats: &mut Stats,
    ) {
        let (_, generation, held) = keys.at_mut(slot, place);
        held.armed = armed;
        if armed < Timestamp::MAX {
            timers.add(Timer { at: armed, rule: index, slot, generation });
        }
        self.settle(index, keys, (slot, place), timers, stats);
    }

    /// Keeps the engine's count of bytes.
    #[inline]
    pub(super) fn account(&mut self, stats: &mut Stats) {
        let bytes = self.store.captured_bytes();
        stats.captured_bytes =
            stats.captured_bytes.wrapping_add(bytes.wrapping_sub(self.accounted));
        self.accounted = bytes;
    }

    /// Drops the partial matches of the key that made them too many, or too large.
    #[cold]
    fn overflow<S: Sink<E> + ?Sized>(
        &mut self,
        held: &mut Held,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        if held.state.is_idle() {
            return;
        }
        let rule = &*self.info.rule;
        let dropped = held.state.run_count();
        let overflow = if books.stats.captured_bytes > books.limits.captured_bytes {
            Overflow::Captured { rule, dropped }
        } else {
            Overflow::Partials { rule, dropped: dropped.max(1) }
        };
        self.matcher.clear(&mut self.store, &mut held.state);
        count(&mut books.stats, dropped, 0);
        books.stats.keys -= 1;
        books.stats.overflowed += 1;
        books.stand_at_event(sink);
        sink.overflowed(overflow);
        self.account(&mut books.stats);
    }

    /// Moves what the rule holds at these places of slots to `now` and tells what comes of it, by
    /// start.
    pub(super) fn expire<S: Sink<E> + ?Sized>(
        &mut self,
        keys: &mut Partition,
        places: &[(u32, usize)],
        now: Timestamp,
        books: &mut Books<E>,
        sink: &mut S,
    ) {
        let Running { info, matcher, store, voice, .. } = self;
        let schema = &*info.schema;
        if let [(slot, place)] = *places {
            let (key, _, Held { state, .. }) = keys.at_mut(slot, place);
            let before = state.run_count();
            move_on(matcher, store, state, now, &mut |outcome| {
                voice.tell(Match::new(info, key, outcome), outcome.kind(), schema, books, sink);
            });
            count(&mut books.stats, before, state.run_count());
            self.account(&mut books.stats);
            return;
        }
        // Keys are independent, but what they tell at one moment has one order.
        let mut held = Vec::new();
        for &(slot, place) in places {
            let (.., Held { state, .. }) = keys.at_mut(slot, place);
            let before = state.run_count();
            move_on(matcher, store, state, now, &mut |outcome| {
                let order = (outcome.kind() == OutcomeKind::Match, outcome.start_seq());
                held.push((order, slot, outcome.hold()));
            });
            count(&mut books.stats, before, state.run_count());
        }
        held.sort_by_key(|(order, ..)| *order);
        for (_, slot, held) in &held {
            let outcome = held.outcome(matcher.program());
            let told = Match::new(info, &keys.slot(*slot).key, outcome);
            voice.tell(told, outcome.kind(), schema, books, sink);
        }
        self.account(&mut books.stats);
    }
}

/// Moves a key's time. Only the end of the stream is at the end of time.
fn move_on<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    now: Timestamp,
    tell: &mut impl FnMut(Outcome<'_, E>),
) {
    if now == Timestamp::MAX {
        matcher.finish(store, state, tell);
    } else {
        matcher.advance(store, state, now, tell);
    }
}

/// Notes that a key that had `before` partial matches has `after`.
#[inline]
fn count(stats: &mut Stats, before: usize, after: usize) {
    stats.partials = stats.partials + after as u64 - before as u64;
}
