//! Start conditions: the necessary conditions on an event that can start a rule, read off the edges
//! that leave the start of the rule's automaton.
//!
//! An event that does not fulfil the start condition would be tested in vain. Divisions by zero are
//! counted. So no condition is derived from an expression that is evaluated only after a possible
//! division by zero: leaving out the rule would leave out the count.

use std::borrow::Cow;

use crate::stream::dispatch::index::same_expr::SameExpr;
use kleene_automata::nfa::{Action, Guard, GuardId, Program};
use kleene_event::schema::TypeId;
use kleene_event::value::Value;
use kleene_syntax::hir::eval;
use kleene_syntax::hir::expr::{BinaryOp, Set, normal};
use kleene_syntax::hir::functions::Callee;
use kleene_syntax::hir::{ConditionId, Expr, Test};

/// The maximum number of alternatives that are distinguished.
const MAX_ALTERNATIVES: usize = 16;

/// The maximum number of values of a list that are looked up one by one.
const MAX_ATOMS: usize = 1000;

/// The necessary condition on an event of a type that starts a rule or advances its open state.
#[derive(Debug)]
pub(in crate::stream) enum When<'a> {
    /// Perhaps with any.
    Always,
    /// One of these alternatives must hold. In an alternative, all clauses must hold; there is at
    /// least one clause. Without alternatives, no event can.
    If(Vec<Vec<StartClause<'a>>>),
}

/// Atoms; at least one of them must hold.
pub(in crate::stream) type StartClause<'a> = Vec<Atom<'a>>;

/// A condition that an index can look up.
#[derive(Clone, Debug)]
pub(in crate::stream) enum Atom<'a> {
    /// The expression has this value, in its [normal] form.
    Equal(Cow<'a, Expr>, Value),
    /// The expression has a value between these, both included.
    Between(Cow<'a, Expr>, Option<Value>, Option<Value>),
}

impl Atom<'_> {
    pub(super) fn expr(&self) -> &Expr {
        match self {
            Atom::Equal(expr, _) | Atom::Between(expr, ..) => expr,
        }
    }
}

impl<'a> When<'a> {
    /// Returns the condition of these alternatives.
    pub(super) fn of_alternatives(alternatives: Vec<Alternative<'a>>) -> When<'a> {
        if alternatives.iter().any(|alternative| alternative.clauses.is_empty()) {
            return When::Always;
        }
        When::If(alternatives.into_iter().map(|alternative| alternative.clauses).collect())
    }

    /// Returns the condition on events of type `ty` that can start a rule.
    pub(in crate::stream) fn starts(program: &'a Program, ty: TypeId) -> When<'a> {
        let reader = GuardReader { program, ty };
        let mut alternatives = Vec::new();
        for edge in program.edges(program.start) {
            match edge.action {
                Action::Take { .. } => alternatives.extend(reader.guard(edge.guard)),
                Action::Stop if reader.may_divide(edge.guard) => return When::Always,
                _ => {}
            }
        }
        // An event that violates the leading `not` concerns the rule, too.
        if let Some(not) = &program.leading_not {
            alternatives.extend(reader.condition(not.condition));
        }
        When::of_alternatives(alternatives)
    }

    /// The condition of `program` that an event of type `ty` fulfils where the rule is looked up
    /// for it, if just that is looked up: it need not be tested again.
    pub(in crate::stream) fn answered(&self, program: &Program, ty: TypeId) -> Option<ConditionId> {
        let When::If(alternatives) = self else { return None };
        let [alternative] = &alternatives[..] else { return None };
        let [clause] = &alternative[..] else { return None };
        let [atom] = &clause[..] else { return None };
        // Addresses are looked up in one form, in which more are equal.
        let Atom::Equal(of, known @ (Value::Int(_) | Value::String(_))) = atom else { return None };
        let same = |test: &Test| match test {
            Test::Expr(expr @ Expr::Binary(BinaryOp::Eq, ..)) => {
                let own = self::clause(expr);
                matches!(own.as_deref(), Some([Atom::Equal(other, value)])
                    if SameExpr(other) == SameExpr(of) && *value == *known)
            }
            _ => false,
        };
        (0..).map(ConditionId::new).zip(&program.conditions).find_map(|(id, condition)| {
            let fits = condition.ty.is_none_or(|of| of == ty) && same(&condition.test);
            fits.then_some(id)
        })
    }
}

/// An alternative: its known necessary conditions.
#[derive(Clone, Debug, Default)]
pub(super) struct Alternative<'a> {
    pub(super) clauses: Vec<StartClause<'a>>,
    /// True if nothing is derived from the conditions that follow.
    pub(super) is_closed: bool,
}

pub(super) struct GuardReader<'a> {
    pub(super) program: &'a Program,
    pub(super) ty: TypeId,
}

