//! Checks that the output of before a checkpoint is still there when the run continues.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use kleene_report::counts::grouped;

/// The number of bytes at the end of a file that identify it.
const PROBE: u64 = 4096;

/// A checksum of the end of a file that was written up to `length`; null where it cannot be read.
pub(super) fn probe(path: Option<&Path>, length: Option<u64>) -> Value {
    let (Some(path), Some(length)) = (path, length) else { return Value::Null };
    checksum(path, length).map_or(Value::Null, |checksum| json!(checksum))
}

fn checksum(path: &Path, length: u64) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let from = length.saturating_sub(PROBE);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length - from).read_to_end(&mut bytes)?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes);
    Ok(crc.finalize())
}

/// Fails if a file is not there, is shorter than it was, or does not end at `length` as it did.
/// If `is_finished`, nothing may have been added either. Checkpoints of older versions have no
/// checksum: only the length counts there.
pub(super) fn expect(
    what: &str,
    path: Option<&Path>,
    length: Option<u64>,
    probed: &Value,
    is_finished: bool,
) -> Result<()> {
    let (Some(path), Some(before)) = (path, length) else { return Ok(()) };
    let name = path.display();
    let meta = path.metadata().with_context(|| format!("{what} {name} no longer exists"))?;
    if !meta.is_file() {
        bail!("{what} {name} was a file at the checkpoint, but is not a file now");
    }
    let length = meta.len();
    if length < before {
        bail!(
            "{what} {name} was changed: it had {before} bytes at the last checkpoint, but has only \
             {length} now"
        );
    }
    if is_finished && length > before {
        let more = grouped(length - before);
        bail!("{what} {name} was changed: it has {more} bytes more than the run wrote");
    }
    if !probed.is_null() && *probed != json!(checksum(path, before)?) {
        bail!("{what} {name} was changed: its end differs from what the run wrote");
    }
    Ok(())
}
