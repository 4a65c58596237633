//! From the tree of rule text to checked rules: names are resolved, types checked, sugar removed.
//!
//! Every mistake of every file is reported, not only the first. A rule with a mistake is left out
//! of the result; the rules beside it are checked all the same.
//!
//! * Events, lists, parameters and defines, and their tables, are here and in `events`, `literal`.
//! * `clauses` gathers a rule's clauses. `rule` makes a rule of them: `pattern` lays out the steps,
//!   `key` and `skip` check those clauses, `report` what the rule reports, `expr` expressions.
//!   `context` holds what is known of the rule meanwhile, in the words of `terms`.
//! * `test_block` checks tests against what the rules report.
//! * `canon` says what a rule means, for its version.

pub mod canon;
mod clauses;
mod context;
mod events;
mod expr;
mod feeds;
mod key;
mod literal;
mod names;
mod pattern;
mod report;
mod reported;
mod rule;
mod skip;
mod step_keys;
mod step_table;
mod terms;
mod test_block;
mod wildcard;

pub use canon::Content;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::feeds::Fed;
use self::reported::FileDiagnostics;
use crate::diagnostic::{Code, Diagnostic, Severity, Source, Span};
use crate::hir::expr::{AggregateOp, PatternSyntax, TextCase, TextPatterns, ValueSet};
use crate::hir::functions::{Callee, FUNCTIONS, HostFunction};
use crate::hir::{Condition, ConditionId, Expr, Pattern, Rule, Test, TestBlock};
use crate::syntax;
use crate::syntax::ast::{self, Name};
use kleene_event::schema::{EventType, Schema, TypeId};
use kleene_event::util::spelling::nearest;
use kleene_event::value::{Kind, Value};

/// The number of errors after which checking stops.
const MAX_ERRORS: usize = 1000;

/// The most rules of a set, instances included.
const MAX_RULES: usize = 100_000;

/// The most steps of all patterns together, their repetitions written out: those of a hundred
/// patterns that are as large as one can be.
const MAX_ALL_STEPS: u64 = 3_000_000;

const NAME_HELP: &str = "use letters, digits and `_`, and no keyword";

/// The result of checking a set of rule files.
#[derive(Debug)]
pub struct Checked {
    /// The event types that the files declare.
    pub schema: Schema,
    /// The rules that are free of mistakes, in the order of the text.
    pub rules: Vec<Rule>,
    /// The tests, in the order of the text.
    pub tests: Vec<TestBlock>,
    /// By rule: the place of its pattern.
    pub layouts: BTreeMap<Arc<str>, Layout>,
}

/// The places of the parts of a rule's pattern, each with the number of its file.
#[derive(Debug)]
pub struct Layout {
    /// The `match` clause.
    pub pattern: (usize, Span),
    /// The steps, by [`StepId`](crate::hir::StepId).
    pub steps: Vec<(usize, Span)>,
    /// By condition: true if it is the same whatever parameters and lists say.
    fixed: Vec<bool>,
}

impl Layout {
    /// True if no event of type `ty` fulfils the conditions `yes` of the pattern and none of `no`,
    /// whatever parameters and lists say.
    pub fn exclude(
        &self,
        pattern: &Pattern,
        schema: &Schema,
        ty: TypeId,
        (yes, no): (&[ConditionId], &[ConditionId]),
    ) -> bool {
        let expr = |id: &ConditionId| match &pattern.conditions[id.index()] {
            Condition { ty: Some(_), test: Test::Expr(expr) } if self.fixed[id.index()] => {
                Some(expr)
            }
            _ => None,
        };
        let yes: Vec<&Expr> = yes.iter().filter_map(expr).collect();
        let no: Vec<&Expr> = no.iter().filter_map(expr).collect();
        yes.len() + no.len() > 1 && expr::exclude(&yes, &no, ty, schema)
    }
}

/// A value that the host gives a parameter: `wait=2m` or `unpaid_order.wait=2m`.
#[derive(Clone, Debug)]
pub struct HostParam {
    /// The parameter's name, perhaps with its rule's name and a dot before it.
    pub name: String,
    /// The value as text.
    pub value: String,
}

/// Gives the text of a file that a rule file names, or says why it can't be read. The first
/// argument is the source that names it, the second the path as written.
pub type Loader<'l> = dyn FnMut(&Source, &str) -> Result<String, String> + 'l;

