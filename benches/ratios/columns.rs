//! W1 to W6 from batches of columns, against the same events as records.

use std::time::Duration;

use kleene::event::{BatchBuilder, EventBatch};
use kleene::schema::Schema;
use kleene::stream::{Engine, Ignore};
use kleene::{Record, RuleSet};

use crate::Options;
use crate::measure::{events, median, ratio, time, time_engine};
use crate::report::{Bound, Figure, Report};
use crate::suite::{Counts, WORKLOADS, Workload, end};

/// The number of events of a batch.
const ROWS: usize = 8192;

/// Against records that are there already.
const READY: Bound = Bound::AtLeast { hold: 1.0, aim: 1.3 };

/// Measures all workloads that the options name.
pub(crate) fn all(options: &Options, report: &mut Report) -> Result<(), String> {
    for workload in &WORKLOADS {
        if options.wants(workload.id) && !matches!(workload.id, "W7" | "W8") {
            let rules = workload.rule_set(1);
            let events = events(workload, &rules, options)?;
            measure(workload, &rules, &events, options, report);
        }
    }
    Ok(())
}

fn measure(
    workload: &Workload,
    rules: &RuleSet,
    events: &[Record],
    options: &Options,
    report: &mut Report,
) {
    let batches = batches(rules.schema(), events);
    let (mut ready, mut made) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let (by_records, expected) = time_engine(workload.engine(rules), events);
        let (by_columns, counts) = time_columns(workload.engine(rules), &batches);
        report.check(workload.id, "columns", counts, expected);
        let (with_records, counts) = time_made(workload.engine(rules), &batches);
        report.check(workload.id, "records made of columns", counts, expected);
        ready.push(ratio(by_records, by_columns));
        made.push(ratio(with_records, by_columns));
    }
    let mut figure = |name: &str, values: &[f64], bound, note: &str| {
        report.figures.push(Figure {
            name: format!("{}: speed of columns, against {name}", workload.id),
            value: median(values).unwrap_or_default(),
            unit: "times",
            bound,
            note: note.into(),
        });
    };
    figure("records", &ready, Some(READY), "records that are there before");
    figure("records made of them", &made, None, "the time to make the records counts");
}

/// Returns the events in columns.
fn batches(schema: &Schema, events: &[Record]) -> Vec<EventBatch> {
    let mut builder = BatchBuilder::new();
    let batch = |some: &[Record]| {
        for event in some {
            builder.copy_record(schema, event);
        }
        builder.finish()
    };
    events.chunks(ROWS).map(batch).collect()
}

fn time_columns(mut engine: Engine<Record>, batches: &[EventBatch]) -> (Duration, Counts) {
    time(move || {
        for batch in batches {
            engine.push_columns(batch, &mut Ignore).expect("a new engine takes events");
        }
        end(&mut engine)
    })
}

fn time_made(mut engine: Engine<Record>, batches: &[EventBatch]) -> (Duration, Counts) {
    time(move || {
        for batch in batches {
            let records: Vec<Record> = batch.rows().map(|row| row.to_record()).collect();
            engine.push_batch(&records, &mut Ignore).expect("a new engine takes events");
        }
        end(&mut engine)
    })
}
