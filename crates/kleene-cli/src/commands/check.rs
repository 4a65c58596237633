//! `kleene check`: what is wrong with rules, and what they cost.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use kleene_explain::explain::{Explanation, RuleCost};
use serde_json::json;

use crate::args::CheckArgs;
use crate::ending::Ending;
use crate::rules::{self, Listing, Loaded};
use crate::stderr::say;
use kleene_report::counts::counted;

/// Checks rules and prints all that is to be said of them.
pub(crate) fn check(args: &CheckArgs) -> Result<Ending> {
    let listing = if args.all { Listing::Whole } else { Listing::Screen };
    let loaded = match rules::load_and_report(args.rule_args(), listing)? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    let number = loaded.set.warnings().len();
    if number > 0 {
        say(&loaded.warnings);
    }
    let mut out = String::new();
    if args.json {
        out = json_lines(&costs(&loaded)?);
    } else {
        if args.cost {
            out = table(&costs(&loaded)?);
        }
        let rules = counted(loaded.rules.len(), "rule");
        let warnings = counted(number, "warning");
        let _ = writeln!(out, "{rules}, {warnings}");
    }
    // A closed pipe has heard enough.
    let _ = std::io::stdout().write_all(out.as_bytes());
    Ok(if args.deny.is_some() && number > 0 { Ending::WrongRules } else { Ending::Fine })
}

/// Returns the name and the cost of each rule.
fn costs(loaded: &Loaded) -> Result<Vec<(&str, RuleCost)>> {
    let mut costs = Vec::new();
    for rule in &loaded.rules {
        let explanation = Explanation::new(rule, &loaded.schema)
            .with_context(|| format!("the rule `{}` cannot be run", rule.name))?;
        costs.push((&*rule.name, explanation.rule_cost()));
    }
    Ok(costs)
}

/// Returns what rules cost for programs: a line for each.
fn json_lines(rows: &[(&str, RuleCost)]) -> String {
    let line = |(name, cost): &(&str, RuleCost)| {
        let RuleCost { event, completion, memory, matches, n, groups, reasons, .. } = cost;
        let line = json!({
            "rule": name,
            "event": event.to_string(),
            "match": completion.to_string(),
            "memory": memory.to_string(),
            "matches": matches.to_string(),
            "n": n,
            "groups": groups,
            "reasons": reasons,
        });
        format!("{line}\n")
    };
    rows.iter().map(line).collect()
}

/// Returns a table of what rules cost: a row for each, with the reasons below it.
fn table(rows: &[(&str, RuleCost)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(4);
    let mut out = String::new();
    if !rows.is_empty() {
        let _ = writeln!(out, "{:<width$}  event       match       memory      n", "rule");
    }
    for (name, RuleCost { event, completion, memory, n, groups, reasons, .. }) in rows {
        let _ = writeln!(out, "{name:<width$}  {event:<10}  {completion:<10}  {memory:<10}  {n}");
        let groups = groups.as_ref().map(|groups| format!("groups: {groups}"));
        for line in groups.iter().chain(reasons) {
            let _ = writeln!(out, "{:width$}    {line}", "");
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}
