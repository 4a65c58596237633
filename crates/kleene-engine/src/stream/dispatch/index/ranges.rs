//! The ranges that contain a value.

use std::cmp::Ordering;

use kleene_event::util::order;
use kleene_event::value::{Value, ValueRef};

/// A low end, a high end, and the item of the range between them.
pub(super) type Between<T> = (Option<Value>, Option<Value>, T);

/// Ranges of comparable values, both ends included.
///
/// This is an interval tree in an array, sorted by low ends. The middle of each part is its root
/// and holds the greatest high end of the part. A lookup takes O(log n + found).
#[derive(Debug)]
pub(super) struct Ranges<T> {
    ranges: Vec<IndexedRange<T>>,
}

#[derive(Debug)]
struct IndexedRange<T> {
    /// `None` if unbounded.
    low: Option<Value>,
    high: Option<Value>,
    /// The greatest high end of the part whose middle this is; `None` if unbounded.
    furthest: Option<Value>,
    content: T,
}

impl<T> Ranges<T> {
    /// Builds the tree. All ends must be comparable.
    pub(super) fn new(ranges: impl IntoIterator<Item = Between<T>>) -> Self {
        let range = |(low, high, content)| IndexedRange { low, high, furthest: None, content };
        let mut ranges: Vec<IndexedRange<T>> = ranges.into_iter().map(range).collect();
        order::sort_by(&mut ranges, |a, b| match (&a.low, &b.low) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => compare(a.as_ref(), b.as_ref()),
        });
        find_furthest(&mut ranges);
        Ranges { ranges }
    }

    /// Calls `found` for each range that contains `value`; for none if `value` is not comparable.
    pub(super) fn find(&self, value: ValueRef<'_>, found: &mut impl FnMut(&T)) {
        find(&self.ranges, value, found);
    }
}

fn compare(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    a.compare(b).unwrap_or(Ordering::Equal)
}

/// Sets `furthest` of a part that is not empty, and returns the value in its middle.
fn find_furthest<T>(part: &mut [IndexedRange<T>]) -> Option<Value> {
    let middle = part.len() / 2;
    let (left, rest) = part.split_at_mut(middle);
    let (root, right) = rest.split_first_mut()?;
    let mut furthest = root.high.clone();
    for side in [left, right] {
        if !side.is_empty() {
            furthest = match (furthest, find_furthest(side)) {
                (Some(a), Some(b)) if compare(a.as_ref(), b.as_ref()).is_lt() => Some(b),
                (Some(a), Some(_)) => Some(a),
                _ => None,
            };
        }
    }
    root.furthest.clone_from(&furthest);
    furthest
}

/// Finds ranges recursively. The parts halve, so the depth is at most the number of bits of an
/// index.
fn find<T>(part: &[IndexedRange<T>], value: ValueRef<'_>, found: &mut impl FnMut(&T)) {
    let (left, rest) = part.split_at(part.len() / 2);
    let Some((root, right)) = rest.split_first() else { return };
    let is_at_most = |end: &Option<Value>| {
        end.as_ref().is_none_or(|end| value.compare(end.as_ref()).is_some_and(Ordering::is_le))
    };
    let is_at_least = |end: &Option<Value>| {
        end.as_ref().is_none_or(|end| value.compare(end.as_ref()).is_some_and(Ordering::is_ge))
    };
    if !is_at_most(&root.furthest) {
        return;
    }
    find(left, value, found);
    if is_at_least(&root.low) {
        if is_at_most(&root.high) {
            found(&root.content);
        }
        find(right, value, found);
    }
}
