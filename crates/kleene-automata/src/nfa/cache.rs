//! The cache of compiled patterns: patterns that differ in constants share one automaton.
//!
//! A thousand rules that are instances of one rule (`item == 1`, `item == 2`, ...) have one
//! automaton: states and transitions depend on the outline of a pattern alone, which has types of
//! events but no other conditions. So the tables that an event goes through are in the processor's
//! cache whichever of the rules it is for, and are built once.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::nfa::automaton::{Automaton, Outline};
use crate::nfa::error::{AutomatonError, Refusal};
use crate::nfa::parts::SharedParts;
use crate::nfa::program::Program;
use kleene_syntax::hir::size::HeapSize;
use kleene_syntax::hir::{MAX_OPERANDS_IN_STATES, Pattern};

/// The most edges that the automata of a set of rules have together: some 400 MB, and twenty times
/// the most that a single one can have.
const MAX_EDGES_TOGETHER: usize = 4_000_000;

/// The automata of the patterns that were compiled.
#[derive(Debug)]
pub struct CompileCache {
    /// The parts of the first program with each automaton. Later programs share the equal ones.
    models: HashTable<SharedParts>,
    /// The number of edges of all automata.
    edges: usize,
    /// The heap size of all programs that were made known, in bytes. What they share counts once.
    bytes: usize,
    hasher: DefaultHashBuilder,
    /// The largest number of operands whose sets have a state each.
    most_in_states: usize,
}

impl Default for CompileCache {
    fn default() -> CompileCache {
        CompileCache {
            models: HashTable::new(),
            edges: 0,
            bytes: 0,
            hasher: DefaultHashBuilder::default(),
            most_in_states: MAX_OPERANDS_IN_STATES,
        }
    }
}

impl CompileCache {
    /// Returns the cache of some programs.
    pub fn of<'p>(programs: impl IntoIterator<Item = &'p Program>) -> CompileCache {
        let mut known = CompileCache::default();
        programs.into_iter().for_each(|program| known.add(program));
        known
    }

    /// Returns an empty cache for automata in which groups of more than `most_in_states` plain
    /// operands wait in one state.
    #[cfg(any(test, feature = "reference"))]
    pub(super) fn with_most_in_states(most_in_states: usize) -> CompileCache {
        CompileCache { most_in_states, ..CompileCache::default() }
    }

    /// Returns the parts of the first program whose pattern has this outline.
    fn find(&self, outline: &Outline) -> Option<&SharedParts> {
        let hash = self.hasher.hash_one(outline);
        self.models.find(hash, |model| model.automaton.outline == *outline)
    }

    /// Returns the automaton of a pattern, which is built if there is none yet, and the parts of
    /// the program that it was built for.
    pub(super) fn automaton(
        &self,
        pattern: &Pattern,
    ) -> Result<(Arc<Automaton>, Option<&SharedParts>), AutomatonError> {
        let outline = Outline::of(pattern);
        if let Some(model) = self.find(&outline) {
            Ok((model.automaton.clone(), Some(model)))
        } else {
            let automaton = Automaton::new(pattern, outline, self.most_in_states)?;
            if self.edges + automaton.edges.len() > MAX_EDGES_TOGETHER {
                return Err(AutomatonError::new(Refusal::TooLargeTogether));
            }
            Ok((Arc::new(automaton), None))
        }
    }

    /// Returns a compiled program with the parts that an earlier one has in common with it, and
    /// makes it known. So rules that were compiled apart share what rules of one set share.
    pub fn unify(&mut self, program: Arc<Program>) -> Arc<Program> {
        match self.find(&program.automaton.outline) {
            None => {
                self.add(&program);
                program
            }
            // Equal outlines have equal automata: this one has its parts already.
            Some(model) if Arc::ptr_eq(&model.automaton, &program.automaton) => program,
            Some(model) => Arc::new(program.with_parts_of(model)),
        }
    }

    /// The heap size of the programs that were made known, in bytes.
    pub fn memory_usage(&self) -> usize {
        self.bytes
    }

    /// Makes a program known, if it is the first with its automaton.
    pub(super) fn add(&mut self, program: &Program) {
        let CompileCache { models, edges, bytes, hasher, .. } = self;
        let hash = |model: &SharedParts| hasher.hash_one(&model.automaton.outline);
        let outline = &program.automaton.outline;
        let own = hasher.hash_one(outline);
        let model = models.find(own, |model| model.automaton.outline == *outline);
        *bytes += program.heap_size(model);
        if model.is_none() {
            *edges += program.automaton.edges.len();
            models.insert_unique(own, program.shared.clone(), hash);
        }
    }
}

