//! Sinks that fail, and sinks that go on all the same.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::http::{get, metric};
use crate::service::{Folder, click};

const SOURCE: &str = "[[source]]\nname = \"clicks\"\nkind = \"file\"\npath = \"in.jsonl\"\n\
                      [[sink]]\nname = \"found\"\nkind = \"file\"\npath = \"out.jsonl\"\n\
                      [http]\nlisten = \"127.0.0.1:0\"\n";

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_holds_up_no_other_sink_and_is_said() {
    let full = "[[sink]]\nname = \"full\"\nkind = \"file\"\npath = \"/dev/full\"\nbuffer = 2000\n";
    let folder = Folder::new(&format!("{full}{SOURCE}"));
    folder.write("in.jsonl", &(0..50).map(|n| click(n, 1)).collect::<String>());
    let mut service = folder.start();
    let address = service.address();
    service.wait_until("the other sink has all", || folder.read("out.jsonl").lines().count() == 49);
    service.wait_for("cannot write /dev/full");
    folder.add("in.jsonl", &(50..100).map(|n| click(n, 1)).collect::<String>());
    service.wait_until("the other sink has all", || folder.read("out.jsonl").lines().count() == 99);
    service.wait_for("results are lost");
    let dropped = "kleene_sink_dropped_results_total{sink=\"full\"}";
    service.wait_until("it is counted", || metric(&address, dropped).is_some_and(|n| n > 10.0));
    assert_eq!(metric(&address, "kleene_sink_up{sink=\"full\"}"), Some(0.0));
    assert_eq!(metric(&address, "kleene_sink_up{sink=\"found\"}"), Some(1.0));
    assert!(get(&address, "/status").body.contains("No space left"));
    // No checkpoint covers results that are not written.
    service.wait_for("no checkpoint: the sink `full` cannot be written");
}

/// Answers requests with the status that `answer` gives, and keeps their bodies.
fn receiver(answer: impl Fn(usize) -> u16 + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let count = AtomicUsize::new(0);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = Vec::new();
            let mut space = [0; 4096];
            let body = loop {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.to_ascii_lowercase();
                    let length = length.split_once("content-length: ").unwrap().1;
                    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                    if body.len() >= length {
                        break body.to_owned();
                    }
                }
                match stream.read(&mut space) {
                    Ok(0) | Err(_) => break String::new(),
                    Ok(count) => bytes.extend_from_slice(&space[..count]),
                }
            };
            let status = answer(count.fetch_add(1, Ordering::Relaxed));
            if status == 200 {
                kept.lock().unwrap().push(body);
            }
            let text =
                format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(text.as_bytes());
        }
    });
    (address, bodies)
}

#[test]
fn a_webhook_that_fails_gets_each_result_in_order_later_and_holds_up_no_other_sink() {
    let (address, bodies) = receiver(|number| if number < 3 { 500 } else { 200 });
    let hook = format!(
        "[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://{address}/\"\nmax_batch = 10\n"
    );
    let folder = Folder::new(&format!("{hook}{SOURCE}"));
    folder.write("in.jsonl", &(0..20).map(|n| click(n, 1)).collect::<String>());
    let mut service = folder.start();
    service.wait_until("the file has all", || folder.read("out.jsonl").lines().count() == 19);
    let lines = || bodies.lock().unwrap().concat();
    service.wait_until("the webhook has all", || lines().lines().count() >= 19);
    let delivered = lines();
    assert_eq!(delivered.lines().count(), 19, "{:?}", bodies.lock().unwrap());
    assert_eq!(delivered, folder.read("out.jsonl"));
    // After a crash the last request may come again; results have ids that show it.
    thread::sleep(Duration::from_millis(300));
    service.kill();
    let mut service = folder.start();
    folder.add("in.jsonl", &click(21, 2));
    folder.add("in.jsonl", &click(22, 2));
    let last = "\"key\":{\"user\":2}";
    service.wait_until("the new one is there", || lines().contains(last));
    service.wait_until("the file has it", || folder.read("out.jsonl").contains(last));
    let delivered = lines();
    let mut once: Vec<&str> = Vec::new();
    for line in delivered.lines().filter(|line| !line.is_empty()) {
        if !once.contains(&line) {
            once.push(line);
        }
    }
    assert_eq!(once, folder.read("out.jsonl").lines().collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_refuses_makes_dead_letters() {
    let (address, _) = receiver(|_| 400);
    let hook =
        format!("[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://{address}/\"\n");
    let folder = Folder::new(&format!("{hook}{SOURCE}"));
    folder.write("in.jsonl", &(click(1, 1) + &click(2, 1)));
    let mut service = folder.start();
    service.wait_for("dead letters");
    let names = std::fs::read_dir(folder.path("state/outbox/hook")).unwrap();
    let names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let dead =
        names.iter().find(|name| name.starts_with("dead")).unwrap_or_else(|| panic!("{names:?}"));
    assert!(folder.read(&format!("state/outbox/hook/{dead}")).contains("400"));
}

#[test]
fn sinks_take_the_rules_that_they_name_in_the_form_that_they_name() {
    let other = "[[sink]]\nname = \"other\"\nkind = \"file\"\npath = \"other.jsonl\"\n\
                 rules = [\"second\", \"missing\"]\nevents = \"none\"\n";
    let folder = Folder::new(&format!("{other}{SOURCE}"));
    folder.write(
        "rules/second.cep",
        "event click { ts: time, user: int }\nrule second { key user  match click{3} }\n",
    );
    folder.write("in.jsonl", &(0..4).map(|n| click(n, 1)).collect::<String>());
    let mut service = folder.start();
    service.wait_for("there is no rule `missing`, which this sink names");
    service.wait_until("all is there", || folder.read("out.jsonl").lines().count() >= 4);
    let other = folder.read("other.jsonl");
    assert!(!other.is_empty() && other.lines().all(|line| line.contains("\"rule\":\"second\"")));
    assert!(!other.contains("\"events\""), "{other}");
}
