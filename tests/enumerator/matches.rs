//! All matches of a rule over a stream, in order.

use super::assign::{Assigner, Content};
use super::check::{Match, judge};
use super::plain::plain;
use super::rule::{Event, Kind, Mode, Parts, Rule};

/// The most assignments that are judged.
const MOST_ASSIGNMENTS: usize = 20_000;

/// Returns every match that `skip none` reports up to a time; none if there are too many
/// assignments to look at.
pub(super) fn all_matches(rule: &Rule, events: &[Event], end: i64) -> Option<Vec<Match>> {
    let rule = &plain(rule);
    let mut assigner = Assigner { events, most: MOST_ASSIGNMENTS, too_many: false };
    let contents = assigner.bodies(&rule.body, None);
    if assigner.too_many {
        return None;
    }
    let reports = |content: &Content| {
        let all = (1..).map_while(|number| judge(rule, events, content, number).ok());
        let repeats = repeats(rule);
        all.take(if repeats { usize::MAX } else { 1 })
            .take_while(|found| found.moment.time <= end)
            .collect::<Vec<_>>()
    };
    let mut matches: Vec<Match> =
        contents.iter().flat_map(|(content, _)| reports(content)).collect();
    matches.sort_by(in_order);
    // "Nothing is reported twice."
    matches.dedup();
    if ends_with_its_silence(rule) {
        matches = without_ended_loops(&matches, events);
    }
    Some(matches)
}

/// True for a last silence that is reported again and again.
fn repeats(rule: &Rule) -> bool {
    let Parts::Sequence(items) = &rule.body.parts else { return false };
    matches!(items.last().map(|item| &item.kind), Some(Kind::Not { repeat: true, .. }))
}

/// "Results are ordered by event time. At one time, results of deadlines come first .. Next come
/// the matches that events complete." In a set: "First comes the match that began first; if several
/// did, the one with the most events; if these are equal, too, the one with the earlier event,
/// compared from the last event backwards; and if one event was captured as two steps, the one with
/// the earlier step."
fn in_order(one: &Match, other: &Match) -> std::cmp::Ordering {
    let backwards = |found: &Match| found.captures.iter().rev().copied().collect::<Vec<_>>();
    let moments = one.moment.place().cmp(&other.moment.place());
    moments
        .then(one.captures[0].0.cmp(&other.captures[0].0))
        .then(other.captures.len().cmp(&one.captures.len()))
        .then_with(|| backwards(one).cmp(&backwards(other)))
}

/// True for a greedy loop before a silence that is last: "its end is the end of the loop".
fn ends_with_its_silence(rule: &Rule) -> bool {
    let Parts::Sequence(items) = &rule.body.parts else { return false };
    let Some(last) = items.last() else { return false };
    let before = items.iter().rev().find(|item| !item.is_not());
    matches!(last.kind, Kind::Not { time: Some(_), .. })
        && before.is_some_and(|before| ends_greedy(&before.kind))
}

fn ends_greedy(kind: &Kind) -> bool {
    match kind {
        Kind::Step { quantifier, .. } => quantifier.varies() && quantifier.mode == Mode::Greedy,
        Kind::Group { body, quantifier } => {
            let inner = match &body.parts {
                Parts::Sequence(items) => items.last().is_some_and(|item| ends_greedy(&item.kind)),
                Parts::Branches { .. } => false,
            };
            // In a group that is `each`, the loop goes on as the group does.
            if quantifier.varies() { quantifier.mode == Mode::Greedy } else { inner }
        }
        Kind::Not { .. } => false,
    }
}

/// Leaves out what goes on after the loop was over: after a match that it begins with was reported.
fn without_ended_loops(matches: &[Match], events: &[Event]) -> Vec<Match> {
    let ended = |found: &&Match| {
        matches.iter().any(|earlier| {
            let length = earlier.captures.len();
            earlier.moment.event.is_none()
                && found.captures.len() > length
                && found.captures[..length] == earlier.captures[..]
                && events[found.captures[length].0].time >= earlier.moment.time
        })
    };
    matches.iter().filter(|found| !ended(found)).cloned().collect()
}
