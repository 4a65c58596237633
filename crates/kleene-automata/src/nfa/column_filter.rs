//! The prefilter over columns: one comparison at a time, for all rows of a batch.
//!
//! When it applies: events come as [`TypeColumns`], and their type has a prefilter.
//!
//! Why it is right: a comparison with a literal asks for one field of the event. A row passes if
//! all comparisons hold, and they can be asked in any order. A comparison with null is not true.
//!
//! What it saves: the jump on the type of each value. The loops over numbers have no branch, so the
//! compiler makes several comparisons at once; a text of a dictionary is compared once for all its
//! rows.
//!
//! Which test holds it: `columns_pass_as_their_rows_do` below, and
//! `a_batch_is_its_events_one_by_one` in `tests/batches.rs`.

use crate::nfa::comparison::{ComparedValue, Comparison, FieldComparison, Operand};
use kleene_event::event::{Bitmap, Column, ColumnValues, TypeColumns};
use kleene_event::value::ValueRef;
use kleene_syntax::hir::eval::Relation;

impl FieldComparison {
    /// Returns a bit for each row: 1 if all comparisons hold for it. `None` if the condition asks
    /// for more than fields of the event.
    pub(super) fn rows_that_hold(&self, rows: &TypeColumns) -> Option<Bitmap> {
        let comparisons = self.all();
        if comparisons.is_empty() {
            return None;
        }
        let mut selected = Bitmap::ones(rows.len());
        for comparison in comparisons {
            let Operand::Literal(literal) = &comparison.with else { return None };
            match rows.columns().get(comparison.field.index()) {
                Some(column) => comparison.narrow(column, literal, &mut selected),
                None => selected.retain(|_, _| 0),
            }
        }
        Some(selected)
    }
}

impl Comparison {
    /// Clears the bits of the rows whose value is not in the relation to a literal.
    fn narrow(&self, column: &Column, literal: &ComparedValue, selected: &mut Bitmap) {
        match (column.values(), literal.int(), literal.float()) {
            (ColumnValues::Null(_), ..) => selected.retain(|_, _| 0),
            (ColumnValues::Int(values), Some(int), _) => {
                compare_all(self.relation, values, int, selected);
            }
            (ColumnValues::Float(values), _, Some(float)) => {
                compare_all(self.relation, values, float, selected);
            }
            (ColumnValues::Dictionary(codes, texts), ..) => {
                let holds = |text| self.holds_of_value(ValueRef::String(text), literal);
                let of_texts: Vec<bool> = texts.iter().map(|text| holds(text)).collect();
                keep(codes, selected, |code| {
                    of_texts.get(*code as usize).is_some_and(|holds| *holds)
                });
            }
            (ColumnValues::String(texts), ..) => {
                keep_rows(selected, |row| {
                    self.holds_of_value(ValueRef::String(texts.get(row)), literal)
                });
            }
            _ => {
                keep_rows(selected, |row| self.holds_of_value(column.get(row), literal));
            }
        }
        if let Some(validity) = column.validity() {
            selected.retain(|number, _| validity.words().get(number).copied().unwrap_or(0));
        }
    }
}

/// Clears the bits of the values that are not in the relation. The relation is chosen outside of
/// the loop.
fn compare_all<T: PartialOrd + Copy>(
    relation: Relation,
    values: &[T],
    with: T,
    selected: &mut Bitmap,
) {
    match relation {
        Relation::Lt => keep(values, selected, |value| *value < with),
        Relation::Le => keep(values, selected, |value| *value <= with),
        Relation::Gt => keep(values, selected, |value| *value > with),
        Relation::Ge => keep(values, selected, |value| *value >= with),
        Relation::Eq | Relation::Ne | Relation::Like => {
            keep(values, selected, |value| relation.of_ordered(*value, with));
        }
    }
}

/// Clears the bits of the values for which `holds` is false.
#[inline(always)]
fn keep<T>(values: &[T], selected: &mut Bitmap, holds: impl Fn(&T) -> bool) {
    let mut chunks = values.chunks(Bitmap::WORD);
    selected.retain(|_, _| {
        let values = chunks.next().unwrap_or_default().iter().enumerate();
        values.fold(0, |bits, (place, value)| bits | u64::from(holds(value)) << place)
    });
}

/// Clears the bits of the rows for which `holds` is false. Rows that are out already are not asked.
#[inline(always)]
fn keep_rows(selected: &mut Bitmap, holds: impl Fn(usize) -> bool) {
    selected.retain(|number, word| {
        let (mut rest, mut kept) = (word, 0);
        while rest != 0 {
            let place = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            kept |= u64::from(holds(number * Bitmap::WORD + place)) << place;
        }
        kept
    });
}

#[cfg(test)]
mod tests {
    use kleene_event::event::BatchBuilder;
    use kleene_event::time::Timestamp;
    use kleene_event::value::Value;

    use crate::nfa::Program;
    use crate::testing::checked;

    #[test]
    fn columns_pass_as_their_rows_do() {
        let conditions = [
            "n > 3",
            "n >= 3",
            "n < 3",
            "n <= 3",
            "n == 3",
            "n != 3",
            "n == 3.0",
            "n > 2.5",
            "x > 3",
            "x <= 2.5",
            "x != 2.5",
            "x == 3",
            "s == \"ab\"",
            "s != \"ab\"",
            "s > \"ab\"",
            "s like \"a*\"",
            "b == true",
            "b != true",
            "n > 1 and s == \"ab\" and x < 9",
        ];
        let (values, floats) = ([-1, 2, 3, 4, i64::MAX], [f64::NAN, -0.0, 2.5, 3.0, 1e300]);
        let texts = ["", "ab", "abc", "b"];
        for condition in conditions {
            let text = format!(
                "event a {{ at: time, n: int?, x: float?, s: string?, b: bool? }}
                 rule r {{ match a[{condition}]{{5}} within 1h }}"
            );
            let rules = checked(&text);
            let ty = rules.schema.type_id("a").expect("it is declared");
            let program = Program::new(&rules.rules[0].pattern).expect("it is right");
            let prefilter = program.prefilter(ty).expect("it compares fields");
            let mut builder = BatchBuilder::new();
            for row in 0..200_usize {
                let or_null = |value: Value, every: usize| match row % every {
                    0 => Value::Null,
                    _ => value,
                };
                let of_row = [
                    Value::Time(Timestamp::from_millis(0)),
                    or_null(values[row % 5].into(), 7),
                    or_null(floats[row / 2 % 5].into(), 11),
                    or_null(texts[row / 3 % 4].into(), 5),
                    or_null((row % 3 == 0).into(), 4),
                ];
                let mut rows = builder.rows(&rules.schema, ty);
                for (column, value) in rows.columns().iter_mut().zip(of_row) {
                    column.push(value);
                }
                rows.end_row(Timestamp::from_millis(0));
            }
            let batch = builder.finish();
            let selected = prefilter.select(&batch.types()[0]).expect("it compares fields");
            for (number, row) in batch.rows().enumerate() {
                let record = row.to_record();
                let passes = prefilter.passes(&record);
                assert_eq!(Some(selected.get(number)), passes, "{condition}: {record:?}");
            }
        }
    }
}
