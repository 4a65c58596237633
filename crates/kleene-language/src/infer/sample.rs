//! The fields and values of a sample of events, and the declarations that fit them.

use std::fmt::Write as _;

use hashbrown::HashMap;
use kleene::diagnostic::Source;
use kleene_syntax::syntax::ast::{File, FileItem};
use kleene_syntax::syntax::{format, print};

use super::decide::{Wishes, decide, index, is_nameable, name_rank, shown};
use super::hints::Hints;
use super::seen::{MAX_NAME, Observation, Scope, Shape};
use kleene_input::{Raw, TimeUnit};
use kleene_report::counts::{counted, grouped};

/// The most event types that are looked at.
const MAX_TYPES: usize = 1000;

/// The most fields that are looked at, over all types.
const MAX_FIELDS_IN_ALL: usize = 20_000;

/// The options of reading events.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The field that holds the event type; dotted for one in a nested object.
    pub type_field: String,
    /// The type of every event, where the input does not say.
    pub fixed_type: Option<String>,
    /// The field that holds the event time, if it was said.
    pub time_field: Option<String>,
    /// The unit of epoch numbers, if it is given.
    pub unit: Option<TimeUnit>,
    /// The options that say how the input is written.
    pub form: Vec<String>,
}

/// The fields and values of the events so far.
#[derive(Debug)]
pub struct Sample {
    wanted: Wanted,
    scope: Scope,
    types: Vec<(Box<str>, Observation)>,
    by_name: HashMap<Box<str>, usize>,
    /// Events of types beyond [`MAX_TYPES`].
    beyond: u64,
    /// Other fields that could hold the type, if the expected field does not.
    hints: Hints,
}

impl Sample {
    /// Nothing was seen yet.
    pub fn new(wanted: Wanted) -> Sample {
        let type_path = match wanted.fixed_type {
            Some(_) => Vec::new(),
            None => wanted.type_field.split('.').map(String::from).collect(),
        };
        Sample {
            wanted,
            scope: Scope { event: 0, room: MAX_FIELDS_IN_ALL, type_path },
            types: Vec::new(),
            by_name: HashMap::new(),
            beyond: 0,
            hints: Hints::default(),
        }
    }

    /// Returns the number of event types that were seen.
    pub fn types(&self) -> usize {
        self.types.len()
    }

    /// Reads an event.
    ///
    /// # Errors
    /// The reason why the fields are no event.
    pub fn add(&mut self, fields: Vec<(String, Raw)>) -> Result<(), String> {
        let name = match &self.wanted.fixed_type {
            Some(name) => name.clone(),
            None => match find(&fields, &self.scope.type_path).map(first_of) {
                Some(Raw::Text(name) | Raw::Cell(name)) if !name.is_empty() => name.clone(),
                found => {
                    let reason = match found {
                        Some(Raw::Text(_) | Raw::Cell(_)) => "it is empty",
                        Some(_) => "it holds no text",
                        None => "it is missing",
                    };
                    self.hints.saw(&fields);
                    let field = shown(&[&self.wanted.type_field]);
                    return Err(format!("no event type in the field {field}: {reason}"));
                }
            },
        };
        if name.len() > MAX_NAME {
            return Err(format!("an event type with a name of more than {MAX_NAME} bytes"));
        }
        self.scope.event += 1;
        let index = match self.by_name.get(&*name) {
            Some(index) => *index,
            None if self.types.len() >= MAX_TYPES => {
                self.beyond += 1;
                return Ok(());
            }
            None => {
                self.by_name.insert(name.as_str().into(), self.types.len());
                self.types.push((name.into(), Observation::default()));
                self.types.len() - 1
            }
        };
        if let Some((_, seen)) = self.types.get_mut(index) {
            let path = self.scope.type_path.clone();
            let path = (!path.is_empty()).then_some(path.as_slice());
            seen.event(fields, path, &mut self.scope);
        }
        Ok(())
    }

