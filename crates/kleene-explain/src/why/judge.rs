//! Spells guards and states in the words of the rule.

use std::ops::Deref;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::story::{Awaited, Failed, Mismatch, MismatchReason, Then, Waits, progress, span};
use crate::explain::Words;
use kleene_automata::exec::{Captures, Judged, Matcher, ProbedRun, Store, Waiting};
use kleene_automata::nfa::{Action, Edge, Guard, GuardId, Program, Since, StateId};
use kleene_event::event::Event;
use kleene_event::schema::TypeId;
use kleene_event::time::Timestamp;
use kleene_event::util::order;
use kleene_syntax::hir::eval::Scope;
use kleene_syntax::hir::{
    ConditionId, Expr, ItemKind, Length, Pattern, Quantifier, Sequence, StepId, Test,
};

/// The purpose of a condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ConditionRole {
    Step(StepId),
    Until(StepId),
    Not(StepId),
    Without(StepId),
}

/// The purposes of a pattern's conditions and steps.
#[derive(Debug)]
pub(super) struct Roles {
    conditions: HashMap<ConditionId, SmallVec<[ConditionRole; 1]>>,
    steps: HashMap<StepId, (ConditionId, Quantifier)>,
    /// The steps in groups that repeat.
    repeated: HashSet<StepId>,
}

impl Roles {
    pub(super) fn new(pattern: &Pattern) -> Roles {
        let (conditions, steps) = (HashMap::new(), HashMap::new());
        let mut roles = Roles { conditions, steps, repeated: HashSet::new() };
        roles.sequence(&pattern.body, 0);
        // The automaton asks each of several conditions by itself.
        for (id, condition) in pattern.conditions.iter().enumerate() {
            let Test::OneOf(others) = &condition.test else { continue };
            for role in roles.of(ConditionId::new(id)).to_vec() {
                for other in others {
                    roles.add(*other, role);
                }
            }
        }
        roles
    }

    /// Adds the roles of a sequence. `loops` is the number of repeating groups around it.
    fn sequence(&mut self, sequence: &Sequence, loops: u32) {
        if let Some(without) = &sequence.without {
            self.add(without.condition, ConditionRole::Without(without.step));
        }
        for item in &sequence.items {
            match &item.kind {
                ItemKind::Step { step, condition, quantifier } => {
                    self.add(*condition, ConditionRole::Step(*step));
                    self.steps.insert(*step, (*condition, quantifier.clone()));
                    if loops > 0 {
                        self.repeated.insert(*step);
                    }
                    self.until(quantifier, *step);
                }
                ItemKind::Not { step, condition } => {
                    self.add(*condition, ConditionRole::Not(*step));
                }
                ItemKind::Group { body, quantifier, .. } => {
                    self.sequence(body, loops + u32::from(quantifier.max != Some(1)));
                    let last = body.items.last().and_then(|item| match &item.kind {
                        ItemKind::Step { step, .. } => Some(*step),
                        _ => None,
                    });
                    if let Some(last) = last {
                        self.until(quantifier, last);
                    }
                }
                ItemKind::Alternatives { branches, .. } => {
                    for branch in branches {
                        self.sequence(branch, loops);
                    }
                }
            }
        }
    }

    fn until(&mut self, quantifier: &Quantifier, step: StepId) {
        if let Some(until) = quantifier.until {
            self.add(until, ConditionRole::Until(step));
        }
    }

    fn add(&mut self, condition: ConditionId, role: ConditionRole) {
        let roles = self.conditions.entry(condition).or_default();
        if !roles.contains(&role) {
            roles.push(role);
        }
    }

    fn of(&self, condition: ConditionId) -> &[ConditionRole] {
        self.conditions.get(&condition).map_or(&[], |roles| roles)
    }
}

/// Puts the states of one rule's automaton into words.
#[derive(Clone, Copy)]
pub(super) struct Narrator<'a> {
    pub(super) words: Words<'a>,
    pub(super) roles: &'a Roles,
    pub(super) program: &'a Program,
}

