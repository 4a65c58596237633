//! The words of the language and where they may stand as names.

/// Words that start an item.
pub(super) const ITEMS: [&str; 7] = ["event", "list", "param", "define", "rule", "test", "use"];

/// Words that start a clause of a rule.
pub(super) const CLAUSES: [&str; 18] = [
    "about", "severity", "tags", "meta", "param", "define", "from", "key", "match", "within",
    "skip", "report", "emit", "having", "on", "suppress", "once", "limit",
];

/// Words that start a step of a test.
pub(super) const TEST_STEPS: [&str; 3] = ["at", "advance", "expect"];

/// The name before the dot for all matches of a set: `matches.count`.
pub(crate) const MATCHES: &str = "matches";

/// Names of types.
pub(super) const TYPES: [&str; 8] =
    ["bool", "int", "float", "string", "time", "duration", "ip", "list"];

/// Words that join the parts of a pattern.
const JOINTS: [&str; 8] = ["without", "next", "any", "as", "until", "for", "of", "prev"];

/// Words that mean something inside an expression.
const OPERATORS: [&str; 12] =
    ["and", "or", "not", "in", "like", "is", "null", "true", "false", "if", "then", "else"];

/// The words that need back-quotes as the name of an event type, a rule, a step; each once.
///
/// ```
/// use kleene_syntax::syntax::{is_name, reserved_words};
///
/// assert!(reserved_words().any(|word| word == "match"));
/// assert!(reserved_words().all(|word| !is_name(word)));
/// ```
pub fn reserved_words() -> impl Iterator<Item = &'static str> {
    let clauses = CLAUSES.iter().filter(|word| !ITEMS.contains(word));
    ITEMS.iter().chain(clauses).chain(&JOINTS).chain(&OPERATORS).copied()
}

/// True if `text` is a name that can be written as it is, without back-quotes, wherever a name can
/// stand.
pub fn is_name(text: &str) -> bool {
    is_word(text) && !is_reserved(text)
}

/// True if `word` needs back-quotes as the name of an event type, a rule, a step.
///
/// Words that start an item or a clause, join parts of a pattern or belong to expressions do. The
/// names of types and the words that only mean something in one place (`first`, `at`, `fail`) do
/// not.
pub(super) fn is_reserved(word: &str) -> bool {
    reserved_words().any(|reserved| reserved == word)
}

/// True if `word` means something inside an expression. Any other word may start a path there:
/// `[severity > 3]` is about the field `severity`.
pub(super) fn is_operator(word: &str) -> bool {
    OPERATORS.contains(&word)
}

/// True if `text` is a name that needs no back-quotes to be read as one word.
pub(super) fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Returns the clause that users of other languages mean by `word`.
pub(super) fn clause_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "where" | "when" | "if" | "filter" => {
            "put a condition in brackets after its step: `order_created[amount > 100]`"
        }
        "pattern" | "sequence" | "seq" | "detect" | "begin" | "transaction" | "condition"
        | "expr" => "write the pattern in the `match` clause: `match a -> b`",
        "select" | "return" | "output" | "yield" | "measures" => {
            "write the output in the `emit` clause: `emit { user, total: sum(t.amount) }`"
        }
        "group" | "partition" | "by" => "use the `key` clause for one stream per key: `key user`",
        "window" | "maxspan" | "duration" | "timeframe" | "timespan" => {
            "write the time bound in the `within` clause: `within 10m`"
        }
        "level" | "priority" => "use the `severity` clause: `severity high`",
        "description" | "title" | "desc" | "doc" => "describe the rule with `about \"...\"`",
        _ => return None,
    })
}

/// True if `word` before a duration is a bound of the match in other languages.
pub(super) fn is_bound_elsewhere(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let bounds = ["maxspan", "timeframe", "timespan", "window", "duration", "span", "interval"];
    bounds.contains(&lower.as_str())
}

/// True if a sentence of another language begins with `word`: what stands behind it on the line is
/// no clause of this one.
pub(super) fn starts_sentence(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "select"
            | "measures"
            | "transaction"
            | "condition"
            | "sequence"
            | "pattern"
            | "partition"
            | "group"
            | "begin"
    )
}

/// True if names that are listed surely end before `word`, though no comma is there.
pub(super) fn ends_names(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "where" | "when" | "filter" | "group" | "order" | "partition" | "select"
    )
}

/// Help: the places for `prev`.
pub(super) const PREV: &str = "`prev` is the event before the one that a condition tests: use it \
                               only in brackets, as in `tick[price > prev.price]`";

/// Help: how steps are joined.
pub(super) const JOINED: &str =
    "join steps with `->`, with `-> next` if no event may come between them, or with `and` or `or`";

