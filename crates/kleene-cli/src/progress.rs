//! The progress on standard error while a run goes on.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use kleene_report::counts::grouped;

/// A progress bar, or nothing where nobody would see it.
pub(crate) struct ReadProgress {
    bar: ProgressBar,
    position: Arc<AtomicU64>,
}

impl ReadProgress {
    /// Makes a bar over an input of `size` bytes (if that is known); `position` of them are read.
    /// It is seen only if `is_shown` and if standard error is a terminal.
    pub(crate) fn new(size: Option<u64>, position: Arc<AtomicU64>, is_shown: bool) -> ReadProgress {
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = match size {
            Some(_) => "{bar:30} {percent:>3} %  {bytes_per_sec}  {msg}",
            None => "{spinner} {bytes}  {bytes_per_sec}  {msg}",
        };
        let bar = ProgressBar::with_draw_target(size, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        ReadProgress { bar, position }
    }

    /// Shows how far the run has come.
    pub(crate) fn update(&self, events: u64, matches: u64, timeouts: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(self.position.load(Ordering::Relaxed));
        self.bar.set_message(format!(
            "{} events, {} matches, {} timeouts",
            grouped(events),
            grouped(matches),
            grouped(timeouts)
        ));
    }

    /// Prints a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // If standard error is closed there is nobody to report.
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
