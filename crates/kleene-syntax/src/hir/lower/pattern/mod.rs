//! A rule's `match`. `lay_out` gives steps, groups and quantifiers their places in a `plan`; then
//! `check` and its neighbours look at the whole, and `build` makes the pattern with its conditions.
//!
//! ```text
//! ast::Body --lay_out--> SequencePlan --build--> Sequence, with its conditions
//!                             +--check, silences, operands--> errors
//!                             +--facts--> for conditions and emits
//! ```
//!
//! The checks look at the plan and not at the result: the plan has the arrows and quantifiers as
//! they are written, with their positions in the text. Conditions come last, since those of the
//! wildcard need the types of all steps.
//!
//! Each check has a rule for each mistake, and rules that are fine, in `testdata/diagnostics/hir`.

mod build;
mod check;
mod combinations;
mod facts;
mod lay_out;
mod operands;
mod plan;
mod quantifiers;
mod repeats;
mod silences;

pub(super) use plan::{Planned, Written};

use self::check::{PlanExtent, SequenceScope};
use self::plan::PlanItem;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{Length, Sequence};
use crate::syntax::ast;

impl<'a> RuleLowerer<'_, 'a> {
    /// Lays out the `match` of a rule; `bound` is the rule's `within`, with its file. The
    /// conditions are checked later: the wildcard's conditions need the types of the stream, which
    /// are known when all steps are.
    pub(in crate::hir::lower) fn plan(
        &mut self,
        body: &'a ast::Body,
        bound: Option<(usize, Written<'a>)>,
    ) -> Option<Planned<'a>> {
        // A bound that is read from an event may be any time.
        let within = bound.map(|(_, bound)| bound.known().unwrap_or(i64::MAX));
        let mut loops = Vec::new();
        let errors = self.env.errors;
        let plan = self.plan_body(body, 1, &mut loops)?;
        // `a? -> b*` needs no event, `a? -> b+` needs one. See `matches_nothing.cep`.
        if plan.items.iter().all(PlanItem::can_be_empty) {
            let message = "this pattern can match without any event";
            self.report(
                Diagnostic::error(Code::MatchesNothing, body.span, message)
                    .label("every step is optional")
                    .help("make at least one step required: `+` instead of `*`, no `?`"),
            );
        }
        self.check_absences(&plan, SequenceScope::Pattern, within);
        self.check_longest(&plan, PlanExtent::Whole, within);
        self.written.items = plan.written();
        self.written.is_sound = self.env.errors == errors;
        if self.written.is_sound {
            self.note_last_steps(&plan);
            self.note_gaps(&plan);
            self.check_times(&plan, body.span, within);
        }
        self.check_names();
        self.note_keyed(&plan);
        self.step_keys.is_laid_out = true;
        Some(Planned { plan, bound })
    }

    /// The pattern that was laid out, with its conditions and its `within`.
    pub(in crate::hir::lower) fn build(
        &mut self,
        planned: &Planned<'a>,
    ) -> (Sequence, Option<Length>) {
        let Planned { plan, bound } = planned;
        let within = bound.map(|(_, bound)| bound.known().unwrap_or(i64::MAX));
        let sequence = self.sequence(plan, within);
        let within = bound.map(|(source, bound)| {
            // A refused bound was reported; it is not reported again as missing.
            let length = self.at(source, |lowerer| lowerer.length(bound, lowerer.steps.len()));
            length.unwrap_or(Length::Millis(i64::MAX))
        });
        (sequence, within)
    }
}
