//! Rules of ARCHITECTURE.md that the text of the files can show.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/flags.rs"]
mod flags;
#[path = "architecture/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates of the library, from the bottom up, and the folders and files directly in `src/` of
/// each, with what each may import of the others in its crate. Each row may name only rows above
/// it: imports run one way. Imports of other crates do, as Cargo has no circles.
const IMPORTS: &[(&str, Areas)] = &[
    (
        "crates/kleene-event/src",
        &[
            ("util", &[]),
            ("time", &[]),
            ("value", &["util", "time"]),
            ("schema", &["util", "value"]),
            ("event", &["util", "time", "value", "schema"]),
        ],
    ),
    (
        "crates/kleene-syntax/src",
        &[("diagnostic", &[]), ("syntax", &["diagnostic"]), ("hir", &["diagnostic", "syntax"])],
    ),
    (
        "crates/kleene-automata/src",
        &[("util", &[]), ("nfa", &["util"]), ("exec", &["util", "nfa"])],
    ),
    (
        "crates/kleene-engine/src",
        &[
            ("util", &[]),
            ("pattern", &["util"]),
            ("ruleset", &["util"]),
            ("stream", &["util", "pattern", "ruleset"]),
        ],
    ),
    ("src", &[("pattern", &[]), ("ruleset", &[]), ("stream", &[]), ("error", &[])]),
    (
        "crates/kleene-explain/src",
        &[("lines", &[]), ("explain", &[]), ("why", &["lines", "explain"]), ("testing", &["why"])],
    ),
];

/// The folders and files directly in a `src/`, each with those that it may import.
type Areas = &'static [(&'static str, &'static [&'static str])];

/// The functions that are called with a bare `true` or `false`, by file: a method that derived code
/// calls, too. None may come.
const FLAGS: &[(&str, &[&str])] =
    &[("crates/kleene-event/src/event/derived.rs", &["append_fields"])];

/// The folders and files in `stream/` of `kleene-engine`, from the bottom up: each may use those
/// above it in this list only. The longest name that fits counts.
const STREAM: &[&str] = &[
    "stats",
    "limits",
    "error",
    "output/",
    "shard/undivided",
    "shard/context",
    "keys/",
    "rule/",
    "keys/cold/",
    "dispatch/",
    "ingest/",
    "engine",
    "shard/",
    "change/",
    "builder",
    "snapshot/",
];

/// Names that the library does not use, each with the one file that may use it.
const ABSENT: &[(&str, &str)] = &[
    ("std::thread", ""),
    ("std::io", "crates/kleene-engine/src/ruleset/files.rs"),
    ("std::fs", "crates/kleene-engine/src/ruleset/files.rs"),
    ("TcpStream", ""),
    ("std::env", ""),
    ("std::process", ""),
    ("SystemTime::now", ""),
    ("Instant::now", ""),
    ("println!", ""),
    ("print!", ""),
    ("static mut", ""),
    ("thread_local!", ""),
    ("unsafe ", "crates/kleene-event/src/util/prefetch.rs"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end in one of `endings`, sorted, with their paths from the
/// root. What is built or hidden is left out.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let built =
                ["target", "corpus", "artifacts", "node_modules", "dist"].contains(&name.as_str());
            let hidden = name.starts_with('.') && name != ".ci";
            if path == root() || !(built || hidden) {
                let entries = fs::read_dir(&path).expect("the folder can be listed");
                open.extend(entries.map(|entry| entry.expect("it can be listed").path()));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let path_from_root = path.strip_prefix(root()).expect("it is below the root");
            let text = fs::read_to_string(&path).expect("it is UTF-8");
            found.push((path_from_root.to_string_lossy().replace('\\', "/"), text));
        }
    }
    found.sort();
    found
}

/// The text without comments, and with it without what documentation links to, and without unit
/// tests, which may look further.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}

