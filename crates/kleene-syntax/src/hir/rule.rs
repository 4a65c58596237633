//! A checked rule: a pattern with the stream that it reads and what it reports.

use std::fmt;
use std::sync::Arc;

use crate::hir::expr::FieldRef;
use crate::hir::{Expr, Pattern};
pub use crate::syntax::ast::{LimitPolicy, Once};
use kleene_event::schema::TypeId;
use kleene_event::value::Value;

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// Notes for people.
    pub meta: Meta,
    /// The event types of its stream, sorted: those of `from`, or those that it names.
    pub types: Vec<TypeId>,
    /// The partition key; empty where the rule has one stream for all events.
    pub key: Vec<KeyPart>,
    /// The keys of the events that have several, because steps of one type take their key from
    /// different fields. Sorted by type; empty for most rules.
    pub step_keys: Vec<StepKeys>,
    /// The pattern that the rule matches.
    pub pattern: Pattern,
    /// The record that a match emits.
    pub emit: Option<Emit>,
    /// The record that a timeout emits. If it is set, so is [`Pattern::report_timeouts`], and only
    /// then.
    pub on_timeout: Option<Emit>,
    /// The condition under which a match is reported. It reads the same values as `emit`.
    pub having: Option<Expr>,
    /// The matches that are not reported because of one that was.
    pub suppress: Option<Suppress>,
    /// The clause `once`: what ends with its first match. A rule with `once` has no `suppress`.
    pub once: Option<Once>,
    /// The limit on the partial matches of a key; `None` if the engine's own limit counts.
    pub limit: Option<Limit>,
    /// A hash of what the rule means: the same for the same meaning, in every run and version.
    pub version: u64,
}

/// Notes on a rule for people; they change no result.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `about`: what a match means, in a sentence.
    pub about: Option<Arc<str>>,
    /// `severity`: any word.
    pub severity: Option<Arc<str>>,
    /// `tags`
    pub tags: Vec<Arc<str>>,
    /// `meta { ... }`: free values.
    pub values: Vec<(Arc<str>, Value)>,
}

/// One component of a partition key.
#[derive(Clone)]
pub struct KeyPart {
    /// Its name.
    pub name: Arc<str>,
    /// The field that holds it, by event type, for each of [`Rule::types`]. Empty if a closure
    /// computes the component. Of a type whose steps have different keys, the field of the first of
    /// these.
    pub fields: Vec<(TypeId, FieldRef)>,
    /// True if a closure of the host computes the component
    /// (`PatternBuilder::key_by`).
    pub is_computed: bool,
}

/// Names `is_computed` only if it is true: the version of a pattern, and with it the ids of its
/// matches, is made of this text.
impl fmt::Debug for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = f.debug_struct("KeyPart");
        part.field("name", &self.name).field("fields", &self.fields);
        if self.is_computed {
            part.field("is_computed", &true);
        }
        part.finish()
    }
}

/// The keys that the steps of a rule give to the events of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct StepKeys {
    /// The event type.
    pub ty: TypeId,
    /// The different keys, at least two.
    pub keys: Vec<StepKey>,
}

/// One of several keys of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct StepKey {
    /// The field of each part.
    pub fields: Vec<FieldRef>,
    /// A bit for each [variant](crate::hir::expr::StepKeyTest::variant) that has these fields.
    pub variants: u64,
}

/// The record that a match or timeout emits.
#[derive(Clone, Debug)]
pub struct Emit {
    /// The record's fields.
    pub fields: Vec<(Arc<str>, Expr)>,
    /// `emit as`: the event type that the record feeds.
    pub feeds: Option<TypeId>,
}

/// `suppress DUR by ...`: after a match is reported, others are not reported for a while.
#[derive(Clone, Debug)]
pub struct Suppress {
    /// For how long, counted from the match that is reported; what is no positive duration
    /// suppresses nothing. It sees what an emit sees.
    pub duration: Expr,
    /// Matches for which all of these are the same suppress each other; those of the same key where
    /// `None`. They see what an emit sees.
    pub by: Option<Vec<Expr>>,
}

impl Suppress {
    /// Suppresses matches of the same key for `millis` milliseconds.
    pub fn by_key(millis: i64) -> Suppress {
        Suppress { duration: Expr::Literal(Value::Duration(millis)), by: None }
    }
}

/// `limit N partials ...`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit {
    /// The largest number of partial matches of one key.
    pub partials: usize,
    /// The policy for the partial match beyond the limit.
    pub policy: LimitPolicy,
}
