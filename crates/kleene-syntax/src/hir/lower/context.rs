//! One rule while it is checked: what is known of it, and what every part of the check does with
//! that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::env::{Env, OutputTypes, Param};
use super::fed::FedRecord;
use super::key_variants::KeyVariants;
use super::names::{Defines, Resolved, resolve_step, unknown};
use super::step_table::StepTable;
use super::terms::{StepInfo, Takes};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::canon;
use crate::hir::expr::Aggregate;
use crate::hir::lint::WrittenRule;
use crate::hir::{Condition, ConditionId, Expr, KeyPart};
use crate::syntax::ast::{self, Name};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

/// One rule in the making.
pub(super) struct RuleLowerer<'e, 'a> {
    pub(super) env: &'e mut Env<'a>,
    /// The file of the clause that is being checked.
    pub(super) source: usize,
    pub(super) params: BTreeMap<&'a str, Param>,
    pub(super) defines: Defines<'a>,
    pub(super) used_defines: BTreeSet<&'a str>,
    pub(super) used_params: BTreeSet<&'a str>,
    /// The steps of the pattern, by index.
    pub(super) steps: StepTable,
    pub(super) traits: PatternTraits,
    pub(super) conditions: ConditionTable,
    /// The lengths of time that are read from events.
    pub(super) lengths: Interner<Expr>,
    pub(super) stream: StreamTypes<'a>,
    /// The parts of the key with their types.
    pub(super) key: Vec<(Arc<str>, Kind)>,
    pub(super) step_keys: KeyVariants<'a>,
    pub(super) reporting: Reporting<'a>,
    /// How the rule is written, for the lints.
    pub(super) written: WrittenRule,
}

/// Facts about a pattern as a whole.
#[derive(Default)]
pub(super) struct PatternTraits {
    /// True if the silence at the end of the pattern is reported again and again.
    pub(super) repeats: bool,
    /// The steps that complete a match.
    pub(super) last_steps: Vec<usize>,
    /// The number of steps of the pattern, with its repetitions written out.
    pub(super) steps_written_out: u64,
    /// The number of repeated groups.
    pub(super) loop_count: usize,
}

/// The event types that a rule reads.
#[derive(Default)]
pub(super) struct StreamTypes<'a> {
    /// The types of the rule's stream, once its steps are known.
    pub(super) types: Vec<TypeId>,
    /// The event types that the pattern names, each with a place.
    pub(super) named: BTreeMap<TypeId, (usize, &'a Name)>,
    /// The parts of the key, with the fields that hold them.
    pub(super) key: Vec<KeyPart>,
    /// The first place at which the pattern says `any event`, with its file.
    pub(super) wildcard: Option<(usize, Span)>,
}

/// The reports of a rule: their fields, and the totals in them.
#[derive(Default)]
pub(super) struct Reporting<'a> {
    /// The types of the emitted fields.
    pub(super) outputs: OutputTypes,
    /// The fields that the rule emits, where bare names can mean them.
    pub(super) emitted: Vec<(Arc<str>, Expr, Kind)>,
    /// The records that feed types without declaration.
    pub(super) fed: Vec<FedRecord<'a>>,
    /// The totals over sets of matches that the rule emits.
    pub(super) totals: Interner<Aggregate>,
}

/// The conditions of a pattern by number.
#[derive(Default)]
pub(super) struct ConditionTable {
    pub(super) all: Interner<Condition>,
    /// By condition: true if parameters and lists have no part in it.
    pub(super) fixed: Vec<bool>,
    /// The types of the steps that conditions were added for so far.
    step_types: Vec<Option<TypeId>>,
}

