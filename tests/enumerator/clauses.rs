//! The clauses that choose among all matches: `skip`, `report`, `having`, `suppress` and `once`, for
//! each key, and the order of results.

use super::evaluate::Capture;
use super::matches::all_matches;
use super::partials;
use super::rule::{Body, Branch, Comparison, Event, Item, Kind, Parts, Report, Rule, Skip};

/// An event of a stream.
#[derive(Clone, Debug)]
pub(super) struct StreamEvent {
    pub(super) event: Event,
    /// The value of its field `id`.
    pub(super) id: i64,
    pub(super) position: Position,
}

/// Where an event comes: at its time "after the events that come from outside .. level by level".
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Position {
    pub(super) time: i64,
    pub(super) level: usize,
    pub(super) number: usize,
}

/// What a field of the emitted record holds. The step is the subject of the rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Emitted {
    Key,
    Id,
    Min,
    Sum,
    Count,
    SetCount,
    SetSum,
    Repetition,
}

/// `having FIELD < VALUE`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Having {
    pub(super) field: usize,
    pub(super) comparison: Comparison,
    pub(super) value: i64,
}

/// `suppress D`, and the fields of `by`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Suppress {
    pub(super) time: i64,
    pub(super) by: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Once {
    PerKey,
    PerRule,
}

/// What gives way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GiveWay {
    Oldest,
    Newest,
}

/// A rule with the clauses that the pattern's enumerator does not know.
#[derive(Clone, Debug)]
pub(super) struct ClauseRule {
    pub(super) rule: Rule,
    pub(super) keyed: bool,
    /// The step that `emit` reads.
    pub(super) subject: usize,
    pub(super) emit: Vec<(&'static str, Emitted)>,
    /// The number of the event type that the rule feeds.
    pub(super) feeds: Option<usize>,
    pub(super) having: Option<Having>,
    pub(super) suppress: Option<Suppress>,
    pub(super) once: Option<Once>,
    pub(super) limit: Option<(usize, GiveWay)>,
}

/// What became of a match, or of a partial match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Reported,
    Filtered,
    Suppressed,
    Timeout,
}

/// One output of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RuleOutput {
    pub(super) rule: usize,
    pub(super) fate: Fate,
    pub(super) time: i64,
    pub(super) key: Option<i64>,
    /// The ids of the captured events, with their steps.
    pub(super) captures: Vec<(i64, String)>,
    /// The number of matches of the set.
    pub(super) count: usize,
    pub(super) emit: Vec<(String, String)>,
}

/// When an output comes: at an event, or, if true, right after it; none for a deadline, which comes
/// before the events of its time.
type When = (i64, Option<(Position, bool)>);

/// An output with what orders it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) when: When,
    pub(super) begin: Position,
    pub(super) output: RuleOutput,
    /// The values of the emitted fields.
    pub(super) values: Vec<Option<i64>>,
}

impl Placed {
    /// Returns what orders the outputs of one rule and moment: "first the timeouts, then the
    /// matches", "by the beginning of the match".
    fn turn(&self) -> (bool, Position) {
        (self.output.fate != Fate::Timeout, self.begin)
    }
}

/// A match, or a timeout, of the stream of one key.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) is_timeout: bool,
    pub(super) captures: Vec<Capture>,
    pub(super) time: i64,
    /// The event that it comes right after, if that is a deadline which has passed already.
    pub(super) after: Option<usize>,
    pub(super) event: Option<usize>,
    /// The number of the report of a silence that repeats, or 1.
    pub(super) repetition: i64,
}

