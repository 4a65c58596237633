//! The draft of a pattern: the calls of the builder in their order.

use std::ops::{Bound, RangeBounds, RangeFrom, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use crate::pattern::error::PatternError;
use kleene_automata::exec::HostCondition;
use kleene_event::schema::{Schema, TypeId};
use kleene_event::time::duration_to_millis;
use kleene_event::value::Value;
use kleene_syntax::hir::{Contiguity, Gap, Length, Limit, LoopMode, Once, Report};

/// A number of repetitions: `3`, `2..=4` or `3..`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Repetitions {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
}

impl From<u32> for Repetitions {
    fn from(times: u32) -> Repetitions {
        Repetitions { min: times, max: Some(times) }
    }
}

impl From<RangeInclusive<u32>> for Repetitions {
    fn from(times: RangeInclusive<u32>) -> Repetitions {
        Repetitions { min: *times.start(), max: Some(*times.end()) }
    }
}

impl From<RangeFrom<u32>> for Repetitions {
    fn from(times: RangeFrom<u32>) -> Repetitions {
        Repetitions { min: times.start, max: None }
    }
}

/// The names of the steps by number, for closures that ask for captured events.
pub(super) type Names = Arc<[Arc<str>]>;

/// A condition of the host.
pub(super) enum DraftTest<E> {
    Plain(HostCondition<E>),
    /// A condition that reads captured events. It is made when the steps have their numbers.
    Correlated(Box<dyn FnOnce(Names) -> HostCondition<E> + Send + Sync>),
}

/// The event type of a step.
#[derive(Clone, Debug)]
pub(super) enum OfType {
    Any,
    Id(TypeId),
    Named(Arc<str>),
}

/// The condition on a candidate event.
pub(super) struct DraftCondition<E> {
    pub(super) ty: OfType,
    pub(super) tests: Vec<DraftTest<E>>,
}

pub(super) struct DraftItem<E> {
    /// Empty for a group without a name.
    pub(super) name: Arc<str>,
    pub(super) contiguity: Contiguity,
    pub(super) gap: Option<Gap>,
    pub(super) kind: DraftKind<E>,
    pub(super) times: Option<Repetitions>,
    pub(super) optional: bool,
    pub(super) inner: Option<Contiguity>,
    pub(super) mode: Option<LoopMode>,
    pub(super) until: Option<DraftCondition<E>>,
}

pub(super) enum DraftKind<E> {
    Step(DraftCondition<E>),
    Not(DraftCondition<E>),
    Group(Draft<E>),
    Alternatives(Vec<Draft<E>>, DraftCount),
    /// The event that must not come between the first and the last event of the sequence. The item
    /// is the last of its sequence.
    Without(DraftCondition<E>),
}

/// The number of alternatives that have to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DraftCount {
    One,
    All,
    Some(usize),
}

impl<E> DraftItem<E> {
    pub(super) fn new(name: &str, contiguity: Contiguity, kind: DraftKind<E>) -> DraftItem<E> {
        DraftItem {
            name: name.into(),
            contiguity,
            gap: None,
            kind,
            times: None,
            optional: false,
            inner: None,
            mode: None,
            until: None,
        }
    }

    pub(super) fn step(name: &str, contiguity: Contiguity) -> DraftItem<E> {
        DraftItem::new(name, contiguity, DraftKind::Step(DraftCondition::any()))
    }

    pub(super) fn not(name: &str, contiguity: Contiguity) -> DraftItem<E> {
        DraftItem::new(name, contiguity, DraftKind::Not(DraftCondition::any()))
    }

    /// Returns the item's name in messages.
    pub(super) fn label(&self) -> String {
        if self.name.is_empty() { "the group".to_owned() } else { format!("`{}`", self.name) }
    }

    pub(super) fn refuse(&self, what: &str) -> PatternError {
        let name = (!self.name.is_empty()).then_some(&self.name);
        PatternError::new(name, format!("{}: {what}", self.label()))
    }
}

impl<E> DraftCondition<E> {
    pub(super) fn any() -> DraftCondition<E> {
        DraftCondition { ty: OfType::Any, tests: Vec::new() }
    }
}

/// The partial matches that a match drops, by name of a step.
#[derive(Clone, Debug)]
pub(super) enum DraftSkip {
    None,
    PastLast,
    ToNext,
    ToFirst(Arc<str>),
    ToLast(Arc<str>),
}

/// The event types of the stream.
#[derive(Clone, Debug)]
pub(super) enum DraftStream {
    All,
    Named(Vec<Arc<str>>),
}

/// A closure that computes a part of the key.
pub(crate) type HostKey<E> = Arc<dyn Fn(&E) -> Value + Send + Sync>;

/// One part of the key.
pub(super) struct DraftKey<E> {
    pub(super) name: Arc<str>,
    pub(super) source: KeySource<E>,
}

