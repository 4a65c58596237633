//! Results, one a line: JSON objects, or short lines for people (`--brief`).

mod aside;
mod balance;
#[cfg(feature = "arrow")]
mod column_target;
mod lines;
mod target;

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use kleene::schema::Schema;
use kleene::stream::{Overflow, Sink as _};
use kleene::{Match, Record, Timeout};
use kleene_report::output::Shapes;
use kleene_syntax::hir::Rule;

use self::aside::Aside;
use self::lines::LineWriter;
use crate::profile::ResultTimes;

/// Writes matches, timeouts, and limits that were reached.
pub(crate) struct Output {
    way: Way,
    /// True if it goes to the terminal.
    is_terminal: bool,
}

/// Who writes.
enum Way {
    /// The thread that matches.
    Here(Box<LineWriter>),
    /// A thread of its own.
    Aside(Box<Aside>),
}

impl Output {
    /// Opens a file to write to, or standard output for `-`. The content of a file is lost, unless
    /// it is to be kept up to a length: then writing continues there. `shapes` is the layout of
    /// results.
    pub(crate) fn open(path: &Path, kept: Option<u64>, shapes: Shapes) -> Result<Output> {
        let lines = LineWriter::open(path, kept, shapes)?;
        Ok(Output { is_terminal: lines.is_terminal(), way: Way::Here(Box::new(lines)) })
    }

    /// Writes in a thread of its own from now on.
    pub(crate) fn write_aside(self) -> io::Result<Output> {
        Ok(match self.way {
            Way::Here(lines) => Output { way: Way::Aside(Box::new(Aside::start(*lines)?)), ..self },
            Way::Aside(_) => self,
        })
    }

    /// Measures the time that results take.
    pub(crate) fn measure(&mut self) {
        if let Way::Here(lines) = &mut self.way {
            lines.measure();
        }
    }

    /// Returns the time that results took, if it is measured. While another thread writes, it is the
    /// time that this one waited for it.
    pub(crate) fn times(&mut self) -> Option<&mut ResultTimes> {
        match &mut self.way {
            Way::Here(lines) => lines.times(),
            Way::Aside(aside) => aside.times(),
        }
    }

    /// Returns the layout of results.
    pub(crate) fn shapes(&self) -> &Shapes {
        match &self.way {
            Way::Here(lines) => lines.shapes(),
            Way::Aside(aside) => aside.shapes(),
        }
    }

    /// Goes on with events of the types of `schema`, and with other rules.
    pub(crate) fn renew<'a>(
        &mut self,
        schema: &Schema,
        rules: impl IntoIterator<Item = &'a Arc<Rule>>,
    ) {
        let shapes = self.shapes().renewed(schema).with_rules(rules);
        match &mut self.way {
            Way::Here(lines) => lines.set_shapes(shapes),
            Way::Aside(aside) => aside.set_shapes(shapes),
        }
    }

    /// Writes a match.
    #[inline]
    pub(crate) fn matched(&mut self, found: Match<'_, Record>) {
        match &mut self.way {
            Way::Here(lines) => lines.matched(found),
            Way::Aside(aside) => aside.matched(found),
        }
    }

    /// Writes a timeout.
    #[inline]
    pub(crate) fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        match &mut self.way {
            Way::Here(lines) => lines.timed_out(timeout),
            Way::Aside(aside) => aside.timed_out(timeout),
        }
    }

    /// Writes a limit that was reached for a key of a rule. Other limits have no line.
    pub(crate) fn limited(&mut self, overflow: &Overflow) {
        match &mut self.way {
            Way::Here(lines) => lines.limited(overflow),
            Way::Aside(aside) => aside.limited(overflow),
        }
    }

    /// Writes a line that [`Shapes`] made.
    pub(crate) fn write_line(&mut self, line: &[u8]) {
        match &mut self.way {
            Way::Here(lines) => lines.write_line(line),
            Way::Aside(aside) => aside.write_line(line),
        }
    }

    /// Hands over what was written so far, if someone may be waiting for it.
    pub(crate) fn flush_if_live(&mut self) {
        match &mut self.way {
            Way::Here(lines) => lines.flush_if_live(),
            Way::Aside(aside) => aside.flush_if_live(),
        }
    }

    /// Hands over what was written so far. This thread writes afterwards.
    pub(crate) fn flush(&mut self) {
        if let Way::Aside(aside) = &mut self.way
            && let Some(lines) = aside.end()
        {
            self.way = Way::Here(Box::new(lines));
        }
        if let Way::Here(lines) = &mut self.way {
            lines.flush();
        }
    }

    /// Hands over what was written so far, and what comes at the end of a file. Nothing can be written
    /// afterwards.
    pub(crate) fn finish(&mut self) {
        self.flush();
        if let Way::Here(lines) = &mut self.way {
            lines.finish();
        }
    }

    /// Makes sure that what was written so far outlives the machine's going down, and gives how
    /// long it is, if it is a file.
    pub(crate) fn settle(&mut self) -> Option<u64> {
        match &mut self.way {
            Way::Here(lines) => lines.settle(),
            Way::Aside(aside) => aside.settle(),
        }
    }

    /// Returns the error of a failed write, if there was one, once everything is
    /// [handed over](Output::flush).
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        match &mut self.way {
            Way::Here(lines) => lines.failure(),
            Way::Aside(_) => None,
        }
    }

    /// True if it goes to the terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// True if writing failed.
    pub(crate) fn has_failed(&self) -> bool {
        match &self.way {
            Way::Here(lines) => lines.has_failed(),
            Way::Aside(aside) => aside.has_failed(),
        }
    }
}
