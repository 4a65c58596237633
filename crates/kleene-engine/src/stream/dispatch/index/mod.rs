//! The index of rules: the rules that an event can start, and those whose open state it can
//! advance.
//!
//! When it applies: at least [`FEW`] rules read the events of a type.
//!
//! Why it is right: the index holds one necessary condition of each rule, that an expression over
//! the event (`item`, `item % 1000`, `lower(name)`) has a certain value or is in a range. The index
//! may find too many rules, since a rule tests its conditions itself. It never finds too few.
//!
//! What it saves: an event costs a few lookups, not one test for each rule. Each different
//! expression is evaluated once for an event. Without it, W8 with 100 rules takes 38 times the
//! instructions (docs/performance.md).
//!
//! Which test holds it: `the_index_changes_nothing` in `tests/many_rules.rs` compares random rules
//! with and without the index.

mod moves;
mod ranges;
mod same_expr;
mod starts;
#[cfg(test)]
mod tests;

use hashbrown::HashMap;

use crate::stream::dispatch::index::ranges::{Between, Ranges};
use crate::stream::dispatch::index::same_expr::SameExpr;
use crate::stream::dispatch::index::starts::{Atom, StartClause};
use kleene_automata::exec::field_of;
use kleene_event::event::Event;
use kleene_event::value::{Kind, Same, Value, ValueRef};
use kleene_syntax::hir::Expr;
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{FieldRef, normal};

pub(in crate::stream) use starts::When;

/// The number of rules below which testing all of them is cheaper.
const FEW: usize = 4;

/// The number of needless tests that counts as too many.
const UNSELECTIVE: usize = 1000;

/// A rule, and the position of its key among the keys of an event.
pub(in crate::stream) type Subscription = (u32, u32);

/// A rule that an event is dispatched to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::stream) struct IndexHit {
    pub(in crate::stream) rule: u32,
    /// The position of the rule's key among the keys of the event.
    pub(in crate::stream) place: u32,
    /// True if the rule was found for another reason than its start condition.
    pub(in crate::stream) for_else: bool,
}

/// The rules of one event type that need not read each event.
#[derive(Debug)]
pub(in crate::stream) struct Index {
    columns: Vec<IndexColumn>,
}

/// The values and ranges that rules require of one expression.
#[derive(Debug, Default)]
struct IndexColumn {
    expr: Option<Expr>,
    /// In the order of rules.
    equal: HashMap<Value, Vec<Subscription>>,
    /// One for each sort of comparable values.
    ranges: Vec<Ranges<Subscription>>,
}

impl Index {
    /// Builds an index by the condition that `when` gives for each rule, if an index helps. Indexed
    /// rules are removed from `rules`; rules without a necessary condition stay.
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
            When::If(alternatives) => {
                known.push((*subscription, alternatives));
                false
            }
        });
        if known.is_empty() {
            return None;
        }
        let mut survey = Survey::default();
        for atom in
            known.iter().flat_map(|(_, alternatives)| alternatives.iter().flatten().flatten())
        {
            survey.add(atom);
        }
        let mut drafts: Vec<IndexDraft> = Vec::new();
        for (subscription, alternatives) in &known {
            for alternative in alternatives {
                let best = alternative.iter().min_by_key(|clause| survey.expected(clause));
                for atom in best.into_iter().flatten() {
                    let column = survey.column(atom.expr());
                    drafts.resize_with(drafts.len().max(column + 1), IndexDraft::default);
                    drafts[column].add(atom.clone(), *subscription);
                }
            }
        }
        let columns = drafts.into_iter().map(IndexDraft::finish);
        Some(Index { columns: columns.filter(|column| column.expr.is_some()).collect() })
    }

    /// Calls `each` with the rules that an event concerns, some at a time. A rule may come more
    /// than once.
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

/// Counts how often each condition is required.
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

    /// Returns the approximate number of rules that a lookup by this clause finds in vain.
    fn expected(&mut self, clause: &'a StartClause<'_>) -> usize {
        let of_atom = |atom: &'a Atom<'_>| {
            let column = self.column(atom.expr());
            match atom {
                // Perhaps half of all events.
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

/// A column under construction.
#[derive(Default)]
struct IndexDraft {
    expr: Option<Expr>,
    equal: HashMap<Value, Vec<Subscription>>,
    ranges: Vec<(Kind, Vec<Between<Subscription>>)>,
}

impl IndexDraft {
    fn add(&mut self, atom: Atom<'_>, subscription: Subscription) {
        self.expr.get_or_insert_with(|| atom.expr().clone());
        match atom {
            Atom::Equal(_, value) => self.equal.entry(value).or_default().push(subscription),
            Atom::Between(_, low, high) => {
                // Nothing is between ends that compare with nothing.
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

    fn finish(self) -> IndexColumn {
        let ranges = self.ranges.into_iter().map(|(_, ranges)| Ranges::new(ranges)).collect();
        IndexColumn { expr: self.expr, equal: self.equal, ranges }
    }
}

/// Returns the sort of a value. Values of one sort compare with each other; null is the sort of
/// values that compare with nothing.
fn sort(value: &Value) -> Kind {
    match value {
        Value::Float(x) if x.is_nan() => Kind::NULL,
        Value::Int(_) | Value::Float(_) => Kind::NUMBER,
        Value::List(_) | Value::Record(_) => Kind::NULL,
        other => other.kind(),
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
