//! The values of a field: counts only, so that memory depends on the number of fields and not on
//! the number of events.

use std::net::IpAddr;

use hashbrown::HashMap;
use kleene::Timestamp;

use kleene_input::{Raw, duration_from_text, list_from_cell};

/// The most fields of one object that are looked at.
pub(super) const MAX_FIELDS: usize = 1000;

/// The longest name that is looked at, in bytes.
pub(super) const MAX_NAME: usize = 256;

/// The settings that all fields share.
#[derive(Debug)]
pub(super) struct Scope {
    /// The number of the event, from 1.
    pub(super) event: u64,
    /// The number of fields that may still be added, over all types.
    pub(super) room: usize,
    /// The names on the way to the event type, which is no field.
    pub(super) type_path: Vec<String>,
}

/// The shape of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Null,
    Bool,
    Int,
    Float,
    /// Text that is nothing else.
    Text,
    /// Text without characters.
    Empty,
    /// Text that is a whole number.
    Digits,
    /// Text in RFC 3339.
    Time,
    /// Text such as `1h30m`.
    Duration,
    Ip,
    List,
    Object,
    Deep,
}

/// The number of shapes.
const SHAPES: usize = Shape::Deep as usize + 1;

/// The shapes and counts of a field, of an event type, or of a list's elements.
#[derive(Debug, Default)]
pub(super) struct Observation {
    shapes: [u64; SHAPES],
    /// The number of values that are cells of CSV, in which a text may be anything.
    pub(super) cells: u64,
    /// Events in which it was given, null included.
    pub(super) given: u64,
    /// Events in which it was given twice.
    pub(super) twice: u64,
    last_given: u64,
    last_whole: u64,
    last_object: u64,
    /// Numbers that are a moment between 1980 and 2100 in seconds, milliseconds, micro- and
    /// nanoseconds.
    pub(super) epochs: [u64; 4],
    /// Values that are numbers or moments, by how they follow each other.
    pub(super) order: Order,
    /// The items, if the value is a list.
    pub(super) element: Option<Box<Observation>>,
    /// The fields, if the value is an object, in the order of the input.
    pub(super) fields: Vec<(Box<str>, Observation)>,
    by_name: HashMap<Box<str>, usize>,
    /// The number of fields that were left out, as there are too many or their names are too long.
    pub(super) left_out: u64,
}

/// The order of values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    last: Option<f64>,
    /// Pairs of neighbours.
    pub(super) pairs: u64,
    /// Pairs in which the second is not less.
    pub(super) rising: u64,
}

impl Order {
    fn saw(&mut self, value: f64) {
        if let Some(last) = self.last.replace(value) {
            self.pairs += 1;
            self.rising += u64::from(value >= last);
        }
    }

    /// The part of the pairs that rise, in percent; 100 without pairs.
    pub(super) fn percent(self) -> u64 {
        (self.rising * 100).checked_div(self.pairs).unwrap_or(100)
    }
}

impl Observation {
    /// Returns the number of values of this shape.
    pub(super) fn count(&self, shape: Shape) -> u64 {
        self.shapes[shape as usize]
    }

    /// Takes in the fields of an object that is here in this event.
    fn object(&mut self, fields: Vec<(String, Raw)>, path: Option<&[String]>, scope: &mut Scope) {
        self.is_object(scope);
        for (name, value) in fields {
            self.named(&name, value, path, scope);
        }
    }

    /// Adds an event. Only at the top is a name with dots the name of a nested field.
    pub(super) fn event(
        &mut self,
        fields: Vec<(String, Raw)>,
        path: Option<&[String]>,
        scope: &mut Scope,
    ) {
        self.is_object(scope);
        for (name, value) in fields {
            let is_path = name.contains('.') && name.split('.').all(|part| !part.is_empty());
            if is_path {
                self.dotted(&name, value, path, scope);
            } else {
                self.named(&name, value, path, scope);
            }
        }
    }

    fn is_object(&mut self, scope: &Scope) {
        // `{"a.b": 1, "a.c": 2}` says only once that `a` is an object.
        if self.last_object != scope.event {
            self.last_object = scope.event;
            self.shapes[Shape::Object as usize] += 1;
        }
    }

    /// Takes in a field of the object that is here. `path` are the names from here to the event
    /// type, if it is below.
    fn named(&mut self, name: &str, value: Raw, path: Option<&[String]>, scope: &mut Scope) {
        let path = below(path, name);
        if path.is_some_and(<[String]>::is_empty) {
            return;
        }
        let Some(seen) = self.field(name, scope) else { return };
        seen.is_given_whole(scope);
        seen.value(value, path, scope);
    }

    /// Takes in a field whose name is a path from here.
    fn dotted(&mut self, name: &str, value: Raw, path: Option<&[String]>, scope: &mut Scope) {
        let Some((first, rest)) = name.split_once('.') else {
            if !matches!(value, Raw::Object(_)) {
                return self.named(name, value, path, scope);
            }
            // `{"a.b": {"c": 1}}` is read neither as `a.b.c` nor as nested objects.
            let Some(seen) = self.field(name, scope) else { return };
            seen.is_given(scope);
            seen.is_object(scope);
            seen.left_out += 1;
            return;
        };
        let Some(seen) = self.field(first, scope) else { return };
        seen.is_given(scope);
        seen.is_object(scope);
        seen.dotted(rest, value, below(path, first), scope);
    }

