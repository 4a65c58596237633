//! Which of many rules can start with an event, and of which it can move on what they have open.
//! Looking it up costs a few look-ups for an event, not one for each rule.
//!
//! Of each rule one thing is looked up that must hold where it starts or moves: that an expression over the
//! event (`item`, `item % 1000`, `lower(name)`) has a certain value or is in a range. Each different
//! expression is evaluated once for an event. What is found can be too much, since a rule looks at
//! its conditions itself; it is never too little.

mod moves;
mod ranges;
mod starts;
#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use crate::event::Event;
use crate::exec::field_of;
use crate::hir::Expr;
use crate::hir::eval::{self, Scope};
use crate::hir::expr::{FieldRef, normal};
use crate::stream::dispatch::index::ranges::{Between, Ranges};
use crate::stream::dispatch::index::starts::{Atom, Clause};
use crate::value::{Kind, Same, Value, ValueRef};

pub(in crate::stream) use starts::When;

/// With fewer rules than this it costs less to ask all of them.
const FEW: usize = 4;

/// What counts as many rules that are asked in vain.
const UNSELECTIVE: usize = 1000;

/// A rule, and which of the keys of an event is its.
pub(in crate::stream) type Subscription = (u32, u32);

/// A rule that an event is given to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::stream) struct Found {
    pub(in crate::stream) rule: u32,
    /// Which of the keys of the event is its.
    pub(in crate::stream) place: u32,
    /// Whether it is not for what was looked up of it, that it can start with the event.
    pub(in crate::stream) for_else: bool,
}

/// The rules of one event type that need not see each event.
#[derive(Debug)]
pub(in crate::stream) struct Index {
    columns: Vec<Column>,
}

/// What is asked of one expression.
#[derive(Debug, Default)]
struct Column {
    expr: Option<Expr>,
    /// In the order of rules.
    equal: HashMap<Value, Vec<Subscription>>,
    /// One for each sort of values that compare with each other.
    ranges: Vec<Ranges<Subscription>>,
}

impl Index {
    /// An index by what `when` says of each rule, where one helps. Rules that it knows are taken out
    /// of `rules`, where those stay for which nothing has to hold.
    pub(in crate::stream) fn new<'p>(
        rules: &mut Vec<Subscription>,
        mut when: impl FnMut(u32) -> When<'p>,
    ) -> Option<Index> {
        if rules.len() < FEW {
            return None;
        }
        let mut known = Vec::new();
        rules.retain(|subscription| match when(subscription.0) {
            When::Always => true,
            When::If(ways) => {
                known.push((*subscription, ways));
                false
            }
        });
        if known.is_empty() {
            return None;
        }
        let mut survey = Survey::default();
        for atom in known.iter().flat_map(|(_, ways)| ways.iter().flatten().flatten()) {
            survey.add(atom);
        }
        let mut drafts: Vec<Draft> = Vec::new();
        for (subscription, ways) in &known {
            for way in ways {
                let best = way.iter().min_by_key(|clause| survey.expected(clause));
                for atom in best.into_iter().flatten() {
                    let column = survey.column(atom.expr());
                    drafts.resize_with(drafts.len().max(column + 1), Draft::default);
                    drafts[column].add(atom.clone(), *subscription);
                }
            }
        }
        let columns = drafts.into_iter().map(Draft::finish);
        Some(Index { columns: columns.filter(|column| column.expr.is_some()).collect() })
    }

    /// Gives `each` the rules that an event is for, some at a time, of which some may come more than
    /// once.
    pub(in crate::stream) fn find<E: Event>(
        &self,
        event: &E,
        each: &mut impl FnMut(&[Subscription]),
    ) {
        let event = OfEvent(event);
        for column in &self.columns {
            let Some(expr) = &column.expr else { continue };
            let value = eval::eval(expr, &event);
            let value = value.as_ref();
            if value.is_null() {
                continue;
            }
            if let Some(subscriptions) = column.equal.get(&Same(normal(value))) {
                each(subscriptions);
            }
            for ranges in &column.ranges {
                ranges.find(value, &mut |subscription| each(std::slice::from_ref(subscription)));
            }
        }
    }
}

/// How often what is asked.
#[derive(Default)]
struct Survey<'a> {
    columns: HashMap<SameExpr<'a>, usize>,
    /// By column and value.
    equal: HashMap<(usize, Value), usize>,
    /// By column.
    ranges: HashMap<usize, usize>,
}

impl<'a> Survey<'a> {
    fn column(&mut self, expr: &'a Expr) -> usize {
        let next = self.columns.len();
        *self.columns.entry(SameExpr(expr)).or_insert(next)
    }

