use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tempfile::TempDir;
use ureq::http::HeaderValue;

use super::super::outbox::{Outbox, OutboxSettings};
use super::*;
use crate::config::OnFailure;

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
struct Received {
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// A receiver that gives these answers first, and then 200.
struct Receiver {
    addr: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    /// True if requests are not answered.
    hangs: Arc<AtomicBool>,
}

impl Receiver {
    fn new(answers: &[&'static str]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver {
            addr: listener.local_addr().unwrap(),
            received: Arc::default(),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            hangs: Arc::default(),
        };
        let (received, answers) = (Arc::clone(&receiver.received), Arc::clone(&receiver.answers));
        let hangs = Arc::clone(&receiver.hangs);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else { continue };
                while hangs.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                }
                // A body with this word is refused at all times.
                let is_poison = request.body.contains("poison");
                lock(&received).push(request);
                let poison = is_poison.then_some("422 Unprocessable Entity");
                let answer = poison.or_else(|| lock(&answers).pop_front()).unwrap_or("200 OK");
                let _ = write!(
                    stream,
                    "HTTP/1.1 {answer}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy"
                );
            }
        });
        receiver
    }

    fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    fn bodies(&self) -> Vec<String> {
        self.received().into_iter().map(|request| request.body).collect()
    }

    fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            name: "hook".to_owned(),
            url: format!("http://{}/in", self.addr),
            secret: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(5),
            max_retry_time: None,
            max_batch: 1,
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let mut request = Received { headers, body: String::new() };
    let length: u64 = request.header("content-length").parse().ok()?;
    reader.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}

fn outbox(directory: &TempDir) -> Outbox {
    open(directory, 1 << 20, OnFailure::Wait, None)
}

fn open(
    directory: &TempDir,
    max_bytes: u64,
    on_failure: OnFailure,
    checkpoint: Option<u64>,
) -> Outbox {
    let directory = directory.path().join("hook");
    let settings = OutboxSettings { name: "hook".to_owned(), directory, max_bytes, on_failure };
    Outbox::open(settings, checkpoint).unwrap()
}

fn push(outbox: &mut Outbox, lines: &[&str]) {
    for line in lines {
        outbox.push(line.as_bytes()).unwrap();
    }
    outbox.flush().unwrap();
}

fn dead_letters(directory: &TempDir) -> Vec<Value> {
    let text = fs::read_to_string(directory.path().join("hook/dead-letters.ndjson"));
    let text = text.unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn results_arrive_in_their_order_with_headers() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    let mut outbox = outbox(&directory);
    let mut settings = receiver.settings();
    settings.secret = Some("a secret".to_owned());
    settings.headers = vec![("X-Team".to_owned(), "risk".to_owned())];
    let text = format!("{settings:?}");
    assert!(!text.contains("a secret") && !text.contains("risk"), "{text}");
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    push(&mut outbox, &["{\"n\":0}", "{\"n\":1}\n"]);
    push(&mut outbox, &["{\"n\":2}"]);
    assert!(webhook.wait_until_delivered(LONG));
    assert_eq!(receiver.bodies(), ["{\"n\":0}\n", "{\"n\":1}\n", "{\"n\":2}\n"]);
    assert_eq!((webhook.counters().delivered(), webhook.counters().retries()), (3, 0));
    let received = receiver.received();
    assert_eq!(received[0].header("content-type"), "application/x-ndjson");
    assert_eq!(received[0].header("x-team"), "risk");
    let mut keys: Vec<&str> = received.iter().map(|it| it.header("idempotency-key")).collect();
    assert!(keys[0].starts_with("hook-0-26-"), "{keys:?}");
    keys.dedup();
    assert_eq!(keys.len(), 3);
    for request in &received {
        let signature = request.header("kleene-signature");
        let (time, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut expected = Hmac::<Sha256>::new_from_slice(b"a secret").unwrap();
        expected.update(format!("{time}.{}", request.body).as_bytes());
        let bytes: Vec<u8> = (0..mac.len() / 2)
            .map(|index| u8::from_str_radix(&mac[2 * index..2 * index + 2], 16).unwrap())
            .collect();
        expected.verify_slice(&bytes).unwrap();
    }
}

#[test]
fn a_known_signature_is_made() {
    // By `printf '1700000000.{}\n' | openssl dgst -sha256 -hmac key`.
    let signature = sign("key", 1_700_000_000, b"{}\n");
    let mac = "e7b2db2a9191d08b7d95e17269f78ba083729e7bd3bf9be2b82d2f8cd93c86ef";
    assert_eq!(signature, format!("t=1700000000,v1={mac}"));
}

#[test]
fn what_fails_is_sent_again_with_the_same_key() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[
        "500 Internal Server Error",
        "429 Too Many Requests\r\nRetry-After: 1",
        "503 Service Unavailable",
    ]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{\"n\":0}", "{\"n\":1}"]);
    let begin = Instant::now();
    let webhook = Webhook::start(receiver.settings(), outbox.queue()).unwrap();
    while webhook.counters().retries() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let error = webhook.counters().last_error().unwrap();
    // The next attempt may have failed already.
    assert!(error.contains(": why"), "{error}");
    assert!(webhook.wait_until_delivered(LONG));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let received = receiver.received();
    let keys: Vec<&str> = received.iter().map(|it| it.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 5);
    assert!(keys[..4].iter().all(|key| *key == keys[0]) && keys[4] != keys[0], "{keys:?}");
    assert_eq!(webhook.counters().retries(), 3);
    assert_eq!(webhook.counters().last_error(), None);
    assert!(dead_letters(&directory).is_empty());
}

