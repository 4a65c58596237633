//! `--watch`: rule files that change while a run goes on.
//!
//! The files are looked at a few times a second, which works on every file system, and however an
//! editor writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::paths;

/// The interval at which files are checked. A change counts once the files have been the same for
/// this long, so that no file is read while it is written.
const PERIOD: Duration = Duration::from_millis(200);

/// Files that rules were read from, as they were then.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files(BTreeMap<PathBuf, Option<Stamp>>);

/// The state of a file that shows a change: when it was written, and its length.
type Stamp = (SystemTime, u64);

impl Files {
    /// Adds a file that is about to be read.
    pub fn note(&mut self, path: &Path) {
        let stamp = fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len())));
        self.0.entry(path.to_owned()).or_insert(stamp.ok());
    }

    /// The files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// Returns the files as they are now, and those that `given` speaks of.
    fn now(&self, given: &[PathBuf]) -> Files {
        let mut files = Files::default();
        self.0.keys().for_each(|path| files.note(path));
        // A folder that cannot be listed now has changed.
        for path in paths::collect(given).unwrap_or_default() {
            files.note(&path);
        }
        files
    }
}

/// Looks after the files of a run.
#[derive(Debug)]
pub struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    has_changed: AtomicBool,
    given: Vec<PathBuf>,
    known: Mutex<Files>,
}

impl Watch {
    /// Looks from now on whether `files`, or what `given` speaks of, are not as they were, and then
    /// calls `wake`.
    pub fn start(given: &[PathBuf], files: Files, wake: impl Fn() + Send + 'static) -> Watch {
        let has_changed = AtomicBool::default();
        let shared =
            Arc::new(Shared { has_changed, given: given.to_owned(), known: Mutex::new(files) });
        let weak = Arc::downgrade(&shared);
        thread::spawn(move || look(&weak, &wake));
        Watch(shared)
    }

    /// True if files have changed since they were read.
    pub fn has_changed(&self) -> bool {
        self.0.has_changed.load(Ordering::Relaxed)
    }

    /// The files were read again.
    pub fn was_read(&self, files: Files) {
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = files;
        self.0.has_changed.store(false, Ordering::Relaxed);
    }
}

fn look(shared: &Weak<Shared>, wake: &dyn Fn()) {
    let mut before = None;
    loop {
        thread::sleep(PERIOD);
        let Some(shared) = shared.upgrade() else { return };
        if shared.has_changed.load(Ordering::Relaxed) {
            continue;
        }
        let known = shared.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = known.now(&shared.given);
        if now == known {
            before = None;
        } else if before.as_ref() == Some(&now) {
            before = None;
            shared.has_changed.store(true, Ordering::Relaxed);
            wake();
        } else {
            before = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_change_wakes_once_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let (file, list) = (dir.path().join("a.cep"), dir.path().join("list.txt"));
        fs::write(&file, "1").unwrap();
        let given = [dir.path().to_owned()];
        let read = || {
            let mut files = Files::default();
            for path in [&file, &list] {
                files.note(path);
            }
            // New files in the directory are read with the rest.
            files.now(&given)
        };
        let (sender, woken) = mpsc::channel();
        let watch = Watch::start(&given, read(), move || {
            // Fails once the test is over.
            let _ = sender.send(());
        });
        let long = Duration::from_mins(1);
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(&file, "22").unwrap(),
            &|| fs::write(&list, "333").unwrap(),
            &|| fs::write(dir.path().join("new.cep"), "").unwrap(),
            &|| fs::remove_file(&file).unwrap(),
        ];
        for change in changes {
            assert!(!watch.has_changed());
            change();
            woken.recv_timeout(long).unwrap();
            assert!(watch.has_changed());
            watch.was_read(read());
        }
    }
}
