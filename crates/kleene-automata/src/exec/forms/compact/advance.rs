//! One event on its way through the groups of a key.
//!
//! Each group goes where its partial matches go: a configuration takes the edges that a run takes
//! in the [general strategy](crate::exec::forms::general). What captures nothing has the same
//! events as before, and what captures the event as the same step has the same events: each is one
//! group, whatever states it waits in. So two groups never have partial matches with the same
//! events, and every match is counted once.
//!
//! An example with `match a -> any b -> any c -> d`, `skip none`. A group is shown with its number
//! of partial matches, by the step that it waits for. `any` lets it capture an event and wait on:
//! ```text
//! event   waits for b     waits for c               waits for d
//! a1      {a1}: 1
//! a2      {a1, a2}: 2
//! b3      2               b3 after both: 2
//! b4      2               and b4 after both: 4
//! c5      2               4                         c5 after the four: 4
//! d6      2               4                                         4 matches
//! ```
//! An event makes one node for each group that captures it, whatever the number of its partial
//! matches:
//! ```text
//! c5 --> union --> b4 --> union --> a2
//!           \               / \
//!            `---> b3 -----'   `--> a1
//! ```
//!
//! The results of an event for one group, which has one or more configurations:
//! ```text
//! stays     configurations that wait on: if all do, the group keeps its place
//! ignored   configurations that follow without the event: the same node with another future
//! taken     by step, configurations that follow with the event: a new node over the group's node
//! complete  with the event: that new node is a set of matches; without it: the group's own node
//! ```
//!
//! Invariants:
//! * A configuration's registers are owned by its group. A successor has a duplicate, and the
//!   registers of a group that goes are released.
//! * Groups of the same event are disjoint sets of chains: they end with different steps, or lie
//!   over different groups. So the union of complete nodes counts each match once.
//!
//! Rejected: one group for each state. Partial matches with the same events can wait in several
//! states. They would be in several groups, and be counted once for each.
//!
//! Which test holds it: `the_compact_form_reports_what_the_reference_reports` in
//! `tests/properties.rs`, and `each_construct_has_the_sets_of_the_general_strategy` in
//! `tests/compact_constructs.rs`.

use smallvec::SmallVec;

use super::chain_sums::ChainSums;
use super::group::{Configuration, Configurations};
use super::groups::{MatchGroups, Successor};
use crate::exec::captures::NIL;
use crate::exec::dag::{DagEvent, NONE};
use crate::exec::forms::KeyState;
use crate::exec::matcher::Walk;
use crate::exec::run::Run;
use crate::nfa::{Action, Compact, Decision, Edge, StateId};
use kleene_event::event::Event;
use kleene_syntax::hir::{ConditionId, StepId};

/// The arguments that are the same for all groups.
#[derive(Clone, Copy)]
struct Pass<'c> {
    compact: &'c Compact,
    /// The epoch in which conditions on the event alone are tested.
    event_epoch: u64,
    /// The condition on the running sum, with true if the group fulfils it.
    answer: Option<(ConditionId, bool)>,
}

/// The partial matches that an event is tried against.
struct TriedChains {
    root: u32,
    sums: Option<Box<ChainSums>>,
}

/// The results of an event for one group.
#[derive(Debug, Default)]
struct Results {
    /// The number of configurations that stay as they are, and true for each that does.
    staying: usize,
    stays: SmallVec<[bool; 4]>,
    /// The configurations that follow without the event.
    ignored: Configurations,
    /// By step: the configurations that follow with the event.
    taken: SmallVec<[Taken; 2]>,
    /// True if the partial matches are complete without the event.
    is_complete: bool,
}

#[derive(Debug)]
struct Taken {
    step: StepId,
    configurations: Configurations,
    /// True if the partial matches are complete with the event.
    is_complete: bool,
}

impl Results {
    fn taken(&mut self, step: StepId) -> &mut Taken {
        let at = self.taken.iter().position(|taken| taken.step == step).unwrap_or_else(|| {
            let configurations = Configurations::new();
            self.taken.push(Taken { step, configurations, is_complete: false });
            self.taken.len() - 1
        });
        &mut self.taken[at]
    }
}