/// The folder or file in `src/` that a source file belongs to.
fn area<'p>(path: &'p str, source: &str) -> &'p str {
    let below = path.strip_prefix(source).expect("it is in src/").trim_start_matches('/');
    below.split('/').next().expect("it has a first part").trim_end_matches(".rs")
}

/// The files of the library's crates, with their paths from the root.
fn library() -> Vec<(String, String)> {
    IMPORTS.iter().flat_map(|(source, _)| files(source, &[".rs"])).collect()
}

/// The first parts of all `crate::` paths, those in `crate::{a, b::c}` too.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.insert(word(&group[start..index]));
                    start = index + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_run_one_way() {
    for (source, areas) in IMPORTS {
        for (index, (area, targets)) in areas.iter().enumerate() {
            for target in *targets {
                assert!(
                    areas[..index].iter().any(|(above, _)| above == target),
                    "{source}: {area} may not name {target}, which is not above it"
                );
            }
        }
        let is_tour = |path: &str| path == format!("{source}/lib.rs");
        // Unit tests in a file of their own, and what makes rules for unit tests, may look further.
        let is_test = |path: &str| {
            path.ends_with("/tests.rs") || path == "crates/kleene-automata/src/testing.rs"
        };
        let files = files(source, &[".rs"]);
        for (path, text) in files.iter().filter(|(path, _)| !is_tour(path) && !is_test(path)) {
            imports_are_allowed(source, areas, path, text);
        }
    }
}

/// Panics if a file of a crate imports from a folder that its own may not know.
fn imports_are_allowed(source: &str, areas: Areas, path: &str, text: &str) {
    let allowed: BTreeMap<&str, &[&str]> = areas.iter().copied().collect();
    let area = area(path, source);
    let Some(targets) = allowed.get(area) else {
        panic!("{path}: say in the table what `{area}` may import");
    };
    // A macro is at the root of its crate wherever it is defined.
    for import in imports(&code(text)).into_iter().filter(|import| import != "define_id") {
        let is_module = allowed.contains_key(import.as_str());
        // An item of the root hides where it comes from.
        assert!(is_module, "{path}: import `{import}` from the module that defines it");
        let is_allowed = import == area || targets.contains(&import.as_str());
        assert!(is_allowed, "{path}: `{area}` may not use `{import}`");
    }
}

/// The files of a `src` folder, with their paths below it.
fn sources(folder: &str) -> Vec<(String, String)> {
    let below = |(path, text): (String, String)| (path[folder.len() + 1..].to_owned(), text);
    files(folder, &[".rs"]).into_iter().map(below).collect()
}

#[test]
fn files_import_one_way() {
    let crates = fs::read_dir(root().join("crates")).expect("the folder can be listed");
    let names = crates.map(|entry| entry.expect("it can be listed").file_name());
    let mut folders: Vec<String> =
        names.map(|name| format!("crates/{}/src", name.to_string_lossy())).collect();
    folders.push(String::from("src"));
    folders.sort();
    for folder in folders {
        let circles = circles::circles(&sources(&folder));
        assert!(circles.is_empty(), "{folder}: these files import each other: {circles:#?}");
    }
}

/// The files of all crates, with their paths from the root.
fn all_sources() -> Vec<(String, String)> {
    let is_source = |(path, _): &(String, String)| path.contains("/src/");
    let crates = files("crates", &[".rs"]).into_iter().filter(is_source);
    files("src", &[".rs"]).into_iter().chain(crates).collect()
}

