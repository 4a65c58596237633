//! A rule set: rules that were checked together, with their automata.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::ruleset::compiled::{LinkedCache, LinkedRules, same};
use crate::ruleset::diagnostic::RuleDiagnostic;
use crate::ruleset::origin::Origin;
use kleene_event::schema::{EventType, Schema, TypeId};
use kleene_syntax::hir::{Rule, TestBlock};

/// Rules that were checked together, with the event types that they declare.
///
/// A rule set is immutable; cloning copies a pointer. Parsing also compiles the rules: a rule that
/// cannot run is a mistake of the text, with its place. All engines of a rule set share the
/// automata, if their events are numbered by the set's own [schema](RuleSet::schema), as
/// [`Record`](kleene_event::event::Record)s are. For events of a Rust type with other numbers, the
/// first engine compiles the rules for that type, and later engines over the type share these
/// automata.
///
/// ```
/// let rules = kleene::RuleSet::parse(
///     "event paid { order_id: string, at: time }
///      event sent { order_id: string, at: time }
///      rule not_sent { key order_id  match paid -> not sent for 2d }",
/// )?;
/// assert_eq!(rules.rules().len(), 1);
/// # Ok::<(), kleene::ruleset::RulesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<SharedRules>);

#[derive(Debug)]
struct SharedRules {
    rules: Vec<Arc<Rule>>,
    /// The rules with their automata, with the numbers of the set's own schema.
    linked: Arc<LinkedRules>,
    /// The compiled rules for events that use other numbers for their types and fields.
    relinked: LinkedCache,
    tests: Vec<TestBlock>,
    by_name: HashMap<Arc<str>, usize>,
    warnings: Vec<RuleDiagnostic>,
    origin: Origin,
}

impl RuleSet {
    /// Makes a set of rules that were checked and compiled, and were built from `origin`.
    pub(super) fn new(
        rules: Vec<Arc<Rule>>,
        linked: LinkedRules,
        tests: Vec<TestBlock>,
        warnings: Vec<RuleDiagnostic>,
        origin: Origin,
    ) -> RuleSet {
        let by_name = rules.iter().enumerate().map(|(i, rule)| (rule.name.clone(), i)).collect();
        let (linked, relinked) = (Arc::new(linked), LinkedCache::default());
        RuleSet(Arc::new(SharedRules { rules, linked, relinked, tests, by_name, warnings, origin }))
    }

    /// Returns the event types that the rules declare.
    pub fn schema(&self) -> &Arc<Schema> {
        self.0.linked.schema()
    }

    /// Returns the rules in the order of the text.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.0.rules
    }

    /// Returns the rule with this name.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.0.by_name.get(name).map(|index| &self.0.rules[*index])
    }

    /// Returns the `test` blocks in the order of the text. The crate `kleene-explain` runs them.
    pub fn tests(&self) -> &[TestBlock] {
        &self.0.tests
    }

    /// Returns warnings: rule text that is valid but may not be meant as written.
    /// [`RuleDiagnostics`](crate::ruleset::RuleDiagnostics) prints them.
    pub fn warnings(&self) -> &[RuleDiagnostic] {
        &self.0.warnings
    }

    /// Returns the approximate heap size in bytes: the rules, their automata and their texts. Parts
    /// that rules share count once. A regular expression counts with the length of its text only.
    ///
    /// Engines share this memory. [`Engine::memory_usage`](crate::stream::Engine::memory_usage)
    /// does not include it.
    pub fn memory_usage(&self) -> usize {
        let SharedRules { rules, linked, relinked, origin, .. } = &*self.0;
        let texts = origin.sources.iter().map(|source| source.text.len());
        let loaded = origin.loaded.iter().map(|file| file.text.len());
        let types = self.schema().types().chain(origin.types.iter().map(|ty| (TypeId::new(0), ty)));
        let of_type = |ty: &EventType| {
            let names: usize = ty.fields.iter().map(|field| field.name.len()).sum();
            size_of_val(ty) + ty.name.len() + size_of_val(&*ty.fields) + names
        };
        size_of_val(&**rules)
            + linked.bytes()
            + relinked.memory_usage()
            + self.0.by_name.capacity() * size_of::<(Arc<str>, usize)>()
            + types.map(|(_, ty)| of_type(ty)).sum::<usize>()
            + texts.chain(loaded).sum::<usize>()
    }
    /// Returns the rules for events that `schema` numbers. Engines over the same schema get the
    /// same automata.
    pub(crate) fn linked(&self, schema: &Arc<Schema>) -> Arc<LinkedRules> {
        let inner = &*self.0;
        if same(inner.linked.schema(), schema) {
            return inner.linked.clone();
        }
        inner.relinked.linked(&inner.rules, &inner.linked, schema)
    }

    /// Returns the number of the rule with this name in [`LinkedRules`].
    pub(crate) fn rule_number(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    /// Returns what the set was built from.
    pub(super) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// True if two handles are of the same rules.
    pub(crate) fn is(&self, other: &RuleSet) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
