//! Keys and their state as bytes, for snapshots and cold stores.

use hashbrown::HashMap;

use crate::stream::keys::key::Key;
use crate::stream::keys::table::RuleState;
use kleene_automata::exec::Image;
use kleene_event::event::Portable;
use kleene_event::time::Timestamp;
use kleene_event::util::wire::{Reader, put_bytes, put_i64, put_len, put_u64};
use kleene_event::value::Value;
use kleene_event::value::wire::{put_values, read_values};

/// Writes the head of a key of a group with the state of `rules` rules.
pub(in crate::stream) fn put_key(out: &mut Vec<u8>, group: u32, key: &[Value], rules: usize) {
    put_u64(out, u64::from(group));
    put_values(out, key.iter().map(Value::as_ref));
    put_len(out, rules);
}

/// Writes keys one after the other.
pub(in crate::stream) struct Keys {
    /// True if several rules can capture an event, so that written events are looked up.
    pub(in crate::stream) shares: bool,
    watermark: i64,
    /// The positions of written events, by their sequence numbers.
    known: HashMap<u64, u64>,
    /// The sequence number of the last event.
    last: u64,
    body: Vec<u8>,
    scratch: Vec<u8>,
}

impl Keys {
    pub(in crate::stream) fn new(shares: bool, watermark: Timestamp) -> Keys {
        Keys {
            shares,
            watermark: watermark.as_millis(),
            known: HashMap::new(),
            last: 0,
            body: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(in crate::stream) fn put<E: Portable>(
        &mut self,
        out: &mut Vec<u8>,
        held: &RuleState,
        image: &Image<&E>,
    ) {
        put_u64(out, u64::from(held.rule));
        out.push(u8::from(held.armed < Timestamp::MAX));
        if held.armed < Timestamp::MAX {
            put_i64(out, held.armed.as_millis().wrapping_sub(self.watermark));
        }
        put_u64(out, image.partial_count());
        put_len(out, image.events.len());
        for (seq, event) in &image.events {
            if self.shares {
                let next = self.known.len() as u64;
                let place = *self.known.entry(*seq).or_insert(next);
                if place < next {
                    put_u64(out, next - place);
                    continue;
                }
            }
            put_u64(out, 0);
            put_i64(out, seq.wrapping_sub(self.last).cast_signed());
            self.last = *seq;
            put_event(out, *event, &mut self.scratch);
        }
        self.body.clear();
        image.write(&mut self.body);
        put_bytes(out, &self.body);
    }
}

pub(in crate::stream) fn put_event<E: Portable>(
    out: &mut Vec<u8>,
    event: &E,
    scratch: &mut Vec<u8>,
) {
    scratch.clear();
    event.to_bytes(scratch);
    put_bytes(out, scratch);
}

/// Reads keys that [`Keys`] has written.
pub(in crate::stream) struct KeyDecoder<E> {
    events: Events<E>,
    watermark: i64,
    released: u64,
    /// True if all bytes of events could be read.
    pub(in crate::stream) is_event: bool,
}

impl<E: Portable> KeyDecoder<E> {
    /// Returns a reader for keys that were written at a watermark, after `released` events.
    /// `shares` is true if an event is written once for several rules.
    pub(in crate::stream) fn new(
        shares: bool,
        watermark: Timestamp,
        released: u64,
    ) -> KeyDecoder<E> {
        let events = Events { shares, known: Vec::new(), last: 0 };
        KeyDecoder { events, watermark: watermark.as_millis(), released, is_event: true }
    }

    /// Returns a reader for one entry of a cold store, in which times count from 0.
    pub(in crate::stream) fn of_entry() -> KeyDecoder<E> {
        let events = Events { shares: true, known: Vec::new(), last: 0 };
        KeyDecoder { events, watermark: 0, released: u64::MAX, is_event: true }
    }

    /// Returns the next key. `width` gives the number of key parts of a rule.
    pub(in crate::stream) fn read<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        width: &impl Fn(usize) -> Option<usize>,
    ) -> Option<SavedKey<'a, E>> {
        let group = reader.u32()?;
        let values = read_values(reader)?;
        let mut held = Vec::new();
        for _ in 0..reader.count()? {
            let rule = usize::try_from(reader.u64()?).ok()?;
            if width(rule)? != values.len() {
                return None;
            }
            held.push((rule, self.held(reader)?));
        }
        Some(SavedKey { group, key: values.into_iter().collect(), held })
    }

    fn held<'a>(&mut self, reader: &mut Reader<'a>) -> Option<SavedState<'a, E>> {
        let armed = if reader.bool()? {
            Timestamp::from_millis(self.watermark.wrapping_add(reader.i64()?))
        } else {
            Timestamp::MAX
        };
        let partials = reader.u64()?;
        let mut captured = Vec::new();
        for _ in 0..reader.count()? {
            let event = self.events.read(reader, &mut self.is_event)?;
            if event.0 >= self.released {
                return None;
            }
            captured.push(event);
        }
        let body = Reader::new(reader.bytes()?);
        Some(SavedState { armed, partials, events: captured, body })
    }
}

/// A key of a group of rules.
pub(in crate::stream) struct SavedKey<'a, E> {
    pub(in crate::stream) group: u32,
    pub(in crate::stream) key: Key,
    /// The states of the rules; empty if the key has no state any more.
    pub(in crate::stream) held: Vec<(usize, SavedState<'a, E>)>,
}

/// The state of a rule for a key.
pub(in crate::stream) struct SavedState<'a, E> {
    pub(in crate::stream) armed: Timestamp,
    pub(in crate::stream) partials: u64,
    pub(in crate::stream) events: Vec<(u64, E)>,
    /// The bytes that the rule's own matcher reads.
    pub(in crate::stream) body: Reader<'a>,
}

/// Captured events as they are read.
struct Events<E> {
    shares: bool,
    known: Vec<(u64, E)>,
    last: u64,
}

impl<E: Portable> Events<E> {
    fn read(&mut self, reader: &mut Reader<'_>, is_event: &mut bool) -> Option<(u64, E)> {
        match reader.u64()? {
            0 => {
                self.last = self.last.wrapping_add(reader.i64()?.cast_unsigned());
                let event = E::from_bytes(reader.bytes()?);
                *is_event &= event.is_some();
                let event = (self.last, event?);
                if self.shares {
                    self.known.push(event.clone());
                }
                Some(event)
            }
            back => {
                let place = self.known.len().checked_sub(usize::try_from(back).ok()?)?;
                self.known.get(place).cloned()
            }
        }
    }
}
