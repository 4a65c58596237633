//! Checks of a pattern as a whole.
//!
//! Absences (`check_absences`), by the position of the `not`:
//!
//! ```text
//! refused                           why                                     instead
//! not a -> b                        since when?                             not a for 5m -> b
//! not b for 2s -> not c -> a        where does the first one end?           not b for 2s -> a
//! a -> c? -> not b -> c             nothing need come before the `not`      a -> not b -> c
//! a -> not b -> c?                  nothing need come after the `not`       a -> not b -> c
//! a -> not b                        no event and no time shows its end      a -> not b for 5m
//! a -> next not b for 5m            one event against a span of time        a -> not b for 5m
//! a ->[..1m] not b -> c             a gap leads to an event                 a -> not b for 1m -> c
//! (a -> not b) -> c                 up to what?                             a -> not b -> c
//! a -> not b for 5m within 1m       the rule ends before the `not`          a -> not b for 5m
//! ```
//!
//! The messages say what to write instead. They are recorded in `misplaced_not.cep`, `not_for.cep`,
//! `unbounded_not.cep` and `joined_absences.cep` of `testdata/diagnostics/hir`.
//!
//! Times (`check_times`): `a ->[40m..] b ->[20m..] a within 1h` can never match.
//! `impossible_times.cep` has the cases, and `tests/impossible.rs` compares the answer with the
//! matcher for every small choice of times.

use super::plan::{PlanItem, PlanKind, SequencePlan, Written};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::{Contiguity, LoopMode};
use crate::syntax::ast;
use kleene_event::time::format_millis;

