//! The server as an editor sees it, over a connection in memory.

use std::path::Path;
use std::thread::JoinHandle;

use anyhow::Result;
use lsp_server::{Connection, Message, Notification, Request, Response};
use serde_json::{Value, json};

use super::server::serve;
use super::uri;

/// Where the cursor stands in a text.
const CURSOR: &str = "<|>";

const SHOP: &str = r#"# An order of the shop.
# Numbers are unique.
event order_created { order_id: string, user: string, amount: float, geo: { lat: float, lon: float }, at: time }
event order_paid { order_id: string, at: time }
list test_users: string = ["qa-1"]
param far: float = 10.0

rule unpaid {
  about "Nobody paid"
  param wait: duration = 10m
  define big = order_created[amount > 100]
  key order_id
  match order_created[user not in test_users] as o -> not order_paid for $wait
  emit { order_id, amount: o.amount }
}
rule soon = unpaid(wait: 2m) { severity high }
test unpaid {
  at 0s order_created { order_id: "1" }
  expect match { amount: 1.0 } at 10m
}
"#;

/// An editor with its server.
struct Editor {
    connection: Connection,
    server: JoinHandle<Result<bool>>,
    last: i32,
    /// The diagnostics of documents, the newest last.
    reported: Vec<Value>,
}

impl Editor {
    fn start() -> Editor {
        let (connection, theirs) = Connection::memory();
        let server = std::thread::spawn(move || serve(&theirs));
        let mut editor = Editor { connection, server, last: 0, reported: Vec::new() };
        let answer = editor.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(answer["serverInfo"]["name"], "kleene");
        assert_eq!(answer["capabilities"]["hoverProvider"], true);
        editor.say("initialized", json!({}));
        editor
    }

    fn say(&self, method: &str, params: Value) {
        let message = Notification::new(String::from(method), params);
        self.connection.sender.send(Message::Notification(message)).unwrap();
    }

