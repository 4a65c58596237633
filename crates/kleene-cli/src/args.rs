//! The command line as it is typed.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kleene::schema::Schema;

use crate::input::{self, Feed, Form, Format, Opened, Reading, TimeUnit, duration_from_text};
use crate::rules::RuleArgs;

/// Finds patterns of events over time in files and streams.
#[derive(Debug, Parser)]
#[command(name = "kleene", version, max_term_width = 100, after_help = HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const HELP: &str = "\
Examples:
  kleene infer orders.jsonl > shop.cep                   declare what is in a file
  kleene check shop.cep                                  what is wrong with the rules, if anything
  kleene run shop.cep --input orders.jsonl               what they find
  kleene help run                                        more on a command, with examples

Exit codes: 0 all is fine; 1 the rules are wrong, or a test of them fails; 2 wrong usage, or a file
that cannot be read or written; 3 nothing was found, as no event of the input could be used; 130
interrupted by Ctrl-C.";

const RUN_HELP: &str = "\
Examples:
  kleene run shop.cep --input orders.jsonl.gz            a file, unpacked while it is read
  tail -f orders.jsonl | kleene run shop.cep             a stream; results come as they are found
  kleene run rules/ -i trades.csv --param active_trader.limit=10
  kleene run ssh.cep -i auth.jsonl --out-of-order 5s --rejects bad.jsonl > found.jsonl
  tail -f orders.jsonl | kleene run shop.cep --watch     edit shop.cep while it runs
  tail -f orders.jsonl | kleene run shop.cep --idle-timeout 10s
                                                         a silence is reported as it lasts
  kleene run shop.cep -i all-of-may.jsonl --end-of-time  nothing comes after the input
  kleene run shop.cep -i orders.jsonl -o found.jsonl --state shop.state
                                                         goes on after a crash, each result once
  kleene run shop.cep -i orders.jsonl --spill /var/tmp --keys-in-memory 500000
                                                         more open keys than fit into memory

Each result is one JSON object a line on standard output, or a short line for people (--brief). The
summary on standard error counts events, matches, timeouts, late, rejected and unknown events.

Times are RFC 3339 or epoch numbers (--time-unit). The event time is the declared field of type
`time`; where a type declares none, or an event lacks it, it is the field `ts` (--time-field).

The end of the input is not the end of time: partial matches that are open there are left open and
counted, unless --end-of-time says that nothing comes after it.

Exit codes: 0 the input was read to its end, or nobody reads the output any more; 1 the rules are
wrong; 2 wrong usage, or a file that cannot be read or written; 3 nothing was found, as no event of
the input could be used (rejected, of types that no rule reads, late, without key, or all dated in
1970 or after 2100); 130 interrupted by Ctrl-C: what was found until then is reported, and what is
still open is not reported as a timeout.";

const CHECK_HELP: &str = "\
Examples:
  kleene check shop.cep                                  one file, and those that it uses
  kleene check rules/ --deny warnings                    every *.cep below it, as one set of rules

`kleene explain CODE` says at length what an error or warning means.

Exit codes: 0 no errors; 1 errors, or warnings that are denied; 2 wrong usage, or a file that cannot
be read.";

const WHY_HELP: &str = "\
Examples:
  kleene why shop.cep --rule unpaid_order --key 1007 --input orders.jsonl
  kleene why rules/ --rule guessed --key user=ann,host=db1 -i auth.jsonl --last 20
  zcat ticks.csv.gz | kleene why v.cep --key AAA --format csv --json

Each event of the key is reported with what it did to each partial match: which step took it, which
part of a condition failed and the values that were seen, what is waited for and until when.

Exit codes: 0 it was reported, or the key never occurs; 1 the rules are wrong; 2 wrong usage, or a
file that cannot be read; 3 no event of the input could be used, as `kleene run` says it; 130
interrupted by Ctrl-C: what was read until then is reported.";

const TEST_HELP: &str = "\
Examples:
  kleene test patterns/                                  every test of every file below it
  kleene test shop.cep --rule unpaid_order               the tests of one rule
  kleene test rules/ --junit report.xml                  a report for continuous integration

