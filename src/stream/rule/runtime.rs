//! One rule as an engine runs it.

use std::sync::Arc;

use hashbrown::HashSet;
use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::{
    FETCHES, KeyState, LastSet, Matcher, Outcome, OutcomeKind, PrefilterOutcome, PushedEvent, Store,
};
use crate::hir::{Length, LimitPolicy};
use crate::nfa::Program;
use crate::ruleset::RuleSet;
use crate::schema::{Schema, TypeId};
use crate::stream::error::BuildError;
use crate::stream::error::{LimitFailure, PushError, PushFailure};
use crate::stream::keys::cursor::KeyCursor;
use crate::stream::keys::key::KeyRef;
use crate::stream::keys::reader::KeyClosures;
use crate::stream::keys::table::{At, KeyTable, RuleState};
use crate::stream::keys::{GROUP_SIZE, MIN_OPEN_RUNS};
use crate::stream::output::matched::{Match, RuleInfo};
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::{Overflow, Sink};
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::context::{KeyPlace, PushContext, SweepContext};
use crate::stream::rule::emitter::Emitter;
use crate::stream::rule::suppress::SuppressionTable;
use crate::stream::rule::sweeps::{Noted, Sweeps};
use crate::stream::rule::timers::{Timer, Timers};
use crate::stream::stats::Stats;
use crate::time::Timestamp;
use crate::value::Value;

/// A rule and its state.
pub(crate) struct RuleRuntime<E: Event> {
    pub(in crate::stream) info: RuleInfo,
    pub(in crate::stream) matcher: Matcher<E>,
    pub(in crate::stream) store: Store<E>,
    /// The bytes of the store that are in the engine's count.
    pub(in crate::stream) accounted: u64,
    /// The group of rules with the same key.
    pub(in crate::stream) group: u32,
    /// The closures of the key; `None` if it is in fields.
    pub(in crate::stream) key_closures: Option<KeyClosures<E>>,
    /// The event types that are declared with the rule; `None` if they are those of the events.
    pub(in crate::stream) declared: Option<Arc<Schema>>,
    /// True if the rule comes from rule text, so that it can be replaced.
    pub(in crate::stream) is_text: bool,
    /// The rule set of the rule, if there is one.
    pub(in crate::stream) text: Option<RuleSet>,
    pub(in crate::stream) emitter: Emitter,
    /// The schedule of sweeps, if deadlines report nothing.
    pub(in crate::stream) sweeps: Option<Sweeps>,
}

impl<E: Event> RuleRuntime<E> {
    pub(crate) fn new(
        info: RuleInfo,
        matcher: Matcher<E>,
        declared: Option<Arc<Schema>>,
        is_text: bool,
        text: Option<RuleSet>,
    ) -> RuleRuntime<E> {
        let (store, sweeps) = (matcher.create_store(), sweeps(matcher.program()));
        let emitter = Emitter::new(&info.rule);
        let group = u32::MAX;
        let accounted = 0;
        RuleRuntime {
            info,
            matcher,
            store,
            accounted,
            group,
            key_closures: None,
            declared,
            is_text,
            text,
            emitter,
            sweeps,
        }
    }

    /// Computes the parts of the key by closures, where there are any.
    pub(in crate::stream) fn with_key(self, key_closures: Option<KeyClosures<E>>) -> Self {
        RuleRuntime { key_closures, ..self }
    }

    /// Returns the same rule without state, not linked to others.
    pub(in crate::stream) fn anew(&self) -> RuleRuntime<E> {
        let RuleRuntime { info, matcher, declared, is_text, text, .. } = self;
        let (info, matcher) = (info.clone(), matcher.clone());
        let anew = RuleRuntime::new(info, matcher, declared.clone(), *is_text, text.clone());
        anew.with_key(self.key_closures.clone())
    }

