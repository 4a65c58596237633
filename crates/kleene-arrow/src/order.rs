//! The order of a Parquet file in time, as its statistics have it.

use arrow_schema::DataType;
use kleene::event::TimeUnit;
use kleene_input::{Reading, millis_of};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::element::unit_of;
use crate::parquet_source::ParquetSource;
use crate::plan::{FieldSource, Path, Plan};

/// The order of the rows of an input in time, without reading them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TimeOrder {
    /// No row group begins before an earlier one ends. The rows within a group may be in any order.
    ByRowGroup,
    /// A row group begins before an earlier one ends: the rows are not in time order.
    #[non_exhaustive]
    Overlapping {
        /// The first row of the first such group, from 1.
        row: u64,
        /// The longest time in milliseconds between the end of a group and the begin of a later one
        /// before it: no smaller disorder than this is in the file, and larger ones may be.
        millis: i64,
    },
    /// There are no statistics, or types have different columns for the time.
    Unknown,
}

impl ParquetSource {
    /// Compares the times of row groups.
    pub(crate) fn time_order(&self, plan: &Plan, reading: &Reading) -> TimeOrder {
        self.order(plan, reading).unwrap_or(TimeOrder::Unknown)
    }

    fn order(&self, plan: &Plan, reading: &Reading) -> Option<TimeOrder> {
        let path = time_path(plan, reading)?;
        let [leaf] = *self.leaves_of(&path) else { return None };
        let unit = unit(self.schema().fields(), &path, reading)?;
        let (mut row, mut end) = (1, i64::MIN);
        let mut overlapping: Option<(u64, i64)> = None;
        for group in self.groups() {
            let rows = u64::try_from(group.num_rows()).ok()?;
            if rows == 0 {
                continue;
            }
            let (min, max) = times(group, leaf, unit)?;
            if min < end {
                let millis = end.saturating_sub(min);
                let (_, most) = overlapping.get_or_insert((row, 0));
                *most = millis.max(*most);
            }
            end = end.max(max);
            row += rows;
        }
        Some(match overlapping {
            Some((row, millis)) => TimeOrder::Overlapping { row, millis },
            None => TimeOrder::ByRowGroup,
        })
    }
}

/// Returns the column that holds the time of all types.
fn time_path(plan: &Plan, reading: &Reading) -> Option<Path> {
    let of_type = |ty: &crate::plan::TypePlan| {
        let declared = ty.time_field().filter(|_| !reading.prefers_time_field);
        match declared.map(|time| &ty.fields[time].source) {
            Some(FieldSource::Column(path)) => Some(path.clone()),
            _ => plan.named_time.clone(),
        }
    };
    let mut paths = plan.types.iter().map(of_type);
    let first = paths.next()??;
    paths.all(|path| path.as_ref() == Some(&first)).then_some(first)
}

/// Returns the unit of a column of moments; `None` if its numbers are not in their order.
fn unit(fields: &arrow_schema::Fields, path: &Path, reading: &Reading) -> Option<Unit> {
    let (first, inner) = path.split_first()?;
    let mut ty = fields.find(first)?.1.data_type();
    for name in inner {
        let DataType::Struct(fields) = ty else { return None };
        ty = fields.find(name)?.1.data_type();
    }
    match ty {
        DataType::Timestamp(unit, _) => Some(Unit::Of(unit_of(*unit))),
        DataType::Int64 | DataType::Int32 => Some(Unit::Of(reading.unit)),
        DataType::Date32 => Some(Unit::Days),
        _ => None,
    }
}

/// The unit of the numbers of a column.
#[derive(Clone, Copy)]
enum Unit {
    Of(TimeUnit),
    Days,
}

/// Returns the first and the last time of a row group in milliseconds.
fn times(group: &RowGroupMetaData, leaf: usize, unit: Unit) -> Option<(i64, i64)> {
    let millis = |number: i64| match unit {
        Unit::Of(unit) => millis_of(number, unit),
        Unit::Days => number.checked_mul(86_400_000),
    };
    let (min, max) = match group.columns().get(leaf)?.statistics()? {
        Statistics::Int64(statistics) => (*statistics.min_opt()?, *statistics.max_opt()?),
        Statistics::Int32(statistics) => {
            (i64::from(*statistics.min_opt()?), i64::from(*statistics.max_opt()?))
        }
        _ => return None,
    };
    Some((millis(min)?, millis(max)?))
}
