//! Patterns in which what begins later follows what has begun before: `tick -> next down{1.. next
//! greedy} -> next up`, where each `down` is the start of a partial match, too.
//!
//! The partial match that began first, the leader, holds the events of all others, and none of them
//! is complete before it is, which ends them all. So they need not be written down while it is there.

use crate::hir::expr::Set;
use crate::hir::{ConditionId, Expr, StageId, Test};
use crate::nfa::decide::{Column, Decision};
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::program::{Program, StateId};
use crate::nfa::registers::RegisterKind;

/// What following a leader needs to know: the only way that its events can take.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    /// What the first event is captured as, the second, and so on; all others as the last.
    stages: Box<[StageId]>,
    /// Where a partial match waits that has captured one event, two, and so on; with more as with
    /// the most.
    states: Box<[StateId]>,
}

impl Lead {
    /// What an event is captured as, by how many come before it.
    #[inline]
    pub(crate) fn stage(&self, before: usize) -> StageId {
        self.stages[before.min(self.stages.len() - 1)]
    }

    /// Where a partial match waits that has captured so many events, one at least.
    #[inline]
    pub(crate) fn state(&self, events: usize) -> StateId {
        self.states[events.clamp(1, self.states.len()) - 1]
    }
}

/// The most conditions that are looked at together.
const MAX_QUESTIONS: usize = 16;

/// What an event does to a partial match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SharedEffect {
    /// It is captured, and the partial match waits on.
    Captured,
    /// It completes the match.
    Ends,
    /// It ends the partial match.
    Gone,
}

impl Program {
    /// What following a leader needs, if the pattern, which has a single way, is one in which partial
    /// matches do so.
    pub(super) fn as_lead(&self) -> Option<Lead> {
        if !self.is_won_by_first() {
            return None;
        }
        let lead = self.only_way()?;
        let may_match_at_deadline =
            |state: &StateId| self.states[state.index()].accepts_at_deadline;
        if !self.holds_last_values(&lead) || lead.states.iter().any(may_match_at_deadline) {
            return None;
        }
        let columns = self.decisions.columns();
        let moving = |column: &&Column| !column.is_still || !self.is_gone(column.begins);
        let mut has_followers = false;
        for column in columns.iter().filter(moving) {
            for before in 1..=lead.states.len() {
                let (behind, ahead) = (lead.state(before), lead.state(before + 1));
                let (behind, ahead) = (column.roots[behind.index()], column.roots[ahead.index()]);
                self.leads(ahead, behind, &mut Vec::new()).then_some(())?;
                has_followers |= !self.is_gone(column.begins) && self.captures(behind);
            }
        }
        has_followers.then_some(lead)
    }

    /// The states that capture after capture leads to, if there is only one way; it ends in a loop.
    fn only_way(&self) -> Option<Lead> {
        let (mut stages, mut states) = (Vec::new(), Vec::new());
        let begins = self.decisions.columns().iter().map(|column| column.begins);
        let mut next = self.only_capture(begins, false)?;
        loop {
            stages.push(next.0);
            if states.last() == Some(&next.1) {
                return Some(Lead { stages: stages.into(), states: states.into() });
            }
            if states.contains(&next.1) {
                return None;
            }
            states.push(next.1);
            let roots = self.decisions.columns().iter().map(|one| one.roots[next.1.index()]);
            next = self.only_capture(roots, true)?;
        }
    }

    /// The only thing that can be captured by trees, if there is just one. They `may_end` a match
    /// besides.
    fn only_capture(
        &self,
        trees: impl Iterator<Item = u32>,
        may_end: bool,
    ) -> Option<(StageId, StateId)> {
        let mut captured = None;
        let mut open: Vec<u32> = trees.collect();
        while let Some(tree) = open.pop() {
            match *self.decisions.node(tree) {
                Decision::Condition { condition, yes, no } => {
                    self.is_alike_for_all(condition).then_some(())?;
                    open.extend([yes, no]);
                }
                Decision::One(edge) => match self.effects[edge as usize] {
                    EdgeEffect::Capture { stage, target, .. } => {
                        if *captured.get_or_insert((stage, target)) != (stage, target) {
                            return None;
                        }
                    }
                    EdgeEffect::End { .. } if may_end => {}
                    EdgeEffect::Stop => {}
                    _ => return None,
                },
                Decision::Gone | Decision::Stay => {}
                Decision::Time { .. } | Decision::Several(_) | Decision::Ask => return None,
            }
        }
        captured
    }

