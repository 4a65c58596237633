//! Where the parts of a pattern are in the text, and which of its conditions exclude each other.

use crate::diagnostic::Span;
use crate::hir::contradiction::exclude;
use crate::hir::{Condition, ConditionId, Expr, Pattern, Test};
use kleene_event::schema::{Schema, TypeId};

/// The places of the parts of a rule's pattern, each with the number of its file.
#[derive(Debug)]
pub struct Layout {
    /// The `match` clause.
    pub pattern: (usize, Span),
    /// The steps, by [`StepId`](crate::hir::StepId).
    pub steps: Vec<(usize, Span)>,
    /// By condition: true if it is the same whatever parameters and lists say.
    pub(super) fixed: Vec<bool>,
}

impl Layout {
    /// True if no event of type `ty` fulfils the conditions `yes` of the pattern and none of `no`,
    /// whatever parameters and lists say.
    pub fn exclude(
        &self,
        pattern: &Pattern,
        schema: &Schema,
        ty: TypeId,
        (yes, no): (&[ConditionId], &[ConditionId]),
    ) -> bool {
        let expr = |id: &ConditionId| match &pattern.conditions[id.index()] {
            Condition { ty: Some(_), test: Test::Expr(expr) } if self.fixed[id.index()] => {
                Some(expr)
            }
            _ => None,
        };
        let yes: Vec<&Expr> = yes.iter().filter_map(expr).collect();
        let no: Vec<&Expr> = no.iter().filter_map(expr).collect();
        yes.len() + no.len() > 1 && exclude(&yes, &no, ty, schema)
    }
}
