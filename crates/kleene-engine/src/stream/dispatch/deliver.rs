//! Delivery of an event to the rules that it concerns.

use smallvec::SmallVec;

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::index::{IndexHit, Subscription};
use crate::stream::dispatch::prefetch::KeyHint;
use crate::stream::dispatch::routes::Route;
use crate::stream::dispatch::schedule::DueUntil;
use crate::stream::keys::cursor::KeyCursor;
use crate::stream::keys::groups::Groups;
use crate::stream::keys::key_ref::{has_key, shard_hash};
use crate::stream::keys::reader::KeyReader;
use crate::stream::keys::several::OneKey;
use crate::stream::output::receiver::Receiver;
use crate::stream::rule::context::{KeyPlace, OnlyReader, PushContext};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::shard::context::ShardContext;
use kleene_automata::exec::PrefilterOutcome;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> Dispatcher<E> {
    /// Dispatches an event of this time to the rules, after the deadlines and derived events that are
    /// due before it. `DIRECT` says that [delivery is direct](Dispatcher::delivers_directly).
    #[inline(always)]
    pub(in crate::stream) fn dispatch<const DIRECT: bool, S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        time: Timestamp,
        hint: KeyHint,
        sink: &mut S,
    ) {
        if self.is_due(time) {
            self.dispatch_due(time, DueUntil::Open, sink);
        }
        if DIRECT {
            let seq = self.next_seq(time);
            self.dispatch_to_keys(event, seq, hint, sink);
        } else {
            if self.accounting.failure.is_some() {
                return;
            }
            if let Some(share) = &mut self.accounting.share {
                share.enter_event();
            }
            self.dispatch_next(event, hint, sink);
        }
        self.accounting.note_open();
    }

    /// [Dispatches](Dispatcher::dispatch) an event that is observed. Not inlined, so that a loop
    /// over direct events stays small.
    #[inline(never)]
    pub(in crate::stream) fn dispatch_observed<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) {
        self.dispatch::<false, S>(event, event.time(), hint, sink);
    }

    /// Assigns the event its sequence number, loads its keys into memory, and dispatches the event
    /// if one of its keys belongs to this shard.
    #[inline(always)]
    pub(super) fn dispatch_next<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        hint: KeyHint,
        sink: &mut S,
    ) {
        let mut seq = self.next_seq(event.time());
        if self.has_cold_store() {
            self.ensure_resident(event);
            if self.accounting.failure.is_some() {
                return;
            }
        }
        let Dispatcher { routes, accounting, .. } = self;
        if let Some(share) = &mut accounting.share
            && let Some(Route { direct: Some(direct), .. }) =
                routes.types.get(event.type_id().index())
            && let Some(hash) = shard_hash(event, &direct.reader)
        {
            match share.enter(direct.rule, share.owns(hash), seq) {
                Some(number) => seq = number,
                None => return,
            }
        }
        self.dispatch_to_keys(event, seq, hint, sink);
    }

    /// Dispatches an event with its sequence number. If only one rule reads the type, the event
    /// goes straight to its key.
    #[inline(always)]
    fn dispatch_to_keys<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        seq: u64,
        hint: KeyHint,
        sink: &mut S,
    ) {
        let Dispatcher { rules, groups, routes, timers, accounting, cold, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        let Some(direct) = &route.direct else {
            self.dispatch_to_all(event, seq, hint.slot(), sink);
            return;
        };
        // A cold store counts keys with state only.
        let only = OnlyReader { retains: direct.only.retains && cold.is_none(), ..direct.only };
        let passes = match hint.passes {
            None => direct.passes(event),
            known => known,
        };
        if passes == Some(false) {
            accounting.stats.keyless += u64::from(!has_key(event, &direct.reader));
            return;
        }
        let (keys, hasher) = groups.keys_and_hasher(direct.group);
        let found = keys.look_up(event, &direct.reader, (hint.slot(), hint.hash()), hasher);
        let Some((hash, slot)) = found else {
            accounting.stats.keyless += 1;
            return;
        };
        let key = KeyPlace { reader: &direct.reader, hash, slot };
        let (rule, prefilter) = (direct.rule, direct.outcome);
        let cx = &mut PushContext { rule, event, prefilter, seq, timers, accounting, sink };
        rules[rule as usize].push_direct(keys, key, only, cx);
    }

    /// Pushes an event to the rules that read it, one after the other. `slot` is a hint for the
    /// slot of the event's key and applies if all rules share one key.
    #[inline(never)]
    fn dispatch_to_all<S: Receiver<E> + ?Sized>(
        &mut self,
        event: &E,
        seq: u64,
        slot: Option<u32>,
        sink: &mut S,
    ) {
        let Dispatcher { rules, groups, routes, timers, accounting, found, .. } = self;
        let Some(route) = routes.types.get(event.type_id().index()) else { return };
        if let Some(share) = &accounting.share
            && share.divides_all()
            && route.several.is_empty()
            && let Some(is_keyless) = is_elsewhere(share, route, event)
        {
            accounting.stats.keyless += u64::from(is_keyless);
            return;
        }
        let new = |(group, reader): &(u32, KeyReader<E>), slot| {
            KeyCursor::new(event, *group, reader, groups, slot)
        };
        // Most often all rules share one key.
        let (mut one, mut many);
        let cursors: &mut [Option<KeyCursor<'_>>] = if let Some(only) = route.only_group() {
            one = [new(only, slot)];
            &mut one
        } else {
            many = route.groups.iter().map(|one| new(one, None)).collect::<SmallVec<[_; 4]>>();
            &mut many
        };
        let mut is_keyless = cursors.iter().any(Option::is_none);
        // The number of sequence numbers that the event takes beyond its own.
        let mut extra = 0;
        find_rules(route, event, groups, cursors, found);
        let owned: SmallVec<[bool; 1]> = match &accounting.share {
            Some(share) => {
                let owns = |cursor: &KeyCursor<'_>| share.owns(cursor.key.spread());
                cursors.iter().map(|cursor| cursor.as_ref().is_some_and(owns)).collect()
            }
            None => SmallVec::new(),
        };
        for IndexHit { rule, place: at, for_else } in merged(&route.always, found) {
            if accounting.failure.is_some() {
                break;
            }
            let Some(cursor) = cursors.get_mut(at as usize) else {
                let prefilter = PrefilterOutcome::UNKNOWN;
                let cx = &mut PushContext { rule, event, prefilter, seq, timers, accounting, sink };
                let keys = push_to_several(route, &mut rules[rule as usize], groups, cx);
                is_keyless |= keys == 0;
                extra = extra.max(keys.saturating_sub(1));
                continue;
            };
            let Some(cursor) = cursor else { continue };
            let mut seq = seq;
            if let Some(share) = &mut accounting.share {
                match share.enter(rule, owned[at as usize], seq) {
                    Some(number) => seq = number,
                    None => continue,
                }
            }
            let runtime = &mut rules[rule as usize];
            if !for_else && let Some(condition) = route.answered(rule) {
                runtime.know(seq, condition);
            }
            let prefilter = PrefilterOutcome::UNKNOWN;
            let cx = &mut PushContext { rule, event, prefilter, seq, timers, accounting, sink };
            runtime.push(groups.keys_mut(cursor.group), cursor, cx);
        }
        accounting.stats.keyless += u64::from(is_keyless);
        for cursor in cursors.iter().flatten() {
            cursor.end(groups.keys_mut(cursor.group));
        }
        if extra > 0 {
            self.skip_numbers(extra);
        }
        if self.accounting.has_ended_rules {
            self.end_rules();
        }
    }
}

