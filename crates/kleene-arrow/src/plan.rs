//! The columns that the rules' schema needs, found once for an input.

use std::sync::Arc;

use arrow_schema::{DataType, Fields, Schema as ArrowSchema};
use hashbrown::HashMap;
use kleene::schema::{EventType, Field, FieldType, Schema};
use kleene_input::Reading;

use crate::error::ColumnarError;

/// The names on the way to a column: several for one in a struct.
pub(crate) type Path = Vec<Arc<str>>;

/// What is read from an input.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The declared types.
    pub(crate) types: Vec<TypePlan>,
    by_name: HashMap<Arc<str>, usize>,
    pub(crate) type_source: TypeSource,
    /// The column of the time that was given from outside.
    pub(crate) named_time: Option<Path>,
    /// The columns to decode; `None` for all.
    pub(crate) needed: Option<Vec<Path>>,
}

/// Where the event type comes from.
#[derive(Debug)]
pub(crate) enum TypeSource {
    /// A column.
    Column(Path),
    /// All events have this type.
    Fixed(Arc<str>),
}

/// What is read for the events of one type.
#[derive(Debug)]
pub(crate) struct TypePlan {
    pub(crate) name: Arc<str>,
    /// True if undeclared fields are kept.
    pub(crate) open: bool,
    /// In the order of declaration.
    pub(crate) fields: Vec<FieldPlan>,
    /// The numbers of the fields, in the order of their columns: the first one that is wrong is
    /// reported.
    pub(crate) by_column: Vec<usize>,
    /// The field that holds the event time.
    pub(crate) time: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) field: Field,
    pub(crate) source: FieldSource,
}

/// Where the values of a field come from.
#[derive(Clone, Debug)]
pub(crate) enum FieldSource {
    Column(Path),
    /// The field is in an object, and this column, which should hold it, is no struct.
    NoStruct(Path),
    Missing,
}

impl Plan {
    /// The plan to read all columns. All rows are of one type, which has no name.
    pub(crate) fn of_all_columns() -> Plan {
        let name: Arc<str> = Arc::from("");
        let (fields, by_column) = (Vec::new(), Vec::new());
        Plan {
            types: vec![TypePlan { name: name.clone(), open: true, fields, by_column, time: None }],
            by_name: [(name.clone(), 0)].into_iter().collect(),
            type_source: TypeSource::Fixed(name),
            named_time: None,
            needed: None,
        }
    }

    /// Finds the columns for the types of `schema` for which `is_declared` is true.
    ///
    /// # Errors
    /// No event can be read from these columns, and why.
    pub(crate) fn new(
        columns: &ArrowSchema,
        schema: &Schema,
        is_declared: impl Fn(&str) -> bool,
        reading: &Reading,
    ) -> Result<Plan, ColumnarError> {
        check_names(columns.fields())?;
        let declared: Vec<&EventType> =
            schema.types().map(|(_, ty)| ty).filter(|ty| is_declared(&ty.name)).collect();
        let type_source = type_source(columns, &declared, reading)?;
        let path_of = |name: &str| find(columns.fields(), name).map(|found| found.path);
        let named_time = path_of(&reading.time_field);
        let types = declared.iter().map(|ty| TypePlan::new(columns, ty));
        let types = types.collect::<Result<Vec<TypePlan>, ColumnarError>>()?;
        let by_name = types.iter().enumerate().map(|(index, ty)| (ty.name.clone(), index));
        let mut plan =
            Plan { by_name: by_name.collect(), type_source, named_time, needed: None, types };
        if plan.types.iter().any(|ty| ty.open) {
            columns
                .fields()
                .iter()
                .try_for_each(|column| check_type(column.name(), column.data_type()))?;
        } else {
            plan.needed = Some(plan.paths());
        }
        Ok(plan)
    }

