//! The command line: commands and their options.

mod help;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use kleene::schema::Schema;

#[cfg(feature = "serve")]
use self::help::SERVE_HELP;
use self::help::{
    CHECK_HELP, COMPLETIONS_HELP, EXPLAIN_HELP, FMT_HELP, HELP, INFER_HELP, LSP_HELP, RUN_HELP,
    TEST_HELP, WHY_HELP,
};
use kleene_host::rules::RulePaths;
use kleene_input::{
    self as input, Feed, Form, Format, Opened, Parsing, Reading, TimeUnit, duration_from_text,
};
use kleene_report::output::EventForm;

use crate::source::topic::is_topic;

/// Returns the parser of `--time-unit`.
fn time_units() -> impl TypedValueParser<Value = TimeUnit> {
    let units = TimeUnit::ALL.into_iter().rev();
    let values = units.clone().map(|unit| {
        let name = unit.name();
        PossibleValue::new(unit.as_str()).help(name[..1].to_uppercase() + &name[1..])
    });
    PossibleValuesParser::new(values)
        .map(move |text| units.clone().find(|unit| unit.as_str() == text).unwrap_or_default())
}

/// The reason to refuse `--delimiter` where the input is not CSV.
pub(crate) const DELIMITER_OF_JSON: &str = "--delimiter is only for CSV, but the input is read as \
                                            JSON lines; to read CSV, add `--format csv`";

/// Finds patterns of events over time in files and streams.
#[derive(Debug, Parser)]
#[command(name = "kleene", version, max_term_width = 100, after_help = HELP)]
pub(crate) struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rules over events and print matches and timeouts
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Check rules and print their mistakes
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Explain why a rule did or did not match for a key, event by event
    #[command(after_help = WHY_HELP)]
    Why(WhyArgs),
    /// Run the tests in rule files
    #[command(after_help = TEST_HELP)]
    Test(TestArgs),
    /// Format rules; comments are kept
    #[command(after_help = FMT_HELP)]
    Fmt(FmtArgs),
    /// Explain an error, or describe or draw a rule
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Read a sample of events and print event declarations that fit them
    #[command(after_help = INFER_HELP)]
    Infer(InferArgs),
    /// Run rules as a service: files, HTTP and Kafka in, files, webhooks, topics and streams out
    #[cfg(feature = "serve")]
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Serve an editor as a language server
    #[command(after_help = LSP_HELP)]
    Lsp(LspArgs),
    /// Print the completion of commands and options for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
}

/// `kleene run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) events: InputArgs,

    /// Write results to this file; `-` is standard output. A name such as found.parquet or found.arrow
    /// makes columns, if the program was built with the feature `arrow`
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,

    /// Print short lines for people, not JSON: time, rule, and emitted fields. The summary omits
    /// counts that are zero
    #[arg(short, long, conflicts_with_all = ["output", "state"])]
    pub(crate) brief: bool,

    /// Choose what a JSON line contains of the captured events
    #[arg(id = "events", long = "events", value_enum, value_name = "FORM", default_value_t = Events::Full, conflicts_with = "brief")]
    pub(crate) event_form: Events,

    /// For live input: after this long without an event, event time advances with the clock, so that
    /// silences are reported
    #[arg(long, value_name = "DURATION", value_parser = bound)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Write late and malformed input to this file, as JSON lines with the line number and the
    /// reason
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// Set a rule's parameter
    #[arg(short, long = "param", value_name = "RULE.NAME=VALUE")]
    pub(crate) params: Vec<String>,

    /// Reload the rules when their files change: the given files, the files that they `use`, and
    /// lists `from` files
    #[arg(short, long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) state: StateArgs,

    #[command(flatten)]
    pub(crate) matching: MatchingArgs,

    #[command(flatten)]
    pub(crate) measuring: MeasuringArgs,

    /// Print nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) allowed: AllowedArgs,
}

impl RunArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RulePaths<'_> {
        RulePaths { paths: &self.rules, params: &self.params, allowed: &self.allowed.allow_path }
    }
}

/// The options that keep the state of a run.
#[derive(Args, Debug)]
pub(crate) struct StateArgs {
    /// Keep the state of the run in this directory, and continue from it: each result is reported
    /// once, even after a crash
    #[arg(id = "state", long = "state", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// Write the state this often: every 10s, or every 100000events (each line counts as an event)
    #[arg(long, value_name = "HOW OFTEN", default_value = "10s", value_parser = every, requires = "state")]
    pub(crate) checkpoint_every: Every,

