//! Many events at once on their way through the reorder buffer.

use crate::event::{Event, bytes_of};
use crate::stream::dispatch::prefetch::KeyHint;
use crate::stream::error::PushError;
use crate::stream::ingest::arrivals::Ingest;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::time::Timestamp;

/// How many events are taken before time moves on for them all.
const AT_ONCE: u32 = 64;

/// An engine's ingest that events are lent to. They are given back when it is dropped, also where a sink
/// panics.
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
    /// Takes events as [`push_from`](crate::Engine::push_from) does one after the other. What it gains is
    /// that most of them need not be cloned, and that time moves on less often: no output depends
    /// on when it does, as long as it has before something is reported.
    pub(in crate::stream) fn ingest_lent<'a, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        // Where a limit fails, no event after the one that exceeds it has been taken.
        let at_once = if self.dispatcher.routes.can_fail { 1 } else { AT_ONCE };
        let borrower = &mut Borrower { ingest: self, lent: Lent::nothing() };
        let Borrower { ingest, lent } = borrower;
        let mut waiting = 0;
        for event in events {
            let time = event.time();
            let reached = ingest.watermark.max(ingest.progress.watermark());
            let bytes = bytes_of(event);
            let is_usual = reached < time
                && time < Timestamp::MAX
                && event.out_of_range().is_none()
                && ingest.has_room(ingest.buffer.len() + 1, ingest.buffer_bytes + bytes)
                && !ingest.finished;
            if !is_usual {
                ingest.release_reached(lent, sink);
                waiting = 0;
                ingest.ingest(source, event, KeyHint::NOTHING, lent, sink)?;
                continue;
            }
            if waiting == at_once {
                // It is after where time comes to, which is what it has reached.
                ingest.release_reached(lent, sink);
                ingest.so_far()?;
                waiting = 0;
            }
            ingest.count_arrivals(1);
            let named = ingest.dispatcher.is_named(event);
            ingest.progress.observe(source, time);
            ingest.newest = ingest.newest.max(time);
            if named {
                ingest.buffer_bytes += bytes;
                ingest.buffer.lend(time, event, lent);
            }
            waiting += 1;
        }
        ingest.release_reached(lent, sink);
        ingest.so_far()
    }
}