    /// Returns the number of a declared type.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Returns the columns of fields, the type and the time.
    fn paths(&self) -> Vec<Path> {
        let fields = self.types.iter().flat_map(|ty| &ty.fields);
        let mut paths: Vec<Path> = fields
            .filter_map(|plan| match &plan.source {
                FieldSource::Column(path) | FieldSource::NoStruct(path) => Some(path.clone()),
                FieldSource::Missing => None,
            })
            .chain(self.named_time.clone())
            .collect();
        if let TypeSource::Column(path) = &self.type_source {
            paths.push(path.clone());
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// True if the column at this path holds the event type or the time that was given from outside.
    pub(crate) fn is_special(&self, path: &[Arc<str>]) -> bool {
        self.special().any(|of| **of == *path)
    }

    /// True if a column in the struct at this path does.
    pub(crate) fn has_special_in(&self, path: &[Arc<str>]) -> bool {
        self.special().any(|of| of.starts_with(path))
    }

    fn special(&self) -> impl Iterator<Item = &Path> {
        let of_type = match &self.type_source {
            TypeSource::Column(path) => Some(path),
            TypeSource::Fixed(_) => None,
        };
        of_type.into_iter().chain(&self.named_time)
    }
}

impl TypePlan {
    fn new(columns: &ArrowSchema, ty: &EventType) -> Result<TypePlan, ColumnarError> {
        let mut fields = Vec::with_capacity(ty.fields.len());
        let mut places = Vec::with_capacity(ty.fields.len());
        for field in &ty.fields {
            let found = find(columns.fields(), &field.name);
            if let Some(found) = &found
                && let Some(other) = second(columns.fields(), &field.name)
            {
                let (name, path) = (&field.name, found.path.join("/"));
                let other = other.path.join("/");
                return Err(ColumnarError::new(format!(
                    "two columns hold the field `{name}`: `{path}` and `{other}`"
                )));
            }
            let (source, place) = match found {
                Some(found) if found.is_whole => {
                    check_type(&field.name, found.ty)?;
                    (FieldSource::Column(found.path), found.place)
                }
                Some(found) => (FieldSource::NoStruct(found.path), found.place),
                None => (FieldSource::Missing, Vec::new()),
            };
            places.push(place);
            fields.push(FieldPlan { field: field.clone(), source });
        }
        let mut by_column: Vec<usize> = (0..fields.len()).collect();
        by_column.sort_by(|a, b| places[*a].cmp(&places[*b]));
        let time = ty.time.map(kleene::schema::FieldId::index);
        Ok(TypePlan { name: ty.name.clone(), open: ty.open, fields, by_column, time })
    }

    /// Returns the number of the declared event time, if its values are times.
    pub(crate) fn time_field(&self) -> Option<usize> {
        self.time.filter(|time| self.fields[*time].field.ty == FieldType::Time)
    }

    /// Returns the meaning of the column at a path for this type.
    pub(crate) fn role(&self, path: &[Arc<str>]) -> Role {
        let mut role = Role::Undeclared;
        for FieldPlan { field, source } in &self.fields {
            match source {
                FieldSource::Column(of) | FieldSource::NoStruct(of) if **of == *path => {
                    return Role::Field;
                }
                FieldSource::Column(of) if of.starts_with(path) => role = Role::Partly,
                FieldSource::Missing if is_in(&field.name, path) => role = Role::Partly,
                _ => {}
            }
        }
        role
    }
}

/// True if a dotted name is that of a field in the struct at a path.
fn is_in(name: &str, path: &[Arc<str>]) -> bool {
    let mut names = name.split('.');
    path.iter().all(|name| names.next() == Some(name)) && names.next().is_some()
}

/// The meaning of a column for a type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// A declared field.
    Field,
    /// A struct, of which a field is declared.
    Partly,
    Undeclared,
}

/// A column for a name.
struct Found<'a> {
    path: Path,
    /// The positions of the columns on the path.
    place: Vec<usize>,
    ty: &'a DataType,
    /// False if the path ends before the name does, at a column that is no struct.
    is_whole: bool,
}

