//! `kleene run`: events in, matches and timeouts out.

mod checks;
mod current;
mod outlets;
mod parallel;
mod pump;
mod start;
mod stop;

use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use kleene::Record;
use kleene::stream::{Engine, RestoreError};
use kleene_syntax::hir::Rule;

use self::checks::{
    nothing_new, refuse_other_forms, refuse_same_files, refuse_silent_files, suits,
};
use self::current::Current;
use self::outlets::Outlets;
use self::parallel::Finished;
use self::pump::{MAX_LINES, pump};
use self::start::{build, builder};
use self::stop::Stop;
use crate::args::{Every, RunArgs};
use crate::division::Division;
use crate::ending::Ending;
use crate::idle::IdleClock;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::ReadProgress;
use crate::rejects::Rejects;
use crate::review::{Facts, Review};
use crate::rules::{self, Listing, Loaded};
use crate::source::{EventSource, OpenInput, ReadPlan};
use crate::state::State;
use crate::stderr::say;
use crate::summary::{shown, summary};
use kleene_host::paths;
use kleene_host::spill::Spill;
use kleene_host::watch::{Files, Watch};
use kleene_input::{Blocks, Opened, Parsing};
use kleene_report::counts::Counts;
use kleene_report::output::{LineForm, Shapes};

/// Runs rules over an input.
pub(crate) fn run(args: &RunArgs) -> Result<Ending> {
    if args.watch {
        paths::require_regular(&args.rules)?;
    }
    let mut files = Files::default();
    let loaded = match rules::load_and_note(args.rule_args(), Listing::Screen, &mut files)? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    if !args.quiet && !loaded.warnings.is_empty() {
        say(&loaded.warnings);
    }
    suits(args, &loaded)?;
    refuse_same_files(args, &files)?;
    refuse_other_forms(args)?;
    refuse_silent_files(args)?;
    let opened = args.state.directory.as_deref().map(|path| State::open(path, args)).transpose()?;
    let (state, resumed) = opened.map_or((None, None), |(state, from)| (Some(state), from));
    if let Some(reason) = resumed.as_ref().and_then(|resumed| nothing_new(args, resumed)) {
        say(&reason);
        return Ok(Ending::Fine);
    }
    let spill = args.state.spill.as_deref().map(Spill::create).transpose()?;
    let engine = match build(args, &loaded, resumed.as_ref(), spill) {
        Ok(engine) => engine,
        Err(error) if matches!(error.downcast_ref(), Some(RestoreError::Cold(_))) => {
            return Err(error);
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            return Ok(Ending::WrongRules);
        }
    };
    if !args.quiet && args.events.is_typed() {
        say("reading events from the terminal; Ctrl-D ends, --input reads a file");
    }
    let from = resumed.as_ref().map(|resumed| resumed.position).filter(|from| from.offset > 0);
    let from = from.filter(|_| args.events.input != Path::new("-")).unwrap_or_default();
    let input = OpenInput::open(&args.events, from)?;
    let row_name = input.row_name;
    let kept = resumed.as_ref().map_or((None, None), |resumed| (resumed.output, resumed.rejects));
    let time_field = args.events.reading().time_field;
    let form = if args.brief { LineForm::Brief } else { LineForm::Json };
    let shapes = Shapes::new(engine.schema(), time_field.into(), form)
        .with_rules(engine.rules())
        .with_events(args.event_form.into());
    let output = Output::open(&args.output, kept.0, shapes)?;
    let rejects = Rejects::open(args.rejects.as_deref(), kept.1, args.quiet, row_name)?;
    // Results that go to the terminal say enough of the progress.
    let shows_progress = !args.quiet && !output.is_terminal();
    let progress =
        ReadProgress::new(input.opened.size, input.opened.position.clone(), shows_progress);
    let division = Division::of(args, row_name);
    if let Division::Keys(_) = division {
        let review = Review::new(&loaded.schema, &args.events, row_name);
        let outlets = Outlets::new(args, output, rejects, progress, review);
        return run_parallel(args, &loaded, input.opened, outlets);
    }
    let review = Review::new(engine.schema(), &args.events, row_name);
    let mut outlets = Outlets::new(args, output, rejects, progress, review);
    let mut counts = Counts::default();
    if let Some(resumed) = resumed {
        outlets.review.is_of_a_part();
        (counts, outlets.tally) = (resumed.counts, resumed.tally);
    }
    let start = Start { division, engine, input, files, state, outlets, counts };
    run_one(args, loaded, start)
}

/// The parts that a run of one engine starts with.
struct Start {
    division: Division,
    engine: Engine<Record>,
    input: OpenInput,
    files: Files,
    state: Option<State>,
    outlets: Outlets,
    counts: Counts,
}