impl<'a> RuleLowerer<'_, 'a> {
    /// Reports aliases that are given twice, and aliases that have a meaning already.
    pub(super) fn check_names(&mut self) {
        for index in 0..self.steps.len() {
            let step = &self.steps[index];
            if !step.explicit {
                continue;
            }
            let (name, site) = (step.name.clone(), step.site);
            // Conditions and `emit` read these two names as something else.
            if matches!(&*name, "prev" | "match") {
                let message = format!("`{name}` is reserved and can't name a step");
                self.error(Code::DuplicateName, site.span, message, "give the step another name");
            }
            let first = self.steps.chosen(&name).first().filter(|first| **first < index);
            if let Some(first) = first.map(|first| self.steps[*first].site) {
                let message = format!("two steps are named `{name}`");
                let diagnostic = Diagnostic::error(Code::DuplicateName, site.span, message)
                    .context(first.span, "named here first")
                    .help("give one of them another name");
                self.report(diagnostic);
            }
        }
    }

    /// Checks each `not` of a sequence. The first mistake of a `not` is the only one that is
    /// reported: a `not` in the wrong position has no time that could be right or wrong.
    pub(super) fn check_absences(
        &mut self,
        plan: &SequencePlan<'a>,
        scope: SequenceScope,
        within: Option<i64>,
    ) {
        let top = scope == SequenceScope::Pattern;
        let items = &plan.items;
        for (index, item) in items.iter().enumerate() {
            match &item.kind {
                PlanKind::Not { step, duration, .. } => {
                    let name = self.written_not(item.span, *duration);
                    let name = name.unwrap_or_else(|| self.steps[*step].name.to_string());
                    let misplaced = Self::silence_beside_not(items, index)
                        .or_else(|| Self::misplaced_not(items, index, &name, scope));
                    let diagnostic = misplaced.or_else(|| {
                        let rest = &items[index + 1..];
                        if index == 0 {
                            Self::silence_before(item, &name, *duration, rest)
                        } else if rest.is_empty() {
                            Self::unbounded_not(item, &name, *duration, within)
                        } else {
                            Self::silence_between(item, &name, *duration, rest, within)
                        }
                    });
                    if let Some(diagnostic) = diagnostic {
                        self.report(diagnostic);
                    }
                }
                PlanKind::Group { plan, .. } => {
                    self.check_absences(plan, SequenceScope::Group, within);
                }
                PlanKind::Alternatives { branches, .. } => {
                    self.check_silences(items, index, top, within);
                    for branch in branches.iter().filter(|branch| branch.silence().is_none()) {
                        if let [PlanItem { kind: PlanKind::Not { step, .. }, span, .. }] =
                            branch.items.as_slice()
                        {
                            // `b and not c`: a message about a sequence that begins with `not`
                            // would not help.
                            self.absence_without_time(*step, *span);
                            continue;
                        }
                        self.check_absences(branch, SequenceScope::Operand, within);
                    }
                }
                PlanKind::Step { .. } => {}
            }
        }
    }

    /// Reports a `not` with a time of its own beside another one that cannot follow it.
    fn silence_beside_not(items: &[PlanItem<'_>], index: usize) -> Option<Diagnostic> {
        let time = |item: &PlanItem<'_>| match &item.kind {
            PlanKind::Not { duration, .. } => Some(duration.is_some()),
            _ => None,
        };
        let (item, next) = (&items[index], items.get(index + 1)?);
        let (timed, next_timed) = (time(item)?, time(next)?);
        // The `not`s of the row up to this one: `next not a -> not b -> not c for 5s`.
        let mut row = items[..=index].iter().rev().map_while(|item| Some((item, time(item)?)));
        let refuse = |item: &PlanItem<'_>, message: &str, help: &str| {
            let diagnostic = Diagnostic::error(Code::MisplacedNot, item.span, message);
            Some(diagnostic.context(next.span, "the other one").help(help))
        };
        // Before the first event, the matcher remembers when a forbidden event came last. A row of
        // two would have to know where the first one ended.
        if index == 0 && timed {
            return refuse(
                item,
                "only one `not` can come before the first step",
                "nothing marks where one ends and the other begins: for the same time, write `not \
                 (b or c) for 5m`; otherwise write two rules, and start the second with an event \
                 that the first makes with `emit as`",
            );
        }
        let is_next = |item: &PlanItem<'_>| item.arrow.contiguity == ast::Contiguity::Next;
        let clash = row.find(|(item, timed)| {
            *timed && is_next(next) || next_timed && (is_next(item) || is_next(next))
        });
        if let Some((item, _)) = clash {
            return refuse(
                item,
                "`next not` can't be combined with a `not` with `for`",
                "one tests the very next event, the other a span of time: write `-> not` for both, \
                 or write two rules",
            );
        }
        None
    }

    /// Reports a `not` that has no meaning where it is, whatever its time.
    pub(super) fn misplaced_not(
        items: &[PlanItem<'_>],
        index: usize,
        name: &str,
        scope: SequenceScope,
    ) -> Option<Diagnostic> {
        let top = scope == SequenceScope::Pattern;
        let item = &items[index];
        let span = item.span;
        // With its time: without it, the rule would mean something else.
        let timed = match &item.kind {
            PlanKind::Not { duration: Some((time, _)), .. } => match time.known() {
                Some(millis) => format!("{name} for {}", format_millis(millis)),
                None => format!("{name} for ..."),
            },
            _ => name.to_owned(),
        };
        let refuse = |message: &str, help: String| {
            Some(Diagnostic::error(Code::MisplacedNot, span, message).help(help))
        };
        let is_next = item.arrow.contiguity == ast::Contiguity::Next;
        if let Some(gap) = &item.arrow.gap {
            return Some(
                Diagnostic::error(Code::BadBound, gap.span, "a gap must lead to an event")
                    .label("but `not` waits for no event")
                    .help(format!("write how long it must not come: `-> not {name} for 5m`")),
            );
        }
        if item.arrow.contiguity == ast::Contiguity::Any {
            let message = "`any` can't be combined with `not`";
            let diagnostic = Diagnostic::error(Code::BadContiguity, span, message);
            return Some(diagnostic.help(format!("write `-> not {name}`")));
        }
        if index == 0 {
            if top {
                return None;
            }
            if scope == SequenceScope::Operand {
                return refuse(JOINED_NOT, joined_not(name, &timed));
            }
            let message = "a group can't begin with `not`";
            if items.len() == 1 {
                return refuse(message, format!("remove the parentheses: `-> not {timed}`"));
            }
            return refuse(message, format!("put it before the group: `-> not {timed} -> (...)`"));
        }
        let rest = &items[index + 1..];
        // The end of an operand is not the end of the match: another operand may still be open.
        if rest.is_empty() && scope == SequenceScope::Operand {
            return refuse(JOINED_NOT, joined_not(name, &timed));
        }
        if rest.is_empty() && !top {
            let message = "a group can't end with `not`";
            return refuse(message, format!("put it after the group: `(...) -> not {timed}`"));
        }
        if items[index - 1].can_be_empty() {
            let message = "there may be no event before this `not`";
            let help = "the step before it is optional: make it required".to_owned();
            return refuse(message, help);
        }
        let is_timed =
            |item: &PlanItem<'_>| matches!(&item.kind, PlanKind::Not { duration: Some(_), .. });
        if let [next] = rest
            && let PlanKind::Not { .. } = next.kind
            && top
            && !is_timed(item)
            && !is_timed(next)
        {
            let message = "a pattern can end with only one `not`";
            let help = if is_next {
                "put the other `not` between two steps, or write two rules".to_owned()
            } else {
                format!(
                    "write a define for both, `define bad = ...`, and use `not bad` instead of \
                     `{name}`"
                )
            };
            return refuse(message, help);
        }
        if !rest.is_empty() && rest.iter().all(PlanItem::can_be_empty) {
            let message = "everything after this `not` is optional";
            return refuse(message, "make a step after it required".to_owned());
        }
        None
    }

    /// Reports a `not ... for` before the first event.
    fn silence_before(
        item: &PlanItem<'_>,
        name: &str,
        duration: Option<(Written<'_>, Span)>,
        rest: &[PlanItem<'_>],
    ) -> Option<Diagnostic> {
        let Some(next) = rest.first() else {
            let message = "there is only a `not` here";
            return Some(
                Diagnostic::error(Code::MatchesNothing, item.span, message)
                    .label("a match must begin with an event")
                    .help(format!("put an event before it: `a -> not {name} for 10m`")),
            );
        };
        match duration {
            None => {
                let message =
                    "a `not` at the start needs a time: for how long must it not have come?";
                Some(
                    Diagnostic::error(Code::UnboundedNot, item.span, message)
                        .help(format!("write `not {name} for 10m -> ...`")),
                )
            }
            Some((Written::Millis(0), span)) => {
                Some(Diagnostic::error(Code::BadBound, span, "this time is zero"))
            }
            Some((Written::Path(_), span)) => {
                let message = "no event has come yet to read this duration from";
                Some(
                    Diagnostic::error(Code::BadBound, span, message)
                        .help("write it as `10m` or as a parameter, `$name`"),
                )
            }
            Some(_) if next.arrow.contiguity != ast::Contiguity::Relaxed => {
                let message = "the match begins here: there is no event before it";
                let diagnostic = Diagnostic::error(Code::BadContiguity, next.span, message);
                Some(diagnostic.help("write `->` alone"))
            }
            Some(_) => next.arrow.gap.as_ref().map(|gap| {
                let message = "the match begins here: there is no event before it";
                Diagnostic::error(Code::BadBound, gap.span, message)
                    .help("put the time after the `not`: `not x for 5m -> ...`")
            }),
        }
    }

    /// Reports a misplaced `for` of a `not` between two steps.
    fn silence_between(
        item: &PlanItem<'_>,
        name: &str,
        duration: Option<(Written<'_>, Span)>,
        rest: &[PlanItem<'_>],
        within: Option<i64>,
    ) -> Option<Diagnostic> {
        let (_, span) = duration?;
        let is_plain_not = |item: &&PlanItem<'_>| {
            matches!(item.kind, PlanKind::Not { .. })
                && item.arrow.contiguity != ast::Contiguity::Next
        };
        // In `a -> not b for 5s -> not x -> c`, the `c` shows that the time of the first is over.
        let next = rest.iter().find(|item| !is_plain_not(item));
        if next.is_some_and(|next| matches!(next.kind, PlanKind::Not { .. }) || next.can_be_empty())
        {
            let message = "the step after a `not` with `for` must be required";
            return Some(
                Diagnostic::error(Code::MisplacedNot, span, message)
                    .label("it shows that the time is over")
                    .help("make that step required, or remove `for`"),
            );
        }
        Self::bad_silence(item, name, duration, within)
    }

    pub(super) fn bad_silence(
        item: &PlanItem<'_>,
        name: &str,
        duration: Option<(Written<'_>, Span)>,
        within: Option<i64>,
    ) -> Option<Diagnostic> {
        let (time, span) = duration?;
        if item.arrow.contiguity == ast::Contiguity::Next {
            let message = "`next not` tests a single event, not a span of time";
            return Some(
                Diagnostic::error(Code::MisplacedNot, span, message)
                    .help(format!("write `-> not {name} for ...`, or remove `for`")),
            );
        }
        let millis = time.known()?;
        // At the same moment, the `within` wins: the partial match has run out of time.
        let within = within.filter(|within| millis >= *within)?;
        let message = format!(
            "the rule's `within {}` ends before this `for` can pass",
            format_millis(within)
        );
        let diagnostic = Diagnostic::error(Code::BadBound, span, message);
        Some(diagnostic.help("raise `within`, or remove it"))
    }

    pub(super) fn unbounded_not(
        item: &PlanItem<'_>,
        name: &str,
        duration: Option<(Written<'_>, Span)>,
        within: Option<i64>,
    ) -> Option<Diagnostic> {
        let is_next = item.arrow.contiguity == ast::Contiguity::Next;
        if let Some(diagnostic) = Self::bad_silence(item, name, duration, within) {
            return Some(diagnostic);
        }
        match (duration, within) {
            // `a -> next not b` needs no time: the next event decides.
            (None, None) if !is_next => {
                let message = "a `not` at the end needs a bound: for how long must it not come?";
                Some(
                    Diagnostic::error(Code::UnboundedNot, item.span, message)
                        .label("no event shows that it never comes")
                        .help(format!("write `not {name} for 10m`, or give the rule a `within`")),
                )
            }
            _ => None,
        }
    }

    pub(super) fn check_longest(
        &mut self,
        plan: &SequencePlan<'a>,
        level: PlanExtent,
        within: Option<i64>,
    ) {
        for (index, item) in plan.items.iter().enumerate() {
            let last = level == PlanExtent::Whole && index + 1 == plan.items.len();
            let (quant, is_step) = match &item.kind {
                PlanKind::Step { quant, .. } => (quant, true),
                PlanKind::Group { plan, quant, .. } => {
                    self.check_longest(plan, PlanExtent::Part, within);
                    (quant, false)
                }
                PlanKind::Alternatives { branches, .. } => {
                    for branch in branches {
                        self.check_longest(branch, PlanExtent::Part, within);
                    }
                    continue;
                }
                PlanKind::Not { .. } => continue,
            };
            let (LoopMode::Longest, Some(span)) = (quant.quantifier.mode, quant.span) else {
                continue;
            };
            // `longest` reports when the loop can grow no more. Without an `until`, a `next`, a
            // maximum and a `within`, it always can.
            let endless = quant.until.is_none()
                && quant.quantifier.inner != Contiguity::Next
                && quant.quantifier.max.is_none()
                && within.is_none();
            if !last {
                // `a{2.. longest} -> b`: the step after the loop shows its end, as it does for
                // `greedy`.
                let (message, help) = if level == PlanExtent::Whole {
                    (
                        "`longest` can only be used on the last step of a pattern",
                        "remove the word: between steps, a loop is already `greedy`",
                    )
                } else {
                    (
                        "`longest` can't be used in a group or an alternative",
                        "remove the word: inside parentheses, a loop is already `greedy`; or write \
                         one rule for each alternative",
                    )
                };
                self.error(Code::LongestNotLast, span, message, help);
            } else if !is_step {
                let message = "`longest` can only be used on a single step, not on a group";
                let help = "remove the word to match with the last required round, or write `each` \
                            for one match for each number of rounds";
                self.error(Code::LongestNotLast, span, message, help);
            } else if endless {
                let help = "give the rule a `within`, or the loop an `until` or `next`";
                self.error(
                    Code::MissingClause,
                    span,
                    "nothing ends this loop, so it would never be reported",
                    help,
                );
            }
        }
    }

    /// Refuses a `within`, of the pattern or of a group, that ends before the gaps and silences in
    /// it can have passed.
    pub(super) fn check_times(&mut self, plan: &SequencePlan<'a>, span: Span, within: Option<i64>) {
        // At `least >= within` and not at `>`: `within` is exclusive, so an event at its end is too
        // late.
        let least = least_time(plan);
        if let Some(within) = within
            && least > 0
            && least >= within
            // A gap that is too long by itself is refused where it stands.
            && !plan.items.iter().any(|item| gap_of(item) >= within)
        {
            let message = format!(
                "its gaps and silences take at least {}, and `within {}` ends by then",
                format_millis(least),
                format_millis(within)
            );
            let help = "raise `within`, or shorten the times between the steps";
            self.error(Code::ImpossibleTimes, span, message, help);
            return;
        }
        for item in &plan.items {
            match &item.kind {
                PlanKind::Group { plan, within, .. } => {
                    self.check_times(plan, item.span, within.and_then(Written::known));
                }
                PlanKind::Alternatives { branches, .. } => {
                    for branch in branches {
                        // The branch itself has no `within`. Groups inside of it may.
                        self.check_times(branch, item.span, None);
                    }
                }
                PlanKind::Step { .. } | PlanKind::Not { .. } => {}
            }
        }
    }
}

/// The extent of a plan: the whole pattern or a part of it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum PlanExtent {
    Whole,
    Part,
}

/// The part of the pattern that a sequence is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SequenceScope {
    /// The sequence is the whole pattern.
    Pattern,
    /// The sequence stands in parentheses.
    Group,
    /// The sequence is joined with others by `and`, `or` or `of`.
    Operand,
}

const JOINED_NOT: &str = "an operand of `and` or `or` can't begin or end with `not`";

/// Returns the help for `a -> not b for 5m and c`, and for `a and not b -> c`.
fn joined_not(name: &str, timed: &str) -> String {
    let timed = if name == timed { format!("{name} for 5m") } else { timed.to_owned() };
    format!(
        "`and` and `or` join whole sequences: add parentheses, as in `x -> (y and not {timed})`; \
         without a time, put `not` between two steps, `x -> not {name} -> y`"
    )
}

/// The time that passes at least from a plan's first event to its end: gaps and silences before
/// what has to come. A gap and a silence before the same step run together.
fn least_time(plan: &SequencePlan<'_>) -> i64 {
    // `a ->[40m..] b -> not c for 30m ->[20m..] d` takes 40m + 30m: the 20m are part of the 30m.
    let (mut sum, mut silence) = (0i64, 0);
    for (index, item) in plan.items.iter().enumerate() {
        let inside = match &item.kind {
            PlanKind::Not { duration, .. } => {
                let known = duration.and_then(|(time, _)| time.known()).unwrap_or(0);
                // A leading `not` is about the time before the pattern.
                silence = silence.max(if index > 0 { known } else { 0 });
                continue;
            }
            // A lower bound must hold for every match, also for one that leaves the item out.
            _ if item.can_be_empty() => continue,
            PlanKind::Step { .. } => 0,
            PlanKind::Group { plan, quant, .. } => {
                least_time(plan).saturating_mul(i64::from(quant.quantifier.min))
            }
            PlanKind::Alternatives { branches, count } => {
                // The branches run beside each other.
                let mut times: Vec<i64> = branches.iter().map(least_time_of_branch).collect();
                times.sort_unstable();
                // `2 of (..)` is done when the two fastest are.
                let least = times.get(count.saturating_sub(1)).copied().unwrap_or(0);
                if branches.iter().any(|branch| branch.silence().is_some()) {
                    // The next item counts from the event before, beside the silence.
                    silence = least;
                    continue;
                }
                least
            }
        };
        let gap = if index > 0 { gap_of(item) } else { 0 };
        sum = sum.saturating_add(silence.max(gap)).saturating_add(inside);
        silence = 0;
    }
    sum.saturating_add(silence)
}

fn least_time_of_branch(branch: &SequencePlan<'_>) -> i64 {
    match branch.silence() {
        Some(silence) => silence.time.known().unwrap_or(0),
        None => least_time(branch),
    }
}

/// The time that an item's gap takes at least, as far as it is written as a duration.
fn gap_of(item: &PlanItem<'_>) -> i64 {
    match item.arrow.gap.as_ref().and_then(|gap| gap.min.as_ref()) {
        Some(ast::Dur::Literal(gap)) => gap.node,
        _ => 0,
    }
}
