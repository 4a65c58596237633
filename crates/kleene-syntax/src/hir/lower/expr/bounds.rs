//! Comparisons that the values of one side never fulfil, such as `weekday(at) == 0`: what a
//! function, an aggregate or a step can give at all.

use super::text::other_case;
use super::typed::non_null;
use crate::diagnostic::{Code, Span};
use crate::hir::Expr;
use crate::hir::expr::{AggregateOp, BinaryOp, MatchFact, MatchesFact};
use crate::hir::functions::Callee;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::terms::{ExprContext, Typed, What};
use kleene_event::value::{Kind, Value};

/// The least and the greatest value that an expression can have, where there is one.
#[derive(Clone, Copy)]
struct ValueBounds {
    low: Option<i32>,
    high: Option<i32>,
}

/// The bounds of what the functions of a time give, and of what cannot be negative.
fn of_function(name: &str) -> Option<ValueBounds> {
    let (low, high) = match name {
        "hour" => (0, Some(23)),
        "day" => (1, Some(31)),
        "weekday" => (1, Some(7)),
        "len" | "hash" | "distance_km" => (0, None),
        _ => return None,
    };
    Some(ValueBounds { low: Some(low), high })
}

impl RuleLowerer<'_, '_> {
    /// Warns of a comparison with a constant that the other side never fulfils.
    pub(super) fn warn_of_bounds(
        &mut self,
        op: BinaryOp,
        (a, b): (&Typed, &Typed),
        span: Span,
        context: ExprContext,
    ) {
        let (subject, op, value) = match (&a.expr, &b.expr) {
            (_, Expr::Literal(value)) => (a, op, value),
            (Expr::Literal(value), _) => (b, op.mirrored(), value),
            _ => return,
        };
        if let Some(reason) = self.never(op, subject, value, context) {
            let message = "this comparison is always false";
            self.warn(Code::AlwaysFalse, span, message, reason);
        }
    }

    /// Warns of an item of a list that the value is never equal to.
    pub(super) fn warn_of_item(
        &mut self,
        value: &Typed,
        item: &Value,
        span: Span,
        context: ExprContext,
    ) {
        if let Some(reason) = self.never(BinaryOp::Eq, value, item, context) {
            let message = "nothing can be equal to this item of the list";
            self.warn(Code::AlwaysFalse, span, message, reason);
        }
    }

    /// Returns why no value of `subject` compares so with a constant; `None` if one can.
    fn never(
        &self,
        op: BinaryOp,
        subject: &Typed,
        value: &Value,
        context: ExprContext,
    ) -> Option<String> {
        let number = match *value {
            #[expect(clippy::cast_precision_loss, reason = "compared with bounds that are small")]
            Value::Int(number) => number as f64,
            Value::Float(number) => number,
            Value::String(ref text) if op == BinaryOp::Eq => return other_case(subject, text),
            _ => return None,
        };
        if op == BinaryOp::Eq && non_null(subject.kind) == Kind::INT && number.fract() != 0.0 {
            return Some(format!("`{value}` is not an `int`"));
        }
        let (name, ValueBounds { low, high }) = self.bounds(&subject.expr, context)?;
        let is_above = |bound: f64| number > bound || op == BinaryOp::Gt && number == bound;
        let is_below = |bound: f64| number < bound || op == BinaryOp::Lt && number == bound;
        let asks_high = matches!(op, BinaryOp::Eq | BinaryOp::Gt | BinaryOp::Ge);
        let asks_low = matches!(op, BinaryOp::Eq | BinaryOp::Lt | BinaryOp::Le);
        let above = high.filter(|high| asks_high && is_above(f64::from(*high)));
        let below = low.filter(|low| asks_low && is_below(f64::from(*low)));
        match (name.as_str(), low, high, above, below) {
            (.., None, None) => None,
            ("`weekday`", ..) => Some("`weekday` ranges from 1 (Monday) to 7 (Sunday)".to_owned()),
            ("`hour`" | "`day`", Some(low), Some(high), ..) => {
                Some(format!("{name} ranges from {low} to {high}"))
            }
            (.., Some(high), _) => Some(format!("{name} is at most {high}")),
            (.., Some(low)) => Some(format!("{name} is at least {low}")),
        }
    }

    /// The bounds of an expression, with its name for a message.
    fn bounds(&self, expr: &Expr, context: ExprContext) -> Option<(String, ValueBounds)> {
        let (name, bounds) = match expr {
            Expr::Call(Callee::BuiltIn(function) | Callee::InZone(function, _), _) => {
                let name = function.name;
                (format!("`{name}`"), of_function(name)?)
            }
            Expr::Aggregate(of) if of.op == AggregateOp::Count => {
                let step = &self.steps[of.step.index()];
                // In a step's own condition its last event is the one that is tested.
                let own = context.what == What::Step(of.step.index());
                let most = step.most.and_then(|most| i32::try_from(most).ok());
                let high = most.map(|most| most - i32::from(own));
                (format!("`count({})`", step.name), ValueBounds { low: Some(0), high })
            }
            Expr::Match(MatchFact::Repetition) => {
                ("`match.repetition`".to_owned(), ValueBounds { low: Some(1), high: None })
            }
            Expr::Matches(MatchesFact::Count) => {
                ("`matches.count`".to_owned(), ValueBounds { low: Some(1), high: None })
            }
            _ => return None,
        };
        Some((name, bounds))
    }
}
