//! `kleene infer`: event declarations from a sample of the input.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::Ending;
use crate::args::InferArgs;
use crate::guard::Guard;
use crate::infer::{Sample, Wanted, argument};
use crate::input::{self, Form, Format, RawFeed, RawItem};
use crate::summary::counted;

/// The number of lines that are no events and are shown with their reasons.
const SHOWN: usize = 3;

/// Reads a sample and prints the declarations that fit it.
pub(crate) fn infer(args: &InferArgs) -> Result<Ending> {
    if !args.quiet && args.input == Path::new("-") && io::stdin().is_terminal() {
        crate::say("reading events from the terminal; Ctrl-D ends");
    }
    let mut guard = Guard::default();
    guard.reads(&args.input, "the input");
    guard.writes(Path::new("-"), "the declarations")?;
    let format = args.format.unwrap_or_else(|| Format::of(&args.input));
    let mut opened = input::open(&args.input)?;
    let named = input::delimiter_of(&args.input);
    let delimiter = match args.delimiter {
        Some(delimiter) => delimiter,
        None if format == Format::Csv => {
            let header = opened.first_line(args.max_line).context("cannot read the input")?;
            input::other_delimiter(&header, named).unwrap_or(named)
        }
        None => named,
    };
    let form = Form { format, delimiter, max_line: args.max_line };
    let mut feed = RawFeed::start(opened, form);
    let mut sample = Sample::new(Wanted {
        type_field: args.type_field.clone(),
        fixed_type: args.event_type.clone(),
        time_field: args.time_field.clone(),
        unit: args.time_unit,
        form: form_options(args, form, named),
    });
    let mut read = Read::default();
    let is_whole = loop {
        // Lines that are no events count as well: an endless input of them has to end, too.
        if read.events + read.rejected == args.sample {
            break false;
        }
        match feed.next_item().context("cannot read on in the input")? {
            RawItem::Event(fields) => match sample.add(fields) {
                Ok(()) => read.events += 1,
                Err(reason) => {
                    read.typeless += 1;
                    read.reject(None, reason);
                }
            },
            RawItem::Rejected(line, reason) => read.reject(Some(line), reason),
            RawItem::End => break true,
            RawItem::Unreadable(reason) => bail!(reason),
        }
    };
    if read.events == 0 {
        bail!(nothing(&read, &feed, &sample, format));
    }
    let name = match args.input.to_str() {
        Some("-") => String::from("standard input"),
        _ => args.input.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    // A closed pipe has heard enough.
    let _ = io::stdout().write_all(sample.declarations(&name).as_bytes());
    if !args.quiet {
        report(args, &read, &sample, is_whole);
        let input = match args.input.to_str() {
            Some("-") => String::new(),
            _ => format!(" --input {}", argument(&args.input.to_string_lossy())),
        };
        let options = sample.options();
        let space = if options.is_empty() { "" } else { " " };
        crate::say(&format!("rules over it run with: kleene run RULES{input}{space}{options}"));
    }
    Ok(Ending::Fine)
}

/// How the input is written, as `kleene run` has to be reported.
fn form_options(args: &InferArgs, form: Form, named: u8) -> Vec<String> {
    let mut options = Vec::new();
    if form.format != Format::of(&args.input) {
        let format = if form.format == Format::Csv { "csv" } else { "jsonl" };
        options.push(format!("--format {format}"));
    }
    if form.format == Format::Csv && form.delimiter != named {
        options.push(format!("--delimiter {}", input::delimiter_argument(form.delimiter)));
    }
    if form.max_line != 1 << 20 {
        options.push(format!("--max-line {}", form.max_line));
    }
    options
}

/// What was read.
#[derive(Debug, Default)]
struct Read {
    events: u64,
    /// Lines that are no events.
    rejected: u64,
    /// Of these, those that only lack a type.
    typeless: u64,
    /// The first of them, with the reasons.
    reasons: Vec<String>,
}

impl Read {
    fn reject(&mut self, line: Option<u64>, reason: String) {
        self.rejected += 1;
        if self.reasons.len() < SHOWN && !self.reasons.contains(&reason) {
            self.reasons.push(match line {
                Some(line) => format!("line {line}: {reason}"),
                None => reason,
            });
        }
    }
}

/// Why nothing can be inferred.
fn nothing(read: &Read, feed: &RawFeed, sample: &Sample, format: Format) -> String {
    if feed.is_empty() {
        return String::from("the input is empty: there is nothing to infer from");
    }
    let reasons = read.reasons.join("\n  ");
    if read.typeless > 0 {
        return format!("{reasons}\nhelp: {}", sample.hint());
    }
    let help = match format {
        _ if read.rejected == 0 => return String::from("there is no event in the input"),
        Format::Jsonl => {
            "one JSON object a line is expected; is it CSV (--format csv), or one JSON array \
             (`jq -c '.[]'` makes lines of it)?"
        }
        Format::Csv => {
            "CSV is expected; is it JSON (--format jsonl), or is the delimiter another one \
             (--delimiter)?"
        }
    };
    format!("no line could be read as an event:\n  {reasons}\nhelp: {help}")
}

fn report(args: &InferArgs, read: &Read, sample: &Sample, is_whole: bool) {
    let events = counted(usize::try_from(read.events).unwrap_or(usize::MAX), "event");
    let types = counted(sample.types(), "type");
    crate::say(&format!("{events} of {types}"));
    if read.rejected > 0 {
        crate::say(&format!("{} could not be used:", counted_lines(read.rejected)));
        read.reasons.iter().for_each(|reason| crate::say(&format!("  {reason}")));
        if read.typeless > 0 {
            crate::say(&format!("hint: {}", sample.hint()));
        }
    }
    if !is_whole {
        let lines = counted_lines(args.sample);
        crate::say(&format!("the first {lines} were looked at; --sample takes more"));
    }
}

fn counted_lines(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "line")
}