/// Help: how a step is repeated.
pub(super) const HOW_OFTEN: &str =
    "put the number of repetitions after the step: `a{3}`, or `a{3..}` for three or more";

/// Help: a comment of another language.
pub(super) const COMMENT: &str = "write comments with `#`; a comment ends at the end of its line";

/// Help: a second quantifier.
pub(super) const ONE_QUANTIFIER: &str =
    "a step can have only one quantifier: `?`, `*`, `+` or `{2..5}`";

/// For patterns that are put together by calls.
pub(super) const CALLS: &str =
    "write a pattern as its event types: `match a -> b -> next c  within 5m`";

/// Returns the replacement for a call of another engine's pattern builder.
pub(super) fn call_elsewhere(name: &str) -> &'static str {
    match name {
        "next" => "write `a -> next b`",
        "followedBy" | "followed_by" => "write `a -> b`",
        "followedByAny" | "followed_by_any" => "write `a -> any b`",
        "notFollowedBy" | "not_followed_by" | "notNext" => {
            "write `a -> not b -> c`, or `a -> not b for 5m`"
        }
        "where" | "filter" => "put a condition in brackets after its step: `a[amount > 100]`",
        "times" => "write `a{3}`, or `a{2..4}`",
        "timesOrMore" => "write `a{3..}`",
        "oneOrMore" => "write `a+`",
        "optional" => "write `a?`",
        "within" => "put the time bound after the pattern: `match a -> b within 5m`",
        _ => CALLS,
    }
}

/// Returns the meaning of `word` between two steps in other languages.
pub(super) fn joint_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "unless" => {
            "write what must not come as a step: `a -> not b for 5m`, or `(a -> c) without b`"
        }
        "times" | "x" | "at" | "exactly" => HOW_OFTEN,
        "after" => "write the earlier step first: `a -> b`",
        "with" => "to bound the match, write `within 5m`; for three in a row, write `a{3}`",
        "where" | "when" | "filter" => {
            "put a condition in brackets after its step: `order_created[amount > 100]`"
        }
        _ => return None,
    })
}

/// True if people begin a file of rules with `word` where an item is expected.
pub(super) fn starts_rule_elsewhere(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    clause_elsewhere(word).is_some()
        || matches!(
            lower.as_str(),
            "def"
                | "function"
                | "fn"
                | "alert"
                | "detection"
                | "from"
                | "every"
                | "create"
                | "insert"
                | "query"
                | "name"
                | "id"
        )
}

/// Returns the meaning of `word` between two values in other languages.
pub(super) fn operator_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "between" => "test a range with `in`: `x in 1..5`",
        "contains" | "includes" | "has" => "write it as a function: `contains(name, \"text\")`",
        "startswith" | "starts_with" => "write it as a function: `starts_with(name, \"text\")`",
        "endswith" | "ends_with" => "write it as a function: `ends_with(name, \"text\")`",
        "ilike" => "write `lower(name) like \"a*\"` with the pattern in lower case",
        "matches" | "regex" | "regexp" | "rlike" => {
            "test a regular expression with `~`: `name ~ \"^a\"`"
        }
        "eq" | "equals" => "write `==`",
        "ne" | "neq" => "write `!=`",
        "mod" => "write `%`",
        "div" => "write `/`",
        _ => return None,
    })
}

/// Returns what is written here for a modifier of Sigma, as in `name|contains: "a"`.
pub(super) fn modifier_elsewhere(word: &str) -> &'static str {
    match word {
        "contains" => "write `contains(name, \"text\")`",
        "startswith" => "write `starts_with(name, \"text\")`",
        "endswith" => "write `ends_with(name, \"text\")`",
        "re" => "write `name ~ \"^a\"`",
        "cidr" => "write `ip in \"10.0.0.0/8\"`",
        "gt" => "write `x > 3`",
        "gte" => "write `x >= 3`",
        "lt" => "write `x < 3`",
        "lte" => "write `x <= 3`",
        "exists" => "write `name is not null`",
        _ => {
            "fields have no modifiers: use an operator or a function, such as `lower(name) like \
             \"a*\"`"
        }
    }
}

/// The type that users of other languages mean by `word`.
pub(super) fn type_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "str" | "text" | "varchar" | "char" | "uuid" => "string",
        "integer" | "long" | "i64" | "i32" | "u64" | "u32" | "bigint" | "short" => "int",
        "double" | "number" | "f64" | "f32" | "decimal" | "real" => "float",
        "boolean" => "bool",
        "timestamp" | "datetime" | "date" | "instant" => "time",
        "interval" | "timespan" => "duration",
        "ipv4" | "ipv6" | "ipaddr" | "inet" | "cidr" | "address" => "ip",
        "array" | "vec" | "set" => "list<...>",
        _ => return None,
    })
}