#[test]
fn a_receiver_that_is_not_there_yet_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{}"]);
    let mut settings = receiver.settings();
    // Nobody listens at port 1.
    settings.url = "http://127.0.0.1:1/".to_owned();
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    while webhook.counters().retries() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!webhook.wait_until_delivered(Duration::ZERO));
    let begin = Instant::now();
    webhook.stop();
    assert!(begin.elapsed() < Duration::from_secs(4));
    let webhook = Webhook::start(receiver.settings(), outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
}

#[test]
fn what_is_refused_goes_to_the_dead_letters() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&["404 Not Found"]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{\"n\":0}", "{\"n\":1}", "no json"]);
    let webhook = Webhook::start(receiver.settings(), outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    let letters = dead_letters(&directory);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["result"]["n"], 0);
    assert_eq!(letters[0]["reason"], "404 Not Found: why");
    assert!(letters[0]["time"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!((webhook.counters().dead(), webhook.counters().delivered()), (1, 2));
}

#[test]
fn one_bad_result_does_not_take_its_batch_with_it() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{\"n\":0}", "{\"n\":\"poison\"}", "{\"n\":2}", "{\"n\":3}"]);
    let settings = WebhookSettings { max_batch: 3, ..receiver.settings() };
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    assert_eq!(receiver.bodies().len(), 5);
    assert_eq!(receiver.bodies()[1..].concat().lines().count(), 4);
    assert_eq!(dead_letters(&directory)[0]["result"]["n"], "poison");
    assert_eq!((webhook.counters().dead(), webhook.counters().delivered()), (1, 3));
}

#[test]
fn what_is_not_taken_in_time_goes_to_the_dead_letters() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&["500 No", "500 No", "500 No", "500 No", "500 No"]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{\"n\":0}"]);
    let max_retry_time = Some(Duration::from_millis(300));
    let settings = WebhookSettings { max_retry_time, ..receiver.settings() };
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    let reason = dead_letters(&directory)[0]["reason"].to_string();
    assert!(reason.contains("not delivered in time: 500"), "{reason}");
}

#[test]
fn a_restart_goes_on_where_the_delivery_was() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&["200 OK", "500 No"]);
    let mut outbox = outbox(&directory);
    push(&mut outbox, &["{\"n\":0}"]);
    let settings = WebhookSettings { max_batch: 2, ..receiver.settings() };
    let webhook = Webhook::start(settings.clone(), outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    push(&mut outbox, &["{\"n\":1}", "{\"n\":2}"]);
    while webhook.counters().retries() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    webhook.stop();
    let position = outbox.sync().unwrap();
    drop(outbox);
    let mut outbox = open(&directory, 1 << 20, OnFailure::Wait, Some(position));
    push(&mut outbox, &["{\"n\":3}"]);
    // The batch that was on its way is the same, even with other settings.
    let settings = WebhookSettings { max_batch: 100, ..settings };
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    let received = receiver.received();
    let again: Vec<&Received> = received[1..].iter().filter(|it| it.body.contains('1')).collect();
    assert!(again.len() >= 2);
    for request in again {
        assert_eq!(request.body, "{\"n\":1}\n{\"n\":2}\n");
        assert_eq!(request.header("idempotency-key"), received[1].header("idempotency-key"));
    }
    assert_eq!(received[0].body, "{\"n\":0}\n");
    assert_eq!(received.last().unwrap().body, "{\"n\":3}\n");
}

