//! Many events at once on their way through the reorder buffer.

use crate::event::{Event, bytes_of};
use crate::stream::dispatch::prefetch::Foreseen;
use crate::stream::engine::Engine;
use crate::stream::error::PushError;
use crate::stream::ingest::reorder::Lent;
use crate::stream::ingest::watermark::SourceId;
use crate::stream::output::sink::Sink;
use crate::time::Timestamp;

/// How many events are taken before time moves on for them all.
const AT_ONCE: u32 = 64;

/// An engine that events are lent to. They are given back when it is dropped, also where a sink
/// panics.
struct Borrower<'e, 'a, E: Event> {
    engine: &'e mut Engine<E>,
    lent: Lent<'a, E>,
}

impl<E: Event> Drop for Borrower<'_, '_, E> {
    fn drop(&mut self) {
        self.engine.buffer.keep(&mut self.lent);
    }
}

impl<E: Event> Engine<E> {
    /// Takes events as [`push_from`](Engine::push_from) does one after the other. What it gains is
    /// that most of them need not be cloned, and that time moves on less often: no output depends
    /// on when it does, as long as it has before something is told.
    pub(in crate::stream) fn push_lent<'a, S: Sink<E> + ?Sized>(
        &mut self,
        source: SourceId,
        events: impl Iterator<Item = &'a E>,
        sink: &mut S,
    ) -> Result<(), PushError>
    where
        E: 'a,
    {
        // Where a limit fails, no event after the one that exceeds it has been taken.
        let at_once = if self.routes.can_fail { 1 } else { AT_ONCE };
        let borrower = &mut Borrower { engine: self, lent: Lent::nothing() };
        let Borrower { engine, lent } = borrower;
        let mut waiting = 0;
        for event in events {
            let time = event.time();
            let reached = engine.watermark.max(engine.progress.watermark());
            let bytes = bytes_of(event);
            let is_usual = reached < time
                && time < Timestamp::MAX
                && event.out_of_range().is_none()
                && engine.has_room(engine.buffer.len() + 1, engine.buffer_bytes + bytes)
                && !engine.finished;
            if !is_usual {
                engine.follow(lent, sink);
                waiting = 0;
                engine.take(source, event, Foreseen::NOTHING, lent, sink)?;
                continue;
            }
            if waiting == at_once {
                // It is after where time comes to, which is what it has reached.
                engine.follow(lent, sink);
                engine.so_far()?;
                waiting = 0;
            }
            engine.books.stats.events += 1;
            let named = engine.is_named(event);
            engine.progress.observe(source, time);
            engine.newest = engine.newest.max(time);
            if named {
                engine.buffer_bytes += bytes;
                engine.buffer.lend(time, event, lent);
            }
            waiting += 1;
        }
        engine.follow(lent, sink);
        engine.so_far()
    }
}
