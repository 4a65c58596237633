//! The receiver of outputs inside an engine: a sink, with or without the positions of outputs.

use crate::stream::output::order::Position;
use crate::stream::output::sink::Sink;
use kleene_event::event::Event;

/// Receives the outputs of an engine or of a [`Shard`](crate::Shard).
///
/// The functions from an engine down to the output serve both. A plain [`Sink`] has no method for
/// positions: only a host that merges the outputs of several shards reads them, as the crate
/// `kleene-runner` does. For any other sink [`Plain`] is right.
pub trait Receiver<E: Event> {
    /// The sink that gets the outputs.
    type Sink: Sink<E> + ?Sized;

    /// Returns the sink.
    fn outputs(&mut self) -> &mut Self::Sink;

    /// Receives the position of the next outputs among the outputs of all shards in the current
    /// call. Only called if there are several shards.
    fn at(&mut self, position: Position);
}

/// A sink as the receiver of an engine or of a shard. It drops positions.
#[derive(Debug)]
pub struct Plain<'s, S: ?Sized>(pub &'s mut S);

impl<E: Event, S: Sink<E> + ?Sized> Receiver<E> for Plain<'_, S> {
    type Sink = S;

    #[inline(always)]
    fn outputs(&mut self) -> &mut S {
        self.0
    }

    #[inline(always)]
    fn at(&mut self, _: Position) {}
}
