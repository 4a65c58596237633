//! A checkpoint as a file: a line of text that says what it is, a line of JSON that people can read,
//! the snapshot of the engine, a checksum.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

const MAGIC: &[u8] = b"kleene checkpoint 1\n";

/// How many checkpoints are kept.
const KEPT: usize = 3;

/// What a checkpoint holds.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// Everything but the engine.
    pub(super) head: Value,
    /// The engine.
    pub(super) snapshot: Vec<u8>,
}

/// The directory that checkpoints are in. Nobody else writes there while this exists.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Locked until it is closed, which a process that is killed does as well.
    _lock: File,
    /// The number of the next checkpoint.
    next: u64,
}

impl Directory {
    /// Opens the directory, which is made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Directory> {
        let name = path.display();
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the directory {name} for the state"))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write to the directory {name} of the state"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                bail!("another run uses the state in {name}; it can have only one")
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock the state in {name}"));
            }
        }
        Ok(Directory { path: path.to_path_buf(), _lock: lock, next: 1 })
    }

    /// The checkpoints with their numbers, the newest first.
    fn all(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let number = name.strip_prefix("checkpoint-").and_then(|text| text.parse().ok());
            found.extend(number.map(|number| (number, path)));
        }
        found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Ok(found)
    }

    /// The newest checkpoint that is whole; `say` is told of others. `None` if there is none at all.
    pub(super) fn newest(&mut self, mut say: impl FnMut(&str)) -> Result<Option<Checkpoint>> {
        let name = self.path.display();
        let all = self.all().with_context(|| format!("cannot read the state in {name}"))?;
        self.next = all.first().map_or(1, |(number, _)| number + 1);
        for (_, path) in &all {
            match read(path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(error) => {
                    say(&format!("{}: {error:#}; trying the one before it", path.display()));
                }
            }
        }
        if all.is_empty() {
            return Ok(None);
        }
        bail!(
            "no checkpoint in {name} can be read; to start anew, remove the directory (the output \
             is then written anew, too)"
        )
    }

    /// Writes a checkpoint. Until it is there as a whole, the ones before it are.
    pub(super) fn write(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let path = self.path.join(format!("checkpoint-{:010}", self.next));
        let temporary = self.path.join("unfinished");
        let written = write(&temporary, checkpoint)
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| sync_directory(&self.path));
        if let Err(error) = written {
            // It would take up the space that is missing.
            let _ = fs::remove_file(&temporary);
            let context = "the checkpoints before it are as they were";
            return Err(error)
                .with_context(|| format!("cannot write {}; {context}", path.display()));
        }
        self.next += 1;
        // What cannot be removed does no harm.
        for (_, old) in self.all().unwrap_or_default().iter().skip(KEPT) {
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
}

fn write(path: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(checkpoint.head.to_string().as_bytes());
    head.push(b'\n');
    let mut crc = crc32fast::Hasher::new();
    for bytes in [&head, &checkpoint.snapshot] {
        crc.update(bytes);
        file.write_all(bytes)?;
    }
    file.write_all(&crc.finalize().to_le_bytes())?;
    file.sync_all()
}

/// A name is in a directory for good only once the directory is written.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn read(path: &Path) -> Result<Checkpoint> {
    let mut bytes = fs::read(path)?;
    if !bytes.starts_with(&MAGIC[..MAGIC.len().min(bytes.len())]) {
        bail!("this is no checkpoint");
    }
    let Some((body, checksum)) = bytes.split_last_chunk::<4>() else {
        bail!("the checkpoint is damaged: it was cut off");
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(body);
    if crc.finalize() != u32::from_le_bytes(*checksum) {
        bail!("the checkpoint is damaged: its checksum does not fit its bytes");
    }
    let length = body.len();
    let start = MAGIC.len();
    let end = memchr::memchr(b'\n', &bytes[start..length]).map(|at| start + at);
    let end = end.ok_or_else(|| anyhow!("the checkpoint makes no sense"))?;
    let head = serde_json::from_slice(&bytes[start..end])?;
    bytes.truncate(length);
    Ok(Checkpoint { head, snapshot: bytes.split_off(end + 1) })
}
