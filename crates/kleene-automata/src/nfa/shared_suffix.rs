//! Patterns whose later partial matches are suffixes of the oldest one:
//! `tick -> next down{1.. next greedy} -> next up`, where each `down` starts a partial match, too.
//!
//! When it applies: the pattern is deterministic, its only path of captures ends in a loop, and a
//! match drops all other partial matches. Also, every event either ends two partial matches that
//! differ in the number of captured events, or has the same effect on both.
//!
//! Why it is right: the oldest partial match, the representative, holds the events of all others.
//! None of them is complete before the representative, whose match drops them. Registers hold
//! values of the last event alone, so that all have the same registers.
//!
//! What it saves: see `crates/kleene-automata/src/exec/forms/shared_suffix.rs`, the strategy itself.
//!
//! Which test holds it: `shared_suffixes_report_what_the_reference_reports` in
//! `tests/properties.rs`.

use crate::nfa::decide::{Decision, DecisionColumn};
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::parts::Parts;
use crate::nfa::registers::RegisterKind;
use crate::nfa::states::StateId;
use kleene_syntax::hir::{ConditionId, Expr, StepId, Test};

/// The only path of captures through the automaton of a pattern.
#[derive(Clone, Debug)]
pub(crate) struct SharedSuffix {
    /// By the number of events captured before it: the step of an event; the last entry is for all
    /// later events.
    steps: Box<[StepId]>,
    /// By the number of captured events, less one: the state in which a partial match waits; the
    /// last entry is for all greater numbers.
    states: Box<[StateId]>,
}

impl SharedSuffix {
    /// Returns the step of an event, by the number of events `before` it.
    #[inline]
    pub(crate) fn step(&self, before: usize) -> StepId {
        self.steps[before.min(self.steps.len() - 1)]
    }

    /// Returns the state in which a partial match waits that has captured `events`, at least one.
    #[inline]
    pub(crate) fn state(&self, events: usize) -> StateId {
        self.states[events.clamp(1, self.states.len()) - 1]
    }
}

/// The maximum number of conditions that are considered together.
const MAX_QUESTIONS: usize = 16;

/// The effect of an event on a partial match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SuffixEffect {
    /// It is captured, and the partial match waits on.
    Captured,
    /// It completes the match.
    Ends,
    /// It ends the partial match.
    Gone,
}

/// The treatment of trees that can also end a match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MatchEnd {
    Allowed,
    Refused,
}