A test stands beside its rule:
  test unpaid_order {
    at 0s  order_created { order_id: \"1\" }
    at 1m  order_created { order_id: \"2\" }
    at 9m  order_paid    { order_id: \"1\" }
    advance to 12m
    expect match { order_id: \"2\" } at 11m
    expect no match { order_id: \"1\" }
  }

An expectation is judged where it stands. `expect match` names fields that a match has to hold at
least, and each names a match of its own; matches that none names do not fail a test. Times count
from the start of the test, which is 2000-01-01T00:00:00Z.

Exit codes: 0 all tests pass; 1 a test fails, or the rules are wrong; 2 wrong usage, or a file that
cannot be read or written.";

const FMT_HELP: &str = "\
Examples:
  kleene fmt rules/                  every *.cep there, in place; only what changes is written
  kleene fmt --check rules/ docs/    change nothing, fail if something would change
  kleene fmt - < shop.cep            from standard input to standard output

In Markdown (*.md) the fenced blocks that are marked `cep` are formatted, and nothing else is
touched; one that is marked `cep error=CODE` shows a mistake and stays as it is.

Exit codes: 0 all is formatted; 1 the rules have mistakes, or --check found something to format;
2 wrong usage, or a file that cannot be read or written.";

const EXPLAIN_HELP: &str = "\
Examples:
  kleene explain E0401                                   an error: a wrong example and a right one
  kleene explain                                         all codes, a line each
  kleene explain shop.cep                                rules: their steps, bounds and cost
  kleene explain shop.cep --rule unpaid_order --svg > unpaid.svg
  kleene explain shop.cep --rule unpaid_order --states   what it is compiled to

--dot is for Graphviz, --mermaid for Markdown pages; with --states they draw the automaton.

Exit codes: 0 it was explained; 1 the rules are wrong; 2 there is no such code or rule, or a file
cannot be read.";

const INFER_HELP: &str = "\
Examples:
  kleene infer orders.jsonl.gz > events.cep              and write rules below the declarations
  head -n 1000 app.log | kleene infer - --type-field event
  kleene infer ticks.csv --type tick                     one type, which no column reports

What is missing or null in some events gets a `?`. Of several times the likeliest is marked as the
event time, and a comment says why. What has no one type (a number here, a text there; lists of
objects) is left to `..`, with a comment: rules can read it, unchecked. Read the comments, and
change what you know better.

Exit codes: 0 declarations were printed; 2 wrong usage, or nothing can be read as an event.";

const LSP_HELP: &str = "\
Examples:
  kleene lsp                         editors start this; it speaks on standard input and output

An editor shows what is wrong while rules are typed, what names mean and where they are declared,
and offers what could come next; it formats as `kleene fmt` does. For Visual Studio Code there is an
extension in the folder editors/vscode of the sources; other editors start `kleene lsp` for *.cep
files when they are set up to.

Exit codes: 0 the editor shut it down; 1 the editor went away without; 2 wrong usage.";

const COMPLETIONS_HELP: &str = "\
Examples:
  kleene completions bash > ~/.local/share/bash-completion/completions/kleene
  kleene completions zsh > \"${fpath[1]}/_kleene\"
  kleene completions fish > ~/.config/fish/completions/kleene.fish
  kleene completions powershell >> $PROFILE
  kleene completions elvish >> ~/.config/elvish/rc.elv

Exit codes: 0 it was printed; 2 wrong usage.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rules over events and print matches and timeouts
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Check rules and print what is wrong with them
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Report why a rule did or did not match for a key, event by event
    #[command(after_help = WHY_HELP)]
    Why(WhyArgs),
    /// Run the tests that rule files hold
    #[command(after_help = TEST_HELP)]
    Test(TestArgs),
    /// Write rules in their one spelling, comments kept
    #[command(after_help = FMT_HELP)]
    Fmt(FmtArgs),
    /// Say at length what an error means, or what a rule looks for; draw it
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Read a sample of events and print event declarations that fit them
    #[command(after_help = INFER_HELP)]
    Infer(InferArgs),
    /// Serve an editor, in the language server protocol
    #[command(after_help = LSP_HELP)]
    Lsp(LspArgs),
    /// Print what a shell needs to complete commands and options
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

    /// Where results go; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,

    /// Print short lines for people, not JSON: when, which rule, and what it emits. The summary
    /// leaves out what is zero
    #[arg(short, long, conflicts_with_all = ["output", "state"])]
    pub(crate) brief: bool,

    /// For live input: when no event has come for this long, event time moves on with the clock, so
    /// that a silence is reported
    #[arg(long, value_name = "DURATION", value_parser = bound)]
    pub(crate) idle_timeout: Option<Duration>,

    /// Write late and malformed input there, as JSON lines with the line number and the reason
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,

    /// Set a rule's parameter
    #[arg(short, long = "param", value_name = "RULE.NAME=VALUE")]
    pub(crate) params: Vec<String>,

    /// Read the rules again when their files change: those that are given, that they `use`, and
    /// lists `from` files
    #[arg(short, long)]
    pub(crate) watch: bool,

    /// Keep the state of the run in this directory, and go on from there: each result is reported
    /// once, whatever happens in between
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// How often the state is kept: every 10s, or every 100000events (each line that is read
    /// counts)
    #[arg(long, value_name = "HOW OFTEN", default_value = "10s", value_parser = every, requires = "state")]
    pub(crate) checkpoint_every: Every,

    /// Keep what rules hold for keys that have been idle in a file in this directory, so that state
    /// can be larger than memory; results stay the same
    #[arg(long, value_name = "DIR")]
    pub(crate) spill: Option<PathBuf>,

    /// About so many keys stay in memory, over all rules
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, requires = "spill")]
    pub(crate) keys_in_memory: u64,

    /// So many threads parse, and so many match, while another writes; results stay the same.
    /// Where rules cannot be divided by keys, one thread matches; with --watch, --state, --spill or
    /// --idle-timeout, one does everything
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,

    /// So many steps one event takes at most in one rule and key, a step for each partial match
    /// that it is tried against, and 8 where one can go on along several branches and has
    /// aggregates or groups; about a million by default. Where the next event would take more, the
    /// oldest partial matches give way
    #[arg(long, value_name = "NUMBER")]
    pub(crate) steps_per_event: Option<usize>,

    /// So many matches of those that one event completes are listed at most, the first in their
    /// order; about a million by default. The others are counted
    #[arg(long, value_name = "NUMBER")]
    pub(crate) matches_per_set: Option<usize>,

    /// How rules are matched: each as its shape allows, all in the general way, those that can in
    /// the compact form, or none in the compact form. Results are the same
    #[arg(long, value_enum, value_name = "STRATEGY", default_value_t = Strategy::Auto)]
    pub(crate) strategy: Strategy,

    /// Nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Rule files may name files (`use`, `list .. from`) in this directory, too, and not only in
    /// those of the rule files; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

impl RunArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RuleArgs<'_> {
        RuleArgs { paths: &self.rules, params: &self.params, allowed: &self.allow_path }
    }
}

/// How often something is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Every {
    /// After so long.
    Time(Duration),
    /// After so many events.
    Events(u64),
}