/// Returns all outputs of a rule up to a time; none if there are too many assignments to look at,
/// or the page does not say which partial match gives way.
pub(super) fn outputs(
    (number, rule): (usize, &ClauseRule),
    stream: &[StreamEvent],
    end: i64,
) -> Option<Vec<Placed>> {
    // "By default, the stream contains the types that the rule names. `from` lists them instead."
    let types = rule.rule.stream();
    let seen: Vec<&StreamEvent> =
        stream.iter().filter(|one| types.contains(&one.event.ty)).collect();
    // "An event with null in a part of its key is in no stream."
    let mut keys: Vec<Option<i64>> = seen.iter().map(|one| one.event.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(Option::is_some);
    if !rule.keyed {
        keys = vec![None];
    }
    let mut placed = Vec::new();
    for key in keys {
        let of_key = seen.iter().filter(|one| !rule.keyed || one.event.key == key);
        let of_key: Vec<StreamEvent> = of_key.map(|one| (*one).clone()).collect();
        placed.extend(outputs_of_key((number, rule), key, &of_key, end)?);
    }
    // "At one time, results of deadlines come first, .. first the timeouts, then the matches, each by
    // the beginning of the match. Next come the matches that events complete, in the order in which
    // the events arrived, .. and then by the beginning of the match."
    placed.sort_by_key(|one| (one.when, one.turn()));
    Some(decide(rule, placed))
}

/// Returns what `skip` and `report` choose in the stream of one key, and the timeouts.
pub(super) fn chosen_of_key(
    rule: &ClauseRule,
    key: Option<i64>,
    events: &[Event],
    end: i64,
) -> Option<Vec<RuleOutput>> {
    let types = rule.rule.stream();
    let mut stream = from_outside(events);
    stream.retain(|one| types.contains(&one.event.ty));
    stream.retain(|one| !rule.keyed || one.event.key == key);
    let mut placed = outputs_of_key((0, rule), key, &stream, end)?;
    placed.sort_by_key(|one| (one.when, one.turn()));
    Some(placed.into_iter().map(|one| one.output).collect())
}

/// Returns what `skip` and `report` choose in the stream of one key.
fn outputs_of_key(
    (number, rule): (usize, &ClauseRule),
    key: Option<i64>,
    stream: &[StreamEvent],
    end: i64,
) -> Option<Vec<Placed>> {
    let events: Vec<Event> = stream.iter().map(|one| one.event.clone()).collect();
    let found = if rule.rule.timeouts || rule.rule.ordered || rule.limit.is_some() {
        partials::found(rule, &events, end)?
    } else {
        let matches = all_matches(&rule.rule, &events, end)?.into_iter().map(|one| Found {
            is_timeout: false,
            captures: one.captures,
            time: one.moment.time,
            after: one.moment.after,
            event: one.moment.event,
            repetition: one.repetition,
        });
        skipped(rule.rule.skip, matches.collect())
    };
    let mut placed = Vec::new();
    // "The matches of one key that are reported together form a set: the matches that one event or
    // one deadline completes and that `skip` does not drop."
    for set in found.chunk_by(|one, other| {
        let moment = |found: &Found| (found.time, found.after, found.event, found.is_timeout);
        moment(one) == moment(other)
    }) {
        let of_set = SetOfMatches { rule, number, key, stream, set };
        // "Timeouts are not matches: they belong to no set, and each is reported."
        let chosen: Vec<&Found> =
            if set[0].is_timeout { set.iter().collect() } else { chosen(rule.rule.report, set) };
        placed.extend(chosen.into_iter().map(|one| of_set.placed(one)));
    }
    Some(placed)
}

/// Leaves out the matches that earlier ones drop, by the event that they began with.
fn skipped(skip: Skip, matches: Vec<Found>) -> Vec<Found> {
    let mut left: Vec<Found> = Vec::new();
    for one in matches {
        let begin = one.captures[0].0;
        // "A match does not drop its own repetition, but it drops those of other matches as `skip`
        // says."
        let drops_it = |earlier: &Found| {
            earlier.captures != one.captures && drops(skip, &earlier.captures, begin)
        };
        if !left.iter().any(drops_it) {
            left.push(one);
        }
    }
    left
}

/// True if a match drops what began with an event.
pub(super) fn drops(skip: Skip, captures: &[Capture], begin: usize) -> bool {
    let of =
        |step: usize| captures.iter().filter(move |(_, of)| *of == step).map(|(event, _)| *event);
    match skip {
        Skip::None => false,
        // "at or before the match's last event"
        Skip::PastLast => captures.last().is_some_and(|(last, _)| begin <= *last),
        // "with the match's first event"
        Skip::ToNext => captures.first().is_some_and(|(first, _)| begin == *first),
        // "before the match's first (last) event of the step X; nothing if it has none"
        Skip::ToFirst(step) => of(step).next().is_some_and(|first| begin < first),
        Skip::ToLast(step) => of(step).next_back().is_some_and(|last| begin < last),
    }
}

/// Returns what `report` chooses of a set, which is in order.
fn chosen(report: Report, set: &[Found]) -> Vec<&Found> {
    let lengths = || set.iter().map(|one| one.captures.len());
    // "if there are several, the first in order"
    let first_of = |length: Option<usize>| {
        set.iter().filter(move |one| Some(one.captures.len()) == length).take(1).collect()
    };
    match report {
        Report::All => set.iter().collect(),
        // "one result, with the events, the time and the id of the first match"
        Report::Count => set.iter().take(1).collect(),
        // "the first (last) N matches, or all if there are fewer"
        Report::First(most) => set.iter().take(most).collect(),
        Report::Last(most) => set.iter().skip(set.len().saturating_sub(most)).collect(),
        // "the match with the most (fewest) events"
        Report::Longest => first_of(lengths().max()),
        Report::Shortest => first_of(lengths().min()),
    }
}

/// The matches of one key that are reported together.
struct SetOfMatches<'a> {
    rule: &'a ClauseRule,
    number: usize,
    key: Option<i64>,
    stream: &'a [StreamEvent],
    set: &'a [Found],
}

