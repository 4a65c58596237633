//! A rule's `match`: steps, groups and quantifiers laid out, then their conditions.

use std::sync::Arc;

use super::Site;
use super::expr::{Place, What, contradiction};
use super::names::{Resolved, resolve_step};
use super::rule::Cx;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::BinaryOp;
use crate::hir::{
    Condition, ConditionId, Contiguity, Expr, Gap, Item, ItemKind, LoopMode, Quantifier, Sequence,
    StageId, Test,
};
use crate::schema::TypeId;
use crate::syntax::MAX_REPETITIONS;
use crate::syntax::ast::{self, Arrow, Dur, Name, Part, Spanned, Take, Unit, Until};
use crate::time::format_millis;
use crate::value::Value;

/// The most steps that a pattern may come to when its repetitions are written out.
const MAX_STEPS: u64 = 30_000;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
/// What is known of a step while its rule is checked; the index is that of its stage.
pub(super) struct StepInfo {
    pub(super) name: Arc<str>,
    /// Whether someone chose the name with `as`.
    pub(super) explicit: bool,
    pub(super) site: Site,
    /// `None` for groups, and where the type was refused.
    pub(super) ty: Option<TypeId>,
    pub(super) negated: bool,
    /// Whether this is the alias of a group.
    pub(super) group: bool,
    /// Whether a match can hold several events of it.
    pub(super) many: bool,
    /// The repeated groups around it.
    pub(super) loops: Vec<usize>,
}

/// A sequence whose steps have their numbers and types, but not yet their conditions.
struct Plan<'a> {
    items: Vec<PlanItem<'a>>,
}

struct PlanItem<'a> {
    arrow: &'a Arrow,
    span: Span,
    kind: PlanKind<'a>,
}

enum PlanKind<'a> {
    Step { stage: usize, step: Resolved<'a>, quant: Quant<'a> },
    Not { stage: usize, step: Resolved<'a>, duration: Option<(i64, Span)> },
    Group { plan: Plan<'a>, quant: Quant<'a>, within: Option<i64>, alias: Option<usize> },
}

/// A quantifier as it will be, but for its `until`.
#[derive(Clone)]
struct Quant<'a> {
    quantifier: Quantifier,
    /// Where it stands, if it is written.
    span: Option<Span>,
    until: Option<&'a Until>,
}

impl Quant<'_> {
    fn can_repeat(&self) -> bool {
        self.quantifier.max != Some(1)
    }
}

