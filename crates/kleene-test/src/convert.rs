//! Cases as patterns.
//!
//! The cases speak Flink's language. Two of its habits are put into plain words here, so that a
//! pattern means what it says:
//! * Flink reads how the first stage of a group repeats off the *group*; the stage's own `inner`
//!   counts for nothing.
//! * If the first stage of a group is a group itself, Flink reads the contiguity to the event
//!   before from the inner group. The inner group is the first of a sequence and has no contiguity
//!   of its own, so Flink takes strict.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kleene::schema::{EventType, Field, FieldId, FieldType, Schema, TypeId};
use kleene::{Record, Timestamp, Value};
use kleene_syntax::hir::expr::{Aggregate, AggregateOp, BinaryOp, FieldRef};
use kleene_syntax::hir::{
    Condition, ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Length, LoopMode, Pattern,
    Quantifier, Report, Sequence, Skip, SkipStrategy, Step, StepId, Test,
};

use crate::format::{Case, CaseCondition, CasePattern, CaseStage};

/// Why a case's pattern has no counterpart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inexpressible(pub String);

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Inexpressible {}

fn no<T>(reason: impl Into<String>) -> Result<T, Inexpressible> {
    Err(Inexpressible(reason.into()))
}

/// The events' schema: one type, `e { type: string, v: int }`.
pub fn schema() -> Schema {
    let field = |name: &str, ty| Field { name: name.into(), ty, optional: false };
    let mut schema = Schema::new();
    schema.add(EventType {
        name: "e".into(),
        fields: vec![field("type", FieldType::String), field("v", FieldType::Int)],
        time: None,
        open: false,
    });
    schema
}

/// The type of all events.
pub fn event_type() -> TypeId {
    TypeId::new(0)
}

/// An event of [`schema`].
pub fn event(time: i64, ty: &str, v: i64) -> Record {
    Record::new(event_type(), Timestamp::from_millis(time), vec![Value::from(ty), Value::from(v)])
}

/// A case's events.
pub fn events(case: &Case) -> Vec<Record> {
    case.events.iter().map(|(time, ty, v)| event(*time, ty, *v)).collect()
}

/// A case's pattern.
///
/// # Errors
/// If it says what a pattern cannot say.
pub fn pattern(case: &CasePattern) -> Result<Pattern, Inexpressible> {
    let mut converter =
        Converter { ids: BTreeMap::new(), steps: Vec::new(), conditions: Vec::new() };
    converter.name(&case.stages)?;
    let mut body = converter.sequence(&case.stages, None)?;
    plainly(&mut body);
    let within = within(case)?;
    let strategy = match (case.skip.strategy.as_str(), &case.skip.stage) {
        ("no_skip", None) => SkipStrategy::None,
        ("skip_to_next", None) => SkipStrategy::ToNext,
        ("skip_past_last_event", None) => SkipStrategy::PastLast,
        ("skip_to_first", Some(name)) => SkipStrategy::ToFirst(converter.skip_target(name)?),
        ("skip_to_last", Some(name)) => SkipStrategy::ToLast(converter.skip_target(name)?),
        (other, _) => return no(format!("unknown skip strategy {other}")),
    };
    Ok(Pattern {
        steps: converter.steps,
        conditions: converter.conditions,
        body,
        lengths: Vec::new(),
        within: within.map(Length::Millis),
        skip: Skip { ordered: strategy != SkipStrategy::None, strategy },
        report: Report::All,
        totals: Vec::new(),
        report_timeouts: true,
        repeats: false,
    })
}

/// The bound of the whole match: the pattern's, or the least that stands on a stage.
pub(crate) fn within(case: &CasePattern) -> Result<Option<i64>, Inexpressible> {
    let on_stages =
        case.stages.iter().filter(|stage| stage.within_kind.as_deref() != Some(PREVIOUS));
    let bound = on_stages.filter_map(|stage| stage.within).chain(case.within).min();
    if bound.is_some_and(|bound| bound <= 0) {
        no("a bound on time is not positive")
    } else {
        Ok(bound)
    }
}

pub(crate) const PREVIOUS: &str = "previous_current";

struct Converter {
    ids: BTreeMap<String, StepId>,
    steps: Vec<Step>,
    conditions: Vec<Condition>,
}

