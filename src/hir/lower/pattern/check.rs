//! What a pattern as a whole must not be, and what it may not be meant to be.

use super::{Plan, PlanItem, PlanKind};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::rule::Cx;
use crate::hir::{Contiguity, LoopMode, Quantifier};
use crate::syntax::ast;
use crate::time::format_millis;

impl<'a> Cx<'_, 'a> {
    /// Aliases are given once, and not to what has a meaning already.
    pub(super) fn check_names(&mut self) {
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

    pub(super) fn check_absences(&mut self, plan: &Plan<'a>, top: bool, within: Option<i64>) {
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

    pub(super) fn misplaced_not(
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

    pub(super) fn unbounded_not(
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

    pub(super) fn check_longest(&mut self, plan: &Plan<'a>, top: bool, within: Option<i64>) {
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

    /// Tells of loops whose partial matches grow with each event.
    pub(super) fn warn_loops(&mut self, plan: &Plan<'a>, top: bool, bounded: bool) {
        for (index, item) in plan.items.iter().enumerate() {
            let quant = match &item.kind {
                PlanKind::Step { quant, .. } => quant,
                PlanKind::Group { plan, quant, within, .. } => {
                    self.warn_loops(plan, false, bounded || within.is_some());
                    quant
                }
                PlanKind::Not { .. } => continue,
            };
            let Quantifier { mode, inner, max: None, .. } = quant.quantifier else { continue };
            let (None, Some(span)) = (quant.until, quant.span) else { continue };
            let doubles = inner == Contiguity::Any;
            let last = top && index + 1 == plan.items.len();
            if mode != LoopMode::Each || inner == Contiguity::Next {
                continue;
            }
            let (message, help) = if !bounded {
                (
                    "without `within`, the partial matches of this loop grow with each event and \
                     are never given up",
                    "bound it with `within`, or take `any` or `each` away",
                )
            } else if doubles && (self.keeps_all || !last) {
                (
                    "the partial matches of this loop double with each event that it can take",
                    "give it an upper bound or an `until`, or take `any` away",
                )
            } else if self.keeps_all {
                (
                    "with `skip none`, this loop gives a match for each event that it begins with \
                     and each length",
                    "let a match skip something, give the loop an upper bound, or take `each` away",
                )
            } else {
                continue;
            };
            self.report(Diagnostic::warning(Code::ExponentialLoop, span, message).help(help));
        }
    }

    pub(super) fn warn_last_loop(&mut self, last: &PlanItem<'a>) {
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
            let plain = if min == 1 { name } else { format!("{name}{{{min}}}") };
            let each = format!("write `{plain}` if that is meant, or `each` for a match each");
            let help = match last.kind {
                PlanKind::Group { .. } => each,
                _ => format!("{each}; `{{{min}.. longest}}` waits for all"),
            };
            self.report(Diagnostic::warning(Code::LastLoopEager, span, message).help(help));
        }
    }

    /// Notes whether a partial match can wait for ever.
    pub(super) fn note_waits(&mut self, plan: &Plan<'a>, span: Span, within: Option<i64>) {
        let gap =
            |item: &PlanItem<'_>| item.arrow.gap.as_ref().is_some_and(|gap| gap.max.is_some());
        let waits = |(index, item): (usize, &PlanItem<'_>)| match &item.kind {
            PlanKind::Step { quant, .. } => {
                index > 0 && item.arrow.contiguity != ast::Contiguity::Next && !gap(item)
                    || quant.can_repeat() && quant.quantifier.inner != Contiguity::Next
            }
            PlanKind::Not { duration, .. } => {
                duration.is_none() && item.arrow.contiguity != ast::Contiguity::Next
            }
            PlanKind::Group { .. } => true,
        };
        self.bounded_waits = plan.items.iter().any(gap);
        if within.is_none() && plan.items.iter().enumerate().any(waits) {
            // A last `not` with `for` gives up by itself.
            if let [PlanItem { kind: PlanKind::Step { quant, .. }, .. }, last] =
                plan.items.as_slice()
                && let PlanKind::Not { duration: Some(_), .. } = last.kind
                && !quant.can_repeat()
            {
                return;
            }
            self.waits_forever = Some((self.source, span));
        }
    }
}
