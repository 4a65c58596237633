//! Decision trees: the edges that an event can take in each state, by its type and few tests.
//!
//! The transitions of a state share conditions: `a -> b` takes an event that is a `b` and skips any
//! other. Here their guards are joined, for each event type, into a tree that tests each condition
//! at most once, as a lexer's table does for characters. Conditions that the type alone decides are
//! not tested at all.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::states::{Action, Edge, Range, State, StateId, index_range};
use crate::util::sparse::SparseTable;
use kleene_event::schema::TypeId;
use kleene_syntax::hir::ConditionId;

/// The largest number of tests in one tree. A state that needs more is tested transition by
/// transition.
const MAX_TESTS: usize = 64;

/// The largest number of looks at guards in all, so that large automata compile quickly.
const MAX_WORK: usize = 4_000_000;

/// The largest number of states times event types: each of them has a tree. A pattern of 4,000 steps
/// of 4,000 types compiles in half a second and takes 85 MB; beyond that both grow with the square.
const MAX_ROOTS: usize = 16_000_000;

/// The number of parts from which the parts of a guard are looked up by the type of the event.
const MANY_PARTS: usize = 16;

/// The decision trees, by state and event type.
#[derive(Debug, Default)]
pub struct Decisions {
    /// The column of each type that a condition names.
    by_type: SparseTable<u32>,
    /// The columns. The last is for types that no condition names.
    columns: Box<[DecisionColumn]>,
    nodes: Box<[Decision]>,
    edges: Box<[u32]>,
}

/// The trees for events of one type, by their first nodes.
#[derive(Debug)]
pub struct DecisionColumn {
    /// The root for each state in which a partial match waits.
    pub(crate) roots: Box<[u32]>,
    /// The root for a partial match that begins with the event.
    pub(crate) begins: u32,
    /// True if every partial match stays as it is, in every state.
    pub is_still: bool,
}

/// A node of a tree.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Decision {
    /// Tests a condition on the event. The type of the event is the one that the condition expects.
    Condition {
        /// The condition.
        condition: ConditionId,
        /// The node if it holds.
        yes: u32,
        /// The node if it does not.
        no: u32,
    },
    /// Tests a guard on time.
    Time {
        /// The guard.
        guard: GuardId,
        /// The node if it is open.
        yes: u32,
        /// The node if it is closed.
        no: u32,
    },
    /// The partial match stays as it is.
    Stay,
    /// The partial match is dropped.
    Gone,
    /// The partial match takes the one edge with this number.
    One(u32),
    /// The partial match takes several edges.
    Several(Range),
    /// The tree would be too large: the edges are tested one by one.
    Ask,
}

impl Decisions {
    /// The node [`Decision::Stay`].
    pub(crate) const STAY: u32 = 0;

    /// The column of an event type.
    #[inline]
    pub fn column(&self, ty: TypeId) -> &DecisionColumn {
        &self.columns[self.by_type.get(ty.index()) as usize]
    }

    /// Returns the tree for a partial match that waits in `state`.
    #[inline(always)]
    pub fn of(&self, state: StateId, column: &DecisionColumn) -> &Decision {
        self.node(column.roots[state.index()])
    }

    /// Returns the tree for a partial match that begins with the event.
    #[inline(always)]
    pub(crate) fn of_start(&self, column: &DecisionColumn) -> &Decision {
        self.node(column.begins)
    }

    /// Returns a node.
    #[inline(always)]
    pub fn node(&self, node: u32) -> &Decision {
        &self.nodes[node as usize]
    }

