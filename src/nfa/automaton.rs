//! What patterns that differ in constants have in common.
//!
//! A thousand rules that are instances of one rule (`item == 1`, `item == 2`, ...) have one
//! automaton: states and transitions hang on the outline of a pattern alone, which has types of
//! events but nothing that conditions ask of them. So the tables that an event goes through are in
//! the cache whichever of the rules it is for, and are made once.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::hir::size::HeapSize;
use crate::hir::{Length, Pattern, Sequence, Skip, SkipStrategy, Stage, StageId, Test};
use crate::nfa::comparison::FieldComparison;
use crate::nfa::comparison_table::ComparisonTable;
use crate::nfa::decide::{self, Decisions};
use crate::nfa::edge_effect::EdgeEffect;
use crate::nfa::guard::Guard;
use crate::nfa::program::{
    Action, Bound, BuildError, ClockOp, Edge, Kind, LeadingNot, Program, State, StateId,
    index_range,
};
use crate::nfa::registers::Register;
use crate::nfa::{flatten, graph};
use crate::schema::TypeId;

/// The states of a pattern and what leads from one to another: the same for all patterns that differ
/// in names and in what conditions ask beside the type of an event.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the pattern")]
pub struct Automaton {
    pub(crate) guards: Box<[Guard]>,
    pub(crate) states: Box<[State]>,
    pub(crate) edges: Box<[Edge]>,
    pub(crate) clock_ops: Box<[ClockOp]>,
    pub(crate) bounds: Box<[Bound]>,
    /// How many group clocks a run has.
    pub(crate) clocks: usize,
    /// The groups with an alias, each with its clock; a node has a bit for each.
    pub(crate) named: Box<[(StageId, u32)]>,
    pub(crate) start: StateId,
    /// The leading `not`.
    pub(crate) leading_not: Option<LeadingNot>,
    /// The bound from first to last event, exclusive.
    pub(crate) within: Option<Length>,
    /// The same in milliseconds, where it is of a fixed length.
    span: Option<i64>,
    pub(crate) skip: Skip,
    pub(crate) report_timeouts: bool,
    /// How long the silence at the end is that is reported again each time it has passed.
    pub(crate) repeat: Option<Length>,
    reports_at_deadlines: bool,
    /// Whether two runs can come to hold the same events in the same state.
    pub(crate) may_duplicate: bool,
    /// Whether an event that completes a match, and nothing else, need not be in the store for it.
    pub(crate) ends_alone: bool,
    /// What an event of each type can do in each state.
    pub(crate) decisions: Decisions,
    outline: Outline,
}

/// All of a pattern that its automaton is made of.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Outline {
    body: Sequence,
    stages: usize,
    /// By condition: the type that fits, and whether any event of it does.
    conditions: Box<[(Option<TypeId>, bool)]>,
    within: Option<Length>,
    skip: Skip,
    report_timeouts: bool,
    repeats: bool,
}

impl Outline {
    fn of(pattern: &Pattern) -> Outline {
        let conditions = pattern.conditions.iter();
        Outline {
            body: pattern.body.clone(),
            stages: pattern.stages.len(),
            conditions: conditions.map(|one| (one.ty, matches!(one.test, Test::True))).collect(),
            within: pattern.within,
            skip: pattern.skip.clone(),
            report_timeouts: pattern.report_timeouts,
            repeats: pattern.repeats,
        }
    }
}

impl Automaton {
    fn new(pattern: &Pattern, outline: Outline) -> Result<Automaton, BuildError> {
        let flat = flatten::flatten(graph::build(pattern)?)?;
        let may_duplicate = flatten::may_duplicate(&pattern.body, &flat);
        let start = StateId::new(flat.start);
        let decisions = decide::decide(&decide::Tables {
            conditions: &outline.conditions,
            guards: &flat.guards,
            states: &flat.states,
            edges: &flat.edges,
            start,
        });
        let may_complete =
            |state: &State| state.accepts_at_deadline || state.accepts_when_exhausted;
        let reports_at_deadlines =
            pattern.report_timeouts || pattern.skip.ordered || flat.states.iter().any(may_complete);
        Ok(Automaton {
            reports_at_deadlines,
            guards: flat.guards.into(),
            states: flat.states.into(),
            edges: flat.edges.into(),
            clock_ops: flat.clock_ops.into(),
            bounds: flat.bounds.into(),
            clocks: flat.clocks,
            start,
            leading_not: LeadingNot::of(pattern),
            within: pattern.within,
            span: pattern.within.and_then(Length::as_millis),
            skip: pattern.skip.clone(),
            report_timeouts: pattern.report_timeouts,
            repeat: pattern
                .body
                .items
                .last()
                .filter(|_| pattern.repeats)
                .and_then(|last| last.gap?.max),
            may_duplicate,
            ends_alone: !may_duplicate
                && flat.named.is_empty()
                && !matches!(pattern.within, Some(Length::Read(_))),
            named: flat.named.into(),
            decisions,
            outline,
        })
    }

    pub(crate) fn edges(&self, state: StateId) -> &[Edge] {
        &self.edges[index_range(&self.states[state.index()].edges)]
    }

