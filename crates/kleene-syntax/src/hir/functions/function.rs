//! A built-in function, and how calls are spelled.

use super::zone::Local;
use kleene_event::value::{Kind, Value, ValueRef};

/// A built-in function.
#[derive(Debug)]
pub struct Function {
    /// Its name in expressions.
    pub name: &'static str,
    /// Its parameters' names and types, in order.
    pub params: &'static [(&'static str, Kind)],
    /// The number of parameters, from the front, that are required.
    pub required: usize,
    /// True if the last parameter can be given any number of times.
    pub variadic: bool,
    /// The types of its result; [`Kind::ANY`] stands for those of its arguments.
    pub result: Kind,
    /// The description of the function, one sentence.
    pub about: &'static str,
    /// Calls as rules spell them and what they give, run as tests.
    pub examples: &'static [(&'static str, &'static str)],
    /// The function; the checker has made sure of the number and types of arguments, except that
    /// each can be null.
    pub call: fn(&[ValueRef<'_>]) -> Value,
    /// For functions of local time: which argument is the zone, and the function without it.
    pub zoned: Option<(usize, ZonedCall)>,
}

/// A function of a local time, with all arguments of the call.
pub type ZonedCall = fn(Local, &[ValueRef<'_>]) -> Value;

impl Function {
    /// Returns a call of the function as rules spell it: `round(x, digits?)`.
    pub fn signature(&self) -> String {
        let params = self.params.iter().map(|(name, _)| *name);
        let end = if self.variadic { ", ...)" } else { ")" };
        signature(self.name, params, self.required, end)
    }
}

/// `name(a, b?` and the `end`.
pub(super) fn signature<'p>(
    name: &str,
    params: impl Iterator<Item = &'p str>,
    required: usize,
    end: &str,
) -> String {
    let mut out = format!("{name}(");
    for (i, name) in params.enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        out.push_str(name);
        out.push_str(if i >= required { "?" } else { "" });
    }
    out.push_str(end);
    out
}

/// The properties that most functions share.
pub(super) const DEFAULTS: Function = Function {
    name: "",
    params: &[],
    required: 0,
    variadic: false,
    result: Kind::ANY,
    about: "",
    examples: &[],
    call: |_| Value::Null,
    zoned: None,
};
