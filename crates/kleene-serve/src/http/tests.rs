use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::counters::Route;
use super::server::Server;
use super::{HttpCounters, Parts, Role, Settings, Token, start};
use crate::control::{ChangeError, Control, RuleFile};
use crate::hub::Hub;
use crate::journal::{Journal, JournalReader, JournalSettings, Resume};

const SECRET: &str = "correct horse battery staple";

/// A service that has rules, and nothing else.
#[derive(Default)]
struct FakeControl {
    files: Mutex<BTreeMap<String, String>>,
    trouble: Mutex<Option<String>>,
    changes: Mutex<Vec<String>>,
}

impl Control for FakeControl {
    fn rule_files(&self) -> Vec<RuleFile> {
        let files = self.files.lock().unwrap();
        let files = files.iter().map(|(name, text)| (name.clone(), text.clone()));
        files.map(|(name, text)| RuleFile { name, text }).collect()
    }

    fn put_rules(&self, who: &str, name: &str, text: &str) -> Result<Value, ChangeError> {
        if text.contains("mistake") {
            return Err(ChangeError::Mistakes("error: a mistake\n  ^^^^\n".to_owned()));
        }
        self.files.lock().unwrap().insert(name.to_owned(), text.to_owned());
        self.changes.lock().unwrap().push(format!("{who} put {name}"));
        Ok(json!({ "a": "new" }))
    }

    fn delete_rules(&self, who: &str, name: &str) -> Result<Value, ChangeError> {
        self.changes.lock().unwrap().push(format!("{who} deleted {name}"));
        let removed = self.files.lock().unwrap().remove(name);
        removed.map(|_| json!({ "a": "gone" })).ok_or(ChangeError::Unknown)
    }

    fn status(&self) -> Value {
        json!({ "sources": [] })
    }

