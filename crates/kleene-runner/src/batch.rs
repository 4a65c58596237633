//! Batches of steps that are sent to the shards.

use kleene::stream::{PushError, SourceId};
use kleene::{Event, Timestamp};
use kleene_engine::{Receiver, Shard};

/// Steps that all shards take one after the other.
pub trait Batch<E>: Send + Sync + 'static {
    /// Returns the number of steps.
    fn len(&self) -> usize;

    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the step with this number, from 0; `None` if shards have nothing to do at it.
    fn step(&self, number: usize) -> Option<Step<'_, E>>;
}

/// One call of an engine. See the methods of [`kleene::Engine`] for what each means.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a, E> {
    /// [`push`](kleene::Engine::push)
    Event(&'a E),
    /// [`push_from`](kleene::Engine::push_from)
    EventFrom(SourceId, &'a E),
    /// [`advance`](kleene::Engine::advance)
    Advance(Timestamp),
    /// [`advance_source`](kleene::Engine::advance_source)
    AdvanceSource(SourceId, Timestamp),
    /// [`set_idle`](kleene::Engine::set_idle)
    Idle(SourceId),
    /// [`end_input`](kleene::Engine::end_input)
    EndInput,
}

impl<E: Event> Step<'_, E> {
    #[inline]
    pub(crate) fn take(
        self,
        shard: &mut Shard<E>,
        receiver: &mut impl Receiver<E>,
    ) -> Result<(), PushError> {
        match self {
            Step::Event(event) => shard.push(event, receiver),
            Step::EventFrom(source, event) => shard.push_from(source, event, receiver),
            Step::Advance(to) => shard.advance(to, receiver),
            Step::AdvanceSource(source, to) => shard.advance_source(source, to, receiver),
            Step::Idle(source) => shard.set_idle(source, receiver),
            Step::EndInput => shard.end_input(receiver),
        }
    }
}
