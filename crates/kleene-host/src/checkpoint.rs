//! A checkpoint as a file: a line of text that says what it is, a line of JSON that people can
//! read, the snapshot of the engine, a checksum. Most hold only what has changed since the one
//! before, and mean something together with it.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::disk::{self, Durability, UNFINISHED, Written};

const MAGIC: &[u8] = b"kleene checkpoint 1\n";

/// The number of full checkpoints that are kept, each with the checkpoints of changes that follow
/// it.
const KEPT: usize = 3;

/// The number of checkpoints of changes that may follow a full one.
const FOLLOWING: usize = 20;

/// The content of a checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    /// Everything but the engine.
    pub head: Value,
    /// The engine: a whole snapshot, and the changes that follow it.
    pub snapshots: Vec<Vec<u8>>,
}

/// The directory that checkpoints are in. Nobody else writes there while this exists.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Locked until it is closed, which a process that is killed does as well.
    _lock: File,
    /// The number of the next checkpoint.
    next: u64,
    /// The numbers of the checkpoints that are whole, in order.
    whole: Vec<u64>,
    /// The last one that this run has written, how many follow the last whole one, and the bytes of
    /// both.
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    following: usize,
    whole_bytes: usize,
    following_bytes: usize,
}

impl Directory {
    /// Opens the directory, which is made if it is not there.
    ///
    /// # Errors
    /// Says which file cannot be read or written, and why.
    pub fn open(path: &Path) -> Result<Directory> {
        let name = path.display();
        disk::make_directory(path)
            .with_context(|| format!("cannot create the state directory {name}"))?;
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let lock = disk::open_own(&path.join("lock"), &mut options)
            .with_context(|| format!("cannot write to the state directory {name}"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                bail!("another run is using the state in {name}")
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock the state in {name}"));
            }
        }
        remove_unfinished(path);
        let path = path.to_path_buf();
        Ok(Directory { path, _lock: lock, next: 1, whole: Vec::new(), last: None })
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

    /// The newest checkpoint that is whole; `say` is reported for others. `None` if there is none
    /// at all.
    ///
    /// # Errors
    /// Says which file cannot be read or written, and why.
    pub fn newest(&mut self, mut say: impl FnMut(&str)) -> Result<Option<Checkpoint>> {
        let name = self.path.display();
        let all = self.all().with_context(|| format!("cannot read the state in {name}"))?;
        self.next = all.first().map_or(1, |(number, _)| number + 1);
        let is_whole = |path: &Path| read_head(path).is_ok_and(|head| head["follows"].is_null());
        let whole = all.iter().rev().filter(|(_, path)| is_whole(path));
        self.whole = whole.map(|(number, _)| *number).collect();
        for (number, path) in &all {
            match self.read(*number) {
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
            "no checkpoint in {name} can be read; to start again, remove the directory (the output \
             is then written again, too)"
        )
    }

    /// The checkpoint with this number, with those that it follows.
    ///
    /// # Errors
    /// Says which file cannot be read, and why.
    pub fn read(&self, number: u64) -> Result<Checkpoint> {
        read_from(&self.path, number)
    }

    fn file(&self, number: u64) -> PathBuf {
        file_in(&self.path, number)
    }

    /// True if the next checkpoint may hold changes only.
    pub fn can_follow(&self) -> bool {
        self.last.is_some_and(|last| {
            last.following < FOLLOWING && last.following_bytes < last.whole_bytes / 2
        })
    }

    /// Writes a checkpoint, and returns its number. Until it is there as a whole, the ones before it
    /// are.
    ///
    /// # Errors
    /// Says which file cannot be read or written, and why.
    pub fn write(&mut self, mut head: Value, snapshot: &[u8], is_whole: bool) -> Result<u64> {
        let before = self.last.filter(|_| !is_whole);
        head["follows"] = before.map_or(Value::Null, |last| last.number.into());
        let path = self.file(self.next);
        let whole = |file: &mut Written<&mut File>| write(file, &head, snapshot);
        if let Err(error) = disk::replace(&path, Durability::Synced, whole) {
            let context = "the earlier checkpoints are unchanged";
            return Err(error)
                .with_context(|| format!("cannot write {}; {context}", path.display()));
        }
        let (number, bytes) = (self.next, snapshot.len());
        self.next += 1;
        self.last = Some(match before {
            Some(last) => Last {
                number,
                following: last.following + 1,
                following_bytes: last.following_bytes + bytes,
                ..last
            },
            None => Last { number, following: 0, whole_bytes: bytes, following_bytes: 0 },
        });
        if is_whole {
            self.whole.push(number);
            self.remove_old();
        }
        Ok(number)
    }

    fn remove_old(&mut self) {
        let Some(first) = self.whole.len().checked_sub(KEPT) else { return };
        self.whole.drain(..first);
        let oldest = self.whole.first().copied().unwrap_or_default();
        let all = self.all().unwrap_or_default();
        for (_, old) in all.iter().filter(|(number, _)| *number < oldest) {
            // A file that cannot be removed does no harm.
            let _ = disk::remove(old);
        }
    }
}

fn file_in(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("checkpoint-{number:010}"))
}

/// Reads the checkpoint with this number, with those that it follows, from a directory that somebody
/// else may be writing to.
///
/// # Errors
/// Says which file cannot be read, and why.
pub fn read_from(directory: &Path, number: u64) -> Result<Checkpoint> {
    let (head, snapshot) = read(&file_in(directory, number))?;
    let mut snapshots = vec![snapshot];
    let mut follows = head["follows"].as_u64();
    while let Some(before) = follows {
        let name = || format!("it follows checkpoint {before}");
        let (head, snapshot) = read(&file_in(directory, before)).with_context(name)?;
        snapshots.push(snapshot);
        // They count up, so that this ends.
        follows = head["follows"].as_u64().filter(|number| *number < before);
    }
    snapshots.reverse();
    Ok(Checkpoint { head, snapshots })
}

/// Removes what killed runs have left of checkpoints; nobody else writes there now.
fn remove_unfinished(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED)) {
            // A file that cannot be removed does no harm.
            let _ = disk::remove(&entry.path());
        }
    }
}

