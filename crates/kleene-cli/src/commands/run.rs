//! `kleene run`: events in, matches and timeouts out.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use kleene::hir::Rule;
use kleene::schema::TypeId;
use kleene::stream::{
    Builder, Engine, Late, Match, Overflow, PushError, Reason, Rejected, Replacement, RestoreError,
    RuleChange, Sink, Timeout, Verdict,
};
use kleene::value::{Value, ValueRef};
use kleene::{Event as _, Record, Timestamp};

use super::parallel::{self, Ran};
use crate::Ending;
use crate::args::{RunArgs, Strategy};
use crate::guard::{self, Guard};
use crate::idle::IdleClock;
use crate::input::{self, Blocks, Feed, Fill, Item, Parser, Place, Position};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::paths;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::review::{Facts, Review};
use crate::rules::{self, Loaded};
use crate::spill::Spill;
use crate::state::{Moment, Resumed, State};
use crate::summary::{Counts, counted, grouped, summary};
use crate::tally::Tally;
use crate::watch::{Files, Watch};

/// Runs rules over an input.
pub(crate) fn run(args: &RunArgs) -> Result<Ending> {
    if args.watch {
        paths::require_regular(&args.rules)?;
    }
    let mut files = Files::default();
    let loaded = match rules::load_and_note(args.given(), false, &mut files)? {
        Ok(loaded) => loaded,
        Err(refused) => {
            crate::say(&refused.text);
            return Ok(refused.ending);
        }
    };
    if !args.quiet && !loaded.warnings.is_empty() {
        crate::say(&loaded.warnings);
    }
    suits(args, &loaded)?;
    refuse_same_files(args, &files)?;
    refuse_other_forms(args)?;
    refuse_silent_files(args)?;
    let opened = args.state.as_deref().map(|path| State::open(path, args)).transpose()?;
    let (state, resumed) = opened.map_or((None, None), |(state, from)| (Some(state), from));
    if let Some(reason) = resumed.as_ref().and_then(|resumed| nothing_new(args, resumed)) {
        crate::say(&reason);
        return Ok(Ending::Fine);
    }
    let spill = args.spill.as_deref().map(Spill::create).transpose()?;
    let mut engine = match build(args, &loaded, resumed.as_ref(), spill) {
        Ok(engine) => engine,
        Err(error) if matches!(error.downcast_ref(), Some(RestoreError::Cold(_))) => {
            return Err(error);
        }
        Err(error) => {
            crate::say(&format!("error: {error:#}"));
            return Ok(Ending::WrongRules);
        }
    };
    if !args.quiet && args.events.is_typed() {
        crate::say("reading events from the terminal; Ctrl-D ends, --input reads a file");
    }
    let from = resumed.as_ref().map(|resumed| resumed.position).filter(|from| from.offset > 0);
    let from = from.filter(|_| args.events.input != Path::new("-")).unwrap_or_default();
    let opened = input::open_at(&args.events.input, from)?;
    let kept = resumed.as_ref().map_or((None, None), |resumed| (resumed.output, resumed.rejects));
    let time_field = args.events.reading().time_field;
    let output = Output::open(&args.output, kept.0, engine.schema(), &time_field, args.brief)?;
    let rejects = Rejects::open(args.rejects.as_deref(), kept.1, args.quiet)?;
    // Results that go to the terminal say enough of the progress.
    let shows_progress = !args.quiet && !output.is_terminal();
    let progress = Progress::new(opened.size, opened.position.clone(), shows_progress);
    let started = Instant::now();
    let interrupt = Interrupt::default();
    let is_alone = args.watch || state.is_some() || args.spill.is_some();
    if args.threads > 1 && !is_alone && args.idle_timeout.is_none() {
        let shards = builder(args, &loaded).shards(args.threads.into())?;
        let blocks = Blocks::start(opened, args.events.form());
        let parser = Parser::new(args.events.form(), &loaded.schema, args.events.reading());
        interrupt.listen(blocks.waker());
        let review = Review::new(&loaded.schema, args.events.time_unit);
        let outlets = Outlets::new(args, output, rejects, progress, review);
        let threads = args.threads.into();
        let end_of_time = args.events.end_of_time;
        let ran =
            parallel::run(threads, shards, &blocks, parser, outlets, &interrupt, end_of_time)?;
        return conclude(args, &loaded, ran, started);
    }
    let mut feed = args.events.start(opened, &loaded.schema)?;
    feed.renew(engine.schema(), &loaded.schema);
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
        has_come: false,
        has_ended: false,
    };

    let mut review = Review::new(engine.schema(), args.events.time_unit);
    if resumed.is_some() {
        review.is_of_a_part();
    }
    let mut outlets = Outlets::new(args, output, rejects, progress, review);
    let mut counts = Counts::default();
    if let Some(resumed) = resumed {
        (counts, outlets.tally) = (resumed.counts, resumed.tally);
    }
    let mut stop =
        pump(&mut feed, &mut engine, &mut outlets, &mut counts, &interrupt, &mut current);
    if matches!(stop, Stop::End) {
        stop = current.end(&mut engine, &mut outlets);
    }
    if matches!(stop, Stop::End | Stop::Interrupted)
        && let Err(error) = current.keep(&feed, &mut engine, &mut outlets, &counts)
    {
        stop = Stop::Failed(error);
    }
    let (is_empty, header) = (feed.is_empty(), feed.header());
    let ran = Ran { stop, stats: engine.stats(), outlets, counts, is_empty, header };
    conclude(args, &current.loaded, ran, started)
}

