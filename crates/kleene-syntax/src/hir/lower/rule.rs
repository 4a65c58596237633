//! Lowers one rule from its clauses; each clause is checked in a file of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clauses::{Clauses, Gathered};
use super::context::RuleLowerer;
use super::env::{Env, Param};
use super::layout::Layout;
use super::names::{self, Defines};
use super::pattern::{Planned, Written};
use super::terms::{ExprContext, What};
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::lint::{UnusedName, WrittenStep, lint};
use crate::hir::site::Site;
use crate::hir::{Emit, Expr, Meta, Pattern, Rule, Sequence, Step};
use crate::syntax::ast::{self, Clause, Name, Spanned};
use kleene_event::schema::TypeId;
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

impl<'a> Env<'a> {
    pub(super) fn lower_rule(&mut self, gathered: &Gathered<'a>) -> Option<Rule> {
        if self.has_too_many_errors() {
            return None;
        }
        let Gathered { source, name, clauses, args } = gathered;
        let (source, name) = (*source, *name);
        let errors = self.errors;
        let mut params = BTreeMap::new();
        let mut failed_params = BTreeSet::new();
        for &(source, param) in &clauses.params {
            let param_name = param.name.node.as_str();
            let given = args.iter().find(|(arg, _)| *arg == param_name).map(|(_, value)| *value);
            match self.param_value(source, param, Some(&name.node), given) {
                Some(value) => {
                    params.insert(param_name, value);
                }
                None => {
                    failed_params.insert(param_name);
                }
            }
        }
        for &name in &failed_params {
            // The parameter was refused and reported; its uses should not be reported, too.
            params.insert(name, Param { value: Value::Null, kind: Kind::NEVER });
        }
        let mut defines = Defines::new();
        for &(source, define) in &clauses.defines {
            if self.is_no_event(source, &define.name) {
                defines.insert(&define.name.node, (source, define));
            }
        }
        let mut lowerer = RuleLowerer::new(self, source, params, defines);
        let rule = lowerer.lower(name, clauses);
        // A rule without a pattern was refused. The parser may have reported why.
        let has_pattern = !rule.pattern.body.items.is_empty();
        if lowerer.env.errors == errors && has_pattern {
            // If something was refused, the names that it would have used are not known.
            lowerer.record_unused(clauses);
        }
        lowerer.lint(name, clauses, &rule);
        let rule = Some(rule).filter(|_| lowerer.env.errors == errors && has_pattern);
        let steps_at =
            lowerer.steps.iter().map(|step| (step.site.source, step.site.span)).collect();
        let written = clauses.get("match").map(|(source, clause)| (source, clause.span));
        let layout = written.map(|pattern| Layout {
            pattern,
            steps: steps_at,
            fixed: lowerer.conditions.fixed,
        });
        let (mut outputs, key, fed) =
            (lowerer.reporting.outputs, lowerer.key, lowerer.reporting.fed);
        let steps = lowerer.traits.steps_written_out;
        self.add_steps(source, name, steps);
        outputs.key = key;
        if let Some(rule) = &rule {
            self.outputs.insert(rule.name.clone(), outputs);
            self.layouts.extend(layout.map(|layout| (rule.name.clone(), layout)));
        }
        self.note_fed(gathered, rule.is_some().then_some(fed));
        rule
    }
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Lowers a rule. Its sequence is empty if its pattern was refused.
    fn lower(&mut self, name: &'a Name, clauses: &Clauses<'a>) -> Rule {
        let get = |word: &str| clauses.get(word);
        let errors = self.env.errors;
        let planned = self.lay_out(name, clauses);
        let types = self.types(get("from"));
        let (types, key) = self.key(get("key"), types, get("from"));
        self.stream.types.clone_from(&types);
        self.stream.key.clone_from(&key);
        self.check_wildcard(get("from"), errors);
        let body =
            planned.map(|(source, planned)| self.at(source, |lowerer| lowerer.build(&planned)));
        let skip = self.skip(get("skip"));
        let report = self.report_clause(get("report"));
        let emit = get("emit").and_then(|(source, clause)| match &clause.node {
            Clause::Emit(emit) => Some(self.at(source, |lowerer| lowerer.emit(emit, What::Emit))),
            _ => None,
        });
        let on_timeout = self.on_timeout(clauses, body.as_ref().map(|(body, _)| body));
        let having = get("having").and_then(|(source, clause)| match &clause.node {
            Clause::Having(condition) => {
                Some(self.at(source, |lowerer| lowerer.having(condition, emit.as_ref())))
            }
            _ => None,
        });
        let suppress = get("suppress").and_then(|(source, clause)| match &clause.node {
            Clause::Suppress(dur, by) => {
                self.at(source, |lowerer| lowerer.suppress(dur, by, emit.as_ref()))
            }
            _ => None,
        });
        let once = once(clauses);
        self.check_once(clauses);
        self.check_ordered_repeat(clauses);
        let limit = get("limit").and_then(|(source, clause)| match &clause.node {
            Clause::Limit(number, policy) => {
                self.at(source, |lowerer| lowerer.limit(number, *policy))
            }
            _ => None,
        });
        let meta = self.meta(clauses);
        let (body, within) = body.unwrap_or_default();
        let steps = self.steps.iter().map(|step| Step {
            name: step.name.clone(),
            ty: step.one_type(),
            negated: step.negated,
        });
        let pattern = Pattern {
            steps: steps.collect(),
            conditions: std::mem::take(&mut self.conditions.all.items),
            lengths: std::mem::take(&mut self.lengths.items),
            body,
            within,
            skip,
            report,
            totals: std::mem::take(&mut self.reporting.totals.items),
            report_timeouts: on_timeout.is_some(),
            repeats: self.traits.repeats,
        };
        let name: Arc<str> = name.node.as_str().into();
        Rule {
            name,
            meta,
            types,
            key,
            step_keys: std::mem::take(&mut self.step_keys.several),
            pattern,
            emit,
            on_timeout,
            having,
            suppress,
            once,
            limit,
            // Computed when it is known which types the rule feeds.
            version: 0,
        }
    }

