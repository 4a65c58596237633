//! How far what an engine holds may grow.

use crate::exec;

/// What may grow how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) buffered: usize,
    /// What the buffered events take; and as much those that rules have made and that wait.
    pub(crate) buffered_bytes: u64,
    pub(crate) partials: u64,
    pub(crate) captured_bytes: u64,
    /// Of one rule.
    pub(crate) suppressed: usize,
}

impl Limits {
    /// An equal part of what is limited over all keys, for one of so many shards.
    pub(in crate::stream) fn divided(self, of: u32) -> Limits {
        Limits {
            partials: self.partials.div_ceil(of.into()),
            captured_bytes: self.captured_bytes.div_ceil(of.into()),
            suppressed: self.suppressed.div_ceil(of as usize),
            ..self
        }
    }
}

/// How rules are matched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Matching {
    /// What a key may hold where the rule does not say.
    pub(in crate::stream) per_key: exec::Limits,
    /// Whether every rule is matched with the general strategy.
    pub(in crate::stream) general: bool,
}