impl<'a> GuardReader<'a> {
    /// Returns the alternatives in which a guard is open before any event was captured.
    fn guard(&self, guard: GuardId) -> Vec<Alternative<'a>> {
        match &self.program.guards[guard.index()] {
            Guard::False => Vec::new(),
            Guard::Condition(condition) => self.condition(*condition),
            Guard::Or(parts) => parts.iter().flat_map(|part| self.guard(*part)).collect(),
            Guard::And(parts) => {
                let mut alternatives = vec![Alternative::default()];
                for part in parts {
                    alternatives = and(alternatives, &self.guard(*part));
                }
                alternatives
            }
            Guard::Not(inner) => {
                vec![Alternative { clauses: Vec::new(), is_closed: self.may_divide(*inner) }]
            }
            // True, or all about what was captured before.
            _ => vec![Alternative::default()],
        }
    }

    /// Returns the alternatives in which a condition holds.
    pub(super) fn condition(&self, id: ConditionId) -> Vec<Alternative<'a>> {
        let condition = &self.program.conditions[id.index()];
        if let Test::OneOf(others) = &condition.test {
            return others.iter().flat_map(|other| self.condition(*other)).collect();
        }
        if condition.ty.is_some_and(|ty| ty != self.ty) {
            return Vec::new();
        }
        let mut alternative = Alternative::default();
        test(&condition.test, &mut alternative);
        vec![alternative]
    }

    fn may_divide(&self, guard: GuardId) -> bool {
        match &self.program.guards[guard.index()] {
            Guard::Condition(id) => {
                let mut alternative = Alternative::default();
                test(&self.program.conditions[id.index()].test, &mut alternative);
                alternative.is_closed
            }
            Guard::Not(inner) => self.may_divide(*inner),
            Guard::And(parts) | Guard::Or(parts) => parts.iter().any(|part| self.may_divide(*part)),
            _ => false,
        }
    }
}

/// Returns the alternatives in which one of `alternatives` and one of `parts` hold.
fn and<'a>(alternatives: Vec<Alternative<'a>>, parts: &[Alternative<'a>]) -> Vec<Alternative<'a>> {
    let is_small = alternatives.len() * parts.len() <= MAX_ALTERNATIVES;
    let mut both = Vec::new();
    for mut alternative in alternatives {
        if alternative.is_closed {
            both.push(alternative);
        } else if is_small {
            for part in parts {
                let clauses = alternative.clauses.iter().chain(&part.clauses).cloned().collect();
                both.push(Alternative { clauses, is_closed: part.is_closed });
            }
        } else {
            alternative.is_closed = true;
            both.push(alternative);
        }
    }
    both
}

/// Adds the necessary conditions of a test.
pub(super) fn test<'a>(of: &'a Test, alternative: &mut Alternative<'a>) {
    match of {
        // Each of several conditions is a way of its own.
        Test::True | Test::OneOf(_) => {}
        Test::Expr(expr) => conjunction(expr, alternative),
        // Nothing is known of a closure of the host.
        Test::Host { .. } => alternative.is_closed = true,
        Test::All(tests) => tests.iter().for_each(|part| test(part, alternative)),
    }
}

