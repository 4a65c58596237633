//! The rules of `patterns/` over the streams of `examples/data`: each finds what was put there for
//! it, and nothing else. `KLEENE_TEST_UPDATE=1` writes the streams anew.

mod data;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;

use kleene_test::files::rule_files;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn kleene(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kleene"));
    command.current_dir(root()).args(args).output().expect("the program can be started")
}

/// The arguments of the command that a rule file's first comment shows.
fn command_of(text: &str) -> Vec<&str> {
    let comment = text.lines().map_while(|line| line.strip_prefix('#')).collect::<Vec<_>>();
    let start = comment.iter().position(|line| line.trim_start().starts_with("kleene run "));
    let mut args = Vec::new();
    for line in &comment[start.expect("the comment shows a command")..] {
        args.extend(line.split_whitespace().filter(|word| *word != "\\"));
        if !line.ends_with('\\') {
            break;
        }
    }
    args.remove(0);
    args
}

/// Returns the reports of a file's rules: `rule kind key` for each match and timeout, sorted. The
/// parts of a key come in the order of their names.
fn reported(output: &Output) -> Vec<String> {
    let text = str::from_utf8(&output.stdout).expect("it is UTF-8");
    let mut reported: Vec<String> = text
        .lines()
        .map(|line| {
            let result: Value = serde_json::from_str(line).expect("each line is JSON");
            let key = result["key"].as_object().expect("every rule has a key");
            let key: Vec<&str> =
                key.values().map(|value| value.as_str().expect("keys are text")).collect();
            let word = |name: &str| result[name].as_str().expect("it is text").to_owned();
            format!("{} {} {}", word("rule"), word("kind"), key.join("/"))
        })
        .collect();
    reported.sort();
    reported
}

fn expect(rule: &str, kind: &str, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| format!("{rule} {kind} {key}")).collect()
}

