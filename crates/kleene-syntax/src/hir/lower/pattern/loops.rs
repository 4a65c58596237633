//! Warnings about loops that probably mean something else.
//!
//! - `warn_loops`: an `each` loop without bound starts a partial match for each length. Warned of:
//!   `a{3.. each} -> b` without `within`. Fine: `a{3..} -> b`, `a{3..5 any} -> b within 1d`. See
//!   `cost_of_loops.cep` of `testdata/diagnostics/hir`.
//! - `warn_last_loop` (`W0005`): `a -> b+` matches with the first `b`. Fine: `a -> b`, `a -> b{1..
//!   each}`, `a -> b{1.. longest}`.
//! - `warn_optional_end` (`W0008`): `a -> b+ -> c?` waits for the `c`, although it is optional.
//!   Fine: `a -> b+ -> c? -> d`, `a -> b{2} -> c?`. See `optional_behind_loop.cep`.
//!
//! The first is about cost, the others about meaning: the rule does what docs/semantics.md says of
//! greedy loops, and the author has probably meant something else. So these are no errors.

use super::plan::{PlanItem, PlanKind, SequencePlan};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{Contiguity, LoopMode, Quantifier};

/// The extent of a plan: the whole pattern or a part of it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum PlanExtent {
    Whole,
    Part,
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Warns of loops whose partial matches grow with each event.
    pub(super) fn warn_loops(&mut self, plan: &SequencePlan<'a>, level: PlanExtent, bounded: bool) {
        for (index, item) in plan.items.iter().enumerate() {
            let quant = match &item.kind {
                PlanKind::Step { quant, .. } => quant,
                PlanKind::Group { plan, quant, within, .. } => {
                    self.warn_loops(plan, PlanExtent::Part, bounded || within.is_some());
                    quant
                }
                PlanKind::Alternatives { branches, .. } => {
                    for branch in branches {
                        self.warn_loops(branch, PlanExtent::Part, bounded);
                    }
                    continue;
                }
                PlanKind::Not { .. } => continue,
            };
            let Quantifier { mode, inner, max: None, .. } = quant.quantifier else { continue };
            let (None, Some(span)) = (&quant.until, quant.span) else { continue };
            // With `any`, each partial match both takes the event and skips it.
            let doubles = inner == Contiguity::Any;
            // A loop at the end reports each length at once, and by default a match drops the
            // others.
            let last = level == PlanExtent::Whole && index + 1 == plan.items.len();
            if mode != LoopMode::Each || inner == Contiguity::Next {
                continue;
            }
            let (message, help) = if !bounded {
                (
                    "without `within`, the partial matches of this loop grow with each event and \
                     never expire",
                    "add a `within`, or remove `any` or `each`",
                )
            } else if doubles && (self.traits.keeps_all || !last) {
                (
                    "the partial matches of this loop double with each event that it can take",
                    "add an upper bound or an `until`, or remove `any`",
                )
            } else if self.traits.keeps_all {
                (
                    "with `skip none`, this loop gives a match for each first event and each \
                     length",
                    "use another `skip`, add an upper bound to the loop, or remove `each`",
                )
            } else {
                continue;
            };
            self.warn(Code::ExponentialLoop, span, message, help);
        }
    }

    pub(super) fn warn_last_loop(&mut self, last: &PlanItem<'a>) {
        let (quant, name) = match &last.kind {
            PlanKind::Step { step, quant, .. } => (quant, self.steps[*step].name.to_string()),
            PlanKind::Group { quant, .. } => (quant, "(...)".to_owned()),
            PlanKind::Alternatives { branches, .. } => {
                for last in branches.iter().filter_map(|branch| branch.items.last()) {
                    self.warn_last_loop(last);
                }
                return;
            }
            PlanKind::Not { .. } => return,
        };
        let Quantifier { min, .. } = quant.quantifier;
        if let Some(span) = quant.span
            && is_greedy_range(&quant.quantifier)
        {
            let message = format!("a loop at the end matches as soon as it has run {min} times");
            let message = if min == 1 { message.replace("1 times", "once") } else { message };
            let plain = if min == 1 { name } else { format!("{name}{{{min}}}") };
            let each = format!(
                "write `{plain}` if you mean that, or `each` for a match with each further event"
            );
            let help = match last.kind {
                PlanKind::Group { .. } => each,
                _ => format!("{each}; `{{{min}.. longest}}` waits for all"),
            };
            self.warn(Code::LastLoopEager, span, message, help);
        }
    }

    /// Warns of what can be left out after a greedy loop at the end: no match is reported without
    /// it, since the loop waits for an event that it cannot take. `rest` is the first item after
    /// the plan, if all that is there can be left out.
    pub(super) fn warn_optional_end(&mut self, plan: &SequencePlan<'a>, rest: Option<Span>) {
        // From the end, as long as everything after the item can be left out.
        let mut behind = rest;
        for item in plan.items.iter().rev() {
            if let PlanKind::Group { plan, .. } = &item.kind {
                self.warn_optional_end(plan, behind);
            }
            if let (Some(optional), Some((span, quantifier))) = (behind, greedy_loop(item)) {
                let &Quantifier { min, max, optional: is_optional, .. } = quantifier;
                let message = if is_optional {
                    "after events of the loop, no match is reported without this, although it is \
                     optional"
                } else {
                    "no match is reported without this, although it is optional"
                };
                let min = if is_optional { 0 } else { min };
                let max = max.map_or_else(String::new, |max| max.to_string());
                let each = format!("{{{min}..{max} each}}");
                let help = format!(
                    "write `each` in the loop, as in `{each}`, for a match with each length, with \
                     it and without it; or make it required",
                );
                let diagnostic = Diagnostic::warning(Code::OptionalBehindLoop, optional, message)
                    .context(span, "this loop takes the events first")
                    .help(help);
                self.report(diagnostic);
            }
            if !item.can_be_empty() || matches!(item.kind, PlanKind::Not { .. }) {
                return;
            }
            behind = Some(item.span);
        }
    }
}

/// True if a loop is greedy and can have several lengths.
fn is_greedy_range(quantifier: &Quantifier) -> bool {
    quantifier.mode == LoopMode::Greedy && quantifier.max != Some(quantifier.min)
}

/// Returns the place of a greedy loop that can have several lengths, and its lengths. A group that
/// repeats single events counts.
fn greedy_loop<'q>(item: &'q PlanItem<'_>) -> Option<(Span, &'q Quantifier)> {
    let quant = match &item.kind {
        PlanKind::Step { quant, .. } => quant,
        PlanKind::Group { plan, quant, .. } if has_single_events(plan) => quant,
        _ => return None,
    };
    is_greedy_range(&quant.quantifier)
        .then_some((quant.span.unwrap_or(item.span), &quant.quantifier))
}

/// True if a group is one event, or one of several.
fn has_single_events(plan: &SequencePlan<'_>) -> bool {
    let [only] = plan.items.as_slice() else { return false };
    match &only.kind {
        PlanKind::Step { quant, .. } => !quant.can_repeat(),
        PlanKind::Alternatives { branches, count: 1 } => branches.iter().all(has_single_events),
        _ => false,
    }
}
