//! The automata of the rules, and the patterns that have none, or one without a way to its end or
//! to one of its steps.

use std::sync::Arc;

use crate::ruleset::diagnostic::RuleDiagnostic;
use kleene_automata::nfa::{
    self, AutomatonError, CompileCache, Cost, Growth, Program, Reach, StateForm,
};
use kleene_event::schema::Schema;
use kleene_syntax::diagnostic::{Code, Diagnostic, Source, Span};
use kleene_syntax::hir::lower::{Checked, Layout};
use kleene_syntax::hir::{
    self, Condition, ConditionId, Contiguity, Item, ItemKind, LoopMode, Quantifier, Rule, Sequence,
    SkipStrategy, StepId, Test,
};
use kleene_syntax::syntax::ast;

/// Compiles each rule and searches its automaton. Returns the programs of the rules before the
/// first that is too large; reports say why one is missing.
pub(super) fn compile(
    checked: &Checked,
    files: &[(Source, ast::File)],
    known: &mut CompileCache,
    reports: &mut Vec<RuleDiagnostic>,
) -> Vec<Arc<Program>> {
    let mut programs = Vec::with_capacity(checked.rules.len());
    // The size of what is to be built was refused.
    if reports.iter().any(|report| report.diagnostic.code == Code::LimitExceeded) {
        return programs;
    }
    for rule in &checked.rules {
        let Some(layout) = checked.layouts.get(&rule.name) else { continue };
        let excludes =
            |ty, yes: &[_], no: &[_]| layout.exclude(&rule.pattern, &checked.schema, ty, (yes, no));
        let program = match Program::sharing(&rule.pattern, known) {
            Ok(program) => program,
            Err(error) => {
                reports.push(report(layout.pattern, refused(&error), files));
                if error.is_too_large() {
                    return programs;
                }
                continue;
            }
        };
        let reach = nfa::reach(&rule.pattern, &program, Some(&rule.types), &excludes);
        if let Some((site, diagnostic)) = unreachable(rule, layout, &checked.schema, &reach) {
            reports.push(report(site, diagnostic, files));
        }
        warn_of_cost(rule, layout, (&program, files), reports);
        programs.push(Arc::new(program));
    }
    programs
}

/// Reports a rule whose partial matches, or whose matches, multiply. A rule has one warning of it:
/// one that names the reason replaces those of its loops.
fn warn_of_cost(
    rule: &Rule,
    layout: &Layout,
    (program, files): (&Program, &[(Source, ast::File)]),
    reports: &mut Vec<RuleDiagnostic>,
) {
    let cost = program.cost(rule.limit.as_ref());
    let (file, span) = layout.pattern;
    let source = &files[file].0;
    let multiplied = multiplied(rule, program, &cost);
    let is_named = multiplied.is_some();
    // A `limit` says what gives way.
    let multiplied = multiplied.filter(|_| rule.limit.is_none());
    let diagnostic = listed(rule, program, &cost).or(multiplied);
    if is_named || diagnostic.is_some() || !grows_without_end(rule, program, &cost) {
        reports.retain(|report| !is_of_loop(report, source, span));
    } else if is_grouped(&cost) && !program.report_timeouts {
        for report in reports.iter_mut().filter(|report| is_of_loop(report, source, span)) {
            say_of_matches(&mut report.diagnostic);
        }
    }
    reports.extend(diagnostic.map(|diagnostic| report(layout.pattern, diagnostic, files)));
}

/// True if the partial matches of a busy key are held together, so that only what is reported can
/// multiply: matches, and timeouts if there are any.
fn is_grouped(cost: &Cost) -> bool {
    cost.form != StateForm::Listed && cost.event < Growth::Combinations
}

/// Lets the warning of a loop speak of matches: its partial matches are held as groups.
fn say_of_matches(diagnostic: &mut Diagnostic) {
    const DOUBLE: &str = "the partial matches of this loop double";
    if diagnostic.message.starts_with(DOUBLE) {
        diagnostic.message = diagnostic.message.replacen("partial matches", "matches", 1);
    }
}

/// True if a loop that can branch at each event is worth a warning: the time of an event, or the
/// matches that it reports, grow with the events of the loop, or nothing bounds their number.
fn grows_without_end(rule: &Rule, program: &Program, cost: &Cost) -> bool {
    let is_bounded = program.timing.within.is_some();
    let lists_all = rule.pattern.report == hir::Report::All;
    let is_slow = cost.event >= Growth::Linear && !is_grouped(cost);
    is_slow || cost.matches >= Growth::Linear || lists_all && !is_bounded
}