impl<'a> Cx<'_, 'a> {
    /// Lays out the `match` of a rule; `within` is the rule's.
    pub(super) fn body(&mut self, body: &'a ast::Body, within: Option<i64>) -> Option<Sequence> {
        let mut loops = Vec::new();
        let errors = self.env.errors;
        let plan = self.plan_body(body, 1, &mut loops)?;
        if plan.items.iter().all(PlanItem::can_be_empty) {
            let message = "this pattern can match nothing at all";
            self.report(
                Diagnostic::error(Code::MatchesNothing, body.span, message)
                    .label("every step can be left out")
                    .help("let at least one step be required: `+` instead of `*`, no `?`"),
            );
        }
        self.check_absences(&plan, true, within);
        self.check_longest(&plan, true, within);
        self.warn_loops(&plan, within.is_some());
        if let Some(last) = plan.items.last() {
            self.warn_last_loop(last);
        }
        if self.env.errors == errors {
            self.warn_without_within(&plan, body.span, within);
        }
        self.check_names();
        Some(self.sequence(&plan, within))
    }

    // ---- the layout ----

    fn plan_body(
        &mut self,
        body: &'a ast::Body,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> Option<Plan<'a>> {
        if let Some(step) = &body.without {
            self.report(Diagnostic::unsupported(step.span, "`without`"));
            self.resolve(step);
        }
        if let Some(junction) = body.joined_by {
            let what = match junction {
                ast::Junction::And => "`and` between steps",
                ast::Junction::Or => "`or` between steps",
            };
            self.report(Diagnostic::unsupported(body.span, what));
            self.check_only(&body.sequences, times, loops);
            return None;
        }
        let plan = body.sequences.first().map(|one| self.plan_sequence(one, times, loops))?;
        (!plan.items.is_empty() && body.without.is_none()).then_some(plan)
    }

    /// Looks for mistakes in sequences that can't be run yet, so that all are told at once.
    fn check_only(&mut self, sequences: &'a [ast::Sequence], times: u64, loops: &mut Vec<usize>) {
        for sequence in sequences {
            let plan = self.plan_sequence(sequence, times, loops);
            self.sequence(&plan, None);
        }
    }

    fn plan_sequence(
        &mut self,
        sequence: &'a ast::Sequence,
        times: u64,
        loops: &mut Vec<usize>,
    ) -> Plan<'a> {
        let mut items = Vec::new();
        for (arrow, part) in &sequence.parts {
            match part {
                Part::Not { step, duration, span } => {
                    let resolved = self.resolve(step);
                    // What was refused is not refused again for want of it.
                    let duration = duration
                        .as_ref()
                        .map(|duration| (self.duration(duration).unwrap_or(0), duration.span()));
                    let stage = self.add_step(step, None, resolved.ty, loops, false);
                    self.steps[stage].negated = true;
                    let kind = PlanKind::Not { stage, step: resolved, duration };
                    items.push(PlanItem { arrow, span: *span, kind });
                }
                Part::Take(take) => {
                    if let Some(kind) = self.plan_take(take, times, loops) {
                        items.push(PlanItem { arrow, span: take.span, kind });
                    }
                }
            }
        }
        Plan { items }
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
                let fine = self.steps_written_out <= MAX_STEPS;
                self.steps_written_out = self.steps_written_out.saturating_add(times);
                if fine && self.steps_written_out > MAX_STEPS {
                    self.too_many_steps(take.span);
                }
                let resolved = self.resolve(step);
                let many = quant.can_repeat();
                let stage = self.add_step(step, take.alias.as_ref(), resolved.ty, loops, many);
                Some(PlanKind::Step { stage, step: resolved, quant })
            }
            Unit::Group(body, bound) => {
                let within = bound.as_ref().and_then(|bound| self.bound(bound));
                let repeated = quant.can_repeat();
                if repeated {
                    self.loop_count += 1;
                    loops.push(self.loop_count);
                }
                let plan = self.plan_body(body, times, loops);
                if repeated {
                    loops.pop();
                }
                let plan = plan?;
                if repeated && plan.items.iter().all(PlanItem::can_be_empty) {
                    let message = "a group that can be empty is repeated";
                    self.report(
                        Diagnostic::error(Code::EmptyLoop, take.span, message)
                            .label("each repetition may be nothing")
                            .help(
                                "let a step inside be required, or the repetition be inside: \
                                   `(a? -> b)+`, `a*`",
                            ),
                    );
                    return None;
                }
                self.plan_group(take, plan, quant, within, bound.as_ref().map(Dur::span))
            }
            Unit::Of(_, sequences, _) => {
                self.report(Diagnostic::unsupported(take.span, "`N of (...)`"));
                self.check_only(sequences, times, loops);
                None
            }
        }
    }

    /// A group of one step is that step where this says the same.
    fn plan_group(
        &mut self,
        take: &'a Take,
        mut plan: Plan<'a>,
        outer: Quant<'a>,
        within: Option<i64>,
        within_span: Option<Span>,
    ) -> Option<PlanKind<'a>> {
        let alias = take.alias.as_ref();
        let single = match plan.items.as_slice() {
            [PlanItem { kind: PlanKind::Step { stage, quant, .. }, .. }] => {
                Some((*stage, quant.clone()))
            }
            _ => None,
        };
        if let Some((stage, inner)) = &single {
            let named = self.steps[*stage].explicit;
            if let Some(span) = within_span
                && inner.quantifier.max == Some(1)
            {
                let message = "this `within` bounds a single event";
                let name = self.steps[*stage].name.clone();
                self.report(
                    Diagnostic::error(Code::BadBound, span, message)
                        .help(format!("put the repetition inside: `({name}{{3}} within 5s)`")),
                );
                return None;
            }
            let both_named = named && alias.is_some();
            let merged = if outer.until.is_some() && inner.span.is_some() || both_named {
                None
            } else if outer.span.is_none() && within.is_none() {
                Some(Quant { until: inner.until.or(outer.until), ..inner.clone() })
            } else if inner.span.is_none() {
                Some(outer.clone())
            } else if outer.quantifier.max == Some(1) && within.is_none() {
                let optional = inner.quantifier.optional || outer.quantifier.optional;
                let quantifier = Quantifier { optional, ..inner.quantifier.clone() };
                Some(Quant { quantifier, ..inner.clone() })
            } else {
                None
            };
            if let Some(merged) = merged {
                if let Some(alias) = alias {
                    self.rename(*stage, alias);
                }
                self.steps[*stage].many |= merged.can_repeat();
                let item = plan.items.pop()?;
                let PlanKind::Step { stage, step, .. } = item.kind else { return None };
                return Some(PlanKind::Step { stage, step, quant: merged });
            }
            // `(x{3..} within 5s) as fails` names the events, not the one round.
            if let Some(alias) = alias
                && !named
                && outer.span.is_none()
            {
                self.rename(*stage, alias);
                return Some(PlanKind::Group { plan, quant: outer, within, alias: None });
            }
        }
        let alias = alias.map(|alias| {
            let site = Site { source: self.source, span: alias.span };
            self.steps.push(StepInfo {
                name: alias.node.as_str().into(),
                explicit: true,
                site,
                ty: None,
                negated: false,
                group: true,
                many: true,
                loops: Vec::new(),
            });
            self.steps.len() - 1
        });
        Some(PlanKind::Group { plan, quant: outer, within, alias })
    }

    fn rename(&mut self, stage: usize, alias: &Name) {
        let step = &mut self.steps[stage];
        step.name = alias.node.as_str().into();
        step.explicit = true;
        step.site = Site { source: self.source, span: alias.span };
    }

    fn resolve(&mut self, step: &'a ast::Step) -> Resolved<'a> {
        let mut name = step.name.node.as_str();
        while let Some((_, define)) = self.defines.get(name) {
            if !self.used_defines.insert(define.name.node.as_str()) {
                break;
            }
            name = define.step.name.node.as_str();
        }
        let resolved = resolve_step(self.env, &self.defines, self.source, step);
        self.note_type(resolved.ty, &step.name);
        resolved
    }

    fn add_step(
        &mut self,
        step: &ast::Step,
        alias: Option<&Name>,
        ty: Option<TypeId>,
        loops: &[usize],
        many: bool,
    ) -> usize {
        let name = alias.unwrap_or(&step.name);
        self.steps.push(StepInfo {
            name: name.node.as_str().into(),
            explicit: alias.is_some(),
            site: Site { source: self.source, span: name.span },
            ty,
            negated: false,
            group: false,
            many: many || !loops.is_empty(),
            loops: loops.to_vec(),
        });
        self.steps.len() - 1
    }

    fn too_many_steps(&mut self, span: Span) {
        let message = format!("this pattern comes to more than {MAX_STEPS} steps");
        self.report(
            Diagnostic::error(Code::LimitExceeded, span, message)
                .label("nested repetitions multiply")
                .help("use smaller counts, or loops without an upper bound"),
        );
    }

    /// The quantifier of a part, checked by itself.
    fn quant(&mut self, take: &'a Take) -> Quant<'a> {
        let until = take.until.as_ref();
        let Some(quant) = &take.quant else {
            if let Some(until) = until {
                self.until_without_loop(until_span(until), "this is no loop");
            }
            let quantifier = Quantifier::ONCE;
            return Quant { quantifier, span: None, until: None };
        };
        let span = quant.span;
        let mut refuse = |code, message: String, help: &str| {
            self.report(Diagnostic::error(code, span, message).help(help));
        };
        let most = quant.max.unwrap_or(quant.min);
        if quant.max == Some(0) {
            let help = "leave the step out, or write `not x` if it must not come";
            refuse(Code::BadQuantifier, "this step would never occur".to_owned(), help);
        } else if most < quant.min {
            let message = format!("{} is more than {most}", quant.min);
            let help = format!("the lesser number comes first: `{{{most}..{}}}`", quant.min);
            refuse(Code::BadQuantifier, message, &help);
        }
        let inner = contiguity(quant.contiguity);
        let greedy = matches!(quant.mode, Some(ast::LoopMode::Greedy | ast::LoopMode::Longest));
        if inner == Contiguity::Any && greedy {
            let help = "a greedy loop takes every event that fits: leave `any` away, or write \
                        `each` instead of the other word";
            let message = "`any` skips events that fit, a greedy loop does not";
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
            self.until_without_loop(until_span(until), "this loop ends by itself");
        }
        let quantifier = Quantifier { min, max, optional, inner, mode, until: None };
        let until = if max.is_none() { until } else { None };
        Quant { quantifier, span: Some(span), until }
    }

    fn until_without_loop(&mut self, span: Span, label: &str) {
        let message = "`until` ends a loop without an upper bound";
        self.report(
            Diagnostic::error(Code::UntilWithoutLoop, span, message)
                .label(label)
                .help("write `x{1..} until y`"),
        );
    }

    /// Aliases are given once, and not to what has a meaning already.
    fn check_names(&mut self) {
        for index in 0..self.steps.len() {
            let step = &self.steps[index];
            if !step.explicit {
                continue;
            }
            let (name, site) = (step.name.clone(), step.site);
            if matches!(&*name, "prev" | "match") {
                let message = format!("`{name}` has a meaning of its own");
                let diagnostic = Diagnostic::error(Code::DuplicateName, site.span, message)
                    .help("give the step another name");
                self.report(diagnostic);
            }
            let first = self.steps[..index]
                .iter()
                .find(|other| other.explicit && other.name == name)
                .map(|other| other.site);
            if let Some(first) = first {
                let message = format!("two steps are named `{name}`");
                let diagnostic = Diagnostic::error(Code::DuplicateName, site.span, message)
                    .context(first.span, "named here first")
                    .help("give one of them another name");
                self.report(diagnostic);
            }
        }
    }

    // ---- checks of the whole ----

    fn check_absences(&mut self, plan: &Plan<'a>, top: bool, within: Option<i64>) {
        let items = &plan.items;
        for (index, item) in items.iter().enumerate() {
            match &item.kind {
                PlanKind::Not { stage, duration, .. } => {
                    let name = self.steps[*stage].name.clone();
                    let last = index + 1 == items.len();
                    let diagnostic = Self::misplaced_not(items, index, &name, top).or_else(|| {
                        if last {
                            Self::unbounded_not(item, &name, *duration, within)
                        } else {
                            duration.map(|(_, span)| {
                                Diagnostic::unsupported(span, "`for` between two steps")
                            })
                        }
                    });
                    if let Some(diagnostic) = diagnostic {
                        self.report(diagnostic);
                    }
                }
                PlanKind::Group { plan, .. } => self.check_absences(plan, false, within),
                PlanKind::Step { .. } => {}
            }
        }
    }

    fn misplaced_not(
        items: &[PlanItem<'_>],
        index: usize,
        name: &str,
        top: bool,
    ) -> Option<Diagnostic> {
        let item = &items[index];
        let span = item.span;
        let refuse = |message: &str, help: String| {
            Some(Diagnostic::error(Code::MisplacedNot, span, message).help(help))
        };
        let is_next = item.arrow.contiguity == ast::Contiguity::Next;
        if let Some(gap) = &item.arrow.gap {
            return Some(
                Diagnostic::error(Code::BadBound, gap.span, "a gap leads to an event")
                    .label("but `not` waits for none")
                    .help(format!("say how long it must not come: `-> not {name} for 5m`")),
            );
        }
        if item.arrow.contiguity == ast::Contiguity::Any {
            let message = "`any` does not go with `not`";
            let diagnostic = Diagnostic::error(Code::BadContiguity, span, message);
            return Some(diagnostic.help(format!("write `-> not {name}`")));
        }
        if index == 0 {
            if top {
                return Some(Diagnostic::unsupported(span, "`not` as the first step"));
            }
            let message = "a group does not begin with `not`";
            return refuse(message, format!("put it before the group: `-> not {name} -> (...)`"));
        }
        let rest = &items[index + 1..];
        if rest.is_empty() && !top {
            let message = "a group does not end with `not`";
            return refuse(message, format!("put it behind the group: `(...) -> not {name}`"));
        }
        if items[index - 1].can_be_empty() {
            let message = "this `not` may have nothing to follow";
            let help = "the step before it can be left out: let it be required".to_owned();
            return refuse(message, help);
        }
        if let [next] = rest
            && let PlanKind::Not { .. } = next.kind
            && top
        {
            let message = "only the last `not` of a pattern would count";
            let help = if is_next {
                "put the other one between two steps, or write two rules".to_owned()
            } else {
                format!("name both in one define: `define bad = ...`, `not bad` for `{name}`")
            };
            return refuse(message, help);
        }
        if !rest.is_empty() && rest.iter().all(PlanItem::can_be_empty) {
            let message = "what follows this `not` can be left out";
            return refuse(message, "let a step behind it be required".to_owned());
        }
        None
    }

    fn unbounded_not(
        item: &PlanItem<'_>,
        name: &str,
        duration: Option<(i64, Span)>,
        within: Option<i64>,
    ) -> Option<Diagnostic> {
        let is_next = item.arrow.contiguity == ast::Contiguity::Next;
        match (duration, within) {
            (Some((_, span)), _) if is_next => {
                Some(Diagnostic::unsupported(span, "`for` behind `next not`"))
            }
            (Some((millis, span)), Some(within)) if millis >= within => {
                let message = format!(
                    "the rule's `within {}` ends before this `for` can pass",
                    format_millis(within)
                );
                Some(
                    Diagnostic::error(Code::BadBound, span, message)
                        .help("raise `within`, or leave it out"),
                )
            }
            (None, None) if !is_next => {
                let message = "a `not` at the end needs a bound: when is it certain?";
                Some(
                    Diagnostic::error(Code::UnboundedNot, item.span, message)
                        .label("no event can tell that it never comes")
                        .help(format!("write `not {name} for 10m`, or give the rule a `within`")),
                )
            }
            _ => None,
        }
    }

    fn check_longest(&mut self, plan: &Plan<'a>, top: bool, within: Option<i64>) {
        for (index, item) in plan.items.iter().enumerate() {
            let last = top && index + 1 == plan.items.len();
            let (quant, is_step) = match &item.kind {
                PlanKind::Step { quant, .. } => (quant, true),
                PlanKind::Group { plan, quant, .. } => {
                    self.check_longest(plan, false, within);
                    (quant, false)
                }
                PlanKind::Not { .. } => continue,
            };
            let (LoopMode::Longest, Some(span)) = (quant.quantifier.mode, quant.span) else {
                continue;
            };
            let endless = quant.until.is_none()
                && quant.quantifier.inner != Contiguity::Next
                && quant.quantifier.max.is_none()
                && within.is_none();
            if !last {
                self.report(
                    Diagnostic::error(
                        Code::LongestNotLast,
                        span,
                        "`longest` is for the last step of a pattern",
                    )
                    .help("between steps a loop is `greedy` already: leave the word out"),
                );
            } else if !is_step {
                self.report(Diagnostic::unsupported(span, "`longest` on a group"));
            } else if endless {
                self.report(
                    Diagnostic::error(
                        Code::MissingClause,
                        span,
                        "nothing ends this loop, so that it would never be told",
                    )
                    .help("give the rule a `within`, or the loop an `until` or `next`"),
                );
            }
        }
    }

    fn warn_loops(&mut self, plan: &Plan<'a>, bounded: bool) {
        for item in &plan.items {
            let quant = match &item.kind {
                PlanKind::Step { quant, .. } => quant,
                PlanKind::Group { plan, quant, within, .. } => {
                    self.warn_loops(plan, bounded || within.is_some());
                    quant
                }
                PlanKind::Not { .. } => continue,
            };
            let Quantifier { mode, inner, max: None, .. } = quant.quantifier else { continue };
            let branches =
                inner == Contiguity::Any || mode == LoopMode::Each && inner != Contiguity::Next;
            if let (true, false, None, Some(span)) = (branches, bounded, quant.until, quant.span) {
                let message = "without `within`, the partial matches of this loop grow with each \
                               event and are never given up";
                self.report(
                    Diagnostic::warning(Code::ExponentialLoop, span, message)
                        .help("bound it with `within`, or take `any` or `each` away"),
                );
            }
        }
    }

    fn warn_last_loop(&mut self, last: &PlanItem<'a>) {
        let (quant, name) = match &last.kind {
            PlanKind::Step { stage, quant, .. } => (quant, self.steps[*stage].name.to_string()),
            PlanKind::Group { quant, .. } => (quant, "(...)".to_owned()),
            PlanKind::Not { .. } => return,
        };
        let Quantifier { min, max, mode, .. } = quant.quantifier;
        if let (LoopMode::Greedy, Some(span)) = (mode, quant.span)
            && max != Some(min)
        {
            let message = format!("a loop at the end matches as soon as it came {min} times");
            let message = if min == 1 { message.replace("1 times", "once") } else { message };
            let each =
                format!("write `{name}{{{min}}}` if that is meant, or `each` for a match each");
            let help = match last.kind {
                PlanKind::Group { .. } => each,
                _ => format!("{each}; `{{{min}.. longest}}` waits for all"),
            };
            self.report(Diagnostic::warning(Code::LastLoopEager, span, message).help(help));
        }
    }

    fn warn_without_within(&mut self, plan: &Plan<'a>, span: Span, within: Option<i64>) {
        let waits = |(index, item): (usize, &PlanItem<'_>)| match &item.kind {
            PlanKind::Step { quant, .. } => {
                index > 0 && item.arrow.contiguity != ast::Contiguity::Next
                    || quant.can_repeat() && quant.quantifier.inner != Contiguity::Next
            }
            PlanKind::Not { duration, .. } => {
                duration.is_none() && item.arrow.contiguity != ast::Contiguity::Next
            }
            PlanKind::Group { .. } => true,
        };
        if within.is_none() && plan.items.iter().enumerate().any(waits) {
            // A last `not` with `for` gives up by itself.
            if let [PlanItem { kind: PlanKind::Step { quant, .. }, .. }, last] =
                plan.items.as_slice()
                && let PlanKind::Not { duration: Some(_), .. } = last.kind
                && !quant.can_repeat()
            {
                return;
            }
            let message = "without `within`, a partial match waits for ever";
            self.report(
                Diagnostic::warning(Code::NoWithin, span, message)
                    .help("say how long a match may take: `within 1h`"),
            );
        }
    }

    // ---- the result ----

    fn sequence(&mut self, plan: &Plan<'a>, within: Option<i64>) -> Sequence {
        let items = plan
            .items
            .iter()
            .enumerate()
            .map(|(index, item)| self.item(item, index == 0, within))
            .collect();
        Sequence { items }
    }

    fn item(&mut self, item: &PlanItem<'a>, first: bool, within: Option<i64>) -> Item {
        let mut gap = item.arrow.gap.as_ref().and_then(|gap| self.gap(gap, within));
        let kind = match &item.kind {
            PlanKind::Step { stage, step, quant } => {
                let condition = self.step_condition(step, What::Step(*stage));
                let until = self.until(quant.until, *stage, step.ty);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                ItemKind::Step { stage: StageId::new(*stage), condition, quantifier }
            }
            PlanKind::Not { stage, step, duration } => {
                gap = duration.map(|(millis, _)| Gap { min: 0, max: Some(millis) });
                let condition = self.step_condition(step, What::Step(*stage));
                ItemKind::Not { stage: StageId::new(*stage), condition }
            }
            PlanKind::Group { plan, quant, within: own, alias } => {
                if let (Some(own), Some(within)) = (own, within)
                    && *own > within
                {
                    let message = format!(
                        "this group may take {}, its surroundings only {}",
                        format_millis(*own),
                        format_millis(within)
                    );
                    let help = "lower the group's `within`, or leave it out";
                    let diagnostic = Diagnostic::error(Code::BadBound, item.span, message);
                    self.report(diagnostic.help(help));
                }
                let body = self.sequence(plan, own.or(within));
                let ty = common_type(plan);
                let last = self.last_stage(plan);
                let until = self.until(quant.until, last, ty);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                let alias = alias.map(StageId::new);
                ItemKind::Group { body, quantifier, within: *own, alias }
            }
        };
        let contiguity =
            if first { Contiguity::default() } else { contiguity(item.arrow.contiguity) };
        Item { contiguity, gap, kind }
    }

    fn last_stage(&self, plan: &Plan<'a>) -> usize {
        match plan.items.last().map(|item| &item.kind) {
            Some(PlanKind::Step { stage, .. } | PlanKind::Not { stage, .. }) => *stage,
            Some(PlanKind::Group { plan, .. }) => self.last_stage(plan),
            None => self.steps.len() - 1,
        }
    }

    fn gap(&mut self, gap: &'a ast::Gap, within: Option<i64>) -> Option<Gap> {
        let min = gap.min.as_ref().map_or(Some(0), |min| self.duration(min));
        let max = gap.max.as_ref().map(|max| self.duration(max));
        let (min, max) = match (min, max) {
            (Some(min), None) => (min, None),
            (Some(min), Some(Some(max))) => (min, Some(max)),
            _ => return None,
        };
        let diagnostic = if max.is_some_and(|max| max < min) {
            let message = "this gap ends before it begins".to_owned();
            Some((message, "the lesser duration comes first: `->[1m..5m]`"))
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
            self.report(Diagnostic::error(Code::BadBound, gap.span, message).help(help));
            return None;
        }
        Some(Gap { min, max })
    }

    /// A duration that bounds something has to be positive.
    pub(super) fn bound(&mut self, dur: &'a Dur) -> Option<i64> {
        let millis = self.duration(dur)?;
        if millis > 0 {
            return Some(millis);
        }
        let message = "a bound of no time at all";
        self.report(
            Diagnostic::error(Code::BadBound, dur.span(), message)
                .help("two events can be apart by less than the bound only: it is at least 1ms"),
        );
        None
    }

    pub(super) fn duration(&mut self, dur: &'a Dur) -> Option<i64> {
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
                self.report(
                    Diagnostic::error(Code::TypeMismatch, name.span, message)
                        .help(format!("declare it as `param {}: duration = 10m`", name.node)),
                );
                None
            }
            Dur::Path(path) => {
                let what = "a duration that depends on events";
                self.report(Diagnostic::unsupported(path.span, what));
                None
            }
        }
    }

    fn until(
        &mut self,
        until: Option<&'a Until>,
        last: usize,
        ty: Option<TypeId>,
    ) -> Option<ConditionId> {
        match until? {
            Until::Step(step) => {
                let resolved = self.resolve(step);
                Some(self.step_condition(&resolved, What::Until(last)))
            }
            Until::Condition(condition) => {
                let Some(ty) = ty else {
                    let message = "which event is this about?";
                    self.report(
                        Diagnostic::error(Code::NotAllowedHere, condition.span, message)
                            .label("the steps of this group are of several types")
                            .help("name the type: `until logout[...]`"),
                    );
                    return None;
                };
                let conditions = vec![(self.source, condition)];
                let resolved = Resolved { ty: Some(ty), conditions };
                Some(self.step_condition(&resolved, What::Until(last)))
            }
        }
    }

    /// What an event has to fulfil to be this step.
    fn step_condition(&mut self, step: &Resolved<'a>, what: What) -> ConditionId {
        let Some(ty) = step.ty else {
            return self.add_condition(Condition { ty: None, test: Test::True });
        };
        let mut all: Option<Expr> = None;
        let mut never: Option<(usize, &'a Spanned<ast::Expr>)> = None;
        let home = self.source;
        for (source, condition) in &step.conditions {
            self.source = *source;
            let place = Place { candidate: Some(ty), what, bound: None };
            let typed = self.condition(condition, place);
            if typed.kind.is_never() {
                continue;
            }
            let expr = match typed.expr {
                Expr::Literal(Value::Bool(true)) => continue,
                Expr::Literal(value) => {
                    never = Some((*source, condition));
                    Expr::Literal(value)
                }
                expr => expr,
            };
            all = Some(match all {
                None => expr,
                Some(before) => Expr::Binary(BinaryOp::And, Box::new(before), Box::new(expr)),
            });
            if all.as_ref().is_some_and(|all| contradiction(all, ty, &self.env.schema)) {
                never = Some((*source, condition));
            }
        }
        if let Some((source, condition)) = never {
            self.source = source;
            let message = "this condition is always false";
            self.report(
                Diagnostic::warning(Code::AlwaysFalse, condition.span, message)
                    .help("no event fulfils it"),
            );
        }
        self.source = home;
        let test = all.map_or(Test::True, Test::Expr);
        self.add_condition(Condition { ty: Some(ty), test })
    }
}

impl PlanItem<'_> {
    fn can_be_empty(&self) -> bool {
        match &self.kind {
            PlanKind::Step { quant, .. } => quant.quantifier.optional,
            PlanKind::Group { quant, plan, .. } => {
                quant.quantifier.optional || plan.items.iter().all(PlanItem::can_be_empty)
            }
            PlanKind::Not { .. } => false,
        }
    }
}

/// The type that all steps of a group have.
fn common_type(plan: &Plan<'_>) -> Option<TypeId> {
    let mut types = plan.items.iter().map(|item| match &item.kind {
        PlanKind::Step { step, .. } | PlanKind::Not { step, .. } => step.ty,
        PlanKind::Group { plan, .. } => common_type(plan),
    });
    let first = types.next().flatten()?;
    types.all(|ty| ty == Some(first)).then_some(first)
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
        Until::Step(step) => step.span,
        Until::Condition(condition) => condition.span,
    }
}
