//! Lays out steps, groups and alternatives, with their numbers and types.
//!
//! A walk over the syntax, which passes two things down:
//!
//! - `times`: how often the part occurs when all repetitions around it are written out. In
//!   `(a{1000} -> b){1000}`, `a` counts 1,000,000 times. The sum over all steps is bounded by
//!   `MAX_STEPS`, before anything of that size is made.
//! - `loops`: the numbers of the loops around the part. A step in a loop has many events, and
//!   conditions on them have to say which.
//!
//! Parentheses that change nothing are taken away, so that a pattern means the same with and
//! without:
//!
//! ```text
//! (a){2}, (a{2})                  the step a{2}
//! (b{2})?                         the step b{2}, which may be left out
//! (b{2}){3}                       a group: three rounds of two
//! (a or b)                        the alternatives, without a group
//! (a{3} within 5s) as burst       a group; the name is that of its step
//! (a within 5s){3}                refused: a bound on a single event
//! ```
//!
//! Refused as well: `0 of (a, b)`, `(a? or b) -> c`, `(a and b and c){1000}`, `(b?)+`. Fine: `(a or
//! b)?`. See `ways.cep`, `empty_loop.cep` and `quantifiers.cep` of `testdata/diagnostics/hir`.

use super::combinations::combined;
use super::plan::{PlanItem, PlanKind, PlanUntil, QuantPlan, SequencePlan, Written};
use super::quantifiers::left_out_together;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::Resolved;
use crate::hir::lower::terms::{StepInfo, Takes};
use crate::hir::site::Site;
use crate::hir::{LoopMode, Quantifier};
use crate::syntax::ast::{self, Dur, Name, Part, Spanned, Take, Unit};

/// The most places in which the branches of one group may stand together, about.
const MAX_COMBINED: u64 = 5_000;
/// The most steps that a pattern may come to when its repetitions are written out.
const MAX_STEPS: u64 = 30_000;

