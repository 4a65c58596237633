//! Rows of a batch of columns: which of them may act, and their keys, before their turn.
//!
//! When it applies: events come in columns and in order, and delivery is direct.
//!
//! Why it is right: the prefilter and the key of a row are those of the record of the row. As with
//! groups of records (`dispatch/prefetch.rs`), what is looked up ahead is only a hint.
//!
//! What it saves: a row that does nothing is never looked at by itself: its prefilter is answered
//! for the whole column, and a null key is a bit.
//!
//! Which test holds it: `a_batch_is_its_events_one_by_one` in `tests/batches.rs`.

use std::sync::Arc;

use crate::stream::dispatch::dispatcher::Dispatcher;
use crate::stream::dispatch::prefetch::{EventRun, EventSet, GroupHints, KeyHint};
use crate::stream::dispatch::routes::{DirectRoute, Route};
use crate::stream::keys::GROUP_SIZE;
use kleene_event::event::{BatchRow, Bitmap, EventBatch, LentRow, Record, TypeColumns};
use kleene_event::time::Timestamp;
use kleene_syntax::hir::expr::FieldRef;

/// The rows of a batch that may act, by the position of their type in the batch.
pub(in crate::stream) struct Selection {
    /// For each type, the rows that pass its prefilter; `None` without a prefilter.
    types: Vec<Option<Bitmap>>,
}

impl Selection {
    /// True if a row passes the prefilter of its type; `None` without a prefilter.
    #[inline(always)]
    fn passes(&self, part: usize, row: usize) -> Option<bool> {
        self.types.get(part)?.as_ref().map(|rows| rows.get(row))
    }
}

/// Up to [`GROUP_SIZE`] consecutive rows of a batch.
pub(in crate::stream) struct RowRun<'b> {
    batch: &'b EventBatch,
    start: usize,
    count: usize,
    /// The end of the last run.
    end: usize,
    lent: LentRow,
}

impl<'b> RowRun<'b> {
    /// Begins before the first row of a batch, whose first `rows` rows are read.
    pub(in crate::stream) fn of_first(batch: &'b EventBatch, rows: usize) -> RowRun<'b> {
        RowRun { batch, start: 0, count: 0, end: rows.min(batch.len()), lent: LentRow::default() }
    }

    /// Returns the batch.
    pub(in crate::stream) fn batch(&self) -> &'b EventBatch {
        self.batch
    }

    /// Moves on to the next rows. Returns false after the last row.
    pub(in crate::stream) fn advance(&mut self) -> bool {
        self.start += self.count;
        self.count = GROUP_SIZE.min(self.end - self.start);
        self.count > 0
    }

    #[inline(always)]
    fn row(&self, place: usize) -> BatchRow<'b> {
        self.batch.row(self.start + place)
    }

    /// Returns the times of the rows.
    #[inline(always)]
    pub(in crate::stream) fn times(&self) -> impl Iterator<Item = Timestamp> {
        (0..self.count).map(|place| self.row(place).time())
    }
}

impl EventRun<Record> for RowRun<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn last_time(&self) -> Timestamp {
        self.row(self.count - 1).time()
    }

    #[inline(always)]
    fn event(&mut self, place: usize) -> &Record {
        let row = self.row(place);
        self.lent.event(row)
    }
}

impl Dispatcher<Record> {
    /// Asks the prefilters of all rows of a batch.
    pub(in crate::stream) fn select(&self, batch: &EventBatch) -> Selection {
        let select = |rows: &Arc<TypeColumns>| {
            let route = self.routes.types.get(rows.type_id().index())?;
            if route.is_foreign(rows.type_id()) {
                // Each row is rejected when its turn comes.
                return None;
            }
            route.direct.as_ref()?.prefilter.as_ref()?.select(rows)
        };
        Selection { types: batch.types().iter().map(select).collect() }
    }

    /// Finds the rows that may act. Their keys are looked up if very many partial matches are open.
    ///
    /// `seen` must be empty.
    pub(in crate::stream) fn look_at_rows(
        &self,
        run: &mut RowRun<'_>,
        selection: &Selection,
        seen: &mut GroupHints,
    ) {
        let looks_up = self.holds_much();
        let mut sought = EventSet::default();
        for place in 0..run.count {
            let hint = &mut seen.of[place];
            let (is_wanted, is_sought) = match run.row(place) {
                BatchRow::Columns { part, columns, row } => {
                    let passes = selection.passes(part, row);
                    if passes != Some(false) && looks_up {
                        self.classify_event(run.event(place), passes, hint)
                    } else {
                        (self.may_act(columns, row, passes, hint), false)
                    }
                }
                BatchRow::Record(record) if looks_up => self.classify_event(record, None, hint),
                // It is asked when its turn comes.
                BatchRow::Record(_) => (true, false),
            };
            seen.wanted.add(place, is_wanted);
            sought.add(place, is_sought);
        }
        if looks_up {
            self.find_keys(sought, &mut seen.of, |place| run.row(place).time());
        }
    }

    /// True if a row may act, or has no key and must be counted.
    #[inline(always)]
    fn may_act(
        &self,
        columns: &TypeColumns,
        row: usize,
        passes: Option<bool>,
        hint: &mut KeyHint,
    ) -> bool {
        hint.passes = passes;
        if passes != Some(false) {
            return true;
        }
        let route = self.routes.types.get(columns.type_id().index());
        let direct = route.and_then(|route: &Route<Record>| route.direct.as_ref());
        direct.is_none_or(|direct| has_null_part(direct, columns, row))
    }
}

/// True if a part of the key of a row is null, as far as its columns say.
#[inline(always)]
fn has_null_part(direct: &DirectRoute<Record>, columns: &TypeColumns, row: usize) -> bool {
    direct.reader.fields().iter().any(|field| match field {
        FieldRef::Declared(field) => columns.field(row, *field).is_null(),
        // An undeclared field, or a part that the host computes.
        _ => true,
    })
}
