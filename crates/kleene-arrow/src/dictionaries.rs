//! What was made of the dictionaries of columns.
//!
//! Batches of one row group, and all batches of a file of Arrow, share dictionaries: what is made of
//! one is kept until another comes.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use hashbrown::HashMap;
use kleene::schema::FieldType;
use kleene::value::Value;

use crate::element::{Element, element};
use crate::plan::Path;

/// What was made of the last dictionary of each column.
#[derive(Debug, Default)]
pub(crate) struct Dictionaries {
    texts: HashMap<Path, (ArrayRef, Texts)>,
    values: HashMap<Path, (ArrayRef, FieldType, Values)>,
}

type Texts = Arc<[Arc<str>]>;

/// The value of each text of a dictionary as that of a field, or the reason why it has no meaning;
/// `None` if no row had it.
type Values = Vec<Option<Result<Value, String>>>;

impl Dictionaries {
    /// A dictionary with more values is not looked at as a whole: most of them may have no row.
    const MAX_VALUES: usize = 1 << 17;

    /// Returns the texts of a dictionary; `None` if there are too many.
    pub(crate) fn texts(&mut self, path: &Path, dictionary: &ArrayRef) -> Option<Texts> {
        if let Some((last, texts)) = self.texts.get(path)
            && is_same(last, dictionary)
        {
            return Some(texts.clone());
        }
        if dictionary.len() > Dictionaries::MAX_VALUES {
            return None;
        }
        let text = |row| match element(dictionary, row) {
            Element::Text(text) => Arc::from(text),
            _ => Arc::from(""),
        };
        let texts: Texts = (0..dictionary.len()).map(text).collect();
        self.texts.insert(path.clone(), (dictionary.clone(), texts.clone()));
        Some(texts)
    }

    /// Returns the values of a dictionary as those of a field; `None` if there are too many.
    pub(crate) fn values(
        &mut self,
        (path, ty): (&Path, &FieldType),
        dictionary: &ArrayRef,
    ) -> Option<&mut Values> {
        if dictionary.len() > Dictionaries::MAX_VALUES {
            return None;
        }
        let is_known = self
            .values
            .get(path)
            .is_some_and(|(last, of, _)| of == ty && is_same(last, dictionary));
        if !is_known {
            let values = vec![None; dictionary.len()];
            self.values.insert(path.clone(), (dictionary.clone(), ty.clone(), values));
        }
        self.values.get_mut(path).map(|(.., values)| values)
    }
}

/// True if two dictionaries are the same memory.
fn is_same(last: &ArrayRef, dictionary: &ArrayRef) -> bool {
    last.to_data().ptr_eq(&dictionary.to_data())
}
