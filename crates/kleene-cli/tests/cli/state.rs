//! `kleene run --state`: what goes on, what does not, and what is said of it.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use super::common::{Dir, Exit};

const RULES: &str = "event paid { id: int, ts: time }
event sent { id: int, ts: time }
rule done { key id  match paid -> sent within 1h  emit { id } }
";

const RUN: &str = "run rules.cep -i in.csv -o out.jsonl --state state --checkpoint-every 10events";

/// Payments of some orders, and then that they were sent.
fn events(orders: std::ops::Range<u64>) -> String {
    let start = 100 * orders.start;
    let line = |ty: &str, order: u64, ts: u64| format!("{ty},{order},{}\n", start + ts);
    let paid = orders.clone().map(|order| line("paid", order, 1000 + order));
    let sent = orders.map(|order| line("sent", order, 2000 + order));
    paid.chain(sent).collect()
}

const HEADER: &str = "type,id,ts\n";

fn dir() -> Dir {
    let input = format!("{HEADER}{}", events(0..100));
    Dir::new(&[("rules.cep", RULES.as_bytes()), ("in.csv", input.as_bytes())])
}

/// Ends a run with Ctrl-C when it has read what is there and waits for more.
fn interrupted(dir: &Dir, input: &str) -> Exit {
    let mut command = dir.command(&RUN.replace("-i in.csv", "--format csv"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    let last = dir.path("state/checkpoint-0000000020");
    while !last.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    crate::common::interrupt(&child);
    let ran = Exit::from(child.wait_with_output().unwrap());
    drop(stdin);
    ran
}

/// Checkpoints of a run that has not ended, as a crash leaves them.
fn crashed(dir: &Dir) -> Vec<std::path::PathBuf> {
    let ran = dir.run(&format!("{RUN} --quiet"));
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    let mut checkpoints: Vec<_> = std::fs::read_dir(dir.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("checkpoint-"))
        .collect();
    checkpoints.sort();
    assert!((3..20).contains(&checkpoints.len()), "so many are kept: {checkpoints:?}");
    // The last one says that all is done.
    std::fs::remove_file(checkpoints.pop().unwrap()).unwrap();
    checkpoints
}

#[test]
fn a_run_goes_on_and_its_output_is_whole() {
    let dir = dir();
    let whole = dir.run("run rules.cep -i in.csv --quiet").stdout;
    assert_eq!(whole.lines().count(), 100);
    crashed(&dir);
    // What was written after the checkpoint is written again, and what came after it is gone.
    let longer = format!("{}half a li", dir.read("out.jsonl"));
    dir.write("out.jsonl", longer.as_bytes());
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("resuming at line 202, after 200 events and with 0 partial matches"),
        "{}",
        ran.stderr
    );
    assert_eq!(dir.read("out.jsonl"), whole);
    let again = dir.run(RUN);
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("nothing new"), "{}", again.stderr);
    assert_eq!(dir.read("out.jsonl"), whole);
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    for damage in ["cut", "flip", "empty"] {
        let dir = dir();
        let checkpoints = crashed(&dir);
        let whole = dir.read("out.jsonl");
        let last = checkpoints.last().unwrap();
        let mut bytes = std::fs::read(last).unwrap();
        match damage {
            "cut" => bytes.truncate(bytes.len() - 7),
            "flip" => bytes[300] ^= 4,
            _ => bytes.clear(),
        }
        std::fs::write(last, bytes).unwrap();
        let ran = dir.run(RUN);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("the checkpoint is damaged"), "{damage}: {}", ran.stderr);
        assert!(ran.stderr.contains("trying the one before it"), "{}", ran.stderr);
        assert!(ran.stderr.contains("resuming at line 192"), "{}", ran.stderr);
        assert_eq!(dir.read("out.jsonl"), whole);
    }
}

#[test]
fn a_checkpoint_whose_base_is_damaged_is_passed_over() {
    let dir = dir();
    let checkpoints = crashed(&dir);
    let whole = dir.read("out.jsonl");
    let is_whole = |path: &&std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        String::from_utf8_lossy(&bytes).contains("\"follows\":null")
    };
    let base = checkpoints.iter().rfind(is_whole).unwrap();
    assert_ne!(Some(base), checkpoints.last(), "the last one holds changes");
    let mut bytes = std::fs::read(base).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(base, bytes).unwrap();
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("it follows checkpoint"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl"), whole);
}

