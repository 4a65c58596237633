//! The dispatcher: the state of rules and keys, and the order in which events and deadlines reach
//! them.

use std::ops::Range;
use std::sync::Arc;

use crate::stream::dispatch::index::IndexHit;
use crate::stream::dispatch::routes::Routes;
use crate::stream::error::PushError;
use crate::stream::keys::MIN_OPEN_RUNS;
use crate::stream::keys::cold::{Cold, Shown};
use crate::stream::keys::groups::Groups;
use crate::stream::limits::{EngineLimits, Matching};
use crate::stream::output::partial::Partial;
use crate::stream::output::reason::RejectReason;
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::{Rejected, Sink as _};
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::timers::{Timer, Timers};
use crate::stream::shard::context::ShardContext;
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;

/// The number of released events between two removals of suppressions that are over.
const FORGET_EVERY: u64 = 1024;

/// The number of released events between two checks for outdated timers.
const PRUNE_EVERY: u64 = 16;

/// The way in which events reach the rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Delivery {
    /// Delivery can neither fail nor be observed: no cold store, no shard, no `limit .. fail`.
    Direct,
    /// Each event is checked for a failure, for its shard, and for keys in the cold store.
    Observed,
}

/// The rules, their state by key, and the routes of events. Events reach the dispatcher in the
/// order of time.
pub(in crate::stream) struct Dispatcher<E: Event> {
    /// The schema that numbers types and fields.
    pub(in crate::stream) schema: Arc<Schema>,
    pub(in crate::stream) rules: Vec<RuleRuntime<E>>,
    /// The state of rules, by key.
    pub(in crate::stream) groups: Groups,
    pub(in crate::stream) routes: Routes<E>,
    delivery: Delivery,
    pub(in crate::stream) timers: Timers,
    /// The number of released events.
    pub(in crate::stream) released: u64,
    pub(in crate::stream) matching: Matching,
    pub(in crate::stream) accounting: Accounting<E>,
    /// The store of idle keys.
    pub(in crate::stream) cold: Option<Box<Cold<E>>>,
    /// The first deadline of keys in the cold store; `MAX` if there is none.
    pub(in crate::stream) wake: Timestamp,
    /// Scratch for due timers.
    pub(in crate::stream) due: Vec<Timer>,
    /// Scratch for the rules that an event is looked up for.
    pub(in crate::stream) found: Vec<IndexHit>,
}

impl<E: Event> Dispatcher<E> {
    pub(in crate::stream) fn new(
        schema: Arc<Schema>,
        mut rules: Vec<RuleRuntime<E>>,
        indexed: bool,
        limits: EngineLimits,
        matching: Matching,
    ) -> Dispatcher<E> {
        let mut groups = Groups::default();
        for rule in &mut rules {
            rule.group = groups.join(&rule.info.rule);
        }
        let routes = Routes::new(&schema, &rules, &groups, indexed);
        let mut dispatcher = Dispatcher {
            schema,
            rules,
            groups,
            routes,
            delivery: Delivery::Observed,
            timers: Timers::new(),
            released: 0,
            matching,
            accounting: Accounting::new(limits),
            cold: None,
            wake: Timestamp::MAX,
            due: Vec::new(),
            found: Vec::new(),
        };
        dispatcher.choose_delivery();
        dispatcher
    }

    /// Sets or removes the cold store.
    pub(in crate::stream) fn set_cold(&mut self, cold: Option<Box<Cold<E>>>) {
        self.cold = cold;
        self.choose_delivery();
    }

    /// Makes the engine one shard of several.
    pub(in crate::stream) fn set_share(&mut self, share: ShardContext) {
        self.accounting.share = Some(Box::new(share));
        self.choose_delivery();
    }

    /// Sets the error that stopped the engine, or none.
    pub(in crate::stream) fn set_failure(&mut self, failure: Option<&PushError>) {
        self.accounting.failure = failure.cloned();
        self.choose_delivery();
    }

    /// Chooses how events reach the rules. Called when the engine is built, restored or changed; a
    /// failure between two changes comes from observed delivery only.
    pub(in crate::stream) fn choose_delivery(&mut self) {
        let is_direct = self.cold.is_none()
            && self.accounting.share.is_none()
            && self.accounting.failure.is_none()
            && !self.routes.can_fail;
        self.delivery = if is_direct { Delivery::Direct } else { Delivery::Observed };
    }

    /// Returns the error that stopped the engine.
    pub(in crate::stream) fn failure(&self) -> Option<&PushError> {
        self.accounting.failure.as_ref().or_else(|| self.cold.as_ref()?.trouble())
    }

