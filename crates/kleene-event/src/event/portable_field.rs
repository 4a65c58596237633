//! Fields of events as bytes, for `#[derive(Portable)]`.
#![expect(clippy::disallowed_types, reason = "events have what their programs use")]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::time::Timestamp;

/// A part of an event as bytes. `#[derive(Portable)]` requires the trait of each field.
///
/// Numbers, text, times, addresses, `Option`, `Vec`, maps and pointers implement the trait, and so
/// do types that derive `Portable` or `PortableField`. Implement the trait for a newtype through
/// the inner type:
///
/// ```
/// use kleene::event::PortableField;
///
/// struct OrderId(u64);
///
/// impl PortableField for OrderId {
///     fn write(&self, out: &mut Vec<u8>) {
///         self.0.write(out);
///     }
///     fn read(bytes: &mut &[u8]) -> Option<OrderId> {
///         u64::read(bytes).map(OrderId)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to a snapshot",
    note = "derive kleene::PortableField for it, implement kleene::event::PortableField, or leave the \
            field out with #[portable(skip)]"
)]
pub trait PortableField: Sized {
    /// Appends the value to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the value from the start of `bytes` and removes its bytes. `None` if `bytes` do not
    /// start with a value of this type. Do not trust `bytes`.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl PortableField for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &mut &[u8]) -> Option<$number> {
                let (number, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(<$number>::from_le_bytes(*number))
            }
        })*
    };
}

numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64);

/// Writes a type as another one.
macro_rules! through {
    ($($ty:ty as $other:ty: $to:expr, $from:expr;)*) => {
        $(impl PortableField for $ty {
            fn write(&self, out: &mut Vec<u8>) {
                let to: fn(&$ty) -> $other = $to;
                to(self).write(out);
            }

            fn read(bytes: &mut &[u8]) -> Option<$ty> {
                let from: fn($other) -> Option<$ty> = $from;
                from(PortableField::read(bytes)?)
            }
        })*
    };
}

through! {
    usize as u64: |n| *n as u64, |n| usize::try_from(n).ok();
    isize as i64: |n| *n as i64, |n| isize::try_from(n).ok();
    bool as u8: |b| u8::from(*b), |byte| (byte < 2).then_some(byte == 1);
    char as u32: |c| u32::from(*c), char::from_u32;
    Timestamp as i64: |time| time.as_millis(), |millis| Some(Timestamp::from_millis(millis));
    Ipv4Addr as u32: |ip| ip.to_bits(), |bits| Some(Ipv4Addr::from_bits(bits));
    Ipv6Addr as u128: |ip| ip.to_bits(), |bits| Some(Ipv6Addr::from_bits(bits));
}

impl PortableField for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut &[u8]) -> Option<()> {
        Some(())
    }
}

impl PortableField for Duration {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_secs().write(out);
        self.subsec_nanos().write(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Duration> {
        let (seconds, nanos) = (u64::read(bytes)?, u32::read(bytes)?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

impl PortableField for SystemTime {
    fn write(&self, out: &mut Vec<u8>) {
        let since = self.duration_since(SystemTime::UNIX_EPOCH);
        since.is_ok().write(out);
        since.unwrap_or_else(|before| before.duration()).write(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<SystemTime> {
        let (is_after, distance) = (bool::read(bytes)?, Duration::read(bytes)?);
        let epoch = SystemTime::UNIX_EPOCH;
        if is_after { epoch.checked_add(distance) } else { epoch.checked_sub(distance) }
    }
}

impl PortableField for IpAddr {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            IpAddr::V4(ip) => (4_u8, *ip).write(out),
            IpAddr::V6(ip) => (6_u8, *ip).write(out),
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<IpAddr> {
        match u8::read(bytes)? {
            4 => Ipv4Addr::read(bytes).map(IpAddr::V4),
            6 => Ipv6Addr::read(bytes).map(IpAddr::V6),
            _ => None,
        }
    }
}

impl<A: PortableField, B: PortableField> PortableField for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<(A, B)> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    text.len().write(out);
    out.extend_from_slice(text.as_bytes());
}

fn read_text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::read(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

macro_rules! texts {
    ($($text:ty),*) => {
        $(impl PortableField for $text {
            fn write(&self, out: &mut Vec<u8>) {
                write_text(self, out);
            }

            fn read(bytes: &mut &[u8]) -> Option<$text> {
                read_text(bytes).map(<$text>::from)
            }
        })*
    };
}

texts!(String, Box<str>, Rc<str>, Arc<str>);

impl PortableField for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        String::read(bytes).map(Cow::Owned)
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {
        $(impl<T: PortableField> PortableField for $pointer<T> {
            fn write(&self, out: &mut Vec<u8>) {
                T::write(self, out);
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                T::read(bytes).map($pointer::new)
            }
        })*
    };
}

pointers!(Box, Rc, Arc);

impl<T: PortableField> PortableField for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Option<T>> {
        if bool::read(bytes)? { T::read(bytes).map(Some) } else { Some(None) }
    }
}

/// Items as a collection. A length that lies costs nothing: room is made as items are there.
fn read_items<T: PortableField, C: Default + Extend<T>>(bytes: &mut &[u8]) -> Option<C> {
    let mut items = C::default();
    for _ in 0..usize::read(bytes)? {
        let before = bytes.len();
        items.extend([T::read(bytes)?]);
        // Items that take no bytes could be any number.
        if bytes.len() == before {
            return None;
        }
    }
    Some(items)
}

impl<T: PortableField> PortableField for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.len().write(out);
        for item in self {
            item.write(out);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Vec<T>> {
        read_items(bytes)
    }
}

impl<K: PortableField + Ord, V: PortableField> PortableField for BTreeMap<K, V> {
    fn write(&self, out: &mut Vec<u8>) {
        self.len().write(out);
        for (name, value) in self {
            name.write(out);
            value.write(out);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        read_items::<(K, V), _>(bytes)
    }
}

/// Entries are written in the order of their keys, so that equal events have equal bytes.
impl<K: PortableField + Ord + Hash, V: PortableField, S: BuildHasher + Default> PortableField
    for HashMap<K, V, S>
{
    fn write(&self, out: &mut Vec<u8>) {
        let sorted: BTreeMap<&K, &V> = self.iter().collect();
        sorted.len().write(out);
        for (name, value) in sorted {
            name.write(out);
            value.write(out);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        read_items::<(K, V), _>(bytes)
    }
}
