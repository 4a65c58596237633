//! A stream of events to a stream of outputs.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use kleene::stream::{Output, PushError};
use kleene::{Engine, Event, Timestamp};

/// A [`Stream`] of what an engine reports of a stream of events. Available with the feature
/// `futures`.
///
/// It starts no thread and needs no particular runtime: the engine takes an event where the outputs
/// are polled. An output is a match, a timeout, or what became of an event that no rule could take.
///
/// Partial matches that are open when the events end stay open: the end of a connection is not the
/// end of time. [`end_of_time`](Outputs::end_of_time) reports them as [`Engine::end_time`] does, and
/// [`into_engine`](Outputs::into_engine) gives the engine back, for a snapshot.
///
/// ```
/// use futures::StreamExt as _;
/// use kleene::{Engine, Event, Output, RuleSet, Timestamp};
/// use kleene_runner::Outputs;
///
/// #[derive(Clone, Debug, Event)]
/// struct Hit { user: u32, at: Timestamp }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rule = "rule twice { key user  match hit{2}  within 1m  emit { user } }";
/// let rules = RuleSet::builder()
///     .events::<Hit>()
///     .source(kleene::diagnostic::Source::new("hits.cep", rule))
///     .build()?;
/// let engine = Engine::builder().rules(&rules).build()?;
/// let hits = [(1, 7), (2, 8), (3, 7)]
///     .map(|(second, user)| Hit { user, at: Timestamp::from_millis(second * 1000) });
///
/// let mut outputs = Outputs::new(engine, futures::stream::iter(hits));
/// let first = futures::executor::block_on(outputs.next());
/// let Some(Ok(Output::Match(found))) = first else { panic!("{first:?}") };
/// assert_eq!(found.emit.to_string(), "{ user: 7 }");
/// # Ok(())
/// # }
/// ```
pub struct Outputs<S, E: Event> {
    events: Pin<Box<S>>,
    engine: Engine<E>,
    ready: VecDeque<Output<E>>,
    ends_time: bool,
    /// True if nothing more comes: the events have ended, or the engine was stopped.
    is_over: bool,
}

impl<S, E: Event> fmt::Debug for Outputs<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs")
            .field("engine", &self.engine)
            .field("ready", &self.ready.len())
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

/// Nothing in it is pinned but the events, which are in a box of their own.
impl<S, E: Event> Unpin for Outputs<S, E> {}

impl<S: Stream<Item = E>, E: Event> Outputs<S, E> {
    /// Connects an engine with the events that it is to take.
    pub fn new(engine: Engine<E>, events: S) -> Outputs<S, E> {
        Outputs {
            events: Box::pin(events),
            engine,
            ready: VecDeque::new(),
            ends_time: false,
            is_over: false,
        }
    }

    /// Takes the end of the events for the end of time: what is still open is reported then.
    #[must_use]
    pub fn end_of_time(mut self) -> Outputs<S, E> {
        self.ends_time = true;
        self
    }
}

impl<S, E: Event> Outputs<S, E> {
    /// The engine, to look at its counts and open partial matches.
    pub fn engine(&self) -> &Engine<E> {
        &self.engine
    }

    /// Moves time on to `to`, as [`Engine::advance`] does: a silence ends although no event comes.
    /// The outputs of it are the next ones.
    ///
    /// # Errors
    /// [`PushError`] if the engine has stopped or has ended.
    pub fn advance(&mut self, to: Timestamp) -> Result<(), PushError> {
        let mut outputs = Vec::new();
        let advanced = self.engine.advance(to, &mut outputs);
        self.ready.extend(outputs);
        advanced
    }

    /// Returns the engine with its open partial matches. Outputs that were not polled yet are lost.
    pub fn into_engine(self) -> Engine<E> {
        self.engine
    }
}

impl<S: Stream<Item = E>, E: Event> Stream for Outputs<S, E> {
    type Item = Result<Output<E>, PushError>;

    /// The next output. An error is the last item: a rule's `limit .. fail` has stopped the engine.
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(output) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(output)));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            if let Some(failure) = this.engine.failure() {
                this.is_over = true;
                return Poll::Ready(Some(Err(failure.clone())));
            }
            let mut outputs = Vec::new();
            match this.events.as_mut().poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(event)) => {
                    // A failure is reported behind the outputs that came before it.
                    let _ = this.engine.push(&event, &mut outputs);
                }
                Poll::Ready(None) => {
                    // As above.
                    this.is_over = !this.ends_time || this.engine.end_time(&mut outputs).is_ok();
                }
            }
            this.ready.extend(outputs);
        }
    }
}
