//! The documentation holds: every block of rules in README.md and `docs/` is checked, and its tests
//! run.
//!
//! * ```` ```cep ```` is a rule file: no mistakes, no warnings, and its tests pass.
//! * `error=E0201` shows a mistake: just these codes are reported, several with commas between.
//! * `warning=W0005`: just these warnings are.
//! * `file=shop.cep` names the block; later ones of its page say `use "shop.cep"`. With `append` it
//!   goes on where the block of that name ended, after a blank line.
//! * `part=examples/unpaid.cep`: the block stands in that file of the repository, which is checked.
//! * `data=examples/data/auth.jsonl`: the link to the playground below the block opens these events.
//!   `web/playground/scripts/links.mjs` writes the links, and its tests find stale ones.
//!
//! `tests/semantics.rs` runs the blocks marked `kleene`, `crates/kleene-cli/tests/cli/docs.rs`
//! those marked `console` and `mermaid`, `crates/kleene-cli/tests/serve/pages.rs` those marked `toml`,
//! and the compiler those marked `rust`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use kleene::RuleSet;
use kleene::diagnostic::{Code, Severity, Source};
use kleene::ruleset::RuleDiagnostic;
use kleene_explain::testing;
use kleene_syntax::hir::functions::FUNCTIONS;
use kleene_test::pages::{self, Block, Page};

/// The languages of blocks that are tested.
const TESTED: &[&str] = &["cep", "console", "kleene", "mermaid", "rust", "toml"];

/// The languages of blocks that are not: commands that install or build, data, output, the pattern
/// languages of others.
const UNTESTED: &[&str] = &["sh", "text", "json", "java", "sql", "epl", "siddhi", "eql"];

/// The pages on which every rule has a test.
const REFERENCE: &[&str] = &["docs/language.md", "docs/coming-from.md"];

/// Pages of which the links are tested only.
const OTHERS: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "editors/README.md",
    "patterns/README.md",
];

fn all() -> Vec<Page> {
    pages::all(Path::new(env!("CARGO_MANIFEST_DIR")))
}

#[test]
fn every_block_says_what_it_is() {
    for page in all() {
        for block in &page.blocks {
            let Block { line, language, .. } = block;
            let is_known = TESTED.iter().chain(UNTESTED).any(|known| known == language);
            assert!(is_known, "{}:{line}: `{language}` is no language of a block", page.name);
            let is_semantics = language == "kleene";
            assert!(
                !is_semantics || page.name == "docs/semantics.md",
                "{}:{line}: nobody tests this block here",
                page.name
            );
            for name in block.attributes.keys() {
                let is_known = ["file", "append", "part", "data", "error", "warning", "of"]
                    .contains(&name.as_str());
                assert!(is_known, "{}:{line}: `{name}` means nothing", page.name);
            }
            if let Some(data) = block.attribute("data") {
                assert!(!whole(data).is_empty(), "{}:{line}: {data} is empty", page.name);
            }
        }
    }
}