#[test]
fn nothing_starts_anew_by_itself_where_no_checkpoint_can_be_read() {
    let dir = dir();
    for path in crashed(&dir) {
        std::fs::write(path, "kleene checkpoint 1\n{}\n").unwrap();
    }
    let before = dir.read("out.jsonl");
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no checkpoint in state can be read"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl"), before);
}

#[test]
fn what_is_another_run_is_reported_and_nothing_is_touched() {
    let cases = [
        ("--time-unit s", "", "--time-unit was `Ms` at the checkpoint, but is `S` now"),
        ("--rejects r.jsonl", "", "--rejects was not given at the checkpoint"),
        ("", "shrunk", "the input had"),
        ("", "changed", "the input was changed"),
        ("", "shorter output", "it had"),
    ];
    for (arguments, change, expected) in cases {
        let dir = dir();
        crashed(&dir);
        let input = dir.read("in.csv");
        match change {
            "shrunk" => dir.write("in.csv", &input.as_bytes()[..400]),
            "changed" => dir.write("in.csv", input.replace("paid,7,", "paid,8,").as_bytes()),
            "shorter output" => dir.write("out.jsonl", b""),
            _ => {}
        }
        let before = dir.read("out.jsonl");
        let ran = dir.run(&format!("{RUN} {arguments}"));
        assert_eq!(ran.code, Some(2), "{arguments}{change}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{arguments}{change}: {}", ran.stderr);
        assert_eq!(dir.read("out.jsonl"), before);
    }
}

#[test]
fn an_input_that_has_grown_is_read_on() {
    let dir = dir();
    crashed(&dir);
    let longer = format!("{}{}", dir.read("in.csv"), events(100..150));
    dir.write("in.csv", longer.as_bytes());
    assert_eq!(dir.run(RUN).code, Some(0));
    assert_eq!(dir.read("out.jsonl").lines().count(), 150);
}

#[test]
fn other_rules_go_on_as_a_replacement_does() {
    let dir = dir();
    let checkpoints = crashed(&dir);
    std::fs::remove_file(checkpoints.last().unwrap()).unwrap();
    dir.write("rules.cep", RULES.replace("1h", "2h").as_bytes());
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = "the rules changed since the checkpoint: done: kept (10 partial matches)";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl").lines().count(), 100);
}

#[test]
fn standard_input_goes_on_where_it_ended() {
    let dir = dir();
    let ran = interrupted(&dir, &format!("{HEADER}{}", events(0..100)));
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.stderr.contains("the same command continues"), "{}", ran.stderr);
    let rest = format!("{HEADER}{}", events(100..110));
    let ran = dir.run_with(&RUN.replace("-i in.csv", "--format csv"), rest.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot read standard input again"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl").lines().count(), 110);
}

#[test]
fn two_runs_do_not_share_a_directory() {
    let dir = dir();
    let mut command = dir.command(&RUN.replace("-i in.csv", "--format csv"));
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut first = command.spawn().unwrap();
    while !dir.path("state/lock").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("another run is using the state in state"), "{}", ran.stderr);
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
}

