//! `kleene test`: tests that pass, tests that fail, and the report.

use crate::common::Dir;

const RULES: &str = r"event a { k: string, v: int, at: time }
event b { k: string, at: time }
rule r { key k match a as first -> b within 10s emit { k, v: first.v } }
rule other { key k match a{2} as two within 5s emit { n: count(two) } }
";
const GOOD: &str = r#"
test r {
  at 0s a { k: "1", v: 1 }
  at 1s b { k: "1" }
  expect match { v: 1 } at 1s
}
"#;
const BAD: &str = r#"
test r {
  at 0s a { k: "<1>", v: 1 }
  at 1s b { k: "<1>" }
  expect match { v: 2 } at 1s
  at 2s a { k: "2", v: 3 }
  expect match
  expect match
}
"#;

fn dir(texts: &[&str]) -> Dir {
    Dir::new(&[("r.cep", texts.concat().as_bytes())])
}

#[test]
fn tests_that_pass_are_listed_and_counted() {
    let dir = dir(&[RULES, GOOD]);
    let ran = dir.run("test r.cep");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    assert_eq!(ran.stdout, "ok     r r.cep:6\n\nnote: without a test: other\n1 passed, 0 failed\n");
}

#[test]
fn a_test_that_expects_nothing_is_mentioned() {
    let dir = dir(&[RULES, GOOD, "test other { at 0s a { k: \"1\", v: 1 } }\n"]);
    let ran = dir.run("test r.cep");
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    let end = "\nnote: a test that expects nothing: other r.cep:11\n2 passed, 0 failed\n";
    assert!(ran.stdout.ends_with(end), "{}", ran.stdout);
}

#[test]
fn failures_are_shown_with_the_line_and_what_was_reported() {
    let dir = dir(&[RULES, GOOD, BAD]);
    let ran = dir.run("test r.cep");
    assert_eq!((ran.code, &*ran.stderr), (Some(1), ""));
    assert_eq!(
        ran.stdout,
        r#"ok     r r.cep:6
FAILED r r.cep:12

r: a match was expected that was not reported
  --> r.cep:15:3
   |
15 |   expect match { v: 2 } at 1s
   |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  reported instead, the nearest first:
    match { k: "<1>", v: 1 } at 1s
      - v: 2
      + v: 1
  no partial match was open at 1s

r: a further match was expected, and only that of an earlier line was reported
  --> r.cep:18:3
   |
18 |   expect match
   |   ^^^^^^^^^^^^
  reported instead, the nearest first:
    match { k: "<1>", v: 1 } at 1s, which another line expects
  partial matches open at 2s:
    { k: "2" }: first at 2s { k: "2", v: 3 }
      waits until 12s (`within 10s`) for `b`

note: without a test: other
1 passed, 1 failed
"#
    );
}

#[test]
fn the_tests_of_one_rule_can_be_picked() {
    let dir = dir(&[RULES, GOOD, BAD]);
    let ran = dir.run("test r.cep --rule other");
    assert_eq!(
        (ran.code, &*ran.stdout),
        (Some(0), "note: without a test: other\n0 passed, 0 failed\n")
    );
    let ran = dir.run("test r.cep --rule nobody");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("there is no rule `nobody`"), "{}", ran.stderr);
}

#[test]
fn the_report_is_xml_that_holds_everything() {
    let dir = dir(&[RULES, GOOD, BAD]);
    let ran = dir.run("test r.cep --junit report.xml");
    assert_eq!(ran.code, Some(1));
    let report = dir.read("report.xml");
    for text in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"2\" failures=\"1\">\n",
        "<testsuite name=\"r.cep\" tests=\"2\" failures=\"1\" errors=\"0\">",
        "<testcase classname=\"r\" name=\"r:6\" file=\"r.cep\" line=\"6\"/>",
        "<testcase classname=\"r\" name=\"r:12\" file=\"r.cep\" line=\"12\">",
        "<failure message=\"a match was expected that was not reported\">",
        "match { k: &quot;&lt;1&gt;&quot;, v: 1 } at 1s",
    ] {
        assert!(report.contains(text), "{text} in\n{report}");
    }
    assert_eq!(report.matches("<failure ").count(), report.matches("</failure>").count());
    let xml = roxmltree::Document::parse(&report).unwrap();
    let failure = xml.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert!(failure.text().unwrap().contains("match { k: \"<1>\", v: 1 } at 1s"), "{report}");
    let ran = dir.run("test r.cep --junit nowhere/report.xml");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("cannot write the report"), "{}", ran.stderr);
}

#[test]
fn the_report_is_xml_whatever_the_files_and_values_hold() {
    let rules = RULES.replace("rule r {", "rule `a<b>&\"\']]>` {");
    let bad =
        BAD.replace("test r {", "test `a<b>&\"\']]>` {").replace("<1>", "\\u{1b}]]>&amp;\\u{0}\\r");
    let dir = Dir::new(&[("<a&'b\".cep", [rules, bad].concat().as_bytes())]);
    let ran = dir.run("test <a&'b\".cep --junit report.xml");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = dir.read("report.xml");
    let xml = roxmltree::Document::parse(&report).unwrap();
    let case = xml.descendants().find(|node| node.has_tag_name("testcase")).unwrap();
    assert_eq!(case.attribute("classname"), Some("a<b>&\"\']]>"));
    assert_eq!(case.attribute("file"), Some("<a&'b\".cep"));
}

#[test]
fn wrong_rules_and_wrong_tests_are_reported_as_check_reports_them() {
    let dir = dir(&[RULES, "test r { at 5s a { k: \"1\" } expect match { w: 1 } }\n"]);
    let (tested, checked) = (dir.run("test r.cep"), dir.run("check r.cep"));
    assert_eq!((tested.code, &*tested.stdout), (Some(1), ""));
    assert_eq!(tested.stderr, checked.stderr);
    assert!(tested.stderr.contains("2 errors"), "{}", tested.stderr);
}
