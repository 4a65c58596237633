//! Each write, fsync, rename, truncate and unlink of a run fails, is cut short, or is where the
//! process ends: what goes on from there reports what a run reports that nothing happens to.
//!
//! The program counts these operations (`disk.rs` of `kleene-host`) and looks at a variable that
//! only builds with debug assertions know. `KLEENE_CRASH_FAULTS=600` tries 600 of them, spread
//! over the run, `all` each in four ways; `KLEENE_CRASH_THREADS=4` that many at a time.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{RULES, events, kleene, missing, number};

const KINDS: [&str; 4] = ["error", "short", "abort", "torn"];

/// A run with its state, its idle keys in a file, and a fault, or a log of what could have one.
fn run(folder: &Path, name: &str, fault: Option<&str>, log: Option<&Path>) -> Output {
    let mut command = kleene(folder, name, Some("150events"));
    command.arg("--spill").arg(folder.join("idle")).args(["--keys-in-memory", "60"]);
    if let Some(fault) = fault {
        command.env("KLEENE_TEST_FAULT", fault);
    }
    if let Some(log) = log {
        command.env("KLEENE_TEST_FAULT_LOG", log);
    }
    command.output().expect("it can be started")
}

#[test]
fn a_fault_at_any_operation_loses_nothing_and_doubles_nothing() {
    if !cfg!(debug_assertions) {
        println!("no faults: this is a build without debug assertions");
        return;
    }
    let folder = tempfile::tempdir().expect("there is room for a directory");
    let folder = folder.path();
    fs::write(folder.join("rules.cep"), RULES).expect("it can be written");
    let text = events(number("KLEENE_CRASH_FAULT_EVENTS", 1500));
    fs::write(folder.join("events.csv"), text).expect("it can be written");
    let whole = kleene(folder, "whole", None).output().expect("it can be started");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    let expected = (read("whole"), read("whole.rejects"));
    assert!(expected.0.lines().count() > 50, "{} results", expected.0.lines().count());

    // What a run does on the disk.
    let log = folder.join("log");
    fs::write(&log, "").expect("it can be written");
    let logged = run(folder, "logged", None, Some(&log));
    assert!(logged.status.success(), "{}", String::from_utf8_lossy(&logged.stderr));
    let found = (read("logged"), read("logged.rejects"));
    assert!(found == expected, "{} lines", found.0.lines().count());
    let log = read("log");
    let operations: Vec<&str> = log.lines().collect();
    for operation in ["write", "fsync", "rename", "truncate", "unlink"] {
        assert!(operations.contains(&operation), "no {operation} among {}", operations.len());
    }

    // So many of them, or all, each in four ways then.
    let all = operations.len();
    let tries_all = std::env::var("KLEENE_CRASH_FAULTS").is_ok_and(|text| text == "all");
    let some = usize::try_from(number("KLEENE_CRASH_FAULTS", 24)).unwrap_or(all);
    let wanted = if tries_all { all } else { some.clamp(2, all) };
    let kinds = if tries_all { KINDS.len() } else { 1 };
    let tallies = Tallies::default();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for _ in 0..number("KLEENE_CRASH_THREADS", threads) {
            scope.spawn(|| {
                loop {
                    let point = tallies.points.fetch_add(1, Ordering::Relaxed);
                    if point >= wanted {
                        return;
                    }
                    // Spread over the run; the first ones and the last one among them.
                    let at = 1 + point * (all - 1) / (wanted - 1);
                    for kind in 0..kinds {
                        let kind = KINDS[(kind + point) % KINDS.len()];
                        let place = format!("{kind} at {} {at} of {all}", operations[at - 1]);
                        try_at(folder, (point, at, kind), &place, &expected, &tallies);
                    }
                }
            });
        }
    });
    let [faults, ended, lost, doubled] = tallies.counts.map(AtomicUsize::into_inner);
    assert_eq!(fs::read_dir(folder.join("idle")).expect("it is there").count(), 0);
    println!(
        "operations {all}, points {wanted}, faults {faults}, runs ended by them {ended}, \
         matches lost {lost}, doubled {doubled}"
    );
}

#[derive(Default)]
struct Tallies {
    points: AtomicUsize,
    /// Faults, runs that they ended, matches that were lost, and that came twice.
    counts: [AtomicUsize; 4],
}

impl Tallies {
    fn add(&self, count: usize, more: usize) {
        self.counts[count].fetch_add(more, Ordering::Relaxed);
    }
}

/// Lets one operation fail, mostly another one of the run that goes on after it, and compares.
fn try_at(
    folder: &Path,
    (point, at, kind): (usize, usize, &str),
    place: &str,
    expected: &(String, String),
    tallies: &Tallies,
) {
    let name = format!("at{at}{kind}");
    let mut ran = run(folder, &name, Some(&format!("{at} {kind}")), None);
    tallies.add(0, 1);
    // Most that go on are hit again, while they find out where they were.
    if !ran.status.success() {
        tallies.add(1, 1);
        let again = format!("{} {}", 1 + point % 9, KINDS[(point / 9) % KINDS.len()]);
        ran = run(folder, &name, Some(&again), None);
        tallies.add(0, 1);
    }
    if !ran.status.success() {
        tallies.add(1, 1);
        ran = run(folder, &name, None, None);
    }
    assert!(ran.status.success(), "{place}: {}", String::from_utf8_lossy(&ran.stderr));
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    let rejects = format!("{name}.rejects");
    let found = (read(&name), read(&rejects));
    tallies.add(2, missing(&expected.0, &found.0));
    tallies.add(3, missing(&found.0, &expected.0));
    assert!(found == *expected, "{place}: the output is another one");
    fs::remove_dir_all(folder.join(format!("{name}.state"))).expect("it can be removed");
    fs::remove_file(folder.join(&name)).expect("it can be removed");
    fs::remove_file(folder.join(rejects)).expect("it can be removed");
}
