//! The facts about an input, collected while it is read.

use std::sync::Arc;

use kleene::event::EventBatch;
use kleene::schema::{Schema, TypeId};
use kleene::{Record, Timestamp};
use kleene_input::{Origin, TimeUnit};

use super::event_counts::EventCounts;
use super::reasons::Reasons;
use crate::args::InputArgs;
use crate::source::RowName;

/// The facts about an input, collected while it is read.
#[derive(Debug)]
pub(crate) struct Review {
    schema: Arc<Schema>,
    /// The unit of times that are numbers.
    unit: TimeUnit,
    pub(super) seen: EventCounts,
    /// Events of each type that came too late.
    pub(super) late_of_type: Vec<u64>,
    /// The largest distance of a late event from the newest event, in milliseconds.
    pub(super) most_late: i64,
    pub(super) reasons: Reasons,
    /// True if the input was read in part before.
    pub(super) is_partial: bool,
    pub(super) row_name: RowName,
}

impl Review {
    /// A review of events of the types of `schema`. `row_name` says what holds them.
    pub(crate) fn new(schema: &Arc<Schema>, args: &InputArgs, row_name: RowName) -> Review {
        Review {
            schema: schema.clone(),
            unit: args.time_unit,
            seen: EventCounts::default(),
            late_of_type: Vec::new(),
            most_late: 0,
            reasons: Reasons::default(),
            is_partial: false,
            row_name,
        }
    }

    /// Notes that a part of the input was read before: what did not come may have come there.
    pub(crate) fn is_of_a_part(&mut self) {
        self.is_partial = true;
    }

    /// Returns what holds an event.
    pub(crate) fn row_name(&self) -> RowName {
        self.row_name
    }

    /// Returns the unit of times that are numbers.
    pub(crate) fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Goes on with events of the types of `schema`, in which those of before have their numbers.
    pub(crate) fn renew(&mut self, schema: &Arc<Schema>) {
        self.schema = schema.clone();
    }

    /// Takes in an event, whatever becomes of it.
    #[inline]
    pub(crate) fn event(&mut self, event: &Record, origin: &Origin<'_>) {
        self.seen.event(event, origin, self.unit);
    }

    /// Takes in all events that come. `origin` gives the line of an event by its number.
    pub(crate) fn events<'a>(
        &mut self,
        batch: &EventBatch,
        origin: impl Fn(usize) -> Option<Origin<'a>>,
    ) {
        self.seen.events(batch, origin, self.unit);
    }

    /// Takes in what was seen of a block.
    pub(crate) fn merge(&mut self, later: &EventCounts) {
        self.seen.merge(later);
    }

    /// Takes in a line that is no event.
    pub(crate) fn rejected(&mut self, origin: &Origin<'_>, reason: &str) {
        self.reasons.add(origin, reason);
    }

    /// Notes an event of a type that came too late. `bound` is the bound of `--out-of-order`.
    pub(crate) fn late(&mut self, ty: TypeId, time: Timestamp, watermark: Timestamp, bound: i64) {
        let ty = ty.index();
        if self.late_of_type.len() <= ty {
            self.late_of_type.resize(ty + 1, 0);
        }
        self.late_of_type[ty] += 1;
        // The watermark is a millisecond and the bound behind the newest event.
        let by = watermark.millis_since(time).saturating_add(1).saturating_add(bound);
        self.most_late = self.most_late.max(by);
    }

    /// Events of a type: how many came, and how many of them in time.
    pub(super) fn of_type(&self, name: &str) -> (u64, u64) {
        let Some(ty) = self.schema.type_id(name).map(TypeId::index) else { return (0, 0) };
        let at = |counts: &[u64]| counts.get(ty).copied().unwrap_or_default();
        let (all, late) = (at(&self.seen.of_type), at(&self.late_of_type));
        (all, all.saturating_sub(late))
    }
}