    /// Returns the declarations in standard layout; `name` is the name of the input.
    pub fn declarations(&self, name: &str) -> String {
        let unit = self.unit();
        let wishes = Wishes { unit, time_field: self.wanted.time_field.clone() };
        let mut text = String::new();
        let events = counted(self.scope.event, "event");
        let _ = writeln!(text, "# Inferred from {events} of {}.", name.escape_debug());
        let options = self.options();
        if !options.is_empty() {
            let _ = writeln!(text, "# To be read with: kleene run RULES {options}");
        }
        if self.beyond > 0 {
            let _ = writeln!(
                text,
                "# More than {} event types: {} of others are skipped. Is the type in another \
                 field (--type-field)?",
                grouped(MAX_TYPES as u64),
                counted(self.beyond, "event")
            );
        }
        if self.scope.room == 0 {
            let _ = writeln!(
                text,
                "# Only {} fields in total are read.",
                grouped(MAX_FIELDS_IN_ALL as u64)
            );
        }
        for (name, seen) in &self.types {
            let _ = writeln!(text, "\n# {}.", counted(seen.count(Shape::Object), "event"));
            if !is_nameable(name) {
                let _ = writeln!(text, "# {} is not a name that can be declared.", shown(&[name]));
                continue;
            }
            let decided = decide(name, seen, &wishes);
            for note in &decided.notes {
                let _ = writeln!(text, "# {note}");
            }
            text.push_str(&print(&File { items: vec![FileItem::Event(decided.decl)] }));
        }
        // It is well-formed, so this only lays it out.
        format(&Source::new("declarations", text.as_str())).unwrap_or(text)
    }

    /// The options with which `kleene run` reads the same events.
    pub fn options(&self) -> String {
        let mut options = Vec::new();
        match &self.wanted.fixed_type {
            Some(name) => options.push(format!("--type {}", argument(name))),
            None if self.wanted.type_field != "type" => {
                options.push(format!("--type-field {}", argument(&self.wanted.type_field)));
            }
            None => {}
        }
        let unit = self.unit();
        if unit != TimeUnit::default() {
            options.push(format!("--time-unit {}", unit.as_str()));
        }
        options.extend(self.wanted.form.iter().cloned());
        options.join(" ")
    }

    /// The unit that was said, else that in which most numbers are moments whose names speak of
    /// time.
    fn unit(&self) -> TimeUnit {
        if let Some(unit) = self.wanted.unit {
            return unit;
        }
        let mut counts = [0; 4];
        let mut waiting: Vec<(&str, &Observation)> =
            self.types.iter().map(|(name, seen)| (&**name, seen)).collect();
        while let Some((name, seen)) = waiting.pop() {
            if name_rank(name) > 0 {
                counts.iter_mut().zip(seen.epochs).for_each(|(sum, count)| *sum += count);
            }
            waiting.extend(seen.fields.iter().map(|(name, seen)| (&**name, seen)));
        }
        let units = [TimeUnit::Millis, TimeUnit::Seconds, TimeUnit::Micros, TimeUnit::Nanos];
        // Of equals the first.
        units.into_iter().rev().max_by_key(|unit| counts[index(*unit)]).unwrap_or_default()
    }

    /// Returns a hint for the case that no event has a type.
    pub fn hint(&self) -> String {
        self.hints.text()
    }
}

/// An argument as a shell takes it.
pub fn argument(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.@/".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.escape_debug().to_string().replace('\'', "'\\''"))
    }
}

/// Returns the first item of a list, or the value itself: the type can be in a list.
fn first_of(value: &Raw) -> &Raw {
    match value {
        Raw::List(items) => items.first().unwrap_or(value),
        value => value,
    }
}

