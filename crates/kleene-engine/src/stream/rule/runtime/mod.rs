//! One rule as an engine runs it: its state, which is private to the files below.

mod ending;
mod expiry;
mod push;

use std::sync::Arc;

use hashbrown::HashSet;

use crate::ruleset::RuleSet;
use crate::ruleset::relink::check_types;
use crate::stream::error::{BuildError, BuildErrorKind};
use crate::stream::keys::groups::Groups;
use crate::stream::keys::reader::KeyClosures;
use crate::stream::output::matched::RuleInfo;
use crate::stream::rule::emitter::Emitter;
use crate::stream::rule::suppress::SuppressionTable;
use crate::stream::rule::sweeps::Sweeps;
use crate::stream::stats::Stats;
use kleene_automata::exec::{Carried, Image, KeyState, Matcher, Migration, Open, Store};
use kleene_automata::nfa::Program;
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::{ConditionId, Length, Once, Rule};

/// A rule and its state.
pub(crate) struct RuleRuntime<E: Event> {
    info: RuleInfo,
    matcher: Matcher<E>,
    store: Store<E>,
    /// The bytes of the store that are in the engine's count.
    accounted: u64,
    /// The group of rules with the same key.
    group: u32,
    /// The closures of the key; `None` if it is in fields.
    key_closures: Option<KeyClosures<E>>,
    /// The event types that are declared with the rule; `None` if they are those of the events.
    declared: Option<Arc<Schema>>,
    /// True if the rule comes from rule text, so that it can be replaced.
    is_text: bool,
    /// The rule set of the rule, if there is one.
    text: Option<RuleSet>,
    emitter: Emitter,
    /// The schedule of sweeps, if deadlines report nothing.
    sweeps: Option<Sweeps>,
}

impl<E: Event> RuleRuntime<E> {
    pub(crate) fn new(
        info: RuleInfo,
        matcher: Matcher<E>,
        declared: Option<Arc<Schema>>,
        is_text: bool,
        text: Option<RuleSet>,
    ) -> RuleRuntime<E> {
        let (store, sweeps) = (matcher.create_store(), sweeps(matcher.program()));
        let emitter = Emitter::new(&info.rule);
        let group = u32::MAX;
        let accounted = 0;
        RuleRuntime {
            info,
            matcher,
            store,
            accounted,
            group,
            key_closures: None,
            declared,
            is_text,
            text,
            emitter,
            sweeps,
        }
    }

    /// Computes the parts of the key by closures, where there are any.
    pub(in crate::stream) fn with_key(self, key_closures: Option<KeyClosures<E>>) -> Self {
        RuleRuntime { key_closures, ..self }
    }

    /// Returns the same rule without state, not linked to others.
    pub(in crate::stream) fn anew(&self) -> RuleRuntime<E> {
        let RuleRuntime { info, matcher, declared, is_text, text, .. } = self;
        let (info, matcher) = (info.clone(), matcher.clone());
        let anew = RuleRuntime::new(info, matcher, declared.clone(), *is_text, text.clone());
        anew.with_key(self.key_closures.clone())
    }

    /// Returns the same rule without state, linked to the same rules.
    pub(in crate::stream) fn empty_like(&self) -> RuleRuntime<E> {
        RuleRuntime { emitter: Emitter::empty_like(&self.emitter), ..self.anew() }
    }

    /// Prepares the derived events of the rule; other rules read the types `read`.
    ///
    /// # Errors
    /// [`BuildError`] if events of this Rust type cannot be made.
    pub(in crate::stream) fn link(&mut self, read: &HashSet<TypeId>) -> Result<(), BuildError> {
        self.emitter.link::<E>(&self.info, read)
    }

    /// Joins the group of the rules with the same key.
    pub(in crate::stream) fn join(&mut self, groups: &mut Groups) {
        self.group = groups.join(&self.info.rule);
    }

    /// Checks that the events have the types that the rule's pattern names.
    ///
    /// # Errors
    /// [`BuildError`] if a type is missing.
    pub(in crate::stream) fn check_events(&self) -> Result<(), BuildError> {
        let Some(declared) = self.declared.as_ref().filter(|_| E::schema().is_some()) else {
            return Ok(());
        };
        let RuleInfo { rule, schema, .. } = &self.info;
        check_types(rule, declared, schema).map_err(|mismatch| BuildError {
            rule: rule.name.clone(),
            kind: BuildErrorKind::Mismatch(mismatch),
        })
    }
}

