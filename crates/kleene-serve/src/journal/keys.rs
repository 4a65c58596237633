//! The idempotency keys that a journal remembers.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;

use super::frame::{self, Decoded};

/// The file of the keys whose frames were deleted.
pub(super) const FILE: &str = "keys";

/// What is known of the append with a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyEntry {
    /// The offset of its frame.
    pub(super) offset: u64,
    /// Its time in microseconds since 1970.
    pub(super) time: u64,
    /// The CRC-32 of its body.
    pub(super) sum: u32,
}

/// The last keys, up to a number and an age.
#[derive(Debug)]
pub(super) struct Keys {
    entries: HashMap<Arc<str>, KeyEntry>,
    /// The keys by age, each with the offset of its frame.
    order: VecDeque<(Arc<str>, u64)>,
    limit: usize,
    /// In microseconds.
    max_age: u64,
}

impl Keys {
    pub(super) fn new(limit: usize, max_age: u64) -> Keys {
        Keys { entries: HashMap::new(), order: VecDeque::new(), limit, max_age }
    }

    pub(super) fn get(&self, key: &str, now: u64) -> Option<KeyEntry> {
        let entry = self.entries.get(key)?;
        (now.saturating_sub(entry.time) <= self.max_age).then_some(*entry)
    }

    pub(super) fn insert(&mut self, key: Arc<str>, entry: KeyEntry) {
        if self.entries.get(&key).is_some_and(|known| known.offset == entry.offset) {
            return;
        }
        self.order.push_back((Arc::clone(&key), entry.offset));
        self.entries.insert(key, entry);
        while let Some((oldest, offset)) = self.order.front() {
            let known = self.entries.get(oldest).filter(|known| known.offset == *offset);
            let is_old = known.is_none_or(|known| {
                entry.time.saturating_sub(known.time) > self.max_age
                    || self.entries.len() > self.limit
            });
            if !is_old {
                break;
            }
            if known.is_some() {
                self.entries.remove(oldest);
            }
            self.order.pop_front();
        }
    }

    pub(super) fn remove_from(&mut self, offset: u64) {
        self.entries.retain(|_, entry| entry.offset < offset);
        self.order.retain(|(_, at)| *at < offset);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the content of the file of keys. It is written before the frames go away that the
    /// keys are rebuilt from.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, offset) in &self.order {
            let Some(entry) = self.entries.get(key).filter(|entry| entry.offset == *offset) else {
                continue;
            };
            let body = format!("{} {}\n", entry.offset, entry.sum);
            frame::encode(&mut bytes, entry.time, key, body.as_bytes());
        }
        bytes
    }

    /// Reads the file of keys. A damaged file is left out from the damage on, with a warning.
    pub(super) fn load(&mut self, directory: &Path) -> io::Result<()> {
        let path = directory.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let entry = match frame::decode(rest) {
                Decoded::Frame(frame) => parse(&frame).map(|entry| (entry, frame.length)),
                Decoded::Short | Decoded::Damaged => None,
            };
            let Some(((key, entry), length)) = entry else {
                tracing::warn!(file = %path.display(), "the file of idempotency keys is damaged");
                break;
            };
            self.insert(key, entry);
            rest = &rest[length..];
        }
        Ok(())
    }
}

fn parse(frame: &frame::Frame<'_>) -> Option<(Arc<str>, KeyEntry)> {
    let key = str::from_utf8(frame.key).ok()?;
    let (offset, sum) = str::from_utf8(frame.body).ok()?.trim_end().split_once(' ')?;
    let entry = KeyEntry { offset: offset.parse().ok()?, time: frame.time, sum: sum.parse().ok()? };
    Some((Arc::from(key), entry))
}
