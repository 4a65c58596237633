//! Evaluation of [`Expr`]essions. Where names lead is the [`Scope`]'s business.
//!
//! Nothing here allocates but what makes new text, lists and records.
//!
//! Logic has three values, as Kleene's has: true, false, and null for what is unknown. What compares
//! or looks up null, or values that do not compare, is null; `not`, `and` and `or` are null where the
//! unknown part decides. So `not (a == b)` is always `a != b`. A condition holds where it is true.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hir::Expr;
use crate::hir::expr::{Aggregate, BinaryOp, Captured, FieldRef, MatchFact, Set};
use crate::time::Timestamp;
use crate::value::{Kind, Value, ValueRef, int_part};

/// What an expression can see; what there is none of is null.
pub(crate) trait Scope {
    /// A field of the candidate event.
    fn field(&self, _: &FieldRef) -> ValueRef<'_> {
        ValueRef::Null
    }
    /// A field of a captured event.
    fn captured(&self, _: &Captured) -> Value {
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
    /// Whether the list in a register has an item that equals `value`, as [`list_has`] says.
    fn register_has(&self, index: usize, value: ValueRef<'_>) -> Option<bool> {
        list_has(self.register(index), value)
    }
    /// A component of the key.
    fn key(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
    /// A fact about the match.
    fn fact(&self, _: MatchFact) -> Value {
        Value::Null
    }
    /// Notes that something was divided by zero.
    fn divided_by_zero(&self) {}
    /// Notes that something was too large to be made.
    fn too_large(&self) {}
}

/// The bytes of the largest text, list or record that an expression makes. What a rule makes can
/// come back to it, as an event of another rule: without a bound, twice as large each time.
pub(crate) const LARGEST: usize = 16 << 20;

/// How deep the lists and records that an expression makes are nested at most: one that holds what
/// was read from JSON (127 levels) twice over.
const DEEPEST: u32 = 256;

/// What an expression gives: borrowed where it can be.
#[derive(Clone, Debug)]
pub(crate) enum Evaluated<'a> {
    Ref(ValueRef<'a>),
    Owned(Value),
}

impl Evaluated<'_> {
    #[inline]
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
#[inline]
pub(crate) fn eval<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> Evaluated<'a> {
    match borrowed(expr, scope) {
        Some(value) => Evaluated::Ref(value),
        None => compute(expr, scope),
    }
}

/// True if `expr` is true; null and everything that is no bool is not.
#[inline]
pub(crate) fn test<S: Scope>(expr: &Expr, scope: &S) -> bool {
    if let Expr::Binary(op, a, b) = expr
        && let (Some(a), Some(b)) = (borrowed(a, scope), borrowed(b, scope))
        && let Some(relation) = Relation::of(*op)
    {
        return relation.holds(a, b);
    }
    test_any(expr, scope)
}

/// The value of an expression of constants.
pub(crate) fn constant(expr: &Expr) -> Value {
    eval(expr, &Nothing).into_value()
}

/// A scope without an event.
struct Nothing;

impl Scope for Nothing {}

/// What can be looked at in place.
#[inline]
fn borrowed<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> Option<ValueRef<'a>> {
    Some(match expr {
        Expr::Field(field) => scope.field(field),
        Expr::Literal(value) => value.as_ref(),
        Expr::Register(index) => scope.register(*index),
        Expr::Key(index) => scope.key(*index),
        _ => return None,
    })
}

fn test_any<S: Scope>(expr: &Expr, scope: &S) -> bool {
    match expr {
        Expr::Binary(BinaryOp::And, a, b) => test(a, scope) && test(b, scope),
        Expr::Binary(BinaryOp::Or, a, b) => test(a, scope) || test(b, scope),
        Expr::Binary(op, a, b) => {
            let Some(relation) = Relation::of(*op) else { return false };
            relation.holds(eval(a, scope).as_ref(), eval(b, scope).as_ref())
        }
        Expr::If(parts) => {
            let [condition, then, otherwise] = &**parts;
            test(if test(condition, scope) { then } else { otherwise }, scope)
        }
        _ => truth(expr, scope) == Some(true),
    }
}

