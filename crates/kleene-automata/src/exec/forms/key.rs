//! The partial matches of one key.

use std::ops::Range;

use super::census::{CROWDED, Census};
use super::compact::MatchGroups;
use super::joined::JoinedRuns;
use super::kind::FormKind;
use super::queue::Queue;
use crate::exec::captures::CaptureArena;
use crate::exec::registers::RegisterFile;
use crate::exec::run::{Completed, Run, Runs};
use kleene_event::event::Event;

/// The partial matches of one key, in one of the forms. The groups of the compact form are with the
/// state that only few patterns need, beside a form without runs.
#[derive(Clone, Debug)]
enum Form {
    Runs {
        /// The number of events dropped from the front: a key with many events drops them together.
        gone: u32,
        runs: Runs,
    },
    /// Counting window: the last events that count.
    Window(Queue),
    /// Shared suffix: the representative, the number of its suffixes, and the time at which the
    /// last suffix started. The representative's chain marks the nodes of the suffixes' first
    /// events.
    SharedSuffix { suffixes: u32, newest: i64, representative: Run },
}

/// The partial matches of one key. A key's state is valid only with its
/// [`Store`](crate::exec::Store).
///
/// The state takes a few machine words while the key has at most one partial match.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    form: Form,
    /// State that only few patterns need.
    rest: Option<Box<Rest>>,
}

/// The number of open partial matches of a key, whatever its form.
///
/// A partial match is one list of captured events that could still go on. It counts once, however
/// many ways it can go on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenCount {
    /// The number of those that are held one by one.
    pub listed: usize,
    /// The number of those that the groups of the compact form stand for, at most `u64::MAX`.
    pub grouped: u64,
}

impl OpenCount {
    /// True if there is no partial match.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.listed == 0 && self.grouped == 0
    }

    /// Returns the number of all of them, at most `u64::MAX`.
    #[inline]
    pub fn all(self) -> u64 {
        self.grouped.saturating_add(self.listed as u64)
    }
}

/// The number of runs up to which a key's runs are moved at once when the first of them go.
const FEW: usize = 16;

/// Removes the first `count` runs, and the runs that are gone already.
fn move_up(gone: &mut u32, runs: &mut Runs, count: usize) {
    runs.copy_within(count.., 0);
    runs.truncate(runs.len() - count);
    *gone = 0;
}

/// Frees a list of runs that is empty: keys without runs take no memory.
#[inline(always)]
fn free_empty(runs: &mut Runs) {
    if runs.spilled() && runs.is_empty() {
        *runs = Runs::new();
    }
}

/// State of a key that only few patterns need.
#[derive(Clone, Debug, Default)]
pub(in crate::exec) struct Rest {
    /// Matches that wait for older partial matches (`ordered`), in the order of their reports.
    pub(in crate::exec) completed: Vec<Completed>,
    /// The time of the last violation of a leading `not`, while it matters.
    pub(in crate::exec) last_violation: Option<i64>,
    /// The deadlines of all runs, the first of them last; empty if their order is not known.
    deadlines: Vec<i64>,
    /// The number of runs that hold the same events as another run, in another state: a partial
    /// match counts once.
    duplicates: usize,
    /// The states of the runs, if there are many.
    census: Option<Census>,
    /// The groups of the compact form, beside a form without runs. As a fourth variant of [`Form`]
    /// they made a jump of each look at the form, badly predicted, and a call of each drop.
    groups: Option<Box<MatchGroups>>,
    /// The runs of the joined form, beside a form without runs.
    joined: Option<Box<JoinedRuns>>,
    /// True if the form of a busy key did not pay for the runs that there are, or cannot hold them.
    lists_runs: bool,
}

impl Rest {
    fn joined_count(&self) -> usize {
        self.joined.as_ref().map_or(0, |joined| joined.len())
    }
}

impl Default for Form {
    #[inline]
    fn default() -> Form {
        Form::Runs { gone: 0, runs: Runs::new() }
    }
}

impl KeyState {
    /// Returns the form of the key.
    #[inline(always)]
    pub(super) fn kind(&self) -> FormKind {
        match &self.form {
            Form::Runs { .. } if self.groups().is_some() => FormKind::Compact,
            Form::Runs { .. } if self.joined().is_some() => FormKind::Joined,
            Form::Runs { .. } => FormKind::Runs,
            Form::Window(_) => FormKind::Window,
            Form::SharedSuffix { .. } => FormKind::SharedSuffix,
        }
    }

