//! The names of the forms of state.

/// A form of state, without the state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::exec) enum FormKind {
    /// A run for each partial match.
    #[default]
    Runs,
    /// A queue of events: each is the start of a partial match.
    Window,
    /// One run, whose suffixes are the other partial matches.
    SharedSuffix,
    /// A run for each partial match, found by what it waits for.
    Joined,
    /// Groups of partial matches with the same future, with their events in a graph.
    Compact,
}
