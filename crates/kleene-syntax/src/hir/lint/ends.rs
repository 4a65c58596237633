//! Ends of patterns that report their match earlier or later than the author has probably meant.
//!
//! - `never_captured` (`W0018`): `a -> b?` reports `a` as soon as it comes. The partial match that
//!   waits for the `b` is then dropped by `skip`, or ended by `once`: no match ever has a `b`. Fine:
//!   `skip none`, under which both are reported, and `a -> b{0.. longest}`, which waits.
//! - `eager_loop` (`W0005`): `a -> b+` matches with the first `b`. Fine: `a -> b`, `a -> b{1..
//!   each}`, `a -> b{1.. longest}`.
//! - `required_after_all` (`W0008`): `a -> b+ -> c?` waits for the `c`, although it is optional.
//!   Fine: `a -> b+ -> c? -> d`, `a -> b{2} -> c?`.
//!
//! The rule does what docs/semantics.md says of greedy loops, so these are no errors. See
//! `never_captured.cep` and `optional_behind_loop.cep` of `testdata/diagnostics/hir`.

use super::subject::{Findings, Row, RowPart, Subject};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::{Item, ItemKind, LoopMode, Quantifier, Rule, Sequence, SkipStrategy};

/// Warns of what can be left out at the end of a pattern whose match is reported without it, and
/// drops the partial match that could take it.
pub(super) fn never_captured(rule: &Subject<'_>, findings: &mut Findings) {
    let Some((label, help)) = end_of_partial_match(rule.rule) else { return };
    for part in rule.sound_body().map(missed).unwrap_or_default() {
        let message = "no match contains this: the match is reported without it";
        let diagnostic = Diagnostic::warning(Code::NeverCaptured, part.written.span, message);
        findings.add_here(diagnostic.label(label).help(help));
    }
}

/// Returns why a partial match that was reported as a match takes no further event, and what to
/// do about it; `None` if it can take more. `ordered` lets matches wait, and a match that `having`
/// does not let pass ends nothing.
fn end_of_partial_match(rule: &Rule) -> Option<(&'static str, &'static str)> {
    let skip = &rule.pattern.skip;
    match skip.strategy {
        _ if skip.ordered => None,
        SkipStrategy::PastLast | SkipStrategy::ToNext => Some((
            "and `skip` drops the partial match that waits for it",
            "remove it, make it required, or write `skip none` for a match without it and one with \
             it",
        )),
        _ if rule.once.is_some() && rule.having.is_none() => {
            Some(("and its key is over (`once`)", "remove it, or make it required"))
        }
        _ => None,
    }
}