/// Pushes an event to each of the keys that a rule's steps give it. Returns the number of keys,
/// those of other shards included.
#[inline(never)]
fn push_to_several<E: Event, S: Receiver<E> + ?Sized>(
    route: &Route<E>,
    runtime: &mut RuleRuntime<E>,
    groups: &mut Groups,
    cx: &mut PushContext<'_, E, S>,
) -> u64 {
    let Some(of) = route.several(cx.rule) else { return 0 };
    let (event, seq) = (cx.event, cx.seq);
    let keys = of.keys(event, &groups.hasher);
    let count = keys.len() as u64;
    for (ordinal, OneKey { key, variants }) in keys.into_iter().enumerate() {
        let mut own = seq;
        if let Some(share) = &mut cx.accounting.share {
            match share.enter(of.rule, share.owns(key.spread()), seq) {
                Some(number) => own = number,
                None => continue,
            }
            share.enter_key(ordinal);
        }
        cx.seq = own + ordinal as u64;
        let mut cursor = KeyCursor::of_key(key, of.group, groups);
        runtime.set_step_keys(variants);
        runtime.push(groups.keys_mut(of.group), &mut cursor, cx);
        cursor.end(groups.keys_mut(of.group));
        if cx.accounting.failure.is_some() {
            break;
        }
    }
    // Events of other types have one key each, which is that of each of their steps.
    runtime.set_step_keys(u64::MAX);
    count
}

