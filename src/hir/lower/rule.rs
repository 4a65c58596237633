//! A rule's clauses, gathered and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::expr::{Doubt, Place, Typed, What};
use super::feeds::Record;
use super::literal::Given;
use super::names::{self, Defines, listed};
use super::pattern::{StepInfo, Written};
use super::{Env, Layout, Param, canon, unknown};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::hir::expr::FieldRef;
use crate::hir::{
    Condition, ConditionId, Emit, Expr, KeyPart, LengthId, Limit, LimitPolicy, Meta, Once, Pattern,
    Rule, Skip, SkipStrategy, Stage, StageId, Suppress,
};
use crate::schema::TypeId;
use crate::syntax::ast::{self, Clause, Name, Spanned};
use crate::value::{Kind, Value};

/// How long a chain of instances of instances may be.
const MAX_INSTANCES: usize = 64;

/// One rule in the making.
pub(super) struct Cx<'e, 'a> {
    pub(super) env: &'e mut Env<'a>,
    /// The file that what is looked at stands in.
    pub(super) source: usize,
    pub(super) params: BTreeMap<&'a str, Param>,
    pub(super) defines: Defines<'a>,
    /// The steps of the pattern, by their stages' indices.
    pub(super) steps: Vec<StepInfo>,
    /// The parts of the key with their types.
    pub(super) key: Vec<(Arc<str>, Kind)>,
    /// The types of what the rule emits.
    outputs: OutputTypes,
    /// True if the silence at the end of the pattern is reported again and again.
    pub(super) repeats: bool,
    /// The fields that the rule emits, where bare names can mean them.
    pub(super) emitted: Vec<(Arc<str>, Expr, Kind)>,
    /// How many steps the pattern has if its repetitions are written out.
    pub(super) steps_written_out: u64,
    /// How many repeated groups there are.
    pub(super) loop_count: usize,
    /// Whether the rule has `skip none`.
    pub(super) keeps_all: bool,
    /// Where a pattern stands whose partial matches can wait for ever.
    pub(super) waits_forever: Option<(usize, Span)>,
    /// Whether a gap bounds some wait.
    pub(super) bounded_waits: bool,
    pub(super) used_defines: BTreeSet<&'a str>,
    used_params: BTreeSet<&'a str>,
    conditions: Vec<Condition>,
    /// By condition: whether it is the same whatever parameters and lists say.
    fixed: Vec<bool>,
    pub(super) lengths: Vec<Expr>,
    /// The lengths by how they print.
    pub(super) length_ids: HashMap<String, LengthId>,
    /// The types of the steps that conditions were added for so far.
    step_types: Vec<Option<TypeId>>,
    condition_ids: HashMap<String, ConditionId>,
    /// The types of the rule's stream, once its steps are known.
    pub(super) stream: Vec<TypeId>,
    /// The first place at which the pattern says `any event`, with its file.
    pub(super) wildcard: Option<(usize, Span)>,
    /// Negations of what may be null, reported once the key is known.
    pub(super) doubts: Vec<Doubt>,
    /// The event types that the pattern names, each with a place.
    named: BTreeMap<TypeId, (usize, &'a Name)>,
    /// The records that feed types without declaration.
    pub(super) fed: Vec<Record<'a>>,
}

/// A rule's clauses, with those of its base and what its parameters are given.
pub(super) struct Gathered<'a> {
    source: usize,
    pub(super) name: &'a Name,
    pub(super) clauses: Clauses<'a>,
    args: Vec<(&'a str, Given<'a>)>,
}

/// The types of what a rule reports, by name, for its tests.
#[derive(Default)]
pub(super) struct OutputTypes {
    pub(super) emit: Vec<(Arc<str>, Kind)>,
    pub(super) timeout: Vec<(Arc<str>, Kind)>,
    pub(super) key: Vec<(Arc<str>, Kind)>,
}

