//! A run goes on only where what it has written is as it was, and under the options that it had.

use crate::common::Dir;

const RULES: &[u8] = b"event a { ts: time, k: int }\n\
    rule r { key k  match a  emit { k } }\n\
    rule p { key k  param most: int = 5  match a[k > $most] -> a within 1h  emit { k } }\n";
const RUN: &str = "run r.cep -i in.csv -o out.jsonl --rejects bad.jsonl --state st";

fn done() -> Dir {
    let rows = (1..40).map(|k| format!("a,{k},{k}\n")).collect::<Vec<_>>().concat();
    let text = format!("type,ts,k\n{rows}a,50,x\n");
    let dir = Dir::new(&[("r.cep", RULES), ("in.csv", text.as_bytes())]);
    let ran = dir.run(RUN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    dir
}

#[test]
fn an_output_that_was_edited_or_deleted_is_refused_also_when_everything_was_done() {
    let dir = done();
    for (file, what) in [("out.jsonl", "the output"), ("bad.jsonl", "the file of rejects")] {
        let before = dir.read(file);
        let edited = format!("{}X\n", &before[..before.len() - 2]);
        let longer = format!("{before}more\n");
        let changes = [
            (Some(edited), "was changed: its end differs from what the run wrote"),
            (Some(longer), "was changed: it has 5 bytes more than the run wrote"),
            (Some(String::new()), "but has only 0 now"),
            (None, "no longer exists"),
        ];
        for (text, expected) in changes {
            match &text {
                Some(text) => dir.write(file, text.as_bytes()),
                None => std::fs::remove_file(dir.path(file)).unwrap(),
            }
            let ran = dir.run(RUN);
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            let is_reported = ran.stderr.contains(expected) && ran.stderr.contains(what);
            assert!(is_reported, "{file}: {expected}: {}", ran.stderr);
        }
        dir.write(file, before.as_bytes());
        assert_eq!(dir.run(RUN).code, Some(0));
    }
}

#[test]
fn options_that_change_results_have_to_be_the_same() {
    let dir = done();
    for (more, expected) in [
        ("--max-line 2K", "--max-line was 1048576 at the checkpoint, but is 2048 now"),
        ("--param p.most=7", "--param was [] at the checkpoint, but is [\"p.most=7\"] now"),
        ("--strict", "--strict was not given at the checkpoint, but is true now"),
        ("--steps-per-event 9", "--steps-per-event was not given at the checkpoint, but is 9 now"),
    ] {
        let ran = dir.run(&format!("{RUN} {more}"));
        assert_eq!(ran.code, Some(2), "{more}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{more}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn the_state_is_for_its_owner_alone_and_links_in_it_are_not_followed() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let dir = done();
    let mode = |name: &str| dir.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("st"), 0o700);
    for entry in std::fs::read_dir(dir.path("st")).unwrap() {
        let meta = entry.unwrap().metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    }
    dir.write("victim", b"mine");
    std::fs::remove_file(dir.path("st/lock")).unwrap();
    symlink("../victim", dir.path("st/lock")).unwrap();
    assert_eq!(dir.run(RUN).code, Some(2));
    std::fs::remove_file(dir.path("st/lock")).unwrap();
    // What a killed run left is removed, the link and not what it leads to.
    symlink("../victim", dir.path("st/unfinished")).unwrap();
    assert_eq!(dir.run(RUN).code, Some(0));
    assert!(!dir.path("st/unfinished").exists());
    assert_eq!(dir.read("victim"), "mine");
}
