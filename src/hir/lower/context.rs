//! One rule while it is checked: what is known of it, and what every part of the check does with
//! that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::names::Defines;
use super::terms::{Doubt, FedRecord, StepInfo};
use super::{Env, OutputTypes, Param, canon, unknown};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::hir::expr::Aggregate;
use crate::hir::{Condition, ConditionId, Expr, LengthId, TotalId};
use crate::schema::TypeId;
use crate::syntax::ast::Name;
use crate::value::Kind;

/// One rule in the making.
pub(super) struct RuleLowerer<'e, 'a> {
    pub(super) env: &'e mut Env<'a>,
    /// The file that what is looked at stands in.
    pub(super) source: usize,
    pub(super) params: BTreeMap<&'a str, Param>,
    pub(super) defines: Defines<'a>,
    /// The totals over sets of matches that the rule emits.
    pub(super) totals: Vec<Aggregate>,
    /// The totals by how they print.
    pub(super) total_ids: HashMap<String, TotalId>,
    /// The first place at which the rule reads the whole set of matches, with its file.
    pub(super) reads_matches: Option<(usize, Span)>,
    /// The steps of the pattern, by index.
    pub(super) steps: Vec<StepInfo>,
    /// The parts of the key with their types.
    pub(super) key: Vec<(Arc<str>, Kind)>,
    /// The types of what the rule emits.
    pub(super) outputs: OutputTypes,
    /// True if the silence at the end of the pattern is reported again and again.
    pub(super) repeats: bool,
    /// The fields that the rule emits, where bare names can mean them.
    pub(super) emitted: Vec<(Arc<str>, Expr, Kind)>,
    /// The number of steps of the pattern, with its repetitions written out.
    pub(super) steps_written_out: u64,
    /// The number of repeated groups.
    pub(super) loop_count: usize,
    /// True if the rule has `skip none`.
    pub(super) keeps_all: bool,
    /// Where a pattern stands whose partial matches can wait for ever.
    pub(super) waits_forever: Option<(usize, Span)>,
    /// True if a gap bounds some wait.
    pub(super) bounded_waits: bool,
    pub(super) used_defines: BTreeSet<&'a str>,
    pub(super) used_params: BTreeSet<&'a str>,
    pub(super) conditions: Vec<Condition>,
    /// By condition: whether it is the same whatever parameters and lists say.
    pub(super) fixed: Vec<bool>,
    pub(super) lengths: Vec<Expr>,
    /// The lengths by how they print.
    pub(super) length_ids: HashMap<String, LengthId>,
    /// The types of the steps that conditions were added for so far.
    pub(super) step_types: Vec<Option<TypeId>>,
    pub(super) condition_ids: HashMap<String, ConditionId>,
    /// The types of the rule's stream, once its steps are known.
    pub(super) stream: Vec<TypeId>,
    /// The first place at which the pattern says `any event`, with its file.
    pub(super) wildcard: Option<(usize, Span)>,
    /// Negations of what may be null, reported once the key is known.
    pub(super) doubts: Vec<Doubt>,
    /// The event types that the pattern names, each with a place.
    pub(super) named: BTreeMap<TypeId, (usize, &'a Name)>,
    /// The records that feed types without declaration.
    pub(super) fed: Vec<FedRecord<'a>>,
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
            totals: Vec::new(),
            total_ids: HashMap::new(),
            reads_matches: None,
            steps: Vec::new(),
            key: Vec::new(),
            outputs: OutputTypes::default(),
            repeats: false,
            emitted: Vec::new(),
            steps_written_out: 0,
            loop_count: 0,
            keeps_all: false,
            waits_forever: None,
            bounded_waits: false,
            used_defines: BTreeSet::new(),
            used_params: BTreeSet::new(),
            conditions: Vec::new(),
            fixed: Vec::new(),
            lengths: Vec::new(),
            length_ids: HashMap::new(),
            step_types: Vec::new(),
            condition_ids: HashMap::new(),
            stream: Vec::new(),
            wildcard: None,
            doubts: Vec::new(),
            named: BTreeMap::new(),
            fed: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.env.report(self.source, diagnostic);
    }

    /// The parameter of this name: the rule's, else the file's. Reports if there is none.
    pub(super) fn find_param(&mut self, name: &'a Name, example: &str) -> Option<Param> {
        self.used_params.insert(&name.node);
        let found = self.params.get(name.node.as_str());
        if let Some(param) = found.or_else(|| self.env.params.get(name.node.as_str())) {
            return (!param.kind.is_never()).then(|| param.clone());
        }
        if self.env.declared.contains_key(&("parameter", name.node.as_str())) {
            // Its declaration was refused.
            self.env.errors += 1;
            return None;
        }
        let names = self.params.keys().chain(self.env.params.keys()).copied();
        let near = nearest(&name.node, names);
        let mut diagnostic = unknown(Code::UnknownParam, "parameter", name, near);
        if near.is_none() {
            diagnostic = diagnostic.help(format!("declare it: `{example}`"));
        }
        self.report(diagnostic);
        None
    }

    pub(super) fn note_type(&mut self, ty: TypeId, name: &'a Name) {
        self.named.entry(ty).or_insert((self.source, name));
    }

    /// Notes where the pattern says `any event`.
    pub(super) fn note_wildcard(&mut self, span: Span) {
        self.wildcard.get_or_insert((self.source, span));
    }

    /// The number of a condition; equal ones share one.
    pub(super) fn add_condition(&mut self, condition: Condition) -> ConditionId {
        // Only what steps were added since is gathered: conditions and steps can both be many.
        let known = self.step_types.len();
        self.step_types.extend(self.steps[known..].iter().map(StepInfo::one_type));
        let text = canon::condition(&condition, &self.env.schema, &self.step_types);
        if let Some(id) = self.condition_ids.get(&text) {
            return *id;
        }
        let id = ConditionId::new(self.conditions.len());
        self.conditions.push(condition);
        self.fixed.push(true);
        self.condition_ids.insert(text, id);
        id
    }

    /// Notes that parameters or lists have a part in a condition.
    pub(super) fn note_not_fixed(&mut self, id: ConditionId) {
        self.fixed[id.index()] = false;
    }

    /// Checks one clause with its own file for the places of its mistakes.
    pub(super) fn at<T>(&mut self, source: usize, f: impl FnOnce(&mut Self) -> T) -> T {
        let home = std::mem::replace(&mut self.source, source);
        let result = f(self);
        self.source = home;
        result
    }
}
