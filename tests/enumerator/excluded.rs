//! Shapes of rules that are left out: questions that the page does not decide, and differences that
//! are not settled yet. Each has a name and a reason; an entry goes when it is settled.

use super::rule::{Arrow, Body, Branch, Item, Kind, Parts, Rule};

/// Returns the name of the first shape that a rule has. `KLEENE_HUNT_INCLUDE` names shapes that are
/// not left out, or is `all`; with `KLEENE_HUNT_ONLY` all rules without these are left out.
pub(super) fn reason(rule: &Rule) -> Option<&'static str> {
    let included = std::env::var("KLEENE_HUNT_INCLUDE").unwrap_or_default();
    let is_included = |name: &str| included == "all" || included.split(',').any(|one| one == name);
    match in_body(&rule.body, Around { branches: false, any: false }) {
        Some(name) => (!is_included(name)).then_some(name),
        None => std::env::var_os("KLEENE_HUNT_ONLY").map(|_| "none-of-the-shapes"),
    }
}

/// What stands around a body.
#[derive(Clone, Copy)]
struct Around {
    /// True in a branch of `and` or `of`.
    branches: bool,
    /// True where `any` leads to it.
    any: bool,
}

fn in_body(body: &Body, around: Around) -> Option<&'static str> {
    match &body.parts {
        Parts::Sequence(items) => in_items(items, around),
        Parts::Branches { branches, need } => branches.iter().find_map(|branch| {
            let several = *need > 1;
            let Branch::Sequence(items) = branch else { return None };
            // From which event on is it open, or does a gap or `next` behind it count, if the branch
            // is one of alternatives in an `and`, or of an `and` that `any` leads to?
            let unclear = around.branches || several && around.any;
            if unclear && items.first().is_some_and(heads_may_be_left_out) {
                return Some("left-out-head-of-a-branch");
            }
            in_items(items, Around { branches: around.branches || several, ..around })
        }),
    }
}

fn in_items(items: &[Item], around: Around) -> Option<&'static str> {
    for (number, item) in items.iter().enumerate() {
        let before = &items[..number];
        // After which event does it come, where a silence that is a branch was over?
        if item.arrow == Arrow::Next && follows_silence(before) {
            return Some("next-behind-a-silence-of-branches");
        }
        let found = match &item.kind {
            Kind::Step { .. } => None,
            Kind::Group { body, quantifier } => {
                // Flink's `greedy` has no effect on what comes a fixed number of times or not at all.
                let fixed = quantifier.is_greedy()
                    && matches!(&body.parts, Parts::Sequence(items)
                        if items.len() == 1 && !matches!(&items[0].kind, Kind::Step { quantifier, .. }
                            if quantifier.is_once()));
                // Is the `until` tested while a step of a group in another branch is waited for?
                let has_until = !quantifier.until.is_empty();
                let until = has_until && has_group_in_branch(&body.parts);
                // Can a loop that is left out at the front take an event that ends the group?
                let left_out = has_until && begins_open_before_a_group(&body.parts);
                let any = item.arrow == Arrow::Any
                    || quantifier.inner == Arrow::Any
                    || number == 0 && around.any;
                fixed
                    .then_some("loop-of-a-loop")
                    .or(until.then_some("until-of-branches-with-a-group"))
                    .or(left_out.then_some("until-of-a-loop-before-a-group"))
                    .or_else(|| in_body(body, Around { any, ..around }))
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

/// True if a branch has a group inside.
fn has_group_in_branch(parts: &Parts) -> bool {
    let Parts::Branches { branches, .. } = parts else { return false };
    let mut items = branches.iter().flat_map(Branch::items);
    items.any(|item| matches!(item.kind, Kind::Group { .. }))
}

/// True if what may be left out is before a group at the front.
fn begins_open_before_a_group(parts: &Parts) -> bool {
    let Parts::Sequence(items) = parts else { return false };
    let open = items.iter().take_while(|item| item.may_be_empty()).count();
    open > 0 && matches!(items.get(open), Some(Item { kind: Kind::Group { .. }, .. }))
}

/// True if what an item begins with can be left out.
fn heads_may_be_left_out(item: &Item) -> bool {
    let inner = match &item.kind {
        Kind::Group { body, .. } => match &body.parts {
            Parts::Sequence(items) => items.first().is_some_and(heads_may_be_left_out),
            Parts::Branches { branches, .. } => branches
                .iter()
                .filter_map(|branch| branch.items().first())
                .any(heads_may_be_left_out),
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
            Parts::Branches { branches, .. } => {
                branches.iter().filter_map(|branch| branch.items().last()).any(ends_open)
            }
        },
        Kind::Step { .. } | Kind::Not { .. } => false,
    };
    item.may_be_empty() || inner
}