#[test]
fn results_after_the_checkpoint_are_reported_again_at_the_same_positions() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    let mut first = outbox(&directory);
    push(&mut first, &["{\"n\":0}"]);
    let position = first.sync().unwrap();
    push(&mut first, &["{\"n\":1}"]);
    let webhook = Webhook::start(receiver.settings(), first.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    drop((webhook, first));
    let mut second = open(&directory, 1 << 20, OnFailure::Wait, Some(position));
    push(&mut second, &["{\"n\":1}"]);
    let webhook = Webhook::start(receiver.settings(), second.queue()).unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    let received = receiver.received();
    assert_eq!(receiver.bodies(), ["{\"n\":0}\n", "{\"n\":1}\n", "{\"n\":1}\n"]);
    assert_eq!(received[1].header("idempotency-key"), received[2].header("idempotency-key"));
}

#[test]
fn a_slow_receiver_does_not_block_until_the_outbox_is_full() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    receiver.hangs.store(true, Ordering::Relaxed);
    let mut outbox = open(&directory, 50_000, OnFailure::Drop, None);
    let settings = WebhookSettings { max_batch: 1000, ..receiver.settings() };
    let webhook = Webhook::start(settings, outbox.queue()).unwrap();
    let begin = Instant::now();
    for index in 0..2000 {
        push(&mut outbox, &[&format!("{{\"n\":{index}}}")]);
    }
    assert!(begin.elapsed() < Duration::from_secs(4), "it waited for the receiver");
    let dropped = webhook.dropped();
    assert!((1..2000).contains(&dropped), "{dropped}");
    receiver.hangs.store(false, Ordering::Relaxed);
    assert!(webhook.wait_until_delivered(LONG));
    assert_eq!(webhook.counters().delivered() + dropped, 2000);
}

#[test]
fn a_push_waits_for_room_and_is_let_go_by_a_stop() {
    let directory = TempDir::new().unwrap();
    let receiver = Receiver::new(&[]);
    receiver.hangs.store(true, Ordering::Relaxed);
    let mut outbox = open(&directory, 1000, OnFailure::Wait, None);
    let webhook = Webhook::start(receiver.settings(), outbox.queue()).unwrap();
    let line = "x".repeat(400);
    push(&mut outbox, &[&line, &line]);
    let hangs = Arc::clone(&receiver.hangs);
    let begin = Instant::now();
    let release = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        hangs.store(false, Ordering::Relaxed);
    });
    push(&mut outbox, &[&line]);
    assert!(begin.elapsed() >= Duration::from_millis(90));
    release.join().unwrap();
    assert!(webhook.wait_until_delivered(LONG));
    receiver.hangs.store(true, Ordering::Relaxed);
    push(&mut outbox, &[&line, &line]);
    let queue = outbox.queue();
    let close = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        queue.close();
    });
    outbox.push(line.as_bytes()).unwrap();
    let error = format!("{:#}", outbox.flush().unwrap_err());
    assert!(error.contains("the journal is closed"), "{error}");
    close.join().unwrap();
    receiver.hangs.store(false, Ordering::Relaxed);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let directory = TempDir::new().unwrap();
    let outbox = outbox(&directory);
    let refusal = |url: &str, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let settings = WebhookSettings {
            url: url.to_owned(),
            headers: headers.collect(),
            ..Receiver::new(&[]).settings()
        };
        format!("{:#}", Webhook::start(settings, outbox.queue()).unwrap_err())
    };
    if cfg!(not(feature = "tls")) {
        let text = refusal("https://user:password@example.com/", &[]);
        assert!(text.contains("--features tls") && !text.contains("password"), "{text}");
    }
    assert!(refusal("ftp://example.com/", &[]).contains("does not begin with"));
    assert!(refusal("not a url", &[]).contains("cannot be read"));
    assert!(refusal("http://localhost/", &[("a b", "c")]).contains("\"a b\" cannot be sent"));
    assert!(refusal("http://localhost/", &[("a", "c\nd")]).contains("cannot be sent"));
}

#[test]
fn waits_grow_and_have_a_limit() {
    for attempt in 0..40 {
        let full = Duration::from_millis(200 << attempt.min(16)).min(Duration::from_mins(1));
        let wait = back_off(attempt);
        assert!((full / 2..=full).contains(&wait), "{attempt}: {wait:?}");
    }
    let parse = |text: &str| {
        let value = HeaderValue::from_str(text).unwrap();
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
    };
    assert_eq!(parse("7"), Some(Duration::from_secs(7)));
    assert_eq!(parse("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
    assert_eq!(parse("soon"), None);
}
