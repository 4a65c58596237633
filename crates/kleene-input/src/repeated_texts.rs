//! Texts that repeat from one event to the next: a status, a country, a name of a host.

use std::sync::Arc;

use kleene::schema::TypeId;
use kleene::value::Value;

/// The last text of each field of each type, which records share.
///
/// A text that is shared is neither copied nor freed for each event, and partial matches hold it
/// once. Records that share texts stay in the thread that reads them: threads that count the owners
/// of one text wait for each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct RepeatedTexts {
    /// By type and field.
    types: Vec<Vec<LastText>>,
}

/// The last text of a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastText(Option<Arc<str>>);

impl RepeatedTexts {
    /// Returns the last text of each field of a type with this number of fields.
    #[inline]
    pub(crate) fn of_type(&mut self, ty: TypeId, fields: usize) -> &mut [LastText] {
        let index = ty.index();
        if self.types.len() <= index {
            self.types.resize_with(index + 1, Vec::new);
        }
        let texts = &mut self.types[index];
        if texts.len() < fields {
            texts.resize_with(fields, LastText::default);
        }
        texts
    }
}

impl LastText {
    /// Returns the value of a text, which is the last one of the field from now on.
    #[inline]
    pub(crate) fn value(&mut self, text: &str) -> Value {
        let last = match &self.0 {
            Some(last) if **last == *text => last,
            _ => self.0.insert(text.into()),
        };
        Value::String(last.clone())
    }
}
