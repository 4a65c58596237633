//! The destinations of all that a run has to report.

use std::time::{Duration, Instant};

use kleene::event::EventBatch;
use kleene::schema::TypeId;
use kleene::stream::{
    Engine, Late, LimitKind, Match, Overflow, RejectReason, Rejected, Sink, Timeout,
};
use kleene::{Event as _, Record, Timestamp};

use crate::args::RunArgs;
use crate::division::Division;
use crate::output::Output;
use crate::profile::{Parts, Profile};
use crate::progress::ReadProgress;
use crate::rejects::Rejects;
use crate::review::Review;
use crate::source::{EventSource, RowName};
use kleene_input::Origin;
use kleene_report::reasons::late_reason;
use kleene_report::tally::Tally;

/// The destinations of all that a run has to report.
pub(super) struct Outlets {
    pub(super) output: Output,
    pub(super) rejects: Rejects,
    pub(super) progress: ReadProgress,
    pub(super) review: Review,
    pub(super) tally: Tally,
    /// The times of the thread that matches, in a run of one engine, if they are measured.
    pub(super) profile: Option<Profile>,
    /// The bound on the delay of events, in milliseconds; `None` if they come in order.
    bound: Option<i64>,
    is_quiet: bool,
    /// True if it was said that a limit was reached.
    reported_of_limit: bool,
    /// True if it was said that a rule feeds others what does not fit.
    reported_of_mismatch: bool,
}

impl Outlets {
    pub(super) fn new(
        args: &RunArgs,
        output: Output,
        rejects: Rejects,
        progress: ReadProgress,
        review: Review,
    ) -> Outlets {
        let (is_quiet, reported_of_limit, reported_of_mismatch) = (args.quiet, false, false);
        let bound = args.events.out_of_order;
        let bound = bound.map(|bound| i64::try_from(bound.as_millis()).unwrap_or(i64::MAX));
        let tally = Tally::default();
        Outlets {
            output,
            rejects,
            progress,
            review,
            tally,
            profile: None,
            bound,
            is_quiet,
            reported_of_limit,
            reported_of_mismatch,
        }
    }

    /// Measures where the time of a run of one engine goes.
    pub(super) fn measure(&mut self) {
        self.output.measure();
        self.profile = Some(Profile::new());
    }

    /// Starts to time the parsing of the next batch, if that is measured.
    pub(super) fn start_parsing(&self) -> Option<Instant> {
        self.profile.as_ref().map(|_| Instant::now())
    }

    /// The batch whose parsing began at `start` is parsed: the engine is next. Returns its start.
    pub(super) fn end_parsing(
        &mut self,
        start: Instant,
        engine: &Engine<Record>,
    ) -> Option<Instant> {
        let (profile, results) = (self.profile.as_mut()?, self.output.times()?);
        Some(profile.end_parsing(start, engine, results))
    }

    /// Starts to time what the engine does once.
    pub(super) fn start_matching(&mut self, engine: &Engine<Record>) -> Option<Instant> {
        let (profile, results) = (self.profile.as_mut()?, self.output.times()?);
        Some(profile.start_matching(engine, results))
    }

    /// The engine is done with what is timed.
    pub(super) fn end_matching(&mut self, start: Instant, engine: &Engine<Record>) {
        if let (Some(profile), Some(results)) = (&mut self.profile, self.output.times()) {
            profile.end_matching(start, engine, results);
        }
    }

