//! All cases as one rule file and one stream of events, for hosts that know Kleene by its files
//! alone: rules and events go in, result lines as of `kleene run` come out, and are judged here.
//!
//! Each case is a rule, `c0`, `c1` and so on by its position, over an event type of its own, `e0`
//! and so on. So an event concerns one rule, however many there are. The key of every rule is the
//! number of the case, so a host can divide the work by key. The times of the cases stay as they
//! are: all cases run at the same time.
//!
//! A result belongs to the first step whose time reaches its `end`: an event has the time of its
//! step, and a deadline acts when time reaches it. One kind of match does not say its step. With a
//! skip strategy, a match can wait for an older partial match to the end of time; it is reported
//! after the last step, with the time of an event as its `end`. Flink keeps such matches to itself,
//! and no case has them. They are compared without a step, with what the reference reports at the
//! end of time.
//!
//! A case has to be as recorded, or to be excused as in [`judge`]. It also has to be what the
//! reference reports, with the same times: a record has no time of a match but its step, and an
//! excuse is one for Kleene's answer, not for any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use kleene::diagnostic::Severity;
use kleene::{RuleSet, Timestamp};
use kleene_automata::exec::reference::{ReferenceOutput, ReferenceSet};
use kleene_syntax::hir::{Pattern, StepId};
use serde::Deserialize;
use serde_json::json;

use crate::engine::{self, Engine as _, ReferenceEngine};
use crate::format::{self, Case};
use crate::judge::{self, Verdict};
use crate::text::{self, Names};
use crate::{convert, files};

/// The cases of a rule file and its stream.
#[derive(Debug, Default)]
pub struct OneStream {
    cases: BTreeMap<String, SaidCase>,
    unsaid: BTreeMap<String, usize>,
}

/// A case that the language has words for.
#[derive(Debug)]
struct SaidCase {
    number: usize,
    case: Case,
    flags: Vec<String>,
    /// What the parser and the checker make of the rule.
    pattern: Pattern,
    /// The declaration of its events, and the rule.
    text: String,
}

impl OneStream {
    /// Reads the cases of files and of the files in folders. Cases without a record are left out.
    ///
    /// # Errors
    /// If a file cannot be read, or a line is no case.
    pub fn read(paths: &[PathBuf]) -> io::Result<OneStream> {
        let mut cases = Vec::new();
        for path in paths {
            for file in files::case_files(path)? {
                let mut flags = format::read_flags(file.parent().unwrap_or(Path::new("")))?;
                for case in format::read_cases(&file)? {
                    let flags = flags.remove(&case.id).unwrap_or_default();
                    cases.push((case, flags));
                }
            }
        }
        Ok(OneStream::new(cases))
    }

    /// Takes cases with their flags. Cases without a record are left out.
    pub fn new(cases: impl IntoIterator<Item = (Case, Vec<String>)>) -> OneStream {
        let mut all = OneStream::default();
        let recorded = cases.into_iter().filter(|(case, _)| !case.steps.is_empty());
        for (number, (case, flags)) in recorded.enumerate() {
            match say(number, &case) {
                Ok((pattern, text)) => {
                    let said = SaidCase { number, case, flags, pattern, text };
                    all.cases.insert(rule_name(number), said);
                }
                Err(reason) => *all.unsaid.entry(reason).or_default() += 1,
            }
        }
        all
    }

    /// The number of cases in the stream.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// True if the stream has no case.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The first reason why a case cannot be said, and the number of cases that have it.
    pub fn unsaid(&self) -> &BTreeMap<String, usize> {
        &self.unsaid
    }

    /// The rule file.
    pub fn rules(&self) -> String {
        let mut text = String::new();
        for said in self.in_order() {
            let _ = writeln!(text, "# {}\n{}", said.case.id.escape_default(), said.text);
        }
        text
    }

    /// The events of all cases, a JSON object a line, in the order of time. Events of one time are
    /// in the order of the cases, and those of one case in its order: `i` is their number in it.
    pub fn events(&self) -> String {
        let mut lines = Vec::new();
        for said in self.in_order() {
            let ty = event_name(said.number);
            for (i, (ts, kind, v)) in said.case.events.iter().enumerate() {
                let case = said.number;
                let line = json!({
                    "type": ty, "ts": ts, "case": case, "kind": kind, "v": v, "i": i
                });
                lines.push((*ts, format!("{line}\n")));
            }
        }
        lines.sort_by_key(|(ts, _)| *ts);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Judges the results of a host: the name of each case with its verdict. A result of any
    /// other rule is a failure under the name of the rule.
    pub fn judge<'a>(&'a self, results: &'a Results) -> Vec<(&'a str, Verdict)> {
        let none = Vec::new();
        let of_case = |said: &SaidCase| {
            let lines = results.by_rule.get(&rule_name(said.number)).unwrap_or(&none);
            said.judge(lines)
        };
        let judged = self.in_order().map(|said| (said.case.id.as_str(), of_case(said)));
        let strangers = results.by_rule.keys().filter(|rule| !self.cases.contains_key(*rule));
        let failed = |rule| (rule, Verdict::Failed("  results of a rule that is no case\n".into()));
        judged.chain(strangers.map(String::as_str).map(failed)).collect()
    }

