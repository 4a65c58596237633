//! The event type of each row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use hashbrown::HashMap;

use crate::convert::{codes, is_text};
use crate::element::{Element, element};
use crate::error::ColumnarError;
use crate::format::ColumnFormat;
use crate::leaf::leaf;
use crate::plan::{Plan, TypeSource};

/// The rows of a batch by their event type.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    /// The numbers of the rows of each declared type that has any, by the number of the type. The
    /// types are in the order of their first row.
    pub(crate) parts: Vec<(usize, Vec<u32>)>,
    /// The types that no rule file declares, with the number of their rows.
    pub(crate) unknown: Vec<(Arc<str>, u64)>,
    /// The rows without a type, and the reasons.
    pub(crate) rejected: Vec<(u32, String)>,
}

/// The meaning of a name.
#[derive(Clone, Copy)]
enum Name {
    /// The number of a declared type.
    Declared(usize),
    /// The position among the unknown types.
    Unknown(usize),
    Empty,
}

impl Typed {
    /// Finds the type of each row of a batch.
    pub(crate) fn of(
        batch: &RecordBatch,
        plan: &Plan,
        format: ColumnFormat,
    ) -> Result<Typed, ColumnarError> {
        let mut typed = Typed::default();
        let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        match &plan.type_source {
            TypeSource::Fixed(name) => match plan.find(name) {
                Some(number) => typed.parts.push((number, (0..rows).collect())),
                None => typed.unknown.push((name.clone(), rows.into())),
            },
            TypeSource::Column(path) => {
                let column = leaf(batch, path, format)?;
                let mut sorter = Sorter {
                    plan,
                    typed: &mut typed,
                    part_of: vec![None; plan.types.len()],
                    unknown: HashMap::new(),
                    last: None,
                };
                sorter.sort(&column, &path.join("."));
            }
        }
        Ok(typed)
    }
}

struct Sorter<'a> {
    plan: &'a Plan,
    typed: &'a mut Typed,
    /// The position of the rows of each declared type.
    part_of: Vec<Option<usize>>,
    /// The positions of the unknown types by name.
    unknown: HashMap<Arc<str>, usize>,
    /// The last name.
    last: Option<(Box<str>, Name)>,
}

impl Sorter<'_> {
    fn sort(&mut self, column: &ArrayRef, path: &str) {
        if let DataType::Dictionary(_, values) = column.data_type()
            && is_text(values)
        {
            let dictionary = column.as_any_dictionary();
            if let Some(codes) = codes(dictionary.keys()) {
                return self.sort_codes(column, &codes, dictionary.values(), path);
            }
        }
        for row in 0..column.len() {
            let found = element(column, row);
            match found {
                Element::Text(text) => {
                    let name = self.name(text);
                    self.add(row, name, path);
                }
                found => self.reject(row, &found, path),
            }
        }
    }

    /// Looks each text of a dictionary up once.
    fn sort_codes(&mut self, column: &ArrayRef, codes: &[u32], values: &ArrayRef, path: &str) {
        let mut names: Vec<Option<Name>> = vec![None; values.len()];
        let nulls = column.nulls();
        for (row, code) in codes.iter().enumerate() {
            let code = *code as usize;
            let is_null = nulls.is_some_and(|nulls| nulls.is_null(row));
            let known = if is_null { None } else { names.get(code).copied().flatten() };
            let name = known.or_else(|| {
                let Element::Text(text) = element(column, row) else { return None };
                Some(*names.get_mut(code)?.insert(self.name(text)))
            });
            let Some(name) = name else {
                self.reject(row, &Element::Null, path);
                continue;
            };
            self.add(row, name, path);
        }
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some((last, name)) = &self.last
            && **last == *text
        {
            return *name;
        }
        let name = if text.is_empty() {
            Name::Empty
        } else if let Some(number) = self.plan.find(text) {
            Name::Declared(number)
        } else {
            let Sorter { unknown, typed, .. } = self;
            Name::Unknown(unknown.get(text).copied().unwrap_or_else(|| {
                let name: Arc<str> = text.into();
                unknown.insert(name.clone(), typed.unknown.len());
                typed.unknown.push((name, 0));
                typed.unknown.len() - 1
            }))
        };
        self.last = Some((text.into(), name));
        name
    }

    fn add(&mut self, row: usize, name: Name, path: &str) {
        match name {
            Name::Declared(number) => {
                let parts = &mut self.typed.parts;
                let part = *self.part_of[number].get_or_insert_with(|| {
                    parts.push((number, Vec::new()));
                    parts.len() - 1
                });
                parts[part].1.push(number_of(row));
            }
            Name::Unknown(position) => self.typed.unknown[position].1 += 1,
            Name::Empty => {
                let reason = format!("no event type: the column `{path}` is empty");
                self.typed.rejected.push((number_of(row), reason));
            }
        }
    }

    #[cold]
    fn reject(&mut self, row: usize, found: &Element<'_>, path: &str) {
        let reason = match found {
            Element::Null => format!("no event type: the column `{path}` is null"),
            found => format!("field `{path}`: expected the event type, found {found}"),
        };
        self.typed.rejected.push((number_of(row), reason));
    }
}

/// A batch has fewer rows than that.
fn number_of(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}