impl<'a> RuleLowerer<'_, 'a> {
    /// Notes each step that an event can be, for the keys of steps.
    pub(super) fn note_keyed(&mut self, plan: &SequencePlan<'a>) {
        for item in &plan.items {
            let quant = match &item.kind {
                PlanKind::Step { resolved, quant, .. } => {
                    self.step_keys.add(resolved);
                    Some(quant)
                }
                PlanKind::Not { steps, .. } => {
                    for step in steps {
                        self.step_keys.add(step);
                    }
                    None
                }
                PlanKind::Group { plan, quant, .. } => {
                    self.note_keyed(plan);
                    Some(quant)
                }
                PlanKind::Alternatives { branches, .. } => {
                    for branch in branches {
                        self.note_keyed(branch);
                    }
                    None
                }
            };
            // A condition in brackets is about an event that the loop takes.
            if let Some(PlanUntil::Steps(steps)) = quant.and_then(|quant| quant.until.as_ref()) {
                for step in steps {
                    self.step_keys.add(step);
                }
            }
        }
        let without = plan.without.iter().flat_map(|(_, steps)| steps);
        without.for_each(|step| self.step_keys.add(step));
    }

    /// Lays out what parentheses or a `match` contain. Returns `None` if it was refused.
    pub(super) fn plan_body(
        &mut self,
        body: &'a ast::Body,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> Option<SequencePlan<'a>> {
        let mut plan = match body.joined_by {
            None => self.plan_sequence(body.sequences.first()?, times, loops),
            Some(junction) => {
                let count = match junction {
                    ast::Junction::And => body.sequences.len(),
                    ast::Junction::Or => 1,
                };
                self.plan_alternatives(&body.sequences, count, body.span, times, loops)?
            }
        };
        if let Some(choice) = &body.without {
            plan.without = Some(self.negated(choice, loops));
        }
        (!plan.items.is_empty()).then_some(plan)
    }

    /// `count` of these sequences, in any order.
    fn plan_alternatives(
        &mut self,
        sequences: &'a [ast::Sequence],
        count: usize,
        span: Span,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> Option<SequencePlan<'a>> {
        let before = self.steps.len();
        let branches: Vec<SequencePlan<'a>> =
            sequences.iter().map(|sequence| self.plan_sequence(sequence, times, loops)).collect();
        if count > 1 {
            self.note_beside(before);
        }
        // An `or` is not bounded here: once a branch has begun, the others wait no longer. See
        // `testdata/suite/many_alternatives.cep`.
        if count > 1 && !self.check_operands(&branches, span) {
            return None;
        }
        let mut fine = true;
        for (branch, sequence) in branches.iter().zip(sequences) {
            fine &= !branch.items.is_empty();
            if !branch.items.is_empty() && branch.items.iter().all(PlanItem::can_be_empty) {
                let message = "this alternative can be empty";
                self.report(
                    Diagnostic::error(Code::MatchesNothing, sequence.span, message)
                        .label("every step is optional")
                        .help("make one step required, or the whole group optional: `(...)?`"),
                );
                fine = false;
            }
        }
        // A repeated group is written out, so its states count as often.
        let places = combined(&branches, count).saturating_mul(times);
        if fine && places > MAX_COMBINED {
            let message = "these alternatives have too many combined states";
            self.report(
                Diagnostic::error(Code::LimitExceeded, span, message)
                    .label(format!(
                        "about {places} combinations; at most {MAX_COMBINED} are allowed"
                    ))
                    .help("use fewer or shorter alternatives, or repeat them less often"),
            );
            return None;
        }
        let arrow = &sequences.first()?.parts.first()?.0;
        let kind = PlanKind::Alternatives { branches, count };
        let items = vec![PlanItem { arrow, span, kind }];
        fine.then_some(SequencePlan { items, without: None })
    }

    fn plan_sequence(
        &mut self,
        sequence: &'a ast::Sequence,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> SequencePlan<'a> {
        let mut items = Vec::new();
        for (arrow, part) in &sequence.parts {
            match part {
                Part::Not { what, duration, span, .. } => {
                    // A refused duration was reported; 0 prevents a second report that it is
                    // missing.
                    let duration = duration.as_ref().map(|duration| {
                        (self.written(duration).unwrap_or(Written::Millis(0)), duration.span())
                    });
                    let (step, steps) = self.negated(what, loops);
                    let kind = PlanKind::Not { step, steps, duration };
                    items.push(PlanItem { arrow, span: *span, kind });
                }
                Part::Take(take) => {
                    if let Some(kind) = self.plan_take(take, times, loops) {
                        items.push(PlanItem { arrow, span: take.span, kind });
                    }
                }
            }
        }
        SequencePlan { items, without: None }
    }

    fn plan_take(
        &mut self,
        take: &'a Take,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> Option<PlanKind<'a>> {
        let quant = self.quant(take);
        let quantifier = &quant.quantifier;
        // A loop without bound is its needed repetitions and one state more.
        let own = u64::from(quantifier.max.unwrap_or(quantifier.min).max(1));
        let times = times.saturating_mul(own);
        match &take.unit {
            Unit::Step(step) => {
                // The mistake is reported at the step that goes beyond the bound, once.
                let fine = self.traits.steps_written_out <= MAX_STEPS;
                self.traits.steps_written_out = self.traits.steps_written_out.saturating_add(times);
                if fine && self.traits.steps_written_out > MAX_STEPS {
                    self.too_many_steps(take.span);
                }
                let mut resolved = self.resolve(step);
                resolved.rename(take.alias.as_ref());
                let many = quant.can_repeat();
                let name = take.alias.as_ref().unwrap_or(&step.name);
                let mut info = self.step_info(&name.node, name.span, resolved.ty, loops);
                info.many |= many;
                info.most = info.most.and(quant.quantifier.max);
                info.explicit = take.alias.is_some();
                let step = self.steps.add(info);
                self.note_kept(step, &quant);
                Some(PlanKind::Step { step, resolved, quant })
            }
            Unit::Group(body, bound) => {
                let within = bound.as_ref().and_then(|bound| self.bound(bound));
                let plan = self.inside_of(&quant, loops, |lowerer, loops| {
                    lowerer.plan_body(body, times, loops)
                })?;
                // `(b?)+` would repeat without an event. `(b?)?` says the same as `b?`, and is
                // fine.
                if quant.can_repeat() && plan.items.iter().all(PlanItem::can_be_empty) {
                    let message = "a group that can be empty is repeated";
                    self.report(
                        Diagnostic::error(Code::EmptyLoop, take.span, message)
                            .label("each repetition can be empty")
                            .help(
                                "make a step inside required, or repeat the step itself: `(a? -> \
                                 b)+`, `a*`",
                            ),
                    );
                    return None;
                }
                self.plan_group(take, plan, quant, within, bound.as_ref().map(Dur::span))
            }
            Unit::Of(count, sequences, bound) => {
                let within = bound.as_ref().and_then(|bound| self.bound(bound));
                let of = sequences.len();
                let needed = usize::try_from(count.node).unwrap_or(usize::MAX);
                if needed == 0 || needed > of {
                    let message = format!("can't choose {} of {of} alternatives", count.node);
                    self.report(
                        Diagnostic::error(Code::BadQuantifier, count.span, message)
                            .label(format!("choose between 1 and {of}")),
                    );
                }
                if needed == 1 || needed == of {
                    self.warn_of_all(count, sequences, needed);
                }
                // The rest is checked as if the number were right.
                let needed = needed.clamp(1, of.max(1));
                let plan = self.inside_of(&quant, loops, |lowerer, loops| {
                    lowerer.plan_alternatives(sequences, needed, take.span, times, loops)
                })?;
                self.plan_group(take, plan, quant, within, bound.as_ref().map(Dur::span))
            }
        }
    }

    /// Notes that the steps from `first` on are greedy and come once or not at all: they keep the
    /// events that fit them after what they have captured.
    fn note_kept(&mut self, first: usize, quant: &QuantPlan<'_>) {
        let Quantifier { optional, mode, .. } = quant.quantifier;
        if optional && mode == LoopMode::Greedy && !quant.can_repeat() {
            self.note_beside(first);
        }
    }

    /// Notes that each of the steps from `first` on can come right before each other.
    fn note_beside(&mut self, first: usize) {
        let beside = first..self.steps.len();
        self.steps[first..].iter_mut().for_each(|step| step.beside = beside.clone());
    }

    /// Warns of an `of` that is an `or` or an `and`.
    fn warn_of_all(&mut self, count: &Spanned<u64>, sequences: &'a [ast::Sequence], needed: usize) {
        let text = &self.env.sources[self.source].text;
        let parts: Vec<&str> = sequences
            .iter()
            .filter_map(|sequence| {
                text.get(sequence.span.start as usize..sequence.span.end as usize)
            })
            .collect();
        let (message, word) = if needed == 1 {
            (format!("`1 of {}` is the same as `or`", sequences.len()), " or ")
        } else {
            (format!("`{needed} of {needed}` is the same as `and`"), " and ")
        };
        let joined = parts.join(word);
        // A long text, or one of several lines, would not fit into the help.
        let is_short = joined.len() < 60 && !joined.contains(['\n', '#']);
        let help = if is_short {
            format!("write `({joined})`, or another number")
        } else {
            "write it this way, or use another number".to_owned()
        };
        self.warn(Code::NeedlessOf, count.span, message, help);
    }

    /// Lays out the inside of a group with this quantifier: one that repeats is a loop around it.
    fn inside_of<T>(
        &mut self,
        quant: &QuantPlan<'a>,
        loops: &mut Vec<usize>,
        plan: impl FnOnce(&mut Self, &mut Vec<usize>) -> T,
    ) -> T {
        if !quant.can_repeat() {
            let first = self.steps.len();
            let planned = plan(self, loops);
            self.note_kept(first, quant);
            return planned;
        }
        self.traits.loop_count += 1;
        loops.push(self.traits.loop_count);
        let planned = plan(self, loops);
        loops.pop();
        planned
    }

    /// A group of one step is that step where this says the same, and one of alternatives these:
    /// between arrows they cannot be written without parentheses.
    fn plan_group(
        &mut self,
        take: &'a Take,
        mut plan: SequencePlan<'a>,
        outer: QuantPlan<'a>,
        within: Option<Written<'a>>,
        within_span: Option<Span>,
    ) -> Option<PlanKind<'a>> {
        let alias = take.alias.as_ref();
        if plan.without.is_none()
            && let [PlanItem { kind: PlanKind::Step { step, quant: inner, .. }, .. }] =
                plan.items.as_slice()
        {
            let step = *step;
            let named = self.steps[step].explicit;
            if let Some(span) = within_span
                && inner.quantifier.max == Some(1)
            {
                let message = "this `within` limits a single event";
                let name = &self.steps[step].name;
                let help = format!("move the repetition inside: `({name}{{3}} within 5s)`");
                self.error(Code::BadBound, span, message, help);
                return None;
            }
            let both_named = named && alias.is_some();
            // Two quantifiers are one only if one of them is not written, or the outer is at most
            // once. Two names, or an `until` of the group around a loop, need both levels.
            let merged = if outer.until.is_some() && inner.span.is_some() || both_named {
                None
            } else if outer.span.is_none() && within.is_none() {
                let until = inner.until.clone().or(outer.until.clone());
                Some(QuantPlan { until, ..inner.clone() })
            } else if inner.span.is_none() {
                Some(outer.clone())
            } else if outer.quantifier.max == Some(1) && within.is_none() {
                left_out_together(&inner.quantifier, &outer.quantifier)
                    .map(|quantifier| QuantPlan { quantifier, ..inner.clone() })
            } else {
                None
            };
            if let Some(merged) = merged {
                if let Some(alias) = alias {
                    self.rename(step, alias);
                }
                self.steps[step].many |= merged.can_repeat();
                let item = plan.items.pop()?;
                let PlanKind::Step { step, mut resolved, .. } = item.kind else { return None };
                resolved.rename(alias);
                return Some(PlanKind::Step { step, resolved, quant: merged });
            }
            // `(x{3..} within 5s) as fails` names the events, not the one round.
            if let Some(alias) = alias
                && !named
                && outer.span.is_none()
            {
                self.rename(step, alias);
                plan.rename(alias);
                return Some(PlanKind::Group { plan, quant: outer, within, alias: None });
            }
        }
        if plan.without.is_none()
            && let [PlanItem { kind: PlanKind::Alternatives { .. }, .. }] = plan.items.as_slice()
            && let (None, None, None) = (outer.span, within, alias)
        {
            return plan.items.pop().map(|item| item.kind);
        }
        let alias = alias.map(|alias| {
            let site = Site { source: self.source, span: alias.span };
            self.steps.add(StepInfo {
                name: alias.node.as_str().into(),
                explicit: true,
                site,
                ty: None,
                negated: false,
                group: true,
                many: true,
                most: None,
                loops: Vec::new(),
                beside: 0..0,
            })
        });
        Some(PlanKind::Group { plan, quant: outer, within, alias })
    }

    fn rename(&mut self, step: usize, alias: &Name) {
        let site = Site { source: self.source, span: alias.span };
        self.steps.rename(step, &alias.node, site);
    }

    /// Adds the step that must not come; it captures nothing. Returns its index and its
    /// alternatives.
    fn negated(&mut self, what: &'a ast::Choice, loops: &[usize]) -> (usize, Vec<Resolved<'a>>) {
        let steps: Vec<Resolved<'a>> = what.steps.iter().map(|step| self.resolve(step)).collect();
        let ty = if let [one] = steps.as_slice() { one.ty } else { None };
        let span = if let [one] = what.steps.as_slice() { one.name.span } else { what.span };
        let info = self.step_info(&what.name(), span, ty, loops);
        (self.steps.add(StepInfo { negated: true, ..info }), steps)
    }

    /// Returns the facts about a step whose name comes from its type.
    fn step_info(&self, name: &str, span: Span, ty: Option<Takes>, loops: &[usize]) -> StepInfo {
        StepInfo {
            name: name.into(),
            explicit: false,
            site: Site { source: self.source, span },
            ty,
            negated: false,
            group: false,
            many: !loops.is_empty(),
            most: loops.is_empty().then_some(1),
            loops: loops.to_vec(),
            beside: 0..0,
        }
    }

    fn too_many_steps(&mut self, span: Span) {
        let message = format!("this pattern has more than {MAX_STEPS} steps");
        self.report(
            Diagnostic::error(Code::LimitExceeded, span, message)
                .label("nested repetitions multiply")
                .help("use smaller counts, or loops without an upper bound"),
        );
    }
}
