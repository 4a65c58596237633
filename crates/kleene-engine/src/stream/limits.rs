//! The limits on an engine's state.

use kleene_automata::exec;

/// The limits over all keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineLimits {
    pub(crate) buffered: usize,
    /// Bytes of the buffered events. The same limit applies to the waiting events that rules made.
    pub(crate) buffered_bytes: u64,
    pub(crate) partials: u64,
    pub(crate) captured_bytes: u64,
    /// Remembered keys of one rule.
    pub(crate) suppressed: usize,
}

impl EngineLimits {
    /// Returns the limits of one of `of` shards: an equal part of each limit over all keys.
    pub(in crate::stream) fn divided(self, of: u32) -> EngineLimits {
        EngineLimits {
            partials: self.partials.div_ceil(of.into()),
            captured_bytes: self.captured_bytes.div_ceil(of.into()),
            suppressed: self.suppressed.div_ceil(of as usize),
            ..self
        }
    }
}

/// The settings of matching.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Matching {
    /// The limits of a key in a rule without its own `limit`.
    pub(in crate::stream) per_key: exec::Limits,
    /// The strategies that rules may be matched with.
    pub(in crate::stream) choice: exec::StrategyChoice,
}