impl SetOfMatches<'_> {
    fn placed(&self, found: &Found) -> Placed {
        let emit = |(name, value): &(&'static str, Emitted)| (*name, self.value(*value, found));
        let emitted: Vec<(&str, Option<i64>)> = self.rule.emit.iter().map(emit).collect();
        let shown = |value: Option<i64>| value.map_or(String::from("null"), |v| v.to_string());
        let fields = emitted.iter().map(|(name, value)| ((*name).to_string(), shown(*value)));
        let step = found.captures.last().map_or(0, |(_, step)| *step);
        let capture = |(event, step): &Capture| (self.stream[*event].id, format!("s{step}"));
        let position = |event: usize| self.stream[event].position;
        let at = found.event.map(|event| (position(event), false));
        let after = found.after.map(|event| (position(event), true));
        Placed {
            when: (found.time, at.or(after)),
            begin: position(found.captures[0].0),
            output: RuleOutput {
                rule: self.number,
                fate: if found.is_timeout { Fate::Timeout } else { Fate::Reported },
                time: found.time,
                key: self.key,
                captures: found.captures.iter().map(capture).collect(),
                count: if found.is_timeout { 0 } else { self.set.len() },
                emit: if found.is_timeout {
                    vec![(String::from("step"), format!("s{step}"))]
                } else {
                    fields.collect()
                },
            },
            values: emitted.iter().map(|(_, value)| *value).collect(),
        }
    }

    fn value(&self, emitted: Emitted, found: &Found) -> Option<i64> {
        // "Nulls are ignored."
        let values = |found: &Found| -> Vec<i64> {
            self.captured(found).into_iter().filter_map(|one| one.event.v).collect()
        };
        match emitted {
            Emitted::Key if self.rule.keyed => self.key,
            Emitted::Key => self.captured(found).into_iter().filter_map(|one| one.event.key).min(),
            Emitted::Id => {
                Some(100 + self.captured(found).into_iter().map(|one| one.id).sum::<i64>())
            }
            // "Without events, `count` and `sum` are 0, and the other aggregates are null."
            Emitted::Min => values(found).into_iter().min(),
            Emitted::Sum => Some(values(found).into_iter().sum()),
            Emitted::Count => i64::try_from(self.captured(found).len()).ok(),
            // "`matches.count`, `matches.sum(X.f)` .. cover the whole set. Each match of the set
            // contributes each event that it captured as X."
            Emitted::SetCount => i64::try_from(self.set.len()).ok(),
            // "`match.repetition` is its number, from 1."
            Emitted::Repetition => Some(found.repetition),
            Emitted::SetSum => Some(self.set.iter().flat_map(values).sum()),
        }
    }

    /// Returns the events that a match captured as the rule's subject.
    fn captured(&self, found: &Found) -> Vec<&StreamEvent> {
        let of_subject = found.captures.iter().filter(|(_, step)| *step == self.rule.subject);
        of_subject.map(|(event, _)| &self.stream[*event]).collect()
    }
}

/// Applies `having`, `suppress` and `once` to the results in order.
fn decide(rule: &ClauseRule, placed: Vec<Placed>) -> Vec<Placed> {
    let mut decided: Vec<Placed> = Vec::new();
    for mut one in placed {
        let is_over = decided.iter().any(|earlier| ends(rule, earlier, &one));
        if is_over {
            continue;
        }
        if one.output.fate == Fate::Reported {
            one.output.fate = fate(rule, &decided, &one);
        }
        decided.push(one);
    }
    decided
}

/// "`once` ends a key with its first reported match." "`once per rule` does the same for all keys
/// of the rule."
fn ends(rule: &ClauseRule, earlier: &Placed, one: &Placed) -> bool {
    let is_reported = earlier.output.fate == Fate::Reported;
    match rule.once {
        None => false,
        Some(Once::PerKey) => is_reported && earlier.output.key == one.output.key,
        Some(Once::PerRule) => is_reported,
    }
}