    /// The field of this name; `None` if there are too many.
    fn field(&mut self, name: &str, scope: &mut Scope) -> Option<&mut Observation> {
        if let Some(index) = self.by_name.get(name) {
            return self.fields.get_mut(*index).map(|(_, seen)| seen);
        }
        if scope.room == 0 || self.fields.len() >= MAX_FIELDS || name.len() > MAX_NAME {
            self.left_out += 1;
            return None;
        }
        scope.room -= 1;
        self.by_name.insert(name.into(), self.fields.len());
        self.fields.push((name.into(), Observation::default()));
        self.fields.last_mut().map(|(_, seen)| seen)
    }

    /// Counts an event that gives the field, as a whole or in part.
    fn is_given(&mut self, scope: &Scope) {
        if self.last_given != scope.event {
            self.last_given = scope.event;
            self.given += 1;
        }
    }

    /// Counts an event that gives the field as a whole.
    fn is_given_whole(&mut self, scope: &Scope) {
        self.is_given(scope);
        self.twice += u64::from(self.last_whole == scope.event);
        self.last_whole = scope.event;
    }

    /// Takes in a value that is here.
    fn value(&mut self, value: Raw, path: Option<&[String]>, scope: &mut Scope) {
        let shape = match value {
            Raw::Null => Shape::Null,
            Raw::Bool(_) => Shape::Bool,
            Raw::Int(number) => {
                self.number(number);
                Shape::Int
            }
            Raw::Float(number) => {
                self.order.saw(number);
                // A moment in seconds may have a fraction; the others are whole.
                #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                self.epoch(number as i64);
                Shape::Float
            }
            Raw::Text(text) => self.text(&text),
            Raw::Cell(text) => {
                self.cells += 1;
                return self.cell(&text, scope);
            }
            Raw::List(elements) => {
                let seen = self.element.get_or_insert_default();
                for element in elements {
                    match element {
                        // The fields of the object cannot be declared.
                        Raw::Object(_) => seen.shapes[Shape::Object as usize] += 1,
                        element => seen.value(element, None, scope),
                    }
                }
                Shape::List
            }
            Raw::Object(fields) => return self.object(fields, path, scope),
            Raw::Deep => Shape::Deep,
        };
        self.shapes[shape as usize] += 1;
    }

    fn number(&mut self, number: i64) {
        #[expect(clippy::cast_precision_loss, reason = "only what is greater matters")]
        self.order.saw(number as f64);
        self.epoch(number);
    }

    fn epoch(&mut self, number: i64) {
        const YEARS: std::ops::Range<i64> = 315_532_800..4_102_444_800;
        let units = [1, 1000, 1_000_000, 1_000_000_000];
        if let Some(unit) = units.iter().position(|unit| YEARS.contains(&(number / unit))) {
            self.epochs[unit] += 1;
        }
    }

    fn text(&mut self, text: &str) -> Shape {
        if text.is_empty() {
            Shape::Empty
        } else if !is_code(text)
            && let Ok(number) = text.parse()
        {
            self.number(number);
            Shape::Digits
        } else if let Ok(time) = text.parse::<Timestamp>() {
            #[expect(clippy::cast_precision_loss, reason = "only what is greater matters")]
            self.order.saw(time.as_millis() as f64);
            Shape::Time
        } else if text.parse::<IpAddr>().is_ok() {
            Shape::Ip
        } else if duration_from_text(text).is_ok() {
            Shape::Duration
        } else {
            Shape::Text
        }
    }

    fn cell(&mut self, text: &str, scope: &mut Scope) {
        let shape = match text {
            "" => Shape::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Shape::Bool,
            _ if text.starts_with('[') => match list_from_cell(text) {
                Some(elements) => return self.value(Raw::List(elements), None, scope),
                None => Shape::Text,
            },
            _ if is_code(text) => Shape::Text,
            _ => match (self.text(text), text.parse::<f64>()) {
                (Shape::Digits, _) => Shape::Int,
                (Shape::Text, Ok(number)) if number.is_finite() && is_number(text) => {
                    self.order.saw(number);
                    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                    self.epoch(number as i64);
                    Shape::Float
                }
                (shape, _) => shape,
            },
        };
        self.shapes[shape as usize] += 1;
    }
}

/// The rest of a path that starts with `name`.
fn below<'p>(path: Option<&'p [String]>, name: &str) -> Option<&'p [String]> {
    let (first, rest) = path?.split_first()?;
    (first == name).then_some(rest)
}

/// Digits that are a code and no number: `007`, `+49`.
fn is_code(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'+', ..] => true,
        [b'0', rest @ ..] => !rest.is_empty() && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Not `inf`, `nan` and what else is a float to Rust.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
}
