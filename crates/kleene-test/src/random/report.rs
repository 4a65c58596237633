//! Random choices among sets of matches.

use std::num::NonZeroU32;

use kleene::schema::FieldId;
use kleene_syntax::hir::expr::{Aggregate, AggregateOp, FieldRef};
use kleene_syntax::hir::{Expr, ItemKind, Report, Sequence, SkipStrategy, StepId};
use proptest::prelude::*;
use proptest::sample::select;

use super::build::Built;

/// Any `report`.
pub fn report() -> impl Strategy<Value = Report> {
    select((0..7_u8).map(of_number).collect::<Vec<_>>())
}

/// The `report` of a number, taken around.
pub fn of_number(number: u8) -> Report {
    let two = NonZeroU32::MIN.saturating_add(1);
    match number % 7 {
        0 => Report::All,
        1 => Report::Count,
        2 => Report::First(NonZeroU32::MIN),
        3 => Report::First(two),
        4 => Report::Last(two),
        5 => Report::Longest,
        _ => Report::Shortest,
    }
}

impl Built {
    /// The pattern with another `report`, and with each total over each of its steps.
    #[must_use]
    pub fn reporting(mut self, report: Report) -> Built {
        let mut steps = Vec::new();
        captured(&self.0.body, &mut steps);
        let ops = [AggregateOp::Sum, AggregateOp::Avg, AggregateOp::Min, AggregateOp::Max];
        let field = || Some(Expr::Field(FieldRef::Declared(FieldId::new(1))));
        let of_step = |step| ops.map(|op| Aggregate { op, step, arg: field(), of_ints: true });
        self.0.totals = steps.into_iter().flat_map(of_step).collect();
        self.0.report = report;
        self
    }

    /// The pattern with `skip none`: its sets of matches are the largest.
    #[must_use]
    pub fn keeping_all(mut self) -> Built {
        self.0.skip.strategy = SkipStrategy::None;
        self.0.skip.ordered = false;
        self
    }
}

/// The steps that capture events.
fn captured(sequence: &Sequence, steps: &mut Vec<StepId>) {
    for item in &sequence.items {
        match &item.kind {
            ItemKind::Step { step, .. } => steps.push(*step),
            ItemKind::Not { .. } => {}
            ItemKind::Group { body, .. } => captured(body, steps),
            ItemKind::Alternatives { branches, .. } => {
                for branch in branches {
                    captured(branch, steps);
                }
            }
        }
    }
}