#[test]
fn lines_that_are_no_events_count_for_checkpoints() {
    // Else a stream of them would be read again from its start after a crash.
    for line in ["refunded,1,1\n", "paid,one,1\n"] {
        let input = format!("{HEADER}{}{}", events(0..1), line.repeat(198));
        let dir = Dir::new(&[("rules.cep", RULES.as_bytes()), ("in.csv", input.as_bytes())]);
        let ran = dir.run(&format!("{RUN} --quiet"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let names = std::fs::read_dir(dir.path("state")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let newest = names.filter(|name| name.starts_with("checkpoint-")).max().unwrap();
        assert!(*newest >= *"checkpoint-0000000020", "{line}: {newest}");
    }
}

#[test]
fn a_directory_that_cannot_be_is_reported() {
    let dir = dir();
    let ran = dir.run(&RUN.replace("--state state", "--state rules.cep"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("cannot create the state directory rules.cep"), "{}", ran.stderr);
    let ran = dir.run("run rules.cep -i in.csv --checkpoint-every 5s");
    assert_eq!(ran.code, Some(2));
    let ran = dir.run("run rules.cep -i in.csv --state state --checkpoint-every 0events");
    assert!(ran.stderr.contains("expected a number of events"), "{}", ran.stderr);
}

/// Permissions do not hold for root: these are places where nobody can write.
#[test]
fn where_nothing_can_be_written_the_run_does_not_begin() {
    let dir = dir();
    let mut places = vec![
        ("rules.cep/state", "cannot create the state directory rules.cep/state"),
        ("taken", "cannot write to the state directory taken"),
    ];
    std::fs::create_dir_all(dir.path("taken/lock")).unwrap();
    if cfg!(target_os = "linux") {
        places.push(("/proc/self", "cannot write to the state directory /proc/self"));
        places.push(("/proc/self/state", "cannot create the state directory /proc/self/state"));
    }
    for (place, reason) in places {
        let ran = dir.run(&RUN.replace("--state state", &format!("--state {place}")));
        assert_eq!(ran.code, Some(2), "{place}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{place}: {}", ran.stderr);
        assert_eq!((&*ran.stdout, dir.path("out.jsonl").exists()), ("", false), "{place}");
    }
}

#[test]
fn a_state_that_became_read_only_is_as_it_was_and_goes_on_later() {
    let dir = dir();
    crashed(&dir);
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path("state"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && !path.ends_with("lock"))
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        (files, dir.read("out.jsonl"))
    };
    let before = files();
    // What can be written by nobody, root included.
    std::fs::remove_file(dir.path("state/lock")).unwrap();
    std::fs::create_dir(dir.path("state/lock")).unwrap();
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let reason = "cannot write to the state directory state";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    assert_eq!(files(), before);
    std::fs::remove_dir(dir.path("state/lock")).unwrap();
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("resuming at line"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl"), dir.run("run rules.cep -i in.csv --quiet").stdout);
}

#[cfg(unix)]
#[test]
fn where_the_disk_is_full_the_checkpoints_before_are_good() {
    let dir = dir();
    // No file may have more than 4 or 8 KB, which what is open outgrows.
    let (run, program) = (RUN.replace("10events", "20events"), env!("CARGO_BIN_EXE_kleene"));
    let limited = format!("trap '' XFSZ; ulimit -f 8; exec {program} {run}");
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(limited).current_dir(dir.path(""));
    let wider = RULES.replace("id: int,", "id: int, note: string,");
    dir.write("rules.cep", wider.as_bytes());
    let note = "x".repeat(99);
    let paid = (0..200).map(|id| format!("paid,{id},{id}000,{note}\n"));
    let sent = (0..200).map(|id| format!("sent,{id},900000,y\n"));
    let text = paid.chain(sent).collect::<Vec<_>>().concat();
    dir.write("in.csv", format!("type,id,ts,note\n{text}").as_bytes());
    let ran = Exit::from(command.output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("the earlier checkpoints are unchanged"), "{}", ran.stderr);
    let names = std::fs::read_dir(dir.path("state")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with("unfinished")));
    let ran = dir.run(&run);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("resuming at line"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl"), dir.run("run rules.cep -i in.csv --quiet").stdout);
}

#[test]
fn a_daily_batch_carries_over() {
    // One event in each line; the first of an order is paid on one day and sent on the next.
    let days = [
        ("paid,1,1000\npaid,2,2000\n", 0),
        ("sent,1,3000\nsent,3,3000\n", 1),
        ("sent,2,4000\n", 2),
    ];
    let args = "run rules.cep -i in.csv -o out.jsonl --state state";
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes())]);
    let mut input = String::from(HEADER);
    for (lines, matches) in days {
        input.push_str(lines);
        dir.write("in.csv", input.as_bytes());
        let ran = dir.run(args);
        assert_eq!((ran.code, ran.count("matches")), (Some(0), matches), "{}", ran.stderr);
        let before = dir.read("out.jsonl");
        let again = dir.run(args);
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert!(again.stderr.starts_with("nothing new: "), "{}", again.stderr);
        assert_eq!(dir.read("out.jsonl"), before);
    }
    // As one run over all of it.
    assert_eq!(dir.read("out.jsonl"), dir.run("run rules.cep -i in.csv --quiet").stdout);
    // The end of time can follow; then nothing else can.
    assert_eq!(dir.run(&format!("{args} --end-of-time")).code, Some(0));
    let again = dir.run(args);
    assert!(again.stderr.contains("read to its end with --end-of-time"), "{}", again.stderr);
    dir.write("in.csv", format!("{input}sent,9,9000\n").as_bytes());
    let ran = dir.run(args);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("grown since it was read to its end with"), "{}", ran.stderr);
}

