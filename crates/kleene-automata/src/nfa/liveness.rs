//! Finds the registers, clocks and times that a partial match can still read.
//!
//! A value is live in a state if an event that comes later can read it before it is overwritten.
//! Two partial matches that wait in the same state with the same live values have the same future:
//! the [compact form](crate::nfa::Strategy::Compact) holds them as one.
//!
//! The analysis is the liveness analysis of compilers. Live in a state are the values that it
//! reads, and those that are live in a next state and not overwritten on the way. It is repeated
//! until nothing changes.

use crate::nfa::guard::{Guard, GuardId};
use crate::nfa::parts::Parts;
use crate::nfa::registers::{self, RegisterKind};
use crate::nfa::states::{Action, ClockOp, Edge, Since, StateId};
use kleene_syntax::hir::{ConditionId, StepId};

/// The most registers and the most clocks that the analysis knows of.
const MOST: usize = 64;

/// The live values in one state, as bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Live {
    /// The registers by their numbers.
    pub(crate) registers: u64,
    /// The clocks by their numbers.
    pub clocks: u64,
    /// True if the time of the last captured event is read.
    pub last: bool,
}

impl Live {
    pub(super) fn union(self, other: Live) -> Live {
        Live {
            registers: self.registers | other.registers,
            clocks: self.clocks | other.clocks,
            last: self.last || other.last,
        }
    }

    /// Returns the numbers of the registers that are read.
    #[inline]
    pub fn register_numbers(self) -> impl Iterator<Item = usize> {
        let mut left = self.registers;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as usize);
            left &= left.wrapping_sub(1);
            next
        })
    }

    /// True if the clock is read.
    pub(crate) fn has_clock(self, clock: usize) -> bool {
        self.clocks >> clock & 1 == 1
    }

    fn clock(clock: u32) -> Live {
        Live { clocks: 1 << clock, ..Live::default() }
    }

    const LAST: Live = Live { registers: 0, clocks: 0, last: true };
}

impl Parts<'_> {
    /// Returns the live values by state; `None` if there are too many registers or clocks.
    pub(super) fn liveness(&self) -> Option<Box<[Live]>> {
        if self.registers.len() > MOST || self.clocks > MOST {
            return None;
        }
        let mut all: Vec<Live> =
            (0..self.states.len()).map(|state| self.read_in(StateId::new(state))).collect();
        loop {
            let before = all.clone();
            for state in (0..self.states.len()).rev() {
                for edge in self.edges(StateId::new(state)) {
                    all[state] = all[state].union(self.live_before(edge, &all));
                }
            }
            if all == before {
                return Some(all.into());
            }
        }
    }

    /// Returns what is read where a partial match waits: by its edges, and by its bounds.
    fn read_in(&self, state: StateId) -> Live {
        let mut live = Live::default();
        for edge in self.edges(state) {
            live = live.union(self.read_by(edge.guard));
            // The state that an event leads to asks before the event is captured.
            if let Action::Take { target, .. } = edge.action
                && let Some(accept) = self.states[target.index()].accept
            {
                live = live.union(self.read_by(accept));
            }
        }
        if self.states[state.index()].accepts_at_deadline && self.timing.before_last_not.is_some() {
            live = live.union(Live::LAST);
        }
        for bound in self.bounds(state) {
            live = live.union(match bound.since {
                Since::Last => Live::LAST,
                Since::Clock(clock) => Live::clock(clock),
            });
            live = live.union(bound.unless_set.map_or(Live::default(), Live::clock));
        }
        live
    }

    /// Returns what is live before an edge, because the state that it leads to reads it.
    fn live_before(&self, edge: &Edge, all: &[Live]) -> Live {
        let (target, step) = match edge.action {
            Action::Take { step, target } => (target, Some(step)),
            Action::Ignore { target } => (target, None),
            Action::Stop | Action::Complete => return Live::default(),
        };
        let mut live = all[target.index()];
        for op in self.clock_ops(edge) {
            if !matches!(op, ClockOp::SetIfUnset(_) | ClockOp::Add { .. }) {
                live.clocks &= !(1 << op.clock());
            }
        }
        if let Some(step) = step {
            live.last = false;
            live.registers &= !self.overwritten_by(step);
        }
        live
    }

    /// Returns the registers that a captured event of a step overwrites.
    fn overwritten_by(&self, step: StepId) -> u64 {
        let updated = self.registers_by_step[step.index()].iter();
        let is_last =
            |index: &&u32| matches!(self.registers[**index as usize].kind, RegisterKind::Last(_));
        updated.filter(is_last).fold(0, |bits, index| bits | 1 << index)
    }

    /// Returns what a guard reads.
    pub(super) fn read_by(&self, guard: GuardId) -> Live {
        match &self.guards[guard.index()] {
            Guard::True | Guard::False => Live::default(),
            Guard::Condition(condition) => {
                Live { registers: self.registers_of(*condition), ..Live::default() }
            }
            Guard::Gap { unless_set, since, .. } => {
                let since = since.map_or(Live::LAST, Live::clock);
                since.union(unless_set.map_or(Live::default(), Live::clock))
            }
            Guard::Sooner { since, .. } => since.map_or(Live::LAST, Live::clock),
            Guard::Within { clock, .. }
            | Guard::IsSet(clock)
            | Guard::HasCome { set: clock, .. }
            | Guard::HaveCome { set: clock, .. } => Live::clock(*clock),
            Guard::Not(inner) => self.read_by(*inner),
            Guard::And(parts) | Guard::Or(parts) => {
                let parts = parts.iter().map(|part| self.read_by(*part));
                parts.fold(Live::default(), Live::union)
            }
        }
    }

    /// Returns the registers that a condition reads.
    fn registers_of(&self, condition: ConditionId) -> u64 {
        let mut bits = 0;
        registers::read_by(self.conditions, condition, &mut |index| bits |= 1 << index);
        bits
    }
}
