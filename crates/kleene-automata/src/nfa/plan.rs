//! The choice of a strategy: the shape of a pattern's automaton decides it, not the text.

use std::fmt;

use crate::nfa::decide::{Decision, RunPhase};
use crate::nfa::guard::Guard;
use crate::nfa::parts::Parts;
use crate::nfa::shared_suffix::SharedSuffix;
use crate::nfa::states::{Action, StateId};
use kleene_syntax::hir::{SkipStrategy, StepId};

/// The strategy that matches a pattern. Results are identical; the cost of an event differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strategy {
    /// Each partial match is a run through the automaton. Every pattern can be matched in this way.
    General,
    /// No event leads a partial match along more than one branch: each partial match is advanced in
    /// place, and shares nothing with others.
    Deterministic,
    /// Later partial matches are suffixes of the oldest one, whose match drops them. A key stores
    /// the oldest partial match alone, with the starts of its suffixes.
    SharedSuffix,
    /// Partial matches with the same future are one group, and share a graph of their events: the
    /// cost of an event grows with the groups, not with the partial matches.
    Compact,
    /// The pattern is one kind of event, a fixed number of times. A key holds the last events in a
    /// queue, and every event in it is the start of a partial match. An event costs the same
    /// whatever the count.
    ///
    /// The idea is that of the counting sets of Turonova et al., "Regex Matching with Counting-Set
    /// Automata", OOPSLA 2020.
    CountingWindow {
        /// The number of events of a match.
        count: usize,
    },
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::General => f.write_str("general"),
            Strategy::Deterministic => f.write_str("deterministic"),
            Strategy::SharedSuffix => f.write_str("shared suffix"),
            Strategy::Compact => f.write_str("compact"),
            Strategy::CountingWindow { count } => write!(f, "counting window of {count}"),
        }
    }
}

/// The strategy with the tables that it needs.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// With the reason why no other strategy applies, in words.
    General(&'static str),
    Deterministic,
    SharedSuffix(SharedSuffix),
    Window(Window),
}

/// The steps and states of a counting window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The step of each event of a match, in order.
    pub(crate) steps: Box<[StepId]>,
    /// The state of a partial match with one captured event, with two, and so on.
    pub(crate) states: Box<[StateId]>,
}

impl Parts<'_> {
    /// Returns the strategy with the tables that it needs.
    pub(super) fn plan(&self) -> Plan {
        if let Err(reason) = self.check_deterministic() {
            return Plan::General(reason);
        }
        let window = self.as_window().map(Plan::Window);
        let plan = window.or_else(|| self.as_shared_suffix().map(Plan::SharedSuffix));
        plan.unwrap_or(Plan::Deterministic)
    }

    /// Checks that no event leads a partial match along more than one branch; the error says why
    /// not.
    fn check_deterministic(&self) -> Result<(), &'static str> {
        if !self.decisions.are_deterministic() {
            return Err("an event can lead a partial match along several branches");
        }
        if self.states.iter().any(|state| state.accepts_when_exhausted) {
            return Err("a loop at its end is reported when it can grow no more");
        }
        if self.meeting.may_duplicate {
            return Err("two partial matches can come to hold the same events");
        }
        if !self.meeting.ends_alone {
            return Err("its groups have names, or an event says how long a match may take");
        }
        if self.leading_not.is_some() {
            return Err("it begins with a `not`");
        }
        if self.clocks > 0 || !self.bounds.is_empty() || !self.lengths.is_empty() {
            return Err("it has bounds on time besides one `within` over all");
        }
        Ok(())
    }

    /// Returns the counting window, if the pattern is one. The pattern is deterministic.
    fn as_window(&self) -> Option<Window> {
        let no_past = self.registers.is_empty() && !self.correlated.contains(&true);
        if !no_past || self.waits() {
            return None;
        }
        let (mut steps, mut states) = (Vec::new(), Vec::new());
        let mut next = self.take_of(self.start, RunPhase::Begins)?;
        loop {
            let (step, target) = next;
            steps.push(step);
            let state = &self.states[target.index()];
            if state.accepts_at_deadline {
                return None;
            }
            match state.accept {
                None => {}
                Some(guard) if self.guards[guard.index()] == Guard::True && !state.live => break,
                Some(_) => return None,
            }
            // A loop without end never completes a match.
            if !state.live || states.len() > self.states.len() {
                return None;
            }
            states.push(target);
            next = self.take_of(target, RunPhase::Waits)?;
        }
        for column in self.decisions.columns() {
            let start = self.decisions.of_start(column);
            // The conditions of a window read the event alone.
            if !self.is_alike(start, start, RunPhase::Waits) {
                return None;
            }
            let mut reference = None;
            for &state in &states {
                let tree = self.decisions.of(state, column);
                let reference = *reference.get_or_insert(tree);
                if !self.is_alike(start, tree, RunPhase::Begins)
                    || !self.is_alike(reference, tree, RunPhase::Waits)
                {
                    return None;
                }
            }
        }
        if matches!(self.skip.strategy, SkipStrategy::ToFirst(_) | SkipStrategy::ToLast(_))
            && steps.iter().any(|step| *step != steps[0])
        {
            return None;
        }
        Some(Window { steps: steps.into(), states: states.into() })
    }

    /// Returns the only capture in a state, if there is just one.
    fn take_of(&self, state: StateId, phase: RunPhase) -> Option<(StepId, StateId)> {
        let mut takes = self.edges(state).iter().filter_map(|edge| match edge.action {
            Action::Take { step, target } if edge.clocks.is_empty() => Some(Ok((step, target))),
            Action::Ignore { target } if phase == RunPhase::Begins || target == state => None,
            _ => Some(Err(())),
        });
        match (takes.next(), takes.next()) {
            (Some(Ok(take)), None) => Some(take),
            _ => None,
        }
    }

    /// True if two trees test the same conditions and take in the same cases. In all other cases
    /// they also do the same, except that nothing stays if the first tree is for a run that begins.
    fn is_alike(&self, one: &Decision, other: &Decision, phase: RunPhase) -> bool {
        use Decision::{Condition, Gone, One, Stay};
        match (one, other) {
            (One(a), One(b)) => {
                let takes =
                    |edge: &u32| matches!(self.edges[*edge as usize].action, Action::Take { .. });
                takes(a) && takes(b)
            }
            (Stay, Stay) | (Gone, Gone) => true,
            (Gone, Stay) => phase == RunPhase::Begins,
            (
                Condition { condition: a, yes: yes_a, no: no_a },
                Condition { condition: b, yes: yes_b, no: no_b },
            ) => {
                let node = |node: &u32| self.decisions.node(*node);
                a == b
                    && self.is_alike(node(yes_a), node(yes_b), phase)
                    && self.is_alike(node(no_a), node(no_b), phase)
            }
            _ => false,
        }
    }
}