    pub(crate) fn bounds(&self, state: StateId) -> &[Bound] {
        &self.bounds[index_range(&self.states[state.index()].bounds)]
    }

    pub(crate) fn clock_ops(&self, edge: &Edge) -> &[ClockOp] {
        &self.clock_ops[index_range(&edge.clocks)]
    }

    /// The steps that would move a partial match on from `state`, in the order of the pattern.
    pub(crate) fn awaits(&self, state: StateId) -> impl Iterator<Item = StageId> + '_ {
        self.edges(state).iter().filter_map(|edge| match edge.action {
            Action::Take { stage, .. } => Some(stage),
            _ => None,
        })
    }

    /// Whether matches wait for older partial matches, which could still win.
    pub(crate) fn waits(&self) -> bool {
        self.skip.ordered && self.skip.strategy != SkipStrategy::None
    }

    /// When what starts at this time is over, under one `within` of a fixed length or none.
    #[inline(always)]
    pub(crate) fn deadline_of(&self, start: i64) -> i64 {
        self.span.map_or(i64::MAX, |span| start.saturating_add(span))
    }

    /// Whether the first of the matches that end with an event drops all else that a key holds.
    pub(crate) fn is_won_by_first(&self) -> bool {
        self.skip.strategy == SkipStrategy::PastLast && !self.waits()
    }

    /// Whether a deadline can report anything, a match or a timeout. Where not, deadlines only free
    /// memory, and it makes no difference if they are noticed late.
    #[inline]
    pub(crate) fn reports_at_deadlines(&self) -> bool {
        self.reports_at_deadlines
    }

    /// The heap size in bytes, with its own.
    fn heap_size(&self) -> usize {
        let parts = |guard: &Guard| match guard {
            Guard::And(parts) | Guard::Or(parts) => size_of_val(&**parts),
            _ => 0,
        };
        let mut outline = HeapSize::default();
        outline.add_sequence(&self.outline.body);
        size_of::<Automaton>()
            + outline.bytes
            + size_of_val(&*self.outline.conditions)
            + size_of_val(&*self.guards)
            + self.guards.iter().map(parts).sum::<usize>()
            + size_of_val(&*self.states)
            + size_of_val(&*self.edges)
            + size_of_val(&*self.clock_ops)
            + size_of_val(&*self.bounds)
            + self.decisions.heap_size()
    }

    /// The bit of a node that says that its event starts a repetition of the group with this alias.
    pub(crate) fn start_bit(&self, alias: StageId) -> Option<u32> {
        self.named.iter().zip(0..).find(|((of, _), _)| *of == alias).map(|(_, bit)| 1 << bit)
    }
}

/// The most edges that the automata of a set of rules have together: some 400 MB, and twenty times the
/// most that a single one can have.
const MAX_EDGES_TOGETHER: usize = 4_000_000;

/// The automata that there are.
#[derive(Debug, Default)]
pub(crate) struct Known {
    models: HashTable<Model>,
    /// How many edges their automata have together.
    edges: usize,
    /// The heap size of all programs that were made known, in bytes. What they share counts once.
    bytes: usize,
    hasher: DefaultHashBuilder,
}

/// The first program with its automaton: others share of it what is the same.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) automaton: Arc<Automaton>,
    pub(super) stages: Arc<[Stage]>,
    pub(super) correlated: Arc<[bool]>,
    pub(super) registers: Arc<[Register]>,
    pub(super) registers_by_step: Arc<[Box<[u32]>]>,
    pub(super) comparisons: Arc<[FieldComparison]>,
    pub(super) effects: Arc<[EdgeEffect]>,
    pub(super) comparison_tables: Arc<[Option<ComparisonTable>]>,
}

impl Model {
    fn of(program: &Program) -> Model {
        let Program {
            automaton,
            stages,
            correlated,
            registers,
            registers_by_step,
            comparisons,
            effects,
            comparison_tables,
            ..
        } = program;
        Model {
            automaton: automaton.clone(),
            stages: stages.clone(),
            correlated: correlated.clone(),
            registers: registers.clone(),
            registers_by_step: registers_by_step.clone(),
            comparisons: comparisons.clone(),
            effects: effects.clone(),
            comparison_tables: comparison_tables.clone(),
        }
    }
}

