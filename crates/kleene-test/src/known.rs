//! The patterns for which Kleene knowingly differs from Flink: rules on the shape of a pattern.
//! `docs/semantics.md` explains each, with what Kleene does instead.

use crate::convert::{self, PREVIOUS};
use crate::format::{CaseCondition, CasePattern, CaseStage};

/// A shape of pattern for which Kleene's answer may differ.
#[derive(Debug)]
pub struct Rule {
    /// A name for reports.
    pub name: &'static str,
    /// True if a pattern has the shape.
    pub applies: fn(&CasePattern) -> bool,
}

/// All of them.
pub const RULES: &[Rule] = &[
    Rule { name: "not-after-loop-at-end", applies: not_after_loop_at_end },
    Rule { name: "several-nots-at-end", applies: several_nots_at_end },
    Rule {
        name: "not-before-next-not",
        applies: |pattern| any_run(&pattern.stages, &not_before_next_not),
    },
    Rule {
        name: "not-of-the-next-step",
        applies: |pattern| any_run(&pattern.stages, &not_of_the_next_step),
    },
    Rule { name: "group-leads-on", applies: |pattern| any(&pattern.stages, &repeats_as_group) },
    Rule {
        name: "next-not-after-loop",
        applies: |pattern| any_run(&pattern.stages, &next_not_after_loop),
    },
    Rule { name: "not-at-group-end", applies: |pattern| any(&pattern.stages, &not_at_group_end) },
    Rule {
        name: "endless-empty-group",
        applies: |pattern| any(&pattern.stages, &endless_and_empty),
    },
    Rule {
        name: "open-greedy-loop",
        applies: |pattern| any_run(&pattern.stages, &open_greedy_loop),
    },
    Rule {
        name: "not-of-the-loop-before",
        applies: |pattern| any_run(&pattern.stages, &not_of_the_loop_before),
    },
    Rule { name: "gap-at-a-loop", applies: gap_at_a_loop },
    Rule { name: "gap-and-within", applies: gap_and_within },
    Rule { name: "skip-and-deadlines", applies: skip_and_deadlines },
];

/// The first rule that applies to a pattern.
pub fn applying(pattern: &CasePattern) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(pattern))
}

/// A last `not_followed_by` right after something that can repeat or be left out: Flink reports a
/// timeout where the loop itself still waits, Kleene the match.
fn not_after_loop_at_end(pattern: &CasePattern) -> bool {
    match &pattern.stages[..] {
        [.., before, last] => forbids(last) && (varies(before) || before.group.is_some()),
        _ => false,
    }
}

/// Two `not_followed_by` at the end: Flink regards the last only, Kleene both.
fn several_nots_at_end(pattern: &CasePattern) -> bool {
    matches!(&pattern.stages[..], [.., a, b] if forbids(a) && forbids(b))
}

/// A `not_followed_by` before a `not_next` that something follows: Flink ignores the former, Kleene
/// asks for both.
fn not_before_next_not(stages: &[CaseStage]) -> bool {
    stages
        .windows(3)
        .any(|run| forbids(&run[0]) && run[1].contiguity.as_deref() == Some("not_next"))
}

/// A `not_followed_by` whose violating event can also be taken by a stage behind it: the next one,
/// or one behind stages that may be left out. In Flink this event ends the partial match, unless it
/// is the last of the match; in Kleene it does not lie between the stages.
fn not_of_the_next_step(stages: &[CaseStage]) -> bool {
    (0..stages.len()).filter(|&not| forbids(&stages[not])).any(|not| {
        let behind = stages[not + 1..].iter().filter(|stage| !convert::is_negated(stage));
        let mut open = true;
        let reached = behind.take_while(|stage| std::mem::replace(&mut open, may_be_empty(stage)));
        reached.flat_map(heads).any(|head| may_both(&stages[not], head))
    })
}

/// A group that can repeat in more than one number: in Flink it leads on, once it may be complete,
/// behind each event that it ignores; in Kleene from its last event.
fn repeats_as_group(stage: &CaseStage) -> bool {
    stage.group.is_some() && matches!(stage.times, Some((min, max)) if Some(min) != max)
}

/// A `not_next` behind what can go on: in Flink its violation ends the partial match, the loop
/// included; in Kleene it ends the length that the loop has had.
fn next_not_after_loop(stages: &[CaseStage]) -> bool {
    (1..stages.len()).any(|index| {
        let before = stages[..index].iter().rev().find(|stage| !convert::is_negated(stage));
        stages[index].contiguity.as_deref() == Some("not_next") && before.is_some_and(can_go_on)
    })
}

/// True if a stage or group can take more where it may be complete.
fn can_go_on(stage: &CaseStage) -> bool {
    varies(stage) || stage.group.as_ref().is_some_and(|group| group.last().is_some_and(can_go_on))
}

/// A greedy loop that is left out, or that ends by its `until` or by a break of its row, or that
/// something optional follows or is around: in Flink it keeps its events from the one state behind
/// it, in Kleene as long as it is open, and no longer.
fn open_greedy_loop(stages: &[CaseStage]) -> bool {
    let is_loop = |stage: &CaseStage| {
        stage.greedy && matches!(stage.times, Some((min, max)) if max != Some(min.max(1)))
    };
    stages.iter().enumerate().any(|(index, stage)| {
        let is_row = stage.inner.as_deref() == Some("consecutive");
        let ends = may_be_empty(stage) || is_row || stage.until.is_some();
        let follows = stages.get(index + 1).is_some_and(may_be_empty);
        let group = stage.group.as_deref().unwrap_or_default();
        is_loop(stage) && (ends || follows)
            || may_be_empty(stage) && group.last().is_some_and(is_loop)
    })
}

