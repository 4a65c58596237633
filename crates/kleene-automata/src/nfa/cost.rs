//! The cost of a program: how the time of an event and the memory of a key grow.
//!
//! The analysis reads the automaton and the strategy, not the text. It gives an upper bound for the
//! worst stream, amortized over the stream: an event that moves many partial matches once is paid
//! by the events that started them. `docs/cost.md` says what the classes mean for users,
//! `ARCHITECTURE.md` why they hold, and `tests/cost_classes.rs` counts steps and bytes on the worst
//! streams of many rules and compares.

use std::collections::BTreeSet;
use std::fmt;

use crate::nfa::decide::{Decision, Decisions, waiting};
use crate::nfa::liveness::Live;
use crate::nfa::plan::Strategy;
use crate::nfa::program::Program;
use crate::nfa::registers::{self, RegisterKind};
use crate::nfa::states::{Action, ClockOp, Edge, StateId};
use kleene_syntax::hir::expr::AggregateOp;
use kleene_syntax::hir::{ConditionId, Limit, Report, SkipStrategy};

/// The reason why a rule with a `limit` is not in the compact form.
pub const LIMIT_COUNTS: &str = "`limit` counts partial matches one by one";

/// The growth of a cost with n: the number of partial matches of a key or, where these share their
/// events, of the events that they hold.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Growth {
    /// The cost does not depend on n.
    Constant,
    /// The cost grows with the logarithm of n.
    Logarithmic,
    /// The cost grows with the number of groups: partial matches that wait in the same state, and
    /// of which later conditions read the same values, are one group.
    Groups,
    /// The cost grows in proportion to n.
    Linear,
    /// The cost grows in proportion to the number of groups and to n.
    LinearInGroups,
    /// The cost grows with the square of n.
    Quadratic,
    /// The cost grows with the number of combinations of events, up to the limits of the engine.
    Combinations,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Growth::Constant => "constant",
            Growth::Logarithmic => "log n",
            Growth::Groups => "groups",
            Growth::Linear => "n",
            Growth::LinearInGroups => "groups x n",
            Growth::Quadratic => "n x n",
            Growth::Combinations => "multiplies",
        })
    }
}

/// The growth of each cost of a program, with the facts that it follows from.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The steps of an event, without the matches that it completes.
    pub event: Growth,
    /// The steps of an event that completes matches, besides those of any event and those of the
    /// matches that are reported.
    pub completion: Growth,
    /// The memory of a key.
    pub memory: Growth,
    /// The matches that one event reports, and the timeouts that one deadline does.
    pub matches: Growth,
    /// How the partial matches of a key are held.
    pub form: StateForm,
    /// Why an event costs more than a constant.
    pub reasons: Vec<Reason>,
}

/// The way in which the partial matches of a busy key are held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StateForm {
    /// As the last events, of which there is a fixed number.
    Window,
    /// As the oldest partial match.
    Oldest,
    /// As groups. Groups that wait in the same state differ in these values.
    Groups(Live),
    /// One by one.
    Listed,
}

/// A reason why an event costs more than a constant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A condition reads these registers of each partial match that waits.
    Reads(Vec<usize>),
    /// The partial matches of a busy key are found by these registers.
    Finds(Vec<usize>),
    /// A gap or a bound of a part is measured for each partial match that waits.
    Measures,
    /// A loop captures the same event for each partial match.
    Loops,
    /// A partial match waits in several states at once, or two come to hold the same events.
    Meets,
    /// Waits have bounds of several lengths: the next deadline is searched.
    Deadlines,
    /// Matches wait for older partial matches.
    Ordered,
    /// A condition goes through all captured events.
    Walks,
    /// The matches of an event are made together, before the first is reported.
    Collects,
    /// The end of the pattern's own time can complete a match: a deadline for each start.
    Starts,
    /// Timeouts are reported: a deadline lists the partial matches of groups that it ends.
    Timeouts,
    /// Sums differ for most combinations of events.
    Sums,
    /// An event can be skipped and captured by the same partial match, and nothing groups them.
    Multiplies,
}

/// The cost of finding the partial matches that an event moves, among those of one state.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum WaitCost {
    /// The event alone decides: either all of them move or none.
    Together,
    /// The index of a busy key finds them by a value that they wait for.
    Found,
    /// Each of them is asked.
    Scanned,
}

