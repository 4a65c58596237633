//! What a host has to know of rules: the event types, and the groups of rules that share a key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kleene::RuleSet;
use kleene::ruleset::Rule;
use kleene::schema::{EventType, Schema, TypeId};
use kleene::stream::UndividedReason;
use kleene_event::schema::put_field_type;
use kleene_event::util::wire::{put_bytes, put_i64, put_len};
use kleene_syntax::hir::expr::FieldRef;

/// The event types of a rule set, and its rules by the key that they share.
#[derive(Debug)]
pub struct Plan {
    /// The event types in the order of the schema.
    pub types: Vec<EventType>,
    /// The groups, each with another key.
    pub groups: Vec<Group>,
    /// The rules whose keys cannot be divided, each with the reason.
    pub undivided: Vec<(Arc<str>, String)>,
}

/// Rules that share a key: one operator runs them.
#[derive(Debug)]
pub struct Group {
    /// What identifies the key: the names of its parts, and the fields that hold them where they
    /// have another name. Empty if the keys of the rules cannot be divided.
    pub signature: String,
    /// The parts of the key.
    pub parts: Vec<Part>,
    /// The numbers of the event types that the rules read, in order.
    pub types: Vec<usize>,
    /// The names of the rules.
    pub rules: Vec<Arc<str>>,
}

/// A part of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// Its name: the field that holds it in all types but those of `fields`.
    pub name: Arc<str>,
    /// The field that holds it, by event type, where it has another name.
    pub fields: BTreeMap<Arc<str>, Arc<str>>,
}

impl Plan {
    /// Makes the plan of a rule set.
    pub fn new(rules: &RuleSet) -> Plan {
        let schema = rules.schema();
        // A rule with `limit .. fail` fails the task that it runs in, and the host stops the others.
        let undivided: Vec<(Arc<str>, String)> = rules
            .undivided()
            .into_iter()
            .filter(|rule| !matches!(rule.reason, UndividedReason::Fails(_)))
            .map(|rule| (rule.rule, rule.reason.to_string()))
            .collect();
        let whole: BTreeSet<&str> = undivided.iter().map(|(rule, _)| &**rule).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for rule in rules.rules() {
            let parts = if whole.contains(&*rule.name) { None } else { parts(rule, schema) };
            let parts = parts.unwrap_or_default();
            let signature = signature(&parts);
            let place = *places.entry(signature.clone()).or_insert_with(|| {
                groups.push(Group { signature, parts, types: Vec::new(), rules: Vec::new() });
                groups.len() - 1
            });
            groups[place].types.extend(rule.types.iter().map(|ty| ty.index()));
            groups[place].rules.push(rule.name.clone());
        }
        for group in &mut groups {
            group.types.sort_unstable();
            group.types.dedup();
        }
        let types = schema.types().map(|(_, ty)| ty.clone()).collect();
        Plan { types, groups, undivided }
    }

    /// Returns the group with this signature.
    pub fn group(&self, signature: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.signature == signature)
    }

    /// Appends the plan as bytes, which `RulePlan.java` reads: the types, each with its name, the
    /// name of its time field or nothing, whether it is open, and its fields (name, type as in
    /// docs/format.md, whether it is optional); the groups, each with its signature,
    /// parts (name; types and fields), types and rules; and the rules that are not divided, each with
    /// the reason.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_len(out, self.types.len());
        for ty in &self.types {
            put_bytes(out, ty.name.as_bytes());
            let time = ty.time.map_or("", |time| &ty.field(time).name);
            put_bytes(out, time.as_bytes());
            out.push(u8::from(ty.open));
            put_len(out, ty.fields.len());
            for field in &ty.fields {
                put_bytes(out, field.name.as_bytes());
                put_field_type(out, &field.ty);
                out.push(u8::from(field.optional));
            }
        }
        put_len(out, self.groups.len());
        for group in &self.groups {
            put_bytes(out, group.signature.as_bytes());
            put_len(out, group.parts.len());
            for part in &group.parts {
                put_bytes(out, part.name.as_bytes());
                put_len(out, part.fields.len());
                for (ty, field) in &part.fields {
                    put_bytes(out, ty.as_bytes());
                    put_bytes(out, field.as_bytes());
                }
            }
            put_len(out, group.types.len());
            for ty in &group.types {
                put_i64(out, i64::try_from(*ty).unwrap_or(i64::MAX));
            }
            put_len(out, group.rules.len());
            group.rules.iter().for_each(|rule| put_bytes(out, rule.as_bytes()));
        }
        put_len(out, self.undivided.len());
        for (rule, reason) in &self.undivided {
            put_bytes(out, rule.as_bytes());
            put_bytes(out, reason.as_bytes());
        }
    }
}

/// Returns the parts of a rule's key; `None` if a part is in no field.
fn parts(rule: &Rule, schema: &Schema) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for part in &rule.key {
        let mut fields = BTreeMap::new();
        if part.is_computed {
            return None;
        }
        for (ty, field) in &part.fields {
            let field = path(schema, *ty, field)?;
            if field != part.name {
                fields.insert(schema.ty(*ty).name.clone(), field);
            }
        }
        parts.push(Part { name: part.name.clone(), fields });
    }
    Some(parts)
}

fn path(schema: &Schema, ty: TypeId, field: &FieldRef) -> Option<Arc<str>> {
    match field {
        FieldRef::Declared(field) => Some(schema.ty(ty).field(*field).name.clone()),
        FieldRef::Dynamic(path) => Some(path.clone()),
        FieldRef::Time => None,
        FieldRef::ByType(fields) => {
            let (_, field) = fields.iter().find(|(of, _)| *of == ty)?;
            path(schema, ty, field)
        }
    }
}

/// `host{dns=agent,process=host.id},user`
fn signature(parts: &[Part]) -> String {
    let signatures: Vec<String> = parts
        .iter()
        .map(|Part { name, fields }| {
            if fields.is_empty() {
                return name.to_string();
            }
            let fields: Vec<String> =
                fields.iter().map(|(ty, field)| format!("{ty}={field}")).collect();
            format!("{name}{{{}}}", fields.join(","))
        })
        .collect();
    signatures.join(",")
}
