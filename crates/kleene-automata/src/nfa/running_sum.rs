//! Running sums: `b{1..} as ps -> c[sum(ps.v) > 100]`.
//!
//! If each start has one partial match, and one condition compares a sum with what the event says,
//! the sum need not distinguish groups. The compact form keeps the sums of a group in order, and
//! divides the group at the event that asks (`crates/kleene-automata/src/exec/forms/compact/sums.rs`).

use hashbrown::HashSet;
use smallvec::{SmallVec, smallvec};

use crate::nfa::decide::{Decision, RunPhase, waiting};
use crate::nfa::guard::GuardId;
use crate::nfa::parts::Parts;
use crate::nfa::registers::{self, RegisterKind, reads_captures};
use crate::nfa::states::{Action, StateId};
use kleene_syntax::hir::eval::Relation;
use kleene_syntax::hir::expr::{AggregateOp, FieldRef};
use kleene_syntax::hir::{Condition, ConditionId, Expr, StepId, Test};

/// The only register of a pattern, if it is a sum or a count that one condition compares.
#[derive(Clone, Debug)]
pub struct RunningSum {
    pub(crate) register: usize,
    /// The step whose events are summed up.
    pub(crate) step: StepId,
    pub(crate) summand: Summand,
    pub(crate) condition: ConditionId,
    /// The sums that fulfil the condition, if one sum does.
    pub(crate) fulfilled_by: SumSide,
}

/// What an event adds to a sum.
#[derive(Clone, Debug)]
pub(crate) enum Summand {
    /// 1: events are counted.
    One,
    /// 1 unless the field is null.
    OneIfPresent(FieldRef),
    /// The value of the field.
    Field(FieldRef),
}

/// The greater sums or the smaller ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SumSide {
    Greater,
    Smaller,
}

/// The number of outcomes of events that the analysis looks at.
const MOST_LEAVES: usize = 20_000;

impl Parts<'_> {
    /// Returns the running sum of the pattern, if there is one.
    pub(super) fn running_sum(&self) -> Option<RunningSum> {
        let [register] = &self.registers[..] else { return None };
        let RegisterKind::Aggregate(aggregate) = &register.kind else { return None };
        if self.clocks > 0 || self.reports_at_deadlines() {
            return None;
        }
        let summand = match (aggregate.op, &aggregate.arg) {
            (AggregateOp::Count, None) => Summand::One,
            (AggregateOp::Count, Some(Expr::Field(field))) => Summand::OneIfPresent(field.clone()),
            (AggregateOp::Sum, Some(Expr::Field(field))) if aggregate.of_ints => {
                Summand::Field(field.clone())
            }
            _ => return None,
        };
        let (condition, fulfilled_by) = self.only_comparison()?;
        let (register, step) = (0, register.step?);
        let sum = RunningSum { register, step, summand, condition, fulfilled_by };
        let read_elsewhere = |guard: GuardId| self.read_by(guard).registers != 0;
        let accepts = self.states.iter().filter_map(|state| state.accept);
        let is_elsewhere = accepts.into_iter().any(read_elsewhere)
            || self.decisions.any(|node| match node {
                Decision::Time { guard, .. } => read_elsewhere(*guard),
                Decision::Condition { condition, yes, .. } if *condition == sum.condition => {
                    !self.completes(*yes)
                }
                Decision::Ask => true,
                _ => false,
            });
        (!is_elsewhere && self.has_one_for_each_start()).then_some(sum)
    }

    /// Returns the only condition that reads the register, and the sums that fulfil it.
    fn only_comparison(&self) -> Option<(ConditionId, SumSide)> {
        let all = (0..self.conditions.len()).map(ConditionId::new);
        let mut reading = all.filter(|condition| {
            let mut reads = false;
            registers::read_by(self.conditions, *condition, &mut |_| reads = true);
            reads
        });
        let (Some(only), None) = (reading.next(), reading.next()) else { return None };
        Some((only, compared(&self.conditions[only.index()])?))
    }

    /// True if a partial match that goes on to this decision is complete, or ends.
    fn completes(&self, node: u32) -> bool {
        let is_last = |edge: u32| match self.edges[edge as usize].action {
            Action::Take { target, .. } => !self.states[target.index()].live,
            _ => false,
        };
        match self.decisions.node(node) {
            Decision::Condition { yes, no, .. } | Decision::Time { yes, no, .. } => {
                self.completes(*yes) && self.completes(*no)
            }
            Decision::One(edge) => is_last(*edge),
            Decision::Several(edges) => {
                self.decisions.edges(edges).iter().any(|edge| is_last(*edge))
            }
            Decision::Gone => true,
            Decision::Stay | Decision::Ask => false,
        }
    }

    /// True if all partial matches of a key differ in their starts: an event that a partial match
    /// captures and goes on with is captured in one way, and skipped in none.
    ///
    /// A partial match can wait in several states. So each state is looked at alone, and each two
    /// in which a partial match can wait at once: three do nothing that two of them do not do.
    fn has_one_for_each_start(&self) -> bool {
        let mut left = MOST_LEAVES;
        let mut together: HashSet<(StateId, StateId)> = HashSet::new();
        let mut open: Vec<WaitStates> =
            waiting(&self.states, &self.edges, self.start).map(|one| smallvec![one]).collect();
        let mut phase = RunPhase::Begins;
        let mut states: WaitStates = smallvec![self.start];
        loop {
            for column in self.decisions.columns() {
                let roots: SmallVec<[u32; 2]> = match phase {
                    RunPhase::Begins => smallvec![column.begins],
                    RunPhase::Waits => {
                        states.iter().map(|state| column.roots[state.index()]).collect()
                    }
                };
                let mut outcomes = Outcomes {
                    parts: self,
                    phase,
                    states: &states,
                    known: Vec::new(),
                    left,
                    next: Vec::new(),
                };
                if !outcomes.find(&roots) {
                    return false;
                }
                left = outcomes.left;
                for next in outcomes.next {
                    for (at, one) in next.iter().enumerate() {
                        let pair = |other: &StateId| (*one.min(other), *one.max(other));
                        let pairs = next.iter().skip(at + 1).map(pair);
                        let new = pairs.filter(|pair| together.insert(*pair));
                        open.extend(
                            new.map(|(one, other)| -> WaitStates { smallvec![one, other] }),
                        );
                    }
                }
            }
            phase = RunPhase::Waits;
            match open.pop() {
                Some(next) => states = next,
                None => return true,
            }
        }
    }
}

