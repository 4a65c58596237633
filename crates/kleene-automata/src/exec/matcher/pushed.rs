//! An event that arrives at a key.

/// What is known of an event that is pushed before its key is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefilterOutcome(Known);

/// The answer of the prefilter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    Nothing,
    Passes,
    /// Only the counting window asks for it.
    Counts,
}

impl PrefilterOutcome {
    /// There is no prefilter, or it was not asked.
    pub const UNKNOWN: PrefilterOutcome = PrefilterOutcome(Known::Nothing);

    /// The event passes the [prefilter](crate::nfa::Program::prefilter).
    pub(in crate::exec) const PASSES: PrefilterOutcome = PrefilterOutcome(Known::Passes);

    /// The event passes the prefilter, if there is one, and counts in every state of its key.
    pub(in crate::exec) const COUNTS: PrefilterOutcome = PrefilterOutcome(Known::Counts);

    /// True if the event counts in every state of its key.
    #[inline(always)]
    pub(in crate::exec) fn counts(self) -> bool {
        self.0 == Known::Counts
    }

    /// True if the event need not be tested by the prefilter again.
    #[inline(always)]
    pub(in crate::exec) fn passes(self) -> bool {
        self.0 != Known::Nothing
    }
}

/// One event that arrives at a key.
#[derive(Debug)]
pub struct PushedEvent<'e, E> {
    /// The event.
    pub event: &'e E,
    /// The number of the event, which grows with each event of the store.
    pub seq: u64,
    /// What is [known](crate::exec::Matcher::known_of_passing) of the event.
    pub prefilter: PrefilterOutcome,
}
