//! A registry that is faked: it answers with what a test wants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{AvroDecoder, DecodeErrorKind, ProtobufDecoder, Registry};
use super::{decode, framed};

/// A server that keeps the requests, and answers by their path and number.
struct Fake {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(answer: impl Fn(&str, usize) -> (u16, String) + Send + 'static) -> Fake {
        Fake::on(&TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    fn on(
        listener: &TcpListener,
        answer: impl Fn(&str, usize) -> (u16, String) + Send + 'static,
    ) -> Fake {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (listener, kept) = (listener.try_clone().unwrap(), requests.clone());
        let port = listener.local_addr().unwrap().port();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &kept, &answer);
            }
        });
        Fake { port, requests }
    }

    fn registry(&self) -> Registry {
        Registry::new(&format!("http://127.0.0.1:{}/api/", self.port)).unwrap()
    }

    fn paths(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    kept: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str, usize) -> (u16, String),
) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(first) = head.first() else { return };
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(head.join("\n"));
        kept.len()
    };
    let (status, body) = answer(&path, number);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // The client may be gone.
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

fn ok(answer: &Value) -> (u16, String) {
    (200, answer.to_string())
}

fn not_found() -> (u16, String) {
    (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string())
}

const RECORD: &str = r#"{"type": "record", "name": "R", "fields": [{"name": "v", "type": "int"}]}"#;

#[test]
fn a_schema_is_asked_for_once() {
    let fake = Fake::start(|path, _| match path {
        "/api/schemas/ids/7" => ok(&json!({"schema": RECORD})),
        "/api/schemas/ids/8" => ok(&json!({"schema": "\"string\"", "schemaType": "AVRO"})),
        _ => not_found(),
    });
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    for _ in 0..3 {
        assert_eq!(decode(&mut decoder, &framed(7, &[&[4]])).unwrap(), json!({"v": 2}));
        assert_eq!(decode(&mut decoder, &framed(8, &[b"\x02x"])).unwrap(), json!("x"));
    }
    assert_eq!(fake.paths(), ["/api/schemas/ids/7", "/api/schemas/ids/8"]);
}

#[test]
fn an_unknown_id_is_poison_and_is_not_asked_for_each_time() {
    let fake = Fake::start(|_, _| not_found());
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    for _ in 0..3 {
        let error = decode(&mut decoder, &framed(9, &[])).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Poison);
        let expected = format!(
            "schema 9 of the topic orders: the schema registry http://127.0.0.1:{}/api: \
             /schemas/ids/9 has the status 404 Not Found Schema not found",
            fake.port
        );
        assert_eq!(error.reason, expected);
    }
    assert_eq!(fake.paths().len(), 1);
}

#[test]
fn a_wrong_url_is_not_poison() {
    // Any server says 404. The records are good.
    let fake = Fake::start(|_, _| (404, String::from("<html>not found</html>")));
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    let error = decode(&mut decoder, &framed(9, &[])).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Unavailable);
    let fake = Fake::start(|_, _| (401, json!({"error_code": 40101, "message": "No"}).to_string()));
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    let error = decode(&mut decoder, &framed(9, &[])).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Unavailable);
    assert_eq!(fake.paths().len(), 1);
}

#[test]
fn a_registry_that_fails_is_asked_again() {
    let fake = Fake::start(|_, number| match number {
        1 => (503, String::new()),
        2 => (200, String::from("<html>")),
        3 => (429, json!({"error_code": 42901, "message": "slow"}).to_string()),
        _ => ok(&json!({"schema": RECORD})),
    });
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    assert_eq!(decode(&mut decoder, &framed(7, &[&[4]])).unwrap(), json!({"v": 2}));
    assert_eq!(fake.paths().len(), 4);
}

#[test]
fn a_registry_that_is_down_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}");
    let registry = Registry::new(&url).unwrap().with_patience(Duration::from_millis(500));
    let mut decoder = AvroDecoder::from_registry(registry);
    let start = Instant::now();
    let error = decode(&mut decoder, &framed(7, &[&[4]])).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Unavailable);
    assert!(error.reason.contains(&url), "{}", error.reason);
    assert!(start.elapsed() < Duration::from_secs(5));
    // It comes up while a decoder waits.
    let up = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        let listener = TcpListener::bind(address).unwrap();
        Fake::on(&listener, |_, _| ok(&json!({"schema": RECORD})));
    });
    let mut decoder = AvroDecoder::from_registry(Registry::new(&url).unwrap());
    assert_eq!(decode(&mut decoder, &framed(7, &[&[4]])).unwrap(), json!({"v": 2}));
    up.join().unwrap();
}

#[test]
fn garbage_is_never_taken_for_a_schema() {
    for body in
        ["", "[]", "{\"schema\": 7}", "{}", "\u{0}", "{\"schema\": \"x\", \"references\": [1]}"]
    {
        let fake = Fake::start(move |_, _| (200, String::from(body)));
        let registry = fake.registry().with_patience(Duration::ZERO);
        let mut decoder = AvroDecoder::from_registry(registry);
        let error = decode(&mut decoder, &framed(7, &[])).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Unavailable, "{body}");
    }
    // A registry has this schema, and nobody can use it.
    for schema in [
        json!({"schema": "nonsense"}),
        json!({"schema": "{}", "schemaType": "JSON"}),
        json!({"schema": "message M {", "schemaType": "PROTOBUF"}),
    ] {
        let fake = Fake::start(move |_, _| ok(&schema));
        let value = framed(7, &[&[0]]);
        let avro = &mut AvroDecoder::from_registry(fake.registry());
        assert_eq!(decode(avro, &value).unwrap_err().kind, DecodeErrorKind::Poison);
        let protobuf = &mut ProtobufDecoder::from_registry(fake.registry(), None);
        assert_eq!(decode(protobuf, &value).unwrap_err().kind, DecodeErrorKind::Poison);
    }
}