fn conjunction<'a>(expr: &'a Expr, alternative: &mut Alternative<'a>) {
    if alternative.is_closed {
        return;
    }
    match expr {
        Expr::Binary(BinaryOp::And, a, b) => {
            conjunction(a, alternative);
            conjunction(b, alternative);
        }
        _ if may_divide(expr) => alternative.is_closed = true,
        _ => alternative.clauses.extend(clause(expr)),
    }
}

/// Returns a necessary condition of `expr`.
fn clause(expr: &Expr) -> Option<StartClause<'_>> {
    Some(match expr {
        Expr::Binary(BinaryOp::Or, a, b) => {
            let mut atoms = clause(a)?;
            atoms.extend(clause(b)?);
            (atoms.len() <= MAX_ATOMS).then_some(atoms)?
        }
        Expr::Binary(BinaryOp::And, a, b) => clause(a).or_else(|| clause(b))?,
        Expr::Binary(op, a, b) => {
            // With the constant on the right.
            let (op, of, bound) = match (literal(a), literal(b)) {
                (None, Some(bound)) => (*op, a, bound),
                (Some(bound), None) => (op.mirrored(), b, bound),
                _ => return None,
            };
            let of = is_read(of).then_some(Cow::Borrowed(&**of))?;
            vec![match op {
                BinaryOp::Eq => Atom::Equal(
                    of,
                    normal(is_simple(&bound).then_some(&bound)?.as_ref()).to_value(),
                ),
                BinaryOp::Lt | BinaryOp::Le => Atom::Between(of, None, Some(bound)),
                BinaryOp::Gt | BinaryOp::Ge => Atom::Between(of, Some(bound), None),
                _ => return None,
            }]
        }
        Expr::In(of, set) => {
            let of = is_read(of).then_some(Cow::Borrowed(&**of))?;
            match &**set {
                Set::Values(set) => {
                    let is_small = set.networks.is_empty() && set.values.len() <= MAX_ATOMS;
                    if !is_small || !set.values.iter().all(is_simple) {
                        return None;
                    }
                    set.values.iter().map(|value| Atom::Equal(of.clone(), value.clone())).collect()
                }
                Set::Range(low, high) => {
                    vec![Atom::Between(of, Some(literal(low)?), Some(literal(high)?))]
                }
                Set::Expr(_) => return None,
            }
        }
        Expr::Field(_) => vec![Atom::Equal(Cow::Borrowed(expr), Value::Bool(true))],
        Expr::IsTrue(inner) => clause(inner)?,
        _ => return None,
    })
}

fn literal(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Literal(value) => Some(value.clone()),
        Expr::Neg(inner) if matches!(**inner, Expr::Literal(_)) => Some(eval::constant(expr)),
        _ => None,
    }
}

/// True if equal values have one [normal] form.
fn is_simple(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::List(_) | Value::Record(_))
}

/// True if an expression is read from the event alone, without closures of the host.
fn is_read(expr: &Expr) -> bool {
    let inner = |expr: &Expr| is_read(expr) || literal(expr).is_some();
    match expr {
        Expr::Field(_) => true,
        Expr::Neg(x) | Expr::Fold(x) => is_read(x),
        Expr::Binary(op, a, b) => {
            use BinaryOp::{Add, Div, Mul, Rem, Sub};
            matches!(op, Add | Sub | Mul | Div | Rem)
                && (is_read(a) || is_read(b))
                && inner(a)
                && inner(b)
        }
        Expr::Call(Callee::BuiltIn(_), args) => args.iter().any(is_read) && args.iter().all(inner),
        _ => false,
    }
}

/// True if evaluating an expression may divide by zero or call the host.
fn may_divide(expr: &Expr) -> bool {
    let divides = match expr {
        // Its argument is evaluated for events that were captured.
        Expr::Aggregate(_) | Expr::Call(Callee::Host(_), _) => true,
        Expr::Binary(BinaryOp::Div | BinaryOp::Rem, _, b) => match literal(b) {
            Some(Value::Int(divisor) | Value::Duration(divisor)) => divisor == 0,
            Some(Value::Float(divisor)) => divisor == 0.0,
            _ => true,
        },
        _ => false,
    };
    divides || expr.parts().into_iter().any(may_divide)
}
