//! Paths: fields of the candidate, of captured events, of the match.

use std::ops::Range;
use std::sync::Arc;

use super::typed::{non_null, refused};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::{AggregateOp, CapturedField, FieldRef, MatchFact, Pick};
use crate::hir::functions::{self, Callee};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::{self, listed, unknown};
use crate::hir::lower::terms::{ExprContext, Takes, TimeBound, Typed, What};
use crate::hir::{Expr, StepId};
use crate::syntax::MATCHES;
use crate::syntax::ast::{Path, PathPart};
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

const FACTS: [(&str, MatchFact, Kind); 6] = [
    ("start", MatchFact::Start, Kind::TIME),
    ("end", MatchFact::End, Kind::TIME),
    ("step", MatchFact::Step, Kind::STRING),
    ("awaits", MatchFact::Awaits, Kind::ANY),
    ("id", MatchFact::Id, Kind::ANY),
    ("repetition", MatchFact::Repetition, Kind::INT),
];

/// The step that a name means.
pub(super) enum StepLookup {
    Nothing,
    One(usize),
    Several(usize, usize),
}

impl RuleLowerer<'_, '_> {
    pub(in crate::hir::lower) fn path(&mut self, path: &Path, context: ExprContext) -> Typed {
        let root = path.root.node.as_str();
        let span = path.span;
        if context.what == What::Constant {
            return self.not_constant(root, span);
        }
        if root == "prev" && !path.rest.is_empty() {
            return self.prev(path, context);
        }
        if root == "match" && !path.rest.is_empty() {
            return self.fact(path, context);
        }
        if self.is_of_matches(path, context) {
            return self.matches_fact(path, context);
        }
        if let Some(bound) = context.bound {
            return self.bound_path(path, bound, context);
        }
        let dotted = dotted_field(path);
        let field = match (&dotted, context.candidate) {
            (Some((dotted, _)), Some(of)) => self.field_of(of, dotted),
            _ => None,
        };
        if path.rest.is_empty() {
            return match (field, context.candidate) {
                (Some((field, kind)), _) => Typed { expr: Expr::Field(field), kind, span },
                (None, Some(ty)) => self.no_such_field(ty, path),
                (None, None) => self.bare_in_emit(path),
            };
        }
        let step = match self.find_step(root) {
            StepLookup::Nothing => None,
            StepLookup::One(step) => Some(step),
            StepLookup::Several(first, second) => {
                self.ambiguous(root, span, first, second);
                return refused(span);
            }
        };
        // `order[order.total > 5]` is about the nested field; a dynamic field gives way to a step.
        let own = matches!((step, context.what), (Some(step), What::Step(own)) if step == own);
        let declared = field.as_ref().is_some_and(|(field, _)| !is_dynamic(field));
        match (field, step) {
            (Some(_), Some(_)) if !own && declared => {
                let message = format!("`{root}` is both a step and a field of this event");
                let help = "give the step another name with `as`";
                self.refuse(Code::AmbiguousAlias, span, message, help)
            }
            (Some((field, kind)), step) if declared || step.is_none() => {
                let index = dotted.and_then(|(_, index)| index);
                element(Typed { expr: Expr::Field(field), kind, span }, index)
            }
            (_, Some(_)) if own && context.candidate.is_some_and(|ty| self.is_record(ty, root)) => {
                self.unknown_path(path, context)
            }
            (_, Some(step)) => self.captured(path, step, context),
            (_, None) => self.unknown_path(path, context),
        }
    }

