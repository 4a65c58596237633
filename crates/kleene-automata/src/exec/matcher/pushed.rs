//! An event that arrives at a key.

/// The answer of the prefilter for an event that is pushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrefilterOutcome {
    /// There is no prefilter, or it was not asked.
    Unknown,
    /// The event passes the [prefilter](crate::nfa::Program::prefilter).
    Passes,
    /// The event counts, [in every state](crate::exec::Matcher::counts_all) of its key.
    Counts,
}

/// One event that arrives at a key.
#[derive(Debug)]
pub struct PushedEvent<'e, E> {
    /// The event.
    pub event: &'e E,
    /// The number of the event, which grows with each event of the store.
    pub seq: u64,
    /// What the prefilters of the rule said of it.
    pub prefilter: PrefilterOutcome,
}
