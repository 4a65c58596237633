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

/// The key that a limit was reached for: from its time on, results of the rule for the key may be
/// missing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LimitedKey {
    /// The rule's [version](kleene_syntax::hir::Rule::version).
    pub version: u64,
    /// The key: names and values; empty if the rule has no key.
    pub parts: Vec<(Arc<str>, Value)>,
    /// The time of the event, or the deadline, at which the limit was reached.
    pub time: Timestamp,
}

impl LimitedKey {
    pub(in crate::stream) fn new(rule: &Rule, key: &[Value], time: Timestamp) -> LimitedKey {
        let names = rule.key.iter().map(|part| part.name.clone());
        let parts = names.zip(key.iter().cloned()).collect();
        LimitedKey { version: rule.version, parts, time }
    }

    /// Returns the key of a match, at the time of its report.
    pub(in crate::stream) fn of_match<E: Event>(found: &Match<'_, E>) -> LimitedKey {
        LimitedKey::new(found.rule(), found.key_slice(), found.reported_at())
    }
}

/// A limit that was reached. `Display` says it in a sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Overflow {
    /// The reorder buffer was full. The engine released the oldest events before the watermark
    /// reached them, and advanced the watermark to their time.
    #[non_exhaustive]
    Reorder {
        /// The watermark after the advance.
        watermark: Timestamp,
    },
    /// There were too many partial matches. At the limit of one key, the newest or the oldest
    /// partial matches are dropped, as [`Rule::limit`](kleene_syntax::hir::Rule::limit) says. At the limit
    /// of the engine, all partial matches of the key that exceeded the limit are dropped.
    #[non_exhaustive]
    Partials {
        /// The name of the rule of the partial matches.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of partial matches that were dropped or not started.
        dropped: usize,
        /// True at the limit of one key, false at the limit of the engine.
        of_key: bool,
    },
    /// The next event of a key would have taken more matching steps than [one event
    /// may](crate::stream::EngineBuilder::limit_steps_per_event). The oldest partial matches of the
    /// key were dropped.
    #[non_exhaustive]
    Steps {
        /// The name of the rule of the partial matches.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of partial matches that were dropped.
        dropped: usize,
    },
    /// The graph that holds the partial matches of a key in the compact form had too many
    /// [nodes](crate::stream::EngineBuilder::limit_graph_nodes_per_key). The newest partial matches
    /// of the key were dropped.
    #[non_exhaustive]
    Graph {
        /// The name of the rule of the partial matches.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of partial matches that were dropped, at most `usize::MAX`.
        dropped: usize,
    },
    /// The events that partial matches have captured took too many bytes. The partial matches of
    /// the key that exceeded the limit were dropped.
    #[non_exhaustive]
    Captured {
        /// The name of the rule of the partial matches.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of partial matches that were dropped.
        dropped: usize,
    },
    /// The `suppress` or `once` of a rule remembered too many keys. The match was reported, and
    /// later matches of its key will be reported, too.
    #[non_exhaustive]
    Suppressed {
        /// The name of the rule.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// True if the rule has `once`, false if it has `suppress`.
        by_once: bool,
    },
    /// Repeating silences were reported so often that they ended
    /// ([`limit_repetitions`](crate::stream::EngineBuilder::limit_repetitions)).
    #[non_exhaustive]
    Repetitions {
        /// The name of the rule of the silences.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of silences that ended.
        silences: u64,
    },
    /// An event or a deadline completed more matches than are
    /// [listed](crate::stream::EngineBuilder::limit_matches_per_set), or a deadline ended more partial
    /// matches of a rule with `on timeout`. The first ones in their order were reported.
    #[non_exhaustive]
    Unlisted {
        /// The name of the rule of the matches.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
        /// The number of matches and timeouts that were not reported, at most `u64::MAX`.
        matches: u64,
    },
    /// Too many events that rules made (`emit as`) were waiting. One event was dropped.
    #[non_exhaustive]
    Derived {
        /// The name of the rule of the dropped event.
        rule: Arc<str>,
        /// The key whose results the limit has changed.
        key: Box<LimitedKey>,
    },
}

