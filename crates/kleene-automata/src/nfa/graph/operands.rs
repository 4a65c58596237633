//! Operands of `and` and `of` that wait in one state: the partial match knows which events have come.
//!
//! With a state for each set of operands, as in [`alternatives`](super::alternatives), twenty
//! operands are a million states. If each operand is a row of single events (`x`, `x -> y`,
//! `x{3} -> y`), the states differ only in the events that have come. So one state waits for all of
//! them, and a clock of the partial match holds the [set](crate::nfa::OperandSet) of those that have
//! come. An event of an operand is due once the event before it in the operand has come:
//!
//! ```text
//! before --take i: {i}--> waiting --take j, due and not in the set: add j--> waiting
//!                                 --take j, the end of the last operand----> what follows
//! ```
//!
//! The state before the first event is laid out as ever: the gap, the contiguity and the `not`s
//! before the group end there.

use std::ops::Range;

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::branches::{Alternatives, OperandEvent, SetWait};
use crate::nfa::graph::builder::{Builder, Clock, NodeId};
use crate::nfa::graph::raw::{Role, Transition, Verb};
use crate::nfa::guard::Guard;
use crate::nfa::operands::OperandSet;
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{Contiguity, Item, ItemKind, MAX_OPERANDS, Sequence};

impl Builder {
    /// Returns the wait in one state of a group with these operands, if there are too many for a
    /// state for each set of them and all of them are rows of single events.
    pub(super) fn set_wait(
        &mut self,
        node: NodeId,
        branches: &[Sequence],
        count: usize,
    ) -> Option<SetWait> {
        let lengths: Vec<usize> = branches.iter().map(row_length).collect::<Option<_>>()?;
        let ways = lengths.iter().fold(1, |ways: usize, length| ways.saturating_mul(length + 1));
        let is_many = ways > 1 << self.most_in_states;
        if count < 2 || !is_many || lengths.iter().sum::<usize>() > MAX_OPERANDS {
            return None;
        }
        // Inside of an `until`, a `without` or a group's `within`, the operands that have not begun
        // skip fewer events than the next event of one that has: a state for each set knows both.
        if !self.inside.is_empty() && !branches.iter().all(is_one_step) {
            return None;
        }
        let set = self.clock(Clock::Operands, node);
        let (mut firsts, mut lasts) = (OperandSet::default(), OperandSet::default());
        let mut numbers: Vec<Range<u8>> = Vec::new();
        let mut next = 0;
        for length in lengths {
            let end = u8::try_from(usize::from(next) + length).ok()?;
            (firsts, lasts) = (firsts.with(next), lasts.with(end - 1));
            numbers.push(next..end);
            next = end;
        }
        let guards = &mut self.graph.guards;
        let count = u8::try_from(count).ok()?;
        let one = guards.leaf(Guard::HaveCome { set, of: lasts, count: count - 1 });
        let more = guards.not(one);
        // Once as many operands have begun as are needed, no other begins.
        let is_full = if usize::from(count) == branches.len() || firsts == lasts {
            guards.never()
        } else {
            guards.leaf(Guard::HaveCome { set, of: firsts, count })
        };
        let mut event_of = |row: &Range<u8>, number: u8| {
            let has_come = guards.leaf(Guard::HasCome { set, event: number });
            let is_early = if number == row.start {
                is_full
            } else {
                let before = guards.leaf(Guard::HasCome { set, event: number - 1 });
                guards.not(before)
            };
            let is_not_due = guards.or(has_come, is_early);
            OperandEvent { number, is_due: guards.not(is_not_due), is_not_due }
        };
        let operands = numbers
            .into_iter()
            .map(|row| row.clone().map(|number| event_of(&row, number)).collect())
            .collect();
        Some(SetWait { set, operands, more, one, state: None })
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
        first.marks.extend([ClockOp::Clear(wait.set), wait.add(wait.operands[operand][0])]);
        Ok(first)
    }