/// Puts the answers of one rule's automaton to events into words, too.
pub(super) struct Judge<'a, E> {
    pub(super) narrator: Narrator<'a>,
    pub(super) matcher: &'a Matcher<E>,
    pub(super) store: &'a Store<E>,
}

impl<'a, E> Deref for Judge<'a, E> {
    type Target = Narrator<'a>;

    fn deref(&self) -> &Narrator<'a> {
        &self.narrator
    }
}

impl<E: Event> Judge<'_, E> {
    /// Returns the reasons why `event` fits none of the steps that are open at these runs, step by
    /// step.
    pub(super) fn mismatches(&self, runs: &[&ProbedRun], event: &E) -> Vec<Mismatch> {
        let mut mismatches: Vec<(StepId, Option<Mismatch>)> = Vec::new();
        for run in runs {
            let scope = self.matcher.scope(self.store, run, event);
            for edge in &run.edges {
                let Action::Take { step, .. } = edge.action else { continue };
                if self.matcher.is_ruled_out(self.store, run, edge) {
                    continue;
                }
                let mut reasons = Vec::new();
                if !edge.judged.holds {
                    self.reasons(&edge.judged, run, event, &scope, &mut reasons);
                }
                // The other conditions matter only if the step itself fits.
                let is_own = |reason: &MismatchReason| {
                    matches!(reason, MismatchReason::Type { .. } | MismatchReason::Condition(_))
                };
                if reasons.iter().any(is_own) {
                    reasons.retain(is_own);
                }
                let new = (!edge.judged.holds).then(|| Mismatch { step: self.name(step), reasons });
                match mismatches.iter_mut().find(|(of, _)| *of == step) {
                    None => mismatches.push((step, new)),
                    // Of several branches to one step, the branch with the fewest failed conditions
                    // is shown.
                    Some((_, old)) => {
                        if let Some(before) = old
                            && new
                                .as_ref()
                                .is_none_or(|new| new.reasons.len() < before.reasons.len())
                        {
                            *old = new;
                        }
                    }
                }
            }
        }
        order::sort_by_key(&mut mismatches, |(step, _)| *step);
        mismatches.into_iter().filter_map(|(_, mismatch)| mismatch).collect()
    }

    /// Collects the reasons why a guard does not hold.
    fn reasons<S: Scope>(
        &self,
        judged: &Judged,
        run: &ProbedRun,
        event: &E,
        scope: &S,
        reasons: &mut Vec<MismatchReason>,
    ) {
        let mut add = |reason: MismatchReason| {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        };
        match &self.program.guards[judged.guard.index()] {
            Guard::True
            | Guard::False
            | Guard::IsSet(_)
            | Guard::HasCome { .. }
            | Guard::HaveCome { .. } => {}
            Guard::Condition(id) => {
                self.of_condition(*id, event, scope).into_iter().for_each(&mut add);
            }
            Guard::Not(_) => {
                for part in &judged.parts {
                    match self.program.guards[part.guard.index()] {
                        Guard::Condition(id) => {
                            add(MismatchReason::Order(self.taken_otherwise(id)));
                        }
                        Guard::HasCome { .. } | Guard::HaveCome { .. } => {}
                        _ => {
                            let reason = String::from("it came too early or too late");
                            add(MismatchReason::Time(reason));
                        }
                    }
                }
            }
            Guard::And(_) | Guard::Or(_) => {
                for part in judged.parts.iter().filter(|part| !part.holds) {
                    self.reasons(part, run, event, scope, reasons);
                }
            }
            Guard::Gap { min, max, since, .. } => {
                let after = event.time().millis_since(run.last());
                let allowed = match (*min, *max) {
                    (min, None) => format!("at least {}", self.words.length(min)),
                    (Length::ZERO, Some(max)) => format!("at most {}", self.words.length(max)),
                    (min, Some(max)) => {
                        format!("{} to {}", self.words.length(min), self.words.length(max))
                    }
                };
                add(MismatchReason::Time(match since {
                    None => {
                        format!("it came {} after the previous event, not {allowed}", span(after))
                    }
                    Some(_) => format!("it did not come {allowed} after the previous step"),
                }));
            }
            Guard::Sooner { than, .. } => add(MismatchReason::Time(format!(
                "it did not come less than {} after the previous event",
                self.words.length(*than)
            ))),
            Guard::Within { within, .. } => add(MismatchReason::Time(format!(
                "the `within {}` of its group has run out",
                self.words.length(*within)
            ))),
        }
    }

    fn of_condition<S: Scope>(&self, id: ConditionId, event: &E, scope: &S) -> Vec<MismatchReason> {
        let Some(condition) = self.words.condition(id) else { return Vec::new() };
        if let Test::OneOf(others) = &condition.test {
            let reasons = others.iter().map(|other| self.of_condition(*other, event, scope));
            let reasons: Vec<Vec<MismatchReason>> = reasons.collect();
            let fits = reasons.iter().any(Vec::is_empty);
            return if fits { Vec::new() } else { reasons.concat() };
        }
        if condition.ty.is_some_and(|ty| ty != event.type_id()) {
            return vec![MismatchReason::Type { expected: self.words.ty(condition.ty).into() }];
        }
        let mut failed = Vec::new();
        self.failed(&condition.test, condition.ty, scope, &mut failed);
        failed.into_iter().map(MismatchReason::Condition).collect()
    }

    fn failed<S: Scope>(
        &self,
        test: &Test,
        ty: Option<TypeId>,
        scope: &S,
        failed: &mut Vec<Failed>,
    ) {
        match test {
            // The automaton asks each of several by itself.
            Test::True | Test::OneOf(_) => {}
            Test::Expr(expr) => self.words.failed(expr, ty, scope, failed),
            Test::Host { .. } => failed.push(Failed {
                condition: String::from("a condition of the program"),
                found: String::from("it returned false"),
            }),
            Test::All(tests) => {
                for test in tests {
                    self.failed(test, ty, scope, failed);
                }
            }
        }
    }

    /// Returns the steps with `not` that an event violated.
    pub(super) fn stopped_by(&self, runs: &[&ProbedRun]) -> Vec<String> {
        let mut by = Vec::new();
        for run in runs {
            for edge in run.edges.iter().filter(|edge| edge.action == Action::Stop) {
                if edge.judged.holds {
                    self.holding(&edge.judged, &mut by);
                }
            }
            // `without` closes every branch.
            if run.edges.iter().all(|edge| !edge.judged.holds) {
                run.edges.iter().for_each(|edge| self.closing(&edge.judged, &mut by));
            }
        }
        by.sort_unstable();
        by.dedup();
        by.into_iter().map(|id| self.words.step_text(id)).collect()
    }

    /// Returns the leading `not` that `event` violates, and the time before which no partial match
    /// starts.
    pub(super) fn silences(&self, start: &ProbedRun, event: &E) -> Option<(String, Timestamp)> {
        let not = self.program.leading_not.as_ref()?;
        let scope = self.matcher.scope(self.store, start, event);
        let is_it = self.of_condition(not.condition, event, &scope).is_empty();
        let until = event.time().plus_millis(not.millis);
        is_it.then(|| (self.words.step_text(not.condition), until))
    }

    /// Returns the leading `not` that was violated at `last_violation`, if it still prevents a
    /// start, and the time before which no partial match starts.
    pub(super) fn silenced(
        &self,
        last_violation: Option<Timestamp>,
        event: &E,
    ) -> Option<(String, Timestamp)> {
        let not = self.program.leading_not.as_ref()?;
        let until = last_violation?.plus_millis(not.millis);
        (event.time() < until).then(|| (self.words.step_text(not.condition), until))
    }

    /// The conditions that must not hold and do.
    fn closing(&self, judged: &Judged, by: &mut Vec<ConditionId>) {
        for part in judged.parts.iter().filter(|_| !judged.holds) {
            match (
                &self.program.guards[judged.guard.index()],
                &self.program.guards[part.guard.index()],
            ) {
                (Guard::Not(_), Guard::Condition(id)) if self.is_without(*id) => by.push(*id),
                (Guard::Not(_), _) => {}
                _ => self.closing(part, by),
            }
        }
    }

    /// True if a partial match that waits there is complete once it can grow no further.
    pub(super) fn accepts_when_exhausted(&self, run: &ProbedRun) -> bool {
        self.program.states[run.state().index()].accepts_when_exhausted
    }

    fn holding(&self, judged: &Judged, by: &mut Vec<ConditionId>) {
        match &self.program.guards[judged.guard.index()] {
            Guard::Condition(id) if judged.holds && self.is_forbidden(*id) => by.push(*id),
            Guard::And(_) | Guard::Or(_) => {
                for part in judged.parts.iter().filter(|part| part.holds) {
                    self.holding(part, by);
                }
            }
            _ => {}
        }
    }
}