/// Writes what is left, and says what came of a run.
fn conclude(args: &RunArgs, loaded: &Loaded, ran: Ran, started: Instant) -> Result<Ending> {
    let Ran { stop, stats, outlets, counts, is_empty, header } = ran;
    let Outlets { mut output, mut rejects, progress, tally, review, .. } = outlets;
    output.flush();
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
            let partials = grouped(stats.partials);
            crate::say(&if args.state.is_some() {
                format!(
                    "interrupted: this is what was found so far; {partials} partial matches are \
                     kept with the state, and the same command goes on"
                )
            } else {
                format!(
                    "interrupted: this is what was found so far; {partials} partial matches are \
                     still open and reported neither as matches nor as timeouts"
                )
            });
        }
        let open = match stop {
            Stop::End if args.state.is_some() => "partial matches; the state keeps them",
            Stop::End => "partial matches; --end-of-time ends them with the input",
            _ => "partial matches",
        };
        let text = summary(&stats, &counts, open, started.elapsed(), args.brief);
        let rules = tally.table(loaded.rules.iter().map(|rule| &rule.name));
        crate::say(format!("{text}{rules}").trim_end());
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
        findings.say(args.quiet);
    }
    match stop {
        Stop::End if findings.unusable.is_some() => Ok(Ending::Unusable),
        Stop::End | Stop::CannotWrite => Ok(Ending::Fine),
        Stop::Interrupted => Ok(Ending::Interrupted),
        Stop::CannotRead(error) | Stop::Failed(error) => Err(error),
    }
}

/// Fails where loaded rules are of no use for this run.
fn suits(args: &RunArgs, loaded: &Loaded) -> Result<()> {
    if loaded.rules.is_empty() {
        bail!("there is no rule to run");
    }
    loaded.refuse_unknown_type(args.events.event_type.as_deref())
}

/// The rules that run now.
struct Current<'a> {
    args: &'a RunArgs,
    watch: Option<Watch>,
    loaded: Loaded,
    state: Option<State>,
    idle: Option<IdleClock>,
    /// The time of the newest event.
    newest: Option<Timestamp>,
    /// Whether events have come since the clock was looked at.
    has_come: bool,
    /// Whether the input was read to its end.
    has_ended: bool,
}