    /// True if a rule repeats the report of a silence.
    pub(in crate::stream) fn repeats(&self) -> bool {
        self.rules.iter().any(|rule| rule.matcher.program().timing.repeat.is_some())
    }

    /// Reports the open outputs at the end of the stream, and drops all state.
    pub(in crate::stream) fn end_time<S: Receiver<E> + ?Sized>(&mut self, sink: &mut S) {
        self.finish_cold();
        let Dispatcher { rules, groups, accounting, .. } = self;
        if let Some(share) = &mut accounting.share {
            share.enter_end();
        }
        let slots = groups.slots_by_rule(rules.len());
        for ((index, rule), slots) in (0..).zip(rules).zip(slots) {
            if accounting.failure.is_none() {
                if let Some(share) = &mut accounting.share {
                    share.enter_rule(index);
                }
                // A partial match without a deadline can be complete now that nothing can come any
                // more. No other rule sees this match: the time of its event is over.
                rule.emitter.on_match = None;
                let keys = groups.keys_mut(rule.group);
                let place = |slot| Some((slot, keys.place(slot, index)?));
                let places: Vec<(u32, usize)> = slots.into_iter().filter_map(place).collect();
                rule.expire(keys, &places, Timestamp::MAX, accounting, sink);
            }
            accounting.stats.divided_by_zero += rule.store.divisions_by_zero();
            accounting.stats.values_too_large += rule.store.values_too_large();
            rule.store = rule.matcher.create_store();
            rule.accounted = 0;
        }
        groups.clear();
        accounting.stats.partials = 0;
        accounting.stats.grouped = 0;
        accounting.stats.captured_bytes = 0;
        accounting.stats.keys = 0;
        accounting.stats.cold = 0;
        (self.cold, self.wake) = (None, Timestamp::MAX);
    }

    /// Drops what is out of time at `now` and reports nothing, so that the counts of partial matches
    /// are exact. Keys in a cold store stay as they are.
    pub(in crate::stream) fn sweep(&mut self, now: Timestamp) {
        let Dispatcher { rules, groups, accounting, .. } = self;
        let mut shared: Vec<u32> = rules.iter().map(|rule| rule.group).collect();
        shared.sort_unstable();
        shared.dedup();
        for group in shared {
            let keys = groups.keys_mut(group);
            // One pass over the keys, however many rules share them.
            let states = keys.slots().flat_map(|(slot, content)| {
                content.held().iter().map(move |held| (slot, held.rule))
            });
            let states: Vec<(u32, u32)> = states.collect();
            for (slot, index) in states {
                rules[index as usize].drop_expired(index, (keys, slot), now, &mut accounting.stats);
            }
        }
        for rule in rules {
            rule.account(&mut accounting.stats);
        }
    }

