//! The rules of a set with their automata, for the numbers of one schema.
//!
//! A rule set compiles its rules once, for the schema that its text declares. Engines over events
//! that are numbered in the same way share these automata. Events of a Rust type can have other
//! numbers: the rules are then relinked and compiled once more, for the first engine over that
//! type.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ruleset::RuleSet;
use crate::ruleset::relink::{SchemaMismatch, relink};
use kleene_automata::nfa::{AutomatonError, CompileCache, Program};
use kleene_event::schema::Schema;
use kleene_syntax::hir::Rule;
use kleene_syntax::hir::size::HeapSize;

/// A rule with its automaton.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    /// The rule, with the numbers of the events' schema.
    pub(crate) rule: Arc<Rule>,
    pub(crate) program: Arc<Program>,
}

/// The reason why a rule cannot run over events of a schema.
#[derive(Clone, Debug)]
pub(crate) enum LinkError {
    Mismatch(SchemaMismatch),
    Pattern(AutomatonError),
}

/// The rules of a set for events of one schema, in the order of the set.
#[derive(Debug)]
pub(crate) struct LinkedRules {
    schema: Arc<Schema>,
    rules: Vec<Result<CompiledRule, LinkError>>,
    /// The heap size of the rules and automata, in bytes.
    bytes: usize,
}

/// The rules of a set for the last events that have other numbers than the set.
#[derive(Debug, Default)]
pub(super) struct LinkedCache(Mutex<Option<Arc<LinkedRules>>>);

impl LinkedCache {
    /// Returns the heap size of the rules and automata, in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        let linked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        linked.as_ref().map_or(0, |linked| linked.bytes)
    }
}

impl RuleSet {
    /// Returns the rules for events that `schema` numbers. Engines over the same schema get the
    /// same automata.
    pub(crate) fn linked(&self, schema: &Arc<Schema>) -> Arc<LinkedRules> {
        let inner = &*self.0;
        if same(&inner.linked.schema, schema) {
            return inner.linked.clone();
        }
        let mut last = inner.relinked.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(linked) if same(&linked.schema, schema) => linked.clone(),
            _ => last.insert(Arc::new(self.relinked(schema))).clone(),
        }
    }

    /// Returns the number of the rule with this name in [`LinkedRules`].
    pub(crate) fn rule_number(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    fn relinked(&self, schema: &Arc<Schema>) -> LinkedRules {
        let declared = &self.0.linked.schema;
        let own = self.0.linked.rules.iter().flatten();
        // Automata of the set fit where no type has another number.
        let mut known = CompileCache::of(own.map(|own| &*own.program));
        let before = known.memory_usage();
        let mut link = |rule: &Arc<Rule>| {
            let rule = relink(rule, declared, schema).map_err(LinkError::Mismatch)?;
            let program =
                Program::sharing(&rule.pattern, &mut known).map_err(LinkError::Pattern)?;
            Ok(CompiledRule { rule: Arc::new(rule), program: Arc::new(program) })
        };
        let rules = self.0.rules.iter().map(&mut link).collect();
        LinkedRules::new(schema.clone(), rules, known.memory_usage() - before)
    }
}

impl LinkedRules {
    pub(super) fn new(
        schema: Arc<Schema>,
        rules: Vec<Result<CompiledRule, LinkError>>,
        program_bytes: usize,
    ) -> LinkedRules {
        let heap = HeapSize::of_rules(rules.iter().flatten().map(|one| &*one.rule));
        let bytes = size_of_val(&*rules) + heap + program_bytes;
        LinkedRules { schema, rules, bytes }
    }

    /// Returns the rule with this [number](RuleSet::rule_number).
    pub(crate) fn rule(&self, number: usize) -> Option<&Result<CompiledRule, LinkError>> {
        self.rules.get(number)
    }

    pub(super) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the heap size of the rules and automata, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// True if two schemas number the same types in the same way.
pub(crate) fn same(a: &Arc<Schema>, b: &Arc<Schema>) -> bool {
    Arc::ptr_eq(a, b) || (a.len() == b.len() && a.types().eq(b.types()))
}
