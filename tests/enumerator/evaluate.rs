//! Conditions over an event and what was captured before it.

use super::rule::{Comparison, Condition, Event, Operand, Test};

/// A captured event: its number, and the step.
pub(super) type Capture = (usize, usize);

/// The events of the stream, and what a match has captured, in order.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) events: &'a [Event],
    pub(super) captures: &'a [Capture],
}

impl Context<'_> {
    /// "An event fits if it has the step's type and the condition is true. A condition that is null
    /// is not true." The condition sees what was captured before the event.
    pub(super) fn fits(&self, test: &Test, event: usize) -> bool {
        let has_type = test.ty.is_none_or(|ty| self.events[event].ty == ty);
        let holds = |condition| self.truth(condition, event) == Some(true);
        has_type && test.condition.as_ref().is_none_or(holds)
    }

    pub(super) fn fits_any(&self, tests: &[Test], event: usize) -> bool {
        tests.iter().any(|test| self.fits(test, event))
    }

    /// Logic with three values; none is null.
    fn truth(&self, condition: &Condition, event: usize) -> Option<bool> {
        match condition {
            Condition::Compare(comparison, left, right) => {
                // "A comparison with null is null."
                let (left, right) = (self.value(left, event)?, self.value(right, event)?);
                Some(match comparison {
                    Comparison::Less => left < right,
                    Comparison::AtMost => left <= right,
                    Comparison::Greater => left > right,
                    Comparison::AtLeast => left >= right,
                    Comparison::Equal => left == right,
                    Comparison::Unequal => left != right,
                })
            }
            Condition::OwnIsNull => Some(self.events[event].v.is_none()),
            // "`not` of null is null."
            Condition::Not(part) => self.truth(part, event).map(|holds| !holds),
            // "`and` and `or` are null if the null operand decides the result."
            Condition::And(left, right) => {
                match (self.truth(left, event), self.truth(right, event)) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Condition::Or(left, right) => {
                match (self.truth(left, event), self.truth(right, event)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
        }
    }

    /// "Aggregates use the events captured so far, without the tested event. Without events,
    /// `count` and `sum` are 0, and the other aggregates are null." "Aggregates ignore nulls."
    fn value(&self, operand: &Operand, event: usize) -> Option<i64> {
        let before = || self.captures.iter().filter(move |(captured, _)| *captured < event);
        let values = |step: usize| {
            before()
                .filter(move |(_, of)| *of == step)
                .map(|(captured, _)| self.events[*captured].v)
        };
        match *operand {
            Operand::Literal(value) => Some(value),
            Operand::Own => self.events[event].v,
            // "a field of the event captured last in this partial match"
            Operand::Prev => {
                before().next_back().and_then(|(captured, _)| self.events[*captured].v)
            }
            Operand::First(step) => values(step).next().flatten(),
            Operand::Field(step) | Operand::Last(step) => values(step).next_back().flatten(),
            Operand::Min(step) => values(step).flatten().min(),
            Operand::Max(step) => values(step).flatten().max(),
            Operand::Sum(step) => Some(values(step).flatten().sum()),
            Operand::Count(step) => i64::try_from(values(step).count()).ok(),
            Operand::Plus(ref left, ref right) => {
                Some(self.value(left, event)? + self.value(right, event)?)
            }
        }
    }
}