    /// Keep the state of idle keys in a file in this directory, so that state can be larger than
    /// memory; results stay the same
    #[arg(long, value_name = "DIR")]
    pub(crate) spill: Option<PathBuf>,

    /// Keep about this many keys in memory, in total over all rules
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, requires = "spill")]
    pub(crate) keys_in_memory: u64,
}

/// The options of matching.
#[derive(Args, Debug)]
pub(crate) struct MatchingArgs {
    /// Use about this many processors; results stay the same. By default reading, matching and writing
    /// take place at the same time if there is more than one. 1 is one thread for everything. From 4
    /// on, as many threads parse and as many match, each some of the keys, but not with --watch,
    /// --state, --spill or --idle-timeout
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: Option<u8>,

    /// Limit the steps of one event in one rule and key; about a million by default. Testing an event
    /// against a partial match takes one step, or 8 steps if the partial match can continue along
    /// several branches and has aggregates or groups. If the next event would take more, the oldest
    /// partial matches are dropped
    #[arg(long, value_name = "NUMBER")]
    pub(crate) steps_per_event: Option<usize>,

    /// Report at most this many of the matches that one event completes, the first in their order;
    /// about a million by default. The others are only counted
    #[arg(long, value_name = "NUMBER")]
    pub(crate) matches_per_set: Option<usize>,

    /// Limit the nodes of the graph that stores the partial matches of a key, for rules in the compact
    /// form; about 4 million by default. Beyond the limit, the newest partial matches are dropped.
    /// `limit` in a rule counts partial matches instead, and prevents the compact form
    #[arg(long, value_name = "NUMBER")]
    pub(crate) graph_nodes_per_key: Option<usize>,

    /// Choose the strategy: the best one for each rule, the general one for all rules, the compact
    /// form where possible, or never the compact form. Results are the same
    #[arg(long, value_enum, value_name = "STRATEGY", default_value_t = Strategy::Auto)]
    pub(crate) strategy: Strategy,
}

/// The options that measure a run.
#[derive(Args, Debug)]
pub(crate) struct MeasuringArgs {
    /// At the end, print a table on standard error: how much time went into reading, into matching
    /// for each rule, into writing, and into waiting for input. Some results are timed, and the
    /// rest is estimated from them
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) profile: bool,
}

/// The interval between two checkpoints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Every {
    /// A time.
    Time(Duration),
    /// A number of events.
    Events(u64),
}

/// Reads an interval: `10s` or `1000000 events`.
fn every(text: &str) -> Result<Every, String> {
    let number = text.strip_suffix("events").or_else(|| text.strip_suffix("event"));
    if let Some(number) = number {
        let number: String = number.trim().chars().filter(|c| *c != '_').collect();
        return match number.parse() {
            Ok(0) | Err(_) => {
                Err(String::from("expected a number of events, such as 100000events"))
            }
            Ok(events) => Ok(Every::Events(events)),
        };
    }
    let millis = duration_from_text(text)?;
    match u64::try_from(millis) {
        Ok(millis) => Ok(Every::Time(Duration::from_millis(millis))),
        Err(_) => Err(String::from("cannot be negative")),
    }
}

/// `kleene why`
#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// The rule; may be omitted if there is only one
    #[arg(long, value_name = "NAME")]
    pub(crate) rule: Option<String>,

    /// The key's value, without quotes; `a,b` or `name=a,other=b` for a key of several parts
    #[arg(short, long, value_name = "VALUE")]
    pub(crate) key: Vec<String>,

    #[command(flatten)]
    pub(crate) events: InputArgs,

    /// Set a rule's parameter
    #[arg(short, long = "param", value_name = "RULE.NAME=VALUE")]
    pub(crate) params: Vec<String>,

    /// Show at most this many events and points in time, from the first on
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub(crate) limit: usize,

    /// Show only this many of the last ones
    #[arg(long, value_name = "NUMBER", conflicts_with = "limit")]
    pub(crate) last: Option<usize>,

    /// Print one JSON object for each event and point in time, for programs
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) allowed: AllowedArgs,
}

impl WhyArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RulePaths<'_> {
        RulePaths { paths: &self.rules, params: &self.params, allowed: &self.allowed.allow_path }
    }
}

