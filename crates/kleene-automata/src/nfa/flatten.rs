//! A graph without its proceed transitions: what an event can do in each state, as a flat list.

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::{ClockedRepetition, Graph, Role, Transition, Verb};
use crate::nfa::guard::{Guard, GuardId, Guards};
use crate::nfa::states::{Action, Bound, ClockOp, Edge, Range, Since, State, StateId};
use kleene_event::util::order;
use kleene_syntax::hir::{Length, StepId};

/// The largest number of edges of a program.
const MAX_EDGES: usize = 200_000;

/// The tables of a program that describe its flat graph.
#[derive(Debug, Default)]
pub(super) struct FlatTables {
    pub(super) guards: Vec<Guard>,
    pub(super) states: Vec<State>,
    pub(super) edges: Vec<Edge>,
    pub(super) clock_ops: Vec<ClockOp>,
    pub(super) bounds: Vec<Bound>,
    pub(super) clocks: usize,
    pub(super) named: Vec<(StepId, u32)>,
    pub(super) start: usize,
    /// True if the end of the last silence ends the greedy loop before it.
    pub(super) closes: bool,
}

/// Returns the tables without their guards, and the guards.
pub(super) fn flatten(mut graph: Graph) -> Result<(FlatTables, Guards), AutomatonError> {
    let mut flat =
        FlatTables { clocks: graph.clocks, start: graph.start.index(), ..FlatTables::default() };
    for index in 0..graph.states.len() {
        let state = resolve(&mut graph, StateId::new(index), &mut flat)?;
        flat.states.push(state);
        if flat.edges.len() > MAX_EDGES {
            return Err(AutomatonError::new(Refusal::TooLarge));
        }
    }
    flat.closes = graph.states.iter().any(|raw| raw.closes.is_some());
    flat.named = graph.named;
    Ok((flat, graph.guards))
}

/// A transition that is reached from a state over proceeds.
struct FoundTransition {
    action: Action,
    guard: GuardId,
    /// The states from the one that waits to the one with the transition.
    path: Vec<StateId>,
    /// The guards on the time since the previous event, here and on the path.
    gaps: Vec<GuardId>,
    /// For a take on one of several branches: the repetitions of clocked groups that it takes part
    /// in.
    instances: Option<Vec<usize>>,
    /// For a take: its operations on the clocks that no group has.
    marks: Vec<ClockOp>,
    /// The branches that the transition belongs to.
    branches: Vec<(StateId, usize)>,
}

impl FoundTransition {
    /// Returns the state with the transition.
    fn leaving(&self) -> StateId {
        *self.path.last().expect("a path starts with its state")
    }

    /// Returns the repetitions of clocked groups that a take is part of.
    fn taking<'a>(&'a self, graph: &'a Graph) -> &'a [usize] {
        let all = &graph.states[self.leaving().index()].instances;
        self.instances.as_deref().unwrap_or(all)
    }

    /// True if the path stays inside one repetition of a group.
    fn stays_inside(&self, graph: &Graph, instance: usize) -> bool {
        self.path.iter().all(|state| graph.states[state.index()].instances.contains(&instance))
    }

    /// Returns the stop that the transition leads to, if it is one.
    fn stop(&self) -> Option<StateId> {
        (self.action == Action::Stop).then(|| self.leaving())
    }

    /// True if the edge takes the step behind the `not` of a stop.
    fn is_behind(&self, graph: &Graph, stop: StateId) -> bool {
        let mut passed =
            self.path.iter().flat_map(|state| &graph.states[state.index()].transitions);
        matches!(self.action, Action::Take { .. })
            && passed.any(|asked| {
                // An event that another branch takes comes in between.
                let elsewhere = |(group, branch): &(StateId, usize)| {
                    self.branches.iter().any(|(of, other)| of == group && other != branch)
                };
                asked.target == stop && asked.is_behind && !asked.branches.iter().any(elsewhere)
            })
    }

    /// True if the edge takes or skips the event before the `not` of the edge `stops`, which leads
    /// past it: where the ways part, what may be left out comes before what follows it. An event that
    /// is captured is no violation. Where it is skipped, the violation ends what was complete without
    /// more events, and what waits for them goes on.
    fn is_before(&self, graph: &Graph, stops: &FoundTransition) -> bool {
        if !matches!(self.action, Action::Take { .. } | Action::Ignore { .. }) {
            return false;
        }
        // Behind the state that asks for it stands the stop itself.
        let past = &stops.path[..stops.path.len().saturating_sub(1)];
        let common = self.path.iter().zip(past).take_while(|(own, other)| own == other).count();
        let Some(&other) = past.get(common) else { return false };
        let Some(&own) = self.path.get(common) else { return true };
        let parting = &graph.states[past[common - 1].index()].transitions;
        let leads = |next: &Transition, to| next.verb == Verb::Proceed && next.target == to;
        let place = |to| parting.iter().position(|next| leads(next, to));
        place(own) < place(other)
    }
}