impl Converter {
    fn name(&mut self, stages: &[CaseStage]) -> Result<(), Inexpressible> {
        for stage in stages {
            if let Some(name) = &stage.name {
                let id = StepId::new(self.steps.len());
                if self.ids.insert(name.clone(), id).is_some() {
                    return no(format!("two stages are named {name}"));
                }
                let negated = is_negated(stage);
                self.steps.push(Step {
                    name: name.as_str().into(),
                    ty: Some(event_type()),
                    negated,
                });
            }
            self.name(stage.group.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    fn skip_target(&self, name: &str) -> Result<StepId, Inexpressible> {
        match self.ids.get(name) {
            Some(id) => Ok(*id),
            None => no(format!("no stage is named {name}")),
        }
    }

    fn sequence(
        &mut self,
        stages: &[CaseStage],
        group: Option<&CaseStage>,
    ) -> Result<Sequence, Inexpressible> {
        let mut items = Vec::new();
        for (index, stage) in stages.iter().enumerate() {
            if index == 0 && stage.contiguity.is_some() {
                return no("the first stage of a sequence follows nothing");
            }
            let last = index + 1 == stages.len() && group.is_none();
            let mut item = self.item(stage, last)?;
            // As Flink does it; see above.
            if index == 0
                && let (Some(group), ItemKind::Step { quantifier, .. }) = (group, &mut item.kind)
            {
                quantifier.inner = inner(group)?;
            }
            items.push(item);
        }
        if items.is_empty() {
            no("there are no stages")
        } else {
            Ok(Sequence { items, without: None })
        }
    }

    fn item(&mut self, stage: &CaseStage, last: bool) -> Result<Item, Inexpressible> {
        let contiguity = match stage.contiguity.as_deref() {
            None | Some("followed_by" | "not_followed_by") => Contiguity::Relaxed,
            Some("next" | "not_next") => Contiguity::Next,
            Some("followed_by_any") => Contiguity::Any,
            Some(other) => return no(format!("unknown contiguity {other}")),
        };
        let bound = stage.within.filter(|_| stage.within_kind.as_deref() == Some(PREVIOUS));
        if bound.is_some_and(|bound| bound <= 0) {
            return no("a bound on time is not positive");
        }
        let step = stage.name.as_ref().and_then(|name| self.ids.get(name)).copied();
        if is_negated(stage) {
            let quantified = stage.times.is_some()
                || stage.optional
                || stage.greedy
                || stage.until.is_some()
                || stage.inner.is_some();
            if quantified {
                return no("a not with a quantifier");
            }
            let (Some(step), Some(condition)) = (step, &stage.condition) else {
                return no("a not of a group");
            };
            let condition = self.condition(condition)?;
            let gap = match (stage.contiguity.as_deref(), bound) {
                // Reported when the bound is reached.
                (Some("not_followed_by"), Some(bound)) if last => Some(gap_of(bound)),
                (Some("not_next"), Some(bound)) => Some(gap_of(bound - 1)),
                _ => None,
            };
            return Ok(Item { contiguity, gap, kind: ItemKind::Not { step, condition } });
        }
        let gap = bound.map(|bound| gap_of(bound - 1));
        let quantifier = self.quantifier(stage)?;
        let kind = match (&stage.group, step, &stage.condition) {
            (Some(group), None, None) => {
                let body = self.sequence(group, Some(stage))?;
                ItemKind::Group { body, quantifier, within: None, alias: None }
            }
            (None, Some(step), Some(condition)) => {
                let condition = self.condition(condition)?;
                ItemKind::Step { step, condition, quantifier }
            }
            _ => return no("a stage is neither a single one nor a group"),
        };
        Ok(Item { contiguity, gap, kind })
    }

    fn quantifier(&mut self, stage: &CaseStage) -> Result<Quantifier, Inexpressible> {
        let Some((from, to)) = stage.times else {
            if stage.greedy {
                return no("greedy, but no loop");
            }
            if stage.inner.is_some() {
                return no("contiguity between repetitions, but no loop");
            }
            if stage.until.is_some() {
                return no("until, but no loop");
            }
            return Ok(Quantifier { optional: stage.optional, ..Quantifier::ONCE });
        };
        let (Ok(from), Ok(to)) = (u32::try_from(from), to.map(u32::try_from).transpose()) else {
            return no("a negative number of times");
        };
        if to == Some(0) || to.is_some_and(|to| to < from) || (from == 0 && to.is_none()) {
            return no("a number of times that allows nothing");
        }
        if stage.until.is_some() && to.is_some() {
            return no("until, but no endless loop");
        }
        Ok(Quantifier {
            min: from.max(1),
            max: to,
            optional: stage.optional || from == 0,
            inner: inner(stage)?,
            // In Flink, `greedy` says nothing of a fixed number of times, optional or not.
            mode: if stage.greedy && to != Some(from.max(1)) {
                LoopMode::Greedy
            } else {
                LoopMode::Each
            },
            until: stage.until.as_ref().map(|until| self.condition(until)).transpose()?,
        })
    }

    fn condition(&mut self, condition: &CaseCondition) -> Result<ConditionId, Inexpressible> {
        let test = Test::Expr(self.expr(condition)?);
        let id = ConditionId::new(self.conditions.len());
        self.conditions.push(Condition { ty: Some(event_type()), test });
        Ok(id)
    }

    fn expr(&self, condition: &CaseCondition) -> Result<Expr, Inexpressible> {
        let field = |index| Expr::Field(FieldRef::Declared(FieldId::new(index)));
        let join = |op, parts: &[CaseCondition]| {
            let mut parts = parts.iter().map(|part| self.expr(part));
            let first = parts.next().unwrap_or_else(|| no("an empty combination"))?;
            parts.try_fold(first, |all, part| Ok(Expr::Binary(op, Box::new(all), Box::new(part?))))
        };
        Ok(match condition {
            CaseCondition::Type { ty } => Expr::Binary(
                BinaryOp::Eq,
                Box::new(field(0)),
                Box::new(Expr::Literal(Value::from(ty.as_str()))),
            ),
            CaseCondition::Constant { op, constant } => Expr::Binary(
                operator(op)?,
                Box::new(field(1)),
                Box::new(Expr::Literal(Value::from(*constant))),
            ),
            CaseCondition::Aggregate { op, agg, of } => {
                let aggregate = Aggregate {
                    op: aggregate(agg)?,
                    step: self.skip_target(of)?,
                    arg: (agg != "count").then(|| field(1)),
                    of_ints: true,
                };
                Expr::Binary(
                    operator(op)?,
                    Box::new(field(1)),
                    Box::new(Expr::Aggregate(Box::new(aggregate))),
                )
            }
            CaseCondition::And { and } => join(BinaryOp::And, and)?,
            CaseCondition::Or { or } => join(BinaryOp::Or, or)?,
            // In Flink a comparison with null is false, and the negation of it is true.
            CaseCondition::Not { not } => {
                let [no, yes] = [false, true].map(|value| Expr::Literal(Value::Bool(value)));
                Expr::If(Box::new([self.expr(not)?, no, yes]))
            }
            CaseCondition::True { always } => Expr::Literal(Value::Bool(*always)),
        })
    }
}

/// Gives a group that starts with a group the contiguities that Flink uses; see above.
fn plainly(sequence: &mut Sequence) {
    for item in &mut sequence.items {
        if let ItemKind::Group { body, quantifier, .. } = &mut item.kind {
            if matches!(body.items[0].kind, ItemKind::Group { .. }) {
                item.contiguity = Contiguity::Next;
                quantifier.inner = Contiguity::Next;
            }
            plainly(body);
        }
    }
}

pub(crate) fn is_negated(stage: &CaseStage) -> bool {
    matches!(stage.contiguity.as_deref(), Some("not_next" | "not_followed_by"))
}

fn inner(stage: &CaseStage) -> Result<Contiguity, Inexpressible> {
    Ok(match stage.inner.as_deref() {
        None | Some("relaxed") => Contiguity::Relaxed,
        Some("consecutive") => Contiguity::Next,
        Some("combinations") => Contiguity::Any,
        Some(other) => return no(format!("unknown contiguity {other}")),
    })
}

fn operator(op: &str) -> Result<BinaryOp, Inexpressible> {
    Ok(match op {
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        _ => return no(format!("unknown operator {op}")),
    })
}

fn aggregate(name: &str) -> Result<AggregateOp, Inexpressible> {
    Ok(match name {
        "first" => AggregateOp::First,
        "last" => AggregateOp::Last,
        "min" => AggregateOp::Min,
        "max" => AggregateOp::Max,
        "sum" => AggregateOp::Sum,
        "count" => AggregateOp::Count,
        _ => return no(format!("unknown aggregate {name}")),
    })
}

/// The name of a step of a pattern.
pub fn step_name(pattern: &Pattern, step: StepId) -> Arc<str> {
    pattern.steps.get(step.index()).map_or_else(|| "?".into(), |step| step.name.clone())
}

/// Returns a gap of at most `max` milliseconds.
fn gap_of(max: i64) -> Gap {
    Gap { min: Length::ZERO, max: Some(Length::Millis(max)) }
}
