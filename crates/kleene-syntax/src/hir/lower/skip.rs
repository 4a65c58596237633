//! A rule's `skip`, and the step that it skips to.

use super::context::RuleLowerer;
use super::names;
use crate::diagnostic::Code;
use crate::hir::{Skip, SkipStrategy, StepId};
use crate::syntax::ast::{self, Clause, Name, Spanned};
use kleene_event::util::spelling::nearest;

impl<'a> RuleLowerer<'_, 'a> {
    pub(super) fn skip(&mut self, skip: Option<(usize, &'a Spanned<Clause>)>) -> Skip {
        let Some((source, clause)) = skip else { return Skip::default() };
        let Clause::Skip(skip) = &clause.node else { return Skip::default() };
        let mut target = |name: &Name| {
            let step = self.at(source, |lowerer| lowerer.skip_target(name));
            step.map_or(StepId::new(0), StepId::new)
        };
        let strategy = match &skip.strategy {
            ast::SkipStrategy::None => SkipStrategy::None,
            ast::SkipStrategy::PastLast => SkipStrategy::PastLast,
            ast::SkipStrategy::ToNext => SkipStrategy::ToNext,
            ast::SkipStrategy::ToFirst(name) => SkipStrategy::ToFirst(target(name)),
            ast::SkipStrategy::ToLast(name) => SkipStrategy::ToLast(target(name)),
        };
        if skip.ordered && strategy == SkipStrategy::None {
            let message = "`ordered` has no effect with `skip none`: all matches are reported";
            let help = "remove `ordered`, or use another `skip`";
            self.env.error(source, Code::NotAllowedHere, clause.span, message, help);
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
                self.error(
                    Code::UnknownSkipTarget,
                    name.span,
                    message,
                    "name a step inside the group",
                );
            }
            (Some(_), Some(_)) => {
                let message = format!("several steps are called `{}`", name.node);
                let help = "give the one that you mean its own name with `as`";
                self.error(Code::AmbiguousAlias, name.span, message, help);
            }
            (None, _) => {
                let steps = || self.steps.iter().filter(|step| !step.negated && !step.group);
                let near = nearest(&name.node, steps().map(|step| &*step.name));
                let help = near.map_or_else(
                    || names::these("step", steps().map(|step| &*step.name)).unwrap_or_default(),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("there is no step `{}` to skip to", name.node);
                self.error(Code::UnknownSkipTarget, name.span, message, help);
            }
        }
        None
    }
}
