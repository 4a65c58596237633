//! Replacement of rules while a stream runs.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::ruleset::RuleSet;
use crate::stream::change::replacement::{Refused, Replacement, RuleChange, Verdict};
use crate::stream::change::schema::{Retyped, merge};
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::routes::Routes;
use crate::stream::engine::Engine;
use crate::stream::keys::cold::Which;
use crate::stream::keys::groups::Groups;
use crate::stream::keys::several::are_alike;
use crate::stream::keys::table::{At, KeyTable};
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::spec::{Preparation, Relink, RuleSpec, check_events};
use crate::stream::rule::sweeps::Sweeps;
use kleene_automata::exec::{Carried, Extent, KeyState, Migration, OpenCount};
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{KeyPart, Rule};

/// A replacement that is planned and not yet applied.
struct ReplacementPlan<E: Event> {
    schema: Arc<Schema>,
    rules: Vec<PlannedRule<E>>,
    replacement: Replacement,
    /// By old rule: the slots in which the rule has state.
    slots: Vec<Vec<u32>>,
}

struct PlannedRule<E: Event> {
    /// The new rule, without state.
    new: RuleRuntime<E>,
    from: StateOrigin,
}

/// The origin of a new rule's state.
enum StateOrigin {
    Nothing,
    /// All state of the old rule with this number.
    Same(usize),
    /// The migrated state of the old rule with this number.
    Changed(usize, Box<Migration>),
}

impl<E: Event> Engine<E> {
    /// Returns the result that [`replace_rules`](Engine::replace_rules) would have now, without
    /// replacing any rule.
    ///
    /// The call takes time in proportion to the partial matches of the rules that change.
    pub fn plan_replacement(&self, rules: &RuleSet) -> Replacement {
        let declared = [rules.schema().clone()];
        let (ingest, rules) = (self.ingest(), RuleSpec::of(rules).collect());
        ingest.dispatcher.plan(&declared, rules, ingest.next_moment()).replacement
    }

    /// Replaces the rules that came from rule text by `rules`, between two events. Time, sources
    /// and buffered events stay. Rules that the host built in Rust
    /// ([`EngineBuilder::pattern`](crate::stream::EngineBuilder::pattern)) stay, too.
    ///
    /// A rule is identified by its name. A rule with the same [version](Rule::version) has the same
    /// meaning and continues with all of its state. In an edited rule, a partial match continues if
    /// every part that it has passed is unchanged: the steps up to the last captured event, their
    /// conditions, and the events that may come between them. The later steps, `within`, the
    /// outputs and the documentation may change. If the new deadline is already over, it passes at
    /// once. The contents of a `list` are not part of a condition. All other partial matches are
    /// dropped and counted.
    ///
    /// If the events have no schema of their own, event types may change as well. Build new events
    /// with the numbers of [`schema`](Engine::schema), not with those of `rules`.
    ///
    /// # Errors
    /// [`Refused`] if a rule cannot be run over these events. No rule is then replaced. The error
    /// is also [`Refused`], without any change listed, if a [cold store](crate::stream::ColdStore)
    /// cannot be read. That stops the engine.
    ///
    /// ```
    /// use kleene::stream::{Ignore, Verdict};
    /// use kleene::{Engine, Event, RuleSet, Timestamp};
    ///
    /// #[derive(Clone, Event)]
    /// struct Created { order: u32, at: Timestamp }
    /// #[derive(Clone, Event)]
    /// struct Paid { order: u32, at: Timestamp }
    /// #[derive(Clone, Event)]
    /// enum Shop { Created(Created), Paid(Paid) }
    ///
    /// let rules = |wait: &str| RuleSet::parse(&format!(
    ///     "event created {{ order: int, at: time }}
    ///      event paid    {{ order: int, at: time }}
    ///      rule unpaid   {{ key order  match created -> not paid for {wait}  emit {{ order }} }}",
    /// ));
    /// let mut engine = Engine::builder().rules(&rules("1h")?).build()?;
    /// let second = |s: i64| Timestamp::from_millis(1000 * s);
    /// engine.push(&Shop::Created(Created { order: 1, at: second(0) }), &mut Ignore)?;
    ///
    /// let replacement = engine.replace_rules(&rules("10m")?)?;
    /// let unpaid = replacement.rule("unpaid").unwrap();
    /// assert_eq!((&unpaid.verdict, unpaid.kept), (&Verdict::Kept, 1));
    ///
    /// engine.push(&Shop::Paid(Paid { order: 2, at: second(601) }), &mut Ignore)?;
    /// assert_eq!(engine.stats().matches, 1); // ten minutes after the order, not an hour
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace_rules(&mut self, rules: &RuleSet) -> Result<Replacement, Refused> {
        let declared = [rules.schema().clone()];
        let now = self.ingest().next_moment();
        let dispatcher = &mut self.ingest_mut().dispatcher;
        let replaced = dispatcher.replace_with(&declared, RuleSpec::of(rules).collect(), now);
        if replaced.is_ok() {
            *self.base_mut() = None;
        }
        replaced
    }
}

