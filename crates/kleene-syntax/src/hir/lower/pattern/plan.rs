//! A pattern whose steps are laid out, before its conditions are checked.
//!
//! The plan of `a -> (b or c){2} as pairs -> not d for 5m`:
//!
//! ```text
//! Step a | Group {2} as pairs                        | Not d for 5m
//!        |   Alternatives 1 of [Step b], [Step c]    |
//! ```
//!
//! Steps have numbers by now, and their types are known. Conditions are still syntax (`Resolved`),
//! since a condition can read steps that come later in the text, and those of the wildcard need the
//! types of all steps. Parentheses that change nothing are gone: see `plan_group` of `lay_out`.

use crate::diagnostic::Span;
use crate::hir::lint::WrittenItem;
use crate::hir::lower::names::Resolved;
use crate::hir::{Contiguity, Quantifier};
use crate::syntax::ast::{self, Arrow, Name, Path, Spanned};

/// A `match` whose steps are laid out, and the rule's `within` with its file.
pub(in crate::hir::lower) struct Planned<'a> {
    pub(super) plan: SequencePlan<'a>,
    pub(super) bound: Option<(usize, Written<'a>)>,
}

/// A sequence whose steps have their numbers and types, but not yet their conditions.
pub(super) struct SequencePlan<'a> {
    pub(super) items: Vec<PlanItem<'a>>,
    pub(super) without: Option<(usize, Vec<Resolved<'a>>)>,
}

/// A branch that is nothing but a `not` with a time: `not c for 5s`.
pub(super) struct Silence<'p, 'a> {
    pub(super) item: &'p PlanItem<'a>,
    pub(super) step: usize,
    pub(super) steps: &'p [Resolved<'a>],
    pub(super) time: Written<'a>,
    /// The place of the time.
    pub(super) span: Span,
}

impl<'a> SequencePlan<'a> {
    /// Returns the silence, if the branch is one. `not c` has no time, and `x -> not c for 5s`
    /// begins with an event: both are no silence.
    pub(super) fn silence(&self) -> Option<Silence<'_, 'a>> {
        let [item] = self.items.as_slice() else { return None };
        let PlanKind::Not { step, steps, duration: Some((time, span)) } = &item.kind else {
            return None;
        };
        Some(Silence { item, step: *step, steps, time: *time, span: *span })
    }

    /// Returns how the items are written.
    pub(super) fn written(&self) -> Vec<WrittenItem> {
        let written = |item: &PlanItem<'a>| {
            let (quant, inside) = match &item.kind {
                PlanKind::Step { quant, .. } => (Some(quant), Vec::new()),
                PlanKind::Group { plan, quant, .. } => (Some(quant), vec![plan.written()]),
                PlanKind::Alternatives { branches, .. } => {
                    (None, branches.iter().map(SequencePlan::written).collect())
                }
                PlanKind::Not { .. } => (None, Vec::new()),
            };
            WrittenItem {
                span: item.span,
                quantifier: quant.and_then(|quant| quant.span),
                is_mode_written: quant.is_some_and(|quant| quant.is_mode_written),
                inside,
            }
        };
        self.items.iter().map(written).collect()
    }

    /// Gives the only step the name that it has with `as`.
    pub(super) fn rename(&mut self, alias: &'a Name) {
        if let [PlanItem { kind: PlanKind::Step { resolved, .. }, .. }] = &mut self.items[..] {
            resolved.rename(Some(alias));
        }
    }
}

pub(super) struct PlanItem<'a> {
    pub(super) arrow: &'a Arrow,
    pub(super) span: Span,
    pub(super) kind: PlanKind<'a>,
}

pub(super) enum PlanKind<'a> {
    Step {
        step: usize,
        resolved: Resolved<'a>,
        quant: QuantPlan<'a>,
    },
    /// None of these steps.
    Not {
        step: usize,
        steps: Vec<Resolved<'a>>,
        duration: Option<(Written<'a>, Span)>,
    },
    Group {
        plan: SequencePlan<'a>,
        quant: QuantPlan<'a>,
        within: Option<Written<'a>>,
        alias: Option<usize>,
    },
    Alternatives {
        branches: Vec<SequencePlan<'a>>,
        count: usize,
    },
}

/// A length of time as it is written.
#[derive(Clone, Copy)]
pub(in crate::hir::lower) enum Written<'a> {
    /// A literal or a parameter: it is known from the start.
    Millis(i64),
    /// A field of a captured event.
    Path(&'a Path),
}

impl Written<'_> {
    /// The milliseconds, if they are known from the start.
    pub(super) fn known(self) -> Option<i64> {
        match self {
            Written::Millis(millis) => Some(millis),
            Written::Path(_) => None,
        }
    }
}

/// A quantifier as it will be, but for its `until`.
#[derive(Clone)]
pub(super) struct QuantPlan<'a> {
    pub(super) quantifier: Quantifier,
    /// The place of the quantifier, if it is written.
    pub(super) span: Option<Span>,
    /// True if the mode is written: `{2..3 greedy}`.
    pub(super) is_mode_written: bool,
    pub(super) until: Option<PlanUntil<'a>>,
}

/// The `until` of a loop, its steps resolved.
#[derive(Clone)]
pub(super) enum PlanUntil<'a> {
    Steps(Vec<Resolved<'a>>),
    Condition(&'a Spanned<ast::Expr>),
}

impl QuantPlan<'_> {
    /// True if it can take more than one event, or more than one round.
    pub(super) fn can_repeat(&self) -> bool {
        self.quantifier.can_repeat()
    }
}

impl PlanItem<'_> {
    /// True if the item can take no event at all.
    pub(super) fn can_be_empty(&self) -> bool {
        match &self.kind {
            PlanKind::Step { quant, .. } => quant.quantifier.optional,
            PlanKind::Group { quant, plan, .. } => {
                // `(a? -> b?)` is empty without being left out.
                quant.quantifier.optional || plan.items.iter().all(PlanItem::can_be_empty)
            }
            // A `not` takes no event, but it cannot be left out. A branch that could be empty was
            // refused.
            PlanKind::Not { .. } | PlanKind::Alternatives { .. } => false,
        }
    }
}

/// Returns the contiguity that an arrow, or the inside of a loop, asks for.
pub(super) fn contiguity(contiguity: ast::Contiguity) -> Contiguity {
    match contiguity {
        ast::Contiguity::Relaxed => Contiguity::Relaxed,
        ast::Contiguity::Next => Contiguity::Next,
        ast::Contiguity::Any => Contiguity::Any,
    }
}
