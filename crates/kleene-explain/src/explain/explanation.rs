//! A rule that is compiled to be explained.

use super::words::Words;
use kleene_automata::nfa::{AutomatonError, Program};
use kleene_event::schema::Schema;
use kleene_syntax::hir::Rule;

/// A rule, ready to be explained.
#[derive(Debug)]
pub struct Explanation<'a> {
    pub(super) rule: &'a Rule,
    pub(super) schema: &'a Schema,
    pub(super) program: Program,
}

impl<'a> Explanation<'a> {
    /// Compiles the rule; `schema` says what its types and fields are called.
    ///
    /// # Errors
    /// The rule cannot be run.
    pub fn new(rule: &'a Rule, schema: &'a Schema) -> Result<Explanation<'a>, AutomatonError> {
        Ok(Explanation { rule, schema, program: Program::new(&rule.pattern)? })
    }

    pub(super) fn words(&self) -> Words<'_> {
        Words { pattern: &self.rule.pattern, schema: self.schema }
    }
}
