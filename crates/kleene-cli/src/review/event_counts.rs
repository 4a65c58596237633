//! Counts of the events of an input: by type, and by what their times look like.

use kleene::event::{BatchRow, EventBatch};
use kleene::schema::TypeId;
use kleene::{Event as _, Record, Timestamp};
use kleene_input::{Origin, TimeUnit, likely_unit};

/// The year 2100. Few logs are about what comes later.
pub(super) const YEAR_2100: i64 = 4_102_444_800_000;
/// The year 1971.
const YEAR_1971: i64 = 31_536_000_000;

/// Counts of the events that could be read, of a whole input or of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventCounts {
    /// Events by the number of their type.
    pub(super) of_type: Vec<u64>,
    /// The newest time, and its line.
    pub(super) newest: Option<(Timestamp, u64)>,
    /// The number of events with a time that hardly any log has.
    pub(super) misdated: u64,
    /// The first of them.
    pub(super) first_misdated: Option<Misdated>,
}

/// An event with a time that hardly any log has.
#[derive(Clone, Debug)]
pub(super) struct Misdated {
    pub(super) line: u64,
    pub(super) time: Timestamp,
    /// The unit in which the number of the input is a moment that logs are about.
    pub(super) likely: Option<TimeUnit>,
}

impl EventCounts {
    /// Takes in an event, which is on a line.
    #[inline]
    pub(crate) fn event(&mut self, event: &Record, origin: &Origin<'_>, unit: TimeUnit) {
        let time = event.time();
        self.count_type(event.type_id(), 1);
        if self.newest.is_none_or(|(newest, _)| newest < time) {
            self.newest = Some((time, origin.line));
        }
        if !(YEAR_1971..YEAR_2100).contains(&time.as_millis()) {
            self.odd_time(time, || Some(*origin), unit);
        }
    }

    /// Takes in the events of a batch. `origin` gives the line of an event by its number.
    pub(crate) fn events<'a>(
        &mut self,
        batch: &EventBatch,
        origin: impl Fn(usize) -> Option<Origin<'a>>,
        unit: TimeUnit,
    ) {
        for columns in batch.types() {
            self.count_type(columns.type_id(), columns.len() as u64);
        }
        let mut newest = None;
        for (number, row) in batch.rows().enumerate() {
            let time = row.time();
            if let BatchRow::Record(record) = row {
                self.count_type(record.type_id(), 1);
            }
            if newest.is_none_or(|(newest, _)| newest < time) {
                newest = Some((time, number));
            }
            if !(YEAR_1971..YEAR_2100).contains(&time.as_millis()) {
                self.odd_time(time, || origin(number), unit);
            }
        }
        if let Some((time, number)) = newest
            && self.newest.is_none_or(|(newest, _)| newest < time)
        {
            self.newest = origin(number).map(|origin| (time, origin.line));
        }
    }

    #[inline]
    fn count_type(&mut self, ty: TypeId, events: u64) {
        let ty = ty.index();
        if self.of_type.len() <= ty {
            self.of_type.resize(ty + 1, 0);
        }
        self.of_type[ty] += events;
    }

    #[cold]
    fn odd_time<'a>(
        &mut self,
        time: Timestamp,
        origin: impl FnOnce() -> Option<Origin<'a>>,
        unit: TimeUnit,
    ) {
        let millis = time.as_millis();
        // The number as it was written, without the digits below a millisecond.
        let (number, written) = match unit {
            TimeUnit::Seconds => (millis / 1000, millis / 1000),
            _ => (millis.saturating_mul(unit.per_second() / 1000), millis),
        };
        #[expect(clippy::cast_precision_loss, reason = "the size is what matters")]
        let likely = likely_unit(number as f64).filter(|likely| *likely != unit);
        if likely.is_none() && millis < YEAR_2100 {
            return;
        }
        self.misdated += 1;
        if self.first_misdated.is_none()
            && let Some(origin) = origin()
        {
            // `"1970-01-20T20:15:57Z"` is no number in another unit.
            let text = String::from_utf8_lossy(origin.text);
            let likely = likely.filter(|_| text.contains(&written.to_string()));
            self.first_misdated = Some(Misdated { line: origin.line, time, likely });
        }
    }

    /// Takes in what was seen behind it.
    pub(crate) fn merge(&mut self, later: &EventCounts) {
        if self.of_type.len() < later.of_type.len() {
            self.of_type.resize(later.of_type.len(), 0);
        }
        self.of_type.iter_mut().zip(&later.of_type).for_each(|(sum, count)| *sum += count);
        if let Some((time, _)) = later.newest
            && self.newest.is_none_or(|(newest, _)| newest < time)
        {
            self.newest = later.newest;
        }
        self.misdated += later.misdated;
        if self.first_misdated.is_none() {
            self.first_misdated.clone_from(&later.first_misdated);
        }
    }
}
