//! Functions of text, and of lists where both make sense.

use super::function::{DEFAULTS, Function};
use crate::hir::eval::has_item;
use kleene_event::value::{Kind, Value, ValueRef};

const TEXT_OR_LIST: Kind = Kind::STRING.or(Kind::LIST);

/// The longest text that `replace` makes, in bytes. Without a limit, the length of the result could
/// be the square of the input's.
const MAX_LEN: usize = 1 << 20;

fn of_text(args: &[ValueRef<'_>], f: impl Fn(&str) -> Value) -> Value {
    match args {
        [ValueRef::String(text)] => f(text),
        _ => Value::Null,
    }
}

fn of_two(args: &[ValueRef<'_>], f: impl Fn(&str, &str) -> bool) -> Value {
    match args {
        [ValueRef::String(text), ValueRef::String(part)] => Value::Bool(f(text, part)),
        _ => Value::Null,
    }
}

fn count(n: usize) -> Value {
    i64::try_from(n).map_or(Value::Null, Value::Int)
}

pub(super) const LOWER: Function = Function {
    name: "lower",
    params: &[("text", Kind::STRING)],
    required: 1,
    result: Kind::STRING,
    about: "The text in lower case.",
    examples: &[("lower(\"Anna B\")", "\"anna b\""), ("lower(null)", "null")],
    call: |args| of_text(args, |text| Value::from(text.to_lowercase())),
    ..DEFAULTS
};

pub(super) const UPPER: Function = Function {
    name: "upper",
    params: &[("text", Kind::STRING)],
    required: 1,
    result: Kind::STRING,
    about: "The text in upper case.",
    examples: &[("upper(\"de-12\")", "\"DE-12\"")],
    call: |args| of_text(args, |text| Value::from(text.to_uppercase())),
    ..DEFAULTS
};

pub(super) const TRIM: Function = Function {
    name: "trim",
    params: &[("text", Kind::STRING)],
    required: 1,
    result: Kind::STRING,
    about: "The text without white space at both ends.",
    examples: &[("trim(\"  a b \")", "\"a b\"")],
    call: |args| of_text(args, |text| Value::from(text.trim())),
    ..DEFAULTS
};

pub(super) const LEN: Function = Function {
    name: "len",
    params: &[("text_or_list", TEXT_OR_LIST)],
    required: 1,
    result: Kind::INT,
    about: "The number of characters of a text, or of items of a list.",
    examples: &[("len(\"abc\")", "3"), ("len([1, 2])", "2"), ("len(\"\")", "0")],
    call: |args| match args {
        [ValueRef::String(text)] => count(text.chars().count()),
        [list] => list.as_list().map_or(Value::Null, |list| count(list.len())),
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const CONTAINS: Function = Function {
    name: "contains",
    params: &[("text_or_list", TEXT_OR_LIST), ("part", Kind::ANY)],
    required: 2,
    result: Kind::BOOL,
    about: "True if a text contains the other text, or a list contains the item.",
    examples: &[
        ("contains(\"curl/8.1\", \"curl\")", "true"),
        ("contains([1, 2], 2.0)", "true"),
        ("contains(\"abc\", \"B\")", "false"),
    ],
    call: |args| match args {
        [list @ (ValueRef::List(_) | ValueRef::Items(_)), item] => {
            let found = list.as_list().and_then(|list| has_item(list.iter(), *item));
            found.map_or(Value::Null, Value::Bool)
        }
        _ => of_two(args, |text, part| text.contains(part)),
    },
    ..DEFAULTS
};

pub(super) const STARTS_WITH: Function = Function {
    name: "starts_with",
    params: &[("text", Kind::STRING), ("start", Kind::STRING)],
    required: 2,
    result: Kind::BOOL,
    about: "True if the text begins with the other.",
    examples: &[("starts_with(\"qa-1\", \"qa-\")", "true"), ("starts_with(\"a\", null)", "null")],
    call: |args| of_two(args, |text, part| text.starts_with(part)),
    ..DEFAULTS
};

pub(super) const ENDS_WITH: Function = Function {
    name: "ends_with",
    params: &[("text", Kind::STRING), ("end", Kind::STRING)],
    required: 2,
    result: Kind::BOOL,
    about: "True if the text ends with the other.",
    examples: &[("ends_with(\"cmd.exe\", \".exe\")", "true")],
    call: |args| of_two(args, |text, part| text.ends_with(part)),
    ..DEFAULTS
};

pub(super) const SUBSTRING: Function = Function {
    name: "substring",
    params: &[("text", Kind::STRING), ("start", Kind::INT), ("end", Kind::INT)],
    required: 2,
    result: Kind::STRING,
    about: "The characters of the text from index `start`, counted from 0, up to but not including \
            index `end`. A negative index counts from the end of the text.",
    examples: &[
        ("substring(\"kleene\", 1, 3)", "\"le\""),
        ("substring(\"kleene\", 4)", "\"ne\""),
        ("substring(\"host$\", 0, -1)", "\"host\""),
        ("substring(\"kleene\", -3)", "\"ene\""),
        ("substring(\"abc\", 2, 1)", "\"\""),
        ("substring(\"abc\", -9, 9)", "\"abc\""),
    ],
    call: |args| {
        let (text, start, end) = match args {
            [ValueRef::String(text), ValueRef::Int(start)] => (text, *start, i64::MAX),
            [ValueRef::String(text), ValueRef::Int(start), ValueRef::Int(end)] => {
                (text, *start, *end)
            }
            _ => return Value::Null,
        };
        let (start, end) = (byte_of(text, start), byte_of(text, end));
        Value::from(text.get(start..end).unwrap_or_default())
    },
    ..DEFAULTS
};

/// Returns the byte at which a character begins, or the nearest end of the text. A negative number
/// counts from the end.
fn byte_of(text: &str, character: i64) -> usize {
    let number = usize::try_from(character.unsigned_abs()).unwrap_or(usize::MAX);
    let mut characters = text.char_indices().map(|(byte, _)| byte);
    match number.checked_sub(1) {
        Some(before) if character < 0 => characters.nth_back(before).unwrap_or(0),
        _ => characters.nth(number).unwrap_or(text.len()),
    }
}

pub(super) const REPLACE: Function = Function {
    name: "replace",
    params: &[("text", Kind::STRING), ("from", Kind::STRING), ("to", Kind::STRING)],
    required: 3,
    result: Kind::STRING,
    about: "The text with every `from` in it replaced by `to`; null if it grows beyond 1 MiB.",
    examples: &[("replace(\"a-b-c\", \"-\", \"\")", "\"abc\"")],
    call: |args| match args {
        [ValueRef::String(text), ValueRef::String(from), ValueRef::String(to)] => {
            let hits = text.matches(from).count();
            if text.len().saturating_add(hits.saturating_mul(to.len())) > MAX_LEN.max(text.len()) {
                return Value::Null;
            }
            Value::from(text.replace(from, to))
        }
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const SPLIT: Function = Function {
    name: "split",
    params: &[("text", Kind::STRING), ("separator", Kind::STRING)],
    required: 2,
    result: Kind::LIST,
    about: "The parts of the text between the separators.",
    examples: &[
        ("split(\"a,b,,c\", \",\")", "[\"a\", \"b\", \"\", \"c\"]"),
        ("split(\"abc\", \"\")", "[\"abc\"]"),
    ],
    call: |args| match args {
        [ValueRef::String(text), ValueRef::String("")] => {
            Value::List(std::iter::once(Value::from(*text)).collect())
        }
        [ValueRef::String(text), ValueRef::String(separator)] => {
            Value::List(text.split(separator).map(Value::from).collect())
        }
        _ => Value::Null,
    },
    ..DEFAULTS
};
