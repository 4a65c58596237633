//! Runs the built program in a directory of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

/// A directory with the files of one test.
pub(crate) struct Dir(TempDir);

/// The exit code and output of one run of the program.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Sends a running program the signal of Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

/// Interrupts a running program and waits for its end. `text` is what was read of its output.
#[cfg(unix)]
pub(crate) fn interrupted(
    mut child: Child,
    mut stdout: BufReader<ChildStdout>,
    mut text: String,
) -> Exit {
    interrupt(&child);
    stdout.read_to_string(&mut text).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    Exit { code: child.wait().unwrap().code(), stdout: text, stderr }
}

impl Dir {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Dir {
        let dir = Dir(tempfile::tempdir().unwrap());
        for (name, content) in files {
            dir.write(name, content);
        }
        dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program, to be started in this directory.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
        command.current_dir(self.0.path()).args(args.split_whitespace());
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program with arguments that are split at spaces, without input.
    pub(crate) fn run(&self, args: &str) -> Exit {
        Exit::from(self.command(args).output().unwrap())
    }

    /// Runs a command with `input` on standard input.
    pub(crate) fn run_with(&self, args: &str, input: &[u8]) -> Exit {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // The program may end before it has read everything.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Exit::from(output)
    }

    /// Runs the program, reads the first line of its output, which is given, and closes the pipe.
    pub(crate) fn close_after_a_line(&self, args: &str) -> (String, Exit) {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (line, Exit::from(child.wait_with_output().unwrap()))
    }
}

impl From<Output> for Exit {
    fn from(output: Output) -> Exit {
        Exit {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Exit {
    /// The results, parsed.
    pub(crate) fn results(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A count of the summary.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let line = self.stderr.lines().find(|line| line.starts_with(&format!("{name}  ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in the summary:\n{}", self.stderr));
        let number = line[name.len()..].trim_start().split("  ").next().unwrap();
        number.replace(',', "").parse().unwrap()
    }

    /// Standard error without what depends on the clock.
    pub(crate) fn said(&self) -> String {
        let lines = self.stderr.lines().map(|line| {
            let is_speed = line.starts_with("events  ");
            if is_speed {
                line.split("events/s").next().unwrap().rsplit_once("  ").unwrap().0
            } else {
                line
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The lines of standard error before the summary.
    pub(crate) fn reported(&self) -> Vec<&str> {
        self.stderr.lines().take_while(|line| !line.starts_with("events  ")).collect()
    }
}
