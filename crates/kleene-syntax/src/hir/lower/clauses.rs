//! A rule's clauses: its own, and those of the rule that it is an instance of.

use std::collections::BTreeMap;

use super::env::Env;
use super::literal::Argument;
use super::names::{listed, unknown};
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{self, Clause, Name, Spanned};
use kleene_event::util::spelling::nearest;

/// The longest chain of instances of instances.
const MAX_INSTANCES: usize = 64;

/// A rule's clauses, with those of its base and what its parameters are given.
pub(super) struct Gathered<'a> {
    pub(super) source: usize,
    pub(super) name: &'a Name,
    pub(super) clauses: Clauses<'a>,
    pub(super) args: Vec<(&'a str, Argument<'a>)>,
}

/// The clauses of a rule, each with its file.
#[derive(Default)]
pub(super) struct Clauses<'a> {
    pub(super) by_word: BTreeMap<&'static str, (usize, &'a Spanned<Clause>)>,
    pub(super) params: Vec<(usize, &'a ast::ParamDecl)>,
    pub(super) defines: Vec<(usize, &'a ast::Define)>,
}

impl<'a> Clauses<'a> {
    /// Later clauses take the place of earlier ones.
    fn add(&mut self, source: usize, clauses: &'a [Spanned<Clause>]) {
        for clause in clauses {
            let word = match &clause.node {
                Clause::Param(param) => {
                    self.params.retain(|(_, other)| other.name != param.name);
                    self.params.push((source, param));
                    continue;
                }
                Clause::Define(define) => {
                    self.defines.retain(|(_, other)| other.name != define.name);
                    self.defines.push((source, define));
                    continue;
                }
                other => other.head(),
            };
            self.by_word.insert(word, (source, clause));
        }
    }

    /// Returns the clause that starts with `word`, with its file.
    pub(super) fn get(&self, word: &str) -> Option<(usize, &'a Spanned<Clause>)> {
        self.by_word.get(word).copied()
    }

    pub(super) fn is_from_all(&self) -> bool {
        self.get("from").is_some_and(|(_, clause)| clause.node == Clause::From(None))
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
        args: &mut Vec<(&'a str, Argument<'a>)>,
    ) -> Option<()> {
        let base = decl.base.node.as_str();
        path.push(&decl.name.node);
        if path.len() > MAX_INSTANCES {
            let message =
                format!("instances of instances nest more than {MAX_INSTANCES} levels deep");
            self.report(source, Diagnostic::error(Code::LimitExceeded, decl.name.span, message));
            return None;
        }
        if let Some(&(base_source, rule)) = self.declarations.rules.get(base) {
            clauses.add(base_source, &rule.clauses);
        } else if path.contains(&base) {
            let message = format!("the rule `{base}` is an instance of itself");
            let help = "an instance needs a rule with a `match`";
            self.error(source, Code::UnknownRule, decl.base.span, message, help);
            return None;
        } else if let Some(&(base_source, instance)) = self.declarations.instances.get(base) {
            self.inherit(base_source, instance, path, clauses, args)?;
        } else {
            let names =
                self.declarations.rules.keys().chain(self.declarations.instances.keys()).copied();
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
}
