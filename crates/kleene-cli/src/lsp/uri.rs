//! Between the names of documents and paths of files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gen_lsp_types::Uri;

/// The path that `file:` speaks of; `None` for what is no file, such as a text without a name.
pub(super) fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.get(rest.find('/')?..)?;
    let path = decoded(path)?;
    // `/c:/rules` is `c:/rules`.
    let is_drive = cfg!(windows) && path.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(if is_drive { path.get(1..)? } else { &path }))
}

/// The name of a file as editors write it; `None` if it cannot be written.
pub(super) fn from_path(path: &Path) -> Option<Uri> {
    let path = path.to_str()?;
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "file:///" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to memory does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    Some(Uri(uri))
}

/// The text with `%20` as a blank.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| str::from_utf8(digits).ok())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn paths_come_back() {
        for path in ["/a/b.cep", "/with blank/\u{fc}#%.cep", "/%5C/\\x"] {
            let uri = from_path(Path::new(path)).unwrap();
            assert_eq!(to_path(&uri.0).as_deref(), Some(Path::new(path)), "{uri:?}");
        }
        assert_eq!(to_path("file:///a%20b"), Some(PathBuf::from("/a b")));
        assert_eq!(to_path("file://host/a"), Some(PathBuf::from("/a")));
        for uri in ["untitled:1", "file:", "file:///%", "file:///%zz", "file:///%ff"] {
            assert_eq!(to_path(uri), None, "{uri}");
        }
    }
}
