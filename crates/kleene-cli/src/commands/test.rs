//! `kleene test`: the tests that rule files hold.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use kleene::Record;
use kleene_report::test_report::{self, TestFailure, TestRun};
use kleene_syntax::hir::test_block::TestStep;

use crate::args::TestArgs;
use crate::ending::Ending;
use crate::guard::Guard;
use crate::rules::{self, Listing};
use kleene_host::watch::Files;

/// Runs the tests and prints how they went.
pub(crate) fn test(args: &TestArgs) -> Result<Ending> {
    let mut files = Files::default();
    let loaded = match rules::load_and_note(args.rule_args(), Listing::Screen, &mut files)? {
        Ok(loaded) => loaded,
        Err(refused) => return Ok(refused.say()),
    };
    if let Some(path) = &args.junit {
        let mut guard = Guard::default();
        files.paths().for_each(|path| guard.reads(path, "a file of the rules"));
        guard.writes(path, "the report")?;
    }
    if let Some(name) = args.only.iter().find(|name| loaded.set.rule(name).is_none()) {
        let names: Vec<&str> = loaded.set.rules().iter().map(|rule| &*rule.name).collect();
        bail!("there is no rule `{name}` (--rule); there are: {}", names.join(", "));
    }
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let ran = test_report::run::<Record>(&loaded.set, is_wanted);

    let mut text = String::new();
    for TestRun { test, failures } in &ran {
        let word = if failures.is_empty() { "ok    " } else { "FAILED" };
        let _ = writeln!(text, "{word} {} {}:{}", test.rule, test.source.name, test.line());
    }
    for TestRun { test, failures } in &ran {
        for failure in failures {
            let _ = write!(text, "\n{}: {}", test.rule, failure.rendered);
        }
    }
    let untested = test_report::untested(&loaded.set, &ran, is_wanted);
    let failed = ran.iter().filter(|ran| !ran.failures.is_empty()).count();
    text.push_str(if text.is_empty() { "" } else { "\n" });
    if !untested.is_empty() {
        let _ = writeln!(text, "note: without a test: {}", untested.join(", "));
    }
    for TestRun { test, .. } in &ran {
        if !test.steps.iter().any(|step| matches!(step, TestStep::Expect(_))) {
            let (rule, file, line) = (&test.rule, &test.source.name, test.line());
            let _ = writeln!(text, "note: a test that expects nothing: {rule} {file}:{line}");
        }
    }
    let _ = writeln!(text, "{} passed, {failed} failed", ran.len() - failed);
    // A closed pipe has heard enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if let Some(path) = &args.junit {
        fs::write(path, junit(&ran))
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    Ok(if failed > 0 { Ending::WrongRules } else { Ending::Fine })
}

/// The report as continuous integration reads it: a suite for each file, a case for each test.
fn junit(ran: &[TestRun<'_>]) -> String {
    let failed = |ran: &[TestRun<'_>]| ran.iter().filter(|ran| !ran.failures.is_empty()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites tests=\"{}\" failures=\"{}\">", ran.len(), failed(ran));
    for of_file in ran.chunk_by(|a, b| a.test.source.name == b.test.source.name) {
        let file = escaped(&of_file[0].test.source.name);
        let (tests, failures) = (of_file.len(), failed(of_file));
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">"
        );
        for TestRun { test, failures } in of_file {
            let (rule, line) = (escaped(&test.rule), test.line());
            let _ = write!(
                out,
                "    <testcase classname=\"{rule}\" name=\"{rule}:{line}\" file=\"{file}\" line=\"{line}\""
            );
            if failures.is_empty() {
                out.push_str("/>\n");
                continue;
            }
            out.push_str(">\n");
            for TestFailure { message, rendered: text, .. } in failures {
                let _ = writeln!(
                    out,
                    "      <failure message=\"{}\">{}</failure>",
                    escaped(message),
                    escaped(text)
                );
            }
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// The text inside of an element or of an attribute in double quotes. XML has no way to write most
/// control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_xml_is_escaped() {
        assert_eq!(escaped("a<b> & \"c\"\n"), "a&lt;b&gt; &amp; &quot;c&quot;\n");
        assert_eq!(escaped("\u{1}x\u{1b}[0m\u{ffff}"), "\u{fffd}x\u{fffd}[0m\u{fffd}");
    }
}
