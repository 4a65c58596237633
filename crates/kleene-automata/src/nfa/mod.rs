//! [`hir::Pattern`](kleene_syntax::hir::Pattern) to an automaton with integer states and numbered
//! conditions.
//!
//! Its steps, each with one job:
//! * `graph` lays a pattern out as states with *take*, *ignore* and *proceed* transitions. The
//!   construction follows Flink CEP, whose recorded answers are the specification, and through it
//!   SASE (Agrawal et al., "Efficient Pattern Matching over Event Streams", SIGMOD 2008).
//! * `registers` finds what conditions ask of captured events and gives it registers, so that the
//!   matcher never walks back.
//! * `flatten` removes the proceed transitions: each state gets the list of what an event can do
//!   there, with one guard for each.
//! * `duplicates` says whether partial matches can come to hold the same events.
//! * `comparison` finds conditions that only compare fields, so that no expression is walked.
//! * `decide` works the guards of a state out together: for each event type a tree of tests.
//! * `comparison_table` answers tests that compare one field with the only register together.
//! * `edge_effect` finds the effect of each edge, for deterministic patterns.
//! * `distinct_loop` finds a loop that takes each value once.
//! * `running_sum` finds a sum that one condition compares, and that the compact form keeps in order.
//! * `prefilter` finds what an event must fulfil to do anything, so that others cost one test;
//!   `column_filter` asks that of all rows of a batch at once.
//!
//! The result is an [`Automaton`], which patterns that differ in constants share (`cache`), and a
//! [`Program`] of one pattern around it, which `compile` puts together. From it `plan` picks the
//! strategy that the pattern is matched with; `shared_suffix` finds patterns in which one partial
//! match stands for others.
//!
//! Before all that, `reach` says of a rule whether any stream of events can match it.
//!
//! `correspondence` finds the states of two automata that mean the same, for a rule that is
//! replaced while partial matches wait.

mod automaton;
mod cache;
mod column_filter;
mod compact;
mod comparison;
mod comparison_table;
mod compile;
pub(crate) mod correspondence;
mod cost;
mod decide;
mod distinct_loop;
mod duplicates;
mod edge_effect;
mod error;
mod flatten;
mod forks;
mod graph;
mod guard;
mod join;
mod layout;
mod liveness;
mod operands;
mod parts;
mod plan;
mod prefilter;
mod program;
mod reach;
mod registers;
mod running_sum;
mod shared_suffix;
mod states;

pub use automaton::Automaton;
pub use cost::Growth;
pub use error::AutomatonError;
pub use parts::SharedParts;
pub use plan::Strategy;
pub use program::Program;

pub use cache::CompileCache;
pub(crate) use compact::Compact;
pub(crate) use comparison::{Comparison, FieldComparison, Operand};
pub use cost::{Cost, LIMIT_COUNTS, Reason, StateForm};
pub use decide::{Decision, DecisionColumn, Decisions, waiting};
pub(crate) use distinct_loop::DistinctLoop;
pub(crate) use edge_effect::{EdgeEffect, RegisterUpdate};
pub use error::Refusal;
pub use guard::{Guard, GuardId};
pub(crate) use join::{Join, Shift};
pub use liveness::Live;
pub use operands::OperandSet;
pub(crate) use plan::Window;
pub use prefilter::Prefilter;
pub use reach::{Reach, reach};
pub use registers::{Register, RegisterKind};
pub(crate) use running_sum::{RunningSum, SumSide, Summand};
pub(crate) use shared_suffix::SharedSuffix;
pub use states::{Action, ClockOp, Edge, LeadingNot, Since, StateId};
