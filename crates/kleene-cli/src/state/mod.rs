//! `--state`: a run that goes on where it was when it ended, however it ended.
//!
//! A checkpoint says how far the input was read, what the engine held then, and how much output was
//! written; it is there as a whole or not at all. A run that starts again cuts the output back to
//! the newest checkpoint and reads the input from there on, so that each result is there once.

mod written;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use kleene::{Engine, Record};
use serde_json::{Value, json};

use crate::args::{Events, Every, RunArgs};
use crate::source::columns_of_file;
use crate::stderr::say;
use kleene_host::checkpoint::{Checkpoint, Directory};
use kleene_input::{self as input, Position, TimeUnit};
use kleene_report::counts::{Counts, grouped};
use kleene_report::tally::Tally;

/// The number of bytes that identify an input: at its start, and before a position in it.
const PROBE: u64 = 4096;

/// The state of a run, kept in a directory.
pub(crate) struct State {
    directory: Directory,
    every: Every,
    /// The settings that must be the same when the run continues.
    setting: Value,
    input: Option<Input>,
    /// The files of results and of rejects.
    output: PathBuf,
    rejects: Option<PathBuf>,
    last: Instant,
    /// The number of events since then.
    events: u64,
}

/// The state from which a run continues.
pub(crate) struct Resumed {
    /// The engine: a whole snapshot, and the changes that follow it.
    pub(crate) snapshots: Vec<Vec<u8>>,
    /// The position up to which the input was read.
    pub(crate) position: Position,
    /// The length of the output, if it is a file.
    pub(crate) output: Option<u64>,
    /// The length of the file of rejects, if there is one.
    pub(crate) rejects: Option<u64>,
    /// The counts of the run outside of the engine.
    pub(crate) counts: Counts,
    /// The number of results of each rule.
    pub(crate) tally: Tally,
    /// True if the input was read to its end, and everything was reported (`--end-of-time`).
    pub(crate) is_finished: bool,
    /// True if the input is a file that was read to its end, and has not grown.
    pub(crate) is_at_end: bool,
}

/// The progress of a run at a checkpoint.
pub(crate) struct Moment<'a> {
    pub(crate) position: Position,
    pub(crate) output: Option<u64>,
    pub(crate) rejects: Option<u64>,
    pub(crate) counts: &'a Counts,
    pub(crate) tally: &'a Tally,
    /// True if the input was read to its end.
    pub(crate) has_ended: bool,
}

/// A checkpoint that is not written yet.
pub(crate) struct HeldCheckpoint {
    head: Value,
    snapshot: Vec<u8>,
    is_whole: bool,
}

impl State {
    /// Adds the length of the output with what the end of the input brought. A run that goes on
    /// cuts the output back to the checkpoint.
    pub(crate) fn with_end(&self, mut held: HeldCheckpoint, output: Option<u64>) -> HeldCheckpoint {
        held.head["output_whole"] = json!(output);
        held.head["output_whole_end"] = written::probe(Some(&self.output), output);
        held
    }

    /// Opens the directory of a run's state, and finds what it goes on from.
    pub(crate) fn open(path: &Path, args: &RunArgs) -> Result<(State, Option<Resumed>)> {
        let input = Input::open(&args.events.input)?;
        let mut directory = Directory::open(path)?;
        let setting = setting(args);
        let newest = directory.newest(say)?;
        let resumed = newest.map(|checkpoint| {
            same_setting(&checkpoint.head["run"], &setting)?;
            let ends = ["output_end", "rejects_end"].map(|name| checkpoint.head[name].clone());
            let whole = checkpoint.head["output_whole"].as_u64();
            let whole_end = checkpoint.head["output_whole_end"].clone();
            let (probed, mut resumed) = read(checkpoint)?;
            if let Some(input) = &input {
                let has_grown = input.expect(&probed, resumed.position)?;
                if has_grown && resumed.is_finished {
                    bail!(
                        "the input has grown since it was read to its end with --end-of-time: all \
                         partial matches were ended then, so the run cannot continue"
                    );
                }
                resumed.is_at_end &= !has_grown;
                if has_grown {
                    resumed.position = after_last_line(&args.events.input, resumed.position)?;
                }
            } else {
                // Standard input is another one each time.
                resumed.is_at_end = false;
            }
            let Resumed { output, rejects, .. } = resumed;
            let is_done = resumed.is_finished || resumed.is_at_end;
            // What the end of the input brought is in the output, and not in the checkpoint.
            let (output, end) = match whole.filter(|_| is_done) {
                Some(whole) => (Some(whole), &whole_end),
                None => (output, &ends[0]),
            };
            written::expect("the output", Some(&args.output), output, end, is_done)?;
            let path = args.rejects.as_deref();
            written::expect("the file of rejects", path, rejects, &ends[1], is_done)?;
            Ok::<_, anyhow::Error>(resumed)
        });
        let resumed = resumed.transpose().with_context(|| {
            let name = path.display();
            format!(
                "the state in {name} belongs to another run (to start again, remove the directory)"
            )
        })?;
        let every = args.state.checkpoint_every;
        let (output, rejects) = (args.output.clone(), args.rejects.clone());
        let state = State {
            directory,
            every,
            setting,
            input,
            output,
            rejects,
            last: Instant::now(),
            events: 0,
        };
        Ok((state, resumed))
    }

