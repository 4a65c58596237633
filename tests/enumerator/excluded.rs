//! Shapes of rules that are left out: questions that the page does not decide, and differences that
//! are not settled yet. Each has a name and a reason; an entry goes when it is settled.

use super::rule::{Body, Branch, Condition, Item, Kind, Operand, Parts, Rule, Test};

/// Returns the name of the first shape that a rule has. `KLEENE_HUNT_INCLUDE` names shapes that are
/// not left out, or is `all`.
pub(super) fn reason(rule: &Rule) -> Option<&'static str> {
    let included = std::env::var("KLEENE_HUNT_INCLUDE").unwrap_or_default();
    in_body(&rule.body, Around { branches: false, repeats: false })
        .filter(|name| included != "all" && !included.split(',').any(|one| one == *name))
}

/// What stands around a body.
#[derive(Clone, Copy)]
struct Around {
    /// True in a branch of `and` or `of`.
    branches: bool,
    /// True in a group that can come again.
    repeats: bool,
}

fn in_body(body: &Body, around: Around) -> Option<&'static str> {
    match &body.parts {
        Parts::Sequence(items) => in_items(items, around),
        Parts::Branches { branches, need } => branches.iter().find_map(|branch| {
            let several = *need > 1;
            let around = Around { branches: around.branches || several, ..around };
            let Branch::Sequence(items) = branch else { return None };
            // Does the step after a first step that is left out skip what fits it?
            if several && items.first().is_some_and(Item::may_be_empty) {
                return Some("left-out-head-of-a-branch");
            }
            // Is a match reported without what can be left out after a greedy loop?
            if several && items.last().is_some_and(ends_open) {
                return Some("what-may-be-left-out-at-the-end-of-a-branch");
            }
            in_items(items, around)
        }),
    }
}

fn in_items(items: &[Item], around: Around) -> Option<&'static str> {
    for (number, item) in items.iter().enumerate() {
        let (before, after) = (&items[..number], &items[number + 1..]);
        let found = match &item.kind {
            Kind::Step { test, quantifier, .. } => {
                // Is `prev` the last event of the branch, or of the partial match?
                let reads_prev = around.branches
                    && (reads_prev(test) || quantifier.until.iter().any(reads_prev));
                // Does an event that fits the step and its `until` end it before it has begun?
                let until = quantifier.min == 0 && !quantifier.until.is_empty();
                // Is a further repetition of the group a step that follows?
                let ends = around.repeats
                    && quantifier.is_greedy()
                    && after.iter().all(Item::may_be_empty);
                // Does `prev` in what a full loop keeps read the loop's last event?
                let full =
                    quantifier.is_greedy() && quantifier.max.is_some() && self::reads_prev(test);
                reads_prev
                    .then_some("prev-in-branches")
                    .or(full.then_some("prev-in-a-full-greedy-loop"))
                    .or(until.then_some("until-of-what-may-be-left-out"))
                    .or(ends.then_some("greedy-end-of-a-repeated-group"))
            }
            Kind::Group { body, quantifier } => {
                let inner =
                    Around { repeats: around.repeats || quantifier.max != Some(1), ..around };
                let optional_after = !after.is_empty() && after.iter().all(Item::may_be_empty);
                let until = quantifier.min == 0 && !quantifier.until.is_empty();
                let is_nested = matches!(&body.parts, Parts::Sequence(items)
                    if matches!(items[..], [Item { kind: Kind::Group { .. }, .. }]));
                let ends = around.repeats
                    && quantifier.is_greedy()
                    && after.iter().all(Item::may_be_empty);
                // Flink's `greedy` has no effect on what comes a fixed number of times or not at all.
                let fixed = quantifier.is_greedy()
                    && matches!(&body.parts, Parts::Sequence(items)
                        if items.len() == 1 && !matches!(&items[0].kind, Kind::Step { quantifier, .. }
                            if quantifier.is_once()));
                // A group loop before what can be left out: is a match reported without it?
                (quantifier.is_greedy() && optional_after)
                    .then_some("group-loop-before-what-may-be-left-out")
                    .or(until.then_some("until-of-what-may-be-left-out"))
                    .or(fixed.then_some("loop-of-a-loop"))
                    // Is `((a)){1..} until b` the loop of a step, or of a group inside?
                    .or((is_nested && !quantifier.until.is_empty())
                        .then_some("until-of-a-nested-group"))
                    .or(ends.then_some("greedy-end-of-a-repeated-group"))
                    .or_else(|| in_body(body, inner))
            }
            Kind::Not { tests, time, .. } => {
                // Does the `not` hold while the loop at the group's end has not begun?
                let open = before.last().is_some_and(ends_open);
                let reads = around.branches && tests.iter().any(reads_prev);
                (open && time.is_none())
                    .then_some("not-after-what-may-be-left-out")
                    .or(reads.then_some("prev-in-branches"))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// True if what ends an item can be left out.
fn ends_open(item: &Item) -> bool {
    let inner = match &item.kind {
        Kind::Group { body, .. } => match &body.parts {
            Parts::Sequence(items) => items.last().is_some_and(ends_open),
            Parts::Branches { branches, .. } => branches.iter().any(|branch| match branch {
                Branch::Sequence(items) => items.last().is_some_and(ends_open),
                Branch::Silence { .. } => false,
            }),
        },
        Kind::Step { .. } | Kind::Not { .. } => false,
    };
    item.may_be_empty() || inner
}

fn reads_prev(test: &Test) -> bool {
    test.condition.as_ref().is_some_and(condition_reads_prev)
}

fn condition_reads_prev(condition: &Condition) -> bool {
    match condition {
        Condition::Compare(_, left, right) => [left, right].contains(&&Operand::Prev),
        Condition::OwnIsNull => false,
        Condition::Not(part) => condition_reads_prev(part),
        Condition::And(one, other) | Condition::Or(one, other) => {
            condition_reads_prev(one) || condition_reads_prev(other)
        }
    }
}
