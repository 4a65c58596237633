//! The events of operands of `and` and `of` that have come, where the group waits in one state.
//!
//! When it applies: groups with more operands than the layout has a state for each set of. Twenty
//! operands of one event have a million sets.
//!
//! Why it is right: the state knows from the set what its states would know otherwise. The property
//! in `tests/operands.rs` compares the two layouts.
//!
//! What it saves: the set is the value of one clock, so that a partial match is copied, compared,
//! saved and migrated like any other.

/// A set of events of operands, as a clock holds it. A clock that is not set holds the empty set.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct OperandSet(u64);

impl OperandSet {
    /// Returns the set that is the value of a clock. One that is not set has the least value.
    #[inline]
    pub(crate) fn of_clock(clock: i64) -> OperandSet {
        OperandSet((clock ^ i64::MIN).cast_unsigned())
    }

    /// Returns the value of the clock that holds the set.
    #[inline]
    pub(crate) fn to_clock(self) -> i64 {
        self.0.cast_signed() ^ i64::MIN
    }

    #[inline]
    pub(crate) fn has(self, event: u8) -> bool {
        self.0 >> event & 1 == 1
    }

    /// True if it has at least `count` events of the other.
    #[inline]
    pub(crate) fn has_of(self, other: OperandSet, count: u8) -> bool {
        (self.0 & other.0).count_ones() >= u32::from(count)
    }

    #[inline]
    pub(crate) fn with(self, event: u8) -> OperandSet {
        OperandSet(self.0 | 1 << event)
    }

    /// Returns the numbers of the events.
    pub fn events(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |event| self.has(*event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_values_of_clocks() {
        let mut set = OperandSet::of_clock(i64::MIN);
        assert_eq!((set, set.events().count()), (OperandSet::default(), 0));
        for event in [0, 63, 1, 62, 31] {
            assert!(!set.has(event));
            set = OperandSet::of_clock(set.with(event).to_clock());
            assert!(set.has(event));
            assert_ne!(set.to_clock(), i64::MIN);
        }
        assert!(set.events().eq([0, 1, 31, 62, 63]));
        assert_eq!(set.with(63), set);
        let some = OperandSet::default().with(1).with(2).with(63);
        assert!(set.has_of(some, 2) && !set.has_of(some, 3));
    }
}