    /// Waits for input.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        match &mut self.profile {
            None => wait(),
            Some(profile) => profile.wait(wait),
        }
    }

    /// Returns where the time of a run of one engine went, if that was measured.
    pub(super) fn parts(
        &mut self,
        elapsed: Duration,
        feed: &EventSource,
        division: Division,
    ) -> Option<Parts> {
        let (profile, results) = (self.profile.take()?, self.output.times()?);
        Some(match division {
            Division::Alone => profile.parts(elapsed, results),
            _ => profile.parts_of_stages(feed.parsed_ahead(), results),
        })
    }

    /// True if something could not be written.
    pub(super) fn has_failed(&self) -> bool {
        self.output.has_failed() || self.rejects.has_failed()
    }

    /// Says once that a rule feeds others what does not fit.
    pub(super) fn report_mismatch(&mut self, reason: &str) {
        if !self.is_quiet && !std::mem::replace(&mut self.reported_of_mismatch, true) {
            self.progress.say(&format!("{reason}; the summary counts it as rejected"));
        }
    }

    /// Returns the message about a limit, with what sets the limit.
    pub(super) fn limit_text(overflow: &Overflow) -> String {
        match overflow.limit {
            LimitKind::Buffered => {
                let time = overflow.time;
                format!("too many events wait to be sorted: time was advanced to {time}")
            }
            limit @ (LimitKind::StepsPerEvent
            | LimitKind::GraphNodesPerKey
            | LimitKind::MatchesPerSet) => {
                let option = limit.as_str().replace('_', "-");
                format!("{overflow} (`--{option}` sets the limit)")
            }
            LimitKind::PartialsPerKey => {
                format!("{overflow} (`limit` in the rule sets the limit)")
            }
            _ => overflow.to_string(),
        }
    }

    /// Says once that a limit was reached, when the event of a line was taken.
    pub(super) fn report_limit(&mut self, line: u64, what: &str) {
        if !self.is_quiet && !std::mem::replace(&mut self.reported_of_limit, true) {
            let origin = if line == 0 {
                String::new()
            } else {
                format!("{} {line}: ", self.review.row_name().word())
            };
            let text = format!("{origin}limit reached: {what}; the summary counts how often");
            self.progress.say(&text);
        }
    }

    pub(super) fn reject(&mut self, origin: Origin<'_>, reason: &str) {
        self.review.rejected(&origin, reason);
        self.rejects.report(origin, reason, &self.progress);
    }

    /// Reports an event that is no good for the engine. A row has no text: the event is shown.
    fn reject_event(&mut self, origin: Origin<'_>, event: &Record, reason: &str) {
        let text = self.text_of_row(origin, event);
        self.reject(Origin { text: text.as_deref().unwrap_or(origin.text), ..origin }, reason);
    }

    /// Returns the text of an event that comes from a row.
    fn text_of_row(&self, origin: Origin<'_>, event: &Record) -> Option<Vec<u8>> {
        (self.review.row_name() == RowName::Row && origin.text.is_empty()).then(|| {
            let mut text = Vec::new();
            self.output.shapes().write_event(&mut text, event);
            text
        })
    }

    /// Reports an event of a type that came too late.
    pub(super) fn late(
        &mut self,
        origin: Origin<'_>,
        ty: TypeId,
        time: Timestamp,
        mark: Timestamp,
    ) {
        self.review.late(ty, time, mark, self.bound.unwrap_or(0));
        self.rejects.report(origin, &late_reason(time, mark), &self.progress);
    }
}

/// The lines of the events that the engine reports of.
#[derive(Clone, Copy)]
pub(super) enum Lines<'a> {
    /// No event is pushed.
    Nothing,
    /// The event of a line is pushed.
    One(Origin<'a>),
    /// The events of a batch are pushed.
    OfBatch {
        feed: &'a EventSource,
        batch: &'a EventBatch,
        /// The number of events that had come to the engine before.
        first: u64,
    },
}

impl<'a> Lines<'a> {
    /// Returns the line of the event with this number among all that came to the engine.
    fn of_arrival(self, arrival: u64) -> Option<Origin<'a>> {
        match self {
            Lines::Nothing => None,
            Lines::One(origin) => Some(origin),
            Lines::OfBatch { feed, first, .. } => {
                feed.origin(usize::try_from(arrival.checked_sub(first)?).ok()?)
            }
        }
    }

    /// Returns the line of the event with which a limit was reached. Events that come at most
    /// `bound` milliseconds late are released by the first event whose time is so much later.
    fn of_limit(self, overflow: &Overflow, bound: Option<i64>) -> Option<Origin<'a>> {
        if let Some(arrival) = overflow.arrival {
            return self.of_arrival(arrival);
        }
        match self {
            Lines::Nothing => None,
            Lines::One(origin) => Some(origin),
            Lines::OfBatch { feed, batch, .. } => {
                let released = bound.map_or(0, |bound| bound.saturating_add(1));
                let reaches = overflow.time.plus_millis(released);
                feed.origin(batch.rows().position(|row| row.time() >= reaches)?)
            }
        }
    }
}

/// Takes the reports of the engine.
pub(super) struct OutputPrinter<'a> {
    pub(super) outlets: &'a mut Outlets,
    pub(super) lines: Lines<'a>,
}

impl Sink<Record> for OutputPrinter<'_> {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.outlets.tally.matched(&found.rule().name);
        self.outlets.output.matched(found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.outlets.tally.timed_out(&timeout.rule().name);
        self.outlets.output.timed_out(timeout);
    }

    fn late(&mut self, late: Late<'_, Record>) {
        let Some(origin) = self.lines.of_arrival(late.arrival) else { return };
        let text = self.outlets.text_of_row(origin, late.event);
        let origin = Origin { text: text.as_deref().unwrap_or(origin.text), ..origin };
        self.outlets.late(origin, late.event.type_id(), late.event.time(), late.watermark);
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        if let RejectReason::Mismatch { .. } = rejected.reason {
            // A rule made it: the line that is read is not to blame.
            self.outlets.report_mismatch(&rejected.reason.to_string());
        } else if let Some(origin) = self.lines.of_arrival(rejected.arrival) {
            self.outlets.reject_event(origin, rejected.event, &rejected.reason.to_string());
        }
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.outlets.output.limited(&overflow);
        if !self.outlets.reported_of_limit {
            let origin = self.lines.of_limit(&overflow, self.outlets.bound);
            let line = origin.map_or(0, |origin| origin.line);
            self.outlets.report_limit(line, &Outlets::limit_text(&overflow));
        }
    }
}
