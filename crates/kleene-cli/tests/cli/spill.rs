//! `kleene run --spill`: idle keys in a file.

use super::common::Dir;

const RULES: &str = "event paid { id: int, ts: time }
event sent { id: int, ts: time }
rule done { key id  match paid -> sent within 1h  emit { id }  on timeout emit { id } }
rule both { key id  match paid and sent  emit { id } }
";

/// Payments of orders that never come in the order of their numbers; every third was sent.
fn events(orders: u64) -> String {
    let paid =
        (0..orders).map(|order| format!("paid,{},{}\n", order * 7919 % orders, 1000 + order));
    let sent = (0..orders)
        .step_by(3)
        .map(|order| format!("sent,{},{}\n", order * 5701 % orders, 2000 + orders + order));
    let last = [String::from("paid,-1,7200000\n")];
    String::from("type,id,ts\n") + &paid.chain(sent).chain(last).collect::<String>()
}

fn dir() -> Dir {
    let dir = Dir::new(&[("rules.cep", RULES.as_bytes()), ("in.csv", events(1000).as_bytes())]);
    std::fs::create_dir(dir.path("spill")).unwrap();
    dir
}

const RUN: &str = "run rules.cep -i in.csv";

#[test]
fn results_are_the_same_with_a_few_keys_in_memory() {
    let dir = dir();
    let plain = dir.run(RUN);
    assert!(plain.results().len() > 1300);
    for keys in [0, 7, 300, 1_000_000] {
        for more in ["", " --threads 2", " --strategy general"] {
            let ran = dir.run(&format!("{RUN} --spill spill --keys-in-memory {keys}{more}"));
            assert_eq!((ran.code, &ran.stdout), (Some(0), &plain.stdout), "{keys} {}", ran.stderr);
            assert_eq!(ran.count("peak partial matches"), plain.count("peak partial matches"));
        }
    }
    assert_eq!(std::fs::read_dir(dir.path("spill")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_checkpoint_holds_what_is_in_the_file() {
    let dir = dir();
    let plain = dir.run(RUN);
    let run = format!(
        "{RUN} -o out.jsonl --state state --checkpoint-every 100events --spill spill \
         --keys-in-memory 20"
    );
    let ran = dir.run(&run);
    assert_eq!(
        (ran.code, dir.read("out.jsonl")),
        (Some(0), plain.stdout.clone()),
        "{}",
        ran.stderr
    );
    for again in [run.clone(), run.replace(" --spill spill --keys-in-memory 20", ""), run] {
        // As a crash leaves it: the last checkpoint says that all is done.
        let entries = std::fs::read_dir(dir.path("state")).unwrap();
        let last = entries.map(|entry| entry.unwrap().path()).filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("checkpoint-"))
        });
        std::fs::remove_file(last.max().unwrap()).unwrap();
        let ran = dir.run(&again);
        assert_eq!((ran.code, dir.read("out.jsonl")), (Some(0), plain.stdout.clone()));
        assert!(ran.stderr.contains("resuming at line"), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_used_is_said() {
    let dir = dir();
    let made = dir.run(&format!("{RUN} -o out.jsonl --spill new/deep --keys-in-memory 7"));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = dir.path("new/deep").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    let file = dir.run(&format!("{RUN} --spill in.csv"));
    assert_eq!(file.code, Some(2));
    assert!(file.stderr.contains("in.csv"), "{}", file.stderr);
    let alone = dir.run(&format!("{RUN} --keys-in-memory 7"));
    assert_eq!(alone.code, Some(2));
    assert!(alone.stderr.contains("--spill"), "{}", alone.stderr);

    // Another run keeps its own there at the same time.
    let mut first = dir.command("run rules.cep --format csv --spill spill");
    first.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut first = first.stdout(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(dir.run(&format!("{RUN} --spill spill")).code, Some(0));
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
}
