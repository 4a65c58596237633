//! Batch ingest through the reorder buffer.
//!
//! When it applies: a batch comes to an engine whose events wait in the reorder buffer.
//!
//! Why it is right: no output depends on when the watermark advances, as long as it has advanced
//! before anything is reported.
//!
//! What it saves: the buffer borrows the events of the batch, so only those that outlast the call
//! are cloned, and the watermark advances once for up to [`AT_ONCE`] events. Without it, W1 to W6
//! out of order take up to 1.15 times the instructions (docs/performance.md).
//!
//! Which test holds it: `a_batch_is_its_events_one_by_one` in `tests/batches.rs`.

use crate::stream::dispatch::prefetch::KeyHint;
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::path::IngestPath;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::receiver::Receiver;
use kleene_event::event::{Event, bytes_of};
use kleene_event::time::Timestamp;

/// The number of events that are buffered before the watermark advances.
const AT_ONCE: u32 = 64;

/// An engine's ingest with borrowed events. Dropping the borrower clones the events that still
/// wait, also after a sink has panicked.
struct Borrower<'e, 'a, E: Event> {
    ingest: &'e mut Ingest<E>,
    lent: Lent<'a, E>,
}

impl<E: Event> Drop for Borrower<'_, '_, E> {
    fn drop(&mut self) {
        self.ingest.buffer.keep(&mut self.lent);
    }
}

impl<E: Event> Ingest<E> {
    /// Ingests events with the result of one [`push_from`](crate::stream::Engine::push_from) for
    /// each.
    ///
    /// # Errors
    /// [`PushError`] if a limit or a cold store has stopped the engine, or the stream is finished.
    pub(in crate::stream) fn ingest_lent<'a, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        self.ingest_lent_until(source, events, Timestamp::MIN, sink)
    }

    /// Ingests events, and advances the watermark of their source to `to`. Events that the watermark
    /// passes are not cloned.
    ///
    /// # Errors
    /// [`PushError`] as for [`ingest_lent`](Ingest::ingest_lent).
    pub(super) fn ingest_lent_until<'a, S: Receiver<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        to: Timestamp,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        // With `limit .. fail`, no event after the one that exceeds the limit may have been
        // ingested.
        let at_once = if self.dispatcher.can_fail() { 1 } else { AT_ONCE };
        let borrower = &mut Borrower { ingest: self, lent: Lent::nothing() };
        let Borrower { ingest, lent } = borrower;
        let mut waiting = 0;
        for event in events {
            let time = event.time();
            let bytes = bytes_of(event);
            let is_usual = ingest.clock.is_ahead(event, time)
                && ingest.clock.reached().is_none_or(|reached| reached < time)
                && ingest.buffer.has_room_for(bytes, ingest.dispatcher.limits())
                && !ingest.clock.has_ended();
            if !is_usual {
                ingest.release_reached(lent, sink);
                waiting = 0;
                ingest.ingest(source, event, KeyHint::NOTHING, lent, sink)?;
                continue;
            }
            if waiting == at_once {
                // The event is after the watermark of the sources, so it does not belong to this
                // release.
                ingest.release_reached(lent, sink);
                ingest.so_far()?;
                waiting = 0;
            }
            ingest.dispatcher.count_events(1);
            ingest.paths.count(IngestPath::Lent, 1);
            let named = ingest.dispatcher.is_named(event, ingest.clock.watermark(), sink);
            ingest.clock.observe(source, time);
            ingest.clock.accept(time);
            if named {
                ingest.buffer.lend(event, bytes, lent);
            }
            waiting += 1;
        }
        if to > Timestamp::MIN {
            ingest.clock.advance_source(source, to);
        }
        ingest.release_reached(lent, sink);
        ingest.so_far()
    }
}