/// True, false, or `None` for what is unknown: null, and everything that is no bool.
fn truth<S: Scope>(expr: &Expr, scope: &S) -> Option<bool> {
    match expr {
        Expr::Not(x) => truth(x, scope).map(|x| !x),
        Expr::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) => {
            // One side that is so decides, whatever the other is.
            let decisive = Some(*op == BinaryOp::Or);
            let a = truth(a, scope);
            if a == decisive {
                return a;
            }
            let b = truth(b, scope);
            if b == decisive || a == b { b } else { None }
        }
        Expr::Binary(op, a, b) => {
            Relation::of(*op)?.truth(eval(a, scope).as_ref(), eval(b, scope).as_ref())
        }
        Expr::In(x, set) => contains(set, eval(x, scope).as_ref(), scope),
        Expr::IsNull(x) => Some(eval(x, scope).as_ref().is_null()),
        Expr::Regex(x, regex) => match eval(x, scope).as_ref() {
            ValueRef::String(text) => Some(regex.0.is_match(text)),
            _ => None,
        },
        Expr::If(parts) => {
            let [condition, then, otherwise] = &**parts;
            truth(if test(condition, scope) { then } else { otherwise }, scope)
        }
        Expr::Neg(_) | Expr::List(_) | Expr::Record(_) => None,
        Expr::Literal(_)
        | Expr::Field(_)
        | Expr::Captured(_)
        | Expr::Aggregate(_)
        | Expr::Register(_)
        | Expr::Key(_)
        | Expr::Match(_)
        | Expr::Call(..) => match eval(expr, scope).as_ref() {
            ValueRef::Bool(value) => Some(value),
            _ => None,
        },
    }
}

fn compute<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> Evaluated<'a> {
    Evaluated::Owned(match expr {
        Expr::Literal(_) | Expr::Field(_) | Expr::Register(_) | Expr::Key(_) => {
            return Evaluated::Ref(borrowed(expr, scope).unwrap_or_default());
        }
        Expr::Captured(captured) => scope.captured(captured),
        Expr::Aggregate(aggregate) => bounded(scope.aggregate(aggregate), scope),
        Expr::Match(fact) => scope.fact(*fact),
        Expr::Not(_) | Expr::In(..) | Expr::IsNull(_) | Expr::Regex(..) => {
            truth(expr, scope).map_or(Value::Null, Value::Bool)
        }
        Expr::Neg(x) => match eval(x, scope).as_ref() {
            ValueRef::Int(i) => i.checked_neg().map_or(Value::Null, Value::Int),
            ValueRef::Float(x) => Value::Float(-x),
            ValueRef::Duration(d) => d.checked_neg().map_or(Value::Null, Value::Duration),
            _ => Value::Null,
        },
        Expr::Binary(op, a, b) => match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
                let (a, b) = (eval(a, scope), eval(b, scope));
                let value = arithmetic(*op, a.as_ref(), b.as_ref());
                if value.is_null() {
                    if divides_by_zero(*op, a.as_ref(), b.as_ref()) {
                        scope.divided_by_zero();
                    } else if *op == BinaryOp::Add
                        && let (ValueRef::String(_), ValueRef::String(_)) = (a.as_ref(), b.as_ref())
                    {
                        scope.too_large();
                    }
                }
                value
            }
            BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge
            | BinaryOp::Matches
            | BinaryOp::Like => truth(expr, scope).map_or(Value::Null, Value::Bool),
        },
        Expr::If(parts) => {
            let [condition, then, otherwise] = &**parts;
            return eval(if test(condition, scope) { then } else { otherwise }, scope);
        }
        Expr::Call(function, args) => {
            let args: SmallVec<[Evaluated<'_>; 4]> =
                args.iter().map(|arg| eval(arg, scope)).collect();
            let refs: SmallVec<[ValueRef<'_>; 4]> = args.iter().map(Evaluated::as_ref).collect();
            function.call(&refs)
        }
        Expr::List(items) => {
            let items = items.iter().map(|item| eval(item, scope).into_value());
            bounded(Value::List(items.collect()), scope)
        }
        Expr::Record(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| (name.clone(), eval(value, scope).into_value()));
            bounded(Value::Record(fields.collect()), scope)
        }
    })
}

