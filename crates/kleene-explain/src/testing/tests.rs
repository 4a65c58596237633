use super::*;

const RULES: &str = r"
event a { k: string, v: int, at: time }
event b { k: string, v: int, at: time }
rule r {
  key k
  match a -> b[v > a.v]
  within 10s
  skip none
  emit { a: a.v, b: b.v, at: b.at }
  on timeout emit { k, a: a.v }
}
rule keyed { key k  match a -> b  within 10s }
rule absent { key k  match a[v > 1]{2} as two -> not b for 10s  emit { n: count(two) } }
rule counts { key k  match a -> any b  within 10s  skip none  report count  emit { n: matches.count } }
rule waits { match a -> b[v > a.v]  within 10s  skip past last ordered  emit { a: a.v } }
";

/// The failures of the only test, whose lines are `test`.
fn failures(test: &str) -> (RuleSet, Vec<Failure>) {
    let rules =
        RuleSet::load([kleene_syntax::diagnostic::Source::new("r.cep", format!("{RULES}{test}"))])
            .unwrap_or_else(|error| panic!("{error}"));
    let failures = run(&rules, &rules.tests()[0]).expect("the rule can be run");
    (rules, failures)
}

/// A rule, the steps of a test, and the number of its failures.
const EXPECTATIONS: &[(&str, &str, usize)] = &[
    // Before and after what is expected comes.
    ("r", "at 0s a { k: \"1\", v: 1 } expect no match at 1s b { k: \"1\", v: 2 } expect match", 0),
    ("r", "at 0s a { k: \"1\", v: 1 } expect match at 1s b { k: \"1\", v: 2 }", 1),
    ("r", "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect no match", 1),
    // Fields and times.
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match { a: 1.0, k: \"1\", at: 1s } at 1s",
        0,
    ),
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match { at: \"2000-01-01T00:00:01Z\" }",
        0,
    ),
    ("r", "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match { a: 2 }", 1),
    ("r", "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match at 2s", 1),
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } advance to 2s expect no match at 2s",
        0,
    ),
    ("r", "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match { a: null }", 1),
    // How many matches there are.
    (
        "counts",
        "at 0s a { k: \"1\", v: 1 } at 0s a { k: \"1\", v: 2 } at 1s b { k: \"1\", v: 3 }
             expect match { n: 2 } count 2 at 1s expect no match count 1",
        0,
    ),
    ("counts", "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 3 } expect match count 2", 1),
    // One match is no two.
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 2 } expect match expect match { a: 1 }",
        1,
    ),
    // The first line leaves to the second what only fits there.
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 0s a { k: \"1\", v: 2 } at 1s b { k: \"1\", v: 3 }
             expect match { b: 3 } expect match { a: 1 } expect match",
        1,
    ),
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 0s a { k: \"1\", v: 2 } at 1s b { k: \"1\", v: 3 }
             expect match { b: 3 } expect match { a: 1 } expect no match { a: 3 }",
        0,
    ),
    // Timeouts come with time only, and nothing is finished at the end.
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } expect no timeout advance to 10s expect timeout { a: 1 } at 10s",
        0,
    ),
    ("r", "at 0s a { k: \"1\", v: 1 } expect timeout", 1),
    (
        "r",
        "at 0s a { k: \"1\", v: 1 } at 20s a { k: \"2\", v: 1 } expect timeout { k: \"1\" } at 10s expect no match",
        0,
    ),
    ("r", "at 0s a { k: \"1\", v: 1 } advance to 1m expect no timeout { a: 2 } expect match", 1),
    // A rule that emits nothing reports its key.
    (
        "keyed",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 0 } expect match { k: \"1\" } at 1s",
        0,
    ),
    (
        "keyed",
        "at 0s a { k: \"1\", v: 1 } at 1s b { k: \"1\", v: 0 } expect match { k: \"2\" } at 1s",
        1,
    ),
];

#[test]
fn expectations_hold_or_fail_where_they_stand() {
    for &(rule, steps, wrong) in EXPECTATIONS {
        let (_, failures) = failures(&format!("test {rule} {{ {steps} }}"));
        assert_eq!(failures.len(), wrong, "{rule}: {steps}");
    }
}

#[test]
fn a_test_has_a_limit_of_lines() {
    let test = |lines: usize| format!("{RULES}test r {{ {} }}", "expect no match\n".repeat(lines));
    RuleSet::parse(&test(10_000)).unwrap_or_else(|error| panic!("{error}"));
    let error = RuleSet::parse(&test(10_001)).expect_err("it is too long");
    let mut codes = error.diagnostics().iter().map(|report| report.diagnostic.code);
    assert!(codes.any(|code| code == kleene_syntax::diagnostic::Code::LimitExceeded), "{error}");
}

