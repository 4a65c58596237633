//! A rule's `match`: steps, groups and quantifiers laid out here; then `check` looks at the whole,
//! and `build` makes the pattern with its conditions.

mod build;
mod check;
mod full;
mod loops;
mod operands;
mod optional;
mod repeats;
mod silences;

use self::check::SequenceScope;
use self::full::Surroundings;
use self::loops::PlanExtent;
use self::operands::wait_in_one_state;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::{Resolved, resolve_step};
use crate::hir::lower::site::Site;
use crate::hir::lower::terms::{StepInfo, Takes};
use crate::hir::{Contiguity, Length, LoopMode, Quantifier, Sequence};
use crate::syntax::MAX_REPETITIONS;
use crate::syntax::ast::{self, Arrow, Dur, Name, Part, Path, Spanned, Take, Unit, Until};

/// The most places in which the branches of one group may stand together, about.
const MAX_COMBINED: u64 = 5_000;
/// The most steps that a pattern may come to when its repetitions are written out.
const MAX_STEPS: u64 = 30_000;

/// A `match` whose steps are laid out, and the rule's `within` with its file.
pub(in crate::hir::lower) struct Planned<'a> {
    plan: SequencePlan<'a>,
    bound: Option<(usize, Written<'a>)>,
}

/// A sequence whose steps have their numbers and types, but not yet their conditions.
struct SequencePlan<'a> {
    items: Vec<PlanItem<'a>>,
    without: Option<(usize, Vec<Resolved<'a>>)>,
}

/// A branch that is nothing but a `not` with a time: `not c for 5s`.
struct Silence<'p, 'a> {
    item: &'p PlanItem<'a>,
    step: usize,
    steps: &'p [Resolved<'a>],
    time: Written<'a>,
    /// The place of the time.
    span: Span,
}

impl<'a> SequencePlan<'a> {
    fn silence(&self) -> Option<Silence<'_, 'a>> {
        let [item] = self.items.as_slice() else { return None };
        let PlanKind::Not { step, steps, duration: Some((time, span)) } = &item.kind else {
            return None;
        };
        Some(Silence { item, step: *step, steps, time: *time, span: *span })
    }
}

impl<'a> SequencePlan<'a> {
    /// Gives the only step the name that it has with `as`.
    fn rename(&mut self, alias: &'a Name) {
        if let [PlanItem { kind: PlanKind::Step { resolved, .. }, .. }] = &mut self.items[..] {
            resolved.rename(Some(alias));
        }
    }
}

struct PlanItem<'a> {
    arrow: &'a Arrow,
    span: Span,
    kind: PlanKind<'a>,
}

enum PlanKind<'a> {
    Step {
        step: usize,
        resolved: Resolved<'a>,
        quant: QuantPlan<'a>,
    },
    /// None of these steps.
    Not {
        step: usize,
        steps: Vec<Resolved<'a>>,
        duration: Option<(Written<'a>, Span)>,
    },
    Group {
        plan: SequencePlan<'a>,
        quant: QuantPlan<'a>,
        within: Option<Written<'a>>,
        alias: Option<usize>,
    },
    Alternatives {
        branches: Vec<SequencePlan<'a>>,
        count: usize,
    },
}

/// A length of time as it is written.
#[derive(Clone, Copy)]
pub(in crate::hir::lower) enum Written<'a> {
    Millis(i64),
    /// A field of a captured event.
    Path(&'a Path),
}

impl Written<'_> {
    /// The milliseconds, if they are known from the start.
    fn known(self) -> Option<i64> {
        match self {
            Written::Millis(millis) => Some(millis),
            Written::Path(_) => None,
        }
    }
}

/// A quantifier as it will be, but for its `until`.
#[derive(Clone)]
struct QuantPlan<'a> {
    quantifier: Quantifier,
    /// The place of the quantifier, if it is written.
    span: Option<Span>,
    /// True if the mode is written: `{2..3 greedy}`.
    is_mode_written: bool,
    until: Option<PlanUntil<'a>>,
}

