//! [`Bitmap`]: a bit for each row.

/// A bit for each row: in a column, 1 for a value and 0 for null.
///
/// The first row is the lowest bit of the first word, as in Apache Arrow.
///
/// ```
/// use kleene::event::Bitmap;
///
/// let mut has_value: Bitmap = [true, false].into_iter().collect();
/// has_value.push(true);
/// assert_eq!((has_value.len(), has_value.zeros()), (3, 1));
/// assert!(has_value.get(0) && !has_value.get(1));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bitmap {
    /// Bits after the last row are 0.
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// The number of rows in a word.
    pub const WORD: usize = u64::BITS as usize;

    /// Returns the bitmap of `len` rows, all 1.
    pub fn ones(len: usize) -> Bitmap {
        let mut bitmap = Bitmap { words: vec![u64::MAX; len.div_ceil(Bitmap::WORD)], len };
        bitmap.clear_rest();
        bitmap
    }

    /// Returns the bitmap of `len` rows from Arrow's bytes, of which the bit `offset` is the first
    /// row. Rows beyond the bytes are 0.
    pub fn from_bytes(bytes: &[u8], offset: usize, len: usize) -> Bitmap {
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

    /// The number of rows whose bit is 0.
    pub fn zeros(&self) -> usize {
        self.len - self.words.iter().map(|word| word.count_ones() as usize).sum::<usize>()
    }

    /// True if the bit of a row is 1. False beyond the last row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> bool {
        let word = self.words.get(row / Bitmap::WORD);
        word.is_some_and(|word| word >> (row % Bitmap::WORD) & 1 == 1)
    }

    /// Returns the bits of [`WORD`](Bitmap::WORD) rows at a time. Bits after the last row are 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Clears bits. `keep` gets the number of each word and the word, and returns the bits of it to
    /// keep.
    #[inline(always)]
    pub fn retain(&mut self, mut keep: impl FnMut(usize, u64) -> u64) {
        for (number, word) in self.words.iter_mut().enumerate() {
            *word &= keep(number, *word);
        }
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        let place = self.len % Bitmap::WORD;
        if place == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << place;
        }
        self.len += 1;
    }

    /// Drops the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.words.truncate(len.div_ceil(Bitmap::WORD));
            self.clear_rest();
        }
    }

    /// Clears the bits after the last row.
    fn clear_rest(&mut self) {
        let used = self.len % Bitmap::WORD;
        if used > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<I: IntoIterator<Item = bool>>(rows: I) -> Bitmap {
        let mut bitmap = Bitmap::default();
        rows.into_iter().for_each(|bit| bitmap.push(bit));
        bitmap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_dropped_leave_no_bit() {
        let mut bitmap = Bitmap::ones(130);
        assert_eq!((bitmap.len(), bitmap.zeros(), bitmap.get(129)), (130, 0, true));
        bitmap.truncate(65);
        assert_eq!((bitmap.len(), bitmap.zeros(), bitmap.get(65)), (65, 0, false));
        bitmap.push(false);
        assert_eq!((bitmap.zeros(), bitmap.get(64), bitmap.get(65)), (1, true, false));
        assert_eq!(bitmap.words(), [u64::MAX, 1]);
    }

    #[test]
    fn arrow_counts_bits_from_the_lowest() {
        let bitmap = Bitmap::from_bytes(&[0b0000_0101, 0b1], 1, 9);
        let rows: Vec<bool> = (0..9).map(|row| bitmap.get(row)).collect();
        assert_eq!(rows, [false, true, false, false, false, false, false, true, false]);
    }
}
