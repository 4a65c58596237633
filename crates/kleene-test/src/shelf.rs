//! A cold store in memory.

use std::collections::BTreeMap;

use kleene::stream::{ColdError, ColdStore};

/// A cold store that keeps idle keys in memory and never fails.
#[derive(Clone, Debug, Default)]
pub struct Shelf(BTreeMap<u64, Vec<u8>>);

impl ColdStore for Shelf {
    fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError> {
        self.0.extend(entries.iter().map(|(number, bytes)| (*number, bytes.to_vec())));
        Ok(())
    }

    fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError> {
        Ok(self.0.range(from..).next().map(|(number, bytes)| (*number, bytes.clone())))
    }

    fn remove(&mut self, number: u64) -> Result<(), ColdError> {
        self.0.remove(&number);
        Ok(())
    }
}