/// Returns the warning for a pattern whose matches multiply and are counted by listing them.
fn listed(rule: &Rule, program: &Program, cost: &Cost) -> Option<Diagnostic> {
    let keeps_all = matches!(program.skip().strategy, SkipStrategy::None | SkipStrategy::ToNext);
    let counts = program.report != hir::Report::All && keeps_all;
    let multiplies = cost.form == StateForm::Listed && cost.event == Growth::Combinations;
    let limit = rule.limit.map(|_| nfa::LIMIT_COUNTS);
    let reason = program.why_not_compact().or(limit).filter(|_| multiplies && counts)?;
    let message = "the matches of this pattern multiply, and are listed one by one";
    Some(
        Diagnostic::warning(Code::ListedMatches, Span::default(), message)
            .label(format!("not in the compact form, as {reason}"))
            .help("avoid that, bound the loop, or remove `any`"),
    )
}

/// Returns the warning for a pattern whose partial matches multiply and are listed one by one.
fn multiplied(rule: &Rule, program: &Program, cost: &Cost) -> Option<Diagnostic> {
    let multiplies = cost.form == StateForm::Listed && cost.event == Growth::Combinations;
    // `limit` lists the partial matches of which timeouts are reported, and says which give way.
    let limit = rule.limit.filter(|_| program.report_timeouts).map(|_| nfa::LIMIT_COUNTS);
    let reason = program.why_not_compact().or(limit).filter(|_| multiplies && program.forks())?;
    let message = "the partial matches of this pattern multiply, and are listed one by one";
    Some(
        Diagnostic::warning(Code::ListedPartials, Span::default(), message)
            .label(format!("not in the compact form, as {reason}"))
            .help(
                "avoid that, remove `any` or `each`, or add a limit: `limit 1000 partials drop \
                 oldest`",
            ),
    )
}

/// True for the warning that partial matches of a loop multiply.
fn is_of_loop(report: &RuleDiagnostic, source: &Source, pattern: Span) -> bool {
    let place = report.diagnostic.primary.span;
    report.diagnostic.code == Code::ExponentialLoop
        && report.source.name == source.name
        && pattern.start <= place.start
        && place.end <= pattern.end
}

fn report(
    (file, span): (usize, Span),
    mut diagnostic: Diagnostic,
    files: &[(Source, ast::File)],
) -> RuleDiagnostic {
    diagnostic.primary.span = span;
    RuleDiagnostic { source: files[file].0.clone(), diagnostic }
}

/// Returns the report of a pattern that has no automaton.
fn refused(error: &AutomatonError) -> Diagnostic {
    if error.is_too_large() {
        return too_large(error);
    }
    let message = "this pattern cannot run";
    Diagnostic::error(Code::Unsupported, Span::default(), message).label(error.to_string())
}

fn too_large(error: &AutomatonError) -> Diagnostic {
    let help = if error.has_too_many_types() {
        "use fewer event types, for example one type with a field for the kind of event"
    } else {
        "use smaller counts, fewer optional steps, or loops without an upper bound"
    };
    Diagnostic::error(Code::LimitExceeded, Span::default(), "this pattern is too large to run")
        .label(error.to_string())
        .help(help)
}

/// Returns the diagnostic for a pattern with an unreachable part, and its place.
fn unreachable(
    rule: &Rule,
    layout: &Layout,
    schema: &Schema,
    reach: &Reach,
) -> Option<((usize, Span), Diagnostic)> {
    let nothing = || {
        let message = "no stream of events matches this pattern";
        let diagnostic = Diagnostic::error(Code::Unreachable, Span::default(), message);
        (layout.pattern, diagnostic.help("its steps contradict each other or what must not come"))
    };
    let Some(step) = reach.first.or_else(|| reach.idle.first().copied()) else {
        return (!reach.matches).then(nothing);
    };
    let reason = reason(rule, layout, schema, step);
    if reason.is_none() && reach.first.is_none() && !reach.matches {
        return Some(nothing());
    }
    let name = &rule.pattern.steps[step.index()].name;
    let message = if reach.matches {
        format!("no match can hold this `{name}`")
    } else if reach.first.is_some() {
        format!("no stream of events matches this pattern: this `{name}` can never come")
    } else {
        "no stream of events matches this pattern".to_owned()
    };
    let diagnostic = Diagnostic::error(Code::Unreachable, Span::default(), message);
    let (reason, help) = match reason {
        Some(Obstacle::Loop(name, each)) => (
            format!("the loop `{name}` before it takes every event that could be this step"),
            format!(
                "write `each` in the loop, `{each}`, or change the conditions so that the two \
                 match different events"
            ),
        ),
        Some(Obstacle::Not(name)) => (
            format!("`not {name}` before it forbids every event that could be this step"),
            "make the `not` more specific, or remove it".to_owned(),
        ),
        Some(Obstacle::Until) => (
            "`until` ends the loop before that".to_owned(),
            "change `until` to an event that the loop does not take".to_owned(),
        ),
        None => (
            "the steps before it leave no event for it".to_owned(),
            "check the loops and the `not` steps before it".to_owned(),
        ),
    };
    Some((layout.steps[step.index()], diagnostic.label(reason).help(help)))
}

