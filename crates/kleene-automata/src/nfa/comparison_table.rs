//! Comparison tables: tests that compare one field with the only register, answered by one
//! comparison.
//!
//! When it applies: runs hold one value, and nodes of a decision tree that follow each other
//! compare the same field with it, as in `down = tick[price < prev.price]` and `up = tick[price >
//! prev.price]`. Only numbers are compared so.
//!
//! Why it is right: how the two numbers are ordered answers every comparison of the field with the
//! register, so the table leads to the node that the tests one after the other lead to.
//!
//! What it saves: all of these tests but the first. Without it, W6 takes 1.06 times the
//! instructions (docs/performance.md).
//!
//! Which test holds it: `tests/null.rs` and `the_matcher_reports_what_the_reference_reports` in
//! `tests/properties.rs`.

use crate::nfa::automaton::Automaton;
use crate::nfa::comparison::{Comparison, FieldComparison, Operand};
use crate::nfa::decide::Decision;
use crate::nfa::registers::{self, Register};
use kleene_event::schema::FieldId;
use kleene_syntax::hir::eval::{Relation, order_of};

/// The successors of a node of a decision tree, by the order of a field and the only register.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparisonTable {
    pub(crate) field: FieldId,
    /// By the bits of a [`Relation`]; 0 is for numbers without an order. Bits that cannot occur
    /// together have an entry, too, so that no index is out of bounds.
    next: [u32; 8],
}

impl ComparisonTable {
    /// Returns the next node that tests anything else.
    #[inline(always)]
    pub(crate) fn next<T: Copy + PartialOrd>(&self, field: T, register: T) -> u32 {
        self.next[usize::from(order_of(field, register) & 7)]
    }
}

/// Returns by node of the decision trees its comparison table, if it has one; nothing unless runs
/// hold one value.
pub(super) fn comparison_tables(
    automaton: &Automaton,
    registers: &[Register],
    comparisons: &[FieldComparison],
) -> Vec<Option<ComparisonTable>> {
    if !registers::is_one_value(automaton.clocks, registers) {
        return Vec::new();
    }
    let compares = |node: u32| -> Option<(FieldId, Relation, u32, u32)> {
        let Decision::Condition { condition, yes, no } = automaton.decisions.node(node) else {
            return None;
        };
        match &comparisons[condition.index()] {
            FieldComparison::One(Comparison { field, relation, with: Operand::Register(_) }) => {
                Some((*field, *relation, *yes, *no))
            }
            _ => None,
        }
    };
    let table = |node: u32| {
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
        Some(ComparisonTable { field, next })
    };
    (0..automaton.decisions.node_count()).map(table).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nfa::Program;
    use crate::testing::checked;

    fn program(body: &str) -> Program {
        let text = format!("event a {{ at: time, n: int, m: int }} rule r {{ match {body} }}");
        let rules = checked(&text);
        Program::new(&rules.rules[0].pattern).expect("it is right")
    }

    #[test]
    fn what_is_asked_of_one_field_is_asked_at_once() {
        let program = program("a -> next a[n < prev.n]{1.. next greedy} -> next a[n > prev.n]");
        let tables: Vec<&ComparisonTable> = program.comparison_tables.iter().flatten().collect();
        let both = tables.iter().rfind(|table| table.next(2, 1) != table.next(1, 1)).unwrap();
        let ends = [both.next(1, 2), both.next(1, 1), both.next(2, 1), both.next(f64::NAN, 1.0)];
        let ends = ends.map(|node| program.decisions.node(node));
        assert!(
            matches!(ends, [Decision::One(_), Decision::Gone, Decision::One(_), Decision::Gone]),
            "{ends:?}"
        );
        assert_ne!(ends[0], ends[2]);
    }

    #[test]
    fn what_is_asked_of_other_fields_is_asked_after_it() {
        let program = program("a as x -> a[n == x.n] as y -> a[n == x.n]");
        assert!(program.comparison_tables.iter().flatten().count() > 0);
        for body in ["a -> a[n < 3]", "a as x -> a[n < x.n and m < x.m]"] {
            assert_eq!(self::program(body).comparison_tables.iter().flatten().count(), 0, "{body}");
        }
    }
}
