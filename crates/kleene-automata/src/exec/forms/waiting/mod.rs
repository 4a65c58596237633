//! An index of what waits for a value: runs of the joined form, groups of the compact form.
//!
//! When it applies: much waits in a few states, and a condition compares a field of the event with a
//! captured value (`b[v == x.v]`, `b[v > x.v]`).
//!
//! Why it is right: what is left out are visits of what the event leaves as it is: the state alone
//! says so ([`lookup`]), or the comparison cannot hold for the captured value ([`values`]). The index
//! finds at least all else, and each of these is asked the condition itself.
//!
//! What it saves: an event that asks `n` of them for a value takes one step for an equal value or
//! `log n` for a range, and one for each that is found.
//!
//! Which test holds it: those of the forms that use it.

mod lookup;
mod values;

use std::hash::Hash;

use self::values::{By, Coarse, ValueIndex};
use crate::exec::registers::{RegisterFile, Registers};
use crate::nfa::StateId;

/// The number of runs or groups from which a key has an index. To look through a list of fewer takes
/// less time: from 256 on, W5 took 1.04 times the time. In builds with debug assertions few are
/// enough, so that tests see both ways.
pub(in crate::exec) const MANY: usize = if cfg!(debug_assertions) { 16 } else { 1024 };

/// The number of them below which a key has no index any more.
pub(super) const FEW: usize = MANY / 4;

/// The number of events after which it is asked whether the index pays.
const TRIAL: u64 = 64;

/// The time that it takes to find and move one, in looks at one in a list.
const FOUND: u64 = 8;

/// What waits, by its state.
#[derive(Clone, Debug)]
pub(super) struct WaitingIndex<Id> {
    states: Vec<InState<Id>>,
}

impl<Id> Default for WaitingIndex<Id> {
    fn default() -> Self {
        WaitingIndex { states: Vec::new() }
    }
}

/// What waits in one state.
#[derive(Clone, Debug)]
struct InState<Id> {
    state: StateId,
    /// The number of what waits here.
    count: usize,
    /// The indexes that events have asked for. Each has all that waits here. There is at least one:
    /// until an event asks for another, it has no values.
    indexes: Vec<ValueIndex<Id>>,
}

impl<Id: Copy + Ord + Hash> WaitingIndex<Id> {
    /// Returns what waits in a state.
    #[inline(always)]
    fn of(&mut self, state: StateId) -> &mut InState<Id> {
        let known = self.states.iter().position(|one| one.state == state);
        let place = known.unwrap_or_else(|| self.add_state(state));
        &mut self.states[place]
    }

    /// Adds a state in which nothing waits. Returns its place.
    #[cold]
    fn add_state(&mut self, state: StateId) -> usize {
        let indexes = vec![ValueIndex::new(By::Nothing)];
        self.states.push(InState { state, count: 0, indexes });
        self.states.len() - 1
    }

    pub(super) fn add(
        &mut self,
        file: &RegisterFile,
        (state, registers): (StateId, Registers),
        id: Id,
    ) {
        let in_state = self.of(state);
        in_state.count += 1;
        for index in &mut in_state.indexes {
            index.add(index.place(file, registers), id);
        }
    }

    /// Removes something that has the registers with which it was added.
    pub(super) fn remove(
        &mut self,
        file: &RegisterFile,
        (state, registers): (StateId, Registers),
        id: Id,
    ) {
        let in_state = self.of(state);
        in_state.count -= 1;
        for index in &mut in_state.indexes {
            index.remove(index.place(file, registers), id);
        }
    }

    /// Returns the heap size in bytes, approximately: tables and trees are two thirds full on
    /// average.
    pub(super) fn memory_usage(&self) -> usize {
        let of =
            |one: &InState<Id>| one.count * size_of::<(Coarse, Id)>() * one.indexes.len() * 3 / 2;
        self.states.iter().map(of).sum()
    }
}

/// The work that an index saves: the number of events, of looks at a list, and of what the index has
/// found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Savings {
    events: u64,
    listed: u64,
    found: u64,
}

impl Savings {
    /// Counts an event for which the index has found this number of `all`.
    pub(super) fn record(&mut self, found: usize, all: usize) {
        self.events += 1;
        self.listed += all as u64;
        self.found += found as u64;
    }

    /// True if the index takes less time than a list.
    pub(super) fn pays(self) -> bool {
        self.events < TRIAL || self.found.saturating_mul(FOUND) <= self.listed
    }
}