    fn response(&mut self, method: &str, params: Value) -> Response {
        self.last += 1;
        let request = Request::new(self.last.into(), String::from(method), params);
        self.connection.sender.send(Message::Request(request)).unwrap();
        loop {
            match self.connection.receiver.recv().unwrap() {
                Message::Response(response) => {
                    assert_eq!(response.id, self.last.into());
                    return response;
                }
                Message::Notification(reported) => self.reported.push(reported.params),
                Message::Request(request) => panic!("{request:?}"),
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.response(method, params).response_result.unwrap()
    }

    fn open(&self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "cep", "version": 1, "text": text });
        self.say("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&self, uri: &str, version: i32, text: &str) {
        self.say(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": uri, "version": version },
                "contentChanges": [{ "text": text }],
            }),
        );
    }

    /// The diagnostics of a document that are reported next.
    fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        loop {
            if let Some(at) = self.reported.iter().position(|reported| reported["uri"] == uri) {
                let reported = self.reported.remove(at);
                return reported["diagnostics"].as_array().unwrap().clone();
            }
            match self.connection.receiver.recv().unwrap() {
                Message::Notification(reported) => self.reported.push(reported.params),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Ends as an editor does; whether the server was content.
    fn stop(mut self) -> bool {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.say("exit", Value::Null);
        self.server.join().unwrap().unwrap()
    }
}

/// The text without the cursor, and where it stands.
fn cut(text: &str) -> (String, Value) {
    let at = text.find(CURSOR).unwrap_or_else(|| panic!("no cursor in {text}"));
    let before = &text[..at];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let character = before[start..].encode_utf16().count();
    (text.replace(CURSOR, ""), json!({ "line": line, "character": character }))
}

const URI: &str = "untitled:rules.cep";

fn at_cursor(method: &str, text: &str) -> Value {
    let (text, position) = cut(text);
    let mut editor = Editor::start();
    editor.open(URI, &text);
    let params = json!({ "textDocument": { "uri": URI }, "position": position });
    let answer = editor.ask(method, params);
    assert!(editor.stop());
    answer
}

fn completions(text: &str) -> Vec<String> {
    let answer = at_cursor("textDocument/completion", text);
    let Some(items) = answer.as_array() else { return Vec::new() };
    items.iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

fn hover(text: &str) -> String {
    let answer = at_cursor("textDocument/hover", text);
    answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

/// `SHOP` with the cursor in front of the `nth` place that holds `part`, plus `skip` bytes.
fn shop(part: &str, nth: usize, skip: usize) -> String {
    let (at, _) = SHOP.match_indices(part).nth(nth).unwrap_or_else(|| panic!("no {part}"));
    let (before, behind) = SHOP.split_at(at + skip);
    format!("{before}{CURSOR}{behind}")
}

#[test]
fn diagnostics_have_codes_ranges_and_severities() {
    let mut editor = Editor::start();
    editor.open(URI, "event a { x: int }\n# \u{1f600}\nrule r { key x match `a`[x == \"\u{1f600}\" and y > 1] within 5s }\n");
    let reported = editor.diagnostics(URI);
    let codes: Vec<&str> = reported.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E0301", "E0202"], "{reported:#?}");
    // The smiley is two units.
    assert_eq!(
        reported[1]["range"],
        json!({ "start": { "line": 2, "character": 39 }, "end": { "line": 2, "character": 40 } })
    );
    assert_eq!((&reported[1]["source"], &reported[1]["severity"]), (&json!("kleene"), &json!(1)));
    editor.change(URI, 2, "event a { x: int }\nrule r { match a{3} within 5s }\n");
    let reported = editor.diagnostics(URI);
    assert_eq!((&reported[0]["code"], &reported[0]["severity"]), (&json!("W0001"), &json!(2)));
    assert!(reported[0]["message"].as_str().unwrap().contains("\nhelp: "), "{reported:#?}");

    // Broken text is reported for, and what is right again is not.
    editor.change(URI, 2, "event a { x: int }\nrule r { match a[x > ");
    assert!(!editor.diagnostics(URI).is_empty());
    editor.change(URI, 3, "event a { x: int }\nrule r { key x match a{3} within 5s }");
    assert_eq!(editor.diagnostics(URI), [Value::Null; 0]);
    editor.change(URI, 4, "event a { x: int }\nevent a { x: int }");
    let reported = editor.diagnostics(URI);
    assert_eq!(reported[0]["relatedInformation"][0]["message"], "declared here first");
    editor.say("textDocument/didClose", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(editor.diagnostics(URI), [Value::Null; 0]);
    assert!(editor.stop());
}

#[test]
fn files_are_looked_for_beside_the_document_and_in_the_editor_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let uri = |name: &str| uri::from_path(&dir.join(name)).unwrap().0;
    write("events.cep", "# Who logs in.\nevent login { user: string, ip: ip }\n");
    write("office.txt", "10.0.0.0/8\n");
    let main = "use \"./events.cep\"\nlist office: ip from \"office.txt\"\n\
                rule r { key user match login[ip in office]{3} within 5s }\n";
    let mut editor = Editor::start();
    editor.open(&uri("main.cep"), main);
    assert_eq!(editor.diagnostics(&uri("main.cep")), [Value::Null; 0]);

    // Definition and hover lead to the other file.
    let place = |uri: &str, line: u32, character: u32| {
        let position = json!({ "line": line, "character": character });
        json!({ "textDocument": { "uri": uri }, "position": position })
    };
    let found = editor.ask("textDocument/definition", place(&uri("main.cep"), 2, 24));
    assert_eq!(found["uri"], uri("events.cep"));
    assert_eq!(found["range"]["start"], json!({ "line": 1, "character": 6 }));
    let found = editor.ask("textDocument/hover", place(&uri("main.cep"), 2, 24));
    let reported = found["contents"]["value"].as_str().unwrap();
    assert_eq!(
        reported,
        "```cep\nevent login { user: string, ip: ip }\n```\nWho logs in.\n\ndeclared in `events.cep`"
    );

    let found = editor.ask("textDocument/definition", place(&uri("main.cep"), 0, 8));
    assert_eq!(found["uri"], uri("events.cep"));
    let found = editor.ask("textDocument/hover", place(&uri("main.cep"), 0, 8));
    assert_eq!(found["contents"]["value"], "```cep\nevent login\n```\nwhat this file declares");

    // What the editor holds counts, though it is not saved.
    editor.open(&uri("events.cep"), "event login { user: string, address: ip }\nevent x {");
    let reported = editor.diagnostics(&uri("main.cep"));
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(reported[0]["range"]["start"], json!({ "line": 0, "character": 4 }));
    let message = reported[0]["message"].as_str().unwrap();
    assert!(message.starts_with("1 error in `events.cep`, the first in line 2: "), "{message}");
    editor.change(&uri("events.cep"), 2, "event login { user: string, address: ip }");
    assert_eq!(editor.diagnostics(&uri("main.cep"))[0]["code"], "E0202");
    editor.say("textDocument/didClose", json!({ "textDocument": { "uri": uri("events.cep") } }));
    assert_eq!(editor.diagnostics(&uri("main.cep")), [Value::Null; 0]);

    // A list that is gone is reported when the editor says that files changed.
    std::fs::remove_file(dir.join("office.txt")).unwrap();
    editor.say("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    assert_eq!(editor.diagnostics(&uri("main.cep"))[0]["code"], "E0601");

    // Without `use`, the files of the directory are one set, as for `kleene check DIRECTORY`.
    let alone = "rule s { key user match login{3} within 5s }\n";
    editor.open(&uri("alone.cep"), alone);
    assert_eq!(editor.diagnostics(&uri("alone.cep")), [Value::Null; 0]);
    let found = editor.ask("textDocument/definition", place(&uri("alone.cep"), 0, 25));
    assert_eq!(found["uri"], uri("events.cep"));
    let unknown = "rule s { key user match nobody{3} within 5s }\n";
    editor.change(&uri("alone.cep"), 2, unknown);
    assert_eq!(editor.diagnostics(&uri("alone.cep"))[0]["code"], "E0201");
    assert!(editor.stop());
}

#[test]
fn hovering_reports_what_a_name_means() {
    let event = "event order_created { order_id: string, user: string, amount: float, geo: { lat: \
                 float, lon: float }, at: time }";
    let cases: [(String, &[&str]); 15] = [
        // An event type, where it is declared, as a step, in a test: its declaration and comment.
        (shop("order_created {", 0, 3), &[event, "An order of the shop.\nNumbers are unique."]),
        (shop("order_created[user", 0, 3), &[event, "Numbers are unique."]),
        (shop("order_created { order_id: \"1\"", 0, 0), &[event]),
        // Fields.
        (shop("user not in", 0, 1), &["```cep\nuser: string\n```", "a field of `order_created`"]),
        (shop("geo", 0, 1), &["geo: { lat, lon }"]),
        (shop("o.amount", 0, 3), &["amount: float", "a field of `order_created`"]),
        (shop("order_id: \"1\"", 0, 0), &["order_id: string"]),
        // What was captured.
        (shop("as o", 0, 3), &[event, "`o` is an event of type `order_created`"]),
        (shop("o.amount", 0, 0), &["`o` is an event of type `order_created`"]),
        // Keys, parameters, defines, lists, rules.
        (shop("key order_id", 0, 6), &["order_id: string", "a part of the key of `unpaid`"]),
        (shop("$wait", 0, 2), &["param wait: duration = 10m"]),
        (shop("(wait: 2m)", 0, 2), &["wait: duration = 10m"]),
        (shop("define big", 0, 8), &["define big = order_created[amount > 100]"]),
        (shop("in test_users", 0, 5), &["list test_users: string = [\"qa-1\"]"]),
        (shop("= unpaid", 0, 4), &["rule unpaid {\n  about \"Nobody paid\""]),
    ];
    for (text, parts) in cases {
        let reported = hover(&text);
        for part in parts {
            assert!(reported.contains(part), "{part} not in {reported:?} for\n{text}");
        }
    }
    assert!(hover(&shop("emit {", 0, 1)).contains("The record that a match reports."));
    let reported = hover(
        "event a { x: float }\nrule r { match a{3} as t emit { s: su<|>m(t.x), r: round(1.5) } }",
    );
    assert!(
        reported.contains("sum(step.field)") && reported.contains("The sum of a field"),
        "{reported}"
    );
    let reported = hover("event a { x: float }\nrule r { match a[ro<|>und(x, 1) > 2] }");
    assert!(
        reported.contains("round(number, digits?)") || reported.contains("round("),
        "{reported}"
    );
    let reported = hover("event a { x: float }\nrule r { match a[x > prev.<|>x] }");
    assert!(reported.contains("x: float"), "{reported}");
    let reported = hover("event a { x: int }\nrule r { match a emit { n: matches.co<|>unt } }");
    assert!(reported.contains("The number of matches"), "{reported}");
    let reported = hover("event a { x: int }\nrule r { match a emit { n: matches.ma<|>x(a.x) } }");
    assert!(reported.contains("The largest value that the step captured"), "{reported}");
    let reported = hover("event a { x: int }\nrule r { match a skip none rep<|>ort count }");
    assert!(reported.contains("Which of the matches"), "{reported}");
    // An event type that a rule makes.
    let made = "event a { x: int }\nrule r { match a emit as b { x: a.x, n: 1 } }\n\
                rule s { match b[n > 0] as o emit { x: o.<|>x } }";
    assert_eq!(hover(made), "```cep\nx\n```\na field of `b`, which a rule emits");
    let made = made.replace(CURSOR, "").replace("match b", "match <|>b");
    assert_eq!(hover(&made), "```cep\nemit as b { x: a.x, n: 1 }\n```\n");
    // Nothing is made up.
    assert_eq!(hover("rule r { match no<|>body }"), "");
    assert_eq!(hover("# a com<|>ment\nevent a { x: int }"), "");
    assert_eq!(hover("<|>"), "");
}

#[test]
fn definitions_are_found() {
    let cases = [
        (shop("order_created[user", 0, 3), "order_created {", 0),
        (shop("order_created[amount", 0, 3), "order_created {", 0),
        (shop("user not in", 0, 1), "user: string", 0),
        (shop("o.amount", 0, 3), "amount: float", 0),
        (shop("o.amount", 0, 0), "o -> not", 0),
        (shop("$wait", 0, 2), "wait: duration", 0),
        (shop("(wait: 2m)", 0, 2), "wait: duration", 0),
        (shop("test_users]", 0, 1), "test_users: string", 0),
        (shop("= unpaid", 0, 4), "unpaid {", 0),
        (shop("test unpaid", 0, 6), "unpaid {", 0),
        (shop("{ amount: 1.0", 0, 3), "amount: o.amount", 0),
    ];
    for (text, part, nth) in cases {
        let found = at_cursor("textDocument/definition", &text);
        let (at, _) = SHOP.match_indices(part).nth(nth).unwrap();
        let line = SHOP[..at].matches('\n').count();
        let character = at - SHOP[..at].rfind('\n').map_or(0, |at| at + 1);
        assert_eq!(
            found["range"]["start"],
            json!({ "line": line, "character": character }),
            "{text}"
        );
    }
    // Groups, and defines of the whole file.
    let text = "event a { x: int }\nevent b { x: int }\ndefine big = a[x > 1]\nrule r { key x \
                match (big -> b){2..} as round within 5s emit { n: count(<|>round) } }";
    let found = at_cursor("textDocument/definition", text);
    assert_eq!(found["range"]["start"], json!({ "line": 3, "character": 40 }));
    let found =
        at_cursor("textDocument/definition", &text.replace(CURSOR, "").replace("(big", "(<|>big"));
    assert_eq!(found["range"]["start"], json!({ "line": 2, "character": 7 }));
    assert_eq!(at_cursor("textDocument/definition", "rule r { match no<|>body }"), Value::Null);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn what_can_come_is_offered() {
    let events = "event a { x: int, `my field`: string, geo: { lat: float }, at: time }\n\
                  event b { x: int, y: string }\nlist l: int = [1]\nparam p: int = 1\n";
    let cases: &[(&str, &[&str], &[&str])] = &[
        // Items, clauses, types.
        ("<|>", &["event", "rule", "test", "use"], &["match", "a"]),
        ("ru<|>", &["rule", "event"], &["match"]),
        (
            "rule r {\n  <|>\n}",
            &["match", "key", "emit", "within", "on timeout emit"],
            &["event", "a"],
        ),
        ("rule r {\n  match a\n  <|>\n}", &["within", "emit", "->"], &["event", "x"]),
        ("event c { k: <|>", &["int", "time", "list"], &["a"]),
        ("rule r { param w: <|>", &["duration"], &["a"]),
        // Steps.
        (
            "rule r {\n  define big = a\n  match <|>\n}",
            &["a", "b", "big", "not"],
            &["x", "match", "within"],
        ),
        ("rule r { define big = <|> }", &["a", "b"], &["x"]),
        ("rule r { match a -> <|> }", &["a", "next", "any", "not"], &["x", "as"]),
        ("rule r { match a -> next <|> }", &["a"], &["next"]),
        ("rule r { match (a and <|>", &["a", "b"], &["x"]),
        ("rule r { match 2 of (a, <|>", &["a", "b"], &["x"]),
        ("rule r { match a <|> }", &["->", "as", "until", "within", "emit"], &["a", "x"]),
        ("rule r { match a as <|>", &[], &["a"]),
        ("rule r { match a{2 <|>", &["greedy", "next", "longest"], &["a"]),
        // Conditions: fields of the candidate, what was captured, functions.
        (
            "rule r { match a[<|>",
            &["x", "my field", "geo", "prev", "lower", "not", "$p"],
            &["y", "lat", "and"],
        ),
        ("rule r { match a[x<|>] within 5s }", &["x", "prev"], &["y"]),
        ("rule r { match a as o -> b[y == <|>] }", &["y", "x", "o", "coalesce"], &["geo"]),
        ("rule r { match a as o -> b[y == o.<|>] }", &["x", "my field", "geo", "at"], &["y", "o"]),
        ("rule r { match a as o -> b[y == o.geo.<|>", &["lat"], &["x"]),
        ("rule r { match a[geo.<|>", &["lat"], &["x"]),
        ("rule r { match a[x > prev.<|>", &["x", "geo"], &[]),
        ("rule r { match a[x <|>", &["and", "in", "is null", "not like", "nocase"], &["x"]),
        ("rule r { match a[x is <|>", &["null", "not true", "false"], &["x"]),
        ("rule r { match a[not <|>", &["any", "all", "x"], &["and"]),
        ("rule r { match a[any <|>", &["x", "my field"], &["and", "y"]),
        ("rule r { match a[any x == \"b\" nocase <|>", &["and", "or"], &["x"]),
        ("rule r { match a[x like <|>", &["l", "x"], &[]),
        ("rule r { match a[x in <|>", &["l", "x"], &[]),
        ("rule r { match a+ as o -> b[x > o[0].<|>", &["x", "geo"], &["y"]),
        ("rule r { match a until [<|>", &["x", "geo"], &["y"]),
        ("rule r { define big = a[<|>", &["x", "geo"], &["y"]),
        ("rule r { match a[lower(<|>", &["my field", "upper"], &[]),
        ("rule r { match (a -> b)+ as round -> b[x > count(<|>", &["round"], &[]),
        // Emits.
        ("rule r { key x match a as o emit { <|>", &["x"], &["o", "geo"]),
        ("rule r { key x match a as o emit { v: <|>", &["x", "o", "sum", "match"], &["geo"]),
        ("rule r { match a as o emit { v: o.<|> } within 5s }", &["x", "geo"], &["y"]),
        ("rule r { match a emit { v: match.<|>", &["start", "awaits"], &["x"]),
        ("rule r { match a emit { v: match<|>", &["match", "matches"], &["y"]),
        ("rule r { match a emit { v: matches.<|>", &["count", "sum"], &["start", "x"]),
        ("rule r { match a as matches emit { v: matches.<|>", &["x"], &["count"]),
        ("rule r { match a emit { v: matches.sum(a.<|>", &["x"], &["y"]),
        ("rule r { match a emit { v: a.x, w: a.<|>", &["x"], &["y"]),
        // Parameters, keys, other clauses.
        ("rule r { param w: int = 1 match a[x > $<|>] }", &["w", "p"], &["x", "$w"]),
        ("rule r { param w: duration = 1m match a -> not b for <|>", &["$w", "$p", "a"], &["x"]),
        ("rule r { match a within $<|>", &["p"], &[]),
        ("rule r { match a -> b key <|> }", &["x", "y", "geo"], &["a"]),
        ("rule r { from <|>", &["a", "b", "*"], &["x"]),
        ("rule r { skip <|>", &["past last", "none"], &["a"]),
        ("rule r { report <|>", &["all", "count", "first 1", "longest"], &["a"]),
        ("rule r { match a report count <|>", &["emit", "within"], &["a"]),
        ("rule r { match a as o -> b skip to first <|>", &["o", "b"], &["a", "x"]),
        ("rule r { match a severity <|>", &["high"], &["a"]),
        ("rule r { match a emit as <|>", &["a", "b"], &["x"]),
        ("rule r { match a suppress 5m <|>", &["by"], &["a"]),
        ("rule r { match a once <|>", &["per rule"], &["a"]),
        ("rule r { match a once per <|>", &["rule"], &["a"]),
        ("rule r { match a once per rule\n<|>", &["limit"], &["a"]),
        ("rule r { match a limit 5 partials <|>", &["drop oldest", "fail"], &["a"]),
        // Instances and tests.
        ("rule base { param w: int = 1 match a }\nrule s = <|>", &["base"], &["a"]),
        ("rule base { param w: int = 1 match a }\nrule s = base(<|>", &["w"], &["p", "a"]),
        ("rule base { key x match a }\ntest <|>", &["base"], &["a"]),
        (
            "rule base { key x match a }\ntest base {\n  <|>",
            &["at", "expect match"],
            &["a", "match"],
        ),
        ("rule base { key x match a }\ntest base { at 5s <|>", &["a", "b"], &["x"]),
        ("rule base { key x match a }\ntest base { at 5s a { <|>", &["x", "my field"], &["y"]),
        (
            "rule base { key x match a emit { n: a.x } }\ntest base { expect match { <|>",
            &["n"],
            &["y"],
        ),
        // Nothing in comments, texts and numbers, nor where a new name is due.
        ("rule r { # match <|>", &[], &["a", "match"]),
        ("rule r { about \"m<|>\" }", &[], &["match"]),
        ("rule r { about \"m<|>", &[], &["match"]),
        ("rule r { match a{1<|>", &[], &["next"]),
        ("rule <|>", &[], &["rule", "a"]),
    ];
    for (text, offered, not_offered) in cases {
        let found = completions(&format!("{events}{text}"));
        for label in *offered {
            assert!(found.contains(&String::from(*label)), "{label} not in {found:?} for\n{text}");
        }
        for label in *not_offered {
            assert!(!found.contains(&String::from(*label)), "{label} in {found:?} for\n{text}");
        }
    }
    // A name that is no word goes into back-quotes, those that are there included.
    for (typed, from, to) in [("<|>", 0, 0), ("`<|>", 0, 1), ("`<|>`", 0, 2), ("my<|>", 0, 2)] {
        let text = format!("{events}rule r {{ match a[{typed}");
        let answer = at_cursor("textDocument/completion", &text);
        let items = answer.as_array().unwrap();
        let item = items.iter().find(|item| item["label"] == "my field").unwrap();
        let edit = &item["textEdit"];
        let at = "rule r { match a[".len();
        assert_eq!((&edit["newText"], &item["detail"]), (&json!("`my field`"), &json!("string")));
        let range = (&edit["range"]["start"]["character"], &edit["range"]["end"]["character"]);
        assert_eq!(range, (&json!(at + from), &json!(at + to)), "{typed}");
        let is_quoted = typed.starts_with('`');
        assert_eq!(items.iter().any(|item| item["label"] == "not"), !is_quoted, "{typed}");
    }
}

#[test]
fn documents_are_formatted_as_kleene_fmt_does() {
    let mut editor = Editor::start();
    let params = json!({ "textDocument": { "uri": URI }, "options": { "tabSize": 4, "insertSpaces": true } });
    editor.open(URI, "event a{x:int} # \u{1f600}");
    let edits = editor.ask("textDocument/formatting", params.clone());
    assert_eq!(
        edits,
        json!([{
            "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 19 } },
            "newText": "event a { x: int }  # \u{1f600}\n",
        }])
    );
    editor.change(URI, 2, "event a { x: int }  # \u{1f600}\n");
    assert_eq!(editor.ask("textDocument/formatting", params.clone()), json!([]));
    // What has mistakes stays.
    editor.change(URI, 3, "event a { x: ");
    assert_eq!(editor.ask("textDocument/formatting", params), Value::Null);
    assert!(editor.stop());
}

#[test]
fn a_name_that_was_meant_is_put_in() {
    let mut editor = Editor::start();
    editor.open(
        URI,
        "event paid { amount: int }\nrule r { key amount match paid[ammount > 1 and 1 > \"x\"] }",
    );
    let reported = editor.diagnostics(URI);
    assert_eq!(reported.len(), 2, "{reported:#?}");
    let params = json!({
        "textDocument": { "uri": URI }, "range": reported[0]["range"], "context": { "diagnostics": reported },
    });
    let actions = editor.ask("textDocument/codeAction", params);
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions:#?}");
    assert_eq!(actions[0]["title"], "Write `amount`");
    let edit = &actions[0]["edit"]["changes"][URI][0];
    assert_eq!((&edit["newText"], &edit["range"]), (&json!("amount"), &reported[0]["range"]));
    assert!(editor.stop());
}

#[test]
fn the_outline_holds_what_is_declared() {
    let mut editor = Editor::start();
    editor.open(URI, SHOP);
    let outline =
        editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": URI } }));
    let outline = outline.as_array().unwrap();
    let names: Vec<&str> = outline.iter().map(|symbol| symbol["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["order_created", "order_paid", "test_users", "far", "unpaid", "soon", "unpaid"]
    );
    assert_eq!(outline[0]["children"][3]["name"], "geo");
    assert_eq!(outline[4]["range"]["start"], json!({ "line": 7, "character": 0 }));
    assert_eq!(outline[4]["range"]["end"], json!({ "line": 14, "character": 1 }));
    assert!(editor.stop());
}

#[test]
fn wrong_requests_are_answered_and_a_shut_down_server_does_nothing() {
    let mut editor = Editor::start();
    assert_eq!(
        editor.response("textDocument/rename", json!({})).response_result.unwrap_err().code,
        -32601
    );
    assert_eq!(
        editor.response("textDocument/hover", json!({})).response_result.unwrap_err().code,
        -32602
    );
    let params =
        json!({ "textDocument": { "uri": URI }, "position": { "line": 9, "character": 9 } });
    for method in ["textDocument/hover", "textDocument/completion", "textDocument/definition"] {
        assert_eq!(editor.ask(method, params.clone()), Value::Null, "not open");
    }
    editor.say("textDocument/didOpen", json!({ "nonsense": 1 }));
    editor.say("$/setTrace", json!({ "value": "off" }));
    assert_eq!(editor.ask("shutdown", Value::Null), Value::Null);
    assert_eq!(
        editor.response("textDocument/hover", params).response_result.unwrap_err().code,
        -32600
    );
    editor.say("exit", Value::Null);
    assert!(editor.server.join().unwrap().unwrap());

    // An editor that goes away without a word.
    let editor = Editor::start();
    drop(editor.connection);
    assert!(!editor.server.join().unwrap().unwrap());
}

/// A small generator of numbers: the same ones in each run.
fn next_number(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

/// Every way of asking at a byte of a text. Nothing is checked but that all of it comes back.
fn ask_everything(text: &str, at: usize) {
    let documents = super::documents::Documents::default();
    let source = kleene::diagnostic::Source::new("untitled:x", text);
    let set = documents.set_of(&source, Some(at));
    drop(super::completions::completions(&set, at));
    let meaning = set.mark(at).and_then(|mark| set.meaning(mark));
    if let Some((0, span)) = meaning.and_then(|meaning| meaning.target) {
        assert!(text.get(span.start as usize..span.end as usize).is_some());
    }
}

#[test]
fn half_typed_text_is_answered_like_any_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut state = 7;
    let mut asked = 0;
    for name in ["testdata/language.cep", "patterns/shop/funnel.cep", "patterns/market/v_shape.cep"]
    {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        // Cut anywhere, asked at the end.
        for at in (0..text.len()).step_by(23).filter(|at| text.is_char_boundary(*at)) {
            ask_everything(&text[..at], at);
            asked += 1;
        }
        // Damaged anywhere, asked anywhere.
        for _ in 0..100 {
            let mut damaged: Vec<char> = text.chars().collect();
            for _ in 0..=next_number(&mut state) % 6 {
                if damaged.is_empty() {
                    break;
                }
                let at = next_number(&mut state) % damaged.len();
                match next_number(&mut state) % 3 {
                    0 => drop(damaged.remove(at)),
                    1 => damaged.insert(
                        at,
                        ['{', '}', '[', ')', '"', '`', '\u{1f600}', '.', '$']
                            [next_number(&mut state) % 9],
                    ),
                    _ => damaged.truncate(at.max(1)),
                }
            }
            let damaged: String = damaged.into_iter().collect();
            let at = damaged.floor_char_boundary(next_number(&mut state) % (damaged.len() + 1));
            ask_everything(&damaged, at);
            drop(super::diagnose::diagnose(
                &super::documents::Documents::default(),
                URI,
                &kleene::diagnostic::Source::new(URI, damaged.as_str()),
            ));
            drop(super::symbols::symbols(&damaged));
            asked += 1;
        }
    }
    assert!(asked > 400, "{asked}");
    // Deep, long, and empty.
    for text in
        ["[".repeat(5000), "rule r { match ".to_owned() + &"(".repeat(5000), "a.".repeat(5000)]
    {
        ask_everything(&text, text.len());
    }
}

#[test]
fn the_names_of_rules_that_are_right_are_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut checked, mut unknown) = (0, Vec::new());
    let paths = [root.join("patterns"), root.join("testdata/suite")];
    for path in kleene_host::paths::collect(&paths).unwrap() {
        let text = std::fs::read_to_string(&path).unwrap();
        let documents = super::documents::Documents::default();
        let source = kleene::diagnostic::Source::new(path.display().to_string(), text.as_str());
        let set = documents.set_of(&source, None);
        for mark in &set.files[0].scan.marks {
            let is_word = matches!(mark.role, kleene_language::scan::Role::Keyword);
            if !is_word && set.meaning(mark).is_none() {
                let name = &text[mark.span.start as usize..mark.span.end as usize];
                unknown.push(format!("{name} in {}: {mark:?}", path.display()));
            }
            checked += 1;
        }
    }
    // A construct that is new to the language may come here last; more would show.
    assert!(checked > 5000 && unknown.len() * 200 < checked, "{checked}, not {unknown:#?}");
}

#[test]
fn the_braces_of_a_key_name_event_types_and_steps() {
    let text = |braces: &str| {
        format!(
            "event process {{ id: string, parent_id: string, at: time }}\n\
             define shell = process[id like \"s*\"]\n\
             rule family {{ key id {{ {braces} }} match process as parent -> shell as child \
             within 5s }}\n"
        )
    };
    let offered = completions(&text(CURSOR));
    for name in ["parent", "child", "shell", "process"] {
        assert!(offered.iter().any(|label| label == name), "{name}: {offered:?}");
    }
    let offered = completions(&text(&format!("child: {CURSOR}")));
    for name in ["parent_id", "id"] {
        assert!(offered.iter().any(|label| label == name), "{name}: {offered:?}");
    }
    let reported = hover(&text(&format!("{CURSOR}child: parent_id")));
    assert!(reported.contains("event process"), "{reported}");
    let reported = hover(&text(&format!("child: par{CURSOR}ent_id")));
    assert!(reported.contains("parent_id: string"), "{reported}");
}
