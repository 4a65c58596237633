//! From the reorder buffer to the rules: events and deadlines in the order of time.

use std::ops::Range;

use smallvec::SmallVec;

use crate::event::{Event, bytes_of};
use crate::stream::dispatch::index::{Found, Seat};
use crate::stream::dispatch::prefetch::{Ahead, Foreseen};
use crate::stream::dispatch::routes::Route;
use crate::stream::engine::Engine;
use crate::stream::ingest::reorder::Lent;
use crate::stream::keys::cursor::Visit;
use crate::stream::keys::groups::Groups;
use crate::stream::keys::key::{has_key, shard_hash};
use crate::stream::keys::table::At;
use crate::stream::output::sink::Sink;
use crate::stream::rule::timers::Timer;
use crate::time::Timestamp;

/// Released events between two looks for what rules need not keep quiet any more.
const FORGET_EVERY: u64 = 1024;

/// Released events between two looks for timers of what is gone.
const PRUNE_EVERY: u64 = 16;

impl<E: Event> Engine<E> {
    /// Releases events and fires deadlines up to and including `to`, after which no event of that
    /// time can come.
    pub(in crate::stream) fn move_to<S: Sink<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        lent: &mut Lent<'_, E>,
        sink: &mut S,
    ) {
        self.watermark = to;
        let is_straight = self.releases_straight();
        let mut ahead = (lent.is_used() && self.holds_much()).then(Ahead::default);
        while self.books.failure.is_none() {
            if let Some(ahead) = ahead.as_mut().filter(|ahead| ahead.is_over()) {
                self.foresee(to, lent, ahead);
            }
            let Some(event) = self.buffer.take_until(to, lent) else { break };
            self.buffer_bytes = self.buffer_bytes.saturating_sub(bytes_of(&*event));
            let foreseen = ahead.as_mut().map_or(Foreseen::NOTHING, Ahead::next);
            if is_straight {
                self.release_straight(&event, foreseen, sink);
            } else {
                self.release_apart(&event, foreseen, sink);
            }
        }
        self.catch_up(to, true, sink);
        self.forget(to);
    }

    /// Whether events go to the rules whatever became of those before them, and nobody else has to know.
    #[inline]
    pub(in crate::stream) fn releases_straight(&self) -> bool {
        self.cold.is_none()
            && self.books.share.is_none()
            && self.books.failure.is_none()
            && !self.routes.can_fail
    }

    /// Does what [`release`](Engine::release) does where events are [released
    /// straight](Engine::releases_straight).
    #[inline(always)]
    pub(in crate::stream) fn release_straight<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
        let time = event.time();
        if self.is_due(time) {
            self.catch_up(time, false, sink);
        }
        let seq = self.next_seq(time);
        self.deliver_straight(event, seq, foreseen, sink);
        self.books.note_open();
    }

    /// Does what [`release`](Engine::release) does, in a function of its own.
    #[inline(never)]
    fn release_apart<S: Sink<E> + ?Sized>(&mut self, event: &E, foreseen: Foreseen, sink: &mut S) {
        self.release(event, foreseen, sink);
    }

    /// Gives an event to the rules, after what is due before it.
    #[inline(always)]
    pub(in crate::stream) fn release<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
        if self.is_due(event.time()) {
            self.catch_up(event.time(), false, sink);
        }
        if self.books.failure.is_none() {
            if let Some(share) = &mut self.books.share {
                share.enter_event();
            }
            self.deliver(event, foreseen, sink);
            self.books.note_open();
        }
    }

    /// Whether something may have to be done before an event of time `to`.
    #[inline]
    pub(in crate::stream) fn is_due(&self, to: Timestamp) -> bool {
        self.timers.next().min(self.wake) <= to || !self.books.derived.is_empty()
    }

    /// Fires the deadlines up to and including `to`, and gives the rules what other rules have made
    /// before it; up to and including it where the moment `is_over`. At one time deadlines come
    /// first and derived events last.
    #[inline(never)]
    pub(in crate::stream) fn catch_up<S: Sink<E> + ?Sized>(
        &mut self,
        to: Timestamp,
        is_over: bool,
        sink: &mut S,
    ) {
        while self.books.failure.is_none() {
            let derived = self.books.derived.next();
            let timer = self.timers.next();
            if self.wake < Timestamp::MAX
                && self.wake <= timer.min(to)
                && derived.is_none_or(|derived| self.wake <= derived)
            {
                self.wake_next();
            } else if self.timers.len() > 0
                && timer <= to
                && derived.is_none_or(|derived| timer <= derived)
            {
                self.fire_next(sink);
            } else if derived.is_some_and(|derived| derived < to || is_over && derived == to)
                && let Some(event) = self.books.derived.take()
            {
                if let Some(share) = &mut self.books.share {
                    share.enter_derived(event.time());
                }
                self.deliver(&event, Foreseen::NOTHING, sink);
            } else {
                break;
            }
        }
    }

    /// Drops what rules need not keep quiet any more at `now`.
    fn forget(&mut self, now: Timestamp) {
        for &rule in &self.routes.suppressing {
            if let Some(quiet) = &mut self.rules[rule as usize].voice.quiet {
                quiet.forget(now);
            }
        }
    }

    /// The number of the next event that is released.
    #[inline(always)]
    pub(in crate::stream) fn next_seq(&mut self, time: Timestamp) -> u64 {
        let seq = self.released;
        self.released += 1;
        if seq.is_multiple_of(PRUNE_EVERY) {
            self.tidy_up(seq..seq + 1, time);
        }
        seq
    }

    /// Throws away what is not needed any more after the events of these numbers.
    #[inline(never)]
    pub(in crate::stream) fn tidy_up(&mut self, numbers: Range<u64>, time: Timestamp) {
        self.prune();
        if numbers.start.next_multiple_of(FORGET_EVERY) < numbers.end {
            self.forget(time);
        }
    }

    #[inline(always)]
    fn deliver<S: Sink<E> + ?Sized>(&mut self, event: &E, foreseen: Foreseen, sink: &mut S) {
        let mut seq = self.next_seq(event.time());
        if self.cold.is_some() {
            self.tend(event);
            if self.books.failure.is_some() {
                return;
            }
        }
        let Engine { routes, books, .. } = self;
        if let Some(share) = &mut books.share
            && let Some(Route { lone: Some(lone), .. }) = routes.types.get(event.type_id().index())
            && let Some(hash) = shard_hash(event, &lone.fields)
        {
            match share.enter(lone.rule, share.owns(hash), seq) {
                Some(number) => seq = number,
                None => return,
            }
        }
        self.deliver_straight(event, seq, foreseen, sink);
    }

    /// Gives an event of this number to the rules.
    #[inline(always)]
    pub(in crate::stream) fn deliver_straight<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        seq: u64,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
        let Engine { rules, groups, routes, timers, books, cold, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        let Some(lone) = &route.lone else {
            self.deliver_to_all(event, seq, foreseen.slot(), sink);
            return;
        };
        // What a cold store tends is what something is held for.
        let leaves = lone.leaves && cold.is_none();
        let is_met = match foreseen.is_met {
            None => lone.is_met(event),
            known => known,
        };
        if is_met == Some(false) {
            books.stats.keyless += u64::from(!has_key(event, &lone.fields));
            return;
        }
        let (keys, hasher) = groups.keys_and_hasher(lone.group);
        let found = keys.look_up(event, &lone.fields, foreseen.slot(), hasher);
        let Some((hash, slot)) = found else {
            books.stats.keyless += 1;
            return;
        };
        let rule = &mut rules[lone.rule as usize];
        let (key, checked) = ((&*lone.fields, hash, slot), lone.checked);
        rule.take_alone(lone.rule, keys, leaves, key, event, checked, seq, timers, books, sink);
    }

    /// Gives an event to the rules that want it, one after the other. Where they share one key, this
    /// slot was perhaps found for it.
    #[inline(never)]
    fn deliver_to_all<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        seq: u64,
        slot: Option<u32>,
        sink: &mut S,
    ) {
        let Engine { rules, groups, routes, timers, books, found, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        if let Some(share) = &books.share
            && share.divides_all()
        {
            // Most events are of other shards' keys: their tables are not looked at.
            let (mut is_keyless, mut is_here) = (false, false);
            for (_, fields) in &route.groups {
                match shard_hash(event, fields) {
                    Some(hash) => is_here |= share.owns(hash),
                    None => is_keyless = true,
                }
            }
            if !is_here {
                books.stats.keyless += u64::from(is_keyless);
                return;
            }
        }
        let new = |(group, fields): &(u32, Box<[_]>), slot| {
            Visit::new(event, *group, fields, groups, slot)
        };
        // Most often all rules share one key.
        let (mut one, mut many);
        let visits: &mut [Option<Visit<'_>>] = if let Some(only) = route.only_group() {
            one = [new(only, slot)];
            &mut one
        } else {
            many = route.groups.iter().map(|one| new(one, None)).collect::<SmallVec<[_; 4]>>();
            &mut many
        };
        if visits.iter().any(Option::is_none) {
            books.stats.keyless += 1;
        }
        found.clear();
        if let Some(index) = &route.index {
            index.find(event, &mut |seats| {
                let seats = seats.iter().copied();
                found.extend(seats.map(|(rule, place)| Found { rule, place, for_else: false }));
            });
            let mut moved = |rule, place| found.push(Found { rule, place, for_else: true });
            if let Some(moves) = &route.moves {
                moves.find(event, &mut |seats| held_among(groups, seats, visits, &mut moved));
            }
            for (place, visit) in (0..).zip(&*visits) {
                let Some(Visit { group, slot: Some(slot), .. }) = visit else { continue };
                if route.moves_any() {
                    let held = groups.keys(*group).slot(*slot).held().iter().map(|held| held.rule);
                    held.filter(|rule| route.moves(*rule)).for_each(|rule| moved(rule, place));
                }
            }
            if found.len() > 1 {
                found.sort_unstable();
                found.dedup_by_key(|found| found.rule);
            }
        }
        let owned: SmallVec<[bool; 1]> = match &books.share {
            Some(share) => {
                let owns = |visit: &Visit<'_>| share.owns(visit.key.spread());
                visits.iter().map(|visit| visit.as_ref().is_some_and(owns)).collect()
            }
            None => SmallVec::new(),
        };
        for Found { rule: index, place: at, for_else } in merged(&route.always, found) {
            if let Some(visit) = &mut visits[at as usize] {
                let mut seq = seq;
                if let Some(share) = &mut books.share {
                    match share.enter(index, owned[at as usize], seq) {
                        Some(number) => seq = number,
                        None => continue,
                    }
                }
                let keys = groups.keys_mut(visit.group);
                let rule = &mut rules[index as usize];
                if !for_else && let Some(condition) = route.answered(index) {
                    rule.store.know(seq, condition);
                }
                rule.take(index, keys, visit, event, seq, timers, books, sink);
                if books.failure.is_some() {
                    break;
                }
            }
        }
        for visit in visits.iter().flatten() {
            visit.end(groups.keys_mut(visit.group));
        }
        if self.books.has_ended_rules {
            self.end_rules();
        }
    }

    /// Gives up what rules hold that are over for all keys (`once per rule`).
    #[cold]
    fn end_rules(&mut self) {
        self.books.has_ended_rules = false;
        // A cold store has some of their keys. It happens once in the life of a rule.
        if self.bring_all() {
            return;
        }
        let Engine { rules, groups, books, .. } = self;
        for (index, rule) in (0..).zip(rules) {
            if std::mem::take(&mut rule.voice.has_ended_rule) {
                rule.end(index, groups.keys_mut(rule.group), &mut books.stats);
            }
        }
    }

    /// Throws away timers of what is gone, where they are more than two of three: what a rule holds
    /// for a key has one timer that counts.
    #[inline]
    fn prune(&mut self) {
        let keys = self.timers.keys();
        if keys > 64 + self.rules.len()
            && keys as u64 / 3 > self.books.stats.keys - self.books.stats.cold
        {
            self.prune_timers();
        }
    }

    #[cold]
    fn prune_timers(&mut self) {
        let Engine { rules, groups, timers, .. } = self;
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

    /// Fires the deadlines of the next moment that has any.
    fn fire_next<S: Sink<E> + ?Sized>(&mut self, sink: &mut S) {
        let Engine { rules, groups, timers, books, due, .. } = self;
        let mut places: SmallVec<[(u32, usize); 16]> = SmallVec::new();
        let mut idle: SmallVec<[(u32, u32, u32); 16]> = SmallVec::new();
        let now = timers.take_next(due);
        if let Some(share) = &mut books.share {
            share.enter_moment(now);
        }
        if let [Timer { rule, slot, generation, .. }] = due[..] {
            // Most timers come one by one, and many of them are of what is gone.
            let keys = groups.keys(rules[rule as usize].group);
            if slot != Timer::SWEEP && keys.living(slot, generation).is_none() {
                return;
            }
        }
        for of_rule in due.chunk_by(|a, b| a.rule == b.rule) {
            let index = of_rule[0].rule;
            let rule = &mut rules[index as usize];
            let keys = groups.keys_mut(rule.group);
            if rule.sweeps.is_some() {
                rule.sweep(index, keys, now, timers, &mut books.stats);
                continue;
            }
            places.clear();
            places.extend(of_rule.iter().filter_map(|timer| {
                let place = keys.armed((timer.slot, timer.generation), index, now)?;
                Some((timer.slot, place))
            }));
            if let Some(share) = &mut books.share {
                share.enter_rule(index);
            }
            rule.expire(keys, &places, now, books, sink);
            for &(slot, place) in &places {
                let At { generation, held, .. } = keys.at_mut(slot, place);
                held.armed = Timestamp::MAX;
                if rule.arm(index, (slot, generation), held, timers, &mut books.stats) {
                    idle.push((rule.group, slot, u32::try_from(place).unwrap_or(u32::MAX)));
                }
            }
        }
        idle.sort_unstable();
        for of_slot in idle.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (group, slot, _) = of_slot[0];
            let keys = groups.keys_mut(group);
            let sorted = keys.slot(slot).held().len();
            let idle: SmallVec<[u32; 4]> = of_slot.iter().map(|(.., place)| *place).collect();
            keys.tidy_at(slot, &idle, sorted);
        }
        if self.books.has_ended_rules {
            self.end_rules();
        }
    }
}