    fn in_order(&self) -> impl Iterator<Item = &SaidCase> {
        let mut cases: Vec<&SaidCase> = self.cases.values().collect();
        cases.sort_by_key(|said| said.number);
        cases.into_iter()
    }
}

fn rule_name(number: usize) -> String {
    format!("c{number}")
}

fn event_name(number: usize) -> String {
    format!("e{number}")
}

/// A case's pattern after the parser and the checker, and its text; or the reason why
/// the language cannot say it.
fn say(number: usize, case: &Case) -> Result<(Pattern, String), String> {
    let pattern = convert::pattern(&case.pattern).map_err(|error| error.to_string())?;
    let (rule, event) = (rule_name(number), event_name(number));
    let reads = format!("from {event}\n  key case");
    // `type` is the name of the event's own type, in the lines of the stream.
    let names = Names { rule: &rule, event: &event, fields: ["kind", "v"], reads: &reads };
    let said = text::rule_with(&pattern, names);
    let rule = said.map_err(|problems| problems.into_iter().next().unwrap_or_default())?;
    // The fields of `convert::schema` are the first, so that its events fit the pattern, too.
    let text = format!("event {event} {{ kind: string, v: int, case: int, i: int }}\n{rule}");
    let rules = RuleSet::parse(&text).map_err(|error| {
        let reports = error.diagnostics().iter().map(|report| &report.diagnostic);
        let mut errors = reports.filter(|diagnostic| diagnostic.severity == Severity::Error);
        let message = errors.next().map_or_else(String::new, |error| error.message.clone());
        // So that reasons can be counted.
        let steps = pattern.steps.iter().map(|step| format!("`{}`", step.name));
        steps.fold(message, |message, step| message.replace(&step, "`_`"))
    })?;
    let rule = rules.rules().first().ok_or("there is no rule")?;
    Ok((rule.pattern.clone(), text))
}

/// The result lines of a host, by rule.
#[derive(Debug)]
pub struct Results {
    by_rule: BTreeMap<String, Vec<ResultLine>>,
}

/// What is read of a line of `kleene run`.
#[derive(Debug, Deserialize)]
struct ResultLine {
    rule: String,
    kind: String,
    key: Key,
    /// None where a limit was reached.
    start: Option<String>,
    end: String,
    #[serde(default)]
    events: BTreeMap<String, Vec<CapturedEvent>>,
}

#[derive(Debug, Deserialize)]
struct Key {
    case: usize,
}

#[derive(Debug, Deserialize)]
struct CapturedEvent {
    ts: String,
    case: usize,
    kind: String,
    v: i64,
    i: usize,
}

impl Results {
    /// Reads result lines, in any order.
    ///
    /// # Errors
    /// If the input cannot be read, has a line that is not a result, or has no results.
    pub fn read(input: impl BufRead) -> io::Result<Results> {
        let mut by_rule: BTreeMap<String, Vec<ResultLine>> = BTreeMap::new();
        for (number, line) in input.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let line: ResultLine = serde_json::from_str(&line)
                .map_err(|error| invalid(format!("results, line {}: {error}", number + 1)))?;
            by_rule.entry(line.rule.clone()).or_default().push(line);
        }
        if by_rule.is_empty() {
            return Err(invalid("there are no results".into()));
        }
        Ok(Results { by_rule })
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The answer of the reference to a case.
struct Expected {
    /// By step.
    steps: Vec<Vec<ReferenceOutput>>,
    /// The matches that waited to the end of time.
    waited: Vec<ReferenceOutput>,
}

impl SaidCase {
    /// Compares with the record, and with the reference: where the two knowingly differ, only
    /// Kleene's answer is right.
    fn judge(&self, lines: &[ResultLine]) -> Verdict {
        let outputs: Result<Vec<_>, _> = lines.iter().map(|line| self.output(line)).collect();
        let (outputs, expected) = match outputs.and_then(|outputs| Ok((outputs, self.expected()?)))
        {
            Ok(both) => both,
            // No property of the pattern excuses a wrong line.
            Err(reason) => return Verdict::Failed(format!("  {reason}\n")),
        };
        let by_step = self.steps(outputs.clone(), &expected.waited);
        let compared = by_step.and_then(|steps| judge::compare(&self.case, &self.pattern, &steps));
        match judge::verdict(&self.case, &self.flags, compared) {
            failed @ Verdict::Failed(_) => failed,
            verdict => match self.check_reported(&outputs, &expected) {
                Ok(()) => verdict,
                Err(difference) => Verdict::Failed(difference),
            },
        }
    }

