//! The files that rules may name, and their reader.
//!
//! The author of a rule file is not trusted with the files of the user who runs it. `use` and
//! `list .. from` reach only regular files in the folders of the rule files, up to a maximum size.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use kleene_syntax::diagnostic::Source;

/// The maximum size of a rule file or of the file of a list, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 64 << 20;

/// The reason why `use` does not read a file with another ending.
pub(super) const NO_RULE_FILE: &str = "the names of rule files end in `.cep`";

/// Reads the files that rule files name by `use` and `list .. from`.
///
/// The loader reads a file if three conditions hold: after links are followed, the file lies in an
/// allowed folder or below; the file is regular, not a pipe or a device; and its size is at most 64
/// MiB. The name of a file of `use` ends in `.cep`.
/// [`RuleSetBuilder::path`](super::RuleSetBuilder::path) allows the folder of its file. A program
/// that records which files are read makes a [`loader`](super::RuleSetBuilder::loader) with a
/// `FileLoader`.
///
/// ```
/// use kleene::diagnostic::Source;
/// use kleene::ruleset::FileLoader;
///
/// let mut files = FileLoader::default();
/// files.allow("rules");
/// let from = Source::new("rules/shop.cep", "use \"../../etc/passwd\"");
/// assert!(files.load(&from, "../../etc/passwd").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct FileLoader {
    allowed: Vec<PathBuf>,
}

impl FileLoader {
    /// Allows the files in a folder and below. A missing folder allows nothing.
    pub fn allow(&mut self, folder: impl AsRef<Path>) {
        let folder = folder.as_ref();
        // The folder of `shop.cep` is the current one.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if let Ok(folder) = folder.canonicalize()
            && !self.allowed.contains(&folder)
        {
            self.allowed.push(folder);
        }
    }

    /// Allows the files in the folder of a rule file and below.
    ///
    /// If the rule file is a link, the folder is the folder of the link, not of its target.
    pub fn allow_beside(&mut self, rule_file: impl AsRef<Path>) {
        self.allow(rule_file.as_ref().parent().unwrap_or(Path::new("")));
    }

    /// Returns the text of the file that `from` names by the relative `path`.
    ///
    /// # Errors
    /// The reason why the file is not read, without any of its contents.
    pub fn load(&self, from: &Source, path: &str) -> Result<String, String> {
        let joined = Path::new(&*from.name).parent().unwrap_or(Path::new("")).join(path);
        // A path that leads out of the folders is refused by its spelling already, so that the
        // answer does not say which files there are.
        let outside = || {
            let help = "to allow their folder, add `--allow-path DIR`";
            format!("it is outside the folders of the rule files; {help}")
        };
        let absolute = std::path::absolute(&joined).map_err(|error| reported(&error))?;
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let file = match joined.canonicalize() {
            Ok(file) if self.is_allowed(&file) => file,
            Err(error) if is_missing(&error) && self.is_near(&absolute) => {
                return Err(reported(&error));
            }
            Err(error) if !is_missing(&error) && self.is_near(&absolute) => {
                return Err(reported(&error));
            }
            _ => return Err(outside()),
        };
        // Mistakes are shown with their lines: a link must not make a rule file of something else.
        let ends = |path: &Path| path.extension().is_some_and(|ending| ending == "cep");
        if ends(&joined) && !ends(&file) {
            return Err(NO_RULE_FILE.to_owned());
        }
        read_regular(&file)
    }

    fn is_allowed(&self, file: &Path) -> bool {
        self.allowed.iter().any(|folder| file.starts_with(folder))
    }

    /// True if the folder of a missing file is allowed.
    fn is_near(&self, file: &Path) -> bool {
        file.parent()
            .and_then(|folder| folder.canonicalize().ok())
            .is_some_and(|folder| self.is_allowed(&folder))
    }
}

fn reported(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => String::from("there is no such file"),
        _ => error.to_string(),
    }
}

/// Returns the text of a regular file. Other files are refused: opening a pipe would wait for a
/// writer, and a device may have no end.
pub(super) fn read_regular(path: &Path) -> Result<String, String> {
    let is_regular = |meta: &fs::Metadata| {
        if meta.is_file() { Ok(()) } else { Err(String::from("it is not a regular file")) }
    };
    let meta = fs::metadata(path).map_err(|error| reported(&error))?;
    is_regular(&meta)?;
    if meta.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let file = File::open(path).map_err(|error| reported(&error))?;
    // It may have been exchanged in between.
    is_regular(&file.metadata().map_err(|error| reported(&error))?)?;
    read(file)
}

/// Returns the text of a rule file that the user of the program has named. A pipe is allowed here.
pub(super) fn read_given(path: &Path) -> Result<String, String> {
    read(File::open(path).map_err(|error| reported(&error))?)
}

fn too_large() -> String {
    format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)
}

fn read(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| reported(&error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .fold(1, |line, byte| line + usize::from(*byte == b'\n'));
        format!("it is not UTF-8 in line {line}")
    })
}
