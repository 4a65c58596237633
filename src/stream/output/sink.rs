//! The sink: the receiver of an engine's outputs.

use std::fmt;
use std::sync::Arc;

use crate::stream::output::matched::{Match, Timeout};
use crate::stream::output::order::Position;
use crate::stream::output::owned::Output;
use crate::stream::output::reason::RejectReason;
use kleene_event::event::Event;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::Rule;

/// Receives the outputs of an engine as borrowed views. Values that a sink does not read are not
/// computed.
///
/// `Vec<Output<E>>` is a sink that keeps everything, [`Ignore`] keeps nothing, and [`on_match`]
/// makes a sink of a closure.
///
/// ```
/// use kleene::stream::Late;
/// use kleene::{Engine, Event, Match, Record, RuleSet, Sink, Timestamp};
///
/// #[derive(Default)]
/// struct Count { matches: usize, late: usize }
///
/// impl<E: Event> Sink<E> for Count {
///     fn matched(&mut self, _: Match<'_, E>) {
///         self.matches += 1;
///     }
///
///     fn late(&mut self, _: Late<'_, E>) {
///         self.late += 1;
///     }
/// }
///
/// let rules = RuleSet::parse("event paid { at: time } rule twice { match paid{2} }")?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut count = Count::default();
/// for second in [1, 3, 2] {
///     let at = Timestamp::from_millis(1000 * second);
///     let paid = Record::from_fields(rules.schema(), "paid", [("at", at.into())])?;
///     engine.push(&paid, &mut count)?;
/// }
/// assert_eq!((count.matches, count.late), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sink<E: Event> {
    /// Receives a match.
    fn matched(&mut self, found: Match<'_, E>);

    /// Receives a timeout: a partial match of a rule with `on timeout` has run out of time.
    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        let _ = timeout;
    }

    /// Receives a match that is not reported because the condition of the rule's `having` does not
    /// hold.
    fn filtered(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// Receives a match that is not reported because of the rule's `suppress`.
    fn suppressed(&mut self, found: Match<'_, E>) {
        let _ = found;
    }

    /// Receives a late event: its time is at or before the watermark. No rule reads the event.
    fn late(&mut self, late: Late<'_, E>) {
        let _ = late;
    }

    /// Receives an event that the engine cannot take. The event was pushed or made by a rule
    /// (`emit as`). No rule reads the event.
    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        let _ = rejected;
    }

    /// Receives a limit that was reached, with what was dropped or changed.
    fn overflowed(&mut self, overflow: Overflow) {
        let _ = overflow;
    }
}

/// Receives the outputs of a [`Shard`](crate::stream::Shard), each with its position among the
/// outputs of all shards.
///
/// Only a host that merges the outputs of several shards reads positions, as the crate
/// `kleene-runner` does. For any other sink an empty implementation is right.
pub trait ShardSink<E: Event>: Sink<E> {
    /// Receives the position of the next outputs among the outputs of all shards in the current
    /// call. Only called if there are several shards.
    fn at(&mut self, position: Position) {
        let _ = position;
    }
}

impl<E: Event> ShardSink<E> for Vec<Output<E>> {}

impl<E: Event> ShardSink<E> for Ignore {}

impl<E: Event, F: FnMut(Match<'_, E>)> ShardSink<E> for OnMatch<F> {}

/// An event that came too late.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Late<'a, E> {
    /// The event.
    pub event: &'a E,
    /// The watermark when the event came. The event's time is at or before the watermark.
    pub watermark: Timestamp,
}

/// An event that the engine cannot take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected<'a, E> {
    /// The event.
    pub event: &'a E,
    /// The reason for the rejection.
    pub reason: RejectReason,
}

/// A rule and a key for which a limit was reached: from that time on, results of the rule for the key
/// may be missing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LimitedKey {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// The rule's [version](kleene_syntax::hir::Rule::version).
    pub version: u64,
    /// The key: names and values; empty if the rule has no key.
    pub parts: Vec<(Arc<str>, Value)>,
}