/// Reads how often something is done: `10s` or `1000000 events`.
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

    /// The rule; may be left out where there is only one
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

    /// Show at most this number of events and moments, from the first on
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub(crate) limit: usize,

    /// Show this number of the last ones instead
    #[arg(long, value_name = "NUMBER", conflicts_with = "limit")]
    pub(crate) last: Option<usize>,

    /// One JSON object for each event and moment, for programs
    #[arg(long)]
    pub(crate) json: bool,

    /// Rule files may name files (`use`, `list .. from`) in this directory, too, and not only in
    /// those of the rule files; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

impl WhyArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RuleArgs<'_> {
        RuleArgs { paths: &self.rules, params: &self.params, allowed: &self.allow_path }
    }
}

/// Where events come from and how they are read.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// Where events come from; `-` is standard input. Gzip is recognised by itself
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,

    /// How the input is written [default: by the file's name, else jsonl]
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,

    /// How much later than newer events an event may come; what comes later still is late
    #[arg(long, value_name = "DURATION", value_parser = bound, conflicts_with = "sorted")]
    pub(crate) out_of_order: Option<Duration>,

    /// Events come in time order (the default): an event older than the one before it is late
    #[arg(long)]
    pub(crate) sorted: bool,

    /// The field that holds the event type; dotted for one in a nested object
    #[arg(long, value_name = "FIELD", default_value = "type")]
    pub(crate) type_field: String,

    /// The type of every event, where no field holds it
    #[arg(long = "type", value_name = "NAME", conflicts_with = "type_field")]
    pub(crate) event_type: Option<String>,

    /// The field that holds the event time [default: the declared one, else `ts`]
    #[arg(long, value_name = "FIELD")]
    pub(crate) time_field: Option<String>,

    /// What times given as numbers count since 1970
    #[arg(long, value_enum, default_value_t)]
    pub(crate) time_unit: TimeUnit,

    /// What separates the cells of CSV [default: comma, tab for .tsv]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Reject JSON that writes numbers, `true` or `false` as text ("12"); otherwise they are read
    #[arg(long)]
    pub(crate) strict: bool,

    /// Lines longer than this are rejected (bytes, or with K or M)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1M")]
    pub(crate) max_line: usize,

    /// Nothing comes after the input: what is open at its end is reported as if all its time had
    /// passed. Otherwise it is left open, and counted
    #[arg(long)]
    pub(crate) end_of_time: bool,
}

