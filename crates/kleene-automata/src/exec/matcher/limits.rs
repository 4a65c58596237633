//! The limits of a matcher.

use kleene_syntax::hir::{Limit, LimitPolicy};

/// The limits of a matcher.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of partial matches of one key, where they are held one by one. A partial
    /// match counts once, however many ways it can go on. The compact form has a limit of its own:
    /// [`graph_nodes_per_key`](Limits::graph_nodes_per_key).
    pub partial_matches_per_key: usize,
    /// True if a rule says the number of partial matches itself (`limit`). The compact form, which
    /// stands for any number of partial matches, is not used then.
    pub(crate) is_of_rule: bool,
    /// The maximum number of nodes in the graph that holds the partial matches of a key in the
    /// compact form. Beyond the limit, the newest partial matches are dropped.
    pub graph_nodes_per_key: usize,
    /// The partial matches that are dropped at the limit. [`LimitPolicy::Fail`] drops the newest,
    /// like [`LimitPolicy::DropNewest`]; the caller of
    /// [`Matcher::push`](crate::exec::Matcher::push) decides what fails.
    pub policy: LimitPolicy,
    /// The maximum number of steps that the partial matches of one key may take for the next event.
    ///
    /// Each partial match takes one step for each state in which it waits, or 8 steps if an event
    /// can lead it along several branches and it has aggregates, clocks or groups. Conditions that
    /// walk captured events (`x[2]`, `collect`, closures of the host, the count of a group) add one
    /// step for each captured event. Beyond the limit, the oldest partial matches are dropped with
    /// all states in which they wait, whatever the policy. The limit is the same for every strategy.
    pub steps_per_event: usize,
    /// The maximum number of matches of one set that are listed, with every strategy. The first ones
    /// in their order are reported (the last ones with `report last`), and the number of the others.
    pub matches_per_set: usize,
    /// The maximum number of reports of one repeating silence. The partial match ends after the
    /// last.
    pub repetitions: u64,
}

impl Limits {
    /// Returns the limits of a rule that says itself how many partial matches a key may have.
    #[must_use]
    pub fn of_rule(self, limit: Limit) -> Limits {
        let Limit { partials, policy } = limit;
        Limits { partial_matches_per_key: partials, is_of_rule: true, policy, ..self }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        let (partial_matches_per_key, steps_per_event) = (1 << 22, 1 << 20);
        let (policy, repetitions) = (LimitPolicy::DropNewest, 100_000);
        Limits {
            partial_matches_per_key,
            is_of_rule: false,
            graph_nodes_per_key: 1 << 22,
            policy,
            steps_per_event,
            matches_per_set: 1 << 20,
            repetitions,
        }
    }
}
