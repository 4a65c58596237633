//! The quantifiers of steps and groups, each checked by itself.
//!
//! ```text
//! written          min   max   optional   mode
//! b                1     1     no         each
//! b?               1     1     yes        greedy
//! b{2}             2     2     no         each       one length: there is nothing to keep
//! b{0..3}          1     3     yes        greedy
//! b+               1     -     no         greedy
//! b{2.. any}       2     -     no         each       `any` asks for every combination
//! ```
//!
//! `min` is never zero: leaving the item out is a flag of its own, so that the automaton has a
//! first repetition to lay out, and one way around it.
//!
//! Refused: `a{0}`, `a{5..2}`, `a{2.. any greedy}`, `a until b`, `a{2..3} until b`. Fine: `a{2..}
//! until b`. See `quantifiers.cep` and `until.cep` of `testdata/diagnostics/hir`.

use super::plan::{PlanUntil, QuantPlan, contiguity};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{Contiguity, LoopMode, Quantifier};
use crate::syntax::MAX_REPETITIONS;
use crate::syntax::ast::{self, Take, Unit, Until};

impl<'a> RuleLowerer<'_, 'a> {
    /// The quantifier of a part, checked by itself.
    pub(super) fn quant(&mut self, take: &'a Take) -> QuantPlan<'a> {
        let until = take.until.as_ref();
        let Some(quant) = &take.quant else {
            if let Some(until) = until {
                self.until_without_loop(take, until, "this is not a loop");
            }
            let quantifier = Quantifier::ONCE;
            return QuantPlan { quantifier, span: None, is_mode_written: false, until: None };
        };
        let span = quant.span;
        let mut refuse = |code, message: String, help: &str| {
            self.error(code, span, message, help);
        };
        let most = quant.max.unwrap_or(quant.min);
        if quant.max == Some(0) {
            let help = "remove the step, or write `not x` if it must not come";
            refuse(Code::BadQuantifier, "this step can never occur".to_owned(), help);
        } else if most < quant.min {
            let message = format!("{} is more than {most}", quant.min);
            let help = format!("write the smaller number first: `{{{most}..{}}}`", quant.min);
            refuse(Code::BadQuantifier, message, &help);
        }
        let inner = contiguity(quant.contiguity);
        let greedy = matches!(quant.mode, Some(ast::LoopMode::Greedy | ast::LoopMode::Longest));
        if inner == Contiguity::Any && greedy {
            let help = "a greedy loop takes every event that fits: remove `any`, or use `each` \
                        instead of the other word";
            let message = "`any` may skip events that fit, but a greedy loop never does";
            refuse(Code::BadContiguity, message.to_owned(), help);
        }
        // Larger numbers were reported: here they must only not overflow.
        let clamp = |n: u64| u32::try_from(n.min(MAX_REPETITIONS)).unwrap_or(u32::MAX);
        let min = clamp(quant.min.max(1));
        let max = quant.max.map(|max| clamp(max).max(min));
        let optional = quant.min == 0;
        let mode = match quant.mode {
            Some(ast::LoopMode::Each) => LoopMode::Each,
            Some(ast::LoopMode::Longest) => LoopMode::Longest,
            _ if max == Some(min) && !optional || inner == Contiguity::Any => LoopMode::Each,
            _ => LoopMode::Greedy,
        };
        if let Some(until) = until
            && max.is_some()
        {
            self.until_without_loop(take, until, "this loop has an upper bound");
        }
        let quantifier = Quantifier { min, max, optional, inner, mode, until: None };
        let until = until.filter(|_| max.is_none()).map(|until| match until {
            Until::Step(choice) => {
                PlanUntil::Steps(choice.steps.iter().map(|step| self.resolve(step)).collect())
            }
            Until::Condition(condition) => PlanUntil::Condition(condition),
        });
        QuantPlan { quantifier, span: Some(span), is_mode_written: quant.mode.is_some(), until }
    }

    fn until_without_loop(&mut self, take: &Take, until: &Until, label: &str) {
        let span = until_span(until);
        let text = |span: Span, other: &'static str| match self.text_at(span) {
            "..." | "" => other,
            text => text,
        };
        let unit = match &take.unit {
            Unit::Step(step) => text(step.span, "x"),
            _ => "(...)",
        };
        let (end, forbidden) = match until {
            Until::Step(choice) => (text(choice.span, "y").to_owned(), text(choice.span, "y")),
            Until::Condition(test) => (format!("[{}]", text(test.span, "...")), "x[...]"),
        };
        let least = take.quant.as_ref().map_or(1, |quant| quant.min);
        let message = "`until` needs a loop without an upper bound";
        let help = format!(
            "to forbid the event during the whole match, write `without {forbidden}` after the \
             pattern; to repeat the step until then, write `{unit}{{{least}..}} until {end}`"
        );
        self.report(
            Diagnostic::error(Code::UntilWithoutLoop, span, message).label(label).help(help),
        );
    }
}

/// Returns a loop in parentheses that may be left out as one loop; `None` if one of them is
/// greedy and the other is not.
///
/// `(b{2})?` is `b{2}` that may be left out, and keeps its events as a loop does. `(b{2..3 each})?`
/// stays a group: its outside is greedy, and its inside is not.
pub(super) fn left_out_together(inner: &Quantifier, outer: &Quantifier) -> Option<Quantifier> {
    let is_fixed = !inner.varies();
    let mode = if is_fixed && outer.optional { outer.mode } else { inner.mode };
    let is_same = is_fixed || !outer.optional || inner.mode == outer.mode;
    let optional = inner.optional || outer.optional;
    is_same.then(|| Quantifier { optional, mode, ..inner.clone() })
}

fn until_span(until: &Until) -> Span {
    match until {
        Until::Step(choice) => choice.span,
        Until::Condition(condition) => condition.span,
    }
}