/// Checks files that were loaded together.
pub fn check(
    files: &[(Source, ast::File)],
    types: &[EventType],
    host: &[HostParam],
    functions: &[Arc<HostFunction>],
    loader: &mut Loader<'_>,
) -> (Checked, Vec<(Source, Diagnostic)>) {
    let mut env = Env::new(files, types, host, functions);
    env.check_host_functions();
    env.declare_host_types();
    env.declare_events(files);
    env.declare(files, loader);
    let rules = env.rules_of(files);
    let tests = env.tests_of(files, &rules);
    env.check_host_params();
    let layouts = std::mem::take(&mut env.layouts);
    let (schema, diagnostics) = env.finish(files);
    (Checked { schema, rules, tests, layouts }, diagnostics)
}

/// A declared list.
struct List {
    set: Arc<ValueSet>,
    kind: Kind,
    /// True if all of it could be read.
    known: bool,
    /// Its entries without case, once they were asked for.
    folded: Option<Arc<ValueSet>>,
    /// Its entries as patterns, in the ways that were asked for.
    patterns: BTreeMap<(PatternSyntax, TextCase), Arc<TextPatterns>>,
}

/// A parameter's value.
#[derive(Clone)]
struct Param {
    value: Value,
    kind: Kind,
}

/// A place in a file, with the number of the file.
#[derive(Clone, Copy)]
struct Site {
    source: usize,
    span: Span,
}

/// All that rules are checked with, and what came of it so far.
struct Env<'a> {
    schema: Schema,
    declarations: Declarations<'a>,
    host: Host<'a>,
    /// The event types that only rules make.
    fed: BTreeMap<&'a str, Fed>,
    sources: Vec<Source>,
    reported: FileDiagnostics,
    /// The types of the rules' outputs.
    outputs: BTreeMap<Arc<str>, OutputTypes>,
    /// The places of the patterns of the rules.
    layouts: BTreeMap<Arc<str>, Layout>,
    /// The number of steps of all patterns so far, with their repetitions written out.
    steps: u64,
    /// True if defines that build on each other too deeply were reported.
    too_deep: bool,
    /// The number of errors found so far, including those that are not shown.
    errors: usize,
}

/// The declarations of all files, each with the file that it is in.
#[derive(Default)]
struct Declarations<'a> {
    lists: BTreeMap<&'a str, List>,
    params: BTreeMap<&'a str, Param>,
    defines: BTreeMap<&'a str, (usize, &'a ast::Define)>,
    rules: BTreeMap<&'a str, (usize, &'a ast::Rule)>,
    instances: BTreeMap<&'a str, (usize, &'a ast::Instance)>,
    /// The kind and the place of each declared name.
    declared: BTreeMap<(&'static str, &'a str), Site>,
}

/// The types, parameters and functions that the host gives to rules.
struct Host<'a> {
    /// The event types that the host declares.
    types: &'a [EventType],
    params: &'a [HostParam],
    functions: &'a [Arc<HostFunction>],
    /// True for each of the host's parameters that a rule file declares.
    used: Vec<bool>,
    /// The names by which the host could give parameters; kept only if it gives any.
    names: BTreeSet<String>,
}

/// The types of what a rule reports, by name, for its tests.
#[derive(Default)]
struct OutputTypes {
    emit: Vec<(Arc<str>, Kind)>,
    timeout: Vec<(Arc<str>, Kind)>,
    key: Vec<(Arc<str>, Kind)>,
}

