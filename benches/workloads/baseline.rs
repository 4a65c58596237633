//! State machines that a good engineer writes in an hour for one rule and nothing else: a hash map
//! from the key to the least state that decides, over the same parsed events that the engine gets.
//! They report nothing but counts, assume sorted input, and know the index of each field.
//!
//! State that would grow without end is dropped: orders, views, hits. Users, addresses and symbols
//! are kept however long they have been idle. An engine cannot afford that; here their number is
//! bounded.

use std::collections::VecDeque;
use std::hint::black_box;

use hashbrown::HashMap;
use kleene::{Event, Record, Value};

use super::Counts;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn time(event: &Record) -> i64 {
    event.time().as_millis()
}

/// The integer in the field at `index`; 0 if it is none.
fn int(event: &Record, index: usize) -> i64 {
    match event.values().get(index) {
        Some(Value::Int(i)) => *i,
        _ => 0,
    }
}

/// The float in the field at `index`; 0 if it is none.
fn float(event: &Record, index: usize) -> f64 {
    match event.values().get(index) {
        Some(Value::Float(f)) => *f,
        _ => 0.0,
    }
}

fn text(event: &Record, index: usize) -> &str {
    match event.values().get(index) {
        Some(Value::String(text)) => text,
        _ => "",
    }
}

/// W1. Order ids are unique, so that one time per order is enough.
pub fn orders(events: &[Record]) -> Counts {
    const WITHIN: i64 = 10 * MINUTE;
    let mut open: HashMap<i64, i64> = HashMap::new();
    let mut deadlines: VecDeque<(i64, i64)> = VecDeque::new();
    let mut counts = Counts::default();
    for event in events {
        let now = time(event);
        while let Some(&(deadline, order)) = deadlines.front() {
            if deadline > now {
                break;
            }
            deadlines.pop_front();
            if open.remove(&order).is_some() {
                counts.timeouts += 1;
            }
        }
        let order = int(event, 1);
        if event.type_id().index() == 0 {
            open.insert(order, now);
            deadlines.push_back((now + WITHIN, order));
        } else if open.remove(&order).is_some() {
            counts.matches += 1;
        }
    }
    counts.timeouts += open.len() as u64;
    counts
}

/// W2. The times of the failures since the last other event or match, at most two.
pub fn logins(events: &[Record]) -> Counts {
    let mut users: HashMap<i64, (u8, [i64; 2])> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        let user = int(event, 1);
        if event.type_id().index() != 0 {
            users.remove(&user);
            continue;
        }
        let now = time(event);
        let (row, times) = users.entry(user).or_default();
        if *row == 2 {
            if now - times[0] < 5000 {
                counts.matches += 1;
                *row = 0;
            } else {
                *times = [times[1], now];
            }
        } else {
            times[usize::from(*row)] = now;
            *row += 1;
        }
    }
    counts
}

/// W3. The times of the last four good trades since the last match.
pub fn trades(events: &[Record]) -> Counts {
    let mut users: HashMap<i64, (usize, [i64; 4])> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        if float(event, 2) <= 0.0 || text(event, 3) != "ok" {
            continue;
        }
        let now = time(event);
        let (held, times) = users.entry(int(event, 1)).or_default();
        if *held < 4 {
            times[*held] = now;
            *held += 1;
        } else if now - times[0] < 24 * HOUR {
            counts.matches += 1;
            *held = 0;
        } else {
            times.rotate_left(1);
            times[3] = now;
        }
    }
    counts
}

/// W4. A ring of the times of the last hits since the last match.
pub fn hits(events: &[Record]) -> Counts {
    let mut ips: HashMap<i64, VecDeque<i64>> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        let now = time(event);
        let times = ips.entry(int(event, 1)).or_default();
        while times.front().is_some_and(|first| now - first >= 10_000) {
            times.pop_front();
        }
        if times.len() == 29 {
            counts.matches += 1;
            times.clear();
        } else {
            times.push_back(now);
        }
    }
    counts
}

/// W8: for each of `rules` classes of items, a view and then a pay of the same item within an hour,
/// per user; a match drops what is open of that user and class.
pub fn item_rules(events: &[Record], rules: usize) -> Counts {
    let rules = i64::try_from(rules).expect("there are fewer rules than numbers");
    let mut open: HashMap<(i64, i64), Vec<(i64, i64)>> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        let step = event.type_id().index();
        if step != 0 && step != 3 {
            continue;
        }
        let (now, item) = (time(event), int(event, 2));
        let key = (int(event, 1), item % rules);
        if step == 0 {
            let views = open.entry(key).or_default();
            views.retain(|&(start, _)| now - start < HOUR);
            views.push((now, item));
        } else if let Some(views) = open.get(&key)
            && views.iter().any(|&(start, viewed)| viewed == item && now - start < HOUR)
        {
            counts.matches += 1;
            open.remove(&key);
        }
    }
    counts
}

/// W5. What each user has viewed in the last hour, and how far they got with it.
pub fn funnel(events: &[Record]) -> Counts {
    struct Open {
        start: i64,
        item: i64,
        step: usize,
    }
    let mut users: HashMap<i64, Vec<Open>> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        let step = event.type_id().index();
        if step > 3 {
            continue;
        }
        let (now, item) = (time(event), int(event, 2));
        if step == 0 {
            let open = users.entry(int(event, 1)).or_default();
            open.retain(|open| now - open.start < HOUR);
            open.push(Open { start: now, item, step: 1 });
            continue;
        }
        let Some(open) = users.get_mut(&int(event, 1)) else { continue };
        open.retain_mut(|open| {
            if now - open.start >= HOUR {
                return false;
            }
            if open.item == item && open.step == step {
                open.step += 1;
            }
            counts.matches += u64::from(open.step == 4);
            open.step < 4
        });
    }
    counts
}

/// W6. The last price, and when the fall that it is part of began. No fall lasts for an hour here.
pub fn stock(events: &[Record]) -> Counts {
    #[derive(Clone, Copy)]
    struct Symbol {
        top: i64,
        falling: bool,
        price: f64,
    }
    let mut symbols: HashMap<&str, Option<Symbol>> = HashMap::new();
    let mut counts = Counts::default();
    for event in events {
        let (now, price) = (time(event), float(event, 2));
        let symbol = symbols.entry(text(event, 1)).or_default();
        *symbol = match *symbol {
            Some(last) if price < last.price => Some(Symbol { falling: true, price, ..last }),
            Some(last) if price > last.price && last.falling && now - last.top < HOUR => {
                counts.matches += 1;
                None
            }
            _ => Some(Symbol { top: now, falling: false, price }),
        };
    }
    counts
}

/// W7. For each `c` and each open `a`, every non-empty set of the `b`s in between.
pub fn kleene(events: &[Record]) -> Counts {
    let mut open: Vec<(i64, Vec<i64>)> = Vec::new();
    let mut counts = Counts::default();
    for event in events {
        let now = time(event);
        open.retain(|(start, _)| now - start < HOUR);
        match event.type_id().index() {
            0 => open.push((now, Vec::new())),
            1 => open.iter_mut().for_each(|(_, taken)| taken.push(int(event, 2))),
            _ => {
                for (_, taken) in &open {
                    for set in 1_u64..1 << taken.len().min(63) {
                        // The result would be made of this.
                        black_box(taken[set.trailing_zeros() as usize]);
                        counts.matches += 1;
                    }
                }
            }
        }
    }
    counts
}