#[test]
fn a_user_is_sent_and_not_shown() {
    let fake = Fake::start(|_, _| (403, String::new()));
    let url = format!("http://ann:s3cret@127.0.0.1:{}", fake.port);
    let mut decoder = AvroDecoder::from_registry(Registry::new(&url).unwrap());
    let error = decode(&mut decoder, &framed(7, &[])).unwrap_err();
    assert!(!error.reason.contains("s3cret"), "{}", error.reason);
    let request = fake.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.contains("authorization: basic yw5uonmzy3jlda=="), "{request}");
}

#[test]
fn avro_may_refer_to_other_schemas() {
    let fake = Fake::start(|path, _| match path {
        "/api/schemas/ids/1" => ok(&json!({
            "schema": r#"{"type": "record", "name": "a.R", "fields": [
                {"name": "x", "type": "b.X"}, {"name": "y", "type": ["null", "b.Y"]}]}"#,
            "references": [
                {"name": "b.X", "subject": "b/X", "version": 1},
                {"name": "b.Y", "subject": "y", "version": 2}],
        })),
        "/api/subjects/b%2FX/versions/1" => ok(&json!({
            "schema": r#"{"type": "record", "name": "b.X", "fields": [{"name": "y", "type": "Y"}]}"#,
            "references": [{"name": "b.Y", "subject": "y", "version": 2}],
        })),
        "/api/subjects/y/versions/2" => ok(&json!({
            "schema": r#"{"type": "enum", "name": "b.Y", "symbols": ["P", "Q"]}"#,
        })),
        _ => not_found(),
    });
    let mut decoder = AvroDecoder::from_registry(fake.registry());
    let found = decode(&mut decoder, &framed(1, &[&[2, 2, 0]])).unwrap();
    assert_eq!(found, json!({"x": {"y": "Q"}, "y": "P"}));
    // What is referred to twice is asked for once.
    assert_eq!(fake.paths().len(), 3);
}

/// A registry with a schema of Protobuf that imports others.
fn protobuf() -> Fake {
    Fake::start(|path, _| match path {
        "/api/schemas/ids/5" => ok(&json!({
            "schemaType": "PROTOBUF",
            "schema": r#"syntax = "proto3"; package shop;
                import "common/money.proto"; import "google/protobuf/timestamp.proto";
                import "confluent/meta.proto";
                message Order {
                    option (confluent.message_meta).doc = "an order";
                    int64 id = 1; Money total = 2; google.protobuf.Timestamp at = 3;
                    message First { string f = 1; }
                    map<string, int32> rates = 4;
                    message Second { string s = 1; }
                }
                message Other { int32 n = 1; }"#,
            "references": [{"name": "common/money.proto", "subject": "money", "version": 3}],
        })),
        "/api/subjects/money/versions/3" => ok(&json!({
            "schemaType": "PROTOBUF",
            "schema": r#"syntax = "proto3"; package shop;
                message Money { int64 units = 1; string currency = 2; }"#,
        })),
        _ => not_found(),
    })
}

#[test]
fn protobuf_names_its_message_and_imports_others() {
    let fake = protobuf();
    let mut decoder = ProtobufDecoder::from_registry(fake.registry(), None);
    let order = [8, 1, 0x12, 7, 8, 5, 0x12, 3, b'E', b'U', b'R', 0x1a, 0];
    let expected = json!({
        "id": 1, "total": {"units": 5, "currency": "EUR"}, "at": "1970-01-01T00:00:00Z", "rates": {},
    });
    assert_eq!(decode(&mut decoder, &framed(5, &[&[0], &order])).unwrap(), expected);
    let other = framed(5, &[&[2, 2], &[8, 3]]);
    assert_eq!(decode(&mut decoder, &other).unwrap(), json!({"n": 3}));
    // The second message within the first. The entries of the map between have no index.
    let second = framed(5, &[&[4, 0, 2], &[0x0a, 1, b'x']]);
    assert_eq!(decode(&mut decoder, &second).unwrap(), json!({"s": "x"}));
    let missing = decode(&mut decoder, &framed(5, &[&[2, 8]])).unwrap_err();
    assert_eq!(missing.reason, "the schema 5 does not have the message");
    assert_eq!(fake.paths().len(), 2);
}

#[test]
fn a_message_that_is_another_is_refused() {
    let fake = protobuf();
    let mut decoder =
        ProtobufDecoder::from_registry(fake.registry(), Some(String::from("shop.Other")));
    assert_eq!(decode(&mut decoder, &framed(5, &[&[2, 2], &[8, 3]])).unwrap(), json!({"n": 3}));
    let error = decode(&mut decoder, &framed(5, &[&[0], &[8, 3]])).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Poison);
    assert_eq!(error.reason, "the message is shop.Order, not shop.Other");
}
