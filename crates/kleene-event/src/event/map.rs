//! Maps from names to values, as fields of events.
#![expect(clippy::disallowed_types, reason = "events have what their programs use")]

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::event::FieldValue;
use crate::schema::FieldType;
use crate::value::ValueRef;

/// A map from names to values, as a field of an event. Rules read its entries as fields; a missing
/// entry is null.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use kleene::{Engine, Event, Output, RuleSet, Timestamp, diagnostic::Source};
///
/// #[derive(Clone, Event)]
/// struct Deploy { labels: BTreeMap<String, String>, stages: Vec<u64>, at: Timestamp }
///
/// let rule = "rule canary { match deploy[labels.env == \"prod\" and 5 in stages] }";
/// let rules =
///     RuleSet::builder().events::<Deploy>().source(Source::new("deploy.cep", rule)).build()?;
/// let mut engine = Engine::builder().rules(&rules).build()?;
/// let mut outputs: Vec<Output<Deploy>> = Vec::new();
/// let deploy = |env: &str, stages: &[u64]| Deploy {
///     labels: [("env".into(), env.into())].into(),
///     stages: stages.into(),
///     at: Timestamp::from_millis(1000),
/// };
/// engine.push(&deploy("prod", &[5, 50]), &mut outputs)?;
/// assert!(matches!(outputs[..], [Output::Match(_)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a map of values by name",
    note = "maps are HashMap and BTreeMap with String, &str, Box<str> or Arc<str> as keys and \
            kleene::event::FieldValue as values, and Option of these"
)]
pub trait MapValue {
    /// Returns the type of the values.
    fn value_type() -> FieldType;

    /// Returns the value of an entry; null if the map has no entry of this name.
    fn entry(&self, name: &str) -> ValueRef<'_>;

    /// Returns the approximate heap size of the map in bytes.
    fn heap_size(&self) -> usize;

    /// True if rules can read every value.
    fn is_in_range(&self) -> bool;
}

macro_rules! maps {
    ($($map:ident<$key:ident: ($($bound:tt)*) $(, $hasher:ident: $build:ident)?>),*) => {
        $(impl<$key: Borrow<str> + $($bound)*, V: FieldValue $(, $hasher: $build)?> MapValue
            for $map<$key, V $(, $hasher)?>
        {
            fn value_type() -> FieldType {
                V::field_type()
            }

            fn entry(&self, name: &str) -> ValueRef<'_> {
                self.get(name).map_or(ValueRef::Null, V::value)
            }

            fn heap_size(&self) -> usize {
                let inline = self.len().saturating_mul(size_of::<($key, V)>());
                let owned = |(name, value): (&$key, &V)| {
                    let name: &str = name.borrow();
                    name.len() + value.value().heap_size()
                };
                inline + self.iter().map(owned).sum::<usize>()
            }

            fn is_in_range(&self) -> bool {
                !V::HAS_RANGE || self.values().all(V::is_in_range)
            }
        })*
    };
}

impl<M: MapValue> MapValue for Option<M> {
    fn value_type() -> FieldType {
        M::value_type()
    }

    fn entry(&self, name: &str) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, |map| map.entry(name))
    }

    fn heap_size(&self) -> usize {
        self.as_ref().map_or(0, M::heap_size)
    }

    fn is_in_range(&self) -> bool {
        self.as_ref().is_none_or(M::is_in_range)
    }
}

maps!(HashMap<K: (Eq + Hash), S: BuildHasher>, BTreeMap<K: (Ord)>);
