//! What a match never holds because it is reported before, and what a timeout never holds because
//! it would be a match.
//!
//! `a -> b?` reports `a` as soon as it comes. The partial match that waits for the `b` is then
//! dropped by `skip`, or ended by `once`: no match ever has a `b`. Fine are `skip none`, under
//! which both are reported, and `a -> b{0.. longest}`, which waits. `a -> b+ -> c?` is the opposite
//! case, for which `loops` warns: there, no match is reported without the `c`.
//!
//! See `never_captured.cep` and `timeout_fields.cep` of `testdata/diagnostics/hir`.

use super::plan::{PlanItem, PlanKind, SequencePlan};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::lower::context::{AfterMatch, RuleLowerer};
use crate::hir::lower::terms::StepGap;
use crate::hir::{LoopMode, Quantifier};
use crate::syntax::ast;

impl<'a> RuleLowerer<'_, 'a> {
    /// Warns of what can be left out at the end of a pattern whose match is reported without it,
    /// and drops the partial match that could take it. Returns true if there is something like
    /// that.
    pub(super) fn warn_never_captured(&mut self, plan: &SequencePlan<'a>) -> bool {
        let required = plan.items.iter().rposition(|item| !item.can_be_empty());
        let Some(required) = required else { return false };
        let (last, rest) = (&plan.items[required], &plan.items[required + 1..]);
        // Nothing can be left out after the last required item. It may be a group that ends so.
        let Some(optional) = rest.first() else {
            return match &last.kind {
                PlanKind::Group { plan, quant, .. } if quant.quantifier.is_once() => {
                    self.warn_never_captured(plan)
                }
                PlanKind::Alternatives { branches, count: 1 } => {
                    let mut is_any = false;
                    for branch in branches {
                        is_any |= self.warn_never_captured(branch);
                    }
                    is_any
                }
                _ => false,
            };
        };
        if !is_complete_at_once(last) || rest.iter().any(is_longest) {
            return false;
        }
        let message = "no match contains this: the match is reported without it";
        let (label, help) = match self.traits.after_match {
            AfterMatch::Continues => return false,
            AfterMatch::Drops => (
                "and `skip` drops the partial match that waits for it",
                "remove it, make it required, or write `skip none` for a match without it and one \
                 with it",
            ),
            AfterMatch::Ends => ("and its key is over (`once`)", "remove it, or make it required"),
        };
        let diagnostic = Diagnostic::warning(Code::NeverCaptured, optional.span, message);
        self.report(diagnostic.label(label).help(help));
        true
    }

    /// Notes the steps that complete a match: no partial match that runs out of time holds them.
    pub(super) fn note_last_steps(&mut self, plan: &SequencePlan<'a>) {
        match plan.items.last().map(|item| &item.kind) {
            Some(PlanKind::Step { step, quant, .. }) if !quant.can_repeat() => {
                self.traits.last_steps.push(*step);
            }
            Some(PlanKind::Group { plan, quant, .. }) if quant.quantifier.is_once() => {
                self.note_last_steps(plan);
            }
            // With `and`, a branch can be complete while another is waited for.
            Some(PlanKind::Alternatives { branches, count: 1 }) => {
                for branch in branches {
                    self.note_last_steps(branch);
                }
            }
            _ => {}
        }
    }

    /// Notes the times from the event before to each step of the pattern's own sequence that comes
    /// once.
    pub(super) fn note_gaps(&mut self, plan: &SequencePlan<'a>) {
        let mut after = None;
        let mut silence = 0;
        for (index, item) in plan.items.iter().enumerate() {
            match &item.kind {
                PlanKind::Not { duration, .. } if index > 0 => {
                    let known = duration.and_then(|(time, _)| time.known());
                    // A time that an event says is not known here: it counts as none, which claims
                    // less.
                    silence = silence.max(known.unwrap_or(0));
                    continue;
                }
                PlanKind::Step { step, quant, .. } if index > 0 && !quant.can_repeat() => {
                    let gap = item.arrow.gap.as_ref();
                    let known = |dur: Option<&ast::Dur>| match dur {
                        Some(ast::Dur::Literal(millis)) => Some(millis.node),
                        _ => None,
                    };
                    let min = known(gap.and_then(|gap| gap.min.as_ref())).unwrap_or(0).max(silence);
                    let max = known(gap.and_then(|gap| gap.max.as_ref()));
                    self.traits.gaps.insert(*step, StepGap { min, max, after });
                }
                _ => {}
            }
            silence = 0;
            after = match &item.kind {
                PlanKind::Step { step, quant, .. } if quant.quantifier.is_once() => Some(*step),
                _ => None,
            };
        }
    }
}

/// True if a match can be reported as soon as the item has come as often as it has to.
fn is_complete_at_once(item: &PlanItem<'_>) -> bool {
    let is_greedy = |quantifier: &Quantifier| {
        quantifier.mode != LoopMode::Each && quantifier.max != Some(quantifier.min)
    };
    match &item.kind {
        PlanKind::Step { quant, .. } => !is_greedy(&quant.quantifier),
        PlanKind::Group { plan, quant, .. } => {
            let last = plan.items.last();
            !is_greedy(&quant.quantifier)
                && last.is_some_and(|last| !last.can_be_empty() && is_complete_at_once(last))
        }
        PlanKind::Alternatives { branches, .. } => branches.iter().all(|branch| {
            let last = branch.items.last();
            last.is_some_and(|last| !last.can_be_empty() && is_complete_at_once(last))
        }),
        PlanKind::Not { .. } => false,
    }
}

fn is_longest(item: &PlanItem<'_>) -> bool {
    match &item.kind {
        PlanKind::Step { quant, .. } | PlanKind::Group { quant, .. } => {
            quant.quantifier.mode == LoopMode::Longest
        }
        PlanKind::Not { .. } | PlanKind::Alternatives { .. } => false,
    }
}
