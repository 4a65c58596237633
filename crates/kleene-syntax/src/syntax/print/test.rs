//! The tests of rules.

use std::fmt::Write as _;

use super::Printer;
use crate::syntax::ast::{Test, TestStep};
use kleene_event::time::format_millis;

impl Printer {
    pub(super) fn test(&mut self, test: &Test) {
        self.push("test ");
        self.name(&test.rule.node);
        self.push(" ");
        self.block(&test.steps, |this, step| this.test_step(&step.node));
    }

    pub(super) fn test_step(&mut self, step: &TestStep) {
        match step {
            TestStep::Event { at, ty, fields } => {
                let _ = write!(self.out, "at {} ", format_millis(at.node));
                self.name(&ty.node);
                self.push(" ");
                self.record(fields);
            }
            TestStep::Advance(to) => {
                let _ = write!(self.out, "advance to {}", format_millis(to.node));
            }
            TestStep::Expect { no, timeout, fields, count, at } => {
                self.push(if *no { "expect no " } else { "expect " });
                self.push(if *timeout { "timeout" } else { "match" });
                if !fields.is_empty() {
                    self.push(" ");
                    self.record(fields);
                }
                if let Some(count) = count {
                    let _ = write!(self.out, " count {}", count.node);
                }
                if let Some(at) = at {
                    let _ = write!(self.out, " at {}", format_millis(at.node));
                }
            }
        }
    }
}