    /// Runs the lints over a rule that was lowered.
    fn lint(&mut self, name: &Name, clauses: &Clauses<'a>, rule: &Rule) {
        self.written.name = Site { source: self.source, span: name.span };
        let site = |(source, clause): (usize, &Spanned<_>)| Site { source, span: clause.span };
        let clauses = clauses.by_word.iter().map(|(word, clause)| (*word, site(*clause)));
        self.written.clauses = clauses.collect();
        let steps = self.steps.iter().map(|step| WrittenStep {
            site: step.site,
            is_named: step.explicit,
            is_many: step.many,
        });
        self.written.steps = steps.collect();
        for (source, diagnostic) in lint(rule, &self.written, &self.env.schema) {
            self.env.report(source, diagnostic);
        }
    }

    /// Lays out the steps of `match`. Returns the plan with its file.
    fn lay_out(&mut self, name: &'a Name, clauses: &Clauses<'a>) -> Option<(usize, Planned<'a>)> {
        let errors = self.env.errors;
        let mut within = None;
        if let Some((source, clause)) = clauses.get("within")
            && let Clause::Within(dur) = &clause.node
        {
            // A refused bound was reported; it is not reported again as missing.
            let bound = self.at(source, |lowerer| lowerer.bound(dur));
            within = Some((source, bound.unwrap_or(Written::Millis(i64::MAX))));
        }
        let mut planned = None;
        if let Some((source, clause)) = clauses.get("match")
            && let Clause::Match(found) = &clause.node
        {
            self.written.pattern = Some(Site { source, span: found.span });
            planned = self
                .at(source, |lowerer| lowerer.plan(found, within))
                .map(|planned| (source, planned));
            let laid_out = planned.as_ref().map(|(_, planned)| planned);
            let is_fine = self.env.errors == errors;
            self.at(source, |lowerer| lowerer.check_repeats(found, laid_out.filter(|_| is_fine)));
        } else {
            let message = format!("the rule `{}` has no `match`", name.node);
            let help = "add a pattern: `match order_created -> order_paid`";
            self.error(Code::MissingMatch, name.span, message, help);
        }
        planned
    }

