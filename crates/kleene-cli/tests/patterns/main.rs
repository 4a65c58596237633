//! The rules of `patterns/` over the streams of `examples/data`: each finds what was put there for
//! it, and nothing else. `KLEENE_TEST_UPDATE=1` writes the streams anew.

mod data;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn kleene(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
    command.current_dir(root()).args(args).output().expect("the program can be started")
}

/// Every rule file, sorted.
fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(rule_files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The arguments of the command that a rule file's first comment shows.
fn command_of(text: &str) -> Vec<&str> {
    let comment = text.lines().map_while(|line| line.strip_prefix('#')).collect::<Vec<_>>();
    let start = comment.iter().position(|line| line.trim_start().starts_with("kleene run "));
    let mut args = Vec::new();
    for line in &comment[start.expect("the comment shows a command")..] {
        args.extend(line.split_whitespace().filter(|word| *word != "\\"));
        if !line.ends_with('\\') {
            break;
        }
    }
    args.remove(0);
    args
}

/// What a file's rules tell: `rule kind key` for each match and timeout, sorted.
fn told(output: &Output) -> Vec<String> {
    let text = str::from_utf8(&output.stdout).expect("it is UTF-8");
    let mut told: Vec<String> = text
        .lines()
        .map(|line| {
            let result: Value = serde_json::from_str(line).expect("each line is JSON");
            let key = result["key"].as_object().expect("every rule has a key");
            let key: Vec<&str> =
                key.values().map(|value| value.as_str().expect("keys are text")).collect();
            let word = |name: &str| result[name].as_str().expect("it is text").to_owned();
            format!("{} {} {}", word("rule"), word("kind"), key.join("/"))
        })
        .collect();
    told.sort();
    told
}

fn expect(rule: &str, kind: &str, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| format!("{rule} {kind} {key}")).collect()
}

/// What has to be found, by rule file: see the functions in `data`, which put it there.
fn expected(file: &str) -> Vec<String> {
    let orders = |are: &dyn Fn(u32) -> bool| -> Vec<String> {
        (1001..=1026).filter(|n| are(*n)).map(|n| format!("o-{n}")).collect()
    };
    let users = |are: &dyn Fn(u8) -> bool| -> Vec<String> {
        let users = (1..).zip(data::REACHED).filter(|(_, reached)| are(**reached));
        users.map(|(n, _)| format!("u-{n:02}")).collect()
    };
    let of = |rule, kind, keys: Vec<String>| {
        expect(rule, kind, &keys.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let never_paid = |n| matches!(n, 1008 | 1016 | 1023);
    let mut all = match file {
        "shop/unpaid_order.cep" => [
            of(
                "unpaid_order",
                "match",
                orders(&|n| never_paid(n) || matches!(n, 1005 | 1012 | 1020)),
            ),
            of("payment", "match", orders(&|n| !never_paid(n))),
            of("payment", "timeout", orders(&never_paid)),
        ]
        .concat(),
        "shop/late_delivery.cep" => [
            expect("late_delivery", "match", &["o-1003", "o-1010", "o-1018"]),
            expect("lost_parcel", "match", &["o-1014"]),
        ]
        .concat(),
        "shop/funnel.cep" => [
            of("funnel", "match", users(&|reached| reached == b'4')),
            of("funnel", "timeout", users(&|reached| reached != b'4')),
            of("abandoned_cart", "match", users(&|reached| reached == b'2')),
        ]
        .concat(),
        "security/ssh_brute_force.cep" => [
            expect("ssh_brute_force", "match", &["203.0.113.7", "203.0.113.7", "203.0.113.99"]),
            expect("ssh_user_probing", "match", &["198.51.100.23"]),
        ]
        .concat(),
        "security/login_after_failures.cep" => {
            expect("login_after_failures", "match", &["203.0.113.99/deploy"])
        }
        "market/active_trader.cep" => {
            expect("active_trader", "match", &["ann", "cem", "dora", "dora"])
        }
        "market/v_shape.cep" => expect("v_shape", "match", &["AAA", "AAA", "BBB"]),
        "ads/crawler_burst.cep" => [
            expect("crawler_burst", "match", &["198.51.100.40", "198.51.100.40", "198.51.100.41"]),
            expect("trapped_crawler", "match", &["198.51.100.50"]),
        ]
        .concat(),
        other => panic!("say what {other} has to find"),
    };
    all.sort();
    all
}

#[test]
fn the_streams_are_what_the_generator_makes() {
    for (name, text) in data::files() {
        let path = root().join("examples/data").join(name);
        if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
            fs::write(&path, &text).expect("it can be written");
        }
        assert!(
            fs::read_to_string(&path).is_ok_and(|found| found == text),
            "{name} differs: make it anew with KLEENE_TEST_UPDATE=1"
        );
    }
}

#[test]
fn every_rule_finds_what_is_there_with_the_command_that_it_shows() {
    let folder = root().join("patterns");
    let files = rule_files(&folder);
    assert!(files.len() >= 8, "only {} rule files", files.len());
    for path in files {
        let name = path.strip_prefix(&folder).expect("it is in it").to_string_lossy();
        let name = name.replace('\\', "/");
        let text = fs::read_to_string(&path).expect("it can be read");
        let args = command_of(&text);
        assert!(args.contains(&format!("patterns/{name}").as_str()), "{name}: {args:?}");
        let output = kleene(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
        assert_eq!(told(&output), expected(&name), "{name}\n{stderr}");
        for count in ["late ", "rejected "] {
            let line = stderr.lines().find(|line| line.starts_with(count)).expect("it is told");
            assert!(line.ends_with(" 0"), "{name}: {line}");
        }
    }
}

#[test]
fn the_rules_have_no_mistakes_and_fit_together() {
    let output = kleene(&["check", "patterns", "--deny", "warnings"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn the_tests_in_the_rule_files_pass() {
    let output = kleene(&["test", "patterns"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!stdout.contains("without a test"), "{stdout}");
}

#[test]
fn every_rule_says_what_it_is_for_and_has_tests() {
    for path in rule_files(&root().join("patterns")) {
        let text = fs::read_to_string(&path).expect("it can be read");
        let blocks = text.split("\nrule ").skip(1);
        for rule in blocks {
            let name = rule.split(' ').next().expect("a rule has a name");
            for clause in ["about \"", "severity ", "tags [", "key ", "match ", "emit {"] {
                assert!(rule.contains(&format!("\n  {clause}")), "{name} lacks `{clause}`");
            }
            // What it finds, and where that ends.
            let tests = text.matches(&format!("\ntest {name} {{")).count();
            assert!(tests >= 2, "{name} has {tests} tests");
        }
    }
}