impl<E: Event> Dispatcher<E> {
    /// Replaces the rules at the moment `now` by rules from the text of several rule sets.
    /// `declared` are the schemas of these rule sets.
    ///
    /// # Errors
    /// [`Refused`] if a rule cannot be run over these events or the cold store cannot be read.
    pub(in crate::stream) fn replace_with(
        &mut self,
        declared: &[Arc<Schema>],
        rules: Vec<RuleSpec<E>>,
        now: Timestamp,
    ) -> Result<Replacement, Refused> {
        // Rules and groups get other numbers.
        if self.load_all() {
            return Err(Refused(Replacement::default()));
        }
        let plan = self.plan(declared, rules, now);
        if plan.replacement.is_refused() {
            return Err(Refused(plan.replacement));
        }
        // Keys go from group to group.
        self.groups.evict_idle();
        let before: Vec<u32> = self.rules.iter().map(|rule| rule.group).collect();
        let ReplacementPlan { schema, rules, replacement, slots } = plan;
        let (numbers, mut changed) = self.take_over(rules, &slots, now);
        changed.extend(self.regroup(&before, &numbers));
        changed.sort_unstable();
        self.timers.renumber(|rule| {
            numbers[rule as usize].filter(|rule| changed.binary_search(rule).is_err())
        });
        self.schedule_again(&changed);
        self.account();
        self.schema = schema;
        self.routes = Routes::new(&self.schema, &self.rules, &self.groups, self.routes.indexed);
        self.choose_delivery();
        Ok(replacement)
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
        let first = old.iter().flatten().position(|rule| rule.is_text).unwrap_or(old.len());
        let mut numbers: Vec<Option<u32>> = vec![None; old.len()];
        let mut changed = Vec::new();
        let hosts = |old: &mut [Option<RuleRuntime<E>>]| -> Vec<(usize, RuleRuntime<E>)> {
            let own = old.iter_mut().enumerate();
            own.filter_map(|(index, rule)| Some((index, rule.take_if(|rule| !rule.is_text)?)))
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
                        new.matcher = held.matcher;
                        new.store = held.store;
                        new.emitter.suppression = held.emitter.suppression;
                        new.sweeps = held.sweeps;
                    }
                    add(&mut rules, new, Some(index));
                }
                StateOrigin::Changed(index, migration) => {
                    if let Some(held) = old[index].take() {
                        let keys = self.groups.keys_mut(held.group);
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
            stats.divided_by_zero += gone.store.divisions_by_zero();
            stats.values_too_large += gone.store.values_too_large();
        }
        self.rules = rules;
        (numbers, changed)
    }