#[test]
fn no_call_has_a_bare_flag() {
    let sources = all_sources();
    // A module of tests in a file of its own.
    let is_test = |path: &str| {
        let endings = ["/tests.rs", "/properties.rs"];
        path.starts_with("crates/kleene-test/") || endings.iter().any(|end| path.ends_with(end))
    };
    let calls = sources.iter().filter(|(path, _)| !is_test(path)).flat_map(|(path, text)| {
        flags::flags(text).into_iter().map(move |name| format!("{path}: {name}"))
    });
    let found: BTreeSet<String> = calls.collect();
    let known = FLAGS
        .iter()
        .flat_map(|(path, names)| names.iter().map(move |name| format!("{path}: {name}")));
    let known: BTreeSet<String> = known.collect();
    let new: Vec<&String> = found.difference(&known).collect();
    assert!(new.is_empty(), "a bare flag says nothing: write an enum of two variants: {new:#?}");
    let gone: Vec<&String> = known.difference(&found).collect();
    assert!(gone.is_empty(), "these calls are mended: take them from the list: {gone:#?}");
}

#[test]
fn bare_flags_are_found_in_calls_alone() {
    let text = "fn f(a: bool) { go(1, true); x.skip(false).open(Some(true), (false, 1));
        // go_on(true)
        y.append(true); matches!(z, (true, false)); if (true) {} g(h(2), [true], K(false)) }
        #[cfg(test)] mod tests { fn t() { only(true) } }";
    let found: Vec<String> = flags::flags(text).into_iter().collect();
    assert_eq!(found, ["go", "skip"]);
}

#[test]
fn the_folders_of_the_stream_import_one_way() {
    let rank = |file: &str| {
        let below = file.strip_prefix("stream/")?;
        let fitting = (0..).zip(STREAM).filter(|(_, name)| below.starts_with(**name));
        fitting.max_by_key(|(_, name)| name.len()).map(|(rank, _): (usize, _)| rank)
    };
    for (file, targets) in circles::imports(&sources("crates/kleene-engine/src")) {
        if !file.starts_with("stream/") || file == "stream/mod.rs" {
            continue;
        }
        let own = rank(&file);
        assert!(own.is_some(), "{file}: say in the list where it belongs");
        for target in targets.iter().filter(|target| target.starts_with("stream/")) {
            assert!(rank(target) <= own, "{file} may not use {target}");
        }
    }
}

#[test]
fn the_lints_read_the_checked_form_alone() {
    let imports = circles::imports(&sources("crates/kleene-syntax/src"));
    for file in imports.keys().filter(|file| file.starts_with("hir/lint/")) {
        let reached = circles::reachable(&imports, file);
        let lowering = reached.iter().find(|target| target.starts_with("hir/lower/"));
        assert_eq!(lowering, None, "{file} looks at how a rule is lowered");
    }
}

/// The types that hold an engine's state, with the file of each in `stream/`. Their neighbours call
/// methods that say why: only the files of the type's own folder may see a field.
const STATE: &[(&str, &str)] = &[
    ("Engine", "engine.rs"),
    ("EventBuffer", "ingest/buffer.rs"),
    ("Ingest", "ingest/arrivals.rs"),
    ("InputClock", "ingest/clock.rs"),
    ("Dispatcher", "dispatch/dispatcher.rs"),
    ("RuleRuntime", "rule/runtime/mod.rs"),
];

/// The fields of a struct that more than its own module may see, each with its visibility.
fn visible_fields(code: &str, name: &str) -> Vec<String> {
    let starts = [format!("struct {name}<"), format!("struct {name} ")];
    let start = starts.iter().find_map(|start| code.find(start)).expect("the struct is there");
    let (_, body) = code[start..].split_once('{').expect("it has fields");
    let body = body.split("\n}").next().unwrap_or_default();
    let fields = body.lines().map(str::trim).filter(|line| line.starts_with("pub"));
    fields.map(str::to_owned).collect()
}

#[test]
fn state_is_private_to_its_folder() {
    for (name, path) in STATE {
        let folder = root().join("crates/kleene-engine/src/stream");
        let text = fs::read_to_string(folder.join(path)).expect("it is there");
        // Above a `mod.rs` is another folder. Of `stream` itself, all files would be neighbours.
        let is_alone = path.ends_with("/mod.rs") || !path.contains('/');
        for field in visible_fields(&code(&text), name) {
            let is_own = !is_alone && field.starts_with("pub(super) ");
            assert!(is_own, "{path}: {name} shows a field outside of its folder: `{field}`");
        }
    }
}