/// Rules that feed others with matches of events and of deadlines.
const FED: &str = "event hit { user: string, v: int, at: time }
rule low { key user match hit[v > 0] as h emit as seen { user, v: h.v } }
rule high { key user match seen as s emit { user, v: s.v } }
rule twice { key user match seen as s -> next hit as h within 1h emit { user, v: [s.v, h.v] } }
rule quiet { key user match hit as h -> not hit for 1s emit as calm { user } }
rule after { key user match calm as c emit { user } }
";

#[test]
fn what_rules_feed_at_the_last_moment_is_reported_once_wherever_the_input_is_cut() {
    let times = [0, 5000, 5000, 5000, 6000, 6000, 9000, 10_000];
    let line = |(v, at): (usize, &u64)| {
        let user = if v % 3 == 2 { "b" } else { "a" };
        format!(
            "{{\"type\":\"hit\",\"user\":\"{user}\",\"v\":{v},\"at\":{}}}\n",
            at + 1_714_557_600_000
        )
    };
    let lines: Vec<String> = times.iter().enumerate().map(line).collect();
    let dir = Dir::new(&[("rules.cep", FED.as_bytes())]);
    let plain = |lines: &[String]| {
        dir.write("plain.jsonl", lines.concat().as_bytes());
        dir.run("run rules.cep -i plain.jsonl --quiet").stdout
    };
    assert!(plain(&lines).contains("\"rule\":\"after\""), "the test tests nothing");
    for cut in 1..lines.len() {
        for then in cut..=lines.len().min(cut + 1) {
            let _ = std::fs::remove_dir_all(dir.path("state"));
            for until in [cut, then, lines.len()] {
                dir.write("in.jsonl", lines[..until].concat().as_bytes());
                let ran = dir.run("run rules.cep -i in.jsonl -o out.jsonl --state state");
                assert_eq!(ran.code, Some(0), "{}", ran.stderr);
                assert_eq!(dir.read("out.jsonl"), plain(&lines[..until]), "{cut} {then} {until}");
                if !ran.stderr.starts_with("nothing new") {
                    let found = plain(&lines[..until]).lines().count();
                    assert_eq!(ran.count("matches"), u64::try_from(found).unwrap());
                }
            }
        }
    }
    // The end of time follows what the end of the input brought.
    let args = "run rules.cep -i in.jsonl -o out.jsonl --state state --end-of-time";
    assert_eq!(dir.run(args).code, Some(0));
    let whole = dir.run("run rules.cep -i in.jsonl --end-of-time --quiet").stdout;
    assert_eq!(dir.read("out.jsonl"), whole);
}

#[test]
fn an_output_that_was_changed_behind_the_checkpoint_is_refused() {
    let dir = Dir::new(&[("rules.cep", FED.as_bytes())]);
    let hit = r#"{"type":"hit","user":"a","v":1,"at":1714557600000}"#;
    dir.write("in.jsonl", format!("{hit}\n").as_bytes());
    let args = "run rules.cep -i in.jsonl -o out.jsonl --state state";
    assert_eq!(dir.run(args).count("matches"), 2);
    let output = dir.read("out.jsonl");
    for changed in [format!("{output}x"), output.replace("high", "hugh")] {
        dir.write("out.jsonl", changed.as_bytes());
        let ran = dir.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("the output out.jsonl was changed"), "{}", ran.stderr);
        assert_eq!(dir.read("out.jsonl"), changed);
    }
}

