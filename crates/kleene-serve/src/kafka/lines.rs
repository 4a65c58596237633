//! From records of a topic to lines of JSON.

use kleene_kafka::formats::{DecodeError, DecodeErrorKind, ValueDecoder};
use kleene_kafka::{Header, Record};
use kleene_report::output::write_text;

use crate::config::RecordPart;

/// Lines that the parser reads as one block, and the record of each.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: Vec<u8>,
    /// The index of the record of each line.
    pub(super) records: Vec<usize>,
    /// Records without a value: deletions of a key.
    pub(super) tombstones: u64,
    /// The JSON of one value.
    decoded: Vec<u8>,
}

impl Lines {
    /// Removes the lines.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.records.clear();
    }

    /// Adds records whose values are JSON.
    pub(super) fn add_all(&mut self, records: &[Record], fields: &[(String, RecordPart)]) {
        for (index, record) in records.iter().enumerate() {
            match &record.value {
                Some(value) => {
                    self.records.push(index);
                    self.add(record, value, fields);
                }
                None => self.tombstones += 1,
            }
        }
    }

    /// Adds records whose values are in another format. Calls `reject` with each record that cannot be
    /// decoded.
    ///
    /// # Errors
    /// A schema cannot be had now. No record may be skipped.
    pub(super) fn decode_all(
        &mut self,
        records: &[Record],
        (decoder, fields): (&mut dyn ValueDecoder, &[(String, RecordPart)]),
        reject: &mut dyn FnMut(&Record, &str),
    ) -> Result<(), DecodeError> {
        for (index, record) in records.iter().enumerate() {
            let Some(value) = &record.value else {
                self.tombstones += 1;
                continue;
            };
            let mut decoded = std::mem::take(&mut self.decoded);
            decoded.clear();
            let result = decoder.decode(&record.topic, value, &mut decoded);
            if result.is_ok() {
                self.records.push(index);
                self.add(record, &decoded, fields);
            }
            self.decoded = decoded;
            match result {
                Ok(()) => {}
                Err(error) if error.kind == DecodeErrorKind::Poison => {
                    reject(record, &error.reason);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds the JSON of a record, with `fields` of it in front.
    pub(super) fn add(&mut self, record: &Record, json: &[u8], fields: &[(String, RecordPart)]) {
        let start = self.text.len();
        let rest = json.trim_ascii_start();
        match rest.strip_prefix(b"{") {
            Some(rest) if !fields.is_empty() => {
                self.text.push(b'{');
                let is_empty = rest.trim_ascii_start().starts_with(b"}");
                let mut comma = false;
                for (name, part) in fields {
                    let before = self.text.len();
                    if comma {
                        self.text.push(b',');
                    }
                    write_text(&mut self.text, name);
                    self.text.push(b':');
                    if write_part(&mut self.text, record, part) {
                        comma = true;
                    } else {
                        self.text.truncate(before);
                    }
                }
                if comma && !is_empty {
                    self.text.push(b',');
                }
                self.text.extend_from_slice(rest);
            }
            _ => self.text.extend_from_slice(rest),
        }
        // JSON has no newline inside of texts: it may be laid out over several lines.
        let mut from = start;
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &self.text[from..]) {
            self.text[from + found] = b' ';
            from += found + 1;
        }
        self.text.push(b'\n');
    }
}

/// Writes a part of a record as JSON. Returns false if the record has none.
fn write_part(line: &mut Vec<u8>, record: &Record, part: &RecordPart) -> bool {
    match part {
        RecordPart::Timestamp => match record.timestamp {
            Some(millis) => line.extend_from_slice(millis.to_string().as_bytes()),
            None => return false,
        },
        RecordPart::Key => match &record.key {
            Some(key) => write_text(line, &String::from_utf8_lossy(key)),
            None => return false,
        },
        RecordPart::Header(name) => {
            let found = |header: &&Header| header.name == *name;
            match record.headers.iter().rfind(found).and_then(|header| header.value.as_ref()) {
                Some(value) => write_text(line, &String::from_utf8_lossy(value)),
                None => return false,
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_record_become_fields() {
        let record = Record {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            key: Some(b"a\"b".to_vec()),
            value: None,
            headers: vec![Header { name: "h".into(), value: Some(b"x".to_vec()) }],
            timestamp: Some(17),
        };
        let part = |name: &str, part: RecordPart| (name.to_owned(), part);
        let fields = [
            part("user", RecordPart::Key),
            part("none", RecordPart::Header("missing".into())),
            part("h", RecordPart::Header("h".into())),
            part("ts", RecordPart::Timestamp),
        ];
        let mut lines = Lines::default();
        lines.add(&record, b" {\"v\":1}", &fields);
        lines.add(&record, b"{\n }", &fields[..1]);
        lines.add(&record, b"{\"v\":\n2}", &[]);
        lines.add(&record, b"17", &fields);
        lines.add(&record, b"{\"v\":3}", &fields[1..2]);
        let expected = "{\"user\":\"a\\\"b\",\"h\":\"x\",\"ts\":17,\"v\":1}\n{\"user\":\"a\\\"b\"  }\n{\"v\": 2}\n17\n{\"v\":3}\n";
        assert_eq!(String::from_utf8(lines.text).unwrap(), expected);
    }

    /// Takes values that begin with `{`, refuses others, and waits for a registry with `?`.
    #[derive(Debug)]
    struct Fake;

    impl ValueDecoder for Fake {
        fn decode(&mut self, _: &str, value: &[u8], json: &mut Vec<u8>) -> Result<(), DecodeError> {
            match value.first() {
                Some(b'{') => json.extend_from_slice(value),
                Some(b'?') => return Err(DecodeError::unavailable("down")),
                _ => return Err(DecodeError::poison("bad")),
            }
            Ok(())
        }
    }

    fn records(values: &[Option<&str>]) -> Vec<Record> {
        let record = |(offset, value): (i64, Option<&str>)| Record {
            topic: "t".into(),
            partition: 0,
            offset,
            key: None,
            value: value.map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
            timestamp: None,
        };
        (0..).zip(values.iter().copied()).map(record).collect()
    }

    #[test]
    fn records_that_cannot_be_decoded_are_rejected_and_the_others_are_lines() {
        let mut rejected = Vec::new();
        let mut reject = |record: &Record, reason: &str| {
            rejected.push((record.offset, reason.to_owned()));
        };
        let mut lines = Lines::default();
        let good = records(&[Some("{\"a\":1}"), None, Some("x"), Some("{}"), Some("")]);
        lines.decode_all(&good, (&mut Fake, &[]), &mut reject).unwrap();
        assert_eq!(rejected, [(2, String::from("bad")), (4, String::from("bad"))]);
        assert_eq!(lines.text, b"{\"a\":1}\n{}\n");
        assert_eq!((lines.records, lines.tombstones), (vec![0, 3], 1));
    }

    #[test]
    fn no_record_is_skipped_while_a_registry_is_down() {
        let mut lines = Lines::default();
        let down = records(&[Some("?"), Some("{}")]);
        let mut reject = |_: &Record, _: &str| panic!("a record was skipped");
        let error = lines.decode_all(&down, (&mut Fake, &[]), &mut reject).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Unavailable);
    }
}