    /// Prepares the derived events of the rule; other rules read the types `read`.
    ///
    /// # Errors
    /// [`BuildError`] if events of this Rust type cannot be made.
    pub(in crate::stream) fn link(&mut self, read: &HashSet<TypeId>) -> Result<(), BuildError> {
        self.emitter.link::<E>(&self.info, read)
    }
}

/// Returns the schedule of sweeps, if nothing is reported at deadlines. Expired state is dropped an
/// eighth of `within` later.
fn sweeps(program: &Program) -> Option<Sweeps> {
    match program.within().and_then(Length::as_millis) {
        Some(within) if !program.reports_at_deadlines() => Some(Sweeps::new(within / 8)),
        _ => None,
    }
}

impl<E: Event> RuleRuntime<E> {
    /// Returns the heap size in bytes, without the keys.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        let suppression =
            self.emitter.suppression.as_ref().map_or(0, SuppressionTable::memory_usage);
        let sweeps = self.sweeps.as_ref().map_or(0, Sweeps::memory_usage);
        self.store.memory_usage() + suppression + sweeps
    }

    /// Pushes an event to its key, while the cursor goes from rule to rule.
    #[inline]
    pub(in crate::stream) fn push<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        cursor: &mut KeyCursor<'_>,
        cx: &mut PushContext<'_, E, S>,
    ) {
        if self.emitter.is_over(&cursor.key) {
            self.end_key(cx.rule, keys, cursor, &mut cx.accounting.stats);
            return;
        }
        let (place, idle) = if let Some((slot, place)) = cursor.place(keys, cx.rule) {
            let at = keys.at_mut(slot, place);
            let runs = (at.held.state.run_count(), false);
            (place, self.push_open(at, runs, cx))
        } else if self.matcher.can_start(cx.event)
            && let Some((state, dropped)) = self.push_unkept(&cursor.key, cx)
        {
            let (slot, place) = cursor.add(keys, cx.rule, state);
            let at = keys.at_mut(slot, place);
            let runs = (at.held.state.run_count(), false);
            (place, self.enforce_limits(at, runs, dropped, cx))
        } else {
            return;
        };
        if idle {
            // A slot has fewer positions than there are rules.
            cursor.idle.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// Pushes an event to its key if no other rule reads the type. If `leaves`, slots of keys
    /// without state are [retained](KeyTable::retain).
    #[inline(always)]
    pub(in crate::stream) fn push_direct<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        key: KeyPlace<'_, E>,
        leaves: bool,
        cx: &mut PushContext<'_, E, S>,
    ) {
        if let Some(slot) = key.slot
            && let Some((place, at)) = keys.of_rule(slot, cx.rule)
        {
            if cx.prefilter == PrefilterOutcome::Counts {
                let (store, state) = (&mut self.store, &mut at.held.state);
                let may_begin = leaves && state.is_idle();
                let counted = self.matcher.count_on(store, state, may_begin, cx.event, cx.seq);
                if let Some(wakes) = counted {
                    cx.accounting.stats.partials += 1;
                    if wakes {
                        cx.accounting.stats.keys += 1;
                        let slot = (slot, at.generation);
                        self.schedule_open(cx.rule, slot, at.held, true, cx.timers);
                    }
                    self.account(&mut cx.accounting.stats);
                    let is_over = self.gives_way(at.held, cx.accounting, cx.sink);
                    if wakes {
                        keys.reactivate();
                    }
                    if is_over {
                        keys.drop_at(slot, place);
                    }
                    return;
                }
            }
            let before = at.held.state.run_count();
            let wakes = before == 0 && leaves && at.held.state.is_idle();
            if wakes {
                if !self.matcher.can_start(cx.event) {
                    return;
                }
                cx.accounting.stats.keys += 1;
            }
            let is_idle = self.push_open(at, (before, wakes), cx);
            if wakes {
                keys.reactivate();
            }
            if is_idle && !(leaves && keys.retain(slot)) {
                keys.drop_at(slot, place);
            }
        } else if self.matcher.can_start(cx.event) {
            self.push_first(keys, key, &mut cx.reborrow());
        }
    }

    /// Pushes an event that can start a partial match to a key without state.
    #[inline(never)]
    fn push_first<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        KeyPlace { reader, hash, slot }: KeyPlace<'_, E>,
        cx: &mut PushContext<'_, E, S>,
    ) {
        let Some(key) = &KeyRef::read_hashed(cx.event, reader, hash) else { return };
        if slot.is_none()
            && let Some(begins) = self.matcher.begins(cx.event, cx.prefilter)
        {
            if begins {
                // The state is built in the slot where it stays.
                let slot = keys.insert_idle(key, cx.rule);
                cx.accounting.stats.keys += 1;
                let at = keys.at_mut(slot, 0);
                if self.push_open(at, (0, false), cx) {
                    keys.drop_at(slot, 0);
                }
            }
            return;
        }
        let Some((state, dropped)) = self.push_unkept(key, cx) else { return };
        let (slot, place) = match slot {
            Some(slot) => {
                keys.add(slot, cx.rule, state);
                keys.tidy(slot);
                let Some(place) = keys.place(slot, cx.rule) else { return };
                (slot, place)
            }
            None => (keys.insert(key, cx.rule, state), 0),
        };
        let at = keys.at_mut(slot, place);
        let runs = (at.held.state.run_count(), false);
        if self.enforce_limits(at, runs, dropped, cx) {
            keys.drop_at(slot, place);
        }
    }

    /// Pushes an event to a key with `before` partial matches, or without state if the key `wakes`.
    /// Returns true if the key has no state afterwards.
    #[inline(always)]
    fn push_open<S: Receiver<E> + ?Sized>(
        &mut self,
        at: At<'_>,
        (before, wakes): (usize, bool),
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        let (key, state) = (at.key, &mut at.held.state);
        let (accounting, sink) = (&mut *cx.accounting, &mut *cx.sink);
        let mut report = |outcome: Outcome<'_, E>| {
            emitter.report(
                Match::new(info, key, outcome),
                outcome.kind(),
                schema,
                accounting,
                sink,
            );
        };
        let arrival = PushedEvent { event: cx.event, seq: cx.seq, prefilter: cx.prefilter };
        let dropped = matcher.push_prefiltered(store, state, arrival, &mut report);
        if emitter.take_ended_key() {
            give_up(matcher, store, state, &mut cx.accounting.stats);
        }
        let after = state.run_count();
        count(&mut cx.accounting.stats, before, after);
        self.enforce_limits(at, (after, wakes), dropped, cx)
    }

    /// Pushes an event that can start a partial match to a key that is not in the table. Returns
    /// the new state, if there is any, and the number of partial matches that were dropped.
    #[inline(always)]
    fn push_unkept<S: Receiver<E> + ?Sized>(
        &mut self,
        key: &KeyRef<'_>,
        cx: &mut PushContext<'_, E, S>,
    ) -> Option<(KeyState, usize)> {
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        // Most events start nothing, and then the key need not be stored.
        let mut state = KeyState::default();
        let mut owned = None;
        let (accounting, sink) = (&mut *cx.accounting, &mut *cx.sink);
        let mut report = |outcome: Outcome<'_, E>| {
            let key = owned.get_or_insert_with(|| key.to_key());
            emitter.report(
                Match::new(info, key, outcome),
                outcome.kind(),
                schema,
                accounting,
                sink,
            );
        };
        let arrival = PushedEvent { event: cx.event, seq: cx.seq, prefilter: cx.prefilter };
        let dropped = matcher.push_prefiltered(store, &mut state, arrival, &mut report);
        if emitter.take_ended_key() {
            give_up(matcher, store, &mut state, &mut cx.accounting.stats);
        }
        if state.is_idle() {
            return None;
        }
        count(&mut cx.accounting.stats, 0, state.run_count());
        cx.accounting.stats.keys += 1;
        Some((state, dropped))
    }

    /// Enforces limits and schedules the expiry timer. Returns true if the key's state is now empty
    /// and must be dropped.
    ///
    /// `dropped` is the number of partial matches that a limit has dropped for the event.
    #[inline(always)]
    fn enforce_limits<S: Receiver<E> + ?Sized>(
        &mut self,
        at: At<'_>,
        (count, wakes): (usize, bool),
        dropped: usize,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        if dropped > 0 {
            self.dropped(at.key, dropped, cx.event, cx.accounting, cx.sink);
        }
        let At { slot, generation, held, .. } = at;
        let is_idle = count == 0 && held.state.is_idle();
        if is_idle {
            cx.accounting.stats.keys -= 1;
        } else {
            self.schedule_open(cx.rule, (slot, generation), held, wakes, cx.timers);
        }
        self.account(&mut cx.accounting.stats);
        is_idle || self.gives_way(held, cx.accounting, cx.sink)
    }

    /// True if a limit over all rules and keys is exceeded, so that the key's state was dropped.
    #[inline(always)]
    fn gives_way<S: Receiver<E> + ?Sized>(
        &mut self,
        held: &mut RuleState,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) -> bool {
        let is_too_much = accounting.hold_too_much();
        if is_too_much {
            self.overflow(held, accounting, sink);
        }
        is_too_much
    }

    /// Reports the partial matches of a key that the rule's limit or the limit on steps has
    /// dropped.
    #[cold]
    fn dropped<S: Receiver<E> + ?Sized>(
        &mut self,
        key: &[Value],
        dropped: usize,
        event: &E,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        let RuleRuntime { info, matcher, store, .. } = self;
        let spent = store.take_spent();
        if spent > 0 {
            accounting.stats.overflowed += 1;
            accounting.set_position_of_event(sink);
            sink.outputs()
                .overflowed(Overflow::Steps { rule: info.rule.name.clone(), dropped: spent });
        }
        let unlisted = store.take_unlisted();
        if unlisted > 0 {
            accounting.stats.overflowed += 1;
            accounting.set_position_of_event(sink);
            let rule = info.rule.name.clone();
            sink.outputs().overflowed(Overflow::Unlisted { rule, matches: unlisted });
        }
        let unlisted = usize::try_from(unlisted).unwrap_or(usize::MAX);
        let dropped = dropped.saturating_sub(spent).saturating_sub(unlisted);
        if dropped == 0 {
            return;
        }
        accounting.stats.overflowed += 1;
        accounting.set_position_of_event(sink);
        sink.outputs().overflowed(Overflow::Partials { rule: info.rule.name.clone(), dropped });
        let limits = matcher.limits();
        if limits.policy == LimitPolicy::Fail {
            let names = info.rule.key.iter().map(|part| part.name.clone());
            let key = names.zip(key.iter().cloned()).collect();
            let (rule, limit) = (info.rule.name.clone(), limits.partial_matches_per_key);
            let failure = LimitFailure { rule, key, limit, at: event.time() };
            accounting.failure = Some(PushError(PushFailure::Limit(Arc::new(failure))));
        }
    }

    /// Schedules the expiry timer of a key's state. Returns true if the state is empty and must be
    /// dropped.
    pub(in crate::stream) fn schedule(
        &mut self,
        index: u32,
        (slot, generation): (u32, u32),
        held: &mut RuleState,
        timers: &mut Timers,
        stats: &mut Stats,
    ) -> bool {
        if held.state.is_idle() {
            stats.keys -= 1;
            return true;
        }
        self.schedule_open(index, (slot, generation), held, false, timers);
        false
    }

    /// Schedules the expiry timer of a key with state. If the key `wakes`, an entry for a sweep may
    /// exist, which counts if it is for the same moment.
    #[inline(always)]
    fn schedule_open(
        &mut self,
        index: u32,
        (slot, generation): (u32, u32),
        held: &mut RuleState,
        wakes: bool,
        timers: &mut Timers,
    ) {
        if self.sweeps.is_some() {
            if wakes || held.armed == Timestamp::MAX {
                let last = self.matcher.last_deadline(&held.state);
                self.schedule_sweep(index, (slot, generation), held, last, timers);
            }
            return;
        }
        if let Some(deadline) = self.matcher.deadline(&held.state)
            && deadline < held.armed
        {
            held.armed = deadline;
            timers.add(Timer { at: deadline, rule: index, slot, generation });
        }
    }

    /// Reschedules the timer of a state that was loaded from a cold store. A sweep that is due now
    /// is done here, and may drop the state.
    pub(in crate::stream) fn reschedule(
        &mut self,
        keys: &mut KeyTable,
        (slot, place): (u32, usize),
        armed: Timestamp,
        cx: &mut SweepContext<'_>,
    ) {
        let At { generation, held, .. } = keys.at_mut(slot, place);
        held.armed = armed;
        let is_open = !held.state.is_idle();
        match &mut self.sweeps {
            Some(_) if armed <= cx.now && is_open => {
                self.sweep_key(keys, (slot, place), cx);
                self.account(cx.stats);
                return;
            }
            _ if armed == Timestamp::MAX => {}
            None => cx.timers.add(Timer { at: armed, rule: cx.rule, slot, generation }),
            Some(sweeps) => note(sweeps, cx.rule, armed, (slot, generation), cx.timers),
        }
        self.schedule(cx.rule, (slot, generation), held, cx.timers, cx.stats);
    }

    /// Updates the engine's count of bytes.
    #[inline]
    pub(in crate::stream) fn account(&mut self, stats: &mut Stats) {
        let bytes = self.store.captured_bytes();
        stats.captured_bytes =
            stats.captured_bytes.wrapping_add(bytes.wrapping_sub(self.accounted));
        self.accounted = bytes;
    }

    /// Schedules a sweep of a key after its last deadline, if it has one.
    fn schedule_sweep(
        &mut self,
        index: u32,
        noted: (u32, u32),
        held: &mut RuleState,
        last: Option<Timestamp>,
        timers: &mut Timers,
    ) {
        let Some(sweeps) = &mut self.sweeps else { return };
        let at = last.map_or(Timestamp::MAX, |last| sweeps.after(last));
        if at != held.armed {
            held.armed = at;
            // The end of the stream needs no sweep.
            if at < Timestamp::MAX {
                note(sweeps, index, at, noted, timers);
            }
        }
    }

    /// Drops expired state of the keys that are scheduled for this sweep, without any output.
    pub(in crate::stream) fn sweep(&mut self, keys: &mut KeyTable, cx: &mut SweepContext<'_>) {
        let Some(sweeps) = &mut self.sweeps else { return };
        let noted = sweeps.take(cx.now);
        cx.timers.forget(noted.len());
        for noted in noted.chunks(GROUP_SIZE) {
            if cx.stats.partials >= MIN_OPEN_RUNS {
                self.fetch(cx.rule, keys, noted, cx.now);
            }
            for &(slot, generation) in noted {
                let Some(place) = keys.armed((slot, generation), cx.rule, cx.now) else { continue };
                self.sweep_key(keys, (slot, place), cx);
            }
        }
        if let Some(sweeps) = &mut self.sweeps {
            sweeps.give_back(noted);
        }
        self.account(cx.stats);
    }

    /// Drops the expired state at a position of a slot, and schedules another sweep if any state is
    /// left.
    ///
    /// Inlined: most keys of a sweep end here.
    #[inline(always)]
    fn sweep_key(
        &mut self,
        keys: &mut KeyTable,
        (slot, place): (u32, usize),
        cx: &mut SweepContext<'_>,
    ) {
        let At { generation, held, .. } = keys.at_mut(slot, place);
        if held.state.is_idle() {
            keys.evict(slot);
            return;
        }
        held.armed = Timestamp::MAX;
        match self.matcher.last_deadline(&held.state) {
            Some(last) if last > cx.now => {
                self.schedule_sweep(cx.rule, (slot, generation), held, Some(last), cx.timers);
            }
            Some(_) => {
                let before = held.state.run_count();
                self.matcher.advance(&mut self.store, &mut held.state, cx.now, &mut |_| {});
                count(cx.stats, before, held.state.run_count());
                if held.state.is_idle() {
                    cx.stats.keys -= 1;
                    keys.drop_at(slot, place);
                }
            }
            None => {}
        }
    }

    /// Prefetches the state that a sweep will read and drop.
    #[inline(never)]
    fn fetch(&self, index: u32, keys: &KeyTable, noted: &[Noted], now: Timestamp) {
        for (slot, _) in noted {
            keys.prefetch(*slot);
        }
        let mut over: SmallVec<[&KeyState; GROUP_SIZE]> = SmallVec::new();
        for &noted in noted {
            if keys.armed(noted, index, now).is_some()
                && let Some(RuleState { state, .. }) = keys.held(noted.0, index)
                && self.matcher.last_deadline(state).is_some_and(|last| last <= now)
            {
                over.push(state);
            }
        }
        for step in 0..FETCHES {
            over.retain(|state| self.matcher.prefetch(&self.store, state, now, step));
        }
    }

    /// Removes the sweep entries of keys that are gone. Returns the number of entries that are
    /// left.
    pub(in crate::stream) fn prune(&mut self, index: u32, keys: &mut KeyTable) -> usize {
        let Some(sweeps) = &mut self.sweeps else { return 0 };
        keys.evict_idle();
        sweeps.retain(|at, noted| keys.armed(noted, index, at).is_some());
        sweeps.len()
    }

    /// Drops the partial matches of the key that exceeded a limit over all keys.
    #[cold]
    fn overflow<S: Receiver<E> + ?Sized>(
        &mut self,
        held: &mut RuleState,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        if held.state.is_idle() {
            return;
        }
        let rule = self.info.rule.name.clone();
        let dropped = held.state.run_count();
        let overflow = if accounting.stats.captured_bytes > accounting.limits.captured_bytes {
            Overflow::Captured { rule, dropped }
        } else {
            Overflow::Partials { rule, dropped: dropped.max(1) }
        };
        self.matcher.clear(&mut self.store, &mut held.state);
        count(&mut accounting.stats, dropped, 0);
        accounting.stats.keys -= 1;
        accounting.stats.overflowed += 1;
        accounting.set_position_of_event(sink);
        sink.outputs().overflowed(overflow);
        self.account(&mut accounting.stats);
    }

    /// Advances the states at these positions of slots to `now`, and reports their outputs by
    /// start.
    pub(in crate::stream) fn expire<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        places: &[(u32, usize)],
        now: Timestamp,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        self.move_places(keys, places, now, accounting, sink);
        let cut_off = self.store.take_cut_off();
        if cut_off > 0 {
            accounting.stats.overflowed += cut_off;
            sink.outputs().overflowed(Overflow::Repetitions {
                rule: self.info.rule.name.clone(),
                silences: cut_off,
            });
        }
    }

    fn move_places<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        places: &[(u32, usize)],
        now: Timestamp,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        if let [(slot, place)] = *places {
            let At { key, held: RuleState { state, .. }, .. } = keys.at_mut(slot, place);
            let before = state.run_count();
            move_on(matcher, store, state, now, &mut |outcome| {
                emitter.report(
                    Match::new(info, key, outcome),
                    outcome.kind(),
                    schema,
                    accounting,
                    sink,
                );
            });
            if emitter.take_ended_key() {
                give_up(matcher, store, state, &mut accounting.stats);
            }
            count(&mut accounting.stats, before, state.run_count());
            self.account(&mut accounting.stats);
            return;
        }
        // Keys are independent, but their outputs at one moment have one order.
        let mut held = Vec::new();
        let mut sets = LastSet::default();
        for &(slot, place) in places {
            let RuleState { state, .. } = keys.at_mut(slot, place).held;
            let before = state.run_count();
            move_on(matcher, store, state, now, &mut |outcome| {
                let order = (outcome.kind() == OutcomeKind::Match, outcome.start_seq());
                held.push((order, slot, outcome.hold(&mut sets)));
            });
            count(&mut accounting.stats, before, state.run_count());
        }
        held.sort_by_key(|(order, ..)| *order);
        let mut ended: Vec<u32> = Vec::new();
        for (_, slot, held) in &held {
            let outcome = held.outcome(matcher.program());
            let reported = Match::new(info, &keys.slot(*slot).key, outcome);
            emitter.report(reported, outcome.kind(), schema, accounting, sink);
            if emitter.take_ended_key() {
                ended.push(*slot);
            }
        }
        drop(held);
        for &(slot, place) in places.iter().filter(|(slot, _)| ended.contains(slot)) {
            let RuleState { state, .. } = keys.at_mut(slot, place).held;
            let before = state.run_count();
            give_up(matcher, store, state, &mut accounting.stats);
            count(&mut accounting.stats, before, 0);
        }
        self.account(&mut accounting.stats);
    }

    /// Drops the state of an event's key for which the rule is over (`once`). A cold store has kept
    /// the state since before the match that ended the rule.
    #[cold]
    fn end_key(
        &mut self,
        index: u32,
        keys: &mut KeyTable,
        cursor: &mut KeyCursor<'_>,
        stats: &mut Stats,
    ) {
        let Some((slot, place)) = cursor.place(keys, index) else { return };
        self.end_at(keys, slot, place, stats);
        // A slot has fewer positions than there are rules.
        cursor.idle.push(u32::try_from(place).unwrap_or(u32::MAX));
        self.account(stats);
    }

    /// Drops all state: the rule is over (`once per rule`).
    #[cold]
    pub(in crate::stream) fn end(&mut self, index: u32, keys: &mut KeyTable, stats: &mut Stats) {
        let has_rule = |held: &[RuleState]| held.iter().any(|held| held.rule == index);
        let slots = keys.slots().filter(|(_, slot)| has_rule(slot.held()));
        let slots: Vec<u32> = slots.map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(place) = keys.place(slot, index) {
                self.end_at(keys, slot, place, stats);
                keys.drop_at(slot, place);
            }
        }
        self.account(stats);
    }

    fn end_at(&mut self, keys: &mut KeyTable, slot: u32, place: usize, stats: &mut Stats) {
        let RuleState { state, .. } = keys.at_mut(slot, place).held;
        let before = state.run_count();
        give_up(&self.matcher, &mut self.store, state, stats);
        count(stats, before, 0);
        stats.keys -= 1;
    }
}

/// Drops the partial matches of a key that is over (`once`).
#[cold]
fn give_up<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    stats: &mut Stats,
) {
    stats.ended += state.run_count() as u64;
    matcher.clear(store, state);
}

/// Schedules a key for a sweep of a rule. The rule has one timer for each moment.
fn note(sweeps: &mut Sweeps, rule: u32, at: Timestamp, noted: (u32, u32), timers: &mut Timers) {
    timers.note(1);
    if sweeps.add(at, noted) {
        timers.add(Timer::of_sweep(at, rule));
    }
}

/// Advances a key to a time. Only the end of the stream is at the greatest timestamp.
fn move_on<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    now: Timestamp,
    report: &mut impl FnMut(Outcome<'_, E>),
) {
    if now == Timestamp::MAX {
        matcher.finish(store, state, report);
    } else {
        matcher.advance(store, state, now, report);
    }
}

/// Counts the change of a key's partial matches from `before` to `after`.
#[inline]
fn count(stats: &mut Stats, before: usize, after: usize) {
    stats.partials = stats.partials + after as u64 - before as u64;
}
