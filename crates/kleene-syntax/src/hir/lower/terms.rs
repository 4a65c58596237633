//! Facts about the parts of a rule while the rule is checked: its expressions and its steps.

use std::sync::Arc;

use crate::diagnostic::Span;
use crate::hir::Expr;
use crate::hir::expr::Pick;
use crate::hir::site::Site;
use kleene_event::schema::TypeId;
use kleene_event::value::Kind;

/// The event types that a step takes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Takes {
    /// The one that it names.
    One(TypeId),
    /// Every type of the rule's stream: `any event`.
    Stream,
}

impl Takes {
    /// The type, where it is one.
    pub(super) fn one(self) -> Option<TypeId> {
        match self {
            Takes::One(ty) => Some(ty),
            Takes::Stream => None,
        }
    }
}

/// A checked expression with the types that it can have.
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// The context of an expression: it gives names their meaning.
#[derive(Clone, Copy)]
pub(super) struct ExprContext {
    /// The types that the event which is looked at can have, if there is one.
    pub(super) candidate: Option<Takes>,
    pub(super) what: What,
    pub(super) bound: Option<TimeBound>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum What {
    /// The condition of the step with this index.
    Step(usize),
    /// The condition that ends the loop which ends with this step.
    Until(usize),
    /// A length of time where the steps before this one have been captured.
    Length(usize),
    Emit,
    Timeout,
    /// A constant: no event is at hand.
    Constant,
}

/// Inside of an aggregate, one step's name means one event.
#[derive(Clone, Copy)]
pub(super) enum TimeBound {
    /// Each of the step's events in turn, as the candidate.
    Each(usize),
    /// The step's first or last event.
    Pick(usize, Pick),
}

/// The facts about a step while its rule is checked; both have the same index.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct StepInfo {
    pub(super) name: Arc<str>,
    /// True if someone chose the name with `as`.
    pub(super) explicit: bool,
    pub(super) site: Site,
    /// `None` for groups, and where the type was refused.
    pub(super) ty: Option<Takes>,
    pub(super) negated: bool,
    /// True if this is the alias of a group.
    pub(super) group: bool,
    /// True if a match can hold several events of it.
    pub(super) many: bool,
    /// The most events of it that a match can hold, where that is known.
    pub(super) most: Option<u32>,
    /// The repeated groups around it.
    pub(super) loops: Vec<usize>,
    /// The steps of the outermost `and`, `of` or greedy `?` around it: what each of them captures can
    /// come right before it, or before what it keeps.
    pub(super) beside: std::ops::Range<usize>,
}

impl StepInfo {
    /// The event type, where it is one.
    pub(super) fn one_type(&self) -> Option<TypeId> {
        self.ty.and_then(Takes::one)
    }
}
