//! Evaluation of [`Expr`]essions. Where names lead is the [`Scope`]'s business.
//!
//! Nothing here allocates but what makes new text, lists and records.
//!
//! Logic has three values, as Kleene's has: true, false, and null for what is unknown. What
//! compares or looks up null, or values that do not compare, is null; `not`, `and` and `or` are
//! null where the unknown part decides. So `not (a == b)` is always `a != b`. A condition holds
//! where it is true.

mod arithmetic;
mod relation;
mod scope;
mod size;

use std::borrow::Cow;

use smallvec::SmallVec;

pub(crate) use self::arithmetic::arithmetic;
use self::arithmetic::divides_by_zero;
pub use self::relation::{Relation, float_of, has_item, list_has, order_of};
pub use self::scope::Scope;
pub use self::size::LARGEST;
use self::size::bounded;
use crate::hir::Expr;
use crate::hir::expr::{BinaryOp, ItemQuantifier, Regex, Set, TextPatterns};
use crate::hir::text::fold;
use kleene_event::value::{Value, ValueCow, ValueRef};

/// The value of `expr`, borrowed where possible. Never panics, never fails: what cannot be computed
/// is null.
#[inline]
pub fn eval<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> ValueCow<'a> {
    match borrowed(expr, scope) {
        Some(value) => ValueCow::Borrowed(value),
        None => compute(expr, scope),
    }
}

/// True if `expr` is true; null and everything that is no bool is not.
#[inline]
pub fn test<S: Scope>(expr: &Expr, scope: &S) -> bool {
    if let Expr::Binary(op, a, b) = expr
        && let (Some(a), Some(b)) = (borrowed(a, scope), borrowed(b, scope))
        && let Some(relation) = Relation::of(*op)
    {
        return relation.holds(a, b);
    }
    test_any(expr, scope)
}

/// The value of an expression of constants.
pub fn constant(expr: &Expr) -> Value {
    eval(expr, &Nothing).into_owned()
}

/// A scope without an event.
struct Nothing;

impl Scope for Nothing {}

/// Returns the value without a copy, if the expression refers to one.
#[inline]
fn borrowed<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> Option<ValueRef<'a>> {
    Some(match expr {
        Expr::Field(field) => scope.field(field),
        Expr::Literal(value) => value.as_ref(),
        Expr::Register(index) => scope.register(*index),
        Expr::Key(index) => scope.key(*index),
        Expr::StepKey(test) => ValueRef::Bool(scope.has_step_key(test.variant)),
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
        Expr::IsTrue(x) => Some(test(x, scope)),
        Expr::Regex(x, regex) => matches(regex, eval(x, scope).as_ref()),
        Expr::Fits(x, patterns) => fits(patterns, eval(x, scope).as_ref()),
        Expr::Items(of, list, test) => items_truth(*of, list, test, scope),
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
        | Expr::StepKey(_)
        | Expr::Match(_)
        | Expr::Matches(_)
        | Expr::Fold(_)
        | Expr::Item
        | Expr::Call(..) => match eval(expr, scope).as_ref() {
            ValueRef::Bool(value) => Some(value),
            _ => None,
        },
    }
}

fn compute<'a, S: Scope>(expr: &'a Expr, scope: &'a S) -> ValueCow<'a> {
    ValueCow::Owned(match expr {
        Expr::Literal(_) | Expr::Field(_) | Expr::Register(_) | Expr::Key(_) | Expr::StepKey(_) => {
            return ValueCow::Borrowed(borrowed(expr, scope).unwrap_or_default());
        }
        Expr::Captured(captured) => scope.captured(captured),
        Expr::Aggregate(aggregate) => bounded(scope.aggregate(aggregate), scope),
        Expr::Match(fact) => scope.fact(*fact),
        Expr::Matches(fact) => scope.of_matches(*fact),
        Expr::Not(_)
        | Expr::In(..)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::Regex(..)
        | Expr::Fits(..)
        | Expr::Items(..) => truth(expr, scope).map_or(Value::Null, Value::Bool),
        Expr::Fold(x) => return folded(eval(x, scope)),
        // It has a value in the test of the items alone.
        Expr::Item => Value::Null,
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
            | BinaryOp::NotMatches
            | BinaryOp::Like
            | BinaryOp::NotLike => truth(expr, scope).map_or(Value::Null, Value::Bool),
        },
        Expr::If(parts) => {
            let [condition, then, otherwise] = &**parts;
            return eval(if test(condition, scope) { then } else { otherwise }, scope);
        }
        Expr::Call(function, args) => {
            let args: SmallVec<[ValueCow<'_>; 4]> =
                args.iter().map(|arg| eval(arg, scope)).collect();
            let refs: SmallVec<[ValueRef<'_>; 4]> = args.iter().map(ValueCow::as_ref).collect();
            function.call(&refs)
        }
        Expr::List(items) => {
            let items = items.iter().map(|item| eval(item, scope).into_owned());
            bounded(Value::List(items.collect()), scope)
        }
        Expr::Record(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| (name.clone(), eval(value, scope).into_owned()));
            bounded(Value::Record(fields.collect()), scope)
        }
    })
}

