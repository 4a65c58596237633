//! Why a run found nothing: what came of the lines of an input, with a sample of each kind.
//!
//! While the input is read, [`Review`] counts: events by type, times, reasons of rejects. At the
//! end [`Review::findings`] says what that means. It is cheap for events that are fine: one count
//! and two comparisons each.

mod advice;
mod reasons;
mod suggest;

use std::sync::Arc;

use kleene::schema::{Schema, TypeId};
use kleene::{Event as _, Record, Timestamp};
use kleene_syntax::hir::Rule;

use crate::args::InputArgs;
use crate::input::{Origin, TimeUnit};
use crate::rules::Loaded;
use kleene_report::counts::Counts;
use reasons::Reasons;

/// The year 2100. Few logs are about what comes later.
const YEAR_2100: i64 = 4_102_444_800_000;
/// The year 1971.
const YEAR_1971: i64 = 31_536_000_000;
/// The number of bytes of a line that are kept as a sample.
const SAMPLE: usize = 4096;

/// The facts about an input, collected while it is read.
#[derive(Debug)]
pub(crate) struct Review {
    schema: Arc<Schema>,
    /// The unit of times that are numbers.
    unit: TimeUnit,
    seen: EventCounts,
    /// Events of each type that came too late.
    late_of_type: Vec<u64>,
    /// The largest distance of a late event from the newest event, in milliseconds.
    most_late: i64,
    reasons: Reasons,
    /// True if the input was read in part before.
    is_partial: bool,
}

/// Counts of the events that could be read, of a whole input or of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventCounts {
    /// Events by the number of their type.
    of_type: Vec<u64>,
    /// The newest time, and its line.
    newest: Option<(Timestamp, u64)>,
    /// The number of events with a time that hardly any log has.
    misdated: u64,
    /// The first of them.
    first_misdated: Option<Misdated>,
}

/// An event with a time that hardly any log has.
#[derive(Clone, Debug)]
struct Misdated {
    line: u64,
    time: Timestamp,
    /// The unit in which the number of the input is a moment that logs are about.
    likely: Option<TimeUnit>,
}

/// Further facts at the end of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) args: &'a InputArgs,
    pub(crate) loaded: &'a Loaded,
    /// The rules that were looked at.
    pub(crate) rules: &'a [&'a Rule],
    pub(crate) counts: &'a Counts,
    /// The names of the columns, in CSV.
    pub(crate) header: &'a [String],
    /// True if there was not a byte in the input.
    pub(crate) is_empty: bool,
    /// The number of results: matches, timeouts and suppressed matches.
    pub(crate) found: u64,
    /// Events without a key in some rule.
    pub(crate) keyless: u64,
}

/// The findings of a review.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The reason why no event of the input could be used; `None` if one could, or if there is no
    /// line.
    pub(crate) unusable: Option<String>,
    /// Hints that may help.
    pub(crate) hints: Vec<String>,
}

impl Findings {
    /// Prints the findings.
    pub(crate) fn say(&self) {
        if let Some(reason) = &self.unusable {
            crate::say(reason);
        }
        self.hints.iter().for_each(|hint| crate::say(&format!("hint: {hint}")));
    }

    /// Prints the findings of a quiet run: hints alone are not printed.
    pub(crate) fn say_if_unusable(&self) {
        if self.unusable.is_some() {
            self.say();
        }
    }
}

impl EventCounts {
    /// Takes in an event, which is on a line.
    #[inline]
    pub(crate) fn event(&mut self, event: &Record, origin: &Origin<'_>, unit: TimeUnit) {
        let (ty, time) = (event.type_id().index(), event.time());
        match self.of_type.get_mut(ty) {
            Some(count) => *count += 1,
            None => self.add_type(ty),
        }
        if self.newest.is_none_or(|(newest, _)| newest < time) {
            self.newest = Some((time, origin.line));
        }
        if !(YEAR_1971..YEAR_2100).contains(&time.as_millis()) {
            self.odd_time(time, origin, unit);
        }
    }

    #[cold]
    fn add_type(&mut self, ty: usize) {
        self.of_type.resize(ty + 1, 0);
        self.of_type[ty] += 1;
    }

    #[cold]
    fn odd_time(&mut self, time: Timestamp, origin: &Origin<'_>, unit: TimeUnit) {
        let millis = time.as_millis();
        // The number as it was written, without the digits below a millisecond.
        let (number, written) = match unit {
            TimeUnit::S => (millis / 1000, millis / 1000),
            _ => (millis.saturating_mul(unit.per_second() / 1000), millis),
        };
        #[expect(clippy::cast_precision_loss, reason = "the size is what matters")]
        let likely = TimeUnit::likely(number as f64).filter(|likely| *likely != unit);
        if likely.is_none() && millis < YEAR_2100 {
            return;
        }
        self.misdated += 1;
        if self.first_misdated.is_none() {
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

impl Review {
    /// A review of events of the types of `schema`.
    pub(crate) fn new(schema: &Arc<Schema>, args: &InputArgs) -> Review {
        Review {
            schema: schema.clone(),
            unit: args.time_unit,
            seen: EventCounts::default(),
            late_of_type: Vec::new(),
            most_late: 0,
            reasons: Reasons::default(),
            is_partial: false,
        }
    }

    /// Notes that a part of the input was read before: what did not come may have come there.
    pub(crate) fn is_of_a_part(&mut self) {
        self.is_partial = true;
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
    fn of_type(&self, name: &str) -> (u64, u64) {
        let Some(ty) = self.schema.type_id(name).map(TypeId::index) else { return (0, 0) };
        let at = |counts: &[u64]| counts.get(ty).copied().unwrap_or_default();
        let (all, late) = (at(&self.seen.of_type), at(&self.late_of_type));
        (all, all.saturating_sub(late))
    }

    /// Returns the findings.
    pub(crate) fn findings(&self, facts: &Facts<'_>) -> Findings {
        advice::findings(self, facts)
    }
}

/// The start of a text of the input, with what is not UTF-8 replaced.
fn sample(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(SAMPLE)]).into_owned()
}
