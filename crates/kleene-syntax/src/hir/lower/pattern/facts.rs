//! The steps that a timeout never holds, and the times between steps: what conditions and emits are
//! checked with.
//!
//! See `timeout_fields.cep` and `impossible_steps.cep` of `testdata/diagnostics/hir`.

use super::plan::{PlanKind, SequencePlan};
use crate::hir::lint::StepGap;
use crate::hir::lower::context::RuleLowerer;
use crate::syntax::ast;

impl<'a> RuleLowerer<'_, 'a> {
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
                    self.written.gaps.insert(*step, StepGap { min, max, after });
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
