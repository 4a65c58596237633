//! The pattern with its bounds and conditions.

use super::{Plan, PlanItem, PlanKind, contiguity};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::BinaryOp;
use crate::hir::lower::expr::{Place, What, contradiction};
use crate::hir::lower::names::Resolved;
use crate::hir::lower::rule::Cx;
use crate::hir::{
    Condition, ConditionId, Contiguity, Expr, Gap, Item, ItemKind, Quantifier, Sequence, StageId,
    Test, Without,
};
use crate::schema::TypeId;
use crate::syntax::ast;
use crate::syntax::ast::{Dur, Spanned, Until};
use crate::time::format_millis;
use crate::value::Value;

impl<'a> Cx<'_, 'a> {
    pub(super) fn sequence(&mut self, plan: &Plan<'a>, within: Option<i64>) -> Sequence {
        let mut items = Vec::new();
        // How long a `not` before the item holds: it comes no sooner.
        let mut silence = 0;
        for (index, item) in plan.items.iter().enumerate() {
            let mut lowered = self.item(item, index == 0, within);
            match lowered.kind {
                ItemKind::Not { .. } if index > 0 => {
                    silence = silence.max(lowered.gap.and_then(|gap| gap.max).unwrap_or(0));
                }
                ItemKind::Not { .. } => {}
                _ if silence > 0 => {
                    let Gap { min, max } = lowered.gap.unwrap_or(Gap { min: 0, max: None });
                    if max.is_some_and(|max| max < silence) {
                        self.gap_too_short(item, silence);
                    }
                    lowered.gap = Some(Gap { min: min.max(silence), max });
                    silence = 0;
                }
                _ => {}
            }
            items.push(lowered);
        }
        let without = plan.without.as_ref().map(|(stage, step)| Without {
            stage: StageId::new(*stage),
            condition: self.step_condition(step, What::Step(*stage)),
        });
        Sequence { items, without }
    }

    fn gap_too_short(&mut self, item: &PlanItem<'a>, silence: i64) {
        let span = item.arrow.gap.as_ref().map_or(item.span, |gap| gap.span);
        let message =
            format!("this gap ends before the {} of the `not` have passed", format_millis(silence));
        self.report(
            Diagnostic::error(Code::BadBound, span, message)
                .help("the step comes after that time, so that its gap has to be longer"),
        );
    }

    pub(super) fn item(&mut self, item: &PlanItem<'a>, first: bool, within: Option<i64>) -> Item {
        let mut gap = item.arrow.gap.as_ref().and_then(|gap| self.gap(gap, within));
        let kind = match &item.kind {
            PlanKind::Step { stage, step, quant } => {
                let condition = self.step_condition(step, What::Step(*stage));
                let until = self.until(quant.until, *stage, step.ty);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                ItemKind::Step { stage: StageId::new(*stage), condition, quantifier }
            }
            PlanKind::Not { stage, step, duration } => {
                gap = duration.map(|(millis, _)| Gap { min: 0, max: Some(millis) });
                let condition = self.step_condition(step, What::Step(*stage));
                ItemKind::Not { stage: StageId::new(*stage), condition }
            }
            PlanKind::Group { plan, quant, within: own, alias } => {
                if let (Some(own), Some(within)) = (own, within)
                    && *own > within
                {
                    let message = format!(
                        "this group may take {}, its surroundings only {}",
                        format_millis(*own),
                        format_millis(within)
                    );
                    let help = "lower the group's `within`, or leave it out";
                    let diagnostic = Diagnostic::error(Code::BadBound, item.span, message);
                    self.report(diagnostic.help(help));
                }
                let body = self.sequence(plan, own.or(within));
                let ty = common_type(plan);
                let last = self.last_stage(plan);
                let until = self.until(quant.until, last, ty);
                let quantifier = Quantifier { until, ..quant.quantifier.clone() };
                let alias = alias.map(StageId::new);
                ItemKind::Group { body, quantifier, within: *own, alias }
            }
            PlanKind::Ways { ways, count } => {
                let ways = ways.iter().map(|way| self.sequence(way, within)).collect();
                ItemKind::Ways { ways, count: *count }
            }
        };
        let contiguity =
            if first { Contiguity::default() } else { contiguity(item.arrow.contiguity) };
        Item { contiguity, gap, kind }
    }

    pub(super) fn last_stage(&self, plan: &Plan<'a>) -> usize {
        match plan.items.last().map(|item| &item.kind) {
            Some(PlanKind::Step { stage, .. } | PlanKind::Not { stage, .. }) => *stage,
            Some(PlanKind::Group { plan, .. }) => self.last_stage(plan),
            Some(PlanKind::Ways { ways, .. }) => {
                ways.last().map_or(self.steps.len() - 1, |way| self.last_stage(way))
            }
            None => self.steps.len() - 1,
        }
    }

    pub(super) fn gap(&mut self, gap: &'a ast::Gap, within: Option<i64>) -> Option<Gap> {
        let min = gap.min.as_ref().map_or(Some(0), |min| self.duration(min));
        let max = gap.max.as_ref().map(|max| self.duration(max));
        let (min, max) = match (min, max) {
            (Some(min), None) => (min, None),
            (Some(min), Some(Some(max))) => (min, Some(max)),
            _ => return None,
        };
        let diagnostic = if max.is_some_and(|max| max < min) {
            let message = "this gap ends before it begins".to_owned();
            Some((message, "the lesser duration comes first: `->[1m..5m]`"))
        } else if let Some(within) = within
            && min >= within
        {
            let message =
                format!("this gap is as long as the whole `within {}`", format_millis(within));
            Some((message, "raise `within`, or shorten the gap"))
        } else {
            None
        };
        if let Some((message, help)) = diagnostic {
            self.report(Diagnostic::error(Code::BadBound, gap.span, message).help(help));
            return None;
        }
        Some(Gap { min, max })
    }

    /// A duration that bounds something has to be positive.
    pub(in crate::hir::lower) fn bound(&mut self, dur: &'a Dur) -> Option<i64> {
        let millis = self.duration(dur)?;
        if millis > 0 {
            return Some(millis);
        }
        let message = "a bound of no time at all";
        self.report(
            Diagnostic::error(Code::BadBound, dur.span(), message)
                .help("two events can be apart by less than the bound only: it is at least 1ms"),
        );
        None
    }

    pub(in crate::hir::lower) fn duration(&mut self, dur: &'a Dur) -> Option<i64> {
        match dur {
            Dur::Literal(millis) => Some(millis.node),
            Dur::Param(name) => {
                let example = format!("param {}: duration = 10m", name.node);
                let param = self.find_param(name, &example)?;
                if let Value::Duration(millis) = param.value
                    && millis >= 0
                {
                    return Some(millis);
                }
                let message = if let Value::Duration(_) = param.value {
                    "a bound on time can't be negative".to_owned()
                } else {
                    format!("`${}` is {}, not a duration", name.node, param.kind)
                };
                self.report(
                    Diagnostic::error(Code::TypeMismatch, name.span, message)
                        .help(format!("declare it as `param {}: duration = 10m`", name.node)),
                );
                None
            }
            Dur::Path(path) => {
                let what = "a duration that depends on events";
                self.report(Diagnostic::unsupported(path.span, what));
                None
            }
        }
    }

    pub(super) fn until(
        &mut self,
        until: Option<&'a Until>,
        last: usize,
        ty: Option<TypeId>,
    ) -> Option<ConditionId> {
        match until? {
            Until::Step(step) => {
                let resolved = self.resolve(step);
                Some(self.step_condition(&resolved, What::Until(last)))
            }
            Until::Condition(condition) => {
                let Some(ty) = ty else {
                    let message = "which event is this about?";
                    self.report(
                        Diagnostic::error(Code::NotAllowedHere, condition.span, message)
                            .label("the steps of this group are of several types")
                            .help("name the type: `until logout[...]`"),
                    );
                    return None;
                };
                let conditions = vec![(self.source, condition)];
                let resolved = Resolved { ty: Some(ty), conditions };
                Some(self.step_condition(&resolved, What::Until(last)))
            }
        }
    }

    /// What an event has to fulfil to be this step.
    pub(super) fn step_condition(&mut self, step: &Resolved<'a>, what: What) -> ConditionId {
        let Some(ty) = step.ty else {
            return self.add_condition(Condition { ty: None, test: Test::True });
        };
        let mut all: Option<Expr> = None;
        let mut never: Option<(usize, &'a Spanned<ast::Expr>)> = None;
        let home = self.source;
        for (source, condition) in &step.conditions {
            self.source = *source;
            let place = Place { candidate: Some(ty), what, bound: None };
            let typed = self.condition(condition, place);
            if typed.kind.is_never() {
                continue;
            }
            let expr = match typed.expr {
                Expr::Literal(Value::Bool(true)) => continue,
                Expr::Literal(value) => {
                    never = Some((*source, condition));
                    Expr::Literal(value)
                }
                expr => expr,
            };
            all = Some(match all {
                None => expr,
                Some(before) => Expr::Binary(BinaryOp::And, Box::new(before), Box::new(expr)),
            });
            if all.as_ref().is_some_and(|all| contradiction(all, ty, &self.env.schema)) {
                never = Some((*source, condition));
            }
        }
        if let Some((source, condition)) = never {
            self.source = source;
            let message = "this condition is always false";
            self.report(
                Diagnostic::warning(Code::AlwaysFalse, condition.span, message)
                    .help("no event fulfils it"),
            );
        }
        self.source = home;
        let test = all.map_or(Test::True, Test::Expr);
        self.add_condition(Condition { ty: Some(ty), test })
    }
}

/// The type that all steps of a group have.
fn common_type(plan: &Plan<'_>) -> Option<TypeId> {
    let mut types = plan.items.iter().map(|item| match &item.kind {
        PlanKind::Step { step, .. } | PlanKind::Not { step, .. } => step.ty,
        PlanKind::Group { plan, .. } => common_type(plan),
        PlanKind::Ways { ways, .. } => {
            let mut types = ways.iter().map(common_type);
            let first = types.next().flatten()?;
            types.all(|ty| ty == Some(first)).then_some(first)
        }
    });
    let first = types.next().flatten()?;
    types.all(|ty| ty == Some(first)).then_some(first)
}
