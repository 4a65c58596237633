//! The documentation, as its readers would try it: in each page, from above, blocks with a `file=`
//! are written to that file (`append` adds them, after a blank line), and the commands of the
//! blocks marked `console` print what is under them. A block `mermaid of=FILE` is the picture of
//! the rule in that file.
//!
//! In what is printed, `...` on a line of its own stands for any lines, and within a line for
//! anything. Both streams count, in the order in which they were written. How long a run took, and
//! its speed, are those of another machine.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kleene_test::pages::{self, Block};

use crate::common::Dir;

#[test]
fn the_commands_of_the_documentation_print_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut commands = 0;
    let mut wrong = String::new();
    for page in pages::all(&root) {
        let dir = Dir::new(&[]);
        for folder in ["examples", "patterns"] {
            std::os::unix::fs::symlink(root.join(folder), dir.path(folder)).unwrap();
        }
        for block in &page.blocks {
            if let Some(name) = block.attribute("file") {
                let append = block.attribute("append").is_some();
                let before = if append { dir.read(name) + "\n" } else { String::new() };
                dir.write(name, (before + &block.text).as_bytes());
            }
            let reported = match block.language.as_str() {
                "console" => in_console(&block.text),
                "mermaid" => vec![picture(block)],
                _ => continue,
            };
            for (command, expected) in reported {
                commands += 1;
                let found = run(&dir.path(""), &command);
                if !fits(&expected, &found) {
                    let _ = writeln!(
                        wrong,
                        "{}:{}: $ {command}\nexpected\n{}\nfound\n{found}",
                        page.name,
                        block.line,
                        expected.join("\n")
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(commands > 0, "there are no commands in the documentation");
}

/// The picture of the one rule of a file.
fn picture(block: &Block) -> (String, Vec<&str>) {
    let file = block.attribute("of").expect("a picture says of which file it is");
    (format!("kleene explain {file} --mermaid"), block.text.lines().collect())
}

/// The commands behind `$ `, each with the lines under it.
fn in_console(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if goes_on {
            let command = &mut commands.last_mut().unwrap().0;
            command.push('\n');
            command.push_str(line);
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), Vec::new()));
        } else {
            commands.last_mut().expect("a block begins with a command").1.push(line);
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// Returns the output of a command in a shell that finds the built program.
fn run(folder: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_kleene")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([program].into_iter().chain(std::env::split_paths(&path)));
    let output = folder.join(".output");
    let file = fs::File::create(&output).unwrap();
    // The program is built already.
    let command = command.replace("cargo run -q -r -p kleene-cli -- ", "kleene ");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(folder).env("PATH", path.unwrap());
    shell.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    shell.status().unwrap();
    let found = fs::read_to_string(&output).unwrap();
    fs::remove_file(&output).unwrap();
    found
}

fn fits(expected: &[&str], found: &str) -> bool {
    lines_fit(expected, &found.lines().collect::<Vec<_>>())
}

fn lines_fit(expected: &[&str], found: &[&str]) -> bool {
    match expected {
        [] => found.is_empty(),
        ["..."] => true,
        ["...", rest @ ..] => (0..found.len()).any(|skip| lines_fit(rest, &found[skip..])),
        [line, rest @ ..] => {
            let Some((first, others)) = found.split_first() else { return false };
            line_fits(line, first) && lines_fit(rest, others)
        }
    }
}

fn line_fits(expected: &str, found: &str) -> bool {
    let Some((start, rest)) = expected.split_once("...") else {
        let (expected, found) = (without_speed(expected), without_speed(found));
        return expected.trim_end() == found.trim_end();
    };
    let Some(mut found) = found.strip_prefix(start) else { return false };
    let mut rest = rest.split("...").peekable();
    while let Some(part) = rest.next() {
        if rest.peek().is_none() {
            return found.ends_with(part);
        }
        let Some(at) = found.find(part) else { return false };
        found = &found[at + part.len()..];
    }
    true
}

/// A line of the summary up to what the clock has measured.
fn without_speed(line: &str) -> &str {
    let is_measured = line.starts_with("events ") && line.contains(" events/s, ");
    let speed = if is_measured { line.rfind("  ") } else { None };
    &line[..speed.unwrap_or(line.len())]
}

/// Where a reader begins: few lines that fit a screen, and what they cost.
#[test]
fn the_first_command_of_the_readme_fits_a_screen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let pages = pages::all(&root);
    let readme = pages.iter().find(|page| page.name == "README.md").unwrap();
    let mut blocks = readme.blocks.iter().filter(|block| block.language == "console");
    let (command, expected) = in_console(&blocks.next().unwrap().text).remove(0);
    assert!(command.starts_with("cargo run "), "{command}");
    let found = run(&root, &command);
    assert!(fits(&expected, &found), "{found}");
    assert!(found.lines().count() <= 10, "{found}");
    for line in found.lines().chain(expected).chain([&*format!("$ {command}")]) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(found.contains(" events/s, "), "{found}");
    let script = fs::read_to_string(root.join(".ci/run")).unwrap();
    assert!(script.contains(&command), "the script runs another command than {command}");
}

/// The tables of the README name commands as one types them.
#[test]
fn every_command_in_a_table_of_the_readme_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let dir = Dir::new(&[]);
    for name in ["examples", "patterns", "docs", "README.md"] {
        std::os::unix::fs::symlink(root.join(name), dir.path(name)).unwrap();
    }
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let cells = readme.lines().filter_map(|line| line.strip_prefix("| `kleene "));
    let commands: Vec<&str> = cells.filter_map(|rest| rest.split('`').next()).collect();
    assert!(commands.len() > 8, "{commands:?}");
    // An editor speaks to `lsp`, which fails without one.
    for command in commands.into_iter().filter(|command| *command != "lsp") {
        let found = run(&dir.path(""), &format!("kleene {command} || echo \"failed: $?\""));
        assert!(!found.contains("failed: "), "{command}: {found}");
    }
}

#[test]
fn dots_stand_for_what_is_left_out() {
    assert!(fits(&["a", "...", "z"], "a\nb\nc\nz\n"));
    assert!(fits(&["a", "...", "z"], "a\nz\n"));
    assert!(!fits(&["a", "z"], "a\nb\nz\n"));
    assert!(!fits(&["a", "..."], "b\n"));
    assert!(fits(&["events  78  ... s"], "events  78  in 0.1 s\n"));
    assert!(!fits(&["events  78  ... s"], "events  78  in 0.1 ms!\n"));
    assert!(!fits(&["a ... b ... c"], "a b\n"));
    assert!(fits(&["events   7  90 events/s, 1.2 ms"], "events   7  1,234 events/s, 0.51 s\n"));
    assert!(!fits(&["events   7  90 events/s, 1.2 ms"], "events   8  90 events/s, 1.2 ms\n"));
}
