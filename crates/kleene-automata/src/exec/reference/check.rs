//! The check for patterns without a sensible meaning.
//!
//! The check has one rule for each of these reasons:
//! * Nothing could match: an empty sequence, a gap with swapped ends, `within` of no time, a
//!   quantifier that allows no repetition.
//! * The end could never be seen, or not where it is needed: a last `not` without a bound, a `not`
//!   that ends a group, a `longest` loop that is not the last item of the pattern.
//! * There would be no event to begin from: a `not` that starts the pattern or a group, or that
//!   comes after what may be left out. One leading `not` with a time is allowed: it looks back from
//!   the first event.
//! * It would repeat without an event: a group that can be empty and has no upper bound. A walk of
//!   the positions would go round in it.
//! * A silence as a branch begins with the event before its group. That event has to be certain,
//!   and the last one of its item.
//!
//! An example: `a? -> not b -> c` is refused. Where `a` is left out, `not b` would begin with no
//! event. `a -> (x -> not b) -> c` is refused: `not b` would end a group. `a -> not b` without
//! `within` and without `for` is refused: its end would never come.
//!
//! The matcher has a check of its own. This one defines which patterns have a meaning, and a test
//! compares the two.
//!
//! Which test holds it: `the_matcher_refuses_what_the_reference_refuses` in `tests/properties.rs`.

use std::fmt;

use super::items::{forbids, may_be_empty, silence};
use kleene_syntax::hir::{
    Contiguity, Gap, Item, ItemKind, Length, LoopMode, Pattern, Quantifier, Sequence, SkipStrategy,
    StepId,
};

/// The reason why a pattern cannot be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedPattern(String);

impl fmt::Display for RefusedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RefusedPattern {}

/// The surroundings of a sequence.
#[derive(Clone, Copy, Eq, PartialEq)]
enum SequenceLevel {
    /// It is the whole pattern.
    Top,
    /// It is in a group, or a branch.
    Inner,
}

/// Refuses what has no sensible meaning.
pub(super) fn check(pattern: &Pattern) -> Result<(), RefusedPattern> {
    if pattern.within.and_then(Length::as_millis).is_some_and(|within| within <= 0) {
        return Err(RefusedPattern("`within` is not positive".into()));
    }
    check_sequence(pattern, &pattern.body, SequenceLevel::Top)?;
    if let SkipStrategy::ToFirst(step) | SkipStrategy::ToLast(step) = pattern.skip.strategy
        && step.index() >= pattern.steps.len()
    {
        return Err(RefusedPattern("there is no step of the name to skip to".into()));
    }
    Ok(())
}

fn check_sequence(
    pattern: &Pattern,
    sequence: &Sequence,
    level: SequenceLevel,
) -> Result<(), RefusedPattern> {
    let items = &sequence.items;
    let refuse = |text: String| Err(RefusedPattern(text));
    let name_of = |step: StepId| &pattern.steps[step.index()].name;
    if items.is_empty() {
        return refuse("a sequence has no steps".into());
    }
    for (index, item) in items.iter().enumerate() {
        let last = index + 1 == items.len();
        let swapped = |gap: Gap| {
            let min = gap.min.as_millis();
            let max = gap.max.and_then(Length::as_millis);
            min.is_some_and(|min| min < 0) || max.is_some_and(|max| max < min.unwrap_or(0))
        };
        if item.gap.is_some_and(swapped) {
            return refuse("the ends of a gap are negative or swapped".into());
        }
        match &item.kind {
            ItemKind::Not { step, .. } => check_not(pattern, items, index, (*step, level))?,
            ItemKind::Step { step, quantifier, .. } => {
                let name = name_of(*step);
                check_quantifier(quantifier, name)?;
                if quantifier.mode == LoopMode::Longest && !(level == SequenceLevel::Top && last) {
                    return refuse(format!("`{name}` is `longest` but not last"));
                }
            }
            ItemKind::Group { body, quantifier, within, .. } => {
                check_quantifier(quantifier, "(...)")?;
                if within.and_then(Length::as_millis).is_some_and(|within| within <= 0) {
                    return refuse("the `within` of a group is not positive".into());
                }
                if quantifier.mode == LoopMode::Longest {
                    return refuse("a group cannot be `longest`".into());
                }
                check_sequence(pattern, body, SequenceLevel::Inner)?;
                // Each repetition could be empty, so nothing would say how many there have been.
                if quantifier.is_unbounded() && body.items.iter().all(may_be_empty) {
                    return refuse("a group that can be empty is repeated without bound".into());
                }
            }
            ItemKind::Alternatives { branches, count } => {
                if *count == 0 || *count > branches.len() {
                    return refuse(
                        "the pattern requires zero alternatives, or more than it has".into(),
                    );
                }
                check_silences(items, index, level)?;
                for branch in branches.iter().filter(|branch| silence(branch).is_none()) {
                    check_sequence(pattern, branch, SequenceLevel::Inner)?;
                    // A branch is done with its last event. So it has one, and waits for nothing
                    // after it.
                    if ends_with_not(branch) || branch.items.iter().all(may_be_empty) {
                        return refuse("an alternative can be empty or ends with a `not`".into());
                    }
                }
            }
        }
    }
    Ok(())
}

