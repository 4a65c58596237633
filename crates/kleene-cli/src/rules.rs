//! The rules in the rule files of a command line.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use kleene::diagnostic::{Code, Severity};
use kleene::ruleset::{RuleDiagnostic, RuleDiagnostics, RuleSet};
use kleene::schema::Schema;
use kleene_host::rules::RulePaths;
use kleene_host::watch::Files;
use kleene_syntax::hir::{Limit, LimitPolicy, Rule};

use crate::ending::Ending;
use crate::stderr::say;
use kleene_report::counts::counted;

/// Rules that can be run.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// All of it.
    pub(crate) set: RuleSet,
    pub(crate) schema: Arc<Schema>,
    pub(crate) rules: Vec<Arc<Rule>>,
    /// The warnings, as they are printed; empty if there are none.
    pub(crate) warnings: String,
    /// True if a rule ends the run where a key exceeds its limit (`limit .. fail`).
    pub(crate) can_fail: bool,
}

impl Loaded {
    /// The declared types, for messages.
    pub(crate) fn declared(&self) -> String {
        const SHOWN: usize = 10;
        let types = self.schema.types().take(SHOWN);
        let mut names: Vec<&str> = types.map(|(_, ty)| &*ty.name).collect();
        match self.schema.len() {
            0 => return String::from("the rules declare none"),
            length if length > SHOWN => names.push("..."),
            _ => {}
        }
        format!("the rules declare {}", names.join(", "))
    }

    /// The rule of this name, or the only one where none is named.
    pub(crate) fn pick<'a>(&'a self, name: Option<&'a str>) -> Result<&'a Rule> {
        let names = || self.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>().join(", ");
        match (name, &self.rules[..]) {
            (_, []) => bail!("these files contain no rule"),
            (Some(name), _) => match self.set.rule(name) {
                Some(rule) => Ok(rule),
                None => bail!("there is no rule `{name}` (--rule); there are: {}", names()),
            },
            (None, [rule]) => Ok(rule),
            (None, _) => bail!("several rules: choose one with `--rule NAME`: {}", names()),
        }
    }

    /// Fails if the events are said to be of a type that no rule declares.
    pub(crate) fn refuse_unknown_type(&self, event_type: Option<&str>) -> Result<()> {
        match event_type {
            Some(name) if self.schema.type_id(name).is_none() => {
                bail!("the rules declare no event type `{name}` (--type): {}", self.declared())
            }
            _ => Ok(()),
        }
    }
}

/// Rules that cannot be run.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Every reason and their number, as it is printed.
    pub(crate) text: String,
    /// The end of the command.
    ending: Ending,
}

impl Refused {
    /// Prints the reasons. Returns how the command ends.
    pub(crate) fn say(self) -> Ending {
        say(&self.text);
        self.ending
    }
}

/// The extent to which mistakes are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listing {
    /// As much as fits on a screen.
    Screen,
    /// All of it.
    Whole,
}

/// Loads rule files as one set. Fails if files cannot be found.
pub(crate) fn load(given: RulePaths<'_>) -> Result<Result<Loaded, Refused>> {
    load_and_note(given, Listing::Screen, &mut Files::default())
}

/// Loads rule files as one set, and prints what is wrong as `listing` says.
pub(crate) fn load_and_report(
    given: RulePaths<'_>,
    listing: Listing,
) -> Result<Result<Loaded, Refused>> {
    load_and_note(given, listing, &mut Files::default())
}

/// Loads rule files as one set, and notes each file before it is read: those of the paths, and
/// those that they name.
pub(crate) fn load_and_note(
    given: RulePaths<'_>,
    listing: Listing,
    files: &mut Files,
) -> Result<Result<Loaded, Refused>> {
    let paths = given.paths;
    let rules = match kleene_host::rules::load(given, files)? {
        Ok(rules) => rules,
        Err(error) => {
            let (errors, warnings): (Vec<&RuleDiagnostic>, Vec<&RuleDiagnostic>) = error
                .diagnostics()
                .iter()
                .partition(|report| report.diagnostic.severity == Severity::Error);
            let is_usage = errors.iter().all(|report| is_about_usage(report));
            let ending = if is_usage { Ending::WrongUsage } else { Ending::WrongRules };
            let (errors, warnings) =
                (counted(errors.len(), "error"), counted(warnings.len(), "warning"));
            let reported = reported(error.diagnostics(), listing);
            let hint = match paths.iter().find(|path| is_named_as_data(path)) {
                Some(path) => format!(
                    "\nhint: to read events from a file, use `--input`: `kleene run RULES --input \
                     {}`",
                    path.display()
                ),
                None => String::new(),
            };
            let text = format!("{reported}\n{errors}, {warnings}{hint}");
            return Ok(Err(Refused { text, ending }));
        }
    };
    let fails = |limit: Limit| limit.policy == LimitPolicy::Fail;
    Ok(Ok(Loaded {
        can_fail: rules.rules().iter().any(|rule| rule.limit.is_some_and(fails)),
        schema: rules.schema().clone(),
        rules: rules.rules().to_vec(),
        warnings: reported(rules.warnings(), listing),
        set: rules,
    }))
}

/// True if a file that should hold rules is called as files of events are.
fn is_named_as_data(path: &Path) -> bool {
    let endings = ["csv", "json", "jsonl", "log", "ndjson", "tsv"];
    path.extension().is_some_and(|found| endings.iter().any(|ending| found == *ending))
}

/// Reports as they are printed, and how to learn more about them.
fn reported(reports: &[RuleDiagnostic], listing: Listing) -> String {
    let is_error = |report: &&RuleDiagnostic| report.diagnostic.severity == Severity::Error;
    let Some(first) = reports.iter().find(is_error).or(reports.first()) else {
        return String::new();
    };
    let listed = RuleDiagnostics(reports);
    let listed = match listing {
        Listing::Screen => listed.to_string(),
        Listing::Whole => format!("{listed:#}"),
    };
    format!("{listed}\n\nFor more about a code, try `kleene explain {}`.", first.diagnostic.code)
}

/// True if the rules themselves are without blame.
fn is_about_usage(report: &RuleDiagnostic) -> bool {
    let is_whole_file = report.source.text.is_empty();
    match report.diagnostic.code {
        Code::BadParam => true,
        Code::UnreadableFile => is_whole_file,
        _ => false,
    }
}
