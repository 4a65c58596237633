//! How an input is read.

use kleene::schema::Schema;
use kleene_input::Parsing;

/// How an input is read.
#[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "some of it is about columns"))]
pub(crate) struct ReadPlan<'a> {
    /// The types of events, and those of them that are declared.
    pub(crate) schema: &'a Schema,
    pub(crate) declared: &'a Schema,
    /// Who parses, where the input is text.
    pub(crate) parsing: Parsing,
    /// The maximum number of rows of a batch, where the input has columns, and the number of batches
    /// that are decoded ahead.
    pub(crate) rows: usize,
    pub(crate) ahead: usize,
}