/// Runs rules in one engine.
fn run_one(args: &RunArgs, loaded: Loaded, start: Start) -> Result<Ending> {
    let Start { division, mut engine, input, files, state, mut outlets, mut counts } = start;
    if args.measuring.profile {
        outlets.measure();
    }
    let started = Instant::now();
    let interrupt = Interrupt::default();
    let parsing = if division == Division::Alone {
        Parsing::Here
    } else {
        outlets.output = outlets.output.write_aside()?;
        Parsing::Ahead(MAX_LINES)
    };
    let plan = ReadPlan {
        schema: engine.schema(),
        declared: &loaded.schema,
        parsing,
        rows: batch_rows(args, &loaded),
        // A batch that is decoded is of the rules from before a change.
        ahead: if args.watch { 1 } else { 4 },
    };
    let mut feed = EventSource::start(&args.events, input, &plan)?;
    if !args.quiet
        && let Some(note) = feed.disorder()
    {
        say(note);
    }
    interrupt.listen(feed.waker());
    let watch = args.watch.then(|| Watch::start(&args.rules, files, feed.waker()));
    let bound = args.events.out_of_order.unwrap_or_default();
    let clock = |timeout| IdleClock::new(timeout, bound, engine.watermark());
    let idle = args.idle_timeout.map(clock);
    let mut current = Current {
        args,
        watch,
        loaded,
        state,
        idle,
        newest: None,
        arrived: engine.stats().events,
        has_come: false,
        has_ended: false,
    };
    let mut stop =
        pump(&mut feed, &mut engine, &mut outlets, &mut counts, &interrupt, &mut current);
    if matches!(stop, Stop::End) {
        stop = current.end(&feed, &mut engine, &mut outlets, &counts);
    } else if matches!(stop, Stop::Interrupted)
        && let Err(error) = current.keep(&feed, &mut engine, &mut outlets, &counts)
    {
        stop = Stop::Failed(error);
    }
    // The summary counts what can still go on.
    engine.sweep();
    let (is_empty, header) = (feed.is_empty(), feed.header());
    outlets.output.flush();
    let profile = outlets.parts(started.elapsed(), &feed, division);
    let stats = engine.stats();
    let ran = Finished { stop, stats, outlets, counts, is_empty, header, profile };
    conclude(args, &current.loaded, ran, started)
}

/// Returns the maximum number of rows of a batch of columns.
fn batch_rows(args: &RunArgs, loaded: &Loaded) -> usize {
    match args.state.checkpoint_every {
        // No row after the event that exceeds a limit may be counted.
        _ if loaded.can_fail => 1,
        Every::Events(rows) if args.state.directory.is_some() => {
            usize::try_from(rows).unwrap_or(MAX_LINES).min(MAX_LINES)
        }
        _ => MAX_LINES,
    }
}

/// Runs rules on several threads, each with some of the keys.
fn run_parallel(
    args: &RunArgs,
    loaded: &Loaded,
    opened: Opened,
    outlets: Outlets,
) -> Result<Ending> {
    let started = Instant::now();
    let interrupt = Interrupt::default();
    let blocks = Blocks::start(opened, args.events.form());
    let parser = args.events.parser(&loaded.schema);
    interrupt.listen(blocks.waker());
    let ran = parallel::run(args, builder(args, loaded), &blocks, parser, outlets, &interrupt)?;
    conclude(args, loaded, ran, started)
}

/// Writes what is left, and says what came of a run.
fn conclude(args: &RunArgs, loaded: &Loaded, ran: Finished, started: Instant) -> Result<Ending> {
    let Finished { stop, stats, outlets, counts, is_empty, header, profile } = ran;
    let Outlets { mut output, mut rejects, progress, tally, review, .. } = outlets;
    output.finish();
    progress.clear();
    if let Some(error) = output.failure() {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(Ending::Fine);
        }
        return Err(error)
            .with_context(|| format!("cannot write the output {}", args.output.display()));
    }
    rejects.finish()?;
    if !args.quiet {
        if matches!(stop, Stop::Interrupted) {
            let partials = shown(stats.partials);
            say(&if args.state.directory.is_some() {
                format!(
                    "interrupted: these are the results so far; the state keeps {partials} partial \
                     matches, and the same command continues from here"
                )
            } else {
                format!(
                    "interrupted: these are the results so far; {partials} partial matches are \
                     still open, and are not reported as timeouts"
                )
            });
        }
        let open = match stop {
            Stop::End if args.state.directory.is_some() => "partial matches; the state keeps them",
            Stop::End => "partial matches; --end-of-time ends them with the input",
            _ => "partial matches",
        };
        let text = summary(&stats, &counts, open, started.elapsed(), args.brief);
        let rules = tally.table(loaded.rules.iter().map(|rule| &rule.name));
        say(format!("{text}{rules}").trim_end());
        if let Some(parts) = profile {
            say(&parts.table());
        }
    }
    let rules: Vec<&Rule> = loaded.rules.iter().map(|rule| &**rule).collect();
    let findings = review.findings(&Facts {
        args: &args.events,
        loaded,
        rules: &rules,
        counts: &counts,
        header: &header,
        is_empty,
        found: stats.matches + stats.timeouts + stats.suppressed,
        keyless: stats.keyless,
    });
    if matches!(stop, Stop::End | Stop::Interrupted) {
        if args.quiet {
            findings.say_if_unusable();
        } else {
            findings.say();
        }
    }
    match stop {
        Stop::End if findings.unusable.is_some() => Ok(Ending::Unusable),
        Stop::End | Stop::CannotWrite => Ok(Ending::Fine),
        Stop::Interrupted => Ok(Ending::Interrupted),
        Stop::CannotRead(error) | Stop::Failed(error) => Err(error),
    }
}
