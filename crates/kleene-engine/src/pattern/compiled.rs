//! A compiled pattern: what the builder gives.

use std::fmt;
use std::sync::Arc;

use crate::pattern::captured::Captured;
use crate::pattern::draft::{HostKey, Names};
use kleene_automata::exec::{HostCondition, Matcher, Outcome};
use kleene_automata::nfa::Program;
use kleene_event::event::Event;
use kleene_event::schema::{Schema, TypeId};
use kleene_syntax::hir::{self, KeyPart, Limit, Meta, Once, Rule, StepId, StepKeys, Suppress};

/// A pattern that was checked and compiled. [`begin`](Pattern::begin) starts one. Engines that run
/// the pattern share its automaton.
///
/// ```
/// use kleene::stream::Ignore;
/// use kleene::{Engine, Event, Pattern, Timestamp};
///
/// #[derive(Clone, Event)]
/// struct Login { user: String, ok: bool, at: Timestamp }
///
/// let guessed = Pattern::<Login>::begin("fail")
///     .when(|login| !login.ok)
///     .next("hit")
///     .when(|login| login.ok)
///     .key("user")
///     .build()?;
/// let mut engine = Engine::builder().pattern("guessed", &guessed).build()?;
/// for (second, ok) in [(1, false), (2, true)] {
///     let at = Timestamp::from_millis(1000 * second);
///     engine.push(&Login { user: "ann".into(), ok, at }, &mut Ignore)?;
/// }
/// assert_eq!(engine.stats().matches, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pattern<E> {
    pub(super) hir: hir::Pattern,
    pub(super) host: Vec<HostCondition<E>>,
    pub(super) matcher: Matcher<E>,
    pub(super) names: Names,
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) types: Vec<TypeId>,
    pub(super) key: Vec<KeyPart>,
    pub(super) step_keys: Vec<StepKeys>,
    /// The closures of the key's parts.
    pub(super) key_closures: Vec<Option<HostKey<E>>>,
    /// In milliseconds.
    pub(super) suppress: Option<i64>,
    pub(super) once: Option<Once>,
    pub(super) limit: Option<Limit>,
    pub(super) version: u64,
}

impl<E> fmt::Debug for Pattern<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("hir", &self.hir)
            .field("types", &self.types)
            .field("key", &self.key)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<E: Event> Pattern<E> {
    /// Returns the matcher of this pattern, for a host that partitions its events by key and orders
    /// them by time itself.
    pub fn matcher(&self) -> Matcher<E> {
        self.matcher.clone()
    }

    /// Returns the captured events of a match or timeout, by the names of the steps. `outcome` must
    /// come from this pattern's matcher.
    pub fn captured<'a>(&'a self, outcome: &Outcome<'a, E>) -> Captured<'a, E> {
        Captured { captures: outcome.captures(), names: &self.names }
    }

    /// Returns the name of a step.
    pub fn step_name(&self, step: StepId) -> &str {
        &self.names[step.index()]
    }

    /// Returns the pattern's intermediate representation, from which the automaton is built.
    pub fn hir(&self) -> &hir::Pattern {
        &self.hir
    }

    /// Returns the closures that [`hir`](Pattern::hir) refers to by number.
    pub fn host_conditions(&self) -> &[HostCondition<E>] {
        &self.host
    }

    /// Returns the compiled pattern, which the engines that run the pattern share.
    pub(crate) fn program(&self) -> &Arc<Program> {
        self.matcher.program()
    }

    /// Returns the closures of the key by part; `None` if all parts are in fields.
    pub(crate) fn key_closures(&self) -> Option<Arc<[Option<HostKey<E>>]>> {
        self.key_closures.iter().any(Option::is_some).then(|| self.key_closures.as_slice().into())
    }

    /// Returns the schema of the pattern's types and fields.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// Returns the pattern as a rule called `name`, without an `emit`. The rule lacks the closures
    /// of the pattern.
    pub fn to_rule(&self, name: &str) -> Rule {
        Rule {
            name: name.into(),
            meta: Meta::default(),
            types: self.types.clone(),
            key: self.key.clone(),
            step_keys: self.step_keys.clone(),
            pattern: self.hir.clone(),
            emit: None,
            on_timeout: None,
            having: None,
            suppress: self.suppress.map(Suppress::by_key),
            once: self.once,
            limit: self.limit,
            version: self.version,
        }
    }
}