impl WaitCost {
    /// Returns the growth of the time that finds those that move.
    fn growth(self) -> Growth {
        match self {
            WaitCost::Together => Growth::Constant,
            WaitCost::Found => Growth::Logarithmic,
            WaitCost::Scanned => Growth::Linear,
        }
    }
}

impl Program {
    /// Returns the cost of the program under a rule's `limit`, which is counted one by one.
    pub fn cost(&self, limit: Option<&Limit>) -> Cost {
        let form = self.form(limit);
        let mut reasons = Vec::new();
        let event = match form {
            StateForm::Window | StateForm::Oldest => Growth::Constant,
            StateForm::Groups(apart) => self.event_of_groups(form, apart, &mut reasons),
            StateForm::Listed => {
                let has_index = limit.is_none() && self.joins_busy_keys();
                let by_index = if has_index { WaitCost::Found } else { WaitCost::Scanned };
                self.event_of_listed(by_index, &mut reasons)
            }
        };
        let memory = self.memory(form, event).max(self.collected(form));
        if matches!(form, StateForm::Groups(_)) && self.collected(form) >= Growth::Quadratic {
            reasons.push(Reason::Collects);
        }
        let matches = self.matches(form);
        let completion = self.completion(form, memory);
        Cost { event, completion, memory, matches, form, reasons }
    }

    /// True if nothing bounds some wait: a partial match can stay open without end.
    pub fn can_wait_for_ever(&self) -> bool {
        let has_no_end = |state| self.bounds(state).iter().all(|bound| bound.unless_set.is_some());
        self.timing.within.is_none() && self.waiting().any(has_no_end)
    }

    /// Returns how the partial matches of a busy key are held.
    fn form(&self, limit: Option<&Limit>) -> StateForm {
        let strategy = match limit {
            Some(_) => self.strategy_of_runs(),
            None => self.strategy(),
        };
        let groups = strategy == Strategy::Compact || limit.is_none() && self.groups_busy_keys();
        match (strategy, &self.compact) {
            (Strategy::CountingWindow { .. }, _) => StateForm::Window,
            (Strategy::SharedSuffix, _) => StateForm::Oldest,
            (_, Ok(compact)) if groups => {
                let live = self.waiting().map(|state| compact.live[state.index()]);
                StateForm::Groups(live.fold(Live::default(), Live::union))
            }
            _ => StateForm::Listed,
        }
    }

