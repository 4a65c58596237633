//! From an event to the rules that it concerns.

use smallvec::SmallVec;

use crate::event::Event;
use crate::exec::Checked;
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::index::{Found, Seat};
use crate::stream::dispatch::prefetch::Foreseen;
use crate::stream::dispatch::routes::Route;
use crate::stream::keys::cursor::Visit;
use crate::stream::keys::groups::Groups;
use crate::stream::keys::key::{has_key, shard_hash};
use crate::stream::output::sink::Sink;
use crate::stream::rule::context::{KeyPlace, PushContext};
use crate::stream::shard::context::Share;

impl<E: Event> Dispatcher<E> {
    /// Does what [`release`](Dispatcher::release) does where events are [released
    /// straight](Dispatcher::releases_straight).
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

    /// Does what [`release`](Dispatcher::release) does, in a function of its own.
    #[inline(never)]
    pub(in crate::stream) fn release_apart<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
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

    #[inline(always)]
    pub(super) fn deliver<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        foreseen: Foreseen,
        sink: &mut S,
    ) {
        let mut seq = self.next_seq(event.time());
        if self.cold.is_some() {
            self.tend(event);
            if self.books.failure.is_some() {
                return;
            }
        }
        let Dispatcher { routes, books, .. } = self;
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
        let Dispatcher { rules, groups, routes, timers, books, cold, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        let Some(lone) = &route.lone else {
            self.dispatch_to_all(event, seq, foreseen.slot(), sink);
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
        let key = KeyPlace { fields: &lone.fields, hash, slot };
        let (rule, checked) = (lone.rule, lone.checked);
        let cx = &mut PushContext { rule, event, checked, seq, timers, books, sink };
        rules[rule as usize].push_direct(keys, key, leaves, cx);
    }

    /// Pushes an event to the rules that want it, one after the other. Where they share one key, this
    /// slot was perhaps found for it.
    #[inline(never)]
    fn dispatch_to_all<S: Sink<E> + ?Sized>(
        &mut self,
        event: &E,
        seq: u64,
        slot: Option<u32>,
        sink: &mut S,
    ) {
        let Dispatcher { rules, groups, routes, timers, books, found, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        if let Some(share) = &books.share
            && share.divides_all()
            && let Some(is_keyless) = is_elsewhere(share, route, event)
        {
            books.stats.keyless += u64::from(is_keyless);
            return;
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
        find_rules(route, event, groups, visits, found);
        let owned: SmallVec<[bool; 1]> = match &books.share {
            Some(share) => {
                let owns = |visit: &Visit<'_>| share.owns(visit.key.spread());
                visits.iter().map(|visit| visit.as_ref().is_some_and(owns)).collect()
            }
            None => SmallVec::new(),
        };
        for Found { rule, place: at, for_else } in merged(&route.always, found) {
            let Some(visit) = &mut visits[at as usize] else { continue };
            let mut seq = seq;
            if let Some(share) = &mut books.share {
                match share.enter(rule, owned[at as usize], seq) {
                    Some(number) => seq = number,
                    None => continue,
                }
            }
            let runtime = &mut rules[rule as usize];
            if !for_else && let Some(condition) = route.answered(rule) {
                runtime.store.know(seq, condition);
            }
            let checked = Checked::Nothing;
            let cx = &mut PushContext { rule, event, checked, seq, timers, books, sink };
            runtime.push(groups.keys_mut(visit.group), visit, cx);
            if books.failure.is_some() {
                break;
            }
        }
        for visit in visits.iter().flatten() {
            visit.end(groups.keys_mut(visit.group));
        }
        if self.books.has_ended_rules {
            self.end_rules();
        }
    }
}

/// Returns whether a part of some key of an event is null, if no key of it is this shard's. Most
/// events are of other shards' keys: their tables are not looked at.
#[inline(always)]
fn is_elsewhere<E: Event>(share: &Share, route: &Route, event: &E) -> Option<bool> {
    let (mut is_keyless, mut is_here) = (false, false);
    for (_, fields) in &route.groups {
        match shard_hash(event, fields) {
            Some(hash) => is_here |= share.owns(hash),
            None => is_keyless = true,
        }
    }
    (!is_here).then_some(is_keyless)
}

/// Finds the rules that an event can start, and those that it can move on for its keys. Each is found
/// once, in order.
#[inline(always)]
fn find_rules<E: Event>(
    route: &Route,
    event: &E,
    groups: &Groups,
    visits: &[Option<Visit<'_>>],
    found: &mut Vec<Found>,
) {
    found.clear();
    let Some(index) = &route.index else { return };
    index.find(event, &mut |seats| {
        let seats = seats.iter().copied();
        found.extend(seats.map(|(rule, place)| Found { rule, place, for_else: false }));
    });
    let mut moved = |rule, place| found.push(Found { rule, place, for_else: true });
    if let Some(moves) = &route.moves {
        moves.find(event, &mut |seats| held_among(groups, seats, visits, &mut moved));
    }
    for (place, visit) in (0..).zip(visits) {
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
