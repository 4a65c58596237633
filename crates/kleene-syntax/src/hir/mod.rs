//! The checked form of rules: names resolved, types checked, sugar gone.
//!
//! Both front ends end here: rule text (through [`syntax`](crate::syntax)) and the builder. A
//! [`Pattern`] is the smallest form that the automaton and the reference matcher are built from.
//!
//! Rule text takes two passes: `lower` makes the checked form and reports mistakes, and `lint`
//! reads that form and warns of likely mistakes. `canon` says what the checked form means, for the
//! versions of rules, and `contradiction` which of its conditions never hold together.
//!
//! The parts of a pattern are for Kleene's own crates and are not in the documentation: they change
//! with the matcher. A [`Rule`] says what a host needs to know of a rule.

pub mod canon;
mod contradiction;
pub mod eval;
pub mod expr;
pub mod functions;
mod ids;
mod lint;
pub mod lower;
mod pattern;
mod rule;
pub mod silence;
mod site;
pub mod size;
pub mod test_block;
mod text;

pub use expr::Expr;
pub use ids::{ConditionId, LengthId, StepId, TotalId};
pub use pattern::{
    Condition, Contiguity, Gap, Item, ItemKind, Length, LoopMode, MAX_OPERANDS,
    MAX_OPERANDS_IN_STATES, MAX_SILENCES, Pattern, Quantifier, Report, Sequence, Skip,
    SkipStrategy, Step, Test, Without,
};
pub use rule::{Emit, StepKey, StepKeys, Suppress};
pub use rule::{KeyPart, Limit, LimitPolicy, Meta, Once, Rule};
pub use test_block::TestBlock;