    /// What the reference reports.
    fn expected(&self) -> Result<Expected, String> {
        let mut session = ReferenceEngine.start(&self.pattern)?;
        let steps = engine::run(&mut *session, &convert::events(&self.case));
        Ok(Expected { steps, waited: session.finish() })
    }

    /// Compares with the reference: the same outputs, each with the same time.
    fn check_reported(
        &self,
        outputs: &[ReferenceOutput],
        expected: &Expected,
    ) -> Result<(), String> {
        let mut difference = String::new();
        let expected = expected.steps.iter().flatten().chain(&expected.waited);
        let wanted: BTreeSet<Parts> = expected.map(parts).collect();
        let found: BTreeSet<Parts> = outputs.iter().map(parts).collect();
        let mut note = |sign: char, (is_match, at, captures): &Parts| {
            let kind = if *is_match { "match" } else { "timeout" };
            let captures = captures.iter().map(|(step, events)| {
                format!("{}={events:?}", convert::step_name(&self.pattern, *step))
            });
            let captures: Vec<_> = captures.collect();
            let _ = writeln!(difference, "  {sign} {kind} at {at} {}", captures.join(" "));
        };
        wanted.difference(&found).for_each(|one| note('-', one));
        found.difference(&wanted).for_each(|one| note('+', one));
        if outputs.len() > found.len() {
            difference += "  something is reported twice\n";
        }
        if difference.is_empty() {
            Ok(())
        } else {
            Err(format!("  from the reference:\n{difference}"))
        }
    }

    /// The outputs by step, without the matches that waited to the end of time.
    ///
    /// # Errors
    /// If one of these matches is missing.
    fn steps(
        &self,
        mut outputs: Vec<ReferenceOutput>,
        waited: &[ReferenceOutput],
    ) -> Result<Vec<Vec<ReferenceOutput>>, String> {
        for waited in waited {
            let place = outputs.iter().position(|output| parts(output) == parts(waited));
            let missing = "  at the end of time: a match that has waited is missing\n";
            outputs.remove(place.ok_or(missing)?);
        }
        let mut times: Vec<i64> = self.case.events.iter().map(|(time, ..)| *time).collect();
        times.dedup();
        let mut steps = vec![Vec::new(); times.len() + 1];
        for output in outputs {
            let step = times.partition_point(|time| *time < output.at.as_millis());
            steps[step].push(output);
        }
        Ok(steps)
    }

    /// What a line says.
    ///
    /// # Errors
    /// If it is no match and no timeout, or says of an event what the event is not.
    fn output(&self, line: &ResultLine) -> Result<ReferenceOutput, String> {
        let is_match = match line.kind.as_str() {
            "match" => true,
            "timeout" => false,
            other => return Err(format!("a line of the kind {other}")),
        };
        let mut captures = Vec::new();
        for (name, events) in &line.events {
            let step = self.pattern.steps.iter().position(|step| *step.name == **name);
            let step = StepId::new(step.ok_or_else(|| format!("no step is named {name}"))?);
            for event in events {
                self.check(event)?;
                captures.push((step, event.i));
            }
        }
        let first = captures.iter().map(|(_, event)| *event).min();
        let start = first.map(|event| self.case.events[event].0);
        let said = line.start.as_deref().map(time).transpose()?;
        if start.is_none() || said.map(Timestamp::as_millis) != start {
            return Err(format!("`start` is {:?}, not {start:?} ms", line.start));
        }
        if line.key.case != self.number {
            return Err(format!("the key is {}, not {}", line.key.case, self.number));
        }
        let set = ReferenceSet::default();
        Ok(ReferenceOutput { is_match, captures, at: time(&line.end)?, set })
    }

    /// Checks that an event came back as it was sent.
    fn check(&self, event: &CapturedEvent) -> Result<(), String> {
        let sent = self.case.events.get(event.i);
        let is_same = sent.is_some_and(|(time, kind, v)| {
            event.ts.parse() == Ok(Timestamp::from_millis(*time))
                && event.case == self.number
                && event.kind == *kind
                && event.v == *v
        });
        if is_same { Ok(()) } else { Err(format!("{event:?} is not what was sent: {sent:?}")) }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// All that one output says: its kind, its time, and the events of each step in their order.
type Parts = (bool, i64, BTreeMap<StepId, Vec<usize>>);

fn parts(output: &ReferenceOutput) -> Parts {
    let mut steps: BTreeMap<StepId, Vec<usize>> = BTreeMap::new();
    for &(step, event) in &output.captures {
        steps.entry(step).or_default().push(event);
    }
    (output.is_match, output.at.as_millis(), steps)
}