    /// Whether a condition has one answer for all partial matches with the same registers.
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

    /// Whether what registers hold is what the last event says, whatever came before it.
    fn holds_last_values(&self, lead: &Lead) -> bool {
        self.registers.iter().zip(0..).all(|(register, index)| {
            let is_updated =
                |stage: &StageId| self.registers_by_step[stage.index()].contains(&index);
            matches!(register.kind, RegisterKind::Last(_)) && lead.stages.iter().all(is_updated)
        })
    }

    /// Whether an event, whatever its conditions come to, does to what is `ahead` what it does to what
    /// is `behind`, or ends both.
    fn leads(&self, ahead: u32, behind: u32, known: &mut Vec<(ConditionId, bool)>) -> bool {
        let question = [ahead, behind].into_iter().find_map(|tree| self.question(tree, known));
        if let Some(condition) = question {
            return known.len() < MAX_QUESTIONS
                && [true, false].into_iter().all(|answer| {
                    known.push((condition, answer));
                    let leads = self.leads(ahead, behind, known);
                    known.pop();
                    leads
                });
        }
        match (self.effect(ahead, known), self.effect(behind, known)) {
            (Some(SharedEffect::Captured), Some(behind)) => behind == SharedEffect::Captured,
            (Some(SharedEffect::Gone), Some(behind)) => behind == SharedEffect::Gone,
            // A match drops what is behind.
            (Some(SharedEffect::Ends), Some(_)) => true,
            (None, _) | (_, None) => false,
        }
    }

    /// The leaf of a tree, or the first node that asks what is not known.
    fn go_down(&self, tree: u32, known: &[(ConditionId, bool)]) -> &Decision {
        let mut node = self.decisions.node(tree);
        while let Decision::Condition { condition, yes, no } = node
            && let Some((_, answer)) = known.iter().find(|(of, _)| of == condition)
        {
            node = self.decisions.node(if *answer { *yes } else { *no });
        }
        node
    }

    /// What a tree asks that is not known.
    fn question(&self, tree: u32, known: &[(ConditionId, bool)]) -> Option<ConditionId> {
        match self.go_down(tree, known) {
            Decision::Condition { condition, .. } => Some(*condition),
            _ => None,
        }
    }

    /// What a tree comes to whose questions are all known.
    fn effect(&self, tree: u32, known: &[(ConditionId, bool)]) -> Option<SharedEffect> {
        match self.go_down(tree, known) {
            Decision::Gone => Some(SharedEffect::Gone),
            Decision::One(edge) => match self.effects[*edge as usize] {
                EdgeEffect::Capture { .. } => Some(SharedEffect::Captured),
                EdgeEffect::End { .. } => Some(SharedEffect::Ends),
                EdgeEffect::Stop => Some(SharedEffect::Gone),
                EdgeEffect::Ask { .. } | EdgeEffect::Skip { .. } | EdgeEffect::Complete => None,
            },
            _ => None,
        }
    }

    fn is_gone(&self, tree: u32) -> bool {
        *self.decisions.node(tree) == Decision::Gone
    }

    /// Whether anything can be captured by a tree.
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

/// Whether an expression asks nothing of captured events but what registers hold.
fn is_of_registers(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) | Expr::Field(_) | Expr::Register(_) | Expr::Key(_) => true,
        Expr::Captured(_) | Expr::Aggregate(_) | Expr::Match(_) => false,
        Expr::Not(inner) | Expr::Neg(inner) | Expr::IsNull(inner) | Expr::Regex(inner, _) => {
            is_of_registers(inner)
        }
        Expr::Binary(_, a, b) => is_of_registers(a) && is_of_registers(b),
        Expr::In(value, set) => {
            let is_set_of_registers = match &**set {
                Set::Values(_) => true,
                Set::Range(a, b) => is_of_registers(a) && is_of_registers(b),
                Set::Expr(list) => is_of_registers(list),
            };
            is_set_of_registers && is_of_registers(value)
        }
        Expr::If(parts) => parts.iter().all(is_of_registers),
        Expr::Call(_, args) => args.iter().all(is_of_registers),
        Expr::List(items) => items.iter().all(is_of_registers),
        Expr::Record(fields) => fields.iter().all(|(_, value)| is_of_registers(value)),
    }
}
