//! The small streams in `examples/data`: made up, but with known cases in them, so that what the
//! rules of `patterns/` have to find is known without running them.

use std::fmt::Write as _;

use kleene::Timestamp;

/// Every file: its name and its text.
pub(crate) fn files() -> [(&'static str, String); 16] {
    [
        ("orders.jsonl", orders()),
        ("clicks.jsonl", clicks()),
        ("auth.jsonl", auth()),
        ("trades.jsonl", trades()),
        ("ticks.csv", ticks()),
        ("hits.jsonl", hits()),
        ("shop.jsonl", shop()),
        ("signins.jsonl", signins()),
        ("hosts.jsonl", hosts()),
        ("cloudtrail.jsonl", cloudtrail()),
        ("processes.jsonl", processes()),
        ("payments.jsonl", payments()),
        ("ads.jsonl", ads()),
        ("sensors.jsonl", sensors()),
        ("prices.csv", prices()),
        ("ops.jsonl", ops()),
    ]
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// 2024-05-01T00:00:00Z
const START: i64 = 1_714_521_600_000;

/// A small generator of numbers, the same on every machine.
struct Random(u64);

impl Random {
    /// A number in `from..to`.
    fn within(&mut self, from: i64, to: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + ((self.0 >> 33) % (to - from).unsigned_abs()).cast_signed()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let len = i64::try_from(of.len()).expect("it is short");
        of[usize::try_from(self.within(0, len)).expect("it is not negative")]
    }
}

/// Events with their times, in any order.
#[derive(Default)]
struct Stream(Vec<(i64, String)>);

impl Stream {
    /// Adds an event: its time in milliseconds since [`START`], its type, and the rest of the JSON
    /// object.
    fn add(&mut self, at: i64, ty: &str, fields: &str) {
        let ts = time(at);
        self.0.push((at, format!("{{\"ts\":\"{ts}\",\"type\":\"{ty}\",{fields}}}")));
    }

    /// The lines in the order of time.
    fn sorted(mut self) -> String {
        self.0.sort_by_key(|(at, _)| *at);
        self.0.into_iter().fold(String::new(), |text, (_, line)| text + &line + "\n")
    }

    /// The lines in an order of arrival: each comes at most `bound` later than a newer one.
    fn disordered(mut self, bound: i64, random: &mut Random) -> String {
        self.0.sort_by_key(|(at, _)| *at);
        for (at, _) in &mut self.0 {
            *at += random.within(0, bound + 1);
        }
        self.sorted()
    }
}

fn time(at: i64) -> Timestamp {
    Timestamp::from_millis(START + at)
}

/// 26 orders of three days. Of `o-1001` to `o-1026`
/// - 1008, 1016 and 1023 are never paid; 1005, 1012 and 1020 late, after 45 min, 3 h and 9 h;
/// - 1021 is paid, and never sent; 1014 is sent, and never arrives;
/// - 1003, 1010 and 1018 arrive after the promised day, all others before.
fn orders() -> String {
    let mut random = Random(1);
    let mut stream = Stream::default();
    let mut at = 7 * HOUR;
    for number in 1001..=1026 {
        at += random.within(HOUR, 4 * HOUR) / SECOND * SECOND;
        let order = format!("\"order_id\":\"o-{number}\"");
        let customer =
            random.pick(&["ann", "bob", "cem", "dora", "emil", "fay", "gus", "hana", "ivo"]);
        let promised = time(at / DAY * DAY + 12 * DAY);
        stream.add(
            at,
            "order_purchased",
            &format!(
                "{order},\"customer_id\":\"{customer}\",\"estimated_delivery\":\"{promised}\""
            ),
        );
        let paid = at
            + match number {
                1008 | 1016 | 1023 => continue,
                1005 => 45 * MINUTE,
                1012 => 3 * HOUR,
                1020 => 9 * HOUR,
                _ => random.within(40, 25 * 60) * SECOND,
            };
        stream.add(paid, "payment_approved", &order);
        let sent = paid + random.within(6 * 60, 48 * 60) * MINUTE;
        if number == 1021 {
            continue;
        }
        stream.add(sent, "handed_to_carrier", &order);
        let arrived = match number {
            1014 => continue,
            1003 | 1010 | 1018 => at + 13 * DAY + random.within(0, 3 * 24 * 60) * MINUTE,
            _ => sent + random.within(2 * 24 * 60, 8 * 24 * 60) * MINUTE,
        };
        stream.add(arrived, "delivered", &order);
    }
    stream.sorted()
}

/// How far each of the 36 users of [`clicks`] got: 1 a view, 2 in the cart, 3 ordered, 4 paid. At
/// 5, the user paid, but more than an hour after the view.
pub(crate) const REACHED: &[u8; 36] = b"412114213411231411241311145112141231";

/// One view of one item a user, and what became of it, with views of other users in between.
fn clicks() -> String {
    let mut random = Random(2);
    let mut stream = Stream::default();
    for (number, reached) in (1..).zip(REACHED) {
        let mut at = 9 * HOUR + random.within(0, 6 * 60 * 60) * SECOND;
        let item = random.pick(&["lamp", "desk", "chair", "shelf", "rug", "clock"]);
        let fields = format!("\"user\":\"u-{number:02}\",\"item\":\"{item}\"");
        for (step, name) in (b'1'..=b'4').zip(["view", "cart", "order", "pay"]) {
            if step > *reached {
                break;
            }
            if name == "pay" {
                at += if *reached == b'5' { 70 * MINUTE } else { 0 };
                let cents = random.within(900, 30_000);
                let amount = format!("\"amount\":{}.{:02}", cents / 100, cents % 100);
                stream.add(at, name, &format!("{fields},{amount}"));
            } else {
                stream.add(at, name, &fields);
            }
            at += random.within(20, 12 * 60) * SECOND;
        }
    }
    stream.sorted()
}

/// The log of an SSH server, as it arrives from several writers: up to 3 s out of order.
/// - 203.0.113.7 tries 14 passwords for root, and gives up;
/// - 198.51.100.23 asks for seven users that do not exist, one after the other;
/// - 203.0.113.99 tries eight passwords for deploy, of which the last is right;
/// - people log in, some after a typing mistake or two.
fn auth() -> String {
    let mut random = Random(3);
    let mut stream = Stream::default();
    let fields = |ip: &str, user: &str| format!("\"ip\":\"{ip}\",\"user\":\"{user}\"");
    for number in 1..=30 {
        let mut at = 8 * HOUR + number * 11 * MINUTE + random.within(0, 300) * SECOND;
        let ip = format!("192.0.2.{}", 10 + number);
        let user = random.pick(&["ann", "bob", "cem", "dora", "emil"]);
        for _ in 0..[0, 0, 1, 0, 2][usize::try_from(number % 5).expect("it is small")] {
            stream.add(at, "login_failed", &fields(&ip, user));
            at += random.within(4, 20) * SECOND;
        }
        stream.add(at, "login_ok", &fields(&ip, user));
    }
    for number in 0..14 {
        let at = 9 * HOUR + number * 2500;
        stream.add(at, "login_failed", &fields("203.0.113.7", "root"));
    }
    for (number, user) in (0..).zip(["test", "oracle", "git", "pi", "admin", "ubuntu", "guest"]) {
        let at = 10 * HOUR + number * 9 * SECOND;
        stream.add(at, "invalid_user", &fields("198.51.100.23", user));
        if number == 4 {
            stream.add(at + SECOND, "login_failed", &fields("198.51.100.23", user));
        }
    }
    for number in 0..8 {
        let at = 11 * HOUR + number * 7 * SECOND;
        let outcome = if number == 7 { "login_ok" } else { "login_failed" };
        stream.add(at, outcome, &fields("203.0.113.99", "deploy"));
    }
    stream.disordered(3 * SECOND, &mut random)
}

/// Trades of two days. Within a day ann makes 7 good ones, dora 12, cem 5 beside 3 that fail; bob
/// makes 5 good ones, but in more than a day; the others make four or fewer.
fn trades() -> String {
    let mut random = Random(4);
    let mut stream = Stream::default();
    let mut trade = |user: &str, at: i64, status: &str| {
        let symbol = random.pick(&["AAA", "BBB", "CCC"]);
        let amount = random.within(1_000, 100_000);
        let fields = format!(
            "\"user\":\"{user}\",\"symbol\":\"{symbol}\",\"amount\":{}.{:02},\"status\":\"{status}\"",
            amount / 100,
            amount % 100
        );
        stream.add(at, "trade", &fields);
    };
    for number in 0..7 {
        trade("ann", 9 * HOUR + number * 47 * MINUTE, "ok");
    }
    for number in 0..5 {
        trade("bob", 8 * HOUR + number * 7 * HOUR, "ok");
    }
    for number in 0..8 {
        let status = if number % 3 == 1 { "failed" } else { "ok" };
        trade("cem", 10 * HOUR + number * 73 * MINUTE, status);
    }
    for number in 0..12 {
        trade("dora", 7 * HOUR + number * 91 * MINUTE, "ok");
    }
    for (user, count) in [("emil", 4), ("fay", 1), ("gus", 3), ("hana", 2)] {
        for number in 0..count {
            trade(user, 8 * HOUR + number * 5 * HOUR + 13 * MINUTE, "ok");
        }
    }
    stream.sorted()
}

/// How the price of a symbol moves, once a minute: `+` up, `-` down, `=` not at all.
///
/// AAA has two shapes, the second beginning where the first ended; BBB has one, and a rise of one
/// step only; CCC has a plateau at each low, which is no V.
const MOVES: [(&str, &str); 3] = [
    ("AAA", "++=---++++--+++=+-+-+"),
    ("BBB", "+-=--+-=+=-----++++=-"),
    ("CCC", "--=++=---=+++=-==++-="),
];

/// Prices of three symbols, as CSV.
fn ticks() -> String {
    let mut random = Random(5);
    let mut rows: Vec<(i64, String)> = Vec::new();
    for (number, (symbol, moves)) in (0..).zip(MOVES) {
        let mut cents = 10_000 + 2_500 * number;
        for (minute, step) in (0..).zip("=".chars().chain(moves.chars())) {
            cents += match step {
                '+' => random.within(10, 150),
                '-' => -random.within(10, 150),
                _ => 0,
            };
            let at = 9 * HOUR + minute * MINUTE + number * 5 * SECOND;
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            rows.push((at, format!("{},tick,{symbol},{price}", time(at))));
        }
    }
    rows.sort_by_key(|(at, _)| *at);
    let mut text = String::from("ts,type,symbol,price\n");
    for (_, row) in rows {
        writeln!(text, "{row}").expect("a string takes it");
    }
    text
}

/// The log of a web server.
/// - 198.51.100.40 fetches 65 pages, five a second; 198.51.100.41 35 pages, three a second, without
///   saying who it is;
/// - 198.51.100.50 takes one page a second, 40 in all, the twelfth being the trap;
/// - people take 10 s and more for each of their pages.
fn hits() -> String {
    let mut random = Random(6);
    let mut stream = Stream::default();
    let pages = ["/", "/news", "/sport", "/weather", "/culture", "/games"];
    let mut hit = |random: &mut Random, ip: &str, at: i64, path: Option<&str>, agent: &str| {
        let path = path.unwrap_or_else(|| random.pick(&pages));
        let agent =
            if agent.is_empty() { String::new() } else { format!(",\"agent\":\"{agent}\"") };
        stream.add(at, "hit", &format!("\"ip\":\"{ip}\",\"path\":\"{path}\"{agent}"));
    };
    for number in 1..=9 {
        let mut at = 12 * HOUR + random.within(0, 60) * SECOND;
        let agent = random.pick(&["Firefox", "Safari", "Chrome"]);
        for _ in 0..random.within(2, 9) {
            hit(&mut random, &format!("192.0.2.{number}"), at, None, agent);
            at += random.within(10_000, 60_000);
        }
    }
    for number in 0..65 {
        let at = 12 * HOUR + 30 * SECOND + number * 200;
        hit(&mut random, "198.51.100.40", at, None, "fastbot/1.2");
    }
    for number in 0..35 {
        let at = 12 * HOUR + 75 * SECOND + number * 333;
        hit(&mut random, "198.51.100.41", at, None, "");
    }
    for number in 0..40 {
        let at = 12 * HOUR + 20 * SECOND + number * SECOND;
        let path = if number == 11 { Some("/trap") } else { None };
        hit(&mut random, "198.51.100.50", at, path, "politebot/3");
    }
    stream.sorted()
}

/// Coupons and refunds of 50 days.
/// - accounts a-31, a-32 and a-33 redeem WELCOME10 on device d-07, two others do on d-08; four
///   redeem FREESHIP on the kiosk;
/// - d-20 tries 14 codes that do not exist and finds one that does; d-03 mistypes two;
/// - k-05 has money back for four parcels that nobody can check, others for one;
/// - the goods of o-509 and o-514 do not come back.
fn shop() -> String {
    let mut random = Random(7);
    let mut stream = Stream::default();
    let redeem = |stream: &mut Stream, at: i64, code: &str, account: &str, device: &str| {
        let fields = format!("\"code\":\"{code}\",\"account_id\":\"{account}\"");
        stream.add(
            at,
            "coupon_redeemed",
            &format!("{fields},\"device_id\":\"{device}\",\"discount\":10.0"),
        );
    };
    for number in 1..=12 {
        let at = random.within(0, 30 * 24 * 60) * MINUTE;
        redeem(&mut stream, at, "WELCOME10", &format!("a-{number:02}"), &format!("d-{number:02}x"));
    }
    for (day, account) in (3..).zip(["a-31", "a-32", "a-33"]) {
        redeem(&mut stream, day * DAY + 19 * HOUR, "WELCOME10", account, "d-07");
    }
    for (day, account) in (5..).zip(["a-41", "a-42"]) {
        redeem(&mut stream, day * DAY + 20 * HOUR, "WELCOME10", account, "d-08");
    }
    for number in 51..=54 {
        let at = (number - 40) * DAY + 12 * HOUR;
        redeem(&mut stream, at, "FREESHIP", &format!("a-{number}"), "kiosk");
    }
    for (device, account, day, tries) in [("d-20", "a-20", 9, 14), ("d-03", "a-03", 10, 2)] {
        let mut at = day * DAY + 15 * HOUR;
        for number in 1..=tries {
            let fields = format!("\"code\":\"SAVE{number:02}\",\"account_id\":\"{account}\"");
            let fields = format!("{fields},\"device_id\":\"{device}\"");
            stream.add(at, "coupon_rejected", &fields);
            at += random.within(8, 20) * SECOND;
        }
        redeem(&mut stream, at, "SAVE25", account, device);
    }
    for number in 501..=520 {
        let order = format!("\"order_id\":\"o-{number}\"");
        let at = random.within(0, 25 * 24 * 60) * MINUTE;
        let customer = if number % 5 == 0 { 5 } else { number - 490 };
        let (reason, back) = match number % 5 {
            0 => ("not_received", false),
            1 => ("damaged", false),
            _ => ("does_not_fit", true),
        };
        let amount = random.within(35, 90);
        stream.add(
            at,
            "refund_issued",
            &format!(
                "{order},\"customer_id\":\"k-{customer:02}\",\"amount\":{amount}.0,\
                 \"reason\":\"{reason}\",\"return_expected\":{back}"
            ),
        );
        if back && !matches!(number, 509 | 514) {
            let days = random.within(3 * 24, 18 * 24) * HOUR;
            stream.add(at + days, "return_received", &order);
        }
    }
    stream.sorted()
}

/// A login service of a day.
/// - 203.0.113.50 tries one password for 24 users, a minute for four of them, and gets in as u-11;
/// - twelve people of the office mistype on the day when passwords have to be changed;
/// - u-03 is in Berlin and an hour and a half later in New York; u-04 flies to London;
/// - u-07 refuses six prompts and approves the seventh; u-09 misses two.
fn signins() -> String {
    let mut random = Random(8);
    let mut stream = Stream::default();
    let sign_in = |stream: &mut Stream, at: i64, user: &str, ip: &str, ok: bool, place: &str| {
        let fields = format!("\"user\":\"{user}\",\"ip\":\"{ip}\",\"ok\":{ok}{place}");
        stream.add(at, "sign_in", &fields);
    };
    let prompt = |stream: &mut Stream, at: i64, user: &str, ip: &str, result: &str| {
        let fields = format!("\"user\":\"{user}\",\"ip\":\"{ip}\"");
        let fields = format!("{fields},\"factor\":\"push\",\"result\":\"{result}\"");
        stream.add(at, "mfa_challenge", &fields);
    };
    let berlin = ",\"country\":\"DE\",\"lat\":52.52,\"lon\":13.405";
    for number in 1..=25 {
        let user = format!("u-{number:02}");
        let ip = format!("192.0.2.{}", 20 + number);
        let mut at = 7 * HOUR + random.within(0, 60) * MINUTE;
        for _ in 0..random.within(1, 3) {
            sign_in(&mut stream, at, &user, &ip, true, berlin);
            prompt(&mut stream, at + 5 * SECOND, &user, &ip, "approved");
            at += random.within(60, 120) * MINUTE;
        }
    }
    for number in 0..24 {
        let user = format!("u-{:02}", number + 1);
        sign_in(&mut stream, 12 * HOUR + number * 15 * SECOND, &user, "203.0.113.50", false, "");
    }
    sign_in(&mut stream, 12 * HOUR + 7 * MINUTE, "u-11", "203.0.113.50", true, "");
    for number in 0..12 {
        let user = format!("u-{:02}", number + 1);
        sign_in(&mut stream, 13 * HOUR + number * 30 * SECOND, &user, "192.0.2.130", false, "");
    }
    let new_york = ",\"country\":\"US\",\"lat\":40.7128,\"lon\":-74.006";
    let london = ",\"country\":\"GB\",\"lat\":51.5074,\"lon\":-0.1278";
    sign_in(&mut stream, 14 * HOUR, "u-03", "192.0.2.23", true, berlin);
    sign_in(&mut stream, 15 * HOUR + 30 * MINUTE, "u-03", "198.51.100.3", true, new_york);
    sign_in(&mut stream, 18 * HOUR, "u-04", "198.51.100.4", true, london);
    for (user, ip, refused) in [("u-07", "203.0.113.51", 6), ("u-09", "192.0.2.29", 2)] {
        for number in 0..refused {
            let result = if number % 2 == 0 { "denied" } else { "timeout" };
            prompt(&mut stream, 20 * HOUR + number * 50 * SECOND, user, ip, result);
        }
        prompt(&mut stream, 20 * HOUR + refused * 50 * SECOND, user, ip, "approved");
    }
    stream.sorted()
}

/// The events that a firewall and the hosts of a network write.
/// - 203.0.113.77 tries SSH on 60 hosts, one a second; the scanner of the network's own does, too;
/// - 203.0.113.78 tries 20 ports of 10.0.0.5;
/// - svc-app fails five times with sudo on web-2, and gets through; ann mistypes twice.
fn hosts() -> String {
    let mut random = Random(9);
    let mut stream = Stream::default();
    let flow = |stream: &mut Stream, at: i64, from: &str, to: &str, port: i64, action: &str| {
        let fields = format!("\"srcaddr\":\"{from}\",\"dstaddr\":\"{to}\"");
        stream.add(at, "flow", &format!("{fields},\"dstport\":{port},\"action\":\"{action}\""));
    };
    for number in 0..60 {
        let from = format!("10.0.1.{}", number % 9 + 1);
        let to = format!("10.0.0.{}", random.within(1, 9));
        let port = [443, 443, 5432, 22][usize::try_from(number % 4).expect("it is small")];
        let at = 10 * HOUR + random.within(0, 30 * 60) * SECOND;
        flow(&mut stream, at, &from, &to, port, "ACCEPT");
    }
    for number in 0..60 {
        let to = format!("10.0.0.{}", number + 1);
        let at = 10 * HOUR + 5 * MINUTE + number * SECOND;
        flow(&mut stream, at, "203.0.113.77", &to, 22, "REJECT");
        flow(&mut stream, at + 10 * MINUTE, "10.9.0.5", &to, 22, "ACCEPT");
    }
    for number in 0..20 {
        let at = 10 * HOUR + 20 * MINUTE + number * 400;
        flow(&mut stream, at, "203.0.113.78", "10.0.0.5", 20 + number * 7, "REJECT");
    }
    for (host, user, tries, command) in
        [("web-2", "svc-app", 5, "/bin/sh"), ("web-1", "ann", 2, "/usr/bin/apt update")]
    {
        for number in 0..=tries {
            let ok = number == tries;
            let fields = format!("\"host\":\"{host}\",\"user\":\"{user}\",\"ok\":{ok}");
            let at = 10 * HOUR + 12 * MINUTE + number * 6 * SECOND;
            stream.add(at, "sudo_call", &format!("{fields},\"command\":\"{command}\""));
        }
    }
    stream.sorted()
}

/// Calls of a cloud's interface, as `CloudTrail` writes them. Of the users, `build` is denied six
/// kinds of calls and then attaches a policy, `upload` is denied one kind again and again, and
/// `admin` hands out rights as admins do.
fn cloudtrail() -> String {
    let mut random = Random(10);
    let mut calls: Vec<(i64, &str, &str, bool)> = Vec::new();
    for number in 0..40 {
        let name = random.pick(&["GetObject", "PutObject", "DescribeInstances", "ListBuckets"]);
        calls.push((9 * HOUR + number * 70 * SECOND, "deploy", name, true));
    }
    for number in 0..20 {
        calls.push((9 * HOUR + number * 2 * MINUTE, "upload", "PutObject", false));
    }
    for (number, name) in (0..).zip([
        "ListUsers",
        "ListRoles",
        "GetAccountSummary",
        "ListBuckets",
        "DescribeInstances",
        "ListAttachedUserPolicies",
    ]) {
        calls.push((9 * HOUR + 20 * MINUTE + number * 40 * SECOND, "build", name, false));
    }
    calls.push((9 * HOUR + 31 * MINUTE, "build", "AttachUserPolicy", true));
    calls.push((9 * HOUR + 33 * MINUTE, "admin", "CreateAccessKey", true));
    calls.push((9 * HOUR + 34 * MINUTE, "admin", "AttachUserPolicy", true));
    calls.sort_by_key(|call| call.0);
    let mut text = String::new();
    for (at, user, name, allowed) in calls {
        let error = if allowed { "" } else { ",\"errorCode\":\"AccessDenied\"" };
        writeln!(
            text,
            "{{\"eventTime\":\"{}\",\"eventName\":\"{name}\",\"userIdentity\":{{\"type\":\
             \"IAMUser\",\"arn\":\"arn:aws:iam::111122223333:user/{user}\"}},\
             \"sourceIPAddress\":\"203.0.113.5\"{error}}}",
            time(at)
        )
        .expect("a string takes it");
    }
    text
}

/// Processes of three hosts, as the Elastic Common Schema has them, with some network events.
/// - on web-1, the shell web-1/41 of php-fpm asks `whoami`, `id` and `netstat`;
/// - on web-2, the shell web-2/41 of nginx asks twice the same and once another;
/// - on app-1, a shell that sshd has started asks all three.
fn processes() -> String {
    let mut random = Random(16);
    let mut starts: Vec<(i64, &str, u32, &str, u32, &str)> = Vec::new();
    for number in 0..60 {
        let at = 9 * HOUR + number * 40 * SECOND + random.within(0, 30) * SECOND;
        let host = random.pick(&["web-1", "web-2", "app-1"]);
        let name = random.pick(&["cron", "date", "logrotate", "sh", "hostname", "python3"]);
        starts.push((
            at,
            host,
            1000 + u32::try_from(number).expect("it is small"),
            name,
            7,
            "cron",
        ));
    }
    let at = |minute: i64, second: i64| 9 * HOUR + minute * MINUTE + second * SECOND;
    starts.extend([
        (at(12, 0), "web-1", 41, "sh", 11, "php-fpm"),
        (at(12, 4), "web-1", 42, "whoami", 41, "sh"),
        (at(12, 9), "web-1", 43, "id", 41, "sh"),
        (at(12, 31), "web-1", 44, "netstat", 41, "sh"),
        (at(20, 0), "web-2", 41, "bash", 11, "nginx"),
        (at(20, 1), "web-2", 42, "hostname", 41, "bash"),
        (at(20, 2), "web-2", 43, "hostname", 41, "bash"),
        (at(20, 3), "web-2", 44, "id", 41, "bash"),
        (at(25, 0), "app-1", 41, "bash", 12, "sshd"),
        (at(25, 5), "app-1", 42, "whoami", 41, "bash"),
        (at(25, 8), "app-1", 43, "id", 41, "bash"),
        (at(25, 30), "app-1", 44, "netstat", 41, "bash"),
    ]);
    starts.sort_by_key(|start| start.0);
    let mut text = String::new();
    for (number, (at, host, id, name, parent, parent_name)) in (0..).zip(starts) {
        // Elastic takes a list and a single value.
        let ty = if number % 5 == 0 { "\"start\"" } else { "[\"start\"]" };
        writeln!(
            text,
            "{{\"@timestamp\":\"{0}\",\"event\":{{\"category\":[\"process\"],\"type\":{ty}}},\
             \"host\":{{\"id\":\"{host}\"}},\"process\":{{\"entity_id\":\"{host}/{id}\",\
             \"name\":\"{name}\",\"parent\":{{\"entity_id\":\"{host}/{parent}\",\
             \"name\":\"{parent_name}\"}}}}}}",
            time(at)
        )
        .expect("a string takes it");
        if number % 9 == 0 {
            writeln!(
                text,
                "{{\"@timestamp\":\"{}\",\"event\":{{\"category\":[\"network\"],\"type\":\
                 [\"connection\"]}},\"host\":{{\"id\":\"{host}\"}}}}",
                time(at)
            )
            .expect("a string takes it");
        }
    }
    text
}

/// Cards and accounts of three days.
/// - 203.0.113.60 tries 17 cards with 1.00; c-907 and c-914 are good, and c-907 pays 480 elsewhere;
/// - c-77 pays at six shops within nine minutes, c-88 spends 2150 in forty;
/// - a-11 passes on 3800 of 4000; a-12 is paid, and pays rent;
/// - a-13 brings four times some 9300 in cash;
/// - a-21 has a new device, a new password and a new friend; a-22 the first two, and a new phone.
fn payments() -> String {
    let mut random = Random(11);
    let mut stream = Stream::default();
    let auth = |stream: &mut Stream, at: i64, card: &str, shop: &str, ip: &str, what: &str| {
        let fields = format!("\"card\":\"{card}\",\"merchant\":\"{shop}\",\"ip\":\"{ip}\"");
        stream.add(at, "card_auth", &format!("{fields},{what}"));
    };
    for number in 1..=40 {
        let mut at = 8 * HOUR + random.within(0, 600) * MINUTE;
        let (card, ip) = (format!("c-{number:02}"), format!("192.0.2.{number}"));
        for _ in 0..random.within(1, 4) {
            let shop = format!("m-{:02}", random.within(1, 30));
            let approved = random.within(0, 12) != 0;
            let what = format!("\"amount\":{}.5,\"approved\":{approved}", random.within(6, 150));
            auth(&mut stream, at, &card, &shop, &ip, &what);
            at += random.within(60, 600) * MINUTE;
        }
    }
    for number in 1..=17 {
        let at = 11 * HOUR + number * 7 * SECOND;
        let what = format!("\"amount\":1.0,\"approved\":{}", number % 7 == 0);
        auth(&mut stream, at, &format!("c-9{number:02}"), "m-99", "203.0.113.60", &what);
    }
    let large = "\"amount\":480.0,\"approved\":true";
    auth(&mut stream, 14 * HOUR, "c-907", "m-14", "203.0.113.61", large);
    for number in 0..6 {
        let (at, shop) = (15 * HOUR + number * 100 * SECOND, format!("m-{:02}", 40 + number));
        auth(&mut stream, at, "c-77", &shop, "203.0.113.62", "\"amount\":75.0,\"approved\":true");
    }
    for (number, amount) in (0..).zip([800, 750, 600]) {
        let what = format!("\"amount\":{amount}.0,\"approved\":true");
        auth(&mut stream, 16 * HOUR + number * 20 * MINUTE, "c-88", "m-50", "203.0.113.63", &what);
    }
    for (account, at, direction, channel, amount) in [
        ("a-11", 9 * HOUR, "in", "sepa", 4000),
        ("a-11", 10 * HOUR, "out", "sepa", 1500),
        ("a-11", 12 * HOUR, "out", "sepa", 1500),
        ("a-11", 13 * HOUR, "out", "cash", 800),
        ("a-12", 9 * HOUR, "in", "sepa", 3000),
        ("a-12", 20 * HOUR, "out", "sepa", 900),
        ("a-13", 10 * HOUR, "in", "cash", 9200),
        ("a-13", 26 * HOUR, "in", "cash", 9300),
        ("a-13", 34 * HOUR, "in", "cash", 9400),
        ("a-13", 50 * HOUR, "in", "cash", 9500),
    ] {
        let fields = format!("\"account\":\"{account}\",\"direction\":\"{direction}\"");
        let fields = format!("{fields},\"channel\":\"{channel}\",\"counterparty\":\"x\"");
        stream.add(at, "transfer", &format!("{fields},\"amount\":{amount}.0"));
    }
    for account in ["a-21", "a-22"] {
        let fields = format!("\"account\":\"{account}\",\"device_id\":\"d-{account}\"");
        let fields = format!("{fields},\"ip\":\"203.0.113.64\",\"new_device\":true");
        stream.add(17 * HOUR, "session_started", &fields);
        let fields = format!("\"account\":\"{account}\",\"what\":\"password\"");
        stream.add(17 * HOUR + 4 * MINUTE, "credential_changed", &fields);
        if account == "a-22" {
            let fields = fields.replace("password", "phone");
            stream.add(17 * HOUR + 5 * MINUTE, "credential_changed", &fields);
        }
        let is_new = account == "a-21";
        let fields = format!("\"account\":\"{account}\",\"beneficiary\":\"b-{account}\"");
        let fields = format!("{fields},\"new_beneficiary\":{is_new},\"amount\":750.0");
        stream.add(17 * HOUR + 9 * MINUTE, "payout_requested", &fields);
    }
    stream.sorted()
}

/// Clicks on advertisements, and what they led to.
/// - d-666 clicks twelve times in 24 seconds;
/// - d-700 and d-701 have the app three seconds after the click, others after forty and more;
/// - d-800 clicks what it was not shown, and d-801 what it was shown an hour before.
fn ads() -> String {
    let mut random = Random(12);
    let mut stream = Stream::default();
    let of = |device: &str| format!("\"device_id\":\"{device}\",\"campaign\":\"spring\"");
    let click = |stream: &mut Stream, at: i64, device: &str| {
        let fields = of(device);
        let fields = format!("{fields},\"ip\":\"192.0.2.8\",\"publisher\":\"p-1\"");
        stream.add(at, "ad_click", &fields);
    };
    for number in 101..=130 {
        let device = format!("d-{number}");
        let at = 12 * HOUR + random.within(0, 3600) * SECOND;
        stream.add(at - random.within(1, 300) * SECOND, "ad_impression", &of(&device));
        for again in 0..random.within(1, 3) {
            click(&mut stream, at + again * 2 * SECOND, &device);
        }
        if number % 3 == 0 {
            let installed = at + random.within(40, 600) * SECOND;
            stream.add(installed, "app_installed", &of(&device));
        }
    }
    stream.add(12 * HOUR + 19 * MINUTE, "ad_impression", &of("d-666"));
    for number in 0..12 {
        click(&mut stream, 12 * HOUR + 20 * MINUTE + number * 2 * SECOND, "d-666");
    }
    for device in ["d-700", "d-701"] {
        let at = 12 * HOUR + random.within(0, 3600) * SECOND;
        stream.add(at - 20 * SECOND, "ad_impression", &of(device));
        click(&mut stream, at, device);
        stream.add(at + 3 * SECOND, "app_installed", &of(device));
    }
    stream.add(11 * HOUR + 30 * MINUTE, "ad_impression", &of("d-801"));
    for device in ["d-800", "d-801"] {
        click(&mut stream, 12 * HOUR + 30 * MINUTE, device);
    }
    stream.sorted()
}

/// Two hours of five sensors, a reading a minute, two doors, and two machines.
/// - s-2 says nothing from 9:30 to 9:41; at the end all fall silent;
/// - s-3 climbs by more than a degree a minute from 9:50 on, six times;
/// - s-4 is stuck from 9:20 to 9:50;
/// - f-1, a fridge, is warm from 10:00 to 10:40;
/// - cold-1 is open for twelve minutes once;
/// - p-1 gets hot and shakes four minutes later, p-2 is hot once.
fn sensors() -> String {
    let mut random = Random(13);
    let mut stream = Stream::default();
    for minute in 0..120 {
        let at = 9 * HOUR + minute * MINUTE;
        let mut reading = |sensor: &str, cents: i64| {
            let celsius = format!("{}.{:02}", cents / 100, cents % 100);
            let fields = format!("\"sensor\":\"{sensor}\",\"celsius\":{celsius}");
            stream.add(at, "reading", &fields);
        };
        reading("s-1", 2100 + random.within(-30, 30));
        if !(31..41).contains(&minute) {
            reading("s-2", 1950 + random.within(-30, 30));
        }
        let climbed = if (50..60).contains(&minute) { (minute - 49).min(6) * 120 } else { 0 };
        reading("s-3", 4000 + climbed + random.within(0, 30));
        let is_stuck = (20..50).contains(&minute);
        reading("s-4", if is_stuck { 2222 } else { 2200 + random.within(-20, 20) });
        let warm = if (60..100).contains(&minute) { 400 } else { 0 };
        reading("f-1", 500 + warm + minute % 2 * 20);
    }
    for (door, opened, minutes) in [
        ("cold-1", 10, 2),
        ("cold-2", 15, 1),
        ("cold-1", 40, 12),
        ("cold-2", 70, 4),
        ("cold-1", 90, 3),
    ] {
        let fields = format!("\"door\":\"{door}\"");
        stream.add(9 * HOUR + opened * MINUTE, "door_opened", &fields);
        stream.add(9 * HOUR + (opened + minutes) * MINUTE, "door_closed", &fields);
    }
    for number in 0..24 {
        let at = 9 * HOUR + number * 5 * MINUTE;
        for (machine, hot_at, shakes) in [("p-1", 12, true), ("p-2", 6, false)] {
            let of = format!("\"machine\":\"{machine}\"");
            let celsius = if number == hot_at { 86 } else { random.within(55, 70) };
            stream.add(at, "temperature", &format!("{of},\"celsius\":{celsius}.5"));
            let speed = if number == hot_at && shakes { 6 } else { random.within(1, 3) };
            let fields = format!("{of},\"mm_per_s\":{speed}.2");
            stream.add(at + 4 * MINUTE, "vibration", &fields);
            let amps = random.within(16, 20);
            let fields = format!("{of},\"amps\":{amps}.5,\"rated\":20.0");
            stream.add(at + 2 * MINUTE, "motor_current", &fields);
        }
    }
    stream.sorted()
}

/// How three prices move, every five minutes for DDD and every minute for the others, in cents.
///
/// DDD has two lows near 94 with 98 between them and leaves them; EEE jumps by 8 percent and loses
/// it, then jumps again and keeps it; FFF does nothing.
const PRICES: [(&str, i64, &[i64]); 3] = [
    (
        "DDD",
        5,
        &[
            10_000, 9_950, 9_850, 9_750, 9_650, 9_560, 9_480, 9_420, 9_400, 9_450, 9_540, 9_640,
            9_720, 9_800, 9_760, 9_680, 9_580, 9_480, 9_410, 9_390, 9_460, 9_560, 9_660, 9_760,
            9_830, 9_850,
        ],
    ),
    (
        "EEE",
        1,
        &[
            5_000, 5_010, 5_000, 5_005, 5_120, 5_300, 5_400, 5_380, 5_290, 5_180, 5_080, 5_040,
            5_010, 5_005, 5_000, 5_010, 5_005, 5_010, 5_000, 5_100, 5_250, 5_300, 5_310, 5_300,
            5_320, 5_310,
        ],
    ),
    (
        "FFF",
        1,
        &[
            2_000, 2_005, 1_998, 2_002, 2_004, 1_999, 2_001, 2_003, 2_000, 1_997, 2_000, 2_002,
            2_004, 2_001, 2_000, 1_998, 1_999, 2_003,
        ],
    ),
];

/// Prices of three symbols, as CSV.
fn prices() -> String {
    let mut rows: Vec<(i64, &str, i64)> = Vec::new();
    for (symbol, minutes, path) in PRICES {
        for (step, cents) in (0..).zip(path) {
            rows.push((9 * HOUR + step * minutes * MINUTE, symbol, *cents));
        }
    }
    rows.sort_unstable();
    let mut text = String::from("ts,type,symbol,price\n");
    for (at, symbol, cents) in rows {
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        writeln!(text, "{},tick,{symbol},{price}", time(at)).expect("a string takes it");
    }
    text
}

/// Three days of a cluster.
/// - the container of cart-7d4 dies eight times in a row, and those of mail-2b1 and web-9c3 five
///   times on the same node; that of search-5 dies three times of too little memory, and the job's
///   ends as it should;
/// - mail 2.1.0 is never healthy; search 3.0.1 is, and logs 45 errors soon after; cart 1.4.0 is
///   fine;
/// - backup does not start on the third day, and the report of the second never ends;
/// - the alert on web-3 comes and goes four times;
/// - t-2 is answered late, t-4 resolved late.
fn ops() -> String {
    let mut random = Random(14);
    let mut stream = Stream::default();
    let died = |stream: &mut Stream, at: i64, pod: &str, node: i64, code: i64, reason: &str| {
        let fields = format!("\"namespace\":\"shop\",\"pod\":\"{pod}\",\"container\":\"app\"");
        let fields = format!("{fields},\"node\":\"n-{node}\"");
        let fields = format!("{fields},\"exit_code\":{code},\"reason\":\"{reason}\"");
        stream.add(at, "container_terminated", &fields);
    };
    let mut at = 10 * HOUR;
    for number in 0..8 {
        died(&mut stream, at, "cart-7d4", 2, 1, "Error");
        if number < 5 {
            died(&mut stream, at + 3 * MINUTE, "mail-2b1", 2, 1, "Error");
            died(&mut stream, at + 4 * MINUTE, "web-9c3", 2, 134, "Error");
        }
        at += 2 * SECOND + (10 << number).min(300) * SECOND;
        died(&mut stream, 11 * HOUR + number * HOUR, "report-1", 1, 0, "Completed");
    }
    for number in 0..3 {
        died(&mut stream, 8 * HOUR + number * 6 * HOUR, "search-5", 3, 137, "OOMKilled");
    }
    for (service, version, at) in
        [("cart", "1.4.0", 9 * HOUR), ("mail", "2.1.0", 12 * HOUR), ("search", "3.0.1", 33 * HOUR)]
    {
        let of = format!("\"service\":\"{service}\",\"version\":\"{version}\"");
        stream.add(at, "deployed", &format!("{of},\"environment\":\"production\""));
        let healthy = service != "mail";
        stream.add(at + 2 * MINUTE, "health_check", &format!("{of},\"healthy\":{healthy}"));
        for _ in 0..12 {
            let at = at + random.within(0, 30 * 60) * MINUTE;
            stream.add(at, "error_logged", &format!("{of},\"message\":\"timeout\""));
        }
        for number in 0..if service == "search" { 45 } else { 0 } {
            let at = at + 3 * MINUTE + number * 2 * SECOND;
            stream.add(at, "error_logged", &format!("{of},\"message\":\"no such index\""));
        }
    }
    for day in 0..3 {
        for (job, hour) in [("backup", 2), ("report", 4)] {
            let run = format!("\"job\":\"{job}\",\"run_id\":\"{job}-{day}\"");
            let at = day * DAY + hour * HOUR + random.within(0, 600) * SECOND;
            if job == "backup" && day == 2 {
                continue;
            }
            stream.add(at, "job_started", &run);
            if job == "report" && day == 1 {
                continue;
            }
            let end = at + random.within(300, 3000) * SECOND;
            stream.add(end, "job_finished", &format!("{run},\"ok\":true"));
        }
    }
    for (instance, rounds) in [("web-3", 4), ("web-4", 1)] {
        let of = format!("\"alert\":\"HighLatency\",\"instance\":\"{instance}\"");
        for round in 0..rounds {
            let at = 20 * HOUR + round * 10 * MINUTE;
            stream.add(at, "alert_firing", &of);
            stream.add(at + 5 * MINUTE, "alert_resolved", &of);
        }
    }
    for (number, priority, answered, resolved) in
        [(1, 1, 10, 180), (2, 1, 20, 200), (3, 3, 180, 1500), (4, 1, 5, 300)]
    {
        let of = format!("\"ticket\":\"t-{number}\"");
        let at = 10 * HOUR + number * 17 * MINUTE;
        let (answer, resolve) = if priority == 1 { ("15m", "4h") } else { ("8h", "5d") };
        let fields = format!("{of},\"priority\":\"P{priority}\",\"answer_within\":\"{answer}\"");
        stream.add(at, "ticket_opened", &format!("{fields},\"resolve_within\":\"{resolve}\""));
        stream.add(at, "ticket_answered", &format!("{of},\"by\":\"autoreply\""));
        stream.add(at + answered * MINUTE, "ticket_answered", &format!("{of},\"by\":\"ann\""));
        stream.add(at + resolved * MINUTE, "ticket_resolved", &of);
    }
    stream.sorted()
}