/// Finds the column of a name, which may be dotted for a column in a struct.
fn find<'a>(fields: &'a Fields, name: &str) -> Option<Found<'a>> {
    if let Some((place, field)) = fields.find(name) {
        let (path, place) = (vec![name.into()], vec![place]);
        return Some(Found { path, place, ty: field.data_type(), is_whole: true });
    }
    nested(fields, name)
}

/// Finds a second column of a name: one in a struct, where one outside has the dotted name.
fn second<'a>(fields: &'a Fields, name: &str) -> Option<Found<'a>> {
    fields.find(name)?;
    nested(fields, name).filter(|found| found.is_whole)
}

/// Finds the column of a dotted name in a struct.
fn nested<'a>(fields: &'a Fields, name: &str) -> Option<Found<'a>> {
    let (first, rest) = name.split_once('.')?;
    let (place, field) = fields.find(first)?;
    let DataType::Struct(inner) = field.data_type() else {
        let (path, place) = (vec![first.into()], vec![place]);
        return Some(Found { path, place, ty: field.data_type(), is_whole: false });
    };
    let mut found = match inner.find(rest) {
        Some((place, field)) if !rest.contains('.') => {
            let (path, place) = (vec![rest.into()], vec![place]);
            Found { path, place, ty: field.data_type(), is_whole: true }
        }
        _ => nested(inner, rest)?,
    };
    found.path.insert(0, first.into());
    found.place.insert(0, place);
    Some(found)
}

/// Checks that no two columns have the same name.
fn check_names(fields: &Fields) -> Result<(), ColumnarError> {
    let mut names: Vec<&str> = fields.iter().map(|field| &**field.name()).collect();
    names.sort_unstable();
    let twice = names.iter().zip(&names[names.len().min(1)..]).find(|(name, next)| name == next);
    if let Some((name, _)) = twice {
        return Err(ColumnarError::new(format!("two columns are called `{name}`")));
    }
    fields.iter().try_for_each(|field| match field.data_type() {
        DataType::Struct(inner) => check_names(inner),
        _ => Ok(()),
    })
}

/// Checks that values of a column can be values of a field.
fn check_type(name: &str, ty: &DataType) -> Result<(), ColumnarError> {
    match ty {
        DataType::Interval(_) | DataType::Union(..) | DataType::RunEndEncoded(..) => {
            Err(ColumnarError::new(format!(
                "the column `{name}` has the type {ty}, which no field can hold\n\
                 help: write the file without this column"
            )))
        }
        DataType::Dictionary(_, values) => check_type(name, values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::Map(item, _) => check_type(name, item.data_type()),
        DataType::Struct(inner) => {
            inner.iter().try_for_each(|field| check_type(name, field.data_type()))
        }
        _ => Ok(()),
    }
}

/// Finds where the event type comes from.
fn type_source(
    columns: &ArrowSchema,
    declared: &[&EventType],
    reading: &Reading,
) -> Result<TypeSource, ColumnarError> {
    if let Some(name) = &reading.fixed_type {
        return Ok(TypeSource::Fixed(name.as_str().into()));
    }
    match (find(columns.fields(), &reading.type_field), declared) {
        (Some(found), _) if found.is_whole => Ok(TypeSource::Column(found.path)),
        (_, [only]) => Ok(TypeSource::Fixed(only.name.clone())),
        _ => Err(no_type_column(columns, reading)),
    }
}

/// The reason why no event can be read where no column holds the type.
#[cold]
fn no_type_column(columns: &ArrowSchema, reading: &Reading) -> ColumnarError {
    let speaks = |name: &&&str| {
        let name = name.to_ascii_lowercase();
        ["type", "event", "kind", "action"].iter().any(|word| name.contains(word))
    };
    let names: Vec<&str> = columns.fields().iter().map(|column| &**column.name()).collect();
    let likely = names.iter().find(speaks);
    let likely = likely.map_or(String::new(), |name| format!(" (perhaps `{name}`)"));
    ColumnarError::new(reading.options.spell(format!(
        "no column `{}` for the event type: there are {}\nhelp: name the column with \
         --type-field{likely}, or the type of all events with --type",
        reading.type_field,
        names.join(", ")
    )))
}