/// The format of an input.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum InputFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header row
    Csv,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC: a file, also called Feather, or a stream
    Arrow,
}

/// The input, and how it is read.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// Read events from this file; `-` is standard input. Gzip is recognised automatically.
    /// `kafka://BROKERS/TOPIC` is a topic up to its current end, if the program was built with the
    /// feature `kafka`
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,

    /// The format of the input [default: Parquet and Arrow IPC are recognised; else from the file
    /// name, else jsonl]
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<InputFormat>,

    /// Accept events that come this much later than newer events; an event that comes even later is
    /// late
    #[arg(long, value_name = "DURATION", value_parser = bound, conflicts_with = "sorted")]
    pub(crate) out_of_order: Option<Duration>,

    /// Events come in time order (the default): an event older than the one before it is late
    #[arg(long)]
    pub(crate) sorted: bool,

    /// The field that contains the event type; a dotted name for a field of a nested object. If the
    /// field is a list, the declared type in the list is used
    #[arg(long, value_name = "FIELD", default_value = "type")]
    pub(crate) type_field: String,

    /// The type of every event, if no field contains it
    #[arg(long = "type", value_name = "NAME", conflicts_with = "type_field")]
    pub(crate) event_type: Option<String>,

    /// The field that contains the event time [default: the declared one, else `ts`]
    #[arg(long, value_name = "FIELD")]
    pub(crate) time_field: Option<String>,

    /// The unit of numeric times, counted from 1970
    #[arg(long, value_parser = time_units(), default_value = TimeUnit::default().as_str())]
    pub(crate) time_unit: TimeUnit,

    /// The character that separates the cells of CSV [default: comma, tab for .tsv]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Reject JSON with numbers, `true` or `false` as strings ("12"), a single item instead of a list
    /// of one, or a list as the event type; without this option, such events are accepted
    #[arg(long)]
    pub(crate) strict: bool,

    /// Reject lines longer than this (bytes, or with K or M)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1M")]
    pub(crate) max_line: usize,

    /// Treat the end of the input as the end of time: open partial matches are reported as if their
    /// time had passed. Without this option, they stay open and are only counted
    #[arg(long)]
    pub(crate) end_of_time: bool,
}

impl InputArgs {
    /// Returns the options of reading.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            type_field: self.type_field.clone(),
            fixed_type: self.event_type.clone(),
            time_field: self.time_field.clone().unwrap_or_else(|| String::from("ts")),
            prefers_time_field: self.time_field.is_some(),
            unit: self.time_unit,
            is_strict: self.strict,
            options: input::OptionNames::Flags,
        }
    }

    /// Returns the format of an input of text: the given one, else by the file's name.
    pub(crate) fn format(&self) -> Format {
        match self.format {
            Some(InputFormat::Jsonl) => Format::Jsonl,
            Some(InputFormat::Csv) => Format::Csv,
            // The name of a topic says nothing of its records.
            _ if is_topic(&self.input) => Format::Jsonl,
            _ => Format::of(&self.input),
        }
    }

    /// Fails if the input is not in the format that is given. `columns` is the name of its format,
    /// if it holds columns.
    pub(crate) fn refuse_other_format(&self, columns: Option<&str>) -> Result<()> {
        let Some(given) = self.format else { return Ok(()) };
        let is_text = matches!(given, InputFormat::Jsonl | InputFormat::Csv);
        let value = given.to_possible_value();
        let given = value.as_ref().map_or("", |value| value.get_name());
        match columns {
            Some(found) if is_text => {
                bail!("the input is {found}, not {given}: leave out `--format {given}`")
            }
            None if !is_text => bail!("the input is not {given}: leave out `--format {given}`"),
            _ => Ok(()),
        }
    }

    /// Starts to read what was opened.
    pub(crate) fn start(
        &self,
        opened: Opened,
        parser: input::Parser,
        parsing: Parsing,
    ) -> io::Result<Feed> {
        if opened.start().offset == 0 {
            return Ok(Feed::start(opened, parser, parsing));
        }
        Feed::resume(opened, input::open(&self.input)?, parser, parsing)
    }

    /// Returns a parser of events of the types of `schema`.
    pub(crate) fn parser(&self, schema: &Schema) -> input::Parser {
        input::Parser::new(self.form(), schema, self.reading())
    }

    /// Returns the format of the input, with its options.
    pub(crate) fn form(&self) -> Form {
        let delimiter = self.delimiter.unwrap_or_else(|| input::delimiter_of(&self.input));
        Form { format: self.format(), delimiter, max_line: self.max_line }
    }

    /// Fails if the delimiter of CSV is given for another format: it would do nothing.
    pub(crate) fn refuse_needless_delimiter(&self) -> Result<()> {
        if self.delimiter.is_some() && self.format() != Format::Csv {
            bail!(DELIMITER_OF_JSON);
        }
        Ok(())
    }

    /// True if the events come from a terminal.
    pub(crate) fn is_typed(&self) -> bool {
        self.input == Path::new("-") && io::stdin().is_terminal()
    }
}

