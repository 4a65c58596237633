//! Shapes of rules that are left out: questions that the page does not decide, and differences that
//! are not settled yet. Each has a name and a reason; an entry goes when it is settled.

use super::rule::{Arrow, Body, Branch, Condition, Item, Kind, Operand, Parts, Rule, Test};

/// Returns the name of the first shape that a rule has. `KLEENE_HUNT_INCLUDE` names shapes that are
/// not left out, or is `all`.
pub(super) fn reason(rule: &Rule) -> Option<&'static str> {
    let included = std::env::var("KLEENE_HUNT_INCLUDE").unwrap_or_default();
    in_body(&rule.body, Around { repeats: false })
        .filter(|name| included != "all" && !included.split(',').any(|one| one == *name))
}

/// What stands around a body.
#[derive(Clone, Copy)]
struct Around {
    /// True in a group that can come again.
    repeats: bool,
}

fn in_body(body: &Body, around: Around) -> Option<&'static str> {
    match &body.parts {
        Parts::Sequence(items) => in_items(items, around),
        // Does the loop go on once the silence beside it is over, and the match is reported?
        Parts::Branches { branches, need } if *need > 1 && has_silence_beside_loop(branches) => {
            Some("loop-beside-a-silence")
        }
        Parts::Branches { branches, need } => branches.iter().find_map(|branch| {
            let several = *need > 1;
            let Branch::Sequence(items) = branch else { return None };
            // What is kept for a loop that is left out before its branch has begun?
            if several && items.first().is_some_and(heads_may_be_left_out) {
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
        // After which event does it come, where a silence that is a branch was over?
        if item.arrow == Arrow::Next && follows_silence(before) {
            return Some("next-behind-a-silence-of-branches");
        }
        let found = match &item.kind {
            Kind::Step { test, quantifier, .. } => {
                // Does an event that fits the step and its `until` end it before it has begun?
                let until = quantifier.min == 0 && !quantifier.until.is_empty();
                // Is a further repetition of the group a step that follows?
                let ends = around.repeats
                    && quantifier.is_greedy()
                    && after.iter().all(Item::may_be_empty);
                // Does `prev` in what a full loop keeps read the loop's last event?
                let full = quantifier.is_greedy() && quantifier.max.is_some() && reads_prev(test);
                full.then_some("prev-in-a-full-greedy-loop")
                    .or(until.then_some("until-of-what-may-be-left-out"))
                    .or(ends.then_some("greedy-end-of-a-repeated-group"))
            }
            Kind::Group { body, quantifier } => {
                let inner = Around { repeats: around.repeats || quantifier.max != Some(1) };
                let optional_after = !after.is_empty() && after.iter().all(Item::may_be_empty);
                let until = quantifier.min == 0 && !quantifier.until.is_empty();
                let ends = around.repeats
                    && quantifier.is_greedy()
                    && after.iter().all(Item::may_be_empty);
                let full = quantifier.is_greedy()
                    && quantifier.max.is_some()
                    && super::check::heads_of(&body.parts).into_iter().any(reads_prev);
                // Flink's `greedy` has no effect on what comes a fixed number of times or not at all.
                let fixed = quantifier.is_greedy()
                    && matches!(&body.parts, Parts::Sequence(items)
                        if items.len() == 1 && !matches!(&items[0].kind, Kind::Step { quantifier, .. }
                            if quantifier.is_once()));
                // A group loop before what can be left out: is a match reported without it?
                (quantifier.is_greedy() && optional_after)
                    .then_some("group-loop-before-what-may-be-left-out")
                    .or(full.then_some("prev-in-a-full-greedy-loop"))
                    .or(until.then_some("until-of-what-may-be-left-out"))
                    .or(fixed.then_some("loop-of-a-loop"))
                    .or(ends.then_some("greedy-end-of-a-repeated-group"))
                    .or_else(|| in_body(body, inner))
            }
            Kind::Not { time, .. } => {
                // Does the `not` hold while the loop at the group's end has not begun?
                let open = before.last().is_some_and(ends_open);
                // Does it hold from the first moment on at which all branches are complete?
                let goes_on = before.last().is_some_and(has_branch_that_goes_on);
                (time.is_none() && open)
                    .then_some("not-after-what-may-be-left-out")
                    .or((time.is_none() && goes_on).then_some("not-after-a-loop-of-a-branch"))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// True if one of the branches is a silence, and another ends with what can go on.
fn has_silence_beside_loop(branches: &[Branch]) -> bool {
    let goes_on = |branch: &Branch| match branch {
        Branch::Sequence(items) => items.last().is_some_and(|item| match &item.kind {
            Kind::Step { quantifier, .. } => quantifier.varies(),
            Kind::Group { .. } => true,
            Kind::Not { .. } => false,
        }),
        Branch::Silence { .. } => false,
    };
    let is_silence = |branch: &Branch| matches!(branch, Branch::Silence { .. });
    branches.iter().any(is_silence) && branches.iter().any(goes_on)
}

/// True if what an item begins with can be left out.
fn heads_may_be_left_out(item: &Item) -> bool {
    let inner = match &item.kind {
        Kind::Group { body, .. } => match &body.parts {
            Parts::Sequence(items) => items.first().is_some_and(heads_may_be_left_out),
            Parts::Branches { branches, .. } => branches.iter().any(|branch| match branch {
                Branch::Sequence(items) => items.first().is_some_and(heads_may_be_left_out),
                Branch::Silence { .. } => false,
            }),
        },
        Kind::Step { .. } | Kind::Not { .. } => false,
    };
    inner || item.may_be_empty()
}

/// True if a silence that is a branch can be right before what follows the items.
fn follows_silence(items: &[Item]) -> bool {
    for item in items.iter().rev() {
        let ends_in_silence = match &item.kind {
            Kind::Group { body, .. } => match &body.parts {
                Parts::Sequence(items) => follows_silence(items),
                Parts::Branches { branches, .. } => branches.iter().any(|branch| match branch {
                    Branch::Sequence(items) => follows_silence(items),
                    Branch::Silence { .. } => true,
                }),
            },
            Kind::Step { .. } | Kind::Not { .. } => false,
        };
        if ends_in_silence || !item.may_be_empty() {
            return ends_in_silence;
        }
    }
    false
}

/// True if an item has branches beside each other, of which one ends with a loop.
fn has_branch_that_goes_on(item: &Item) -> bool {
    let Kind::Group { body, .. } = &item.kind else { return false };
    let ends_in_loop = |items: &[Item]| {
        items.last().is_some_and(|item| match &item.kind {
            Kind::Step { quantifier, .. } => quantifier.varies(),
            Kind::Group { .. } => true,
            Kind::Not { .. } => false,
        })
    };
    match &body.parts {
        Parts::Sequence(items) => items.last().is_some_and(has_branch_that_goes_on),
        Parts::Branches { branches, need } => {
            *need > 1
                && branches.iter().any(|branch| match branch {
                    Branch::Sequence(items) => ends_in_loop(items),
                    Branch::Silence { .. } => false,
                })
        }
    }
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
