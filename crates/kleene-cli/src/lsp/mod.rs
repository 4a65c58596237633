//! `kleene lsp`: a language server, which reports editors what is wrong with rules while they are
//! typed, what names mean and where they are declared, and what could be typed next.
//!
//! The library reports mistakes, as for `kleene check`. Everything else has to work in text that is
//! half typed. It is in `kleene_language`, which knows no mistakes; here it is put into the
//! words of the protocol.

mod actions;
mod completions;
mod diagnose;
mod documents;
mod position;
mod server;
mod symbols;
mod uri;

#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use lsp_server::Connection;

use crate::ending::Ending;
use crate::stderr::say;

/// Speaks with an editor over standard input and output.
pub(crate) fn lsp() -> Result<Ending> {
    if std::io::stdin().is_terminal() {
        say("this command is started by editors, not by hand; Ctrl-D ends it (see `kleene lsp \
             --help`)");
    }
    let (connection, threads) = Connection::stdio();
    let is_shut_down = server::serve(&connection)?;
    // The thread that writes ends when nobody can send any more.
    drop(connection);
    if !is_shut_down {
        return Ok(Ending::WrongRules);
    }
    threads.join().context("the connection to the editor broke")?;
    Ok(Ending::Fine)
}