    /// Returns the number of lines to read before the next checkpoint, at least one and at most
    /// `most`.
    pub(crate) fn lines_left(&self, most: usize) -> usize {
        let Every::Events(every) = self.every else { return most };
        usize::try_from(every.saturating_sub(self.events)).unwrap_or(most).clamp(1, most)
    }

    /// Counts all lines that were read, and says whether it is time for a checkpoint.
    pub(crate) fn count(&mut self, lines: usize) -> bool {
        self.events += lines as u64;
        matches!(self.every, Every::Events(every) if self.events >= every)
    }

    /// True if the time for a checkpoint has come. Looks at a clock.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self.every, Every::Time(every) if self.last.elapsed() >= every)
    }

    /// Makes a checkpoint of where the run is and what `engine` holds, which
    /// [`write`](State::write) keeps. What it says of output has to be written before.
    pub(crate) fn hold(
        &mut self,
        moment: &Moment<'_>,
        engine: &mut Engine<Record>,
    ) -> Result<HeldCheckpoint> {
        let Moment { position, output, rejects, counts, tally, has_ended } = *moment;
        let head = json!({
            "run": self.setting,
            "input": match &self.input {
                Some(input) => input.probe(position)?,
                None => Value::Null,
            },
            "offset": position.offset,
            "line": position.line,
            "output": output,
            "rejects": rejects,
            "output_end": written::probe(Some(&self.output), output),
            "rejects_end": written::probe(self.rejects.as_deref(), rejects),
            "rejected": counts.rejected,
            "unknown": counts.unknown,
            "unknown_types": counts.types(),
            "rules": tally.saved(),
            "ended": has_ended,
            "finished": engine.has_ended(),
        });
        let changes = self.directory.can_follow().then(|| engine.snapshot_changes()).flatten();
        let is_whole = changes.is_none();
        let snapshot = changes.unwrap_or_else(|| engine.snapshot_base());
        if let Some(failure) = engine.failure() {
            return Err(failure.clone()).context("the current state has no checkpoint");
        }
        Ok(HeldCheckpoint { head, snapshot, is_whole })
    }

    /// Keeps a checkpoint.
    pub(crate) fn write(&mut self, held: HeldCheckpoint) -> Result<()> {
        self.directory.write(held.head, &held.snapshot, held.is_whole)?;
        self.last = Instant::now();
        self.events = 0;
        Ok(())
    }
}

/// Returns the arguments that must be given again when a run continues.
fn setting(args: &RunArgs) -> Value {
    let absolute = |path: &Path| match path.to_str() {
        Some("-") => String::from("-"),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string(),
    };
    let reading = args.events.reading();
    json!({
        "input": absolute(&args.events.input),
        "output": absolute(&args.output),
        "rejects": args.rejects.as_deref().map(absolute),
        "format": format!("{:?}", args.events.format()),
        "delimiter": args.events.delimiter.map(char::from),
        "type": reading.fixed_type,
        "type-field": reading.type_field,
        "time-field": args.events.time_field,
        "time-unit": spelled(reading.unit),
        "max-line": args.events.max_line,
        "param": args.params,
        // Null where it is not given, as in checkpoints of versions without the option.
        "strict": reading.is_strict.then_some(true),
        "events": match args.event_form {
            Events::Full => None,
            Events::Ids => Some("ids"),
            Events::None => Some("none"),
        },
        "steps-per-event": args.matching.steps_per_event,
        "matches-per-set": args.matching.matches_per_set,
        "graph-nodes-per-key": args.matching.graph_nodes_per_key,
        "out-of-order": args.events.out_of_order.map(|bound| bound.as_millis().to_string()),
    })
}

/// Returns the spelling of a unit in checkpoints.
fn spelled(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Seconds => "S",
        TimeUnit::Millis => "Ms",
        TimeUnit::Micros => "Us",
        TimeUnit::Nanos => "Ns",
    }
}

/// Options that checkpoints of older versions do not have.
const ADDED: [&str; 7] = [
    "max-line",
    "param",
    "steps-per-event",
    "matches-per-set",
    "graph-nodes-per-key",
    "strict",
    "events",
];