    fn add(&mut self, atom: &'a Atom<'_>) {
        let column = self.column(atom.expr());
        *match atom {
            Atom::Equal(_, value) => self.equal.entry((column, value.clone())).or_default(),
            Atom::Between(..) => self.ranges.entry(column).or_default(),
        } += 1;
    }

    /// To how many rules one leads in vain, about, that are looked up by this clause.
    fn expected(&mut self, clause: &'a Clause<'_>) -> usize {
        let of_atom = |atom: &'a Atom<'_>| {
            let column = self.column(atom.expr());
            match atom {
                // Half of all events, perhaps.
                Atom::Equal(_, Value::Bool(_)) => UNSELECTIVE,
                Atom::Equal(_, value) => {
                    self.equal.get(&(column, value.clone())).copied().unwrap_or_default()
                }
                Atom::Between(_, low, high) => {
                    let ranges = self.ranges.get(&column).copied().unwrap_or_default();
                    1 + ranges / if low.is_some() && high.is_some() { 4 } else { 2 }
                }
            }
        };
        clause.iter().map(of_atom).sum()
    }
}

/// A column that is being made.
#[derive(Default)]
struct Draft {
    expr: Option<Expr>,
    equal: HashMap<Value, Vec<Subscription>>,
    ranges: Vec<(Kind, Vec<Between<Subscription>>)>,
}

impl Draft {
    fn add(&mut self, atom: Atom<'_>, subscription: Subscription) {
        self.expr.get_or_insert_with(|| atom.expr().clone());
        match atom {
            Atom::Equal(_, value) => self.equal.entry(value).or_default().push(subscription),
            Atom::Between(_, low, high) => {
                // Where the ends do not compare with anything, nothing is in between.
                let (from, to) = (low.as_ref().map(sort), high.as_ref().map(sort));
                let Some(kind) = from.or(to).filter(|kind| *kind != Kind::NULL) else { return };
                if from.is_some_and(|from| to.is_some_and(|to| from != to)) {
                    return;
                }
                let of_kind = self.ranges.iter_mut().find(|(other, _)| *other == kind);
                match of_kind {
                    Some((_, ranges)) => ranges.push((low, high, subscription)),
                    None => self.ranges.push((kind, vec![(low, high, subscription)])),
                }
            }
        }
    }

    fn finish(self) -> Column {
        let ranges = self.ranges.into_iter().map(|(_, ranges)| Ranges::new(ranges)).collect();
        Column { expr: self.expr, equal: self.equal, ranges }
    }
}

/// Values of one sort compare with each other; null stands for what compares with nothing.
fn sort(value: &Value) -> Kind {
    match value {
        Value::Float(x) if x.is_nan() => Kind::NULL,
        Value::Int(_) | Value::Float(_) => Kind::NUMBER,
        Value::List(_) | Value::Record(_) => Kind::NULL,
        other => other.kind(),
    }
}

/// An expression that is the same as others that read the same from an event.
struct SameExpr<'a>(&'a Expr);

impl PartialEq for SameExpr<'_> {
    fn eq(&self, other: &Self) -> bool {
        let all = |a: &[Expr], b: &[Expr]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| SameExpr(a) == SameExpr(b))
        };
        match (self.0, other.0) {
            (Expr::Literal(a), Expr::Literal(b)) => a == b,
            (Expr::Field(a), Expr::Field(b)) => a == b,
            (Expr::Neg(a), Expr::Neg(b)) => SameExpr(a) == SameExpr(b),
            (Expr::Binary(op, a, b), Expr::Binary(other, c, d)) => {
                op == other && SameExpr(a) == SameExpr(c) && SameExpr(b) == SameExpr(d)
            }
            (Expr::Call(a, c), Expr::Call(b, d)) => a.name() == b.name() && all(c, d),
            _ => false,
        }
    }
}

impl Eq for SameExpr<'_> {}

impl Hash for SameExpr<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Expr::Literal(value) => value.hash(state),
            Expr::Field(FieldRef::Declared(id)) => id.hash(state),
            Expr::Field(FieldRef::Dynamic(path)) => path.hash(state),
            Expr::Neg(x) => SameExpr(x).hash(state),
            Expr::Binary(_, a, b) => {
                SameExpr(a).hash(state);
                SameExpr(b).hash(state);
            }
            Expr::Call(callee, args) => {
                callee.name().hash(state);
                for arg in args {
                    SameExpr(arg).hash(state);
                }
            }
            _ => {}
        }
    }
}

/// An event alone.
struct OfEvent<'a, E>(&'a E);

impl<E: Event> Scope for OfEvent<'_, E> {
    #[inline]
    fn field(&self, field: &FieldRef) -> ValueRef<'_> {
        field_of(self.0, field)
    }
}
