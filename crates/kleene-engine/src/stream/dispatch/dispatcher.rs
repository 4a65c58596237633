//! The dispatcher: the state of rules and keys, and the order in which events and deadlines reach
//! them.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::stream::dispatch::index::IndexHit;
use crate::stream::dispatch::routes::Routes;
use crate::stream::error::PushError;
use crate::stream::keys::MIN_OPEN_RUNS;
use crate::stream::keys::cold::{Cold, Shown};
use crate::stream::keys::groups::Groups;
use crate::stream::keys::key::Key;
use crate::stream::keys::key_ref::{KeyHasher, KeyRef};
use crate::stream::limits::{EngineLimits, Matching};
use crate::stream::output::overflow::{LimitKind, Overflow};
use crate::stream::output::partial::Partial;
use crate::stream::output::reason::RejectReason;
use crate::stream::output::receiver::Receiver;
use crate::stream::output::sink::{Late, Rejected, Sink as _};
use crate::stream::rule::accounting::Accounting;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::timers::{Timer, Timers};
use crate::stream::shard::context::ShardContext;
use crate::stream::stats::Stats;
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;
use kleene_event::util::order;
use kleene_syntax::hir::Rule;

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
    schema: Arc<Schema>,
    pub(super) rules: Vec<RuleRuntime<E>>,
    /// The state of rules, by key.
    pub(super) groups: Groups,
    pub(super) routes: Routes<E>,
    delivery: Delivery,
    pub(super) timers: Timers,
    /// The number of released events.
    released: u64,
    matching: Matching,
    pub(super) accounting: Accounting<E>,
    /// The store of idle keys.
    pub(super) cold: Option<Box<Cold<E>>>,
    /// The first deadline of keys in the cold store; `MAX` if there is none.
    pub(super) wake: Timestamp,
    /// Scratch for due timers.
    pub(super) due: Vec<Timer>,
    /// Scratch for the rules that an event is looked up for.
    pub(super) found: Vec<IndexHit>,
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
            rule.join(&mut groups);
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

    /// Returns the schema that numbers types and fields.
    pub(in crate::stream) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the rules in their order.
    pub(in crate::stream) fn rules(&self) -> &[RuleRuntime<E>] {
        &self.rules
    }

    /// Returns the rules without their keys.
    pub(in crate::stream) fn into_rules(self) -> Vec<RuleRuntime<E>> {
        self.rules
    }

    /// Returns the keys in memory with the state of rules.
    pub(in crate::stream) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Returns the hasher of keys.
    pub(in crate::stream) fn key_hasher(&self) -> &KeyHasher {
        &self.groups.hasher
    }

    /// Returns, for each rule, the slots in which it has state.
    pub(in crate::stream) fn slots_by_rule(&self) -> Vec<Vec<u32>> {
        self.groups.slots_by_rule(self.rules.len())
    }

    /// Returns the limits over all rules and keys.
    #[inline]
    pub(in crate::stream) fn limits(&self) -> &EngineLimits {
        &self.accounting.limits
    }

    /// Returns how rules are matched.
    pub(in crate::stream) fn matching(&self) -> Matching {
        self.matching
    }

    /// Returns the store of idle keys, if there is one.
    pub(in crate::stream) fn cold(&self) -> Option<&Cold<E>> {
        self.cold.as_deref()
    }

    /// Returns this engine's part, if it is one of several shards.
    pub(in crate::stream) fn share(&self) -> Option<&ShardContext> {
        self.accounting.share.as_deref()
    }

    /// Returns the changes in the number of open partial matches since the last call, which are
    /// recorded from the first call on.
    pub(in crate::stream) fn take_changes(&mut self) -> Vec<i64> {
        let Some(share) = &mut self.accounting.share else { return Vec::new() };
        share.changes.replace(Vec::new()).unwrap_or_default()
    }

    /// Suppresses a key of a rule, as another engine did.
    pub(in crate::stream) fn suppress(&mut self, rule: usize, key: Key, until: Timestamp) {
        if let Some(suppression) = self.rules[rule].suppression_mut() {
            suppression.restore(key, until);
        }
    }

    /// Records which keys change from now on, for a snapshot of changes.
    pub(in crate::stream) fn begin_changes(&mut self) {
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            self.groups.keys_mut(group).begin_changes();
        }
        self.saved_shared();
    }

    /// Records that a snapshot has all changes up to now.
    pub(in crate::stream) fn saved_changes(&mut self) {
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            self.groups.keys_mut(group).saved_changes();
        }
        self.saved_shared();
    }

    /// Records that a snapshot has the suppressed keys and those in the cold store.
    fn saved_shared(&mut self) {
        // The keys that `once` ends from now on: the snapshot has all others.
        for suppression in self.rules.iter_mut().filter_map(RuleRuntime::suppression_mut) {
            suppression.record_changes();
        }
        if let Some(cold) = &mut self.cold {
            cold.saved();
        }
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

    /// Builds the routes of the rules anew, for events that `schema` numbers.
    pub(super) fn reroute(&mut self, schema: Arc<Schema>) {
        self.schema = schema;
        self.routes = Routes::new(&self.schema, &self.rules, &self.groups, self.routes.indexed);
        self.choose_delivery();
    }

    /// Chooses how events reach the rules. Called when the engine is built, restored or changed; a
    /// failure between two changes comes from observed delivery only.
    fn choose_delivery(&mut self) {
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

    /// True if a limit or a cold store has stopped the engine.
    #[inline(always)]
    pub(in crate::stream) fn has_failed(&self) -> bool {
        self.accounting.failure.is_some()
    }

    /// Fails if a limit or a cold store has stopped the engine.
    ///
    /// # Errors
    /// The error that stopped the engine.
    #[inline]
    pub(in crate::stream) fn check_running(&self) -> Result<(), PushError> {
        match &self.accounting.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// True if a rule has `limit .. fail`.
    pub(in crate::stream) fn can_fail(&self) -> bool {
        self.routes.can_fail
    }

    /// True if a rule repeats the report of a silence.
    pub(in crate::stream) fn repeats(&self) -> bool {
        self.rules.iter().any(|rule| rule.program().timing.repeat.is_some())
    }

    /// Marks the end of the stream: each repeating silence is reported once more, not for ever.
    pub(in crate::stream) fn end_repetitions(&mut self) {
        self.rules.iter_mut().for_each(RuleRuntime::end_repetitions);
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
                let keys = groups.keys_mut(rule.group());
                let place = |slot| Some((slot, keys.place(slot, index)?));
                let places: Vec<(u32, usize)> = slots.into_iter().filter_map(place).collect();
                rule.expire_last(keys, &places, accounting, sink);
            }
            rule.drop_all(&mut accounting.stats);
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
        let mut shared: Vec<u32> = rules.iter().map(RuleRuntime::group).collect();
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
            let (info, matcher) = (running.info(), running.matcher());
            if *info.rule.name != *rule {
                continue;
            }
            for (_, slot) in self.groups.keys(running.group()).slots() {
                for held in slot.held().iter().filter(|held| held.rule == index) {
                    let open = running.open(&held.state).into_iter();
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
        order::sort_by_key(&mut partials, Partial::start_seq);
        partials
    }

    /// Returns the counts since the engine was built. The buffered events are the derived events
    /// that wait.
    pub(in crate::stream) fn stats(&self) -> Stats {
        let mistakes = self.rules.iter().map(RuleRuntime::mistakes);
        let (divisions, too_large) =
            mistakes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        let Accounting { stats, derived, .. } = &self.accounting;
        Stats {
            buffered: derived.len() as u64,
            buffered_bytes: derived.bytes(),
            divided_by_zero: stats.divided_by_zero + divisions,
            values_too_large: stats.values_too_large + too_large,
            ..stats.shown()
        }
    }

    /// Returns the number of partial matches of each rule.
    pub(in crate::stream) fn partial_counts(&self) -> Vec<u64> {
        let mut partials = vec![0_u64; self.rules.len()];
        for group in 0..u32::try_from(self.groups.len()).unwrap_or(u32::MAX) {
            let slots = self.groups.keys(group).slots();
            for held in slots.flat_map(|(_, slot)| slot.held()) {
                let partials = &mut partials[held.rule as usize];
                *partials = partials.saturating_add(held.state.partial_count());
            }
        }
        if let Some(cold) = &self.cold {
            let all = partials.iter_mut().enumerate();
            all.for_each(|(rule, all)| *all = all.saturating_add(cold.partials(rule)));
        }
        partials
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
        let bytes = self.rules.iter_mut().map(RuleRuntime::recount_bytes);
        self.accounting.stats.captured_bytes = bytes.sum();
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
            Some(route) if route.declared => route.is_read(),
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
            let arrival = self.accounting.arrival();
            sink.outputs().rejected(Rejected { event, reason, arrival });
        }
    }

    /// Counts pushed events, including late and rejected ones.
    #[inline(always)]
    pub(in crate::stream) fn count_events(&mut self, events: usize) {
        self.accounting.stats.events += events as u64;
    }

    /// Counts and reports an event that comes at or before the watermark.
    #[cold]
    pub(in crate::stream) fn report_late<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        watermark: Timestamp,
        sink: &mut S,
    ) {
        self.accounting.stats.late += 1;
        if self.accounting.reports_all() {
            self.accounting.set_position(watermark, sink);
            let arrival = self.accounting.arrival();
            sink.outputs().late(Late { event, watermark, arrival });
        }
    }

    /// Counts and reports that the reorder buffer is full: time moves on to `time`.
    #[cold]
    pub(in crate::stream) fn report_full_buffer<S: Receiver<E> + ?Sized>(
        &mut self,
        time: Timestamp,
        watermark: Timestamp,
        sink: &mut S,
    ) {
        if self.accounting.reports_all() {
            self.accounting.stats.overflowed += 1;
            self.accounting.set_position(watermark, sink);
            let (limit, arrival) = (LimitKind::Buffered, Some(self.accounting.arrival()));
            let (key, dropped) = (None, 0);
            sink.outputs().overflowed(Overflow { limit, key, time, dropped, arrival });
        }
    }

    /// Returns the rules that may read an event, each with the keys that the event has for it;
    /// `None` if the event's type is unknown.
    pub(in crate::stream) fn keys_of(
        &self,
        event: &E,
    ) -> Option<impl Iterator<Item = (&Rule, SmallVec<[Key; 2]>)>> {
        let route = self.routes.types.get(event.type_id().index())?;
        let hasher = &self.groups.hasher;
        Some(route.always.iter().map(move |(rule, group)| {
            let keys = if let Some(of) = route.several(*rule) {
                of.keys(event, hasher).iter().map(|one| one.key.to_key()).collect()
            } else {
                let (_, reader) = &route.groups[*group as usize];
                let key = KeyRef::read(event, reader, hasher);
                key.iter().map(KeyRef::to_key).collect()
            };
            (&**self.rules[*rule as usize].rule(), keys)
        }))
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
            if let Some(suppression) = self.rules[rule as usize].suppression_mut() {
                suppression.forget(now);
            }
        }
    }

    /// Returns the sequence number of the next released event.
    #[inline(always)]
    pub(super) fn next_seq(&mut self, time: Timestamp) -> u64 {
        let seq = self.released;
        self.released += 1;
        if seq.is_multiple_of(PRUNE_EVERY) {
            self.tidy_up(seq..seq + 1, time);
        }
        seq
    }

    /// Returns the number of released events, which is the sequence number of the next one.
    #[inline(always)]
    pub(in crate::stream) fn released(&self) -> u64 {
        self.released
    }

    /// Numbers released events that no rule has to read: each event of a named type has a sequence
    /// number.
    #[inline(always)]
    pub(in crate::stream) fn number_idle(&mut self, events: usize) {
        self.released += events as u64;
    }

    /// Continues after at least `released` numbered events.
    pub(in crate::stream) fn raise_released(&mut self, released: u64) {
        self.released = self.released.max(released);
    }

    /// Continues after `released` numbered events: what was captured has these numbers.
    pub(in crate::stream) fn set_released(&mut self, released: u64) {
        self.released = released;
    }

    /// Skips sequence numbers that an event has taken beyond its own.
    #[cold]
    pub(super) fn skip_numbers(&mut self, count: u64) {
        self.released += count;
        if let Some(share) = &mut self.accounting.share {
            share.skip_numbers(count);
        }
    }

    /// Drops outdated suppressions and timers if it is time to, after the events from the number
    /// `first` on. The numbers that trigger it may all belong to events that do nothing.
    #[inline(always)]
    pub(in crate::stream) fn tidy_up_since(&mut self, first: u64, time: Timestamp) {
        self.tidy_up(first..self.released, time);
    }

    /// Drops outdated suppressions and timers if it is time to, after the events with these
    /// numbers.
    #[inline(never)]
    fn tidy_up(&mut self, numbers: Range<u64>, time: Timestamp) {
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
            let keys = groups.keys(rules[timer.rule as usize].group());
            keys.armed(timer.id, timer.rule, timer.at).is_some()
        });
        for (index, rule) in (0..).zip(rules) {
            timers.note(rule.prune(index, groups.keys_mut(rule.group())));
        }
    }
}