/// The states in which a partial match waits.
type WaitStates = SmallVec<[StateId; 2]>;

/// What a decision tree asks: the answer is the same for all states of a partial match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Question {
    Condition(ConditionId),
    Time(GuardId),
}

/// What an event can do to a partial match that waits in some states.
struct Outcomes<'p> {
    parts: &'p Parts<'p>,
    phase: RunPhase,
    states: &'p [StateId],
    known: Vec<(Question, bool)>,
    /// The number of outcomes that may still be looked at.
    left: usize,
    /// The states in which the partial match waits afterwards, for each outcome.
    next: Vec<WaitStates>,
}

impl Outcomes<'_> {
    /// Finds the outcomes of these decisions, one for each state. Returns false if one of them makes
    /// two partial matches of one, or if there are too many.
    fn find(&mut self, nodes: &[u32]) -> bool {
        let asks = |(at, node): (usize, &u32)| match self.parts.decisions.node(*node) {
            Decision::Condition { condition, yes, no } => {
                Some((at, Question::Condition(*condition), *yes, *no))
            }
            Decision::Time { guard, yes, no } => Some((at, Question::Time(*guard), *yes, *no)),
            _ => None,
        };
        let Some((at, question, yes, no)) = nodes.iter().enumerate().find_map(asks) else {
            return self.add(nodes);
        };
        let known = self.known.iter().find(|(known, _)| *known == question).map(|(_, is)| *is);
        [true, false].into_iter().filter(|answer| known.is_none_or(|is| is == *answer)).all(
            |answer| {
                let mut nodes: SmallVec<[u32; 2]> = SmallVec::from_slice(nodes);
                nodes[at] = if answer { yes } else { no };
                self.known.push((question, answer));
                let is_one = self.find(&nodes);
                self.known.pop();
                is_one
            },
        )
    }

    /// Adds the outcome of decisions that ask nothing more. Returns false if it makes two partial
    /// matches of one.
    fn add(&mut self, leaves: &[u32]) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let parts = self.parts;
        let (mut next, mut captured, mut is_skipped) = (WaitStates::new(), None, false);
        let mut waits = |state: StateId| {
            if !next.contains(&state) {
                next.push(state);
            }
        };
        for (state, leaf) in self.states.iter().zip(leaves) {
            let edges = match parts.decisions.node(*leaf) {
                Decision::Gone => &[][..],
                Decision::One(edge) => std::slice::from_ref(edge),
                Decision::Several(edges) => parts.decisions.edges(edges),
                Decision::Stay => {
                    is_skipped = true;
                    waits(*state);
                    continue;
                }
                _ => return false,
            };
            for edge in edges {
                match parts.edges[*edge as usize].action {
                    Action::Take { step, target } if parts.states[target.index()].live => {
                        if captured.replace(step).is_some_and(|other| other != step) {
                            return false;
                        }
                        waits(target);
                    }
                    Action::Ignore { target } if self.phase == RunPhase::Waits => {
                        is_skipped = true;
                        waits(target);
                    }
                    _ => {}
                }
            }
        }
        self.next.push(next);
        captured.is_none() || !is_skipped
    }
}

/// Returns the side of the sums that fulfil a condition, if it compares the only register with what
/// the event says, and otherwise asks for the event alone.
fn compared(condition: &Condition) -> Option<SumSide> {
    let tests = match &condition.test {
        Test::All(tests) => &tests[..],
        test => std::slice::from_ref(test),
    };
    let mut parts = Vec::new();
    for test in tests {
        match test {
            Test::Expr(expr) => parts.extend(expr.conjuncts()),
            Test::True | Test::Host { correlated: false, .. } => {}
            Test::Host { .. } | Test::OneOf(_) | Test::All(_) => return None,
        }
    }
    let mut reading = parts.into_iter().filter(|part| reads_captures(part));
    let side = side(reading.next()?)?;
    reading.next().is_none().then_some(side)
}

/// Returns the side of the sums that fulfil a comparison of the only register with what the event
/// says.
fn side(expr: &Expr) -> Option<SumSide> {
    let Expr::Binary(op, a, b) = expr else { return None };
    let relation = Relation::of(*op)?;
    let relation = match (&**a, &**b) {
        (Expr::Register(_), other) if !reads_captures(other) => relation,
        (other, Expr::Register(_)) if !reads_captures(other) => relation.flipped()?,
        _ => return None,
    };
    match relation {
        Relation::Gt | Relation::Ge => Some(SumSide::Greater),
        Relation::Lt | Relation::Le => Some(SumSide::Smaller),
        Relation::Eq | Relation::Ne | Relation::Like => None,
    }
}
