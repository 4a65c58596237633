//! The queues of counting windows: a queue of events for each key.
//!
//! Events lie in chunks of four, since the events at each end of a queue are read and dropped
//! together. The entry for the next event is prefetched without a branch, and free chunks before
//! they are needed: W3 takes 0.97 of the time with this, W5 0.96 (docs/performance.md). The
//! prefetched address may belong to no chunk, which a prefetch allows.
//!
//! `queues_of_any_length_are_first_in_first_out` below holds queues against a plain list.
//!
//! A queue of seven events, of which the first two of the first chunk are gone:
//! ```text
//!      first                    last
//! [ .  .  e1 e2 ] --next--> [ e3 e4 e5 e6 ] --next--> [ e7 .  .  . ]
//!   skipped = 2                                         len = 7
//! ```
//!
//! A queue of a single chunk is a ring, so a key with few events never changes its chunk:
//! ```text
//! append e1 e2 e3 e4   [ e1 e2 e3 e4 ]   skipped 0, len 4
//! pop, pop             [ .  .  e3 e4 ]   skipped 2, len 2
//! append e5 e6         [ e5 e6 e3 e4 ]   skipped 2, len 4: it is full
//! append e7            [ e3 e4 e5 e6 ] --next--> [ e7 . . . ]   rotated left by 2, skipped 0
//! ```
//! Only a full ring is rotated. In a list of chunks each event stays where it is.
//!
//! Invariants:
//! * An empty queue has no chunk: both ends are `NIL`.
//! * The position of the next event is `(skipped + len) % CHUNK`, in a ring and in a list.
//! * A chunk in the free list has no events. Its memory is kept for the next queue, and never given
//!   back to the allocator.
//!
//! Rejected, from the history of this file:
//! * Events in entries of their own: a match of W3 looked at up to five places.
//! * A new chunk as soon as the last entry of a chunk is used. With events that come and go, every
//!   fourth took a new chunk and gave up the old one; hence the ring.

use std::mem::offset_of;

use kleene_event::event::{Event, bytes_of};
use kleene_event::util::prefetch::{prefetch, prefetch_value};

/// Stands for no chunk.
const NIL: u32 = u32::MAX;

/// The number of events in a chunk.
const CHUNK: u32 = 4;

/// A few events in a row of a queue, with their numbers. They are looked at and given up together,
/// so they lie together. Where it is the only one of its queue it is a ring: a key with few events
/// keeps it.
#[derive(Clone, Debug)]
struct Chunk<E> {
    events: [QueueSlot<E>; CHUNK as usize],
    /// The next chunk of the queue or of the free list; [`NIL`] for the last.
    next: u32,
}

/// An event with its sequence number, or an empty entry.
type QueueSlot<E> = Option<(E, u64)>;

/// A queue of events in the chunks of a store.
#[derive(Clone, Copy, Debug)]
pub(in crate::exec) struct Queue {
    /// The chunks of its first and last event; [`NIL`] while it is empty.
    pub(in crate::exec) first: u32,
    pub(in crate::exec) last: u32,
    pub(in crate::exec) len: u32,
    /// The number of entries of the first chunk before the first event.
    pub(in crate::exec) skipped: u32,
    /// The deadline of the partial match that starts with the first event; `i64::MAX` if there is
    /// none.
    pub(in crate::exec) deadline: i64,
    /// The time of the last event. When all events are over is then known without reading them.
    pub(in crate::exec) newest: i64,
}

impl Default for Queue {
    #[inline]
    fn default() -> Queue {
        Queue { first: NIL, last: NIL, len: 0, skipped: 0, deadline: i64::MAX, newest: i64::MIN }
    }
}

impl Queue {
    /// Returns the chunks at both ends, which may be one.
    ///
    /// Only the ends are read at an event: the next event goes to the last chunk, and the oldest
    /// goes from the first.
    #[inline(always)]
    pub(in crate::exec) fn ends(&self) -> impl Iterator<Item = u32> + use<> {
        let first = Some(self.first).filter(|chunk| *chunk != self.last);
        first.into_iter().chain(Some(self.last).filter(|chunk| *chunk != NIL))
    }

    #[inline]
    pub(in crate::exec) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The queues of all keys.
#[derive(Clone, Debug)]
pub(in crate::exec) struct Queues<E> {
    /// Chunks of queues, and empty chunks of the free list. Writing an event into a chunk costs
    /// less than making one.
    chunks: Vec<Chunk<E>>,
    /// The first chunk of the free list.
    free: u32,
    len: usize,
    /// The size of the events in bytes.
    bytes: u64,
}

impl<E> Default for Queues<E> {
    fn default() -> Queues<E> {
        Queues { chunks: Vec::new(), free: NIL, len: 0, bytes: 0 }
    }
}

impl<E> Queues<E> {
    /// Adds an event at the end. The caller maintains the queue's deadline, here and below.
    #[inline(always)]
    pub(in crate::exec) fn append(&mut self, queue: &mut Queue, event: &E, seq: u64)
    where
        E: Event,
    {
        let mut index = (queue.skipped + queue.len) % CHUNK;
        let is_one = queue.first == queue.last;
        // A ring is full by its number of events. The last chunk of a list is full when the
        // position of the next event comes round to its beginning.
        if queue.len == 0 || if is_one { queue.len == CHUNK } else { index == 0 } {
            self.enlarge(queue);
            index = 0;
        }
        let slot = &mut self.chunk_mut(queue.last).events[index as usize];
        // A free slot has nothing to drop; the copy is made where it stays.
        std::mem::forget(slot.replace((event.clone(), seq)));
        queue.len += 1;
        self.len += 1;
        self.bytes += bytes_of(event);
    }