#[test]
fn events_within_the_bound_wait_for_the_next_batch() {
    let args = "run rules.cep -i in.csv -o out.jsonl --out-of-order 5s --state state";
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes())]);
    dir.write("in.csv", format!("{HEADER}sent,1,12000\n").as_bytes());
    let ran = dir.run(args);
    assert_eq!(ran.count("not in order yet"), 1, "{}", ran.stderr);
    // What was before it comes with the next batch.
    dir.write("in.csv", format!("{HEADER}sent,1,12000\npaid,1,11000\nsent,2,90000\n").as_bytes());
    let ran = dir.run(args);
    assert_eq!((ran.count("matches"), ran.count("late")), (1, 0), "{}", ran.stderr);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_packed_input_grows_by_members_and_is_refused_where_it_is_another() {
    let args = "run rules.cep -i in.csv.gz --format csv -o out.jsonl --state state";
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes())]);
    let first = gzip(&format!("{HEADER}paid,1,1000\n"));
    dir.write("in.csv.gz", &first);
    assert_eq!(dir.run(args).code, Some(0));
    assert!(dir.run(args).stderr.starts_with("nothing new: "));
    dir.write("in.csv.gz", &[first, gzip("sent,1,2000\n")].concat());
    let ran = dir.run(args);
    assert_eq!((ran.code, ran.count("matches")), (Some(0), 1), "{}", ran.stderr);
    dir.write("in.csv.gz", &gzip(&format!("{HEADER}{}", events(0..500))));
    let ran = dir.run(args);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("the input was changed"), "{}", ran.stderr);
}

#[test]
fn a_line_that_was_read_before_its_end_came_is_refused() {
    let args = "run rules.cep -i in.csv -o out.jsonl --state state";
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes())]);
    dir.write("in.csv", format!("{HEADER}paid,1,1000").as_bytes());
    assert_eq!(dir.run(args).code, Some(0));
    dir.write("in.csv", format!("{HEADER}paid,1,1000\nsent,1,1500\n").as_bytes());
    assert_eq!(dir.run(args).count("matches"), 1);
    dir.write("in.csv", format!("{HEADER}paid,1,1000\nsent,1,1500\npaid,2,20").as_bytes());
    assert_eq!(dir.run(args).code, Some(0));
    dir.write("in.csv", format!("{HEADER}paid,1,1000\nsent,1,1500\npaid,2,2000\n").as_bytes());
    let ran = dir.run(args);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("line 4 of the input was incomplete"), "{}", ran.stderr);
}

/// A packed input, too, may end within a line: what follows is neither lost nor taken twice.
#[test]
fn a_packed_line_that_was_read_before_its_end_came_goes_on_or_is_refused() {
    let args = "run rules.cep -i in.csv.gz --format csv -o out.jsonl --state state";
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes())]);
    let mut packed = gzip(&format!("{HEADER}paid,1,1000"));
    dir.write("in.csv.gz", &packed);
    assert_eq!(dir.run(args).code, Some(0));
    // The end of the line has come, and another line without one.
    packed.extend(gzip("\nsent,1,1500\npaid,2,20"));
    dir.write("in.csv.gz", &packed);
    let ran = dir.run(args);
    assert_eq!((ran.code, ran.count("events"), ran.count("matches")), (Some(0), 3, 1));
    assert_eq!(ran.count("rejected"), 0, "{}", ran.stderr);
    let before = dir.read("out.jsonl");
    packed.extend(gzip("00\nsent,2,2500\n"));
    dir.write("in.csv.gz", &packed);
    let ran = dir.run(args);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("line 4 of the input was incomplete"), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl"), before);
}

#[test]
fn time_stands_where_the_clock_had_moved_it_when_a_run_goes_on() {
    let rules = "event beat { id: int, ts: time }
        rule silent { key id  match beat -> not beat for 1s  emit { id } }
    ";
    let dir = Dir::new(&[("r.cep", rules.as_bytes())]);
    let args = "run r.cep -o out.jsonl --state state --idle-timeout 200ms --watch --threads 4";
    let beat = |id: u8, ts: u32| format!("{{\"type\":\"beat\",\"id\":{id},\"ts\":{ts}}}\n");
    let mut command = dir.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(beat(1, 100_000).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(dir.read("out.jsonl").lines().count(), 1, "the silence was reported");
    // What is older than the clock had come to is late in the next run.
    let input = beat(2, 100_500) + &beat(3, 900_000);
    let ran = dir.run_with(args, input.as_bytes());
    assert_eq!((ran.code, ran.count("late")), (Some(0), 1), "{}", ran.stderr);
    assert_eq!(dir.read("out.jsonl").lines().count(), 1, "{}", ran.stderr);
    assert_eq!(ran.count("still open"), 1, "{}", ran.stderr);
}
