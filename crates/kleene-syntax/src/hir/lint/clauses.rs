//! Clauses without an effect (`W0011`, `W0012`), and a rule without a key (`W0001`).
//!
//! See `report.cep`, `once.cep`, `one_event.cep` and `warnings.cep` of `testdata/diagnostics/hir`.

use super::subject::{Findings, Subject};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::{
    Contiguity, Item, ItemKind, LoopMode, Once, Quantifier, Report, Sequence, SkipStrategy,
};

/// Warns of a rule without a key, all of whose events form one stream.
pub(super) fn no_key(rule: &Subject<'_>, findings: &mut Findings) {
    let (steps, written) = (&rule.pattern().steps, rule.written);
    // Of a single event it does not matter what it belongs to.
    let is_one_event =
        matches!(&steps[..], [one] if !one.negated && !written.steps.iter().any(|one| one.is_many));
    if written.pattern.is_some() && !written.clauses.contains_key("key") && !is_one_event {
        let message = format!("the rule `{}` has no `key`", rule.rule.name);
        findings.add(
            written.name.source,
            Diagnostic::warning(Code::NoKey, written.name.span, message)
                .label("all events form one stream")
                .help("group the events that belong together with a key: `key user`"),
        );
    }
}

/// Warns of a choice among the matches of a set that has one: `skip past last` drops all others.
pub(super) fn one_match(rule: &Subject<'_>, findings: &mut Findings) {
    let pattern = rule.pattern();
    let is_one = pattern.skip.strategy == SkipStrategy::PastLast && !pattern.skip.ordered;
    if !is_one || pattern.body.items.is_empty() || ends_at_deadline(&pattern.body) {
        return;
    }
    let clause = rule.written.clauses.get("report").filter(|_| pattern.report != Report::All);
    if let Some(site) = clause.copied().or(rule.written.reads_matches) {
        let message = "with `skip past last`, an event completes at most one match";
        let help = "to count or choose among all matches, write `skip none`";
        findings.warn(site, Code::OneMatchAtMost, message, help);
    }
}

/// Warns of a `once` and a `skip` without an effect.
pub(super) fn once(rule: &Subject<'_>, findings: &mut Findings) {
    let (pattern, written) = (rule.pattern(), rule.written);
    let Some(&once) = written.clauses.get("once") else { return };
    if rule.rule.once == Some(Once::Rule) && !written.clauses.contains_key("key") {
        let message = "`per rule` has no effect: the rule has no key";
        findings.warn(once, Code::NothingToSay, message, "write `once`");
    }
    if let Some(&skip) = written.clauses.get("skip")
        && !pattern.skip.ordered
        && rule.rule.having.is_none()
        && pattern.report == Report::All
        && written.reads_matches.is_none()
    {
        let message = "`skip` has no effect with `once`: nothing follows the first match";
        findings.warn(skip, Code::NothingToSay, message, "remove `skip`");
    }
}

/// Warns of an `on timeout` where no partial match ever runs out of time, and of a `without`
/// where there is no time between two events: both can only be a misunderstanding.
pub(super) fn one_event(rule: &Subject<'_>, findings: &mut Findings) {
    let body = &rule.pattern().body;
    let mut events = body.items.iter().filter(|item| !item.is_not());
    let (Some(only), None) = (events.next(), events.next()) else { return };
    let waits = body.items.iter().any(|item| {
        item.is_not() && item.contiguity == Contiguity::Next
            || !(item.is_not() || is_one_event(item))
    });
    if waits || !is_one_event(only) {
        return;
    }
    let is_silence = body.items.last().is_some_and(Item::is_not);
    if let Some(&clause) = rule.written.clauses.get("on timeout") {
        let message = "nothing can time out here, so `on timeout` has no effect";
        let help = if is_silence {
            "a `not` at the end completes the match when its time is over: write the output in \
             `emit`"
        } else {
            "each event is a match at once: write the output in `emit`"
        };
        findings.warn(clause, Code::NothingToSay, message, help);
    }
    if let (Some(without), false) = (&body.without, is_silence) {
        let site = rule.written.steps[without.step.index()].site;
        let message = "a match of this pattern is one event, so `without` has no effect";
        let help = "to forbid events before or after it, use `not x for 10m`";
        findings.warn(site, Code::NothingToSay, message, help);
    }
}

/// True if the item is one event, whichever it is.
fn is_one_event(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Step { quantifier, .. } => *quantifier == Quantifier::ONCE,
        ItemKind::Alternatives { branches, count: 1 } => {
            let one = |branch: &Sequence| matches!(&branch.items[..], [item] if is_one_event(item));
            branches.iter().all(one)
        }
        ItemKind::Not { .. } | ItemKind::Group { .. } | ItemKind::Alternatives { .. } => false,
    }
}

/// True if a match can be complete at a deadline: two that begin and end at the same time then
/// belong to one set, whatever is skipped.
fn ends_at_deadline(body: &Sequence) -> bool {
    let Some(last) = body.items.last() else { return false };
    match &last.kind {
        ItemKind::Step { quantifier, .. } => quantifier.mode == LoopMode::Longest,
        ItemKind::Not { .. } => true,
        ItemKind::Group { body, quantifier, .. } => {
            quantifier.mode == LoopMode::Longest || ends_at_deadline(body)
        }
        ItemKind::Alternatives { branches, .. } => branches
            .iter()
            .any(|branch| branch.items.iter().any(Item::is_not) || ends_at_deadline(branch)),
    }
}
