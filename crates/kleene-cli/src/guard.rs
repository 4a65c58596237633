//! Files that are written must not be files that are read: to open an output is to empty it.
//!
//! All of this is checked before anything is opened. Files are compared by device and inode where
//! there are such, so that links of both kinds count as what they lead to, and by their paths
//! elsewhere.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Standard input or output as an argument.
const STANDARD: &str = "-";

/// The number of links that are followed from one to the next.
const MOST_LINKS: usize = 40;

/// what distinguishes a file from others, whatever its names are.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Identity {
    /// A file that is there.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The path at which a file is, or will be.
    Path(PathBuf),
}

impl Identity {
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "there may be none elsewhere")]
    fn of(_: &Path, meta: &Metadata) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Identity::Inode(meta.dev(), meta.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path, _: &Metadata) -> Option<Identity> {
        path.canonicalize().ok().map(Identity::Path)
    }

    /// That of a regular file that is there.
    fn of_file(path: &Path) -> Option<Identity> {
        let meta = fs::metadata(path).ok().filter(Metadata::is_file)?;
        Identity::of(path, &meta)
    }

    /// That of a file that is there, or of the place where it will be.
    fn of_place(path: &Path) -> Option<Identity> {
        Identity::of_file(path).or_else(|| place(path).map(Identity::Path))
    }
}

/// Returns the path at which a file is or will be, with all links followed.
fn place(path: &Path) -> Option<PathBuf> {
    let mut path = std::path::absolute(path).ok()?;
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent()?.join(target),
            Err(_) => break,
        }
    }
    // A path that does not exist yet is in a folder that exists, perhaps some levels up.
    let mut missing: Vec<OsString> = Vec::new();
    loop {
        if let Ok(found) = path.canonicalize() {
            return Some(missing.into_iter().rev().fold(found, |path, name| path.join(name)));
        }
        missing.push(path.file_name()?.to_owned());
        path.pop();
    }
}

#[cfg(unix)]
fn is_device(meta: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    meta.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: &Metadata) -> bool {
    false
}

/// The regular file that standard input or output is, if it is one.
#[cfg(unix)]
fn standard(stream: &impl std::os::fd::AsFd) -> Option<Identity> {
    let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let meta = file.metadata().ok().filter(Metadata::is_file)?;
    Identity::of(Path::new(STANDARD), &meta)
}

#[cfg(not(unix))]
fn standard<T>(_: &T) -> Option<Identity> {
    None
}

/// The files of a command that are read, each with what it is.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    read: Vec<(Identity, &'static str)>,
    written: Vec<(Identity, &'static str)>,
}

impl Guard {
    /// Adds a file that is read; `what` it is completes "is ..., it cannot be written to as well".
    pub(crate) fn reads(&mut self, path: &Path, what: &'static str) {
        let identity = if path == Path::new(STANDARD) {
            standard(&std::io::stdin())
        } else {
            Identity::of_file(path)
        };
        self.read.extend(identity.map(|identity| (identity, what)));
    }

    /// Adds the file that results go to. Fails if it is read, written for something else, or
    /// cannot be written; nothing is opened.
    pub(crate) fn writes(&mut self, path: &Path, what: &'static str) -> Result<()> {
        let name = path.display();
        let identity = if path == Path::new(STANDARD) {
            standard(&std::io::stdout())
        } else {
            can_be_written(path).with_context(|| format!("cannot write {what} {name}"))?;
            Identity::of_place(path)
        };
        let Some(identity) = identity else { return Ok(()) };
        let shown =
            if path == Path::new(STANDARD) { "standard output".into() } else { name.to_string() };
        if let Some((_, other)) = self.read.iter().find(|(read, _)| *read == identity) {
            bail!("{shown} is {other}, and cannot also be written to");
        }
        if let Some((_, other)) = self.written.iter().find(|(written, _)| *written == identity) {
            bail!("{shown} is {other}; {} need another file", what.trim_start_matches("the "));
        }
        self.written.push((identity, what));
        Ok(())
    }
}

/// Fails if a file cannot be written for sure, before another one is emptied.
fn can_be_written(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => bail!("it is a directory"),
        Ok(meta) if is_device(&meta) => bail!("it is a device with other data on it"),
        Ok(_) if path.canonicalize().is_ok_and(|path| path == Path::new("/dev/full")) => {
            bail!("there is no space left on it")
        }
        Ok(meta) if meta.is_file() => {
            File::options().write(true).open(path)?;
        }
        Ok(_) => {}
        Err(_) => {
            let place = place(path);
            let folder = place.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
            if !fs::metadata(folder)?.is_dir() {
                bail!("{} is not a directory", folder.display());
            }
        }
    }
    Ok(())
}

/// True if `path` is in a directory, or in one below it, wherever links lead.
pub(crate) fn is_within(path: &Path, directory: &Path) -> bool {
    match (place(path), place(directory)) {
        (Some(path), Some(directory)) => path.starts_with(directory),
        _ => false,
    }
}

/// True if both are one directory, which need not be there yet.
pub(crate) fn is_same_directory(one: &Path, other: &Path) -> bool {
    place(one).is_some_and(|one| place(other) == Some(one))
}