/// The value, or null where it is too large to go on with.
fn bounded<S: Scope>(value: Value, scope: &S) -> Value {
    let mut bytes = LARGEST;
    if fits(value.as_ref(), &mut bytes, DEEPEST) {
        return value;
    }
    scope.too_large();
    Value::Null
}

/// Whether a value takes no more than `bytes`, which are counted down, and is not deeper than that.
/// Looks at no more of it.
fn fits(value: ValueRef<'_>, bytes: &mut usize, depth: u32) -> bool {
    let mut take = |size: usize| match bytes.checked_sub(size) {
        Some(rest) => {
            *bytes = rest;
            true
        }
        None => false,
    };
    match value {
        ValueRef::String(text) => take(text.len()),
        ValueRef::List(items) => {
            depth > 0
                && take(size_of_val(items))
                && items.iter().all(|item| fits(item.as_ref(), bytes, depth - 1))
        }
        ValueRef::Items(items) => {
            depth > 0
                && take(items.len().saturating_mul(size_of::<Value>()))
                && (0..items.len()).all(|index| fits(items.get(index), bytes, depth - 1))
        }
        ValueRef::Record(fields) => {
            depth > 0
                && take(size_of_val(fields))
                && fields.iter().all(|(_, value)| fits(value.as_ref(), bytes, depth - 1))
        }
        _ => true,
    }
}

/// The float that an integer is, if no other integer is close to it.
#[inline(always)]
pub(crate) fn float_of(int: i64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    #[expect(clippy::cast_precision_loss, reason = "there is none up to 2^53")]
    (int.unsigned_abs() <= EXACT).then_some(int as f64)
}

/// The order of two values as a bit: less, equal, greater. 0 for what has none.
#[inline(always)]
pub(crate) fn order_of<T: Copy + PartialOrd>(a: T, b: T) -> u8 {
    u8::from(a < b) | u8::from(a == b) << 1 | u8::from(a > b) << 2
}

/// An operator that gives a bool.
///
/// Its number has a bit for each order in which it holds: less, equal, greater.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Relation {
    Lt = 0b001,
    Eq = 0b010,
    Le = 0b011,
    Gt = 0b100,
    Ne = 0b101,
    Ge = 0b110,
    Like = 0,
}

impl Relation {
    #[inline]
    pub(crate) fn of(op: BinaryOp) -> Option<Relation> {
        Some(match op {
            BinaryOp::Eq => Relation::Eq,
            BinaryOp::Ne => Relation::Ne,
            BinaryOp::Lt => Relation::Lt,
            BinaryOp::Le => Relation::Le,
            BinaryOp::Gt => Relation::Gt,
            BinaryOp::Ge => Relation::Ge,
            BinaryOp::Like => Relation::Like,
            _ => return None,
        })
    }

    /// The same with its sides swapped, where there is such.
    pub(crate) fn flipped(self) -> Option<Relation> {
        Some(match self {
            Relation::Eq | Relation::Ne => self,
            Relation::Lt => Relation::Gt,
            Relation::Le => Relation::Ge,
            Relation::Gt => Relation::Lt,
            Relation::Ge => Relation::Le,
            Relation::Like => return None,
        })
    }

    #[inline(always)]
    pub(crate) fn holds(self, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
        match (a, b) {
            (ValueRef::Int(a), ValueRef::Int(b)) => self.of_ordered(a, b),
            (ValueRef::Float(a), ValueRef::Float(b)) => self.of_ordered(a, b),
            (ValueRef::Float(float), ValueRef::Int(int)) => match float_of(int) {
                Some(int) => self.of_ordered(float, int),
                None => self.of_other(a, b),
            },
            (ValueRef::String(a), ValueRef::String(b)) => match self {
                Relation::Eq => a == b,
                Relation::Ne => a != b,
                Relation::Like => like(a, b),
                Relation::Lt | Relation::Le | Relation::Gt | Relation::Ge => {
                    self.of_ordered(a.cmp(b), Ordering::Equal)
                }
            },
            _ => self.of_other(a, b),
        }
    }

