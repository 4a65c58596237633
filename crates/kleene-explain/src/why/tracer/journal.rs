//! The story of a tracer: its entries, up to a limit, and its counts.

use std::collections::VecDeque;

use crate::why::story::{Cause, Effect, Entry, Fate};
use kleene_event::time::Timestamp;
use kleene_event::util::order;

/// The largest number of effects that are kept for one event or moment.
const KEPT_EFFECTS: usize = 100;
/// The default for the largest number of entries that are kept.
const KEPT_ENTRIES: usize = 1_000;

/// The story of a tracer.
pub(in crate::why) struct Journal {
    pub(super) entries: VecDeque<Entry>,
    pub(super) keep: Keep,
    /// The number of entries that were left out.
    pub(super) left_out: u64,
    pub(super) counts: Counts,
}

/// The entries that are kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    First(usize),
    Last(usize),
}

/// The counts of a tracer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Events of any key.
    pub events: u64,
    /// Events of the key that the rule saw.
    pub of_key: u64,
    /// Events of the rule's types in which a part of the key is null.
    pub keyless: u64,
    /// Events of the key that came too late.
    pub late: u64,
    /// Partial matches of the key.
    pub partials: u64,
    /// Matches of the key.
    pub matches: u64,
    /// Matches of the key that were not reported, as the condition of `having` does not hold.
    pub filtered: u64,
    /// Matches of the key that were not reported, as another was reported before (`suppress`).
    pub suppressed: u64,
    /// Matches of the key that were not reported, as `report` chose others of their set.
    pub not_chosen: u64,
    /// Timeouts of the key.
    pub timeouts: u64,
    /// Events of the key that wait for time to pass.
    pub buffered: u64,
}

impl Journal {
    pub(super) fn new() -> Journal {
        Journal {
            entries: VecDeque::new(),
            keep: Keep::First(KEPT_ENTRIES),
            left_out: 0,
            counts: Counts::default(),
        }
    }

    /// Adds an entry, or counts it if it is not kept.
    pub(super) fn add(&mut self, at: Timestamp, cause: Cause, effects: Vec<Effect>, at_end: bool) {
        let (effects, more) = shortened(effects);
        let entry = Entry { at, cause, effects, more, at_end };
        match self.keep {
            Keep::First(count) if self.entries.len() >= count => self.left_out += 1,
            Keep::Last(count) if self.entries.len() >= count => {
                self.left_out += 1;
                self.entries.pop_front();
                if count > 0 {
                    self.entries.push_back(entry);
                }
            }
            _ => self.entries.push_back(entry),
        }
    }
}

/// Returns the effects that are kept, and the number of the others. Effects that changed something
/// come first.
fn shortened(mut effects: Vec<Effect>) -> (Vec<Effect>, usize) {
    let more = effects.len().saturating_sub(KEPT_EFFECTS);
    if more > 0 {
        order::sort_by_key(&mut effects, |effect| {
            (matches!(effect.fate, Fate::Skipped(_)), effect.partial.is_some())
        });
        effects.truncate(KEPT_EFFECTS);
        order::sort_by_key(&mut effects, |effect| effect.partial.unwrap_or(u64::MAX));
    }
    (effects, more)
}
