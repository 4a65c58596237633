//! [`hir::Pattern`](crate::hir::Pattern) to an automaton with integer states and numbered
//! conditions.