fn check_not(
    pattern: &Pattern,
    items: &[Item],
    index: usize,
    (step, level): (StepId, SequenceLevel),
) -> Result<(), RefusedPattern> {
    let refuse = |text: String| Err(RefusedPattern(text));
    let name = &pattern.steps[step.index()].name;
    let (item, last) = (&items[index], index + 1 == items.len());
    let timed = item.gap.is_some();
    let is_next = |item: &Item| item.contiguity == Contiguity::Next;
    if let Some(next) = items.get(index + 1)
        && next.is_not()
        // A time in a row of `not`s begins when the silence before it is over. A leading `not` and
        // a `next not` have no such moment.
        && (timed || next.gap.is_some())
        && (index == 0 || is_next(item) || is_next(next))
    {
        return refuse(format!("`not {name}` or the `not` behind it lasts for a time"));
    }
    if index == 0 && level == SequenceLevel::Top && !last && forbids(item) && timed {
        return Ok(());
    }
    if index == 0 || (last && level == SequenceLevel::Inner && forbids(item)) {
        return refuse(format!("`not {name}` cannot start a pattern or group, or end a group"));
    }
    // It could begin with two different events: that of the item, and the one before the item.
    if may_be_empty(&items[index - 1]) {
        return refuse(format!("`not {name}` comes after what may be left out"));
    }
    let bounded = pattern.within.is_some() || timed;
    if last && forbids(item) && !bounded {
        return refuse(format!("`not {name}` ends the pattern without a bound"));
    }
    Ok(())
}

/// True if the sequence ends with a `not`, perhaps before what may be left out.
fn ends_with_not(sequence: &Sequence) -> bool {
    let empty = sequence.items.iter().rev().take_while(|item| may_be_empty(item)).count();
    let first = (sequence.items.len() - empty).saturating_sub(1);
    sequence.items[first..].iter().any(|item| match &item.kind {
        ItemKind::Not { .. } => true,
        ItemKind::Group { body, .. } => ends_with_not(body),
        ItemKind::Step { .. } | ItemKind::Alternatives { .. } => false,
    })
}

/// Silences as branches begin with the event before their group, which has to be sure.
///
/// A group with a silence is a clock that begins with one event. So the item before it captures its
/// last event for certain, nothing about the group asks for a gap or `next`, and a step follows
/// that is not optional, or nothing.
fn check_silences(
    items: &[Item],
    index: usize,
    level: SequenceLevel,
) -> Result<(), RefusedPattern> {
    let has_silence = |item: &Item| match &item.kind {
        ItemKind::Not { .. } => true,
        ItemKind::Alternatives { branches, .. } => {
            branches.iter().any(|branch| silence(branch).is_some())
        }
        _ => false,
    };
    let ItemKind::Alternatives { branches, .. } = &items[index].kind else { return Ok(()) };
    let silences: Vec<_> = branches.iter().filter(|branch| silence(branch).is_some()).collect();
    if silences.is_empty() {
        return Ok(());
    }
    let refuse = |text: &str| Err(RefusedPattern(text.into()));
    // The silence counts from the last event before the group. At the start of the pattern, in a
    // group that repeats, or after a loop that can go on, there is no single event of that kind.
    if level == SequenceLevel::Inner
        || index == 0
        || has_silence(&items[index - 1])
        || may_go_on(&items[index - 1])
    {
        return refuse(
            "a silence that is one of several alternatives has no single event before it",
        );
    }
    let is_next = |item: &Item| item.contiguity == Contiguity::Next;
    let follows = items.get(index + 1);
    if is_next(&items[index])
        || items[index].gap.is_some()
        || follows.is_some_and(has_silence)
        || follows.is_some() && items[index + 1..].iter().all(may_be_empty)
    {
        return refuse(
            "what surrounds a silence that is one of several alternatives does not go with it",
        );
    }
    for branch in &silences {
        let not = &branch.items[0];
        if branch.without.is_some()
            || is_next(not)
            || not.gap.is_some_and(|gap| gap.min != Length::ZERO)
        {
            return refuse("a silence that is one of several alternatives says more than its time");
        }
    }
    let is_read =
        |branch: &&&Sequence| silence(branch).is_some_and(|one| one.2.as_millis().is_none());
    // Several silences are ordered by their lengths, so these are known before any event. Each
    // silence can be broken or not: four make sixteen combinations (`after_breaks`).
    if silences.len() > 1 && silences.iter().any(|branch| is_read(&branch)) || silences.len() > 4 {
        return refuse("there are too many silences in one group");
    }
    Ok(())
}

/// True if an item can capture more where what follows it is waited for.
///
/// Such an item has no last event that is known when the event comes.
fn may_go_on(item: &Item) -> bool {
    let body_may = |body: &Sequence| body.items.last().is_some_and(may_go_on);
    match &item.kind {
        ItemKind::Step { quantifier, .. } => {
            quantifier.optional || quantifier.max != Some(quantifier.min)
        }
        ItemKind::Group { body, quantifier, .. } => {
            quantifier.optional || quantifier.max != Some(quantifier.min) || body_may(body)
        }
        ItemKind::Alternatives { branches, .. } => branches.iter().any(body_may),
        ItemKind::Not { .. } => true,
    }
}

fn check_quantifier(quantifier: &Quantifier, name: &str) -> Result<(), RefusedPattern> {
    if quantifier.min == 0 || quantifier.max.is_some_and(|max| max < quantifier.min) {
        return Err(RefusedPattern(format!("the quantifier of `{name}` allows nothing")));
    }
    if quantifier.until.is_some() && !quantifier.is_unbounded() {
        return Err(RefusedPattern(format!(
            "`{name}` has an `until` but can't repeat without bound"
        )));
    }
    Ok(())
}