#[test]
fn visible_fields_are_found() {
    let text =
        "pub struct One<E> {\n    a: E,\n    pub(super) b: u8,\n}\nstruct Two {\n    pub c: u8,\n}";
    assert_eq!(visible_fields(text, "One"), ["pub(super) b: u8,"]);
    assert_eq!(visible_fields(text, "Two"), ["pub c: u8,"]);
}

#[test]
fn circles_are_found_through_re_exports_and_not_through_tests() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let mut sources = vec![
        file("lib.rs", "mod a; mod b; mod c; pub use c::deep::Deep;"),
        file("a.rs", "use crate::b::{self, One as Two}; /* use crate::d::X; */"),
        file("b.rs", "// use crate::c;\nfn f() { crate::c::Shown::new(\"crate::a::A\") }"),
        file("c/mod.rs", "mod deep;\npub(in crate::a) use deep::Shown;"),
        file("c/deep.rs", "use crate::d::D;\n#[cfg(test)]\nmod tests { use crate::a::A; }"),
        file("d.rs", "struct D<'a>(&'a str);"),
    ];
    let imports = circles::imports(&sources);
    let of = |path: &str| imports[path].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((of("a.rs"), of("b.rs")), (vec!["b.rs"], vec!["c/deep.rs"]));
    assert_eq!((of("c/mod.rs"), of("c/deep.rs")), (vec!["c/deep.rs"], vec!["d.rs"]));
    assert_eq!(circles::circles(&sources), Vec::<Vec<String>>::new());
    sources[5].1 = String::from("fn f(a: super::a::A) {}");
    assert_eq!(circles::circles(&sources), [["a.rs", "b.rs", "c/deep.rs", "d.rs"]]);
}

#[test]
fn the_tour_in_lib_rs_is_without_logic() {
    for (source, _) in IMPORTS {
        let text = fs::read_to_string(root().join(source).join("lib.rs")).expect("it is there");
        for word in ["fn ", "struct ", "enum ", "trait ", "impl "] {
            assert!(!code(&text).contains(word), "{source}/lib.rs defines something: `{word}`");
        }
    }
}

#[test]
fn the_library_has_no_clock_no_threads_and_no_output() {
    for (path, text) in library() {
        let code = code(&text);
        for (word, exempt) in ABSENT {
            assert!(path == *exempt || !code.contains(word), "{path} uses `{word}`");
        }
    }
}

/// A type that is re-exported brings all of its methods along.
#[test]
fn what_users_see_names_no_shard() {
    for path in ["src/stream.rs", "tests/api/kleene.txt", "tests/api/kleene-runner.txt"] {
        let text = fs::read_to_string(root().join(path)).expect("it is there");
        assert!(!code(&text).contains("Shard"), "{path} names `Shard`");
    }
    for (path, text) in files("crates/kleene-engine/src/stream", &[".rs"]) {
        for block in code(&text).split("\nimpl").skip(1) {
            let (head, body) = block.split_once('{').unwrap_or((block, ""));
            let methods = body.split("\n    pub fn ").skip(1);
            let mut heads = methods.map(|method| method.split('{').next().unwrap_or_default());
            let shown = heads.find(|method| method.contains("Shard<"));
            let shown = shown.filter(|_| !head.contains("Shard<"));
            assert_eq!(shown, None, "{path}: write it as a function of `Shard`");
        }
    }
}

/// The crates with `unsafe` blocks: a hint to the processor, and memory that Java hands over.
const WITH_UNSAFE: [&str; 2] = ["crates/kleene-event/src/lib.rs", "crates/kleene-jni/src/lib.rs"];