    /// Returns the heap size in bytes.
    pub(super) fn heap_size(&self) -> usize {
        let of_column = |column: &DecisionColumn| size_of_val(&*column.roots);
        self.by_type.heap_size()
            + size_of_val(&*self.columns)
            + self.columns.iter().map(of_column).sum::<usize>()
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.edges)
    }

    /// Returns the number of nodes. Each node comes after the nodes that it leads to.
    pub(crate) fn node_count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// True if no event can lead a partial match along two branches.
    pub(crate) fn are_deterministic(&self) -> bool {
        !self.any(|node| matches!(node, Decision::Several(_) | Decision::Ask))
    }

    /// True if one of the nodes is as `is` says.
    pub(crate) fn any(&self, is: impl FnMut(&Decision) -> bool) -> bool {
        self.nodes.iter().any(is)
    }

    /// Returns all columns.
    pub(crate) fn columns(&self) -> &[DecisionColumn] {
        &self.columns
    }

    /// Returns the edges of a [`Decision::Several`].
    #[inline]
    pub(crate) fn edges(&self, range: &Range) -> &[u32] {
        &self.edges[index_range(range)]
    }
}

/// The tables of the automaton that trees are built from.
pub(super) struct Tables<'a> {
    /// The type of each condition, and whether all events of the type fulfil it.
    pub(super) conditions: &'a [(Option<TypeId>, bool)],
    pub(super) guards: &'a [Guard],
    pub(super) states: &'a [State],
    pub(super) edges: &'a [Edge],
    pub(super) start: StateId,
}

pub(super) fn decide(tables: &Tables<'_>) -> Result<Decisions, AutomatonError> {
    let mut types: Vec<TypeId> = tables.conditions.iter().filter_map(|(ty, _)| *ty).collect();
    types.sort_unstable();
    types.dedup();
    let width = types.len() + 1;
    if tables.states.len().saturating_mul(width) > MAX_ROOTS {
        return Err(AutomatonError::new(Refusal::TooManyTypes));
    }
    let last = u32::try_from(types.len()).unwrap_or(u32::MAX);
    let by_type: Vec<(usize, u32)> = types.iter().map(|ty| ty.index()).zip(0..).collect();
    let mut trees = Trees {
        tables,
        ty: None,
        state: tables.start,
        begins: false,
        nodes: Vec::new(),
        ids: HashMap::new(),
        edges: Vec::new(),
        lists: HashMap::new(),
        many: HashMap::new(),
        tests: 0,
        work: 0,
    };
    let stay = trees.add(Decision::Stay);
    debug_assert_eq!(stay, Decisions::STAY, "it is the first node");
    let is_still = |roots: &[u32]| {
        let mut waiting = waiting(tables.states, tables.edges, tables.start);
        waiting.all(|state| roots[state.index()] == Decisions::STAY)
    };
    let columns = (0..width).map(|column| {
        let mut root = |state, phase| {
            trees.ty = types.get(column).copied();
            (trees.state, trees.begins, trees.tests) = (state, phase == RunPhase::Begins, 0);
            trees.tree(&mut Vec::new())
        };
        let states = (0..tables.states.len()).map(StateId::new);
        let roots: Box<[u32]> = states.map(|state| root(state, RunPhase::Waits)).collect();
        let begins = root(tables.start, RunPhase::Begins);
        let is_still = is_still(&roots);
        DecisionColumn { roots, begins, is_still }
    });
    let columns = columns.collect();
    Ok(Decisions {
        by_type: SparseTable::new(&by_type, last),
        columns,
        nodes: trees.nodes.into(),
        edges: trees.edges.into(),
    })
}

/// Returns the states that a partial match can wait in. If the start leads back to itself, nothing
/// has begun.
pub fn waiting<'a>(
    states: &'a [State],
    edges: &'a [Edge],
    start: StateId,
) -> impl Iterator<Item = StateId> + 'a {
    let all = || (0..states.len()).map(StateId::new);
    let edges_of = |state: StateId| &edges[index_range(&states[state.index()].edges)];
    let starts_anew = all().filter(|state| *state != start).flat_map(edges_of).any(|edge| {
        matches!(edge.action, Action::Take { target, .. } | Action::Ignore { target } if target == start)
    });
    all().filter(move |state| states[state.index()].live && (starts_anew || *state != start))
}

