//! The pattern with its bounds and conditions.
//!
//! The `not`s of a row follow each other, so each gets the part of the time in which it must not
//! come, counted from the event before the row (`SilenceRow`). The step after the row gets the sum
//! as the least time of its gap:
//!
//! ```text
//! a -> not b for 5s -> not x for 5s -> c        b: 0s to 5s      x: 5s to 10s      c: 10s or later
//! a -> not b for 5s -> not x -> c               b: 0s to 5s      x: from 5s on     c: 5s or later
//! ```
//!
//! So the automaton needs no states for silences between steps: a `not` is a guard on the time
//! since the last event, and so is the step after it. Held by
//! `testdata/suite/silences_in_a_row.cep`.
//!
//! Refused: `->[5m..1m]`, `->[1h..] b within 1h`, `(a -> a within 2h) within 1h`. Fine:
//! `->[1m..5m]`. See `bounds.cep` and `durations.cep` of `testdata/diagnostics/hir`.

use super::plan::{PlanItem, PlanKind, PlanUntil, SequencePlan, Silence, Written, contiguity};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::BinaryOp;
use crate::hir::lint::WrittenCondition;
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::Resolved;
use crate::hir::lower::terms::{ExprContext, Takes, What};
use crate::hir::silence::{SilenceRow, UnknownSum};
use crate::hir::site::Site;
use crate::hir::{
    Condition, ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Length, LengthId, Quantifier,
    Sequence, StepId, Test, Without,
};
use crate::syntax::ast;
use crate::syntax::ast::{Dur, Spanned};
use kleene_event::time::format_millis;
use kleene_event::value::{Kind, Value};

