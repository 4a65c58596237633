//! Sets of matches: the matches of one key that one event, or one deadline, completes.
//!
//! The clause `report` chooses the outcomes of a set; each of them knows the whole set.

use std::borrow::Cow;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::exec::captured::Captures;
use crate::exec::captures::{CaptureArena, NIL};
use crate::exec::dag::{Dag, DagEvent, Packed, renumbered, unpacked};
use crate::exec::fields::value_of;
use crate::exec::run::Completed;
use crate::exec::totals::Total;
use kleene_event::event::Event;
use kleene_event::value::Value;
use kleene_syntax::hir::Report;
use kleene_syntax::hir::expr::{Aggregate, AggregateOp};

/// The place of the matches of an outcome's set.
#[derive(Clone, Copy)]
pub(super) enum SetRef<'a> {
    /// The outcome is alone: the only match of its set, or a timeout that is not in a graph.
    Alone,
    /// The matches are in this list, in order.
    Listed(&'a Listed),
    /// The matches are in the graph of the compact form, or the timeouts of one deadline.
    Graph(&'a GraphSet<'a>),
}

/// A set of matches in a graph.
#[derive(Debug)]
pub(super) struct GraphSet<'a> {
    pub(super) dag: Cow<'a, Dag>,
    /// The node whose chains are the matches.
    pub(super) root: u32,
    /// The totals that the pattern asks for, by number.
    pub(super) totals: Vec<Value>,
    /// Sets of one store that are reported one after the other have different numbers.
    pub(super) number: u64,
}

/// Returns the totals over the matches of a node of a graph, in the order of `totals`. The time is
/// in proportion to the nodes.
pub(super) fn totals_of_graph<E: Event>(
    totals: &[Aggregate],
    arena: &CaptureArena<E>,
    (dag, root): (&Dag, u32),
) -> Vec<Value> {
    if totals.is_empty() {
        return Vec::new();
    }
    let (_, is_saturated) = dag.count(root);
    let weights = dag.weights(root);
    let total_of = |total: &Aggregate| {
        let mut sum = Total::new(total.op);
        let Some(arg) = &total.arg else { return sum.value() };
        if is_saturated && matches!(total.op, AggregateOp::Sum | AggregateOp::Avg) {
            return Value::Null;
        }
        for weight in weights.iter().filter(|weight| weight.step == total.step) {
            let (_, event) = arena.stored(weight.event);
            sum.add(value_of(arg, event, arena).as_ref(), weight.chains);
        }
        sum.value()
    };
    totals.iter().map(total_of).collect()
}

/// A set of matches that is listed.
#[derive(Debug)]
pub(super) struct Listed {
    /// Never empty.
    pub(super) matches: Vec<Completed>,
    /// The totals that the pattern asks for, by number.
    pub(super) totals: Vec<Value>,
    /// Sets of one store that are reported one after the other have different numbers.
    pub(super) number: u64,
}

/// Returns which of a set of `matches` are reported, as positions.
pub(super) fn selected<E>(
    report: Report,
    arena: &CaptureArena<E>,
    matches: &[Completed],
) -> std::ops::Range<usize> {
    let count = matches.len();
    let most = |most: std::num::NonZeroU32| count.min(most.get() as usize);
    let length = |index: &usize| arena.depth(matches[*index].head);
    let one = |index: Option<usize>| index.map_or(0..0, |index| index..index + 1);
    match report {
        Report::All => 0..count,
        Report::Count => 0..count.min(1),
        Report::First(number) => 0..most(number),
        Report::Last(number) => count - most(number)..count,
        // Of several greatest ones `max_by_key` returns the last.
        Report::Longest => one((0..count).rev().max_by_key(length)),
        Report::Shortest => one((0..count).min_by_key(length)),
    }
}

/// Returns the positions of those `wanted` matches that are listed if at most `most` may be: the
/// first of them, or the last if the pattern reports the last. One match is always listed.
pub(super) fn listed(
    report: Report,
    wanted: std::ops::Range<usize>,
    most: usize,
) -> std::ops::Range<usize> {
    let count = wanted.len().min(most.max(1));
    match report {
        Report::Last(_) => wanted.end - count..wanted.end,
        _ => wanted.start..wanted.start + count,
    }
}

/// Returns the totals over a set of `matches`, in the order of `totals`.
pub(super) fn totals_of<E: Event>(
    totals: &[Aggregate],
    arena: &CaptureArena<E>,
    matches: &[Completed],
) -> Vec<Value> {
    let each = || matches.iter().map(|found| Captures::new(arena, found.head));
    totals.iter().map(|total| total_of(total, each())).collect()
}

