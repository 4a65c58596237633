//! `kleene completions`: what a shell needs to complete our commands and options.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::ending::Ending;

/// Prints the completion script of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kleene", &mut script);
    // A closed pipe has heard enough.
    let _ = io::stdout().write_all(&script);
    Ending::Fine
}
