//! Negations of what may be null: an event that lacks the field does not fit, which is easily
//! missed.

use hashbrown::HashSet;

use super::path::dotted_field;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::KeyPart;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::literal::plain;
use crate::hir::lower::names;
use crate::hir::lower::terms::Doubt;
use crate::schema::TypeId;
use crate::syntax::ast::{BinaryOp, Expr, Path, Spanned};
use crate::value::Kind;

/// The fields that a step's conditions name, and how.
#[derive(Default)]
struct Said {
    /// The fields that are asked `is null`, or that have to be there for another reason.
    asked: HashSet<String>,
    /// The fields that stand in a negation.
    negated: Vec<(usize, String, Span)>,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Notes each field of the event that may be null, stands in a negation, and is not asked
    /// `is null` in the conditions of the step.
    pub(in crate::hir::lower) fn note_doubts(
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
        for (source, name, span) in negated {
            let Some((field, kind)) = names::field(&self.env.schema, ty, &name) else { continue };
            if kind.intersects(Kind::NULL) && asked.insert(name.clone()) {
                self.doubts.push(Doubt { source, span, name, ty, field });
            }
        }
    }

    /// Warns of what was noted, but not of parts of the key: an event that lacks one is in no
    /// stream.
    pub(in crate::hir::lower) fn warn_of_doubts(&mut self, key: &[KeyPart]) {
        for Doubt { source, span, name, ty, field } in std::mem::take(&mut self.doubts) {
            let has_several = self.step_keys.several.iter().any(|keys| keys.ty == ty);
            let is_key = |part: &KeyPart| part.fields.iter().any(|of| of.0 == ty && of.1 == field);
            if !has_several && key.iter().any(is_key) {
                continue;
            }
            let message = format!("an event without `{name}` does not fit");
            let diagnostic = Diagnostic::warning(Code::NullInNegation, span, message)
                .label("where it is null, the negation is null, too")
                .help(format!(
                    "`{name} is null or ...` accepts these events, too; \
                     `{name} is not null and ...` excludes them on purpose"
                ));
            self.env.report(source, diagnostic);
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
            Expr::Binary(BinaryOp::Or | BinaryOp::Ne, ..) => {}
            Expr::Binary(_, a, b) => {
                self.asked.extend([a, b].into_iter().filter_map(|side| field_of(side)));
            }
            Expr::In { negated: false, value, .. } => self.asked.extend(field_of(value)),
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
            Expr::IsNull { value, .. } => self.asked.extend(field_of(value)),
            // That nothing differs from null was reported, with what to write.
            Expr::Binary(BinaryOp::Eq | BinaryOp::Ne, a, b) if is_null(a) || is_null(b) => {}
            Expr::Binary(op, a, b) if negated || *op == BinaryOp::Ne => {
                self.value(source, a);
                self.value(source, b);
            }
            Expr::In { negated: not, value, .. } if negated || *not => self.value(source, value),
            Expr::Binary(..) | Expr::In { .. } => {}
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                // A condition that is null selects the second value, as one that is false.
                self.condition(source, condition, Sense::Plain);
                self.condition(source, then, sense);
                self.condition(source, otherwise, sense);
            }
            _ if negated => self.value(source, expr),
            _ => {}
        }
    }

    /// Notes the fields that make a value null where they are.
    fn value(&mut self, source: usize, expr: &Spanned<Expr>) {
        match &expr.node {
            Expr::Path(path) => {
                self.negated.extend(name_of(path).map(|field| (source, field, path.span)));
            }
            Expr::Neg(x) => self.value(source, x),
            Expr::Binary(_, a, b) => {
                self.value(source, a);
                self.value(source, b);
            }
            // An aggregate leaves nulls out, and `coalesce` is there to do without them.
            Expr::Call(name, args) if !is_safe(&name.node) => {
                for arg in args {
                    self.value(source, arg);
                }
            }
            _ => {}
        }
    }
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
        _ => None,
    }
}

fn name_of(path: &Path) -> Option<String> {
    dotted_field(path).map(|(name, _)| name)
}
