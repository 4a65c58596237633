//! The file operations of what has to outlive a run, or must not be read by others: results,
//! rejects, checkpoints, idle keys.
//!
//! A test makes one of them fail, cuts it short, or ends the process there, and counts them: see
//! `crates/kleene-cli/tests/crash/faults.rs`. It can do so in builds with debug assertions only,
//! which releases are not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written to.
#[derive(Debug)]
pub struct Written<F>(pub F);

impl<F: Write> Write for Written<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        short(bytes, |half| self.0.write_all(half))?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The directory of a file, which has its name.
pub fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

/// A file to write to: anew, or from a length on that it has at least.
///
/// # Errors
/// What the operating system says.
pub fn open_from(path: &Path, kept: Option<u64>) -> io::Result<File> {
    let Some(kept) = kept else {
        // It is made with `O_CREAT` alone, and emptied only once it is known to be a file.
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.is_file() {
            set_len(&file, 0)?;
        }
        return Ok(file);
    };
    let mut file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    if length < kept {
        let text = format!("it had {kept} bytes at the last checkpoint, but has only {length} now");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    set_len(&file, kept)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// Called before `bytes` are written; a fault writes the first half of them by `write`.
///
/// # Errors
/// What the operating system says.
pub fn short(bytes: &[u8], write: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let Some(fault) = fault::next("write") else { return Ok(()) };
    if fault.is_short() {
        write(&bytes[..bytes.len() / 2])?;
    }
    fault.happen()
}

fn before(operation: &str) -> io::Result<()> {
    fault::next(operation).map_or(Ok(()), fault::DiskFault::happen)
}

/// Makes sure that what was written outlives the machine's going down.
///
/// # Errors
/// What the operating system says.
pub fn sync_data(file: &File) -> io::Result<()> {
    before("fsync")?;
    file.sync_data()
}

/// Brings what was written to a new file to the disk, with its length.
///
/// # Errors
/// What the operating system says.
pub fn sync_all(file: &File) -> io::Result<()> {
    before("fsync")?;
    file.sync_all()
}

/// A name is in a directory for good only once the directory is written. Elsewhere than on Unix,
/// directories cannot be written by themselves, and nothing is done.
///
/// # Errors
/// What the operating system says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    before("fsync")?;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Makes sure that what was written to a file outlives the machine's going down, and the file's
/// name in a `directory` where the name is not for good yet. Returns the length of the file.
///
/// # Errors
/// What the operating system says.
pub fn settle(file: &mut File, directory: &mut Option<PathBuf>) -> io::Result<u64> {
    sync_data(file)?;
    if let Some(directory) = directory {
        sync_directory(directory)?;
    }
    let length = file.stream_position()?;
    *directory = None;
    Ok(length)
}

/// Cuts a file to a length.
///
/// # Errors
/// What the operating system says.
pub fn set_len(file: &File, length: u64) -> io::Result<()> {
    before("truncate")?;
    file.set_len(length)
}

/// Called before a file is cut that something else cuts.
///
/// # Errors
/// What the operating system says.
pub fn may_cut() -> io::Result<()> {
    before("truncate")
}

/// Removes a file.
///
/// # Errors
/// What the operating system says.
pub fn remove(path: &Path) -> io::Result<()> {
    before("unlink")?;
    fs::remove_file(path)
}

/// Gives a temporary file its name.
fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    before("rename")?;
    temporary.persist(path)?;
    Ok(())
}

/// What a file has to outlive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// The process.
    Written,
    /// The machine's going down.
    Synced,
}

/// The start of the names of files that are not whole yet.
pub const UNFINISHED: &str = "unfinished";

/// Makes or replaces a file, so that it is there as a whole or not at all. Until it is whole it has
/// a name that nobody foresees, and is for the owner alone. It is removed where this fails: it
/// would take up the space that is missing.
///
/// # Errors
/// What the operating system says.
pub fn replace(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut Written<&mut File>) -> io::Result<()>,
) -> io::Result<()> {
    let directory = directory_of(path);
    let mut temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&directory)?;
    write(&mut Written(temporary.as_file_mut()))?;
    if durability == Durability::Synced {
        sync_all(temporary.as_file())?;
    }
    persist(temporary, path)?;
    if durability == Durability::Synced { sync_directory(&directory) } else { Ok(()) }
}

/// Makes a directory, and those above it that are missing, for its owner alone, for good.
///
/// # Errors
/// What the operating system says.
pub fn make_directory(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing = path.ancestors().take_while(|path| !path.exists()).count();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&path)?;
    path.ancestors().skip(1).take(missing).try_for_each(sync_directory)
}

/// Opens a file of a directory that is the program's own: for the owner alone where it is made, and
/// never through a link that somebody has put there.
///
/// # Errors
/// What the operating system says.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Nor does it wait for a pipe.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    // Elsewhere a link can still be put there between the look and the opening.
    if !cfg!(unix) && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
        return Err(io::Error::other("it is a link"));
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

#[cfg(debug_assertions)]
mod fault {
    use std::env;
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// `17 error`: the 17th operation fails; `short` writes half before it does, `abort` ends the
    /// process before the operation, `torn` after half of it.
    const VARIABLE: &str = "KLEENE_TEST_FAULT";
    /// A file that gets the name of each operation, one a line.
    const LOG: &str = "KLEENE_TEST_FAULT_LOG";

    static PLAN: LazyLock<Option<(u64, DiskFault)>> = LazyLock::new(|| {
        let text = env::var(VARIABLE).ok()?;
        let (number, kind) = text.split_once(' ')?;
        let kind = match kind {
            "short" => DiskFault { is_short: true, aborts: false },
            "abort" => DiskFault { is_short: false, aborts: true },
            "torn" => DiskFault { is_short: true, aborts: true },
            _ => DiskFault { is_short: false, aborts: false },
        };
        Some((number.parse().ok()?, kind))
    });
    static FILE: LazyLock<Option<File>> =
        LazyLock::new(|| File::options().append(true).open(env::var_os(LOG)?).ok());
    static COUNT: AtomicU64 = AtomicU64::new(0);

    #[derive(Clone, Copy, Debug)]
    pub(super) struct DiskFault {
        is_short: bool,
        aborts: bool,
    }

    impl DiskFault {
        pub(super) fn is_short(self) -> bool {
            self.is_short
        }

        pub(super) fn happen(self) -> io::Result<()> {
            if self.aborts {
                std::process::abort();
            }
            Err(io::Error::other("a test wants this to fail"))
        }
    }

    /// Counts an operation; what happens to it, if something does.
    pub(super) fn next(operation: &str) -> Option<DiskFault> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(mut file) = FILE.as_ref() {
            let _ = writeln!(file, "{operation}");
        }
        PLAN.filter(|(at, _)| *at == number).map(|(_, fault)| fault)
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    use std::io;

    #[derive(Clone, Copy, Debug)]
    pub(super) enum DiskFault {}

    impl DiskFault {
        pub(super) fn is_short(self) -> bool {
            match self {}
        }

        pub(super) fn happen(self) -> io::Result<()> {
            match self {}
        }
    }

    #[inline(always)]
    pub(super) fn next(_: &str) -> Option<DiskFault> {
        None
    }
}
