//! Cases as rule text.