/// The rules that see each event and those that were found, in order.
fn merged<'a>(always: &'a [Seat], found: &'a [Found]) -> impl Iterator<Item = Found> + 'a {
    let always = always.iter().map(|&(rule, place)| Found { rule, place, for_else: true });
    let (mut always, mut found) = (always.peekable(), found.iter().copied().peekable());
    std::iter::from_fn(move || match (always.peek(), found.peek()) {
        (Some(first), Some(second)) if second < first => found.next(),
        (None, _) => found.next(),
        _ => always.next(),
    })
}

/// Gives those of the rules, which are in order, to `found` that hold something for the keys of an
/// event.
fn held_among(
    groups: &Groups,
    seats: &[Seat],
    visits: &[Option<Visit<'_>>],
    mut found: impl FnMut(u32, u32),
) {
    let held = |visit: &Visit<'_>| match visit.slot {
        Some(slot) => groups.keys(visit.group).slot(slot).held(),
        None => &[],
    };
    let all: usize = visits.iter().flatten().map(|visit| held(visit).len()).sum();
    if seats.len() <= all {
        for &(rule, place) in seats {
            let visit = visits.get(place as usize).and_then(Option::as_ref);
            let held = visit.map_or(&[][..], held);
            if held.binary_search_by_key(&rule, |held| held.rule).is_ok() {
                found(rule, place);
            }
        }
    } else {
        for (place, visit) in (0..).zip(visits) {
            for held in visit.iter().flat_map(&held) {
                if seats.binary_search(&(held.rule, place)).is_ok() {
                    found(held.rule, place);
                }
            }
        }
    }
}
