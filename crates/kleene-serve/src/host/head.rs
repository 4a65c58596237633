//! The head of a checkpoint: positions of sources and lengths of files, as JSON that people can
//! read.

use kleene_input::Position;
use serde_json::{Map, Value, json};

use crate::source::inbox::{FileMark, SourcePosition};

/// Makes the head of a checkpoint.
pub(super) fn head<'a>(
    positions: impl Iterator<Item = (&'a str, &'a SourcePosition)>,
    sinks: &Value,
) -> Value {
    let mut sources = Map::new();
    for (name, SourcePosition { at, file }) in positions {
        let mut source = json!({ "offset": at.offset, "line": at.line });
        if let Some(FileMark { length, checksum }) = file {
            source["file"] = json!({ "length": length, "checksum": checksum });
        }
        sources.insert(name.to_owned(), source);
    }
    json!({ "sources": sources, "sinks": sinks })
}

/// True if a checkpoint has the length of a sink.
pub(super) fn knows_sink(head: Option<&Value>, name: &str) -> bool {
    head.is_some_and(|head| head["sinks"][name].is_u64())
}

/// Returns the position of a source at a checkpoint; its start if the checkpoint does not know it.
pub(super) fn position(head: Option<&Value>, name: &str) -> SourcePosition {
    let Some(source) = head.map(|head| &head["sources"][name]) else {
        return SourcePosition::default();
    };
    let (Some(offset), Some(line)) = (source["offset"].as_u64(), source["line"].as_u64()) else {
        return SourcePosition::default();
    };
    let mark = &source["file"];
    let checksum = mark["checksum"].as_u64().and_then(|checksum| u32::try_from(checksum).ok());
    let file = mark["length"].as_u64().zip(checksum);
    let file = file.map(|(length, checksum)| FileMark { length, checksum });
    SourcePosition { at: Position { offset, line }, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_returns_positions() {
        let file = Some(FileMark { length: 1024, checksum: 0xdead_beef });
        let at = SourcePosition { at: Position { offset: 17, line: 3 }, file };
        let written = head([("orders", &at)].into_iter(), &json!({}));
        assert_eq!(position(Some(&written), "orders"), at);
        assert_eq!(position(Some(&written), "other"), SourcePosition::default());
        assert_eq!(position(None, "orders"), SourcePosition::default());
    }
}
