//! Conditions that compare a field with what a partial match holds in itself, as one look at which of
//! the two is greater: `down = tick[price < prev.price]` and `up = tick[price > prev.price]` are
//! decided together.

use crate::hir::eval::{Relation, order_of};
use crate::nfa::comparison::{Comparison, FieldComparison, Operand};
use crate::nfa::decide::Decision;
use crate::nfa::program::Program;
use crate::schema::FieldId;

/// Where a node of a decision tree leads, by the order of a field and the only register.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) field: FieldId,
    /// By the bits of a [`Relation`]; 0 is for what has no order. There are places for what cannot be,
    /// so that any three bits have one.
    next: [u32; 8],
}

impl Order {
    /// The next node that asks anything else.
    #[inline(always)]
    pub(crate) fn next<T: Copy + PartialOrd>(&self, field: T, register: T) -> u32 {
        self.next[usize::from(order_of(field, register) & 7)]
    }
}

impl Program {
    /// By node of the decision trees: the order that it asks for, where runs hold one value. Numbers
    /// alone have it.
    pub(super) fn orders(&self) -> Vec<Option<Order>> {
        if !self.has_one_value() {
            return Vec::new();
        }
        let compares = |node: u32| -> Option<(FieldId, Relation, u32, u32)> {
            let Decision::Condition { condition, yes, no } = self.decisions.node(node) else {
                return None;
            };
            match &self.comparisons[condition.index()] {
                FieldComparison::One(Comparison {
                    field,
                    relation,
                    with: Operand::Register(_),
                }) => Some((*field, *relation, *yes, *no)),
                _ => None,
            }
        };
        let order = |node: u32| {
            let (field, ..) = compares(node)?;
            let mut next = [node; 8];
            for (order, next) in (0..).zip(&mut next) {
                // Nodes come after those that they lead to.
                while let Some((of, relation, yes, no)) = compares(*next)
                    && of == field
                {
                    *next = if relation.holds_in(order) { yes } else { no };
                }
            }
            Some(Order { field, next })
        };
        (0..self.decisions.node_count()).map(order).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::RuleSet;

    fn program(body: &str) -> Program {
        let text = format!("event a {{ at: time, n: int, m: int }} rule r {{ match {body} }}");
        let rules = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        Program::new(&rules.rules()[0].pattern).expect("it is right")
    }

    #[test]
    fn what_is_asked_of_one_field_is_asked_at_once() {
        let program = program("a -> next a[n < prev.n]{1.. next greedy} -> next a[n > prev.n]");
        let orders: Vec<&Order> = program.orders.iter().flatten().collect();
        let both = orders.iter().rfind(|order| order.next(2, 1) != order.next(1, 1)).unwrap();
        let ends = [both.next(1, 2), both.next(1, 1), both.next(2, 1), both.next(f64::NAN, 1.0)];
        let ends = ends.map(|node| program.decisions.node(node));
        assert!(matches!(
            ends,
            [Decision::One(_), Decision::Gone, Decision::One(_), Decision::Gone]
        ));
        assert_ne!(ends[0], ends[2]);
    }

    #[test]
    fn what_is_asked_of_other_fields_is_asked_after_it() {
        let program = program("a as x -> a[n == x.n] as y -> a[n == x.n]");
        assert!(program.orders.iter().flatten().count() > 0);
        for body in ["a -> a[n < 3]", "a as x -> a[n < x.n and m < x.m]"] {
            assert_eq!(self::program(body).orders.iter().flatten().count(), 0, "{body}");
        }
    }
}