impl Narrator<'_> {
    fn name(&self, step: StepId) -> Arc<str> {
        self.words.step(step).into()
    }

    /// Returns the reason why an event that fulfils the condition cannot be taken.
    fn taken_otherwise(&self, id: ConditionId) -> String {
        match self.roles.of(id) {
            [ConditionRole::Until(step), ..] => {
                format!("it ends the loop `{}` (`until`)", self.words.step(*step))
            }
            [ConditionRole::Not(step) | ConditionRole::Without(step), ..] => {
                format!("it is a `{}`, which is forbidden here", self.words.step(*step))
            }
            [ConditionRole::Step(step), ..] => {
                format!("it fits `{}`, which comes first", self.words.step(*step))
            }
            [] => String::from("another step comes first"),
        }
    }

    fn is_forbidden(&self, id: ConditionId) -> bool {
        self.roles
            .of(id)
            .iter()
            .any(|role| matches!(role, ConditionRole::Not(_) | ConditionRole::Without(_)))
    }

    fn is_without(&self, id: ConditionId) -> bool {
        self.roles.of(id).iter().any(|role| matches!(role, ConditionRole::Without(_)))
    }

    /// Returns the conditions that must not become true in a state: those that end it, and those
    /// that every way out requires to be false.
    fn forbidden(&self, states: &[StateId]) -> Vec<ConditionId> {
        let mut found = Vec::new();
        // Each guard, with true if it ends the partial match.
        let mut open: Vec<(GuardId, bool)> = Vec::new();
        for state in states {
            let edges = self.program.edges(*state).iter();
            open.extend(edges.map(|edge| (edge.guard, edge.action == Action::Stop)));
            if self.quiet(*state).is_some() {
                let skips = edges_that_skip(self.program, *state);
                found.extend(skips.flat_map(|guard| self.excluded(guard)));
            }
        }
        while let Some((guard, ends)) = open.pop() {
            match &self.program.guards[guard.index()] {
                Guard::Condition(id) if ends && self.is_forbidden(*id) => found.push(*id),
                Guard::And(parts) | Guard::Or(parts) => {
                    open.extend(parts.iter().map(|part| (*part, ends)));
                }
                Guard::Not(inner) if !ends => match &self.program.guards[inner.index()] {
                    Guard::Condition(id) if self.is_without(*id) => found.push(*id),
                    _ => {}
                },
                _ => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns the silence that has to follow the last event, if several branches wait for nothing
    /// else.
    fn quiet(&self, state: StateId) -> Option<Length> {
        let is_last = self.program.states[state.index()].accepts_at_deadline;
        let mut bounds = self.program.bounds(state).iter().filter(|_| is_last);
        let bound = bounds.find(|bound| matches!(bound.since, Since::Clock(_)))?;
        Some(bound.after)
    }

    /// Returns the conditions that a guard negates.
    fn excluded(&self, guard: GuardId) -> Vec<ConditionId> {
        match &self.program.guards[guard.index()] {
            Guard::And(parts) => parts.iter().flat_map(|part| self.excluded(*part)).collect(),
            Guard::Not(inner) => match &self.program.guards[inner.index()] {
                Guard::Condition(id) if self.is_forbidden(*id) => vec![*id],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The types of the events that a partial match waits for, or that would end it.
    pub(super) fn types_of_interest(&self, waiting: &Waiting) -> Vec<TypeId> {
        let awaited = waiting.awaits.iter();
        let awaited = awaited.filter_map(|step| self.roles.steps.get(step)).map(|(id, _)| *id);
        let ids = awaited.chain(self.forbidden(&waiting.states));
        let mut types: Vec<TypeId> = ids.filter_map(|id| self.words.condition(id)?.ty).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Returns everything that a partial match waits for.
    pub(super) fn waits<E: Event>(
        &self,
        waiting: &Waiting,
        captures: Option<Captures<'_, E>>,
    ) -> Waits {
        let known = |expr: &Expr| captures?.known(expr, self.program);
        let steps = &waiting.awaits;
        let awaited = steps.iter().map(|step| {
            let condition = self.roles.steps.get(step).map(|(condition, _)| *condition);
            Awaited {
                step: self.name(*step),
                needs: condition.map_or_else(
                    || String::from("an event"),
                    |condition| self.words.step_text_with(condition, &known),
                ),
                count: self.count(*step, &waiting.captured),
                have: self.have(*step, &waiting.captured).map_or(0, |(have, _)| have),
            }
        });
        let may_skip = |state: &StateId| {
            let mut edges = self.program.edges(*state).iter();
            edges.any(|edge| matches!(edge.action, Action::Ignore { .. }))
        };
        let completes = |state: &StateId| {
            let mut edges = self.program.edges(*state).iter();
            edges.any(|edge| edge.action == Action::Complete)
        };
        let looks = !steps.is_empty() || waiting.states.iter().any(completes);
        let forbidden = self.forbidden(&waiting.states);
        let bound = waiting.deadline.map(|deadline| self.bound(waiting, deadline));
        Waits {
            very_next: looks && !waiting.states.iter().any(may_skip),
            steps: awaited.collect(),
            forbidden: forbidden.iter().map(|id| self.words.step_text_with(*id, &known)).collect(),
            until: bound.as_ref().map(|(_, until)| *until),
            bound: bound.map(|(bound, _)| bound),
            then: self.then(waiting),
            is_complete: waiting.states.is_empty(),
        }
    }

    /// Returns what becomes of a partial match at its deadline.
    pub(super) fn then(&self, waiting: &Waiting) -> Then {
        let program = self.program;
        let is_cut_short = self.ends_with_the_pattern(waiting);
        let before_not = program.timing.before_last_not.and_then(Length::as_millis);
        let has_begun = before_not.is_none_or(|time| {
            waiting.deadline.is_none_or(|deadline| waiting.last.plus_millis(time) < deadline)
        });
        let completes = |state: &StateId| {
            let state = &program.states[state.index()];
            let is_silent = !state.ends_in_silence && has_begun;
            state.accepts_at_deadline && (is_silent || !is_cut_short)
        };
        if waiting.states.iter().any(completes) {
            Then::Match
        } else if program.report_timeouts {
            Then::Timeout
        } else {
            Then::Nothing
        }
    }

    /// True if the deadline of a partial match is the end of the pattern's own time.
    fn ends_with_the_pattern(&self, waiting: &Waiting) -> bool {
        let within = self.program.timing.within.and_then(Length::as_millis);
        within.is_some_and(|within| Some(waiting.start.plus_millis(within)) == waiting.deadline)
    }

    /// Returns the events that must not come while a partial match waits, as the rule spells them.
    pub(super) fn absent(&self, waiting: &Waiting) -> Vec<String> {
        let mut absent = self.forbidden(&waiting.states);
        if absent.is_empty() && self.program.timing.repeat.is_some() {
            // Behind a loop that takes the same events, the loop has them first.
            let last = self.words.pattern.body.items.last().map(|last| &last.kind);
            absent.extend(last.and_then(|last| match last {
                ItemKind::Not { condition, .. } => Some(*condition),
                _ => None,
            }));
        }
        absent.into_iter().map(|id| self.words.step_text(id)).collect()
    }

    /// Returns the bound on the time of a partial match, as the rule spells it, and the last moment
    /// that counts.
    pub(super) fn bound(&self, waiting: &Waiting, deadline: Timestamp) -> (String, Timestamp) {
        let program = self.program;
        // A bound that is read from an event is assumed to be the one that applies.
        let ends = |from: Timestamp, after: Length, more: i64| {
            let after = after.as_millis().map(|after| after + more);
            after.is_none_or(|after| from.plus_millis(after) == deadline)
        };
        let mut bounds = waiting.states.iter().flat_map(|state| program.bounds(*state));
        let is_report = |after: Length| {
            let passed = deadline.millis_since(waiting.last);
            program.timing.repeat == Some(after)
                && after.as_millis().is_none_or(|after| passed.checked_rem(after) == Some(0))
        };
        let last = bounds.find_map(|bound| {
            let more = i64::from(bound.included);
            let is_over = ends(waiting.last, bound.after, more) || is_report(bound.after);
            (bound.since == Since::Last && is_over).then_some(bound.after)
        });
        let is_whole = program.timing.within.is_some_and(|within| ends(waiting.start, within, 0));
        let mut quiet = waiting.states.iter().filter_map(|state| self.quiet(*state));
        match (last, program.timing.within) {
            (Some(after), _) if self.then(waiting) == Then::Match => {
                (format!("for {}", self.words.length(after)), deadline)
            }
            (_, Some(within)) if is_whole => {
                (format!("within {}", self.words.length(within)), deadline)
            }
            (Some(after), _) => {
                // The end of a gap is part of it.
                (format!("->[..{}]", self.words.length(after)), deadline.plus_millis(-1))
            }
            _ => match quiet.next() {
                Some(after) => (format!("for {}", self.words.length(after)), deadline),
                None => (String::from("within of its group"), deadline),
            },
        }
    }

    /// Returns the progress of a step's loop, if it is one.
    pub(super) fn count(&self, step: StepId, captured: &[(StepId, u64)]) -> Option<String> {
        let (count, quantifier) = self.have(step, captured)?;
        Some(progress(count, quantifier.min, quantifier.max))
    }

    /// Returns the count as a number.
    fn have(&self, step: StepId, captured: &[(StepId, u64)]) -> Option<(u32, &Quantifier)> {
        let (_, quantifier) = self.roles.steps.get(&step)?;
        if quantifier.max == Some(1) {
            return None;
        }
        let is_it = |(of, _): &&(StepId, u64)| *of == step;
        let count = if self.roles.repeated.contains(&step) {
            // Of this repetition of the group, as far as can be seen.
            captured.iter().rev().take_while(is_it).count()
        } else {
            captured.iter().filter(is_it).count()
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if quantifier.max.is_some_and(|max| count > max) {
            // The loop stands in one that repeats, and where it began cannot be seen.
            return None;
        }
        Some((count, quantifier))
    }
}

/// Returns the edges by which an event is skipped on the spot.
fn edges_that_skip(program: &Program, state: StateId) -> impl Iterator<Item = GuardId> {
    let skips =
        move |edge: &&Edge| matches!(edge.action, Action::Ignore { target } if target == state);
    program.edges(state).iter().filter(skips).map(|edge| edge.guard)
}
