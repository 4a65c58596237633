//! `--profile`: the table has its rows, and its parts add up.

use super::{ORDERS, SHOP, shop};
use crate::common::{Dir, Exit};

/// The rows of the table: name, seconds, and the share in percent.
fn table(ran: &Exit) -> Vec<(String, f64, f64)> {
    let lines = ran.stderr.lines().skip_while(|line| !line.starts_with("profile"));
    let rows = lines.skip(1).map_while(|line| {
        let (line, share) = line.strip_suffix(" %")?.rsplit_once(' ')?;
        let (name, seconds) = line.trim_end().strip_suffix(" s")?.rsplit_once(' ')?;
        let number = |text: &str| text.parse().unwrap_or(f64::NAN);
        Some((name.trim_end().to_owned(), number(seconds), number(share)))
    });
    rows.collect()
}

/// Asserts that the parts of the table are the total, and the rules all of the matching.
fn assert_adds_up(ran: &Exit, names: &[&str]) -> f64 {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let rows = table(ran);
    let found: Vec<&str> = rows.iter().map(|(name, ..)| &**name).collect();
    assert_eq!(found, names, "{}", ran.stderr);
    let (parts, total) = rows.split_at(rows.len() - 1);
    let sum_of = |is_rule: bool| -> (f64, f64) {
        let rows = parts.iter().filter(|(name, ..)| name.starts_with(' ') == is_rule);
        rows.fold((0.0, 0.0), |sum, row| (sum.0 + row.1, sum.1 + row.2))
    };
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.006 && (a.1 - b.1).abs() < 0.6;
    assert!(near(sum_of(false), (total[0].1, total[0].2)), "{}", ran.stderr);
    let matching = rows.iter().find(|(name, ..)| name == "match").unwrap();
    assert!(near(sum_of(true), (matching.1, matching.2)), "{}", ran.stderr);
    total[0].1
}

/// The orders again and again, for as many customers; and a second rule, which finds nothing.
fn many(count: usize) -> Dir {
    let rules = format!("{SHOP}\nrule never {{ key order_id  match paid -> created within 1m }}");
    let lines = (0..count).map(|i| {
        let time = |seconds: usize| format!("\"ts\":{}", 1000 * (i + seconds));
        let created = format!("{{\"type\":\"created\",{},\"order_id\":\"{i}\"}}\n", time(0));
        let paid = format!("{{\"type\":\"paid\",{},\"order_id\":\"{}\"}}\n", time(0), i / 2);
        created + &paid
    });
    let input: String = lines.collect();
    Dir::new(&[("shop.cep", rules.as_bytes()), ("in.jsonl", input.as_bytes())])
}

#[test]
fn the_parts_of_the_time_add_up() {
    let dir = many(20_000);
    let ran = dir.run("run shop.cep -i in.jsonl -o out.jsonl --profile --end-of-time --threads 1");
    let rows = table(&ran);
    let rules: Vec<&str> = rows[2..4].iter().map(|(name, ..)| &**name).collect();
    let slowest_first = rows[2].1 >= rows[3].1;
    assert!(slowest_first && rules.contains(&"  unpaid") && rules.contains(&"  never"));
    let mut names = vec!["read", "match", rules[0], rules[1]];
    names.extend(["  events without a step", "write", "wait", "other", "total"]);
    let total = assert_adds_up(&ran, &names);
    // The first row of the summary has the time, in seconds or milliseconds.
    let events = ran.stderr.lines().find(|line| line.starts_with("events ")).unwrap();
    let (rest, unit) = events.rsplit_once(' ').unwrap();
    let took: f64 = rest.rsplit_once(' ').unwrap().1.parse().unwrap();
    let took = if unit == "ms" { took / 1000.0 } else { took };
    assert!((total - took).abs() < 0.05 + took / 10.0, "{}", ran.stderr);
    // Nothing takes no time.
    for row in rows.iter().filter(|(name, ..)| ["read", "match", "write"].contains(&&**name)) {
        assert!(row.1 > 0.0, "{}", ran.stderr);
    }
}

#[test]
fn the_times_of_threads_are_added() {
    let dir = many(20_000);
    for (threads, title) in [(2, "profile of 3 threads"), (4, "profile of 4 + 4 threads")] {
        let ran = dir
            .run(&format!("run shop.cep -i in.jsonl -o out.jsonl --profile --threads {threads}"));
        assert!(ran.stderr.contains(&format!("\n{title}\n")), "{}", ran.stderr);
        assert!(ran.stderr.contains("\ntimes are added over threads; "), "{}", ran.stderr);
        let rules = table(&ran)[2..4].iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
        let mut names = vec!["read", "match", &*rules[0], &*rules[1]];
        names.extend(["  events without a step", "write", "wait", "total"]);
        assert_adds_up(&ran, &names);
    }
}

#[test]
fn results_are_the_same_with_a_profile_and_a_short_run_has_one() {
    let dir = shop(ORDERS);
    let plain = dir.run("run shop.cep -i in.jsonl --end-of-time");
    assert!(!plain.stderr.contains("profile"), "{}", plain.stderr);
    for args in ["--threads 1", "--threads 4", "", "--state state", "--spill .", "--watch"] {
        let ran = dir.run(&format!("run shop.cep -i in.jsonl --end-of-time --profile {args}"));
        assert_eq!((ran.code, &ran.stdout), (Some(0), &plain.stdout), "{args}: {}", ran.stderr);
        assert_eq!(table(&ran).last().map(|row| &*row.0), Some("total"), "{args}: {}", ran.stderr);
    }
    let ran = shop("").run("run shop.cep -i in.jsonl --profile");
    assert_eq!(table(&ran).last().map(|row| &*row.0), Some("total"), "{}", ran.stderr);
}

#[test]
fn a_profile_is_not_printed_quietly() {
    let ran = shop(ORDERS).run("run shop.cep -i in.jsonl --profile --quiet");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("'--profile' cannot be used with '--quiet'"), "{}", ran.stderr);
}
