//! Matches that are held are reported as they would have been at once.

use std::thread;

use kleene::stream::{Engine, HeldMatches, Match, Output, Sink, Timeout};
use kleene::{Record, RuleSet, Timestamp, Value};
use kleene_test::steps::Dice;

/// Rules of many forms, with timeouts, silences that repeat, groups, and sets of several matches.
const RULES: &str = r"
    event a { at: time, k: int, v: float, name: string }
    event b { at: time, k: int, v: float, name: string }
    rule pair   { key k  match a as x -> b as y  within 40ms  emit { k, sum: x.v + y.v, name: x.name }
                  on timeout emit { k, v: x.v, waits: match.awaits, at: match.step } }
    rule loops  { key k, name  match a{2..4} as all -> b  within 90ms
                  emit { k, sum: sum(all.v), first: first(all.v), last: last(all.v), id: match.id }
                  on timeout emit { n: count(all) } }
    rule groups { match (a -> b){2} as g  within 200ms  emit { n: count(g) } }
    rule quiet  { key k  match a -> not b for 15ms repeat  emit { k, n: match.repetition } }
    rule every  { key k  match a -> any b  within 60ms  skip none  emit { k }  suppress 20ms }
    rule counted { key k  match a -> any a -> b  within 60ms  skip none  report count
                  emit { k, n: matches.count } }
    rule firsts { key k  match a{1..3 each any} -> b  within 60ms  skip none  report first 2  emit { k } }
    rule nulls  { match a[v > 3] -> b  within 20ms  emit { ratio: 1.0 / (a.v - 4.0) } }
";

/// Holds what can be held, and keeps everything as it came.
#[derive(Default)]
struct Both {
    held: HeldMatches<Record>,
    /// What is held, as it was reported.
    direct: Vec<Output<Record>>,
    /// The number of matches that are one of several.
    of_sets: usize,
}

impl Sink<Record> for Both {
    fn matched(&mut self, found: Match<'_, Record>) {
        if self.held.hold(&found) {
            self.direct.push(Output::Match(found.to_owned()));
        } else {
            self.of_sets += 1;
        }
    }

    fn timed_out(&mut self, timeout: Timeout<'_, Record>) {
        if self.held.hold(timeout.as_match()) {
            self.direct.push(Output::Timeout(timeout.to_owned()));
        } else {
            self.of_sets += 1;
        }
    }
}

#[test]
fn what_is_held_is_reported_as_at_once() {
    let rules = RuleSet::parse(RULES).unwrap_or_else(|error| panic!("{error}"));
    let mut engine: Engine<Record> = Engine::builder().rules(&rules).build().unwrap();
    let (mut dice, mut now, mut all, mut sets) = (Dice(7), 1000_i64, 0, 0);
    let mut both = Both::default();
    for round in 0..40 {
        for _ in 0..100 {
            now += i64::try_from(dice.below(12)).unwrap();
            let ty = rules.schema().type_id(if dice.below(3) == 0 { "b" } else { "a" }).unwrap();
            let at = Timestamp::from_millis(now);
            let name = ["ann", "a rather long name, which is not kept in place"][dice.below(2)];
            let [key, value] = [3, 7].map(|below| i32::try_from(dice.below(below)).unwrap());
            let values =
                [Value::Time(at), Value::Int(key.into()), Value::Float(value.into()), name.into()];
            engine.push(&Record::new(ty, at, values), &mut both).unwrap();
        }
        if round == 39 {
            engine.end_time(&mut both).unwrap();
        }
        let Both { held, direct, of_sets } = std::mem::take(&mut both);
        sets += of_sets;
        let (half, count) = (held.len() / 2, held.len());
        assert_eq!((count, held.is_empty()), (direct.len(), false));
        assert!(held.bytes() >= 24 * count as u64, "{} bytes of {count}", held.bytes());
        // By another thread, and in two parts.
        let reporting = thread::spawn(move || {
            let mut reported = Vec::new();
            held.report(0..half, &mut reported);
            held.report(half..count, &mut reported);
            (held, reported)
        });
        let (mut held, reported) = reporting.join().unwrap();
        assert_eq!(reported, direct, "round {round}");
        all += count;
        held.clear();
        assert_eq!((held.len(), held.bytes()), (0, 0));
        both.held = held;
        if round % 10 == 9 {
            // Rules that are replaced are others, also where their text is the same.
            engine.replace_rules(&RuleSet::parse(RULES).unwrap()).unwrap();
        }
    }
    assert!(all > 1000 && sets > 100, "{all} and {sets}");
}
