//! Descriptions of the words of the language.

/// The facts of a match: name, type, meaning.
pub(super) const FACTS: [(&str, &str, &str); 5] = [
    ("start", "time", "The time of the first event of the match."),
    ("end", "time", "The time of the last event of the match."),
    ("step", "string", "The step that a partial match has reached; for `on timeout`."),
    (
        "awaits",
        "list<string>",
        "The steps that would have continued a partial match; for `on timeout`.",
    ),
    ("id", "string", "The id of the match; it is the same after a replay."),
];

/// The facts of a set of matches: name, type, meaning.
pub(super) const SET_FACTS: [(&str, &str, &str); 5] = [
    ("count", "int", "The number of matches that the event, or the deadline, completes."),
    (
        "sum",
        "matches.sum(step.field)",
        "The sum of a field over the events of the step in all matches.",
    ),
    (
        "avg",
        "matches.avg(step.field)",
        "The mean of a field over the events of the step in all matches.",
    ),
    ("min", "matches.min(step.field)", "The smallest value that the step captured in any match."),
    ("max", "matches.max(step.field)", "The largest value that the step captured in any match."),
];

/// Calls that are no functions: the aggregates, and `matches`. Name, signature, meaning.
pub(super) const CALLS: [(&str, &str, &str); 11] = [
    (
        "count",
        "count(step)",
        "The number of events that the step has captured; in a condition, so far.",
    ),
    ("sum", "sum(step.field)", "The sum of a field over the captured events; 0 if there are none."),
    (
        "avg",
        "avg(step.field)",
        "The mean of a field over the captured events; null if there are none.",
    ),
    ("min", "min(step.field)", "The smallest value; with several arguments, the smallest of them."),
    ("max", "max(step.field)", "The largest value; with several arguments, the largest of them."),
    ("first", "first(step.field)", "The field of the event that was captured first."),
    ("last", "last(step.field)", "The field of the event that was captured last."),
    ("distinct", "distinct(step.field)", "The different values of a field, as a list."),
    (
        "collect",
        "collect(step.field)",
        "The values of a field, as a list in the order of their events.",
    ),
    (
        "matches",
        "matches(text, regex)",
        "True if the regular expression matches in the text, like `~`.",
    ),
    (
        "stddev",
        "stddev(step.field)",
        "The standard deviation of a field; null if there are no events.",
    ),
];

