//! The snapshots of a partition, in a folder that every instance of the group can read.
//!
//! Each time that an instance takes a partition it makes a folder of its own there, so that an
//! instance that has lost the partition, and does not know it yet, writes to another place. The name
//! of a snapshot, which is committed with the offsets, is that of the folder and its number:
//! `17f3a2c1-0/42`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use kleene_host::checkpoint::{Directory, read_from};
use serde_json::json;

/// The folders that this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// The snapshots of a partition.
#[derive(Debug)]
pub(super) struct SnapshotStore {
    /// The folder of the partition.
    root: PathBuf,
    /// The folder of this owner.
    own: String,
    directory: Directory,
    /// The snapshot that was committed last.
    committed: Option<String>,
}

impl SnapshotStore {
    /// Makes a folder for a new owner of a partition. Returns the parts of the snapshot that the
    /// committed offsets name, as well.
    pub(super) fn open(root: &Path, named: Option<&str>) -> Result<(SnapshotStore, Vec<Vec<u8>>)> {
        let parts = match named {
            None => Vec::new(),
            Some(name) => {
                let (owner, number) = split(name)?;
                let found = read_from(&root.join(owner), number);
                let context = "the committed offsets name a snapshot that cannot be read";
                let context = || format!("{context}: {name} in {}", root.display());
                found.with_context(context)?.snapshots
            }
        };
        let own = owner_name();
        let directory = Directory::open(&root.join(&own))?;
        let committed = named.map(str::to_owned);
        Ok((SnapshotStore { root: root.to_path_buf(), own, directory, committed }, parts))
    }

    /// True if the next snapshot may hold changes only.
    pub(super) fn can_follow(&self) -> bool {
        self.directory.can_follow()
    }

    /// Writes a snapshot, and returns its name.
    pub(super) fn write(&mut self, snapshot: &[u8], is_whole: bool) -> Result<String> {
        let number = self.directory.write(json!({}), snapshot, is_whole)?;
        Ok(format!("{}/{number}", self.own))
    }

    /// A snapshot is committed: folders of others than its owner and the owner of the one before are
    /// removed.
    pub(super) fn committed(&mut self, name: &str) {
        let before = self.committed.replace(name.to_owned());
        let is_own = |name: &str| split(name).is_ok_and(|(owner, _)| owner == self.own);
        if !before.is_some_and(|before| is_own(&before)) {
            return;
        }
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_str() != Some(&*self.own) {
                // A folder that cannot be removed does no harm.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Returns the owner and the number of a snapshot.
fn split(name: &str) -> Result<(&str, u64)> {
    let parts = name.split_once('/').filter(|(owner, _)| {
        !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let parts = parts.and_then(|(owner, number)| Some((owner, number.parse().ok()?)));
    parts.ok_or_else(|| {
        anyhow!(
            "the metadata of the committed offsets, `{name}`, is not the name of a snapshot: \
             another program has committed offsets of this group"
        )
    })
}

/// Returns a name that no owner has had: the time, the process and a count.
fn owner_name() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{:x}-{count:x}", now.as_micros(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_apart_and_old_ones_are_removed_once_they_are_not_needed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut first, none) = SnapshotStore::open(dir.path(), None).unwrap();
        assert!(none.is_empty());
        let one = first.write(b"one", true).unwrap();
        let two = first.write(b"two", false).unwrap();
        first.committed(&one);
        // The first owner is cut off before its second commit.
        let (mut second, parts) = SnapshotStore::open(dir.path(), Some(&one)).unwrap();
        assert_eq!(parts, [b"one"]);
        let (_, parts) = SnapshotStore::open(dir.path(), Some(&two)).unwrap();
        assert_eq!(parts, [b"one", b"two"]);
        let three = second.write(b"three", true).unwrap();
        second.committed(&three);
        SnapshotStore::open(dir.path(), Some(&one)).unwrap();
        let four = second.write(b"four", false).unwrap();
        second.committed(&four);
        assert!(SnapshotStore::open(dir.path(), Some(&one)).is_err());
        let (_, parts) = SnapshotStore::open(dir.path(), Some(&four)).unwrap();
        assert_eq!(parts, [&b"three"[..], b"four"]);
    }

    #[test]
    fn offsets_of_another_program_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "x", "../x/1", "a/b", "/etc/1"] {
            let error = SnapshotStore::open(dir.path(), Some(name)).unwrap_err();
            assert!(error.to_string().contains("is not the name of a snapshot"), "{error}");
        }
    }
}
