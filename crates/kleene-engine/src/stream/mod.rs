//! The engine: events of many keys, in any order, around the matchers of `kleene_automata::exec`.
//! `kleene::stream` says what it promises; the folders here are the stages of an event.

mod builder;
mod change;
mod dispatch;
mod engine;
mod error;
mod ingest;
mod keys;
mod limits;
pub(crate) mod output;
mod rule;
pub(crate) mod shard;
mod snapshot;
mod stats;

pub use builder::EngineBuilder;
pub use change::replacement::{Refused, Replacement, RuleChange, Verdict};
pub use engine::{Engine, Outputs};
pub use error::{BuildError, PushError};
pub use ingest::watermark::{SourceId, SourceProgress};
pub use keys::cold::{ColdError, ColdStore};
pub use output::held::HeldMatches;
pub use output::id::MatchId;
pub use output::matched::{Listing, Match, MatchSet, RuleInfo, Timeout};
pub use output::overflow::{LimitKind, LimitedKey, Overflow};
pub use output::owned::{Output, OwnedMatch, OwnedTimeout};
pub use output::partial::Partial;
pub use output::reason::RejectReason;
pub use output::sink::{Ignore, Late, OnMatch, Rejected, Sink, on_match};
pub use shard::undivided::{Undivided, UndividedReason};
pub use snapshot::RestoreError;
pub use stats::Stats;
