//! Stable sorts for what no event goes through: few items, or seldom.
//!
//! `slice::sort_by_key` compiles an algorithm of 4 kB for each type of items and each key. These
//! functions share one: they sort positions, and call the comparison by a pointer. In WebAssembly they
//! save 100 kB of code.

use std::cmp::Ordering;

/// Sorts as `slice::sort_by_key` does.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts as `slice::sort_by` does.
pub fn sort_by<T>(items: &mut [T], order: impl Fn(&T, &T) -> Ordering) {
    let mut from = sorted_positions(items.len(), &|a, b| order(&items[a], &items[b]));
    // Each cycle of positions is a row of swaps.
    for start in 0..from.len() {
        let mut at = start;
        while from[at] != start {
            let next = from[at];
            items.swap(at, next);
            from[at] = at;
            at = next;
        }
        from[at] = at;
    }
}

/// Returns for each position of the sorted items where its item is now.
fn sorted_positions(count: usize, order: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..count).collect();
    positions.sort_by(|a, b| order(*a, *b));
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_as_the_standard_library_sorts_them() {
        // Numbers of a linear congruence: many keys are equal.
        let mut state = 1_u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 40
        };
        for count in [0, 1, 2, 3, 10, 100, 1000] {
            let items: Vec<(u64, usize)> = (0..count).map(|index| (number() % 17, index)).collect();
            let (mut expected, mut by_key, mut by) = (items.clone(), items.clone(), items);
            expected.sort_by_key(|(key, _)| *key);
            sort_by_key(&mut by_key, |(key, _)| *key);
            sort_by(&mut by, |(a, _), (b, _)| a.cmp(b));
            assert_eq!((&by_key, &by), (&expected, &expected));
        }
    }
}
