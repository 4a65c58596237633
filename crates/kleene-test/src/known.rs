//! Where Kleene knowingly does something else than Flink: rules on the shape of a pattern. Each is
//! explained in `docs/semantics.md`.

use crate::format::CasePattern;

/// A shape of pattern for which Kleene's answer may differ.
#[derive(Debug)]
pub struct Rule {
    /// A name for reports.
    pub name: &'static str,
    /// Whether a pattern has the shape.
    pub applies: fn(&CasePattern) -> bool,
}

/// All of them.
pub const RULES: &[Rule] = &[];

/// The first rule that applies to a pattern.
pub fn applying(pattern: &CasePattern) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(pattern))
}
