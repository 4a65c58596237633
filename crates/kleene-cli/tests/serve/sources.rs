//! Files that grow and are rotated, through crashes; input that is wrong.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::http::{get, metric, post};
use crate::service::{Folder, click};

const FILE: &str = "[[source]]\nname = \"clicks\"\nkind = \"file\"\npath = \"in.jsonl\"\n\
                    [[sink]]\nname = \"found\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

#[test]
fn a_file_that_is_read_to_its_end_gives_what_run_gives() {
    let folder = Folder::new(&FILE.replace("in.jsonl\"\n", "in.jsonl\"\nfollow = false\n"));
    let events: String = (0..3000).map(|n| click(n, n * 7 % 40)).collect();
    folder.write("in.jsonl", &format!("{events}no event\n{}", click(1, 1)));
    let (status, log) = folder.start().end();
    assert!(status.success(), "{log}");
    let run = ["run", "rules", "-i", "in.jsonl", "-o", "expected.jsonl", "--quiet"];
    assert_eq!(folder.run(&run).0, Some(0));
    let expected = folder.read("expected.jsonl");
    assert!(expected.lines().count() > 2000);
    assert_eq!(folder.read("out.jsonl"), expected);
    let rejects = folder.read("rejects.jsonl");
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    assert!(
        rejects.contains("\"source\":\"clicks\",\"line\":3001,\"reason\":\"not JSON"),
        "{rejects}"
    );
    assert!(rejects.contains("\"line\":3002,\"reason\":\"late"), "{rejects}");
    // A second time there is nothing new.
    assert!(folder.start().end().0.success());
    assert_eq!(folder.read("out.jsonl"), expected);
}

#[test]
fn each_result_is_there_once_however_often_the_service_is_killed() {
    let folder = Folder::new(FILE);
    let mut expected = Vec::new();
    let mut second = 0;
    for round in 0..12_u64 {
        let mut service = folder.start();
        for _ in 0..40 {
            let events: String =
                (0..25).map(|n| click(second + n, (second + n) * 7 % 20)).collect();
            folder.add("in.jsonl", &events);
            second += 25;
            // Killed in the middle of it, each time somewhere else.
            std::thread::sleep(Duration::from_micros(300 * round));
        }
        if round % 3 == 0 {
            service.wait_for("started");
        }
        service.kill();
    }
    let run = ["run", "rules", "-i", "in.jsonl", "-o", "expected.jsonl", "--quiet"];
    assert_eq!(folder.run(&run).0, Some(0));
    expected.extend(folder.emitted("expected.jsonl"));
    assert!(expected.len() > 1000);
    let mut service = folder.start();
    service.wait_until("all results are there", || {
        folder.read("out.jsonl").lines().count() >= expected.len()
    });
    let (status, log) = service.stop();
    assert!(status.success(), "{log}");
    assert_eq!(folder.emitted("out.jsonl"), expected);
}

#[test]
fn a_log_is_followed_through_its_rotation_and_a_half_written_line() {
    let folder = Folder::new(FILE);
    let mut service = folder.start();
    folder.add("in.jsonl", &click(1, 5));
    let half = click(2, 5);
    folder.add("in.jsonl", &half[..20]);
    service.wait_for("started");
    std::thread::sleep(Duration::from_millis(200));
    // It ends in the middle of a line, and reads the whole line later.
    assert!(service.stop().0.success());
    assert_eq!(folder.read("rejects.jsonl"), "");
    let mut service = folder.start();
    folder.add("in.jsonl", &half[20..]);
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
    fs::rename(folder.path("in.jsonl"), folder.path("in.jsonl.1")).unwrap();
    folder.write("in.jsonl", &click(3, 5));
    service.wait_until("the matches are there", || folder.read("out.jsonl").lines().count() == 2);
    service.wait_for("was replaced");
    assert_eq!(folder.read("rejects.jsonl"), "");
}

#[test]
fn a_file_with_a_bad_header_is_said_and_the_next_one_is_read() {
    let folder = Folder::new(&FILE.replace("in.jsonl\"\n", "in.csv\"\n"));
    folder.write("in.csv", "ts,who\n1000,5\n2000,5\n");
    let mut service = folder.start();
    service.wait_for("no event can be read: the CSV header has no column `type`");
    service.wait_until("it is said", || folder.read("rejects.jsonl").lines().count() == 1);
    fs::rename(folder.path("in.csv"), folder.path("in.csv.1")).unwrap();
    let header = "user,ts,type\n";
    folder.write("in.csv", &format!("{header}5,3000,click\n5,4000,click\n"));
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
    let (status, log) = service.stop();
    assert!(status.success(), "{log}");
    assert_eq!(log.matches("no event can be read").count(), 1, "{log}");
    assert_eq!(folder.read("rejects.jsonl").lines().count(), 1);
}

