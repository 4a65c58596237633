//! The table of `--profile`.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::division::Division;
use kleene_event::util::order;
use kleene_report::counts::counted;

/// The largest number of rules in the table.
const LISTED: usize = 15;
/// The number of characters of a rule's name that are shown.
const NAME: usize = 40;

/// Where the time of a run went.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(super) read: Duration,
    pub(super) matched: Duration,
    /// The parts of `matched` for each rule that took steps.
    pub(super) by_rule: Vec<(Arc<str>, Duration)>,
    /// The time of making lines.
    pub(super) write: Duration,
    /// The time of giving lines to a file or a pipe.
    pub(super) hand_over: Duration,
    pub(super) wait: Duration,
    /// The time of the whole run on one thread.
    pub(super) elapsed: Duration,
    pub(super) division: Division,
}

impl Parts {
    /// Makes estimates smaller that are more than all the time that there was. Estimates are
    /// off by some percent.
    pub(super) fn fit(&mut self) {
        let room = self.elapsed.saturating_sub(self.wait + self.hand_over);
        let estimated = self.read + self.matched + self.write;
        if estimated > room {
            let fitting = room.as_secs_f64() / estimated.as_secs_f64();
            let rules = self.by_rule.iter_mut().map(|(_, time)| time);
            for time in rules.chain([&mut self.read, &mut self.matched, &mut self.write]) {
                *time = time.mul_f64(fitting);
            }
        }
    }

    /// Returns the table, a row for each part.
    pub(crate) fn table(mut self) -> String {
        let write = self.write + self.hand_over;
        let sum = self.read + self.matched + write + self.wait;
        let mut rows = vec![(String::from("read"), self.read)];
        rows.push((String::from("match"), self.matched));
        self.push_rules(&mut rows);
        rows.push((String::from("write"), write));
        rows.push((String::from("wait"), self.wait));
        let total = if self.division == Division::Alone {
            rows.push((String::from("other"), self.elapsed.saturating_sub(sum)));
            self.elapsed.max(sum)
        } else {
            sum
        };
        rows.push((String::from("total"), total));
        let added = "times are added over threads; write is estimated from some results";
        let (title, note) = match self.division {
            Division::Alone => {
                (String::from("profile"), "write, and so match, is estimated from one result of 16")
            }
            Division::Stages => (String::from("profile of 3 threads"), added),
            Division::Keys(threads) => (format!("profile of {threads} + {threads} threads"), added),
        };
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(20);
        let mut text = format!("{title}\n");
        for (name, time) in rows {
            let share = 100.0 * time.as_secs_f64() / total.as_secs_f64().max(1e-9);
            let time = format!("{:.3} s", time.as_secs_f64());
            // Writing to memory does not fail.
            let _ = writeln!(text, "{name:<width$}  {time:>11}  {share:>5.1} %");
        }
        let _ = write!(text, "{note}");
        text
    }

    /// Adds rows for the rules, the slowest first.
    fn push_rules(&mut self, rows: &mut Vec<(String, Duration)>) {
        order::sort_by_key(&mut self.by_rule, |(name, time)| (Reverse(*time), name.clone()));
        let listed = if self.by_rule.len() <= LISTED { LISTED } else { LISTED - 1 };
        let (shown, others) = self.by_rule.split_at(listed.min(self.by_rule.len()));
        for (name, time) in shown {
            let name: String = name.chars().take(NAME).collect();
            rows.push((format!("  {name}"), *time));
        }
        if !others.is_empty() {
            let sum = others.iter().map(|(_, time)| *time).sum();
            rows.push((format!("  {}", counted(others.len(), "other rule")), sum));
        }
        let all: Duration = self.by_rule.iter().map(|(_, time)| *time).sum();
        rows.push((String::from("  events without a step"), self.matched.saturating_sub(all)));
    }
}

/// Returns the share of a time that falls to some of all steps.
pub(super) fn share(time: Duration, steps: u64, all: u64) -> Duration {
    let nanos = time.as_nanos() * u128::from(steps) / u128::from(all.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(rules: usize) -> Parts {
        let millis = Duration::from_millis;
        Parts {
            read: millis(200),
            matched: millis(400),
            by_rule: (0..rules).map(|i| (format!("r{i}").into(), millis(i as u64))).collect(),
            write: millis(100),
            hand_over: millis(100),
            wait: millis(50),
            elapsed: millis(1000),
            division: Division::Alone,
        }
    }

    #[test]
    fn the_slowest_rules_come_first_and_the_rest_is_summed() {
        let table = parts(2).table();
        assert_eq!(
            table,
            "profile\n\
             read                         0.200 s   20.0 %\n\
             match                        0.400 s   40.0 %\n  \
               r1                         0.001 s    0.1 %\n  \
               r0                         0.000 s    0.0 %\n  \
               events without a step      0.399 s   39.9 %\n\
             write                        0.200 s   20.0 %\n\
             wait                         0.050 s    5.0 %\n\
             other                        0.150 s   15.0 %\n\
             total                        1.000 s  100.0 %\n\
             write, and so match, is estimated from one result of 16"
        );
        let table = parts(17).table();
        assert!(table.contains("\n  r3 "), "{table}");
        assert!(table.contains("\n  3 other rules              0.003 s"), "{table}");
    }

    #[test]
    fn estimates_that_are_too_large_are_fitted() {
        let mut parts = Parts { elapsed: Duration::from_millis(500), ..parts(2) };
        parts.fit();
        let table = parts.table();
        assert!(table.contains("\nread                         0.100 s   20.0 %\n"), "{table}");
        assert!(table.contains("\nother                        0.000 s    0.0 %\n"), "{table}");
    }
}
