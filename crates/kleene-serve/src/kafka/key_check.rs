//! Whether a topic is partitioned by the keys of the rules.
//!
//! The state of a partition is complete only if all events of a key are in it. Nothing in Kafka says
//! by what a topic is partitioned, so that a sample of its records is looked at: either the key of
//! the record is a part of the rule's key, or that part hashes to the partition as usual producers
//! compute it. A rule whose key has more parts is fine: events of one key agree in all of them.

use kleene::value::ValueRef;
use kleene::{Event as _, Record as EngineRecord, RuleSet};
use kleene_automata::exec::field_of;
use kleene_kafka::Record;
use kleene_kafka::partitioner::Partitioner;

/// The number of records of a partition of a topic that are looked at.
const SAMPLE: u32 = 200;

/// Looks at the first records of a topic in a partition.
#[derive(Debug, Default)]
pub(super) struct KeyCheck {
    seen: u32,
}

impl KeyCheck {
    /// True if more records are looked at.
    pub(super) fn is_open(&self) -> bool {
        self.seen < SAMPLE
    }

    /// Looks at an event of a record. Fails with the reason if the topic is not partitioned by the
    /// key of a rule that reads the event.
    pub(super) fn check(
        &mut self,
        rules: &RuleSet,
        event: &EngineRecord,
        record: &Record,
        partitions: i32,
    ) -> Result<(), String> {
        self.seen += 1;
        for rule in rules.rules().iter().filter(|rule| rule.types.contains(&event.type_id())) {
            let mut parts = Vec::new();
            for part in &rule.key {
                let field = part.fields.iter().find(|(ty, _)| *ty == event.type_id());
                let value = field.map(|(_, field)| text_of(field_of(event, field)));
                parts.push((&part.name, value.flatten()));
            }
            // An event without a part of the key is in no stream of the rule.
            if parts.is_empty() || parts.iter().any(|(_, value)| value.is_none()) {
                continue;
            }
            let fits = |value: &str| {
                let by = [Partitioner::Murmur2, Partitioner::Crc32];
                is_key(record, value)
                    || by
                        .iter()
                        .any(|by| by.check(value.as_bytes(), record.partition, partitions).is_ok())
            };
            if !parts.iter().any(|(_, value)| value.as_deref().is_some_and(fits)) {
                let shown = parts.iter().map(|(name, value)| {
                    format!("{name} `{}`", value.as_deref().unwrap_or_default())
                });
                let shown = shown.collect::<Vec<_>>().join(", ");
                let key = record.key.as_deref().map(String::from_utf8_lossy);
                let key = key.map_or(String::from("no key"), |key| format!("the key `{key}`"));
                return Err(format!(
                    "the topic `{}` is not partitioned by the key of the rule `{}`: the record at \
                     offset {} of partition {} has {key}, and {shown}. Events of one key would be in \
                     several partitions. Send records with the rule's key as their key, use a topic \
                     with one partition, or set `trust_partitions = true` if a partitioner of your \
                     own keeps keys together",
                    record.topic, rule.name, record.offset, record.partition
                ));
            }
        }
        Ok(())
    }
}

/// True if the key of a record is this text, perhaps as JSON.
fn is_key(record: &Record, text: &str) -> bool {
    let Some(key) = &record.key else { return false };
    let quoted = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\""));
    key == text.as_bytes() || quoted == Some(text.as_bytes())
}

/// Returns a value as a producer would write it; `None` for null.
fn text_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::String(text) => Some(text.to_owned()),
        value => {
            let mut text = Vec::new();
            kleene_report::output::write_value(&mut text, value);
            let text = String::from_utf8(text).ok()?;
            Some(text.trim_matches('"').to_owned())
        }
    }
}
