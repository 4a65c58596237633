//! The rules that run in the engines of all workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use kleene::RuleSet;
use kleene::stream::Replacement;

use crate::links::Reply;
use crate::rules::{log_changes, verdicts};

/// Waits for the verdicts of an edition: its number, and the channel for the answer.
type Waiting = (u64, Reply);

/// The current rules. Each engine follows them between two events.
#[derive(Debug)]
pub(super) struct CurrentRules {
    rules: RwLock<RuleSet>,
    edition: AtomicU64,
    waiting: Mutex<Option<Waiting>>,
    /// The last edition whose verdicts were said.
    said: AtomicU64,
}

impl CurrentRules {
    pub(super) fn new(rules: RuleSet) -> CurrentRules {
        CurrentRules {
            rules: RwLock::new(rules),
            edition: AtomicU64::new(0),
            waiting: Mutex::new(None),
            said: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self) -> RuleSet {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Replaces the rules. `reply` gets the verdicts of the first engine that has followed; the others
    /// have the same rules, and their own partial matches.
    pub(super) fn replace(&self, rules: RuleSet, reply: Option<Reply>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        let edition = self.edition.fetch_add(1, Ordering::AcqRel) + 1;
        let waiting = reply.map(|reply| (edition, reply));
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    /// An engine has followed the rules, or has refused them.
    pub(super) fn was_applied(&self, edition: u64, result: Result<Replacement, String>) {
        if self.said.swap(edition, Ordering::AcqRel) != edition
            && let Ok(replacement) = &result
        {
            log_changes(replacement);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reply)) = waiting.take_if(|(number, _)| *number <= edition) {
            // Nobody listens if the request has timed out.
            let _ = reply.send(result.map(|replacement| verdicts(&replacement)));
        }
    }
}