impl Known {
    /// Those of some programs.
    pub(crate) fn of<'p>(programs: impl IntoIterator<Item = &'p Program>) -> Known {
        let mut known = Known::default();
        programs.into_iter().for_each(|program| known.add(program));
        known
    }

    /// The first program whose pattern has the outline of this one.
    fn find(&self, outline: &Outline) -> Option<&Model> {
        let hash = self.hasher.hash_one(outline);
        self.models.find(hash, |model| model.automaton.outline == *outline)
    }

    /// The automaton of a pattern, made if there is none yet, and the program that it was made for.
    pub(super) fn automaton(
        &self,
        pattern: &Pattern,
    ) -> Result<(Arc<Automaton>, Option<&Model>), BuildError> {
        let outline = Outline::of(pattern);
        if let Some(model) = self.find(&outline) {
            Ok((model.automaton.clone(), Some(model)))
        } else {
            let automaton = Automaton::new(pattern, outline)?;
            if self.edges + automaton.edges.len() > MAX_EDGES_TOGETHER {
                return Err(BuildError::new(Kind::TooLargeTogether));
            }
            Ok((Arc::new(automaton), None))
        }
    }

    /// Returns a compiled program with the parts that an earlier one has in common with it, and makes
    /// it known. So rules that were compiled apart share what rules of one set share.
    pub(crate) fn unify(&mut self, program: Arc<Program>) -> Arc<Program> {
        match self.find(&program.automaton.outline) {
            None => {
                self.add(&program);
                program
            }
            Some(model) if Arc::ptr_eq(&model.automaton, &program.automaton) => program,
            Some(model) => Arc::new(program.with_parts_of(model)),
        }
    }

    /// The heap size of the programs that were made known, in bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        self.bytes
    }

    /// Makes a program known, if it is the first with its automaton.
    pub(super) fn add(&mut self, program: &Program) {
        let Known { models, edges, bytes, hasher } = self;
        let hash = |model: &Model| hasher.hash_one(&model.automaton.outline);
        let outline = &program.automaton.outline;
        let own = hasher.hash_one(outline);
        let model = models.find(own, |model| model.automaton.outline == *outline);
        *bytes += program.heap_size(model);
        if model.is_none() {
            *edges += program.automaton.edges.len();
            models.insert_unique(own, Model::of(program), hash);
        }
    }
}

impl Program {
    /// The heap size in bytes, with its own; without what is shared with the model.
    fn heap_size(&self, model: Option<&Model>) -> usize {
        fn own<T>(part: &Arc<[T]>, model: Option<&Arc<[T]>>) -> usize {
            if model.is_some_and(|model| Arc::ptr_eq(part, model)) {
                0
            } else {
                size_of_val(&**part)
            }
        }
        let mut heap = HeapSize::default();
        heap.add_conditions(&self.conditions);
        heap.add_exprs(&self.lengths);
        let automaton = if model.is_none() { self.automaton.heap_size() } else { 0 };
        size_of::<Program>()
            + automaton
            + heap.bytes
            + own(&self.stages, model.map(|model| &model.stages))
            + own(&self.correlated, model.map(|model| &model.correlated))
            + own(&self.registers, model.map(|model| &model.registers))
            + own(&self.registers_by_step, model.map(|model| &model.registers_by_step))
            + own(&self.comparisons, model.map(|model| &model.comparisons))
            + own(&self.effects, model.map(|model| &model.effects))
            + own(&self.comparison_tables, model.map(|model| &model.comparison_tables))
    }
}

/// What is the same as that of another, or else new.
pub(super) fn shared<T: PartialEq>(own: Vec<T>, others: Option<&Arc<[T]>>) -> Arc<[T]> {
    match others {
        Some(others) if **others == *own => others.clone(),
        _ => own.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::ruleset::RuleSet;

    fn programs(bodies: &[&str]) -> Vec<Program> {
        let types = "event a { at: time, n: int }\n event b { at: time, n: int }\n";
        let rules =
            (0..).zip(bodies).map(|(number, body)| format!("rule r{number} {{ {body} }}\n"));
        let rules = RuleSet::parse(&rules.fold(types.to_owned(), |text, rule| text + &rule));
        let rules = rules.unwrap_or_else(|error| panic!("{error}"));
        let mut known = Known::default();
        let patterns = rules.rules().iter().map(|rule| &rule.pattern);
        patterns
            .map(|pattern| Program::sharing(pattern, &mut known).expect("it is right"))
            .collect()
    }

    #[test]
    fn automata_that_are_too_large_together_are_refused() {
        let text = "event a { k: int, at: time }\n\
                    rule r { key k  match a -> a  within 1m }\n\
                    rule s { key k  match a -> a -> a  within 1m }";
        let rules = RuleSet::parse(text).unwrap();
        let patterns: Vec<&Pattern> = rules.rules().iter().map(|rule| &rule.pattern).collect();
        let mut known = Known::default();
        Program::sharing(patterns[0], &mut known).unwrap();
        assert!(known.edges > 0);
        known.edges = MAX_EDGES_TOGETHER;
        let refused = Program::sharing(patterns[1], &mut known).unwrap_err();
        assert!(refused.is_too_large(), "{refused}");
        assert!(refused.to_string().contains("4 million"), "{refused}");
        // What is the same as before adds nothing.
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
            Arc::ptr_eq(&one.stages, &two.stages)
                && Arc::ptr_eq(&one.registers_by_step, &two.registers_by_step)
        );
        assert!(Arc::ptr_eq(&one.registers, &two.registers));
        assert!(!Arc::ptr_eq(&one.stages, &three.stages));
        assert_eq!((&*three.stages[0].name, three.registers.len()), ("y", 0));
        assert_eq!(one.layout(), two.layout());
        // What each asks is its own.
        assert_ne!(format!("{:?}", one.conditions), format!("{:?}", two.conditions));
    }
}
