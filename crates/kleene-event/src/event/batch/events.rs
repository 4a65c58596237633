//! [`EventBatch`]: rows of several types in the order in which they come.

use std::sync::Arc;

use crate::event::Event as _;
use crate::event::batch::type_columns::{BatchError, TypeColumns};
use crate::event::record::Record;
use crate::time::Timestamp;

/// Events in columns, in the order in which they come.
///
/// The rows of each type are [`TypeColumns`] of their own. Cloning is cheap: columns are shared.
///
/// ```
/// use kleene::event::{Column, ColumnValues, EventBatch, TypeColumns};
/// use kleene::{Engine, RuleSet, on_match};
///
/// let rules = RuleSet::parse(
///     "event sent { order: int, at: time }
///      event paid { order: int, at: time }
///      rule quick { key order  match sent -> paid  within 1m }",
/// )?;
/// let rows = |ty, order, at| {
///     let order = Column::new(ColumnValues::Int(vec![order].into()));
///     let at = Column::new(ColumnValues::Time(vec![at].into()));
///     TypeColumns::new(rules.schema(), ty, [("order", order), ("at", at)])
/// };
/// // `sent` is the first type of the batch, `paid` the second.
/// let types = vec![rows("sent", 7, 1000)?, rows("paid", 7, 2000)?];
/// let batch = EventBatch::interleaved(types, [0, 1])?;
///
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut found = 0;
/// engine.push_columns(&batch, &mut on_match(|_| found += 1))?;
/// assert_eq!(found, 1);
/// # Ok::<(), kleene::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    types: Vec<Arc<TypeColumns>>,
    /// Events that came as records.
    records: Vec<Record>,
    /// The place of each row; `None` if all rows are of the only type.
    order: Option<Vec<RowPlace>>,
}

/// The place of a row: its number among the rows of a type, or among the records.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowPlace {
    /// The position of the type in the batch, or [`RowPlace::RECORD`].
    pub(super) part: u32,
    pub(super) row: u32,
}

impl RowPlace {
    pub(super) const RECORD: u32 = u32::MAX;
}

/// One row of a batch.
#[derive(Clone, Copy, Debug)]
pub enum BatchRow<'a> {
    /// A row of columns.
    Columns {
        /// The position of its type in [`EventBatch::types`].
        part: usize,
        /// The columns of its type.
        columns: &'a Arc<TypeColumns>,
        /// Its number among the rows of its type.
        row: usize,
    },
    /// An event that came as a record.
    Record(&'a Record),
}

impl BatchRow<'_> {
    /// Returns the event time.
    #[inline(always)]
    pub fn time(&self) -> Timestamp {
        match self {
            BatchRow::Columns { columns, row, .. } => columns.time(*row),
            BatchRow::Record(record) => record.time(),
        }
    }

    /// Returns a record of the row.
    pub fn to_record(&self) -> Record {
        match self {
            BatchRow::Columns { columns, row, .. } => Record::copy_of_row(columns, *row),
            BatchRow::Record(record) => (*record).clone(),
        }
    }
}

/// A record that reads the rows of batches in place, one after the other.
#[derive(Debug, Default)]
pub struct LentRow(Option<Record>);

impl LentRow {
    /// Returns the event of a row.
    #[inline]
    pub fn event<'a>(&'a mut self, row: BatchRow<'a>) -> &'a Record {
        let (columns, row) = match row {
            BatchRow::Record(record) => return record,
            BatchRow::Columns { columns, row, .. } => (columns, row),
        };
        match &mut self.0 {
            Some(record) => {
                record.move_to_row(columns, row);
                record
            }
            none => none.insert(Record::of_row(columns.clone(), row)),
        }
    }
}

impl EventBatch {
    /// Makes a batch of rows of several types. `order` says for each event the position of its type
    /// in `types`; the rows of each type come in their order.
    ///
    /// # Errors
    /// [`BatchError`] if `order` does not name each row once.
    pub fn interleaved(
        types: Vec<TypeColumns>,
        order: impl IntoIterator<Item = usize>,
    ) -> Result<EventBatch, BatchError> {
        let mut next = vec![0_u32; types.len()];
        let mut places = Vec::new();
        for part in order {
            let Some(row) = next.get_mut(part) else {
                let message = format!("the order names type {part} of {}", types.len());
                return Err(BatchError(message));
            };
            let part = u32::try_from(part).map_err(|_| BatchError("too many types".into()))?;
            places.push(RowPlace { part, row: *row });
            *row += 1;
        }
        for (part, (columns, named)) in types.iter().zip(next).enumerate() {
            let rows = columns.len();
            if rows != named as usize {
                let message =
                    format!("the order names {named} rows of type {part}, which has {rows}");
                return Err(BatchError(message));
            }
        }
        Ok(EventBatch::of(types, Vec::new(), places))
    }

    /// Makes a batch of rows that are known to be there.
    pub(super) fn of(
        types: Vec<TypeColumns>,
        records: Vec<Record>,
        order: Vec<RowPlace>,
    ) -> EventBatch {
        let types: Vec<_> = types.into_iter().map(Arc::new).collect();
        let order = Some(order).filter(|_| types.len() != 1 || !records.is_empty());
        EventBatch { types, records, order }
    }

    /// Returns the vectors of records and of places.
    pub(super) fn into_vectors(self) -> (Vec<Record>, Vec<RowPlace>) {
        (self.records, self.order.unwrap_or_default())
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        match (&self.order, &self.types[..]) {
            (Some(order), _) => order.len(),
            (None, [only]) => only.len(),
            (None, _) => 0,
        }
    }

    /// True if there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the columns of each type.
    pub fn types(&self) -> &[Arc<TypeColumns>] {
        &self.types
    }

    /// Returns an event by its number.
    ///
    /// # Panics
    /// If there is no such event.
    #[inline(always)]
    pub fn row(&self, number: usize) -> BatchRow<'_> {
        let Some(order) = &self.order else {
            return BatchRow::Columns { part: 0, columns: &self.types[0], row: number };
        };
        let RowPlace { part, row } = order[number];
        if part == RowPlace::RECORD {
            return BatchRow::Record(&self.records[row as usize]);
        }
        let part = part as usize;
        BatchRow::Columns { part, columns: &self.types[part], row: row as usize }
    }

    /// Returns the events.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = BatchRow<'_>> {
        (0..self.len()).map(|number| self.row(number))
    }
}

impl From<TypeColumns> for EventBatch {
    fn from(rows: TypeColumns) -> EventBatch {
        EventBatch::of(vec![rows], Vec::new(), Vec::new())
    }
}

impl FromIterator<Record> for EventBatch {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> EventBatch {
        let records: Vec<Record> = records.into_iter().collect();
        let rows = 0..u32::try_from(records.len()).unwrap_or(u32::MAX);
        let order = rows.map(|row| RowPlace { part: RowPlace::RECORD, row }).collect();
        EventBatch::of(Vec::new(), records, order)
    }
}
