//! Keys that have been idle, in a file: `kleene run --spill DIR`.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use kleene::stream::{ColdError, ColdStore};
use redb::backends::FileBackend;
use redb::{Database, ReadOnlyTable, ReadableDatabase as _, StorageBackend, TableDefinition};

use crate::disk;

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// The number of bytes of the file that are kept in memory.
const CACHE: usize = 32 << 20;

/// The number of entries that are forgotten at once.
const MOST_GONE: usize = 1 << 16;

/// A scratch file in a directory. It is gone when the process is, however that ends.
#[derive(Debug)]
pub struct Spill {
    database: Database,
    /// As of the last time that something was written.
    entries: ReadOnlyTable<u64, &'static [u8]>,
    /// The keys that were forgotten since then.
    gone: HashSet<u64>,
}

impl Spill {
    /// Makes the file, and the directory where it is missing.
    ///
    /// # Errors
    /// Says which directory cannot be written, and why.
    pub fn create(directory: &Path) -> Result<Spill> {
        let name = directory.display();
        let context = || format!("cannot write idle keys to {name}");
        disk::make_directory(directory).with_context(context)?;
        // It has no name, or one that nobody foresees, and nobody else may read it.
        Spill::over(tempfile::tempfile_in(directory).with_context(context)?).with_context(context)
    }

    /// Keeps idle keys in an empty file.
    ///
    /// # Errors
    /// What the file system or the database says.
    pub fn over(file: File) -> Result<Spill> {
        let backend = Scratch(FileBackend::new(file)?);
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE).create_with_backend(backend);
        let database = database?;
        let writing = database.begin_write()?;
        writing.open_table(ENTRIES)?;
        writing.commit()?;
        let entries = database.begin_read()?.open_table(ENTRIES)?;
        Ok(Spill { database, entries, gone: HashSet::new() })
    }

    /// Forgets what is gone and writes these.
    fn write(&mut self, new: &[(u64, &[u8])]) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        let mut entries = writing.open_table(ENTRIES)?;
        let mut gone: Vec<u64> = self.gone.iter().copied().collect();
        gone.sort_unstable();
        for number in gone {
            entries.remove(number)?;
        }
        for (number, bytes) in new {
            entries.insert(number, bytes)?;
        }
        drop(entries);
        writing.commit()?;
        self.gone.clear();
        self.entries = self.database.begin_read()?.open_table(ENTRIES)?;
        Ok(())
    }
}

impl ColdStore for Spill {
    fn put(&mut self, entries: &[(u64, &[u8])]) -> Result<(), ColdError> {
        Ok(self.write(entries)?)
    }

    fn next(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ColdError> {
        for entry in self.entries.range(from..)? {
            let (number, bytes) = entry?;
            if !self.gone.contains(&number.value()) {
                return Ok(Some((number.value(), bytes.value().to_vec())));
            }
        }
        Ok(None)
    }

    fn remove(&mut self, number: u64) -> Result<(), ColdError> {
        self.gone.insert(number);
        if self.gone.len() >= MOST_GONE {
            self.write(&[])?;
        }
        Ok(())
    }
}

/// A file that nobody reads after a crash, so that nothing waits for the disk.
#[derive(Debug)]
struct Scratch(FileBackend);

impl StorageBackend for Scratch {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        disk::may_cut()?;
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        disk::short(data, |half| self.0.write(offset, half))?;
        self.0.write(offset, data)
    }
}
