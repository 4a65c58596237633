//! Sets of types, as the checker sees them.

use std::fmt;

/// A set of types that a value can have. `Display` reads as a message says it: `int or null`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Kind(u16);

impl Kind {
    /// No type at all: what an expression has that was refused already.
    pub const NEVER: Kind = Kind(0);
    /// Missing or null.
    pub const NULL: Kind = Kind(1);
    /// `true` or `false`.
    pub const BOOL: Kind = Kind(1 << 1);
    /// A 64-bit integer.
    pub const INT: Kind = Kind(1 << 2);
    /// A 64-bit float.
    pub const FLOAT: Kind = Kind(1 << 3);
    /// Text.
    pub const STRING: Kind = Kind(1 << 4);
    /// A moment.
    pub const TIME: Kind = Kind(1 << 5);
    /// A span of time.
    pub const DURATION: Kind = Kind(1 << 6);
    /// An IP address.
    pub const IP: Kind = Kind(1 << 7);
    /// A list.
    pub const LIST: Kind = Kind(1 << 8);
    /// Named values.
    pub const RECORD: Kind = Kind(1 << 9);
    /// Any type: a field that was not declared.
    pub const ANY: Kind = Kind((1 << 10) - 1);
    /// An integer or a float.
    pub const NUMBER: Kind = Kind(Kind::INT.0 | Kind::FLOAT.0);

    /// The types of either set.
    #[must_use]
    pub const fn or(self, other: Kind) -> Kind {
        Kind(self.0 | other.0)
    }

    /// The types of both sets.
    #[must_use]
    pub const fn and(self, other: Kind) -> Kind {
        Kind(self.0 & other.0)
    }

    /// This set without the types of `other`.
    #[must_use]
    pub const fn without(self, other: Kind) -> Kind {
        Kind(self.0 & !other.0)
    }

    /// True if the sets share a type.
    pub const fn intersects(self, other: Kind) -> bool {
        self.0 & other.0 != 0
    }

    /// True if every type of this set is in `other`.
    pub const fn is_subset_of(self, other: Kind) -> bool {
        self.0 & !other.0 == 0
    }

    /// True if the set is empty.
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Kind::ANY {
            return f.write_str("anything");
        }
        let names = [
            (Kind::BOOL, "bool"),
            (Kind::INT, "int"),
            (Kind::FLOAT, "float"),
            (Kind::STRING, "string"),
            (Kind::TIME, "time"),
            (Kind::DURATION, "duration"),
            (Kind::IP, "ip"),
            (Kind::LIST, "list"),
            (Kind::RECORD, "record"),
            (Kind::NULL, "null"),
        ];
        let mut parts = names.iter().filter(|(kind, _)| self.intersects(*kind)).map(|(_, n)| *n);
        f.write_str(parts.next().unwrap_or("nothing"))?;
        parts.try_for_each(|name| write!(f, " or {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_as_messages_say_them() {
        assert_eq!(Kind::INT.or(Kind::NULL).to_string(), "int or null");
        assert_eq!(Kind::ANY.to_string(), "anything");
        assert_eq!(Kind::NEVER.to_string(), "nothing");
    }
}
