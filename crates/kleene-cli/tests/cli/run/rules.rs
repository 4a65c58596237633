//! Parameters, limits and counts of rules.

use std::fmt::Write as _;

use serde_json::json;

use super::{ORDERS, SHOP, assert_orders_seen, shop};
use crate::common::Dir;

#[test]
fn parameters_are_set_from_outside() {
    let rules = SHOP
        .replace("key order_id", "param wait: duration = 10m\n  key order_id")
        .replace("within 10m", "within $wait");
    let dir = shop(ORDERS);
    dir.write("shop.cep", rules.as_bytes());
    assert_orders_seen(&dir.run("run shop.cep --end-of-time -i in.jsonl"));
    for param in ["unpaid.wait=1m", "wait=1m"] {
        let ran = dir.run(&format!("run shop.cep --end-of-time -i in.jsonl --param {param}"));
        assert_eq!((ran.count("matches"), ran.count("timeouts")), (0, 3), "{}", ran.stderr);
    }
    for (param, expected) in [
        ("unpaid.wait=soon", "wait"),
        ("unpaid.weight=1m", "weight"),
        ("other.wait=1m", "other"),
        ("wait", "wait"),
    ] {
        let ran = dir.run(&format!("run shop.cep --end-of-time -i in.jsonl --param {param}"));
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn divisions_by_zero_are_in_the_summary() {
    let rules = "event a { n: int, ts: time }\nrule r { key n match a emit { n, q: 1 / a.n } }\n";
    let input = b"{\"type\":\"a\",\"n\":0,\"ts\":1}\n{\"type\":\"a\",\"n\":4,\"ts\":2}\n";
    let dir = Dir::new(&[("r.cep", rules.as_bytes()), ("in.jsonl", input)]);
    let ran = dir.run("run r.cep -i in.jsonl --time-unit ms");
    assert_eq!((ran.count("matches"), ran.count("divisions by zero")), (2, 1), "{}", ran.stderr);
    assert_eq!(ran.results()[0]["emit"], json!({ "n": 0, "q": null }));
}

const FEEDS: &str = "
event hit { ip: ip, ts: time }

rule burst   { key ip  match hit{2}  within 10s  emit as burst { ip, until: match.end } }
rule flood   { key ip  match burst{2} as b  within 1m  emit { ip, from: b[0].until }  suppress 1m }
rule bounded { key ip  match hit -> burst  within 1m  skip none  limit 3 partials fail }
";

fn hits(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, second| {
        let _ = writeln!(
            text,
            r#"{{"type":"hit","ts":"2024-05-01T10:00:{second:02}Z","ip":"192.0.2.1"}}"#
        );
        text
    })
}

#[test]
fn what_rules_feed_each_other_and_what_is_suppressed_is_counted() {
    let rules = FEEDS.replace("limit 3 partials fail", "");
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes()), ("in.jsonl", hits(8).as_bytes())]);
    let ran = dir.run("run feeds.cep --input in.jsonl");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        (ran.count("fed to other rules"), ran.count("suppressed")),
        (4, 1),
        "{}",
        ran.stderr
    );
    let flood = ran.results().into_iter().find(|result| result["rule"] == json!("flood")).unwrap();
    assert_eq!(flood["emit"], json!({"ip": "192.0.2.1", "from": "2024-05-01T10:00:01Z"}));
    assert_eq!(
        flood["events"]["b"][1],
        json!({"type": "burst", "until": "2024-05-01T10:00:03Z", "ip": "192.0.2.1"})
    );
}

#[test]
fn how_many_matches_a_result_stands_for_is_written() {
    let dir = Dir::new(&[(
        "r.cep",
        b"event a { u: string, v: int, ts: time }\nevent b { u: string, ts: time }\n\
          rule many { key u  match a as x -> any b  within 1m  skip none  report count\n\
          emit { sum: matches.sum(x.v) } }\n\
          rule plain { key u  match a -> any b  within 1m  skip none  report longest }\n\
          rule each { key u  match a -> any b  within 1m  skip none }\n\
          rule quiet { key u  match a as x -> not b for 10s  within 1m  skip none  report last 1\n\
          emit { n: matches.count } }\n",
    )]);
    // Two users, whose silences of three matches each are over at the same time.
    let mut input = String::new();
    for (at, ty) in ["a", "a", "b", "a", "a", "a"].into_iter().enumerate() {
        for user in ["ann", "bob"] {
            let at = if at > 2 { 20 } else { at };
            let _ = writeln!(input, r#"{{"type":"{ty}","u":"{user}","v":{at},"ts":{at}}}"#);
        }
    }
    input.push_str(r#"{"type":"b","u":"cy","ts":100}"#);
    let run = |more: &str| {
        let ran = dir.run_with(&format!("run r.cep --time-unit s {more}"), input.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let lines = run("");
    let of = |rule: &str| {
        let lines =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["rule"] == rule).collect::<Vec<_>>()
    };
    let (many, plain, each, quiet) = (of("many"), of("plain"), of("each"), of("quiet"));
    assert_eq!((many.len(), plain.len(), each.len(), quiet.len()), (2, 2, 4, 2), "{lines}");
    assert_eq!((&many[0]["count"], &many[0]["emit"]["sum"]), (&json!(2), &json!(1)));
    assert_eq!(plain[1]["count"], 2);
    assert!(each[0].get("count").is_none() && many[0].get("saturated").is_none());
    assert_eq!((&quiet[0]["count"], &quiet[1]["emit"]["n"]), (&json!(3), &json!(3)));
    // Whatever the threads, the same.
    assert_eq!(run("--threads 1"), lines);
    assert_eq!(run("--threads 4"), lines);
    let brief = run("--brief");
    assert!(brief.contains("plain  u=ann matches=2\n"), "{brief}");
    assert!(brief.contains("many  sum=1\n"), "{brief}");
}

#[test]
fn a_limit_that_fails_stops_the_run_and_says_why() {
    let rules = FEEDS.replace("hit{2}", "hit{9}");
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes())]);
    let ran = dir.run_with("run feeds.cep", hits(8).as_bytes());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let message = "the rule `bounded` would have more than 3 partial matches open for ip = 192.0.2.1 at \
                   2024-05-01T10:00:03Z";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(ran.stderr.contains("the run was stopped"), "{}", ran.stderr);
    assert_eq!((ran.count("events"), ran.count("limits reached")), (4, 1));
}