/// The clauses of a rule, each with its file.
#[derive(Default)]
pub(super) struct Clauses<'a> {
    pub(super) by_word: BTreeMap<&'static str, (usize, &'a Spanned<Clause>)>,
    params: Vec<(usize, &'a ast::ParamDecl)>,
    pub(super) defines: Vec<(usize, &'a ast::Define)>,
}

impl<'a> Clauses<'a> {
    /// Later clauses take the place of earlier ones.
    fn add(&mut self, source: usize, clauses: &'a [Spanned<Clause>]) {
        for clause in clauses {
            let word = match &clause.node {
                Clause::Param(param) => {
                    self.params.retain(|(_, other)| {
                        other.name != param.name || std::ptr::eq(*other, param)
                    });
                    self.params.push((source, param));
                    continue;
                }
                Clause::Define(define) => {
                    self.defines.retain(|(_, other)| other.name != define.name);
                    self.defines.push((source, define));
                    continue;
                }
                Clause::About(_) => "about",
                Clause::Severity(_) => "severity",
                Clause::Tags(_) => "tags",
                Clause::Meta(_) => "meta",
                Clause::From(_) => "from",
                Clause::Key(_) => "key",
                Clause::Match(_) => "match",
                Clause::Within(_) => "within",
                Clause::Skip(_) => "skip",
                Clause::Emit(_) => "emit",
                Clause::OnTimeout(_) => "on timeout",
                Clause::Having(_) => "having",
                Clause::Suppress(..) => "suppress",
                Clause::Once(_) => "once",
                Clause::Limit(..) => "limit",
            };
            self.by_word.insert(word, (source, clause));
        }
    }

    pub(super) fn is_from_all(&self) -> bool {
        self.by_word.get("from").is_some_and(|(_, clause)| clause.node == Clause::From(None))
    }
}

/// Reports names that are declared twice in one rule.
fn check_twice<'a>(env: &mut Env<'a>, source: usize, clauses: &'a [Spanned<Clause>]) {
    let mut seen: BTreeMap<(&str, &str), &Name> = BTreeMap::new();
    for clause in clauses {
        let (what, name) = match &clause.node {
            Clause::Param(param) => ("parameter", &param.name),
            Clause::Define(define) => ("define", &define.name),
            _ => continue,
        };
        if let Some(first) = seen.insert((what, &name.node), name) {
            let message = format!("the {what} `{}` is declared twice", name.node);
            let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                .context(first.span, "declared here first");
            env.report(source, diagnostic);
        }
    }
}

impl<'a> Env<'a> {
    pub(super) fn gather(&mut self, source: usize, rule: &'a ast::Rule) -> Gathered<'a> {
        check_twice(self, source, &rule.clauses);
        let mut clauses = Clauses::default();
        clauses.add(source, &rule.clauses);
        Gathered { source, name: &rule.name, clauses, args: Vec::new() }
    }

    pub(super) fn gather_instance(
        &mut self,
        source: usize,
        decl: &'a ast::Instance,
    ) -> Option<Gathered<'a>> {
        let mut clauses = Clauses::default();
        let mut args = Vec::new();
        self.inherit(source, decl, &mut Vec::new(), &mut clauses, &mut args)?;
        Some(Gathered { source, name: &decl.name, clauses, args })
    }

