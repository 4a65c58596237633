//! `kleene run --state` is killed at random moments, again and again, and goes on each time: what
//! it has written in the end is what a run writes that nobody disturbs, byte for byte.
//!
//! `KLEENE_CRASH_KILLS=200 KLEENE_CRASH_EVENTS=400000` looks longer; CONTRIBUTING.md has the
//! command.

mod faults;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;

/// Timeouts, loops with aggregates, late events, rules that feed others, and what is kept quiet:
/// all that a checkpoint has to hold.
const RULES: &str = r"
event created { order_id: string, customer: string, amount: int, ts: time }
event paid    { order_id: string, customer: string, amount: int, ts: time }

rule unpaid {
  key order_id
  match created -> paid within 2m
  on timeout emit { order_id: created.order_id }
}

event spree { customer: string, spent: int, ts: time }

rule spree {
  key customer
  match created[amount > 20]{3 next} as all within 5m
  skip past last
  emit as spree { customer: first(all.customer), spent: sum(all.amount) }
}

rule sprees {
  key customer
  match spree as one -> spree as other within 1h
  skip past last
  emit { customer: one.customer }
  suppress 10m
}
";

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

/// So many lines, a few of which are no events or come too late.
fn events(count: u64) -> String {
    let mut dice = Dice(1);
    let mut text = String::from("type,ts,order_id,customer,amount\n");
    let mut at = 1_700_000_000_000;
    for number in 0..count {
        at += dice.below(60);
        let late = if dice.below(3000) == 0 { 9000 } else { dice.below(3000) };
        let ts = at - late;
        if dice.below(2000) == 0 {
            let _ = writeln!(text, "created,{ts},o{number},,many");
            continue;
        }
        let customer = dice.below(500);
        if dice.below(5) < 3 {
            let _ = writeln!(text, "created,{ts},o{number},c{customer},{}", dice.below(50));
        } else {
            let order = number.saturating_sub(dice.below(4000));
            let _ = writeln!(text, "paid,{ts},o{order},c{customer},{}", dice.below(50));
        }
    }
    text
}

/// The command, with files in `folder`; with its state there, if it is to have one.
fn kleene(folder: &Path, name: &str, every: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
    command.arg("run").arg(folder.join("rules.cep")).arg("--quiet");
    command.arg("--input").arg(folder.join("events.csv")).args(["--out-of-order", "3s"]);
    // What is open at the end is reported as well.
    command.arg("--end-of-time");
    command.arg("--output").arg(folder.join(name));
    command.arg("--rejects").arg(folder.join(format!("{name}.rejects")));
    if let Some(every) = every {
        command.arg("--state").arg(folder.join(format!("{name}.state")));
        command.args(["--checkpoint-every", every]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How often lines of `of` are not in `other`.
fn missing(of: &str, other: &str) -> usize {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    other.lines().for_each(|line| *lines.entry(line).or_default() += 1);
    let mut missing = 0;
    for line in of.lines() {
        match lines.get_mut(line) {
            Some(left @ 1..) => *left -= 1,
            _ => missing += 1,
        }
    }
    missing
}

#[test]
fn a_run_that_is_killed_again_and_again_reports_each_result_once() {
    let wanted = number("KLEENE_CRASH_KILLS", 20);
    let folder = tempfile::tempdir().expect("there is room for a directory");
    let folder = folder.path();
    fs::write(folder.join("rules.cep"), RULES).expect("it can be written");
    let text = events(number("KLEENE_CRASH_EVENTS", 60_000));
    fs::write(folder.join("events.csv"), text).expect("it can be written");
    let started = SystemTime::now();
    let whole = kleene(folder, "whole", None).output().expect("it can be started");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let longest = started.elapsed().unwrap_or_default().max(Duration::from_millis(50));
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    let expected = (read("whole"), read("whole.rejects"));
    assert!(expected.0.lines().count() > 1000, "{} results", expected.0.lines().count());
    assert!(expected.1.lines().count() > 10, "{} rejects", expected.1.lines().count());

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let mut dice = Dice(seed.into());
    let (mut kills, mut rounds, mut lost, mut doubled) = (0, 0, 0, 0);
    while kills < wanted {
        rounds += 1;
        let name = format!("round{rounds}");
        loop {
            let mut run =
                kleene(folder, &name, Some("5000events")).spawn().expect("it can be started");
            // Some are killed at once, most within a quarter of what a whole run takes.
            let most = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX) / 4;
            let last = (kills < wanted).then(|| Duration::from_micros(dice.below(most)));
            if let Some(moment) = last {
                std::thread::sleep(moment);
                // SIGKILL: it has no say in this.
                run.kill().expect("it can be killed");
            }
            let ended = run.wait_with_output().expect("it ends");
            match ended.status.code() {
                Some(0) => break,
                Some(code) => {
                    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
                    panic!("seed {seed}, kill {kills}: it ended with {code}: {text}");
                }
                None => kills += 1,
            }
        }
        let found = (read(&name), read(&format!("{name}.rejects")));
        lost += missing(&expected.0, &found.0);
        doubled += missing(&found.0, &expected.0);
        assert!(found == expected, "seed {seed}, round {rounds}: the output is another one");
        fs::remove_dir_all(folder.join(format!("{name}.state"))).expect("it can be removed");
    }
    let results = expected.0.lines().count();
    println!(
        "kills survived {kills}, matches lost {lost}, doubled {doubled} \
         ({rounds} runs of {results} results each)"
    );
}