impl<E: Event> Walk<'_, E> {
    /// Moves all groups. Returns the node of the matches that the event completes, or [`NONE`].
    pub(super) fn advance_groups(
        &mut self,
        key: &mut KeyState,
        groups: &mut MatchGroups,
        compact: &Compact,
    ) -> u32 {
        self.store.scratch.answers.epoch += 1;
        let event_epoch = self.store.scratch.answers.epoch;
        let now = Pass { compact, event_epoch, answer: None };
        // Before the groups move, each is made one of which all partial matches give the same
        // answer.
        let answers = match &compact.sum {
            Some(sum) if !self.column.is_still => self.divide_groups(groups, sum, event_epoch),
            _ => Vec::new(),
        };
        let is_still = self.column.is_still;
        let MatchGroups { all, index, .. } = &mut *groups;
        // Of many groups, only those that the event can move are visited. The index finds them.
        let indexed = index.as_mut().filter(|_| !is_still).map(|index| {
            index.found(all, |waiting, registers, out| {
                self.find_movable(waiting, registers, event_epoch, out);
            })
        });
        let asked = match &indexed {
            _ if is_still => 0,
            Some(found) => found.len(),
            None => groups.all.len(),
        };
        self.store.counts.steps += 1 + asked as u64;
        let (mut completed, mut moment) = (NONE, NONE);
        let mut successors: SmallVec<[Successor; 4]> = SmallVec::new();
        let condition = compact.sum.as_ref().map(|sum| sum.condition);
        // From the last one on: a group that goes leaves its place to the last.
        for turn in (0..asked).rev() {
            let at = indexed.as_ref().map_or(turn, |indexed| indexed[turn]);
            let now = Pass { answer: condition.zip(answers.get(at).copied()), ..now };
            let group = &mut groups.all[at];
            // A copy, as the group can leave its place while its results are made.
            let configurations = group.configurations.clone();
            let mut source = TriedChains { root: group.root, sums: group.sums.take() };
            let mut results = Results::default();
            for configuration in &configurations {
                let stays = self.advance_one(configuration, now, &mut results);
                results.stays.push(stays);
                results.staying += usize::from(stays);
            }
            let goes_on = results.staying == configurations.len() && results.ignored.is_empty();
            self.take_group(groups, &mut source, &mut moment, &mut results, &mut successors)
                .into_iter()
                .for_each(|node| completed = groups.dag.union(node, completed));
            let TriedChains { root, sums } = source;
            // A part of a divided group has to be among the successors, where it can be joined
            // again.
            if goes_on && !groups.is_part(root) {
                groups.all[at].sums = sums;
                continue;
            }
            groups.take(&self.store.file, at);
            let mut next = results.ignored;
            for (configuration, stays) in configurations.iter().zip(results.stays) {
                if stays {
                    next.push(*configuration);
                } else {
                    self.store.file.release(configuration.registers);
                }
            }
            if !next.is_empty() {
                successors.push(Successor { configurations: next, root, sums });
            }
        }
        if self.program.leading_not.is_none() || self.is_silent(key, now.event_epoch) {
            let mut results = Results::default();
            self.begin_group(now, &mut results);
            let sums = || Box::new(ChainSums::of_start(self.seq, self.time));
            let mut source = TriedChains { root: NONE, sums: compact.sum.as_ref().map(|_| sums()) };
            self.take_group(groups, &mut source, &mut moment, &mut results, &mut successors)
                .into_iter()
                .for_each(|node| completed = groups.dag.union(node, completed));
        }
        self.store.counts.steps += successors.len() as u64;
        groups.rejoin(&mut self.store.file, &mut successors);
        groups.add(self.store, &compact.live, successors.into_iter());
        groups.forget_divided();
        // The graph has a reference of its own to each of its events.
        if self.stored != NIL {
            self.store.arena.release_event(self.stored);
        }
        completed
    }

    /// Makes the groups that have captured the event. Returns the nodes of complete matches.
    fn take_group(
        &mut self,
        groups: &mut MatchGroups,
        source: &mut TriedChains,
        moment: &mut u32,
        results: &mut Results,
        successors: &mut SmallVec<[Successor; 4]>,
    ) -> SmallVec<[u32; 2]> {
        let (mut completed, root) = (SmallVec::new(), source.root);
        if results.is_complete && root != NONE {
            completed.push(root);
        }
        for Taken { step, configurations, is_complete } in results.taken.drain(..) {
            if configurations.is_empty() && !is_complete {
                continue;
            }
            // The event enters the graph once, with the first group that captures it.
            if *moment == NONE {
                let event = self.store_event();
                self.store.arena.retain_event(event);
                *moment = groups.dag.add_moment(DagEvent { event, seq: self.seq, time: self.time });
            }
            let node = groups.dag.event(*moment, step, root);
            if is_complete {
                completed.push(node);
            }
            if !configurations.is_empty() {
                // Each start has one partial match: its sum goes with it.
                let mut sums = source.sums.take();
                if let Some(sums) = &mut sums {
                    sums.add(self.record_summand(groups, step));
                }
                successors.push(Successor { configurations, root: node, sums });
            }
        }
        completed
    }

    /// Adds the results for one configuration. Returns true if it stays as it is.
    fn advance_one(
        &mut self,
        configuration: &Configuration,
        now: Pass<'_>,
        results: &mut Results,
    ) -> bool {
        let program = self.program;
        let run = configuration.as_run();
        let tree = program.decisions.of(configuration.state, self.column);
        let decision = self.decide_knowing(tree, &run, now.event_epoch, now.answer);
        let open: SmallVec<[u32; 8]> = match decision {
            Decision::Stay => return true,
            Decision::Gone => return false,
            Decision::One(edge) => [*edge].into_iter().collect(),
            Decision::Several(edges) => program.decisions.edges(edges).iter().copied().collect(),
            _ => self.ask(&run, now.event_epoch).unwrap_or_default(),
        };
        let mut stays = false;
        for edge in open {
            stays |= self.follow_group(edge, &run, now, results);
        }
        stays
    }

    /// Adds the results of a partial match that starts with the event. It is a group of a single
    /// chain, which joins the group that waits alike.
    fn begin_group(&mut self, now: Pass<'_>, results: &mut Results) {
        let program = self.program;
        let tree = program.decisions.of_start(self.column);
        if *tree == Decision::Gone {
            return;
        }
        let nothing = self.nothing();
        let open: SmallVec<[u32; 8]> = match self.decide(tree, &nothing, now.event_epoch) {
            Decision::One(edge) => [*edge].into_iter().collect(),
            Decision::Several(edges) => program.decisions.edges(edges).iter().copied().collect(),
            Decision::Ask => self.ask(&nothing, now.event_epoch).unwrap_or_default(),
            _ => return,
        };
        // With this start the pattern's own bound is never over: that bound is asked of the starts
        // in the graph.
        let run = Run { registers: self.store.file.create(), start: i64::MAX, ..nothing };
        for edge in open {
            if let Action::Take { .. } = program.edges[edge as usize].action {
                self.follow_group(edge, &run, now, results);
            }
        }
        self.store.file.release(run.registers);
    }

    /// Adds the result of one edge. Returns true if the configuration stays as it is.
    fn follow_group(&mut self, edge: u32, run: &Run, now: Pass<'_>, results: &mut Results) -> bool {
        let edge = &self.program.edges[edge as usize];
        match edge.action {
            // A violated `not`: nothing follows, and the configuration does not stay.
            Action::Stop => {}
            Action::Complete => results.is_complete = true,
            Action::Ignore { target } if target == run.state && edge.clocks.is_empty() => {
                return true;
            }
            Action::Ignore { target } => {
                let registers = self.store.file.duplicate(run.registers);
                let run = Run { state: target, registers, ..*run };
                self.set_clocks(edge, &run);
                results.ignored.extend(self.waiting(run, now.compact));
            }
            Action::Take { step, target } => {
                self.take_edge(edge, (step, target), run, now, results);
            }
        }
        false
    }

    fn take_edge(
        &mut self,
        edge: &Edge,
        (step, target): (StepId, StateId),
        run: &Run,
        now: Pass<'_>,
        results: &mut Results,
    ) {
        let state = &self.program.states[target.index()];
        let accepted = state.accept.is_some_and(|guard| self.guard(guard, run, now.event_epoch));
        // Several edges can take the event as the same step. Together they are one set of matches.
        results.taken(step).is_complete |= accepted;
        if !state.live {
            return;
        }
        let registers = self.store.file.duplicate(run.registers);
        let mut run = Run { state: target, registers, last: self.time, ..*run };
        self.set_clocks(edge, &run);
        // A running sum is not in registers: the group keeps the sums of all its partial matches in
        // order.
        if now.compact.sum.is_none() {
            self.update_registers(step, &mut run);
        }
        let waiting = self.waiting_behind(run, now.compact);
        results.taken(step).configurations.extend(waiting);
    }

    /// Returns the configuration of a run that comes to its state now, with its deadline; `None` if
    /// the run has waited too long already.
    fn waiting(&mut self, mut run: Run, compact: &Compact) -> Option<Configuration> {
        run.deadline = self.times(&run).deadline();
        if run.deadline <= self.time {
            self.store.file.release(run.registers);
            return None;
        }
        Some(Self::configuration(run, compact))
    }

    /// Returns the configuration of a run that comes to its state with a captured event. A `not`
    /// that holds for no time at all is still due.
    fn waiting_behind(&mut self, mut run: Run, compact: &Compact) -> Option<Configuration> {
        let state = &self.program.states[run.state.index()];
        if !state.accepts_at_deadline || state.accepts_when_exhausted {
            return self.waiting(run, compact);
        }
        run.deadline = self.times(&run).deadline().max(self.time);
        Some(Self::configuration(run, compact))
    }

    fn configuration(mut run: Run, compact: &Compact) -> Configuration {
        if !compact.live[run.state.index()].last {
            // Partial matches that differ in what nothing reads are one group.
            run.last = i64::MIN;
        }
        Configuration::of_run(&run)
    }
}
