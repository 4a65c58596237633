//! Operands of `and` and `of` that wait in one state: the partial match knows which have come.
//!
//! With a state for each set of operands, as in [`alternatives`](super::alternatives), twenty
//! operands are a million states. If each operand is one event, the states of a set differ only in
//! the operands that are left. So one state waits for all of them, and a clock of the partial match
//! holds the [set](crate::nfa::OperandSet) of those that have come:
//!
//! ```text
//! before --take i: {i}--> waiting --take j, not in the set: add j--> waiting
//!                                 --take j, the last one----------> what follows
//! ```
//!
//! The state before the first event is laid out as ever: the gap, the contiguity and the `not`s
//! before the group end there.

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::alternatives::Alternatives;
use crate::nfa::graph::builder::{Builder, Clock, NodeId};
use crate::nfa::graph::raw::{Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{ItemKind, MAX_OPERANDS, Sequence};

/// The wait of a group in one state.
#[derive(Debug)]
pub(super) struct SetWait {
    /// The clock that holds the set.
    set: u32,
    /// By operand: the guard that it has come, and the guard that it has not. They are made before
    /// the conditions of the operands, since a guard tests its parts in the order of their ids.
    operands: Vec<(GuardId, GuardId)>,
    /// The guard that more than one operand has to come.
    more: GuardId,
    /// The guard that one operand is enough.
    one: GuardId,
    /// The state, once it is laid out.
    state: Option<StateId>,
}

impl Builder {
    /// Returns the wait in one state of a group with these operands, if there are too many for a
    /// state each and all of them are plain.
    pub(super) fn set_wait(
        &mut self,
        node: NodeId,
        branches: &[Sequence],
        count: usize,
    ) -> Option<SetWait> {
        let is_many = branches.len() > self.most_in_states && branches.len() <= MAX_OPERANDS;
        if count < 2 || !is_many || !branches.iter().all(is_plain) {
            return None;
        }
        let set = self.clock(Clock::Operands, node);
        let least = u8::try_from(count - 1).unwrap_or(u8::MAX);
        let guards = &mut self.graph.guards;
        let one = guards.leaf(Guard::HaveCome { set, count: least });
        let more = guards.not(one);
        let of_operand = |operand| {
            let has_come = guards.leaf(Guard::HasCome { set, operand });
            (has_come, guards.not(has_come))
        };
        let operands = (0..u8::try_from(branches.len()).unwrap_or(u8::MAX)).map(of_operand);
        Some(SetWait { set, operands: operands.collect(), more, one, state: None })
    }

    /// Returns the take of the group's first event, which leads to the state that waits for the
    /// others.
    pub(super) fn first_of_set(
        &mut self,
        group: &mut Alternatives,
        wait: &mut SetWait,
        (operand, take): (usize, &Transition),
    ) -> Result<Transition, AutomatonError> {
        let target = match wait.state {
            Some(state) => state,
            None => self.waiting_for_set(group, wait)?,
        };
        let mut first = Transition { target, ..take.clone() };
        first.marks.extend([ClockOp::Clear(wait.set), wait.add(operand)]);
        Ok(first)
    }

    /// Lays out the state that waits for all operands but those that have come.
    fn waiting_for_set(
        &mut self,
        group: &Alternatives,
        wait: &mut SetWait,
    ) -> Result<StateId, AutomatonError> {
        let state = self.state(Role::Normal)?;
        wait.state = Some(state);
        let (mut guards, mut skips) = (Vec::new(), Vec::new());
        for (operand, &later) in group.later.iter().enumerate() {
            for mut transition in self.graph.states[later.index()].transitions.clone() {
                transition.branches.insert(0, (group.end, operand));
                match transition.verb {
                    Verb::Take(_) => self.take_into_set(group, wait, state, (operand, transition)),
                    // An event is skipped by all operands that are waited for.
                    Verb::Ignore => {
                        let (has_come, _) = wait.operands[operand];
                        guards.push(self.graph.guards.or(transition.guard, has_come));
                        skips.push(self.graph.guards.or(transition.skip, has_come));
                    }
                    // Nothing is between the operands of a set: the group would be refused.
                    Verb::Proceed | Verb::Complete => {
                        return Err(AutomatonError::new(Refusal::TooLarge));
                    }
                }
            }
        }
        let guard = self.graph.guards.all(guards);
        self.add(state, Verb::Ignore, state, guard);
        let skip = self.graph.guards.all(skips);
        if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
            added.skip = skip;
        }
        Ok(state)
    }

    /// Adds the takes of an operand that has not come: one that waits on for others, and one that
    /// leads on since enough have come.
    fn take_into_set(
        &mut self,
        group: &Alternatives,
        wait: &SetWait,
        state: StateId,
        (operand, take): (usize, Transition),
    ) {
        let (_, is_new) = wait.operands[operand];
        let targets = [
            (state, wait.more, wait.add(operand)),
            (group.sink, wait.one, ClockOp::Clear(wait.set)),
        ];
        for (target, when, operation) in targets {
            let guard = self.graph.guards.all(vec![is_new, when, take.guard]);
            let mut added = Transition { target, guard, ..take.clone() };
            added.marks.push(operation);
            self.graph.states[state.index()].transitions.push(added);
        }
    }
}

impl SetWait {
    fn add(&self, operand: usize) -> ClockOp {
        ClockOp::Add { set: self.set, operand: u8::try_from(operand).unwrap_or(u8::MAX) }
    }
}

/// True if the operand is one event of one step.
fn is_plain(branch: &Sequence) -> bool {
    let [only] = branch.items.as_slice() else { return false };
    let is_once = match &only.kind {
        ItemKind::Step { quantifier, .. } => quantifier.is_once() && quantifier.until.is_none(),
        _ => false,
    };
    is_once && only.gap.is_none() && branch.without.is_none()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::nfa::Program;
    use crate::testing::checked;

    fn program(body: &str) -> Program {
        let mut text = String::from("event a { n: int, at: time }\n");
        for number in 0..64 {
            let _ = writeln!(text, "event t{number} {{ n: int, at: time }}");
        }
        let rules = checked(&format!("{text}rule r {{ match {body} within 1h }}"));
        Program::new(&rules.rules[0].pattern).expect("it is right")
    }

    fn operands(count: usize, operand: fn(usize) -> String, joined: &str) -> String {
        (0..count).map(operand).collect::<Vec<_>>().join(joined)
    }

    #[test]
    fn states_do_not_grow_with_large_groups() {
        let of_one_type = |number| format!("a[n == {number}]");
        let of_many_types = |number| format!("t{number}");
        let live = |body: &str| {
            let program = program(body);
            let live = program.states.iter().filter(|state| state.live);
            (live.count(), program.edges.len(), program.decisions.node_count())
        };
        assert!(live(&operands(10, of_one_type, " and ")).0 > 1000);
        for operand in [of_one_type as fn(usize) -> String, of_many_types] {
            for count in [13, 64] {
                for body in [
                    operands(count, operand, " and "),
                    format!("{} of ({})", count / 2, operands(count, operand, ", ")),
                ] {
                    // Each operand is laid out by itself twice, as ever, and has a take before the
                    // first event and two after it.
                    let (states, edges, nodes) = live(&body);
                    assert!(states <= 2 * count + 4, "{states} states of {body}");
                    assert!(edges <= 7 * count + 4, "{edges} edges of {body}");
                    assert!(nodes <= 1000, "{nodes} nodes of {body}");
                }
            }
        }
    }
}
