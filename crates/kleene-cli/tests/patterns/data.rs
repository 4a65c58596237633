//! The small streams in `examples/data`: made up, but with known cases in them, so that what the
//! rules of `patterns/` have to find is known without running them.

use std::fmt::Write as _;

use kleene::Timestamp;

/// Every file: its name and its text.
pub(crate) fn files() -> [(&'static str, String); 6] {
    [
        ("orders.jsonl", orders()),
        ("clicks.jsonl", clicks()),
        ("auth.jsonl", auth()),
        ("trades.jsonl", trades()),
        ("ticks.csv", ticks()),
        ("hits.jsonl", hits()),
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

/// How far each of the 36 users of [`clicks`] got: 1 a view, 2 in the cart, 3 ordered, 4 paid. At 5,
/// the user paid, but more than an hour after the view.
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
