//! No command empties what it reads, and rules reach no files but those beside them.

use crate::common::Dir;

const RULES: &[u8] = b"event a { ts: time, k: int }\n\
    list l: int from \"list.txt\"\n\
    rule r { key k  match a[k in l]  emit { k } }\n\
    test r {\n  at 1s a { k: 1 }\n  expect match\n}\n";
const EVENTS: &[u8] = b"{\"type\":\"a\",\"ts\":1000,\"k\":1}\n";

fn dir() -> Dir {
    Dir::new(&[
        ("r.cep", RULES),
        ("list.txt", b"1\n2\n"),
        ("in.jsonl", EVENTS),
        ("old.jsonl", b"old\n"),
    ])
}

/// All that has to be as it was, whatever is refused.
fn is_untouched(dir: &Dir, args: &str) {
    assert_eq!(dir.read("r.cep").as_bytes(), RULES, "{args}");
    assert_eq!(dir.read("list.txt"), "1\n2\n", "{args}");
    assert_eq!(dir.read("in.jsonl").as_bytes(), EVENTS, "{args}");
    assert_eq!(dir.read("old.jsonl"), "old\n", "{args}");
}

#[cfg(unix)]
#[test]
fn an_output_that_is_read_or_written_already_is_refused_before_anything_is_opened() {
    use std::os::unix::fs::symlink;
    let dir = dir();
    std::fs::hard_link(dir.path("in.jsonl"), dir.path("hard")).unwrap();
    std::fs::hard_link(dir.path("r.cep"), dir.path("hardrule")).unwrap();
    symlink("in.jsonl", dir.path("soft")).unwrap();
    symlink("new.jsonl", dir.path("dangling")).unwrap();
    std::fs::create_dir(dir.path("st")).unwrap();
    symlink("st", dir.path("linked")).unwrap();
    let input = "is the input, and cannot also be written to";
    let rules = "is a file of the rules, and cannot also be written to";
    let own = "is the output; rejects need another file";
    let state = "which must contain only the state";
    let cases = [
        ("--output in.jsonl", input),
        ("--output hard", input),
        ("--output soft", input),
        ("--output ./st/../in.jsonl", input),
        ("--output old.jsonl --rejects hard", input),
        ("--output r.cep", rules),
        ("--output hardrule", rules),
        ("--output list.txt", rules),
        ("--output old.jsonl --rejects list.txt", rules),
        ("--output new.jsonl --rejects new.jsonl", own),
        ("--output new.jsonl --rejects st/../new.jsonl", own),
        ("--output new.jsonl --rejects dangling", own),
        ("--output old.jsonl --rejects old.jsonl", own),
        ("--output st/out --state st", state),
        ("--output linked/out --state st", state),
        ("--output old.jsonl --rejects st/../st/r --state st", state),
        ("--output old.jsonl --rejects st/r --state st", state),
        ("--output old.jsonl --state st --spill linked", "need two different directories"),
        ("--output old.jsonl --rejects nowhere/r", "cannot write the rejects nowhere/r"),
        ("--output old.jsonl --rejects st", "it is a directory"),
        ("--output /dev/full --rejects old.jsonl", "no space left"),
    ];
    for (args, expected) in cases {
        let all = format!("run r.cep --input in.jsonl {args}");
        let ran = dir.run(&all);
        assert_eq!(ran.code, Some(2), "{args}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args}: {}", ran.stderr);
        is_untouched(&dir, args);
        assert!(!dir.path("new.jsonl").exists(), "{args}");
    }
    // By a descriptor that the shell has opened.
    let mut command = dir.command("run r.cep --input in.jsonl");
    let same = std::fs::File::options().append(true).open(dir.path("in.jsonl")).unwrap();
    let ran = command.stdout(same).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let mut command = dir.command("run r.cep --output in.jsonl");
    let ran = command.stdin(std::fs::File::open(dir.path("in.jsonl")).unwrap()).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    // Other commands that write.
    let ran = dir.run("test r.cep --junit list.txt");
    assert!(ran.code == Some(2) && ran.stderr.contains(rules), "{}", ran.stderr);
    let same = std::fs::File::options().append(true).open(dir.path("in.jsonl")).unwrap();
    let ran = dir.command("infer in.jsonl").stdout(same).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    is_untouched(&dir, "others");
    // What is fine goes on being fine.
    for args in ["--output old.jsonl --rejects dangling", "--output /dev/null --state st"] {
        let ran = dir.run(&format!("run r.cep --input in.jsonl {args}"));
        assert_eq!(ran.code, Some(0), "{args}: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn rules_reach_regular_files_beside_them_only() {
    use std::os::unix::fs::symlink;
    let dir = Dir::new(&[
        ("rules/sub/shared.cep", b"event a { ts: time, k: int }\n"),
        ("common/list.txt", b"1\n"),
        ("common/c.cep", b"event a { ts: time, k: int }\n"),
        ("secret.txt", b"root:x:0:0\n"),
        ("secret.cep", b"root:x:0:0\n"),
        ("rules/notes.txt", b"root:x:0:0\n"),
    ]);
    symlink("../secret.cep", dir.path("rules/link.cep")).unwrap();
    symlink("notes.txt", dir.path("rules/alias.cep")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.path("rules/pipe.txt")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let big = std::fs::File::create(dir.path("rules/big.txt")).unwrap();
    big.set_len((64 << 20) + 1).unwrap();
    let outside = "it is outside the folders of the rule files";
    let event = "event a { ts: time, k: int }";
    let absolute = dir.path("secret.txt").display().to_string();
    let cases = [
        ("use \"../secret.cep\"".to_owned(), outside),
        ("use \"../../../../../../../../etc/passwd.cep\"".to_owned(), outside),
        ("use \"link.cep\"".to_owned(), outside),
        ("use \"notes.txt\"".to_owned(), "the names of rule files end in `.cep`"),
        ("use \"alias.cep\"".to_owned(), "the names of rule files end in `.cep`"),
        ("use \"missing.cep\"".to_owned(), "there is no such file"),
        ("use \"../missing.cep\"".to_owned(), outside),
        (format!("{event} list l: int from \"../secret.txt\""), outside),
        (format!("{event} list l: int from \"{absolute}\""), outside),
        (format!("{event} list l: int from \"../common/list.txt\""), outside),
        (format!("{event} list l: int from \"pipe.txt\""), "it is not a regular file"),
        (format!("{event} list l: int from \"/dev/zero\""), outside),
        (format!("{event} list l: int from \"big.txt\""), "it is larger than 64 MiB"),
        (
            format!("{event} list l: int from \"notes.txt\""),
            "line 1 of `notes.txt` is not a value of type int",
        ),
    ];
    for (text, expected) in &cases {
        dir.write("rules/main.cep", text.as_bytes());
        for command in ["check rules/main.cep", "check rules", "explain rules/main.cep"] {
            let ran = dir.run(command);
            // The folder has other files with mistakes in it.
            if command == "check rules" {
                continue;
            }
            assert!(ran.code != Some(0), "{command}, {text}: {}", ran.stdout);
            assert!(ran.stderr.contains(expected), "{command}, {text}: {}", ran.stderr);
            assert!(!ran.stderr.contains("root"), "{command}, {text}: {}", ran.stderr);
        }
    }
    // A device that is allowed is none the less no file.
    dir.write("rules/main.cep", b"list l: int from \"/dev/zero\"");
    let ran = dir.run("check rules/main.cep --allow-path /dev");
    assert!(ran.stderr.contains("it is not a regular file"), "{}", ran.stderr);
    // What is allowed, and a folder that is given as such.
    let text = b"use \"../common/c.cep\"\nlist l: int from \"../common/list.txt\"\n\
        rule r { key k  match a[k in l]  emit { k } }";
    dir.write("rules/main.cep", text);
    let ran = dir.run("check rules/main.cep --allow-path common");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = b"use \"../sub/shared.cep\"\nrule r { key k  match a  emit { k } }";
    dir.write("tree/deep/main.cep", text);
    dir.write("tree/sub/shared.cep", b"event a { ts: time, k: int }\n");
    assert_eq!(dir.run("check tree").code, Some(0));
    assert!(dir.run("check tree/deep/main.cep").stderr.contains(outside));
}

#[cfg(unix)]
#[test]
fn a_pipe_that_lies_in_a_directory_of_rules_is_not_waited_for() {
    let dir = dir();
    dir.write("rules/r.cep", b"event a { ts: time, k: int }\n");
    let made = std::process::Command::new("mkfifo").arg(dir.path("rules/p.cep")).status();
    assert!(made.is_ok_and(|status| status.success()));
    for command in
        ["check rules", "fmt rules", "test rules", "run rules", "run rules/p.cep --watch"]
    {
        let ran = dir.run(command);
        assert!(
            ran.code == Some(2) && ran.stderr.contains("not a regular file"),
            "{command}: {}",
            ran.stderr
        );
    }
}
