//! `kleene explain`: what a diagnostic means.

use std::io::Write as _;

use anyhow::{Result, bail};
use kleene::diagnostic::Code;

use crate::Ending;
use crate::args::ExplainArgs;

/// Prints what a code means, or all codes.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Ending> {
    let Some(subject) = &args.subject else {
        print(&all_codes());
        return Ok(Ending::Fine);
    };
    match subject.to_string_lossy().trim().parse::<Code>() {
        Ok(code) => print(code.explanation()),
        Err(_) => {
            bail!("{}: no code of a diagnostic; `kleene explain` lists them all", subject.display())
        }
    }
    Ok(Ending::Fine)
}

/// Every code with what it is about, a line each.
fn all_codes() -> String {
    let lines = Code::ALL.iter().map(|code| format!("{code}  {}\n", code.title()));
    lines.collect::<Vec<String>>().concat()
}

fn print(text: &str) {
    // A closed pipe has heard enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