#[test]
fn crates_forbid_unsafe_code() {
    let is_root = |path: &str| {
        ["src/lib.rs", "src/main.rs"].iter().any(|name| path.ends_with(name))
            && !path.starts_with("fuzz/")
    };
    let roots: Vec<(String, String)> =
        files("", &[".rs"]).into_iter().filter(|(path, _)| is_root(path)).collect();
    assert!(roots.len() > 12, "{} crates", roots.len());
    for (path, text) in roots {
        let forbids = text.contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, !WITH_UNSAFE.contains(&&*path), "{path}");
    }
}

/// The folders of what the front doors share, and of the package for JavaScript, which run in pages.
const WITHOUT_MACHINE: [&str; 4] = [
    "crates/kleene-language/src",
    "crates/kleene-report/src",
    "bindings/js/src",
    "bindings/js/engine/src",
];

#[test]
fn what_runs_in_pages_has_no_clock_no_threads_and_no_output() {
    // What starts a thread that reads.
    let starts = ["io::std", "Blocks::start", "Feed::start", "Feed::resume", "RawFeed::start"];
    for (path, text) in WITHOUT_MACHINE.iter().flat_map(|folder| files(folder, &[".rs"])) {
        let code = code(&text);
        let absent = ABSENT.iter().map(|(word, _)| *word).filter(|word| *word != "std::io");
        for word in absent.chain(starts) {
            assert!(!code.contains(word), "{path} uses `{word}`");
        }
    }
}

#[test]
fn sources_are_ascii() {
    for (path, text) in files("", &[".rs", ".toml", ".cep"]) {
        // What is wrong with these files is what they are for.
        if path.starts_with("testdata/") || path.starts_with("fuzz/") {
            continue;
        }
        let line = text.lines().position(|line| !line.is_ascii());
        assert_eq!(line, None, "{path} is not ASCII, counting lines from 0");
    }
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    // In pieces, so that this file passes, too.
    let hosts = [["crates", ".io"], ["index.crates", ".io"], ["static.crates", ".io"]];
    let folders = [["/ho", "me/"], ["/ro", "ot/"], ["/wo", "rk/"], ["C:\\U", "sers"]];
    let endings = [".rs", ".toml", ".md", ".cep", ".yml", ".yaml", ".json", ".sh", "run"];
    for (path, text) in files("", &endings) {
        for word in hosts.iter().chain(&folders).map(|pieces| pieces.concat()) {
            assert!(!text.contains(&word), "{path} mentions {word}");
        }
    }
}

#[test]
fn the_code_map_names_every_folder() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    for (source, areas) in IMPORTS {
        assert!(map.contains(&format!("`{source}/`")), "ARCHITECTURE.md lacks {source}/");
        for (area, _) in *areas {
            let names = [format!("`{area}/`"), format!("`{area}.rs`")];
            assert!(names.iter().any(|name| map.contains(name)), "ARCHITECTURE.md lacks {area}");
        }
    }
    for folder in ["crates", "patterns", "examples", "benches", "testdata", "tests", "docs"] {
        assert!(map.contains(&format!("`{folder}/")), "ARCHITECTURE.md lacks {folder}/");
    }
}

/// `autotests` is off: a file that no program names would never run.
#[test]
fn the_files_of_tests_that_sources_name_are_there() {
    for (path, text) in all_sources() {
        let own = path.split_once("/src/").map_or("", |(folder, _)| folder);
        for (at, _) in text.match_indices("tests/") {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_/-.".contains(c);
            let name = text[at..].split(|c| !is_name(c)).next().unwrap_or_default();
            let Some(end) = name.find(".rs") else { continue };
            let file = &name[..end + ".rs".len()];
            let is_there = [root().join(file), root().join(own).join(file)];
            let starts_here = !text[..at].ends_with(is_name);
            assert!(!starts_here || is_there.iter().any(|path| path.exists()), "{path}: {file}");
        }
    }
}

