//! Evaluation of [`Expr`]essions. Where names lead is the [`Scope`]'s business.

use crate::hir::Expr;
use crate::hir::expr::{Aggregate, Captured, FieldRef, MatchFact};
use crate::value::{Value, ValueRef};

/// What an expression can see.
pub(crate) trait Scope {
    /// A field of the candidate event.
    fn field(&self, field: &FieldRef) -> ValueRef<'_>;
    /// A field of a captured event.
    fn captured(&self, captured: &Captured) -> Value;
    /// An aggregate over captured events.
    fn aggregate(&self, aggregate: &Aggregate) -> Value;
    /// A register of the run.
    fn register(&self, index: usize) -> ValueRef<'_>;
    /// A component of the key.
    fn key(&self, index: usize) -> ValueRef<'_>;
    /// A fact about the match.
    fn fact(&self, fact: MatchFact) -> Value;
}

/// What an expression gives: borrowed where it can be.
#[derive(Clone, Debug)]
pub(crate) enum Evaluated<'a> {
    Ref(ValueRef<'a>),
    Owned(Value),
}

impl Evaluated<'_> {
    pub(crate) fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Evaluated::Ref(value) => *value,
            Evaluated::Owned(value) => value.as_ref(),
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Evaluated::Ref(value) => value.to_value(),
            Evaluated::Owned(value) => value,
        }
    }
}

/// The value of `expr`. Never panics, never fails: what cannot be computed is null.
pub(crate) fn eval<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> Evaluated<'a> {
    match expr {
        Expr::Literal(value) => Evaluated::Ref(value.as_ref()),
        Expr::Field(field) => Evaluated::Ref(scope.field(field)),
        _ => Evaluated::Owned(Value::Null),
    }
}

/// Whether `expr` is true; null and everything that is no bool is false.
pub(crate) fn test<S: Scope>(expr: &Expr, scope: &S) -> bool {
    matches!(eval(expr, scope).as_ref(), ValueRef::Bool(true))
}