impl<'a> RuleLowerer<'_, 'a> {
    pub(super) fn sequence(&mut self, plan: &SequencePlan<'a>, within: Option<i64>) -> Sequence {
        let mut items = Vec::new();
        // The `not`s before the item: it comes when their silences are over.
        let mut row = SilenceRow::START;
        for (index, item) in plan.items.iter().enumerate() {
            let mut lowered = self.item(item, index == 0, within);
            match lowered.kind {
                ItemKind::Not { .. } if index > 0 => {
                    let own = lowered.gap.and_then(|gap| gap.max);
                    match row.add(own) {
                        Ok(window) => lowered.gap = window,
                        Err(UnknownSum) => self.two_read_times(item.span),
                    }
                }
                ItemKind::Not { .. } => {}
                // The step after the row. A gap of its own counts from the same event: the longer
                // of the two times is the least one.
                _ if row.passed != Length::ZERO => {
                    let silence = row.passed;
                    let nothing = Gap { min: Length::ZERO, max: None };
                    let Gap { min, max } = lowered.gap.unwrap_or(nothing);
                    let least = silence.as_millis();
                    if max.and_then(Length::as_millis).is_some_and(|max| Some(max) < least) {
                        self.gap_too_short(item, silence);
                    }
                    lowered.gap = Some(Gap { min: self.longer(min, silence, item.span), max });
                    row = SilenceRow::START;
                }
                _ => {}
            }
            items.push(lowered);
        }
        let without = plan.without.as_ref().map(|(step, steps)| Without {
            step: StepId::new(*step),
            condition: self.one_of(steps, What::Step(*step)),
        });
        Sequence { items, without }
    }

    /// The longer of two times before an event.
    fn longer(&mut self, one: Length, other: Length, span: Span) -> Length {
        match (one, other) {
            (Length::Millis(one), Length::Millis(other)) => Length::Millis(one.max(other)),
            // An event says one of the times, so the longer one is not known.
            (one, other) if one == other || other == Length::ZERO => one,
            (Length::ZERO, other) => other,
            (one, _) => {
                self.two_read_times(span);
                one
            }
        }
    }

    fn two_read_times(&mut self, span: Span) {
        let message = "only one of the waiting times before an event can be read from an event";
        let help = "make the other times fixed, or write two rules";
        self.error(Code::BadBound, span, message, help);
    }

    fn gap_too_short(&mut self, item: &PlanItem<'a>, silence: Length) {
        let span = item.arrow.gap.as_ref().map_or(item.span, |gap| gap.span);
        let message = format!("this gap ends before the {silence} of the `not` are over");
        let help = "the step comes after that time: make its gap longer";
        self.error(Code::BadBound, span, message, help);
    }

    pub(super) fn item(&mut self, item: &PlanItem<'a>, first: bool, within: Option<i64>) -> Item {
        let from = self.first_step(&item.kind);
        let mut gap = item.arrow.gap.as_ref().map(|gap| {
            // What was refused and reported still bounds the wait.
            let max = gap.max.as_ref().map(|_| Length::Millis(i64::MAX));
            self.gap(gap, from, within).unwrap_or(Gap { min: Length::ZERO, max })
        });
        let kind = match &item.kind {
            PlanKind::Step { step, resolved, quant } => {
                let condition = self.step_condition(resolved, What::Step(*step));
                let of = (resolved.ty, resolved.names.clone());
                let until = self.until(quant.until.as_ref(), *step, of);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                ItemKind::Step { step: StepId::new(*step), condition, quantifier }
            }
            PlanKind::Not { step, steps, duration } => {
                // A leading `not` whose length an event should give was reported already.
                let duration = duration.filter(|(time, _)| !first || time.known().is_some());
                gap = duration.map(|(time, _)| {
                    let max = self.length(time, *step).unwrap_or(Length::ZERO);
                    Gap { min: Length::ZERO, max: Some(max) }
                });
                let condition = self.one_of(steps, What::Step(*step));
                ItemKind::Not { step: StepId::new(*step), condition }
            }
            PlanKind::Group { plan, quant, within: own, alias } => {
                let known = own.and_then(Written::known);
                if let (Some(own), Some(within)) = (known, within)
                    && own > within
                {
                    let message = format!(
                        "this group may take {}, but the part around it only {}",
                        format_millis(own),
                        format_millis(within)
                    );
                    let help = "lower the group's `within`, or remove it";
                    self.error(Code::BadBound, item.span, message, help);
                }
                let body = self.sequence(plan, known.or(within));
                let own = own.map(|own| {
                    let length = self.length_of_group(own, plan, from);
                    length.unwrap_or(Length::Millis(i64::MAX))
                });
                let ty = common_type(plan);
                let last = self.last_step(plan);
                // The condition of `until [v > 5]` is about an event of the loop's own type.
                let of = (ty, last_names(plan));
                let until = self.until(quant.until.as_ref(), last, of);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                let alias = alias.map(StepId::new);
                ItemKind::Group { body, quantifier, within: own, alias }
            }
            PlanKind::Alternatives { branches, count } => {
                let branches = branches.iter().map(|branch| match branch.silence() {
                    Some(silence) => self.silence(&silence, from),
                    None => self.sequence(branch, within),
                });
                let branches = branches.collect();
                ItemKind::Alternatives { branches, count: *count }
            }
        };
        let contiguity =
            if first { Contiguity::default() } else { contiguity(item.arrow.contiguity) };
        Item { contiguity, gap, kind }
    }

    /// A branch that is a silence. What says how long has been captured before the step `from`.
    ///
    /// The automaton knows such a branch by its form: a single `not`, whose gap ends with its time.
    fn silence(&mut self, silence: &Silence<'_, 'a>, from: usize) -> Sequence {
        let step = silence.step;
        let condition = self.one_of(silence.steps, What::Step(step));
        let time = self.length(silence.time, from).unwrap_or(Length::ZERO);
        let gap = Some(Gap { min: Length::ZERO, max: Some(time) });
        let kind = ItemKind::Not { step: StepId::new(step), condition };
        let item = Item { contiguity: Contiguity::Relaxed, gap, kind };
        Sequence { items: vec![item], without: None }
    }

    pub(super) fn last_step(&self, plan: &SequencePlan<'a>) -> usize {
        match plan.items.last().map(|item| &item.kind) {
            Some(PlanKind::Step { step, .. } | PlanKind::Not { step, .. }) => *step,
            Some(PlanKind::Group { plan, .. }) => self.last_step(plan),
            Some(PlanKind::Alternatives { branches, .. }) => {
                branches.last().map_or(self.steps.len() - 1, |branch| self.last_step(branch))
            }
            None => self.steps.len() - 1,
        }
    }

    /// The first of the steps that an item has.
    ///
    /// The time before an item can be read from the steps before this one.
    fn first_step(&self, kind: &PlanKind<'a>) -> usize {
        match kind {
            PlanKind::Step { step, .. } | PlanKind::Not { step, .. } => *step,
            PlanKind::Group { plan, .. } => {
                plan.items.first().map_or(self.steps.len(), |item| self.first_step(&item.kind))
            }
            PlanKind::Alternatives { branches, .. } => {
                let first = branches.first().and_then(|branch| branch.items.first());
                first.map_or(self.steps.len(), |item| self.first_step(&item.kind))
            }
        }
    }

    /// The bound of a gap before the step `from`.
    fn gap(&mut self, gap: &'a ast::Gap, from: usize, within: Option<i64>) -> Option<Gap> {
        let min = gap.min.as_ref().map_or(Some(Written::Millis(0)), |min| self.written(min));
        let max = gap.max.as_ref().map(|max| self.written(max));
        let (min, max) = match (min, max) {
            (Some(min), None) => (min, None),
            (Some(min), Some(Some(max))) => (min, Some(max)),
            _ => return None,
        };
        let written = (min, max);
        // A bound that an event says is not compared: it may be right for some events.
        let (min, max) = (min.known().unwrap_or(0), max.and_then(Written::known));
        let diagnostic = if max.is_some_and(|max| max < min) {
            let message = "this gap ends before it begins".to_owned();
            Some((message, "write the shorter duration first: `->[1m..5m]`"))
        } else if let Some(within) = within
            && min >= within
        {
            let message =
                format!("this gap is as long as the whole `within {}`", format_millis(within));
            Some((message, "raise `within`, or shorten the gap"))
        } else {
            None
        };
        if let Some((message, help)) = diagnostic {
            self.error(Code::BadBound, gap.span, message, help);
            return None;
        }
        let min = self.length(written.0, from)?;
        let max = match written.1 {
            Some(max) => Some(self.length(max, from)?),
            None => None,
        };
        Some(Gap { min, max })
    }

    /// A length of time where the steps before `from` have been captured.
    pub(super) fn length(&mut self, written: Written<'a>, from: usize) -> Option<Length> {
        let path = match written {
            Written::Millis(millis) => return Some(Length::Millis(millis)),
            Written::Path(path) => path,
        };
        if path.rest.is_empty() {
            let name = &path.root.node;
            let message = format!("`{name}` needs a step: which event has the duration?");
            let help = format!("name the step: `step.{name}`; for a parameter, write `${name}`");
            self.error(Code::NotAllowedHere, path.span, message, help);
            return None;
        }
        // No candidate: a time is read from captured events, and not from the one that is tested.
        let context = ExprContext { candidate: None, what: What::Length(from), bound: None };
        let typed = self.path(path, context);
        if typed.kind.is_never() {
            return None;
        }
        if !typed.kind.is_subset_of(Kind::DURATION.or(Kind::NULL)) {
            let found = typed.kind.without(Kind::NULL);
            let message = format!("this is {found}, not a duration");
            self.error(Code::TypeMismatch, path.span, message, "declare the field as `duration`");
            return None;
        }
        // Null is allowed, and is no time at all: `promised` of
        // `testdata/suite/absence_operands.cep`.
        let id = self.lengths.add(format!("{:?}", typed.expr), typed.expr);
        Some(Length::Read(LengthId::new(id)))
    }

    /// The `within` of a group, whose steps are those from `from` on. It counts from the group's
    /// first event, so that a step of its own that says it has to be the first.
    fn length_of_group(
        &mut self,
        written: Written<'a>,
        plan: &SequencePlan<'a>,
        from: usize,
    ) -> Option<Length> {
        if let Written::Path(path) = written
            && self.steps[from..=self.last_step(plan)]
                .iter()
                .any(|step| *step.name == *path.root.node)
            && !self.begins_with(plan, &path.root.node)
        {
            let name = &path.root.node;
            let message = format!("`{name}` may not be the first event of its group");
            let help = "a group's `within` counts from its first event: read the duration from \
                        that event, or from a step before the group";
            self.error(Code::AliasNotYetCaptured, path.span, message, help);
            return None;
        }
        // The steps before `from + 1` are those before the group, and its first.
        self.length(written, from + 1)
    }

    /// True if the first event of the sequence is always captured as a step of that name.
    ///
    /// In `(a? -> b within b.took)`, an `a` may be the first event: the time would not be known
    /// yet.
    fn begins_with(&self, plan: &SequencePlan<'a>, name: &str) -> bool {
        let first = plan.items.iter().find(|item| !matches!(item.kind, PlanKind::Not { .. }));
        match first.map(|item| &item.kind) {
            Some(PlanKind::Step { step, quant, .. }) => {
                *self.steps[*step].name == *name && !quant.quantifier.optional
            }
            Some(PlanKind::Group { plan, quant, .. }) => {
                !quant.quantifier.optional && self.begins_with(plan, name)
            }
            Some(PlanKind::Alternatives { branches, count }) => {
                *count == 1 && branches.iter().all(|branch| self.begins_with(branch, name))
            }
            Some(PlanKind::Not { .. }) | None => false,
        }
    }

    /// A duration that bounds something has to be positive.
    pub(in crate::hir::lower) fn bound(&mut self, dur: &'a Dur) -> Option<Written<'a>> {
        let written = self.written(dur)?;
        // A time that an event says can be zero. That is not known here.
        if written.known() != Some(0) {
            return Some(written);
        }
        let message = "this bound is zero";
        let help = "the bound is exclusive: use at least 1ms";
        self.error(Code::BadBound, dur.span(), message, help);
        None
    }

    /// A duration, which events may say.
    pub(super) fn written(&mut self, dur: &'a Dur) -> Option<Written<'a>> {
        match dur {
            Dur::Path(path) => Some(Written::Path(path)),
            _ => self.duration(dur).map(Written::Millis),
        }
    }

    /// A duration that is known from the start.
    pub(in crate::hir::lower) fn duration(&mut self, dur: &'a Dur) -> Option<i64> {
        match dur {
            Dur::Literal(millis) => Some(millis.node),
            Dur::Param(name) => {
                let example = format!("param {}: duration = 10m", name.node);
                let param = self.find_param(name, &example)?;
                if let Value::Duration(millis) = param.value
                    && millis >= 0
                {
                    return Some(millis);
                }
                let message = if let Value::Duration(_) = param.value {
                    "a bound on time can't be negative".to_owned()
                } else {
                    format!("`${}` is {}, not a duration", name.node, param.kind)
                };
                let help = format!("declare it as `param {}: duration = 10m`", name.node);
                self.error(Code::TypeMismatch, name.span, message, help);
                None
            }
            Dur::Path(path) => {
                let message = "this duration must be known from the start";
                let help = "write it as `10m` or as a parameter, `$name`";
                self.error(Code::NotAllowedHere, path.span, message, help);
                None
            }
        }
    }

    pub(super) fn until(
        &mut self,
        until: Option<&PlanUntil<'a>>,
        last: usize,
        (ty, names): (Option<Takes>, Vec<&'a str>),
    ) -> Option<ConditionId> {
        match until? {
            PlanUntil::Steps(steps) => Some(self.one_of(steps, What::Until(last))),
            PlanUntil::Condition(condition) => {
                let Some(ty) = ty else {
                    let message = "this condition does not name its event";
                    self.report(
                        Diagnostic::error(Code::NotAllowedHere, condition.span, message)
                            .label("the steps of this group have several types")
                            .help("name the type: `until logout[...]`"),
                    );
                    return Some(self.add_condition(Condition { ty: None, test: Test::True }));
                };
                let conditions = vec![(self.source, *condition)];
                let resolved = Resolved { ty: Some(ty), conditions, names };
                Some(self.step_condition(&resolved, What::Until(last)))
            }
        }
    }

    /// Returns a condition that is true for an event of one of these steps.
    fn one_of(&mut self, steps: &[Resolved<'a>], what: What) -> ConditionId {
        let mut conditions: Vec<ConditionId> =
            steps.iter().map(|step| self.step_condition(step, what)).collect();
        // `not (b or b)` is one condition. The order of the others says nothing.
        conditions.sort_unstable();
        conditions.dedup();
        match conditions.as_slice() {
            [one] => *one,
            _ => self.add_condition(Condition { ty: None, test: Test::OneOf(conditions) }),
        }
    }

    /// Returns a condition that is true for an event of this step.
    pub(super) fn step_condition(&mut self, step: &Resolved<'a>, what: What) -> ConditionId {
        let Some(of) = step.ty else {
            return self.add_condition(Condition { ty: None, test: Test::True });
        };
        // `define small = a[v < 5]` and the step `small[v == 7]` have two conditions, from two
        // files perhaps. All have to hold.
        let mut all: Option<Expr> = None;
        let mut deciding = None;
        let home = self.source;
        let errors = self.env.errors;
        for (source, condition) in &step.conditions {
            // The parts of a condition are reported in the file in which they are written.
            self.source = *source;
            let context = ExprContext { candidate: Some(of), what, bound: None };
            let typed = self.condition(condition, context);
            // A condition that is always true needs no test. One that was refused stays, so that the
            // step does not look as if it took every event.
            let is_empty = typed.kind.is_never() && self.env.errors == errors;
            if is_empty || matches!(typed.expr, Expr::Literal(Value::Bool(true))) {
                continue;
            }
            deciding = Some(Site { source: *source, span: condition.span });
            all = Some(match all {
                None => typed.expr,
                Some(before) => Expr::Binary(BinaryOp::And, Box::new(before), Box::new(typed.expr)),
            });
        }
        self.source = home;
        // If a part was refused, the rest may look impossible for that reason alone.
        let deciding = deciding.filter(|_| self.env.errors == errors);
        if let Some(ty) = of.one() {
            self.record_negated(&step.conditions, ty);
        }
        let test = self.with_step_key(all.map_or(Test::True, Test::Expr), step);
        let id = self.add_condition(Condition { ty: of.one(), test });
        let is_fixed = step.conditions.iter().all(|(_, condition)| is_fixed(condition));
        if !is_fixed {
            self.note_not_fixed(id);
        }
        if let (Some(deciding), Some((source, last))) = (deciding, step.conditions.last()) {
            self.written.conditions.push(WrittenCondition {
                id,
                step: match what {
                    What::Step(step) => Some(StepId::new(step)),
                    _ => None,
                },
                deciding,
                last: Site { source: *source, span: last.span },
                is_fixed,
                are_several: step.conditions.len() > 1,
            });
        }
        id
    }
}

/// The names of the last step of a plan that an event can be.
fn last_names<'a>(plan: &SequencePlan<'a>) -> Vec<&'a str> {
    match plan.items.last().map(|item| &item.kind) {
        Some(PlanKind::Step { resolved, .. }) => resolved.names.clone(),
        Some(PlanKind::Group { plan, .. }) => last_names(plan),
        Some(PlanKind::Alternatives { branches, .. }) => {
            branches.last().map_or_else(Vec::new, last_names)
        }
        Some(PlanKind::Not { .. }) | None => Vec::new(),
    }
}

/// The type that all steps of a group have.
///
/// `(a -> b)+ until [v > 1]` has none, and is refused: an event of which type would end it?
fn common_type(plan: &SequencePlan<'_>) -> Option<Takes> {
    let mut types = plan.items.iter().map(|item| match &item.kind {
        PlanKind::Step { resolved, .. } => resolved.ty,
        PlanKind::Not { steps, .. } => {
            let first = steps.first()?.ty;
            first.filter(|_| steps.iter().all(|step| step.ty == first))
        }
        PlanKind::Group { plan, .. } => common_type(plan),
        PlanKind::Alternatives { branches, .. } => {
            let mut types = branches.iter().map(common_type);
            let first = types.next().flatten()?;
            types.all(|ty| ty == Some(first)).then_some(first)
        }
    });
    let first = types.next().flatten()?;
    types.all(|ty| ty == Some(first)).then_some(first)
}

/// True if a condition is the same whatever parameters and lists say: those are there to be
/// changed.
///
/// `a[$on and v > 3]` is never true while `$on` is false. The command line can set it.
fn is_fixed(expr: &Spanned<ast::Expr>) -> bool {
    let reads_changeable = match &expr.node {
        ast::Expr::Param(_) => true,
        ast::Expr::In { set, .. } => matches!(set.node, ast::Expr::Path(_)),
        ast::Expr::Binary(op, _, patterns) => {
            matches!(op.without_not().unwrap_or(*op), BinaryOp::Like | BinaryOp::Matches)
                && matches!(patterns.node, ast::Expr::Path(_))
        }
        _ => false,
    };
    !reads_changeable && expr.node.parts().into_iter().all(is_fixed)
}