/// The value at a path, which may be given as nested objects or with dots in the name.
fn find<'a>(fields: &'a [(String, Raw)], path: &[String]) -> Option<&'a Raw> {
    let (first, rest) = path.split_first()?;
    fields.iter().find_map(|(name, value)| match value {
        _ if name == first && rest.is_empty() => Some(value),
        Raw::Object(inner) if name == first => find(inner, rest),
        _ if name.contains('.') && name.split('.').eq(path.iter().map(String::as_str)) => {
            Some(value)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    fn sample(type_field: &str) -> Sample {
        Sample::new(Wanted {
            type_field: type_field.into(),
            fixed_type: None,
            time_field: None,
            unit: None,
            form: Vec::new(),
        })
    }

    fn text(text: &str) -> Raw {
        Raw::Text(text.into())
    }

    #[test]
    fn memory_hangs_on_limits_and_not_on_the_input() {
        let mut all = sample("type");
        for number in 0..3000 {
            let fields = (0..40).map(|field| (format!("f{number}_{field}"), Raw::Int(1)));
            let ty = (String::from("type"), text(&format!("t{number}")));
            all.add(std::iter::once(ty).chain(fields).collect()).unwrap();
        }
        assert_eq!((all.types(), all.beyond, all.scope.room), (MAX_TYPES, 2000, 0));
        let fields: usize = all.types.iter().map(|(_, seen)| seen.fields.len()).sum();
        assert_eq!(fields, MAX_FIELDS_IN_ALL);
        let reported = all.declarations("x");
        for part in [
            "# More than 1,000 event types: 2,000 events of others are skipped.",
            "# Only 20,000 fields in total are read.",
            "# Left to `..`: more fields (only 1,000 of a type are looked at",
        ] {
            assert!(reported.contains(part), "{part}");
        }

        let mut wide = sample("type");
        for number in 0..2000 {
            let name = format!("f{number}");
            wide.add(vec![(String::from("type"), text("t")), (name, Raw::Int(1))]).unwrap();
        }
        assert_eq!(wide.types[0].1.fields.len(), seen::MAX_FIELDS);
        assert_eq!(wide.types[0].1.left_out, 1000);
        assert!(wide.add(vec![(String::from("type"), text(&"x".repeat(300)))]).is_err());
    }

    #[test]
    fn the_type_is_found_nested_and_dotted() {
        let inner = vec![(String::from("kind"), text("a"))];
        let nested = vec![(String::from("event"), Raw::Object(inner))];
        let dotted = vec![(String::from("event.kind"), text("b"))];
        let mut sample = sample("event.kind");
        sample.add(nested).unwrap();
        sample.add(dotted).unwrap();
        assert!(sample.add(vec![(String::from("event"), text("c"))]).is_err());
        let names: Vec<&str> = sample.types.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn the_type_can_be_in_a_list_and_a_list_of_one_be_its_item() {
        let mut sample = sample("kind");
        let list = |items: &[&str]| Raw::List(items.iter().map(|item| text(item)).collect());
        for (names, n) in [(text("one"), Raw::Int(1)), (list(&["one", "two"]), list(&["x"]))] {
            let fields = vec![
                (String::from("kind"), list(&["a"])),
                (String::from("names"), names),
                (String::from("n"), n),
            ];
            sample.add(fields).unwrap();
        }
        let declared = sample.declarations("x");
        assert!(declared.contains("event a {"), "{declared}");
        assert!(declared.contains("names: list<string>"), "{declared}");
        // A number in one event and texts in another: nothing fits.
        assert!(!declared.contains("  n: "), "{declared}");
    }

    #[test]
    fn fields_that_could_report_the_type_are_named() {
        let mut sample = sample("type");
        for number in 0..100 {
            let fields = vec![
                (String::from("id"), text(&number.to_string())),
                (String::from("colour"), text("red")),
                (String::from("event"), text(["a", "b"][number % 2])),
            ];
            assert!(sample.add(fields).is_err());
        }
        assert_eq!(
            sample.hint(),
            "name the field that contains the type (--type-field FIELD, perhaps `event` (2 values), \
             `colour` (1 value)), or the type of all events (--type NAME)"
        );
    }
}
