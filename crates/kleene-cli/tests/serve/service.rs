//! A service in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http;

/// The time in which everything that a test waits for has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Two events of one key; the second at least one minute later makes no match.
pub(crate) const RULES: &str = "event click { ts: time, user: int }
rule twice { key user  match click as one -> click as two  within 1m  skip none
             emit { user, at: two.ts } }
";

/// A folder with a configuration and what it names.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(config: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path("rules")).unwrap();
        folder.write("rules/twice.cep", RULES);
        let head = "state = \"state\"\nrejects = \"rejects.jsonl\"\n[rules]\npaths = [\"rules\"]\n\
                    [checkpoint]\nevery = \"50ms\"\n";
        folder.write("kleene.toml", &format!("{head}{config}"));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Adds to a file.
    pub(crate) fn add(&self, name: &str, text: &str) {
        use std::io::Write as _;
        let file = fs::File::options().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The values that `emit` made, of each result in a file.
    pub(crate) fn emitted(&self, name: &str) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap()["emit"].take();
        self.read(name).lines().map(parse).collect()
    }

    /// Starts the service.
    pub(crate) fn start(&self) -> Service {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
        command.current_dir(self.0.path()).args(["serve", "kleene.toml"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Service { child, log }
    }

    /// Runs the command to its end. Returns its exit code and what it printed on standard error.
    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
        let ran = command.current_dir(self.0.path()).args(args).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
    }
}

/// A service that runs.
pub(crate) struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Service {
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until something holds.
    pub(crate) fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            if let Some(ended) = self.child.try_wait().unwrap() {
                panic!("it ended with {ended} while waiting until {what}:\n{}", self.log());
            }
            assert!(start.elapsed() < PATIENCE, "waiting until {what}:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a text in the log.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let log = self.log.clone();
        self.wait_until(text, || log.lock().unwrap().contains(text));
    }

    /// Returns the address of the HTTP interface, once the service takes events.
    pub(crate) fn address(&mut self) -> String {
        self.wait_for("started");
        let log = self.log();
        let address = log.split_once("addr=").unwrap().1.split_whitespace().next().unwrap();
        let address = address.to_owned();
        self.wait_until("it is ready", || http::get(&address, "/readyz").status == 200);
        address
    }

    /// Kills the service: it has no say in this.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the service to end, and waits for that.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it said last arrives a moment later.
                thread::sleep(Duration::from_millis(50));
                return (status, self.log());
            }
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of an event.
pub(crate) fn click(second: u64, user: u64) -> String {
    format!("{{\"type\":\"click\",\"ts\":{},\"user\":{user}}}\n", 1_700_000_000_000 + 1000 * second)
}
