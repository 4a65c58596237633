//! Greedy loops with an upper bound: what they could take beyond it ends the partial match.
//!
//! `a -> b{2..3} -> c` is warned of (`W0017`): a fourth `b` ends the partial match, since the
//! greedy loop keeps it from the wait for `c`, which would otherwise skip it (docs/semantics.md,
//! "Greedy").
//!
//! Not warned of, each for a reason of its own:
//!
//! - `b{2..3 greedy}`, `b{2..3 each}`: the author has decided.
//! - `b{2..3 next}`, `-> next c`: any event that does not fit ends the partial match anyway.
//! - `b{2..3} -> c` at the start of a pattern: the partial match that begins with the second `b`
//!   takes the fourth.
//! - `b{1..2} -> not b -> c`, `.. without b`: the rule says that a further `b` is not wanted.
//! - `b[count(more) < 2]{1..2} as more`: a further `b` does not fit the loop.
//!
//! All of these are rules of `testdata/diagnostics/hir/full_loops.cep`.

use super::subject::{Findings, Row, RowPart, Subject, is_plain};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::Pick;
use crate::hir::{
    ConditionId, Contiguity, Expr, Item, ItemKind, LoopMode, Quantifier, StepId, Test,
};
use kleene_event::schema::TypeId;

/// The position of a sequence in its pattern.
#[derive(Clone, Copy)]
struct Surroundings<'s> {
    /// True if an event has been captured before it.
    has_begun: bool,
    /// True if an event has to come after it, which need not be the next.
    waits_after: bool,
    /// The conditions of `without` around it.
    forbidden: &'s [ConditionId],
}

/// Warns of greedy loops with an upper bound that something has to follow, if the author has not
/// written `greedy`.
pub(super) fn full(rule: &Subject<'_>, findings: &mut Findings) {
    // The start of a pattern is no partial match yet, and nothing comes after its end.
    let around = Surroundings { has_begun: false, waits_after: false, forbidden: &[] };
    if let Some(body) = rule.sound_body() {
        in_sequence(rule, body, around, findings);
    }
}

fn in_sequence(
    rule: &Subject<'_>,
    row: Row<'_>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) {
    let own = row.sequence.without.iter().map(|without| without.condition);
    let forbidden: Vec<ConditionId> = around.forbidden.iter().copied().chain(own).collect();
    let mut has_begun = around.has_begun;
    for (index, part) in row.parts().into_iter().enumerate() {
        let rest = &row.sequence.items[index + 1..];
        let waits_after = waits(rest, around.waits_after);
        let here = Surroundings { has_begun, waits_after, forbidden: &forbidden };
        match &part.item.kind {
            ItemKind::Step { step, condition, .. } => {
                let ty = rule.pattern().steps[step.index()].ty;
                let not = match rest.first().map(|item| &item.kind) {
                    Some(ItemKind::Not { condition, .. }) => Some(*condition),
                    _ => None,
                };
                let mut refused = not.into_iter().chain(forbidden.iter().copied());
                let is_said = refused.any(|id| covers(rule, id, ty));
                if !is_said && !counts_itself(rule, *condition, *step) {
                    warn_if_full(part, &written_name(rule, *step, ty), here, findings);
                }
            }
            ItemKind::Group { quantifier, .. } => {
                // After a loop at the end of a round, the next round has to come.
                let waits_after = waits_after || quantifier.min > 1;
                for inside in part.inside() {
                    in_sequence(rule, inside, Surroundings { waits_after, ..here }, findings);
                }
                warn_if_full(part, "(...)", here, findings);
            }
            ItemKind::Alternatives { count, .. } => {
                // A loop at the end of one of several that have to come keeps nothing.
                let waits_after = *count == 1 && waits_after;
                for branch in part.inside() {
                    in_sequence(rule, branch, Surroundings { waits_after, ..here }, findings);
                }
            }
            ItemKind::Not { .. } => continue,
        }
        has_begun = true;
    }
}

fn warn_if_full(part: RowPart<'_>, name: &str, around: Surroundings<'_>, findings: &mut Findings) {
    let Some(&Quantifier { min, max: Some(max), optional, inner, mode, .. }) =
        part.item.quantifier()
    else {
        return;
    };
    // The very next event alone is asked for.
    let is_next = inner == Contiguity::Next || max == 1 && part.item.contiguity == Contiguity::Next;
    // A loop of one length is not greedy: `b{3}` leaves the fourth `b` to what follows.
    let is_greedy = mode == LoopMode::Greedy && (optional || max > min);
    let is_chosen = part.written.is_mode_written;
    let Some(span) = part.written.quantifier.filter(|_| is_greedy && !is_chosen) else { return };
    if is_next || !around.has_begun || !around.waits_after {
        return;
    }
    let least = if optional { 0 } else { min };
    let (message, many) = if max == 1 {
        (format!("a second `{name}` ends the partial match"), format!("`{name}*`"))
    } else {
        (
            format!("`{name}` more than {max} times ends the partial match"),
            format!("`{{{least}..}}`"),
        )
    };
    let help = format!(
        "write `{{{least}..{max} each}}` to skip further events, {many} to take any number, or \
         `{{{least}..{max} greedy}}` to keep this behavior"
    );
    let diagnostic = Diagnostic::warning(Code::FullLoop, span, message);
    let label = "a greedy loop leaves no event that it could take to the next step, even when it \
                 is full";
    findings.add_here(diagnostic.label(label).help(help));
}

/// Returns the type or define of a step as it is called in a message.
fn written_name(rule: &Subject<'_>, step: StepId, ty: Option<TypeId>) -> String {
    match ty.filter(|_| rule.written.steps[step.index()].is_named) {
        Some(ty) => rule.schema.ty(ty).name.to_string(),
        None => rule.pattern().steps[step.index()].name.to_string(),
    }
}

/// True if an event that need not be the next has to follow, or a time in which none comes.
fn waits(rest: &[Item], waits_after: bool) -> bool {
    if let Some(last) = rest.last().filter(|last| last.is_not()) {
        return last.contiguity != Contiguity::Next;
    }
    let mut events = rest.iter().filter(|item| !item.is_not());
    if events.clone().all(Item::is_nullable) {
        return waits_after;
    }
    let first = events.next();
    first.is_some_and(|first| first.is_nullable() || first.contiguity != Contiguity::Next)
}

/// True if each event of the type fulfils the condition.
fn covers(rule: &Subject<'_>, id: ConditionId, ty: Option<TypeId>) -> bool {
    rule.alternatives(id).into_iter().any(|one| one.ty == ty && is_plain(one))
}

/// True if the condition of a step counts what the step has captured, so that the condition can
/// itself end the loop.
fn counts_itself(rule: &Subject<'_>, id: ConditionId, step: StepId) -> bool {
    let Test::Expr(expr) = &rule.pattern().conditions[id.index()].test else { return false };
    let is_own = |expr: &Expr| matches!(expr, Expr::Captured(of) if of.step == Some(step));
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        let counts = match expr {
            Expr::Aggregate(of) => of.step == step,
            Expr::Captured(of) => is_own(expr) && matches!(of.pick, Pick::First | Pick::Last),
            Expr::Call(_, args) => args.iter().any(is_own),
            _ => false,
        };
        if counts {
            return true;
        }
        open.extend(expr.parts());
    }
    false
}
