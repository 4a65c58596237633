//! Sets of captures as a graph without cycles: the store of the compact form.
//!
//! A node stands for a set of captures, each a chain of events from a start to the node's own event.
//! An event node adds one event to all chains of its child, or is a start itself. A union node has
//! the chains of two nodes, which have none in common. So a graph of `n` nodes can hold 2^n chains,
//! and every node knows what is asked of all its chains at once: their number, the oldest and the
//! newest start, and the best one in the order of the pattern's report.
//!
//! After the enumerable compact sets of CORE (Bucchi et al., PVLDB 15(9), 2022) and the graphs of
//! GRETA (Poppe et al., PVLDB 11(1), 2017). Different from both, a key has a graph of its own that
//! is a list of nodes in which a child comes before its parents. Nothing is counted or linked to be
//! freed: when half of a graph may be garbage, [`Dag::collect`] writes what lives to its front. It
//! drops starts that are out of time, too, so no node is touched when time moves.
//!
//! [`listing`] goes through the chains in the defined order, [`weights`] says in how many of them
//! each event is, [`starts`] keeps many starts in a balanced tree, and [`divided`] divides a set by
//! its starts.

mod divided;
mod graph;
mod listing;
mod starts;
#[cfg(test)]
mod tests;
mod weights;

pub(super) use divided::{Divided, SameEvent};
pub(super) use graph::{Dag, DagEvent, DagPart, NONE, Packed, Preference, renumbered, unpacked};
pub(super) use listing::{ChainListing, Direction, OfStart, defined_order, firsts};
pub(super) use starts::StartSide;
