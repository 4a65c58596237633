//! The command line of Kleene.

#![forbid(unsafe_code)]

mod args;
mod byte_budget;
mod commands;
mod disk;
mod guard;
mod idle;
mod interrupt;
mod lsp;
mod markdown;
mod output;
mod paths;
mod progress;
mod rejects;
mod review;
mod rules;
mod spill;
mod state;
mod summary;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use kleene_input as input;

/// The end of a command, as its exit code says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// All is fine.
    Fine,
    /// The rules are wrong, or a test of them fails; that was reported.
    WrongRules,
    /// The command cannot do what was asked; that was reported.
    WrongUsage,
    /// Not one event of the input could be used; that was reported.
    Unusable,
    /// Ctrl-C.
    Interrupted,
}

fn main() -> ExitCode {
    // Wrong usage ends in there, with exit code 2.
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Run(args) => commands::run(args),
        Command::Check(args) => commands::check(args),
        Command::Why(args) => commands::why(args),
        Command::Test(args) => commands::test(args),
        Command::Fmt(args) => commands::fmt(args),
        Command::Explain(args) => commands::explain(args),
        Command::Infer(args) => commands::infer(args),
        Command::Lsp(_) => lsp::lsp(),
        Command::Completions(args) => Ok(commands::completions(args)),
    };
    match result {
        Ok(Ending::Fine) => ExitCode::SUCCESS,
        Ok(Ending::WrongRules) => ExitCode::from(1),
        Ok(Ending::WrongUsage) => ExitCode::from(2),
        Ok(Ending::Unusable) => ExitCode::from(3),
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Prints a line to standard error.
fn say(line: &str) {
    // If standard error is closed there is nobody to report.
    let _ = writeln!(std::io::stderr(), "{line}");
}
