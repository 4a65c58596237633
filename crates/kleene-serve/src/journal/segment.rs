//! The files of a journal, and what is found in them when it is opened.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use kleene_host::disk;

use super::frame::{self, Decoded};
use super::keys::{KeyEntry, Keys};
use super::settings::Resume;

const PREFIX: &str = "journal-";

/// A file of the journal: the frames from one offset to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The name of the segment that begins at an offset.
pub(super) fn path_of(directory: &Path, start: u64) -> PathBuf {
    directory.join(format!("{PREFIX}{start:020}"))
}

/// Opens a new file for a segment. A file that an earlier attempt left is emptied.
pub(super) fn create(directory: &Path, start: u64) -> io::Result<File> {
    let path = path_of(directory, start);
    let file = disk::open_own(&path, File::options().write(true).create(true).truncate(false))?;
    disk::set_len(&file, 0)?;
    disk::sync_directory(directory)?;
    Ok(file)
}

/// Opens the segment that is written to, at its end.
pub(super) fn open_last(directory: &Path, segment: Segment) -> io::Result<File> {
    let path = path_of(directory, segment.start);
    let mut file = disk::open_own(&path, File::options().write(true))?;
    file.seek(SeekFrom::Start(segment.end - segment.start))?;
    Ok(file)
}

/// Reads all segments of a directory: checks each frame, cuts a torn tail, rebuilds the keys.
/// There is one segment at least afterwards.
pub(super) fn recover(directory: &Path, resume: Resume, keys: &mut Keys) -> Result<Vec<Segment>> {
    let mut starts = list(directory)?;
    if let Resume::Exactly(offset) = resume {
        // From the last one on, so that no gap is left if the process ends here.
        while let Some(start) = starts.pop_if(|start| *start > offset) {
            disk::remove(&path_of(directory, start))?;
        }
        keys.remove_from(offset);
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        if let Some(before) = segments.last().filter(|before| before.end != start) {
            bail!(
                "{}: it begins at offset {start}, but the file before it ends at {}; \
                 a file of the journal is missing or was changed",
                path_of(directory, start).display(),
                before.end
            );
        }
        let is_last = index + 1 == starts.len();
        segments.push(scan(directory, start, resume, is_last, keys)?);
    }
    let end = segments.last().map(|last| last.end);
    let wanted = match resume {
        Resume::Keep => 0,
        Resume::AtLeast(offset) | Resume::Exactly(offset) => offset,
    };
    if end.is_none_or(|end| end < wanted) {
        if let Some(end) = end {
            tracing::warn!(
                directory = %directory.display(), end, wanted,
                "the journal is shorter than at the last checkpoint; it continues from there"
            );
        }
        for segment in segments.drain(..).rev() {
            disk::remove(&path_of(directory, segment.start))?;
        }
        create(directory, wanted)?;
        segments.push(Segment { start: wanted, end: wanted });
    }
    Ok(segments)
}

fn list(directory: &Path) -> Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(digits) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let start = digits.parse();
        starts.push(start.map_err(|_| {
            anyhow!("{}: this is no file of a journal", directory.join(&name).display())
        })?);
    }
    starts.sort_unstable();
    Ok(starts)
}

fn scan(
    directory: &Path,
    start: u64,
    resume: Resume,
    is_last: bool,
    keys: &mut Keys,
) -> Result<Segment> {
    let path = path_of(directory, start);
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    let until = match resume {
        Resume::Exactly(offset) => usize::try_from(offset - start).unwrap_or(usize::MAX),
        Resume::Keep | Resume::AtLeast(_) => usize::MAX,
    };
    let mut at = 0;
    while at < bytes.len() && at != until {
        let rest = &bytes[at..];
        let offset = start + at as u64;
        let Decoded::Frame(frame) = frame::decode(rest) else {
            if is_last && frame::find_after_damage(rest).is_none() {
                break;
            }
            bail!(
                "{}: the frame at offset {offset} (byte {at} of the file) is damaged; \
                 restore the file from a copy, or move it away to lose its events",
                path.display()
            );
        };
        if at + frame.length > until {
            bail!("{}: no frame begins at the offset {} of the checkpoint", path.display(), until);
        }
        if let Ok(key) = str::from_utf8(frame.key)
            && !key.is_empty()
        {
            let sum = crc32fast::hash(frame.body);
            keys.insert(Arc::from(key), KeyEntry { offset, time: frame.time, sum });
        }
        at += frame.length;
    }
    if at < bytes.len() {
        if at != until {
            tracing::warn!(
                file = %path.display(), byte = at, cut = bytes.len() - at,
                "the last append was not complete; it is cut"
            );
        }
        let file = disk::open_own(&path, File::options().write(true))?;
        disk::set_len(&file, at as u64)?;
        disk::sync_all(&file)?;
    }
    Ok(Segment { start, end: start + at as u64 })
}
