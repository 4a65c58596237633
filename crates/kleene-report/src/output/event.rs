//! The layout of the events of a type.

use std::sync::Arc;

use kleene::schema::{EventType, FieldId};
use kleene::value::Value;
use kleene::{Event as _, Record};

use super::json::{Comma, MemberName, write_text, write_value};

/// The layout of the events of a type.
#[derive(Debug)]
pub(super) struct EventShape {
    /// The text before the time of an event that is written in full. A declared field may have the
    /// name `type`: then the event's type is left out.
    head: Box<[u8]>,
    /// The text before the time of an event of which type and time are written.
    identity_head: Box<[u8]>,
    /// The fields except the event time, in the order of declaration.
    fields: Vec<Member>,
}

/// A field or an object of fields.
#[derive(Debug)]
enum Member {
    Field(MemberName, FieldId),
    Object(Arc<str>, MemberName, Vec<Member>),
}

impl EventShape {
    /// Makes the layout for events of a type. Without a declared time, the time has the name
    /// `time_field`.
    pub(super) fn new(ty: &EventType, time_field: &str) -> EventShape {
        let time_name = match ty.time {
            Some(id) => &*ty.field(id).name,
            None => time_field,
        };
        let mut fields = Vec::new();
        for (index, field) in ty.fields.iter().enumerate() {
            if *field.name != *time_name {
                insert(&mut fields, &field.name, FieldId::new(index));
            }
        }
        let head = |type_name: Option<&str>| {
            let (mut text, mut comma) = (vec![b'{'], Comma::default());
            if let Some(type_name) = type_name {
                comma.name(&mut text, "type");
                write_text(&mut text, type_name);
            }
            comma.name(&mut text, time_name);
            text.push(b'"');
            text.into_boxed_slice()
        };
        let has_type_field = ty.field_id("type").is_some();
        EventShape {
            head: head(Some(&*ty.name).filter(|_| !has_type_field)),
            identity_head: head(Some(&ty.name)),
            fields,
        }
    }

    /// Writes an event with all its fields.
    pub(super) fn write(&self, line: &mut Vec<u8>, event: &Record) {
        line.extend_from_slice(&self.head);
        event.time().write_to(line);
        line.push(b'"');
        write_members(line, &mut Comma::after_first(), &self.fields, event, event.extra());
        line.push(b'}');
    }

    /// Writes type and time of an event.
    pub(super) fn write_identity(&self, line: &mut Vec<u8>, event: &Record) {
        line.extend_from_slice(&self.identity_head);
        event.time().write_to(line);
        line.extend_from_slice(b"\"}");
    }
}

fn insert(members: &mut Vec<Member>, path: &str, id: FieldId) {
    let Some((name, rest)) = path.split_once('.') else {
        members.push(Member::Field(MemberName::new(path), id));
        return;
    };
    for member in &mut *members {
        if let Member::Object(object, _, inner) = member
            && **object == *name
        {
            return insert(inner, rest, id);
        }
    }
    let mut inner = Vec::new();
    insert(&mut inner, rest, id);
    members.push(Member::Object(name.into(), MemberName::new(name), inner));
}

/// Writes the fields that are there, those of open types last. What an object has of both declared
/// and undeclared fields is put together again.
fn write_members(
    line: &mut Vec<u8>,
    comma: &mut Comma,
    members: &[Member],
    event: &Record,
    extra: &[(Arc<str>, Value)],
) {
    for member in members {
        match member {
            Member::Field(name, id) => {
                let value = event.field(*id);
                if !value.is_null() {
                    comma.member(line, name);
                    write_value(line, value);
                }
            }
            Member::Object(object, name, members) => {
                let rest = extra.iter().find(|(undeclared, _)| undeclared == object);
                let rest = match rest {
                    Some((_, Value::Record(fields))) => &**fields,
                    _ => &[],
                };
                let (length, before) = (line.len(), comma.clone());
                comma.member(line, name);
                line.push(b'{');
                let mut inner = Comma::default();
                write_members(line, &mut inner, members, event, rest);
                line.push(b'}');
                if inner.is_first() {
                    line.truncate(length);
                    *comma = before;
                }
            }
        }
    }
    let is_object = |name: &Arc<str>| {
        members.iter().any(|member| matches!(member, Member::Object(of, ..) if of == name))
    };
    for (name, value) in extra.iter().filter(|(name, _)| !is_object(name)) {
        comma.name(line, name);
        write_value(line, value.as_ref());
    }
}
