//! The push of an event to a key of a rule, and the limits that it may reach.

use std::sync::Arc;

use crate::stream::error::{LimitFailure, PushError, PushFailure};
use crate::stream::keys::cursor::KeyCursor;
use crate::stream::keys::key_ref::KeyRef;
use crate::stream::keys::table::{At, KeyTable, RuleState};
use crate::stream::output::matched::Match;
use crate::stream::output::overflow::{LimitKind, LimitedKey, Overflow};
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::Sink;
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::context::{KeyPlace, OnlyReader, PushContext};
use crate::stream::rule::runtime::RuleRuntime;
use kleene_automata::exec::{KeyState, OpenCount, Outcome};
use kleene_event::event::Event;
use kleene_event::value::Value;
use kleene_syntax::hir::LimitPolicy;

/// The partial matches of a key.
#[derive(Clone, Copy)]
struct RunCount {
    now: OpenCount,
    /// True if the key's slot was retained without state, and the event gives it state again.
    reactivates: bool,
}

impl RunCount {
    const NOTHING: RunCount =
        RunCount { now: OpenCount { listed: 0, grouped: 0 }, reactivates: false };

    /// Returns the count of a state in the table.
    #[inline(always)]
    fn stored(held: &RuleState) -> RunCount {
        RunCount { now: held.state.open_count(), ..RunCount::NOTHING }
    }
}

