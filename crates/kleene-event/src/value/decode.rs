//! From values to Rust types, through serde: what a rule emits as a struct.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    VariantAccess, Visitor,
};

use crate::time::format_millis;
use crate::value::{ListRef, Value, ValueRef};

/// The reason why a value is not of a Rust type; see [`Value::decode`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> DecodeError {
        DecodeError(message.to_string())
    }
}

impl Value {
    /// Makes a Rust value of this one: of what a rule emits, a struct with a field for each name.
    /// Available with the feature `serde`.
    ///
    /// A time becomes a [`Timestamp`](crate::time::Timestamp), a `SystemTime`, milliseconds since 1970
    /// where an integer is asked for, or text in RFC 3339. A duration becomes a
    /// `std::time::Duration`, milliseconds where an integer is asked for, or text as rules spell
    /// it. An address becomes a `std::net::IpAddr` or text. Null is `None`.
    ///
    /// # Errors
    /// A field is missing or of another type; the message names the field.
    ///
    /// ```
    /// use kleene::{Engine, Output, Record, RuleSet, Timestamp};
    ///
    /// #[derive(Debug, PartialEq, serde::Deserialize)]
    /// struct Alert {
    ///     user: String,
    ///     tries: u32,
    ///     took: std::time::Duration,
    /// }
    ///
    /// let rules = RuleSet::parse(
    ///     "event failed { user: string, at: time }
    ///      rule guessing {
    ///        key user  match failed{3} as all  within 1m
    ///        emit { user, tries: count(all), took: last(all.at) - first(all.at) }
    ///      }",
    /// )?;
    /// let mut engine = Engine::builder().rules(&rules).build()?;
    /// let mut outputs: Vec<Output<Record>> = Vec::new();
    /// for second in 0..3 {
    ///     let at = Timestamp::from_millis(second * 1000);
    ///     let fields = [("user", "ann".into()), ("at", at.into())];
    ///     engine.push(&Record::from_fields(rules.schema(), "failed", fields)?, &mut outputs)?;
    /// }
    /// let Some(Output::Match(found)) = outputs.first() else { panic!("{outputs:?}") };
    /// let alert: Alert = found.emit.decode()?;
    /// let took = std::time::Duration::from_secs(2);
    /// assert_eq!(alert, Alert { user: "ann".into(), tries: 3, took });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(self.as_ref())
    }
}

/// A moment or a length in the parts that serde's `SystemTime` and `Duration` have.
fn parts<'de, V: Visitor<'de>>(
    names: [&'static str; 2],
    millis: i64,
    visitor: V,
) -> Result<V::Value, DecodeError> {
    let Ok(millis) = u64::try_from(millis) else {
        let message = format!("{millis} ms is before 0, which this Rust type cannot hold");
        return Err(DecodeError(message));
    };
    let [seconds, nanos] = names;
    let parts = [(seconds, millis / 1000), (nanos, millis % 1000 * 1_000_000)];
    MapDeserializer::new(parts.into_iter()).deserialize_any(visitor)
}

macro_rules! integers {
    ($($method:ident),*) => {
        $(
            /// A time and a duration are milliseconds where a number is asked for.
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
                match self {
                    ValueRef::Time(time) => visitor.visit_i64(time.as_millis()),
                    ValueRef::Duration(millis) => visitor.visit_i64(millis),
                    other => other.deserialize_any(visitor),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for ValueRef<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            ValueRef::Null => visitor.visit_unit(),
            ValueRef::Bool(b) => visitor.visit_bool(b),
            ValueRef::Int(i) => visitor.visit_i64(i),
            ValueRef::Float(x) => visitor.visit_f64(x),
            ValueRef::String(text) => visitor.visit_borrowed_str(text),
            ValueRef::Time(time) => visitor.visit_string(time.to_string()),
            ValueRef::Duration(millis) => visitor.visit_string(format_millis(millis)),
            ValueRef::Ip(ip) => visitor.visit_string(ip.to_string()),
            ValueRef::List(values) => visit_list(ListRef::Values(values), visitor),
            ValueRef::Items(items) => visit_list(ListRef::Items(items), visitor),
            ValueRef::Record(fields) => {
                visitor.visit_map(Entries { fields: fields.iter(), value: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match (self, name) {
            (ValueRef::Duration(millis), "Duration") => parts(["secs", "nanos"], millis, visitor),
            (ValueRef::Time(time), "SystemTime") => {
                parts(["secs_since_epoch", "nanos_since_epoch"], time.as_millis(), visitor)
            }
            (other, _) => other.deserialize_any(visitor),
        }
    }

    /// A text is the name of a variant; a record of one field is a variant with what it holds.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self {
            ValueRef::String(text) => visitor.visit_enum(text.into_deserializer()),
            ValueRef::Record([(name, value)]) => visitor.visit_enum(Variant { name, value }),
            other => other.deserialize_any(visitor),
        }
    }

    integers!(
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64
    );

    serde::forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

fn visit_list<'de, V: Visitor<'de>>(
    list: ListRef<'de>,
    visitor: V,
) -> Result<V::Value, DecodeError> {
    let mut items = SeqDeserializer::new(list.iter());
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

impl<'de> IntoDeserializer<'de, DecodeError> for ValueRef<'de> {
    type Deserializer = ValueRef<'de>;

    fn into_deserializer(self) -> ValueRef<'de> {
        self
    }
}

/// The fields of a record, one after the other.
struct Entries<'de> {
    fields: std::slice::Iter<'de, (std::sync::Arc<str>, Value)>,
    /// The value of the name that was given last.
    value: Option<&'de (std::sync::Arc<str>, Value)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.fields.next();
        let name = self.value.map(|(name, _)| seed.deserialize(named(name)));
        name.transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some((name, value)) = self.value else {
            return Err(DecodeError(String::from("a value was asked for before its name")));
        };
        let value = seed.deserialize(value.as_ref());
        value.map_err(|DecodeError(message)| DecodeError(format!("`{name}`: {message}")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

fn named(name: &str) -> StrDeserializer<'_, DecodeError> {
    name.into_deserializer()
}

/// A variant that holds something.
struct Variant<'de> {
    name: &'de str,
    value: &'de Value,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        Ok((seed.deserialize(named(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        de::Deserialize::deserialize(self.value.as_ref())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.value.as_ref())
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.value.as_ref().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.value.as_ref().deserialize_any(visitor)
    }
}