impl LimitedKey {
    pub(in crate::stream) fn new(rule: &Rule, key: &[Value]) -> LimitedKey {
        let names = rule.key.iter().map(|part| part.name.clone());
        let parts = names.zip(key.iter().cloned()).collect();
        LimitedKey { rule: rule.name.clone(), version: rule.version, parts }
    }

    /// Returns the key of a match.
    pub(in crate::stream) fn of_match<E: Event>(found: &Match<'_, E>) -> LimitedKey {
        LimitedKey::new(found.rule(), found.key_slice())
    }
}

/// A limit that was reached. `Display` says it in a sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Overflow {
    /// The limit.
    pub limit: LimitKind,
    /// The rule and the key whose results the limit has changed; `None` for [`LimitKind::Buffered`],
    /// which concerns all rules.
    pub key: Option<Box<LimitedKey>>,
    /// The time of the event, or the deadline, at which the limit was reached; the watermark after
    /// [`LimitKind::Buffered`].
    pub time: Timestamp,
    /// The number of partial matches, matches, silences or events that gave way, at most `u64::MAX`.
    /// It is 0 where nothing gave way: for [`LimitKind::Buffered`], and where later matches are
    /// reported that are not due ([`LimitKind::Suppressed`] and [`LimitKind::Once`]).
    pub dropped: u64,
}

/// The limit of an [`Overflow`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LimitKind {
    /// The reorder buffer was full. The engine released the oldest events before the watermark
    /// reached them, and advanced the watermark to their time.
    Buffered,
    /// Too many events that rules made (`emit as`) were waiting. One event was dropped.
    Derived,
    /// There were too many partial matches in all. Those of the key that exceeded the limit were
    /// dropped.
    Partials,
    /// A key had too many partial matches. The newest or the oldest were dropped, as
    /// [`Rule::limit`](kleene_syntax::hir::Rule::limit) says.
    PartialsPerKey,
    /// The next event of a key would have taken more matching steps than [one event
    /// may](crate::stream::EngineBuilder::limit_steps_per_event). The oldest partial matches of the
    /// key were dropped.
    StepsPerEvent,
    /// The graph that holds the partial matches of a key in the compact form had too many
    /// [nodes](crate::stream::EngineBuilder::limit_graph_nodes_per_key). The newest partial matches
    /// of the key were dropped.
    GraphNodesPerKey,
    /// The events that partial matches have captured took too many bytes. The partial matches of
    /// the key that exceeded the limit were dropped.
    CapturedBytes,
    /// The `suppress` of a rule remembered too many keys. The match was reported, and later matches
    /// of its key will be reported, too.
    Suppressed,
    /// The `once` of a rule remembered too many keys. The match was reported without ending its key.
    Once,
    /// Repeating silences were reported so often that they ended
    /// ([`limit_repetitions`](crate::stream::EngineBuilder::limit_repetitions)).
    Repetitions,
    /// An event or a deadline completed more matches than are
    /// [listed](crate::stream::EngineBuilder::limit_matches_per_set), or a deadline ended more partial
    /// matches of a rule with `on timeout`. The first ones in their order were reported.
    MatchesPerSet,
}

