//! The schemas of a registry by their id.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::error::{DecodeError, DecodeErrorKind};
use super::registry::{Registry, SchemaText};

/// The time after which an unknown id is asked for again. A registry may be a follower that learns of
/// a schema later than a producer.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The unknown ids that are remembered: a producer of garbage has four billion.
const MAX_UNKNOWN: usize = 1024;

/// The schemas of a registry, ready for use. A schema never changes: it is asked for once.
#[derive(Debug)]
pub(super) struct ById<T> {
    registry: Registry,
    /// The format of the schemas.
    format: &'static str,
    /// The schemas, or why they cannot be used.
    known: BTreeMap<u32, Result<T, String>>,
    unknown: BTreeMap<u32, (Instant, DecodeError)>,
}

impl<T> ById<T> {
    pub(super) fn new(registry: Registry, format: &'static str) -> ById<T> {
        ById { registry, format, known: BTreeMap::new(), unknown: BTreeMap::new() }
    }

    /// Returns the schema with an id. `build` makes it of its text.
    pub(super) fn get(
        &mut self,
        id: u32,
        topic: &str,
        build: impl FnOnce(&SchemaText) -> Result<T, String>,
    ) -> Result<&T, DecodeError> {
        if !self.known.contains_key(&id) {
            let schema = self.fetch(id).map_err(|error| DecodeError {
                reason: format!("schema {id} of the topic {topic}: {}", error.reason),
                ..error
            })?;
            self.known.insert(id, build(&schema));
        }
        match self.known.get(&id) {
            Some(Ok(schema)) => Ok(schema),
            Some(Err(reason)) => {
                Err(DecodeError::poison(format!("the schema {id} cannot be used: {reason}")))
            }
            None => Err(DecodeError::poison(format!("there is no schema {id}"))),
        }
    }

    fn fetch(&mut self, id: u32) -> Result<SchemaText, DecodeError> {
        if let Some((at, error)) = self.unknown.get(&id)
            && at.elapsed() < ASK_AGAIN
        {
            return Err(error.clone());
        }
        let found = self.registry.schema(id, self.format);
        if let Err(error) = &found
            && error.kind == DecodeErrorKind::Poison
        {
            if self.unknown.len() >= MAX_UNKNOWN {
                self.unknown.clear();
            }
            self.unknown.insert(id, (Instant::now(), error.clone()));
        }
        found
    }
}