#[test]
fn an_event_takes_no_more_steps_than_it_may() {
    let rules = b"event a { ts: time }\nevent b { ts: time }\nrule r { match a -> b  skip none }\n";
    let dir = Dir::new(&[("r.cep", rules)]);
    let mut input = String::new();
    for (at, ty) in ["a", "a", "a", "b"].into_iter().enumerate() {
        let _ = writeln!(input, r#"{{"type":"{ty}","ts":{at}}}"#);
    }
    let run = |more: &str| {
        let ran = dir.run_with(&format!("run r.cep --time-unit ms {more}"), input.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.results(), ran.stderr)
    };
    let (found, said) = run("--steps-per-event 2");
    assert_eq!(found.len(), 3, "{said}");
    // The limit is reported among the results, at its event.
    let kinds: Vec<_> = found.iter().map(|line| line["kind"].as_str().unwrap_or("")).collect();
    assert_eq!(kinds, ["limit", "match", "match"]);
    let limit = &found[0];
    assert_eq!((&limit["rule"], &limit["limit"]), (&"r".into(), &"steps_per_event".into()));
    assert_eq!((&limit["end"], &limit["dropped"]), (&"1970-01-01T00:00:00.002Z".into(), &1.into()));
    assert_eq!((&limit["key"], &limit["version"]), (&serde_json::json!({}), &found[1]["version"]));
    let reason = "line 3: limit reached: an event would take too many steps: 1 of the oldest partial \
                  matches of the rule `r` were dropped (`--steps-per-event` sets the limit)";
    assert!(said.contains(reason), "{said}");
    assert_eq!(run("--steps-per-event 2 --threads 2").0, found);
    assert_eq!(run("--steps-per-event 3").0.len(), 3);
    assert_eq!(run("").0.len(), 3);
}

#[test]
fn what_a_rule_feeds_and_does_not_fit_is_reported_once() {
    let rules = "
event hit { ip: ip, code: int?, ts: time }
event alert { ip: ip, code: int, ts: time }

rule bad   { key ip  match hit as h  emit as alert { ip, code: h.code } }
rule alarm { key ip  match alert as a  emit { code: a.code } }
";
    let dir = Dir::new(&[("feeds.cep", rules.as_bytes())]);
    let ran = dir.run_with("run feeds.cep --rejects rejects.jsonl", hits(3).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = "what the rule `bad` feeds to others is not as declared: `alert.code` is int, not \
                    null; the summary counts it as rejected";
    assert_eq!(ran.reported(), [expected]);
    assert_eq!((ran.count("rejected"), ran.count("matches")), (3, 3));
    assert_eq!(dir.read("rejects.jsonl"), "", "no line is to blame");
}

/// Four times the rules may take ten times as long, as in `tests/scaling.rs` of the library: what is
/// quadratic takes sixteen times as long. A machine that is busy for a moment is no finding.
#[test]
fn a_run_of_many_rules_takes_time_in_proportion() {
    let dir = Dir::new(&[("in.jsonl", b"{\"type\":\"a\",\"v\":1,\"ts\":1}\n")]);
    let time = |count: usize| {
        let mut rules = String::from("event a { v: int, ts: time }\n");
        for i in 0..count {
            let _ = writeln!(rules, "rule r{i} {{ match a[v == {i}] -> a within 1m }}");
        }
        dir.write("r.cep", rules.as_bytes());
        let started = std::time::Instant::now();
        let ran = dir.run("run r.cep -i in.jsonl");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        started.elapsed()
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let [small, large] = [4000, 16_000].map(time);
        if large <= 10 * small {
            return;
        }
        seen.push((small, large));
    }
    panic!("4000 and 16,000 rules took {seen:?}");
}
