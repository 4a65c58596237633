//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a run that was interrupted, as shells know it: 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// The flag that Ctrl-C sets: the run is to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// True if Ctrl-C was pressed.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes Ctrl-C, or a request to terminate, set the flag and then call `wake`.
    pub(crate) fn listen(&self, wake: impl Fn() + Send + 'static) {
        let flag = self.clone();
        // Fails only if another handler was set before, or if there are no signals.
        let _ = ctrlc::set_handler(move || {
            if flag.0.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(EXIT_CODE));
            }
            wake();
        });
    }
}