/// The files that rule files may name.
#[derive(Args, Debug)]
pub(crate) struct AllowedArgs {
    /// Let rule files also name files (`use`, `list .. from`) in this directory; by default they
    /// can name only files in the directories of the rule files. May be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

/// `kleene check`
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Fail on warnings, too
    #[arg(long, value_name = "WHAT", value_parser = ["warnings"])]
    pub(crate) deny: Option<String>,

    /// Print all mistakes, not only the first screenful
    #[arg(long)]
    pub(crate) all: bool,

    /// Print the cost of each rule: how the time of an event and the memory of a key grow
    #[arg(long)]
    pub(crate) cost: bool,

    /// Print the costs as one JSON object for each rule, for programs
    #[arg(long, requires = "cost")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) allowed: AllowedArgs,
}

impl CheckArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RulePaths<'_> {
        RulePaths { paths: &self.rules, params: &[], allowed: &self.allowed.allow_path }
    }
}

/// `kleene test`
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Run only the tests of this rule; may be given several times
    #[arg(long = "rule", value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Write a report for continuous integration to this file, as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) allowed: AllowedArgs,
}

impl TestArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RulePaths<'_> {
        RulePaths { paths: &self.rules, params: &[], allowed: &self.allowed.allow_path }
    }
}

/// `kleene fmt`
#[derive(Args, Debug)]
pub(crate) struct FmtArgs {
    /// Rule files or Markdown, or directories with them (*.cep, *.md); `-` is standard input
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Change nothing; show the differences, and fail if there are any
    #[arg(long, conflicts_with = "stdout")]
    pub(crate) check: bool,

    /// Print the result instead of changing files
    #[arg(long)]
    pub(crate) stdout: bool,
}

/// `kleene explain`
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct ExplainArgs {
    /// The code of a diagnostic, such as E0401, or rule files [default: list all codes]
    #[arg(value_name = "CODE | RULES")]
    pub(crate) subjects: Vec<PathBuf>,

    /// One rule [default: all; a picture needs one]
    #[arg(long, value_name = "NAME", requires = "subjects")]
    pub(crate) rule: Option<String>,

    /// Set a rule's parameter
    #[arg(short, long = "param", value_name = "RULE.NAME=VALUE")]
    pub(crate) params: Vec<String>,

    /// Show the states of the automaton, not the steps of the rule
    #[arg(long, requires = "subjects")]
    pub(crate) states: bool,

    /// Draw a picture for Graphviz
    #[arg(long, requires = "subjects", conflicts_with_all = ["mermaid", "svg"])]
    pub(crate) dot: bool,

    /// Draw a picture for Mermaid, for Markdown pages
    #[arg(long, requires = "subjects", conflicts_with = "svg")]
    pub(crate) mermaid: bool,

    /// Draw a picture as an SVG file
    #[arg(long, requires = "subjects")]
    pub(crate) svg: bool,

    #[command(flatten)]
    pub(crate) allowed: AllowedArgs,
}

impl ExplainArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RulePaths<'_> {
        RulePaths { paths: &self.subjects, params: &self.params, allowed: &self.allowed.allow_path }
    }
}

/// `kleene infer`
#[derive(Args, Debug)]
pub(crate) struct InferArgs {
    /// Read events from this file; `-` is standard input. Gzip is recognised automatically
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// Read only this many lines from the start
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: u64,

    /// The format of the input [default: from the file name, else jsonl]
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,

    /// The field that contains the event type; a dotted name for a field of a nested object
    #[arg(long, value_name = "FIELD", default_value = "type")]
    pub(crate) type_field: String,

