//! Everything that the pages name exists: paths, commands and their options, Rust items, tests and
//! variables of the environment. Each name in backticks counts, outside of blocks of code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

/// Pages of the past: they name what was.
const RECORDS: [&str; 2] = ["benches/record/README.md", "docs/performance.md"];
/// Options of cargo and of benches, in pages for contributors.
const OTHER_OPTIONS: [&str; 3] = ["--bench", "--test", "--nocapture"];

struct Project {
    root: PathBuf,
    /// The source files with their text.
    sources: Vec<(String, String)>,
    /// All paths from the root; those of folders end with a slash.
    paths: Vec<String>,
    /// The help of each command.
    commands: BTreeMap<String, String>,
}

#[test]
fn what_the_pages_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let project = Project::read(root);
    let (mut wrong, mut names) = (String::new(), 0);
    for (page, text) in project.files("md") {
        if RECORDS.contains(&page.as_str()) || page.starts_with("testdata/") {
            continue;
        }
        let written = files_of_the_reader(&text);
        for name in names_in(&text) {
            names += 1;
            if let Some(problem) = project.problem(&page, &name, &written) {
                let _ = writeln!(wrong, "{page}: `{name}`: {problem}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(names > 1000, "{names} names were found");
}

#[test]
fn names_that_do_not_exist_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let project = Project::read(root);
    let problem = |name| project.problem("README.md", name, &BTreeSet::new()).is_some();
    let right = [
        "src/lib.rs",
        "Engine::push_batch",
        "kleene run --threads 2",
        "cargo test --test matching suite",
        "KLEENE_TEST_UPDATE=1 cargo test",
    ];
    let wrong = [
        "src/no_such_file.rs",
        "target/debug",
        "Engine::no_such_method",
        "kleene no-such-command",
        "kleene check --threads 2",
        "cargo test --test no_such_test",
        "cargo test --test suite",
        "KLEENE_NO_SUCH_VARIABLE=1 cargo test",
        "--no-such-option",
    ];
    assert_eq!(right.into_iter().filter(|name| problem(name)).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(wrong.into_iter().filter(|name| !problem(name)).collect::<Vec<_>>(), [""; 0]);
}

impl Project {
    fn read(root: PathBuf) -> Project {
        let (sources, paths, commands) = (Vec::new(), paths(&root), BTreeMap::new());
        let mut project = Project { root, sources, paths, commands };
        project.sources = project.files("rs");
        let subcommand = Regex::new(r"(?m)^  ([a-z]+) ").unwrap();
        let overview = help(&[]);
        for found in subcommand.captures_iter(&overview) {
            project.commands.insert(found[1].to_owned(), help(&[&found[1]]));
        }
        assert!(project.commands.len() > 5, "{overview}");
        project
    }

    /// The files whose names end so, with their text.
    fn files(&self, extension: &str) -> Vec<(String, String)> {
        let end = format!(".{extension}");
        let paths = self.paths.iter().filter(|path| path.ends_with(&end));
        paths
            .map(|path| (path.clone(), fs::read_to_string(self.root.join(path)).unwrap()))
            .collect()
    }

    /// Returns the fault of a name in backticks on a page whose reader has `written` files.
    fn problem(&self, page: &str, name: &str, written: &BTreeSet<String>) -> Option<String> {
        if let Some(problem) = self.variable(name) {
            return Some(problem);
        }
        if name.starts_with("cargo ") || name.contains(" cargo ") {
            return self.target(name);
        }
        if let Some(command) = name.strip_prefix("kleene ") {
            let (command, rest) = command.split_once(' ').unwrap_or((command, ""));
            if command == "help" {
                return None;
            }
            let Some(help) = self.commands.get(command) else {
                return Some("no such command".to_owned());
            };
            return options(rest)
                .find(|option| !has_option(help, option))
                .map(|option| format!("`kleene {command}` has no `{option}`"));
        }
        if name.starts_with("--") {
            let known = |option: &str| {
                OTHER_OPTIONS.contains(&option)
                    || self.commands.values().any(|help| has_option(help, option))
            };
            return options(name)
                .find(|option| !known(option))
                .map(|_| "no such option".to_owned());
        }
        if let Some(found) = ITEM.captures(name) {
            return (!self.has_item(&found[1], &found[2])).then(|| "no such item".to_owned());
        }
        let is_path = name.contains('/') && PATH.is_match(name) && !PLACEHOLDER.is_match(name);
        let from = Path::new(page).parent().unwrap_or(Path::new(""));
        // A path may begin at the folder that the page is about.
        let end = format!("/{name}");
        let mut paths = self.paths.iter();
        // What a build makes is not there in a fresh clone.
        let is_built = name.split('/').any(|part| part == "target");
        let exists = self.root.join(name).exists()
            || self.root.join(from).join(name).exists()
            || paths.any(|path| path.trim_end_matches('/').ends_with(end.trim_end_matches('/')));
        (is_path && !written.contains(name) && (is_built || !exists))
            .then(|| "no such path".to_owned())
    }

    /// A variable of the environment that no file asks for.
    fn variable(&self, name: &str) -> Option<String> {
        let asked = |name: &str| {
            let quoted = format!("\"{name}\"");
            self.sources.iter().any(|(_, text)| text.contains(&quoted))
        };
        let mut found = VARIABLE.find_iter(name).map(|found| found.as_str());
        found.find(|name| !asked(name)).map(|name| format!("nothing reads {name}"))
    }

    /// A test or bench that does not exist.
    fn target(&self, command: &str) -> Option<String> {
        let manifest = fs::read_to_string(self.root.join("Cargo.toml")).unwrap();
        let exists = |folder: &str, name: &str| {
            let ends = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")];
            // Most files of the root's `tests/` are modules of a program, not programs.
            let is_program = |path: &str| {
                !path.starts_with("tests/")
                    || manifest.contains(&format!("[[test]]\nname = \"{name}\""))
            };
            self.sources.iter().any(|(path, _)| {
                is_program(path) && ends.iter().any(|end| path.ends_with(end.as_str()))
            })
        };
        let mut found = TARGET.captures_iter(command);
        let missing = found.find(|found| {
            let folder = if &found[1] == "test" { "tests" } else { "benches" };
            !exists(folder, &found[2])
        })?;
        Some(format!("no such {}: {}", &missing[1], &missing[2]))
    }

    /// True if a file that speaks of the type has a function, field or variant of the name.
    fn has_item(&self, ty: &str, item: &str) -> bool {
        let declares =
            Regex::new(&format!(r"\b(struct|enum|trait|type|impl\b.*)\s*\b{ty}\b")).unwrap();
        let has = Regex::new(&format!(r"\bfn {item}\b|pub {item}:|(?m)^    {item}\b")).unwrap();
        let mut speaks =
            self.sources.iter().filter(|(_, text)| text.contains(ty) && text.contains(item));
        speaks.any(|(_, text)| declares.is_match(text) && has.is_match(text))
    }
}

static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\.?[A-Za-z][\w.-]*(/[\w.-]+)*/?$").unwrap());
/// `fuzz/regressions/TARGET` is for the reader to fill in.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|/)[A-Z]+(/|$)").unwrap());
static ITEM: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([A-Z][A-Za-z]+)(?:<.*>)?::(\w+)").unwrap());
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bKLEENE_[A-Z_]+\b").unwrap());
static TARGET: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"--(test|bench) (\w+)").unwrap());

/// All paths below `root`, but those of what is built.
fn paths(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mut name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let last = path.file_name().unwrap().to_string_lossy().into_owned();
                if ["target", "corpus", "artifacts", "node_modules", ".git"].contains(&&*last) {
                    continue;
                }
                name.push('/');
                folders.push(path);
            }
            found.push(name);
        }
    }
    found.sort();
    found
}