#[test]
fn a_file_that_is_another_one_after_a_restart_is_said() {
    let folder = Folder::new(FILE);
    folder.write("in.jsonl", &(click(1, 5) + &click(2, 5)));
    let mut service = folder.start();
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
    assert!(service.stop().0.success());
    folder.write("in.jsonl", &(click(3, 5) + &click(4, 6) + &click(5, 7) + &click(6, 8)));
    let mut service = folder.start();
    service.wait_for("is not the file that was read up to byte");
    service.wait_until("it is read", || folder.read("out.jsonl").lines().count() == 2);
}

const TWO: &str = "[[source]]\nname = \"clicks\"\nkind = \"file\"\npath = \"in.jsonl\"\n\
                   [[source]]\nname = \"posted\"\nkind = \"http\"\n\
                   [[sink]]\nname = \"found\"\nkind = \"file\"\npath = \"out.jsonl\"\n\
                   [http]\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn a_source_that_stops_is_shown_as_the_one_that_holds_the_clock() {
    let folder = Folder::new(TWO);
    let mut service = folder.start();
    let address = service.address();
    assert_eq!(post(&address, "a", &click(1, 1)).status, 202);
    for second in 1..200 {
        folder.add("in.jsonl", &click(second, second));
    }
    let holder = "kleene_clock_holder{source=\"posted\"}";
    let held = "kleene_clock_held_seconds{source=\"posted\"}";
    service.wait_until("it is shown", || metric(&address, holder) == Some(1.0));
    service.wait_until("time passes", || metric(&address, held).is_some_and(|held| held > 5.0));
    service.wait_for("the source holds the clock since 20");
    assert!(service.log().contains("source=\"posted\""), "{}", service.log());
    let status: serde_json::Value = serde_json::from_str(&get(&address, "/status").body).unwrap();
    assert_eq!(status["engines"][0]["clock"]["source"], "posted");
    // When it goes on, the clock moves.
    assert_eq!(post(&address, "b", &click(500, 1)).status, 202);
    let other = "kleene_clock_holder{source=\"clicks\"}";
    service.wait_until("the other one is shown", || metric(&address, other) == Some(1.0));
    service.wait_for("the clock moves again");
}

#[test]
fn a_silent_source_holds_up_no_other_if_the_file_says_so() {
    let folder = Folder::new(&format!("[time]\nidle_after = \"300ms\"\n{TWO}"));
    folder.write("in.jsonl", &(click(1, 1) + &click(2, 1)));
    let mut service = folder.start();
    service.wait_until("the match is there", || folder.read("out.jsonl").lines().count() == 1);
}

#[test]
fn a_schema_that_changed_and_a_poisoned_line_are_counted_and_lose_nothing_else() {
    let folder = Folder::new(TWO);
    let mut service = folder.start();
    let address = service.address();
    // A field more, a type that no rule knows, a user that is no number, an event without a time.
    let events = format!(
        "{}{{\"type\":\"click\",\"ts\":1700000002000,\"user\":7,\"colour\":\"red\"}}\n\
         {{\"type\":\"swipe\",\"ts\":1700000003000}}\n\
         {{\"type\":\"click\",\"ts\":1700000003000,\"user\":\"ann\"}}\n\
         {{\"type\":\"click\",\"user\":7}}\n{{\"type\":\n{}",
        click(1, 7),
        click(4, 7)
    );
    folder.write("in.jsonl", &click(100, 1));
    assert_eq!(post(&address, "a", &events).status, 202);
    assert_eq!(post(&address, "b", &click(101, 9)).status, 202);
    service.wait_until("the matches are there", || folder.read("out.jsonl").lines().count() == 2);
    let name = "kleene_rejected_events_total{source=\"posted\"}";
    service.wait_until("they are counted", || metric(&address, name) == Some(3.0));
    assert_eq!(metric(&address, "kleene_unknown_events_total{source=\"posted\"}"), Some(1.0));
    service.wait_until("rejects are there", || folder.read("rejects.jsonl").lines().count() == 3);
    assert_eq!(folder.emitted("out.jsonl")[0]["user"], json!(7));
}

#[test]
fn a_time_that_jumps_makes_later_events_late_which_is_said() {
    let folder = Folder::new(TWO);
    let mut service = folder.start();
    let address = service.address();
    let far = click(10_000_000, 3);
    folder.write("in.jsonl", &far);
    assert_eq!(post(&address, "a", &(click(1, 1) + &far)).status, 202);
    service.wait_until("time has jumped", || {
        let mark = metric(&address, "kleene_watermark_seconds{source=\"posted\"}");
        metric(&address, "kleene_watermark_seconds{source=\"clicks\"}").is_some() && mark.is_some()
    });
    assert_eq!(post(&address, "b", &click(2, 1)).status, 202);
    let late = "kleene_late_events_total{source=\"posted\"}";
    service.wait_until("one is late", || metric(&address, late) == Some(1.0));
    service.wait_for("late events");
    service.wait_until("it is kept", || folder.read("rejects.jsonl").contains("late"));
}
