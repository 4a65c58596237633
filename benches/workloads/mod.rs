//! The eight workloads: their rules, their events, and the state machines that a good engineer
//! would write for each of them by hand. Shared by the benches, `examples/workloads.rs` and the
//! tests; each uses a part.

#![allow(dead_code, unreachable_pub, reason = "each of the crates that share it uses a part")]

pub mod baseline;
pub mod generate;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use kleene::schema::{FieldType, Schema};
use kleene::stream::{Engine, EngineBuilder, Ignore};
use kleene::{Event, Record, RuleSet, Timestamp, Value};

/// The counts of a run over a workload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub matches: u64,
    pub timeouts: u64,
}

/// Counts the results of a workload's rules with state machines written by hand; the number is the
/// number of W8's rules.
pub type Baseline = fn(&[Record], usize) -> Counts;

/// One of the workloads.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// `W1` to `W8`.
    pub id: &'static str,
    /// The subject of its events, and the stem of the file that `workloads.py` writes.
    pub name: &'static str,
    /// The rule file. W8's file has a rule for each of a number of item classes.
    rules: &'static str,
    /// The number of events of its full stream, and the right counts. The counts of W7 and W8
    /// depend on sizes that are chosen elsewhere.
    pub full: Option<(usize, Counts)>,
    /// The state machine by hand.
    pub baseline: Baseline,
    /// Makes about the given number of events, of the same kind as `workloads.py` makes.
    generate: fn(&mut generate::Rng, usize) -> Vec<generate::Row>,
}

pub const WORKLOADS: [Workload; 8] = [
    Workload {
        id: "W1",
        name: "orders",
        rules: include_str!("w1.cep"),
        full: Some((1_899_630, Counts { matches: 826_134, timeouts: 173_866 })),
        baseline: |events, _| baseline::orders(events),
        generate: generate::orders,
    },
    Workload {
        id: "W2",
        name: "logins",
        rules: include_str!("w2.cep"),
        full: Some((2_000_009, Counts { matches: 18_888, timeouts: 0 })),
        baseline: |events, _| baseline::logins(events),
        generate: generate::logins,
    },
    Workload {
        id: "W3",
        name: "trades",
        rules: include_str!("w3.cep"),
        full: Some((2_000_000, Counts { matches: 224_438, timeouts: 0 })),
        baseline: |events, _| baseline::trades(events),
        generate: generate::trades,
    },
    Workload {
        id: "W4",
        name: "hits",
        rules: include_str!("w4.cep"),
        full: Some((2_000_024, Counts { matches: 17_730, timeouts: 0 })),
        baseline: |events, _| baseline::hits(events),
        generate: generate::hits,
    },
    Workload {
        id: "W5",
        name: "funnel",
        rules: include_str!("w5.cep"),
        full: Some((2_000_001, Counts { matches: 99_356, timeouts: 0 })),
        baseline: |events, _| baseline::funnel(events),
        generate: generate::funnel,
    },
    Workload {
        id: "W6",
        name: "stock",
        rules: include_str!("w6.cep"),
        full: Some((2_000_000, Counts { matches: 384_117, timeouts: 0 })),
        baseline: |events, _| baseline::stock(events),
        generate: generate::stock,
    },
    Workload {
        id: "W7",
        name: "kleene",
        rules: include_str!("w7.cep"),
        full: None,
        baseline: |events, _| baseline::kleene(events),
        generate: generate::kleene,
    },
    Workload {
        id: "W8",
        name: "funnel",
        rules: include_str!("w5.cep"),
        full: None,
        baseline: baseline::item_rules,
        generate: generate::funnel,
    },
];