    pub(super) fn no_such_field(&mut self, of: Takes, path: &Path) -> Typed {
        let root = &path.root.node;
        let Some(mut diagnostic) = self.no_field_of(of, root, path.span) else {
            self.env.errors += 1;
            return refused(path.span);
        };
        if self.is_record(of, root) {
            // Said already.
        } else if let StepLookup::One(step) = self.find_step(root) {
            let message = format!("`{root}` is a step, not a field of this event");
            let first = |of: Takes| self.fields_in_common(of).into_iter().next();
            let field = self.steps[step].ty.and_then(first).or_else(|| first(of));
            let field = field.unwrap_or("field");
            diagnostic = Diagnostic::error(Code::UnknownField, path.span, message)
                .help(format!("write which field: `{root}.{field}`"));
        } else if self.params.contains_key(root.as_str())
            || self.env.declarations.params.contains_key(root.as_str())
        {
            diagnostic = diagnostic.help(format!("write `${root}` for the parameter"));
        } else if self.env.declarations.lists.contains_key(root.as_str()) {
            diagnostic = diagnostic.help(format!("use the list with `in`: `x in {root}`"));
        }
        self.report(diagnostic);
        refused(path.span)
    }

    pub(super) fn not_constant(&mut self, found: &str, span: Span) -> Typed {
        let message = "only a constant can be used here";
        let help = format!("put strings in quotes: \"{found}\"");
        self.refuse(Code::NotAllowedHere, span, message, help)
    }