fn fate(rule: &ClauseRule, decided: &[Placed], one: &Placed) -> Fate {
    // "`having C` reports a match only if `C` is true." "Null is not true."
    let passes = |having: Having| {
        let value = one.values[having.field];
        value.is_some_and(|value| having.comparison.holds(value, having.value))
    };
    if !rule.having.is_none_or(passes) {
        return Fate::Filtered;
    }
    // "`suppress D` suppresses matches that follow a reported match. The duration counts from the
    // time of the reported match; a match exactly `D` later is reported again. A suppressed match
    // does not extend the duration."
    let is_silenced = rule.suppress.as_ref().is_some_and(|suppress| {
        decided.iter().any(|earlier| {
            earlier.output.fate == Fate::Reported
                && one.output.time - earlier.output.time < suppress.time
                && is_alike(suppress, earlier, one)
        })
    });
    if is_silenced { Fate::Suppressed } else { Fate::Reported }
}

/// "It applies to matches of the same key. With `by`, it applies to matches of any key that have
/// the same values in the given emitted fields; null equals null."
fn is_alike(suppress: &Suppress, earlier: &Placed, one: &Placed) -> bool {
    if suppress.by.is_empty() {
        return earlier.output.key == one.output.key;
    }
    suppress.by.iter().all(|field| earlier.values[*field] == one.values[*field])
}

/// Returns the outputs of all rules in the order of results; each rule sees what those before it
/// in `order` feed.
pub(super) fn all_outputs(
    rules: &[ClauseRule],
    order: &[usize],
    events: &[Event],
    end: i64,
) -> Option<Vec<RuleOutput>> {
    let mut all = Vec::new();
    for (number, stream) in streams(rules, order, events, end)? {
        all.extend(outputs((number, &rules[number]), &stream, end)?);
    }
    // "by rule and then by the beginning of the match"
    all.sort_by_key(|one| (one.when, one.output.rule, one.turn()));
    Some(all.into_iter().map(|one| one.output).collect())
}

/// Returns the number and the events of each rule.
pub(super) fn streams(
    rules: &[ClauseRule],
    order: &[usize],
    events: &[Event],
    end: i64,
) -> Option<Vec<(usize, Vec<StreamEvent>)>> {
    let mut stream = from_outside(events);
    let mut all = Vec::new();
    for (level, number) in order.iter().enumerate() {
        all.push((*number, stream.clone()));
        let rule = &rules[*number];
        if let Some(ty) = rule.feeds {
            stream.extend(fed(&outputs((*number, rule), &stream, end)?, ty, level + 1));
            // "after the events that come from outside"
            stream.sort_by_key(|one| one.position);
        }
    }
    Some(all)
}

/// "A record that a rule emits with `emit as NAME` is also an event of the type `NAME`. Its time is
/// the time of the match." What is filtered or suppressed feeds no rule, nor does a timeout.
fn fed(outputs: &[Placed], ty: usize, level: usize) -> Vec<StreamEvent> {
    let reported = outputs.iter().filter(|one| one.output.fate == Fate::Reported);
    let event = |(number, one): (usize, &Placed)| StreamEvent {
        event: Event { ty, v: one.values[1], time: one.output.time, key: one.values[2] },
        id: one.values[0].unwrap_or_default(),
        position: Position { time: one.output.time, level, number },
    };
    reported.enumerate().map(event).collect()
}

fn from_outside(events: &[Event]) -> Vec<StreamEvent> {
    let stream = events.iter().enumerate().map(|(number, event)| StreamEvent {
        event: event.clone(),
        id: i64::try_from(number).unwrap_or_default(),
        position: Position { time: event.time, level: 0, number },
    });
    stream.collect()
}

impl Comparison {
    pub(super) fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Greater => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Equal => left == right,
            Comparison::Unequal => left != right,
        }
    }
}

/// Returns the numbers of a pattern's steps.
pub(super) fn steps(body: &Body) -> Vec<usize> {
    match &body.parts {
        Parts::Sequence(items) => items.iter().flat_map(steps_of_item).collect(),
        Parts::Branches { branches, .. } => {
            let sequences = branches.iter().filter_map(|branch| match branch {
                Branch::Sequence(items) => Some(items),
                Branch::Silence { .. } => None,
            });
            sequences.flatten().flat_map(steps_of_item).collect()
        }
    }
}

fn steps_of_item(item: &Item) -> Vec<usize> {
    match &item.kind {
        Kind::Step { id, .. } => vec![*id],
        Kind::Not { .. } => Vec::new(),
        Kind::Group { body, .. } => steps(body),
    }
}
