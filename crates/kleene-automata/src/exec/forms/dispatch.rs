//! The operations of a matcher: each picks the form of a key.

use super::compact::CompactForm;
use super::contract::{FormContract, FormImage};
use super::joined::JoinedForm;
use super::key::KeyState;
use super::kind::FormKind;
use super::runs::RunsForm;
use super::shared_suffix::SharedSuffixForm;
use super::window::WindowForm;
use crate::exec::captures::CaptureArena;
use crate::exec::image::Image;
use crate::exec::matcher::{Matcher, PrefilterOutcome, PushedEvent};
use crate::exec::open::Open;
use crate::exec::outcome::Outcome;
use crate::exec::run::Run;
use crate::exec::store::Store;
use crate::nfa::{Program, Strategy};
use kleene_event::event::Event;
use kleene_event::time::Timestamp;

/// Calls a function of the contract for a form.
macro_rules! of_form {
    ($kind:expr, $function:ident($($argument:expr),*)) => {
        match $kind {
            FormKind::Runs => RunsForm::$function($($argument),*),
            FormKind::Window => WindowForm::$function($($argument),*),
            FormKind::SharedSuffix => SharedSuffixForm::$function($($argument),*),
            FormKind::Compact => CompactForm::$function($($argument),*),
            FormKind::Joined => JoinedForm::$function($($argument),*),
        }
    };
}

impl FormKind {
    /// The forms that have a code of their own in snapshots.
    const ALL: [FormKind; 4] =
        [FormKind::Runs, FormKind::Window, FormKind::SharedSuffix, FormKind::Compact];

    /// Returns the code of the form in snapshots.
    pub(in crate::exec) fn code(self) -> u8 {
        match self {
            FormKind::Runs => RunsForm::CODE,
            FormKind::Window => WindowForm::CODE,
            FormKind::SharedSuffix => SharedSuffixForm::CODE,
            FormKind::Compact => CompactForm::CODE,
            FormKind::Joined => JoinedForm::CODE,
        }
    }

    /// Returns the form with this code.
    pub(in crate::exec) fn of_code(code: u8) -> Option<FormKind> {
        FormKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns the number of partial matches in an image.
    pub(in crate::exec) fn count<T>(self, image: &Image<T>) -> u64 {
        of_form!(self, count(image))
    }

    /// Returns the number that older versions have written as the count.
    pub(in crate::exec) fn former_count<T>(self, image: &Image<T>) -> u64 {
        of_form!(self, former_count(image))
    }

    /// True if a key of this program can have the state of the image.
    pub(in crate::exec) fn fits<T: Event>(self, image: &Image<T>, program: &Program) -> bool {
        of_form!(self, fits(image, program))
    }
}

impl<E: Event> Matcher<E> {
    /// Returns the form that the strategy picks.
    #[inline]
    pub(super) fn form(&self) -> FormKind {
        match self.strategy {
            Strategy::CountingWindow { .. } => FormKind::Window,
            Strategy::SharedSuffix => FormKind::SharedSuffix,
            Strategy::Compact => FormKind::Compact,
            Strategy::General | Strategy::Deterministic => FormKind::Runs,
        }
    }

    /// Matches one event of a key and returns the number of partial matches that the limit has
    /// dropped or not started.
    ///
    /// Push the events of a key in the order of their time. `seq` must grow with each event of the
    /// store. Deadlines up to the event's time are handled first.
    #[inline(always)]
    pub fn push(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        event: &E,
        seq: u64,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let prefilter = PrefilterOutcome::UNKNOWN;
        self.push_prefiltered(store, key, PushedEvent { event, seq, prefilter }, sink)
    }

    /// Matches one event of a key, as [`push`](Matcher::push) does, with the conditions that are
    /// known for the event.
    #[inline(always)]
    pub fn push_prefiltered(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        arrival: PushedEvent<'_, E>,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) -> usize {
        let kind = match self.form() {
            // A busy key can have another form.
            FormKind::Runs if self.busy_runs < usize::MAX => match key.kind() {
                FormKind::Runs if key.runs().len() >= self.busy_runs => {
                    self.change_busy_form(store, key, arrival.event.time())
                }
                kind => kind,
            },
            FormKind::Runs => FormKind::Runs,
            // A key whose partial matches were carried over from another rule goes on with them.
            _ if key.has_runs() => FormKind::Runs,
            FormKind::Compact if !key.completed().is_empty() => FormKind::Runs,
            other => other,
        };
        of_form!(kind, push(self, store, key, arrival, sink))
    }

    /// Gives a busy key another form if it can have one. Returns the form that it has.
    #[inline(never)]
    fn change_busy_form(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        now: Timestamp,
    ) -> FormKind {
        match self.busy_form {
            FormKind::Compact if self.can_group_runs(store, key) => {
                self.group_runs(store, key, now);
                FormKind::Compact
            }
            FormKind::Joined if self.can_join(key) => {
                self.join_runs(store, key);
                FormKind::Joined
            }
            _ => FormKind::Runs,
        }
    }

    /// Advances a key's time to `to`. Partial matches whose deadline is at or before `to` time out,
    /// or match if their pattern ends with `not`. Deadlines are handled one after the other in the
    /// order of time, so the length of an advance makes no difference.
    pub fn advance(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        to: Timestamp,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        of_form!(key.kind(), advance(self, store, key, to, sink));
    }