impl Overflow {
    /// Returns the name of the limit: that of the function of
    /// [`EngineBuilder`](crate::stream::EngineBuilder) which sets it, without `limit_`.
    ///
    /// A rule sets `partials_per_key` with its `limit`. The name `buffered` is also that of the
    /// limit in bytes.
    pub fn limit(&self) -> &'static str {
        match self {
            Overflow::Reorder { .. } | Overflow::Derived { .. } => "buffered",
            Overflow::Partials { of_key: true, .. } => "partials_per_key",
            Overflow::Partials { of_key: false, .. } => "partials",
            Overflow::Steps { .. } => "steps_per_event",
            Overflow::Graph { .. } => "graph_nodes_per_key",
            Overflow::Captured { .. } => "captured_bytes",
            Overflow::Suppressed { .. } => "suppressed",
            Overflow::Repetitions { .. } => "repetitions",
            Overflow::Unlisted { .. } => "matches_per_set",
        }
    }

    /// Returns the name of the rule; `None` for [`Overflow::Reorder`], which concerns all rules.
    pub fn rule(&self) -> Option<&Arc<str>> {
        self.of_rule().map(|(rule, _)| rule)
    }

    /// Returns the key that the limit was reached for; `None` for [`Overflow::Reorder`].
    pub fn key(&self) -> Option<&LimitedKey> {
        self.of_rule().map(|(_, key)| key)
    }

    fn of_rule(&self) -> Option<(&Arc<str>, &LimitedKey)> {
        match self {
            Overflow::Reorder { .. } => None,
            Overflow::Partials { rule, key, .. }
            | Overflow::Steps { rule, key, .. }
            | Overflow::Graph { rule, key, .. }
            | Overflow::Captured { rule, key, .. }
            | Overflow::Suppressed { rule, key, .. }
            | Overflow::Repetitions { rule, key, .. }
            | Overflow::Unlisted { rule, key, .. }
            | Overflow::Derived { rule, key, .. } => Some((rule, key)),
        }
    }

    /// Returns the number of partial matches, matches, silences or events that gave way, at most
    /// `u64::MAX`. It is 0 where nothing gave way, but later matches are reported that are not due
    /// ([`Overflow::Suppressed`]), and for [`Overflow::Reorder`].
    pub fn dropped(&self) -> u64 {
        match self {
            Overflow::Reorder { .. } | Overflow::Suppressed { .. } => 0,
            Overflow::Partials { dropped, .. }
            | Overflow::Steps { dropped, .. }
            | Overflow::Graph { dropped, .. }
            | Overflow::Captured { dropped, .. } => *dropped as u64,
            Overflow::Repetitions { silences, .. } => *silences,
            Overflow::Unlisted { matches, .. } => *matches,
            Overflow::Derived { .. } => 1,
        }
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overflow::Reorder { watermark } => {
                write!(f, "the reorder buffer is full: time was moved on to {watermark}")
            }
            Overflow::Partials { rule, dropped, of_key, .. } => {
                let of = if *of_key { "" } else { " in all" };
                write!(
                    f,
                    "too many partial matches{of}: {dropped} of the rule `{rule}` were dropped"
                )
            }
            Overflow::Steps { rule, dropped, .. } => write!(
                f,
                "an event would take too many steps: {dropped} of the oldest partial matches of the \
                 rule `{rule}` were dropped"
            ),
            Overflow::Graph { rule, dropped, .. } => write!(
                f,
                "the graph of a key has too many nodes: {dropped} of the newest partial matches of \
                 the rule `{rule}` were dropped"
            ),
            Overflow::Captured { rule, dropped, .. } => write!(
                f,
                "captured events take too much memory: {dropped} partial matches of the rule `{rule}` \
                 were dropped"
            ),
            Overflow::Suppressed { rule, by_once: true, .. } => write!(
                f,
                "`once` of the rule `{rule}` remembers too many keys: a match was reported without ending \
                 its key"
            ),
            Overflow::Suppressed { rule, by_once: false, .. } => write!(
                f,
                "`suppress` of the rule `{rule}` remembers too many keys: a match was reported without \
                 silencing others"
            ),
            Overflow::Repetitions { rule, silences, .. } => write!(
                f,
                "a silence has lasted too long: {silences} of the rule `{rule}` will not be repeated any \
                 more (`repeat`)"
            ),
            Overflow::Unlisted { rule, matches, .. } => write!(
                f,
                "too many matches or timeouts at once: {matches} of the rule `{rule}` were not listed"
            ),
            Overflow::Derived { rule, .. } => write!(
                f,
                "too many events that rules made wait: one of the rule `{rule}` was dropped"
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
