//! `kleene infer`: event declarations from a sample of the input.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::args::{DELIMITER_OF_JSON, InferArgs};
use crate::ending::Ending;
use crate::guard::Guard;
use crate::source::{columns_of_file, first_rows};
use crate::stderr::say;
use kleene_input::{self as input, Block, Form, Format, RawFeed};
use kleene_language::infer::{Read, Sample, Wanted, argument, observe};
use kleene_report::counts::counted;

/// Reads a sample and prints the declarations that fit it.
pub(crate) fn infer(args: &InferArgs) -> Result<Ending> {
    if !args.quiet && args.input == Path::new("-") && io::stdin().is_terminal() {
        say("reading events from the terminal; Ctrl-D ends");
    }
    let mut guard = Guard::default();
    guard.reads(&args.input, "the input");
    guard.writes(Path::new("-"), "the declarations")?;
    let columns = columns_of_file(&args.input);
    let (mut feed, form) = match columns {
        Some(_) => rows(args)?,
        None => lines(args)?,
    };
    let format = form.format;
    let mut sample = Sample::new(Wanted {
        type_field: args.type_field.clone(),
        fixed_type: args.event_type.clone(),
        time_field: args.time_field.clone(),
        unit: args.time_unit,
        form: if columns.is_some() { Vec::new() } else { form_options(args, form) },
    });
    let read = observe(&mut feed, &mut sample, args.sample)
        .context("cannot continue to read the input")?;
    if read.events == 0 {
        bail!(read.nothing(&feed, &sample, format));
    }
    let name = match args.input.to_str() {
        Some("-") => String::from("standard input"),
        _ => args.input.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    // A closed pipe has heard enough.
    let _ = io::stdout().write_all(sample.declarations(&name).as_bytes());
    if !args.quiet {
        report(args, &read, &sample, if columns.is_some() { "row" } else { "line" });
        let input = match args.input.to_str() {
            Some("-") => String::new(),
            _ => format!(" --input {}", argument(&args.input.to_string_lossy())),
        };
        let options = sample.options();
        let space = if options.is_empty() { "" } else { " " };
        say(&format!("to run rules on this input: kleene run RULES{input}{space}{options}"));
    }
    Ok(Ending::Fine)
}

/// Returns a sample of the rows of columns as JSON lines, with one row more, which says that there is
/// more.
fn rows(args: &InferArgs) -> Result<(RawFeed, Form)> {
    if args.format.is_some() || args.delimiter.is_some() {
        bail!("the input has columns, not lines: leave out --format and --delimiter");
    }
    let rows = usize::try_from(args.sample).unwrap_or(usize::MAX);
    let text = first_rows(&args.input, rows.saturating_add(1))?;
    let form = Form { format: Format::Jsonl, delimiter: b',', max_line: usize::MAX };
    Ok((RawFeed::of(Block::new(text, 1), form), form))
}

/// Starts to read lines. Returns their form as well.
fn lines(args: &InferArgs) -> Result<(RawFeed, Form)> {
    let format = args.format.unwrap_or_else(|| Format::of(&args.input));
    let mut opened = input::open(&args.input)?;
    let named = input::delimiter_of(&args.input);
    let delimiter = match args.delimiter {
        Some(_) if format == Format::Jsonl => bail!(DELIMITER_OF_JSON),
        Some(delimiter) => delimiter,
        None if format == Format::Csv => {
            let header = opened.first_line(args.max_line).context("cannot read the input")?;
            input::other_delimiter(&header, named).unwrap_or(named)
        }
        None => named,
    };
    let form = Form { format, delimiter, max_line: args.max_line };
    Ok((RawFeed::start(opened, form), form))
}

/// Returns the options by which `kleene run` reads the same input.
fn form_options(args: &InferArgs, form: Form) -> Vec<String> {
    let mut options = Vec::new();
    if form.format != Format::of(&args.input) {
        let format = if form.format == Format::Csv { "csv" } else { "jsonl" };
        options.push(format!("--format {format}"));
    }
    if form.format == Format::Csv && form.delimiter != input::delimiter_of(&args.input) {
        options.push(format!("--delimiter {}", input::delimiter_argument(form.delimiter)));
    }
    if form.max_line != 1 << 20 {
        options.push(format!("--max-line {}", form.max_line));
    }
    options
}

fn report(args: &InferArgs, read: &Read, sample: &Sample, line: &str) {
    let events = counted(read.events, "event");
    let types = counted(sample.types(), "type");
    say(&format!("{events} of {types}"));
    if read.rejected > 0 {
        say(&format!("{} could not be used:", counted(read.rejected, line)));
        read.reasons.iter().for_each(|reason| say(&format!("  {reason}")));
        if read.typeless > 0 {
            say(&format!("hint: {}", sample.hint()));
        }
    }
    if !read.is_whole {
        let lines = counted(args.sample, line);
        say(&format!("only the first {lines} were read; --sample reads more"));
    }
}
