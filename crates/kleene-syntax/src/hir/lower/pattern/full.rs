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

use super::plan::{PlanItem, PlanKind, QuantPlan, SequencePlan};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::Resolved;
use crate::hir::lower::terms::Takes;
use crate::hir::{Contiguity, LoopMode, Quantifier};
use crate::syntax::ast::{self, Spanned};

/// The place of a sequence in its pattern.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    /// True if an event has been captured before it.
    pub(super) has_begun: bool,
    /// True if an event has to come after it, which need not be the next.
    pub(super) waits_after: bool,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Warns of greedy loops with an upper bound that something has to follow, if the author has
    /// not written `greedy`. `forbidden` are the steps of `without` around the sequence.
    pub(super) fn warn_full_loops(
        &mut self,
        plan: &SequencePlan<'a>,
        around: Surroundings,
        forbidden: &[Resolved<'a>],
    ) {
        let own = plan.without.iter().flat_map(|(_, steps)| steps.iter().cloned());
        let forbidden: Vec<Resolved<'a>> = forbidden.iter().cloned().chain(own).collect();
        let mut has_begun = around.has_begun;
        for (index, item) in plan.items.iter().enumerate() {
            let rest = &plan.items[index + 1..];
            let place = Surroundings { has_begun, waits_after: waits(rest, around.waits_after) };
            match &item.kind {
                PlanKind::Step { step, resolved, quant } => {
                    let not = match rest.first().map(|item| &item.kind) {
                        Some(PlanKind::Not { steps, .. }) => steps.as_slice(),
                        _ => &[],
                    };
                    let name = self.steps[*step].name.to_string();
                    let is_said = [not, &forbidden].into_iter().any(|of| covers(of, resolved.ty));
                    if !is_said && !counts(&resolved.conditions, &name) {
                        let ty = self.written_step(*step, resolved);
                        self.warn_full_loop(item, quant, &ty, place);
                    }
                }
                PlanKind::Group { plan, quant, .. } => {
                    // After a loop at the end of a round, the next round has to come.
                    let is_repeated = quant.quantifier.min > 1;
                    let inside =
                        Surroundings { has_begun, waits_after: place.waits_after || is_repeated };
                    self.warn_full_loops(plan, inside, &forbidden);
                    self.warn_full_loop(item, quant, "(...)", place);
                }
                PlanKind::Alternatives { branches, count } => {
                    // A loop at the end of one of several that have to come keeps nothing.
                    let waits_after = *count == 1 && place.waits_after;
                    let inside = Surroundings { has_begun, waits_after };
                    for branch in branches {
                        self.warn_full_loops(branch, inside, &forbidden);
                    }
                }
                PlanKind::Not { .. } => continue,
            }
            has_begun = true;
        }
    }

    fn warn_full_loop(
        &mut self,
        item: &PlanItem<'a>,
        quant: &QuantPlan<'a>,
        name: &str,
        place: Surroundings,
    ) {
        let &Quantifier { min, max: Some(max), optional, inner, mode, .. } = &quant.quantifier
        else {
            return;
        };
        // The very next event alone is asked for.
        let is_next =
            inner == Contiguity::Next || max == 1 && item.arrow.contiguity == ast::Contiguity::Next;
        // A loop of one length is not greedy: `b{3}` leaves the fourth `b` to what follows.
        let is_greedy = mode == LoopMode::Greedy && (optional || max > min);
        let Some(span) = quant.span.filter(|_| is_greedy && !quant.is_mode_written) else { return };
        if is_next || !place.has_begun || !place.waits_after {
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
        let label = "a greedy loop leaves no event that it could take to the next step, even when \
                     it is full";
        self.report(diagnostic.label(label).help(help));
    }

    /// The type or define of a step as it is called in a message.
    fn written_step(&self, step: usize, resolved: &Resolved<'a>) -> String {
        match resolved.ty {
            Some(Takes::One(ty)) if self.steps[step].explicit => {
                self.env.schema.ty(ty).name.to_string()
            }
            _ => self.steps[step].name.to_string(),
        }
    }
}

/// True if an event that need not be the next has to follow, or a time in which none comes.
fn waits(rest: &[PlanItem<'_>], waits_after: bool) -> bool {
    if let [.., PlanItem { kind: PlanKind::Not { .. }, arrow, .. }] = rest {
        return arrow.contiguity != ast::Contiguity::Next;
    }
    let mut events = rest.iter().filter(|item| !matches!(item.kind, PlanKind::Not { .. }));
    match events.clone().find(|item| !item.can_be_empty()) {
        None => waits_after,
        Some(_) => events.next().is_some_and(|first| {
            first.can_be_empty() || first.arrow.contiguity != ast::Contiguity::Next
        }),
    }
}

/// True if one of the steps is any event of the type.
fn covers(steps: &[Resolved<'_>], ty: Option<Takes>) -> bool {
    steps.iter().any(|step| step.ty == ty && step.conditions.is_empty())
}

/// True if a condition counts what the step has captured, so that it can itself end the loop.
fn counts(conditions: &[(usize, &Spanned<ast::Expr>)], name: &str) -> bool {
    fn counts_in(expr: &ast::Expr, name: &str) -> bool {
        let is_own = |arg: &Spanned<ast::Expr>| matches!(&arg.node, ast::Expr::Path(path) if path.root.node == name);
        match expr {
            ast::Expr::Call(_, args) if args.iter().any(is_own) => true,
            _ => expr.parts().into_iter().any(|part| counts_in(&part.node, name)),
        }
    }
    conditions.iter().any(|(_, condition)| counts_in(&condition.node, name))
}