impl Current<'_> {
    /// Does what is due where the input ends, and says how the run ends.
    fn end(&mut self, engine: &mut Engine<Record>, outlets: &mut Outlets) -> Stop {
        self.has_ended = true;
        let mut sink = Printer { outlets, place: None };
        if self.args.events.end_of_time {
            engine.finish(&mut sink);
        } else if let (Some(newest), None) = (self.newest, &self.state) {
            // The moment of the last event is over. With a state it is not: the input may go on in it.
            engine.advance(newest, &mut sink);
        }
        match engine.failure() {
            Some(error) => Stop::Failed(stopped(error.clone())),
            None => Stop::End,
        }
    }

    /// Moves time on with the clock where no event comes for long.
    fn follow_clock(&mut self, engine: &mut Engine<Record>, outlets: &mut Outlets) {
        let Some(idle) = &mut self.idle else { return };
        let now = Instant::now();
        if std::mem::take(&mut self.has_come)
            && let Some(newest) = self.newest
        {
            idle.saw(newest, now);
        }
        if let Some(watermark) = idle.watermark(now) {
            engine.advance(watermark, &mut Printer { outlets, place: None });
        }
    }

    /// How long to wait for input.
    fn patience(&self) -> Option<Duration> {
        self.idle.as_ref().map(|idle| idle.wait(Instant::now()))
    }

    /// Reads the rules again if their files have changed, and goes on with them if they are right.
    #[inline]
    fn follow(&mut self, feed: &mut Feed, engine: &mut Engine<Record>, outlets: &mut Outlets) {
        if let Some(watch) = &self.watch
            && watch.has_changed()
        {
            let mut files = Files::default();
            let read = paths::require_regular(&self.args.rules)
                .and_then(|()| rules::load_and_note(self.args.given(), false, &mut files));
            watch.was_read(files);
            if let Err(reason) = self.replace(read, feed, engine, outlets) {
                let text = format!("{reason:#}\nthe rules were not reloaded: the old ones go on");
                outlets.progress.say(&text);
            }
        }
    }

    /// Keeps where the run is, if it is to be kept.
    fn keep(
        &mut self,
        feed: &Feed,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
        counts: &Counts,
    ) -> Result<()> {
        let Some(state) = &mut self.state else { return Ok(()) };
        let (output, rejects) = (outlets.output.settle(), outlets.rejects.settle());
        // What could not be written is reported as such; the checkpoint before it stays the newest.
        if outlets.output.has_failed() || outlets.rejects.has_failed() {
            return Ok(());
        }
        let (position, tally, has_ended) = (feed.position(), &outlets.tally, self.has_ended);
        state.keep(&Moment { position, output, rejects, counts, tally, has_ended }, engine)
    }

    fn replace(
        &mut self,
        read: Result<Result<Loaded, rules::Refused>>,
        feed: &mut Feed,
        engine: &mut Engine<Record>,
        outlets: &mut Outlets,
    ) -> Result<()> {
        let loaded = read?.map_err(|refused| anyhow!(refused.text))?;
        suits(self.args, &loaded)?;
        let replacement = engine.replace_rules(&loaded.set)?;
        feed.renew(engine.schema(), &loaded.schema);
        outlets.output.renew(engine.schema());
        outlets.review.renew(engine.schema());
        if !self.args.quiet {
            // Those that were reported before stand elsewhere in the text now, but say the same.
            let said = |loaded: &Loaded| -> Vec<String> {
                let warnings = loaded.set.warnings().iter();
                warnings.map(|warning| warning.diagnostic.message.clone()).collect()
            };
            if !loaded.warnings.is_empty() && said(&loaded) != said(&self.loaded) {
                outlets.progress.say(&loaded.warnings);
            }
            report(&replacement, &outlets.progress);
        }
        self.loaded = loaded;
        Ok(())
    }
}

/// A line for each rule that is not as before, and one for the others.
fn report(replacement: &Replacement, progress: &Progress) {
    let (same, changed): (Vec<&RuleChange>, Vec<&RuleChange>) =
        replacement.rules.iter().partition(|change| change.verdict == Verdict::Unchanged);
    for change in changed {
        let version = change.new_version;
        let version = version.map_or(String::new(), |version| format!(", version {version:016x}"));
        progress.say(&format!("reloaded {change}{version}"));
    }
    if !same.is_empty() {
        progress.say(&format!("reloaded {}: unchanged", counted(same.len(), "rule")));
    }
}

