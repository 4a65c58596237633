//! The built-in functions of expressions, one file each.

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
    /// The types of its result.
    pub result: Kind,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Calls as rules spell them and what they give, run as tests.
    pub examples: &'static [(&'static str, &'static str)],
    /// The function; the checker has made sure of the number and types of arguments, except that
    /// each can be null.
    pub call: fn(&[ValueRef<'_>]) -> Value,
}

/// The function of this name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}

/// Every built-in function.
pub const FUNCTIONS: &[&Function] = &[];
