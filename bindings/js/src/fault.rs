//! Why something failed, as the package throws it.

use kleene::ruleset::RulesError;
use kleene_language::diagnostics::{Diagnostic, diagnostics};
use serde::Serialize;

use kleene_input::OptionNames;

/// The kind of a failure; `ErrorKind` in `index.d.ts` says what each means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// The rules have mistakes.
    Rules,
    /// The input is no events at all.
    Events,
    /// An option or argument has no meaning.
    Options,
    /// A limit was exceeded that ends the work.
    Limit,
    /// Bytes are no snapshot, or one that does not fit.
    Snapshot,
    /// Time has ended.
    Closed,
}

/// A failure.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// The kind of the failure.
    pub kind: FaultKind,
    /// The message: what is wrong, and what to do.
    pub message: String,
    /// The mistakes in rules.
    pub diagnostics: Vec<Diagnostic>,
}

impl Fault {
    /// A failure without diagnostics.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Fault {
        Fault { kind, message: message.into(), diagnostics: Vec::new() }
    }

    /// An input that is no events. The reason may name flags of `kleene run`.
    pub fn events(reason: &str) -> Fault {
        Fault::new(FaultKind::Events, OptionNames::CamelCase.spell(reason.to_owned()))
    }

    /// An option or argument that has no meaning.
    pub fn options(message: impl Into<String>) -> Fault {
        Fault::new(FaultKind::Options, message)
    }

    /// Rules with mistakes, of which those of the source `name` come first.
    pub fn rules(error: &RulesError, name: &str) -> Fault {
        let message = error.to_string();
        let all = diagnostics(error.diagnostics(), name);
        Fault { kind: FaultKind::Rules, message, diagnostics: all }
    }

    /// The failure as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
