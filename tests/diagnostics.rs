//! Of every rule file under `testdata/diagnostics`, what the `.txt` beside it says is reported.
//! `KLEENE_TEST_UPDATE=1` writes those files anew; read the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kleene::RuleSet;
use kleene::diagnostic::{Code, Diagnostic, Source};
use kleene::ruleset::{HostFunction, RuleDiagnostic};
use kleene::value::{Kind, Value};
use kleene_test::files::rule_files;

#[test]
fn every_mistake_is_reported_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/diagnostics");
    let update = std::env::var_os("KLEENE_TEST_UPDATE").is_some();
    let mut wrong = String::new();
    let mut cases = 0;
    for file in rule_files(&root) {
        if file.ends_with("time_zones.cep") && !cfg!(feature = "tz") {
            // The names of zones are not known then.
            continue;
        }
        cases += 1;
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let source = Source::new(name.as_str(), text);
        let reports = check(&root, &source);
        let rendered: Vec<String> = reports.iter().map(|report| format!("{report}\n")).collect();
        let found = rendered.join("\n");
        let record = file.with_extension("txt");
        let expected = fs::read_to_string(&record).unwrap_or_default();
        if found == expected {
            continue;
        }
        if update {
            fs::write(&record, found).unwrap();
        } else {
            let _ = writeln!(wrong, "{name}: expected\n{expected}\nfound\n{found}");
        }
    }
    assert!(cases > 0, "no rule files under {}", root.display());
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_code_is_shown_and_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/diagnostics");
    let files = rule_files(&root);
    assert!(files.len() >= 80, "only {} files", files.len());
    let shown: String = files
        .iter()
        .map(|file| fs::read_to_string(file.with_extension("txt")).unwrap_or_default())
        .collect();
    let mut wrong = String::new();
    for code in Code::ALL {
        if !shown.contains(&format!("[{code}]: ")) {
            let _ = writeln!(wrong, "{code}: no file shows it");
        }
        let text = code.explanation();
        if !text.starts_with(&format!("# {code}: ")) || text.lines().any(|line| line.len() > 120) {
            let _ = writeln!(wrong, "{code}: its explanation is not laid out as the others are");
        }
        let reported = |label: &str| reported_of_example(*code, label);
        match reported("\nWrong:\n") {
            Some(codes) if !codes.is_empty() && codes.iter().all(|found| found == code) => {}
            codes => {
                let _ = writeln!(wrong, "{code}: of its wrong example is reported {codes:?}");
            }
        }
        match reported("\nRight:\n") {
            Some(codes) if codes.is_empty() => {}
            codes => {
                let _ = writeln!(wrong, "{code}: of its right example is reported {codes:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The codes that are reported for the example behind `label`; `None` if there is none.
fn reported_of_example(code: Code, label: &str) -> Option<Vec<Code>> {
    let (_, behind) = code.explanation().split_once(label)?;
    let lines = behind.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let text: String =
        lines.map(|line| line.strip_prefix("    ").unwrap_or_default().to_owned() + "\n").collect();
    if text.trim().is_empty() {
        return None;
    }
    let source = Source::new("explain/example.cep", text);
    let reported = check(Path::new("."), &source);
    Some(reported.iter().map(|report| report.diagnostic.code).collect())
}

/// Returns the diagnostics of a file: the folder says how far it is read.
fn check(root: &Path, source: &Source) -> Vec<RuleDiagnostic> {
    if source.name.starts_with("syntax/") {
        let report = |diagnostic: Diagnostic| RuleDiagnostic { source: source.clone(), diagnostic };
        return kleene_syntax::syntax::parse(source).1.into_iter().map(report).collect();
    }
    let folder = root.join(&*source.name);
    let beside = |_: &Source, path: &str| {
        let text = fs::read_to_string(folder.with_file_name(path));
        text.map_err(|_| "there is no such file".to_owned())
    };
    let mut builder = RuleSet::builder().source(source.clone()).loader(beside);
    for (name, value) in params(&source.text) {
        builder = builder.param(name, value);
    }
    for function in functions(&source.text) {
        builder = builder.function(function);
    }
    builder
        .build()
        .map_or_else(|error| error.diagnostics().to_vec(), |rules| rules.warnings().to_vec())
}

/// The functions that a comment such as `# --function slug(text, length?)` gives: parameters are
/// texts, those that can be left out are numbers.
fn functions(text: &str) -> impl Iterator<Item = HostFunction> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# --function "));
    let calls = lines.filter_map(|line| line.strip_suffix(')')?.split_once('('));
    calls.map(|(name, params)| {
        let function = HostFunction::new(name, Kind::STRING, |_| Value::Null);
        params.split(", ").fold(function, |function, param| match param.strip_suffix('?') {
            Some(optional) => function.optional(optional, Kind::INT),
            None => function.param(param, Kind::STRING),
        })
    })
}

/// The parameters that a comment such as `# --param wait=2m` gives.
fn params(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# --param "));
    lines.filter_map(|param| param.split_once('='))
}