/// Returns what can be left out at the end of a sequence that is complete without it.
fn missed(row: Row<'_>) -> Vec<RowPart<'_>> {
    let parts = row.parts();
    let Some(required) = parts.iter().rposition(|part| !part.item.is_nullable()) else {
        return Vec::new();
    };
    let (last, rest) = (parts[required], &parts[required + 1..]);
    if let Some(optional) = rest.first() {
        let waits = rest.iter().any(|part| is_longest(part.item));
        let is_missed = is_complete_at_once(last.item) && !waits;
        return if is_missed { vec![*optional] } else { Vec::new() };
    }
    // Nothing can be left out after the last required item. It may be a group that ends so.
    match &last.item.kind {
        ItemKind::Group { quantifier, .. } if !quantifier.is_once() => Vec::new(),
        ItemKind::Alternatives { count, .. } if *count > 1 => Vec::new(),
        _ => last.inside().flat_map(missed).collect(),
    }
}

/// True if a match can be reported as soon as the item has come as often as it has to.
fn is_complete_at_once(item: &Item) -> bool {
    let ends_so = |sequence: &Sequence| {
        let last = sequence.items.last();
        last.is_some_and(|last| !last.is_nullable() && is_complete_at_once(last))
    };
    let grows = |quantifier: &Quantifier| {
        quantifier.mode != LoopMode::Each && quantifier.max != Some(quantifier.min)
    };
    match &item.kind {
        ItemKind::Step { quantifier, .. } => !grows(quantifier),
        ItemKind::Group { body, quantifier, .. } => !grows(quantifier) && ends_so(body),
        ItemKind::Alternatives { branches, .. } => branches.iter().all(ends_so),
        ItemKind::Not { .. } => false,
    }
}

fn is_longest(item: &Item) -> bool {
    item.quantifier().is_some_and(|quantifier| quantifier.mode == LoopMode::Longest)
}

/// Warns of a greedy loop at the end, which matches with its least number of events.
pub(super) fn eager_loop(rule: &Subject<'_>, findings: &mut Findings) {
    // A loop that is never captured does not end early, either.
    let is_missed = end_of_partial_match(rule.rule).is_some()
        && rule.sound_body().is_some_and(|body| !missed(body).is_empty());
    if !is_missed {
        warn_of_last_loop(rule, rule.body(), findings);
    }
}

fn warn_of_last_loop(rule: &Subject<'_>, row: Row<'_>, findings: &mut Findings) {
    let Some(last) = row.parts().pop() else { return };
    let (quantifier, name) = match &last.item.kind {
        ItemKind::Step { step, quantifier, .. } => {
            (quantifier, &*rule.pattern().steps[step.index()].name)
        }
        ItemKind::Group { quantifier, .. } => (quantifier, "(...)"),
        ItemKind::Alternatives { .. } => {
            last.inside().for_each(|branch| warn_of_last_loop(rule, branch, findings));
            return;
        }
        ItemKind::Not { .. } => return,
    };
    let Some(span) = last.written.quantifier.filter(|_| is_greedy_range(quantifier)) else {
        return;
    };
    let min = quantifier.min;
    let (times, plain) = if min == 1 {
        ("once".to_owned(), name.to_owned())
    } else {
        (format!("{min} times"), format!("{name}{{{min}}}"))
    };
    let message = format!("a loop at the end matches as soon as it has run {times}");
    let each =
        format!("write `{plain}` if you mean that, or `each` for a match with each further event");
    let help = match last.item.kind {
        ItemKind::Group { .. } => each,
        _ => format!("{each}; `{{{min}.. longest}}` waits for all"),
    };
    findings.warn_here(span, Code::LastLoopEager, message, help);
}

/// Warns of what can be left out after a greedy loop at the end: no match is reported without it,
/// since the loop waits for an event that it cannot take.
pub(super) fn required_after_all(rule: &Subject<'_>, findings: &mut Findings) {
    if let Some(body) = rule.sound_body() {
        warn_of_optional_end(body, None, findings);
    }
}

/// `rest` is the first item after the sequence, if all that follows can be left out.
fn warn_of_optional_end(row: Row<'_>, rest: Option<Span>, findings: &mut Findings) {
    // From the end, as long as everything after the item can be left out.
    let mut after = rest;
    for part in row.parts().into_iter().rev() {
        if let ItemKind::Group { .. } = part.item.kind {
            part.inside().for_each(|inside| warn_of_optional_end(inside, after, findings));
        }
        if let (Some(optional), Some(quantifier)) = (after, greedy_loop(part.item)) {
            let &Quantifier { min, max, optional: is_optional, .. } = quantifier;
            let message = if is_optional {
                "after events of the loop, no match is reported without this, although it is \
                 optional"
            } else {
                "no match is reported without this, although it is optional"
            };
            let min = if is_optional { 0 } else { min };
            let max = max.map_or_else(String::new, |max| max.to_string());
            let help = format!(
                "write `each` in the loop, as in `{{{min}..{max} each}}`, for a match with each \
                 length, with it and without it; or make it required",
            );
            let span = part.written.quantifier.unwrap_or(part.written.span);
            let diagnostic = Diagnostic::warning(Code::OptionalBehindLoop, optional, message)
                .context(span, "this loop takes the events first")
                .help(help);
            findings.add_here(diagnostic);
        }
        if !part.item.is_nullable() {
            return;
        }
        after = Some(part.written.span);
    }
}

/// True if a loop is greedy and can have several lengths.
fn is_greedy_range(quantifier: &Quantifier) -> bool {
    quantifier.mode == LoopMode::Greedy && quantifier.max != Some(quantifier.min)
}

/// Returns the quantifier of a greedy loop that can have several lengths. A group that repeats
/// single events counts.
fn greedy_loop(item: &Item) -> Option<&Quantifier> {
    match &item.kind {
        ItemKind::Group { body, .. } if !has_single_events(body) => None,
        _ => item.quantifier().filter(|quantifier| is_greedy_range(quantifier)),
    }
}

/// True if a group is one event, or one of several.
fn has_single_events(sequence: &Sequence) -> bool {
    let [only] = sequence.items.as_slice() else { return false };
    match &only.kind {
        ItemKind::Step { quantifier, .. } => !quantifier.can_repeat(),
        ItemKind::Alternatives { branches, count: 1 } => branches.iter().all(has_single_events),
        _ => false,
    }
}