    /// True or false, or `None` where the values do not compare so: what is unknown.
    pub(crate) fn truth(self, a: ValueRef<'_>, b: ValueRef<'_>) -> Option<bool> {
        if self.holds(a, b) {
            return Some(true);
        }
        let compares = match (a, b) {
            (ValueRef::String(_), ValueRef::String(_)) => true,
            _ if self == Relation::Like => false,
            (ValueRef::List(_) | ValueRef::Items(_), ValueRef::List(_) | ValueRef::Items(_))
            | (ValueRef::Record(_), ValueRef::Record(_)) => {
                matches!(self, Relation::Eq | Relation::Ne)
            }
            _ => a.compare(b).is_some(),
        };
        compares.then_some(false)
    }

    /// Whether it holds between what has an order. NaN compares with nothing, not even under `!=`.
    #[inline(always)]
    pub(crate) fn of_ordered<T: Copy + PartialOrd>(self, a: T, b: T) -> bool {
        self.holds_in(order_of(a, b))
    }

    /// Whether it holds between what is in this [order](order_of).
    #[inline(always)]
    pub(crate) fn holds_in(self, order: u8) -> bool {
        self as u8 & order != 0
    }

    fn of_other(self, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
        match (a, b) {
            // Lists and records have no order, but they are equal or not.
            (ValueRef::List(_) | ValueRef::Items(_), ValueRef::List(_) | ValueRef::Items(_)) => {
                match self {
                    Relation::Eq => a.compare(b) == Some(Ordering::Equal),
                    Relation::Ne => a.compare(b) != Some(Ordering::Equal),
                    _ => false,
                }
            }
            (ValueRef::Record(a), ValueRef::Record(b)) => match self {
                Relation::Eq => a == b,
                Relation::Ne => a != b,
                _ => false,
            },
            _ => match a.compare(b) {
                Some(ordering) => self.of_ordered(ordering, Ordering::Equal),
                None => false,
            },
        }
    }
}

/// Whether a list has an item that equals `value`: `value == a or value == b or ..`. So it is unknown
/// where none does and one does not compare, as null does not.
pub(crate) fn has_item<'i>(
    mut items: impl Iterator<Item = ValueRef<'i>>,
    value: ValueRef<'_>,
) -> Option<bool> {
    let mut found = Some(false);
    let is_there = items.any(|item| {
        let equal = Relation::Eq.truth(item, value);
        if equal.is_none() {
            found = None;
        }
        equal == Some(true)
    });
    if is_there { Some(true) } else { found }
}

/// The same for a value that may be a list; nothing is known of others.
pub(crate) fn list_has(list: ValueRef<'_>, value: ValueRef<'_>) -> Option<bool> {
    has_item(list.as_list()?.iter(), value)
}

fn contains<S: Scope>(set: &Set, value: ValueRef<'_>, scope: &S) -> Option<bool> {
    match set {
        Set::Values(values) => values.truth(value),
        Set::Range(low, high) => {
            let above = Relation::Ge.truth(value, eval(low, scope).as_ref());
            if above == Some(false) {
                return above;
            }
            let below = Relation::Le.truth(value, eval(high, scope).as_ref());
            if below == Some(false) { below } else { above.and(below) }
        }
        Set::Expr(Expr::Register(index)) => scope.register_has(*index, value),
        Set::Expr(list) => list_has(eval(list, scope).as_ref(), value),
    }
}

/// Whether `a op b` is null because `b` is zero.
#[cold]
fn divides_by_zero(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    let divides = Kind::NUMBER.or(Kind::DURATION);
    let zero = match b {
        ValueRef::Int(b) | ValueRef::Duration(b) => b == 0,
        ValueRef::Float(b) => b == 0.0,
        _ => false,
    };
    zero && matches!(op, BinaryOp::Div | BinaryOp::Rem) && a.kind().is_subset_of(divides)
}