    /// Recounts the partial matches of all rules, which are in these slots.
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
            if let Some(sweeps) = &mut self.rules[index as usize].sweeps {
                sweeps.clear();
            }
        }
        let sweeps = self.rules.iter().filter_map(|rule| rule.sweeps.as_ref());
        self.timers.note(sweeps.map(Sweeps::len).sum());
        let slots = self.groups.slots_by_rule(self.rules.len());
        self.accounting.stats.keys = slots.iter().map(|slots| slots.len() as u64).sum();
        self.recount(&slots);
        for &index in changed {
            let rule = &mut self.rules[index as usize];
            let keys = self.groups.keys_mut(rule.group);
            for &slot in &slots[index as usize] {
                if let Some(place) = keys.place(slot, index) {
                    let At { generation, held, .. } = keys.at_mut(slot, place);
                    held.armed = Timestamp::MAX;
                    let (timers, stats) = (&mut self.timers, &mut self.accounting.stats);
                    rule.schedule(index, (slot, generation), held, timers, stats);
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
            rule.group = groups.join(&rule.info.rule);
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
            let to = self.rules[rule as usize].group;
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

    fn plan(
        &self,
        declared: &[Arc<Schema>],
        rules: Vec<RuleSpec<E>>,
        now: Timestamp,
    ) -> ReplacementPlan<E> {
        let (mut schema, mut retyped) = (self.schema.clone(), Vec::new());
        if E::schema().is_none() {
            for declared in declared {
                let (merged, changed) = merge(&schema, declared);
                schema = merged;
                retyped.extend(changed);
            }
        }
        let slots = self.groups.slots_by_rule(self.rules.len());
        let mut gone: Vec<bool> = self.rules.iter().map(|rule| rule.is_text).collect();
        // In their order from the back.
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, old) in self.rules.iter().enumerate().rev().filter(|(_, rule)| rule.is_text) {
            by_name.entry(&old.info.rule.name).or_default().push(index);
        }
        let mut replacement = Replacement::default();
        let mut planned = Vec::new();
        let running = self.rules.iter().map(|rule| &**rule.matcher.program());
        let mut prepared = Preparation::beside(running);
        for given in rules {
            let rule = given.rule.clone();
            let old = by_name.get_mut(&*rule.name).and_then(Vec::pop);
            if let Some(old) = old {
                gone[old] = false;
            }
            let mut change = RuleChange {
                rule: rule.name.clone(),
                verdict: Verdict::Added,
                old_version: old.map(|old| self.rules[old].info.rule.version),
                new_version: Some(rule.version),
                kept: 0,
                dropped: 0,
            };
            match given.start(&schema, Relink::Allowed, self.matching, &mut prepared) {
                Ok(new) => {
                    let from = old.map_or(StateOrigin::Nothing, |old| {
                        self.compare((old, &slots[old]), &new, (&retyped, now), &mut change)
                    });
                    planned.push(PlannedRule { new, from });
                }
                Err(reason) => change.verdict = Verdict::Refused(reason),
            }
            replacement.rules.push(change);
        }
        // Only rule text feeds rules.
        let hosts = self.rules.iter().filter(|rule| !rule.is_text).map(|rule| &rule.info.rule);
        let new = planned.iter().map(|planned: &PlannedRule<E>| &planned.new.info.rule);
        let read: HashSet<TypeId> =
            hosts.chain(new).flat_map(|rule| rule.types.iter().copied()).collect();
        for PlannedRule { new, .. } in &mut planned {
            if let Err(reason) = new.link(&read).and_then(|()| check_events(new))
                && let Some(change) =
                    replacement.rules.iter_mut().find(|change| change.rule == new.info.rule.name)
            {
                change.verdict = Verdict::Refused(reason);
            }
        }
        let old = self.rules.iter().enumerate().zip(gone).filter(|(_, gone)| *gone);
        for ((index, old), _) in old {
            replacement.rules.push(RuleChange {
                rule: old.info.rule.name.clone(),
                verdict: Verdict::Removed,
                old_version: Some(old.info.rule.version),
                new_version: None,
                kept: 0,
                dropped: self.count_partials(index, &slots[index]),
            });
        }
        ReplacementPlan { schema, rules: planned, replacement, slots }
    }

    /// Returns the state that a rule takes over from the old rule of its name.
    fn compare(
        &self,
        (index, slots): (usize, &[u32]),
        new: &RuleRuntime<E>,
        (retyped, now): (&[Retyped], Timestamp),
        change: &mut RuleChange,
    ) -> StateOrigin {
        let old = &self.rules[index];
        let (before, after) = (&*old.info.rule, &*new.info.rule);
        let all = self.count_partials(index, slots);
        if before.version == after.version {
            (change.verdict, change.kept) = (Verdict::Unchanged, all);
            return StateOrigin::Same(index);
        }
        if let Some(reason) = incompatible(before, after, retyped) {
            (change.verdict, change.dropped) = (Verdict::Reset(reason), all);
            return StateOrigin::Nothing;
        }
        let from = (&before.pattern, &**old.matcher.program());
        let to = (&after.pattern, &**new.matcher.program());
        let migration = Migration::new(from, to);
        let held = (&old.matcher, &old.store);
        let mut all: u64 = 0;
        let mut count = |carried: Carried| {
            all = carried.held.saturating_add(all);
            change.kept = carried.kept.saturating_add(change.kept);
        };
        for state in self.states(index, slots) {
            count(new.matcher.count_carried(&migration, held, state, now));
        }
        if let Some(cold) = &self.cold {
            // If it cannot be read, the engine stops and nothing is replaced.
            let _ = cold.look(Which::All, &self.rules, |_, _, held, scratch| {
                for held in held.iter().filter(|held| held.rule as usize == index) {
                    if let Some(store) = scratch.store(held.rule) {
                        let held = (&old.matcher, store, &held.state);
                        count(new.matcher.count_carried(&migration, (held.0, held.1), held.2, now));
                    }
                }
            });
        }
        change.dropped = all.saturating_sub(change.kept);
        change.verdict = match migration.extent() {
            Extent::All if change.dropped == 0 => Verdict::Kept,
            Extent::All | Extent::Part => Verdict::KeptInPart,
            // Its suppressed keys, and what keeps it from starting, are retained all the same.
            Extent::Nothing => Verdict::Reset(String::from("its first step is another one")),
        };
        StateOrigin::Changed(index, Box::new(migration))
    }

    /// Returns the state of a rule in these slots.
    fn states(&self, rule: usize, slots: &[u32]) -> impl Iterator<Item = &KeyState> {
        let keys = self.groups.keys(self.rules[rule].group);
        let number = u32::try_from(rule).unwrap_or(u32::MAX);
        slots.iter().filter_map(move |slot| Some(&keys.held(*slot, number)?.state))
    }

    fn count_partials(&self, rule: usize, slots: &[u32]) -> u64 {
        let counts = self.states(rule, slots).map(KeyState::partial_count);
        let cold = self.cold.as_ref().map_or(0, |cold| cold.partials(rule));
        counts.fold(cold, u64::saturating_add)
    }
}

/// Moves the migrated state of an old rule to the new rule. The states were removed from these
/// keys.
fn carry_over<E: Event>(
    new: &mut RuleRuntime<E>,
    migration: &Migration,
    old: RuleRuntime<E>,
    (keys, mut states): (&mut KeyTable, States),
    now: Timestamp,
) {
    if is_suppressed_alike(&old.info.rule, &new.info.rule) {
        new.emitter.suppression = old.emitter.suppression;
    }
    let carried = states.iter_mut().map(|(_, state)| state);
    new.store = new.matcher.carry_over(migration, (&old.matcher, old.store), carried, now);
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

/// Returns the reason why no state of a rule can continue in another rule, independent of their
/// patterns.
fn incompatible(before: &Rule, after: &Rule, retyped: &[Retyped]) -> Option<String> {
    let same = |a: &KeyPart, b: &KeyPart| {
        // Types that only one of the rules sees are keyed as it likes.
        a.name == b.name
            && a.is_computed == b.is_computed
            && a.fields
                .iter()
                .all(|(ty, field)| b.fields.iter().all(|(other, of)| other != ty || of == field))
    };
    let keys = (&before.key, &after.key);
    let is_alike = are_alike((&before.step_keys, keys.0), (&after.step_keys, keys.1));
    if keys.0.len() != keys.1.len()
        || !keys.0.iter().zip(keys.1).all(|(a, b)| same(a, b))
        || !is_alike
    {
        return Some(String::from("its key is another one"));
    }
    let retyped = retyped.iter().find(|retyped| before.types.contains(&retyped.ty))?;
    Some(format!("the field `{}` is declared with another type", retyped.field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_rules_share_the_automata_of_those_that_run() {
        let rules = |text: &str| {
            RuleSet::parse(&format!("event a {{ at: time, n: int }} {text}")).expect("it is right")
        };
        let first = rules("rule one { match a[n == 1] -> a within 1h }");
        let second = rules(
            "rule one { match a[n == 1] -> a within 1h }
             rule two { match a[n == 2] -> a within 1h }
             rule other { match a[n == 2] -> next a within 1h }",
        );
        let mut engine: Engine<crate::Record> =
            Engine::builder().rules(&first).build().expect("they can be run");
        let before = engine.ingest().dispatcher.rules[0].matcher.program().automaton().clone();
        engine.replace_rules(&second).expect("they can be run");
        let shared: Vec<bool> = engine
            .ingest()
            .dispatcher
            .rules
            .iter()
            .map(|rule| Arc::ptr_eq(rule.matcher.program().automaton(), &before))
            .collect();
        assert_eq!(shared, [true, true, false]);
    }
}