/// The reason why a step is unreachable.
enum Obstacle {
    /// A loop that takes all that the step could be, and its braces with `each`.
    Loop(String, String),
    /// A `not`.
    Not(String),
    /// The `until` of its own loop, or of a group around it.
    Until,
}

/// The nearest loop or `not` before a step that leaves it no event, else an `until` around it.
fn reason(rule: &Rule, layout: &Layout, schema: &Schema, step: StepId) -> Option<Obstacle> {
    let mut path = RulePath::default();
    let condition = path.find(&rule.pattern.body, step)?;
    let covers = |other: ConditionId| covers(rule, layout, schema, other, condition);
    let name = |step: StepId| rule.pattern.steps[step.index()].name.to_string();
    let nearest = path.before.iter().rev().find_map(|item| match &item.kind {
        // What the step after a plain `not` takes is not between.
        ItemKind::Not { step, condition }
            if item.contiguity == Contiguity::Next && covers(*condition) =>
        {
            Some(Obstacle::Not(name(*step)))
        }
        ItemKind::Step { step, condition, quantifier }
            if is_greedy(quantifier) && covers(*condition) =>
        {
            Some(Obstacle::Loop(name(*step), with_each(quantifier)))
        }
        ItemKind::Group { body, quantifier, alias, .. }
            if is_greedy(quantifier) && begins_with(body).into_iter().any(covers) =>
        {
            let name = alias.map_or_else(|| "(...)".to_owned(), name);
            Some(Obstacle::Loop(name, with_each(quantifier)))
        }
        _ => None,
    });
    nearest.or_else(|| path.until.iter().any(|until| covers(*until)).then_some(Obstacle::Until))
}

/// The braces of a loop with `each`.
fn with_each(quantifier: &Quantifier) -> String {
    let min = if quantifier.optional { 0 } else { quantifier.min };
    let max = quantifier.max.map_or_else(String::new, |max| max.to_string());
    let word = match quantifier.inner {
        Contiguity::Next => "next ",
        Contiguity::Any => "any ",
        Contiguity::Relaxed => "",
    };
    format!("{{{min}..{max} {word}each}}")
}

fn is_greedy(quantifier: &Quantifier) -> bool {
    !quantifier.is_once() && quantifier.mode != LoopMode::Each
}

/// The conditions of the steps that a sequence can begin with.
fn begins_with(sequence: &Sequence) -> Vec<ConditionId> {
    match sequence.items.first().map(|item| &item.kind) {
        Some(ItemKind::Step { condition, .. }) => vec![*condition],
        Some(ItemKind::Group { body, .. }) => begins_with(body),
        Some(ItemKind::Alternatives { branches, .. }) => {
            branches.iter().flat_map(begins_with).collect()
        }
        Some(ItemKind::Not { .. }) | None => Vec::new(),
    }
}

/// True if each event that fulfils `one` is known to fulfil `other`.
fn covers(
    rule: &Rule,
    layout: &Layout,
    schema: &Schema,
    other: ConditionId,
    one: ConditionId,
) -> bool {
    let conditions = &rule.pattern.conditions;
    let Condition { ty, test } = &conditions[other.index()];
    if let Test::OneOf(others) = test {
        return others.iter().any(|other| covers(rule, layout, schema, *other, one));
    }
    let of = conditions[one.index()].ty;
    let fits = ty.is_none() || *ty == of;
    fits && (one == other
        || matches!(test, Test::True)
        || of.is_some_and(|ty| layout.exclude(&rule.pattern, schema, ty, (&[one], &[other]))))
}

/// The steps before a step, and the `until` of the loops around it.
#[derive(Default)]
struct RulePath<'p> {
    before: Vec<&'p Item>,
    until: Vec<ConditionId>,
}

impl<'p> RulePath<'p> {
    /// Finds the condition of a step.
    fn find(&mut self, sequence: &'p Sequence, step: StepId) -> Option<ConditionId> {
        for item in &sequence.items {
            let count = self.before.len();
            let (found, quantifier) = match &item.kind {
                ItemKind::Step { step: of, condition, quantifier } => {
                    ((*of == step).then_some(*condition), Some(quantifier))
                }
                ItemKind::Not { .. } => (None, None),
                ItemKind::Group { body, quantifier, .. } => {
                    (self.find(body, step), Some(quantifier))
                }
                ItemKind::Alternatives { branches, .. } => {
                    (branches.iter().find_map(|branch| self.find(branch, step)), None)
                }
            };
            if found.is_some() {
                self.until.extend(quantifier.and_then(|quantifier| quantifier.until));
                return found;
            }
            self.before.truncate(count);
            self.before.push(item);
        }
        None
    }
}
