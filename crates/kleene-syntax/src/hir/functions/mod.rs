//! The functions of expressions: the built-in ones, by subject, and those of the host.

mod convert;
mod general;
mod host;
mod list;
pub(crate) mod net;
mod number;
mod text;
mod time;
pub(crate) mod time_text;
pub(crate) mod zone;

use std::sync::Arc;

use kleene_event::value::{Kind, Value, ValueRef};

pub use host::HostFunction;
pub use zone::{Local, Zone};

/// The function that an expression calls.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A built-in one.
    BuiltIn(&'static Function),
    /// A built-in one of local time, in a zone that is known when the rule is loaded.
    InZone(&'static Function, Arc<Zone>),
    /// One of the host.
    Host(Arc<HostFunction>),
}

impl Callee {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Callee::BuiltIn(function) | Callee::InZone(function, _) => function.name,
            Callee::Host(function) => function.name(),
        }
    }

    /// Returns a call of the function as rules spell it.
    pub fn signature(&self) -> String {
        match self {
            Callee::BuiltIn(function) | Callee::InZone(function, _) => function.signature(),
            Callee::Host(function) => function.signature(),
        }
    }

    /// The fewest and the most arguments that it takes.
    pub fn arguments(&self) -> (usize, usize) {
        match self {
            Callee::BuiltIn(function) | Callee::InZone(function, _) => {
                let most = if function.variadic { usize::MAX } else { function.params.len() };
                (function.required, most)
            }
            Callee::Host(function) => (function.required(), function.params().len()),
        }
    }

    /// Returns the name and the types of the parameter that takes the argument with this index;
    /// `None` if the function has fewer parameters.
    pub fn param(&self, index: usize) -> Option<(&str, Kind)> {
        match self {
            Callee::BuiltIn(function) | Callee::InZone(function, _) => {
                let last = function.params.len().checked_sub(1)?;
                let index = if function.variadic { index.min(last) } else { index };
                function.params.get(index).copied()
            }
            Callee::Host(function) => {
                let (name, kind) = function.params().get(index)?;
                // Integers are given as floats.
                let int = if kind.intersects(Kind::FLOAT) { Kind::INT } else { Kind::NEVER };
                Some((name, kind.or(int)))
            }
        }
    }

    /// Calls it. The checker has made sure of the number of arguments.
    pub(crate) fn call(&self, args: &[ValueRef<'_>]) -> Value {
        match self {
            Callee::BuiltIn(function) => (function.call)(args),
            Callee::InZone(function, zone) => match (function.zoned, args.first()) {
                (Some((_, call)), Some(ValueRef::Time(time))) => {
                    zone.local(*time).map_or(Value::Null, |local| call(local, args))
                }
                _ => Value::Null,
            },
            Callee::Host(function) => function.call(args),
        }
    }
}

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
fn signature<'p>(
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
    &text::SUBSTRING,
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
    &time_text::TIME,
    &net::DISTANCE_KM,
    &net::CIDR,
    &convert::INT,
    &convert::FLOAT,
    &convert::BOOL,
    &convert::STRING,
    &list::LARGEST,
    &list::SMALLEST,
    &general::HASH,
    &general::COALESCE,
];

/// `list[i]`
pub(crate) const ELEMENT: &Function = &general::ELEMENT;

/// The properties that most functions share.
const DEFAULTS: Function = Function {
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
