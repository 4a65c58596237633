//! The fields of a step's conditions that are negated and may be null: a lint warns of them.

use hashbrown::HashSet;

use super::path::dotted_field;
use crate::diagnostic::Span;
use crate::hir::lint::NegatedField;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::plain;
use crate::hir::lower::names;
use crate::hir::site::Site;
use crate::syntax::ast::{BinaryOp, Expr, Path, Spanned};
use kleene_event::schema::TypeId;
use kleene_event::value::Kind;

/// The fields that a step's conditions name, and how.
#[derive(Default)]
struct Said {
    /// The fields that are asked `is null`, or that have to be there for another reason.
    asked: HashSet<String>,
    /// The fields that stand in a negation.
    negated: Vec<Negated>,
}

/// A field that stands in a negation.
struct Negated {
    source: usize,
    name: String,
    span: Span,
    /// The spelling that accepts events without the field.
    instead: String,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Records each field of the event that may be null, stands in a negation, and is not asked
    /// `is null` in the conditions of the step.
    pub(in crate::hir::lower) fn record_negated(
        &mut self,
        conditions: &[(usize, &'a Spanned<Expr>)],
        ty: TypeId,
    ) {
        let mut said = Said::default();
        for (source, condition) in conditions {
            said.required(condition);
            said.condition(*source, condition, Sense::Plain);
        }
        let Said { mut asked, negated } = said;
        for Negated { source, name, span, instead } in negated {
            let Some((field, kind)) = names::field(&self.env.schema, ty, &name) else { continue };
            if kind.intersects(Kind::NULL) && asked.insert(name.clone()) {
                let site = Site { source, span };
                self.written.negated.push(NegatedField { site, name, ty, field, instead });
            }
        }
    }
}

/// The sense of a condition: plain, or in a negation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sense {
    Plain,
    Negated,
}

impl Said {
    /// Notes the fields that have to be there: those of the comparisons that all have to hold.
    fn required(&mut self, expr: &Spanned<Expr>) {
        match &expr.node {
            Expr::Binary(BinaryOp::And, a, b) => {
                self.required(a);
                self.required(b);
            }
            Expr::Binary(
                BinaryOp::Or | BinaryOp::Ne | BinaryOp::NotLike | BinaryOp::NotMatches,
                ..,
            ) => {}
            Expr::Binary(_, a, b) => {
                self.asked.extend([a, b].into_iter().filter_map(|side| field_of(side)));
            }
            Expr::In { negated: false, value, set } => {
                self.asked.extend([value, set].into_iter().filter_map(|side| field_of(side)));
            }
            Expr::NoCase(inner) | Expr::Is { negated: false, truth: true, value: inner } => {
                self.required(inner);
            }
            Expr::Path(path) => self.asked.extend(name_of(path)),
            _ => {}
        }
    }

    /// Looks at what is true or false.
    fn condition(&mut self, source: usize, expr: &Spanned<Expr>, sense: Sense) {
        let negated = sense == Sense::Negated;
        match &expr.node {
            Expr::Binary(BinaryOp::And | BinaryOp::Or, a, b) => {
                self.condition(source, a, sense);
                self.condition(source, b, sense);
            }
            Expr::Not(x) => self.condition(source, x, Sense::Negated),
            Expr::NoCase(inner) => self.condition(source, inner, sense),
            Expr::IsNull { value, .. } => self.asked.extend(field_of(value)),
            // That nothing differs from null was reported, with what to write.
            Expr::Binary(BinaryOp::Eq | BinaryOp::Ne, a, b) if is_null(a) || is_null(b) => {}
            Expr::Binary(op, a, b)
                if negated || *op == BinaryOp::Ne || op.without_not().is_some() =>
            {
                let plain = op.without_not().unwrap_or(BinaryOp::Eq);
                for (side, is_left) in [(a, true), (b, false)] {
                    self.value(source, side, &|name| match &side.node {
                        Expr::Path(_) if !negated && is_left => {
                            format!("`({name} {} ..) is not true`", plain.as_str())
                        }
                        Expr::Path(_) if !negated => {
                            format!("`(.. {} {name}) is not true`", plain.as_str())
                        }
                        _ => instead(sense),
                    });
                }
            }
            Expr::In { negated: not, value, set } if negated || *not => {
                for (side, is_left) in [(value, true), (set, false)] {
                    self.value(source, side, &|name| match &side.node {
                        Expr::Path(_) if !negated && is_left => {
                            format!("`({name} in ..) is not true`")
                        }
                        Expr::Path(_) if !negated => format!("`(.. in {name}) is not true`"),
                        _ => instead(sense),
                    });
                }
            }
            // The answer of `is` is never null.
            Expr::Is { .. } | Expr::Binary(..) | Expr::In { .. } => {}
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                // A condition that is null selects the second value, as one that is false.
                self.condition(source, condition, Sense::Plain);
                self.condition(source, then, sense);
                self.condition(source, otherwise, sense);
            }
            _ if negated => self.value(source, expr, &|_| instead(sense)),
            _ => {}
        }
    }

    /// Notes the fields that make a value null where they are. `instead` says by a field's name what
    /// accepts events without it.
    fn value(&mut self, source: usize, expr: &Spanned<Expr>, instead: &dyn Fn(&str) -> String) {
        match &expr.node {
            Expr::Path(path) => {
                self.negated.extend(name_of(path).map(|name| {
                    let instead = instead(&name);
                    Negated { source, name, span: path.span, instead }
                }));
            }
            Expr::Neg(x) | Expr::Quantified(_, x) => self.value(source, x, instead),
            Expr::Binary(_, a, b) => {
                self.value(source, a, instead);
                self.value(source, b, instead);
            }
            // An aggregate leaves nulls out, and `coalesce` is there to do without them.
            Expr::Call(name, args) if !is_safe(&name.node) => {
                for arg in args {
                    self.value(source, arg, instead);
                }
            }
            _ => {}
        }
    }
}

/// The spelling that accepts what a negation makes null.
fn instead(sense: Sense) -> String {
    let text = match sense {
        Sense::Plain => "`(..) is not false`",
        Sense::Negated => "`(..) is not true` instead of `not (..)`",
    };
    text.to_owned()
}

fn is_null(expr: &Spanned<Expr>) -> bool {
    matches!(&expr.node, Expr::Literal(value) if plain(value).is_null())
}

fn is_safe(function: &str) -> bool {
    function == "coalesce"
        || crate::hir::expr::AggregateOp::ALL.iter().any(|op| op.name() == function)
}

fn field_of(expr: &Spanned<Expr>) -> Option<String> {
    match &expr.node {
        Expr::Path(path) => name_of(path),
        // A list that is null has no item that fits.
        Expr::Quantified(_, list) => field_of(list),
        _ => None,
    }
}

fn name_of(path: &Path) -> Option<String> {
    dotted_field(path).map(|(name, _)| name)
}
