//! Conversions between types. What does not convert is null.

use super::function::{DEFAULTS, Function};
use kleene_event::value::{Kind, Value, ValueRef, int_part};

/// Reads a number in decimal digits. Rust reads `inf` and `nan`, too, which no rule can write.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

pub(super) const INT: Function = Function {
    name: "int",
    params: &[("x", Kind::NUMBER.or(Kind::STRING).or(Kind::BOOL))],
    required: 1,
    result: Kind::INT,
    about: "The integer in a text; for a float, the part before the point; 1 for true and 0 for \
            false. Null if the text is not an integer.",
    examples: &[
        ("int(\"12\")", "12"),
        ("int(\"-3\") + 1", "-2"),
        ("int(\"12.0\")", "12"),
        ("int(\"12.5\")", "null"),
        ("int(\"9223372036854775807\")", "9223372036854775807"),
        ("int(\"9223372036854775808\")", "null"),
        ("int(\"twelve\")", "null"),
        ("int(\"\")", "null"),
        ("int(-2.9)", "-2"),
        ("int(1e300)", "null"),
        ("int(true)", "1"),
        ("int(null)", "null"),
    ],
    call: |args| match args {
        [ValueRef::Int(i)] => Value::Int(*i),
        [ValueRef::Float(x)] => int_part(*x).map_or(Value::Null, Value::Int),
        [ValueRef::Bool(b)] => Value::Int(i64::from(*b)),
        [ValueRef::String(text)] => match text.parse() {
            Ok(i) => Value::Int(i),
            // Digits alone that are no integer are too large; as a float they would be another.
            Err(_) if !text.contains(['.', 'e', 'E']) => Value::Null,
            Err(_) => number(text)
                .filter(|x| x.fract() == 0.0)
                .and_then(int_part)
                .map_or(Value::Null, Value::Int),
        },
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const FLOAT: Function = Function {
    name: "float",
    params: &[("x", Kind::NUMBER.or(Kind::STRING))],
    required: 1,
    result: Kind::FLOAT,
    about: "The number in a text, or an integer as a float. Null if the text is not a number.",
    examples: &[
        ("float(\"12.5\")", "12.5"),
        ("float(\"1e3\")", "1000.0"),
        ("float(7) / 2", "3.5"),
        ("float(\"12,5\")", "null"),
        ("float(\"inf\")", "null"),
        ("float(\" 1\")", "null"),
        ("float(null)", "null"),
    ],
    call: |args| match args {
        [ValueRef::String(text)] => number(text).map_or(Value::Null, Value::Float),
        [value] => value.as_f64().map_or(Value::Null, Value::Float),
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const BOOL: Function = Function {
    name: "bool",
    params: &[("x", Kind::BOOL.or(Kind::INT).or(Kind::STRING))],
    required: 1,
    result: Kind::BOOL,
    about: "True for the texts \"true\", \"True\", \"TRUE\" and \"1\" and for the number 1; false \
            for \"false\", \"False\", \"FALSE\", \"0\" and 0. Null for everything else.",
    examples: &[
        ("bool(\"true\")", "true"),
        ("bool(\"0\")", "false"),
        ("bool(1)", "true"),
        ("bool(2)", "null"),
        ("bool(\"yes\")", "null"),
        ("bool(false)", "false"),
    ],
    call: |args| match args {
        [ValueRef::Bool(b)] => Value::Bool(*b),
        [ValueRef::Int(1) | ValueRef::String("true" | "True" | "TRUE" | "1")] => Value::Bool(true),
        [ValueRef::Int(0) | ValueRef::String("false" | "False" | "FALSE" | "0")] => {
            Value::Bool(false)
        }
        _ => Value::Null,
    },
    ..DEFAULTS
};

pub(super) const STRING: Function = Function {
    name: "string",
    params: &[("x", Kind::ANY)],
    required: 1,
    result: Kind::STRING,
    about: "The value as text, as rules write it; a text is unchanged.",
    examples: &[
        ("string(12.5)", "\"12.5\""),
        ("string(\"a\")", "\"a\""),
        ("string(90m)", "\"1h30m\""),
        ("string(true)", "\"true\""),
        ("string([1, 2])", "\"[1, 2]\""),
        ("string(null)", "null"),
    ],
    call: |args| match args {
        [ValueRef::Null] => Value::Null,
        [ValueRef::String(text)] => Value::from(*text),
        [value] => Value::from(value.to_string()),
        _ => Value::Null,
    },
    ..DEFAULTS
};