    /// Returns the open partial matches of the rules with this name, by their first events.
    pub(in crate::stream) fn partials(&self, rule: &str) -> Vec<Partial<'_, E>> {
        let mut partials = Vec::new();
        for (index, running) in (0..).zip(&self.rules) {
            let RuleRuntime { info, matcher, store, group, .. } = running;
            if *info.rule.name != *rule {
                continue;
            }
            for (_, slot) in self.groups.keys(*group).slots() {
                for held in slot.held().iter().filter(|held| held.rule == index) {
                    let open = matcher.open(store, &held.state).into_iter();
                    partials.extend(open.map(|open| Partial::new(info, &slot.key, open)));
                }
            }
            let Some(cold) = self.cold.as_ref().filter(|_| self.accounting.stats.cold > 0) else {
                continue;
            };
            let Shown { scratch, keys } = cold.show(&self.rules);
            let Some(store) = scratch.store(index) else { continue };
            for (key, held) in keys {
                for held in held.iter().filter(|held| held.rule == index) {
                    let open = matcher.open(store, &held.state).into_iter();
                    partials.extend(open.map(|open| Partial::new(info, key, open)));
                }
            }
        }
        // Partial matches with the same first event are of one key, and in order already.
        partials.sort_by_key(Partial::start_seq);
        partials
    }

    /// Returns the number of divisions by zero and of values that were too large.
    pub(in crate::stream) fn mistakes(&self) -> (u64, u64) {
        let divisions = self.rules.iter().map(|rule| rule.store.divisions_by_zero()).sum();
        let too_large = self.rules.iter().map(|rule| rule.store.values_too_large()).sum();
        (divisions, too_large)
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        let rules = self.rules.iter();
        rules.map(RuleRuntime::memory_usage).sum::<usize>()
            + self.groups.memory_usage()
            + self.accounting.derived.memory_usage()
            + self.timers.memory_usage()
            + self.cold.as_ref().map_or(0, |cold| cold.memory_usage())
    }

    /// Recounts the state of the rules after a change other than by events.
    pub(in crate::stream) fn account(&mut self) {
        self.rules.iter_mut().for_each(|rule| rule.accounted = rule.store.captured_bytes());
        let all = self.rules.iter().map(|rule| rule.accounted);
        self.accounting.stats.captured_bytes = all.sum();
    }

    /// True if a rule names the event's type. Counts an event of an undeclared type, and rejects an
    /// event whose type id is of another schema.
    #[inline]
    pub(in crate::stream) fn is_named<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        watermark: Timestamp,
        sink: &mut S,
    ) -> bool {
        let ty = event.type_id();
        match self.routes.types.get(ty.index()) {
            Some(route) if route.is_foreign(ty) => {
                self.reject(event, watermark, sink, |_| RejectReason::ForeignType);
                false
            }
            Some(route) if route.declared => !route.groups.is_empty() || !route.several.is_empty(),
            _ => {
                self.accounting.stats.unknown += 1;
                false
            }
        }
    }

    /// Counts and reports an event that the engine cannot take.
    #[cold]
    pub(in crate::stream) fn reject<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        watermark: Timestamp,
        sink: &mut S,
        reason: impl FnOnce(&Schema) -> RejectReason,
    ) {
        self.accounting.stats.rejected += 1;
        if self.accounting.reports_all() {
            self.accounting.set_position(watermark, sink);
            let reason = reason(&self.schema);
            sink.outputs().rejected(Rejected { event, reason });
        }
    }

    /// True if delivery can neither fail nor be observed.
    #[inline]
    pub(in crate::stream) fn delivers_directly(&self) -> bool {
        self.delivery == Delivery::Direct
    }

    /// True if keys are worth looking up before their turn. With `limit .. fail` never: no event
    /// after the one that exceeds the limit may have been ingested.
    #[inline]
    pub(in crate::stream) fn holds_much(&self) -> bool {
        self.accounting.stats.partials >= MIN_OPEN_RUNS && !self.routes.can_fail
    }

    /// Drops the suppressions that are over at `now`.
    pub(in crate::stream) fn forget(&mut self, now: Timestamp) {
        for &rule in &self.routes.suppressing {
            if let Some(suppression) = &mut self.rules[rule as usize].emitter.suppression {
                suppression.forget(now);
            }
        }
    }

    /// Returns the sequence number of the next released event.
    #[inline(always)]
    pub(in crate::stream) fn next_seq(&mut self, time: Timestamp) -> u64 {
        let seq = self.released;
        self.released += 1;
        if seq.is_multiple_of(PRUNE_EVERY) {
            self.tidy_up(seq..seq + 1, time);
        }
        seq
    }

    /// Skips sequence numbers that an event has taken beyond its own.
    #[cold]
    pub(in crate::stream) fn skip_numbers(&mut self, count: u64) {
        self.released += count;
        if let Some(share) = &mut self.accounting.share {
            share.skip_numbers(count);
        }
    }

    /// Drops outdated suppressions and timers if it is time to, after the events with these
    /// numbers.
    #[inline(never)]
    pub(in crate::stream) fn tidy_up(&mut self, numbers: Range<u64>, time: Timestamp) {
        self.prune();
        if numbers.start.next_multiple_of(FORGET_EVERY) < numbers.end {
            self.forget(time);
        }
    }

    /// Drops outdated timers if they are more than two of three. A rule's state for a key has one
    /// timer that counts.
    #[inline]
    fn prune(&mut self) {
        let keys = self.timers.keys();
        if keys > 64 + self.rules.len()
            && keys as u64 / 3 > self.accounting.stats.keys - self.accounting.stats.cold
        {
            self.prune_timers();
        }
    }

    #[cold]
    fn prune_timers(&mut self) {
        let Dispatcher { rules, groups, timers, .. } = self;
        timers.retain(|timer| {
            if timer.is_of_sweep() {
                return true;
            }
            let keys = groups.keys(rules[timer.rule as usize].group);
            keys.armed((timer.slot, timer.generation), timer.rule, timer.at).is_some()
        });
        for (index, rule) in (0..).zip(rules) {
            timers.note(rule.prune(index, groups.keys_mut(rule.group)));
        }
    }
}