    /// Adds a chunk at the end of a full queue.
    #[inline(never)]
    fn enlarge(&mut self, queue: &mut Queue) {
        let last = queue.last;
        queue.last = self.add_chunk();
        if queue.len == 0 {
            (queue.first, queue.skipped) = (queue.last, 0);
            return;
        }
        // The ring becomes the first chunk of a list, which is read from its `skipped` entry to its
        // end.
        if queue.first == last {
            self.chunk_mut(last).events.rotate_left(queue.skipped as usize);
            queue.skipped = 0;
        }
        self.chunk_mut(last).next = queue.last;
    }

    /// Returns an empty chunk, as the last of a queue.
    #[inline(always)]
    fn add_chunk(&mut self) -> u32 {
        let index = self.free;
        let Some(chunk) = self.chunks.get_mut(index as usize) else { return self.push_chunk() };
        self.free = chunk.next;
        chunk.next = NIL;
        // The next one that is needed may have been given up long ago.
        // Without a further chunk, the one at hand is named: to prefetch it does no harm.
        let next = if self.free == NIL { index } else { self.free };
        prefetch_value(self.chunks.as_ptr().wrapping_add(next as usize));
        index
    }

    /// Out of line: after a while, nearly all chunks come from the free list.
    #[inline(never)]
    fn push_chunk(&mut self) -> u32 {
        let index = u32::try_from(self.chunks.len()).ok().filter(|index| *index < NIL);
        self.chunks.push(Chunk { events: [const { None }; CHUNK as usize], next: NIL });
        index.expect("fewer than 2^32 chunks")
    }

    /// Returns an empty chunk to the free list.
    #[inline(always)]
    fn free_chunk(&mut self, index: u32) {
        self.chunk_mut(index).next = self.free;
        self.free = index;
    }

    #[inline(always)]
    fn chunk(&self, index: u32) -> &Chunk<E> {
        &self.chunks[index as usize]
    }

    #[inline(always)]
    fn chunk_mut(&mut self, index: u32) -> &mut Chunk<E> {
        &mut self.chunks[index as usize]
    }

    /// Drops the oldest event, if there is one.
    #[inline]
    pub(in crate::exec) fn pop(&mut self, queue: &mut Queue)
    where
        E: Event,
    {
        let chunk = queue.first;
        if queue.is_empty() {
            return;
        }
        self.len -= 1;
        if let Some((event, _)) = self.chunk_mut(chunk).events[queue.skipped as usize].take() {
            self.bytes = self.bytes.saturating_sub(bytes_of(&event));
        }
        self.skip(queue);
        // The chunk was the last one of the queue, or the queue went on to the next.
        if queue.first != chunk {
            self.free_chunk(chunk);
        }
    }

    /// Advances a copy of the queue past the oldest event; no event is dropped.
    ///
    /// The matcher lists partial matches with it: each end of a queue is one.
    pub(in crate::exec) fn skip(&self, queue: &mut Queue) {
        (queue.len, queue.skipped) = (queue.len.saturating_sub(1), queue.skipped + 1);
        if queue.is_empty() {
            *queue = Queue::default();
        } else if queue.skipped == CHUNK {
            // In a ring this is where it comes round; in a list the next chunk begins.
            queue.skipped = 0;
            if queue.first != queue.last {
                queue.first = self.chunk(queue.first).next;
            }
        }
    }

    /// Drops all events.
    pub(in crate::exec) fn clear(&mut self, queue: &mut Queue)
    where
        E: Event,
    {
        // Chunk by chunk, so that the ring needs no care: empty entries are passed over.
        let mut next = queue.first;
        while next != NIL {
            let (chunk, mut bytes) = (next, 0);
            let Chunk { events, next: behind } = self.chunk_mut(chunk);
            next = *behind;
            for slot in events {
                if let Some((event, _)) = slot.take() {
                    bytes += bytes_of(&event);
                }
            }
            self.bytes = self.bytes.saturating_sub(bytes);
            self.free_chunk(chunk);
        }
        self.len -= queue.len as usize;
        *queue = Queue::default();
    }

