//! Shapes of rules that are left out: questions that the page does not decide, and differences that
//! are not settled yet. Each has a name and a reason; an entry goes when it is settled.

use super::rule::{Body, Item, Kind, Length, Parts, Rule};

/// Returns the name of the first shape that a rule has. `KLEENE_HUNT_INCLUDE` names shapes that are
/// not left out, or is `all`; with `KLEENE_HUNT_ONLY` all rules without these are left out.
pub(super) fn reason(rule: &Rule) -> Option<&'static str> {
    let included = std::env::var("KLEENE_HUNT_INCLUDE").unwrap_or_default();
    let is_included = |name: &str| included == "all" || included.split(',').any(|one| one == name);
    match in_body(&rule.body) {
        Some(name) => (!is_included(name)).then_some(name),
        None => std::env::var_os("KLEENE_HUNT_ONLY").map(|_| "none-of-the-shapes"),
    }
}

fn in_body(body: &Body) -> Option<&'static str> {
    match &body.parts {
        Parts::Sequence(items) => in_items(items),
        Parts::Branches { branches, .. } => {
            branches.iter().find_map(|branch| in_items(branch.items()))
        }
    }
}

fn in_items(items: &[Item]) -> Option<&'static str> {
    items.iter().find_map(|item| match &item.kind {
        // "It holds from that event on." The engine and the reference let no time pass before that
        // event, where another event of the group comes first.
        Kind::Group { body, .. } if says_itself_late(body) => Some("within-that-a-branch-says"),
        Kind::Group { body, .. } => in_body(body),
        Kind::Step { .. } | Kind::Not { .. } => None,
    })
}

/// True for a group whose `within` is said by one of its own steps that need not come first.
fn says_itself_late(body: &Body) -> bool {
    let Some(Length::Said(step)) = body.within else { return false };
    body.has(step) && !begins_with(&body.parts, step)
}

/// True if the first event is always one of the step.
fn begins_with(parts: &Parts, step: usize) -> bool {
    let Parts::Sequence(items) = parts else { return false };
    items.first().is_some_and(|item| match &item.kind {
        Kind::Step { id, quantifier, .. } => *id == step && !quantifier.may_be_none(),
        Kind::Group { body, quantifier } => {
            !quantifier.may_be_none() && begins_with(&body.parts, step)
        }
        Kind::Not { .. } => false,
    })
}
