//! Expiry of a rule's keys: timers of deadlines that report something, and sweeps of those that merely
//! free memory.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::stream::keys::table::{At, KeyTable, RuleState, SlotId};
use crate::stream::keys::{GROUP_SIZE, MIN_OPEN_RUNS};
use crate::stream::output::matched::Match;
use crate::stream::output::overflow::{LimitKind, LimitedKey, Overflow};
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::Sink;
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::context::SweepContext;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::runtime::ending::give_up;
use crate::stream::rule::sweeps::Sweeps;
use crate::stream::rule::timers::{Timer, Timers};
use crate::stream::stats::Stats;
use kleene_automata::exec::{
    FETCHES, KeyState, LastSet, Matcher, OpenCount, Outcome, OutcomeKind, Store,
};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> RuleRuntime<E> {
    /// Schedules the expiry timer of a key's state. Returns true if the state is empty and must be
    /// dropped.
    pub(in crate::stream) fn schedule(
        &mut self,
        index: u32,
        id: SlotId,
        held: &mut RuleState,
        timers: &mut Timers,
        stats: &mut Stats,
    ) -> bool {
        if held.state.is_idle() {
            stats.keys -= 1;
            return true;
        }
        self.schedule_open(index, id, held, timers);
        false
    }

    /// Schedules the expiry of a key that had no state before. An entry for a sweep may exist, which
    /// counts if it is for the same moment.
    #[inline(always)]
    pub(super) fn schedule_reactivated(
        &mut self,
        index: u32,
        id: SlotId,
        held: &mut RuleState,
        timers: &mut Timers,
    ) {
        if self.sweeps.is_some() {
            let last = self.matcher.last_deadline(&held.state);
            self.schedule_sweep(index, id, held, last, timers);
        } else {
            self.schedule_open(index, id, held, timers);
        }
    }

    /// Schedules the expiry of a key with state: a sweep if there is none, or the timer of a
    /// deadline that is earlier than the scheduled one.
    #[inline(always)]
    pub(super) fn schedule_open(
        &mut self,
        index: u32,
        id: SlotId,
        held: &mut RuleState,
        timers: &mut Timers,
    ) {
        if self.sweeps.is_some() {
            if held.armed == Timestamp::MAX {
                let last = self.matcher.last_deadline(&held.state);
                self.schedule_sweep(index, id, held, last, timers);
            }
            return;
        }
        if let Some(deadline) = self.matcher.deadline(&held.state)
            && deadline < held.armed
        {
            held.armed = deadline;
            timers.add(Timer { at: deadline, rule: index, id });
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
        let At { id, held, .. } = keys.at_mut(slot, place);
        held.armed = armed;
        let is_open = !held.state.is_idle();
        match &mut self.sweeps {
            Some(_) if armed <= cx.now && is_open => {
                self.sweep_key(keys, (slot, place), cx);
                self.account(cx.stats);
                return;
            }
            _ if armed == Timestamp::MAX => {}
            None => cx.timers.add(Timer { at: armed, rule: cx.rule, id }),
            Some(sweeps) => note(sweeps, cx.rule, armed, id, cx.timers),
        }
        self.schedule(cx.rule, id, held, cx.timers, cx.stats);
    }

    /// Schedules a sweep of a key after its last deadline, if it has one.
    fn schedule_sweep(
        &mut self,
        index: u32,
        id: SlotId,
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
                note(sweeps, index, at, id, timers);
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
            for &id in noted {
                let Some(place) = keys.armed(id, cx.rule, cx.now) else { continue };
                self.sweep_key(keys, (id.slot, place), cx);
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
        let At { id, held, .. } = keys.at_mut(slot, place);
        if held.state.is_idle() {
            keys.evict(slot);
            return;
        }
        held.armed = Timestamp::MAX;
        match self.matcher.last_deadline(&held.state) {
            Some(last) if last > cx.now => {
                self.schedule_sweep(cx.rule, id, held, Some(last), cx.timers);
            }
            Some(_) => {
                let before = held.state.open_count();
                let report: &mut dyn FnMut(Outcome<'_, E>) = &mut |_| {};
                self.matcher.advance(&mut self.store, &mut held.state, cx.now, report);
                cx.stats.count(before, held.state.open_count());
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
    fn fetch(&self, index: u32, keys: &KeyTable, noted: &[SlotId], now: Timestamp) {
        for SlotId { slot, .. } in noted {
            keys.prefetch(*slot);
        }
        let mut over: SmallVec<[&KeyState; GROUP_SIZE]> = SmallVec::new();
        for &id in noted {
            if keys.armed(id, index, now).is_some()
                && let Some(RuleState { state, .. }) = keys.held(id.slot, index)
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
        sweeps.retain(|at, id| keys.armed(id, index, at).is_some());
        sweeps.len()
    }

    /// Advances one state to `now`, and reports its outputs.
    fn expire_one<S: Receiver<E> + ?Sized>(
        &mut self,
        At { key, held: RuleState { state, .. }, .. }: At<'_>,
        now: Timestamp,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        let (before, mut last) = (state.open_count(), now);
        move_on(matcher, store, state, now, &mut |outcome| {
            last = outcome.at();
            let reported = Match::new(info, key, outcome);
            emitter.report(reported, outcome.kind(), schema, accounting, sink);
        });
        if let Some(reached) = ReachedLimits::take(store) {
            reached.report(LimitedKey::new(&info.rule, key), last, accounting, sink);
        }
        self.end_if_ended(state, &mut accounting.stats);
        accounting.stats.count(before, state.open_count());
        self.account(&mut accounting.stats);
    }

    /// Reports the open outputs of the states at these positions of slots at the end of the stream.
    pub(in crate::stream) fn expire_last<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        places: &[(u32, usize)],
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        // A partial match without a deadline can be complete now that nothing can come any more. No
        // other rule sees this match: the time of its event is over.
        self.emitter.on_match = None;
        self.expire(keys, places, Timestamp::MAX, accounting, sink);
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
        if let [(slot, place)] = *places {
            self.expire_one(keys.at_mut(slot, place), now, accounting, sink);
            return;
        }
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        // Keys are independent, but their outputs at one moment have one order.
        let mut held = Vec::new();
        let mut sets = LastSet::default();
        let mut limited: HashMap<u32, ReachedLimits> = HashMap::new();
        for &(slot, place) in places {
            let RuleState { state, .. } = keys.at_mut(slot, place).held;
            let before = state.open_count();
            move_on(matcher, store, state, now, &mut |outcome| {
                let order = (outcome.kind() == OutcomeKind::Match, outcome.start_seq());
                held.push((order, slot, outcome.hold(&mut sets)));
            });
            if let Some(reached) = ReachedLimits::take(store) {
                limited.insert(slot, reached);
            }
            accounting.stats.count(before, state.open_count());
        }
        held.sort_by_key(|(order, ..)| *order);
        let mut ended: Vec<u32> = Vec::new();
        // A limit is reported after the last output of its key: shards order both alike.
        let last_of: HashMap<u32, usize> = if limited.is_empty() {
            HashMap::new()
        } else {
            held.iter().enumerate().map(|(index, (_, slot, _))| (*slot, index)).collect()
        };
        for (index, (_, slot, held)) in held.iter().enumerate() {
            let outcome = held.outcome(matcher.program());
            let key = &keys.slot(*slot).key;
            let reported = Match::new(info, key, outcome);
            emitter.report(reported, outcome.kind(), schema, accounting, sink);
            if last_of.get(slot) == Some(&index)
                && let Some(reached) = limited.remove(slot)
            {
                let key = LimitedKey::new(&info.rule, key);
                reached.report(key, outcome.at(), accounting, sink);
            }
            if emitter.take_ended_key() {
                ended.push(*slot);
            }
        }
        drop(held);
        for &(slot, place) in places.iter().filter(|(slot, _)| ended.contains(slot)) {
            let RuleState { state, .. } = keys.at_mut(slot, place).held;
            let before = state.open_count();
            give_up(matcher, store, state, &mut accounting.stats);
            accounting.stats.count(before, OpenCount::default());
        }
        self.account(&mut accounting.stats);
    }
}

/// The limits that a key has reached at a deadline.
struct ReachedLimits {
    /// The number of silences that end.
    silences: u64,
    /// The number of matches that were not listed.
    unlisted: u64,
}

impl ReachedLimits {
    /// Returns the limits that were reached since the last call, if there are any.
    #[inline]
    fn take<E>(store: &mut Store<E>) -> Option<ReachedLimits> {
        let reached =
            ReachedLimits { silences: store.take_cut_off(), unlisted: store.take_unlisted() };
        (reached.silences > 0 || reached.unlisted > 0).then_some(reached)
    }

    #[cold]
    fn report<E: Event, S: Receiver<E> + ?Sized>(
        self,
        key: LimitedKey,
        time: Timestamp,
        accounting: &mut Accounting<E>,
        sink: &mut S,
    ) {
        let ReachedLimits { silences, unlisted } = self;
        let key = Some(Box::new(key));
        if silences > 0 {
            accounting.stats.overflowed += silences;
            let (limit, key) = (LimitKind::Repetitions, key.clone());
            sink.outputs().overflowed(Overflow::of_key(limit, key, time, silences));
        }
        if unlisted > 0 {
            accounting.stats.overflowed += 1;
            let limit = LimitKind::MatchesPerSet;
            sink.outputs().overflowed(Overflow::of_key(limit, key, time, unlisted));
        }
    }
}

/// Schedules a key for a sweep of a rule. The rule has one timer for each moment.
fn note(sweeps: &mut Sweeps, rule: u32, at: Timestamp, id: SlotId, timers: &mut Timers) {
    timers.note(1);
    if sweeps.add(at, id) {
        timers.add(Timer::of_sweep(at, rule));
    }
}

/// Advances a key to a time. Only the end of the stream is at the greatest timestamp.
fn move_on<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    now: Timestamp,
    // One type for all closures: each type would be a copy of all forms.
    report: &mut dyn FnMut(Outcome<'_, E>),
) {
    if now == Timestamp::MAX {
        matcher.end_time(store, state, report);
    } else {
        matcher.advance(store, state, now, report);
    }
}
