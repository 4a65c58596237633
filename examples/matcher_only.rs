//! The matcher without the engine, for a host that has partitioned its events by key and ordered
//! them by time already, such as an operator of a distributed stream processor.
//!
//! ```text
//! cargo run --example matcher_only
//! ```
#![allow(clippy::print_stdout, reason = "it shows what it finds")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use kleene::exec::{KeyState, Outcome, OutcomeKind};
use kleene::{Event, Pattern, Timestamp};

#[derive(Clone, Debug, Event)]
struct Login {
    user: &'static str,
    ok: bool,
    at: Timestamp,
}

/// Three failures with nothing in between, then a success at once: a guessed password.
fn pattern() -> Result<Pattern<Login>, Box<dyn Error>> {
    Ok(Pattern::begin("fails")
        .when(|login: &Login| !login.ok)
        .times(3)
        .consecutive()
        .next("hit")
        .when(|login| login.ok)
        .within(Duration::from_mins(1))
        .report_timeouts()
        .build()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let pattern = pattern()?;
    // Immutable and cheap to clone: one for all threads.
    let matcher = pattern.matcher();
    // What changes: what is captured, for any number of keys, and a small state for each key.
    let mut store = matcher.create_store();
    let mut states: BTreeMap<&str, KeyState> = BTreeMap::new();

    let report = |outcome: Outcome<'_, Login>| {
        let captured = pattern.captured(&outcome);
        let user = captured.first("fails").map_or("?", |login| login.user);
        let fails = captured.count("fails");
        match outcome.kind() {
            OutcomeKind::Match => println!("{}: {user} guessed after {fails}", outcome.at()),
            OutcomeKind::Timeout => println!("{}: {user} gave up after {fails}", outcome.at()),
        }
    };

    let events = [
        ("ann", false),
        ("ann", false),
        ("bob", false),
        ("ann", false),
        ("bob", true), // not the third failure: bob's partial match ends here
        ("ann", true),
        ("cid", false),
        ("cid", false),
    ];
    for (seq, (user, ok)) in (0..).zip(events) {
        let at = Timestamp::from_millis(seq * 1000);
        let state = states.entry(user).or_default();
        let login = Login { user, ok, at };
        // `seq` grows with each event of the store; deadlines up to the event's time come first.
        matcher.push(&mut store, state, &login, seq.unsigned_abs(), &mut |outcome| report(outcome));
        // A host would set a timer for `matcher.deadline(state)` here, and forget idle states.
        if state.is_idle() {
            states.remove(user);
        }
    }
    // Time goes on without events, and what was open runs out of it.
    for state in states.values_mut() {
        let to = Timestamp::from_millis(120_000);
        matcher.advance(&mut store, state, to, &mut |outcome| report(outcome));
    }
    Ok(())
}
