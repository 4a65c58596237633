//! Shared by all parts of the construction: the builder with its states and transitions, and an
//! item with its surroundings.
//!
//! An item is described by an [`ItemCursor`], which has what the item alone does not say: what
//! comes before and after it, and the group around it. For the `b` of `a -> (b -> c){2}`, `head_of`
//! is the group, and so `b` follows `a` by the arrow before the group.
//!
//! A node of the pattern can be laid out more than once: the two repetitions of the group above,
//! the two layouts of a branch. Clocks belong to nodes ([`NodeId`]), so all copies set and read the
//! same one. Stops belong to steps: a `not` has one stop state, which all its states lead to.

use hashbrown::HashMap;

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::graph::division::Division;
use crate::nfa::graph::open_loops::OpenLoops;
use crate::nfa::graph::raw::{ClockedRepetition, Graph, RawState, Role, Transition, Verb};
use crate::nfa::guard::GuardId;
use crate::nfa::states::{ClockOp, StateId};
use kleene_syntax::hir::{Contiguity, Item, ItemKind, Length, LoopMode, Quantifier, StepId};

/// The largest number of states of a pattern.
/// Counts multiply in nested groups, and copies for greedy loops come on top of them.
pub(super) const MAX_STATES: usize = 100_000;

/// The surroundings of the items of a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'p> {
    /// The sequence.
    pub(super) node: NodeId,
    pub(super) group: Option<EnclosingGroup<'p>>,
    /// The items that come after the sequence.
    pub(super) following: &'p [Item],
    /// True if the sequence is the pattern's own, not a group's.
    pub(super) top: bool,
    /// The clock that has the time of the event captured last on this branch of alternatives.
    pub(super) since: Option<u32>,
}

/// The group whose items are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct EnclosingGroup<'p> {
    /// The contiguity between this repetition and the event before it.
    pub(super) contiguity: Contiguity,
    pub(super) quantifier: &'p Quantifier,
    /// The clock that is set once the loop has begun, if an `until` can end it.
    pub(super) loop_clock: Option<u32>,
    /// True if this repetition may be left out together with the group.
    pub(super) optional: bool,
    /// The guard on time for the group's first event; true once that event was taken.
    pub(super) gap: Option<GuardId>,
    /// The number of the list of `not`s before the group. They apply up to the group's first event.
    pub(super) nots: usize,
}

/// One item of a sequence: the sequence, the index and the context.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemCursor<'p> {
    pub(super) items: &'p [Item],
    pub(super) index: usize,
    pub(super) context: Context<'p>,
}

impl<'p> ItemCursor<'p> {
    pub(super) fn item(&self) -> &'p Item {
        &self.items[self.index]
    }

    pub(super) fn previous(&self) -> Option<ItemCursor<'p>> {
        (self.index > 0).then(|| ItemCursor { index: self.index - 1, ..*self })
    }

    /// Returns the items after this one, or after the group that it ends.
    pub(super) fn following(&self) -> &'p [Item] {
        match self.items.get(self.index + 1..) {
            Some(after) if !after.is_empty() => after,
            _ => self.context.following,
        }
    }

    /// Returns the group whose first item this is.
    pub(super) fn head_of(&self) -> Option<EnclosingGroup<'p>> {
        if self.index == 0 { self.context.group } else { None }
    }

    pub(super) fn heads_optional_group(&self) -> bool {
        self.head_of().is_some_and(|group| group.optional)
    }

    /// True if it is the pattern's first item.
    pub(super) fn is_start(&self) -> bool {
        self.context.top && self.index == 0
    }

    pub(super) fn quantifier(&self) -> Option<&'p Quantifier> {
        self.item().quantifier()
    }

    pub(super) fn is_optional(&self) -> bool {
        self.quantifier().is_some_and(|quantifier| quantifier.optional)
    }
}

