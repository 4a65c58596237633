//! Lanes: a number for each key of a rule, in the order in which keys come.

use hashbrown::HashMap;
use kleene::Record;
use kleene::value::Value;
use kleene_explain::why::key_of;
use kleene_report::output::write_value;
use kleene_syntax::hir::Rule;

/// No lane: the rule does not see the event, or it has no key.
pub(super) const NONE: u32 = u32::MAX;

/// The keys of a rule that have come.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_key: HashMap<Box<[u8]>, u32>,
    /// How keys are shown, by lane.
    pub(super) labels: Vec<String>,
    /// By event.
    pub(super) of_event: Vec<u32>,
    bytes: Vec<u8>,
}

impl Lanes {
    /// Takes in the next event.
    pub(super) fn event(&mut self, rule: &Rule, record: Option<&Record>) {
        let lane = record.map_or(NONE, |record| self.of_record(rule, record));
        self.of_event.push(lane);
    }

    fn of_record(&mut self, rule: &Rule, record: &Record) -> u32 {
        match key_of(rule, record) {
            Some(key) => self.of_key(rule, &key),
            None => NONE,
        }
    }

    /// The lane of a key.
    pub(super) fn of_key(&mut self, rule: &Rule, key: &[Value]) -> u32 {
        self.bytes.clear();
        write_key(&mut self.bytes, key);
        if let Some(lane) = self.by_key.get(self.bytes.as_slice()) {
            return *lane;
        }
        let lane = u32::try_from(self.labels.len()).unwrap_or(NONE);
        self.by_key.insert(self.bytes.as_slice().into(), lane);
        self.labels.push(label(rule, key));
        lane
    }

    /// The lane of a key that has come.
    pub(super) fn known(&self, key: &[Value]) -> Option<u32> {
        let mut bytes = Vec::new();
        write_key(&mut bytes, key);
        self.by_key.get(bytes.as_slice()).copied()
    }

    /// The bytes that it holds, about.
    pub(super) fn memory_usage(&self) -> usize {
        let keys: usize = self.labels.iter().map(|label| 2 * label.len() + 64).sum();
        keys + self.of_event.capacity() * size_of::<u32>()
    }
}

fn write_key(bytes: &mut Vec<u8>, key: &[Value]) {
    for value in key {
        write_value(bytes, value.as_ref());
        bytes.push(b',');
    }
}

/// `user=ann, item=7`.
fn label(rule: &Rule, key: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.to_string(),
        value => value.to_string(),
    };
    let parts = rule.key.iter().zip(key);
    let parts: Vec<String> =
        parts.map(|(part, value)| format!("{}={}", part.name, text(value))).collect();
    if parts.is_empty() { String::from("all events") } else { parts.join(", ") }
}
