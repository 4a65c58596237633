//! The receiver of outputs inside an engine: a sink, with or without the positions of outputs.

use crate::stream::output::order::Position;
use crate::stream::output::sink::{ShardSink, Sink};
use kleene_event::event::Event;

/// Receives the outputs of an engine or of a shard.
///
/// The functions from an engine down to the output serve both. A plain [`Sink`] has no method for
/// positions.
pub(in crate::stream) trait Receiver<E: Event> {
    /// The sink that gets the outputs.
    type Sink: Sink<E> + ?Sized;

    /// Returns the sink.
    fn outputs(&mut self) -> &mut Self::Sink;

    /// Receives the position of the next outputs.
    fn at(&mut self, position: Position);
}

/// The receiver of an engine, which drops positions.
pub(in crate::stream) struct Plain<'s, S: ?Sized>(pub(in crate::stream) &'s mut S);

impl<E: Event, S: Sink<E> + ?Sized> Receiver<E> for Plain<'_, S> {
    type Sink = S;

    #[inline(always)]
    fn outputs(&mut self) -> &mut S {
        self.0
    }

    #[inline(always)]
    fn at(&mut self, _: Position) {}
}

/// The receiver of a shard, which reports positions.
pub(in crate::stream) struct Positioned<'s, S: ?Sized>(pub(in crate::stream) &'s mut S);

impl<E: Event, S: ShardSink<E> + ?Sized> Receiver<E> for Positioned<'_, S> {
    type Sink = S;

    #[inline(always)]
    fn outputs(&mut self) -> &mut S {
        self.0
    }

    #[inline(always)]
    fn at(&mut self, position: Position) {
        self.0.at(position);
    }
}