/// What the rule is.
impl<E: Event> RuleRuntime<E> {
    /// Returns the rule with the schema that numbers its types and fields.
    pub(in crate::stream) fn info(&self) -> &RuleInfo {
        &self.info
    }

    /// Returns the rule, with the numbers of the events' schema.
    pub(in crate::stream) fn rule(&self) -> &Arc<Rule> {
        &self.info.rule
    }

    /// Returns the matcher of the rule.
    pub(in crate::stream) fn matcher(&self) -> &Matcher<E> {
        &self.matcher
    }

    /// Returns the automaton of the rule.
    pub(in crate::stream) fn program(&self) -> &Arc<Program> {
        self.matcher.program()
    }

    /// Returns the rule and its matcher, without state.
    pub(in crate::stream) fn into_parts(self) -> (RuleInfo, Matcher<E>) {
        (self.info, self.matcher)
    }

    /// Returns the group of rules with the same key.
    #[inline(always)]
    pub(in crate::stream) fn group(&self) -> u32 {
        self.group
    }

    /// Returns the closures of the key; `None` if it is in fields.
    pub(in crate::stream) fn key_closures(&self) -> Option<&KeyClosures<E>> {
        self.key_closures.as_ref()
    }

    /// Returns the event types that are declared with the rule; `None` if they are those of the
    /// events.
    pub(in crate::stream) fn declared(&self) -> Option<&Schema> {
        self.declared.as_deref()
    }

    /// True if the rule comes from rule text, so that it can be replaced.
    pub(in crate::stream) fn is_text(&self) -> bool {
        self.is_text
    }

    /// Returns the rule set of the rule, if there is one.
    pub(in crate::stream) fn text(&self) -> Option<&RuleSet> {
        self.text.as_ref()
    }

    /// Returns the scope that ends with the first match.
    pub(in crate::stream) fn once(&self) -> Option<Once> {
        self.emitter.once
    }

    /// True if a deadline reports nothing, so that expired state is swept.
    #[inline]
    pub(in crate::stream) fn has_sweeps(&self) -> bool {
        self.sweeps.is_some()
    }

    /// Returns the suppressed keys, if the rule has `suppress` or `once`.
    pub(in crate::stream) fn suppression(&self) -> Option<&SuppressionTable> {
        self.emitter.suppression.as_ref()
    }

    /// Returns the suppressed keys to add, drop or record some.
    pub(in crate::stream) fn suppression_mut(&mut self) -> Option<&mut SuppressionTable> {
        self.emitter.suppression.as_mut()
    }
}

/// The state that keys have with the rule.
impl<E: Event> RuleRuntime<E> {
    /// Returns the heap size in bytes, without the keys.
    pub(in crate::stream) fn memory_usage(&self) -> usize {
        let suppression =
            self.emitter.suppression.as_ref().map_or(0, SuppressionTable::memory_usage);
        let sweeps = self.sweeps.as_ref().map_or(0, Sweeps::memory_usage);
        self.store.memory_usage() + suppression + sweeps
    }

