//! Events that are posted, through crashes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::http::{get, post, request};
use crate::service::{Folder, PATIENCE, click};

const HTTP: &str = "[[source]]\nname = \"posted\"\nkind = \"http\"\n\
                    [[sink]]\nname = \"found\"\nkind = \"file\"\npath = \"out.jsonl\"\n\
                    [http]\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn what_was_accepted_is_matched_once_however_often_the_service_is_killed() {
    // Events of one source over several connections are in any order.
    let folder = Folder::new(&format!("[time]\nout_of_order = \"1h\"\n{HTTP}"));
    let address = Arc::new(Mutex::new(String::new()));
    // Each user clicks twice, in one request that is repeated until it is accepted.
    let clients = 4;
    let each = 60;
    let senders = (0..clients).map(|client| {
        let address = address.clone();
        thread::spawn(move || {
            for number in 0..each {
                let user = client * each + number;
                let events = click(number, user) + &click(number + 1, user);
                let start = std::time::Instant::now();
                loop {
                    let to = address.lock().unwrap().clone();
                    if !to.is_empty()
                        && post(&to, &format!("{client}-{number}"), &events).status == 202
                    {
                        break;
                    }
                    assert!(start.elapsed() < 4 * PATIENCE);
                    thread::sleep(Duration::from_millis(3));
                }
                thread::sleep(Duration::from_millis(4));
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut kills = 0;
    while senders.iter().any(|sender| !sender.is_finished()) {
        let mut service = folder.start();
        *address.lock().unwrap() = service.address();
        thread::sleep(Duration::from_millis(40 + 25 * (kills % 5)));
        address.lock().unwrap().clear();
        service.kill();
        kills += 1;
    }
    for sender in senders {
        sender.join().unwrap();
    }
    assert!(kills > 3, "{kills}");
    let mut service = folder.start();
    let to = service.address();
    // Time moves past all of them.
    assert_eq!(post(&to, "last", &click(100_000, 1_000_000)).status, 202);
    let wanted = usize::try_from(clients * each).unwrap();
    service
        .wait_until("all matches are there", || folder.read("out.jsonl").lines().count() >= wanted);
    let (status, log) = service.stop();
    assert!(status.success(), "{log}");
    let users: Vec<u64> =
        folder.emitted("out.jsonl").iter().map(|emit| emit["user"].as_u64().unwrap()).collect();
    assert_eq!(users.len(), wanted, "doubled");
    assert_eq!(users.into_iter().collect::<BTreeSet<_>>().len(), wanted, "lost");
}

#[test]
fn roles_are_kept_apart_and_secrets_are_not_logged() {
    let tokens = "[[http.token]]\nname = \"reader\"\nrole = \"read\"\nsecret = { file = \"read.key\" }\n\
                  [[http.token]]\nname = \"sender\"\nrole = \"intake\"\nsecret = { file = \"intake.key\" }\n\
                  [[http.token]]\nname = \"editor\"\nrole = \"edit\"\nsecret = { file = \"edit.key\" }\n";
    let folder = Folder::new(&format!("{HTTP}{tokens}"));
    for (name, secret) in [("read", "r3ad"), ("intake", "s3nd"), ("edit", "3dit")] {
        folder.write(&format!("{name}.key"), &format!("{secret}\n"));
    }
    let mut service = folder.start();
    let address = service.address();
    let bearer = |secret: &str| format!("Authorization: Bearer {secret}\r\n");
    let ndjson = "Content-Type: application/x-ndjson\r\n";
    let events = click(1, 1);
    let cases = [
        ("GET", "/status", "", 401),
        ("GET", "/status", "wrong", 401),
        ("GET", "/status", "r3ad", 200),
        ("GET", "/status", "s3nd", 403),
        ("GET", "/metrics", "3dit", 200),
        ("POST", "/events", "r3ad", 403),
        ("POST", "/events", "3dit", 403),
        ("POST", "/events", "s3nd", 202),
        ("PUT", "/rules/twice.cep", "r3ad", 403),
        ("PUT", "/rules/twice.cep", "s3nd", 403),
        ("PUT", "/rules/..%2fx.cep", "3dit", 400),
        ("PUT", "/rules/%2fetc%2fx.cep", "3dit", 400),
        ("GET", "/nowhere", "r3ad", 404),
    ];
    for (method, path, secret, status) in cases {
        let head = if secret.is_empty() { String::new() } else { bearer(secret) };
        let answer = request(&address, method, path, &(head + ndjson), &events);
        assert_eq!(answer.status, status, "{method} {path} {secret}: {}", answer.body);
    }
    assert_eq!(get(&address, "/healthz").status, 200);
    let (_, log) = service.stop();
    for secret in ["r3ad", "s3nd", "3dit"] {
        assert!(!log.contains(secret), "{log}");
        assert!(!folder.read("state/audit.jsonl").contains(secret));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn too_much_is_refused_and_what_was_accepted_is_there() {
    let config = HTTP.replace("kind = \"http\"\n", "kind = \"http\"\nbacklog = \"1 kB\"\n");
    // A sink that cannot take results holds up the engine, and with it the journal.
    let config = config.replace(
        "path = \"out.jsonl\"\n",
        "path = \"/dev/full\"\nbuffer = 100\non_failure = \"wait\"\n",
    );
    let folder = Folder::new(&format!("{config}max_body = 2000\n"));
    let mut service = folder.start();
    let address = service.address();
    let big = post(&address, "big", &"x".repeat(3000));
    assert_eq!(big.status, 413, "{}", big.body);
    let mut refused = 0;
    for number in 0..4000_u64 {
        let answer = post(&address, &number.to_string(), &(click(number, 1) + &click(number, 1)));
        match answer.status {
            202 => {}
            429 => refused += 1,
            other => panic!("{other}: {}", answer.body),
        }
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3, "it never said that it is too much");
    assert_eq!(get(&address, "/healthz").status, 200);
}
