//! From what was seen of a type to its declaration.

use kleene::diagnostic::Span;
use kleene_syntax::syntax::ast::{EventDecl, FieldDecl, Spanned, Type};

use super::seen::{MAX_FIELDS, MAX_NAME, Observation, Shape};
use kleene_input::{MAX_DEPTH, TimeUnit};
use kleene_report::counts::{counted, grouped};

/// The requests beside the events.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    /// The unit of numbers that are moments.
    pub(super) unit: TimeUnit,
    /// The field that holds the event time.
    pub(super) time_field: Option<String>,
}

/// A declaration, and what is to be said of it in comments.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) decl: EventDecl,
    pub(super) notes: Vec<String>,
}

/// A field of type `time`.
struct Time<'s> {
    /// The names on the way to it.
    path: Vec<&'s str>,
    seen: &'s Observation,
    /// In how many events it is missing or null.
    missing: u64,
}

/// The decision in the making.
struct Decider<'s, 'w> {
    wishes: &'w Wishes,
    /// Events of this type.
    events: u64,
    times: Vec<Time<'s>>,
    notes: Vec<String>,
    /// True if something is left to `..`.
    open: bool,
}

/// The declaration of the type `name`.
pub(super) fn decide(name: &str, seen: &Observation, wishes: &Wishes) -> Decided {
    let events = seen.count(Shape::Object);
    let mut decider = Decider { wishes, events, times: Vec::new(), notes: Vec::new(), open: false };
    let mut fields = decider.fields(seen, &[]);
    decider.event_time(&mut fields);
    if seen.left_out > 0 {
        decider.open = true;
        decider.notes.push(format!(
            "Left to `..`: more fields (only {} of a type are looked at, and names of at most \
             {MAX_NAME} bytes).",
            grouped(MAX_FIELDS as u64)
        ));
    }
    let decl = EventDecl { name: spanned(name.to_owned()), fields, open: decider.open };
    Decided { decl, notes: decider.notes }
}

/// True if a name can be written, if need be in back-quotes.
pub(super) fn is_nameable(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '`' || c.is_control())
}

/// A name as comments show it.
pub(super) fn shown(path: &[&str]) -> String {
    format!("`{}`", path.join(".").escape_debug())
}

fn spanned<T>(node: T) -> Spanned<T> {
    Spanned { node, span: Span::default() }
}