/// The outputs that have to be found, by rule file: see the functions in `data`, which put it
/// there.
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn expected(file: &str) -> Vec<String> {
    let orders = |are: &dyn Fn(u32) -> bool| -> Vec<String> {
        (1001..=1026).filter(|n| are(*n)).map(|n| format!("o-{n}")).collect()
    };
    let users = |are: &dyn Fn(u8) -> bool| -> Vec<String> {
        let users = (1..).zip(data::REACHED).filter(|(_, reached)| are(**reached));
        users.map(|(n, _)| format!("u-{n:02}")).collect()
    };
    let of = |rule, kind, keys: Vec<String>| {
        expect(rule, kind, &keys.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let never_paid = |n| matches!(n, 1008 | 1016 | 1023);
    let mut all = match file {
        "shop/unpaid_order.cep" => [
            of(
                "unpaid_order",
                "match",
                orders(&|n| never_paid(n) || matches!(n, 1005 | 1012 | 1020)),
            ),
            of("payment", "match", orders(&|n| !never_paid(n))),
            // The last of them is still within its time at the end of the stream.
            of("payment", "timeout", orders(&|n| never_paid(n) && n != 1023)),
        ]
        .concat(),
        "shop/late_delivery.cep" => [
            expect("late_delivery", "match", &["o-1003", "o-1010", "o-1018"]),
            expect("lost_parcel", "match", &["o-1014"]),
        ]
        .concat(),
        "shop/funnel.cep" => [
            of("funnel", "match", users(&|reached| reached == b'4')),
            of("funnel", "timeout", users(&|reached| reached != b'4')),
            of("abandoned_cart", "match", users(&|reached| reached == b'2')),
        ]
        .concat(),
        "security/ssh_brute_force.cep" => [
            expect("ssh_brute_force", "match", &["203.0.113.7", "203.0.113.7", "203.0.113.99"]),
            expect("ssh_user_probing", "match", &["198.51.100.23"]),
        ]
        .concat(),
        "security/login_after_failures.cep" => {
            expect("login_after_failures", "match", &["203.0.113.99/deploy"])
        }
        "security/password_spraying.cep" => [
            expect("password_spraying", "match", &["203.0.113.50", "203.0.113.50"]),
            expect("password_spraying_hit", "match", &["203.0.113.50"]),
        ]
        .concat(),
        "security/impossible_travel.cep" => expect("impossible_travel", "match", &["u-03"]),
        "security/mfa_fatigue.cep" => [
            expect("mfa_fatigue", "match", &["u-07"]),
            expect("mfa_fatigue_approved", "match", &["u-07"]),
        ]
        .concat(),
        "security/ssh_scan.cep" => [
            expect("ssh_scan", "match", &["203.0.113.77", "203.0.113.77"]),
            expect("port_scan", "match", &["10.0.0.5/203.0.113.78"]),
        ]
        .concat(),
        "security/sudo_after_failures.cep" => {
            expect("sudo_after_failures", "match", &["web-2/svc-app"])
        }
        "security/web_shell.cep" => expect("web_shell", "match", &["web-1/web-1/41"]),
        "security/cloud_escalation.cep" => {
            expect("cloud_escalation", "match", &["arn:aws:iam::111122223333:user/build"])
        }
        "shop/coupon_abuse.cep" => [
            expect("coupon_abuse", "match", &["WELCOME10/d-07"]),
            expect("coupon_guessing", "match", &["d-20"]),
        ]
        .concat(),
        "shop/refund_abuse.cep" => [
            expect("refund_abuse", "match", &["k-05"]),
            expect("refund_without_return", "match", &["o-509", "o-514"]),
        ]
        .concat(),
        "fraud/card_testing.cep" => [
            expect("card_testing", "match", &["203.0.113.60", "203.0.113.60", "203.0.113.60"]),
            expect("tested_card_used", "match", &["c-907"]),
        ]
        .concat(),
        "fraud/card_velocity.cep" => [
            expect("card_velocity", "match", &["c-77"]),
            expect("spending_velocity", "match", &["c-88"]),
        ]
        .concat(),
        "fraud/mule_account.cep" => [
            expect("in_and_out_transfer", "match", &["a-11"]),
            expect("structuring", "match", &["a-13"]),
        ]
        .concat(),
        "fraud/account_takeover.cep" => [
            expect("account_takeover", "match", &["a-21"]),
            expect("owner_locked_out", "match", &["a-22"]),
        ]
        .concat(),
        "ads/click_fraud.cep" => [
            expect("click_burst", "match", &["spring/d-666"]),
            expect("click_injection", "match", &["spring/d-700", "spring/d-701"]),
            expect("click_without_impression", "match", &["spring/d-800", "spring/d-801"]),
        ]
        .concat(),
        "iot/silent_sensor.cep" => [
            expect("silent_sensor", "match", &["s-2"]),
            expect("door_left_open", "match", &["cold-1"]),
        ]
        .concat(),
        "iot/failing_bearing.cep" => expect("failing_bearing", "match", &["p-1"]),
        "iot/temperature.cep" => [
            expect("rising_temperature", "match", &["s-3"]),
            expect("too_warm", "match", &["f-1"]),
            expect("stuck_value", "match", &["s-4", "s-4"]),
        ]
        .concat(),
        "market/double_bottom.cep" => expect("double_bottom", "match", &["DDD"]),
        "market/spike_and_fade.cep" => [
            expect("spike_and_fade", "match", &["EEE"]),
            expect("sudden_move", "match", &["EEE", "EEE"]),
        ]
        .concat(),
        "ops/crash_loop.cep" => [
            expect(
                "crash_loop",
                "match",
                &["app/shop/cart-7d4", "app/shop/mail-2b1", "app/shop/web-9c3"],
            ),
            expect("sick_node", "match", &["n-2"]),
            expect("repeated_oom", "match", &["app/shop/search-5"]),
        ]
        .concat(),
        "ops/deploys.cep" => [
            expect("deploy_without_health_check", "match", &["mail"]),
            expect("error_burst_after_deploy", "match", &["search"]),
        ]
        .concat(),
        // The report's next start is due after the end of the stream, and is not missed there.
        "ops/jobs.cep" => {
            [expect("hung_job", "match", &["report"]), expect("missed_job", "match", &["backup"])]
                .concat()
        }
        "ops/tickets.cep" => [
            expect("late_answer", "match", &["t-2"]),
            expect("resolution", "match", &["t-1", "t-2", "t-3"]),
            expect("resolution", "timeout", &["t-4"]),
        ]
        .concat(),
        "ops/flapping_alert.cep" => expect("flapping_alert", "match", &["HighLatency/web-3"]),
        "market/active_trader.cep" => {
            expect("active_trader", "match", &["ann", "cem", "dora", "dora"])
        }
        "market/v_shape.cep" => expect("v_shape", "match", &["AAA", "AAA", "BBB"]),
        "ads/crawler_burst.cep" => [
            expect("crawler_burst", "match", &["198.51.100.40", "198.51.100.40", "198.51.100.41"]),
            expect("trapped_crawler", "match", &["198.51.100.50"]),
        ]
        .concat(),
        other => panic!("say what {other} has to find"),
    };
    all.sort();
    all
}

/// Writes the streams anew where that is asked for, before any test reads one.
fn streams() -> [(PathBuf, String); 16] {
    static WRITTEN: Once = Once::new();
    let streams = data::files().map(|(name, text)| (root().join("examples/data").join(name), text));
    WRITTEN.call_once(|| {
        if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
            for (path, text) in &streams {
                fs::write(path, text).expect("it can be written");
            }
        }
    });
    streams
}

#[test]
fn the_streams_are_what_the_generator_makes() {
    for (path, text) in streams() {
        let name = path.display();
        assert!(
            fs::read_to_string(&path).is_ok_and(|found| found == text),
            "{name} differs: make it anew with KLEENE_TEST_UPDATE=1"
        );
    }
}

#[test]
fn every_rule_finds_what_is_there_with_the_command_that_it_shows() {
    streams();
    let folder = root().join("patterns");
    let files = rule_files(&folder);
    assert!(files.len() >= 29, "only {} rule files", files.len());
    for path in files {
        let name = path.strip_prefix(&folder).expect("it is in it").to_string_lossy();
        let name = name.replace('\\', "/");
        let text = fs::read_to_string(&path).expect("it can be read");
        let args = command_of(&text);
        assert!(args.contains(&format!("patterns/{name}").as_str()), "{name}: {args:?}");
        let output = kleene(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
        assert_eq!(reported(&output), expected(&name), "{name}\n{stderr}");
        for threads in ["1", "4"] {
            let several = kleene(&[&*args, &["--threads", threads]].concat());
            assert!(
                several.stdout == output.stdout,
                "{name}: {threads} threads report other things"
            );
        }
        for count in ["late ", "rejected "] {
            let line = stderr.lines().find(|line| line.starts_with(count)).expect("it is counted");
            assert!(line.ends_with(" 0"), "{name}: {line}");
        }
    }
}

/// The page that lists the rules: a table for each field, a row for each rule, made of the rule's
/// `about`.
fn page() -> String {
    let folder = root().join("patterns");
    let mut page = String::from(PAGE_TOP);
    let mut count = 0;
    let mut field = String::new();
    for path in rule_files(&folder) {
        let name = path.strip_prefix(&folder).expect("it is in it").to_string_lossy();
        let name = name.replace('\\', "/");
        let (folder, file) = name.split_once('/').expect("it is in a folder");
        if folder != field {
            folder.clone_into(&mut field);
            let _ = write!(page, "\n## {folder}\n\n| rule | severity | reports |\n|---|---|---|\n");
        }
        let text = fs::read_to_string(&path).expect("it can be read");
        for rule in text.split("\nrule ").skip(1) {
            count += 1;
            let name = rule.split(' ').next().expect("a rule has a name");
            let clause = |start: &str| {
                let line = rule.lines().find_map(|line| line.trim_start().strip_prefix(start));
                line.unwrap_or_default().trim_matches('"').to_owned()
            };
            let (about, severity) = (clause("about "), clause("severity "));
            let _ = writeln!(page, "| [`{name}`]({folder}/{file}) | {severity} | {about} |");
        }
    }
    page.replace("{count}", &count.to_string())
}

const PAGE_TOP: &str = "# Ready-made rules

{count} rules in seven fields. Each file stands alone: it declares its events, says in comments
where its numbers come from and which to tune, and ends with its tests. Its first lines hold a
command that runs it on a small stream of `examples/data`.

```sh
kleene test patterns/                                     # the tests of all of them
kleene run patterns/ops/jobs.cep --input jobs.jsonl --param hung_job.longest=4h
```

To use one, rename the fields and the types of its events to the names in your data. To change
parameters, no copy of a rule is needed: `use \"patterns/ops/jobs.cep\"`, where the path counts from
your file, and `rule hung_import = hung_job(longest: 6h)`. Tags such as `T1110` are techniques of
MITRE ATT&CK.

This page is written from the rules:
`KLEENE_TEST_UPDATE=1 cargo test -p kleene-cli --test patterns` writes it again.
";

#[test]
fn the_page_lists_every_rule() {
    let (path, page) = (root().join("patterns/README.md"), page());
    if std::env::var_os("KLEENE_TEST_UPDATE").is_some() {
        fs::write(&path, &page).expect("it can be written");
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|found| found == page),
        "patterns/README.md differs: make it anew with KLEENE_TEST_UPDATE=1"
    );
}

#[test]
fn the_rules_have_no_mistakes_and_fit_together() {
    let output = kleene(&["check", "patterns", "--deny", "warnings"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn the_tests_in_the_rule_files_pass() {
    let output = kleene(&["test", "patterns"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!stdout.contains("without a test"), "{stdout}");
}

#[test]
fn every_rule_says_what_it_is_for_and_has_tests() {
    for path in rule_files(&root().join("patterns")) {
        let text = fs::read_to_string(&path).expect("it can be read");
        let blocks = text.split("\nrule ").skip(1);
        for rule in blocks {
            let name = rule.split(' ').next().expect("a rule has a name");
            for clause in ["about \"", "severity ", "tags [", "key ", "match ", "emit "] {
                assert!(rule.contains(&format!("\n  {clause}")), "{name} lacks `{clause}`");
            }
            // What it finds, what it leaves alone, and where exactly that ends.
            let tests = text.matches(&format!("\ntest {name} {{")).count();
            assert!(tests >= 3, "{name} has {tests} tests");
        }
    }
}
