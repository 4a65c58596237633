//! A pattern as a graph of states with take, ignore and proceed transitions.
//!
//! The graph is laid out from the end to the start: each item knows the state that follows it. The
//! transitions of an item decide every question of contiguity, greediness and absence. Their shapes
//! are those of Flink CEP's compiler, since Flink's answers are the specification.

mod absence;
mod alternatives;
mod branches;
mod builder;
mod check;
mod division;
mod greedy;
mod open_loops;
mod operands;
mod quiet;
mod raw;
mod repetition;
mod sequence;
mod silence;
mod waiting;

use hashbrown::HashMap;

use crate::nfa::error::AutomatonError;
use crate::nfa::graph::builder::{Builder, Context, NodeId, Nodes};
use crate::nfa::graph::division::Division;
use crate::nfa::graph::open_loops::OpenLoops;
use crate::nfa::guard::Guards;
use crate::nfa::states::StateId;
use kleene_syntax::hir::Pattern;

pub(super) use raw::{ClockedRepetition, Graph, Role, Transition, Verb};

/// Lays a pattern out. Groups of plain operands, more than `most_in_states` of them, wait in one
/// state.
pub(super) fn build(pattern: &Pattern, most_in_states: usize) -> Result<Graph, AutomatonError> {
    check::check(pattern)?;
    let mut guards = Guards::new(&pattern.conditions);
    let without = pattern.body.without.as_ref();
    let forbidden = without.map(|without| guards.condition(without.condition));
    let mut builder = Builder {
        graph: Graph {
            states: Vec::new(),
            guards,
            start: StateId::new(0),
            instances: Vec::new(),
            clocks: 0,
            named: Vec::new(),
        },
        stops: HashMap::new(),
        open_loops: OpenLoops::default(),
        clock_of: HashMap::new(),
        nodes: Nodes::default(),
        inside: Vec::new(),
        branch_clocks: Vec::new(),
        before_groups: vec![Vec::new()],
        forbidden,
        division: Division::default(),
        quiet_from: Vec::new(),
        repeats: pattern.repeats,
        most_in_states,
    };
    let end = builder.state(Role::Final)?;
    let context = Context { node: NodeId(0), group: None, following: &[], top: true, since: None };
    let start = builder.sequence(&pattern.body, end, context)?;
    builder.divide(0)?;
    builder.start_silences();
    builder.graph.start = start;
    let originals = builder.open_loops.originals();
    builder.graph.drop_unreachable(&originals);
    Ok(builder.graph)
}