/// The engine, new or as it was when the run ended before.
fn build(
    args: &RunArgs,
    loaded: &Loaded,
    from: Option<&Resumed>,
    spill: Option<Spill>,
) -> Result<Engine<Record>> {
    let builder = match spill {
        Some(spill) => builder(args, loaded).cold_store(spill, args.keys_in_memory),
        None => builder(args, loaded),
    };
    let Some(from) = from else { return Ok(builder.build()?) };
    let (engine, replacement) = builder
        .restore(&from.snapshots.iter().map(Vec::as_slice).collect::<Vec<_>>())
        .context("the state cannot be gone on from (to start anew, remove its directory)")?;
    if !args.quiet {
        let Position { offset, line } = from.position;
        let place = if args.events.input == Path::new("-") {
            format!(
                "standard input cannot be read again: it has to go on after its first {} bytes",
                grouped(offset)
            )
        } else {
            format!("going on at line {}", grouped(line))
        };
        let stats = engine.stats();
        let (events, partials) = (grouped(stats.events), grouped(stats.partials));
        crate::say(&format!(
            "{place}, after {events} events and with {partials} partial matches open"
        ));
        for change in replacement.rules {
            if change.verdict != Verdict::Unchanged {
                crate::say(&format!("the rules are others than then: {change}"));
            }
        }
    }
    Ok(engine)
}

fn builder(args: &RunArgs, loaded: &Loaded) -> Builder<Record> {
    let builder = Engine::builder().rules(loaded.set.clone());
    let builder = match args.strategy {
        Strategy::Auto => builder,
        Strategy::General => builder.general_strategy(),
    };
    let builder = match args.steps_per_event {
        Some(steps) => builder.limit_steps_per_event(steps),
        None => builder,
    };
    match args.events.out_of_order {
        Some(bound) => builder.out_of_order(bound),
        None => builder.sorted(),
    }
}

/// Opening a file to write to it empties it, which must not happen to what is read.
fn refuse_same_files(args: &RunArgs, files: &Files) -> Result<()> {
    let mut guard = Guard::default();
    guard.reads(&args.events.input, "the input");
    files.paths().for_each(|path| guard.reads(path, "a file of the rules"));
    guard.writes(&args.output, "the output")?;
    if let Some(rejects) = &args.rejects {
        guard.writes(rejects, "the rejects")?;
    }
    let Some(state) = &args.state else { return Ok(()) };
    for path in [Some(&args.output), args.rejects.as_ref()].into_iter().flatten() {
        if path != Path::new("-") && guard::is_within(path, state) {
            let (path, state) = (path.display(), state.display());
            bail!("{path} is in {state}, which is for the state alone");
        }
    }
    if args.spill.as_deref().is_some_and(|spill| guard::is_same_directory(spill, state)) {
        bail!("--spill and --state need directories of their own, not both {}", state.display());
    }
    Ok(())
}

/// Results and rejects are JSON lines as they are: a name that promises another form would be wrong.
fn refuse_other_forms(args: &RunArgs) -> Result<()> {
    for (option, path) in [("--output", Some(&args.output)), ("--rejects", args.rejects.as_ref())] {
        let ending = path.and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        let Some((path, ending)) = path.zip(ending) else { continue };
        let ending = ending.to_ascii_lowercase();
        if ["csv", "tsv", "parquet", "xlsx", "gz", "zst"].contains(&&*ending) {
            let advice = match &*ending {
                "gz" | "zst" => "pack what comes out: `kleene run .. | gzip > found.jsonl.gz`",
                _ => {
                    "name it *.jsonl, and take columns out of it: \
                     `jq -r '[.rule, .end, .emit.x] | @csv' found.jsonl`"
                }
            };
            bail!(
                "{option} {}: what is written is JSON lines, not {ending}; {advice}",
                path.display()
            );
        }
    }
    Ok(())
}

/// A file ends; it does not fall silent.
fn refuse_silent_files(args: &RunArgs) -> Result<()> {
    let Some(timeout) = args.idle_timeout else { return Ok(()) };
    if timeout.is_zero() {
        bail!("--idle-timeout: expected some time, such as 10s");
    }
    let input = &args.events.input;
    if input != Path::new("-") && input.is_file() {
        bail!(
            "--idle-timeout is for live input: {name} is a file, which ends; `tail -f {name} | kleene \
             run ..` reads what is added to it, and --end-of-time ends what is open with the file",
            name = input.display()
        );
    }
    Ok(())
}