    /// Lowers `on timeout`.
    fn on_timeout(&mut self, clauses: &Clauses<'a>, body: Option<&Sequence>) -> Option<Emit> {
        clauses.get("on timeout").and_then(|(source, clause)| {
            let Clause::OnTimeout(emit) = &clause.node else { return None };
            let is_bounded = |body: &Sequence| self.written.is_sound && body.has_bounded_wait();
            if clauses.get("within").is_none() && body.is_some_and(|body| !is_bounded(body)) {
                let message = "without `within`, nothing times out";
                let help = "add a time bound to the rule: `within 1h`";
                self.env.error(source, Code::MissingClause, clause.span, message, help);
            }
            Some(self.at(source, |lowerer| lowerer.emit(emit, What::Timeout)))
        })
    }

    /// The types of the rule's stream.
    fn types(&mut self, from: Option<(usize, &'a Spanned<Clause>)>) -> Vec<TypeId> {
        let named: Vec<TypeId> = self.stream.named.keys().copied().collect();
        let Some((source, clause)) = from else { return named };
        let Clause::From(Some(names)) = &clause.node else {
            // Types that only rules feed are not declared.
            let types = self.env.schema.types();
            let types = types.filter(|(id, ty)| {
                self.stream.named.contains_key(id) || self.env.fed_at(&ty.name).is_none()
            });
            return types.map(|(id, _)| id).collect();
        };
        let mut types = Vec::new();
        for name in names {
            if let Some(ty) = names::event_type(self.env, None, source, name) {
                types.push(ty);
            } else {
                // A name in the pattern may be the one that is meant.
                let schema = &self.env.schema;
                let near = nearest(&name.node, named.iter().map(|ty| &*schema.ty(*ty).name));
                types.extend(near.and_then(|near| schema.type_id(near)));
            }
        }
        types.sort_unstable();
        types.dedup();
        for ty in named {
            if types.contains(&ty) {
                continue;
            }
            let (step_source, name) = self.stream.named[&ty];
            let event = self.env.schema.ty(ty).name.clone();
            let message =
                format!("this step waits for `{event}`, which is not in the rule's `from`");
            let mut diagnostic = Diagnostic::error(Code::UnknownType, name.span, message)
                .help(format!("add it: `from {event}, ...`"));
            if step_source == source {
                diagnostic = diagnostic.context(clause.span, "it is missing here");
            }
            self.env.report(step_source, diagnostic);
        }
        types
    }

    fn meta(&mut self, clauses: &Clauses<'a>) -> Meta {
        let mut meta = Meta::default();
        for &(source, clause) in clauses.by_word.values() {
            match &clause.node {
                Clause::About(text) => meta.about = Some(text.node.as_str().into()),
                Clause::Severity(name) => meta.severity = Some(name.node.as_str().into()),
                Clause::Tags(tags) => {
                    meta.tags = tags.iter().map(|tag| tag.node.as_str().into()).collect();
                }
                Clause::Meta(fields) => meta.values = self.meta_values(source, fields),
                _ => {}
            }
        }
        meta
    }

    fn meta_values(
        &mut self,
        source: usize,
        fields: &'a [(Name, Spanned<ast::Expr>)],
    ) -> Vec<(Arc<str>, Value)> {
        let context = ExprContext { candidate: None, what: What::Constant, bound: None };
        let mut values = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let typed = self.at(source, |lowerer| lowerer.expr(value, context));
            if let Expr::Literal(value) = typed.expr {
                values.push((name.node.as_str().into(), value));
            } else {
                let message = "only a constant can be used here";
                let diagnostic = Diagnostic::error(Code::NotAllowedHere, typed.span, message);
                self.env.report(source, diagnostic);
            }
        }
        values
    }

    /// Records the declarations that the rule does not use.
    fn record_unused(&mut self, clauses: &Clauses<'a>) {
        let params = clauses.params.iter().map(|&(at, param)| (at, "parameter", &param.name));
        let defines = clauses.defines.iter().map(|&(at, define)| (at, "define", &define.name));
        for (source, what, name) in params.chain(defines) {
            let used = if what == "define" { &self.used_defines } else { &self.used_params };
            if !used.contains(name.node.as_str()) {
                let site = Site { source, span: name.span };
                self.written.unused.push(UnusedName { what, name: name.node.clone(), site });
            }
        }
    }
}

fn once(clauses: &Clauses<'_>) -> Option<ast::Once> {
    match clauses.get("once")?.1.node {
        Clause::Once(once) => Some(once),
        _ => None,
    }
}