/// A `not_followed_by` right after what repeats, whose events it forbids too: in Flink the loop's
/// own events violate it, in Kleene what is captured does not.
fn not_of_the_loop_before(stages: &[CaseStage]) -> bool {
    stages.windows(2).any(|pair| {
        let repeats = !matches!(pair[0].times, None | Some((_, Some(1))));
        forbids(&pair[1]) && (repeats && pair[0].group.is_none() && may_both(&pair[1], &pair[0]))
    })
}

/// The stages that can take the first event of a stage or group.
fn heads(stage: &CaseStage) -> Vec<&CaseStage> {
    let Some(group) = &stage.group else { return vec![stage] };
    let mut open = true;
    let first = group.iter().take_while(|stage| std::mem::replace(&mut open, may_be_empty(stage)));
    first.flat_map(heads).collect()
}

/// True if one event can fulfil the conditions of both.
fn may_both(one: &CaseStage, other: &CaseStage) -> bool {
    let can = |stage: &CaseStage, ty: &str, v: i64| {
        stage.condition.as_ref().is_none_or(|condition| may_hold(condition, ty, v) != Some(false))
    };
    ["a", "b", "c", "d", "e"]
        .iter()
        .any(|ty| (-20..=20).any(|v| can(one, ty, v) && can(other, ty, v)))
}

/// True if an event fulfils a condition; `None` if that depends on captured events.
fn may_hold(condition: &CaseCondition, ty: &str, v: i64) -> Option<bool> {
    let each = |conditions: &[CaseCondition], decisive: bool| {
        let mut parts = conditions.iter().map(|condition| may_hold(condition, ty, v));
        let known = parts.try_fold(false, |unknown, part| match part {
            Some(holds) if holds == decisive => Err(decisive),
            part => Ok(unknown || part.is_none()),
        });
        known.map_or_else(Some, |unknown| (!unknown).then_some(!decisive))
    };
    match condition {
        CaseCondition::Type { ty: of } => Some(of == ty),
        CaseCondition::Constant { op, constant } => match op.as_str() {
            "==" => Some(v == *constant),
            "!=" => Some(v != *constant),
            "<" => Some(v < *constant),
            "<=" => Some(v <= *constant),
            ">" => Some(v > *constant),
            ">=" => Some(v >= *constant),
            _ => None,
        },
        CaseCondition::Aggregate { .. } => None,
        CaseCondition::And { and } => each(and, false),
        CaseCondition::Or { or } => each(or, true),
        CaseCondition::Not { not } => may_hold(not, ty, v).map(|holds| !holds),
        CaseCondition::True { always } => Some(*always),
    }
}

/// A `not_followed_by` that ends a group: Flink ignores it, Kleene refuses it.
fn not_at_group_end(stage: &CaseStage) -> bool {
    stage.group.as_deref().and_then(<[_]>::last).is_some_and(forbids)
}

/// A group that can be empty, repeated without bound: Flink hangs on some events, Kleene refuses
/// it.
fn endless_and_empty(stage: &CaseStage) -> bool {
    matches!(stage.times, Some((_, None)))
        && stage.group.as_ref().is_some_and(|group| group.iter().all(may_be_empty))
}

/// `previous_current` on a stage that can repeat or be left out, or right after a stage of this
/// kind or a `not_next`: Flink attaches the bound to some of its states; Kleene bounds the first
/// event of the stage, however it is reached.
fn gap_at_a_loop(pattern: &CasePattern) -> bool {
    let quantified = |stage: &CaseStage| stage.times.is_some() || stage.optional;
    let stages = &pattern.stages;
    (0..stages.len()).any(|index| {
        let before = stages[..index].iter().rev().find(|stage| !convert::is_negated(stage));
        bounds_gap(&stages[index])
            && (quantified(&stages[index])
                || (index > 0 && stages[index - 1].contiguity.as_deref() == Some("not_next"))
                || before.is_some_and(|stage| quantified(stage) || stage.group.is_some()))
    })
}

/// `previous_current` beside `within`: where time passes both at once, Flink reports the former
/// even if the latter came first.
fn gap_and_within(pattern: &CasePattern) -> bool {
    pattern.within.is_some() && pattern.stages.iter().any(bounds_gap)
}

/// A skip strategy with deadlines: Flink lets everything time out that is due when time moves, and
/// reports what that frees only then; Kleene takes one deadline after the other, however time
/// moves.
fn skip_and_deadlines(pattern: &CasePattern) -> bool {
    pattern.skip.strategy != "no_skip"
        && (pattern.within.is_some() || pattern.stages.iter().any(bounds_gap))
}

fn forbids(stage: &CaseStage) -> bool {
    stage.contiguity.as_deref() == Some("not_followed_by")
}

fn bounds_gap(stage: &CaseStage) -> bool {
    stage.within_kind.as_deref() == Some(PREVIOUS)
}

/// True if the stage can occur in more than one number.
fn varies(stage: &CaseStage) -> bool {
    stage.optional || matches!(stage.times, Some((min, max)) if Some(min) != max)
}

fn may_be_empty(stage: &CaseStage) -> bool {
    stage.optional
        || matches!(stage.times, Some((0, _)))
        || stage.group.as_ref().is_some_and(|group| group.iter().all(may_be_empty))
}

/// True if a stage, in groups too, is as `is` says.
fn any(stages: &[CaseStage], is: &dyn Fn(&CaseStage) -> bool) -> bool {
    stages.iter().any(|stage| is(stage) || any(stage.group.as_deref().unwrap_or_default(), is))
}

/// True if a sequence, in groups too, is as `is` says.
fn any_run(stages: &[CaseStage], is: &dyn Fn(&[CaseStage]) -> bool) -> bool {
    is(stages) || stages.iter().any(|stage| any_run(stage.group.as_deref().unwrap_or_default(), is))
}