/// True if the test holds for any or all items of a list: the items' answers joined by `or` or by
/// `and`. `None` for what is no list.
fn items_truth<S: Scope>(of: ItemQuantifier, list: &Expr, test: &Expr, scope: &S) -> Option<bool> {
    let list = eval(list, scope);
    let is_any = of == ItemQuantifier::Any;
    let mut answer = Some(!is_any);
    for item in list.as_ref().as_list()?.iter() {
        match item_truth(test, item, scope) {
            Some(found) if found == is_any => return Some(found),
            Some(_) => {}
            None => answer = None,
        }
    }
    answer
}

/// Returns the [`truth`] of a test in which `item` stands for an item. A test is one comparison, as
/// the checker makes it.
fn item_truth<S: Scope>(test: &Expr, item: ValueRef<'_>, scope: &S) -> Option<bool> {
    match test {
        Expr::Not(x) => item_truth(x, item, scope).map(|x| !x),
        Expr::IsTrue(x) => Some(item_truth(x, item, scope) == Some(true)),
        // What is in a list with a null is true or null.
        Expr::Binary(BinaryOp::Or, a, b) => match item_truth(a, item, scope) {
            Some(false) => truth(b, scope),
            a => a,
        },
        Expr::Binary(op, a, b) => {
            let a = item_value(a, item, scope);
            Relation::of(*op)?.truth(a.as_ref(), eval(b, scope).as_ref())
        }
        Expr::In(x, set) => contains(set, item_value(x, item, scope).as_ref(), scope),
        Expr::IsNull(x) => Some(item_value(x, item, scope).as_ref().is_null()),
        Expr::Regex(x, regex) => matches(regex, item_value(x, item, scope).as_ref()),
        Expr::Fits(x, patterns) => fits(patterns, item_value(x, item, scope).as_ref()),
        Expr::Item => match item {
            ValueRef::Bool(value) => Some(value),
            _ => None,
        },
        _ => truth(test, scope),
    }
}

/// The value of the left side of a test of items.
fn item_value<'a, S: Scope>(expr: &'a Expr, item: ValueRef<'a>, scope: &'a S) -> ValueCow<'a> {
    match expr {
        Expr::Item => ValueCow::Borrowed(item),
        Expr::Fold(x) => folded(item_value(x, item, scope)),
        _ => eval(expr, scope),
    }
}

/// Returns a text, or a list of texts, in one case; other values as they are.
fn folded(value: ValueCow<'_>) -> ValueCow<'_> {
    let new = match value.as_ref() {
        ValueRef::String(text) => match fold(text) {
            Cow::Borrowed(_) => return value,
            Cow::Owned(text) => Value::from(text),
        },
        list => match list.as_list() {
            Some(list) => {
                let item = |item| folded(ValueCow::Borrowed(item)).into_owned();
                Value::List(list.iter().map(item).collect())
            }
            None => return value,
        },
    };
    ValueCow::Owned(new)
}

/// True if a regular expression is found in a text; `None` for what is no text.
fn matches(regex: &Regex, value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::String(text) => Some(regex.is_match(text)),
        _ => None,
    }
}

/// True if a text fits one of the patterns; `None` for what is no text, if there is a pattern.
fn fits(patterns: &TextPatterns, value: ValueRef<'_>) -> Option<bool> {
    match value {
        ValueRef::String(text) => Some(patterns.fits(text)),
        _ if patterns.texts().is_empty() => Some(false),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::size::DEEPEST;
    use super::*;
    use crate::hir::expr::{
        Aggregate, CapturedField, FieldRef, MatchFact, Regex, TextCase, ValueSet,
    };
    use kleene_event::schema::FieldId;
    use kleene_event::time::Timestamp;

    /// A candidate event of these fields, and these registers.
    struct Fixed(Vec<Value>, Vec<Value>);

    impl Scope for Fixed {
        fn field(&self, field: &FieldRef) -> ValueRef<'_> {
            match field {
                FieldRef::Declared(id) => self.0[id.index()].as_ref(),
                _ => ValueRef::Null,
            }
        }
        fn captured(&self, _: &CapturedField) -> Value {
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
        eval(&expr, &Fixed(vec![], vec![])).into_owned()
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
    fn expressions_see_fields_registers_and_the_match() {
        let scope = Fixed(vec![Value::Int(7), Value::from("10.1.2.3")], vec![Value::Int(3)]);
        let field = |i| Box::new(Expr::Field(FieldRef::Declared(FieldId::new(i))));
        let gt = Expr::Binary(BinaryOp::Gt, field(0), Box::new(Expr::Register(0)));
        let mut networks = ValueSet::default();
        networks.insert(&Value::Float(7.0));
        networks.insert_network("10.0.0.0".parse().unwrap(), 8);
        let networks = Arc::new(networks);
        let address = Box::new(lit(Value::Ip("10.1.2.3".parse().unwrap())));
        let regex = Arc::new(Regex::new("^1.*3$", TextCase::Exact).unwrap());
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
            let value = eval(&expr, &scope).into_owned();
            assert_eq!(value.to_string(), expected, "{expr:?}");
            assert_eq!(test(&expr, &scope), expected == "true", "{expr:?}");
        }
    }
}
