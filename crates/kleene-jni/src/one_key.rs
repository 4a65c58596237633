//! Engines of one key at a time, for a host that keeps the state of each key itself.
//!
//! A process table function of Flink is called for one key at a time, and Flink holds the state of
//! each key. So no engine lives between two calls: each call makes one of the state, does its work,
//! and takes the state out again. Rules are compiled once.

use std::sync::Arc;

use kleene::{RuleSet, Timestamp};

use crate::error::HostError;
use crate::host::{Host, Settings};
use crate::parts::KeyGroups;
use crate::plan::Plan;

/// Compiled rules of one group, which run for one key at a time.
#[derive(Debug)]
pub struct OneKey {
    rules: RuleSet,
    plan: Arc<Plan>,
    settings: Settings,
    head: Vec<u8>,
}

/// The state of a key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyState {
    /// What the states of keys under the same rules have in common; empty if it is that of these
    /// rules ([`OneKey::head`]).
    pub head: Vec<u8>,
    /// The rest; empty if the key has no state.
    pub part: Vec<u8>,
}

/// What a call has done.
#[derive(Debug)]
pub struct Done {
    /// The state of the key.
    pub state: KeyState,
    /// Results as bytes ([`crate::results`]).
    pub results: Vec<u8>,
    /// When the key has to be called next, if no event comes before; the greatest time if only the
    /// end of time changes something. `None` if the key has no state.
    pub due: Option<Timestamp>,
}

impl OneKey {
    /// Compiles the rules of a group.
    ///
    /// # Errors
    /// [`HostError`] if an engine cannot run the rules.
    pub fn new(rules: RuleSet, settings: Settings) -> Result<OneKey, HostError> {
        let plan = Arc::new(Plan::new(&rules));
        let mut of = OneKey { rules, plan, settings, head: Vec::new() };
        of.head = KeyGroups::of_parts(vec![of.host()?.engine().snapshot()]).heads.concat();
        Ok(of)
    }

    /// What the states of keys under these rules have in common. A host that keeps it beside a state
    /// can continue under other rules.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    fn host(&self) -> Result<Host, HostError> {
        Host::planned(&self.rules, self.plan.clone(), self.settings.clone())
    }

    /// Makes the engine of a key.
    ///
    /// # Errors
    /// [`HostError`] if the state is damaged.
    pub fn enter(&self, state: &KeyState) -> Result<Host, HostError> {
        if state.part.is_empty() {
            return self.host();
        }
        let head = if state.head.is_empty() { &self.head } else { &state.head };
        let state = KeyGroups { heads: vec![head.clone()], parts: vec![state.part.clone()] };
        let (plan, settings) = (self.plan.clone(), self.settings.clone());
        // Nothing comes from another host.
        let earliest = Timestamp::MAX;
        Ok(Host::restore_planned(&self.rules, plan, settings, &state, earliest)?.0)
    }

    /// Takes the state of a key out of its engine.
    ///
    /// # Errors
    /// [`HostError`] if a limit has stopped the engine.
    pub fn leave(&self, mut host: Host) -> Result<Done, HostError> {
        host.push_pending()?;
        let results = host.read_results().to_vec();
        let engine = host.engine();
        if engine.is_blank() || engine.has_ended() {
            return Ok(Done { state: KeyState::default(), results, due: None });
        }
        let due = engine.next_due().unwrap_or(Timestamp::MAX);
        // A host that wakes the key again and again would never come to an end.
        let due = Some(due.max(engine.watermark().plus_millis(1)));
        let state = KeyGroups::of_parts(vec![engine.snapshot()]);
        let head = state.heads.into_iter().find(|head| *head != self.head).unwrap_or_default();
        let part = state.parts.into_iter().next().unwrap_or_default();
        Ok(Done { state: KeyState { head, part }, results, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::ResultParts;
    use kleene::Record;
    use kleene::event::{BatchBuilder, EventBatch};

    const RULES: &str = "event order { id: string, at: time }  event paid { id: string, at: time }
        rule unpaid { key id  match order as order -> not paid for 10s  emit { id } }";

    fn rules(text: &str) -> OneKey {
        let rules = RuleSet::parse(text).expect("the rules are right");
        let parts = ResultParts { events: true, json: false };
        let settings = Settings { signature: "id".into(), time_field: "at".into(), parts };
        OneKey::new(rules, settings).expect("an engine can run the rules")
    }

    fn batch(rules: &OneKey, ty: &str, second: i64) -> EventBatch {
        let at = Timestamp::from_millis(1000 * second);
        let fields = [("id", "o-1".into()), ("at", at.into())];
        let event = Record::from_fields(rules.rules.schema(), ty, fields).expect("it fits");
        let mut events = BatchBuilder::new();
        events.push_record(event);
        events.finish()
    }

    #[test]
    fn a_key_is_called_when_something_is_due_and_is_blank_at_the_end() {
        let rules = rules(RULES);
        let mut host = rules.enter(&KeyState::default()).expect("there is no state");
        host.push(batch(&rules, "order", 5)).expect("no limit");
        let done = rules.leave(host).expect("no limit");
        assert_eq!(done.due, Some(Timestamp::from_millis(5000)));
        let mut host = rules.enter(&done.state).expect("it is a state");
        host.advance(Timestamp::from_millis(5000)).expect("no limit");
        let done = rules.leave(host).expect("no limit");
        assert_eq!((done.due, done.results.len()), (Some(Timestamp::from_millis(15_000)), 0));
        assert_eq!(done.state.head, b"");
        let mut host = rules.enter(&done.state).expect("it is a state");
        host.advance(Timestamp::from_millis(15_000)).expect("no limit");
        let done = rules.leave(host).expect("no limit");
        assert!(done.due.is_none() && done.state == KeyState::default());
        assert!(!done.results.is_empty());
    }

    #[test]
    fn a_key_continues_under_other_rules() {
        let old = rules(RULES);
        let mut host = old.enter(&KeyState::default()).expect("there is no state");
        host.push(batch(&old, "order", 5)).expect("no limit");
        host.advance(Timestamp::from_millis(5000)).expect("no limit");
        let part = old.leave(host).expect("no limit").state.part;
        let new = rules(&RULES.replace("emit { id }", "emit { id, more: 7 }"));
        assert!(new.enter(&KeyState { head: Vec::new(), part: part.clone() }).is_err());
        let state = KeyState { head: old.head().to_vec(), part };
        let mut host = new.enter(&state).expect("it is a state");
        host.advance(Timestamp::from_millis(15_000)).expect("no limit");
        let results = new.leave(host).expect("no limit").results;
        assert!(results.windows(4).any(|bytes| bytes == b"more"));
    }
}
