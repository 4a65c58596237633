//! The prefilter: comparisons that an event must fulfil to do anything at all.
//!
//! When it applies: wherever a partial match waits, the first test of an event of the type is one
//! condition, the same everywhere, and that condition compares fields of the event with literals.
//!
//! Why it is right: without that condition the event starts nothing, and all partial matches stay
//! as they are.
//!
//! What it saves: an event that does not pass looks up no key and no state. Without it, W3 takes
//! 1.33 times the instructions (docs/performance.md).
//!
//! Which test holds it: `only_what_nothing_can_do_without_is_tested_first` below, and
//! `a_rule_among_many_reports_what_it_reports_alone` in `tests/many_rules.rs`: only a rule alone is
//! prefiltered.

use crate::nfa::comparison::FieldComparison;
use crate::nfa::decide::{Decision, waiting};
use crate::nfa::program::Program;
use kleene_event::event::{Bitmap, Event, TypeColumns};
use kleene_event::schema::TypeId;
use kleene_syntax::hir::ConditionId;

/// The comparisons that an event of a type must fulfil to do anything.
#[derive(Clone, Debug)]
pub struct Prefilter(FieldComparison);

impl Prefilter {
    /// True if an event can do anything.
    #[inline(always)]
    pub fn passes<E: Event>(&self, event: &E) -> Option<bool> {
        self.0.holds_of(event)
    }

    /// Returns a bit for each row of a batch: 1 if it can do anything.
    pub fn select(&self, rows: &TypeColumns) -> Option<Bitmap> {
        self.0.rows_that_hold(rows)
    }
}

impl Program {
    /// Returns the prefilter of an event type; `None` if no comparison excludes an event.
    pub fn prefilter(&self, ty: TypeId) -> Option<Prefilter> {
        if self.leading_not.is_some() || self.waits() {
            return None;
        }
        let column = self.decisions.column(ty);
        let states = waiting(&self.states, &self.edges, self.start);
        let roots = states.map(|state| (self.decisions.of(state, column), &Decision::Stay));
        let begins = (self.decisions.of_start(column), &Decision::Gone);
        let mut first: Option<ConditionId> = None;
        for (root, nothing) in roots.chain([begins]) {
            if root == nothing {
                continue;
            }
            match root {
                Decision::Condition { condition, no, .. }
                    if self.decisions.node(*no) == nothing
                        && first.is_none_or(|first| first == *condition) =>
                {
                    first = Some(*condition);
                }
                _ => return None,
            }
        }
        let comparisons = &self.comparisons[first?.index()];
        comparisons.is_of_event_alone().then(|| Prefilter(comparisons.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::checked;

    #[test]
    fn only_what_nothing_can_do_without_is_tested_first() {
        let has_prefilter = |body: &str| {
            let text = format!(
                "event a {{ at: time, n: int, m: int }} event b {{ at: time }} rule r {{ {body} }}"
            );
            let rules = checked(&text);
            let program = Program::new(&rules.rules[0].pattern).expect("it is right");
            program.prefilter(rules.schema.type_id("a").expect("it is declared")).is_some()
        };
        for body in [
            "match a[n > 3]{5} within 1h",
            "match a[n > 3 and m == 1] -> b -> b within 1h",
            "match b -> a[n > 3] within 1h",
            "match a[n > 3] -> not b for 1h",
        ] {
            assert!(has_prefilter(body), "{body}");
        }
        for body in [
            "match a{5} within 1h",
            "match b{2} within 1h",
            // The next one ends what waits if it is another.
            "match a[n > 3]{2 next} within 1h",
            "match b -> next a[n > 3] within 1h",
            "match a[n > 3] -> a[n > 4] within 1h",
            "match a[n > 3] -> a within 1h",
            "match a as x -> a[n > x.n] within 1h",
            "match b as x -> a[n + 1 > 3] within 1h",
            "match not a[n > 3] for 1h -> b",
        ] {
            assert!(!has_prefilter(body), "{body}");
        }
    }
}
