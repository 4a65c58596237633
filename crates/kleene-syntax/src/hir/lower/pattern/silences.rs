//! `not x for T` as an operand of `and`, `or` and `of`: the event that its time begins with, and
//! the items that fit beside it.
//!
//! ```text
//! refused                              why                          fine
//! b and not c for 5m                   no event before it           a -> (b and not c for 5m)
//! a+ -> (b or not c for 5m)            the time has many starts     a{2} -> (b or not c for 5m)
//! a -> next (b or not c for 5m)        a silence is no next event   a -> (b or not c for 5m)
//! a -> (b or not c for 5m) -> d?       complete without the `d`?    a -> (b or not c for 5m) -> d
//! a -> ((b or not c for 5m) and d)     a group inside of a group
//! a -> not d -> (b or not c for 5m)    two absences in a row
//! ```
//!
//! The automaton measures the time of a silence by one clock, which is set by the event before the
//! group (`kleene-automata/src/nfa/graph/quiet.rs`). So there must be one such event, and it must
//! be certain, when it comes, that the time begins with it. The automaton refuses the same patterns
//! when they come from elsewhere (`check_silences` of its `check.rs`). All cases are in
//! `absence_operands.cep` of `testdata/diagnostics/hir`.

use super::plan::{PlanItem, PlanKind, SequencePlan, Silence, Written};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::MAX_SILENCES;
use crate::hir::lower::context::RuleLowerer;
use crate::syntax::ast;

impl<'a> RuleLowerer<'_, 'a> {
    /// Refuses silences as operands of `items[index]` where it is not sure with which event their
    /// time begins, or what comes of them.
    pub(super) fn check_silences(
        &mut self,
        items: &[PlanItem<'a>],
        index: usize,
        top: bool,
        within: Option<i64>,
    ) {
        let PlanKind::Alternatives { branches, count } = &items[index].kind else { return };
        let silences: Vec<Silence<'_, 'a>> =
            branches.iter().filter_map(SequencePlan::silence).collect();
        let Some(first) = silences.first() else { return };
        let name = |silence: &Silence<'_, 'a>| {
            let duration = Some((silence.time, silence.span));
            let name = self.written_not(silence.item.span, duration);
            name.unwrap_or_else(|| self.steps[silence.step].name.to_string())
        };
        let text = &self.env.sources[self.source].text;
        let time = text.get(first.span.start as usize..first.span.end as usize).unwrap_or("5m");
        let not = format!("not {} for {time}", name(first));
        let operands = Operands { items, index, not: &not, span: first.item.span, joins: *count };
        // At most one diagnostic for a group: the first mistake of these.
        let refused = if top { operands.bad_start() } else { Some(operands.not_alone()) };
        let refused = refused.or_else(|| operands.bad_surroundings());
        let refused = refused.or_else(|| too_many(&silences, items[index].span));
        let refused = refused.or_else(|| {
            silences.iter().find_map(|silence| {
                let duration = Some((silence.time, silence.span));
                Self::bad_silence(silence.item, &name(silence), duration, within)
            })
        });
        if let Some(diagnostic) = refused {
            self.report(diagnostic);
        }
    }
}

impl RuleLowerer<'_, '_> {
    /// The step of a `not` as it is written, condition included.
    pub(super) fn written_not(
        &self,
        span: Span,
        duration: Option<(Written<'_>, Span)>,
    ) -> Option<String> {
        let text = &self.env.sources[self.source].text;
        let end = duration.map_or(span.end, |(_, time)| time.start);
        let text = text.get(span.start as usize..end as usize)?.trim().strip_prefix("not")?;
        let text = if duration.is_some() { text.trim_end().strip_suffix("for")? } else { text };
        let is_short = text.len() < 60 && !text.contains(['\n', '#']);
        is_short.then(|| text.trim().to_owned())
    }

    /// Refuses `b and not c`: nothing says up to when the `c` must not come.
    pub(super) fn absence_without_time(&mut self, step: usize, span: Span) {
        let name = self.written_not(span, None);
        let name = name.unwrap_or_else(|| self.steps[step].name.to_string());
        let message = "a `not` in `and`, `or` or `of` needs a time";
        self.report(
            Diagnostic::error(Code::MisplacedSilence, span, message)
                .label("for how long must it not come?")
                .help(format!(
                    "write `not {name} for 5m`; without a time, put it between two steps, `x -> \
                     not {name} -> y`, or forbid it during a group, `(x -> y) without {name}`"
                )),
        );
    }
}

/// Operands with an absence, and the items around them.
struct Operands<'p, 'a> {
    items: &'p [PlanItem<'a>],
    index: usize,
    /// The first absence as it is written, and where.
    not: &'p str,
    span: Span,
    /// The number of operands that have to happen.
    joins: usize,
}

impl Operands<'_, '_> {
    fn refuse(&self, message: &str, label: &str, help: String) -> Diagnostic {
        Diagnostic::error(Code::MisplacedSilence, self.span, message).label(label).help(help)
    }

    /// Reports parentheses around the operands that hold more than the operands.
    fn not_alone(&self) -> Diagnostic {
        self.refuse(
            "a `not` can't be an alternative in a nested group",
            "in a nested group, its time could start at more than one event",
            format!(
                "write `a -> (b or {}) -> c` without a quantifier, a name or more parentheses \
                 around it, or write two rules",
                self.not
            ),
        )
    }

