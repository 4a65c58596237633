//! What an expression is evaluated for: where its names lead.

use super::relation::list_has;
use crate::hir::expr::{Aggregate, CapturedField, FieldRef, MatchFact, MatchesFact};
use kleene_event::value::{Value, ValueRef};

/// The values that an expression can read; a value that does not exist is null.
pub trait Scope {
    /// A field of the candidate event.
    fn field(&self, _: &FieldRef) -> ValueRef<'_> {
        ValueRef::Null
    }
    /// A field of a captured event.
    fn captured(&self, _: &CapturedField) -> Value {
        Value::Null
    }
    /// An aggregate over captured events.
    fn aggregate(&self, _: &Aggregate) -> Value {
        Value::Null
    }
    /// A register of the run.
    fn register(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
    /// Returns [`list_has`] of the list in a register and `value`.
    fn register_has(&self, index: usize, value: ValueRef<'_>) -> Option<bool> {
        list_has(self.register(index), value)
    }
    /// A component of the key.
    fn key(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
    /// True if the key of the stream is the key that steps with this variant give the candidate.
    /// Without several keys, always.
    fn has_step_key(&self, _variant: u8) -> bool {
        true
    }
    /// A fact about the match.
    fn fact(&self, _: MatchFact) -> Value {
        Value::Null
    }
    /// A fact about the set of matches.
    fn of_matches(&self, _: MatchesFact) -> Value {
        Value::Null
    }
    /// Notes that something was divided by zero.
    fn divided_by_zero(&self) {}
    /// Notes that something was too large to be made.
    fn too_large(&self) {}
}