impl<'a> Env<'a> {
    fn new(
        files: &'a [(Source, ast::File)],
        types: &'a [EventType],
        host: &'a [HostParam],
        functions: &'a [Arc<HostFunction>],
    ) -> Env<'a> {
        let used = vec![false; host.len()];
        Env {
            schema: Schema::new(),
            declarations: Declarations::default(),
            host: Host { types, params: host, functions, used, names: BTreeSet::new() },
            fed: BTreeMap::new(),
            sources: files.iter().map(|(source, _)| source.clone()).collect(),
            reported: FileDiagnostics::default(),
            outputs: BTreeMap::new(),
            layouts: BTreeMap::new(),
            steps: 0,
            too_deep: false,
            errors: 0,
        }
    }

    /// True if there are enough errors to stop checking.
    fn has_too_many_errors(&self) -> bool {
        self.errors > MAX_ERRORS
    }

    /// Reports a diagnostic once, however often its place is looked at.
    fn report(&mut self, source: usize, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        self.reported.add(source, diagnostic);
    }

    /// Reports an error in a file, and what to write instead.
    fn error(
        &mut self,
        source: usize,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(source, Diagnostic::error(code, span, message).help(help));
    }

    /// Reports a warning in a file, and what to write instead.
    fn warn(
        &mut self,
        source: usize,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(source, Diagnostic::warning(code, span, message).help(help));
    }

    /// Notes that `name` is declared as a `what`; reports if it was before.
    fn declare_once(&mut self, what: &'static str, source: usize, name: &'a Name) -> bool {
        let site = Site { source, span: name.span };
        let Some(first) = self.declarations.declared.get(&(what, name.node.as_str())).copied()
        else {
            self.declarations.declared.insert((what, &name.node), site);
            return true;
        };
        let message = format!("the {what} `{}` is declared twice", name.node);
        let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message);
        let diagnostic = self.point_at(diagnostic, source, first, "declared here first");
        self.report(source, diagnostic.help("rename one of them"));
        false
    }

    /// Adds a place to a diagnostic, in words where it is in another file.
    fn point_at(&self, diagnostic: Diagnostic, source: usize, at: Site, text: &str) -> Diagnostic {
        if at.source == source {
            return diagnostic.context(at.span, text);
        }
        let other = &self.sources[at.source];
        let (line, column) = other.line_column(at.span.start);
        diagnostic.label(format!("{text}: {}:{line}:{column}", other.name))
    }

    fn declare(&mut self, files: &'a [(Source, ast::File)], loader: &mut Loader<'_>) {
        for (source, (_, file)) in files.iter().enumerate() {
            for item in &file.items {
                match item {
                    ast::Item::List(list) => self.declare_list(source, list, loader),
                    ast::Item::Param(param) => {
                        if self.declare_once("parameter", source, &param.name)
                            && let Some(param_value) = self.param_value(source, param, None, None)
                        {
                            self.declarations.params.insert(&param.name.node, param_value);
                        }
                    }
                    ast::Item::Define(define) => {
                        if self.declare_once("define", source, &define.name)
                            && self.is_no_event(source, &define.name)
                        {
                            self.declarations.defines.insert(&define.name.node, (source, define));
                        }
                    }
                    ast::Item::Rule(rule) => {
                        if self.declare_once("rule", source, &rule.name) {
                            self.declarations.rules.insert(&rule.name.node, (source, rule));
                        }
                    }
                    ast::Item::Instance(instance) => {
                        if self.declare_once("rule", source, &instance.name) {
                            self.declarations
                                .instances
                                .insert(&instance.name.node, (source, instance));
                        }
                    }
                    ast::Item::Event(_) | ast::Item::Test(_) | ast::Item::Use(_) => {}
                }
            }
        }
    }

    /// True if a define's name is free of event types; reports if not.
    fn is_no_event(&mut self, source: usize, name: &Name) -> bool {
        if self.schema.type_id(&name.node).is_none() && self.fed_at(&name.node).is_none() {
            return true;
        }
        let message = format!("`{}` is already an event type", name.node);
        let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message);
        let first = self.declarations.declared.get(&("event type", name.node.as_str())).copied();
        let diagnostic = match first.or_else(|| self.fed_at(&name.node)) {
            Some(first) => self.point_at(diagnostic, source, first, "declared here"),
            None => diagnostic,
        };
        self.report(source, diagnostic.help("give the define another name"));
        false
    }

    fn rules_of(&mut self, files: &'a [(Source, ast::File)]) -> Vec<Rule> {
        if self.has_too_many_rules(files) {
            return Vec::new();
        }
        let mut gathered = Vec::new();
        for (source, (_, file)) in files.iter().enumerate() {
            for item in &file.items {
                gathered.extend(match item {
                    ast::Item::Rule(rule) => Some(self.gather(source, rule)),
                    ast::Item::Instance(instance) => self.gather_instance(source, instance),
                    _ => None,
                });
            }
        }
        let mut refused = BTreeSet::new();
        let mut rules: Vec<Option<Rule>> = gathered.iter().map(|_| None).collect();
        for index in self.plan(&gathered, &mut refused) {
            rules[index] = self.lower_rule(&gathered[index]).filter(|_| !refused.contains(&index));
        }
        self.check_circles(&gathered, &mut rules);
        for (gathered, rule) in gathered.iter().zip(&mut rules) {
            if let Some(rule) = rule {
                self.connect(gathered, rule);
                rule.version = canon::version(rule, &self.schema);
            }
        }
        self.check_defines();
        rules.into_iter().flatten().collect()
    }

    /// True if there are more rules than a set may have, which is reported.
    fn has_too_many_rules(&mut self, files: &'a [(Source, ast::File)]) -> bool {
        let items = files
            .iter()
            .enumerate()
            .flat_map(|(source, (_, file))| file.items.iter().map(move |item| (source, item)));
        let mut rules = items.filter_map(|(source, item)| match item {
            ast::Item::Rule(rule) => Some((source, &rule.name)),
            ast::Item::Instance(instance) => Some((source, &instance.name)),
            _ => None,
        });
        let Some((source, first)) = rules.nth(MAX_RULES) else { return false };
        let message = format!("{} rules", MAX_RULES + 1 + rules.count());
        let diagnostic = Diagnostic::error(Code::LimitExceeded, first.span, message)
            .label(format!("a rule set has at most {MAX_RULES}; this is the first one too many"))
            .help("replace similar rules with one rule that reads a list, or run several engines");
        self.report(source, diagnostic);
        true
    }

    /// Counts the steps of one more pattern, and reports where all together become too many.
    fn add_steps(&mut self, source: usize, rule: &Name, steps: u64) {
        let before = self.steps;
        self.steps = before.saturating_add(steps);
        if before <= MAX_ALL_STEPS && self.steps > MAX_ALL_STEPS {
            let message = "the patterns of this rule set are too large in total".to_owned();
            let diagnostic = Diagnostic::error(Code::LimitExceeded, rule.span, message)
                .label(format!("with this one they have more than {MAX_ALL_STEPS} steps"))
                .help("use smaller counts, or loops without an upper bound");
            self.report(source, diagnostic);
        }
    }

    /// Defines that no rule uses are at least of a known type and no circle.
    fn check_defines(&mut self) {
        let defines: Vec<_> = self.declarations.defines.values().copied().collect();
        for (source, define) in defines {
            names::resolve_step(self, &BTreeMap::new(), source, &define.step);
        }
    }

    fn check_host_params(&mut self) {
        for (index, param) in self.host.params.iter().enumerate() {
            if !self.host.used[index] {
                let message = format!("there is no parameter `{}`", param.name);
                let near = nearest(&param.name, self.host.names.iter().map(String::as_str));
                let mut diagnostic = self.host_diagnostic(index, message);
                diagnostic.help = Some(near.map_or_else(
                    || "write `param` or `rule.param`".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ));
                self.report(self.sources.len() + index, diagnostic);
            }
        }
    }

    /// An error about the value that the host gives; it is reported for the text `name=value`.
    fn host_diagnostic(&self, index: usize, message: String) -> Diagnostic {
        let HostParam { name, value } = &self.host.params[index];
        let span = Span::new(0, name.len() + 1 + value.len());
        Diagnostic::error(Code::BadParam, span, message)
    }

    /// The host's function of this name.
    fn host_function(&self, name: &str) -> Option<Callee> {
        let function = self.host.functions.iter().find(|function| function.name() == name)?;
        Some(Callee::Host(Arc::clone(function)))
    }

    /// The names of all functions.
    fn function_names(&self) -> impl Iterator<Item = &str> {
        let host = self.host.functions.iter().map(|function| function.name());
        host.chain(built_in_names().map(|name| -> &str { name }))
    }

    /// Reports functions of the host that rules could not call, or that would take the place of
    /// others.
    fn check_host_functions(&mut self) {
        for (index, function) in self.host.functions.iter().enumerate() {
            let name = function.name();
            let (message, help) = if !syntax::is_name(name) {
                ("rules can't call a function of this name".to_owned(), NAME_HELP)
            } else if built_in_names().any(|built_in| built_in == name) {
                (format!("a built-in function `{name}` already exists"), "choose another name")
            } else if self.host.functions[..index].iter().any(|other| other.name() == name) {
                (format!("the function `{name}` is registered twice"), "choose another name")
            } else {
                continue;
            };
            let span = Span::new(0, name.len());
            let diagnostic = Diagnostic::error(Code::BadFunction, span, message).help(help);
            self.report(self.sources.len() + self.host.params.len() + index, diagnostic);
        }
    }

    fn finish(self, files: &[(Source, ast::File)]) -> (Schema, Vec<(Source, Diagnostic)>) {
        let mut sources: Vec<Source> = files.iter().map(|(source, _)| source.clone()).collect();
        sources.extend(
            self.host
                .params
                .iter()
                .map(|p| Source::new("<params>", format!("{}={}", p.name, p.value))),
        );
        sources
            .extend(self.host.functions.iter().map(|f| Source::new("<functions>", f.signature())));
        sources.extend(self.host.types.iter().map(|ty| Source::new("<events>", &*ty.name)));
        let diagnostics = self.reported.into_sorted().into_iter();
        (self.schema, diagnostics.map(|(at, d)| (sources[at].clone(), d)).collect())
    }
}

/// The names of the built-in functions and of aggregates.
fn built_in_names() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().map(|function| function.name);
    functions.chain(AggregateOp::ALL.map(AggregateOp::name)).chain(["matches"])
}

/// `what` of this name does not exist; `near` may be meant.
fn unknown(code: Code, what: &str, name: &Name, near: Option<&str>) -> Diagnostic {
    let message = format!("there is no {what} `{}`", name.node);
    let diagnostic = Diagnostic::error(code, name.span, message);
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