/// The source of a part of the key.
pub(super) enum KeySource<E> {
    /// The field with the name of the part, or with another name for some event types.
    Fields(Vec<(Arc<str>, Arc<str>)>),
    /// The same, with another name for some steps.
    Steps(Vec<(Arc<str>, Arc<str>)>),
    Closure(HostKey<E>),
}

impl<E> KeySource<E> {
    pub(super) fn closure(&self) -> Option<&HostKey<E>> {
        match self {
            KeySource::Fields(_) | KeySource::Steps(_) => None,
            KeySource::Closure(closure) => Some(closure),
        }
    }
}

pub(super) struct Draft<E> {
    /// Never empty.
    pub(super) items: Vec<DraftItem<E>>,
    pub(super) within: Option<Duration>,
    pub(super) whole: Whole<E>,
    /// The first mistake.
    pub(super) error: Option<PatternError>,
}

/// The settings of a whole pattern, which have no meaning for a group.
pub(super) struct Whole<E> {
    pub(super) skip: Option<DraftSkip>,
    pub(super) ordered: bool,
    pub(super) report: Report,
    pub(super) report_timeouts: bool,
    pub(super) stream: Option<DraftStream>,
    pub(super) key: Vec<DraftKey<E>>,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) version: Option<u64>,
    pub(super) suppress: Option<Duration>,
    pub(super) once: Option<Once>,
    pub(super) repeats: bool,
    pub(super) limit: Option<Limit>,
}

impl<E> Default for Whole<E> {
    fn default() -> Whole<E> {
        Whole {
            skip: None,
            ordered: false,
            report_timeouts: false,
            stream: None,
            key: Vec::new(),
            schema: None,
            version: None,
            suppress: None,
            once: None,
            repeats: false,
            limit: None,
            report: Report::default(),
        }
    }
}

impl<E> Whole<E> {
    /// Returns the name of the first setting that was made.
    pub(super) fn first_setting(&self) -> Option<&'static str> {
        let settings = [
            (self.skip.is_some(), "a skip strategy"),
            (self.ordered, "`ordered`"),
            (self.report != Report::All, "a `report`"),
            (self.report_timeouts, "`report_timeouts`"),
            (self.stream.is_some(), "the stream's types"),
            (!self.key.is_empty(), "a key"),
            (self.schema.is_some(), "a schema"),
            (self.version.is_some(), "a version"),
            (self.suppress.is_some(), "`suppress`"),
            (self.once.is_some(), "`once`"),
            (self.repeats, "`repeat`"),
            (self.limit.is_some(), "a limit"),
        ];
        settings.into_iter().find(|(made, _)| *made).map(|(_, name)| name)
    }
}

impl<E> Draft<E> {
    pub(super) fn new(first: DraftItem<E>) -> Draft<E> {
        Draft { items: vec![first], within: None, whole: Whole::default(), error: None }
    }

    pub(super) fn fail(&mut self, error: PatternError) {
        self.error.get_or_insert(error);
    }
}

/// Returns the gap of whole milliseconds within `range`.
pub(super) fn gap(range: &impl RangeBounds<Duration>) -> Gap {
    let is_whole = |d: &Duration| d.subsec_nanos().is_multiple_of(1_000_000);
    let min = match range.start_bound() {
        Bound::Included(d) if is_whole(d) => duration_to_millis(*d),
        Bound::Included(d) | Bound::Excluded(d) => duration_to_millis(*d).saturating_add(1),
        Bound::Unbounded => 0,
    };
    let max = match range.end_bound() {
        Bound::Excluded(d) if is_whole(d) => Some(duration_to_millis(*d) - 1),
        Bound::Included(d) | Bound::Excluded(d) => Some(duration_to_millis(*d)),
        Bound::Unbounded => None,
    };
    Gap { min: Length::Millis(min), max: max.map(Length::Millis) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_the_whole_milliseconds_within_the_range() {
        let ms = Duration::from_millis;
        let half = ms(2) + Duration::from_micros(500);
        let cases = [
            (gap(&(ms(1)..=ms(5))), 1, Some(5)),
            (gap(&(ms(1)..ms(5))), 1, Some(4)),
            (gap(&(half..=half)), 3, Some(2)),
            (gap(&(..half)), 0, Some(2)),
            (gap(&(ms(7)..)), 7, None),
            (gap(&(Bound::Excluded(ms(7)), Bound::Unbounded)), 8, None),
            (gap(&(..Duration::MAX)), 0, Some(i64::MAX)),
        ];
        for (i, (gap, min, max)) in cases.into_iter().enumerate() {
            let expected = (Length::Millis(min), max.map(Length::Millis));
            assert_eq!((gap.min, gap.max), expected, "case {i}");
        }
    }
}
