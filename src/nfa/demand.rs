//! What an event must fulfil to do anything at all: where it does not, neither its key nor what is
//! held for that is looked at.

use crate::hir::ConditionId;
use crate::nfa::decide::{Decision, waiting};
use crate::nfa::program::Program;
use crate::nfa::quick::Quick;
use crate::schema::TypeId;

impl Program {
    /// The comparisons that an event of this type must fulfil: else nothing begins with it, and partial
    /// matches stay as they are wherever they wait. `None` where there are no such comparisons.
    ///
    /// Where something waits, and asks anything, it asks for these first.
    pub(crate) fn demand(&self, ty: TypeId) -> Option<&Quick> {
        if self.silence.is_some() || self.waits() {
            return None;
        }
        let column = self.decisions.column(ty);
        let states = waiting(&self.states, &self.edges, self.start);
        let roots = states.map(|state| (self.decisions.of(state, column), &Decision::Stay));
        let begins = (self.decisions.of_start(column), &Decision::Gone);
        let mut demand: Option<ConditionId> = None;
        for (root, nothing) in roots.chain([begins]) {
            if root == nothing {
                continue;
            }
            match root {
                Decision::Condition { condition, no, .. }
                    if self.decisions.node(*no) == nothing
                        && demand.is_none_or(|demand| demand == *condition) =>
                {
                    demand = Some(*condition);
                }
                _ => return None,
            }
        }
        Some(&self.quick[demand?.index()]).filter(|quick| quick.is_of_event_alone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::RuleSet;

    #[test]
    fn only_what_nothing_can_do_without_is_demanded() {
        let demand = |body: &str| {
            let text = format!(
                "event a {{ at: time, n: int, m: int }} event b {{ at: time }} rule r {{ {body} }}"
            );
            let rules = RuleSet::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let program = Program::new(&rules.rules()[0].pattern).expect("it is right");
            program.demand(rules.schema().type_id("a").expect("it is declared")).is_some()
        };
        for body in [
            "match a[n > 3]{5} within 1h",
            "match a[n > 3 and m == 1] -> b -> b within 1h",
            "match b -> a[n > 3] within 1h",
            "match a[n > 3] -> not b for 1h",
        ] {
            assert!(demand(body), "{body}");
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
            assert!(!demand(body), "{body}");
        }
    }
}
