//! `kleene check`: what is wrong with rules.

use std::io::Write as _;

use anyhow::Result;

use crate::Ending;
use crate::args::CheckArgs;
use crate::rules::{self, Listing};
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
    let rules = counted(loaded.rules.len(), "rule");
    let warnings = counted(number, "warning");
    // A closed pipe has heard enough.
    let _ = writeln!(std::io::stdout(), "{rules}, {warnings}");
    Ok(if args.deny.is_some() && number > 0 { Ending::WrongRules } else { Ending::Fine })
}
