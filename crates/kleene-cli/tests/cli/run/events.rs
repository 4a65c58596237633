//! `--events`: what a result contains of its captured events.

use serde_json::{Value, json};

use super::{ORDERS, shop};
use crate::common::Dir;

/// Runs the orders to the end of time, and returns the results.
fn run(args: &str) -> Vec<Value> {
    let ran = shop(ORDERS).run(&format!("run shop.cep --end-of-time -i in.jsonl {args}"));
    assert_eq!(ran.code, Some(0), "{args}: {}", ran.stderr);
    assert_eq!(ran.count("matches"), 1, "{args}: {}", ran.stderr);
    ran.results()
}

#[test]
fn all_fields_of_the_events_are_written_if_nothing_else_is_asked_for() {
    let full = run("");
    assert_eq!(full, run("--events full"));
    let created =
        json!({"type": "created", "ts": "2024-05-01T10:00:00Z", "order_id": "a", "amount": 9.5});
    assert_eq!(full[0]["events"]["c"], json!([created]));
}

#[test]
fn the_type_and_the_time_of_each_event_are_enough_for_ids() {
    for args in ["--threads 1", "--threads 2", "--threads 4", "--state state -o -", "--spill ."] {
        let ids = run(&format!("--events ids {args}"));
        let event =
            |ty: &str, time: &str| json!([{"type": ty, "ts": format!("2024-05-01T{time}Z")}]);
        let events = json!({"c": event("created", "10:00:00"), "p": event("paid", "10:02:30")});
        assert_eq!(ids[0]["events"], events, "{args}");
        assert_eq!(ids[1]["events"], json!({"c": event("created", "10:01:00")}), "{args}");
    }
}

#[test]
fn nothing_else_of_a_result_depends_on_the_form_of_its_events() {
    let full = run("");
    for (form, has_events) in [("none", false), ("ids", true)] {
        for args in ["--threads 1", "--threads 2", "--threads 4"] {
            let mut results = run(&format!("--events {form} {args}"));
            for (result, full) in results.iter_mut().zip(&full) {
                let events = result.as_object_mut().unwrap().remove("events");
                assert_eq!(events.is_some(), has_events, "{form}");
                let mut full = full.clone();
                full.as_object_mut().unwrap().remove("events");
                assert_eq!(*result, full, "{form}");
            }
            assert_eq!(results.len(), full.len());
        }
    }
}

#[test]
fn the_type_of_an_event_is_written_beside_a_field_of_that_name() {
    let rules = "event a { type: string, n: int, at: time }  rule r { match a  emit {} }";
    let dir = Dir::new(&[
        ("r.cep", rules.as_bytes()),
        ("in.jsonl", br#"{"kind":"a","type":"other","n":1,"at":"2024-05-01T10:00:00Z"}"#),
    ]);
    let events = |form: &str| {
        let ran = dir.run(&format!("run r.cep -i in.jsonl --type-field kind --events {form}"));
        ran.results()[0]["events"]["a"][0].clone()
    };
    assert_eq!(events("ids"), json!({"type": "a", "at": "2024-05-01T10:00:00Z"}));
    assert_eq!(events("full"), json!({"at": "2024-05-01T10:00:00Z", "type": "other", "n": 1}));
}

#[test]
fn short_lines_have_no_events_to_choose_the_form_of() {
    let dir = shop(ORDERS);
    for (args, message) in [
        ("--brief --events ids", "'--brief' cannot be used with '--events <FORM>'"),
        ("--events all", "[possible values: none, ids, full]"),
    ] {
        let ran = dir.run(&format!("run shop.cep -i in.jsonl {args}"));
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{args}");
        assert!(ran.stderr.contains(message), "{args}: {}", ran.stderr);
    }
}

#[test]
fn a_state_goes_on_with_the_form_that_it_began_with() {
    let dir = shop(ORDERS);
    let run = |form: &str| dir.run(&format!("run shop.cep -i in.jsonl -o out --state s {form}"));
    assert_eq!(run("--events ids").code, Some(0));
    let other = run("");
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    let reason = "--events was `ids` at the checkpoint, but is not given now";
    assert!(other.stderr.contains(reason), "{}", other.stderr);
}