/// Adds the bounds of the groups around the edge. A group that the path enters has not begun,
/// whatever its clock has from an earlier repetition.
fn close(graph: &mut Graph, edge: &mut FoundTransition) {
    for instance in graph.states[edge.leaving().index()].instances.clone() {
        if !edge.stays_inside(graph, instance) {
            let clock = graph.instances[instance].clock;
            edge.guard = graph.guards.where_unset(edge.guard, clock);
            for gap in &mut edge.gaps {
                *gap = graph.guards.where_unset(*gap, clock);
            }
        }
    }
    if let Action::Take { .. } = edge.action {
        for instance in edge.taking(graph).to_vec() {
            let ClockedRepetition { clock, within } = graph.instances[instance];
            if let (true, Some(within)) = (edge.stays_inside(graph, instance), within) {
                let check = graph.guards.leaf(Guard::Within { clock, within });
                edge.guard = graph.guards.and(edge.guard, check);
            }
        }
    }
}

/// Lets a step win over the `not` before it: an event that the step takes is not between. If the
/// event violates the `not` as well, it is only taken where the step waits for it; elsewhere it
/// ends the partial match.
fn let_steps_win(graph: &mut Graph, found: &mut [FoundTransition]) {
    let asked: Vec<GuardId> = found.iter().map(|edge| edge.guard).collect();
    for stops in 0..found.len() {
        let Some(stop) = found[stops].stop() else { continue };
        let is_free = |edge: &FoundTransition| {
            edge.is_behind(graph, stop) || edge.is_before(graph, &found[stops])
        };
        let free: Vec<bool> = found.iter().map(is_free).collect();
        let violated = asked[stops];
        let mut taken = graph.guards.never();
        for (takes, _) in asked.iter().zip(&free).filter(|(_, is_free)| **is_free) {
            let both = graph.guards.and(violated, *takes);
            if graph.guards.may_hold(both) {
                taken = graph.guards.or(taken, *takes);
            }
        }
        if taken == graph.guards.never() {
            continue;
        }
        let not_taken = graph.guards.not(taken);
        let taken = graph.guards.and(violated, taken);
        let not_here = graph.guards.not(taken);
        found[stops].guard = graph.guards.and(found[stops].guard, not_taken);
        for (edge, is_free) in found.iter_mut().zip(free) {
            if !is_free && edge.stop().is_none() {
                edge.guard = graph.guards.and(edge.guard, not_here);
            }
        }
    }
}

/// Adds a state with its edges and bounds to the tables, and returns it.
fn resolve(
    graph: &mut Graph,
    state: StateId,
    flat: &mut FlatTables,
) -> Result<State, AutomatonError> {
    let mut found = Vec::new();
    let mut reach = ReachableEnds {
        accept: graph.guards.never(),
        pending: None,
        accepts_when_exhausted: false,
    };
    let always = graph.guards.always();
    walk(graph, &mut vec![state], &mut Vec::new(), always, &mut found, &mut reach)?;
    let never = graph.guards.never();
    // The state stays even if its conditions contradict each other: how long a partial match waits
    // must not depend on that.
    let live = !found.is_empty();
    order::sort_by_key(&mut found, |edge| edge.action != Action::Stop);

    for edge in &mut found {
        close(graph, edge);
    }
    let_steps_win(graph, &mut found);
    let first_edge = flat.edges.len();
    let mut bounds: Option<Vec<Bound>> = None;
    for edge in found {
        let first_op = flat.clock_ops.len();
        if let Some(edge_bounds) = add_clock_ops(graph, &edge, state, &mut flat.clock_ops) {
            // A partial match has timed out if every branch has.
            bounds = Some(match bounds.take() {
                None => edge_bounds,
                Some(others) => common(&others, &edge_bounds),
            });
        }
        let guard = edge.guard;
        if guard == never {
            flat.clock_ops.truncate(first_op);
            continue;
        }
        let clocks = range(first_op, flat.clock_ops.len());
        let new = Edge { guard, action: edge.action, clocks };
        let known = flat.edges[first_edge..].iter().any(|old| {
            (old.guard, old.action) == (new.guard, new.action)
                && same_ops(flat, &old.clocks, &new.clocks)
        });
        if !known {
            flat.edges.push(new);
        }
    }
    // A last `not` without a time waits until the time of the pattern is over, and a silence that is
    // a branch until its own is: whatever bounds the other ways on.
    if matches!(
        reach.pending,
        Some(Pending { bound: None, .. } | Pending { since: Since::Clock(_), .. })
    ) {
        bounds = None;
    }
    let mut bounds = bounds.unwrap_or_default();
    // If several branches have to go on, the bound of one is enough. Each branch was laid out and
    // resolved before the combined state.
    for &branch in &graph.states[state.index()].required {
        let branch = &flat.states[branch.index()].bounds;
        bounds.extend_from_slice(&flat.bounds[branch.start as usize..branch.end as usize]);
    }
    bounds.sort_unstable();
    bounds.dedup();
    let raw = &graph.states[state.index()];
    if let Some(Pending { bound: Some(bound), since }) = reach.pending {
        bounds.push(Bound { since, unless_set: None, after: bound, included: false });
    }
    if let Some(after) = raw.closes {
        bounds.push(Bound { since: Since::Last, unless_set: None, after, included: false });
    }
    let first_bound = flat.bounds.len();
    flat.bounds.append(&mut bounds);
    let edges = range(first_edge, flat.edges.len());
    Ok(State {
        live: live && !matches!(raw.role, Role::Final | Role::Stop),
        edges,
        accept: (reach.accept != never).then_some(reach.accept),
        accepts_at_deadline: reach.pending.is_some() || reach.accepts_when_exhausted,
        ends_in_silence: !reach.accepts_when_exhausted
            && matches!(reach.pending, Some(Pending { bound: Some(_), .. })),
        accepts_when_exhausted: reach.accepts_when_exhausted,
        bounds: range(first_bound, flat.bounds.len()),
    })
}

