//! Deadlines of partial matches.

use crate::exec::captured::Captures;
use crate::exec::captures::CaptureArena;
use crate::exec::registers::{RegisterFile, UNSET};
use crate::exec::run::Run;
use crate::nfa::{Program, Since};
use kleene_event::event::Event;
use kleene_event::value::{Value, ValueRef};
use kleene_syntax::hir::eval::{self, Scope};
use kleene_syntax::hir::expr::{Aggregate, CapturedField};
use kleene_syntax::hir::{Expr, Length, LengthId};

/// The data from which the deadline of a partial match follows.
pub(super) struct Times<'a, E> {
    pub(super) program: &'a Program,
    pub(super) arena: &'a CaptureArena<E>,
    pub(super) file: &'a RegisterFile,
    pub(super) run: &'a Run,
}

impl<E: Event> Times<'_, E> {
    /// Returns the time at which the partial match runs out of time; `i64::MAX` if it does not.
    pub(super) fn deadline(&self) -> i64 {
        let mut deadline = self.whole_deadline();
        for bound in self.program.bounds(self.run.state) {
            let time = |clock| self.file.time(self.run.registers, clock);
            if bound.unless_set.is_some_and(|clock| time(clock) != UNSET) {
                continue;
            }
            let since = match bound.since {
                Since::Last => self.run.last,
                Since::Clock(clock) if time(clock) == UNSET => continue,
                Since::Clock(clock) => time(clock),
            };
            let after = self.millis(bound.after).saturating_add(i64::from(bound.included));
            deadline = deadline.min(since.saturating_add(after));
        }
        deadline
    }

    /// When the partial match runs out of time after `now`, where a silence may have been reported.
    pub(super) fn deadline_after(&self, now: i64) -> i64 {
        let deadline = self.deadline();
        if deadline > now || !self.is_silence() {
            return deadline;
        }
        self.next_repetition(now).unwrap_or(deadline)
    }

    /// True if the run waits for the end of a silence, or can be complete then in another way.
    pub(super) fn is_silence(&self) -> bool {
        self.program.states[self.run.state.index()].accepts_at_deadline
    }

    /// True if the partial match is complete at its deadline. A silence is reported when it is over,
    /// or not at all: one that the pattern's own time cuts short is a timeout. So is an event that
    /// says itself that it comes too late.
    pub(super) fn completes(&self) -> bool {
        let state = &self.program.states[self.run.state.index()];
        let whole = self.whole_deadline();
        let begins = self.program.timing.before_last_not.map_or(0, |length| self.millis(length));
        state.accepts_at_deadline
            && (!state.ends_in_silence || self.run.deadline < whole)
            && self.run.last.saturating_add(begins) < whole
    }

    /// Returns the number of the report of the silence that is due at the run's deadline, or 0 if
    /// no silence repeats. The second part is the time of the next report if the silence `goes_on`;
    /// the end of the stream passes one deadline of each silence.
    pub(super) fn repetition(&self, goes_on: bool) -> (u64, Option<i64>) {
        let Some(repeat) = self.program.timing.repeat else { return (0, None) };
        let passed = self.run.deadline.saturating_sub(self.run.last);
        let number = passed.checked_div(self.millis(repeat)).unwrap_or(1).max(1);
        let next = self.next_repetition(self.run.deadline).filter(|_| goes_on);
        (number.cast_unsigned(), next)
    }

    /// When the silence is reported again after `now`; never where it has no length, or the whole
    /// pattern's time is over by then.
    fn next_repetition(&self, now: i64) -> Option<i64> {
        let millis = self.millis(self.program.timing.repeat?);
        let passed = now.saturating_sub(self.run.last);
        let number = passed.checked_div(millis)?.saturating_add(1);
        let next = self.run.last.checked_add(millis.checked_mul(number)?)?;
        (next < self.whole_deadline()).then_some(next)
    }

    /// When the whole pattern's time is over. Where an event says how long that is, there is no
    /// bound before it was captured.
    pub(super) fn whole_deadline(&self) -> i64 {
        match self.program.timing.within {
            None => i64::MAX,
            Some(Length::Read(id)) if !self.is_known(id) => i64::MAX,
            Some(within) => self.run.start.saturating_add(self.millis(within)),
        }
    }

    /// Returns a length of time in milliseconds.
    #[inline]
    pub(super) fn millis(&self, length: Length) -> i64 {
        match length {
            Length::Millis(millis) => millis,
            Length::Read(id) => {
                let length = self.program.lengths.get(id.index());
                length.map_or(0, |length| Length::millis_of(&self.read(length)))
            }
        }
    }

    /// True if the event that a length is read from was captured.
    fn is_known(&self, length: LengthId) -> bool {
        match self.program.lengths.get(length.index()) {
            Some(Expr::Register(index)) => !self.file.is_untouched(self.run.registers, *index),
            Some(length) => !self.read(length).is_null(),
            None => false,
        }
    }

    fn read(&self, expr: &Expr) -> Value {
        eval::eval(expr, self).into_owned()
    }
}

/// There is no candidate event here, and none is asked for.
impl<E: Event> Scope for Times<'_, E> {
    fn captured(&self, captured: &CapturedField) -> Value {
        Captures::new(self.arena, self.run.head).field(captured).to_value()
    }
    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        Captures::new(self.arena, self.run.head).aggregate(aggregate, self.program)
    }
    fn register(&self, index: usize) -> ValueRef<'_> {
        self.file.value(self.run.registers, index)
    }
}
