//! A graph without its proceed transitions: what an event can do in each state, as a flat list.

use crate::hir::{ItemKind, Sequence, StageId};
use crate::nfa::graph::{Graph, Role, Verb};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::program::{Action, Bound, BuildError, ClockOp, Edge, Kind, Range, State, StateId};

/// The most edges that a program may have.
const MAX_EDGES: usize = 1_000_000;

/// The tables of a program that describe its automaton.
#[derive(Debug, Default)]
pub(super) struct Automaton {
    pub(super) guards: Vec<Guard>,
    pub(super) states: Vec<State>,
    pub(super) edges: Vec<Edge>,
    pub(super) clock_ops: Vec<ClockOp>,
    pub(super) bounds: Vec<Bound>,
    pub(super) clocks: usize,
    pub(super) named: Vec<(StageId, u32)>,
    pub(super) start: usize,
}

pub(super) fn flatten(mut graph: Graph) -> Result<Automaton, BuildError> {
    let mut automaton =
        Automaton { clocks: graph.clocks, start: graph.start.index(), ..Automaton::default() };
    for index in 0..graph.states.len() {
        let state = resolve(&mut graph, StateId::new(index), &mut automaton)?;
        automaton.states.push(state);
        if automaton.edges.len() > MAX_EDGES {
            return Err(BuildError::new(Kind::TooLarge));
        }
    }
    automaton.named = graph.named;
    automaton.guards = graph.guards.into_vec();
    Ok(automaton)
}

/// A transition that is reached from a state over proceeds.
struct Found {
    action: Action,
    guard: GuardId,
    /// The states from the one that waits to the one that the transition leaves.
    path: Vec<StateId>,
}

fn resolve(
    graph: &mut Graph,
    state: StateId,
    automaton: &mut Automaton,
) -> Result<State, BuildError> {
    let mut found = Vec::new();
    let mut reach = Reach { accept: graph.guards.never(), pending: None };
    let always = graph.guards.always();
    walk(graph, &mut vec![state], always, &mut found, &mut reach)?;
    let never = graph.guards.never();
    found.retain(|edge| edge.guard != never);
    found.sort_by_key(|edge| edge.action != Action::Stop);

    let first_edge = automaton.edges.len();
    let mut bounds: Option<Vec<Bound>> = None;
    for edge in found {
        let first_op = automaton.clock_ops.len();
        let mut guard = edge.guard;
        let mut edge_bounds = Vec::new();
        match edge.action {
            Action::Take { target, .. } => {
                let leaving = *edge.path.last().expect("a path starts with its state");
                for instance in graph.states[leaving.index()].instances.clone() {
                    let (clock, within) =
                        (graph.instances[instance].clock, graph.instances[instance].within);
                    let inside =
                        |state: &StateId| graph.states[state.index()].instances.contains(&instance);
                    let same = edge.path.iter().all(inside);
                    if same && let Some(within) = within {
                        let check = graph.guards.leaf(Guard::Within { clock, within });
                        guard = graph.guards.and(guard, check);
                        edge_bounds.push(Bound::SinceClock(clock, within));
                    }
                    let stays = graph.states[target.index()].instances.contains(&instance);
                    automaton.clock_ops.push(match (same, stays) {
                        (true, true) => ClockOp::SetIfUnset(clock),
                        (true, false) => ClockOp::Unset(clock),
                        (false, true) => ClockOp::Set(clock),
                        (false, false) => ClockOp::Pass(clock),
                    });
                }
                // Only where the item itself is waited for; before a `next not` or a joint it is not
                // yet.
                if edge.path.len() == 1
                    && let Some(max) = gap_max(graph, guard)
                {
                    edge_bounds.push(Bound::SinceLast(max.saturating_add(1)));
                }
                // A partial match is out of time where every way on is.
                bounds = Some(match bounds.take() {
                    None => edge_bounds,
                    Some(others) => common(&others, &edge_bounds),
                });
            }
            Action::Ignore { target } => {
                for &instance in &graph.states[target.index()].instances {
                    let inside =
                        |state: &StateId| graph.states[state.index()].instances.contains(&instance);
                    if !edge.path.iter().all(inside) {
                        automaton.clock_ops.push(ClockOp::Unset(graph.instances[instance].clock));
                    }
                }
            }
            Action::Complete => {
                let bound = gap_max(graph, guard).map(|max| Bound::SinceLast(max + 1));
                let edge_bounds: Vec<Bound> = bound.into_iter().collect();
                bounds = Some(match bounds.take() {
                    None => edge_bounds,
                    Some(others) => common(&others, &edge_bounds),
                });
            }
            Action::Stop => {}
        }
        let clocks = range(first_op, automaton.clock_ops.len());
        let new = Edge { guard, action: edge.action, clocks };
        let known = automaton.edges[first_edge..].iter().any(|old| {
            (old.guard, old.action) == (new.guard, new.action)
                && same_ops(automaton, &old.clocks, &new.clocks)
        });
        if !known {
            automaton.edges.push(new);
        }
    }
    let mut bounds = bounds.unwrap_or_default();
    let raw = &graph.states[state.index()];
    if let Some(Pending { bound: Some(bound) }) = reach.pending {
        bounds.push(Bound::SinceLast(bound));
    }
    let first_bound = automaton.bounds.len();
    automaton.bounds.append(&mut bounds);
    let edges = range(first_edge, automaton.edges.len());
    Ok(State {
        live: !edges.is_empty() && !matches!(raw.role, Role::Final | Role::Stop),
        edges,
        accept: (reach.accept != never).then_some(reach.accept),
        accepts_at_deadline: reach.pending.is_some() || raw.settles,
        settles: raw.settles,
        bounds: range(first_bound, automaton.bounds.len()),
    })
}

