//! `kleene explain RULES`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Dir;

/// The options for each form, with the ending of the files in which it is recorded.
const FORMS: &[(&str, &str)] = &[
    ("", "txt"),
    ("--states", "states.txt"),
    ("--dot", "dot"),
    ("--mermaid", "mmd"),
    ("--svg", "svg"),
    ("--states --dot", "states.dot"),
    ("--states --mermaid", "states.mmd"),
    ("--states --svg", "states.svg"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn explain(args: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
    command.current_dir(root()).arg("explain").args(args.split_whitespace());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "kleene explain {args}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The length of a text in quotes at the start of `text`, if there is one.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.strip_prefix('"')?.char_indices() {
        match c {
            '"' if !escaped => return Some(index + 2),
            '\n' => return None,
            c => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// A node's name at the start of `text`, and the rest.
fn node(text: &str) -> Option<(usize, &str)> {
    let digits = text.strip_prefix('n')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Some((digits[..end].parse().ok()?, &digits[end..]))
}

/// Fails unless each line is one of the statements that pictures are made of, and each arc leads
/// from a node that is declared to one that is.
fn check_dot(text: &str, place: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("digraph rule {", "}"), "{place}");
    let mut nodes = Vec::new();
    for line in &lines[1..lines.len() - 1] {
        let statement = line.trim().strip_suffix(';').unwrap_or_else(|| panic!("{place}: {line}"));
        let missing = || panic!("{place}: {line}");
        let attributes = if let Some((name, rest)) = node(statement) {
            if let Some(target) = rest.strip_prefix(" -> ") {
                let (target, rest) = node(target).unwrap_or_else(missing);
                assert!(nodes.contains(&name) && nodes.contains(&target), "{place}: {line}");
                rest
            } else {
                nodes.push(name);
                rest
            }
        } else {
            statement.trim_start_matches(|c: char| c.is_ascii_lowercase())
        };
        let mut rest = attributes.trim().trim_start_matches('[').trim_end_matches(']');
        // What is left are names, texts in quotes and what stands between them.
        while !rest.is_empty() {
            let length = match rest.chars().next() {
                Some('"') => quoted(rest).unwrap_or_else(|| panic!("{place}: {line}")),
                Some(c) if c.is_ascii_alphanumeric() || "=, ".contains(c) => 1,
                _ => panic!("{place}: {rest} in {line}"),
            };
            rest = &rest[length..];
        }
    }
    assert!(nodes.len() >= 2, "{place}");
}

/// The same for Mermaid, in whose texts nothing may stand that means something to it.
fn check_mermaid(text: &str, place: &str) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("flowchart TD"), "{place}");
    let mut nodes = Vec::new();
    for line in lines.map(str::trim).filter(|line| !line.starts_with("%% ")) {
        let (name, rest) = node(line).unwrap_or_else(|| panic!("{place}: {line}"));
        let arrow =
            [" --> ", " -->", " -.-> ", " -.->"].iter().find_map(|arrow| rest.strip_prefix(arrow));
        let missing = || panic!("{place}: {line}");
        let label = if let Some(rest) = arrow {
            let (label, target) = match rest.strip_prefix('|') {
                Some(rest) => rest.split_once("| ").unwrap_or_else(missing),
                None => ("\"\"", rest),
            };
            let (target, rest) = node(target).unwrap_or_else(|| panic!("{place}: {line}"));
            assert!(nodes.contains(&name) && nodes.contains(&target), "{place}: {line}");
            assert_eq!(rest, "", "{place}: {line}");
            label
        } else {
            nodes.push(name);
            let brackets = ["(((", "((", "([", "(", "["];
            let open = brackets.iter().find(|open| rest.starts_with(**open));
            let open = open.unwrap_or_else(|| panic!("{place}: {line}"));
            let close = open.chars().rev().map(|c| if c == '(' { ')' } else { ']' });
            let close: String = close.collect();
            let inner = rest[open.len()..].strip_suffix(&close);
            inner.unwrap_or_else(|| panic!("{place}: {line}"))
        };
        let inner = label.strip_prefix('"').and_then(|label| label.strip_suffix('"'));
        let inner = inner.unwrap_or_else(|| panic!("{place}: {line}")).replace("<br/>", "");
        assert!(!inner.contains(['"', '<', '>', '|', '`', '(', '[', '{']), "{place}: {line}");
    }
    assert!(nodes.len() >= 2, "{place}");
}

/// Fails unless it is XML, and everything that is drawn stands within the picture.
fn check_svg(text: &str, place: &str) {
    let document =
        roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{place}: {error}"));
    let svg = document.root_element();
    let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("{place}: {text}"));
    let area: Vec<i64> = svg.attribute("viewBox").unwrap().split(' ').map(number).collect();
    let mut drawn = 0;
    for element in document.descendants().filter(|node| node.has_attribute("class")) {
        let at = |name: &str| element.attribute(name).map(number);
        let (Some(x), Some(y)) = (at("x").or(at("cx")), at("y").or(at("cy"))) else { continue };
        drawn += 1;
        assert!((area[0]..area[0] + area[2]).contains(&x), "{place}: {element:?}");
        assert!((area[1]..area[1] + area[3]).contains(&y), "{place}: {element:?}");
    }
    assert!(drawn >= 4, "{place}");
}

