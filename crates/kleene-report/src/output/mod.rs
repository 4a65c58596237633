//! Outputs, one a line: JSON objects, or short lines for people.

mod brief;
mod digits;
mod event;
mod json;
mod rule;
mod set;
mod steps;

use std::borrow::Borrow;
use std::sync::Arc;

use kleene::schema::Schema;
use kleene::stream::Overflow;
use kleene::value::ValueRef;
use kleene::{Event, Match, Record, Timeout};
use kleene_syntax::hir::Rule;

use self::digits::{write_count, write_hex};
use self::event::EventShape;
use self::json::Comma;
use self::rule::{RuleShape, RuleShapes};
use self::set::set_of;
use self::steps::write_steps;

pub use self::json::{write_text, write_value};

/// The form of a line of output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LineForm {
    /// A JSON object.
    Json,
    /// A short line for people.
    Brief,
}

/// The form of the captured events in a JSON line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EventForm {
    /// The line does not contain them.
    None,
    /// The type and the time of each event.
    Ids,
    /// All fields of each event.
    #[default]
    Full,
}

/// The layout of results: one line each.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// By type id.
    types: Arc<[EventShape]>,
    rules: Arc<RuleShapes>,
    /// The name of the time of events that declare none.
    time_field: Arc<str>,
    form: LineForm,
    events: EventForm,
}

impl Shapes {
    /// Makes the layout for events of the types of `schema`. Events without a declared time have it
    /// under `time_field`.
    pub fn new(schema: &Schema, time_field: Arc<str>, form: LineForm) -> Shapes {
        let types = schema.types().map(|(_, ty)| EventShape::new(ty, &time_field)).collect();
        let (rules, events) = (Arc::default(), EventForm::default());
        Shapes { types, rules, time_field, form, events }
    }

    /// Returns the layout with the text of these rules made up in advance. Lines of other rules are
    /// the same, but take longer to write.
    #[must_use]
    pub fn with_rules<'a>(self, rules: impl IntoIterator<Item = &'a Arc<Rule>>) -> Shapes {
        let rules = rules.into_iter().map(|rule| &**rule);
        Shapes { rules: Arc::new(RuleShapes::new(rules)), ..self }
    }

    /// Returns the layout with another form of captured events.
    #[must_use]
    pub fn with_events(self, events: EventForm) -> Shapes {
        Shapes { events, ..self }
    }

    /// Returns the layout for events of the types of another schema, and without rules.
    #[must_use]
    pub fn renewed(&self, schema: &Schema) -> Shapes {
        Shapes::new(schema, self.time_field.clone(), self.form).with_events(self.events)
    }

    /// Adds the line of a match.
    pub fn matched<E: Event + Borrow<Record>>(&self, line: &mut Vec<u8>, found: &Match<'_, E>) {
        if self.form == LineForm::Brief {
            return brief::write_result(line, "", found);
        }
        self.write(line, found, None);
    }

    /// Adds the line of a timeout.
    pub fn timed_out<E: Event + Borrow<Record>>(
        &self,
        line: &mut Vec<u8>,
        timeout: &Timeout<'_, E>,
    ) {
        if self.form == LineForm::Brief {
            return brief::write_result(line, "timeout  ", timeout.as_match());
        }
        self.write(line, timeout.as_match(), Some(timeout));
    }

    /// Adds the line of a limit that was reached for a key of a rule. Other limits have no line.
    pub fn limited(&self, line: &mut Vec<u8>, overflow: &Overflow) {
        let Some(of) = &overflow.key else { return };
        if self.form == LineForm::Brief {
            return brief::write_limit(line, overflow, of);
        }
        line.extend_from_slice(b"{\"rule\":");
        write_text(line, &of.rule);
        line.extend_from_slice(b",\"version\":\"");
        write_hex(line, of.version);
        line.extend_from_slice(b"\",\"kind\":\"limit\",\"key\":{");
        let mut comma = Comma::default();
        for (name, value) in &of.parts {
            comma.name(line, name);
            write_value(line, value.as_ref());
        }
        line.extend_from_slice(b"},\"end\":\"");
        overflow.time.write_to(line);
        line.extend_from_slice(b"\",\"limit\":");
        write_text(line, overflow.limit.as_str());
        line.extend_from_slice(b",\"dropped\":");
        write_count(line, overflow.dropped);
        line.extend_from_slice(b"}\n");
    }

    fn write<E: Event + Borrow<Record>>(
        &self,
        line: &mut Vec<u8>,
        found: &Match<'_, E>,
        timeout: Option<&Timeout<'_, E>>,
    ) {
        let made;
        let shape = if let Some(shape) = self.rules.get(found.rule()) {
            shape
        } else {
            made = RuleShape::new(found.rule());
            &made
        };
        let (head, emit) = match timeout {
            None => (&shape.match_head, &shape.emit),
            Some(_) => (&shape.timeout_head, &shape.on_timeout),
        };
        line.extend_from_slice(head);
        write_hex(line, found.id().as_u64());
        line.extend_from_slice(b"\",\"key\":{");
        let mut comma = Comma::default();
        for (name, (_, value)) in shape.key.iter().zip(found.key_values()) {
            comma.member(line, name);
            write_value(line, value.as_ref());
        }
        line.extend_from_slice(b"},\"start\":\"");
        found.first_event_at().write_to(line);
        line.extend_from_slice(b"\",\"end\":\"");
        found.reported_at().write_to(line);
        line.push(b'"');
        if let Some(set) = set_of(found) {
            line.extend_from_slice(b",\"count\":");
            write_count(line, set.count());
            if set.is_saturated() {
                line.extend_from_slice(b",\"saturated\":true");
            }
        }
        if let Some(timeout) = timeout {
            write_progress(line, timeout);
        }
        self.write_events(line, shape, found);
        line.extend_from_slice(b",\"emit\":{");
        let mut comma = Comma::default();
        for (name, (_, value)) in emit.iter().zip(found.emit()) {
            comma.member(line, name);
            write_value(line, value.as_ref());
        }
        line.extend_from_slice(b"}}\n");
    }

    fn write_events<E: Event + Borrow<Record>>(
        &self,
        line: &mut Vec<u8>,
        shape: &RuleShape,
        found: &Match<'_, E>,
    ) {
        if self.events == EventForm::None {
            return;
        }
        line.extend_from_slice(b",\"events\":");
        write_steps(line, shape, found, |line, event: &E| {
            let event: &Record = event.borrow();
            let shape = &self.types[event.type_id().index()];
            match self.events {
                EventForm::Full => shape.write(line, event),
                EventForm::None | EventForm::Ids => shape.write_identity(line, event),
            }
        });
    }

    /// Adds an event as an object with all its fields.
    pub fn write_event(&self, line: &mut Vec<u8>, event: &Record) {
        self.types[event.type_id().index()].write(line, event);
    }
}

/// Writes the step that a partial match has reached, and the steps that it awaits.
fn write_progress<E: Event>(line: &mut Vec<u8>, timeout: &Timeout<'_, E>) {
    line.extend_from_slice(b",\"reached\":");
    let reached = timeout.reached();
    write_value(line, reached.map_or(ValueRef::Null, |name| ValueRef::String(name)));
    line.extend_from_slice(b",\"awaits\":[");
    let mut comma = Comma::default();
    for name in timeout.awaits() {
        comma.next(line);
        write_text(line, name);
    }
    line.push(b']');
}
