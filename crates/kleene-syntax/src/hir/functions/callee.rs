//! The function that an expression calls: built in, or of the host.

use std::sync::Arc;

use super::function::Function;
use super::host::HostFunction;
use super::zone::Zone;
use kleene_event::value::{Kind, Value, ValueRef};

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