    fn waiting(&self) -> impl Iterator<Item = StateId> + '_ {
        waiting(&self.states, &self.edges, self.start)
    }

    /// Returns the growth of an event's time with the groups of a key.
    fn event_of_groups(&self, form: StateForm, apart: Live, reasons: &mut Vec<Reason>) -> Growth {
        let mut growth = match self.groups_of(apart, reasons) {
            Growth::Groups if self.finds_groups(reasons) => Growth::Logarithmic,
            growth => growth,
        };
        if let Some(sum) = self.running_sum() {
            reasons.push(Reason::Finds(vec![sum.register]));
            growth = growth.max(Growth::Logarithmic);
        }
        // The deadline of a start is a pass over the graph where many events follow it: it completes
        // matches, or matches have waited for it. So is each deadline of which timeouts are reported.
        let facts = [
            (Reason::Timeouts, self.report_timeouts),
            (Reason::Starts, self.compact.as_ref().is_ok_and(|compact| compact.completes_by_start)),
            (Reason::Ordered, self.waits()),
        ];
        let holding = facts.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason);
        let before = reasons.len();
        reasons.extend(holding);
        if reasons.len() > before { growth.max(self.memory(form, growth)) } else { growth }
    }

    /// True if an event finds the groups that it moves by an index, and moves each of them once or
    /// is looked for in one group of a state (`crates/kleene-automata/src/exec/forms/compact/`).
    fn finds_groups(&self, reasons: &mut Vec<Reason>) -> bool {
        let Some(compact) = self.compact.as_ref().ok().filter(|_| self.indexes_groups()) else {
            return false;
        };
        let are_few = self.waiting().all(|state| {
            let live = compact.live[state.index()];
            live == Live::default() || self.leaves(state) || self.has_one_group(state, live)
        });
        let mut found = Vec::new();
        let finds = are_few && self.wait(WaitCost::Found, &mut found) <= WaitCost::Found;
        if finds {
            reasons.append(&mut found);
        }
        finds
    }

    /// True if an event that moves a partial match which waits in a state takes it out of the state.
    fn leaves(&self, state: StateId) -> bool {
        let leaves = |edge: u32| match self.edges[edge as usize].action {
            Action::Take { target, .. } | Action::Ignore { target } => target != state,
            Action::Stop | Action::Complete => true,
        };
        self.all_decisions(state, |decision| match decision {
            Decision::Several(_) | Decision::Ask => false,
            Decision::One(edge) => leaves(*edge),
            _ => true,
        })
    }

    /// True if an event is compared with the values of one group of a state.
    fn has_one_group(&self, state: StateId, live: Live) -> bool {
        let has_values_only = live.clocks == 0 && !live.last;
        has_values_only
            && self.all_decisions(state, |decision| match decision {
                Decision::Condition { condition, .. } => {
                    !self.correlated[condition.index()]
                        || self.joins[condition.index()].find_values_of(live.register_numbers())
                }
                Decision::Time { .. } | Decision::Ask => false,
                _ => true,
            })
    }

    /// True if something holds of all decisions on events that come to a state.
    fn all_decisions(&self, state: StateId, holds: impl Fn(&Decision) -> bool) -> bool {
        let mut open: Vec<u32> =
            self.decisions.columns().iter().map(|column| column.roots[state.index()]).collect();
        let mut seen = BTreeSet::new();
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            let decision = self.decisions.node(node);
            if !holds(decision) {
                return false;
            }
            if let Decision::Condition { yes, no, .. } | Decision::Time { yes, no, .. } = decision {
                open.extend([*yes, *no]);
            }
        }
        true
    }

    /// Returns the growth of the number of groups that an event is tried against.
    fn groups_of(&self, apart: Live, reasons: &mut Vec<Reason>) -> Growth {
        if apart == Live::default() {
            return Growth::Constant;
        }
        let differs = |index: usize| match &self.registers[index].kind {
            RegisterKind::Aggregate(aggregate) => {
                matches!(aggregate.op, AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Stddev)
            }
            RegisterKind::First(_) | RegisterKind::Last(_) => false,
        };
        if self.is_explosive && apart.register_numbers().any(differs) {
            reasons.push(Reason::Sums);
            return Growth::Combinations;
        }
        Growth::Groups
    }

    /// Returns the growth of an event's time with partial matches that are listed one by one. Those
    /// that an index can find cost `by_index`.
    fn event_of_listed(&self, by_index: WaitCost, reasons: &mut Vec<Reason>) -> Growth {
        if self.is_explosive {
            reasons.push(Reason::Multiplies);
            return Growth::Combinations;
        }
        let mut growth = self.wait(by_index, reasons).growth();
        let is_general = self.strategy_of_runs() == Strategy::General;
        let repeats = self.has_loop();
        // Runs of one state with one bound run out of time in the order of their starts.
        let differ = !self.bounds.is_empty() && self.waiting().count() > 1;
        let facts = [
            (Reason::Loops, repeats),
            (Reason::Meets, is_general && self.meeting.waits_in_several),
            (Reason::Deadlines, !self.lengths.is_empty() || differ),
            (Reason::Ordered, self.waits()),
        ];
        for (reason, _) in facts.into_iter().filter(|(_, holds)| *holds) {
            reasons.push(reason);
            growth = growth.max(Growth::Linear);
        }
        if self.reads_back {
            reasons.push(Reason::Walks);
            growth = growth.max(if repeats { Growth::Quadratic } else { Growth::Linear });
        }
        growth
    }

    /// Returns the most expensive wait of all states: what an event costs that looks for the
    /// partial matches that it moves.
    ///
    /// The matcher counts the partial matches of a key by state and visits only those in states
    /// that the event may move (`crates/kleene-automata/src/exec/forms/crowded.rs`). If the
    /// decision asks a captured value or the time, it visits each of them, unless an index finds
    /// exactly those that move (`crates/kleene-automata/src/exec/forms/joined/`): that costs
    /// `by_index`. In a loop that takes each value once they are found by bisection. This function
    /// alone decides that.
    fn wait(&self, by_index: WaitCost, reasons: &mut Vec<Reason>) -> WaitCost {
        let (mut cost, mut read, mut measures) = (WaitCost::Together, BTreeSet::new(), false);
        let mut seen = vec![false; self.decisions.node_count() as usize];
        let mut open: Vec<u32> = Vec::new();
        for column in self.decisions.columns() {
            open.extend(self.waiting().map(|state| column.roots[state.index()]));
            while let Some(node) = open.pop() {
                if std::mem::replace(&mut seen[node as usize], true) {
                    continue;
                }
                match self.decisions.node(node) {
                    Decision::Condition { condition, yes, no } => {
                        if self.is_bisected(*condition) {
                            cost = cost.max(WaitCost::Found);
                        } else if self.correlated[condition.index()] {
                            let found = *no == Decisions::STAY
                                && self.joins[condition.index()].are_found_exactly()
                                && self.asks_the_event_alone(*yes);
                            cost = cost.max(if found { by_index } else { WaitCost::Scanned });
                        }
                        registers::read_by(&self.conditions, *condition, &mut |register| {
                            read.insert(register);
                        });
                        open.extend([*yes, *no]);
                    }
                    Decision::Time { yes, no, .. } => {
                        measures = true;
                        open.extend([*yes, *no]);
                    }
                    Decision::Ask => measures = true,
                    Decision::Stay | Decision::Gone | Decision::One(_) | Decision::Several(_) => {}
                }
            }
        }
        let cost = if measures { WaitCost::Scanned } else { cost };
        if !read.is_empty() {
            let read = read.into_iter().collect();
            reasons.push(match cost {
                WaitCost::Found => Reason::Finds(read),
                _ => Reason::Reads(read),
            });
        }
        if measures {
            reasons.push(Reason::Measures);
        }
        cost
    }

    /// True if the runs that an event moves are found by bisection: all of them are in a loop that
    /// takes each value once, and this is its condition.
    fn is_bisected(&self, condition: ConditionId) -> bool {
        let of_loop = self.distinct_loop.as_ref().filter(|of_loop| of_loop.is_alone);
        of_loop.is_some_and(|of_loop| of_loop.condition == condition)
    }

    /// True if no captured value and no time is asked for from a decision on.
    fn asks_the_event_alone(&self, node: u32) -> bool {
        match self.decisions.node(node) {
            Decision::Condition { condition, yes, no } => {
                !self.correlated[condition.index()]
                    && self.asks_the_event_alone(*yes)
                    && self.asks_the_event_alone(*no)
            }
            Decision::Time { .. } | Decision::Ask => false,
            Decision::Stay | Decision::Gone | Decision::One(_) | Decision::Several(_) => true,
        }
    }

    /// True if a partial match can move without bound: a state leads back to itself. A set of
    /// operands only grows.
    fn has_loop(&self) -> bool {
        let adds = |edge: &Edge| {
            self.clock_ops(edge).iter().any(|operation| matches!(operation, ClockOp::Add { .. }))
        };
        let targets = |state: StateId| {
            self.edges(state).iter().filter_map(move |edge| match edge.action {
                Action::Take { target, .. } if target == state && adds(edge) => None,
                Action::Take { target, .. } if self.states[target.index()].live => Some(target),
                Action::Ignore { target } if target != state => {
                    Some(target).filter(|target| self.states[target.index()].live)
                }
                _ => None,
            })
        };
        // States are taken away once nothing leads to them. Those of a loop are left.
        let mut before = vec![0_usize; self.states.len()];
        self.waiting().flat_map(targets).for_each(|target| before[target.index()] += 1);
        let mut open: Vec<StateId> =
            self.waiting().filter(|state| before[state.index()] == 0).collect();
        let mut left = self.waiting().count();
        while let Some(state) = open.pop() {
            left -= 1;
            for target in targets(state) {
                before[target.index()] -= 1;
                if before[target.index()] == 0 {
                    open.push(target);
                }
            }
        }
        left > 0
    }

    /// Returns the growth of a key's memory.
    fn memory(&self, form: StateForm, event: Growth) -> Growth {
        if event == Growth::Combinations {
            return Growth::Combinations;
        }
        let (without_loop, with_loop) = match form {
            StateForm::Window => (Growth::Constant, Growth::Constant),
            StateForm::Oldest => (Growth::Constant, Growth::Linear),
            StateForm::Groups(_) if self.captures_in_groups() => {
                (Growth::LinearInGroups, Growth::LinearInGroups)
            }
            StateForm::Groups(_) => (Growth::Linear, Growth::Linear),
            StateForm::Listed => (Growth::Linear, Growth::Quadratic),
        };
        if self.has_loop() { with_loop } else { without_loop }
    }

    /// Returns the growth of the memory for the matches of one event, if groups make all of them
    /// before the first is reported. The store keeps this memory for later events.
    fn collected(&self, form: StateForm) -> Growth {
        match (form, &self.skip.strategy) {
            (StateForm::Window | StateForm::Oldest | StateForm::Listed, _)
            | (_, SkipStrategy::None | SkipStrategy::PastLast) => Growth::Constant,
            (_, SkipStrategy::ToFirst(_) | SkipStrategy::ToLast(_)) if self.is_explosive => {
                Growth::Combinations
            }
            _ if self.has_loop() => Growth::Quadratic,
            _ => Growth::Linear,
        }
    }

    /// True if groups that differ in values each capture the same event: each keeps a node of it.
    fn captures_in_groups(&self) -> bool {
        let Ok(compact) = &self.compact else { return false };
        self.waiting().filter(|state| compact.live[state.index()] != Live::default()).any(|state| {
            self.edges(state).iter().any(|edge| match edge.action {
                Action::Take { target, .. } => self.states[target.index()].live,
                _ => false,
            })
        })
    }

    /// Returns the growth of the number of matches that one event reports. Partial matches that
    /// multiply run out of time together.
    fn matches(&self, form: StateForm) -> Growth {
        if self.report_timeouts && self.is_explosive {
            return Growth::Combinations;
        }
        match (self.report, &self.skip.strategy) {
            (Report::All, SkipStrategy::PastLast) | (Report::Count, _) => Growth::Constant,
            (Report::All, SkipStrategy::ToNext) => Growth::Linear,
            (Report::All, _) if form == StateForm::Window => Growth::Constant,
            (Report::All, _) if self.is_explosive => Growth::Combinations,
            (Report::All, _) => Growth::Linear,
            _ => Growth::Constant,
        }
    }

    /// Returns the growth of what a match costs besides its own length.
    fn completion(&self, form: StateForm, memory: Growth) -> Growth {
        let skip = &self.skip.strategy;
        match form {
            StateForm::Listed if self.is_explosive => Growth::Combinations,
            StateForm::Listed if *skip == SkipStrategy::ToNext || self.waits() => Growth::Linear,
            StateForm::Window | StateForm::Oldest | StateForm::Listed => Growth::Constant,
            StateForm::Groups(apart) => {
                // A match drops everything: the events that came pay for it.
                let drops_all = self.is_won_by_first();
                // Nothing is dropped, and there are no totals: a look at the node.
                let keeps_all = *skip == SkipStrategy::None
                    && self.totals.is_empty()
                    && (self.running_sum().is_none() || self.report == Report::All);
                if drops_all || keeps_all && self.timing.span.is_none() {
                    Growth::Constant
                } else if keeps_all && apart == Live::default() && self.holds_starts_only() {
                    // Starts that are out of time are left out on one path
                    // (`crates/kleene-automata/src/exec/dag/starts.rs`).
                    Growth::Logarithmic
                } else {
                    // A pass over the graph: starts that are dropped or out of time, totals, and
                    // sums whose matches are not listed.
                    memory
                }
            }
        }
    }

    /// True if a partial match has captured its first event and no other, and is complete with the
    /// next one.
    fn holds_starts_only(&self) -> bool {
        self.waiting().all(|state| {
            let is_last = |target: StateId| !self.states[target.index()].live;
            let leads_to_end = |edge: &Edge| match edge.action {
                Action::Take { target, .. } => is_last(target),
                _ => true,
            };
            !self.states[state.index()].accepts_at_deadline
                && self.edges(state).iter().all(leads_to_end)
        })
    }
}