    /// Gathers the clauses and arguments of an instance's bases, then its own.
    fn inherit(
        &mut self,
        source: usize,
        decl: &'a ast::Instance,
        path: &mut Vec<&'a str>,
        clauses: &mut Clauses<'a>,
        args: &mut Vec<(&'a str, Given<'a>)>,
    ) -> Option<()> {
        let base = decl.base.node.as_str();
        path.push(&decl.name.node);
        if path.len() > MAX_INSTANCES {
            let message = format!("instances of instances, more than {MAX_INSTANCES} deep");
            self.report(source, Diagnostic::error(Code::LimitExceeded, decl.name.span, message));
            return None;
        }
        if let Some(&(base_source, rule)) = self.rules.get(base) {
            clauses.add(base_source, &rule.clauses);
        } else if path.contains(&base) {
            let message = format!("the rule `{base}` is an instance of itself");
            let diagnostic = Diagnostic::error(Code::UnknownRule, decl.base.span, message);
            self.report(source, diagnostic.help("an instance is of a rule with a `match`"));
            return None;
        } else if let Some(&(base_source, instance)) = self.instances.get(base) {
            self.inherit(base_source, instance, path, clauses, args)?;
        } else {
            let names = self.rules.keys().chain(self.instances.keys()).copied();
            let near = nearest(base, names);
            let diagnostic = unknown(Code::UnknownRule, "rule", &decl.base, near);
            self.report(source, diagnostic);
            return None;
        }
        check_twice(self, source, &decl.overrides);
        clauses.add(source, &decl.overrides);
        for (index, (name, value)) in decl.args.iter().enumerate() {
            let params = || clauses.params.iter().map(|(_, param)| param.name.node.as_str());
            if !params().any(|param| param == name.node) {
                let near = nearest(&name.node, params());
                let mut diagnostic = unknown(Code::UnknownParam, "parameter", name, near);
                if near.is_none() {
                    let known = listed(params());
                    diagnostic = diagnostic.help(if known.is_empty() {
                        format!("`{base}` has no parameters")
                    } else {
                        format!("`{base}` has {known}")
                    });
                }
                self.report(source, diagnostic);
            }
            if let Some((first, _)) = decl.args[..index].iter().find(|(other, _)| other == name) {
                let message = format!("`{}` is given twice", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .context(first.span, "given here first");
                self.report(source, diagnostic);
            }
            args.retain(|(other, _)| *other != name.node);
            args.push((&name.node, (source, value)));
        }
        Some(())
    }

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
            // It was reported already; what it is used for should not be.
            params.insert(name, Param { value: Value::Null, kind: Kind::NEVER });
        }
        let mut defines = Defines::new();
        for &(source, define) in &clauses.defines {
            if self.is_no_event(source, &define.name) {
                defines.insert(&define.name.node, (source, define));
            }
        }
        let mut cx = Cx {
            env: self,
            source,
            params,
            defines,
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
        };
        let rule = cx.lower(name, clauses);
        // Where something was refused, what it would have used is not known.
        let rule = rule.filter(|_| cx.env.errors == errors);
        if rule.is_some() {
            cx.warn_unused(clauses);
        }
        let steps_at = cx.steps.iter().map(|step| (step.site.source, step.site.span)).collect();
        let written = clauses.by_word.get("match").map(|&(source, clause)| (source, clause.span));
        let layout = written.map(|pattern| Layout { pattern, steps: steps_at, fixed: cx.fixed });
        let (mut outputs, key, fed) = (cx.outputs, cx.key, cx.fed);
        let steps = cx.steps_written_out;
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

impl<'a> Cx<'_, 'a> {
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
    fn at<T>(&mut self, source: usize, f: impl FnOnce(&mut Self) -> T) -> T {
        let home = std::mem::replace(&mut self.source, source);
        let result = f(self);
        self.source = home;
        result
    }

    fn lower(&mut self, name: &'a Name, clauses: &Clauses<'a>) -> Option<Rule> {
        let get = |word: &str| clauses.by_word.get(word).copied();
        let errors = self.env.errors;
        let mut within = None;
        if let Some((source, clause)) = get("within")
            && let Clause::Within(dur) = &clause.node
        {
            // What was refused is not refused again for want of it.
            let bound = self.at(source, |cx| cx.bound(dur));
            within = Some((source, bound.unwrap_or(Written::Millis(i64::MAX))));
        }
        self.keeps_all = matches!(
            get("skip").map(|(_, clause)| &clause.node),
            Some(Clause::Skip(ast::Skip { strategy: ast::SkipStrategy::None, .. }))
        );
        let mut planned = None;
        if let Some((source, clause)) = get("match")
            && let Clause::Match(found) = &clause.node
        {
            planned = self.at(source, |cx| cx.plan(found, within)).map(|planned| (source, planned));
            let laid_out = planned.as_ref().map(|(_, planned)| planned);
            let is_fine = self.env.errors == errors;
            self.at(source, |cx| cx.check_repeats(found, laid_out.filter(|_| is_fine)));
        } else {
            let message = format!("the rule `{}` has no `match`", name.node);
            self.report(
                Diagnostic::error(Code::MissingMatch, name.span, message)
                    .help("say what it looks for: `match order_created -> order_paid`"),
            );
        }
        let types = self.types(get("from"));
        let (types, key) = self.key(name, get("key"), get("match").is_some(), types, get("from"));
        self.stream.clone_from(&types);
        self.check_wildcard(get("from"), errors);
        let body = planned.map(|(source, planned)| self.at(source, |cx| cx.build(&planned)));
        self.warn_of_doubts(&key);
        let skip = self.skip(get("skip"));
        let emit = get("emit").and_then(|(source, clause)| match &clause.node {
            Clause::Emit(emit) => Some(self.at(source, |cx| cx.emit(emit, What::Emit))),
            _ => None,
        });
        let on_timeout = get("on timeout").and_then(|(source, clause)| {
            let Clause::OnTimeout(emit) = &clause.node else { return None };
            if get("within").is_none() && body.is_some() && !self.bounded_waits {
                // That it waits for ever is said with it.
                self.waits_forever = None;
                let message = "without `within` nothing times out";
                self.env.report(
                    source,
                    Diagnostic::error(Code::MissingClause, clause.span, message)
                        .help("give the rule a bound: `within 1h`"),
                );
            }
            Some(self.at(source, |cx| cx.emit(emit, What::Timeout)))
        });
        if let Some((source, span)) = self.waits_forever {
            let message = "without `within`, a partial match waits for ever";
            self.env.report(
                source,
                Diagnostic::warning(Code::NoWithin, span, message)
                    .help("say how long a match may take: `within 1h`"),
            );
        }
        let having = get("having").and_then(|(source, clause)| match &clause.node {
            Clause::Having(condition) => {
                Some(self.at(source, |cx| cx.having(condition, emit.as_ref())))
            }
            _ => None,
        });
        let suppress = get("suppress").and_then(|(source, clause)| match &clause.node {
            Clause::Suppress(dur, by) => self.at(source, |cx| cx.suppress(dur, by, emit.as_ref())),
            _ => None,
        });
        let once = get("once").and_then(|(_, clause)| match clause.node {
            Clause::Once(once) => Some(once),
            _ => None,
        });
        self.check_once(clauses);
        self.check_ordered_repeat(clauses);
        let limit = get("limit").and_then(|(source, clause)| match &clause.node {
            Clause::Limit(number, policy) => self.at(source, |cx| cx.limit(number, *policy)),
            _ => None,
        });
        let meta = self.meta(clauses);
        let (body, within) = body?;
        let report_timeouts = on_timeout.is_some();
        let stages = self
            .steps
            .iter()
            .map(|step| Stage {
                name: step.name.clone(),
                ty: step.one_type(),
                negated: step.negated,
            })
            .collect();
        let pattern = Pattern {
            stages,
            conditions: std::mem::take(&mut self.conditions),
            lengths: std::mem::take(&mut self.lengths),
            body,
            within,
            skip,
            report_timeouts,
            repeats: self.repeats,
        };
        let name: Arc<str> = name.node.as_str().into();
        let mut rule = Rule {
            name,
            meta,
            types,
            key,
            pattern,
            emit,
            on_timeout,
            having,
            suppress,
            once,
            limit,
            version: 0,
        };
        rule.version = canon::version(&rule, &self.env.schema);
        Some(rule)
    }