    /// Reports operands without an event before them: their time begins with that event.
    fn bad_start(&self) -> Option<Diagnostic> {
        let not = self.not;
        let Some(before) = self.index.checked_sub(1).map(|index| &self.items[index]) else {
            let PlanKind::Alternatives { branches, .. } = &self.items[self.index].kind else {
                return None;
            };
            // `a -> b and not c for 5m` joins the sequences `a -> b` and `not c for 5m`. The author
            // has probably meant `a -> (b and not c for 5m)`.
            let help = if branches.iter().any(|branch| branch.items.len() > 1) {
                format!(
                    "`and` and `or` join whole sequences: add parentheses, as in `x -> (y and \
                     {not})`"
                )
            } else if self.joins == 1 {
                format!(
                    "write two rules, one for each operand: one of them begins with `{not} -> ...`"
                )
            } else {
                format!(
                    "`{not} -> a` covers the time before the event, `a -> {not}` the time after \
                     it; write both for both"
                )
            };
            let message = "a `not` in `and`, `or` or `of` needs an event before it";
            return Some(self.refuse(message, "when does its time start?", help));
        };
        if matches!(before.kind, PlanKind::Not { .. }) {
            return Some(self.beside(before.span));
        }
        // After `a+`, each further `a` would be another start of the time.
        can_go_on(before).then(|| {
            self.refuse(
                "the step before may continue while this time runs",
                "the `not` could start at more than one event",
                "make the step before it required, with a fixed number of repetitions".to_owned(),
            )
        })
    }

    fn beside(&self, other: Span) -> Diagnostic {
        let message = "a `not` with `for` can't be next to another `not`";
        Diagnostic::error(Code::MisplacedNot, self.span, message)
            .context(other, "the other one")
            .help("put a step between them, or write two rules")
    }

    /// Reports items before and after the operands that do not fit a silence.
    fn bad_surroundings(&self) -> Option<Diagnostic> {
        let item = &self.items[self.index];
        let rest = &self.items[self.index + 1..];
        let is_next = |item: &PlanItem<'_>| item.arrow.contiguity == ast::Contiguity::Next;
        if self.index > 0 && is_next(item) {
            return Some(
                self.refuse(
                    "`next` can't come before a group with a `not`",
                    "a `not` has no event that could come next",
                    "write `->` before the group, or write two rules; to allow no other event, \
                     write `(...) without any event`"
                        .to_owned(),
                ),
            );
        }
        if self.index > 0
            && let Some(gap) = &item.arrow.gap
        {
            let message =
                "a gap must lead to an event, but this group can match with a `not` instead";
            let diagnostic = Diagnostic::error(Code::MisplacedSilence, gap.span, message);
            return Some(
                diagnostic
                    .help("put the bound on the rule or on the next step, or write two rules"),
            );
        }
        if let Some(next) = rest.first().filter(|next| is_absence(next)) {
            return Some(self.beside(next.span));
        }
        (!rest.is_empty() && rest.iter().all(PlanItem::can_be_empty)).then(|| {
            self.refuse(
                "everything after this `not` is optional",
                "is the match complete when the time of the `not` is over?",
                "make a step after it required, or remove the optional steps".to_owned(),
            )
        })
    }
}

fn too_many(silences: &[Silence<'_, '_>], span: Span) -> Option<Diagnostic> {
    if silences.len() > MAX_SILENCES {
        let message = format!("{} `not` operands in one group", silences.len());
        let diagnostic = Diagnostic::error(Code::LimitExceeded, span, message);
        return Some(
            diagnostic
                .label(format!("at most {MAX_SILENCES} are allowed"))
                .help("merge those with the same time: `not (b or c) for 5m`"),
        );
    }
    // The automaton has to know which of several silences is over first.
    let read = silences.iter().find(|silence| matches!(silence.time, Written::Path(_)))?;
    (silences.len() > 1).then(|| {
        let message = "a group with several `not` needs fixed times";
        let diagnostic = Diagnostic::error(Code::MisplacedSilence, read.span, message);
        diagnostic.help("write the time as `10m` or as a parameter, `$name`")
    })
}

/// True if the item is or has an absence with a time, or is a `not`.
fn is_absence(item: &PlanItem<'_>) -> bool {
    match &item.kind {
        PlanKind::Not { .. } => true,
        PlanKind::Alternatives { branches, .. } => {
            branches.iter().any(|branch| branch.silence().is_some())
        }
        PlanKind::Step { .. } | PlanKind::Group { .. } => false,
    }
}

/// True if the item can take more events where what follows it is waited for.
fn can_go_on(item: &PlanItem<'_>) -> bool {
    match &item.kind {
        PlanKind::Step { quant, .. } => quant.quantifier.varies(),
        PlanKind::Group { plan, quant, .. } => {
            quant.quantifier.varies() || plan.items.last().is_some_and(can_go_on)
        }
        // Absences inside are reported where they stand.
        PlanKind::Alternatives { branches, .. } => {
            let mut branches = branches.iter().filter(|branch| branch.silence().is_none());
            branches.any(|branch| branch.items.last().is_some_and(can_go_on))
        }
        PlanKind::Not { .. } => true,
    }
}
