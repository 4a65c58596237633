//! `kleene fmt`.

use crate::common::Dir;

const GOOD: &str = "# Kept.\nrule r {\n  key x\n  match a{3}  # three\n  within 5s\n}\n";
const UGLY: &str = "# Kept.\nrule r {\n  key   x\n  match a{3..3} # three\n  within 5s\n}\n";
const WRONG: &[u8] = b"rule r { match a[ }\n";

#[test]
fn only_what_changes_is_written() {
    let dir = Dir::new(&[
        ("rules/good.cep", GOOD.as_bytes()),
        ("rules/deep/ugly.cep", UGLY.as_bytes()),
        ("rules/notes.txt", b"rule   r"),
    ]);
    let ran = dir.run("fmt rules");
    let expected = "formatted rules/deep/ugly.cep\n1 file formatted, 1 unchanged\n";
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), expected, ""));
    assert_eq!(dir.read("rules/deep/ugly.cep"), GOOD);
    assert_eq!(dir.read("rules/notes.txt"), "rule   r");
    // Nothing else is left there.
    assert_eq!(std::fs::read_dir(dir.path("rules/deep")).unwrap().count(), 1);
    let ran = dir.run("fmt rules");
    assert_eq!((ran.code, &*ran.stdout), (Some(0), "0 files formatted, 2 unchanged\n"));
}

#[test]
fn a_check_shows_the_first_difference_and_changes_nothing() {
    let dir = Dir::new(&[("good.cep", GOOD.as_bytes()), ("ugly.cep", UGLY.as_bytes())]);
    let ran = dir.run("fmt --check good.cep ugly.cep");
    let expected = "--- ugly.cep\n+++ ugly.cep (formatted)\n@@ -2,3 +2,3 @@\n rule r {\n\
        -  key   x\n-  match a{3..3} # three\n+  key x\n+  match a{3}  # three\n\
        1 file to format, 1 unchanged\n";
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(1), expected, ""));
    assert_eq!(dir.read("ugly.cep"), UGLY);
    assert_eq!(dir.run("fmt --check good.cep").code, Some(0));
    assert_eq!(dir.run_with("fmt --check -", UGLY.as_bytes()).code, Some(1));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let dir = Dir::new(&[("ugly.cep", UGLY.as_bytes())]);
    let ran = dir.run_with("fmt -", UGLY.as_bytes());
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(0), GOOD, ""));
    let ran = dir.run("fmt --stdout ugly.cep");
    assert_eq!((ran.code, &*ran.stdout), (Some(0), GOOD));
    assert_eq!(dir.read("ugly.cep"), UGLY);
    assert_eq!(dir.run("fmt --stdout --check ugly.cep").code, Some(2));
}

#[test]
fn files_with_mistakes_stay_and_the_others_are_formatted() {
    let dir = Dir::new(&[("a.cep", WRONG), ("b.cep", UGLY.as_bytes())]);
    let ran = dir.run("fmt a.cep b.cep");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error[E"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a.cep:1:"), "{}", ran.stderr);
    assert_eq!((dir.read("a.cep").as_bytes(), &*dir.read("b.cep")), (WRONG, GOOD));
}

#[test]
fn rules_in_markdown_are_formatted_where_they_stand() {
    let page = |rule: &str| format!("# Rules\n\n```cep\n{rule}```\n\n```sh\nrule   r\n```\n");
    let broken = "x\n```cep\nrule r { match a[ }\n```\n";
    let dir = Dir::new(&[
        ("docs/rules.md", page(UGLY).as_bytes()),
        ("docs/broken.md", broken.as_bytes()),
        ("docs/a.cep", GOOD.as_bytes()),
    ]);
    let ran = dir.run("fmt --check docs/rules.md");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("@@ -5,3 +5,3 @@\n rule r {\n-  key   x\n"), "{}", ran.stdout);
    let ran = dir.run("fmt docs");
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.stdout, "formatted docs/rules.md\n1 file formatted, 2 unchanged\n");
    assert!(ran.stderr.contains(" docs/broken.md:3:19\n"), "{}", ran.stderr);
    assert_eq!((dir.read("docs/rules.md"), &*dir.read("docs/broken.md")), (page(GOOD), broken));
    assert_eq!(dir.run("fmt --check docs/rules.md docs/a.cep").code, Some(0));
    // Other commands take rule files only.
    assert_eq!(dir.run("check docs/a.cep docs/rules.md").code, Some(1));
}

#[test]
fn a_missing_file_is_wrong_usage_and_nothing_is_written() {
    let dir = Dir::new(&[("b.cep", UGLY.as_bytes())]);
    let ran = dir.run("fmt b.cep nowhere.cep");
    assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
    assert!(ran.stderr.contains("nowhere.cep"), "{}", ran.stderr);
    assert_eq!(dir.read("b.cep"), UGLY);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let dir = Dir::new(&[("ugly.cep", UGLY.as_bytes())]);
    let path = dir.path("ugly.cep");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, dir.path("link.cep")).unwrap();
    assert_eq!(dir.run("fmt link.cep").code, Some(0));
    assert_eq!(dir.read("ugly.cep"), GOOD);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(dir.path("link.cep").is_symlink());
}