/// Why a run with a state has nothing to do, if that is so.
fn nothing_new(args: &RunArgs, resumed: &Resumed) -> Option<String> {
    if resumed.is_finished {
        return Some(String::from(
            "nothing new: the input was read to its end with --end-of-time, and everything was \
             reported; remove the directory of the state to start anew",
        ));
    }
    (resumed.is_at_end && !args.events.end_of_time).then(|| {
        String::from(
            "nothing new: the input was read to its end before, and has not grown; what is open is \
             kept with the state",
        )
    })
}

/// Why the reading of events ended.
pub(super) enum Stop {
    /// There are no more.
    End,
    /// Ctrl-C.
    Interrupted,
    /// Results cannot be written any more.
    CannotWrite,
    /// The input cannot be read any further.
    CannotRead(anyhow::Error),
    /// A limit says that this is to fail.
    Failed(anyhow::Error),
}

impl Stop {
    pub(super) fn unreadable(error: io::Error) -> Stop {
        Stop::CannotRead(anyhow::Error::new(error).context("cannot read on in the input"))
    }
}

pub(super) fn stopped(error: PushError) -> anyhow::Error {
    anyhow::Error::new(error).context("the run was stopped; what was found before is reported")
}

/// Moves events from the input into the engine until something ends it.
fn pump(
    feed: &mut Feed,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    interrupt: &Interrupt,
    current: &mut Current<'_>,
) -> Stop {
    loop {
        current.follow(feed, engine, outlets);
        if let Some(item) = feed.next_item() {
            if let Err(stop) = take(item, engine, outlets, counts, current) {
                return stop;
            }
            if current.state.as_mut().is_some_and(State::count)
                && let Err(error) = current.keep(feed, engine, outlets, counts)
            {
                return Stop::Failed(error);
            }
            if interrupt.is_set() {
                return Stop::Interrupted;
            }
            continue;
        }
        current.follow_clock(engine, outlets);
        if let Some(error) = engine.failure() {
            return Stop::Failed(stopped(error.clone()));
        }
        outlets.output.flush_if_live();
        if outlets.has_failed() {
            return Stop::CannotWrite;
        }
        if current.state.as_ref().is_some_and(State::is_time)
            && let Err(error) = current.keep(feed, engine, outlets, counts)
        {
            return Stop::Failed(error);
        }
        let stats = engine.stats();
        let events = stats.events + counts.unknown;
        outlets.progress.update(events, stats.matches, stats.timeouts);
        let fill = feed.fill_within(current.patience());
        if interrupt.is_set() {
            return Stop::Interrupted;
        }
        match fill {
            Ok(Fill::More | Fill::Woken | Fill::TimedOut) => {}
            Ok(Fill::End) => return Stop::End,
            Err(error) => return Stop::unreadable(error),
        }
    }
}

/// Does what one line of the input asks for.
fn take(
    item: Item<'_>,
    engine: &mut Engine<Record>,
    outlets: &mut Outlets,
    counts: &mut Counts,
    current: &mut Current<'_>,
) -> Result<(), Stop> {
    match item {
        Item::Event(event, place) => {
            outlets.review.event(&event, &place);
            current.newest = current.newest.max(takeable(&event));
            current.has_come = true;
            let mut sink = Printer { outlets, place: Some(place) };
            engine.push(&event, &mut sink).map_err(|error| Stop::Failed(stopped(error)))?;
        }
        Item::Unknown(name) => counts.saw_unknown(name),
        Item::Rejected(place, reason) => {
            counts.rejected += 1;
            outlets.reject(place, &reason);
        }
        Item::Unreadable(reason) => return Err(Stop::CannotRead(anyhow!(reason))),
    }
    Ok(())
}

/// Where everything goes that a run has to report.
pub(super) struct Outlets {
    pub(super) output: Output,
    rejects: Rejects,
    pub(super) progress: Progress,
    pub(super) review: Review,
    pub(super) tally: Tally,
    /// How long events may be late, in milliseconds.
    bound: i64,
    is_quiet: bool,
    /// Whether it was said that a limit was reached.
    reported_of_limit: bool,
    /// Whether it was said that a rule feeds others what does not fit.
    reported_of_mismatch: bool,
}

