//! From pages of results to files and webhooks.

pub(crate) mod file;
pub(crate) mod outbox;
pub(crate) mod webhook;

use std::collections::HashSet;

use anyhow::{Result, bail};
use kleene::RuleSet;
use kleene_report::output::EventForm;
use serde_json::{Map, Value, json};

use self::file::{FileSink, Unsettled};
use crate::config::{self, OnFailure, SinkKind};
use crate::status::SinkStatus;
use crate::task::Page;

/// The name of the file of rejected events among the sinks of a checkpoint. A sink of the
/// configuration cannot have this name.
const REJECTS: &str = "*rejects*";

/// A sink that is open.
#[derive(Debug)]
struct OpenSink {
    name: String,
    /// The rules whose results go here; all where it is `None`.
    rules: Option<HashSet<String>>,
    form: EventForm,
    file: FileSink,
}

/// All sinks of a service.
#[derive(Debug)]
pub(crate) struct Sinks {
    open: Vec<OpenSink>,
    rejects: Option<FileSink>,
}

impl Sinks {
    /// Opens the sinks. `kept` are the lengths of their files at the checkpoint.
    pub(crate) fn open(config: &config::Config, kept: Option<&Value>) -> Result<Sinks> {
        let length = |name: &str| kept.and_then(|kept| kept[name].as_u64());
        let mut open = Vec::new();
        for sink in &config.sinks {
            let SinkKind::File(path) = &sink.kind else { continue };
            let file = FileSink::open(path, length(&sink.name), (sink.buffer, sink.on_failure))?;
            let rules = sink.rules.as_ref().map(|rules| rules.iter().cloned().collect());
            open.push(OpenSink { name: sink.name.clone(), rules, form: sink.events, file });
        }
        let rejects = config
            .rejects
            .as_ref()
            .map(|path| FileSink::open(path, length(REJECTS), (64 << 20, OnFailure::Drop)));
        Ok(Sinks { open, rejects: rejects.transpose()? })
    }

    /// Says which rules sinks name that are not there.
    pub(crate) fn check_rules(config: &config::Config, rules: &RuleSet) {
        for sink in &config.sinks {
            for name in sink.rules.iter().flatten().filter(|name| rules.rule(name).is_none()) {
                tracing::warn!(
                    sink = sink.name,
                    "there is no rule `{name}`, which this sink names"
                );
            }
        }
    }

    /// Gives a page to the sinks.
    pub(crate) fn deliver(&mut self, page: &Page) {
        for OpenSink { rules, form, file, .. } in &mut self.open {
            match rules {
                None => file.add(page.all(*form), page.len() as u64),
                Some(rules) => {
                    let wanted =
                        page.results(*form).filter(|result| rules.contains(&**result.rule));
                    wanted.for_each(|result| file.add(result.line, 1));
                }
            }
        }
        if let Some(file) = self.rejects.as_mut().filter(|_| !page.rejects.is_empty()) {
            let lines = memchr::memchr_iter(b'\n', &page.rejects).count();
            file.add(&page.rejects, lines as u64);
        }
    }

    fn files(&mut self) -> impl Iterator<Item = &mut FileSink> {
        self.open.iter_mut().map(|sink| &mut sink.file).chain(&mut self.rejects)
    }

    /// Writes what is held.
    pub(crate) fn flush(&mut self) {
        self.files().for_each(FileSink::flush);
    }

    /// True if the service has to wait for a sink.
    pub(crate) fn hold_up(&self) -> bool {
        self.open.iter().any(|sink| sink.file.holds_up())
    }

    /// Returns the lengths of the files for a checkpoint, and what has to be settled before. Fails
    /// with the names of sinks that cannot be written: no checkpoint covers their results.
    pub(crate) fn prepare(&mut self) -> Result<(Value, Vec<Unsettled>)> {
        let mut lengths = Map::new();
        let mut unsettled = Vec::new();
        let named = self.open.iter_mut().map(|sink| (sink.name.clone(), &mut sink.file));
        let rejects = self.rejects.iter_mut().map(|file| (REJECTS.to_owned(), file));
        for (name, file) in named.chain(rejects) {
            let Some((length, rest)) = file.prepare() else {
                bail!("the sink `{name}` cannot be written: {}", file.failure().unwrap_or("?"));
            };
            lengths.insert(name, json!(length));
            unsettled.push(rest);
        }
        Ok((lengths.into(), unsettled))
    }

    /// Returns the state of each sink.
    pub(crate) fn status(&self) -> Vec<SinkStatus> {
        let status = |(name, file): (&str, &FileSink)| SinkStatus {
            name: name.to_owned(),
            counts: file.counts,
            failure: file.failure().map(str::to_owned),
            is_topic: false,
        };
        let open = self.open.iter().map(|sink| (&*sink.name, &sink.file));
        let rejects = self.rejects.iter().map(|file| ("rejects", file));
        open.chain(rejects).map(status).collect()
    }
}
