//! Exchange of the rules while a stream goes on: the state that continues moves to the new rules.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::keys::groups::Groups;
use crate::stream::keys::table::{At, KeyTable};
use crate::stream::rule::runtime::RuleRuntime;
use kleene_automata::exec::{KeyState, Migration, OpenCount};
use kleene_event::event::Event;
use kleene_event::schema::Schema;
use kleene_event::time::Timestamp;
use kleene_syntax::hir::Rule;

/// A rule that is to run.
pub(in crate::stream) struct PlannedRule<E: Event> {
    /// The new rule, without state.
    pub(in crate::stream) new: RuleRuntime<E>,
    pub(in crate::stream) from: StateOrigin,
}

/// The origin of a new rule's state.
pub(in crate::stream) enum StateOrigin {
    Nothing,
    /// All state of the old rule with this number.
    Same(usize),
    /// The migrated state of the old rule with this number.
    Changed(usize, Box<Migration>),
}

impl<E: Event> Dispatcher<E> {
    /// Exchanges the rules from rule text for the planned rules at the moment `now`. All keys are in
    /// memory. `slots` are those in which each old rule has state.
    pub(in crate::stream) fn exchange(
        &mut self,
        schema: Arc<Schema>,
        planned: Vec<PlannedRule<E>>,
        slots: &[Vec<u32>],
        now: Timestamp,
    ) {
        // Keys go from group to group.
        self.groups.evict_idle();
        let before: Vec<u32> = self.rules.iter().map(RuleRuntime::group).collect();
        let (numbers, mut changed) = self.take_over(planned, slots, now);
        changed.extend(self.regroup(&before, &numbers));
        changed.sort_unstable();
        self.timers.renumber(|rule| {
            numbers[rule as usize].filter(|rule| changed.binary_search(rule).is_err())
        });
        self.schedule_again(&changed);
        self.account();
        self.reroute(schema);
    }

    /// Exchanges the old rules for the planned rules and those of the host, and moves the state
    /// that continues. Returns, for each old rule, the new number of its state, and the new rules
    /// whose timers must be rescheduled.
    fn take_over(
        &mut self,
        planned: Vec<PlannedRule<E>>,
        slots: &[Vec<u32>],
        now: Timestamp,
    ) -> (Vec<Option<u32>>, Vec<u32>) {
        let mut old: Vec<Option<RuleRuntime<E>>> =
            std::mem::take(&mut self.rules).into_iter().map(Some).collect();
        // The position of the first of them; the host's own rules keep their order.
        let first = old.iter().flatten().position(RuleRuntime::is_text).unwrap_or(old.len());
        let mut numbers: Vec<Option<u32>> = vec![None; old.len()];
        let mut changed = Vec::new();
        let hosts = |old: &mut [Option<RuleRuntime<E>>]| -> Vec<(usize, RuleRuntime<E>)> {
            let own = old.iter_mut().enumerate();
            own.filter_map(|(index, rule)| Some((index, rule.take_if(|rule| !rule.is_text())?)))
                .collect()
        };
        let (hosts_before, hosts_after) = (hosts(&mut old[..first]), hosts(&mut old));
        let mut rules: Vec<RuleRuntime<E>> = Vec::new();
        let mut add = |rules: &mut Vec<RuleRuntime<E>>, rule, from: Option<usize>| {
            if let Some(from) = from {
                numbers[from] = u32::try_from(rules.len()).ok();
            }
            rules.push(rule);
        };
        for (index, rule) in hosts_before {
            add(&mut rules, rule, Some(index));
        }
        for PlannedRule { mut new, from } in planned {
            match from {
                StateOrigin::Nothing => add(&mut rules, new, None),
                StateOrigin::Same(index) => {
                    if let Some(held) = old[index].take() {
                        new.take_over(held);
                    }
                    add(&mut rules, new, Some(index));
                }
                StateOrigin::Changed(index, migration) => {
                    if let Some(held) = old[index].take() {
                        let keys = self.groups.keys_mut(held.group());
                        let states = take_states(keys, &slots[index], index);
                        carry_over(&mut new, &migration, held, (keys, states), now);
                    }
                    changed.push(u32::try_from(rules.len()).unwrap_or(u32::MAX));
                    add(&mut rules, new, Some(index));
                }
            }
        }
        for (index, rule) in hosts_after {
            add(&mut rules, rule, Some(index));
        }
        let stats = &mut self.accounting.stats;
        for gone in old.iter().flatten() {
            gone.count_mistakes(stats);
        }
        self.rules = rules;
        (numbers, changed)
    }

    /// Counts the partial matches of all rules anew, which are in these slots.
    fn recount(&mut self, slots: &[Vec<u32>]) {
        let mut stats = self.accounting.stats;
        (stats.partials, stats.grouped) = (0, 0);
        for (rule, slots) in slots.iter().enumerate() {
            for state in self.states(rule, slots) {
                stats.count(OpenCount::default(), state.open_count());
            }
        }
        self.accounting.stats = stats;
    }