/// `a op b` for an arithmetic operator. Integers stay integers except under `/`, which gives a
/// float. Null where a result would overflow or be too large, is no number, or where the types don't
/// go together.
pub(crate) fn arithmetic(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> Value {
    use ValueRef::{Duration, Float, Int, String, Time};
    match (a, b) {
        (Int(a), Int(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Rem => a.checked_rem(b),
                _ => return float_arithmetic(op, Int(a).as_f64(), Int(b).as_f64()),
            };
            result.map_or(Value::Null, Value::Int)
        }
        (Int(_) | Float(_), Int(_) | Float(_)) => float_arithmetic(op, a.as_f64(), b.as_f64()),
        (String(a), String(b)) if op == BinaryOp::Add => {
            if a.len().saturating_add(b.len()) > LARGEST {
                return Value::Null;
            }
            let mut text = std::string::String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Value::String(Arc::from(text))
        }
        (Time(a), Time(b)) if op == BinaryOp::Sub => {
            a.as_millis().checked_sub(b.as_millis()).map_or(Value::Null, Value::Duration)
        }
        (Time(a), Duration(b)) => {
            let result = match op {
                BinaryOp::Add => a.as_millis().checked_add(b),
                BinaryOp::Sub => a.as_millis().checked_sub(b),
                _ => None,
            };
            result.map_or(Value::Null, |t| Value::Time(Timestamp::from_millis(t)))
        }
        (Duration(a), Time(b)) if op == BinaryOp::Add => a
            .checked_add(b.as_millis())
            .map_or(Value::Null, |t| Value::Time(Timestamp::from_millis(t))),
        (Duration(a), Duration(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Rem => a.checked_rem(b),
                BinaryOp::Div => return float_arithmetic(op, Int(a).as_f64(), Int(b).as_f64()),
                _ => None,
            };
            result.map_or(Value::Null, Value::Duration)
        }
        (Duration(a), Int(b)) => {
            let result = match op {
                BinaryOp::Mul => a.checked_mul(b),
                BinaryOp::Div => a.checked_div(b),
                _ => None,
            };
            result.map_or(Value::Null, Value::Duration)
        }
        (Duration(a), Float(b)) if matches!(op, BinaryOp::Mul | BinaryOp::Div) => {
            match float_arithmetic(op, Int(a).as_f64(), Some(b)) {
                Value::Float(millis) => to_int(millis).map_or(Value::Null, Value::Duration),
                _ => Value::Null,
            }
        }
        (Int(_) | Float(_), Duration(_)) if op == BinaryOp::Mul => arithmetic(op, b, a),
        _ => Value::Null,
    }
}

fn float_arithmetic(op: BinaryOp, a: Option<f64>, b: Option<f64>) -> Value {
    let (Some(a), Some(b)) = (a, b) else { return Value::Null };
    // Division by zero comes out infinite or as NaN.
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a % b,
        _ => f64::NAN,
    };
    if result.is_finite() { Value::Float(result) } else { Value::Null }
}

/// The nearest integer, where there is one.
pub(crate) fn to_int(x: f64) -> Option<i64> {
    int_part(x.round())
}