impl InputArgs {
    /// How fields are read.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            type_field: self.type_field.clone(),
            fixed_type: self.event_type.clone(),
            time_field: self.time_field.clone().unwrap_or_else(|| String::from("ts")),
            prefers_time_field: self.time_field.is_some(),
            unit: self.time_unit,
            is_strict: self.strict,
        }
    }

    /// How the input is written: as was said, else by its name.
    pub(crate) fn format(&self) -> Format {
        self.format.unwrap_or_else(|| Format::of(&self.input))
    }

    /// Starts to read events of the types of `schema` from what was opened.
    pub(crate) fn start(&self, opened: Opened, schema: &Schema) -> io::Result<Feed> {
        let form = self.form();
        if opened.start().offset == 0 {
            return Ok(Feed::start(opened, form, schema, self.reading()));
        }
        Feed::resume(opened, input::open(&self.input)?, form, schema, self.reading())
    }

    /// How the input is written, in all.
    pub(crate) fn form(&self) -> Form {
        let delimiter = self.delimiter.unwrap_or_else(|| input::delimiter_of(&self.input));
        Form { format: self.format(), delimiter, max_line: self.max_line }
    }

    /// True if someone has to type the events.
    pub(crate) fn is_typed(&self) -> bool {
        self.input == Path::new("-") && io::stdin().is_terminal()
    }
}

/// `kleene check`
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Fail on warnings too
    #[arg(long, value_name = "WHAT", value_parser = ["warnings"])]
    pub(crate) deny: Option<String>,

    /// Print all that is wrong, not only what fits on a screen
    #[arg(long)]
    pub(crate) all: bool,

    /// Rule files may name files (`use`, `list .. from`) in this directory, too, and not only in
    /// those of the rule files; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

impl CheckArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RuleArgs<'_> {
        RuleArgs { paths: &self.rules, params: &[], allowed: &self.allow_path }
    }
}

/// `kleene test`
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Rule files, or directories with rule files (*.cep)
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Run the tests of this rule only; may be given several times
    #[arg(long = "rule", value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Write a report there, in the XML that continuous integration reads
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Rule files may name files (`use`, `list .. from`) in this directory, too, and not only in
    /// those of the rule files; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

impl TestArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RuleArgs<'_> {
        RuleArgs { paths: &self.rules, params: &[], allowed: &self.allow_path }
    }
}

/// `kleene fmt`
#[derive(Args, Debug)]
pub(crate) struct FmtArgs {
    /// Rule files or Markdown, or directories with them (*.cep, *.md); `-` is standard input
    #[arg(required = true)]
    pub(crate) rules: Vec<PathBuf>,

    /// Change nothing; show what would change and fail if there is something
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

    /// One rule [default: all; a picture is of one]
    #[arg(long, value_name = "NAME", requires = "subjects")]
    pub(crate) rule: Option<String>,

    /// Set a rule's parameter
    #[arg(short, long = "param", value_name = "RULE.NAME=VALUE")]
    pub(crate) params: Vec<String>,

    /// The states of the automaton, not the steps of the rule
    #[arg(long, requires = "subjects")]
    pub(crate) states: bool,

    /// A picture for Graphviz
    #[arg(long, requires = "subjects", conflicts_with_all = ["mermaid", "svg"])]
    pub(crate) dot: bool,

    /// A picture for Mermaid, as Markdown pages show it
    #[arg(long, requires = "subjects", conflicts_with = "svg")]
    pub(crate) mermaid: bool,

    /// A picture as an SVG file
    #[arg(long, requires = "subjects")]
    pub(crate) svg: bool,

    /// Rule files may name files (`use`, `list .. from`) in this directory, too, and not only in
    /// those of the rule files; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_path: Vec<PathBuf>,
}

impl ExplainArgs {
    /// The rules.
    pub(crate) fn rule_args(&self) -> RuleArgs<'_> {
        RuleArgs { paths: &self.subjects, params: &self.params, allowed: &self.allow_path }
    }
}

/// `kleene infer`
#[derive(Args, Debug)]
pub(crate) struct InferArgs {
    /// Where events come from; `-` is standard input. Gzip is recognised by itself
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// Look at the first so many lines
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: u64,

    /// How the input is written [default: by the file's name, else jsonl]
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,

    /// The field that holds the event type; dotted for one in a nested object
    #[arg(long, value_name = "FIELD", default_value = "type")]
    pub(crate) type_field: String,

    /// The type of every event, where no field holds it
    #[arg(long = "type", value_name = "NAME", conflicts_with = "type_field")]
    pub(crate) event_type: Option<String>,

    /// The field that holds the event time [default: the likeliest]
    #[arg(long, value_name = "FIELD")]
    pub(crate) time_field: Option<String>,

    /// What times given as numbers count since 1970 [default: what most of them can be]
    #[arg(long, value_enum)]
    pub(crate) time_unit: Option<TimeUnit>,

    /// What separates the cells of CSV [default: comma, tab for .tsv]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Lines longer than this are left out (bytes, or with K or M)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1M")]
    pub(crate) max_line: usize,

    /// Nothing on standard error but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `kleene lsp`
#[derive(Args, Debug)]
pub(crate) struct LspArgs {
    /// Speak on standard input and output, which is the only way there is; editors say it
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

/// How rules are matched.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Strategy {
    Auto,
    General,
    Compact,
    NoCompact,
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
