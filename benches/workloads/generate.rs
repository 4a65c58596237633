//! Small streams of the same kind as those that the workloads are measured on, but denser, so that
//! a few thousand events already hold matches, timeouts and near misses.

use kleene::schema::Schema;
use kleene::{Record, Timestamp, Value};

/// A small, fast generator (`SplitMix64`): the same numbers for the same seed, everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound`, without it.
    pub fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % bound.unsigned_abs().max(1)).unwrap_or(0)
    }

    /// True in `chance` of 100 cases.
    fn percent(&mut self, chance: i64) -> bool {
        self.below(100) < chance
    }

    /// A number from 0 to `bound`, the small ones much more often.
    fn skewed(&mut self, bound: i64) -> i64 {
        let limit = self.below(bound) + 1;
        self.below(limit)
    }
}

/// An event before it is laid out: values by field name.
pub struct Row {
    pub time: i64,
    ty: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Row {
    fn new(time: i64, ty: &'static str, fields: &[(&'static str, Value)]) -> Row {
        Row { time, ty, fields: fields.to_vec() }
    }

    /// The event, as `schema` lays it out; none if it lacks the type.
    pub fn to_record(&self, schema: &Schema) -> Option<Record> {
        let id = schema.type_id(self.ty)?;
        let time = Timestamp::from_millis(self.time);
        let values = schema.ty(id).fields.iter().map(|field| match &*field.name {
            "ts" => Value::Time(time),
            name => {
                let value = self.fields.iter().find(|(field, _)| *field == name);
                value.map_or(Value::Null, |(_, value)| value.clone())
            }
        });
        Some(Record::new(id, time, values.collect::<Vec<_>>()))
    }
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn size(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}

/// A price or an amount: hundredths as a float.
fn money(hundredths: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    Value::Float(hundredths as f64 / 100.0)
}

pub fn orders(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for order in 0..size(events) / 2 {
        let time = rng.below(2 * HOUR);
        let fields = [
            ("order_id", Value::Int(order)),
            ("user_id", Value::Int(rng.below(500))),
            ("amount", money(rng.below(20_000))),
        ];
        rows.push(Row::new(time, "order_created", &fields));
        if rng.percent(90) {
            // Some come at ten minutes exactly, which is too late.
            let wait = if rng.percent(5) { 10 * MINUTE } else { 1 + rng.skewed(15 * MINUTE) };
            rows.push(Row::new(time + wait, "order_paid", &fields));
        }
    }
    rows
}

pub fn logins(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    while rows.len() < events {
        let user = rng.skewed(200);
        let fields = [
            ("user_id", Value::Int(user)),
            ("ip", Value::Ip(std::net::Ipv4Addr::new(10, 0, 0, 7).into())),
        ];
        let mut time = rng.below(HOUR);
        for _ in 0..rng.below(8) {
            time += rng.below(4000);
            let ty = match rng.below(10) {
                0 => "page_view",
                1 => "login_ok",
                _ => "login_failed",
            };
            rows.push(Row::new(time, ty, &fields));
        }
    }
    rows
}

pub fn trades(rng: &mut Rng, events: usize) -> Vec<Row> {
    let days = 7 * 24 * HOUR;
    let row = |_| {
        let status = if rng.percent(80) { "ok" } else { "failed" };
        let fields = [
            ("user_id", Value::Int(rng.skewed(size(events) / 8))),
            ("amount", money(rng.below(50_000) - 5000)),
            ("status", Value::from(status)),
        ];
        Row::new(rng.below(days), "trade", &fields)
    };
    (0..events).map(row).collect()
}

pub fn hits(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    while rows.len() < events {
        let mut time = rng.below(HOUR);
        let burst = if rng.percent(20) { rng.below(120) } else { 1 };
        let ip = rng.skewed(size(events) / 10);
        for _ in 0..burst {
            time += rng.below(600);
            let fields = [
                ("ip", Value::Int(ip)),
                ("path", Value::Int(rng.below(50))),
                ("ad", Value::Int(rng.below(4))),
            ];
            rows.push(Row::new(time, "hit", &fields));
        }
    }
    rows
}

pub fn funnel(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let row = |time: i64, ty, user: i64, item: i64| {
        Row::new(time, ty, &[("user_id", Value::Int(user)), ("item", Value::Int(item))])
    };
    while rows.len() < events {
        let (user, mut time) = (rng.skewed(size(events) / 20), rng.below(6 * HOUR));
        let item = rng.below(10);
        for (ty, chance) in [("view", 100), ("cart", 70), ("order", 80), ("pay", 90)] {
            if !rng.percent(chance) {
                break;
            }
            rows.push(row(time, ty, user, item));
            let other =
                ["view", "review", "like", "cart"][usize::try_from(rng.below(4)).unwrap_or(0)];
            rows.push(row(time + rng.below(MINUTE), other, user, rng.below(10)));
            time += rng.below(25 * MINUTE);
        }
    }
    rows
}

pub fn stock(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut prices = [10_000_i64; 7];
    let names: Vec<Value> = (0..7).map(|i| Value::from(format!("S{i:03}"))).collect();
    let row = |i| {
        let symbol = usize::try_from(rng.below(7)).unwrap_or(0);
        prices[symbol] = (prices[symbol] + rng.below(21) - 10).max(100);
        let fields = [
            ("symbol", names[symbol].clone()),
            ("price", money(prices[symbol])),
            ("volume", Value::Int(rng.below(1000))),
        ];
        Row::new(i * 50, "tick", &fields)
    };
    (0..size(events)).map(row).collect()
}

/// Blocks of one `a`, up to ten `b`s and one or two `c`s.
pub fn kleene(rng: &mut Rng, events: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut time = 0;
    while rows.len() < events.min(400) {
        time += 10 * HOUR;
        let mut add = |ty, rng: &mut Rng| {
            time += rng.below(5 * MINUTE);
            let fields = [("k", Value::Int(0)), ("v", Value::Int(rng.below(10)))];
            rows.push(Row::new(time, ty, &fields));
        };
        add("a", rng);
        for _ in 0..rng.below(10) {
            add("b", rng);
        }
        for _ in 0..=rng.below(2) {
            add("c", rng);
        }
    }
    rows
}
