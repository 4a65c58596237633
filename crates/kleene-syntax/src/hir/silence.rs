//! `not`s in a row, which follow each other: `not a for 5s -> not b -> c`.

use super::{Gap, Length};

/// Two lengths that events say: their sum is known for no event.
#[derive(Clone, Copy, Debug)]
pub struct UnknownSum;

/// The silences that have passed in a row of `not`s: each `not` of the row begins when they are over.
#[derive(Clone, Copy, Debug)]
pub struct SilenceRow {
    /// The time of the silences together, from the event before the row on.
    pub passed: Length,
}

impl SilenceRow {
    /// Before the first `not` of a row.
    pub const START: SilenceRow = SilenceRow { passed: Length::ZERO };

    /// Adds a `not`, with its time if it has one. Returns the part of the time after the event
    /// before the row in which it must not come; nothing where it must not come in any of it.
    ///
    /// # Errors
    /// Two lengths that events say would have to be added.
    pub fn add(&mut self, time: Option<Length>) -> Result<Option<Gap>, UnknownSum> {
        let min = self.passed;
        let Some(time) = time else {
            let gap = Gap { min, max: None };
            return Ok((min != Length::ZERO).then_some(gap));
        };
        self.passed = match (min, time) {
            (Length::Millis(passed), Length::Millis(time)) => {
                Length::Millis(passed.saturating_add(time))
            }
            (Length::ZERO, time) => time,
            _ => return Err(UnknownSum),
        };
        Ok(Some(Gap { min, max: Some(self.passed) }))
    }
}

impl Gap {
    /// Returns the length of a silence that begins when others before it are over.
    pub fn silence(&self) -> Option<Length> {
        match (self.min, self.max?) {
            (Length::Millis(min), Length::Millis(max)) => Some(Length::Millis(max - min)),
            (_, max) => Some(max),
        }
    }
}