impl LimitKind {
    /// Returns the name of the function of [`EngineBuilder`](crate::stream::EngineBuilder) that sets
    /// the limit, without `limit_`.
    ///
    /// A rule sets `partials_per_key` with its `limit`. The name `buffered` is also that of the
    /// limit in bytes.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitKind::Buffered | LimitKind::Derived => "buffered",
            LimitKind::Partials => "partials",
            LimitKind::PartialsPerKey => "partials_per_key",
            LimitKind::StepsPerEvent => "steps_per_event",
            LimitKind::GraphNodesPerKey => "graph_nodes_per_key",
            LimitKind::CapturedBytes => "captured_bytes",
            LimitKind::Suppressed | LimitKind::Once => "suppressed",
            LimitKind::Repetitions => "repetitions",
            LimitKind::MatchesPerSet => "matches_per_set",
        }
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overflow { limit, key, time, dropped } = self;
        let rule = key.as_ref().map_or("", |key| &*key.rule);
        match limit {
            LimitKind::Buffered => {
                write!(f, "the reorder buffer is full: time was moved on to {time}")
            }
            LimitKind::Derived => write!(
                f,
                "too many events that rules made wait: one of the rule `{rule}` was dropped"
            ),
            LimitKind::Partials | LimitKind::PartialsPerKey => {
                let of = if *limit == LimitKind::Partials { " in all" } else { "" };
                write!(
                    f,
                    "too many partial matches{of}: {dropped} of the rule `{rule}` were dropped"
                )
            }
            LimitKind::StepsPerEvent => write!(
                f,
                "an event would take too many steps: {dropped} of the oldest partial matches of the \
                 rule `{rule}` were dropped"
            ),
            LimitKind::GraphNodesPerKey => write!(
                f,
                "the graph of a key has too many nodes: {dropped} of the newest partial matches of \
                 the rule `{rule}` were dropped"
            ),
            LimitKind::CapturedBytes => write!(
                f,
                "captured events take too much memory: {dropped} partial matches of the rule `{rule}` \
                 were dropped"
            ),
            LimitKind::Suppressed => write!(
                f,
                "`suppress` of the rule `{rule}` remembers too many keys: a match was reported without \
                 silencing others"
            ),
            LimitKind::Once => write!(
                f,
                "`once` of the rule `{rule}` remembers too many keys: a match was reported without ending \
                 its key"
            ),
            LimitKind::Repetitions => write!(
                f,
                "a silence has lasted too long: {dropped} of the rule `{rule}` will not be repeated any \
                 more (`repeat`)"
            ),
            LimitKind::MatchesPerSet => write!(
                f,
                "too many matches or timeouts at once: {dropped} of the rule `{rule}` were not listed"
            ),
        }
    }
}

impl<E: Event> Sink<E> for Vec<Output<E>> {
    fn matched(&mut self, found: Match<'_, E>) {
        self.push(Output::Match(found.to_owned()));
    }

    fn timed_out(&mut self, timeout: Timeout<'_, E>) {
        self.push(Output::Timeout(timeout.to_owned()));
    }

    fn filtered(&mut self, found: Match<'_, E>) {
        self.push(Output::Filtered(found.to_owned()));
    }

    fn suppressed(&mut self, found: Match<'_, E>) {
        self.push(Output::Suppressed(found.to_owned()));
    }

    fn late(&mut self, late: Late<'_, E>) {
        self.push(Output::Late { event: late.event.clone(), watermark: late.watermark });
    }

    fn rejected(&mut self, rejected: Rejected<'_, E>) {
        self.push(Output::Rejected { event: rejected.event.clone(), reason: rejected.reason });
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.push(Output::Overflowed(overflow));
    }
}

/// A sink that keeps nothing. [`Engine::stats`](crate::stream::Engine::stats) still counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl<E: Event> Sink<E> for Ignore {
    fn matched(&mut self, _: Match<'_, E>) {}
}

/// Returns a sink that calls `report` with each match and ignores everything else.
pub fn on_match<E: Event, F: FnMut(Match<'_, E>)>(report: F) -> OnMatch<F> {
    OnMatch(report)
}

/// The sink of [`on_match`].
pub struct OnMatch<F>(F);

impl<F> fmt::Debug for OnMatch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnMatch(..)")
    }
}

impl<E: Event, F: FnMut(Match<'_, E>)> Sink<E> for OnMatch<F> {
    fn matched(&mut self, found: Match<'_, E>) {
        (self.0)(found);
    }
}
