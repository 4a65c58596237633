//! What the HTTP interface asks of the service.

use std::fmt;

use serde_json::Value;

/// A rule file of the service.
#[derive(Clone, Debug)]
pub(crate) struct RuleFile {
    /// The name of the file in the folder of rules, such as `fraud.cep`.
    pub(crate) name: String,
    /// The text of the file.
    pub(crate) text: String,
}

/// A change of rules that was refused.
#[derive(Clone, Debug)]
pub(crate) enum ChangeError {
    /// The rules have mistakes: the diagnostics with carets.
    Mistakes(String),
    /// The change cannot be made now, and why: the folder cannot be written, the engine has failed.
    Failed(String),
    /// There is no such file.
    Unknown,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::Mistakes(text) | ChangeError::Failed(text) => f.write_str(text),
            ChangeError::Unknown => f.write_str("there is no such rule file"),
        }
    }
}

/// The service as the HTTP interface sees it. All calls may wait, so that they belong on a thread
/// that may.
pub(crate) trait Control: Send + Sync {
    /// Returns the rule files in their order.
    fn rule_files(&self) -> Vec<RuleFile>;

    /// Checks a rule file together with the others, replaces it, and puts the rules in force.
    /// `who` is the name of the token, for the audit log. Returns the verdicts, one for each rule.
    fn put_rules(&self, who: &str, name: &str, text: &str) -> Result<Value, ChangeError>;

    /// Removes a rule file and its rules.
    fn delete_rules(&self, who: &str, name: &str) -> Result<Value, ChangeError>;

    /// Returns the state of the service: sources, rules, sinks, checkpoint.
    fn status(&self) -> Value;

    /// Fails with the reason if the service cannot go on: an engine or a source has failed.
    fn check_health(&self) -> Result<(), String>;

    /// Fails with the reason if the service does not take events now: it starts, stops, or is full.
    fn check_readiness(&self) -> Result<(), String>;

    /// Returns the page of metrics in the text format of Prometheus.
    fn metrics(&self) -> String;
}