impl Program {
    /// Returns this program with the parts that it has in common with a model of the same
    /// automaton.
    pub(super) fn with_parts_of(&self, model: &SharedParts) -> Program {
        let mut shared = self.shared.clone();
        shared.share_with(model);
        Program {
            shared,
            conditions: self.conditions.clone(),
            lengths: self.lengths.clone(),
            report: self.report,
            totals: self.totals.clone(),
            plan: self.plan.clone(),
            compact: self.compact.clone(),
            prefers_compact: self.prefers_compact,
            is_explosive: self.is_explosive,
            distinct_loop: self.distinct_loop.clone(),
            reads_back: self.reads_back,
        }
    }

    /// The heap size in bytes, with its own; without what is shared with the model.
    fn heap_size(&self, model: Option<&SharedParts>) -> usize {
        let mut heap = HeapSize::default();
        heap.add_conditions(&self.conditions);
        heap.add_exprs(&self.lengths);
        heap.add_aggregates(&self.totals);
        let live = self.compact.as_ref().map_or(0, |compact| size_of_val(&*compact.live));
        size_of::<Program>() + live + heap.bytes + self.shared.heap_size(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::testing::checked;

    fn programs(bodies: &[&str]) -> Vec<Program> {
        let types = "event a { at: time, n: int }\n event b { at: time, n: int }\n";
        let rules =
            (0..).zip(bodies).map(|(number, body)| format!("rule r{number} {{ {body} }}\n"));
        let rules = checked(&rules.fold(types.to_owned(), |text, rule| text + &rule));
        let mut known = CompileCache::default();
        let patterns = rules.rules.iter().map(|rule| &rule.pattern);
        patterns
            .map(|pattern| Program::sharing(pattern, &mut known).expect("it is right"))
            .collect()
    }

    #[test]
    fn automata_that_are_too_large_together_are_refused() {
        let text = "event a { k: int, at: time }\n\
                    rule r { key k  match a -> a  within 1m }\n\
                    rule s { key k  match a -> a -> a  within 1m }";
        let rules = checked(text);
        let patterns: Vec<&Pattern> = rules.rules.iter().map(|rule| &rule.pattern).collect();
        let mut known = CompileCache::default();
        Program::sharing(patterns[0], &mut known).unwrap();
        assert!(known.edges > 0);
        known.edges = MAX_EDGES_TOGETHER;
        let refused = Program::sharing(patterns[1], &mut known).unwrap_err();
        assert!(refused.is_too_large(), "{refused}");
        assert!(refused.to_string().contains("4 million"), "{refused}");
        // A pattern that is in the cache adds nothing to it.
        Program::sharing(patterns[0], &mut known).unwrap();
    }

    #[test]
    fn rules_that_differ_in_constants_share_an_automaton() {
        let of = |body: &str| format!("match {body} within 1h");
        let first = of("a[n % 3 == 0] as x -> b[n == x.n]");
        let programs = programs(&[
            &first,
            &of("a[n % 3 == 1] as x -> b[n == x.n]"),
            &of("a[n > 7 and n < 9] as y -> b[n == 2]"),
            // These do not have the same ways on.
            &of("a as x -> b[n == x.n]"),
            &of("b[n % 3 == 0] as x -> b[n == x.n]"),
            &of("a[n % 3 == 0] as x -> next b[n == x.n]"),
            &first.replace("1h", "2h"),
            &format!("{first} skip none"),
            &format!("{first} on timeout emit {{ n: 1 }}"),
        ]);
        let same = |a: usize, b: usize| Arc::ptr_eq(&programs[a].automaton, &programs[b].automaton);
        assert!(same(0, 1) && same(0, 2));
        for other in 3..programs.len() {
            assert!((0..other).all(|one| !same(one, other)), "rule {other}");
        }
        // The rest is shared where it is the same.
        let [one, two, three, ..] = &programs[..] else { unreachable!() };
        assert!(
            Arc::ptr_eq(&one.steps, &two.steps)
                && Arc::ptr_eq(&one.registers_by_step, &two.registers_by_step)
        );
        assert!(Arc::ptr_eq(&one.registers, &two.registers));
        assert!(!Arc::ptr_eq(&one.steps, &three.steps));
        assert_eq!((&*three.steps[0].name, three.registers.len()), ("y", 0));
        assert_eq!(one.layout(), two.layout());
        // The conditions are not shared.
        assert_ne!(format!("{:?}", one.conditions), format!("{:?}", two.conditions));
    }
}