#[test]
fn every_block_of_rules_is_right() {
    let mut wrong = String::new();
    let mut checked = 0;
    for page in all() {
        let mut files: BTreeMap<&str, String> = BTreeMap::new();
        for block in &page.blocks {
            if let Some(name) = block.attribute("file") {
                let file = files.entry(name).or_default();
                if block.attribute("append").is_none() {
                    file.clear();
                } else {
                    file.push('\n');
                }
                file.push_str(&block.text);
            }
            if block.language == "cep" {
                checked += 1;
                let whole = block.attribute("part").map(whole);
                let text = block.attribute("file").map_or(&*block.text, |name| &*files[name]);
                let result = match &whole {
                    Some(whole) if !whole.contains(&block.text) => {
                        Err(String::from("the file does not hold this block"))
                    }
                    whole => check(&page, block, whole.as_deref().unwrap_or(text), &files),
                };
                if let Err(reason) = result {
                    let _ = writeln!(wrong, "{}:{}: {reason}", page.name, block.line);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked > 0, "there are no rules in the documentation");
}

/// The text of a file of the repository.
fn whole(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A block of rules, its file being `text`.
fn check(
    page: &Page,
    block: &Block,
    text: &str,
    files: &BTreeMap<&str, String>,
) -> Result<(), String> {
    let source = Source::new(format!("{}, the block of line {}", page.name, block.line), text);
    let loader = |_: &Source, name: &str| {
        files.get(name).cloned().ok_or_else(|| "no block above has this name".to_owned())
    };
    let built = RuleSet::builder().source(source.clone()).loader(loader).build();
    let reports = match &built {
        Ok(rules) => rules.warnings(),
        Err(error) => error.diagnostics(),
    };
    for (severity, attribute) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let reported: Vec<&RuleDiagnostic> =
            reports.iter().filter(|report| report.diagnostic.severity == severity).collect();
        let found: BTreeSet<&str> =
            reported.iter().map(|report| report.diagnostic.code.as_str()).collect();
        let expected: BTreeSet<&str> =
            block.attribute(attribute).into_iter().flat_map(|codes| codes.split(',')).collect();
        if found != expected {
            let reported: String = reported.iter().map(ToString::to_string).collect();
            return Err(format!("{attribute}s {expected:?} are expected, reported is\n{reported}"));
        }
    }
    let Ok(rules) = built else { return Ok(()) };
    for test in rules.tests() {
        let failures = testing::run(&rules, test).map_err(|error| error.to_string())?;
        if let Some(failure) = failures.first() {
            return Err(failure.render(test));
        }
    }
    let is_tested = |name: &str| rules.tests().iter().any(|test| *test.rule == *name);
    let untested = rules.rules().iter().find(|rule| !is_tested(&rule.name));
    match untested {
        Some(rule) if REFERENCE.contains(&&*page.name) => {
            Err(format!("the rule `{}` has no test", rule.name))
        }
        _ => Ok(()),
    }
}

#[test]
fn the_tables_of_the_reference_are_those_of_the_code() {
    let functions = FUNCTIONS.iter().map(|function| {
        let (call, result) = function.examples[0];
        format!("| `{}` | {} | `{call}` is `{result}` |\n", function.signature(), function.about)
    });
    let codes = Code::ALL.iter().map(|code| format!("| `{code}` | {} |\n", code.title()));
    let functions: String = functions.collect();
    let codes: String = codes.collect();
    let pages = all();
    let page = pages.iter().find(|page| page.name == "docs/language.md").expect("it is there");
    let mut text = page.text.clone();
    for (name, table) in [
        ("functions", format!("| function | | such as |\n|---|---|---|\n{functions}")),
        ("codes", format!("| code | |\n|---|---|\n{codes}")),
    ] {
        let start = text.find(&format!("<!-- {name}:")).expect("the table has a place");
        let start = start + text[start..].find('\n').expect("it has lines") + 1;
        let end = start + text[start..].find("<!-- end -->").expect("it has an end");
        text.replace_range(start..end, &table);
    }
    if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&page.name);
        std::fs::write(path, &text).expect("it can be written");
    } else {
        assert!(text == page.text, "KLEENE_TEST_UPDATE=1 cargo test --test docs writes them anew");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<(String, String)> =
        all().into_iter().map(|page| (page.name, page.text)).collect();
    for name in OTHERS {
        let text = std::fs::read_to_string(root.join(name)).expect("it is there");
        pages.push(((*name).to_owned(), text));
    }
    for (name, text) in &pages {
        let folder = Path::new(name).parent().expect("a page is in a folder");
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { name.clone().into() } else { folder.join(file) };
            let path = root.join(path).canonicalize();
            let path = path.unwrap_or_else(|error| panic!("{name}: {target}: {error}"));
            if anchor.is_empty() {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("it is a page");
            let has_heading = text.lines().filter(|line| line.starts_with('#')).any(|line| {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.map(|c| if c == ' ' { '-' } else { c }).eq(anchor.chars())
            });
            assert!(has_heading, "{name}: no heading for {target}");
        }
    }
}