/// Adds the clock operations of an edge from `state`. Returns the bounds within which its event
/// must come; `None` if the edge bounds nothing.
fn add_clock_ops(
    graph: &Graph,
    edge: &FoundTransition,
    state: StateId,
    operations: &mut Vec<ClockOp>,
) -> Option<Vec<Bound>> {
    let first = operations.len();
    let mut bounds = Vec::new();
    match edge.action {
        Action::Take { target, .. } => {
            for &instance in edge.taking(graph) {
                let ClockedRepetition { clock, within } = graph.instances[instance];
                let same = edge.stays_inside(graph, instance);
                if same && let Some(within) = within {
                    bounds.push(Bound {
                        since: Since::Clock(clock),
                        unless_set: None,
                        after: within,
                        included: false,
                    });
                }
                let stays = graph.states[target.index()].instances.contains(&instance);
                operations.push(match (same, stays) {
                    (true, true) => ClockOp::SetIfUnset(clock),
                    (true, false) => ClockOp::Unset(clock),
                    (false, true) => ClockOp::Set(clock),
                    (false, false) => ClockOp::Pass(clock),
                });
            }
            leave_groups(graph, &edge.path, target, first, operations);
            operations.extend(&edge.marks);
        }
        Action::Ignore { target } => {
            for &instance in &graph.states[target.index()].instances {
                if !edge.stays_inside(graph, instance) {
                    operations.push(ClockOp::Unset(graph.instances[instance].clock));
                }
            }
            leave_groups(graph, &edge.path, target, first, operations);
            return None;
        }
        Action::Complete => {}
        Action::Stop => return None,
    }
    gap_bounds(graph, &edge.gaps, state, &mut bounds);
    Some(bounds)
}

/// Clears the clocks of the groups that the path to `target` leaves, except clocks that the
/// operations from `first` on change anyway.
fn leave_groups(
    graph: &Graph,
    path: &[StateId],
    target: StateId,
    first: usize,
    operations: &mut Vec<ClockOp>,
) {
    let inside =
        |state: StateId, instance: usize| graph.states[state.index()].instances.contains(&instance);
    for &instance in &graph.states[path[0].index()].instances {
        let stays = inside(target, instance) && path.iter().all(|&state| inside(state, instance));
        let clock = graph.instances[instance].clock;
        if !stays && operations[first..].iter().all(|operation| operation.clock() != clock) {
            operations.push(ClockOp::Clear(clock));
        }
    }
}

/// The ends of the pattern that a state reaches without an event.
struct ReachableEnds {
    /// The guard under which the state reaches the end.
    accept: GuardId,
    /// The `not` at the end that the state reaches, with its own bound.
    pending: Option<Pending>,
    /// True if the state reaches a `longest` loop that has repeated often enough.
    accepts_when_exhausted: bool,
}

/// A `not` at the end.
struct Pending {
    /// The time for which it has to hold, if it has a time of its own.
    bound: Option<Length>,
    since: Since,
}

