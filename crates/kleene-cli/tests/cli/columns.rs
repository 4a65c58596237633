//! Parquet and Arrow IPC, in and out.

use super::common::Dir;

#[cfg(feature = "arrow")]
mod built_in {
    use std::fmt::Write as _;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use kleene_test::steps::Dice;

    use super::Dir;

    /// Rules whose results are events for `SECOND`.
    const FIRST: &str = "
event a { k: int, s: string?, ts: time }
event b { k: int, ts: time }
rule pair  { key k  match a as x -> b  within 20s  skip none  emit { k, s: x.s }  on timeout emit { k } }
rule quiet { key k  match b -> not a for 5s  emit { k } }
rule many  { key k  match a{3}  within 30s  emit { k } }
";

    /// Rules over results. Their type is the member `kind`, and their time `end`.
    const SECOND: &str = "
event `match` { `rule`: string, id: string, start: time, end: time = event time, version: string, count: int? }
event timeout { `rule`: string, id: string, start: time, end: time = event time }
rule two  { key `rule`  match `match` as one -> `match` as other  within 10s
            emit { of: one.`rule`, ids: one.id, id: other.id, took: other.end - one.start, v: one.version, n: one.count } }
rule late { key `rule`  match `match` -> timeout as t  within 1m  emit { t: t.start, id: t.id } }
";

    const READ: &str = "--type-field kind --out-of-order 1m";

