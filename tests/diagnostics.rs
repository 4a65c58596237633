//! Every rule file under `testdata/diagnostics` is told what the `.txt` beside it says.
//! `KLEENE_TEST_UPDATE=1` writes those files anew; read the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kleene::diagnostic::{Diagnostic, Source};

#[test]
fn every_mistake_is_told_as_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/diagnostics");
    let update = std::env::var_os("KLEENE_TEST_UPDATE").is_some();
    let mut wrong = String::new();
    let mut cases = 0;
    for file in rule_files(&root) {
        cases += 1;
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let source = Source::new(name.as_str(), text);
        let rendered: Vec<String> =
            check(&root, &source).iter().map(|diagnostic| diagnostic.render(&source)).collect();
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

/// What is told about a file: the folder says how far it is read.
fn check(root: &Path, source: &Source) -> Vec<Diagnostic> {
    if source.name.starts_with("syntax/") {
        return kleene::syntax::parse(source).1;
    }
    let folder = root.join(&*source.name);
    let beside = |_: &Source, path: &str| {
        let text = fs::read_to_string(folder.with_file_name(path));
        text.map_err(|_| "there is no such file".to_owned())
    };
    let rules = kleene::RuleSet::builder().source(source.clone()).loader(beside).build();
    let reports = match &rules {
        Ok(rules) => rules.warnings(),
        Err(error) => error.diagnostics(),
    };
    reports.iter().map(|report| report.diagnostic.clone()).collect()
}

fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("it can be listed").path()) {
        if path.is_dir() {
            files.extend(rule_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "cep") {
            files.push(path);
        }
    }
    files.sort();
    files
}
