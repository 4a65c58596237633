//! Checks before a run starts.

use std::path::Path;

use anyhow::{Result, bail};

use crate::args::RunArgs;
use crate::guard::{self, Guard};
use crate::rules::Loaded;
use crate::source::topic::is_topic;
use crate::state::Resumed;
use kleene_host::watch::Files;

/// Fails where loaded rules are of no use for this run.
pub(super) fn suits(args: &RunArgs, loaded: &Loaded) -> Result<()> {
    if loaded.rules.is_empty() {
        bail!("no rule to run");
    }
    loaded.refuse_unknown_type(args.events.event_type.as_deref())?;
    if is_topic(&args.events.input) && args.state.directory.is_some() {
        bail!(
            "--state knows no position in a topic of Kafka: `kleene serve` continues where it was, \
             and commits results and positions together"
        );
    }
    args.events.refuse_needless_delimiter()
}

/// Opening a file to write to it empties it, which must not happen to what is read.
pub(super) fn refuse_same_files(args: &RunArgs, files: &Files) -> Result<()> {
    let mut guard = Guard::default();
    guard.reads(&args.events.input, "the input");
    files.paths().for_each(|path| guard.reads(path, "a file of the rules"));
    guard.writes(&args.output, "the output")?;
    if let Some(rejects) = &args.rejects {
        guard.writes(rejects, "the rejects")?;
    }
    let Some(state) = &args.state.directory else { return Ok(()) };
    for path in [Some(&args.output), args.rejects.as_ref()].into_iter().flatten() {
        if path != Path::new("-") && guard::is_within(path, state) {
            let (path, state) = (path.display(), state.display());
            bail!("{path} is inside {state}, which must contain only the state");
        }
    }
    if args.state.spill.as_deref().is_some_and(|spill| guard::is_same_directory(spill, state)) {
        bail!("--spill and --state need two different directories, not both {}", state.display());
    }
    Ok(())
}

/// The endings of names of files with columns.
const COLUMNS: [&str; 5] = ["parquet", "arrow", "arrows", "feather", "ipc"];

/// A file with columns is whole only once it is complete.
fn refuse_columns_that_are_cut(args: &RunArgs) -> Result<()> {
    let name = args.output.display();
    if args.state.directory.is_some() {
        bail!(
            "--output {name}: a run with --state cuts its output back to the last checkpoint, which \
             is only possible with JSON lines; name it *.jsonl"
        );
    }
    Ok(())
}

/// Results are JSON lines, or columns if the name says so, and rejects are JSON lines: a name that
/// promises another form would be wrong.
pub(super) fn refuse_other_forms(args: &RunArgs) -> Result<()> {
    for (option, path) in [("--output", Some(&args.output)), ("--rejects", args.rejects.as_ref())] {
        let ending = path.and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        let Some((path, ending)) = path.zip(ending) else { continue };
        let ending = ending.to_ascii_lowercase();
        let is_columns = COLUMNS.contains(&&*ending);
        if is_columns && cfg!(feature = "arrow") && option == "--output" {
            refuse_columns_that_are_cut(args)?;
            continue;
        }
        if is_columns && option == "--output" {
            bail!(
                "{option} {}: this program was built without {ending}\nhelp: build it with `cargo \
                 build --release -p kleene-cli --features arrow`, or name the file *.jsonl",
                path.display()
            );
        }
        if is_columns || ["csv", "tsv", "xlsx", "gz", "zst"].contains(&&*ending) {
            let advice = match &*ending {
                "gz" | "zst" => "to compress the output: `kleene run .. | gzip > found.jsonl.gz`",
                _ => {
                    "name it *.jsonl, and convert it: `jq -r '[.rule, .end, .emit.x] | @csv' \
                     found.jsonl`"
                }
            };
            bail!("{option} {}: the output is JSON lines, not {ending}; {advice}", path.display());
        }
    }
    Ok(())
}

/// A file ends; it does not fall silent.
pub(super) fn refuse_silent_files(args: &RunArgs) -> Result<()> {
    let Some(timeout) = args.idle_timeout else { return Ok(()) };
    if timeout.is_zero() {
        bail!("--idle-timeout: expected a time greater than 0, such as 10s");
    }
    let input = &args.events.input;
    if input != Path::new("-") && input.is_file() {
        bail!(
            "--idle-timeout is for live input, but {name} is a file; to follow the file, use `tail \
             -f {name} | kleene run ..`; to end open partial matches with the file, use \
             --end-of-time",
            name = input.display()
        );
    }
    Ok(())
}

/// Returns the reason why a run with a state has nothing to do, if that is so.
pub(super) fn nothing_new(args: &RunArgs, resumed: &Resumed) -> Option<String> {
    if resumed.is_finished {
        return Some(String::from(
            "nothing new: the input was read to its end with --end-of-time, and everything was \
             reported; to start again, remove the state directory",
        ));
    }
    (resumed.is_at_end && !args.events.end_of_time).then(|| {
        String::from(
            "nothing new: the input was read to its end before, and has not grown; the state keeps \
             the open partial matches",
        )
    })
}