    /// Drops the partial matches whose deadline is at or before `to`, if nothing is reported at
    /// deadlines, so that [`KeyState::partial_count`] is exact.
    pub fn sweep(&self, store: &mut Store<E>, key: &mut KeyState, to: Timestamp) {
        if !self.program.reports_at_deadlines() {
            self.advance(store, key, to, &mut |_| {});
            self.sweep_groups(store, key, to);
        }
    }

    /// Ends a key's stream. Time moves to its end, and the matches of unbounded `longest` loops and
    /// those that waited for older partial matches are reported. The key is idle afterwards.
    pub fn end_time(
        &self,
        store: &mut Store<E>,
        key: &mut KeyState,
        sink: &mut (impl FnMut(Outcome<'_, E>) + ?Sized),
    ) {
        self.advance(store, key, Timestamp::MAX, sink);
        key.set_last_violation(None);
        let waiting = key.completed().iter().map(|match_| match_.last).max();
        let last = waiting.max(Some(of_form!(key.kind(), finish(self, store, key, sink))));
        if !store.scratch.completed.is_empty() || !key.completed().is_empty() {
            let last = last.unwrap_or(i64::MIN);
            self.report_completed(store, key, Timestamp::from_millis(last), sink);
        }
    }

    /// Returns the next time at which [`Matcher::advance`] would act.
    #[inline]
    pub fn deadline(&self, key: &KeyState) -> Option<Timestamp> {
        let deadline = of_form!(key.kind(), deadline(self, key));
        let deadline = match &self.program.leading_not {
            Some(not) => deadline.min(not.ends(key.last_violation())),
            None => deadline,
        };
        (deadline < i64::MAX).then_some(Timestamp::from_millis(deadline))
    }

    /// Returns the time at which the last open partial match runs out of time if no event comes.
    #[inline]
    pub fn last_deadline(&self, key: &KeyState) -> Option<Timestamp> {
        let partial_matches = of_form!(key.kind(), last_deadline(self, key));
        let last_violation = match (&self.program.leading_not, key.last_violation()) {
            (Some(not), Some(last_violation)) => not.ends(Some(last_violation)),
            _ => i64::MIN,
        };
        let last = partial_matches.max(last_violation);
        (last < i64::MAX).then_some(Timestamp::from_millis(last))
    }

    /// Returns the open partial matches of a key in the order in which they would be reported.
    pub fn open<'a>(&'a self, store: &'a Store<E>, key: &KeyState) -> Vec<Open<'a, E>> {
        of_form!(key.kind(), open(self, store, key))
    }

    /// Drops the state of a key in the store.
    pub fn clear(&self, store: &mut Store<E>, key: &mut KeyState) {
        key.set_last_violation(None);
        of_form!(key.kind(), clear(store, key));
        for match_ in key.take_completed() {
            store.arena.release(match_.head);
        }
    }

    /// True if an event leaves a partial match in a key without state; `None` if only a push can
    /// find out.
    #[inline]
    pub fn begins(&self, event: &E, prefilter: PrefilterOutcome) -> Option<bool> {
        of_form!(self.form(), begins(self, event, prefilter))
    }

    /// Prefetches the state of a key that an event at this time will need. A step prefetches what
    /// the pointers of the step before lead to; there are at most [`FETCHES`](crate::exec::FETCHES)
    /// steps. Returns true if another step has more to fetch.
    #[inline(always)]
    pub fn prefetch(&self, store: &Store<E>, key: &KeyState, time: Timestamp, step: usize) -> bool {
        of_form!(key.kind(), prefetch(self, store, key, time.as_millis(), step))
    }

    /// Fills `image` with the state of a key. The old contents of `image` are dropped.
    pub fn export<'s>(&self, store: &'s Store<E>, key: &KeyState, image: &mut Image<&'s E>) {
        image.clear();
        image.last_violation = key.last_violation();
        // Without partial matches all forms are the same.
        let open = key.open_count();
        let has_form = open.grouped > 0 || open.listed > key.completed().len();
        let kind = if has_form { key.kind() } else { FormKind::Runs };
        image.form = if kind == FormKind::Joined { FormKind::Runs } else { kind };
        of_form!(kind, export(self, store, key, image));
    }

    /// Restores the state of a key from an image that was read for the same program.
    pub fn import(&self, store: &mut Store<E>, image: Image<E>) -> KeyState {
        let kind = image.form;
        let mut key = of_form!(kind, import(self, store, image));
        if kind != self.form() && !(kind == FormKind::Compact && self.can_group()) {
            self.convert_to_runs(store, &mut key);
        }
        key
    }

    /// Turns the partial matches of a key into runs.
    pub(in crate::exec) fn convert_to_runs(&self, store: &mut Store<E>, key: &mut KeyState) {
        of_form!(key.kind(), into_runs(self, store, key));
    }

    /// Returns the partial matches of a key that are no runs yet, as runs whose chains are put into
    /// `arena`. Their registers are those of the key.
    pub(in crate::exec) fn as_runs(
        &self,
        store: &Store<E>,
        key: &KeyState,
        arena: &mut CaptureArena<E>,
    ) -> Vec<Run> {
        of_form!(key.kind(), as_runs(self, store, key, arena))
    }
}