/// Whether `text` fits `pattern`, in which `*` stands for any text and `?` for any one character.
fn like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Behind the last `*`, and how much of the text it does not swallow.
    let mut retry = None;
    loop {
        let before = text.clone();
        match pattern.next() {
            Some('*') => {
                retry = Some((before.clone(), pattern.clone()));
                text = before;
                continue;
            }
            Some(wanted) => {
                if let Some(found) = text.next()
                    && (wanted == '?' || wanted == found)
                {
                    continue;
                }
            }
            None if before.as_str().is_empty() => return true,
            None => {}
        }
        let Some((rest, after_star)) = &mut retry else { return false };
        if rest.next().is_none() {
            return false;
        }
        (text, pattern) = (rest.clone(), after_star.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hir::expr::{Regex, ValueSet};
    use crate::schema::FieldId;

    /// A candidate event of these fields, and these registers.
    struct Fixed(Vec<Value>, Vec<Value>);

    impl Scope for Fixed {
        fn field(&self, field: &FieldRef) -> ValueRef<'_> {
            match field {
                FieldRef::Declared(id) => self.0[id.index()].as_ref(),
                _ => ValueRef::Null,
            }
        }
        fn captured(&self, _: &Captured) -> Value {
            Value::from("captured")
        }
        fn aggregate(&self, _: &Aggregate) -> Value {
            Value::from("aggregate")
        }
        fn register(&self, index: usize) -> ValueRef<'_> {
            self.1[index].as_ref()
        }
        fn key(&self, _: usize) -> ValueRef<'_> {
            ValueRef::String("key")
        }
        fn fact(&self, _: MatchFact) -> Value {
            Value::from("fact")
        }
    }

    fn lit(value: impl Into<Value>) -> Expr {
        Expr::Literal(value.into())
    }

    fn binary(op: BinaryOp, a: &Value, b: &Value) -> Value {
        let expr = Expr::Binary(op, Box::new(lit(a.clone())), Box::new(lit(b.clone())));
        eval(&expr, &Fixed(vec![], vec![])).into_value()
    }

    #[test]
    fn what_is_too_large_is_null_and_noted() {
        struct Noting(std::cell::Cell<u32>);
        impl Scope for Noting {
            fn too_large(&self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let half = lit("x".repeat(LARGEST / 2));
        let add = |a: &Expr, b| Expr::Binary(BinaryOp::Add, Box::new(a.clone()), Box::new(b));
        let twice = add(&half, half.clone());
        let nested = |levels| (0..levels).fold(lit(1), |inner, _| Expr::List(vec![inner]));
        // Small, but not to be written out: each level holds the one below twice.
        let mut wide = Value::Int(1);
        for _ in 0..40 {
            wide = Value::List(Arc::from([wide.clone(), wide]));
        }
        for (expr, is_made) in [
            (twice.clone(), true),
            (add(&twice, lit("y")), false),
            (Expr::List(vec![half.clone()]), true),
            (Expr::List(vec![half.clone(), half.clone()]), false),
            (Expr::Record(vec![("a".into(), twice)]), false),
            (nested(DEEPEST), true),
            (nested(DEEPEST + 1), false),
            (Expr::Record(vec![("a".into(), nested(DEEPEST))]), false),
            (Expr::List(vec![lit(wide)]), false),
        ] {
            let scope = Noting(0.into());
            assert_eq!(!eval(&expr, &scope).as_ref().is_null(), is_made);
            assert_eq!(scope.0.get(), u32::from(!is_made));
        }
    }

    #[test]
    fn operators_give_what_the_language_says() {
        use BinaryOp::{Add, And, Div, Eq, Ge, Le, Like, Lt, Mul, Ne, Or, Rem, Sub};
        let null = &Value::Null;
        let (t, f) = (&Value::Bool(true), &Value::Bool(false));
        let (one, two, max) = (&Value::Int(1), &Value::Int(2), &Value::Int(i64::MAX));
        let (half, zero, nan) = (&Value::Float(0.5), &Value::Int(0), &Value::Float(f64::NAN));
        let (text, other) = (&Value::from("ab"), &Value::from("b"));
        let span = &Value::Duration(1500);
        let time = &Value::Time(Timestamp::from_millis(10_000));
        let later = &Value::Time(Timestamp::from_millis(12_000));
        let end = &Value::Time(Timestamp::MAX);
        let list = &Value::List(Arc::from([Value::Int(1)]));
        let floats = &Value::List(Arc::from([Value::Float(1.0)]));
        let empty = &Value::List(Arc::from([]));
        let cases = [
            (one, Eq, one, "true"),
            (one, Ne, two, "true"),
            (one, Lt, half, "false"),
            (null, Eq, null, "null"),
            (null, Ne, one, "null"),
            (nan, Ne, one, "null"),
            (nan, Ne, half, "null"),
            (text, Ne, one, "null"),
            (text, Ne, other, "true"),
            (text, Lt, other, "true"),
            (time, Le, later, "true"),
            (list, Eq, floats, "true"),
            (list, Ne, floats, "false"),
            (list, Ne, empty, "true"),
            (list, Ge, list, "null"),
            (null, And, t, "null"),
            (null, And, f, "false"),
            (f, And, null, "false"),
            (null, Or, t, "true"),
            (null, Or, f, "null"),
            (t, Or, null, "true"),
            (f, Or, null, "null"),
            (one, Add, two, "3"),
            (one, Add, half, "1.5"),
            (max, Add, one, "null"),
            (max, Mul, two, "null"),
            (one, Add, null, "null"),
            (one, Div, two, "0.5"),
            (one, Div, zero, "null"),
            (half, Div, zero, "null"),
            (two, Rem, zero, "null"),
            (half, Rem, zero, "null"),
            (max, Rem, two, "1"),
            (text, Add, other, "\"abb\""),
            (text, Sub, other, "null"),
            (later, Sub, time, "2s"),
            (later, Add, time, "null"),
            (time, Add, span, "1970-01-01T00:00:11.500Z"),
            (span, Add, time, "1970-01-01T00:00:11.500Z"),
            (time, Sub, span, "1970-01-01T00:00:08.500Z"),
            (end, Add, span, "null"),
            (span, Mul, two, "3s"),
            (half, Mul, span, "750ms"),
            (span, Div, two, "750ms"),
            (span, Div, zero, "null"),
            (span, Div, half, "3s"),
            (span, Div, span, "1.0"),
            (span, Sub, span, "0s"),
            (text, Like, other, "false"),
            (text, Like, one, "null"),
            (null, Like, text, "null"),
        ];
        for (a, op, b, expected) in cases {
            assert_eq!(binary(op, a, b).to_string(), expected, "{a} {} {b}", op.as_str());
        }
    }

    #[test]
    fn like_knows_stars_and_question_marks() {
        for (text, pattern, expected) in [
            ("cmd.exe", "*.exe", true),
            ("cmd.exe.txt", "*.exe", false),
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("", "?", false),
            ("a.exe.exe", "*.exe", true),
            ("aXbXc", "a*X?", true),
            ("aXbXc", "a*b*d", false),
            ("stra\u{df}e", "stra?e", true),
            ("*", "\u{2a}", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "a*a*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }

    #[test]
    fn expressions_see_fields_registers_and_the_match() {
        let scope = Fixed(vec![Value::Int(7), Value::from("10.1.2.3")], vec![Value::Int(3)]);
        let field = |i| Box::new(Expr::Field(FieldRef::Declared(FieldId::new(i))));
        let gt = Expr::Binary(BinaryOp::Gt, field(0), Box::new(Expr::Register(0)));
        let mut networks = ValueSet::default();
        networks.insert(&Value::Float(7.0));
        networks.insert_network("10.0.0.0".parse().unwrap(), 8);
        let networks = Arc::new(networks);
        let address = Box::new(lit(Value::Ip("10.1.2.3".parse().unwrap())));
        let regex = Arc::new(Regex(regex::Regex::new("^1.*3$").unwrap()));
        let cases = [
            (gt.clone(), "true"),
            (Expr::Not(Box::new(gt.clone())), "false"),
            (Expr::Not(Box::new(lit(Value::Null))), "null"),
            (Expr::Not(field(0)), "null"),
            (Expr::Neg(field(0)), "-7"),
            (Expr::Neg(Box::new(lit(i64::MIN))), "null"),
            (Expr::In(field(0), Box::new(Set::Range(lit(7), lit(8)))), "true"),
            (Expr::In(field(0), Box::new(Set::Range(lit(8), lit(9)))), "false"),
            (Expr::In(field(0), Box::new(Set::Values(networks.clone()))), "true"),
            (Expr::In(address, Box::new(Set::Values(networks))), "true"),
            (Expr::In(field(0), Box::new(Set::Expr(Expr::List(vec![lit(1), lit(7.0)])))), "true"),
            (Expr::In(field(0), Box::new(Set::Expr(lit(Value::Null)))), "null"),
            (Expr::IsNull(Box::new(lit(Value::Null))), "true"),
            (Expr::Regex(field(1), regex.clone()), "true"),
            (Expr::Regex(field(0), regex), "null"),
            (Expr::If(Box::new([gt, lit(1), lit(2)])), "1"),
            (Expr::List(vec![*field(0), Expr::Key(0)]), "[7, \"key\"]"),
            (Expr::Record(vec![("a".into(), Expr::Match(MatchFact::Id))]), "{ a: \"fact\" }"),
        ];
        for (expr, expected) in cases {
            let value = eval(&expr, &scope).into_value();
            assert_eq!(value.to_string(), expected, "{expr:?}");
            assert_eq!(test(&expr, &scope), expected == "true", "{expr:?}");
        }
    }
}