    fn events(count: u64) -> String {
        let mut dice = Dice(7);
        let (mut text, mut now) = (String::new(), 1_714_557_700_000);
        for _ in 0..count {
            now += dice.below(2000);
            let (ty, key) = (["a", "b"][dice.below(2)], dice.below(9));
            let s = ["", r#","s":"\u00fc \"x\"""#][dice.below(2)];
            let s = if ty == "a" { s } else { "" };
            writeln!(text, r#"{{"type":"{ty}","ts":{now},"k":{key}{s}}}"#).unwrap();
        }
        text
    }

    /// A directory with results in each format.
    fn results(count: u64) -> Dir {
        let dir = Dir::new(&[
            ("first.cep", FIRST.as_bytes()),
            ("second.cep", SECOND.as_bytes()),
            ("in.jsonl", events(count).as_bytes()),
        ]);
        for ending in ["jsonl", "parquet", "arrow", "feather", "arrows"] {
            let ran = dir.run(&format!("run first.cep -i in.jsonl -o out.{ending} --end-of-time"));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
        dir
    }

    fn bytes(dir: &Dir, name: &str) -> Vec<u8> {
        std::fs::read(dir.path(name)).unwrap()
    }

    #[test]
    fn results_in_columns_are_events_like_those_in_lines() {
        let dir = results(30_000);
        let run = format!("run second.cep {READ}");
        let lines = dir.run(&format!("{run} -i out.jsonl"));
        assert!(lines.count("matches") > 5000, "{}", lines.stderr);
        for ending in ["parquet", "arrow", "feather", "arrows"] {
            for threads in ["", "--threads 1", "--threads 4"] {
                let ran = dir.run(&format!("{run} -i out.{ending} {threads}"));
                assert_eq!((ran.code, &ran.stdout), (Some(0), &lines.stdout), "{}", ran.stderr);
                assert_eq!(ran.said(), lines.said());
            }
        }
        // A stream can come from a pipe, and the other formats cannot.
        let ran = dir.run_with(&run, &bytes(&dir, "out.arrows"));
        assert_eq!((ran.code, &ran.stdout), (Some(0), &lines.stdout), "{}", ran.stderr);
        #[cfg(unix)]
        {
            let pipe = dir.path("pipe");
            assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let stream = bytes(&dir, "out.arrows");
            let writer = std::thread::spawn(move || std::fs::write(pipe, stream).unwrap());
            let ran = dir.run(&format!("{run} -i pipe"));
            writer.join().unwrap();
            assert_eq!((ran.code, &ran.stdout), (Some(0), &lines.stdout), "{}", ran.stderr);
        }
        for ending in ["parquet", "arrow"] {
            let ran = dir.run_with(&run, &bytes(&dir, &format!("out.{ending}")));
            assert_eq!(ran.code, Some(2));
            assert!(ran.stderr.contains("\nhelp: give it as a file"), "{}", ran.stderr);
        }
        let key = "--rule two --key pair --limit 1000000";
        let [of_lines, of_rows] = ["jsonl", "parquet"]
            .map(|ending| dir.run(&format!("why second.cep -i out.{ending} {READ} {key}")));
        assert_eq!((of_rows.code, of_rows.stdout), (Some(0), of_lines.stdout));
    }

    #[test]
    fn a_run_that_was_killed_goes_on_at_its_row() {
        let dir = results(60_000);
        let run = format!("run second.cep {READ} -i out.parquet --quiet");
        let ran = dir.run(&format!("{run} -o whole.jsonl --state undisturbed"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let kept = format!("{run} -o kept.jsonl --state state --checkpoint-every 500events");
        let mut killed = 0;
        for wait in (1..40).cycle().take(200) {
            let mut child = dir.command(&kept).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(5 * wait));
            if child.try_wait().unwrap().is_some() {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        let ran = dir.run(&kept);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(killed > 2, "{killed}");
        assert!(
            dir.read("kept.jsonl") == dir.read("whole.jsonl"),
            "other results after {killed} kills"
        );
        // The file is another one.
        let ran = dir.run("run first.cep -i in.jsonl -o out.parquet");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let ran = dir.run(&kept);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("input"), "{}", ran.stderr);
    }

    #[test]
    fn rows_are_rejected_by_their_number() {
        let dir = results(2_000);
        // Timeouts have no `count`, and matches have none where it is not asked for.
        dir.write("strict.cep", SECOND.replace("count: int?", "count: int").as_bytes());
        let run = format!("run strict.cep {READ} -i out.parquet");
        let ran = dir.run(&run);
        assert!(ran.count("rejected") > 500, "{}", ran.stderr);
        assert!(ran.reported()[0].starts_with("row 1: field `count` is null"), "{}", ran.stderr);
        dir.run(&format!("{run} --rejects rejects.jsonl"));
        let rejects = dir.read("rejects.jsonl");
        let first: serde_json::Value =
            serde_json::from_str(rejects.lines().next().unwrap()).unwrap();
        assert_eq!(first["row"], 1);
        assert!(first["input"].as_str().unwrap().contains("\"kind\":\"match\""), "{first}");
        // Late events are shown as well.
        let run = "run second.cep --type-field kind --time-field start -i out.parquet";
        let ran = dir.run(&format!("{run} --rejects late.jsonl"));
        assert!(ran.count("late") > 100, "{}", ran.stderr);
        let late: serde_json::Value =
            serde_json::from_str(dir.read("late.jsonl").lines().next().unwrap()).unwrap();
        assert!(late["row"].is_u64() && late["input"].as_str().unwrap().contains("\"rule\":"));
    }

    #[test]
    fn a_limit_that_fails_ends_the_run_at_its_row() {
        let dir = results(3_000);
        let rules = "event `match` { `rule`: string, end: time = event time, start: time }
                     rule few { key `rule`  match `match`{3 each any}  within 1h  skip none  limit 4 partials fail }";
        dir.write("few.cep", rules.as_bytes());
        let [lines, rows] = ["jsonl", "parquet"]
            .map(|ending| dir.run(&format!("run few.cep {READ} -i out.{ending}")));
        assert_eq!((lines.code, rows.code), (Some(2), Some(2)), "{}", rows.stderr);
        assert_eq!(
            (rows.stdout, rows.stderr.lines().last()),
            (lines.stdout, lines.stderr.lines().last())
        );
    }

    #[test]
    fn what_is_wrong_with_columns_is_said() {
        let dir = results(500);
        let file = bytes(&dir, "out.parquet");
        dir.write("cut.parquet", &file[..file.len() / 2]);
        let mut flipped = file.clone();
        let middle = flipped.len() / 2;
        flipped[middle..middle + 40].fill(0x5a);
        dir.write("flipped.parquet", &flipped);
        dir.write("none.parquet", b"PAR1");
        for name in ["cut", "none"] {
            let ran = dir.run(&format!("run second.cep {READ} -i {name}.parquet"));
            assert_eq!(ran.code, Some(2), "{name}");
            assert!(ran.stderr.starts_with("error: cannot read the input"), "{}", ran.stderr);
        }
        let ran = dir.run(&format!("run second.cep {READ} -i flipped.parquet"));
        assert!(ran.code.is_some() && !ran.stderr.contains("panicked"), "{}", ran.stderr);
        for (args, expected) in [
            ("-i out.parquet --format csv", "the input is Parquet, not csv"),
            ("-i out.jsonl --format parquet", "the input is not parquet"),
            ("-i in.jsonl -o x.arrow --state s", "only possible with JSON lines"),
            ("-i in.jsonl --rejects x.parquet", "the output is JSON lines, not parquet"),
        ] {
            let ran = dir.run(&format!("run second.cep {args}"));
            assert_eq!(ran.code, Some(2), "{args}");
            assert!(ran.stderr.contains(expected), "{args}: {}", ran.stderr);
        }
        for option in ["--format csv", "--delimiter ;"] {
            let ran = dir.run(&format!("infer out.parquet {option}"));
            assert!(ran.stderr.contains("the input has columns, not lines"), "{}", ran.stderr);
        }
    }

    #[test]
    fn declarations_are_inferred_from_columns_as_from_lines() {
        let dir = results(2_000);
        // In lines, `key`, `emit` and `events` are objects.
        for file in ["out.parquet", "out.arrow", "out.arrows"] {
            let ran = dir.run(&format!("infer {file} --type-field kind --time-field end"));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            for part in
                ["event `match` {", "event timeout {", "start: time", "end: time", "id: string"]
            {
                assert!(ran.stdout.contains(part), "{part} in {file}:\n{}", ran.stdout);
            }
            let run = format!("kleene run RULES --input {file} --type-field kind");
            assert!(ran.stderr.contains(&run), "{}", ran.stderr);
        }
        let ran = dir.run("infer out.parquet --type-field kind --time-field end --sample 100");
        assert!(ran.stderr.contains("only the first 100 rows were read"), "{}", ran.stderr);
    }

    #[test]
    fn an_interrupted_run_leaves_a_whole_file() {
        let dir = results(2_000);
        let mut command = dir.command("run first.cep -o found.parquet");
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let child = child.as_mut().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, events(2_000).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        crate::common::interrupt(child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        drop(stdin);
        let ran = dir.run(&format!("run second.cep {READ} -i found.parquet"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.count("events") > 100, "{}", ran.stderr);
    }
}

#[cfg(not(feature = "arrow"))]
#[test]
fn a_program_without_columns_says_how_to_have_them() {
    let rules = "event a { ts: time }  rule r { match a }";
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.parquet", b"PAR1\x15\x04\x15\x10")]);
    for args in ["-i in.parquet", "-i in.parquet --threads 4", "-o out.parquet"] {
        let ran = dir.run(&format!("run r.cep {args}"));
        assert_eq!(ran.code, Some(2), "{args}");
        assert!(ran.stderr.contains("--features arrow"), "{args}: {}", ran.stderr);
    }
    let ran = dir.run_with("run r.cep", b"PAR1\x15\x04\x15\x10");
    assert!(ran.stderr.contains("--features arrow"), "{}", ran.stderr);
    let ran = dir.run_with("run r.cep --format csv", b"PARTS,ts\n");
    assert!(!ran.stderr.contains("--features arrow"), "{}", ran.stderr);
    let ran = dir.run("infer in.parquet");
    assert!(ran.stderr.contains("--features arrow"), "{}", ran.stderr);
}