/// The value of a guard, as far as it is known.
enum Truth {
    True,
    False,
    /// Unknown until this guard is tested.
    Ask(GuardId),
}

/// The value of one guard that decides `and` or `or`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Decisive {
    True,
    False,
}

/// The runs that a tree is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RunPhase {
    /// A run that begins with the event.
    Begins,
    /// A run that waits for the event.
    Waits,
}

/// The parts of a guard by the type of the events that they are about.
///
/// `until`, `not` and `without` can have thousands of types, and then each of these types has a
/// column: with a look at all parts for each type, 96,000 types took 12 seconds.
#[derive(Default)]
struct PartsByType {
    /// The parts that are neutral for events of all other types.
    of_type: HashMap<TypeId, Vec<GuardId>>,
    /// The parts that can decide for events of any type.
    of_any_type: Vec<GuardId>,
}

impl PartsByType {
    fn new(tables: &Tables<'_>, parts: &[GuardId], decisive: Decisive) -> PartsByType {
        let type_of = |guard: &Guard| tables.conditions[guard.condition()?.index()].0;
        let mut by_type = PartsByType::default();
        for part in parts {
            // A condition is false for events of other types, and its negation true.
            let ty = match (&tables.guards[part.index()], decisive) {
                (guard, Decisive::True) => type_of(guard),
                (Guard::Not(inner), Decisive::False) => type_of(&tables.guards[inner.index()]),
                _ => None,
            };
            match ty {
                Some(ty) => by_type.of_type.entry(ty).or_default().push(*part),
                None => by_type.of_any_type.push(*part),
            }
        }
        by_type
    }
}

struct Trees<'a> {
    tables: &'a Tables<'a>,
    /// The type of the event; `None` for a type that no condition names.
    ty: Option<TypeId>,
    state: StateId,
    /// True if the event would be the first.
    begins: bool,
    nodes: Vec<Decision>,
    ids: HashMap<Decision, u32>,
    edges: Vec<u32>,
    lists: HashMap<Box<[u32]>, Range>,
    /// The guards of many parts, by type.
    many: HashMap<GuardId, PartsByType>,
    /// The number of tests in the tree so far.
    tests: usize,
    work: usize,
}