impl Outlets {
    fn new(
        args: &RunArgs,
        output: Output,
        rejects: Rejects,
        progress: Progress,
        review: Review,
    ) -> Outlets {
        let (is_quiet, reported_of_limit, reported_of_mismatch) = (args.quiet, false, false);
        let bound = args.events.out_of_order.unwrap_or_default().as_millis();
        let bound = i64::try_from(bound).unwrap_or(i64::MAX);
        let tally = Tally::default();
        Outlets {
            output,
            rejects,
            progress,
            review,
            tally,
            bound,
            is_quiet,
            reported_of_limit,
            reported_of_mismatch,
        }
    }

    /// Whether something could not be written.
    pub(super) fn has_failed(&self) -> bool {
        self.output.has_failed() || self.rejects.has_failed()
    }

    /// Says once that a rule feeds others what does not fit.
    pub(super) fn report_mismatch(&mut self, reason: &str) {
        if !self.is_quiet && !std::mem::replace(&mut self.reported_of_mismatch, true) {
            self.progress.say(&format!("{reason}; the summary counts it as rejected"));
        }
    }

    /// What is to be said of a limit.
    pub(super) fn limit_text(overflow: Overflow<'_>) -> String {
        match overflow {
            Overflow::Reorder { watermark, .. } => {
                format!("too many events wait to be sorted: time was moved on to {watermark}")
            }
            other => other.to_string(),
        }
    }

    /// Says once that a limit was reached, when the event of a line was taken.
    pub(super) fn report_limit(&mut self, line: u64, what: &str) {
        if !self.is_quiet && !std::mem::replace(&mut self.reported_of_limit, true) {
            let place = if line == 0 { String::new() } else { format!("line {line}: ") };
            let text = format!("{place}limit reached: {what}; the summary counts how often");
            self.progress.say(&text);
        }
    }

    pub(super) fn reject(&mut self, place: Place<'_>, reason: &str) {
        self.review.rejected(&place, reason);
        self.rejects.report(place, reason, &self.progress);
    }

    /// Reports an event of a type that came too late.
    pub(super) fn late(&mut self, place: Place<'_>, ty: TypeId, time: Timestamp, mark: Timestamp) {
        self.review.late(ty, time, mark, self.bound);
        self.rejects.report(place, &late_reason(time, mark), &self.progress);
    }
}

/// What the engine reports while it takes the event at a place of the input.
struct Printer<'a> {
    outlets: &'a mut Outlets,
    place: Option<Place<'a>>,
}

impl Sink<Record> for Printer<'_> {
    fn matched(&mut self, found: Match<'_, Record>) {
        self.outlets.tally.matched(&found.rule().name);
        self.outlets.output.matched(&found);
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        self.outlets.tally.timed_out(&timeout.rule().name);
        self.outlets.output.timed_out(&timeout);
    }

    fn late(&mut self, late: Late<'_, Record>) {
        let Some(place) = self.place else { return };
        self.outlets.late(place, late.event.type_id(), late.event.time(), late.watermark);
    }

    fn rejected(&mut self, rejected: Rejected<'_, Record>) {
        if let Reason::Mismatch { .. } = rejected.reason {
            // A rule made it: the line that is read is not to blame.
            self.outlets.report_mismatch(&rejected.reason.to_string());
        } else if let Some(place) = self.place {
            self.outlets.reject(place, &rejected.reason.to_string());
        }
    }

    fn overflowed(&mut self, overflow: Overflow<'_>) {
        if !self.outlets.reported_of_limit {
            let line = self.place.map_or(0, |place| place.line);
            self.outlets.report_limit(line, &Outlets::limit_text(overflow));
        }
    }
}

/// The time of an event, if it is one that events can have.
pub(super) fn takeable(event: &Record) -> Option<Timestamp> {
    Some(event.time()).filter(|time| *time < Timestamp::MAX)
}

/// `late by 1h: ...`. An event is late if it is not after the watermark.
fn late_reason(time: Timestamp, watermark: Timestamp) -> String {
    let by = Value::Duration(watermark.millis_since(time).saturating_add(1));
    format!("late by {by}: its time {} has passed already", ValueRef::Time(time))
}
