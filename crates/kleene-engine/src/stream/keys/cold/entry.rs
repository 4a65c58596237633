//! Entries of a cold store: one key as bytes, in the format of snapshots with a checksum.

use crate::stream::keys::key::Key;
use crate::stream::keys::table::{RuleState, Slot};
use crate::stream::keys::wire::{KeyDecoder, Keys, put_key};
use crate::stream::rule::runtime::RuleRuntime;
use crate::util::crc::crc32c;
use kleene_automata::exec::{Image, Store};
use kleene_event::event::{Event, Portable};
use kleene_event::time::Timestamp;
use kleene_event::util::wire::Reader;

const CHECKSUM: usize = 4;

/// Writes and reads keys, for portable events.
pub(in crate::stream) struct Codec<E: Event> {
    pub(in crate::stream) write: Write<E>,
    pub(in crate::stream) read: Read<E>,
}

/// Appends the state in a slot of a group.
type Write<E> = fn(&mut Vec<u8>, u32, &Slot, &[RuleRuntime<E>]);

/// Reads a key; `None` if the bytes were not written for these rules.
type Read<E> = fn(&[u8], &[RuleRuntime<E>]) -> Option<ColdKey<E>>;

impl<E: Portable> Codec<E> {
    pub(in crate::stream) fn new() -> Codec<E> {
        Codec { write: write::<E>, read: read::<E> }
    }
}

/// An evicted key and its state.
pub(in crate::stream) struct ColdKey<E> {
    pub(in crate::stream) group: u32,
    pub(in crate::stream) key: Key,
    /// By rule, with the time of the timer that counts.
    pub(in crate::stream) held: Vec<(u32, Timestamp, Image<E>)>,
}

fn write<E: Portable>(out: &mut Vec<u8>, group: u32, slot: &Slot, rules: &[RuleRuntime<E>]) {
    let from = out.len();
    let mut keys = Keys::new(slot.held().len() > 1, Timestamp::from_millis(0));
    let mut image = Image::default();
    put_key(out, group, &slot.key, slot.held().len());
    for held in slot.held() {
        rules[held.rule as usize].export(&held.state, &mut image);
        keys.put(out, held, &image);
    }
    let checksum = crc32c(&out[from..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

fn read<E: Portable>(bytes: &[u8], rules: &[RuleRuntime<E>]) -> Option<ColdKey<E>> {
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
    if crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut reader = Reader::new(body);
    let width = |rule: usize| rules.get(rule).map(|rule| rule.rule().key.len());
    // An event is written once where several rules may have captured it.
    let mut keys = KeyDecoder::of_entry();
    let saved = keys.read(&mut reader, &width).filter(|_| reader.is_at_end())?;
    let mut held = Vec::with_capacity(saved.held.len());
    for (rule, mut of_rule) in saved.held {
        let running = rules.get(rule).filter(|rule| rule.group() == saved.group)?;
        let image = Image::read(&mut of_rule.body, running.program(), of_rule.events)?;
        held.push((u32::try_from(rule).ok()?, of_rule.armed, image));
    }
    let in_order = held.is_sorted_by(|(a, ..), (b, ..)| a < b) && !held.is_empty();
    in_order.then_some(ColdKey { group: saved.group, key: saved.key, held })
}

/// Stores for evicted keys that are only inspected.
pub(in crate::stream) struct EntryScratch<E: Event> {
    /// By rule.
    stores: Vec<Option<Store<E>>>,
}

impl<E: Event> EntryScratch<E> {
    pub(in crate::stream) fn new(rules: &[RuleRuntime<E>]) -> EntryScratch<E> {
        EntryScratch { stores: rules.iter().map(|_| None).collect() }
    }

    /// Decodes the state of a key into these stores.
    pub(in crate::stream) fn take_in(
        &mut self,
        rules: &[RuleRuntime<E>],
        frozen: ColdKey<E>,
    ) -> Vec<RuleState> {
        let take_in = |(rule, armed, image)| {
            let matcher = rules[rule as usize].matcher();
            let store = &mut self.stores[rule as usize];
            let store = store.get_or_insert_with(|| matcher.create_store());
            RuleState { rule, armed, state: matcher.import(store, image) }
        };
        frozen.held.into_iter().map(take_in).collect()
    }

    /// Returns the store of a rule if any state was decoded for it.
    pub(in crate::stream) fn store(&self, rule: u32) -> Option<&Store<E>> {
        self.stores[rule as usize].as_ref()
    }

    pub(in crate::stream) fn store_mut(&mut self, rule: u32) -> Option<&mut Store<E>> {
        self.stores[rule as usize].as_mut()
    }

    pub(in crate::stream) fn give_up(&mut self, rules: &[RuleRuntime<E>], held: Vec<RuleState>) {
        for RuleState { rule, mut state, .. } in held {
            if let Some(store) = self.store_mut(rule) {
                rules[rule as usize].matcher().clear(store, &mut state);
            }
        }
    }
}