    /// Returns the oldest event with its sequence number.
    #[inline]
    pub(in crate::exec) fn first(&self, queue: &Queue) -> Option<(u64, &E)> {
        self.at(queue.first, queue.skipped)
    }

    /// Returns the newest event with its sequence number.
    #[inline]
    pub(in crate::exec) fn last(&self, queue: &Queue) -> Option<(u64, &E)> {
        self.at(queue.last, (queue.skipped + queue.len).wrapping_sub(1) % CHUNK)
    }

    /// Returns the events with their sequence numbers, from the oldest on.
    pub(in crate::exec) fn iter(&self, queue: Queue) -> impl Iterator<Item = (u64, &E)> {
        let mut rest = queue;
        std::iter::from_fn(move || {
            let first = self.first(&rest)?;
            self.skip(&mut rest);
            Some(first)
        })
    }

    /// Prefetches the entry for the next event. An empty queue is not predictable, so there is no
    /// branch on it, and the prefetched address may be invalid.
    #[inline(always)]
    pub(in crate::exec) fn prefetch_free(&self, queue: &Queue) {
        let chunk = if queue.is_empty() { self.free } else { queue.last };
        let chunk = self.chunks.as_ptr().wrapping_add(chunk as usize);
        let slots: *const QueueSlot<E> =
            chunk.wrapping_byte_add(offset_of!(Chunk<E>, events)).cast();
        prefetch_value(slots.wrapping_add(((queue.skipped + queue.len) % CHUNK) as usize));
    }

    /// Prefetches both ends of a queue.
    ///
    /// Entry by entry, as a chunk is larger than a cache line.
    #[inline(always)]
    pub(in crate::exec) fn prefetch(&self, queue: &Queue) {
        for chunk in queue.ends() {
            for slot in &self.chunk(chunk).events {
                prefetch(slot);
            }
            prefetch(&self.chunk(chunk).next);
        }
    }

    /// Prefetches the data of the events at the ends of a queue that `goes` selects, which are
    /// about to be dropped. An event that stays is not read: to fetch those, too, is traffic
    /// without use.
    #[inline(always)]
    pub(in crate::exec) fn prefetch_events(&self, queue: &Queue, goes: impl Fn(&E) -> bool)
    where
        E: Event,
    {
        for chunk in queue.ends() {
            for (event, _) in self.chunk(chunk).events.iter().flatten() {
                if goes(event) {
                    event.prefetch();
                }
            }
        }
    }

    #[inline]
    fn at(&self, chunk: u32, index: u32) -> Option<(u64, &E)> {
        if chunk == NIL {
            return None;
        }
        let event = self.chunk(chunk).events[index as usize].as_ref();
        event.map(|(event, seq)| (*seq, event))
    }

    /// Returns the number of events.
    pub(in crate::exec) fn len(&self) -> usize {
        self.len
    }

    /// Returns the approximate size of the events in bytes.
    #[inline]
    pub(in crate::exec) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(in crate::exec) fn memory_usage(&self) -> usize {
        self.chunks.capacity() * size_of::<Chunk<E>>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use kleene_event::event::Record;
    use kleene_event::schema::TypeId;
    use kleene_event::time::Timestamp;
    use kleene_event::value::Value;

    #[test]
    fn queues_of_any_length_are_first_in_first_out() {
        let mut queues = Queues::default();
        let mut all: Vec<(Queue, VecDeque<u64>)> = vec![Default::default(); 3];
        let mut random = 1_u64;
        for seq in 0..5000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (queue, expected) = &mut all[(random >> 33) as usize % 3];
            match (random >> 40) % 40 {
                0 => {
                    queues.clear(queue);
                    expected.clear();
                }
                1..18 => {
                    queues.pop(queue);
                    expected.pop_front();
                }
                _ => {
                    let text = Value::String("x".repeat(expected.len() % 9).into());
                    let event = Record::new(TypeId::new(0), Timestamp::from_millis(0), [text]);
                    queues.append(queue, &event, seq);
                    expected.push_back(seq);
                }
            }
            let held: Vec<u64> = queues.iter(*queue).map(|(seq, _)| seq).collect();
            assert_eq!(held, expected.iter().copied().collect::<Vec<_>>());
            assert_eq!(queues.first(queue).map(|(seq, _)| seq), expected.front().copied());
            assert_eq!(queues.last(queue).map(|(seq, _)| seq), expected.back().copied());
            assert_eq!(queue.len as usize, held.len());
        }
        assert_eq!(queues.len(), all.iter().map(|(_, expected)| expected.len()).sum::<usize>());
        for (queue, _) in &mut all {
            queues.clear(queue);
        }
        assert_eq!((queues.len(), queues.bytes()), (0, 0));
        let next = |index: &u32| Some(queues.chunk(*index).next).filter(|next| *next != NIL);
        assert_eq!(std::iter::successors(Some(queues.free), next).count(), queues.chunks.len());
        assert!(queues.chunks.iter().all(|chunk| chunk.events.iter().all(Option::is_none)));
    }
}
