//! Limits that were reached.

use std::fmt;
use std::sync::Arc;

use kleene_event::time::Timestamp;
use kleene_event::value::Value;
use kleene_syntax::hir::Rule;

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
    /// The number of the event that came when the buffer was full, among all that came to the
    /// engine, from 0. `None` but for [`LimitKind::Buffered`].
    pub arrival: Option<u64>,
}

impl Overflow {
    /// A limit that was reached with the events that had been released.
    pub(in crate::stream) fn of_key(
        limit: LimitKind,
        key: Option<Box<LimitedKey>>,
        time: Timestamp,
        dropped: u64,
    ) -> Overflow {
        Overflow { limit, key, time, dropped, arrival: None }
    }
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
        let Overflow { limit, key, time, dropped, .. } = self;
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
