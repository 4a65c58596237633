//! The end of a key or of a whole rule with its first match: `once`.

use crate::stream::keys::cursor::KeyCursor;
use crate::stream::keys::table::{KeyTable, RuleState};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::stats::Stats;
use kleene_automata::exec::{KeyState, Matcher, OpenCount, Store};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

impl<E: Event> RuleRuntime<E> {
    /// Drops the state of an event's key for which the rule is over (`once`). A cold store has kept
    /// the state since before the match that ended the rule.
    #[cold]
    pub(super) fn end_key(
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

    /// Drops all state if a match has ended the rule for all keys (`once per rule`).
    #[cold]
    pub(in crate::stream) fn end_if_over(
        &mut self,
        index: u32,
        keys: &mut KeyTable,
        stats: &mut Stats,
    ) {
        if !std::mem::take(&mut self.emitter.has_ended_rule) {
            return;
        }
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

    /// Drops what is out of time at `now` for a key, if the rule reports nothing at deadlines.
    pub(in crate::stream) fn drop_expired(
        &mut self,
        index: u32,
        (keys, slot): (&mut KeyTable, u32),
        now: Timestamp,
        stats: &mut Stats,
    ) {
        if self.matcher.program().reports_at_deadlines() {
            return;
        }
        let Some(place) = keys.place(slot, index) else { return };
        let RuleState { state, .. } = keys.at_mut(slot, place).held;
        // The slot of a key without state is kept for its next event.
        if state.is_idle() {
            return;
        }
        let before = state.open_count();
        self.matcher.sweep(&mut self.store, state, now);
        stats.count(before, state.open_count());
        if state.is_idle() {
            stats.keys -= 1;
            keys.drop_at(slot, place);
        }
    }

    /// Drops the state of a key if the last match has ended the key (`once`).
    #[inline(always)]
    pub(super) fn end_if_ended(&mut self, state: &mut KeyState, stats: &mut Stats) {
        if self.emitter.take_ended_key() {
            give_up(&self.matcher, &mut self.store, state, stats);
        }
    }

    fn end_at(&mut self, keys: &mut KeyTable, slot: u32, place: usize, stats: &mut Stats) {
        let RuleState { state, .. } = keys.at_mut(slot, place).held;
        let before = state.open_count();
        give_up(&self.matcher, &mut self.store, state, stats);
        stats.count(before, OpenCount::default());
        stats.keys -= 1;
    }
}

/// Drops the partial matches of a key that is over (`once`).
#[cold]
pub(super) fn give_up<E: Event>(
    matcher: &Matcher<E>,
    store: &mut Store<E>,
    state: &mut KeyState,
    stats: &mut Stats,
) {
    stats.ended = stats.ended.saturating_add(state.partial_count());
    matcher.clear(store, state);
}