    /// Returns the deadlines of all runs, the first of them last, if their order is known.
    #[inline]
    pub(in crate::exec) fn deadlines(&self) -> Option<&[i64]> {
        let deadlines = &self.rest.as_ref()?.deadlines;
        // Removing runs by other means than their deadlines makes the list invalid.
        (deadlines.len() == self.runs().len()).then_some(deadlines)
    }

    /// Returns the first deadline of the runs. Not inlined: it is not needed if runs are in the
    /// order of their deadlines, which is the most common case.
    #[inline(never)]
    pub(in crate::exec) fn first_deadline(&self) -> i64 {
        let first = match self.deadlines() {
            _ if self.has_deadlines_in_order() => self.runs().first().map(|run| run.deadline),
            Some(sorted) => sorted.last().copied(),
            None => self.runs().iter().map(|run| run.deadline).min(),
        };
        first.unwrap_or(i64::MAX)
    }

    /// Sorts the deadlines of all runs. The order is valid until an event comes.
    pub(in crate::exec) fn sort_deadlines(&mut self) {
        let mut deadlines: Vec<i64> = self.runs().iter().map(|run| run.deadline).collect();
        deadlines.sort_unstable_by_key(|deadline| std::cmp::Reverse(*deadline));
        self.rest.get_or_insert_default().deadlines = deadlines;
    }

    /// Removes the deadlines up to `to`, and returns their number.
    pub(in crate::exec) fn drop_deadlines(&mut self, to: i64) -> usize {
        let Some(rest) = &mut self.rest else { return 0 };
        let kept = rest.deadlines.partition_point(|deadline| *deadline > to);
        let dropped = rest.deadlines.len() - kept;
        rest.deadlines.truncate(kept);
        if kept == 0 {
            rest.deadlines = Vec::new();
        }
        dropped
    }