fn write(file: &mut Written<&mut File>, head: &Value, snapshot: &[u8]) -> io::Result<()> {
    let mut start = MAGIC.to_vec();
    start.extend_from_slice(head.to_string().as_bytes());
    start.push(b'\n');
    let mut crc = crc32fast::Hasher::new();
    for bytes in [&start, snapshot] {
        crc.update(bytes);
        file.write_all(bytes)?;
    }
    file.write_all(&crc.finalize().to_le_bytes())
}

/// Reads the head of a checkpoint, unchecked.
fn read_head(path: &Path) -> Result<Value> {
    let mut file = BufReader::new(disk::open_own(path, File::options().read(true))?);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    line.clear();
    file.read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

/// The head of a checkpoint and its snapshot.
fn read(path: &Path) -> Result<(Value, Vec<u8>)> {
    let mut bytes = Vec::new();
    disk::open_own(path, File::options().read(true))?.read_to_end(&mut bytes)?;
    if !bytes.starts_with(&MAGIC[..MAGIC.len().min(bytes.len())]) {
        bail!("this file is not a checkpoint");
    }
    let Some((body, checksum)) = bytes.split_last_chunk::<4>() else {
        bail!("the checkpoint is damaged: it is truncated");
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(body);
    if crc.finalize() != u32::from_le_bytes(*checksum) {
        bail!("the checkpoint is damaged: its checksum does not match");
    }
    let length = body.len();
    let start = MAGIC.len();
    let end = memchr::memchr(b'\n', &bytes[start..length]).map(|at| start + at);
    let end = end.ok_or_else(|| anyhow!("the checkpoint contains invalid data"))?;
    let head = serde_json::from_slice(&bytes[start..end])?;
    bytes.truncate(length);
    Ok((head, bytes.split_off(end + 1)))
}