#[test]
fn every_file_of_tests_is_in_one_test_program() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let is_direct = |path: &String| path.matches('/').count() == 1;
    let tests: Vec<(String, String)> =
        files("tests", &[".rs"]).into_iter().filter(|(path, _)| is_direct(path)).collect();
    let name = |path: &str| path["tests/".len()..].trim_end_matches(".rs").to_owned();
    let is_program =
        |path: &str| manifest.contains(&format!("[[test]]\nname = \"{}\"\n", name(path)));
    let programs: Vec<_> = tests.iter().filter(|(path, _)| is_program(path)).collect();
    for (path, _) in &tests {
        let module = format!("\nmod {};\n", name(path));
        let with = programs.iter().filter(|(_, text)| text.contains(&module)).count();
        let number = with + usize::from(is_program(path));
        assert_eq!(number, 1, "the number of test programs that contain {path}");
    }
}

/// The type names that two files of the library define, which may only become fewer.
const TWICE: &[&str] = &[
    // One thing in the tree of the text and in its checked form: `ast::Rule` becomes `hir::Rule`.
    // Each of the two modules is read with its path, as rustc's `ast` and `hir` are.
    "Contiguity",
    "Emit",
    "Expr",
    "Gap",
    "KeyPart",
    "LoopMode",
    "Report",
    "Rule",
    "Sequence",
    "Skip",
    "SkipStrategy",
    "Step",
    "Test",
    "TestStep",
    // `hir::Pattern` without a type of events, and what users build with one: `Pattern<E>`.
    "Pattern",
    // The second matcher, `exec::reference`, implements the same definitions, and shares no code
    // with the first: so it has types of its own for the same notions.
    "Captures",
    "Guard",
    "Partial",
    "Path",
    "Position",
    "Standing",
    "View",
];

/// Names that mean one thing in all crates, not only in those of the library.
const ONCE: [&str; 5] = ["Fault", "Kind", "Printer", "Progress", "TimeUnit"];

#[test]
fn some_names_stand_for_one_thing_in_all_crates() {
    let bindings = files("bindings/js", &[".rs"]).into_iter();
    for name in ONCE {
        let defines = |text: &str| {
            let plain = code(text);
            ["struct", "enum", "trait"].iter().any(|kind| {
                let defined = format!("{kind} {name}");
                plain.match_indices(&defined).any(|(at, found)| {
                    !plain[at + found.len()..].starts_with(|c: char| c.is_alphanumeric())
                })
            })
        };
        let all = all_sources().into_iter().chain(bindings.clone());
        let defining: Vec<String> =
            all.filter(|(_, text)| defines(text)).map(|(path, _)| path).collect();
        assert_eq!(defining.len(), 1, "{name}: {defining:?}");
    }
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let mut defined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in library() {
        if path.ends_with("tests.rs") {
            continue;
        }
        for line in code(&text).lines() {
            // Types in functions and the types of implementations are indented.
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let line = match line.strip_prefix("pub(") {
                Some(rest) => rest.split_once(") ").map_or("", |(_, rest)| rest),
                None => line,
            };
            let Some((kind, rest)) = line.split_once(' ') else { continue };
            if ["struct", "enum", "trait", "type"].contains(&kind) {
                let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                defined.entry(name.to_owned()).or_default().insert(path.clone());
            }
        }
    }
    let twice = defined.iter().filter(|(_, files)| files.len() > 1);
    let new: Vec<_> = twice.clone().filter(|(name, _)| !TWICE.contains(&name.as_str())).collect();
    assert!(new.is_empty(), "one name for two things: {new:#?}");
    let twice: BTreeSet<&str> = twice.map(|(name, _)| name.as_str()).collect();
    let gone: Vec<_> = TWICE.iter().filter(|name| !twice.contains(**name)).collect();
    assert!(gone.is_empty(), "these names stand for one thing now: {gone:?}");
}
