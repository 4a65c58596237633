//! Loops whose partial matches grow with each event (`W0002`).
//!
//! An `each` loop without bound starts a partial match for each length. Warned of: `a{3.. each} ->
//! b` without `within`. Fine: `a{3..} -> b`, `a{3..5 any} -> b within 1d`. See `cost_of_loops.cep`
//! of `testdata/diagnostics/hir`.

use super::subject::{Findings, Row, Subject};
use crate::diagnostic::Code;
use crate::hir::{Contiguity, ItemKind, LoopMode, Quantifier, SkipStrategy};

pub(super) fn growing(rule: &Subject<'_>, findings: &mut Findings) {
    if let Some(body) = rule.sound_body() {
        in_sequence(rule, body, rule.pattern().within.is_some(), findings);
    }
}

fn in_sequence(rule: &Subject<'_>, row: Row<'_>, is_bounded: bool, findings: &mut Findings) {
    let keeps_all = rule.pattern().skip.strategy == SkipStrategy::None;
    for part in row.parts() {
        let has_within = matches!(part.item.kind, ItemKind::Group { within: Some(_), .. });
        for inside in part.inside() {
            in_sequence(rule, inside, is_bounded || has_within, findings);
        }
        let Some(&Quantifier { mode, inner, max: None, until: None, .. }) = part.item.quantifier()
        else {
            continue;
        };
        let Some(span) = part.written.quantifier else { continue };
        if mode != LoopMode::Each || inner == Contiguity::Next {
            continue;
        }
        // With `any`, each partial match both takes the event and skips it.
        let doubles = inner == Contiguity::Any;
        // A loop at the end reports each length at once, and by default a match drops the others.
        let last = rule.pattern().body.items.last();
        let is_last = last.is_some_and(|last| std::ptr::eq(last, part.item));
        let (message, help) = if !is_bounded {
            (
                "without `within`, the partial matches of this loop grow with each event and never \
                 expire",
                "add a `within`, or remove `any` or `each`",
            )
        } else if doubles && (keeps_all || !is_last) {
            (
                "the partial matches of this loop double with each event that it can take",
                "add an upper bound or an `until`, or remove `any`",
            )
        } else if keeps_all {
            (
                "with `skip none`, this loop gives a match for each first event and each length",
                "use another `skip`, add an upper bound to the loop, or remove `each`",
            )
        } else {
            continue;
        };
        findings.warn_here(span, Code::ExponentialLoop, message, help);
    }
}