fn same_setting(before: &Value, now: &Value) -> Result<()> {
    let Some(fields) = now.as_object() else { return Ok(()) };
    for (name, value) in fields {
        // Checkpoints of older versions know fewer options.
        let Some(before) = before.get(name) else {
            if ADDED.contains(&&**name) {
                continue;
            }
            bail!("the checkpoint does not contain the value of --{name}");
        };
        if before != value {
            let shown = |value: &Value| match value {
                Value::Null => String::from("not given"),
                Value::String(text) => format!("`{text}`"),
                other => other.to_string(),
            };
            bail!("--{name} was {} at the checkpoint, but is {} now", shown(before), shown(value));
        }
    }
    Ok(())
}

/// Reads a checkpoint: its settings, and the state of the run.
fn read(checkpoint: Checkpoint) -> Result<(Value, Resumed)> {
    let Checkpoint { mut head, snapshots } = checkpoint;
    let number = |name: &str| head[name].as_u64();
    let counts = Counts::restore(
        number("rejected").unwrap_or_default(),
        number("unknown").unwrap_or_default(),
        &head["unknown_types"],
    );
    let (Some(offset), Some(line)) = (number("offset"), number("line")) else {
        bail!("the checkpoint does not contain the position in the input");
    };
    let resumed = Resumed {
        snapshots,
        position: Position { offset, line },
        output: number("output"),
        rejects: number("rejects"),
        counts,
        tally: Tally::restore(&head["rules"]),
        is_finished: head["finished"].as_bool().unwrap_or_default(),
        is_at_end: head["ended"].as_bool().unwrap_or_default(),
    };
    Ok((head["input"].take(), resumed))
}

/// An input that is a file, and can be read again.
struct Input {
    file: File,
    /// True if a position is not a place in the bytes: the input is packed, or has columns.
    is_packed: bool,
}

impl Input {
    /// `None` for what cannot be read again, such as standard input.
    fn open(path: &Path) -> Result<Option<Input>> {
        if path == Path::new("-") {
            return Ok(None);
        }
        let context = || format!("cannot open the input {}", path.display());
        let meta = path.metadata().with_context(context)?;
        if !meta.is_file() {
            return Ok(None);
        }
        let file = File::open(path).with_context(context)?;
        let is_packed = input::is_packed(&file) || columns_of_file(path).is_some();
        Ok(Some(Input { file, is_packed }))
    }

    /// Returns what distinguishes the input from others: how long it is, how it starts, and what is
    /// before `position`.
    fn probe(&self, position: Position) -> Result<Value> {
        let length = self.file.metadata()?.len();
        let start = length.min(PROBE);
        // A place in a packed file is not known: what was there of it has to stay.
        let end = if self.is_packed { length } else { position.offset.min(length) };
        Ok(json!({
            "length": length,
            "start": [start, self.checksum(0, start)?],
            "before": self.checksum(end.saturating_sub(PROBE), end)?,
        }))
    }

    /// Fails if the input is not the one that was probed, or a longer one that starts with it.
    /// Returns true if there may be more behind `position`.
    fn expect(&self, probed: &Value, position: Position) -> Result<bool> {
        let length = self.file.metadata()?.len();
        let before = probed["length"].as_u64().unwrap_or_default();
        if length < before {
            let (before, length) = (grouped(before), grouped(length));
            bail!("the input had {before} bytes at the checkpoint, but has only {length} now");
        }
        let start = probed["start"][0].as_u64().unwrap_or_default().min(length);
        let is_same = probed["start"][1] == json!(self.checksum(0, start)?);
        let end = if self.is_packed { before } else { position.offset };
        // Null where an older version did not look.
        let is_same = is_same
            && (probed["before"].is_null()
                || probed["before"] == json!(self.checksum(end.saturating_sub(PROBE), end)?));
        if !is_same {
            bail!(
                "the input was changed: its content differs from what was read before the \
                 checkpoint"
            );
        }
        // A file can have grown between the last read and the probe.
        Ok(length > before || !self.is_packed && length > end)
    }

    fn checksum(&self, from: u64, to: u64) -> io::Result<u32> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes);
        Ok(crc.finalize())
    }
}

/// The place from which on to read an input that has grown. The last line that was read may have
/// had no end then; fails if there is more of that line now.
fn after_last_line(path: &Path, position: Position) -> Result<Position> {
    let Some(last) = position.offset.checked_sub(1) else { return Ok(position) };
    let around = input::open_at(path, Position { offset: last, ..position })?.read_bytes(2)?;
    match around[..] {
        [b'\n', ..] | [_] | [] => Ok(position),
        // Only its end has come, which is read as an empty line.
        [_, b'\r' | b'\n', ..] => {
            Ok(Position { line: position.line.saturating_sub(1), ..position })
        }
        _ => bail!(
            "line {} of the input was incomplete when it was read, and has grown since",
            grouped(position.line.saturating_sub(1))
        ),
    }
}
