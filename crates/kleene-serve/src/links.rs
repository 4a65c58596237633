//! What the threads of the service share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use kleene::RuleSet;
use serde_json::Value;

use crate::metrics::Metrics;
use crate::rules::{AuditLog, RuleFolder};
use crate::status::SharedStatus;

/// What the HTTP interface asks of the engines.
#[derive(Debug)]
pub(crate) enum Command {
    /// Put these rules in force. The reply has the verdicts, or why not.
    Replace { rules: RuleSet, reply: Reply },
}

/// Receives the verdicts of a change of rules, or why it was refused.
pub(crate) type Reply = SyncSender<Result<Value, String>>;

/// What the threads of the service share.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// True if the service is to end.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) status: Arc<SharedStatus>,
    pub(crate) folder: Arc<RuleFolder>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Arc<AuditLog>,
}

impl Links {
    /// Has `put` put the rules in force whose files have changed. What became of them is in the audit
    /// log.
    pub(crate) fn follow_files(&self, put: impl FnOnce(RuleSet) -> Result<Value, String>) {
        let result = match self.folder.changed() {
            None => return,
            Some(Ok(rules)) => put(rules),
            Some(Err(mistakes)) => {
                self.refuse_rules(&format!("\n{mistakes}"));
                Err(mistakes)
            }
        };
        self.audit.add_files(&result);
    }

    /// Counts and logs a change of rules that was refused.
    pub(crate) fn refuse_rules(&self, reason: &str) {
        self.status.lock().failed_reloads += 1;
        tracing::error!("the rules were not reloaded, the old ones go on: {reason}");
    }
}
