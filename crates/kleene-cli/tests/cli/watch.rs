//! `kleene run --watch`: files are edited while the program waits for events.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::common::Dir;

/// How long something may take before a test fails.
const LONG: Duration = Duration::from_mins(1);

const TYPES: &str = "event created { id: int, n: int }\nevent paid { id: int }\n";

fn rule(body: &str) -> String {
    format!("{TYPES}rule unpaid {{ key id  {body} }}\n")
}

/// The program at work.
struct Running {
    child: Child,
    stdin: ChildStdin,
    results: Receiver<String>,
    reported: Receiver<String>,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let _ = sender.send(line.expect("it is UTF-8"));
        }
    });
    lines
}

impl Running {
    fn start(dir: &Dir, args: &str) -> Running {
        let mut command = dir.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("it is piped");
        let results = lines(child.stdout.take().expect("it is piped"));
        let reported = lines(child.stderr.take().expect("it is piped"));
        Running { child, stdin, results, reported }
    }

    fn send(&mut self, lines: &str) {
        self.stdin.write_all(lines.as_bytes()).expect("it reads");
    }

    /// Returns the outputs up to a line that starts like this.
    fn reported_until(&self, start: &str) -> Vec<String> {
        let mut reported = Vec::new();
        loop {
            let line = self.reported.recv_timeout(LONG);
            let line = line.unwrap_or_else(|_| panic!("no `{start}` after {reported:#?}"));
            reported.push(line);
            if reported.last().is_some_and(|line| line.starts_with(start)) {
                return reported;
            }
        }
    }

    /// The next result: its rule's version, and what it emits.
    fn result(&self) -> (String, String) {
        let line = self.results.recv_timeout(LONG).expect("there is a result");
        let result: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        let version = result["version"].as_str().expect("it is text");
        (version.to_owned(), result["emit"].to_string())
    }

    /// Returns the rest of the outputs after the end of the input.
    fn end(self) -> Vec<String> {
        let Running { mut child, stdin, results, reported } = self;
        drop(stdin);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{:?}", reported.iter().last());
        results.iter().collect()
    }
}

fn created(id: i64, second: i64) -> String {
    format!("{{\"type\":\"created\",\"ts\":{},\"id\":{id},\"n\":{id}}}\n", 1000 * second)
}

#[test]
fn an_edited_rule_goes_on_with_what_it_holds() {
    let dir = Dir::new(&[]);
    let with = |wait: &str| {
        let seen = "rule seen { key id  match created  emit { seen: id } }";
        rule(&format!("match created -> not paid for {wait}  emit {{ id }}")) + seen
    };
    dir.write("shop.cep", with("1h").as_bytes());
    let mut run = Running::start(&dir, "run shop.cep --watch --end-of-time");
    run.send(&created(1, 0));
    assert_eq!(run.result().1, "{\"seen\":1}");
    dir.write("shop.cep", with("10m").as_bytes());
    let reported = run.reported_until("reloaded");
    let line = reported.last().expect("there is one");
    assert!(line.starts_with("reloaded unpaid: kept (1 partial match), version "), "{reported:#?}");
    let version = line.split("version ").nth(1).expect("it is reported");
    run.send(&created(2, 700));
    assert_eq!(run.result(), (version.to_owned(), String::from("{\"id\":1}")));
    assert_eq!(run.result().1, "{\"seen\":2}");
    assert_eq!(run.end().len(), 1, "the other order is reported at the end");
}

#[test]
fn a_file_with_mistakes_is_reported_and_the_old_rules_go_on() {
    let dir = Dir::new(&[]);
    let good = rule("match created[n > 0]  emit { id }");
    dir.write("rules/shop.cep", good.as_bytes());
    let mut run = Running::start(&dir, "run rules --watch");
    run.send(&created(1, 0));
    let (first, _) = run.result();
    let mistakes = [
        (rule("match created[m > 0]  emit { id }"), "m"),
        (rule("match created[n > 0"), "]"),
        (String::from(TYPES), "no rule to run"),
    ];
    for (number, (text, mention)) in (2..).zip(mistakes) {
        dir.write("rules/shop.cep", text.as_bytes());
        let reported =
            run.reported_until("the rules were not reloaded: the old rules keep running");
        assert!(reported.iter().any(|line| line.contains(mention)), "{reported:#?}");
        run.send(&created(number, number));
        assert_eq!(run.result(), (first.clone(), format!("{{\"id\":{number}}}")));
    }
    std::fs::remove_file(dir.path("rules/shop.cep")).expect("it is there");
    run.reported_until("the rules were not reloaded");
    // It is mended, and another file comes.
    dir.write("rules/shop.cep", good.as_bytes());
    assert_eq!(run.reported_until("reloaded"), ["reloaded 1 rule: unchanged"]);
    let fresh = "rule fresh { key id  match paid  emit { paid: id } }";
    dir.write("rules/more.cep", fresh.as_bytes());
    let reported = run.reported_until("reloaded 1 rule");
    assert!(reported[0].starts_with("reloaded fresh: added, version "), "{reported:#?}");
    run.send("{\"type\":\"paid\",\"ts\":9000,\"id\":7}\n");
    assert_eq!(run.result().1, "{\"paid\":7}");
    assert_eq!(run.end(), [""; 0]);
}

#[test]
fn lists_and_used_files_are_read_again_and_events_may_get_other_fields() {
    let dir = Dir::new(&[("lists/watched.txt", b"1\n")]);
    let shop = "use \"types.cep\"\nlist watched: int from \"lists/watched.txt\"\n\
                rule r { match created[id in watched] as c -> paid  emit { id: c.id } }\n";
    dir.write("shop.cep", shop.as_bytes());
    dir.write("types.cep", TYPES.as_bytes());
    for format in ["jsonl", "csv"] {
        dir.write("types.cep", TYPES.as_bytes());
        dir.write("lists/watched.txt", b"1\n");
        let mut run = Running::start(&dir, &format!("run shop.cep --watch -f {format}"));
        let event = |ty: &str, second: i64, id: i64, extra: i64| match format {
            "jsonl" => format!(
                "{{\"type\":\"{ty}\",\"ts\":{},\"id\":{id},\"n\":0,\"extra\":{extra}}}\n",
                1000 * second
            ),
            _ => format!("{ty},{},{id},0,{extra}\n", 1000 * second),
        };
        if format == "csv" {
            run.send("type,ts,id,n,extra\n");
        }
        run.send(&(event("created", 0, 1, 5) + &event("paid", 1, 9, 5)));
        let (first, emit) = run.result();
        assert_eq!(emit, "{\"id\":1}");
        run.send(&event("created", 2, 1, 5));
        dir.write("lists/watched.txt", b"2\n3\n");
        let reported = run.reported_until("reloaded");
        assert!(
            reported.last().is_some_and(|line| line.starts_with("reloaded r: kept")),
            "{reported:#?}"
        );
        run.send(&event("paid", 3, 9, 5));
        let (second, emit) = run.result();
        assert_eq!((second == first, &*emit), (false, "{\"id\":1}"));

        let more = TYPES.replace("n: int }", "n: int, extra: int? }");
        dir.write("types.cep", more.as_bytes());
        run.reported_until("reloaded");
        run.send(&(event("created", 4, 3, 6) + &event("paid", 5, 9, 6)));
        let line = run.results.recv_timeout(LONG).expect("there is a result");
        assert!(line.contains("\"extra\":6"), "{line}");
        assert_eq!(run.end(), [""; 0]);
    }
}
