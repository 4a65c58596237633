//! The limits of rule text: what one file can make the parser hold.

/// Levels that groups, brackets and operators may nest.
pub const MAX_NESTING: u32 = 64;

/// The most repetitions that a quantifier may name.
pub const MAX_REPETITIONS: u64 = 10_000;

/// The longest rule file, in bytes.
pub const MAX_TEXT: usize = 64 << 20;

/// The maximum number of declarations, rules and tests of a file. The tree of a short rule takes a
/// hundred times the memory of its text, so that a file of [`MAX_TEXT`] bytes could take gigabytes.
pub const MAX_ITEMS: usize = 250_000;

/// The maximum number of reported mistakes of a file.
pub const MAX_DIAGNOSTICS: usize = 50;
