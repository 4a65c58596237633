//! The functions of expressions: the built-in ones, by subject, and those of the host.

mod callee;
mod convert;
mod function;
mod general;
mod host;
mod list;
pub(crate) mod net;
mod number;
mod text;
mod time;
pub(crate) mod time_text;
pub(crate) mod zone;

pub use callee::Callee;
pub use function::{Function, ZonedCall};
pub use host::HostFunction;
pub use zone::{Local, Zone};

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
