//! Replacement of rules while a stream goes on.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::ruleset::RuleSet;
use crate::stream::change::replacement::{Refused, Replacement, RuleChange, Verdict};
use crate::stream::change::schema::{Retyped, merge};
use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::exchange::{PlannedRule, StateOrigin};
use crate::stream::engine::Engine;
use crate::stream::keys::cold::Which;
use crate::stream::keys::several::are_alike;
use crate::stream::rule::runtime::RuleRuntime;
use crate::stream::rule::spec::{Preparation, Relink, RuleSpec};
use kleene_automata::exec::{Carried, Extent, Migration};
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

impl<E: Event> Engine<E> {
    /// Returns the result that [`replace_rules`](Engine::replace_rules) would have now, without
    /// replacing any rule.
    ///
    /// The call takes time in proportion to the partial matches of the rules that change.
    pub fn plan_replacement(&self, rules: &RuleSet) -> Replacement {
        let declared = [rules.schema().clone()];
        let (ingest, rules) = (self.ingest(), RuleSpec::of(rules).collect());
        let now = ingest.next_moment();
        ReplacementPlan::new(ingest.dispatcher(), &declared, rules, now).replacement
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
        let dispatcher = self.ingest_mut().dispatcher_mut();
        let replaced = replace_with(dispatcher, &declared, RuleSpec::of(rules).collect(), now);
        if replaced.is_ok() {
            *self.base_mut() = None;
        }
        replaced
    }
}

/// Replaces the rules at the moment `now` by rules from the text of several rule sets. `declared`
/// are the schemas of these rule sets.
///
/// # Errors
/// [`Refused`] if a rule cannot be run over these events or the cold store cannot be read.
pub(in crate::stream) fn replace_with<E: Event>(
    dispatcher: &mut Dispatcher<E>,
    declared: &[Arc<Schema>],
    rules: Vec<RuleSpec<E>>,
    now: Timestamp,
) -> Result<Replacement, Refused> {
    // Rules and groups get other numbers.
    if dispatcher.load_all() {
        return Err(Refused(Replacement::default()));
    }
    let plan = ReplacementPlan::new(dispatcher, declared, rules, now);
    if plan.replacement.is_refused() {
        return Err(Refused(plan.replacement));
    }
    let ReplacementPlan { schema, rules, replacement, slots } = plan;
    dispatcher.exchange(schema, rules, &slots, now);
    Ok(replacement)
}