impl<'s> Decider<'s, '_> {
    /// The declarations of what is in an object.
    fn fields(&mut self, object: &'s Observation, path: &[&'s str]) -> Vec<FieldDecl> {
        let mut fields = Vec::new();
        for (name, seen) in &object.fields {
            let path: Vec<&str> = path.iter().copied().chain([&**name]).collect();
            // A column of CSV that other types fill.
            if seen.cells > 0 && seen.cells == seen.count(Shape::Null) {
                continue;
            }
            let ty = if !is_nameable(name) {
                Err(String::from("no name that can be declared"))
            } else if name.contains('.') && (path.len() > 1 || seen.count(Shape::Object) > 0) {
                Err(String::from("a name with dots in the middle of others"))
            } else {
                self.ty(seen, &path)
            };
            let ty = match ty {
                Ok(ty) => ty,
                Err(reason) => {
                    self.open = true;
                    self.notes.push(format!("Left to `..`: {}, {reason}.", shown(&path)));
                    continue;
                }
            };
            if seen.twice > 0 && !matches!(ty, Type::Record(_)) {
                self.notes.push(format!(
                    "{} is given twice in {}, which `kleene run` rejects.",
                    shown(&path),
                    counted(seen.twice, "event")
                ));
            }
            let digits = seen.count(Shape::Digits);
            if digits > 0 && matches!(ty, Type::Int | Type::Float) {
                self.notes.push(format!(
                    "{} is a number in quotes in {}, which `kleene run --strict` rejects.",
                    shown(&path),
                    counted(digits, "event")
                ));
            }
            let missing = object.count(Shape::Object) - seen.given.min(object.count(Shape::Object));
            let missing = missing + seen.count(Shape::Null);
            if ty == Type::Time {
                // A field is also missing where the object around it is missing.
                let around = self.events - object.count(Shape::Object).min(self.events);
                self.times.push(Time { path, seen, missing: missing + around });
            }
            fields.push(FieldDecl {
                name: spanned(name.clone().into_string()),
                ty: spanned(ty),
                optional: missing > 0,
                event_time: false,
            });
        }
        fields
    }

    /// The type of a field, or why it has none.
    fn ty(&mut self, seen: &'s Observation, path: &[&'s str]) -> Result<Type, String> {
        if seen.count(Shape::Deep) > 0 {
            return Err(format!("it nests more than {MAX_DEPTH} levels deep"));
        }
        if seen.count(Shape::Object) == 0 {
            let name = path.last().copied().unwrap_or_default();
            return plain(seen, name, self.wishes.unit);
        }
        if let Some(mixed) = mixed(seen) {
            return Err(mixed);
        }
        if has_free_names(seen) {
            return Err(String::from("its names differ from event to event"));
        }
        let noted = self.notes.len();
        let fields = self.fields(seen, path);
        if seen.left_out > 0 {
            self.open = true;
            self.notes.push(format!("Left to `..`: more fields of {}.", shown(path)));
        }
        if fields.is_empty() {
            // One word for all of it.
            self.notes.truncate(noted);
            let is_empty = seen.fields.is_empty() && seen.left_out == 0;
            let reason =
                if is_empty { "it is always empty" } else { "nothing in it can be declared" };
            return Err(String::from(reason));
        }
        Ok(Type::Record(fields))
    }

    /// Says which field is the event time, and why.
    fn event_time(&mut self, fields: &mut [FieldDecl]) {
        let wished = self.wishes.time_field.as_deref();
        let score = |time: &Time<'_>| {
            let name = time.path.join(".");
            (
                wished == Some(&*name),
                time.missing == 0,
                time.path.len() == 1,
                time.seen.order.percent() >= 90,
                name_rank(&name),
                time.seen.order.percent(),
            )
        };
        // Of equals the first.
        let best = self.times.iter().rev().max_by_key(|time| score(time));
        let Some(best) = best else {
            self.notes.push(String::from(
                "No event time: `kleene run` takes it from `ts`, or from the field that \
                 --time-field names.",
            ));
            return;
        };
        let others = self.times.iter().filter(|other| other.path != best.path);
        let next = others.max_by_key(|other| score(other));
        if let Some(wished) = wished.filter(|wished| *wished != best.path.join(".")) {
            self.notes.push(format!("{} (--time-field) is not a time here.", shown(&[wished])));
        }
        let name = shown(&best.path);
        let top_level = self.times.iter().filter(|time| time.path.len() == 1).count();
        let marked = best.path.len() > 1 || top_level > 1;
        if let Some(next) = next {
            let (best, next) = (score(best), score(next));
            let reason = if best.0 {
                "as --time-field names it"
            } else if best.1 != next.1 {
                "as it is never missing"
            } else if best.2 != next.2 {
                "as it is not nested"
            } else if best.3 != next.3 || best.4 == next.4 && best.5 != next.5 {
                "as the events come in its order"
            } else if best.4 != next.4 {
                "by its name"
            } else {
                "as it comes first; another is as likely"
            };
            self.notes.push(format!("Event time: {name}, {reason}."));
        } else if score(best).5 < 90 {
            self.notes.push(format!(
                "Event time: {name}, the only time, though the events do not come in its order."
            ));
        }
        if best.missing > 0 {
            let unless = if best.path == ["ts"] { "" } else { " unless they have `ts`" };
            self.notes.push(format!(
                "{name} is missing in {} of {}, which `kleene run` rejects{unless}.",
                grouped(best.missing),
                counted(self.events, "event")
            ));
        }
        mark(fields, &best.path, marked);
    }
}

/// Marks the event time, which can't be optional, nor can what it is in.
fn mark(fields: &mut [FieldDecl], path: &[&str], marked: bool) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(field) = fields.iter_mut().find(|field| field.name.node == *first) else { return };
    field.optional = false;
    if let Type::Record(fields) = &mut field.ty.node {
        mark(fields, rest, marked);
    } else {
        field.event_time = marked;
    }
}

/// An object that is used as a table: many names, each of them seldom.
fn has_free_names(seen: &Observation) -> bool {
    const MANY: usize = 64;
    let given: u64 = seen.fields.iter().map(|(_, field)| field.given).sum();
    seen.fields.len() > MANY && given < seen.count(Shape::Object) * (seen.fields.len() as u64) / 4
}

/// The type of values that are no objects.
fn plain(seen: &Observation, name: &str, unit: TimeUnit) -> Result<Type, String> {
    let has = |shape| seen.count(shape) > 0;
    let shapes: Vec<Shape> =
        KINDS.iter().map(|(shape, _)| *shape).filter(|shape| has(*shape)).collect();
    let times = [Shape::Int, Shape::Float, Shape::Digits, Shape::Time];
    if !shapes.is_empty()
        && shapes.iter().all(|shape| times.contains(shape))
        && is_moment(seen, name, unit)
    {
        return Ok(Type::Time);
    }
    let is_text = |shape: &Shape| KINDS.contains(&(*shape, "string"));
    Ok(match shapes.as_slice() {
        [] => return Err(String::from("it is always null")),
        [Shape::Bool] => Type::Bool,
        // A text that is a number is read as one, where a number is declared.
        [Shape::Int] | [Shape::Int, Shape::Digits] => Type::Int,
        [Shape::Float]
        | [Shape::Int, Shape::Float]
        | [Shape::Float, Shape::Digits]
        | [Shape::Int, Shape::Float, Shape::Digits] => Type::Float,
        [Shape::Duration] => Type::Duration,
        // `1.2.3.4` may be a version as well.
        [Shape::Ip] if !name.to_ascii_lowercase().contains("version") => Type::Ip,
        [Shape::List] => return list(seen, name, unit),
        // Many write a list of one as its only item.
        [texts @ .., Shape::List] if seen.cells == 0 && texts.iter().all(is_text) => {
            return match list(seen, name, unit) {
                Ok(Type::List(item)) if item.node == Type::String => Ok(Type::List(item)),
                _ => Err(mixed(seen).unwrap_or_default()),
            };
        }
        texts if texts.iter().all(is_text) || seen.cells > 0 => Type::String,
        _ => return Err(mixed(seen).unwrap_or_default()),
    })
}