    /// Copies the state of a key to an image.
    pub(in crate::stream) fn export<'s>(&'s self, state: &KeyState, image: &mut Image<&'s E>) {
        self.matcher.export(&self.store, state, image);
    }

    /// Makes the state of a key from an image.
    pub(in crate::stream) fn import(&mut self, image: Image<E>, stats: &mut Stats) -> KeyState {
        let state = self.matcher.import(&mut self.store, image);
        self.account(stats);
        state
    }

    /// Drops the state of a key.
    pub(in crate::stream) fn clear(&mut self, state: &mut KeyState, stats: &mut Stats) {
        self.matcher.clear(&mut self.store, state);
        self.account(stats);
    }

    /// Returns the open partial matches of a key.
    pub(in crate::stream) fn open(&self, state: &KeyState) -> Vec<Open<'_, E>> {
        self.matcher.open(&self.store, state)
    }

    /// Prefetches the state of a key for an event of this time. Returns true if another `step` is
    /// of use.
    #[inline(always)]
    pub(in crate::stream) fn prefetch(
        &self,
        state: &KeyState,
        time: Timestamp,
        step: usize,
    ) -> bool {
        self.matcher.prefetch(&self.store, state, time, step)
    }

    /// Records that the event with the number `seq` fulfils a condition.
    #[inline]
    pub(in crate::stream) fn know(&mut self, seq: u64, condition: ConditionId) {
        self.store.know(seq, condition);
    }

    /// Sets the variants of step keys that the next event has: a bit for each.
    #[inline]
    pub(in crate::stream) fn set_step_keys(&mut self, variants: u64) {
        self.store.set_step_keys(variants);
    }

    /// Marks the end of the stream: each repeating silence is reported once more, not for ever.
    pub(in crate::stream) fn end_repetitions(&mut self) {
        self.store.end();
    }

    /// Drops all state at once, and counts the mistakes of expressions up to now.
    pub(in crate::stream) fn drop_all(&mut self, stats: &mut Stats) {
        self.count_mistakes(stats);
        self.store = self.matcher.create_store();
        self.accounted = 0;
    }

    /// Adds the mistakes of expressions to the counts: the rule is gone.
    pub(in crate::stream) fn count_mistakes(&self, stats: &mut Stats) {
        let (divisions, too_large) = self.mistakes();
        stats.divided_by_zero += divisions;
        stats.values_too_large += too_large;
    }

    /// Returns the number of divisions by zero and of values that were too large.
    pub(in crate::stream) fn mistakes(&self) -> (u64, u64) {
        (self.store.divisions_by_zero(), self.store.values_too_large())
    }

    /// Returns the number of matching steps.
    pub(in crate::stream) fn steps(&self) -> u64 {
        self.store.steps()
    }

    /// Counts the bytes of captured events anew, and returns them.
    pub(in crate::stream) fn recount_bytes(&mut self) -> u64 {
        self.accounted = self.store.captured_bytes();
        self.accounted
    }

    /// Updates the engine's count of bytes.
    #[inline]
    pub(in crate::stream) fn account(&mut self, stats: &mut Stats) {
        let bytes = self.store.captured_bytes();
        stats.captured_bytes =
            stats.captured_bytes.wrapping_add(bytes.wrapping_sub(self.accounted));
        self.accounted = bytes;
    }
}

/// The place of a rule that is replaced.
impl<E: Event> RuleRuntime<E> {
    /// Takes over all state of the old rule, which means the same. The states of its keys stay.
    pub(in crate::stream) fn take_over(&mut self, old: RuleRuntime<E>) {
        self.matcher = old.matcher;
        self.store = old.store;
        self.emitter.suppression = old.emitter.suppression;
        self.sweeps = old.sweeps;
    }

    /// Takes over the suppressed keys of the old rule, where they mean the same.
    pub(in crate::stream) fn take_suppression(&mut self, old: &mut RuleRuntime<E>) {
        self.emitter.suppression = old.emitter.suppression.take();
    }

    /// Moves the `states` of the old rule's keys to this one.
    pub(in crate::stream) fn carry_over<'s>(
        &mut self,
        migration: &Migration,
        old: RuleRuntime<E>,
        states: impl Iterator<Item = &'s mut KeyState>,
        now: Timestamp,
    ) {
        self.store = self.matcher.carry_over(migration, (&old.matcher, old.store), states, now);
    }

    /// Returns how much of a state of the old rule would come along.
    pub(in crate::stream) fn count_carried(
        &self,
        migration: &Migration,
        old: &RuleRuntime<E>,
        state: &KeyState,
        now: Timestamp,
    ) -> Carried {
        self.matcher.count_carried(migration, (&old.matcher, &old.store), state, now)
    }

    /// Forgets all scheduled sweeps: the keys are scheduled anew.
    pub(in crate::stream) fn clear_sweeps(&mut self) {
        if let Some(sweeps) = &mut self.sweeps {
            sweeps.clear();
        }
    }

    /// Returns the number of keys that are scheduled for a sweep.
    pub(in crate::stream) fn scheduled_sweeps(&self) -> usize {
        self.sweeps.as_ref().map_or(0, Sweeps::len)
    }
}

/// Returns the schedule of sweeps, if nothing is reported at deadlines. Expired state is dropped an
/// eighth of `within` later.
fn sweeps(program: &Program) -> Option<Sweeps> {
    match program.within().and_then(Length::as_millis) {
        Some(within) if !program.reports_at_deadlines() => Some(Sweeps::new(within / 8)),
        _ => None,
    }
}