    /// Reschedules the timers of all state of these rules.
    fn schedule_again(&mut self, changed: &[u32]) {
        for &index in changed {
            self.rules[index as usize].clear_sweeps();
        }
        self.timers.note(self.rules.iter().map(RuleRuntime::scheduled_sweeps).sum());
        let slots = self.groups.slots_by_rule(self.rules.len());
        self.accounting.stats.keys = slots.iter().map(|slots| slots.len() as u64).sum();
        self.recount(&slots);
        for &index in changed {
            let rule = &mut self.rules[index as usize];
            let keys = self.groups.keys_mut(rule.group());
            for &slot in &slots[index as usize] {
                if let Some(place) = keys.place(slot, index) {
                    let At { id, held, .. } = keys.at_mut(slot, place);
                    held.armed = Timestamp::MAX;
                    let (timers, stats) = (&mut self.timers, &mut self.accounting.stats);
                    rule.schedule(index, id, held, timers, stats);
                }
            }
        }
    }

    /// Assigns each rule to a group, and moves the state of old rules there. `before` are the
    /// groups of the old rules, and `numbers` the new numbers of those that continue. Returns the
    /// new numbers of rules whose slots changed.
    fn regroup(&mut self, before: &[u32], numbers: &[Option<u32>]) -> Vec<u32> {
        let mut groups = Groups::empty_like(&self.groups);
        for rule in &mut self.rules {
            rule.join(&mut groups);
        }
        let mut old = std::mem::replace(&mut self.groups, groups);
        for group in 0..u32::try_from(old.len()).unwrap_or(u32::MAX) {
            old.keys_mut(group).renumber(|rule| numbers[rule as usize]);
        }
        // A group takes over all the keys of an old one, the first that one of its rules was in.
        // Only rules whose group is divided or joined with another one have to move.
        let (mut heirs, mut has_keys) = (HashMap::new(), HashSet::new());
        let mut moves = Vec::new();
        for (from, rule) in before.iter().zip(numbers).filter_map(|(b, n)| Some((*b, (*n)?))) {
            let to = self.rules[rule as usize].group();
            if !heirs.contains_key(&from) && has_keys.insert(to) {
                heirs.insert(from, to);
                *self.groups.keys_mut(to) = std::mem::take(old.keys_mut(from));
            }
            if heirs.get(&from) != Some(&to) {
                moves.push((from, to, rule));
            }
        }
        moves.sort_unstable();
        for moved in moves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (from, to, _) = moved[0];
            let holder = heirs.get(&from).copied();
            let keys = holder.map_or_else(|| old.keys_mut(from), |to| self.groups.keys_mut(to));
            let mut keys = std::mem::take(keys);
            let is_moved = |rule| moved.binary_search_by_key(&rule, |moved| moved.2).is_ok();
            keys.move_rules(self.groups.keys_mut(to), is_moved);
            *holder.map_or_else(|| old.keys_mut(from), |to| self.groups.keys_mut(to)) = keys;
        }
        moves.into_iter().map(|(.., rule)| rule).collect()
    }

    /// Returns the state of a rule in these slots.
    pub(in crate::stream) fn states(
        &self,
        rule: usize,
        slots: &[u32],
    ) -> impl Iterator<Item = &KeyState> {
        let keys = self.groups.keys(self.rules[rule].group());
        let number = u32::try_from(rule).unwrap_or(u32::MAX);
        slots.iter().filter_map(move |slot| Some(&keys.held(*slot, number)?.state))
    }

    /// Returns the number of a rule's partial matches: those in these slots, and those in the cold
    /// store.
    pub(in crate::stream) fn count_partials(&self, rule: usize, slots: &[u32]) -> u64 {
        let counts = self.states(rule, slots).map(KeyState::partial_count);
        let cold = self.cold().map_or(0, |cold| cold.partials(rule));
        counts.fold(cold, u64::saturating_add)
    }
}

/// Moves the migrated state of an old rule to the new rule. The states were removed from these
/// keys.
fn carry_over<E: Event>(
    new: &mut RuleRuntime<E>,
    migration: &Migration,
    mut old: RuleRuntime<E>,
    (keys, mut states): (&mut KeyTable, States),
    now: Timestamp,
) {
    if is_suppressed_alike(old.rule(), new.rule()) {
        new.take_suppression(&mut old);
    }
    let carried = states.iter_mut().map(|(_, state)| state);
    new.carry_over(migration, old, carried, now);
    for ((slot, place), state) in states {
        keys.at_mut(slot, place).held.state = state;
    }
}

/// The state of a rule: each key's state with the slot and position from which it was removed.
type States = Vec<((u32, usize), KeyState)>;

/// Removes the state of a rule from these slots. Returns each state with its slot and position.
fn take_states(keys: &mut KeyTable, slots: &[u32], rule: usize) -> States {
    let number = u32::try_from(rule).unwrap_or(u32::MAX);
    let take = |slot: &u32| {
        let place = keys.place(*slot, number)?;
        Some(((*slot, place), std::mem::take(&mut keys.at_mut(*slot, place).held.state)))
    };
    slots.iter().filter_map(take).collect()
}

/// True if the suppressed keys of one rule mean the same in another.
fn is_suppressed_alike(before: &Rule, after: &Rule) -> bool {
    let width = |rule: &Rule| {
        let suppress = rule.suppress.as_ref()?;
        Some(suppress.by.as_ref().map(Vec::len))
    };
    let remembers = after.suppress.is_some() || after.once.is_some();
    remembers && before.once == after.once && width(before) == width(after)
}
