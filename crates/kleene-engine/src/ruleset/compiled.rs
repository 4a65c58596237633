//! The rules of a set with their automata, for the numbers of one schema.
//!
//! A rule set compiles its rules once, for the schema that its text declares. Engines over events
//! that are numbered in the same way share these automata. Events of a Rust type can have other
//! numbers: the rules are then relinked and compiled once more, for the first engine over that
//! type.

use std::sync::{Arc, Mutex, PoisonError};

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
    /// Returns `rules` for events that `schema` numbers in another way than `own`, which are the
    /// same rules with the numbers of their set.
    pub(super) fn linked(
        &self,
        rules: &[Arc<Rule>],
        own: &LinkedRules,
        schema: &Arc<Schema>,
    ) -> Arc<LinkedRules> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(linked) if same(&linked.schema, schema) => linked.clone(),
            _ => last.insert(Arc::new(own.relinked(rules, schema))).clone(),
        }
    }

    /// Returns the heap size of the rules and automata, in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        let linked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        linked.as_ref().map_or(0, |linked| linked.bytes)
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

    fn relinked(&self, rules: &[Arc<Rule>], schema: &Arc<Schema>) -> LinkedRules {
        // Automata of the set fit where no type has another number.
        let own = self.rules.iter().flatten();
        let mut known = CompileCache::of(own.map(|own| &*own.program));
        let before = known.memory_usage();
        let mut link = |rule: &Arc<Rule>| {
            let rule = relink(rule, &self.schema, schema).map_err(LinkError::Mismatch)?;
            let program =
                Program::sharing(&rule.pattern, &mut known).map_err(LinkError::Pattern)?;
            Ok(CompiledRule { rule: Arc::new(rule), program: Arc::new(program) })
        };
        let rules = rules.iter().map(&mut link).collect();
        LinkedRules::new(schema.clone(), rules, known.memory_usage() - before)
    }

    /// Returns the rule with this number in the set.
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