    fn check_health(&self) -> Result<(), String> {
        self.trouble.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn check_readiness(&self) -> Result<(), String> {
        self.check_health()
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

struct Fixture {
    directory: TempDir,
    journal: Arc<Journal>,
    hub: Arc<Hub>,
    control: Arc<FakeControl>,
    counters: Arc<HttpCounters>,
    server: Option<Server>,
    addr: SocketAddr,
}

impl Fixture {
    fn open() -> Fixture {
        Fixture::with(|_, _| ())
    }

    fn with_tokens() -> Fixture {
        Fixture::with(|settings, _| {
            settings.tokens = vec![
                Token::new("reader", Role::Read, "r-secret"),
                Token::new("sender", Role::Intake, "i-secret"),
                Token::new("editor", Role::Edit, SECRET),
            ];
        })
    }

    fn with(change: impl FnOnce(&mut Settings, &mut JournalSettings)) -> Fixture {
        let directory = TempDir::new().unwrap();
        let mut settings = Settings::new("127.0.0.1:0".parse().unwrap());
        let mut journal = JournalSettings::new(directory.path().join("in"));
        change(&mut settings, &mut journal);
        let journal = Arc::new(Journal::open(journal, Resume::Keep).unwrap());
        let (hub, control) = (Arc::new(Hub::new(100, 1 << 20)), Arc::<FakeControl>::default());
        let counters = Arc::<HttpCounters>::default();
        let parts = Parts {
            journals: BTreeMap::from([("orders".to_owned(), Arc::clone(&journal))]),
            hub: Arc::clone(&hub),
            control: Arc::<FakeControl>::clone(&control),
            counters: Arc::clone(&counters),
        };
        let server = start(settings, parts).unwrap();
        let addr = server.addr;
        Fixture { directory, journal, hub, control, counters, server: Some(server), addr }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Makes a request on a connection of its own. Returns the status, the head and the body.
    fn request(&self, line: &str, headers: &[&str], body: &[u8]) -> (u16, String, String) {
        let mut stream = self.connect();
        let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|header| header.starts_with("Host:")) {
            head.push_str("Host: localhost:1234\r\n");
        }
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        let _ = write!(&mut head, "Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses the head closes before it has read the body.
        let _ = stream.write_all(body);
        read_response(&mut stream).unwrap()
    }

    fn post(&self, body: &str) -> (u16, String) {
        let (status, _, body) = self.request("POST /events", &[], body.as_bytes());
        (status, body)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.request(&format!("GET {path}"), &[], b"");
        (status, body)
    }

    fn events(&self) -> String {
        let mut reader = JournalReader::new(Arc::clone(&self.journal), 0).unwrap();
        let chunk = reader.read(usize::MAX, Duration::ZERO).unwrap();
        chunk.map(|chunk| String::from_utf8(chunk.bytes).unwrap()).unwrap_or_default()
    }

    fn refused(&self, reason: &str) -> u64 {
        self.counters.refused().find(|(it, _)| it.name() == reason).unwrap().1
    }

    /// Begins to listen to results.
    fn listen(&self, path: &str, headers: &str) -> Listener {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
        let mut listener = Listener { stream, text: String::new() };
        listener.wait_for("\n\n");
        listener
    }
}

struct Listener {
    stream: TcpStream,
    text: String,
}

impl Listener {
    /// Reads until a text was sent. Returns everything that was.
    fn wait_for(&mut self, wanted: &str) -> &str {
        let mut buffer = vec![0; 65536];
        while !self.text.contains(wanted) {
            let length = self.stream.read(&mut buffer).unwrap();
            assert!(length > 0, "closed after: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        &self.text
    }
}

fn read_response(stream: &mut TcpStream) -> io::Result<(u16, String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // A reset after the response does not matter.
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, head.to_lowercase(), body.to_owned()))
}

#[test]
fn events_are_in_the_journal_when_they_are_acknowledged() {
    let fixture = Fixture::open();
    let (status, body) = fixture.post("{\"a\":1}\n\n{\"a\":2}");
    assert_eq!(status, 202);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer, json!({ "accepted": 2, "offset": 0, "repeat": false }));
    assert_eq!(fixture.events(), "{\"a\":1}\n\n{\"a\":2}\n");
    let (status, _, _) = fixture.request("POST /events/orders", &[], b"{\"a\":3}\n");
    assert_eq!(status, 202);
    assert_eq!((fixture.counters.lines_in(), fixture.counters.bytes_in()), (3, 24));
    let (status, _, body) = fixture.request("POST /events/others", &[], b"{}\n");
    assert_eq!(status, 404);
    assert!(body.contains("/events/orders"), "{body}");
}

#[test]
fn bodies_that_are_no_events_are_refused_with_what_to_do() {
    let fixture = Fixture::open();
    for (body, text) in [
        ("", "the body has no events"),
        ("\n \n", "the body has no events"),
        ("[{}]", "not an array"),
        ("{\0", "send UTF-8"),
        ("{\n\"a\": 1}", "on a single line"),
    ] {
        let (status, answer) = fixture.post(body);
        assert_eq!(status, 400, "{body}");
        assert!(answer.contains(text), "{answer}");
    }
    for (header, status) in [
        ("Content-Type: application/x-ndjson", 202),
        ("Content-Type: application/json; charset=utf-8", 202),
        ("Content-Type: text/plain", 202),
        ("Content-Type: image/png", 415),
        ("Content-Type: application/xml", 415),
        ("Content-Encoding: gzip", 415),
    ] {
        assert_eq!(fixture.request("POST /events", &[header], b"{}").0, status, "{header}");
    }
    assert_eq!(fixture.refused("media_type"), 3);
}

#[test]
fn a_repeated_request_is_acknowledged_once_more_and_not_appended() {
    let fixture = Fixture::with_tokens();
    let sender = "Authorization: Bearer i-secret";
    let key = "Idempotency-Key: 17";
    let send = |body: &[u8]| fixture.request("POST /events", &[sender, key], body);
    assert!(send(b"{}").2.contains("\"repeat\":false"));
    assert!(send(b"{}").2.contains("\"repeat\":true"));
    assert_eq!(send(b"{\"other\":1}").0, 422);
    assert_eq!(fixture.events(), "{}\n");
    assert_eq!(fixture.counters.repeats(), 1);
    let long = format!("Idempotency-Key: {}", "x".repeat(256));
    assert_eq!(fixture.request("POST /events", &[sender, &long], b"{}").0, 400);
}

#[test]
fn many_clients_append_at_once() {
    let fixture = Fixture::open();
    thread::scope(|scope| {
        for client in 0..200 {
            let fixture = &fixture;
            scope.spawn(move || {
                let (status, body) = fixture.post(&format!("{{\"client\":{client}}}"));
                assert_eq!(status, 202, "{body}");
            });
        }
    });
    let events = fixture.events();
    assert_eq!(events.lines().count(), 200);
    assert!((0..200).all(|client| events.contains(&format!("{{\"client\":{client}}}\n"))));
    assert!(fixture.journal.stats().syncs <= 200);
}

#[test]
fn too_large_bodies_are_refused_with_the_limit() {
    let fixture = Fixture::with(|settings, _| settings.max_body = 1000);
    let (status, body) = fixture.post(&format!("{{\"a\":\"{}\"}}", "x".repeat(1000)));
    assert_eq!(status, 413);
    assert!(body.contains("1000 bytes"), "{body}");
    // A length that is not declared.
    let mut stream = fixture.connect();
    stream.write_all(b"POST /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").unwrap();
    let _ = stream.write_all(b"Transfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        let _ = write!(stream, "190\r\n{}\r\n", "x".repeat(400));
    }
    assert_eq!(read_response(&mut stream).unwrap().0, 413);
    assert_eq!(fixture.events(), "");
    assert_eq!(fixture.post("{}").0, 202);
}

#[test]
fn a_full_journal_asks_to_try_later() {
    let fixture = Fixture::with(|_, journal| journal.max_unread = 100);
    assert_eq!(fixture.post(&format!("{{\"a\":\"{}\"}}", "x".repeat(200))).0, 202);
    let (status, head, body) = fixture.request("POST /events", &[], b"{}");
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 1"), "{head}");
    assert!(body.contains("bytes of events are unread"), "{body}");
    fixture.journal.consumed(fixture.journal.end());
    assert_eq!(fixture.post("{}").0, 202);
    assert_eq!(fixture.refused("full"), 1);
}

#[test]
fn a_journal_that_is_closed_is_named_as_the_reason() {
    let fixture = Fixture::open();
    fixture.journal.close();
    let (status, body) = fixture.post("{}");
    assert_eq!(status, 503);
    assert!(body.contains("the journal is closed"), "{body}");
}

#[test]
fn roles_allow_what_they_name() {
    let fixture = Fixture::with_tokens();
    let status = |line: &str, secret: &str| {
        let header = format!("Authorization: Bearer {secret}");
        fixture.request(line, &[&header], b"{}").0
    };
    for (line, read, intake, edit) in [
        ("GET /status", 200, 403, 200),
        ("GET /metrics", 200, 403, 200),
        ("GET /rules", 200, 403, 200),
        ("POST /events", 403, 202, 403),
        ("PUT /rules/a.cep", 403, 403, 200),
        ("GET /rules/a.cep", 200, 403, 200),
        ("DELETE /rules/a.cep", 403, 403, 200),
    ] {
        assert_eq!(status(line, "r-secret"), read, "{line}");
        assert_eq!(status(line, "i-secret"), intake, "{line}");
        assert_eq!(status(line, SECRET), edit, "{line}");
        for wrong in ["", "r-secre", "r-secret2", "R-SECRET"] {
            assert_eq!(status(line, wrong), 401, "{line}");
        }
        let (status, head, body) = fixture.request(line, &[], b"{}");
        assert_eq!(status, 401, "{line}");
        assert!(head.contains("www-authenticate: bearer"), "{head}");
        assert!(body.contains("Authorization: Bearer"), "{body}");
    }
    let basic = fixture.request("GET /status", &["Authorization: Basic r-secret"], b"");
    assert_eq!(basic.0, 401);
    let changes = ["editor put a.cep", "editor deleted a.cep"];
    assert_eq!(*fixture.control.changes.lock().unwrap(), changes);
    // With tokens, any host may lead here.
    let headers = ["Authorization: Bearer r-secret", "Host: kleene.example"];
    assert_eq!(fixture.request("GET /status", &headers, b"").0, 200);
    assert_eq!(fixture.get("/healthz").0, 200);
}

#[test]
fn secrets_are_not_shown() {
    let mut settings = Settings::new("127.0.0.1:0".parse().unwrap());
    settings.tokens = vec![Token::new("editor", Role::Edit, SECRET)];
    let text = format!("{settings:?}");
    assert!(text.contains("editor"), "{text}");
    assert!(!text.contains("horse") && !text.contains("digest"), "{text}");
}

#[test]
fn without_tokens_only_this_machine_is_served() {
    let fixture = Fixture::open();
    let status = |header: &str| fixture.request("GET /status", &[header], b"").0;
    for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]", "[::1]:80"] {
        assert_eq!(status(&format!("Host: {host}")), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1", "", "a b"] {
        assert_eq!(status(&format!("Host: {host}")), 403, "{host}");
    }
    assert_eq!(status("Origin: http://localhost:3000"), 200);
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        let headers = [&*format!("Origin: {origin}"), "Content-Type: text/plain"];
        assert_eq!(fixture.request("POST /events", &headers, b"{}").0, 403, "{origin}");
    }
    assert_eq!(fixture.events(), "");
    assert_eq!(fixture.refused("foreign_host"), 8);
}

#[test]
fn settings_that_are_not_safe_are_refused() {
    let refusal = |settings: Settings| {
        let parts = Parts {
            journals: BTreeMap::new(),
            hub: Arc::new(Hub::new(1, 1)),
            control: Arc::<FakeControl>::default(),
            counters: Arc::default(),
        };
        start(settings, parts).unwrap_err().to_string()
    };
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let text = refusal(Settings::new("0.0.0.0:0".parse().unwrap()));
    assert!(text.contains("configure a token, or listen at 127.0.0.1"), "{text}");
    let with = |tokens: Vec<Token>| refusal(Settings { tokens, ..Settings::new(local) });
    let token = |name: &str, secret: &str| Token::new(name, Role::Read, secret);
    assert!(with(vec![token("a", "")]).contains("token `a` is empty"));
    assert!(with(vec![token("a", "1"), token("b", "1")]).contains("`a` and `b`"));
    assert!(with(vec![token("a", "1"), token("a", "2")]).contains("two tokens are named `a`"));
    let fixture = Fixture::open();
    let text = refusal(Settings::new(fixture.addr));
    assert!(text.contains("cannot listen at"), "{text}");
}

#[test]
fn rules_are_listed_read_replaced_and_removed() {
    let fixture = Fixture::open();
    let (status, _, body) = fixture.request("PUT /rules/a-1_b.cep", &[], b"rule text");
    assert_eq!((status, body.trim()), (200, "{\"a\":\"new\"}"));
    assert_eq!(fixture.get("/rules/a-1_b.cep"), (200, "rule text".to_owned()));
    let listed = fixture.get("/rules").1;
    assert!(listed.contains("{\"bytes\":9,\"name\":\"a-1_b.cep\"}"), "{listed}");
    let (status, head, body) = fixture.request("PUT /rules/b.cep", &[], b"a mistake");
    assert_eq!((status, &*body), (422, "error: a mistake\n  ^^^^\n"));
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert_eq!(fixture.request("PUT /rules/b.cep", &[], b"\xff").0, 400);
    assert_eq!(fixture.request("DELETE /rules/a-1_b.cep", &[], b"").0, 200);
    assert_eq!(fixture.request("DELETE /rules/a-1_b.cep", &[], b"").0, 404);
    assert_eq!(fixture.get("/rules/a-1_b.cep").0, 404);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let fixture = Fixture::open();
    let long = format!("{}.cep", "x".repeat(200));
    for name in [
        "..%2fa.cep",
        "%2e%2e%2fa.cep",
        "..%5ca.cep",
        "%2fetc%2fa.cep",
        "..%252fa.cep",
        ".a.cep",
        ".cep",
        "a.txt",
        "a.cep%00",
        "a%0a.cep",
        "%C3%A4.cep",
        "a%20b.cep",
        "..",
        "a%EF%BC%8Fb.cep",
        "%ff.cep",
        &long,
    ] {
        let (status, _, body) = fixture.request(&format!("PUT /rules/{name}"), &[], b"rule");
        assert!(matches!(status, 400 | 404), "{name}: {status} {body}");
    }
    for path in ["/rules/../a.cep", "/rules//etc/a.cep", "/rules/a/b.cep", "//rules/a.cep"] {
        let (status, _, body) = fixture.request(&format!("PUT {path}"), &[], b"rule");
        assert!(matches!(status, 400 | 404), "{path}: {status} {body}");
    }
    assert!(fixture.control.changes.lock().unwrap().is_empty());
}

#[test]
fn health_and_readiness_say_what_is_wrong() {
    let fixture = Fixture::with_tokens();
    assert_eq!(fixture.get("/healthz").0, 200);
    assert_eq!(fixture.get("/readyz").0, 200);
    *fixture.control.trouble.lock().unwrap() = Some("the engine has failed".to_owned());
    for path in ["/healthz", "/readyz"] {
        let (status, body) = fixture.get(path);
        assert_eq!(status, 503);
        assert!(body.contains("the engine has failed"), "{body}");
    }
}

#[test]
fn metrics_are_in_the_format_that_a_client_asks_for() {
    let fixture = Fixture::open();
    let prometheus =
        "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let (_, head, body) = fixture.request("GET /metrics", &[prometheus], b"");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind) && body == "# EOF\n", "{head}{body}");
    for accepted in [&[][..], &["Accept: */*"], &["Accept: text/plain"]] {
        let (_, head, body) = fixture.request("GET /metrics", accepted, b"");
        assert!(head.contains("text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert_eq!(body, "");
    }
}

#[test]
fn unknown_routes_and_methods_name_what_there_is() {
    let fixture = Fixture::open();
    let (status, body) = fixture.get("/event");
    assert_eq!(status, 404);
    assert!(body.contains("POST /events/{source}") && body.contains("GET /rules"), "{body}");
    assert_eq!(fixture.get("/events").0, 405);
    assert_eq!(fixture.request("DELETE /status", &[], b"").0, 405);
    let other = |class| {
        let mut counts = fixture.counters.requests();
        counts.find(|(route, it, _)| *route == Route::Other && *it == class).unwrap().2
    };
    assert_eq!((other("2xx"), other("4xx")), (0, 3));
}

#[test]
fn rates_are_limited_by_token() {
    let fixture = Fixture::with(|settings, _| {
        settings.max_requests_per_second = Some(5);
        settings.tokens =
            vec![Token::new("a", Role::Read, "a-secret"), Token::new("b", Role::Read, "b-secret")];
    });
    let ask = |secret: &str| {
        fixture.request("GET /status", &[&format!("Authorization: Bearer {secret}")], b"").0
    };
    let statuses: Vec<u16> = (0..30).map(|_| ask("a-secret")).collect();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(ask("b-secret"), 200);
    assert!((0..30).any(|_| ask("guess") == 429));
    thread::sleep(Duration::from_millis(400));
    assert_eq!(ask("a-secret"), 200);
}

#[test]
fn results_are_sent_as_they_come_and_resumed() {
    let fixture = Fixture::open();
    let (fraud, other) = (Arc::<str>::from("fraud"), Arc::<str>::from("other"));
    fixture.hub.publish(&fraud, b"{\"n\":0}\n");
    let mut listener = fixture.listen("/results", "");
    assert!(listener.text.contains("content-type: text/event-stream"), "{}", listener.text);
    fixture.hub.publish(&fraud, b"{\"n\":1}\n");
    fixture.hub.publish(&other, b"{\"n\":2}");
    let text = listener.wait_for("data: {\"n\":2}\n\n");
    assert!(text.contains("-1\ndata: {\"n\":1}\n\n") && !text.contains("{\"n\":0}"), "{text}");
    let id = text.split("id: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    drop(listener);
    fixture.hub.publish(&fraud, b"{\"n\":3}");
    let mut listener = fixture.listen("/results", &format!("Last-Event-ID: {id}\r\n"));
    let text = listener.wait_for("{\"n\":3}");
    assert!(text.contains("{\"n\":2}") && !text.contains("{\"n\":1}"), "{text}");
    let mut listener = fixture.listen("/results?rule=fraud", &format!("Last-Event-ID: {id}\r\n"));
    assert!(!listener.wait_for("{\"n\":3}").contains("{\"n\":2}"));
    // The ids of another process mean other results.
    let mut listener = fixture.listen("/results", "Last-Event-ID: 12-1\r\n");
    let text = listener.wait_for("{\"n\":3}");
    assert!(text.contains("event: restarted") && text.contains("{\"n\":0}"), "{text}");
}

#[test]
fn slow_clients_skip_results_and_get_their_number() {
    let fixture = Fixture::open();
    let rule = Arc::<str>::from("rule");
    let mut listener = fixture.listen("/results", "");
    let line = format!("{{\"text\":\"{}\"}}", "x".repeat(10_000));
    let begin = Instant::now();
    for _ in 0..20_000 {
        fixture.hub.publish(&rule, line.as_bytes());
    }
    assert!(begin.elapsed() < Duration::from_secs(10));
    let text = listener.wait_for("event: skipped\ndata: {\"skipped\":");
    assert!(text.len() < 100 << 20);
    assert!(fixture.hub.skipped() > 0);
    fixture.hub.publish(&rule, b"{\"last\":1}");
    listener.wait_for("{\"last\":1}");
}

#[test]
fn listeners_are_limited_and_counted() {
    let fixture = Fixture::with(|settings, _| settings.max_listeners = 2);
    let first = fixture.listen("/results", "");
    let _second = fixture.listen("/results", "");
    assert_eq!(fixture.hub.clients(), 2);
    assert_eq!(fixture.get("/results").0, 429);
    drop(first);
    let begin = Instant::now();
    while fixture.hub.clients() > 1 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn streams_can_be_left_out() {
    let fixture = Fixture::with(|settings, _| settings.max_listeners = 0);
    let (status, body) = fixture.get("/results");
    assert_eq!(status, 404);
    assert!(body.contains("`max_streams` of `[http]` is 0"), "{body}");
}

#[test]
fn slow_heads_bodies_and_readers_are_given_up() {
    let fixture = Fixture::with(|settings, _| {
        settings.header_timeout = Duration::from_millis(200);
        settings.request_timeout = Duration::from_millis(200);
        settings.write_timeout = Duration::from_millis(200);
    });
    let mut idle = fixture.connect();
    let mut head = fixture.connect();
    head.write_all(b"GET /status HT").unwrap();
    for stream in [&mut idle, &mut head] {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    let mut body = fixture.connect();
    body.write_all(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    assert_eq!(read_response(&mut body).unwrap().0, 408);
    let reader = fixture.listen("/results", "");
    let rule = Arc::<str>::from("rule");
    let begin = Instant::now();
    while fixture.hub.clients() > 0 {
        fixture.hub.publish(&rule, &vec![b'x'; 100_000]);
        assert!(begin.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(1));
    }
    drop(reader);
    while fixture.counters.open_connections() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn connections_are_limited() {
    let fixture = Fixture::with(|settings, _| settings.max_connections = 2);
    let held = [fixture.connect(), fixture.connect()];
    let mut third = fixture.connect();
    let (status, _, body) = read_response(&mut third).unwrap();
    assert_eq!(status, 503);
    assert!(body.contains("too many connections"), "{body}");
    drop(held);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(fixture.get("/healthz").0, 200);
}

#[test]
fn a_stop_ends_listeners_and_connections() {
    let mut fixture = Fixture::open();
    let mut listener = fixture.listen("/results", "");
    let _idle = fixture.connect();
    let begin = Instant::now();
    fixture.server.take().unwrap().stop();
    assert!(begin.elapsed() < Duration::from_secs(4));
    let mut rest = String::new();
    listener.stream.read_to_string(&mut rest).unwrap();
    assert!(TcpStream::connect(fixture.addr).is_err());
    assert!(fixture.directory.path().exists());
}

/// `cargo test --release -p kleene-serve -- --ignored --nocapture speed`: of requests with 100
/// events each, on connections that are kept.
#[test]
#[ignore = "a measurement"]
fn speed_of_requests() {
    let event = "{\"type\":\"order\",\"id\":17,\"amount\":12.5,\"customer\":\"c-1234\"}\n";
    for (is_durable, clients) in [(false, 1), (false, 8), (true, 1), (true, 8), (true, 64)] {
        let fixture = Fixture::with(|_, journal| {
            journal.is_durable = is_durable;
            journal.max_unread = u64::MAX;
        });
        let body = event.repeat(100);
        let head = "POST /events HTTP/1.1\r\nHost: localhost\r\n";
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let begin = Instant::now();
        let requests: u32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..clients)
                .map(|_| {
                    scope.spawn(|| {
                        let mut stream = fixture.connect();
                        stream.set_nodelay(true).unwrap();
                        let mut buffer = [0; 4096];
                        let mut count = 0;
                        while begin.elapsed() < Duration::from_secs(2) {
                            stream.write_all(request.as_bytes()).unwrap();
                            let length = stream.read(&mut buffer).unwrap();
                            assert!(buffer[..length].starts_with(b"HTTP/1.1 202"));
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let per_second = f64::from(requests) / begin.elapsed().as_secs_f64();
        println!("durable {is_durable}, {clients} clients: {per_second:.0} requests/s");
    }
}
