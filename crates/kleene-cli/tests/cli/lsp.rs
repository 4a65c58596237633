//! `kleene lsp` over pipes, as an editor starts it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::common::Dir;

struct Editor {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Editor {
    fn start(dir: &Dir) -> Editor {
        let mut command = dir.command("lsp --stdio");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Editor { child, stdin, stdout: BufReader::new(stdout) }
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server is gone");
            match line.trim().split_once(": ") {
                Some(("Content-Length", number)) => length = number.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.stdout.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

#[test]
fn a_conversation_over_pipes() {
    let dir = Dir::new(&[]);
    let mut editor = Editor::start(&dir);
    editor.send(json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } }));
    let answer = editor.read();
    assert_eq!(answer["result"]["serverInfo"]["name"], "kleene");
    editor.send(json!({ "method": "initialized", "params": {} }));
    let document = json!({
        "uri": "untitled:x.cep", "languageId": "cep", "version": 3,
        "text": "event a { x: int }\nrule r { key x match b }\n",
    });
    let params = json!({ "textDocument": document });
    editor.send(json!({ "method": "textDocument/didOpen", "params": params }));
    let reported = editor.read();
    assert_eq!(reported["method"], "textDocument/publishDiagnostics");
    assert_eq!(reported["params"]["version"], 3);
    assert_eq!(reported["params"]["diagnostics"][0]["code"], "E0201");
    let place = json!({
        "textDocument": { "uri": "untitled:x.cep" }, "position": { "line": 0, "character": 7 },
    });
    editor.send(json!({ "id": "two", "method": "textDocument/hover", "params": place }));
    let answer = editor.read();
    assert_eq!(answer["id"], "two");
    assert_eq!(answer["result"]["contents"]["value"], "```cep\nevent a { x: int }\n```\n");
    editor.send(json!({ "id": 3, "method": "shutdown" }));
    assert_eq!(editor.read()["result"], Value::Null);
    editor.send(json!({ "method": "exit" }));
    assert_eq!(editor.child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_editor_that_goes_away_ends_the_server() {
    let dir = Dir::new(&[]);
    let mut editor = Editor::start(&dir);
    editor.send(json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } }));
    editor.read();
    editor.send(json!({ "method": "initialized", "params": {} }));
    drop(editor.stdin);
    assert_eq!(editor.child.wait().unwrap().code(), Some(1));
    let ran = dir.run_with("lsp", b"this is no message");
    assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
    assert!(
        ran.stderr.starts_with("error: the editor did not send `initialize`"),
        "{}",
        ran.stderr
    );
}