impl Trees<'_> {
    fn add(&mut self, node: Decision) -> u32 {
        *self.ids.entry(node).or_insert_with_key(|node| {
            self.nodes.push(node.clone());
            u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Returns the tree under the answers that are known.
    fn tree(&mut self, known: &mut Vec<(GuardId, bool)>) -> u32 {
        let range = index_range(&self.tables.states[self.state.index()].edges);
        let mut open = Vec::new();
        for index in range {
            let edge = &self.tables.edges[index];
            if self.begins && !matches!(edge.action, Action::Take { .. } | Action::Stop) {
                continue;
            }
            match self.look(edge.guard, known) {
                Truth::False => {}
                // Stops come first: if one is taken, no other edge is tested.
                Truth::True if edge.action == Action::Stop => return self.add(Decision::Gone),
                Truth::True => open.push(u32::try_from(index).unwrap_or(u32::MAX)),
                Truth::Ask(guard) => {
                    self.tests += 1;
                    if self.tests > MAX_TESTS || self.work > MAX_WORK {
                        return self.add(Decision::Ask);
                    }
                    let [yes, no] = [true, false].map(|answer| {
                        known.push((guard, answer));
                        let tree = self.tree(known);
                        known.pop();
                        tree
                    });
                    if yes == no {
                        return yes;
                    }
                    return self.add(match self.tables.guards[guard.index()] {
                        Guard::Condition(condition) => Decision::Condition { condition, yes, no },
                        _ => Decision::Time { guard, yes, no },
                    });
                }
            }
        }
        let node = self.leaf(&open);
        self.add(node)
    }

    fn leaf(&mut self, open: &[u32]) -> Decision {
        match *open {
            [] => Decision::Gone,
            [one] => {
                let edge = &self.tables.edges[one as usize];
                let stays = edge.action == Action::Ignore { target: self.state };
                if stays && edge.clocks.is_empty() { Decision::Stay } else { Decision::One(one) }
            }
            _ => self.several(open),
        }
    }

    fn several(&mut self, open: &[u32]) -> Decision {
        let place = |index| u32::try_from(index).unwrap_or(u32::MAX);
        let range = self.lists.entry(open.into()).or_insert_with(|| {
            let start = self.edges.len();
            self.edges.extend_from_slice(open);
            place(start)..place(start + open.len())
        });
        Decision::Several(range.clone())
    }

    /// Returns the value of a guard under the type and the answers.
    fn look(&mut self, guard: GuardId, known: &[(GuardId, bool)]) -> Truth {
        self.work += 1;
        match &self.tables.guards[guard.index()] {
            Guard::True => Truth::True,
            Guard::False => Truth::False,
            Guard::Not(inner) => match self.look(*inner, known) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                ask @ Truth::Ask(_) => ask,
            },
            Guard::And(parts) => {
                let parts = self.parts_to_look_at(guard, parts, Decisive::False);
                self.look_at_all(&parts, known, Decisive::False)
            }
            Guard::Or(parts) => {
                let parts = self.parts_to_look_at(guard, parts, Decisive::True);
                self.look_at_all(&parts, known, Decisive::True)
            }
            Guard::Condition(condition) => {
                let (ty, is_always) = self.tables.conditions[condition.index()];
                if ty.is_some() && ty != self.ty {
                    return Truth::False;
                }
                if is_always {
                    return Truth::True;
                }
                Self::answer(guard, known)
            }
            Guard::Gap { .. }
            | Guard::Within { .. }
            | Guard::Sooner { .. }
            | Guard::IsSet(_)
            | Guard::HasCome { .. }
            | Guard::HaveCome { .. } => Self::answer(guard, known),
        }
    }

    /// Returns the parts of a guard without those that the type of the event makes neutral, if the
    /// parts are many.
    fn parts_to_look_at<'p>(
        &mut self,
        guard: GuardId,
        parts: &'p [GuardId],
        decisive: Decisive,
    ) -> Cow<'p, [GuardId]> {
        if parts.len() < MANY_PARTS {
            return Cow::Borrowed(parts);
        }
        let tables = self.tables;
        let by_type =
            self.many.entry(guard).or_insert_with(|| PartsByType::new(tables, parts, decisive));
        let own = self.ty.and_then(|ty| by_type.of_type.get(&ty));
        let mut parts = by_type.of_any_type.clone();
        parts.extend(own.into_iter().flatten());
        // Guards have their parts in the order of ids.
        parts.sort_unstable();
        Cow::Owned(parts)
    }

    /// Returns the value of several guards together. One `decisive` guard decides all.
    fn look_at_all(
        &mut self,
        parts: &[GuardId],
        known: &[(GuardId, bool)],
        decisive: Decisive,
    ) -> Truth {
        let mut all = match decisive {
            Decisive::True => Truth::False,
            Decisive::False => Truth::True,
        };
        for &part in parts {
            match self.look(part, known) {
                Truth::True if decisive == Decisive::True => return Truth::True,
                Truth::False if decisive == Decisive::False => return Truth::False,
                ask @ Truth::Ask(_) if !matches!(all, Truth::Ask(_)) => all = ask,
                _ => {}
            }
        }
        all
    }

    fn answer(guard: GuardId, known: &[(GuardId, bool)]) -> Truth {
        match known.iter().find(|(of, _)| *of == guard) {
            Some((_, true)) => Truth::True,
            Some((_, false)) => Truth::False,
            None => Truth::Ask(guard),
        }
    }
}