    /// In an emit a bare name is a part of the key.
    pub(in crate::hir::lower) fn bare_in_emit(&mut self, path: &Path) -> Typed {
        let root = path.root.node.as_str();
        let span = path.span;
        if let Some((_, expr, kind)) =
            self.reporting.emitted.iter().find(|(name, ..)| **name == *root)
        {
            return Typed { expr: expr.clone(), kind: *kind, span };
        }
        if let Some(index) = self.key.iter().position(|(key, _)| **key == *root) {
            return Typed { expr: Expr::Key(index), kind: self.key[index].1, span };
        }
        if let StepLookup::One(step) = self.find_step(root) {
            let message = format!("`{root}` is a step: a whole event can't be emitted");
            let help = self.fields_of(step).map_or_else(
                || format!("write `count({root})` for the number of its repetitions"),
                |fields| format!("write which field: {fields}"),
            );
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let owners: Vec<_> = self
            .steps
            .iter()
            .filter(|step| !step.negated && self.has_field(step.ty, root))
            .map(|step| format!("{}.{root}", step.name))
            .collect();
        let message = format!("`{root}` is not part of the key");
        let diagnostic = Diagnostic::error(Code::NotAllowedHere, span, message);
        if root == "match" {
            let facts: Vec<String> =
                FACTS.iter().map(|(fact, ..)| format!("match.{fact}")).collect();
            let facts = listed(facts.iter().map(String::as_str));
            self.report(diagnostic.help(format!("write which part: {facts}")));
            return refused(span);
        }
        if root == MATCHES {
            self.report(diagnostic.help("write `matches.count` for the number of matches"));
            return refused(span);
        }
        if owners.is_empty()
            && let Some((message, help)) = self.function_as_name(root)
        {
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let emitted = self.reporting.emitted.iter().map(|(name, ..)| &**name);
        let known = emitted.chain(self.key.iter().map(|(key, _)| &**key));
        self.report(if let Some(near) = nearest(root, known) {
            diagnostic.help(format!("did you mean `{near}`?"))
        } else if owners.is_empty() {
            diagnostic
                .help("a bare name here is a part of the key; for a field, write `step.field`")
        } else {
            diagnostic
                .help(format!("write which step: {}", listed(owners.iter().map(String::as_str))))
        });
        refused(span)
    }

    /// The report of `count` or `sum` without parentheses, if it is no emitted field.
    fn function_as_name(&self, name: &str) -> Option<(String, String)> {
        let message = format!("`{name}` is a function and needs parentheses");
        if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.name() == name) {
            let steps = || self.steps.iter().filter(|step| !step.negated);
            let step = steps().find(|step| step.many).or_else(|| steps().next());
            let step = step.map_or("step", |step| &*step.name);
            let help = match op {
                AggregateOp::Count => format!(
                    "`count({step})` is the number of events of a step, `matches.count` the number \
                     of matches"
                ),
                _ => format!("write `{name}({step}.field)`"),
            };
            return Some((message, help));
        }
        let function = functions::lookup(name)?;
        Some((message, format!("write `{}`", function.signature())))
    }

    /// True if the name stands for nested fields.
    pub(super) fn is_record(&self, of: Takes, name: &str) -> bool {
        self.fields_in_common(of)
            .into_iter()
            .any(|field| field.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    pub(super) fn has_field(&self, of: Option<Takes>, field: &str) -> bool {
        let types = of.as_ref().map_or(&[][..], |of| self.types_of(of));
        !types.is_empty() && types.iter().all(|ty| self.env.schema.field_id(*ty, field).is_some())
    }

    pub(super) fn fields_of(&self, step: usize) -> Option<String> {
        let step = &self.steps[step];
        let fields = self.fields_in_common(step.ty?);
        let names: Vec<_> =
            fields.into_iter().map(|field| format!("{}.{field}", step.name)).collect();
        (!names.is_empty()).then(|| listed(names.iter().map(String::as_str)))
    }

    pub(super) fn unknown_path(&mut self, path: &Path, context: ExprContext) -> Typed {
        let root = &path.root.node;
        let negated = self.steps.iter().find(|step| step.negated && *step.name == **root);
        if let Some(step) = negated {
            let message = format!("`{root}` must not come, so it has no event to read");
            let diagnostic = Diagnostic::error(Code::UnknownAlias, path.root.span, message);
            let diagnostic = if step.site.source == self.source {
                diagnostic.context(step.site.span, "negated here")
            } else {
                diagnostic
            };
            self.report(diagnostic);
            return refused(path.span);
        }
        // A nested field of the candidate, misspelled, rather than a step.
        if let (Some((dotted, _)), Some(of)) = (dotted_field(path), context.candidate)
            && self.is_record(of, root)
        {
            let diagnostic = self.no_field_of(of, &dotted, path.span);
            self.env.report_if(self.source, diagnostic);
            return refused(path.span);
        }
        if let Some(of) = context.candidate
            && let Some((field, kind)) = self.field_of(of, root)
            && !is_dynamic(&field)
        {
            let message = format!("`{root}` is {}, it has no fields", non_null(kind));
            self.report(Diagnostic::error(Code::UnknownField, path.span, message));
            return refused(path.span);
        }
        let steps = self.steps.iter().filter(|step| !step.negated).map(|step| &*step.name);
        let near = nearest(root, steps.chain(["prev", "match"]));
        let mut diagnostic = unknown(Code::UnknownAlias, "step", &path.root, near);
        if near.is_none() {
            let steps = self.steps.iter().filter(|step| !step.negated).map(|step| &*step.name);
            if matches!(root.as_str(), "previous" | "last" | "lag") {
                diagnostic = diagnostic.help("write `prev` for the event before: `prev.price`");
            } else if let Some(steps) = names::these("step", steps) {
                diagnostic = diagnostic.help(steps);
            }
        }
        self.report(diagnostic);
        refused(path.span)
    }

    pub(super) fn find_step(&self, name: &str) -> StepLookup {
        match *self.steps.named(name) {
            [] => StepLookup::Nothing,
            [step] => StepLookup::One(step),
            [first, second, ..] => StepLookup::Several(first, second),
        }
    }

    pub(super) fn ambiguous(&mut self, name: &str, span: Span, first: usize, second: usize) {
        if self.steps[first].explicit && self.steps[second].explicit {
            // That both have this name was reported where they are named.
            return;
        }
        let message = format!("two steps are called `{name}`");
        let mut diagnostic = Diagnostic::error(Code::AmbiguousAlias, span, message)
            .help(format!("give each step its own name: `{name} as first_{name}`"));
        for (step, text) in [(first, "this one"), (second, "or this one?")] {
            let site = self.steps[step].site;
            if site.source == self.source {
                diagnostic = diagnostic.context(site.span, text);
            }
        }
        self.report(diagnostic);
    }

    /// True if an expression at `context` can see what step `index` captured.
    pub(super) fn sees(&self, context: ExprContext, index: usize) -> bool {
        let step = &self.steps[index];
        // In a loop around both, it captures in an earlier repetition.
        let loops_with =
            |own: usize| self.steps[own].loops.iter().any(|one| step.loops.contains(one));
        match context.what {
            What::Emit | What::Timeout => true,
            What::Constant => false,
            What::Until(last) => index <= last || loops_with(last),
            What::Length(from) => index < from,
            What::Step(own) => index < own || index == own && step.many || loops_with(own),
        }
    }

    /// Returns those of some steps, which are in order, that an expression at `context` can see, and
    /// perhaps more: outside of loops, a step sees no later one but those in `beside`.
    fn may_see<'s>(
        &self,
        context: ExprContext,
        beside: &Range<usize>,
        steps: &'s [usize],
    ) -> impl Iterator<Item = &'s usize> + use<'s> {
        let end = match context.what {
            What::Step(own) if self.steps[own].loops.is_empty() => beside.end.max(own + 1),
            _ => self.steps.len(),
        };
        steps.iter().take_while(move |step| **step < end)
    }

    /// Reports if an expression at `context` can't see step `index` yet.
    pub(super) fn expect_visible(
        &mut self,
        context: ExprContext,
        index: usize,
        span: Span,
    ) -> bool {
        if self.sees(context, index) {
            return true;
        }
        let name = self.steps[index].name.clone();
        let own = context.what == What::Step(index);
        let message = if own {
            format!("`{name}` is not captured yet while its own condition is tested")
        } else {
            format!("`{name}` comes later")
        };
        let diagnostic = Diagnostic::error(Code::AliasNotYetCaptured, span, message);
        let help = match context.what {
            _ if own => "for a field of the event being tested, write the bare name without the \
                         step"
                .to_owned(),
            What::Length(_) => "use a field of an earlier step for the duration".to_owned(),
            _ => format!("move the condition to `{name}`, which can read the earlier steps"),
        };
        self.report(diagnostic.help(help));
        false
    }

    /// `step.field`, `step[0].field`
    pub(super) fn captured(&mut self, path: &Path, index: usize, context: ExprContext) -> Typed {
        let span = path.span;
        if !self.expect_visible(context, index, span) {
            return refused(span);
        }
        let (pick, rest) = match path.rest.split_first() {
            Some((PathPart::Index(number), rest)) => (Some(nth(number.node)), rest),
            _ => (None, path.rest.as_slice()),
        };
        self.warn_of_last_step(index, span, context);
        let name = self.steps[index].name.clone();
        if self.steps[index].group {
            let message = format!("`{name}` is a group and has no fields");
            let help = format!(
                "`count({name})` is the number of its repetitions; fields belong to a step inside \
                 the group"
            );
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let Some(ty) = self.steps[index].ty else { return refused(span) };
        if let Some(help) = self.aggregate_as_field(ty, &name, rest) {
            let message = format!("`{name}` is a step and has no such field");
            return self.refuse(Code::UnknownField, span, message, help);
        }
        let Some((field, kind, element_index)) = self.field_at(ty, rest, span, &name) else {
            return refused(span);
        };
        let pick = match pick {
            Some(Some(pick)) => pick,
            Some(None) => {
                let message = "a step never captures this many events";
                self.report(Diagnostic::error(Code::LimitExceeded, span, message));
                return refused(span);
            }
            // There is no word for which one: it is the one captured last.
            None if self.steps[index].many && !matches!(context.what, What::Length(_)) => {
                let spelled = rest_text(rest);
                let message = format!("`{name}` can hold several events");
                self.report(
                    Diagnostic::error(Code::NeedsAggregate, span, message)
                        .label("which of them?")
                        .help(format!(
                            "write `first({name}.{spelled})`, `last({name}.{spelled})`, \
                             `{name}[0].{spelled}`, or an aggregate such as `max({name}.{spelled})`"
                        )),
                );
                return refused(span);
            }
            None => Pick::Last,
        };
        let captured = CapturedField { step: Some(StepId::new(index)), pick, field };
        let expr = Expr::Captured(captured);
        element(Typed { expr, kind: kind.or(Kind::NULL), span }, element_index)
    }

    /// The help for `p.count`, `p.last.amount` and `p.amount.sum`, if there is no such field.
    fn aggregate_as_field(&self, of: Takes, step: &str, rest: &[PathPart]) -> Option<String> {
        let names: Option<Vec<&str>> = rest
            .iter()
            .map(|part| match part {
                PathPart::Field(name) => Some(name.node.as_str()),
                PathPart::Index(_) => None,
            })
            .collect();
        let names = names?;
        if self.field_of(of, &names.join(".")).is_some() {
            return None;
        }
        let op =
            |name: &str| AggregateOp::ALL.into_iter().map(AggregateOp::name).find(|op| *op == name);
        match names.as_slice() {
            ["count" | "size" | "length" | "len"] => Some(format!("write `count({step})`")),
            [first, field @ ..] if !field.is_empty() && op(first).is_some() => {
                Some(format!("write `{first}({step}.{})`", field.join(".")))
            }
            [field @ .., last] if !field.is_empty() && op(last).is_some() => {
                Some(format!("write `{last}({step}.{})`", field.join(".")))
            }
            _ => None,
        }
    }

    /// The field that the rest of a path names, and the index of a list's item behind it.
    pub(super) fn field_at(
        &mut self,
        of: Takes,
        rest: &[PathPart],
        span: Span,
        step: &str,
    ) -> Option<(FieldRef, Kind, Option<i64>)> {
        let Some((dotted, index)) = dotted_parts(None, rest) else {
            let message = format!("put an index directly after `{step}` or at the end");
            let help = format!("write `{step}[0].field` or `{step}.list[0]`");
            self.error(Code::NotAllowedHere, span, message, help);
            return None;
        };
        if dotted.is_empty() {
            let field = self.fields_in_common(of).into_iter().next().unwrap_or("field");
            let message = format!("this is a whole event of `{step}`");
            let help = format!("write which field, such as `.{field}`");
            self.error(Code::NotAllowedHere, span, message, help);
            return None;
        }
        let Some((field, kind)) = self.field_of(of, &dotted) else {
            let diagnostic = self.no_field_of(of, &dotted, span);
            self.env.report_if(self.source, diagnostic);
            return None;
        };
        if index.is_some() && !kind.intersects(Kind::LIST) {
            let message = format!("`{dotted}` must be a list, but it has type {}", non_null(kind));
            self.report(Diagnostic::error(Code::TypeMismatch, span, message));
            return None;
        }
        Some((field, kind, index))
    }

    /// Warns of a step that no timeout holds: with it, the partial match would be a match.
    pub(super) fn warn_of_last_step(&mut self, index: usize, span: Span, context: ExprContext) {
        if context.what != What::Timeout || !self.traits.last_steps.contains(&index) {
            return;
        }
        let name = &self.steps[index].name;
        let message = format!("a timeout never holds a `{name}`");
        let label = "the match is complete with this step, and can't time out after it";
        let help = "remove the field; `match.step` is the step that was reached";
        let diagnostic = Diagnostic::warning(Code::NullInTimeout, span, message);
        self.report(diagnostic.label(label).help(help));
    }

    /// Inside of an aggregate.
    pub(super) fn bound_path(
        &mut self,
        path: &Path,
        bound: TimeBound,
        context: ExprContext,
    ) -> Typed {
        let span = path.span;
        let (TimeBound::Each(step) | TimeBound::Pick(step, _)) = bound;
        let name = self.steps[step].name.clone();
        let Some(ty) = self.steps[step].ty else { return refused(span) };
        if *path.root.node != *name || path.rest.is_empty() {
            if let TimeBound::Pick(..) = bound {
                return self.path(path, ExprContext { bound: None, ..context });
            }
            let message = "an aggregate can only use fields of one step and constants";
            let help = format!("write `{name}.field` for a field of the events of `{name}`");
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        if let Some(PathPart::Index(_)) = path.rest.first() {
            let message = "an aggregate reads all events of a step";
            let help = format!("remove the index: `{name}.{}`", rest_text(&path.rest[1..]));
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let Some((field, kind, index)) = self.field_at(ty, &path.rest, span, &name) else {
            return refused(span);
        };
        let typed = match bound {
            TimeBound::Each(_) => Typed { expr: Expr::Field(field), kind, span },
            TimeBound::Pick(_, pick) => {
                let captured = CapturedField { step: Some(StepId::new(step)), pick, field };
                Typed { expr: Expr::Captured(captured), kind: kind.or(Kind::NULL), span }
            }
        };
        element(typed, index)
    }

    /// `prev.field`: of the event captured last, whichever step's it is.
    pub(super) fn prev(&mut self, path: &Path, context: ExprContext) -> Typed {
        let span = path.span;
        if matches!(context.what, What::Emit | What::Timeout | What::Constant)
            || matches!(context.bound, Some(TimeBound::Each(_)))
        {
            let message = "`prev` has no meaning here: it is the event captured before the one \
                           that a condition tests";
            let help = "name the step instead: `step.field`, `last(step.field)`";
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let Some((dotted, index)) = dotted_parts(None, &path.rest) else {
            let message = "`prev` is one event and has no index";
            return self.refuse(Code::NotAllowedHere, span, message, "write `prev.field`");
        };
        let beside = match context.what {
            What::Step(own) | What::Until(own) => self.steps[own].beside.clone(),
            _ => 0..0,
        };
        let is_visible = |index: &usize| self.sees(context, *index) || beside.contains(index);
        let taken: Vec<_> = self
            .steps
            .capturing()
            .filter(|(_, steps)| self.may_see(context, &beside, steps).any(is_visible))
            .map(|(takes, _)| takes)
            .collect();
        if taken.is_empty() {
            let message = "there is no event before the first step";
            let help = "start with a step without `prev`: `tick -> next down{2..}`";
            return self.refuse(Code::AliasNotYetCaptured, span, message, help);
        }
        let taken = taken.iter().flatten();
        let mut types: Vec<_> = taken.flat_map(|of| self.types_of(of).to_vec()).collect();
        types.sort_unstable();
        types.dedup();
        let mut fields = Vec::new();
        let mut kind = Kind::NULL;
        for &ty in &types {
            if let Some((field, field_kind)) = names::field(&self.env.schema, ty, &dotted) {
                kind = kind.or(field_kind);
                fields.push((ty, field));
            }
        }
        if fields.is_empty() {
            if let Some(ty) = types.first() {
                let diagnostic = names::unknown_field(&self.env.schema, *ty, &dotted, span);
                self.report(diagnostic);
            }
            return refused(span);
        }
        let field = FieldRef::ByType(Arc::from(fields));
        let captured = CapturedField { step: None, pick: Pick::Last, field };
        element(Typed { expr: Expr::Captured(captured), kind, span }, index)
    }

    /// `match.step` and its like.
    pub(super) fn fact(&mut self, path: &Path, context: ExprContext) -> Typed {
        let span = path.span;
        let name = match path.rest.as_slice() {
            [PathPart::Field(name)] => name.node.as_str(),
            _ => "",
        };
        let Some((_, fact, kind)) = FACTS.iter().find(|(fact, ..)| *fact == name) else {
            let message = format!("there is no `match.{name}`");
            let near = nearest(name, FACTS.iter().map(|(fact, ..)| *fact));
            let help = match (fact_elsewhere(name), near) {
                (Some(help), _) => help.to_owned(),
                (None, Some(near)) => format!("did you mean `match.{near}`?"),
                (None, None) => {
                    format!(
                        "the available names are {}",
                        listed(FACTS.iter().map(|(fact, ..)| *fact))
                    )
                }
            };
            return self.refuse(Code::UnknownField, span, message, help);
        };
        if *fact == MatchFact::Repetition
            && !(self.traits.repeats && matches!(context.what, What::Emit))
        {
            let message = "only a rule whose silence repeats has a `match.repetition`";
            let help = "use it in the `emit` of a rule that ends with `not x for 5m repeat`";
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        match context.what {
            What::Timeout => {}
            What::Emit if *fact != MatchFact::Awaits => {}
            What::Emit => {
                let message = "a complete match awaits nothing";
                let help = "use `match.awaits` in `on timeout emit`";
                return self.refuse(Code::NotAllowedHere, span, message, help);
            }
            _ => {
                let message = "`match` can't be used in a condition: it is known only when the \
                               match is reported";
                let help = "use `match` in `emit` and `on timeout emit`";
                return self.refuse(Code::NotAllowedHere, span, message, help);
            }
        }
        Typed { expr: Expr::Match(*fact), kind: *kind, span }
    }
}

/// Returns what is written here for a fact that `match` does not have.
fn fact_elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "count" | "number" | "size" => {
            "write `matches.count` for the number of matches, `count(step)` for the number of \
             events of a step"
        }
        "sum" | "avg" | "min" | "max" => {
            "write `matches.sum(step.field)` over all matches of a set, `sum(step.field)` over the \
             events of a step"
        }
        "duration" | "took" | "length" | "elapsed" => "write `match.end - match.start`",
        "time" | "at" | "timestamp" => "write `match.end` for the time of a match",
        "key" => "write a part of the key as a bare name: `emit { user }`",
        "repetitions" | "report" | "n" => "write `match.repetition` for the number of the report",
        _ => return None,
    })
}

/// True if the types of the events do not declare the field.
fn is_dynamic(field: &FieldRef) -> bool {
    match field {
        FieldRef::Dynamic(_) => true,
        FieldRef::ByType(fields) => fields.iter().all(|(_, field)| is_dynamic(field)),
        FieldRef::Declared(_) | FieldRef::Time => false,
    }
}

/// `[i]` of a step's events; `None` where the number is absurd.
fn nth(index: i64) -> Option<Pick> {
    let number = u32::try_from(index.unsigned_abs()).ok()?;
    Some(if index < 0 { Pick::FromEnd(number) } else { Pick::Nth(number) })
}

/// `a.b.c` and the index behind it; `None` where an index stands in between.
pub(super) fn dotted_field(path: &Path) -> Option<(String, Option<i64>)> {
    dotted_parts(Some(&path.root.node), &path.rest)
}

fn dotted_parts(root: Option<&str>, rest: &[PathPart]) -> Option<(String, Option<i64>)> {
    let mut out = root.unwrap_or_default().to_owned();
    for (i, part) in rest.iter().enumerate() {
        match part {
            PathPart::Field(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&name.node);
            }
            PathPart::Index(index) if i + 1 == rest.len() && !out.is_empty() => {
                return Some((out, Some(index.node)));
            }
            PathPart::Index(_) => return None,
        }
    }
    Some((out, None))
}

fn rest_text(rest: &[PathPart]) -> String {
    dotted_parts(None, rest).map_or_else(String::new, |(text, _)| text)
}

/// `list[i]`
fn element(list: Typed, index: Option<i64>) -> Typed {
    match index {
        None => list,
        Some(index) => {
            let args = vec![list.expr, Expr::Literal(Value::Int(index))];
            let expr = Expr::Call(Callee::BuiltIn(functions::ELEMENT), args);
            Typed { expr, kind: Kind::ANY, span: list.span }
        }
    }
}
