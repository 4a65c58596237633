//! `kleene check`: what is wrong with rules, and what they cost.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use kleene::explain::{Explanation, RuleCost};

use crate::Ending;
use crate::args::CheckArgs;
use crate::rules::{self, Listing, Loaded};
use kleene_tools::counts::counted;

/// Checks rules and prints all that is to be said of them.
pub(crate) fn check(args: &CheckArgs) -> Result<Ending> {
    let listing = if args.all { Listing::Whole } else { Listing::Screen };
    let loaded = match rules::load_and_report(args.rule_args(), listing)? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    let number = loaded.set.warnings().len();
    if number > 0 {
        crate::say(&loaded.warnings);
    }
    if args.cost {
        let table = costs(&loaded)?;
        let _ = std::io::stdout().write_all(table.as_bytes());
    }
    let rules = counted(loaded.rules.len(), "rule");
    let warnings = counted(number, "warning");
    // A closed pipe has heard enough.
    let _ = writeln!(std::io::stdout(), "{rules}, {warnings}");
    Ok(if args.deny.is_some() && number > 0 { Ending::WrongRules } else { Ending::Fine })
}

/// Returns a table of what rules cost: a row for each, with the reasons below it.
fn costs(loaded: &Loaded) -> Result<String> {
    let mut rows = Vec::new();
    for rule in &loaded.rules {
        let explanation = Explanation::new(rule, &loaded.schema)
            .with_context(|| format!("the rule `{}` cannot be run", rule.name))?;
        rows.push((&*rule.name, explanation.rule_cost()));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(4);
    let mut out = String::new();
    if !rows.is_empty() {
        let _ = writeln!(out, "{:<width$}  event       match       memory      n", "rule");
    }
    for (name, RuleCost { event, completion, memory, n, groups, reasons, .. }) in rows {
        let _ = writeln!(out, "{name:<width$}  {event:<10}  {completion:<10}  {memory:<10}  {n}");
        let groups = groups.map(|groups| format!("groups: {groups}"));
        for line in groups.into_iter().chain(reasons) {
            let _ = writeln!(out, "{:width$}    {line}", "");
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    Ok(out)
}
