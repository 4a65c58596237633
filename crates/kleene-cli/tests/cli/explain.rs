//! `kleene explain CODE`.

use crate::common::Dir;

#[test]
fn codes_are_explained_in_capitals_or_not() {
    let dir = Dir::new(&[]);
    for code in ["E0401", "e0401"] {
        let ran = dir.run(&format!("explain {code}"));
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
        assert!(
            ran.stdout.starts_with("# E0401: a `not` at the end or at the start without a bound\n"),
            "{code}"
        );
        assert!(ran.stdout.contains("\nWrong:\n") && ran.stdout.contains("\nRight:\n"));
    }
}

#[test]
fn without_a_code_all_are_listed() {
    let ran = Dir::new(&[]).run("explain");
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("\nE0201  there is no event type or define of this name\n"));
    assert!(ran.stdout.contains("\nW0001  a rule without `key`\n"), "{}", ran.stdout);
}

#[test]
fn a_code_that_does_not_exist_is_wrong_usage() {
    let ran = Dir::new(&[]).run("explain E9999");
    assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
    assert!(ran.stderr.starts_with("error: E9999 is neither "), "{}", ran.stderr);
}