fn walk(
    graph: &mut Graph,
    path: &mut Vec<StateId>,
    gaps: &mut Vec<GuardId>,
    guard: GuardId,
    found: &mut Vec<FoundTransition>,
    reach: &mut ReachableEnds,
) -> Result<(), AutomatonError> {
    let state = *path.last().expect("a path starts with its state");
    match graph.states[state.index()].role {
        Role::Final => {
            reach.accept = graph.guards.or(reach.accept, guard);
            return Ok(());
        }
        Role::Stop => {
            found.push(FoundTransition {
                action: Action::Stop,
                guard,
                path: path.clone(),
                gaps: Vec::new(),
                instances: None,
                marks: Vec::new(),
                branches: Vec::new(),
            });
            return Ok(());
        }
        Role::Pending(_) | Role::Quiet { .. } | Role::Normal | Role::NextNot => {}
    }
    // A `next not` on the path needs an event to test.
    if path.iter().all(|state| graph.states[state.index()].role != Role::NextNot) {
        match graph.states[state.index()].role {
            Role::Pending(bound) => {
                reach.pending = Some(Pending { bound, since: Since::Last });
            }
            Role::Quiet { time, clock } => {
                let since = Since::Clock(clock);
                reach.pending = Some(Pending { bound: Some(time), since });
            }
            _ => {}
        }
        reach.accepts_when_exhausted |= graph.states[state.index()].accepts_when_exhausted;
    }
    if found.len() > MAX_EDGES {
        return Err(AutomatonError::new(Refusal::TooLarge));
    }
    for index in 0..graph.states[state.index()].transitions.len() {
        let transition = graph.states[state.index()].transitions[index].clone();
        let guard = graph.guards.and(guard, transition.guard);
        let action = match transition.verb {
            Verb::Take(step) => Action::Take { step, target: transition.target },
            Verb::Ignore if graph.states[transition.target.index()].role == Role::Final => {
                Action::Complete
            }
            Verb::Complete => Action::Complete,
            Verb::Ignore => Action::Ignore { target: transition.target },
            Verb::Proceed => {
                if path.contains(&transition.target) {
                    return Err(AutomatonError::new(Refusal::EmptyLoop));
                }
                let before = gaps.len();
                gaps.extend(transition.gap);
                path.push(transition.target);
                walk(graph, path, gaps, guard, found, reach)?;
                path.pop();
                gaps.truncate(before);
                continue;
            }
        };
        let gaps = gaps.iter().copied().chain(transition.gap).collect();
        let Transition { instances, marks, branches, .. } = transition;
        found.push(FoundTransition {
            action,
            guard,
            path: path.clone(),
            gaps,
            instances,
            marks,
            branches,
        });
    }
    Ok(())
}

/// Returns the upper ends of the gaps that apply where `waiting` waits.
fn gap_bounds(graph: &Graph, gaps: &[GuardId], waiting: StateId, bounds: &mut Vec<Bound>) {
    for &gap in gaps {
        match graph.guards.get(gap) {
            Guard::Gap { max: Some(after), unless_set, since, .. } => {
                // The clock is set only if the group has been entered.
                let entered = |&clock: &u32| {
                    let inside = &graph.states[waiting.index()].instances;
                    inside.iter().any(|&instance| graph.instances[instance].clock == clock)
                };
                let since = since.map_or(Since::Last, Since::Clock);
                let unless_set = unless_set.filter(entered);
                bounds.push(Bound { since, unless_set, after: *after, included: true });
            }
            Guard::And(parts) => gap_bounds(graph, parts, waiting, bounds),
            _ => {}
        }
    }
}

/// Returns the bounds of two branches together: for each kind the later one.
fn common(some: &[Bound], others: &[Bound]) -> Vec<Bound> {
    let mut result = Vec::new();
    for one in some {
        for other in others {
            let unless_set = match (one.unless_set, other.unless_set) {
                (one, None) => one,
                (None, other) => other,
                (one, other) if one == other => one,
                _ => continue,
            };
            let after = match (one.after, other.after) {
                (Length::Millis(one), Length::Millis(other)) => Length::Millis(one.max(other)),
                (one, other) if one == other => one,
                _ => continue,
            };
            if (one.since, one.included) == (other.since, other.included) {
                result.push(Bound { unless_set, after, ..*one });
            }
        }
    }
    // Of several bounds of one kind, the least decides.
    result.sort_unstable();
    result.dedup_by(|later, earlier| {
        let kind = |bound: &Bound| (bound.since, bound.unless_set, bound.included);
        kind(later) == kind(earlier)
            && later.after.as_millis().is_some()
            && earlier.after.as_millis().is_some()
    });
    result
}

fn same_ops(flat: &FlatTables, a: &Range, b: &Range) -> bool {
    let ops = |range: &Range| &flat.clock_ops[range.start as usize..range.end as usize];
    ops(a) == ops(b)
}

fn range(start: usize, end: usize) -> Range {
    let id = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    id(start)..id(end)
}