    /// The type of every event, if no field contains it
    #[arg(long = "type", value_name = "NAME", conflicts_with = "type_field")]
    pub(crate) event_type: Option<String>,

    /// The field that contains the event time [default: the most likely one]
    #[arg(long, value_name = "FIELD")]
    pub(crate) time_field: Option<String>,

    /// The unit of numeric times, counted from 1970 [default: the unit that fits most times]
    #[arg(long, value_parser = time_units())]
    pub(crate) time_unit: Option<TimeUnit>,

    /// The character that separates the cells of CSV [default: comma, tab for .tsv]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Skip lines longer than this (bytes, or with K or M)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1M")]
    pub(crate) max_line: usize,

    /// Print nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `kleene serve`
#[cfg(feature = "serve")]
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The configuration: sources, rules, sinks, limits and addresses, in TOML
    pub(crate) config: PathBuf,

    /// Check the configuration and the rules that it names, and run nothing
    #[arg(long)]
    pub(crate) check: bool,
}

/// `kleene lsp`
#[derive(Args, Debug)]
pub(crate) struct LspArgs {
    /// Use standard input and output, the only transport; editors pass this option
    #[arg(long, hide = true)]
    pub(crate) stdio: bool,
}

/// `kleene completions`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

fn bound(text: &str) -> Result<Duration, String> {
    let millis = duration_from_text(text)?;
    u64::try_from(millis).map(Duration::from_millis).map_err(|_| String::from("cannot be negative"))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err(String::from("expected one ASCII character such as ; or \\t")),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => return Err(String::from("expected a number of bytes such as 65536, 64K or 16M")),
    };
    let number: usize = digits
        .parse()
        .map_err(|_| String::from("expected a number of bytes such as 64K or 16M"))?;
    match number.checked_mul(unit) {
        Some(size @ 1..=0x4000_0000) => Ok(size),
        _ => Err(String::from("expected 1 byte to 1G")),
    }
}

/// The strategy for all rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Strategy {
    Auto,
    General,
    Compact,
    NoCompact,
}

/// The form of the captured events in a JSON line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Events {
    /// Nothing: the line has no `events`
    None,
    /// The type and the time of each event
    Ids,
    /// All fields of each event
    Full,
}

impl From<Events> for EventForm {
    fn from(form: Events) -> EventForm {
        match form {
            Events::None => EventForm::None,
            Events::Ids => EventForm::Ids,
            Events::Full => EventForm::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_and_reports_its_exit_codes() {
        let cli = Cli::command();
        for command in cli.get_subcommands().chain([&cli]) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for part in ["Examples:\n  ", "\nExit codes: 0 "] {
                assert!(help.contains(part), "{}: {part}", command.get_name());
            }
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{}", command.get_name());
        }
    }

    #[test]
    fn every_example_of_the_help_is_a_command_line() {
        let cli = Cli::command();
        let mut read = 0;
        for command in cli.get_subcommands().chain([&cli]) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter_map(|line| line.strip_prefix("  ")) {
                let Some(at) = line.find("kleene ") else { continue };
                // Two blanks set off what is said about it; the shell takes what is behind `>`.
                let typed = line[at..].split("  ").next().unwrap_or_default();
                let typed = typed.split(['>', '<', '|']).next().unwrap_or_default();
                let words = typed.split_whitespace().filter(|word| *word != "help");
                let parsed = Cli::try_parse_from(words);
                let is_fine = parsed.as_ref().map_or_else(
                    |error| error.kind() == clap::error::ErrorKind::MissingRequiredArgument,
                    |_| true,
                );
                assert!(is_fine && at < 40, "{line}: {parsed:?}");
                read += 1;
            }
        }
        assert!(read > 15, "{read}");
    }

    #[test]
    fn sizes_delimiters_and_bounds_are_read() {
        assert_eq!(size("64K"), Ok(65536));
        assert_eq!(size("1"), Ok(1));
        for text in ["0", "", "K", "5T", "99G", "-1", "1.5M"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(delimiter(";"), Ok(b';'));
        assert_eq!(delimiter("\\t"), Ok(b'\t'));
        for text in ["", "ab", "\"", "\n", "\u{e9}"] {
            assert!(delimiter(text).is_err(), "{text}");
        }
        assert_eq!(bound("1s500ms"), Ok(Duration::from_millis(1500)));
        assert!(bound("-1m").is_err());
    }
}
