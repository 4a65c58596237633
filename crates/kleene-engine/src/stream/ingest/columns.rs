//! Ingest of batches of columns.
//!
//! Rows in order go to the rules in groups whose prefilters were asked for whole columns
//! (`dispatch/rows.rs`). All other rows take the ways of records, and are read in place there, too:
//! a row is copied when the reorder buffer or a partial match keeps it.

use crate::stream::dispatch::prefetch::{EventRun, GroupHints, KeyHint};
use crate::stream::dispatch::rows::RowRun;
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::path::IngestPath;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::receiver::Receiver;
use kleene_event::event::{EventBatch, LentRow, Record};
use kleene_event::time::Timestamp;

/// The number of rows that the reorder buffer borrows at once.
const LENT_ROWS: usize = 1024;

impl Ingest<Record> {
    /// Ingests the events of a batch with the result of one
    /// [`push_from`](crate::stream::Engine::push_from) for each.
    ///
    /// # Errors
    /// [`PushError`] if a limit or a cold store has stopped the engine, or the stream is finished.
    pub(in crate::stream) fn ingest_columns<S: Receiver<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        batch: &EventBatch,
        sink: &mut S,
    ) -> Result<(), PushError> {
        if !self.expects_order() {
            self.ingest_lent_rows(source, batch, sink)
        } else if self.is_direct() {
            self.ingest_rows(source, RowRun::of_first(batch, batch.len()), sink)
        } else {
            let mut lent = LentRow::default();
            batch.rows().try_for_each(|row| {
                let event = lent.event(row);
                self.ingest(source, event, KeyHint::NOTHING, &mut Lent::nothing(), sink)
            })
        }
    }

    /// Ingests the events of a batch, and advances the watermark of their source to `to`.
    ///
    /// Events in order that the watermark passes need no buffer: they go to the rules as if they were
    /// expected in order, after those that wait for an earlier time.
    ///
    /// # Errors
    /// [`PushError`] as for [`ingest_columns`](Ingest::ingest_columns).
    pub(in crate::stream) fn ingest_columns_until<S: Receiver<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        batch: &EventBatch,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let due = self.count_due(batch, to);
        let mut rest = 0;
        if due > 0 && self.release_before(batch.row(0).time(), sink) {
            self.ingest_rows(source, RowRun::of_first(batch, due), sink)?;
            rest = due;
        }
        if rest < batch.len() {
            let mut lent: Vec<LentRow> = Vec::new();
            lent.resize_with(batch.len() - rest, LentRow::default);
            let rows = batch.rows().skip(rest);
            let events = lent.iter_mut().zip(rows).map(|(lent, row)| lent.event(row));
            return self.ingest_lent_until(source, events, to, sink);
        }
        self.advance_source(source, to, sink)
    }

    /// Returns the number of events at the start of a batch that are in order, after the watermark,
    /// and at or before `to`, if they can go to the rules at once, and all others are after `to`. Else
    /// returns 0.
    fn count_due(&self, batch: &EventBatch, to: Timestamp) -> usize {
        let is_possible = self.clock.has_one_source()
            && self.dispatcher.delivers_directly()
            && !self.clock.has_ended()
            && !self.dispatcher.has_failed();
        if !is_possible {
            return 0;
        }
        let times = || batch.rows().map(|row| row.time());
        let due = times().take_while(|time| *time <= to).count();
        let is_rest_later = times().skip(due).all(|time| to < time);
        if is_rest_later && self.clock.are_times_ahead(times().take(due)) { due } else { 0 }
    }

    /// Ingests rows of which all that come in order can go to the rules at once.
    fn ingest_rows<S: Receiver<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        run: RowRun<'_>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let result = self.ingest_groups(source, run, sink);
        self.clock.settle(source);
        result
    }

    fn ingest_groups<S: Receiver<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        mut run: RowRun<'_>,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let selection = self.dispatcher.select(run.batch());
        while run.advance() {
            if self.clock.are_times_ahead(run.times()) {
                let mut seen = GroupHints::NOTHING;
                self.dispatcher.look_at_rows(&mut run, &selection, &mut seen);
                self.paths.count(IngestPath::Classified, run.len());
                self.ingest_classified(&mut run, &seen, sink);
                continue;
            }
            for place in 0..run.len() {
                let event = run.event(place);
                self.ingest_next::<true, S>(source, event, KeyHint::NOTHING, sink)?;
            }
        }
        Ok(())
    }

    /// Ingests rows that wait in the reorder buffer.
    fn ingest_lent_rows<S: Receiver<Record> + ?Sized>(
        &mut self,
        source: SourceId,
        batch: &EventBatch,
        sink: &mut S,
    ) -> Result<(), PushError> {
        let mut lent: Vec<LentRow> = Vec::new();
        lent.resize_with(LENT_ROWS.min(batch.len()), LentRow::default);
        let mut rows = batch.rows();
        while rows.len() > 0 {
            // The shorter one is asked first, so that no row is lost.
            let events = lent.iter_mut().zip(rows.by_ref()).map(|(lent, row)| lent.event(row));
            self.ingest_lent(source, events, sink)?;
        }
        Ok(())
    }
}