impl ItemCursor<'_> {
    pub(super) fn step(&self) -> StepId {
        match self.item().kind {
            ItemKind::Step { step, .. } | ItemKind::Not { step, .. } => step,
            ItemKind::Group { .. } | ItemKind::Alternatives { .. } => {
                unreachable!("a group is laid out by its content")
            }
        }
    }
}

/// The guards of a step where it waits for an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitGuards {
    pub(super) take: GuardId,
    /// `None` if nothing may be skipped.
    pub(super) ignore: Option<Ignoring>,
    pub(super) optional: bool,
    /// The part of `take` that constrains the time since the event before.
    pub(super) gap: Option<GuardId>,
}

/// The guards under which an event is skipped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ignoring {
    pub(super) guard: GuardId,
    /// The guard for an event that another of several branches takes.
    pub(super) skip: GuardId,
}

/// The position of a repetition in its loop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Repetition {
    First,
    /// A later repetition that the group needs.
    Needed,
    /// A later repetition that may be left out.
    Optional,
}

/// The id of a sequence or item of a pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct NodeId(pub(super) usize);

/// The nodes of a pattern by their parents. A node that is laid out more than once has one id, so
/// that all its copies share their clocks.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<(NodeId, usize), NodeId>);

impl Nodes {
    /// Returns a child of a node by its index: an item of a sequence, or a sequence of an item.
    pub(super) fn child(&mut self, parent: NodeId, index: usize) -> NodeId {
        // The root has the id 0, and no parent.
        let next = NodeId(self.0.len() + 1);
        *self.0.entry((parent, index)).or_insert(next)
    }

    pub(super) fn item(&mut self, cursor: ItemCursor<'_>) -> NodeId {
        self.child(cursor.context.node, cursor.index)
    }
}

/// The purpose of a clock.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Clock {
    /// The time at which the repetition of an item began.
    Item,
    /// The time at which a loop of a group began.
    Loop,
    /// The time at which a sequence with `without` began.
    Without,
    /// The time of the last event of a branch.
    Branch,
    /// The time of the last event before alternatives.
    Quiet,
    /// The set of the operands of alternatives that have come.
    Operands,
    /// The time at which a group began whose last loop is open after it.
    Kept,
}

/// A `not` that applies while a later item is waited for.
#[derive(Clone, Copy)]
pub(super) struct EarlierNot {
    pub(super) step: StepId,
    pub(super) violated: GuardId,
    /// True if it has a time of its own.
    pub(super) timed: bool,
}

pub(super) struct Builder {
    pub(super) graph: Graph,
    /// The stop state of each `not`.
    pub(super) stops: HashMap<StepId, StateId>,
    /// The states after greedy loops, as they are while the loop is open.
    pub(super) open_loops: OpenLoops,
    /// The clocks by purpose and node.
    pub(super) clock_of: HashMap<(Clock, NodeId), u32>,
    pub(super) nodes: Nodes,
    /// The repetitions of clocked groups around the item that is being laid out.
    pub(super) inside: Vec<usize>,
    /// The clocks of the branches around that item; each has the time of its branch's last event.
    pub(super) branch_clocks: Vec<u32>,
    /// The `not`s before groups, by [`EnclosingGroup::nots`]; the first list is empty.
    pub(super) before_groups: Vec<Vec<EarlierNot>>,
    /// The events that the pattern's own `without` forbids.
    pub(super) forbidden: Option<GuardId>,
    /// The states that belong to silences after loops.
    pub(super) division: Division,
    /// The states in which silences begin that are branches, each with the clock that has the time.
    pub(super) quiet_from: Vec<(StateId, u32)>,
    /// True if the silence at the end is reported again and again.
    pub(super) repeats: bool,
    /// The largest number of operands whose sets have a state each.
    pub(super) most_in_states: usize,
}