/// The purpose of each word of the language, in a sentence or two.
const WORDS: &[(&str, &str)] = &[
    (
        "event",
        "Declares an event type with its fields: `event login { user: string, at: time }`. `..` at the end allows further fields.",
    ),
    ("list", "Declares a list for `in`: `list office: ip from \"office.txt\"`, or `= [...]`."),
    ("param", "Declares a parameter, used as `$name`; its value can be set from outside."),
    ("define", "Names a step with its condition: `define up = tick[price > prev.price]`."),
    (
        "rule",
        "A rule: the pattern (`match`), the key of its streams, the time bound, and the output \
         (`emit`).",
    ),
    (
        "test",
        "A test of a rule: events at given times, and what must be reported. `kleene test` runs \
         it.",
    ),
    ("use", "Includes the declarations of another file."),
    ("about", "Describes what a match means, in one sentence."),
    ("severity", "The severity of a match: any word."),
    ("tags", "Tags of the rule."),
    ("meta", "Free-form values about the rule; they do not change results."),
    (
        "from",
        "The event types of the rule's stream, which `next` counts; without it, those that the rule names. `from *` is every declared type.",
    ),
    ("key", "The partition key: the rule sees one stream for each of its values."),
    (
        "match",
        "The pattern: steps joined with `->` (then), `-> next` (directly then) or `-> any` (then, in every way).",
    ),
    (
        "within",
        "The time bound from the first event to the last; it is exclusive: an event exactly this \
         long after the first is too late.",
    ),
    (
        "skip",
        "Which other partial matches a match drops: `past last` (the default), `none`, `to next`, \
         `to first X`, `to last X`.",
    ),
    (
        "report",
        "Which of the matches that one event completes are reported: `all` (the default), `count`, \
         `first N`, `last N`, `longest`, `shortest`.",
    ),
    ("emit", "The record that a match reports."),
    (
        "on",
        "`on timeout emit {...}` reports what partial matches that run out of time had captured.",
    ),
    (
        "timeout",
        "`on timeout emit {...}` reports what partial matches that run out of time had captured.",
    ),
    (
        "having",
        "A match is reported only if this holds. A bare name is an emitted field. `skip` applies \
         to the match either way.",
    ),
    ("suppress", "After a match, further matches of the same key are not reported for this long."),
    (
        "once",
        "Reports only the first match of each key. `once per rule`: only the first match of the \
         whole rule.",
    ),
    ("per", "`once per rule`: reports only the first match of the whole rule."),
    ("limit", "The largest number of partial matches of a key, and which are dropped beyond it."),
    ("next", "The very next event of the stream: no event may come between."),
    (
        "any",
        "After an arrow: every later event that fits, one match each. `any event`: an event of any \
         type in the rule's stream. In a condition: one or more items of a list, `any args like \
         \"-e*\"`.",
    ),
    ("without", "No such event from the first event of the match to the last."),
    (
        "not",
        "Before a step: no such event there. `not (a or b)`: neither. `not x for 10m` at the end: \
         none for this long. In a condition: the negation.",
    ),
    ("for", "How long an event must not come."),
    (
        "repeat",
        "After the last `not x for 5m`: the silence is reported again every five minutes while it \
         lasts.",
    ),
    ("until", "The event that ends a loop; it is not part of the loop."),
    ("as", "Names a step."),
    ("and", "Between steps: both, in any order. In a condition: both hold."),
    ("or", "Between steps: either. In a condition: one of them holds."),
    ("of", "`2 of (a, b, c)`: any two, in any order."),
    ("prev", "The event that this partial match captured last."),
    ("greedy", "The loop takes every event that it can, before the next step may; the default."),
    ("each", "A match for each length of the loop."),
    ("longest", "The match is reported when the loop can't grow any more; for the last step."),
    ("in", "In a list, a range `a..b`, or a network such as \"10.0.0.0/8\"."),
    (
        "like",
        "Text with `*` for anything: `file like \"*.exe\"`, or one of several: `file like [\"*.exe\", \"*.dll\"]`.",
    ),
    (
        "all",
        "In a condition: every item of a list, `all ips in \"10.0.0.0/8\"`; true for an empty \
         list.",
    ),
    ("nocase", "After a comparison: ignores the case of letters, `name == \"cmd.exe\" nocase`."),
    (
        "is",
        "`is null`, `is not null`: a comparison with null is null. `is true`, `is not true`, `is false`, `is not false`: never null.",
    ),
    ("if", "`if condition then a else b`"),
    ("then", "`if condition then a else b`"),
    ("else", "`if condition then a else b`"),
    (
        "ordered",
        "A match waits while an older partial match is open, so that the leftmost match comes \
         first.",
    ),
    ("expect", "What must be reported up to here, or `no match`."),
    ("advance", "Advances event time, without an event."),
    ("bool", "`true` or `false`"),
    ("int", "A whole number of 64 bits."),
    ("float", "A number with a fraction."),
    ("string", "Text."),
    ("time", "A point in time, in milliseconds."),
    ("duration", "A span of time: `250ms`, `5s`, `1h30m`, `7d`, `2w`."),
    ("ip", "An IP address, of version 4 or 6."),
];

/// Returns what a word of the language is for.
pub(super) fn about(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, about)| *about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_to_be_called_exists() {
        for (name, ..) in CALLS {
            let text = format!(
                "event a {{ x: int }}\nrule r {{ key x match a{{2}} as t within 5s emit {{ v: {name}() }} }}"
            );
            let reported = kleene::RuleSet::parse(&text).unwrap_err().to_string();
            assert!(!reported.contains("E0206"), "{reported}");
        }
    }
}
