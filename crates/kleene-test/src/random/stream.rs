//! Random streams of events.

use std::fmt;

use kleene::{Event as _, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::convert;

/// The event types of random streams.
pub const TYPES: [&str; 4] = ["a", "b", "c", "d"];

/// Events that show themselves as text: number, time, type and `v`.
#[derive(Clone)]
pub struct Stream(pub Vec<Record>);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, event) in self.0.iter().enumerate() {
            let [ty, v] = event.values() else { continue };
            write!(f, "{number}@{}:{ty}{v} ", event.time().as_millis())?;
        }
        Ok(())
    }
}

/// Events in the order of time: `(time, type, v)`.
pub fn stream() -> impl Strategy<Value = Stream> {
    let event = (0..4_i64, 0..TYPES.len(), 0..5_i64);
    vec(event, 0..13).prop_map(|events| {
        let mut time = 0;
        let events = events
            .into_iter()
            .map(|(passed, ty, v)| {
                time += passed;
                convert::event(time, TYPES[ty], v)
            })
            .collect();
        Stream(events)
    })
}