impl<'p> Builder {
    pub(super) fn clock(&mut self, what: Clock, of: NodeId) -> u32 {
        let clocks = &mut self.graph.clocks;
        *self.clock_of.entry((what, of)).or_insert_with(|| {
            *clocks += 1;
            u32::try_from(*clocks - 1).unwrap_or(u32::MAX)
        })
    }

    /// Enters one repetition of the group that has the clock: all states from here on belong to it.
    pub(super) fn enter(&mut self, clock: u32, within: Option<Length>) {
        self.inside.push(self.graph.instances.len());
        self.graph.instances.push(ClockedRepetition { clock, within });
    }

    pub(super) fn stop(&mut self, not: StepId) -> Result<StateId, AutomatonError> {
        if let Some(&stop) = self.stops.get(&not) {
            return Ok(stop);
        }
        let stop = self.state(Role::Stop)?;
        self.stops.insert(not, stop);
        Ok(stop)
    }

    pub(super) fn state(&mut self, role: Role) -> Result<StateId, AutomatonError> {
        if self.graph.states.len() >= MAX_STATES {
            return Err(AutomatonError::new(Refusal::TooLarge));
        }
        let id = StateId::new(self.graph.states.len());
        // The end, the stops and the joints between repetitions are outside of their group.
        let instances = self.inside.clone();
        self.graph.states.push(RawState {
            role,
            transitions: Vec::new(),
            instances,
            accepts_when_exhausted: false,
            required: Vec::new(),
            closes: None,
        });
        Ok(id)
    }

    /// Returns a new state with the same transitions. The end needs none. The joint of a group that
    /// is being laid out has none yet: after it is a new repetition, in which everything applies
    /// again.
    pub(super) fn copy(&mut self, state: StateId) -> Result<StateId, AutomatonError> {
        if self.graph.states[state.index()].transitions.is_empty() {
            return Ok(state);
        }
        let copy = self.state(self.graph.states[state.index()].role)?;
        let mut raw = self.graph.states[state.index()].clone();
        for transition in &mut raw.transitions {
            // A state that skips an event leads to itself, and its copy to the copy.
            if transition.target == state {
                transition.target = copy;
            }
        }
        self.graph.states[copy.index()] = raw;
        Ok(copy)
    }

    pub(super) fn add(&mut self, state: StateId, verb: Verb, target: StateId, guard: GuardId) {
        self.add_in_gap(state, verb, target, guard, None);
    }

    pub(super) fn add_in_gap(
        &mut self,
        state: StateId,
        verb: Verb,
        target: StateId,
        guard: GuardId,
        gap: Option<GuardId>,
    ) {
        let skip = self.graph.guards.always();
        let transition = Transition {
            verb,
            target,
            guard,
            gap,
            skip,
            instances: None,
            marks: Vec::new(),
            is_behind: false,
            branches: Vec::new(),
        };
        self.graph.states[state.index()].transitions.push(transition);
    }

    pub(super) fn add_take(
        &mut self,
        cursor: ItemCursor<'p>,
        state: StateId,
        target: StateId,
        guard: GuardId,
        gap: Option<GuardId>,
    ) {
        self.add_in_gap(state, Verb::Take(cursor.step()), target, guard, gap);
        if let Some(take) = self.graph.states[state.index()].transitions.last_mut() {
            // An event of a branch is also the last event of the branches around it.
            take.marks = self.branch_clocks.iter().copied().map(ClockOp::Set).collect();
        }
    }

    pub(super) fn add_ignore(&mut self, state: StateId, target: StateId, ignore: Ignoring) {
        self.add(state, Verb::Ignore, target, ignore.guard);
        if let Some(added) = self.graph.states[state.index()].transitions.last_mut() {
            added.skip = ignore.skip;
        }
    }
}

/// True if a `not` has a time of its own, or begins when the time of one before it is over.
pub(super) fn has_time(item: &Item) -> bool {
    item.gap.is_some()
}

/// True if a loop keeps the events that it can take: it is greedy, and can repeat in more than one
/// number.
pub(super) fn keeps(quantifier: &Quantifier) -> bool {
    matches!(quantifier.mode, LoopMode::Greedy | LoopMode::Longest) && quantifier.varies()
}