fn check(text: &str, ending: &str, place: &str) {
    match ending.rsplit('.').next() {
        Some("dot") => check_dot(text, place),
        Some("mmd") => check_mermaid(text, place),
        Some("svg") => check_svg(text, place),
        _ => assert!(text.lines().count() > 1 && !text.contains('?'), "{place}: {text}"),
    }
}

#[test]
fn explanations_and_pictures_are_as_recorded() {
    let update = std::env::var_os("KLEENE_TEST_UPDATE").is_some();
    let folder = root().join("testdata/explain");
    let mut wrong = Vec::new();
    for rule in [
        "unpaid_order",
        "v_shape",
        "sessions",
        "both_or_two",
        "guesses",
        "broken_promise",
        "ways_to_buy",
    ] {
        for (options, ending) in FORMS {
            let found = explain(&format!("testdata/explain/rules.cep --rule {rule} {options}"));
            let file = folder.join(format!("{rule}.{ending}"));
            if update {
                fs::write(&file, &found).unwrap();
            } else if fs::read_to_string(&file).unwrap_or_default() != found {
                wrong.push(format!("{rule} {options} is now\n{found}"));
            }
            if rule != "sessions" || *ending != "txt" {
                check(&found, ending, &format!("{rule} {options}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_ready_made_rule_is_explained_in_every_form() {
    let mut open = vec![root().join("patterns")];
    let mut rules = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "cep") {
            continue;
        }
        let set = kleene::RuleSet::from_path(&path).unwrap();
        for rule in set.rules() {
            rules += 1;
            let explanation =
                kleene_explain::explain::Explanation::new(rule, set.schema()).unwrap();
            let place = format!("{} in {}", rule.name, path.display());
            let (steps, states) = (explanation.picture(), explanation.picture_of_states());
            for picture in [&steps, &states] {
                check_dot(&picture.to_dot(), &place);
                check_mermaid(&picture.to_mermaid(), &place);
                check_svg(&picture.to_svg(), &place);
            }
            assert!(explanation.text().contains("Steps"), "{place}");
            assert!(explanation.states().starts_with("S0  (the start"), "{place}");
        }
    }
    assert!(rules >= 8, "{rules} rules");
}

#[test]
fn alternatives_are_in_brackets_once_and_one_of_them_is_kept() {
    let dir = Dir::new(&[(
        "r.cep",
        b"event a { at: time }\nevent b { at: time }\n\
          rule named { match (a or b) as one -> a within 1h }\n\
          rule twice { match a -> (a or b{3}){2} within 1h }\n\
          rule all { match (a and b){2} within 1h }\n\
          rule bound { match (a or b within 5s){2} within 1h }\n",
    )]);
    for (rule, body, kept) in [
        ("named", "(a or b) as one -> a", 2),
        ("twice", "a -> (a or b{3}){2}", 7),
        ("all", "(a and b){2}", 4),
        ("bound", "((a or b) within 5s){2}", 2),
    ] {
        let text = dir.run(&format!("explain r.cep --rule {rule}")).stdout;
        assert!(text.contains(&format!("Match      {body}\n")), "{text}");
        assert!(text.contains(&format!("at most {kept} events\n")), "{text}");
    }
}

#[test]
fn all_rules_are_explained_where_none_is_named() {
    let rules = b"event a { at: time }\nrule one { match a }\nrule two { match a }\n";
    let dir = Dir::new(&[("r.cep", rules)]);
    let text = |args: &str| {
        let ran = dir.run(args);
        assert_eq!(ran.code, Some(0), "{args}: {}", ran.stderr);
        ran.stdout
    };
    for states in ["", " --states"] {
        let one = text(&format!("explain r.cep --rule one{states}"));
        let two = text(&format!("explain r.cep --rule two{states}"));
        assert_eq!(text(&format!("explain r.cep{states}")), format!("{one}\n{two}"));
    }
}

#[test]
fn what_cannot_be_explained_is_reported() {
    let dir = Dir::new(&[
        ("r.cep", b"event a { at: time }\nrule one { match a }\nrule two { match a }\n"),
        ("bad.cep", b"rule one { match b }\n"),
        ("events.cep", b"event a { at: time }\n"),
    ]);
    for (args, code, message) in [
        ("explain r.cep --svg", 2, "several rules: choose one with `--rule NAME`: one, two"),
        ("explain r.cep --rule on", 2, "there is no rule `on` (--rule); there are: one, two"),
        ("explain events.cep", 2, "these files contain no rule"),
        ("explain bad.cep", 1, "E0201"),
        ("explain E0401 --dot", 2, "give the code E0401 without other arguments"),
        ("explain nonsense", 2, "nonsense is neither a diagnostic code nor a rule file"),
        ("explain nonsense.cep", 2, "cannot read the rules nonsense.cep"),
        ("explain r.cep --dot --svg", 2, "cannot be used with"),
        ("explain --dot", 2, "required"),
    ] {
        let ran = dir.run(args);
        assert_eq!(ran.code, Some(code), "{args}: {ran:?}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args}");
    }
}

#[test]
fn the_keys_of_steps_are_listed() {
    let text = explain("testdata/why/step_keys.cep --rule shell_of_word");
    for line in [
        "Match      process[name == \"word\"] as word -> process[name == \"sh\"] as shell",
        "Key        host and id: a separate stream for each value",
        "           of `word`: host, id",
        "           of `shell`: host, parent",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
