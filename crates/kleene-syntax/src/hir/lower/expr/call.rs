//! Calls of functions, and aggregates over what a step captured.

use std::sync::Arc;

use super::foreign::{foreign_call, is_foreign_aggregate};
use super::matches::TOTALS;
use super::path::StepLookup;
use super::text::fold_typed;
use super::typed::{COMPARABLE, compare, fold, non_null, refused};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::hir::expr::{Aggregate, AggregateOp, Pick, TextCase};
use crate::hir::functions::net::parse_network;
use crate::hir::functions::{self, Callee, Zone, time_text};
use crate::hir::lower::context::RuleLowerer;
use crate::hir::lower::names::{self, unknown};
use crate::hir::lower::terms::{ExprContext, StepInfo, TimeBound, Typed};
use crate::hir::{Expr, StepId};
use crate::syntax::MATCHES;
use crate::syntax::ast;
use crate::syntax::ast::{Name, Path, PathPart, Spanned};
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

impl<'a> RuleLowerer<'_, 'a> {
    pub(super) fn call(
        &mut self,
        name: &'a Name,
        args: &'a [Spanned<ast::Expr>],
        (case, span): (TextCase, Span),
        context: ExprContext,
    ) -> Typed {
        let aggregate = AggregateOp::ALL.into_iter().find(|op| op.name() == name.node);
        if let Some(op) = aggregate {
            let of_values = matches!(op, AggregateOp::Min | AggregateOp::Max) && args.len() != 1;
            if !of_values {
                return self.aggregate(op, name, args, span, context);
            }
        }
        if name.node == "matches" {
            let [text, pattern] = args else {
                return self.wrong_count(name, "matches(text, regex)", args.len(), span);
            };
            let text = self.expr(text, context);
            let pattern = self.expr(pattern, context);
            if text.kind.is_never() || pattern.kind.is_never() {
                return refused(span);
            }
            return self.regex(text, &pattern, (case, span));
        }
        let built_in = functions::lookup(&name.node).map(Callee::BuiltIn);
        let Some(function) = built_in.or_else(|| self.env.host.function(&name.node)) else {
            let near = nearest(&name.node, self.env.host.function_names());
            let mut diagnostic = unknown(Code::UnknownFunction, "function", name, near);
            let texts: Vec<&str> = args.iter().map(|arg| self.text_at(arg.span)).collect();
            if let Some(help) = foreign_call(&name.node, &texts) {
                diagnostic = diagnostic.help(help);
            }
            self.report(diagnostic);
            // Without an aggregate around them, its arguments would have to say which event.
            let args = if is_foreign_aggregate(&name.node) { &[] } else { args };
            for arg in args {
                self.expr(arg, context);
            }
            return refused(span);
        };
        if let [Spanned { node: ast::Expr::Path(path), .. }] = args
            && function.name() == "len"
            && context.candidate.is_none()
            && path.rest.is_empty()
            && matches!(self.find_step(&path.root.node), StepLookup::One(_))
        {
            let message = format!("`{}` is a step, not a string or a list", path.root.node);
            let help = format!("write `count({})`", path.root.node);
            return self.refuse(Code::NotAllowedHere, span, message, help);
        }
        let (fewest, most) = function.arguments();
        if args.len() < fewest || args.len() > most {
            return self.wrong_count(name, &function.signature(), args.len(), span);
        }
        let mut typed = Vec::with_capacity(args.len());
        let mut fine = true;
        for (i, arg) in args.iter().enumerate() {
            let mut arg = self.expr(arg, context);
            let Some((param, wanted)) = function.param(i) else { break };
            let what = format!("`{param}` of `{}`", function.name());
            fine &= !arg.kind.is_never()
                && self.coerce(&mut arg, wanted)
                && self.expect(&arg, wanted, &what)
                && (matches!(function, Callee::Host(_)) || self.check_constant(param, &arg));
            typed.push(arg);
        }
        if !fine {
            return refused(span);
        }
        if matches!(function.name(), "contains" | "starts_with" | "ends_with") {
            match (case, &typed[1].expr) {
                (TextCase::Exact, Expr::Literal(Value::String(text))) => {
                    self.warn_of_case(&typed[0], text, span);
                }
                (TextCase::Exact, _) => {}
                (TextCase::Ignored, _) => {
                    let texts = Kind::STRING.or(Kind::LIST);
                    if !(self.expect_text(&typed[0], texts)
                        && self.expect_text(&typed[1], Kind::STRING))
                    {
                        return refused(span);
                    }
                    typed.iter_mut().for_each(fold_typed);
                }
            }
        }
        self.finish_call(function, typed, span)
    }

    pub(super) fn finish_call(&mut self, callee: Callee, args: Vec<Typed>, span: Span) -> Typed {
        let function = match &callee {
            Callee::BuiltIn(function) | Callee::InZone(function, _) => *function,
            Callee::Host(function) => {
                let kind = function.result().or(Kind::NULL);
                let args = args.into_iter().map(|arg| arg.expr).collect();
                return Typed { expr: Expr::Call(callee, args), kind, span };
            }
        };
        let mut kind = function.result;
        if kind == Kind::ANY {
            kind = args.iter().fold(Kind::NEVER, |kind, arg| kind.or(arg.kind));
            // Values that a choice is made of have to compare.
            if function.variadic && function.name != "coalesce" {
                for pair in args.windows(2) {
                    let (a, b) = (non_null(pair[0].kind), non_null(pair[1].kind));
                    if !(a.is_never() || b.is_never() || compare(a, b)) {
                        let message = format!("{a} can't be compared with {b}");
                        self.report(Diagnostic::error(Code::TypeMismatch, pair[1].span, message));
                        return refused(span);
                    }
                }
            }
        }
        if function.name == "contains"
            && args[0].kind.is_subset_of(Kind::STRING.or(Kind::NULL))
            && !self.expect(&args[1], Kind::STRING, "`part` of `contains`")
        {
            return refused(span);
        }
        let kind = kind.or(Kind::NULL);
        let text = args.first().map(|arg| Typed { expr: arg.expr.clone(), ..*arg });
        let args: Vec<Expr> = args.into_iter().map(|arg| arg.expr).collect();
        let zone = function.zoned.and_then(|(at, _)| match args.get(at) {
            Some(Expr::Literal(Value::String(zone))) => Zone::parse(zone),
            _ => None,
        });
        let callee = match zone {
            Some(zone) => Callee::InZone(function, Arc::new(zone)),
            None => callee,
        };
        let typed = fold(Typed { expr: Expr::Call(callee, args), kind, span });
        self.warn_of_conversion(function.name, text, &typed);
        typed
    }

    /// Time zones and networks that are constants are checked now.
    pub(super) fn check_constant(&mut self, param: &str, arg: &Typed) -> bool {
        let Expr::Literal(Value::String(text)) = &arg.expr else { return true };
        let diagnostic = match param {
            "zone" if Zone::parse(text).is_none() => {
                let message = format!("unknown time zone {text:?}");
                Diagnostic::error(Code::BadLiteral, arg.span, message).help(Zone::help(text))
            }
            "layout" if !time_text::reads_date(text) => {
                let message =
                    format!("the layout {text:?} has no date, so the result is always null");
                Diagnostic::error(Code::BadLiteral, arg.span, message)
                    .help("include at least the year: `time(text, \"%Y-%m-%d %H:%M:%S\")`")
            }
            "network" if parse_network(text).is_none() => {
                Diagnostic::error(Code::BadLiteral, arg.span, format!("{text:?} is not a network"))
                    .help("write a network as \"10.0.0.0/8\" or \"fe80::/10\"")
            }
            "network" => {
                self.warn_of_one_address(text, arg.span);
                return true;
            }
            _ => return true,
        };
        self.report(diagnostic);
        false
    }

    pub(super) fn wrong_count(
        &mut self,
        name: &Name,
        signature: &str,
        found: usize,
        span: Span,
    ) -> Typed {
        let message = format!("`{}` does not take {found} arguments", name.node);
        let message = if found == 1 { message.replace("arguments", "argument") } else { message };
        let help = format!("write `{signature}`");
        self.refuse(Code::WrongArgumentCount, span, message, help)
    }

    /// Reports an aggregate that needs a field of a step and has none.
    fn report_no_field(&mut self, step: usize, spelled: &str, span: Span) {
        let step_name = &self.steps[step].name;
        let message = if self.steps[step].group {
            format!("`{step_name}` is a group: only `count({step_name})` accepts a group")
        } else {
            format!("`{spelled}` of which field?")
        };
        let diagnostic = Diagnostic::error(Code::NotAllowedHere, span, message);
        self.report(match self.fields_of(step) {
            Some(fields) => diagnostic.help(format!("fields are {fields}")),
            None => diagnostic,
        });
    }

    pub(super) fn aggregate(
        &mut self,
        op: AggregateOp,
        name: &Name,
        args: &'a [Spanned<ast::Expr>],
        span: Span,
        context: ExprContext,
    ) -> Typed {
        let spelled = name.node.as_str();
        let [arg] = args else {
            let of = if op == AggregateOp::Count { "step" } else { "step.field" };
            if let Some(help) = self.offset_from_end(op, args) {
                let message = format!("`{spelled}` does not take 2 arguments");
                return self.refuse(Code::WrongArgumentCount, span, message, help);
            }
            let signature = format!("{spelled}({of})");
            return self.wrong_count(name, &signature, args.len(), span);
        };
        if context.bound.is_some() {
            let message = "an aggregate inside an aggregate";
            self.report(Diagnostic::error(Code::NotAllowedHere, span, message));
            return refused(span);
        }
        let whole = matches!(&arg.node, ast::Expr::Path(path) if path.rest.is_empty());
        let mut steps = Vec::new();
        for root in step_roots(arg) {
            match self.find_step(&root.root.node) {
                StepLookup::One(step) if whole || !root.rest.is_empty() => steps.push(step),
                StepLookup::Several(first, second) if whole || !root.rest.is_empty() => {
                    self.ambiguous(&root.root.node, root.span, first, second);
                    return refused(span);
                }
                _ => {}
            }
        }
        steps.dedup();
        let step = match steps.as_slice() {
            [step] => *step,
            [] => return self.aggregate_of_nothing(op, spelled, arg, context),
            _ => {
                let message = format!("`{spelled}` can only read the events of one step");
                let help = "write one aggregate for each step";
                self.error(Code::NotAllowedHere, arg.span, message, help);
                return refused(span);
            }
        };
        if !self.expect_visible(context, step, span) {
            return refused(span);
        }
        self.warn_of_last_step(step, span, context);
        let id = StepId::new(step);
        if whole && op == AggregateOp::Count {
            let aggregate = Aggregate { op, step: id, arg: None, of_ints: false };
            return Typed { expr: Expr::Aggregate(Box::new(aggregate)), kind: Kind::INT, span };
        }
        if whole || self.steps[step].group {
            self.report_no_field(step, spelled, arg.span);
            return refused(span);
        }
        let pick = match op {
            AggregateOp::First => Some(Pick::First),
            AggregateOp::Last => Some(Pick::Last),
            _ => None,
        };
        if let Some(pick) = pick {
            let bound = Some(TimeBound::Pick(step, pick));
            let typed = self.expr(arg, ExprContext { bound, ..context });
            return Typed { span, ..typed };
        }
        let each = ExprContext {
            candidate: self.steps[step].ty,
            bound: Some(TimeBound::Each(step)),
            ..context
        };
        let typed = self.expr(arg, each);
        if typed.kind.is_never() {
            return refused(span);
        }
        let arg_kind = non_null(typed.kind);
        let (wanted, kind) = aggregate_kinds(op, arg_kind);
        if !self.expect(&typed, wanted, &format!("`{spelled}`")) {
            return refused(span);
        }
        let of_ints = arg_kind.is_subset_of(Kind::INT);
        let aggregate = Aggregate { op, step: id, arg: Some(typed.expr), of_ints };
        let kind = kind.or(Kind::NULL);
        Typed { expr: Expr::Aggregate(Box::new(aggregate)), kind, span }
    }

    /// The help for `last(p.amount, 1)`, as SQL has it.
    fn offset_from_end(&self, op: AggregateOp, args: &[Spanned<ast::Expr>]) -> Option<String> {
        let [Spanned { node: ast::Expr::Path(path), .. }, offset] = args else { return None };
        let ast::Expr::Literal(ast::Literal::Int(offset)) = offset.node else { return None };
        let index = match op {
            AggregateOp::First => offset,
            AggregateOp::Last => -1 - offset,
            _ => return None,
        };
        let step = &path.root.node;
        let text = self.text_at(path.span);
        let field = text.strip_prefix(step.as_str()).unwrap_or(".field");
        Some(format!(
            "put the index after the step: `{step}[{index}]{field}`; it counts from 0, a negative \
             one from the end"
        ))
    }

    /// The steps whose events have a field.
    fn owners_of(&self, field: &str) -> Vec<&StepInfo> {
        let is_owner = |step: &&StepInfo| !step.negated && self.has_field(step.ty, field);
        self.steps.iter().filter(is_owner).collect()
    }

    /// The help for `count(matches)`, `sum(matches.amount)`, `count(match)`.
    fn aggregate_of_set(&self, op: AggregateOp, path: &Path) -> Option<String> {
        if !matches!(path.root.node.as_str(), MATCHES | "match")
            || !matches!(self.find_step(&path.root.node), StepLookup::Nothing)
        {
            return None;
        }
        if op == AggregateOp::Count {
            return Some("write `matches.count` for the number of matches".to_owned());
        }
        let [PathPart::Field(field)] = path.rest.as_slice() else { return None };
        let owners = self.owners_of(&field.node);
        let owner = owners.first().map_or("step", |owner| &*owner.name);
        let (name, field) = (op.name(), &field.node);
        TOTALS.contains(&op).then(|| format!("write `matches.{name}({owner}.{field})`"))
    }

    /// `sum(amount)`: of whose events?
    pub(super) fn aggregate_of_nothing(
        &mut self,
        op: AggregateOp,
        spelled: &str,
        arg: &'a Spanned<ast::Expr>,
        context: ExprContext,
    ) -> Typed {
        if let ast::Expr::Path(path) = &arg.node
            && !path.rest.is_empty()
            && self.aggregate_of_set(op, path).is_none()
        {
            // The root is no step: say so.
            return self.path(path, context);
        }
        let mut help = format!("write `{spelled}(step.field)`");
        if let ast::Expr::Path(path) = &arg.node {
            let field = path.root.node.as_str();
            let mut owners = self.owners_of(field);
            if spelled == op.name() && owners.iter().any(|owner| owner.many) {
                owners.retain(|owner| owner.many);
            }
            if let Some(text) = self.aggregate_of_set(op, path) {
                help = text;
            } else if !owners.is_empty() {
                let calls =
                    owners.iter().map(|owner| format!("`{spelled}({}.{field})`", owner.name));
                help = format!("write {}", calls.collect::<Vec<_>>().join(" or "));
            } else {
                let steps = || self.steps.iter().filter(|step| !step.negated);
                if let Some(near) = nearest(field, steps().map(|step| &*step.name)) {
                    help = format!("did you mean `{spelled}({near})`?");
                } else if let Some(these) = names::these("step", steps().map(|step| &*step.name)) {
                    help = format!("{help}; {these}");
                }
            }
        }
        if op.name() == spelled && matches!(op, AggregateOp::Min | AggregateOp::Max) {
            help = format!("{help}, or `{spelled}(a, b)` for the {spelled} of two values");
        }
        let message = format!("`{spelled}` over which events?");
        self.refuse(Code::NotAllowedHere, arg.span, message, help)
    }
}

/// The paths of an expression that can name a step.
fn step_roots(expr: &Spanned<ast::Expr>) -> Vec<&Path> {
    let mut roots = Vec::new();
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        match &next.node {
            ast::Expr::Path(path) => roots.push(path),
            other => open.extend(other.parts()),
        }
    }
    roots
}

/// Returns the types that an aggregate takes, and the types of its result beside null.
fn aggregate_kinds(op: AggregateOp, arg_kind: Kind) -> (Kind, Kind) {
    match op {
        AggregateOp::Count => (Kind::ANY, Kind::INT),
        AggregateOp::Sum => (Kind::NUMBER.or(Kind::DURATION), arg_kind),
        AggregateOp::Avg => {
            let kind = if arg_kind == Kind::DURATION { arg_kind } else { Kind::FLOAT };
            (Kind::NUMBER.or(Kind::DURATION), kind)
        }
        AggregateOp::Min | AggregateOp::Max => (COMPARABLE, arg_kind),
        AggregateOp::Stddev => (Kind::NUMBER, Kind::FLOAT),
        AggregateOp::Distinct | AggregateOp::Collect => (Kind::ANY, Kind::LIST),
        AggregateOp::First | AggregateOp::Last => (Kind::ANY, arg_kind),
    }
}