impl Workload {
    /// The workload of this id.
    pub fn of(id: &str) -> Option<&'static Workload> {
        WORKLOADS.iter().find(|workload| workload.id.eq_ignore_ascii_case(id))
    }

    /// The rules as text; W8 has `count` of them.
    pub fn text(&self, count: usize) -> String {
        if self.id != "W8" {
            return self.rules.to_owned();
        }
        let events = self.rules.lines().filter(|line| line.starts_with("event "));
        let rules = (0..count).map(|i| {
            format!(
                "rule item_{i} {{\n  key user_id\n  \
                 match view[item % {count} == {i}] -> pay[item == view.item]\n  within 1h\n}}"
            )
        });
        events.map(str::to_owned).chain(rules).collect::<Vec<_>>().join("\n")
    }

    /// The rules, checked.
    ///
    /// # Panics
    /// If they are wrong.
    pub fn rule_set(&self, count: usize) -> RuleSet {
        match RuleSet::parse(&self.text(count)) {
            Ok(rules) => rules,
            Err(error) => panic!("{}: {error}", self.id),
        }
    }

    /// The events of a generated stream: the same for the same seed.
    pub fn generate(&self, schema: &Schema, events: usize, seed: u64) -> Vec<Record> {
        let mut rows = (self.generate)(&mut generate::Rng::new(seed), events);
        rows.sort_by_key(|row| row.time);
        rows.iter().filter_map(|row| row.to_record(schema)).collect()
    }

    /// The start of an engine for these rules. W7 is there to show what becomes of many partial
    /// matches: it gets more than the usual limit allows.
    pub fn builder(&self, rules: &RuleSet) -> EngineBuilder<Record> {
        let builder = Engine::builder().rules(rules);
        if self.id == "W7" {
            builder
                .limit_partials_per_key(1 << 26)
                .limit_steps_per_event(1 << 26)
                .limit_matches_per_set(1 << 26)
        } else {
            builder
        }
    }

    /// An engine for these rules over sorted events.
    ///
    /// # Panics
    /// If the rules are wrong.
    pub fn engine(&self, rules: &RuleSet) -> Engine<Record> {
        match self.builder(rules).in_order().build() {
            Ok(engine) => engine,
            Err(error) => panic!("{}: {error}", self.id),
        }
    }
}

/// The events of a file that `workloads.py` wrote.
pub fn read(path: &Path, schema: &Schema) -> Result<Vec<Record>, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut lines = BufReader::new(File::open(path).map_err(fail)?).lines();
    let header = lines.next().ok_or("the file is empty")?.map_err(fail)?;
    let columns: Vec<&str> = header.trim_end().split(',').collect();
    let mut texts = Interner::default();
    lines
        .map(|line| {
            let line = line.map_err(fail)?;
            let cells: Vec<&str> = line.trim_end().split(',').collect();
            record(&columns, &cells, schema, &mut texts)
                .ok_or_else(|| format!("{}: not understood: {line}", path.display()))
        })
        .collect()
}

/// Runs an engine over sorted events to the end of time.
///
/// # Panics
/// If the engine was finished before.
pub fn run(engine: &mut Engine<Record>, events: &[Record]) -> Counts {
    engine.push_batch(events, &mut Ignore).expect("a new engine takes events");
    end(engine)
}

/// Ends the time of an engine, and returns what it has counted.
///
/// # Panics
/// If a limit fails.
pub fn end(engine: &mut Engine<Record>) -> Counts {
    engine.end_time(&mut Ignore).expect("no limit fails");
    let stats = engine.stats();
    Counts { matches: stats.matches, timeouts: stats.timeouts }
}

/// Delays each event by up to `bound` milliseconds, and sorts the events by their arrival.
pub fn shuffle(events: &[Record], bound: u32) -> Vec<Record> {
    let mut rng = generate::Rng::new(7);
    let mut delayed: Vec<(i64, &Record)> = events
        .iter()
        .map(|event| (event.time().as_millis() + rng.below(i64::from(bound) + 1), event))
        .collect();
    delayed.sort_by_key(|(arrival, _)| *arrival);
    delayed.into_iter().map(|(_, event)| event.clone()).collect()
}

/// Texts that were seen before, so that a million equal ones are one.
#[derive(Default)]
struct Interner(hashbrown::HashSet<Arc<str>>);

impl Interner {
    fn intern(&mut self, text: &str) -> Arc<str> {
        self.0.get_or_insert_with(text, |text| text.into()).clone()
    }
}

fn record(
    columns: &[&str],
    cells: &[&str],
    schema: &Schema,
    texts: &mut Interner,
) -> Option<Record> {
    let cell = |name: &str| {
        let index = columns.iter().position(|column| *column == name)?;
        cells.get(index).copied()
    };
    let id = schema.type_id(cell("type")?)?;
    let time = Timestamp::from_millis(cell("ts")?.parse().ok()?);
    let values = schema.ty(id).fields.iter().map(|field| {
        let text = cell(&field.name)?;
        Some(match field.ty {
            FieldType::Int => Value::Int(text.parse().ok()?),
            FieldType::Float => Value::Float(text.parse().ok()?),
            FieldType::Time => Value::Time(time),
            FieldType::Ip => Value::Ip(text.parse().ok()?),
            _ => Value::String(texts.intern(text)),
        })
    });
    Some(Record::new(id, time, values.collect::<Option<Vec<_>>>()?))
}