/// Returns `None` if this shard owns a key of the event. Otherwise returns true if a part of some
/// key is null. Most events have keys of other shards only; their tables are not read.
#[inline(always)]
fn is_elsewhere<E: Event>(share: &ShardContext, route: &Route<E>, event: &E) -> Option<bool> {
    let (mut is_keyless, mut is_here) = (false, false);
    for (_, reader) in &route.groups {
        match shard_hash(event, reader) {
            Some(hash) => is_here |= share.owns(hash),
            None => is_keyless = true,
        }
    }
    (!is_here).then_some(is_keyless)
}

/// Finds the rules that an event can start and those with open state that it can advance. Each rule
/// is found once, in order.
#[inline(always)]
fn find_rules<E: Event>(
    route: &Route<E>,
    event: &E,
    groups: &Groups,
    cursors: &[Option<KeyCursor<'_>>],
    found: &mut Vec<IndexHit>,
) {
    found.clear();
    let Some(index) = &route.index else { return };
    index.find(event, &mut |subscriptions| {
        let subscriptions = subscriptions.iter().copied();
        found.extend(subscriptions.map(|(rule, place)| IndexHit { rule, place, for_else: false }));
    });
    let mut moved = |rule, place| found.push(IndexHit { rule, place, for_else: true });
    if let Some(moves) = &route.moves {
        moves.find(event, &mut |subscriptions| {
            held_among(groups, subscriptions, cursors, &mut moved);
        });
    }
    for (place, cursor) in (0..).zip(cursors) {
        let Some(KeyCursor { group, slot: Some(slot), .. }) = cursor else { continue };
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

/// Merges the rules that read each event and the found rules, in order.
fn merged<'a>(
    always: &'a [Subscription],
    found: &'a [IndexHit],
) -> impl Iterator<Item = IndexHit> + 'a {
    let always = always.iter().map(|&(rule, place)| IndexHit { rule, place, for_else: true });
    let (mut always, mut found) = (always.peekable(), found.iter().copied().peekable());
    std::iter::from_fn(move || match (always.peek(), found.peek()) {
        (Some(first), Some(second)) if second < first => found.next(),
        (None, _) => found.next(),
        _ => always.next(),
    })
}

/// Calls `found` with each of the rules, in order, that has state for the keys of an event.
fn held_among(
    groups: &Groups,
    subscriptions: &[Subscription],
    cursors: &[Option<KeyCursor<'_>>],
    mut found: impl FnMut(u32, u32),
) {
    let held = |cursor: &KeyCursor<'_>| match cursor.slot {
        Some(slot) => groups.keys(cursor.group).slot(slot).held(),
        None => &[],
    };
    let all: usize = cursors.iter().flatten().map(|cursor| held(cursor).len()).sum();
    if subscriptions.len() <= all {
        for &(rule, place) in subscriptions {
            let cursor = cursors.get(place as usize).and_then(Option::as_ref);
            let held = cursor.map_or(&[][..], held);
            if held.binary_search_by_key(&rule, |held| held.rule).is_ok() {
                found(rule, place);
            }
        }
    } else {
        for (place, cursor) in (0..).zip(cursors) {
            for held in cursor.iter().flat_map(&held) {
                if subscriptions.binary_search(&(held.rule, place)).is_ok() {
                    found(held.rule, place);
                }
            }
        }
    }
}
