//! `kleene check`: what is wrong with rules.

use std::io::Write as _;

use anyhow::Result;

use crate::Ending;
use crate::args::CheckArgs;
use crate::rules;
use crate::summary::counted;

/// Checks rules and prints all that is to be said of them.
pub(crate) fn check(args: &CheckArgs) -> Result<Ending> {
    let loaded = match rules::load(&args.rules, &[])? {
        Ok(loaded) => loaded,
        Err(refused) => {
            crate::say(&refused.text);
            return Ok(refused.ending);
        }
    };
    loaded.warnings.iter().for_each(|warning| crate::say(warning));
    let rules = counted(loaded.rules.len(), "rule");
    let warnings = counted(loaded.warnings.len(), "warning");
    // A closed pipe has heard enough.
    let _ = writeln!(std::io::stdout(), "{rules}, {warnings}");
    Ok(if args.deny.is_some() && !loaded.warnings.is_empty() {
        Ending::WrongRules
    } else {
        Ending::Fine
    })
}