/// What a state reaches over proceeds alone.
struct Reach {
    /// When it reaches the end.
    accept: GuardId,
    /// Whether it reaches a `not` at the end, and that one's own bound.
    pending: Option<Pending>,
}

/// A `not` at the end.
struct Pending {
    /// The time after the last event in which it has to hold, if it has its own.
    bound: Option<i64>,
}

fn walk(
    graph: &mut Graph,
    path: &mut Vec<StateId>,
    guard: GuardId,
    found: &mut Vec<Found>,
    reach: &mut Reach,
) -> Result<(), BuildError> {
    let state = *path.last().expect("a path starts with its state");
    match graph.states[state.index()].role {
        Role::Final => {
            reach.accept = graph.guards.or(reach.accept, guard);
            return Ok(());
        }
        Role::Stop => {
            found.push(Found { action: Action::Stop, guard, path: path.clone() });
            return Ok(());
        }
        // A `next not` before it needs an event that it can look at.
        Role::Pending(bound) => {
            if path.iter().all(|state| graph.states[state.index()].role != Role::NextNot) {
                reach.pending = Some(Pending { bound });
            }
        }
        Role::Normal | Role::NextNot => {}
    }
    if found.len() > MAX_EDGES {
        return Err(BuildError::new(Kind::TooLarge));
    }
    for index in 0..graph.states[state.index()].transitions.len() {
        let transition = graph.states[state.index()].transitions[index].clone();
        let guard = graph.guards.and(guard, transition.guard);
        if guard == graph.guards.never() {
            continue;
        }
        let action = match transition.verb {
            Verb::Take(stage) => Action::Take { stage, target: transition.target },
            Verb::Ignore if graph.states[transition.target.index()].role == Role::Final => {
                Action::Complete
            }
            Verb::Ignore => Action::Ignore { target: transition.target },
            Verb::Proceed => {
                if path.contains(&transition.target) {
                    return Err(BuildError::new(Kind::EmptyLoop));
                }
                path.push(transition.target);
                walk(graph, path, guard, found, reach)?;
                path.pop();
                continue;
            }
        };
        found.push(Found { action, guard, path: path.clone() });
    }
    Ok(())
}

/// The upper end of the gap that `guard` asks for, if it does.
fn gap_max(graph: &Graph, guard: GuardId) -> Option<i64> {
    match graph.guards.get(guard) {
        Guard::Gap { max, unless_set: None, .. } if *max < i64::MAX => Some(*max),
        Guard::And(parts) => parts.iter().filter_map(|&part| gap_max(graph, part)).min(),
        _ => None,
    }
}

/// The bounds that hold for both of two ways on: for each kind the later.
fn common(some: &[Bound], others: &[Bound]) -> Vec<Bound> {
    let mut result = Vec::new();
    for &one in some {
        for &other in others {
            match (one, other) {
                (Bound::SinceLast(x), Bound::SinceLast(y)) => {
                    result.push(Bound::SinceLast(x.max(y)));
                }
                (Bound::SinceClock(c, x), Bound::SinceClock(d, y)) if c == d => {
                    result.push(Bound::SinceClock(c, x.max(y)));
                }
                _ => {}
            }
        }
    }
    result
}

fn same_ops(automaton: &Automaton, a: &Range, b: &Range) -> bool {
    let ops = |range: &Range| &automaton.clock_ops[range.start as usize..range.end as usize];
    ops(a) == ops(b)
}

fn range(start: usize, end: usize) -> Range {
    let id = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    id(start)..id(end)
}

/// Whether a partial match can come to wait twice in one state with the same events.
///
/// Only a group that repeats does that: what is ignored between repetitions leads on in more than
/// one way, and so do repetitions of content that can be left out.
pub(super) fn may_duplicate(sequence: &Sequence) -> bool {
    sequence.items.iter().any(|item| match &item.kind {
        ItemKind::Group { body, quantifier, .. } => {
            quantifier.max != Some(1) || may_duplicate(body)
        }
        _ => false,
    })
}
