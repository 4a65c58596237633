//! Dead letters: a file of the results that a receiver did not take.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use kleene_host::disk::{self, Written};
use serde::de::IgnoredAny;

/// The file. It is made with the first letter.
#[derive(Debug)]
pub(super) struct DeadLetters {
    path: PathBuf,
}

impl DeadLetters {
    pub(super) fn new(path: PathBuf) -> DeadLetters {
        DeadLetters { path }
    }

    /// Adds each of the lines, with the key and the reason. After an error none of them is there.
    pub(super) fn write(&self, lines: &[u8], time: u64, key: &str, reason: &str) -> io::Result<()> {
        let head = serde_json::json!({ "time": time, "reason": reason, "key": key }).to_string();
        let head = head.strip_suffix('}').unwrap_or(&head);
        let mut text = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.trim_ascii_end();
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(b",\"result\":");
            if serde_json::from_slice::<IgnoredAny>(line).is_ok() {
                text.extend_from_slice(line);
            } else {
                let line = String::from_utf8_lossy(line);
                text.extend_from_slice(serde_json::Value::from(line).to_string().as_bytes());
            }
            text.extend_from_slice(b"}\n");
        }
        let mut options = File::options();
        let mut file =
            disk::open_own(&self.path, options.write(true).create(true).truncate(false))?;
        let length = file.seek(SeekFrom::End(0))?;
        let written = Written(&mut file).write_all(&text).and_then(|()| disk::sync_data(&file));
        if written.is_err() {
            disk::set_len(&file, length)?;
        }
        written
    }
}
