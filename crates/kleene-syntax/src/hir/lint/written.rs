//! How a rule is written: what its checked form does not say. The lowering fills it, and the lints
//! read it.

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use crate::hir::expr::FieldRef;
use crate::hir::site::Site;
use crate::hir::{ConditionId, StepId};
use kleene_event::schema::TypeId;

/// How a rule is written.
#[derive(Default)]
pub(in crate::hir) struct WrittenRule {
    /// The place of the rule's name.
    pub(in crate::hir) name: Site,
    /// The places of the clauses, by the words that they begin with.
    pub(in crate::hir) clauses: BTreeMap<&'static str, Site>,
    /// The parameters and defines that are never used; empty if a part of the rule was refused.
    pub(in crate::hir) unused: Vec<UnusedName>,
    /// The first place at which the rule reads the whole set of matches.
    pub(in crate::hir) reads_matches: Option<Site>,
    /// The first place of `any event`; `None` if a name was refused that may be another type.
    pub(in crate::hir) wildcard: Option<Site>,
    /// The fields that may be null and are in a negation.
    pub(in crate::hir) negated: Vec<NegatedField>,
    /// The place of the pattern; `None` if the rule has no `match`.
    pub(in crate::hir) pattern: Option<Site>,
    /// True if the pattern has no mistake, its conditions and lengths aside.
    pub(in crate::hir) is_sound: bool,
    /// The items of the pattern's sequence.
    pub(in crate::hir) items: Vec<WrittenItem>,
    /// The steps by [`StepId`](crate::hir::StepId).
    pub(in crate::hir) steps: Vec<WrittenStep>,
    /// The conditions that were not refused, in the order of the text; one for each use.
    pub(in crate::hir) conditions: Vec<WrittenCondition>,
    /// The place of the condition of `having`, if it was not refused.
    pub(in crate::hir) having: Option<Site>,
    /// The times between events that arrows and silences ask for, by the step that comes after.
    pub(in crate::hir) gaps: BTreeMap<usize, StepGap>,
    /// The place of `repeat`, if it is allowed there.
    pub(in crate::hir) repeat: Option<Span>,
}

/// How an item of a sequence is written.
pub(in crate::hir) struct WrittenItem {
    pub(in crate::hir) span: Span,
    /// The place of the quantifier, if it is written.
    pub(in crate::hir) quantifier: Option<Span>,
    /// True if the mode of the loop is written: `{2..3 greedy}`.
    pub(in crate::hir) is_mode_written: bool,
    /// The items of a group, or those of each branch.
    pub(in crate::hir) inside: Vec<Vec<WrittenItem>>,
}

/// How a step is written.
pub(in crate::hir) struct WrittenStep {
    pub(in crate::hir) site: Site,
    /// True if the step has a name with `as`.
    pub(in crate::hir) is_named: bool,
    /// True if a match can hold several events of the step.
    pub(in crate::hir) is_many: bool,
}

/// A condition of a step, with those of its defines, or one of `not`, `until` or `without`.
pub(in crate::hir) struct WrittenCondition {
    pub(in crate::hir) id: ConditionId,
    /// The step whose event it tests; `None` for `until`.
    pub(in crate::hir) step: Option<StepId>,
    /// The place of the last part that can be false.
    pub(in crate::hir) deciding: Site,
    /// The place of the last part.
    pub(in crate::hir) last: Site,
    /// True if it is the same whatever parameters and lists say.
    pub(in crate::hir) is_fixed: bool,
    /// True if a `define` has a part in it.
    pub(in crate::hir) are_several: bool,
}

/// The time from the event before to a step that comes once.
#[derive(Clone, Copy)]
pub(in crate::hir) struct StepGap {
    /// The least time, in milliseconds.
    pub(in crate::hir) min: i64,
    /// The greatest time, if there is one.
    pub(in crate::hir) max: Option<i64>,
    /// The step before, if it comes once.
    pub(in crate::hir) after: Option<usize>,
}

/// A field that may be null, in a negation of a step's condition that does not ask `is null`.
pub(in crate::hir) struct NegatedField {
    pub(in crate::hir) site: Site,
    pub(in crate::hir) name: String,
    pub(in crate::hir) ty: TypeId,
    pub(in crate::hir) field: FieldRef,
    /// The spelling that accepts events without the field.
    pub(in crate::hir) instead: String,
}

/// A name that a rule declares and does not use.
pub(in crate::hir) struct UnusedName {
    /// The kind of the name: `parameter` or `define`.
    pub(in crate::hir) what: &'static str,
    pub(in crate::hir) name: String,
    pub(in crate::hir) site: Site,
}
