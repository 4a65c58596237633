//! The number of matches and timeouts of each rule.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};

use crate::counts::{counted, grouped};
use kleene_event::util::order;

/// The largest number of rules in the summary.
const LISTED: usize = 15;
/// The number of characters of a rule's name that are shown.
const NAME: usize = 48;

/// Matches and timeouts by rule.
#[derive(Clone, Debug, Default)]
pub struct Tally(HashMap<Arc<str>, [u64; 2]>);

impl Tally {
    /// Counts a match of a rule.
    pub fn matched(&mut self, rule: &Arc<str>) {
        self.add(rule, [1, 0]);
    }

    /// Counts a timeout of a rule.
    pub fn timed_out(&mut self, rule: &Arc<str>) {
        self.add(rule, [0, 1]);
    }

    /// Returns the matches and the timeouts of a rule.
    pub fn of(&self, rule: &str) -> [u64; 2] {
        self.0.get(rule).copied().unwrap_or_default()
    }

    fn add(&mut self, rule: &Arc<str>, more: [u64; 2]) {
        if let Some(counts) = self.0.get_mut(&**rule) {
            counts[0] += more[0];
            counts[1] += more[1];
        } else {
            // A name is copied only once.
            self.0.insert(rule.clone(), more);
        }
    }

    /// Adds the counts of another tally, which is empty afterwards.
    pub fn take(&mut self, other: &mut Tally) {
        for (rule, counts) in other.0.drain() {
            self.add(&rule, counts);
        }
    }

    /// Returns the counts for a checkpoint, which [`Tally::restore`] reads.
    pub fn saved(&self) -> Value {
        let mut rules: Vec<_> = self.0.iter().collect();
        rules.sort();
        rules.into_iter().map(|(rule, [m, t])| json!([**rule, m, t])).collect()
    }

    /// Restores the counts of a run that continues.
    pub fn restore(saved: &Value) -> Tally {
        let rules = saved.as_array().into_iter().flatten();
        let counts = rules.filter_map(|rule| {
            Some((rule[0].as_str()?.into(), [rule[1].as_u64()?, rule[2].as_u64()?]))
        });
        Tally(counts.collect())
    }

    /// Returns a table with a line for each of several rules, the busiest first. A rule that is not in
    /// `rules` is listed if it has found something. The table is empty for a single rule.
    pub fn table<'a>(&'a self, rules: impl IntoIterator<Item = &'a Arc<str>>) -> String {
        let mut rows: Vec<(&str, [u64; 2])> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        for rule in rules.into_iter().chain(self.0.keys()) {
            if known.insert(rule) {
                rows.push((rule, self.of(rule)));
            }
        }
        if rows.len() < 2 {
            return String::new();
        }
        order::sort_by_key(&mut rows, |(name, [m, t])| (Reverse(m + t), *name));
        let silent = rows.iter().filter(|(_, counts)| *counts == [0; 2]).count();
        let found = rows.len() - silent;
        // The last line sums up those that found nothing where they would fill the screen.
        let named = if rows.len() <= LISTED { rows.len() } else { found.min(LISTED) };
        let mut lines: Vec<(String, [u64; 2])> = rows[..named]
            .iter()
            .map(|(name, counts)| (name.chars().take(NAME).collect(), *counts))
            .collect();
        let rest = &rows[named..];
        if !rest.is_empty() {
            let sum = rest.iter().fold([0; 2], |sum, (_, [m, t])| [sum[0] + m, sum[1] + t]);
            let further = if named > 0 { "further " } else { "" };
            lines.push((counted(rest.len(), &format!("{further}rule")), sum));
        }
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(18);
        let mut text = format!(
            "{:<width$}  {:>12}  {:>12}\n",
            "by rule",
            "matches",
            "timeouts",
            width = width + 2
        );
        for (name, [matches, timeouts]) in lines {
            let (matches, timeouts) = (grouped(matches), grouped(timeouts));
            // Writing to memory does not fail.
            let _ = writeln!(text, "  {name:<width$}  {matches:>12}  {timeouts:>12}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<Arc<str>> {
        (0..count).map(|number| format!("rule_{number:03}").into()).collect()
    }

    #[test]
    fn the_busiest_rules_come_first_and_the_rest_is_summed() {
        let rules = names(40);
        let mut tally = Tally::default();
        for (count, rule) in rules.iter().enumerate() {
            (0..count).for_each(|_| tally.matched(rule));
        }
        tally.timed_out(&rules[0]);
        let table = tally.table(&rules);
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 2 + LISTED);
        assert_eq!(lines[1], ["rule_039", "39", "0"]);
        let rest: usize = (0..25).sum();
        assert_eq!(lines[1 + LISTED], ["25", "further", "rules", &*rest.to_string(), "1"]);
        let all = tally.saved();
        assert_eq!(Tally::restore(&all).saved(), all);
    }

    #[test]
    fn one_rule_needs_no_table_and_silent_ones_are_listed_while_there_is_room() {
        let mut tally = Tally::default();
        let rules = names(40);
        assert_eq!(tally.table(&rules[..1]), "");
        tally.matched(&rules[1]);
        let table = tally.table(&rules[..2]);
        let found: Vec<&str> = table.lines().collect();
        assert_eq!(
            found,
            [
                "by rule                    matches      timeouts",
                "  rule_001                       1             0",
                "  rule_000                       0             0",
            ]
        );
        let table = tally.table(&rules);
        assert!(table.contains("39 further rules"), "{table}");
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(Tally::default().table(&rules).contains("\n  40 rules "));
    }
}