    /// A condition on a match. A bare name is an emitted field; all else is as in an emit.
    fn having(&mut self, condition: &'a Spanned<ast::Expr>, emit: Option<&Emit>) -> Expr {
        let fields = emit.iter().flat_map(|emit| &emit.fields);
        let kinds = self.outputs.emit.iter().map(|(_, kind)| *kind);
        self.emitted = fields
            .zip(kinds)
            .map(|((name, expr), kind)| (name.clone(), expr.clone(), kind))
            .collect();
        let place = Place { candidate: None, what: What::Emit, bound: None };
        let typed = self.condition(condition, place);
        self.emitted.clear();
        typed.expr
    }

    fn suppress(
        &mut self,
        dur: &'a ast::Dur,
        by: &'a [Name],
        emit: Option<&Emit>,
    ) -> Option<Suppress> {
        let duration = if let ast::Dur::Path(path) = dur {
            let place = Place { candidate: None, what: What::Emit, bound: None };
            let typed = self.path(path, place);
            if !self.expect(&typed, Kind::DURATION, "`suppress`") {
                return None;
            }
            typed.expr
        } else {
            let millis = self.duration(dur)?;
            if millis == 0 {
                let message = "for no time at all nothing is suppressed";
                let diagnostic = Diagnostic::error(Code::BadBound, dur.span(), message);
                self.report(diagnostic.help("`suppress 1m` reports at most one match a minute"));
                return None;
            }
            Expr::Literal(Value::Duration(millis))
        };
        let mut values = Vec::with_capacity(by.len());
        for (index, name) in by.iter().enumerate() {
            if let Some(first) = by[..index].iter().find(|other| *other == name) {
                let message = format!("`{}` is named twice", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .context(first.span, "named here first");
                self.report(diagnostic);
            }
            values.push(self.suppress_by(name, emit)?);
        }
        Some(Suppress { duration, by: (!by.is_empty()).then_some(values) })
    }

    /// Reports `ordered` and `once` beside a silence that repeats: others would wait for it as long
    /// as it lasts, and nothing of it would follow.
    fn check_ordered_repeat(&mut self, clauses: &Clauses<'a>) {
        if !self.repeats {
            return;
        }
        let get = |word| clauses.by_word.get(word).copied();
        if let Some((source, clause)) = get("skip")
            && let Clause::Skip(ast::Skip { ordered: true, .. }) = &clause.node
        {
            let message = "with `ordered`, matches would wait for a silence that repeats";
            let diagnostic = Diagnostic::error(Code::BadRepeat, clause.span, message);
            self.env.report(source, diagnostic.help("leave out `ordered`, or `repeat`"));
        }
        if let Some((source, clause)) = get("once") {
            let message = "nothing is repeated after the first match (`once`)";
            let diagnostic = Diagnostic::error(Code::BadRepeat, clause.span, message);
            self.env.report(source, diagnostic.help("leave out `once`, or `repeat`"));
        }
    }

    /// Reports clauses that contradict `once`, or that say nothing beside it.
    fn check_once(&mut self, clauses: &Clauses<'a>) {
        let get = |word| clauses.by_word.get(word).copied();
        let Some((source, clause)) = get("once") else { return };
        let Clause::Once(once) = &clause.node else { return };
        let once = *once;
        if let Some((_, suppress)) = get("suppress") {
            let message = "`suppress` and `once` contradict each other";
            let mut diagnostic = Diagnostic::error(Code::BadOnce, clause.span, message)
                .help("leave out `suppress` if nothing is to follow the first match, else `once`");
            if get("suppress").is_some_and(|(other, _)| other == source) {
                diagnostic = diagnostic.context(suppress.span, "this lets matches follow later");
            }
            self.env.report(source, diagnostic);
        }
        if once == Once::Rule && self.key.is_empty() {
            let message = "`per rule` says nothing here: the rule has no key";
            let diagnostic = Diagnostic::warning(Code::NothingToSay, clause.span, message);
            self.env.report(source, diagnostic.help("write `once`"));
        }
        if let Some((source, skip)) = get("skip")
            && let Clause::Skip(ast::Skip { ordered: false, .. }) = &skip.node
            && get("having").is_none()
        {
            let message = "`skip` says nothing beside `once`: nothing follows the first match";
            let diagnostic = Diagnostic::warning(Code::NothingToSay, skip.span, message);
            self.env.report(source, diagnostic.help("leave `skip` out"));
        }
    }

    /// What a name behind `suppress ... by` means: an emitted field, or a part of the key.
    fn suppress_by(&mut self, name: &'a Name, emit: Option<&Emit>) -> Option<Expr> {
        let emitted = || emit.iter().flat_map(|emit| &emit.fields);
        if let Some((_, expr)) = emitted().find(|(field, _)| **field == *name.node) {
            return Some(expr.clone());
        }
        if let Some(index) = self.key.iter().position(|(key, _)| **key == *name.node) {
            return Some(Expr::Key(index));
        }
        let known = || emitted().map(|(name, _)| &**name).chain(self.key.iter().map(|(k, _)| &**k));
        let help = match nearest(&name.node, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("emit it: `emit {{ {}: ... }}`", name.node),
        };
        let message = format!("the rule emits no `{}`, and its key has none", name.node);
        let diagnostic = Diagnostic::error(Code::UnknownField, name.span, message).help(help);
        self.report(diagnostic);
        None
    }

    fn limit(&mut self, number: &Spanned<u64>, policy: LimitPolicy) -> Option<Limit> {
        if number.node == 0 {
            let message = "with no partial match nothing can begin";
            let diagnostic = Diagnostic::error(Code::BadBound, number.span, message);
            self.report(
                diagnostic.help("a limit is at least 1: `limit 1000 partials drop oldest`"),
            );
            return None;
        }
        Some(Limit { partials: usize::try_from(number.node).unwrap_or(usize::MAX), policy })
    }

    /// The types of the rule's stream.
    fn types(&mut self, from: Option<(usize, &'a Spanned<Clause>)>) -> Vec<TypeId> {
        let named: Vec<TypeId> = self.named.keys().copied().collect();
        let Some((source, clause)) = from else { return named };
        let Clause::From(Some(names)) = &clause.node else {
            // What only rules make is not declared.
            let types = self.env.schema.types();
            let types = types.filter(|(id, ty)| {
                self.named.contains_key(id) || self.env.fed_at(&ty.name).is_none()
            });
            return types.map(|(id, _)| id).collect();
        };
        let mut types = Vec::new();
        for name in names {
            if let Some(ty) = names::event_type(self.env, None, source, name) {
                types.push(ty);
            } else {
                // One that the pattern names may be meant.
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
            let (step_source, name) = self.named[&ty];
            let event = self.env.schema.ty(ty).name.clone();
            let message = format!("the rule does not see `{event}`, which this step waits for");
            let mut diagnostic = Diagnostic::error(Code::UnknownType, name.span, message)
                .help(format!("add it: `from {event}, ...`"));
            if step_source == source {
                diagnostic = diagnostic.context(clause.span, "it is not among these");
            }
            self.env.report(step_source, diagnostic);
        }
        types
    }

    /// The key's parts; of `from *`, types that lack the key are left out.
    fn key(
        &mut self,
        rule: &'a Name,
        key: Option<(usize, &'a Spanned<Clause>)>,
        has_match: bool,
        mut types: Vec<TypeId>,
        from: Option<(usize, &'a Spanned<Clause>)>,
    ) -> (Vec<TypeId>, Vec<KeyPart>) {
        let Some((source, clause)) = key else {
            // Of a single event it does not matter what it belongs to.
            let is_one_event = matches!(self.steps.as_slice(), [one] if !one.many && !one.negated);
            if has_match && !is_one_event {
                let message = format!("the rule `{}` has no `key`", rule.node);
                self.report(
                    Diagnostic::warning(Code::NoKey, rule.span, message)
                        .label("all events are one stream")
                        .help("events that belong together share a key: `key user`"),
                );
            }
            return (types, Vec::new());
        };
        let Clause::Key(parts) = &clause.node else { return (types, Vec::new()) };
        let all = matches!(from, Some((_, clause)) if clause.node == Clause::From(None));
        if all {
            types.retain(|ty| {
                self.named.contains_key(ty)
                    || parts.iter().all(|part| self.key_field(part, *ty).is_some())
            });
        }
        let mut out: Vec<KeyPart> = Vec::new();
        for part in parts {
            let name: Arc<str> = part.name.node.as_str().into();
            if self.is_misspelled_key(source, part, &types) {
                self.key.push((name, Kind::NEVER));
                continue;
            }
            if out.iter().any(|other| other.name == name) {
                let message = format!("`{name}` is in the key twice");
                let diagnostic = Diagnostic::error(Code::DuplicateName, part.name.span, message);
                self.env.report(source, diagnostic);
                continue;
            }
            let (fields, kind) = self.at(source, |cx| cx.key_part(part, &types));
            self.key.push((name.clone(), kind));
            out.push(KeyPart { name, fields });
        }
        (types, out)
    }

    /// Reports if no type has the field, but all have one of nearly its name.
    fn is_misspelled_key(&mut self, source: usize, part: &ast::KeyPart, types: &[TypeId]) -> bool {
        let key = part.name.node.as_str();
        let lacks = |ty: &TypeId| names::field(&self.env.schema, *ty, key).is_none();
        if types.len() < 2 || !part.paths.is_empty() || !types.iter().all(lacks) {
            return false;
        }
        let fields = |ty: &TypeId| self.env.schema.ty(*ty).fields.iter().map(|field| &*field.name);
        let Some(near) = nearest(key, fields(&types[0])) else { return false };
        if !types.iter().all(|ty| fields(ty).any(|field| field == near)) {
            return false;
        }
        let message = format!("the rule's events have no field `{key}`, which is its key");
        let diagnostic = Diagnostic::error(Code::BadKey, part.name.span, message);
        self.env.report(source, diagnostic.help(format!("did you mean `{near}`?")));
        true
    }

    /// The field that holds a part of the key in events of this type.
    fn key_field(&self, part: &ast::KeyPart, ty: TypeId) -> Option<(FieldRef, Kind)> {
        let name = &self.env.schema.ty(ty).name;
        let own = part.paths.iter().find(|(owner, _)| *owner.node == **name);
        let path = own.map_or_else(|| part.name.node.clone(), |(_, path)| path_text(path));
        names::field(&self.env.schema, ty, &path)
    }

    fn key_part(
        &mut self,
        part: &'a ast::KeyPart,
        types: &[TypeId],
    ) -> (Vec<(TypeId, FieldRef)>, Kind) {
        for (owner, path) in &part.paths {
            let Some(ty) = names::event_type(self.env, None, self.source, owner) else { continue };
            if names::field(&self.env.schema, ty, &path_text(path)).is_none() {
                let text = path_text(path);
                let diagnostic = names::unknown_field(&self.env.schema, ty, &text, path.span);
                self.report(diagnostic);
            }
        }
        let mut fields = Vec::new();
        let mut kind = Kind::NEVER;
        let mut first: Option<(TypeId, Kind)> = None;
        for &ty in types {
            let Some((field, field_kind)) = self.key_field(part, ty) else {
                let owner = self.env.schema.ty(ty).name.clone();
                if part.paths.iter().any(|(name, _)| *name.node == *owner) {
                    continue;
                }
                self.missing_key(part, ty);
                continue;
            };
            let own = field_kind.without(Kind::NULL);
            if let Some((other, other_kind)) = first
                && own != other_kind
                && own != Kind::ANY.without(Kind::NULL)
                && other_kind != Kind::ANY.without(Kind::NULL)
            {
                let schema = &self.env.schema;
                let message = format!(
                    "`{}` is {other_kind} in `{}`, but {own} in `{}`: they never agree",
                    part.name.node,
                    schema.ty(other).name,
                    schema.ty(ty).name
                );
                let diagnostic = Diagnostic::error(Code::BadKey, part.name.span, message);
                self.report(diagnostic.help("declare both fields with the same type"));
            }
            first = first.or(Some((ty, own)));
            kind = kind.or(field_kind);
            fields.push((ty, field));
        }
        (fields, kind)
    }

    fn missing_key(&mut self, part: &ast::KeyPart, ty: TypeId) {
        let schema = &self.env.schema;
        let event = schema.ty(ty);
        let key = &part.name.node;
        let message = format!("`{}` has no field `{key}`, which is the rule's key", event.name);
        let mut diagnostic = Diagnostic::error(Code::BadKey, part.name.span, message);
        let fields = || event.fields.iter().map(|field| &*field.name);
        let near = nearest(key, fields()).or_else(|| {
            // `user` for `user_id`, `host` for `host.id`.
            fields().find(|field| {
                let (long, short) =
                    if field.len() > key.len() { (*field, &**key) } else { (&**key, *field) };
                long.strip_prefix(short).is_some_and(|rest| rest.starts_with(['_', '.']))
            })
        });
        diagnostic = diagnostic.help(match near {
            Some(near) => {
                format!("if it is called `{near}` there: `key {key} {{ {}: {near} }}`", event.name)
            }
            None => format!(
                "say which of its fields it is: `key {key} {{ {}: ... }}`; it has {}",
                event.name,
                listed(fields())
            ),
        });
        if let Some((source, name)) = self.named.get(&ty)
            && *source == self.source
        {
            diagnostic = diagnostic.context(name.span, "a step of this type");
        }
        self.report(diagnostic);
    }

    fn skip(&mut self, skip: Option<(usize, &'a Spanned<Clause>)>) -> Skip {
        let Some((source, clause)) = skip else { return Skip::default() };
        let Clause::Skip(skip) = &clause.node else { return Skip::default() };
        let mut target = |name: &Name| {
            let stage = self.at(source, |cx| cx.skip_target(name));
            stage.map_or(StageId::new(0), StageId::new)
        };
        let strategy = match &skip.strategy {
            ast::SkipStrategy::None => SkipStrategy::None,
            ast::SkipStrategy::PastLast => SkipStrategy::PastLast,
            ast::SkipStrategy::ToNext => SkipStrategy::ToNext,
            ast::SkipStrategy::ToFirst(name) => SkipStrategy::ToFirst(target(name)),
            ast::SkipStrategy::ToLast(name) => SkipStrategy::ToLast(target(name)),
        };
        if skip.ordered && strategy == SkipStrategy::None {
            let message = "`ordered` says which match wins; with `skip none` all are reported";
            self.env.report(
                source,
                Diagnostic::error(Code::NotAllowedHere, clause.span, message)
                    .help("leave `ordered` out, or skip something"),
            );
        }
        Skip { strategy, ordered: skip.ordered }
    }

    fn skip_target(&mut self, name: &Name) -> Option<usize> {
        let mut found = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.negated && *step.name == *name.node)
            .map(|(index, step)| (index, step.group));
        match (found.next(), found.next()) {
            (Some((index, false)), None) => return Some(index),
            (Some((_, true)), None) => {
                let message = format!("`{}` is a group", name.node);
                self.report(
                    Diagnostic::error(Code::UnknownSkipTarget, name.span, message)
                        .help("name a step inside of it"),
                );
            }
            (Some(_), Some(_)) => {
                let message = format!("several steps are called `{}`", name.node);
                self.report(
                    Diagnostic::error(Code::AmbiguousAlias, name.span, message)
                        .help("give the one that is meant a name of its own with `as`"),
                );
            }
            (None, _) => {
                let steps = || self.steps.iter().filter(|step| !step.negated && !step.group);
                let near = nearest(&name.node, steps().map(|step| &*step.name));
                let help = near.map_or_else(
                    || names::these("step", steps().map(|step| &*step.name)).unwrap_or_default(),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("there is no step `{}` to skip to", name.node);
                self.report(
                    Diagnostic::error(Code::UnknownSkipTarget, name.span, message).help(help),
                );
            }
        }
        None
    }

    fn emit(&mut self, emit: &'a ast::Emit, what: What) -> Emit {
        let place = Place { candidate: None, what, bound: None };
        let mut fields: Vec<(&'a Name, Typed)> = Vec::new();
        let mut firsts: HashMap<&str, Span> = HashMap::new();
        for (name, value) in &emit.fields {
            if let Some(first) = firsts.insert(&name.node, name.span) {
                firsts.insert(&name.node, first);
                let message = format!("`{}` is emitted twice", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .context(first, "emitted here first");
                self.report(diagnostic);
            }
            let typed = match value {
                Some(value) => self.expr(value, place),
                None => self.bare_name(name),
            };
            let types = if what == What::Timeout {
                &mut self.outputs.timeout
            } else {
                &mut self.outputs.emit
            };
            types.push((name.node.as_str().into(), typed.kind));
            fields.push((name, typed));
        }
        if let Some(name) = &emit.as_type {
            self.feed(name, &mut fields);
        }
        let fields =
            fields.into_iter().map(|(name, typed)| (name.node.as_str().into(), typed.expr));
        Emit { fields: fields.collect(), feeds: None }
    }

    fn bare_name(&mut self, name: &'a Name) -> Typed {
        let path = ast::Path { root: name.clone(), rest: Vec::new(), span: name.span };
        self.bare_in_emit(&path)
    }

    fn meta(&mut self, clauses: &Clauses<'a>) -> Meta {
        let mut meta = Meta::default();
        let of = |word: &str| clauses.by_word.get(word).copied();
        if let Some((_, clause)) = of("about")
            && let Clause::About(text) = &clause.node
        {
            meta.about = Some(text.node.as_str().into());
        }
        if let Some((_, clause)) = of("severity")
            && let Clause::Severity(name) = &clause.node
        {
            meta.severity = Some(name.node.as_str().into());
        }
        if let Some((_, clause)) = of("tags")
            && let Clause::Tags(tags) = &clause.node
        {
            meta.tags = tags.iter().map(|tag| tag.node.as_str().into()).collect();
        }
        if let Some((source, clause)) = of("meta")
            && let Clause::Meta(fields) = &clause.node
        {
            let place = Place { candidate: None, what: What::Constant, bound: None };
            for (name, value) in fields {
                let typed = self.at(source, |cx| cx.expr(value, place));
                if let Expr::Literal(value) = typed.expr {
                    meta.values.push((name.node.as_str().into(), value));
                } else {
                    let message = "only constants can stand here";
                    let diagnostic = Diagnostic::error(Code::NotAllowedHere, typed.span, message);
                    self.env.report(source, diagnostic);
                }
            }
        }
        meta
    }

    /// What the rule declares and does not use.
    fn warn_unused(&mut self, clauses: &Clauses<'a>) {
        let params = clauses.params.iter().map(|&(at, param)| (at, "parameter", &param.name));
        let defines = clauses.defines.iter().map(|&(at, define)| (at, "define", &define.name));
        for (source, what, name) in params.chain(defines) {
            let used = if what == "define" { &self.used_defines } else { &self.used_params };
            if !used.contains(name.node.as_str()) {
                let message = format!("the {what} `{}` is never used", name.node);
                let diagnostic = Diagnostic::warning(Code::Unused, name.span, message);
                self.env.report(source, diagnostic);
            }
        }
    }
}

fn path_text(path: &ast::Path) -> String {
    let mut text = path.root.node.clone();
    for part in &path.rest {
        match part {
            ast::PathPart::Field(name) => {
                text.push('.');
                text.push_str(&name.node);
            }
            ast::PathPart::Index(index) => text = format!("{text}[{}]", index.node),
        }
    }
    text
}