pub(super) fn total_of<'a, E: Event + 'a>(
    total: &Aggregate,
    matches: impl Iterator<Item = Captures<'a, E>>,
) -> Value {
    let mut sum = Total::new(total.op);
    let Some(arg) = &total.arg else { return sum.value() };
    for captures in matches {
        for event in captures.of(total.step) {
            sum.add(value_of(arg, event, captures.arena()).as_ref(), 1);
        }
    }
    sum.value()
}

/// A set of matches that owns what they have captured.
#[derive(Debug)]
pub(super) struct HeldSet<E> {
    pub(super) arena: CaptureArena<E>,
    pub(super) listed: Listed,
    /// The copy of each node.
    copies: HashMap<u32, u32>,
}

impl<E: Event> HeldSet<E> {
    /// Copies a set. Matches share in the copy what they share in the store.
    fn of(listed: &Listed, arena: &CaptureArena<E>) -> HeldSet<E> {
        let mut copy = CaptureArena::counting_with(arena);
        let mut copies: HashMap<u32, u32> = HashMap::new();
        let mut matches = Vec::with_capacity(listed.matches.len());
        for found in &listed.matches {
            let mut head = NIL;
            for id in arena.iter(found.head) {
                head = *copies.entry(id).or_insert_with(|| {
                    let node = arena.node(id);
                    let (seq, event) = arena.event_of(node);
                    let event = copy.keep(event.clone(), seq);
                    copy.link(event, head, node.step, node.starts)
                });
            }
            matches.push(Completed { head, ..*found });
        }
        let listed = Listed { matches, totals: listed.totals.clone(), number: listed.number };
        HeldSet { arena: copy, listed, copies }
    }
}

impl<E> HeldSet<E> {
    /// Returns the copy of a match's last node.
    pub(super) fn head_of(&self, head: u32) -> u32 {
        self.copies.get(&head).copied().unwrap_or(NIL)
    }
}

/// A set of matches in a graph that owns its graph and what that has captured.
#[derive(Debug)]
pub(super) struct HeldGraph<E> {
    pub(super) arena: CaptureArena<E>,
    pub(super) set: GraphSet<'static>,
}

impl<E: Event> HeldGraph<E> {
    /// Copies a set, without nodes and events that it does not need.
    fn of(set: &GraphSet<'_>, arena: &CaptureArena<E>) -> HeldGraph<E> {
        let mut copy = CaptureArena::counting_with(arena);
        let (mut dag, mut root) = (set.dag.as_ref().clone(), set.root);
        dag.collect(std::iter::once(&mut root), |_| true, |_| ());
        dag.move_events(|event| {
            let (seq, event) = arena.stored(event);
            copy.keep(event.clone(), seq)
        });
        let (dag, totals) = (Cow::Owned(dag), set.totals.clone());
        HeldGraph { arena: copy, set: GraphSet { dag, root, totals, number: set.number } }
    }
}

impl<E> HeldGraph<E> {
    /// Returns a path in the original graph as a path in the copy.
    pub(super) fn path_of(&self, path: &[Packed], original: &[DagEvent]) -> Box<[Packed]> {
        let moments = self.set.dag.moments();
        let moved = |item: &Packed| {
            let seq = original[unpacked(*item).0].seq;
            let at = moments.partition_point(|moment| moment.seq < seq);
            renumbered(*item, u32::try_from(at).unwrap_or(u32::MAX))
        };
        path.iter().map(moved).collect()
    }
}

/// The set that was copied last: the results of one set share a copy.
#[derive(Debug)]
pub struct LastSet<E> {
    listed: Option<Rc<HeldSet<E>>>,
    graph: Option<Rc<HeldGraph<E>>>,
}

impl<E> Default for LastSet<E> {
    fn default() -> LastSet<E> {
        LastSet { listed: None, graph: None }
    }
}

impl<E: Event> LastSet<E> {
    /// Returns the copy of a set of one store.
    pub(super) fn copy_of(&mut self, listed: &Listed, arena: &CaptureArena<E>) -> Rc<HeldSet<E>> {
        if let Some(set) = self.listed.as_ref().filter(|set| set.listed.number == listed.number) {
            return Rc::clone(set);
        }
        let set = Rc::new(HeldSet::of(listed, arena));
        self.listed = Some(Rc::clone(&set));
        set
    }

    /// Returns the copy of a set in a graph of one store.
    pub(super) fn copy_of_graph(
        &mut self,
        set: &GraphSet<'_>,
        arena: &CaptureArena<E>,
    ) -> Rc<HeldGraph<E>> {
        if let Some(held) = self.graph.as_ref().filter(|held| held.set.number == set.number) {
            return Rc::clone(held);
        }
        let held = Rc::new(HeldGraph::of(set, arena));
        self.graph = Some(Rc::clone(&held));
        held
    }
}
