//! Rules without needless parentheses.
//!
//! "A group of one step is that step: `(a){2}` means `a{2}`. An optional loop in parentheses is a
//! single loop, if both are greedy or both `each`."

use super::rule::{Arrow, Body, Branch, Item, Kind, Mode, Parts, Quantifier, Rule};

/// Returns a rule of the same meaning.
pub(super) fn plain(rule: &Rule) -> Rule {
    Rule { body: plain_body(&rule.body), ..rule.clone() }
}

fn plain_body(body: &Body) -> Body {
    let parts = match &body.parts {
        Parts::Sequence(items) => Parts::Sequence(plain_items(items)),
        Parts::Branches { branches, need } => {
            let branches = branches.iter().map(|branch| match branch {
                Branch::Sequence(items) => Branch::Sequence(plain_items(items)),
                silence @ Branch::Silence { .. } => silence.clone(),
            });
            Parts::Branches { branches: branches.collect(), need: *need }
        }
    };
    Body { parts, ..body.clone() }
}

fn plain_items(items: &[Item]) -> Vec<Item> {
    items.iter().map(|item| Item { kind: plain_kind(&item.kind), ..item.clone() }).collect()
}

fn plain_kind(kind: &Kind) -> Kind {
    let Kind::Group { body, quantifier } = kind else { return kind.clone() };
    let body = plain_body(body);
    if let (Parts::Sequence(items), true) = (&body.parts, body.without.is_empty())
        && let [Item { kind: Kind::Step { id, test, quantifier: inner }, .. }] = &items[..]
        && let Some(quantifier) = together(inner, quantifier, body.within.is_some())
    {
        return Kind::Step { id: *id, test: test.clone(), quantifier };
    }
    Kind::Group { body, quantifier: quantifier.clone() }
}

/// Returns the quantifier of a step and that of the parentheses around it as one.
fn together(inner: &Quantifier, outer: &Quantifier, is_bounded: bool) -> Option<Quantifier> {
    if inner.is_once() {
        return Some(outer.clone());
    }
    if is_bounded || !outer.until.is_empty() || outer.max != Some(1) {
        return None;
    }
    if outer.is_once() {
        return Some(inner.clone());
    }
    // What repeats a fixed number of times has no mode of its own.
    let mode = if inner.varies() { inner.mode } else { outer.mode };
    (mode_of(outer) == mode_of(&Quantifier { mode, ..inner.clone() }) || !inner.varies())
        .then(|| Quantifier { mode, or_none: true, ..inner.clone() })
}

/// A loop whose repetitions follow each other by `any` is never greedy.
fn mode_of(quantifier: &Quantifier) -> Mode {
    if quantifier.inner == Arrow::Any { Mode::Each } else { quantifier.mode }
}