impl<E: Event> ReplacementPlan<E> {
    fn new(
        dispatcher: &Dispatcher<E>,
        declared: &[Arc<Schema>],
        rules: Vec<RuleSpec<E>>,
        now: Timestamp,
    ) -> ReplacementPlan<E> {
        let (mut schema, mut retyped) = (dispatcher.schema().clone(), Vec::new());
        if E::schema().is_none() {
            for declared in declared {
                let (merged, changed) = merge(&schema, declared);
                schema = merged;
                retyped.extend(changed);
            }
        }
        let slots = dispatcher.slots_by_rule();
        let running = dispatcher.rules();
        let mut gone: Vec<bool> = running.iter().map(RuleRuntime::is_text).collect();
        // In their order from the back.
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, old) in running.iter().enumerate().rev().filter(|(_, rule)| rule.is_text()) {
            by_name.entry(&old.rule().name).or_default().push(index);
        }
        let mut replacement = Replacement::default();
        let mut planned = Vec::new();
        let mut prepared = Preparation::beside(running.iter().map(|rule| &**rule.program()));
        for given in rules {
            let rule = given.rule.clone();
            let old = by_name.get_mut(&*rule.name).and_then(Vec::pop);
            if let Some(old) = old {
                gone[old] = false;
            }
            let mut change = RuleChange {
                rule: rule.name.clone(),
                verdict: Verdict::Added,
                old_version: old.map(|old| running[old].rule().version),
                new_version: Some(rule.version),
                kept: 0,
                dropped: 0,
            };
            match given.start(&schema, Relink::Allowed, dispatcher.matching(), &mut prepared) {
                Ok(new) => {
                    let from = old.map_or(StateOrigin::Nothing, |old| {
                        compare(dispatcher, (old, &slots[old]), &new, (&retyped, now), &mut change)
                    });
                    planned.push(PlannedRule { new, from });
                }
                Err(reason) => change.verdict = Verdict::Refused(reason),
            }
            replacement.rules.push(change);
        }
        // Only rule text feeds rules.
        let hosts = running.iter().filter(|rule| !rule.is_text()).map(RuleRuntime::rule);
        let new = planned.iter().map(|planned: &PlannedRule<E>| planned.new.rule());
        let read: HashSet<TypeId> =
            hosts.chain(new).flat_map(|rule| rule.types.iter().copied()).collect();
        for PlannedRule { new, .. } in &mut planned {
            if let Err(reason) = new.link(&read).and_then(|()| new.check_events())
                && let Some(change) =
                    replacement.rules.iter_mut().find(|change| change.rule == new.rule().name)
            {
                change.verdict = Verdict::Refused(reason);
            }
        }
        let old = running.iter().enumerate().zip(gone).filter(|(_, gone)| *gone);
        for ((index, old), _) in old {
            replacement.rules.push(RuleChange {
                rule: old.rule().name.clone(),
                verdict: Verdict::Removed,
                old_version: Some(old.rule().version),
                new_version: None,
                kept: 0,
                dropped: dispatcher.count_partials(index, &slots[index]),
            });
        }
        ReplacementPlan { schema, rules: planned, replacement, slots }
    }
}

/// Returns the state that a rule takes over from the old rule of its name.
fn compare<E: Event>(
    dispatcher: &Dispatcher<E>,
    (index, slots): (usize, &[u32]),
    new: &RuleRuntime<E>,
    (retyped, now): (&[Retyped], Timestamp),
    change: &mut RuleChange,
) -> StateOrigin {
    let old = &dispatcher.rules()[index];
    let (before, after) = (&**old.rule(), &**new.rule());
    let all = dispatcher.count_partials(index, slots);
    if before.version == after.version {
        (change.verdict, change.kept) = (Verdict::Unchanged, all);
        return StateOrigin::Same(index);
    }
    if let Some(reason) = incompatible(before, after, retyped) {
        (change.verdict, change.dropped) = (Verdict::Reset(reason), all);
        return StateOrigin::Nothing;
    }
    let from = (&before.pattern, &**old.program());
    let to = (&after.pattern, &**new.program());
    let migration = Migration::new(from, to);
    let mut all: u64 = 0;
    let mut count = |carried: Carried| {
        all = carried.held.saturating_add(all);
        change.kept = carried.kept.saturating_add(change.kept);
    };
    for state in dispatcher.states(index, slots) {
        count(new.count_carried(&migration, old, state, now));
    }
    if let Some(cold) = dispatcher.cold() {
        // If it cannot be read, the engine stops and nothing is replaced.
        let _ = cold.look(Which::All, dispatcher.rules(), |_, _, held, scratch| {
            for held in held.iter().filter(|held| held.rule as usize == index) {
                if let Some(store) = scratch.store(held.rule) {
                    let from = (old.matcher(), store);
                    count(new.matcher().count_carried(&migration, from, &held.state, now));
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
        let mut engine: Engine<kleene_event::event::Record> =
            Engine::builder().rules(&first).build().expect("they can be run");
        let before = engine.ingest().dispatcher().rules()[0].program().automaton().clone();
        engine.replace_rules(&second).expect("they can be run");
        let shared: Vec<bool> = engine
            .ingest()
            .dispatcher()
            .rules()
            .iter()
            .map(|rule| Arc::ptr_eq(rule.program().automaton(), &before))
            .collect();
        assert_eq!(shared, [true, true, false]);
    }
}
