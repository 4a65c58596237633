//! `kleene serve`: rules as a service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::ServeArgs;
use crate::ending::Ending;
use crate::interrupt::Interrupt;
use crate::stderr::say;

/// Runs a service until Ctrl-C, or checks its configuration.
pub(crate) fn serve(args: &ServeArgs) -> Ending {
    let ended = if args.check {
        kleene_serve::check(&args.config).map(|summary| say(&summary))
    } else {
        let stop = Arc::<AtomicBool>::default();
        let flag = stop.clone();
        Interrupt::default().listen(move || flag.store(true, Ordering::Relaxed));
        kleene_serve::serve(&args.config, &stop)
    };
    match ended {
        Ok(()) => Ending::Fine,
        Err(mistakes) => {
            say(mistakes.trim_end());
            Ending::WrongUsage
        }
    }
}