impl Parts<'_> {
    /// Returns the path that all partial matches share, if later ones of this deterministic pattern
    /// are suffixes of the oldest one.
    pub(super) fn as_shared_suffix(&self) -> Option<SharedSuffix> {
        if !self.is_won_by_first() {
            return None;
        }
        let shared = self.only_path()?;
        let may_match_at_deadline =
            |state: &StateId| self.states[state.index()].accepts_at_deadline;
        if !self.holds_last_values(&shared) || shared.states.iter().any(may_match_at_deadline) {
            return None;
        }
        let columns = self.decisions.columns();
        let moving = |column: &&DecisionColumn| !column.is_still || !self.is_gone(column.begins);
        let mut has_suffixes = false;
        for column in columns.iter().filter(moving) {
            for before in 1..=shared.states.len() {
                let (behind, ahead) = (shared.state(before), shared.state(before + 1));
                let (behind, ahead) = (column.roots[behind.index()], column.roots[ahead.index()]);
                self.is_in_step(ahead, behind, &mut Vec::new()).then_some(())?;
                has_suffixes |= !self.is_gone(column.begins) && self.captures(behind);
            }
        }
        has_suffixes.then_some(shared)
    }

    /// Returns the states that capture after capture leads to, if there is only one path; the path
    /// ends in a loop.
    fn only_path(&self) -> Option<SharedSuffix> {
        let (mut steps, mut states) = (Vec::new(), Vec::new());
        let begins = self.decisions.columns().iter().map(|column| column.begins);
        let mut next = self.only_capture(begins, MatchEnd::Refused)?;
        loop {
            steps.push(next.0);
            if states.last() == Some(&next.1) {
                return Some(SharedSuffix { steps: steps.into(), states: states.into() });
            }
            if states.contains(&next.1) {
                return None;
            }
            states.push(next.1);
            let roots = self.decisions.columns().iter().map(|one| one.roots[next.1.index()]);
            next = self.only_capture(roots, MatchEnd::Allowed)?;
        }
    }

    /// Returns the step and target of the only capture in trees, if there is just one.
    fn only_capture(
        &self,
        trees: impl Iterator<Item = u32>,
        end: MatchEnd,
    ) -> Option<(StepId, StateId)> {
        let mut captured = None;
        let mut open: Vec<u32> = trees.collect();
        while let Some(tree) = open.pop() {
            match *self.decisions.node(tree) {
                Decision::Condition { condition, yes, no } => {
                    self.is_alike_for_all(condition).then_some(())?;
                    open.extend([yes, no]);
                }
                Decision::One(edge) => match self.effects[edge as usize] {
                    EdgeEffect::Capture { step, target, .. } => {
                        if *captured.get_or_insert((step, target)) != (step, target) {
                            return None;
                        }
                    }
                    EdgeEffect::End { .. } if end == MatchEnd::Allowed => {}
                    EdgeEffect::Stop => {}
                    _ => return None,
                },
                Decision::Gone | Decision::Stay => {}
                Decision::Time { .. } | Decision::Several(_) | Decision::Ask => return None,
            }
        }
        captured
    }

    /// True if a condition has one answer for all partial matches with the same registers.
    fn is_alike_for_all(&self, condition: ConditionId) -> bool {
        fn asks_registers_alone(test: &Test) -> bool {
            match test {
                Test::True | Test::OneOf(_) => true,
                Test::Host { correlated, .. } => !correlated,
                Test::Expr(expr) => is_of_registers(expr),
                Test::All(tests) => tests.iter().all(asks_registers_alone),
            }
        }
        asks_registers_alone(&self.conditions[condition.index()].test)
    }

    /// True if registers hold values of the last event alone.
    fn holds_last_values(&self, shared: &SharedSuffix) -> bool {
        self.registers.iter().zip(0..).all(|(register, index)| {
            let is_updated = |step: &StepId| self.registers_by_step[step.index()].contains(&index);
            matches!(register.kind, RegisterKind::Last(_)) && shared.steps.iter().all(is_updated)
        })
    }

    /// True if an event, whatever conditions it fulfils, does to a partial match at `ahead` what it
    /// does to one at `behind`, or ends both.
    fn is_in_step(&self, ahead: u32, behind: u32, known: &mut Vec<(ConditionId, bool)>) -> bool {
        let question = [ahead, behind].into_iter().find_map(|tree| self.question(tree, known));
        if let Some(condition) = question {
            return known.len() < MAX_QUESTIONS
                && [true, false].into_iter().all(|answer| {
                    known.push((condition, answer));
                    let is_in_step = self.is_in_step(ahead, behind, known);
                    known.pop();
                    is_in_step
                });
        }
        match (self.effect(ahead, known), self.effect(behind, known)) {
            (Some(SuffixEffect::Captured), Some(behind)) => behind == SuffixEffect::Captured,
            (Some(SuffixEffect::Gone), Some(behind)) => behind == SuffixEffect::Gone,
            // A match drops what is behind.
            (Some(SuffixEffect::Ends), Some(_)) => true,
            (None, _) | (_, None) => false,
        }
    }

    /// Returns the leaf of a tree, or the first node that tests an unknown condition.
    fn go_down(&self, tree: u32, known: &[(ConditionId, bool)]) -> &Decision {
        let mut node = self.decisions.node(tree);
        while let Decision::Condition { condition, yes, no } = node
            && let Some((_, answer)) = known.iter().find(|(of, _)| of == condition)
        {
            node = self.decisions.node(if *answer { *yes } else { *no });
        }
        node
    }

    /// Returns the first unknown condition that a tree tests.
    fn question(&self, tree: u32, known: &[(ConditionId, bool)]) -> Option<ConditionId> {
        match self.go_down(tree, known) {
            Decision::Condition { condition, .. } => Some(*condition),
            _ => None,
        }
    }

    /// Returns the effect of a tree whose conditions are all known.
    fn effect(&self, tree: u32, known: &[(ConditionId, bool)]) -> Option<SuffixEffect> {
        match self.go_down(tree, known) {
            Decision::Gone => Some(SuffixEffect::Gone),
            Decision::One(edge) => match self.effects[*edge as usize] {
                EdgeEffect::Capture { .. } => Some(SuffixEffect::Captured),
                EdgeEffect::End { .. } => Some(SuffixEffect::Ends),
                EdgeEffect::Stop => Some(SuffixEffect::Gone),
                EdgeEffect::Ask { .. } | EdgeEffect::Skip { .. } | EdgeEffect::Complete => None,
            },
            _ => None,
        }
    }

    fn is_gone(&self, tree: u32) -> bool {
        *self.decisions.node(tree) == Decision::Gone
    }

    /// True if a tree can capture the event.
    fn captures(&self, tree: u32) -> bool {
        match *self.decisions.node(tree) {
            Decision::Condition { yes, no, .. } => self.captures(yes) || self.captures(no),
            Decision::One(edge) => {
                matches!(self.effects[edge as usize], EdgeEffect::Capture { .. })
            }
            _ => false,
        }
    }
}

/// True if an expression reads captured events through registers alone.
fn is_of_registers(expr: &Expr) -> bool {
    match expr {
        Expr::Captured(_) | Expr::Aggregate(_) | Expr::Match(_) | Expr::Matches(_) => false,
        _ => expr.parts().into_iter().all(is_of_registers),
    }
}