/// The `until` of a loop, its steps resolved.
#[derive(Clone)]
enum PlanUntil<'a> {
    Steps(Vec<Resolved<'a>>),
    Condition(&'a Spanned<ast::Expr>),
}

impl QuantPlan<'_> {
    fn can_repeat(&self) -> bool {
        self.quantifier.max != Some(1)
    }
}

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
        // A loop that is never captured does not end early, either.
        if !(self.env.errors == errors && self.warn_never_captured(&plan))
            && let Some(last) = plan.items.last()
        {
            self.warn_last_loop(last);
        }
        if self.env.errors == errors {
            self.warn_optional_end(&plan, None);
            let around = Surroundings { has_begun: false, waits_after: false };
            self.warn_full_loops(&plan, around, &[]);
            self.note_last_steps(&plan);
            self.note_gaps(&plan);
            self.traits.within = bound.and_then(|(_, bound)| bound.known());
            self.warn_loops(&plan, PlanExtent::Whole, within.is_some());
            self.note_waits(&plan, body.span, within);
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
        let within = bound.and_then(|(source, bound)| {
            self.at(source, |lowerer| lowerer.length(bound, lowerer.steps.len()))
        });
        (sequence, within)
    }

    /// Notes each step that an event can be, for the keys of steps.
    fn note_keyed(&mut self, plan: &SequencePlan<'a>) {
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

    fn plan_body(
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
        let own = u64::from(quantifier.max.unwrap_or(quantifier.min).max(1));
        let times = times.saturating_mul(own);
        match &take.unit {
            Unit::Step(step) => {
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
                let needed = needed.clamp(1, of.max(1));
                let plan = self.inside_of(&quant, loops, |lowerer, loops| {
                    lowerer.plan_alternatives(sequences, needed, take.span, times, loops)
                })?;
                self.plan_group(take, plan, quant, within, bound.as_ref().map(Dur::span))
            }
        }
    }

    /// Notes that the steps from `first` on are greedy and come once or not at all: they keep the
    /// events that fit them behind what they have captured.
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

    fn resolve(&mut self, step: &'a ast::Step) -> Resolved<'a> {
        let mut used = step;
        while !used.wildcard
            && let Some((_, define)) = self.defines.get(used.name.node.as_str())
        {
            if !self.used_defines.insert(define.name.node.as_str()) {
                break;
            }
            used = &define.step;
        }
        let resolved = resolve_step(self.env, &self.defines, self.source, step);
        match resolved.ty {
            Some(Takes::One(ty)) => self.note_type(ty, &step.name),
            Some(Takes::Stream) => self.note_wildcard(step.span),
            None => {}
        }
        resolved
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

    /// The quantifier of a part, checked by itself.
    fn quant(&mut self, take: &'a Take) -> QuantPlan<'a> {
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

impl PlanItem<'_> {
    /// Returns about how many states a partial match can wait in within the item.
    fn places(&self) -> u64 {
        let times = |quantifier: &Quantifier| {
            let times = u64::from(quantifier.max.unwrap_or(quantifier.min).max(1));
            // An item that can be left out or repeated has states of its own to wait in.
            if quantifier.is_once() { times } else { times.saturating_mul(2).saturating_add(1) }
        };
        match &self.kind {
            PlanKind::Step { quant, .. } => times(&quant.quantifier),
            PlanKind::Not { .. } => 0,
            PlanKind::Group { plan, quant, .. } => {
                let once = plan.items.iter().map(PlanItem::places).fold(0, u64::saturating_add);
                once.saturating_mul(times(&quant.quantifier))
            }
            PlanKind::Alternatives { branches, count } => combined(branches, *count),
        }
    }

    fn can_be_empty(&self) -> bool {
        match &self.kind {
            PlanKind::Step { quant, .. } => quant.quantifier.optional,
            PlanKind::Group { quant, plan, .. } => {
                quant.quantifier.optional || plan.items.iter().all(PlanItem::can_be_empty)
            }
            PlanKind::Not { .. } | PlanKind::Alternatives { .. } => false,
        }
    }
}

/// Returns a loop in parentheses that may be left out as one loop. There is none if one of them is
/// greedy, and the other gives back.
fn left_out_together(inner: &Quantifier, outer: &Quantifier) -> Option<Quantifier> {
    let is_fixed = !inner.varies();
    let mode = if is_fixed && outer.optional { outer.mode } else { inner.mode };
    let is_same = is_fixed || !outer.optional || inner.mode == outer.mode;
    let optional = inner.optional || outer.optional;
    is_same.then(|| Quantifier { optional, mode, ..inner.clone() })
}

/// Returns about how many states a branch has.
fn places_of(branch: &SequencePlan<'_>) -> u64 {
    branch.items.iter().map(PlanItem::places).fold(0, u64::saturating_add)
}

/// Returns about how many combinations of states `count` of the branches have.
fn combined(branches: &[SequencePlan<'_>], count: usize) -> u64 {
    if wait_in_one_state(branches, count) {
        // The one state has about as many edges as this number of states with a few edges each.
        return branches.iter().map(places_of).fold(0, u64::saturating_add) / 2;
    }
    // The combinations by the number of branches that have begun; the others wait for their first
    // event.
    let mut by_begun = vec![0_u64; count + 1];
    by_begun[0] = 1;
    for branch in branches {
        if branch.silence().is_some() {
            // A silence goes on, is over, or is broken.
            for places in &mut by_begun {
                *places = places.saturating_mul(3);
            }
            continue;
        }
        let places = places_of(branch);
        for begun in (1..=count).rev() {
            let more = by_begun[begun - 1].saturating_mul(places);
            by_begun[begun] = by_begun[begun].saturating_add(more);
        }
    }
    by_begun.into_iter().fold(0, u64::saturating_add)
}

fn contiguity(contiguity: ast::Contiguity) -> Contiguity {
    match contiguity {
        ast::Contiguity::Relaxed => Contiguity::Relaxed,
        ast::Contiguity::Next => Contiguity::Next,
        ast::Contiguity::Any => Contiguity::Any,
    }
}

fn until_span(until: &Until) -> Span {
    match until {
        Until::Step(choice) => choice.span,
        Until::Condition(condition) => condition.span,
    }
}
