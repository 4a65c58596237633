//! Descriptions of the words of the language.

/// The facts of a match: name, type, meaning.
pub(super) const FACTS: [(&str, &str, &str); 5] = [
    ("start", "time", "The time of the first event of the match."),
    ("end", "time", "The time of the last event of the match."),
    ("step", "string", "The step that a partial match has reached; for `on timeout`."),
    ("awaits", "list<string>", "What would have moved a partial match on; for `on timeout`."),
    ("id", "string", "The id of the match: the same again after a replay."),
];

/// The facts of a set of matches: name, type, meaning.
pub(super) const SET_FACTS: [(&str, &str, &str); 5] = [
    ("count", "int", "How many matches the event, or the deadline, completes."),
    (
        "sum",
        "matches.sum(step.field)",
        "The sum of a field over what the step captured in all matches.",
    ),
    (
        "avg",
        "matches.avg(step.field)",
        "The mean of a field over what the step captured in all matches.",
    ),
    ("min", "matches.min(step.field)", "The least value that the step captured in any match."),
    ("max", "matches.max(step.field)", "The greatest value that the step captured in any match."),
];

/// Calls that are no functions: the aggregates, and `matches`. Name, signature, meaning.
pub(super) const CALLS: [(&str, &str, &str); 11] = [
    ("count", "count(step)", "How many events the step has captured; in a condition, so far."),
    ("sum", "sum(step.field)", "The sum of a field over the captured events; 0 over none."),
    ("avg", "avg(step.field)", "The mean of a field over the captured events; null over none."),
    ("min", "min(step.field)", "The least value; of several values, the least of them."),
    ("max", "max(step.field)", "The greatest value; of several values, the greatest of them."),
    ("first", "first(step.field)", "The field of the event that was captured first."),
    ("last", "last(step.field)", "The field of the event that was captured last."),
    ("distinct", "distinct(step.field)", "The different values of a field, as a list."),
    ("collect", "collect(step.field)", "The values of a field, as a list in their order."),
    (
        "matches",
        "matches(text, regex)",
        "Whether the regular expression is found in the text, as `~`.",
    ),
    ("stddev", "stddev(step.field)", "The standard deviation of a field; null over none."),
];

/// The purpose of each word of the language, in a sentence or two.
const WORDS: &[(&str, &str)] = &[
    (
        "event",
        "Declares an event type with its fields: `event login { user: string, at: time }`. `..` at the end allows further fields.",
    ),
    ("list", "Declares a list for `in`: `list office: ip from \"office.txt\"`, or `= [...]`."),
    ("param", "Declares a parameter, used as `$name`; its value can be given from outside."),
    ("define", "Gives a step with its condition a name: `define up = tick[price > prev.price]`."),
    (
        "rule",
        "A rule: what to look for (`match`), in the stream of which key, within which time, and what to report (`emit`).",
    ),
    (
        "test",
        "A test of a rule: events at times, and what has to be reported. `kleene test` runs it.",
    ),
    ("use", "Takes in the declarations of another file."),
    ("about", "What a match means, in a sentence."),
    ("severity", "How bad a match is: any word."),
    ("tags", "Words to find the rule by."),
    ("meta", "Free values about the rule; they change no result."),
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
        "The bound from the first event to the last; an event exactly so long after the first is too late.",
    ),
    (
        "skip",
        "What a match drops: `past last` (the default), `none`, `to next`, `to first X`, `to last X`.",
    ),
    (
        "report",
        "What is reported of the matches that one event completes: `all` (the default), `count`, `first N`, `last N`, `longest`, `shortest`.",
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
        "A match is reported only if this holds. A bare name is an emitted field; the match has used up its events either way.",
    ),
    ("suppress", "After a match, further ones of the same key are not reported for so long."),
    (
        "once",
        "After its first match a key is over: nothing of it is reported any more. `once per rule`: the rule is over for all keys.",
    ),
    ("per", "`once per rule`: after its first match the rule is over for all keys."),
    ("limit", "The most partial matches of a key, and what gives way."),
    ("next", "The very next event of the stream: nothing may come between."),
    (
        "any",
        "Behind an arrow: every later event that fits, one match each. `any event`: an event of any type of the rule's stream. In a condition: one or more items of a list, `any args like \"-e*\"`.",
    ),
    ("without", "No such event from the first event of the match to the last."),
    (
        "not",
        "Before a step: no such event there. `not (a or b)`: neither. `not x for 10m` at the end: none for so long. In a condition: the opposite.",
    ),
    ("for", "How long something must not come."),
    (
        "repeat",
        "Behind the last `not x for 5m`: the silence is reported again each five minutes while it lasts.",
    ),
    ("until", "What ends a loop; it is not part of it."),
    ("as", "Names what a step captured."),
    ("and", "Between steps: both, in any order. In a condition: both hold."),
    ("or", "Between steps: either. In a condition: one of them holds."),
    ("of", "`2 of (a, b, c)`: any two, in any order."),
    ("prev", "The event that this partial match captured last."),
    ("greedy", "The loop takes what it can before the next step may; the default."),
    ("each", "A match for each length of the loop."),
    ("longest", "Reported when the loop can grow no more; for the last step."),
    ("in", "In a list, a range `a..b`, or a network such as \"10.0.0.0/8\"."),
    (
        "like",
        "Text with `*` for anything: `file like \"*.exe\"`, or one of several: `file like [\"*.exe\", \"*.dll\"]`.",
    ),
    (
        "all",
        "In a condition: each item of a list, `all ips in \"10.0.0.0/8\"`; true of an empty list.",
    ),
    (
        "nocase",
        "After a comparison: capital and small letters are the same, `name == \"cmd.exe\" nocase`.",
    ),
    (
        "is",
        "`is null`, `is not null`: a comparison with null is null. `is true`, `is not true`, `is false`, `is not false`: never null.",
    ),
    ("if", "`if condition then a else b`"),
    ("then", "`if condition then a else b`"),
    ("else", "`if condition then a else b`"),
    (
        "ordered",
        "A match waits while an older partial match lives, so that the leftmost comes first.",
    ),
    ("expect", "What has to be reported, or `no match`: judged where it stands."),
    ("advance", "Moves event time, without an event."),
    ("bool", "`true` or `false`"),
    ("int", "A whole number of 64 bits."),
    ("float", "A number with a fraction."),
    ("string", "Text."),
    ("time", "A moment, in milliseconds."),
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
