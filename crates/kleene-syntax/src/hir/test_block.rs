//! The `test` blocks of rule files, checked: what happens, and what is expected to be reported.

use std::sync::Arc;

use crate::diagnostic::{Source, Span};
use kleene_event::schema::TypeId;
use kleene_event::time::Timestamp;
use kleene_event::value::Value;

/// When a test starts, 2000-01-01T00:00:00Z: the durations in a test count from here.
pub const TEST_START: Timestamp = Timestamp::from_millis(946_684_800_000);

/// A test of one rule. The crate `kleene-explain` runs it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestBlock {
    /// The rule that it tests.
    pub rule: Arc<str>,
    /// The file that it stands in.
    pub source: Source,
    /// The place of the rule's name in the test.
    pub span: Span,
    /// The steps of the test, in order.
    pub steps: Vec<TestStep>,
}

impl TestBlock {
    /// The line of the file on which the test starts, from 1.
    pub fn line(&self) -> usize {
        self.source.line_column(self.span.start).0
    }
}

/// One line of a test.
#[derive(Clone, Debug)]
pub enum TestStep {
    /// `at DURATION NAME record`: an event comes. Times never go back in a checked test.
    Event {
        /// Its type.
        ty: TypeId,
        /// The time of the event: its time field, if the test gives one; otherwise [`TEST_START`]
        /// plus the time in the test.
        at: Timestamp,
        /// Its fields' values in the order of the schema.
        values: Vec<Value>,
        /// The undeclared fields of an open type.
        extra: Vec<(Arc<str>, Value)>,
    },
    /// `advance to DURATION`: time moves on to here without an event.
    Advance(Timestamp),
    /// `expect ...`
    Expect(Expectation),
}

/// `expect no? (match | timeout) record? (count INT)? (at DURATION)?`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Expectation {
    /// True if it is expected not to be reported.
    pub no: bool,
    /// A timeout rather than a match.
    pub timeout: bool,
    /// The fields that the emitted record, or else the key, must contain.
    pub fields: Vec<(Arc<str>, Value)>,
    /// The number of matches in the set of this match.
    pub count: Option<u64>,
    /// When it is reported.
    pub at: Option<Timestamp>,
    /// Its place in the text.
    pub span: Span,
}
