//! The command line of Kleene.

#![forbid(unsafe_code)]

mod args;
mod byte_budget;
mod commands;
mod division;
mod ending;
mod guard;
mod idle;
mod interrupt;
mod lsp;
mod markdown;
mod output;
mod profile;
mod progress;
mod rejects;
mod review;
mod rules;
mod source;
mod state;
mod stderr;
mod summary;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::{Cli, Command};
use self::stderr::say;

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
        #[cfg(feature = "serve")]
        Command::Serve(args) => Ok(commands::serve(args)),
        Command::Lsp(_) => lsp::lsp(),
        Command::Completions(args) => Ok(commands::completions(args)),
    };
    match result {
        Ok(ending) => ExitCode::from(ending.exit_code()),
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}
