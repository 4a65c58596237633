//! Results are read back as they were written.

use std::io::Cursor;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use kleene::stream::Overflow;
use kleene::{Engine, Match, Record, RuleSet, Sink, Timeout, Timestamp};
use kleene_arrow::{ColumnFormat, ColumnReader, ResultWriter};
use kleene_input::{Format, Reading, RecordReader};
use kleene_report::output::{EventForm, LineForm, Shapes};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value as Json, json};

use crate::files::FORMATS;

const RULES: &str = "
    event sent { order: int, ts: time }
    event paid { order: int, by: string?, ts: time }
    rule settled {
        key order
        match sent -> paid
        within 10s
        emit { by: paid.by, text: \"say \\\"hi\\\"\" }
        on timeout emit { order: order }
    }";

/// Keeps the lines of results.
struct Lines(Shapes, Vec<u8>);

impl Sink<Record> for Lines {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.0.matched(&mut self.1, &found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.0.timed_out(&mut self.1, &timeout);
    }

    fn overflowed(&mut self, overflow: Overflow) {
        self.0.limited(&mut self.1, &overflow);
    }
}

fn lines(events: EventForm) -> Vec<u8> {
    let rules = RuleSet::parse(RULES).unwrap();
    let input = (0..2000).map(|order| {
        let paid =
            format!("{{\"type\":\"paid\",\"order\":{order},\"by\":\"a\u{e9}\",\"ts\":{order}}}\n");
        let sent = format!("{{\"type\":\"sent\",\"order\":{order},\"ts\":{order}}}\n");
        if order % 3 == 0 { sent } else { sent + &paid }
    });
    let input = input.collect::<String>().into_bytes();
    let shapes = Shapes::new(rules.schema(), "ts".into(), LineForm::Json).with_events(events);
    let mut sink = Lines(shapes, Vec::new());
    let mut engine = Engine::builder().rules(&rules).build().unwrap();
    for event in RecordReader::from_bytes(input, Format::Jsonl, rules.schema()) {
        engine.push(&event.unwrap(), &mut sink).unwrap();
    }
    engine.end_time(&mut sink).unwrap();
    sink.1
}

fn written(format: ColumnFormat, lines: &[u8]) -> Vec<u8> {
    let mut writer = ResultWriter::new(Vec::new(), format).unwrap();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        writer.write_line(line).unwrap();
    }
    writer.finish().unwrap()
}

fn read(format: ColumnFormat, file: Vec<u8>) -> Vec<RecordBatch> {
    match format {
        ColumnFormat::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file));
            reader.unwrap().build().unwrap().map(Result::unwrap).collect()
        }
        ColumnFormat::ArrowFile => {
            FileReader::try_new(Cursor::new(file), None).unwrap().map(Result::unwrap).collect()
        }
        ColumnFormat::ArrowStream => {
            StreamReader::try_new(Cursor::new(file), None).unwrap().map(Result::unwrap).collect()
        }
    }
}

/// Puts the columns of a row together to the line again.
fn line(batch: &RecordBatch, row: usize) -> Json {
    let mut object = json!({});
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        let value: Json = match &**field.name() {
            "start" | "end" => {
                let millis = column.as_primitive::<TimestampMillisecondType>().value(row);
                Timestamp::from_millis(millis).to_string().into()
            }
            "count" => column.as_primitive::<Int64Type>().value(row).into(),
            "key" | "emit" | "events" | "details" => {
                serde_json::from_str(column.as_string::<i32>().value(row)).unwrap()
            }
            _ => column.as_string::<i32>().value(row).into(),
        };
        match (&**field.name(), value) {
            ("details", Json::Object(details)) => {
                object.as_object_mut().unwrap().extend(details);
            }
            (name, value) => object[name] = value,
        }
    }
    object
}

#[test]
fn each_result_is_a_row() {
    for events in [EventForm::Full, EventForm::None] {
        let lines = lines(events);
        let text = str::from_utf8(&lines).unwrap();
        let expected: Vec<Json> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(expected.len(), 2000);
        assert!(expected.iter().any(|line| line["kind"] == "timeout"));
        for format in FORMATS {
            let batches = read(format, written(format, &lines));
            let rows =
                batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| line(batch, row)));
            assert_eq!(rows.collect::<Vec<Json>>(), expected, "{format}");
        }
    }
}

#[test]
fn other_members_are_kept() {
    let limit = json!({
        "rule": "r", "version": "00", "kind": "limit", "key": {"k": 1},
        "end": "2024-05-01T10:00:00Z", "limit": "runs", "dropped": 18_446_744_073_709_551_615_u64,
    });
    let set = json!({"rule": "r", "kind": "match", "count": u64::MAX, "saturated": true});
    for format in FORMATS {
        let file = written(format, format!("{limit}\n{set}").as_bytes());
        let batches = read(format, file);
        assert_eq!(line(&batches[0], 0), limit);
        assert_eq!(line(&batches[0], 1), set);
    }
}

#[test]
fn a_stream_shows_rows_when_it_is_flushed() {
    let mut writer = ResultWriter::new(Vec::new(), ColumnFormat::ArrowStream).unwrap();
    writer.write_line(b"{\"rule\":\"a\"}").unwrap();
    writer.flush().unwrap();
    writer.write_line(b"{\"rule\":\"b\"}").unwrap();
    let batches = read(ColumnFormat::ArrowStream, writer.finish().unwrap());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [1, 1]);
    let mut writer = ResultWriter::new(Vec::new(), ColumnFormat::Parquet).unwrap();
    assert!(
        writer
            .write_line(b"{\"rule\":")
            .unwrap_err()
            .to_string()
            .starts_with("a result is not JSON: ")
    );
}

#[test]
fn results_are_events_again() {
    let rules = RuleSet::parse(
        "event `match` { rule: string, id: string, end: time }  event timeout { rule: string, end: time }
         rule all { match `match` }",
    );
    let rules = rules.unwrap();
    let lines = lines(EventForm::Ids);
    for format in FORMATS {
        let reading = Reading { type_field: "kind".into(), ..Reading::default() };
        let input = Cursor::new(written(format, &lines));
        let mut reader = ColumnReader::from_seekable(input, rules.schema(), reading).unwrap();
        let batch = reader.next_batch().unwrap().unwrap();
        assert_eq!((batch.events.len(), batch.rejected.len()), (2000, 0));
        assert_eq!(batch.events.types().len(), 2);
    }
}
