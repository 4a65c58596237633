//! The specification of a rule that an engine is to run.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::event::Event;
use crate::exec::{self, HostCondition, Matcher};
use crate::hir::Rule;
use crate::nfa::Known;
use crate::ruleset::RuleSet;
use crate::schema::{Schema, TypeId};
use crate::stream::error::{BuildError, BuildErrorKind as Kind};
use crate::stream::limits::Matching;
use crate::stream::output::id::FieldOrder;
use crate::stream::output::matched::RuleInfo;
use crate::stream::rule::relink::{check_types, relink};
use crate::stream::rule::runtime::RuleRuntime;

/// A rule that an engine is to run.
pub(in crate::stream) struct RuleSpec<E> {
    pub(in crate::stream) rule: Arc<Rule>,
    pub(in crate::stream) host: Vec<HostCondition<E>>,
    /// The schema of the rule's numbers; `None` if it is that of the events.
    pub(in crate::stream) schema: Option<Arc<Schema>>,
    /// True if the rule comes from rule text, not from the host's own code.
    pub(in crate::stream) is_text: bool,
    /// The rule set of the rule, if there is one.
    pub(in crate::stream) text: Option<RuleSet>,
}

impl<E> RuleSpec<E> {
    pub(in crate::stream) fn text(
        schema: Arc<Schema>,
        rule: Arc<Rule>,
        text: Option<RuleSet>,
    ) -> RuleSpec<E> {
        RuleSpec { rule, host: Vec::new(), schema: Some(schema), is_text: true, text }
    }

    /// Returns all rules of a set.
    pub(in crate::stream) fn of(rules: &RuleSet) -> impl Iterator<Item = RuleSpec<E>> {
        let schema = Arc::new(rules.schema().clone());
        rules.rules().iter().map(move |rule| {
            RuleSpec::text(schema.clone(), Arc::new(rule.clone()), Some(rules.clone()))
        })
    }
}

impl<E: Event> RuleSpec<E> {
    /// Builds the runtime of the rule for events that `schema` numbers. With `may_relink`, the
    /// rule's own numbers may differ. Equal parts of programs are shared through `known`.
    ///
    /// # Errors
    /// [`BuildError`] if the rule cannot be run or does not fit the events.
    pub(in crate::stream) fn start(
        self,
        schema: &Arc<Schema>,
        may_relink: bool,
        matching: Matching,
        known: &mut Known,
    ) -> Result<RuleRuntime<E>, BuildError> {
        let RuleSpec { rule, host, schema: declared, is_text, text } = self;
        let fail = |kind| BuildError { rule: rule.name.clone(), kind };
        let rule = match &declared {
            Some(declared) if may_relink => {
                Arc::new(relink(&rule, declared, schema).map_err(|e| fail(Kind::Mismatch(e)))?)
            }
            Some(declared) if !same(declared, schema) => return Err(fail(Kind::Schemas)),
            _ => rule.clone(),
        };
        let matcher =
            Matcher::sharing(&rule.pattern, host, known).map_err(|e| fail(Kind::Pattern(e)))?;
        let Matching { per_key, general } = matching;
        let matcher = matcher.with_limits(rule.limit.map_or(per_key, |limit| exec::Limits {
            partial_matches_per_key: limit.partials,
            policy: limit.policy,
            ..per_key
        }));
        let matcher = if general { matcher.generalized() } else { matcher };
        let order = declared.as_ref().filter(|declared| !Arc::ptr_eq(declared, schema));
        let order = order.and_then(|declared| FieldOrder::new(declared, schema));
        let order = order.filter(|_| E::schema().is_none()).map(Arc::new);
        let info = RuleInfo { rule, schema: schema.clone(), order };
        Ok(RuleRuntime::new(info, matcher, declared, is_text, text))
    }
}

/// True if two schemas number the same types in the same way.
pub(in crate::stream) fn same(a: &Arc<Schema>, b: &Arc<Schema>) -> bool {
    Arc::ptr_eq(a, b) || (a.len() == b.len() && a.types().eq(b.types()))
}

/// Prepares the derived events that rules make for each other.
///
/// # Errors
/// [`BuildError`] if events of this Rust type cannot be made.
pub(in crate::stream) fn link<E: Event>(rules: &mut [RuleRuntime<E>]) -> Result<(), BuildError> {
    let read: HashSet<TypeId> =
        rules.iter().flat_map(|rule| &rule.info.rule.types).copied().collect();
    rules.iter_mut().try_for_each(|rule| rule.link(&read))?;
    rules.iter().try_for_each(check_events)
}

/// Checks that the events have the types that the rule's pattern names.
///
/// # Errors
/// [`BuildError`] if a type is missing.
pub(in crate::stream) fn check_events<E: Event>(rule: &RuleRuntime<E>) -> Result<(), BuildError> {
    let Some(declared) = rule.declared.as_ref().filter(|_| E::schema().is_some()) else {
        return Ok(());
    };
    check_types(&rule.info.rule, declared, &rule.info.schema).map_err(|mismatch| BuildError {
        rule: rule.info.rule.name.clone(),
        kind: Kind::Mismatch(mismatch),
    })
}