#[test]
fn a_failure_shows_what_was_reported_and_what_is_open() {
    let (rules, failures) = failures(
        "test r {
  at 0s a { k: \"1\", v: 1 }
  at 1s b { k: \"1\", v: 2 }
  at 2s a { k: \"2\", v: 5 }
  at 3s b { k: \"2\", v: 4 }
  expect match { a: 1, b: 3 } at 2s
  expect no match { k: \"1\" }
  expect timeout
}",
    );
    let rendered: Vec<String> =
        failures.iter().map(|failure| failure.render(&rules.tests()[0])).collect();
    let line = rules.tests()[0].line();
    assert_eq!(
        rendered,
        [
            format!(
                r#"a match was expected that was not reported
  --> r.cep:{at}:3
   |
{at} |   expect match {{ a: 1, b: 3 }} at 2s
   |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  reported instead, the nearest first:
    match {{ a: 1, b: 2, at: 2000-01-01T00:00:01Z }} at 1s
      - b: 3
      + b: 2
      - at 2s
      + at 1s
  partial matches open at 3s:
    {{ k: "2" }}: a at 2s {{ k: "2", v: 5 }}
      waits until 12s (`within 10s`) for `b`: b[v > 5]
"#,
                at = line + 5
            ),
            format!(
                r#"a match was reported that was not expected
  --> r.cep:{at}:3
   |
{at} |   expect no match {{ k: "1" }}
   |   ^^^^^^^^^^^^^^^^^^^^^^^^^^
  reported was:
    match {{ a: 1, b: 2, at: 2000-01-01T00:00:01Z }} at 1s
  partial matches open at 3s:
    {{ k: "2" }}: a at 2s {{ k: "2", v: 5 }}
      waits until 12s (`within 10s`) for `b`: b[v > 5]
"#,
                at = line + 6
            ),
            format!(
                r#"a timeout was expected that was not reported
  --> r.cep:{at}:3
   |
{at} |   expect timeout
   |   ^^^^^^^^^^^^^^
  no timeout was reported up to 3s
  partial matches open at 3s:
    {{ k: "2" }}: a at 2s {{ k: "2", v: 5 }}
      waits until 12s (`within 10s`) for `b`: b[v > 5]
"#,
                at = line + 7
            ),
        ]
    );
}

#[test]
fn open_partial_matches_say_what_they_wait_for() {
    let (_, found) = failures(
        "test absent { at 0s a { k: \"1\", v: 2 } at 1s a { k: \"1\", v: 3 } at 2s a { k: \"2\", v: 4 }
         expect match }",
    );
    let shown: Vec<_> = found[0]
        .open
        .iter()
        .map(|open| (open.events.len(), open.awaits.join(" "), open.deadline.is_some()))
        .collect();
    // The first has both events and waits for time to pass, the others wait for a second event.
    assert_eq!(
        shown,
        [(2, String::new(), true), (1, "two".to_owned(), false), (1, "two".to_owned(), false)]
    );
    // `ordered`: the younger match is complete and waits.
    let (rules, found) = failures(
        "test waits { at 0s a { k: \"1\", v: 5 } at 1s a { k: \"1\", v: 1 } at 2s b { k: \"1\", v: 3 }
         expect match }",
    );
    let complete: Vec<bool> = found[0].open.iter().map(|open| open.is_complete).collect();
    assert_eq!(complete, [false, true]);
    let text = found[0].render(&rules.tests()[0]);
    assert!(text.contains("complete: waits for older partial matches (`ordered`)"), "{text}");
    // Time has run out for it, whether or not the engine has noticed.
    let (_, found) = failures(
        "test keyed { at 0s a { k: \"1\", v: 5 } at 10s a { k: \"2\", v: 1 } expect match }",
    );
    assert_eq!(found[0].open.len(), 1);
}

#[test]
fn long_lists_are_cut() {
    let events: Vec<String> =
        (0..20).map(|i| format!("at {i}ms a {{ k: \"{i}\", v: 2 }}")).collect();
    let events = events.join(" ");
    let (rules, found) = failures(&format!("test r {{ {events} expect match }}"));
    assert_eq!(found[0].open.len(), 20);
    let text = found[0].render(&rules.tests()[0]);
    assert!(text.ends_with("    ... and 15 more\n"), "{text}");
}

#[test]
fn a_test_of_another_set_of_rules_is_refused() {
    let (rules, _) = failures("test r { expect no match }");
    let other = RuleSet::parse("event a { v: int }").expect("it is fine");
    let error = run(&other, &rules.tests()[0]).expect_err("there is no such rule");
    assert_eq!(error.to_string(), "the rules have no rule `r`");
}
