//! Tests of rules.

use super::expr::Expr;
use super::spanned::{Name, Spanned};

/// `test NAME { ... }`
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The rule that it tests.
    pub rule: Name,
    /// The steps of the test, in order.
    pub steps: Vec<Spanned<TestStep>>,
}

/// One line of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestStep {
    /// `at DURATION NAME record`
    Event {
        /// Milliseconds after the start of the test.
        at: Spanned<i64>,
        /// The event type.
        ty: Name,
        /// Its fields.
        fields: Vec<(Name, Option<Spanned<Expr>>)>,
    },
    /// `advance to DURATION`
    Advance(Spanned<i64>),
    /// `expect no? (match | timeout) record? (count INT)? (at DURATION)?`
    Expect {
        /// True if it is expected not to come.
        no: bool,
        /// A timeout rather than a match.
        timeout: bool,
        /// The fields that the emitted record must contain.
        fields: Vec<(Name, Option<Spanned<Expr>>)>,
        /// The number of matches in the set.
        count: Option<Spanned<u64>>,
        /// When it is reported.
        at: Option<Spanned<i64>>,
    },
}