impl<E: Event> RuleRuntime<E> {
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
            let before = RunCount::stored(at.held);
            (place, self.push_open(at, before, cx))
        } else if self.matcher.can_start(cx.event)
            && let Some((state, dropped)) = self.push_unkept(&cursor.key, cx)
        {
            let (slot, place) = cursor.add(keys, cx.rule, state);
            (place, self.enforce_limits_of_new(keys.at_mut(slot, place), dropped, cx))
        } else {
            return;
        };
        if idle {
            // A slot has fewer positions than there are rules.
            cursor.idle.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// Pushes an event to its key if no other rule reads the type. Slots of keys without state can be
    /// [retained](KeyTable::retain).
    #[inline(always)]
    pub(in crate::stream) fn push_direct<S: Receiver<E> + ?Sized>(
        &mut self,
        keys: &mut KeyTable,
        key: KeyPlace<'_, E>,
        only: OnlyReader,
        cx: &mut PushContext<'_, E, S>,
    ) {
        let OnlyReader { retains, can_start } = only;
        if let Some(slot) = key.slot
            && let Some((place, at)) = keys.of_rule(slot, cx.rule)
        {
            let (store, state) = (&mut self.store, &mut at.held.state);
            let counted = self.matcher.count_on(store, state, retains, &cx.arrival());
            let (reactivates, is_idle) = if let Some(begins) = counted {
                (begins, self.enforce_limits_of_counted(at, begins, cx))
            } else {
                let now = at.held.state.open_count();
                let reactivates = now.is_none() && retains && at.held.state.is_idle();
                if reactivates {
                    if !can_start {
                        return;
                    }
                    cx.accounting.stats.keys += 1;
                }
                (reactivates, self.push_open(at, RunCount { now, reactivates }, cx))
            };
            if reactivates {
                keys.reactivate();
            }
            if is_idle && !(retains && keys.retain(slot)) {
                keys.drop_at(slot, place);
            }
        } else if can_start {
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
                if self.push_open(at, RunCount::NOTHING, cx) {
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
        if self.enforce_limits_of_new(keys.at_mut(slot, place), dropped, cx) {
            keys.drop_at(slot, place);
        }
    }

    /// Pushes an event to a key with `before` partial matches. Returns true if the key has no state
    /// afterwards.
    #[inline(always)]
    fn push_open<S: Receiver<E> + ?Sized>(
        &mut self,
        at: At<'_>,
        before: RunCount,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        let RuleRuntime { info, matcher, store, emitter, .. } = self;
        let schema = &*info.schema;
        let (key, state) = (at.key, &mut at.held.state);
        let arrival = cx.arrival();
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
        // As in `push_unkept`. Natively the copy is worth it.
        #[cfg(target_family = "wasm")]
        let report: &mut dyn FnMut(Outcome<'_, E>) = &mut report;
        #[cfg(not(target_family = "wasm"))]
        let report = &mut report;
        let dropped = matcher.push_prefiltered(store, state, arrival, report);
        self.end_if_ended(state, &mut cx.accounting.stats);
        let after = RunCount { now: state.open_count(), ..before };
        cx.accounting.stats.count(before.now, after.now);
        self.enforce_limits(at, after, dropped, cx)
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
        let arrival = cx.arrival();
        let (accounting, sink) = (&mut *cx.accounting, &mut *cx.sink);
        // The type that `Tracer` has, too: a closure's own would be one more copy of all forms.
        let report: &mut dyn FnMut(Outcome<'_, E>) = &mut |outcome| {
            let key = owned.get_or_insert_with(|| key.to_key());
            emitter.report(
                Match::new(info, key, outcome),
                outcome.kind(),
                schema,
                accounting,
                sink,
            );
        };
        let dropped = matcher.push_prefiltered(store, &mut state, arrival, report);
        self.end_if_ended(&mut state, &mut cx.accounting.stats);
        if state.is_idle() {
            return None;
        }
        cx.accounting.stats.count(OpenCount::default(), state.open_count());
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
        RunCount { now, reactivates }: RunCount,
        dropped: usize,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        if dropped > 0 {
            self.dropped(at.key, dropped, cx);
        }
        let At { id, held, key } = at;
        let is_idle = now.is_none() && held.state.is_idle();
        if is_idle {
            cx.accounting.stats.keys -= 1;
        } else if reactivates {
            self.schedule_reactivated(cx.rule, id, held, cx.timers);
        } else {
            self.schedule_open(cx.rule, id, held, cx.timers);
        }
        self.account(&mut cx.accounting.stats);
        is_idle || self.gives_way(key, held, cx)
    }

    /// Enforces limits, as [`enforce_limits`](Self::enforce_limits) does, for a state that is new
    /// in the table.
    #[inline(always)]
    fn enforce_limits_of_new<S: Receiver<E> + ?Sized>(
        &mut self,
        at: At<'_>,
        dropped: usize,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        let count = RunCount::stored(at.held);
        self.enforce_limits(at, count, dropped, cx)
    }

    /// Enforces limits, as [`enforce_limits`](Self::enforce_limits) does, after an event that was
    /// only counted: it adds one partial match, and no deadline unless the key `begins`.
    #[inline(always)]
    fn enforce_limits_of_counted<S: Receiver<E> + ?Sized>(
        &mut self,
        At { id, held, key }: At<'_>,
        begins: bool,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        cx.accounting.stats.partials += 1;
        if begins {
            cx.accounting.stats.keys += 1;
            self.schedule_reactivated(cx.rule, id, held, cx.timers);
        }
        self.account(&mut cx.accounting.stats);
        self.gives_way(key, held, cx)
    }

    /// True if a limit over all rules and keys is exceeded, so that the key's state was dropped.
    #[inline(always)]
    fn gives_way<S: Receiver<E> + ?Sized>(
        &mut self,
        key: &[Value],
        held: &mut RuleState,
        cx: &mut PushContext<'_, E, S>,
    ) -> bool {
        let is_too_much = cx.accounting.hold_too_much();
        if is_too_much {
            self.overflow(key, held, cx);
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
        cx: &mut PushContext<'_, E, S>,
    ) {
        let RuleRuntime { info, matcher, store, .. } = self;
        let at = cx.event.time();
        let (accounting, sink) = (&mut *cx.accounting, &mut *cx.sink);
        let mut report = |accounting: &mut Accounting<E>, limit: LimitKind, dropped: u64| {
            accounting.stats.overflowed += 1;
            accounting.set_position_of_event(sink);
            let key = Some(Box::new(LimitedKey::new(&info.rule, key)));
            sink.outputs().overflowed(Overflow::of_key(limit, key, at, dropped));
        };
        let spent = store.take_spent();
        if spent > 0 {
            report(accounting, LimitKind::StepsPerEvent, spent as u64);
        }
        let pruned = store.take_pruned();
        if pruned > 0 {
            report(accounting, LimitKind::GraphNodesPerKey, pruned as u64);
        }
        let unlisted = store.take_unlisted();
        if unlisted > 0 {
            report(accounting, LimitKind::MatchesPerSet, unlisted);
        }
        let unlisted = usize::try_from(unlisted).unwrap_or(usize::MAX);
        let dropped = dropped.saturating_sub(spent.saturating_add(pruned)).saturating_sub(unlisted);
        if dropped == 0 {
            return;
        }
        report(accounting, LimitKind::PartialsPerKey, dropped as u64);
        let limits = matcher.limits();
        if limits.policy == LimitPolicy::Fail {
            let names = info.rule.key.iter().map(|part| part.name.clone());
            let key = names.zip(key.iter().cloned()).collect();
            let (rule, limit) = (info.rule.name.clone(), limits.partial_matches_per_key);
            let failure = LimitFailure { rule, key, limit, at };
            accounting.failure = Some(PushError(PushFailure::Limit(Arc::new(failure))));
        }
    }

    /// Drops the partial matches of the key that exceeded a limit over all keys.
    #[cold]
    fn overflow<S: Receiver<E> + ?Sized>(
        &mut self,
        key: &[Value],
        held: &mut RuleState,
        cx: &mut PushContext<'_, E, S>,
    ) {
        if held.state.is_idle() {
            return;
        }
        let (accounting, sink) = (&mut *cx.accounting, &mut *cx.sink);
        let key = Some(Box::new(LimitedKey::new(&self.info.rule, key)));
        let open = held.state.open_count();
        let (limit, dropped) = if accounting.stats.captured_bytes > accounting.limits.captured_bytes
        {
            (LimitKind::CapturedBytes, open.all())
        } else {
            (LimitKind::Partials, open.all().max(1))
        };
        self.matcher.clear(&mut self.store, &mut held.state);
        accounting.stats.count(open, OpenCount::default());
        accounting.stats.keys -= 1;
        accounting.stats.overflowed += 1;
        accounting.set_position_of_event(sink);
        let time = cx.event.time();
        sink.outputs().overflowed(Overflow::of_key(limit, key, time, dropped));
        self.account(&mut accounting.stats);
    }
}
