//! The values that `distinct` and `collect` keep.

use kleene_event::value::Value;
use kleene_syntax::hir::eval::LARGEST;

/// The maximum number of values in `distinct` and `collect`: as many as a list of
/// [`LARGEST`](kleene_syntax::hir::eval::LARGEST) bytes has. With one more, the aggregate is null.
pub(super) const MOST_KEPT: usize = LARGEST / size_of::<Value>();

/// Values, and their size in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptValues {
    values: Vec<Value>,
    bytes: u64,
}

impl From<Vec<Value>> for KeptValues {
    fn from(values: Vec<Value>) -> KeptValues {
        let bytes = values.iter().map(|value| size_of::<Value>() + value.as_ref().heap_size());
        KeptValues { bytes: bytes.sum::<usize>() as u64, values }
    }
}

impl KeptValues {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(super) fn push(&mut self, value: Value) {
        self.bytes += (size_of::<Value>() + value.as_ref().heap_size()) as u64;
        self.values.push(value);
    }

    /// True if there are more values than the maximum.
    pub(super) fn is_too_large(&self) -> bool {
        self.values.len() > MOST_KEPT
    }
}
