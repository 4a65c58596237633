//! From the tree of rule text to checked rules: names are resolved, types checked, sugar removed.
//!
//! A rule takes four passes: `syntax/parse` reads it, this folder resolves its names and types and
//! builds its checked form, `hir/lint` warns of likely mistakes in that form, and the automaton is
//! compiled from it. Here are errors, and warnings about one expression. What the lints need of the
//! text is recorded in `WrittenRule`.
//!
//! Every mistake of every file is reported, not only the first. A rule with a mistake is left out
//! of the result; the rules beside it are checked all the same.
//!
//! Files import one way, each from those above it in this list:
//!
//! * `env` holds what all rules are checked with, and what was reported (`reported`): declarations,
//!   what the `host` gives, the types that rules feed (`fed`), the `layout` of each pattern.
//!   `events` and `literal` declare event types, lists and parameters in it, and `names` finds them.
//! * `context` holds what is known of one rule while it is checked: facts about its steps
//!   (`terms`, `step_table`), the variants of its key (`key_variants`).
//! * `step_keys` finds which key a step gives its event, `expr` checks expressions, and `pattern`
//!   lays out the steps and builds the pattern.
//! * `clauses` gathers a rule's clauses. `key`, `wildcard`, `skip`, `report` and `feeds` check them,
//!   and `rule` makes a rule of them.
//! * `test_block` checks tests against what the rules report.

mod clauses;
mod context;
mod env;
mod events;
mod expr;
mod fed;
mod feeds;
mod host;
mod key;
mod key_variants;
mod layout;
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

pub use host::HostParam;
pub use layout::Layout;
pub use literal::Loader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::env::Env;
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::hir::canon;
use crate::hir::functions::HostFunction;
use crate::hir::{Rule, TestBlock};
use crate::syntax::ast;
use kleene_event::schema::{EventType, Schema};

/// The most rules of a set, instances included.
const MAX_RULES: usize = 100_000;

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

/// Checks files that were loaded together.
pub fn check(
    files: &[(Source, ast::File)],
    types: &[EventType],
    host: &[HostParam],
    functions: &[Arc<HostFunction>],
    loader: &mut Loader<'_>,
) -> (Checked, Vec<(Source, Diagnostic)>) {
    let mut env = Env::new(files, types, host, functions);
    env.report_of_host(env.host.wrong_functions());
    env.declare_host_types();
    env.declare_events(files);
    env.declare(files, loader);
    let rules = env.rules_of(files);
    let tests = env.tests_of(files, &rules);
    env.report_of_host(env.host.unknown_params());
    let layouts = std::mem::take(&mut env.layouts);
    let (schema, diagnostics) = env.finish();
    (Checked { schema, rules, tests, layouts }, diagnostics)
}

impl<'a> Env<'a> {
    fn declare(&mut self, files: &'a [(Source, ast::File)], loader: &mut Loader<'_>) {
        for (source, (_, file)) in files.iter().enumerate() {
            for item in &file.items {
                match item {
                    ast::FileItem::List(list) => self.declare_list(source, list, loader),
                    ast::FileItem::Param(param) => {
                        if self.declare_once("parameter", source, &param.name)
                            && let Some(param_value) = self.param_value(source, param, None, None)
                        {
                            self.declarations.params.insert(&param.name.node, param_value);
                        }
                    }
                    ast::FileItem::Define(define) => {
                        if self.declare_once("define", source, &define.name)
                            && self.is_no_event(source, &define.name)
                        {
                            self.declarations.defines.insert(&define.name.node, (source, define));
                        }
                    }
                    ast::FileItem::Rule(rule) => {
                        if self.declare_once("rule", source, &rule.name) {
                            self.declarations.rules.insert(&rule.name.node, (source, rule));
                        }
                    }
                    ast::FileItem::Instance(instance) => {
                        if self.declare_once("rule", source, &instance.name) {
                            self.declarations
                                .instances
                                .insert(&instance.name.node, (source, instance));
                        }
                    }
                    ast::FileItem::Event(_) | ast::FileItem::Test(_) | ast::FileItem::Use(_) => {}
                }
            }
        }
    }

    fn rules_of(&mut self, files: &'a [(Source, ast::File)]) -> Vec<Rule> {
        if self.has_too_many_rules(files) {
            return Vec::new();
        }
        let mut gathered = Vec::new();
        for (source, (_, file)) in files.iter().enumerate() {
            for item in &file.items {
                gathered.extend(match item {
                    ast::FileItem::Rule(rule) => Some(self.gather(source, rule)),
                    ast::FileItem::Instance(instance) => self.gather_instance(source, instance),
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
            ast::FileItem::Rule(rule) => Some((source, &rule.name)),
            ast::FileItem::Instance(instance) => Some((source, &instance.name)),
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

    /// Defines that no rule uses are at least of a known type and no circle.
    fn check_defines(&mut self) {
        let defines: Vec<_> = self.declarations.defines.values().copied().collect();
        for (source, define) in defines {
            names::resolve_step(self, &BTreeMap::new(), source, &define.step);
        }
    }
}
