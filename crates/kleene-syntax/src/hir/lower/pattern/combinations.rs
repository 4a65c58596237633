//! About how many states the branches of `and`, `or` and `of` have together.
//!
//! For `a -> b and c`, the first branch has two states to wait in, the second one. Both have to
//! come:
//!
//! ```text
//! branches that have begun     none    one      two
//! before any branch            1       0        0
//! after `a -> b`               1       2        0
//! after `c`                    1       2 + 1    2 * 1      about 6 states
//! ```
//!
//! This is an estimate: the states are made by the automaton, which no part of this crate knows. It
//! is there for the diagnostic, which the author of a rule reads; `MAX_COMBINED` of
//! `kleene-automata/src/nfa/graph/alternatives.rs` bounds the states that are made.

use super::operands::wait_in_one_state;
use super::plan::{PlanItem, PlanKind, SequencePlan};
use crate::hir::Quantifier;

impl PlanItem<'_> {
    /// Returns about how many states a partial match can wait in within the item.
    fn places(&self) -> u64 {
        let times = |quantifier: &Quantifier| {
            let times = u64::from(quantifier.max.unwrap_or(quantifier.min).max(1));
            // An item that can be left out or repeated has states of its own to wait in.
            if quantifier.is_once() { times } else { times.saturating_mul(2).saturating_add(1) }
        };
        match &self.kind {
            PlanKind::Step { quant, .. } => times(&quant.quantifier),
            PlanKind::Not { .. } => 0,
            PlanKind::Group { plan, quant, .. } => {
                let once = plan.items.iter().map(PlanItem::places).fold(0, u64::saturating_add);
                once.saturating_mul(times(&quant.quantifier))
            }
            PlanKind::Alternatives { branches, count } => combined(branches, *count),
        }
    }
}

/// Returns about how many states a branch has.
fn places_of(branch: &SequencePlan<'_>) -> u64 {
    branch.items.iter().map(PlanItem::places).fold(0, u64::saturating_add)
}

/// Returns about how many combinations of states `count` of the branches have.
pub(super) fn combined(branches: &[SequencePlan<'_>], count: usize) -> u64 {
    if wait_in_one_state(branches, count) {
        // The one state has about as many edges as this number of states with a few edges each.
        return branches.iter().map(places_of).fold(0, u64::saturating_add) / 2;
    }
    // The combinations by the number of branches that have begun; the others wait for their first
    // event.
    let mut by_begun = vec![0_u64; count + 1];
    by_begun[0] = 1;
    for branch in branches {
        if branch.silence().is_some() {
            // A silence goes on, is over, or is broken.
            for places in &mut by_begun {
                *places = places.saturating_mul(3);
            }
            continue;
        }
        let places = places_of(branch);
        // From the largest number down, so that each branch counts once.
        for begun in (1..=count).rev() {
            let more = by_begun[begun - 1].saturating_mul(places);
            by_begun[begun] = by_begun[begun].saturating_add(more);
        }
    }
    by_begun.into_iter().fold(0, u64::saturating_add)
}