fn list(seen: &Observation, name: &str, unit: TimeUnit) -> Result<Type, String> {
    let Some(element) = &seen.element else { return Err(String::from("it is always empty")) };
    if element.count(Shape::Object) > 0 || element.count(Shape::Deep) > 0 {
        return Err(String::from("it is a list of objects"));
    }
    if element.count(Shape::Null) > 0 {
        return Err(String::from("there is null in the list"));
    }
    let is_empty = KINDS.iter().all(|(shape, _)| element.count(*shape) == 0);
    if is_empty {
        return Err(String::from("it is always an empty list"));
    }
    let ty = plain(element, name, unit).map_err(|reason| format!("in the list {reason}"))?;
    Ok(Type::List(Box::new(spanned(ty))))
}

/// The names of the shapes.
const KINDS: [(Shape, &str); 11] = [
    (Shape::Bool, "bool"),
    (Shape::Int, "int"),
    (Shape::Float, "float"),
    (Shape::Text, "string"),
    (Shape::Empty, "string"),
    (Shape::Digits, "string"),
    (Shape::Time, "string"),
    (Shape::Duration, "string"),
    (Shape::Ip, "string"),
    (Shape::List, "list"),
    (Shape::Object, "object"),
];

/// `int in 7, string in 3`, where there are several.
fn mixed(seen: &Observation) -> Option<String> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for (shape, name) in KINDS {
        let count = seen.count(shape);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => counts.push((name, count)),
        }
    }
    counts.retain(|(_, count)| *count > 0);
    let reported: Vec<String> =
        counts.iter().map(|(name, count)| format!("{name} in {}", grouped(*count))).collect();
    (reported.len() > 1).then(|| reported.join(", "))
}

/// True if these numbers and texts are moments: all of them fit, and where numbers are among them,
/// the name has to speak of time.
fn is_moment(seen: &Observation, name: &str, unit: TimeUnit) -> bool {
    let numbers = [Shape::Int, Shape::Float, Shape::Digits];
    let numbers: u64 = numbers.iter().map(|shape| seen.count(*shape)).sum();
    numbers == 0 || name_rank(name) > 0 && seen.epochs[index(unit)] == numbers
}

/// The place of a unit in [`Observation::epochs`].
pub(super) fn index(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Seconds => 0,
        TimeUnit::Millis => 1,
        TimeUnit::Micros => 2,
        TimeUnit::Nanos => 3,
    }
}

/// Ranks a name by how likely it is the event time.
pub fn name_rank(path: &str) -> u8 {
    let name = path.rsplit('.').next().unwrap_or_default();
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        let mut start = 0;
        let mut was_lower = false;
        for (at, c) in part.char_indices() {
            // `eventTime`
            if c.is_uppercase() && was_lower {
                words.push(part[start..at].to_lowercase());
                start = at;
            }
            was_lower = c.is_lowercase();
        }
        words.push(part[start..].to_lowercase());
    }
    words.retain(|word| !word.is_empty());
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ts"] => 6,
        ["timestamp" | "eventtime"] | ["event", "time" | "ts" | "timestamp"] => 5,
        ["time" | "datetime" | "t" | "at"] => 4,
        ["occurred" | "happened", ..] | ["event", "date"] => 3,
        words if words.iter().any(|word| PLANNED.contains(word)) => 1,
        words
            if words.iter().any(|word| {
                TIMES.contains(word)
                    || word.ends_with("time")
                    || word.ends_with("date")
                    || word.ends_with("stamp")
            }) =>
        {
            2
        }
        _ => 0,
    }
}

/// Words for moments at which things happen.
const TIMES: [&str; 13] = [
    "ts", "at", "when", "epoch", "created", "updated", "modified", "received", "started", "start",
    "ended", "end", "sent",
];

/// Words for moments that are not those of the event.
const PLANNED: [&str; 7] = ["due", "expires", "expiry", "estimated", "until", "since", "deadline"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_speak_of_time_are_ranked() {
        let ranks = ["ts", "@timestamp", "time", "occurred_at", "createdAt", "due_date", "price"];
        let ranks: Vec<u8> = ranks.iter().map(|name| name_rank(name)).collect();
        assert_eq!(ranks, [6, 5, 4, 3, 2, 1, 0]);
        assert_eq!((name_rank("meta.ts"), name_rank("ts.meta"), name_rank("")), (6, 0, 0));
    }

    #[test]
    fn names_that_cannot_be_written_are_known() {
        assert!(is_nameable("a b.c") && is_nameable("\u{fc}ber") && is_nameable("match"));
        assert!(!is_nameable("") && !is_nameable("a`b") && !is_nameable("a\nb"));
    }
}
