//! Functions of any value.

use super::function::{DEFAULTS, Function};
use kleene_event::util::fnv::Fnv;
use kleene_event::value::{Kind, Value, ValueRef, canonical_bits};

pub(super) const HASH: Function = Function {
    name: "hash",
    params: &[("x", Kind::ANY)],
    required: 1,
    result: Kind::INT,
    about: "A number, at least 0, that is always the same for the same value, for sampling: \
            `hash(user) % 100 < 5`. Equal numbers give equal hashes.",
    examples: &[
        ("hash(\"ann\") == hash(\"ann\")", "true"),
        ("hash(1) == hash(1.0)", "true"),
        ("hash(\"ann\") % 1000", "110"),
        ("hash(null)", "null"),
    ],
    call: |args| match args {
        [ValueRef::Null] => Value::Null,
        [value] => {
            let mut hash = Fnv::new();
            write(*value, &mut hash);
            // The low bits of FNV are weak, and `%` looks at them.
            let mut bits = hash.finish();
            bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
            bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
            Value::Int(((bits ^ (bits >> 33)) >> 1).cast_signed())
        }
        _ => Value::Null,
    },
    ..DEFAULTS
};

/// Writes a value with a letter for its type, so that `1` and `"1"` differ.
fn write(value: ValueRef<'_>, hash: &mut Fnv) {
    match value {
        ValueRef::Null => hash.write(b"n"),
        ValueRef::Bool(b) => hash.write(if b { b"t" } else { b"f" }),
        ValueRef::Int(_) | ValueRef::Float(_) => {
            hash.write(b"d");
            let x = value.as_f64().unwrap_or_default();
            hash.write(&canonical_bits(x).to_le_bytes());
        }
        ValueRef::String(text) => {
            hash.write(b"s");
            hash.write_str(text);
        }
        ValueRef::Time(time) => {
            hash.write(b"@");
            hash.write_i64(time.as_millis());
        }
        ValueRef::Duration(millis) => {
            hash.write(b"m");
            hash.write_i64(millis);
        }
        ValueRef::Ip(ip) => {
            hash.write(b"i");
            hash.write_str(&ip.to_string());
        }
        ValueRef::List(items) => {
            hash.write(b"[");
            for item in items {
                write(item.as_ref(), hash);
            }
            hash.write(b"]");
        }
        ValueRef::Items(_) => write(value.to_value().as_ref(), hash),
        ValueRef::Record(fields) => {
            hash.write(b"{");
            for (name, value) in fields {
                hash.write_str(name);
                write(value.as_ref(), hash);
            }
            hash.write(b"}");
        }
    }
}

pub(super) const COALESCE: Function = Function {
    name: "coalesce",
    params: &[("a", Kind::ANY), ("b", Kind::ANY)],
    required: 2,
    variadic: true,
    about: "The first of the values that is not null.",
    examples: &[("coalesce(null, 2, 3)", "2"), ("coalesce(null, null)", "null")],
    call: |args| args.iter().find(|arg| !arg.is_null()).map_or(Value::Null, |arg| arg.to_value()),
    ..DEFAULTS
};

/// `list[i]`, which is no function that a rule can call by name.
pub(crate) const ELEMENT: Function = Function {
    name: "[]",
    params: &[("list", Kind::LIST), ("index", Kind::INT)],
    required: 2,
    about: "The item at an index from 0; a negative one counts from the end.",
    call: |args| match args {
        [list, ValueRef::Int(index)] => {
            let Some(items) = list.as_list() else { return Value::Null };
            let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            let index = if *index < 0 { items.len().checked_sub(from_end) } else { Some(from_end) };
            index.and_then(|index| items.get(index)).unwrap_or_default().to_value()
        }
        _ => Value::Null,
    },
    ..DEFAULTS
};
