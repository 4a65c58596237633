//! `kleene check`, the help and the version.

use crate::common::Dir;

const GOOD: &[u8] = b"event a { x: int }\nrule r { key x match a{3} within 5s }\n";
const NO_KEY: &[u8] = b"event a { x: int }\nrule r { match a{3} within 5s }\n";

#[test]
fn good_rules_are_counted() {
    let dir = Dir::new(&[("good.cep", GOOD)]);
    let ran = dir.run("check good.cep");
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), "1 rule, 0 warnings\n", ""));
}

#[test]
fn warnings_are_reported_and_can_be_denied() {
    let dir = Dir::new(&[("r.cep", NO_KEY)]);
    let ran = dir.run("check r.cep");
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "1 rule, 1 warning\n"));
    assert!(ran.stderr.starts_with("warning[W0001]: "), "{}", ran.stderr);
    assert_eq!(dir.run("check r.cep --deny warnings").code, Some(1));
}

#[test]
fn the_cost_of_each_rule_is_a_row() {
    let rules = b"event a { k: int, v: int }\nevent b { k: int, v: int }\n\
        rule short { key k match a as x -> b within 1h }\n\
        rule compared { key k match a as x -> b[v != x.v] within 1h skip none }\n";
    let dir = Dir::new(&[("r.cep", rules), ("none.cep", b"event a { k: int }\n")]);
    let ran = dir.run("check --cost r.cep");
    let table = "\
rule      event       match       memory      n
short     constant    constant    n           the `x` events of the last 1h
            groups: one for each state, for any number of partial matches
compared  n           constant    n           the `x` events of the last 1h
            an event is compared with `x.v` of each partial match

2 rules, 0 warnings
";
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), table, ""));
    assert_eq!(dir.run("check --cost none.cep").stdout, "0 rules, 0 warnings\n");
    let ran = dir.run("check --cost --json r.cep");
    let lines = r#"{"event":"constant","groups":"one for each state, for any number of partial matches","match":"constant","matches":"constant","memory":"n","n":"the `x` events of the last 1h","reasons":[],"rule":"short"}
{"event":"n","groups":null,"match":"constant","matches":"n","memory":"n","n":"the `x` events of the last 1h","reasons":["an event is compared with `x.v` of each partial match"],"rule":"compared"}
"#;
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), lines, ""));
    assert_eq!(dir.run("check --json r.cep").code, Some(2));
}

#[test]
fn how_to_learn_more_is_said_once() {
    let dir = Dir::new(&[("r.cep", NO_KEY), ("wrong.cep", b"rule r { match a -> b }\n")]);
    for (args, code) in [("check r.cep", "W0001"), ("check wrong.cep", "E0201")] {
        let ran = dir.run(args);
        let hint = format!("For more about a code, try `kleene explain {code}`.\n");
        assert_eq!(ran.stderr.matches(&hint).count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn what_is_wrong_fits_on_a_screen_unless_all_is_asked_for() {
    let rules = (0..40).map(|n| format!("rule r{n} {{ key k match b }}\n"));
    let text = rules.collect::<Vec<String>>().concat();
    let dir = Dir::new(&[("r.cep", text.as_bytes())]);
    let (some, all) = (dir.run("check r.cep"), dir.run("check r.cep --all"));
    assert_eq!((some.code, all.code), (Some(1), Some(1)));
    assert!(some.stderr.lines().count() < 60, "{}", some.stderr);
    assert!(some.stderr.contains(" more errors\n") && some.stderr.contains("\n40 errors, 0 warn"));
    assert_eq!(all.stderr.matches("error[E0201]").count(), 40);
}

#[test]
fn the_files_of_a_directory_are_one_set_of_rules() {
    let dir = Dir::new(&[
        ("rules/events.cep", b"event a { x: int }\n"),
        ("rules/deep/one.cep", b"rule one { key x match a{3} within 5s }\n"),
        ("rules/deep/two.cep", b"rule two { key x match a -> a as b within 5s }\n"),
    ]);
    let ran = dir.run("check rules");
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "2 rules, 0 warnings\n"), "{}", ran.stderr);
    dir.write("rules/deep/three.cep", b"rule three { key y match c within 5s }\n");
    let ran = dir.run("check rules");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("rules/deep/three.cep:1:"), "{}", ran.stderr);
}

#[test]
fn the_help_shows_examples_and_the_version_is_reported() {
    let dir = Dir::new(&[]);
    let help = dir.run("run --help");
    assert_eq!(help.code, Some(0));
    for text in ["Examples:", "kleene run shop.cep --input orders.jsonl.gz", "Exit codes:"] {
        assert!(help.stdout.contains(text), "{text}");
    }
    assert_eq!(dir.run("help run").stdout, help.stdout);
    let version = dir.run("--version");
    assert_eq!(version.stdout, concat!("kleene ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn each_shell_gets_its_completions() {
    let dir = Dir::new(&[]);
    let shells = [
        ("bash", "_kleene() {"),
        ("zsh", "#compdef kleene"),
        ("fish", "complete -c kleene"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[kleene]"),
    ];
    for (shell, part) in shells {
        let ran = dir.run(&format!("completions {shell}"));
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{shell}");
        for part in [part, "infer", "out-of-order"] {
            assert!(ran.stdout.contains(part), "{shell}: {part}");
        }
    }
    let ran = dir.run("completions tcsh");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("possible values: bash"), "{}", ran.stderr);
}

#[test]
fn files_share_an_event_type_if_their_declarations_agree() {
    let rule = |name: &str| format!("rule {name} {{ match paid }}\n");
    let first = format!("event paid {{ id: string, amount: float?, ts: time }}\n{}", rule("one"));
    let cases = [
        ("amount: float?, ts: time, id: string", None),
        ("id: int, amount: float?, ts: time", Some("there, its `id` is string")),
        ("id: string, amount: float, ts: time", Some("there, its `amount` is float?")),
        ("id: string, amount: float?, ts: time, x: int", Some("there, it has no field `x`")),
        ("id: string, ts: time", Some("there, it also has a field `amount`")),
        ("id: string, amount: float?, ts: time, ..", Some("there, it has no `..`")),
    ];
    for (fields, difference) in cases {
        let second = format!("event paid {{ {fields} }}\n{}", rule("two"));
        let dir = Dir::new(&[("a.cep", first.as_bytes()), ("b.cep", second.as_bytes())]);
        let ran = dir.run("check a.cep b.cep");
        let text = format!("{}{}", ran.stdout, ran.stderr);
        match difference {
            None => assert_eq!(ran.code, Some(0), "{text}"),
            Some(difference) => {
                assert_eq!(ran.code, Some(1), "{fields}: {text}");
                let places = text.contains("b.cep:1:7") && text.contains("a.cep:1:7");
                assert!(text.contains(difference) && places, "{fields}: {text}");
            }
        }
    }
}