fn help(command: &[&str]) -> String {
    let help = Command::new(env!("CARGO_BIN_EXE_kleene")).args(command).arg("--help").output();
    String::from_utf8(help.unwrap().stdout).unwrap()
}

/// The long options in the words of a command.
fn options(words: &str) -> impl Iterator<Item = &str> {
    let words = words.split([' ', '=']);
    words.take_while(|word| *word != "--").filter(|word| word.starts_with("--"))
}

fn has_option(help: &str, option: &str) -> bool {
    help.split([' ', '\n', ',', '=', '[', '.', '`']).any(|word| word == option)
}

/// The files that a page lets its reader write.
fn files_of_the_reader(text: &str) -> BTreeSet<String> {
    let written = Regex::new(r"file=(\S+)|\s>\s*(\S+)").unwrap();
    let found = written.captures_iter(text);
    found.map(|found| found.iter().skip(1).flatten().map(|name| name.as_str()).collect()).collect()
}

/// Returns the texts in backticks, outside of blocks of code.
fn names_in(text: &str) -> Vec<String> {
    let mut in_block = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    let quoted = Regex::new(r"`([^`\n]+)`").unwrap();
    prose
        .flat_map(|line| {
            quoted.captures_iter(line).map(|found| found[1].to_owned()).collect::<Vec<_>>()
        })
        .collect()
}
