//! [`Validity`]: which rows of a column have a value.

/// Which rows of a column have a value: a bit for each row, 1 for a value and 0 for null.
///
/// The first row is the lowest bit of the first word, as in Apache Arrow.
///
/// ```
/// use kleene::event::Validity;
///
/// let mut validity: Validity = [true, false].into_iter().collect();
/// validity.push(true);
/// assert_eq!((validity.len(), validity.nulls()), (3, 1));
/// assert!(validity.get(0) && !validity.get(1));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Validity {
    words: Vec<u64>,
    len: usize,
}

impl Validity {
    /// Returns the bitmap of `len` rows, all with a value.
    pub fn all(len: usize) -> Validity {
        let mut validity = Validity { words: vec![u64::MAX; len.div_ceil(64)], len };
        validity.clear_rest();
        validity
    }

    /// Returns the bitmap of `len` rows from Arrow's bytes, of which the bit `offset` is the first
    /// row. Rows beyond the bytes are null.
    pub fn from_bytes(bytes: &[u8], offset: usize, len: usize) -> Validity {
        let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        (offset..offset + len).map(bit).collect()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of rows without a value.
    pub fn nulls(&self) -> usize {
        self.len - self.words.iter().map(|word| word.count_ones() as usize).sum::<usize>()
    }

    /// True if a row has a value. False beyond the last row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Returns the bits of the 64 rows from row `64 * word` on.
    #[inline(always)]
    pub fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, has_value: bool) {
        let place = self.len % 64;
        if place == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(has_value) << place;
        }
        self.len += 1;
    }

    /// Drops the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.words.truncate(len.div_ceil(64));
            self.clear_rest();
        }
    }

    /// Clears the bits after the last row.
    fn clear_rest(&mut self) {
        let used = self.len % 64;
        if used > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }
}

impl FromIterator<bool> for Validity {
    fn from_iter<I: IntoIterator<Item = bool>>(rows: I) -> Validity {
        let mut validity = Validity::default();
        rows.into_iter().for_each(|has_value| validity.push(has_value));
        validity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_dropped_leave_no_bit() {
        let mut validity = Validity::all(130);
        assert_eq!((validity.len(), validity.nulls(), validity.get(129)), (130, 0, true));
        validity.truncate(65);
        assert_eq!((validity.len(), validity.nulls(), validity.get(65)), (65, 0, false));
        validity.push(false);
        assert_eq!((validity.nulls(), validity.get(64), validity.get(65)), (1, true, false));
        assert_eq!((validity.word(1), validity.word(2)), (1, 0));
    }

    #[test]
    fn arrow_counts_bits_from_the_lowest() {
        let validity = Validity::from_bytes(&[0b0000_0101, 0b1], 1, 9);
        let rows: Vec<bool> = (0..9).map(|row| validity.get(row)).collect();
        assert_eq!(rows, [false, true, false, false, false, false, false, true, false]);
    }
}
