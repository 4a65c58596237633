//! The built-in functions of expressions, by subject.

mod general;
pub(crate) mod net;
mod number;
mod text;
pub(crate) mod time;

use crate::value::{Kind, Value, ValueRef};

/// A built-in function.
#[derive(Debug)]
pub struct Function {
    /// Its name in expressions.
    pub name: &'static str,
    /// Its parameters' names and types, in order.
    pub params: &'static [(&'static str, Kind)],
    /// How many of the parameters, from the front, are required.
    pub required: usize,
    /// Whether the last parameter can be given any number of times.
    pub variadic: bool,
    /// The types of its result; [`Kind::ANY`] stands for those of its arguments.
    pub result: Kind,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Calls as rules spell them and what they give, run as tests.
    pub examples: &'static [(&'static str, &'static str)],
    /// The function; the checker has made sure of the number and types of arguments, except that
    /// each can be null.
    pub call: fn(&[ValueRef<'_>]) -> Value,
}

impl Function {
    /// How a call of it is spelled: `round(x, digits?)`.
    pub fn signature(&self) -> String {
        let mut out = format!("{}(", self.name);
        for (i, (name, _)) in self.params.iter().enumerate() {
            out.push_str(if i > 0 { ", " } else { "" });
            out.push_str(name);
            out.push_str(if i >= self.required { "?" } else { "" });
        }
        out.push_str(if self.variadic { ", ...)" } else { ")" });
        out
    }
}

/// The function of this name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}

/// Every built-in function.
pub const FUNCTIONS: &[&Function] = &[
    &text::LOWER,
    &text::UPPER,
    &text::TRIM,
    &text::LEN,
    &text::CONTAINS,
    &text::STARTS_WITH,
    &text::ENDS_WITH,
    &text::REPLACE,
    &text::SPLIT,
    &number::ABS,
    &number::ROUND,
    &number::FLOOR,
    &number::CEIL,
    &number::MIN,
    &number::MAX,
    &time::HOUR,
    &time::DAY,
    &time::WEEKDAY,
    &time::DATE,
    &time::FORMAT,
    &net::DISTANCE_KM,
    &net::CIDR,
    &general::HASH,
    &general::COALESCE,
];

/// `list[i]`
pub(crate) const ELEMENT: &Function = &general::ELEMENT;

/// What most functions have in common.
const DEFAULTS: Function = Function {
    name: "",
    params: &[],
    required: 0,
    variadic: false,
    result: Kind::ANY,
    about: "",
    examples: &[],
    call: |_| Value::Null,
};