    /// Invalidates the order of deadlines, because runs change.
    #[inline]
    pub(in crate::exec) fn forget_deadlines(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.deadlines = Vec::new();
        }
    }

    /// Removes and returns the census of the runs.
    pub(super) fn take_census(&mut self) -> Option<Census> {
        self.rest.as_mut()?.census.take()
    }

    /// Sets the census, unless there are too few runs for one: what moves few runs counts none.
    pub(super) fn set_census(&mut self, census: Census) {
        let is_crowded = census.count() >= CROWDED;
        self.rest.get_or_insert_default().census = Some(census).filter(|_| is_crowded);
    }

    /// True if it is known that no run has an earlier deadline than the one before it.
    pub(super) fn has_deadlines_in_order(&self) -> bool {
        let census = self.rest.as_ref().and_then(|rest| rest.census.as_ref());
        census.is_some_and(|one| one.count() == self.runs().len() && one.is_in_order())
    }

    #[inline(always)]
    pub(in crate::exec) fn runs(&self) -> &[Run] {
        match &self.form {
            // A branch, as nearly all keys take it, and no call.
            Form::Runs { gone: 0, runs } => runs,
            Form::Runs { gone, runs } => &runs[*gone as usize..],
            Form::Window(_) | Form::SharedSuffix { .. } => &[],
        }
    }

    /// True if there are runs.
    #[inline(always)]
    pub(in crate::exec) fn has_runs(&self) -> bool {
        matches!(&self.form, Form::Runs { gone, runs } if runs.len() > *gone as usize)
    }

    /// Returns the runs, to be changed in place.
    #[inline]
    pub(in crate::exec) fn runs_in_place(&mut self) -> &mut [Run] {
        match &mut self.form {
            Form::Runs { gone: 0, runs } => runs,
            Form::Runs { gone, runs } => &mut runs[*gone as usize..],
            Form::Window(_) | Form::SharedSuffix { .. } => &mut [],
        }
    }

    /// Removes the first `count` runs. With many runs, the time is in proportion to `count` on
    /// average.
    pub(in crate::exec) fn drop_first(&mut self, count: usize) {
        if let Some(mut census) = self.take_census().filter(|one| one.count() == self.runs().len())
        {
            census.remove(&self.runs()[..count]);
            self.set_census(census);
        }
        let Form::Runs { gone, runs } = &mut self.form else { return };
        let first = *gone as usize + count;
        match u32::try_from(first) {
            Ok(first) if runs.len() > FEW && 2 * first as usize <= runs.len() => *gone = first,
            _ => move_up(gone, runs, first),
        }
    }

    /// Adds runs behind all others, and frees their list if there are none.
    pub(super) fn add_runs(&mut self, new: &[Run]) {
        for run in new {
            self.add_run(*run);
        }
        if !self.has_runs() {
            self.clear_runs();
        }
    }

    /// Removes all runs but the first `count`.
    #[inline]
    pub(in crate::exec) fn keep_first(&mut self, count: usize) {
        let Form::Runs { gone, runs } = &mut self.form else { return };
        runs.truncate(*gone as usize + count);
    }

    /// Removes all runs, and frees their list.
    #[inline(always)]
    pub(in crate::exec) fn clear_runs(&mut self) {
        let Form::Runs { gone, runs } = &mut self.form else { return };
        *gone = 0;
        runs.clear();
        free_empty(runs);
        if let Some(rest) = &mut self.rest {
            (rest.duplicates, rest.census, rest.lists_runs) = (0, None, false);
        }
    }

    /// Frees the list of runs if there are none.
    pub(in crate::exec) fn free_if_empty(&mut self) {
        free_empty(self.runs_mut());
    }

    /// Adds a run behind all others. The events of a window must have been removed before.
    ///
    /// Inlined, so that the run is written in place: a copy of freshly written memory waits for the
    /// write.
    #[inline(always)]
    pub(in crate::exec) fn add_run(&mut self, run: Run) {
        let has_room =
            matches!(&self.form, Form::Runs { runs, .. } if runs.len() < runs.capacity());
        if !has_room {
            self.make_room();
        }
        if let Form::Runs { runs, .. } = &mut self.form {
            runs.push(run);
        }
    }

    #[inline(never)]
    fn make_room(&mut self) {
        match &mut self.form {
            Form::Runs { gone, runs } => {
                if *gone as usize > runs.len() / 8 {
                    let count = *gone as usize;
                    move_up(gone, runs, count);
                }
                runs.reserve(1);
            }
            Form::Window(_) | Form::SharedSuffix { .. } => {
                self.runs_mut();
            }
        }
    }

    /// Asserts that no form holds a partial match, in builds with debug assertions.
    #[inline(always)]
    fn debug_assert_free(&self) {
        debug_assert!(
            self.open_count() == OpenCount { listed: self.completed().len(), grouped: 0 },
            "a key has one form at a time"
        );
    }

    /// Changes the form of the key. The state of the old form must have been removed before.
    #[inline(always)]
    fn change_to(&mut self, form: Form) {
        self.debug_assert_free();
        self.form = form;
    }

    /// Returns the runs, to be changed. The state of a window or a representative must have been
    /// removed before.
    #[inline]
    pub(in crate::exec) fn runs_mut(&mut self) -> &mut Runs {
        if !matches!(self.form, Form::Runs { .. }) {
            self.change_to(Form::default());
        }
        if let Some(rest) = &mut self.rest {
            rest.census = None;
        }
        match &mut self.form {
            Form::Runs { gone, runs } => {
                if *gone > 0 {
                    let count = *gone as usize;
                    move_up(gone, runs, count);
                }
                runs
            }
            Form::Window(_) | Form::SharedSuffix { .. } => {
                unreachable!("it was made runs above")
            }
        }
    }

    #[inline]
    pub(in crate::exec) fn window(&self) -> Queue {
        self.queue().copied().unwrap_or_default()
    }

    /// Returns the window, if there is one.
    #[inline(always)]
    pub(in crate::exec) fn queue(&self) -> Option<&Queue> {
        match &self.form {
            Form::Window(window) => Some(window),
            Form::Runs { .. } | Form::SharedSuffix { .. } => None,
        }
    }

    /// Returns the window to be changed, if there is one.
    #[inline(always)]
    pub(in crate::exec) fn queue_mut(&mut self) -> Option<&mut Queue> {
        match &mut self.form {
            Form::Window(window) => Some(window),
            Form::Runs { .. } | Form::SharedSuffix { .. } => None,
        }
    }

    /// Returns the window to be changed, and makes one if there is none. There must be no runs.
    #[inline]
    pub(in crate::exec) fn window_mut(&mut self) -> &mut Queue {
        if !matches!(self.form, Form::Window(_)) {
            self.change_to(Form::Window(Queue::default()));
        }
        match &mut self.form {
            Form::Window(window) => window,
            Form::Runs { .. } | Form::SharedSuffix { .. } => {
                unreachable!("it was made a window above")
            }
        }
    }

    /// Returns the representative.
    #[inline(always)]
    pub(in crate::exec) fn representative(&self) -> Option<&Run> {
        match &self.form {
            Form::SharedSuffix { representative, .. } => Some(representative),
            Form::Runs { .. } | Form::Window(_) => None,
        }
    }

    /// Returns the representative to be changed, the number of its suffixes, and the time at which
    /// the last of them started.
    #[inline(always)]
    pub(in crate::exec) fn shared_suffix_mut(&mut self) -> Option<(&mut Run, &mut u32, &mut i64)> {
        match &mut self.form {
            Form::SharedSuffix { suffixes, newest, representative } => {
                Some((representative, suffixes, newest))
            }
            Form::Runs { .. } | Form::Window(_) => None,
        }
    }

    /// Returns the number of partial matches of a shared suffix: the representative and its suffixes.
    #[inline(always)]
    pub(super) fn member_count(&self) -> usize {
        match &self.form {
            Form::SharedSuffix { suffixes, .. } => 1 + *suffixes as usize,
            Form::Runs { .. } | Form::Window(_) => 0,
        }
    }

    /// Returns the time at which the last suffix started.
    #[inline]
    pub(super) fn newest_suffix(&self) -> Option<i64> {
        match &self.form {
            Form::SharedSuffix { newest, .. } => Some(*newest),
            Form::Runs { .. } | Form::Window(_) => None,
        }
    }

    /// Sets the representative. There must be no other state, except a former representative that
    /// is dropped.
    #[inline(always)]
    pub(in crate::exec) fn set_representative(
        &mut self,
        representative: Run,
        suffixes: u32,
        newest: i64,
    ) {
        debug_assert!(
            self.runs().is_empty() && self.window().is_empty(),
            "a key has runs or a representative"
        );
        let new = (suffixes, newest, representative);
        // In place: there is nothing to drop.
        if let Form::SharedSuffix { suffixes, newest, representative } = &mut self.form {
            (*suffixes, *newest, *representative) = new;
        } else {
            self.form = Form::SharedSuffix { suffixes, newest, representative };
        }
    }

    /// Removes the representative and its suffixes, and returns the representative.
    #[inline(always)]
    pub(in crate::exec) fn take_representative(&mut self) -> Option<Run> {
        let representative = *self.representative()?;
        // A representative owns nothing.
        std::mem::forget(std::mem::take(&mut self.form));
        Some(representative)
    }

    /// Returns the groups of the compact form.
    #[inline]
    pub(super) fn groups(&self) -> Option<&MatchGroups> {
        self.rest.as_ref()?.groups.as_deref()
    }

    /// Returns the number of matches that wait for older partial matches in the compact form.
    pub(in crate::exec) fn waiting_in_groups(&self) -> u64 {
        self.groups().map_or(0, MatchGroups::waiting_count)
    }

    /// Removes and returns the groups of the compact form.
    #[inline]
    pub(super) fn take_groups(&mut self) -> Option<Box<MatchGroups>> {
        self.rest.as_mut()?.groups.take()
    }

    /// Sets the groups of the compact form. There must be no other state.
    #[inline]
    pub(super) fn set_groups(&mut self, groups: Box<MatchGroups>) {
        self.debug_assert_free();
        self.rest.get_or_insert_default().groups = Some(groups);
    }

    /// Returns the runs of the joined form.
    #[inline]
    pub(super) fn joined(&self) -> Option<&JoinedRuns> {
        self.rest.as_ref()?.joined.as_deref()
    }

    /// True if there are runs in the joined form.
    #[inline]
    pub(in crate::exec) fn has_joined(&self) -> bool {
        self.joined().is_some()
    }

    /// Removes and returns the runs of the joined form.
    pub(super) fn take_joined(&mut self) -> Option<Box<JoinedRuns>> {
        self.rest.as_mut()?.joined.take()
    }

    /// Sets the runs of the joined form. There must be no other state.
    pub(super) fn set_joined(&mut self, joined: Box<JoinedRuns>) {
        self.debug_assert_free();
        self.rest.get_or_insert_default().joined = Some(joined);
    }

    /// True if the form of a busy key did not pay for the runs that there are, or cannot hold them.
    pub(super) fn lists_runs(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.lists_runs)
    }

    /// Records that the runs stay runs, until there are none.
    pub(super) fn set_lists_runs(&mut self) {
        self.rest.get_or_insert_default().lists_runs = true;
    }

    /// Returns the runs in the form of runs or the joined form, by their beginning.
    pub(in crate::exec) fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs().iter().chain(self.joined().into_iter().flat_map(JoinedRuns::runs))
    }

    /// Drops the runs that began with these events. Runs are in the order of their beginning, so
    /// the dropped ones are next to each other, in most cases first. Returns their number.
    pub(in crate::exec) fn drop_starts<E: Event>(
        &mut self,
        arena: &mut CaptureArena<E>,
        file: &mut RegisterFile,
        dropped: &Range<u64>,
    ) -> u64 {
        let joined = self.rest.as_mut().and_then(|rest| rest.joined.as_mut());
        let of_joined = joined.map_or(0, |joined| joined.drop_starts(arena, file, dropped));
        let runs = self.runs();
        let from = runs.partition_point(|run| run.start_seq < dropped.start);
        let to = runs.partition_point(|run| run.start_seq < dropped.end);
        if from == to {
            return of_joined;
        }
        for run in &runs[from..to] {
            arena.release(run.head);
            file.release(run.registers);
        }
        if to - from == runs.len() {
            self.clear_runs();
        } else if from == 0 {
            self.drop_first(to);
        } else {
            self.runs_mut().drain(from..to);
        }
        of_joined + (to - from) as u64
    }

    #[inline]
    pub(in crate::exec) fn completed(&self) -> &[Completed] {
        self.rest.as_ref().map_or(&[], |rest| &rest.completed)
    }

    pub(in crate::exec) fn completed_mut(&mut self) -> &mut Vec<Completed> {
        &mut self.rest.get_or_insert_default().completed
    }

    /// Removes and returns the matches that wait.
    pub(in crate::exec) fn take_completed(&mut self) -> Vec<Completed> {
        self.rest.as_mut().map(|rest| std::mem::take(&mut rest.completed)).unwrap_or_default()
    }

    #[inline]
    pub(in crate::exec) fn last_violation(&self) -> Option<i64> {
        self.rest.as_ref()?.last_violation
    }

    pub(in crate::exec) fn set_last_violation(&mut self, last_violation: Option<i64>) {
        if last_violation.is_some() || self.rest.is_some() {
            self.rest.get_or_insert_default().last_violation = last_violation;
        }
    }

    /// Sets the number of runs that hold the same events as another run.
    pub(in crate::exec) fn set_duplicates(&mut self, duplicates: usize) {
        if duplicates > 0 || self.rest.is_some() {
            self.rest.get_or_insert_default().duplicates = duplicates;
        }
    }

    /// True if nothing is open, so that the host may drop the state.
    #[inline(always)]
    pub fn is_idle(&self) -> bool {
        self.open_count().is_none() && self.last_violation().is_none()
    }

    /// Returns the number of open partial matches, at most `u64::MAX`. A partial match is a list of
    /// captured events that could still go on, and counts once, however many ways it can go on.
    ///
    /// In the compact form, a partial match counts until it is dropped, which may be a while after
    /// its deadline.
    pub fn partial_count(&self) -> u64 {
        self.open_count().all()
    }

    /// Returns the number of parts that hold the open partial matches: an event takes a step for
    /// each. In the compact form these are few, as one stands for many partial matches.
    pub fn part_count(&self) -> usize {
        match self.groups() {
            Some(groups) => groups.configuration_count(),
            None => self.runs().len() + self.joined().map_or(0, JoinedRuns::len),
        }
    }

    /// Returns the number of open partial matches.
    #[inline(always)]
    pub fn open_count(&self) -> OpenCount {
        let open = match &self.form {
            Form::Runs { gone, runs } => runs.len() - *gone as usize,
            Form::Window(window) => window.len as usize,
            Form::SharedSuffix { suffixes, .. } => 1 + *suffixes as usize,
        };
        match &self.rest {
            None => OpenCount { listed: open, grouped: 0 },
            Some(rest) => OpenCount {
                listed: (open + rest.joined_count() + rest.completed.len())
                    .saturating_sub(rest.duplicates),
                grouped: rest.groups.as_ref().map_or(0, |groups| groups.open),
            },
        }
    }

    /// Returns the heap size of the state in bytes, without its events in the store.
    pub fn memory_usage(&self) -> usize {
        let spilled = match &self.form {
            Form::Runs { runs, .. } if runs.spilled() => runs.capacity(),
            _ => 0,
        };
        let groups = self.groups().map_or(0, MatchGroups::memory_usage);
        let joined = self.joined().map_or(0, JoinedRuns::memory_usage);
        spilled * size_of::<Run>()
            + groups
            + joined
            + self.rest.as_ref().map_or(0, |rest| {
                size_of::<Rest>()
                    + rest.completed.capacity() * size_of::<Completed>()
                    + rest.deadlines.capacity() * size_of::<i64>()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_are_millions_of_stays_small() {
        assert_eq!((size_of::<Run>(), size_of::<KeyState>()), (48, 72));
    }
}