/// Parts of a rule by number; equal parts share one.
pub(super) struct Interner<T> {
    pub(super) items: Vec<T>,
    /// The numbers by the text of the part.
    numbers: HashMap<String, usize>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { items: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T> Interner<T> {
    /// Returns the number of a part. Parts are equal if their texts are.
    pub(super) fn add(&mut self, text: String, item: T) -> usize {
        let next = self.items.len();
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.items.push(item);
        }
        number
    }
}

impl<'e, 'a> RuleLowerer<'e, 'a> {
    /// Starts on a rule whose parameters and defines are known.
    pub(super) fn new(
        env: &'e mut Env<'a>,
        source: usize,
        params: BTreeMap<&'a str, Param>,
        defines: Defines<'a>,
    ) -> RuleLowerer<'e, 'a> {
        RuleLowerer {
            env,
            source,
            params,
            defines,
            used_defines: BTreeSet::new(),
            used_params: BTreeSet::new(),
            steps: StepTable::default(),
            traits: PatternTraits::default(),
            conditions: ConditionTable::default(),
            lengths: Interner::default(),
            stream: StreamTypes::default(),
            key: Vec::new(),
            step_keys: KeyVariants::default(),
            reporting: Reporting::default(),
            written: WrittenRule::default(),
        }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.env.report(self.source, diagnostic);
    }

    /// Reports an error, and what to write instead.
    pub(super) fn error(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.env.error(self.source, code, span, message, help);
    }

    /// Reports a warning, and what to write instead.
    pub(super) fn warn(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.env.warn(self.source, code, span, message, help);
    }

    /// The parameter of this name: the rule's, else the file's. Reports if there is none.
    pub(super) fn find_param(&mut self, name: &'a Name, example: &str) -> Option<Param> {
        self.used_params.insert(&name.node);
        let found = self.params.get(name.node.as_str());
        if let Some(param) = found.or_else(|| self.env.declarations.params.get(name.node.as_str()))
        {
            return (!param.kind.is_never()).then(|| param.clone());
        }
        if self.env.declarations.declared.contains_key(&("parameter", name.node.as_str())) {
            // Its declaration was refused.
            self.env.errors += 1;
            return None;
        }
        let names = self.params.keys().chain(self.env.declarations.params.keys()).copied();
        let near = nearest(&name.node, names);
        let mut diagnostic = unknown(Code::UnknownParam, "parameter", name, near);
        if near.is_none() {
            diagnostic = diagnostic.help(format!("declare it: `{example}`"));
        }
        self.report(diagnostic);
        None
    }

    /// Follows the name of a step of the pattern to its event types, and notes what it uses.
    pub(super) fn resolve(&mut self, step: &'a ast::Step) -> Resolved<'a> {
        let mut used = step;
        while !used.wildcard
            && let Some((_, define)) = self.defines.get(used.name.node.as_str())
        {
            if !self.used_defines.insert(define.name.node.as_str()) {
                break;
            }
            used = &define.step;
        }
        let resolved = resolve_step(self.env, &self.defines, self.source, step);
        match resolved.ty {
            Some(Takes::One(ty)) => self.note_type(ty, &step.name),
            Some(Takes::Stream) => self.note_wildcard(step.span),
            None => {}
        }
        resolved
    }

    fn note_type(&mut self, ty: TypeId, name: &'a Name) {
        self.stream.named.entry(ty).or_insert((self.source, name));
    }

    /// Notes where the pattern says `any event`.
    fn note_wildcard(&mut self, span: Span) {
        self.stream.wildcard.get_or_insert((self.source, span));
    }

    /// Returns the number of a condition. Equal conditions share one.
    pub(super) fn add_condition(&mut self, condition: Condition) -> ConditionId {
        let table = &mut self.conditions;
        // Only the steps that were added since are read: conditions and steps can both be many.
        let known = table.step_types.len();
        table.step_types.extend(self.steps[known..].iter().map(StepInfo::one_type));
        let text = canon::condition(&condition, &self.env.schema, &table.step_types);
        let id = ConditionId::new(table.all.add(text, condition));
        table.fixed.resize(table.all.items.len(), true);
        id
    }

    /// Notes that parameters or lists have a part in a condition.
    pub(super) fn note_not_fixed(&mut self, id: ConditionId) {
        self.conditions.fixed[id.index()] = false;
    }

    /// Checks one clause with its own file for the places of its mistakes.
    pub(super) fn at<T>(&mut self, source: usize, f: impl FnOnce(&mut Self) -> T) -> T {
        let home = std::mem::replace(&mut self.source, source);
        let result = f(self);
        self.source = home;
        result
    }
}
