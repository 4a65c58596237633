//! The store of a matcher: captured events, registers, and buffers that are reused.

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use crate::exec::captures::{CaptureArena, Starts};
use crate::exec::registers::RegisterFile;
use crate::exec::run::{Completed, Run};
use crate::nfa::StateId;
use kleene_syntax::hir::{ConditionId, StepId};

/// The captured events of the partial matches of any number of keys, and scratch space.
///
/// A store belongs to one matcher. With another matcher, results are wrong.
#[derive(Clone, Debug)]
pub struct Store<E> {
    pub(super) arena: CaptureArena<E>,
    pub(super) file: RegisterFile,
    pub(super) scratch: Scratch,
    pub(super) counts: StoreCounts,
}

impl<E> Store<E> {
    /// Marks the end of the stream: each repeating silence is reported once more, not for ever.
    pub fn end(&mut self) {
        self.scratch.silences.ends = true;
    }

    /// Returns the number of silences that have ended at
    /// [`Limits::repetitions`](crate::exec::Limits::repetitions) since the last call.
    pub fn take_cut_off(&mut self) -> u64 {
        std::mem::take(&mut self.counts.cut_off)
    }

    /// Returns the number of captured events.
    pub fn event_count(&self) -> usize {
        self.arena.len()
    }

    /// Returns the approximate size of the captured events and of the values that registers keep of
    /// them, in bytes.
    #[inline]
    pub fn captured_bytes(&self) -> u64 {
        self.arena.bytes() + self.file.bytes()
    }

    /// Returns the number of divisions by zero in expressions; the result is null. Each evaluation
    /// of a condition, an aggregate's argument or an emit counts.
    pub fn divisions_by_zero(&self) -> u64 {
        self.arena.divisions_by_zero()
    }

    /// Returns the number of texts, lists and records that were too large; the result is null. Each
    /// evaluation counts.
    pub fn values_too_large(&self) -> u64 {
        self.arena.values_too_large()
    }

    /// Returns the number of steps that matching has taken. A step is a partial match that was
    /// tried against an event or a point in time, or one that was made. The number depends on the
    /// strategy.
    #[inline]
    pub fn steps(&self) -> u64 {
        self.counts.steps
    }

    /// Returns the number of partial matches that the limit on steps has dropped since the last
    /// call.
    pub fn take_spent(&mut self) -> usize {
        std::mem::take(&mut self.counts.spent)
    }

    /// Returns the number of partial matches that the limit on the nodes of a graph has dropped
    /// since the last call.
    pub fn take_pruned(&mut self) -> usize {
        std::mem::take(&mut self.counts.pruned)
    }

    /// Returns the number of matches that were not listed since the last call, at most `u64::MAX`.
    pub fn take_unlisted(&mut self) -> u64 {
        std::mem::take(&mut self.counts.unlisted)
    }

    /// Records that the event with the number `seq` fulfils a condition, which then need not be
    /// tested.
    #[inline]
    pub fn know(&mut self, seq: u64, condition: ConditionId) {
        self.scratch.answers.known = Some((seq, condition));
    }

    /// Sets the variants of step keys that the next events have in the stream of their key: a bit
    /// for each. Without a call, an event has all of them.
    pub fn set_step_keys(&mut self, variants: u64) {
        self.scratch.answers.step_keys = StepKeyMask(variants);
    }

    /// Returns the heap size in bytes, without heap that events own.
    pub fn memory_usage(&self) -> usize {
        self.arena.memory_usage() + self.file.memory_usage()
    }
}

/// The counters of a store, which go on from event to event.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreCounts {
    /// The number of steps taken in all.
    pub(super) steps: u64,
    /// The number of sets of matches that were reported.
    pub(super) sets: u64,
    /// The number of runs that gave way because an event would have taken too many steps.
    pub(super) spent: usize,
    /// The number of partial matches that gave way because the graph of a key had too many nodes.
    pub(super) pruned: usize,
    /// The number of matches that were not listed because an event completed too many.
    pub(super) unlisted: u64,
    /// Silences that were reported so often that they end.
    pub(super) cut_off: u64,
}

impl StoreCounts {
    /// Counts matches that were not listed.
    pub(super) fn add_unlisted(&mut self, matches: u64) {
        self.unlisted = self.unlisted.saturating_add(matches);
    }

    /// Returns the number of matches that were not listed since there were `before`, at most
    /// `usize::MAX`.
    pub(super) fn unlisted_since(&self, before: u64) -> usize {
        usize::try_from(self.unlisted.saturating_sub(before)).unwrap_or(usize::MAX)
    }
}

/// Buffers that are reused from event to event. They carry no meaning between events.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// The runs that an event leaves behind.
    pub(super) next: Vec<Run>,
    pub(super) completed: Vec<Completed>,
    pub(super) answers: ConditionMemo,
    pub(super) meeting: MeetingRuns,
    pub(super) silences: Silences,
    pub(super) expiry: Expiry,
}

impl Scratch {
    /// Returns the buffers for an automaton with this number of conditions.
    pub(super) fn for_conditions(count: usize) -> Scratch {
        let answers = ConditionMemo { memo: vec![0; count], ..ConditionMemo::default() };
        Scratch { answers, ..Scratch::default() }
    }
}

/// The answers of conditions for the event of now.
#[derive(Clone, Debug, Default)]
pub(super) struct ConditionMemo {
    /// For each condition, the epoch in which it was tested, times two, plus the answer.
    pub(super) memo: Vec<u64>,
    pub(super) epoch: u64,
    /// Of the event of this number it is known that it fulfils the condition.
    pub(super) known: Option<(u64, ConditionId)>,
    /// The variants of step keys that the event of now has.
    pub(super) step_keys: StepKeyMask,
}

/// A bit for each variant of a rule's step keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepKeyMask(u64);

impl Default for StepKeyMask {
    fn default() -> StepKeyMask {
        StepKeyMask(u64::MAX)
    }
}

impl StepKeyMask {
    pub(super) fn has(self, variant: u8) -> bool {
        self.0 >> (variant % 64) & 1 == 1
    }
}

/// Nodes and runs of the event of now, where runs can meet.
#[derive(Clone, Debug, Default)]
pub(super) struct MeetingRuns {
    /// The nodes that this event made, by what they say.
    pub(super) made: HashMap<(u32, StepId, Starts), u32>,
    /// The runs that are left behind, by their positions: those that stay where they are, then
    /// those that do not.
    pub(super) seen: HashTable<usize>,
    pub(super) hasher: DefaultHashBuilder,
}

/// Silences that repeat.
#[derive(Clone, Debug, Default)]
pub(super) struct Silences {
    /// Silences that were reported and go on, each with whether its match was really reported.
    pub(super) repeating: Vec<(Run, bool)>,
    /// True from the end of the stream on: no silence is repeated any more.
    pub(super) ends: bool,
}

/// Partial matches that ran out of time at one deadline.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiry {
    pub(super) expired: Vec<Run>,
    pub(super) states: Vec<StateId>,
    /// The clocks of each run of the partial match that is reported, one after the other.
    pub(super) clocks: Vec<i64>,
    /// The last nodes of what is complete at that deadline.
    pub(super) heads: HashSet<u32>,
}