    /// Lays out the state that waits for all events of the operands but those that have come.
    fn waiting_for_set(
        &mut self,
        group: &Alternatives,
        wait: &mut SetWait,
    ) -> Result<StateId, AutomatonError> {
        let state = self.state(Role::Normal)?;
        wait.state = Some(state);
        let (mut guards, mut skips) = (Vec::new(), Vec::new());
        for (operand, &later) in group.later.iter().enumerate() {
            let mut at = later;
            for event in wait.operands[operand].clone() {
                let mut next = None;
                for mut transition in self.graph.states[at.index()].transitions.clone() {
                    transition.branches.insert(0, (group.end, operand));
                    match transition.verb {
                        Verb::Take(_) if next.is_none() => {
                            next = Some(transition.target);
                            self.take_into_set(group, wait, state, (event, transition));
                        }
                        // An event is skipped by all operands that are waited for.
                        Verb::Ignore if transition.target == at => {
                            let OperandEvent { is_not_due, .. } = event;
                            guards.push(self.graph.guards.or(transition.guard, is_not_due));
                            skips.push(self.graph.guards.or(transition.skip, is_not_due));
                        }
                        _ => return Err(AutomatonError::new(Refusal::TooLarge)),
                    }
                }
                at = next.ok_or_else(|| AutomatonError::new(Refusal::TooLarge))?;
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

    /// Adds the takes of an event of an operand: one that waits on for others and, if it completes
    /// the operand, one that leads on since enough operands are complete.
    fn take_into_set(
        &mut self,
        group: &Alternatives,
        wait: &SetWait,
        state: StateId,
        (event, take): (OperandEvent, Transition),
    ) {
        let is_last = take.target == group.end;
        let always = self.graph.guards.always();
        let waits_on = (state, if is_last { wait.more } else { always }, wait.add(event));
        let leads_on = is_last.then_some((group.sink, wait.one, ClockOp::Clear(wait.set)));
        for (target, when, operation) in [waits_on].into_iter().chain(leads_on) {
            let guard = self.graph.guards.all(vec![event.is_due, when, take.guard]);
            let mut added = Transition { target, guard, ..take.clone() };
            added.marks.push(operation);
            self.graph.states[state.index()].transitions.push(added);
        }
    }
}

/// True if the operand is one step, without parentheses, that comes once.
fn is_one_step(branch: &Sequence) -> bool {
    matches!(branch.items.as_slice(), [Item { kind: ItemKind::Step { .. }, .. }])
        && row_length(branch) == Some(1)
}

/// Returns the number of events of an operand that is a row of single events: steps that occur a
/// fixed number of times, between which events can come.
fn row_length(branch: &Sequence) -> Option<usize> {
    if let [
        Item { kind: ItemKind::Group { body, quantifier, within: None, alias: None }, gap, .. },
    ] = branch.items.as_slice()
    {
        // Parentheses around an operand change nothing.
        let is_plain = quantifier.is_once() && gap.is_none() && branch.without.is_none();
        return row_length(body).filter(|_| is_plain);
    }
    let is_loose = |contiguity| contiguity != Contiguity::Next;
    let length = |(index, item): (usize, &Item)| {
        let ItemKind::Step { quantifier, .. } = &item.kind else { return None };
        let is_fixed = !quantifier.varies() && quantifier.until.is_none();
        let is_loose = (index == 0 || is_loose(item.contiguity))
            && (quantifier.is_once() || is_loose(quantifier.inner));
        (is_fixed && is_loose && item.gap.is_none()).then_some(quantifier.min as usize)
    };
    let mut lengths = branch.items.iter().enumerate().map(length);
    let length = lengths.try_fold(0, |sum: usize, length| Some(sum.saturating_add(length?)));
    length.filter(|_| branch.without.is_none())
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
    fn rows_of_events_wait_in_one_state() {
        let row = |number| format!("t{number} -> any a{{2}} -> t{number}[n > 0]");
        let states = |program: &Program| program.states.iter().filter(|state| state.live).count();
        // Six rows of four events come in 5^6 ways, and twelve rows of two in 3^12.
        for body in [
            operands(6, row, " and "),
            format!("3 of ({})", operands(16, row, ", ")),
            operands(12, |number| format!("t{number} -> a"), " and "),
            operands(32, |number| format!("(t{number} -> a)"), " and "),
        ] {
            let program = program(&body);
            assert!(program.has_operand_sets(), "{body}");
            assert!(states(&program) <= 2 * 64 + 4, "{} states of {body}", states(&program));
        }
        // Few rows have a state for each way, and so have operands that are no rows.
        for body in ["t1 -> t2 and t3 -> t4", "t1 -> next t2 and t3{1..2} and t4 -> [1s..] t5"] {
            assert!(!program(body).has_operand_sets(), "{body}");
        }
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
