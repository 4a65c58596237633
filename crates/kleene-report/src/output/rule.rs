//! The constant text in the lines of each rule.

use std::sync::Arc;

use hashbrown::HashTable;
use kleene_syntax::hir::{Emit, Rule};

use super::digits::write_hex;
use super::json::{Comma, MemberName, write_text};

/// The constant text in the lines of a rule.
#[derive(Debug)]
pub(super) struct RuleShape {
    name: Arc<str>,
    version: u64,
    /// The line of a match up to its id, and the line of a timeout.
    pub(super) match_head: Box<[u8]>,
    pub(super) timeout_head: Box<[u8]>,
    /// The names of the steps.
    steps: Box<[(Arc<str>, MemberName)]>,
    /// The names of the parts of the key.
    pub(super) key: Box<[MemberName]>,
    /// The names of the fields that a match emits, and of those that a timeout emits.
    pub(super) emit: Box<[MemberName]>,
    pub(super) on_timeout: Box<[MemberName]>,
}

impl RuleShape {
    pub(super) fn new(rule: &Rule) -> RuleShape {
        let head = |kind: &str| {
            let mut text = b"{\"rule\":".to_vec();
            write_text(&mut text, &rule.name);
            text.extend_from_slice(b",\"version\":\"");
            write_hex(&mut text, rule.version);
            text.extend_from_slice(b"\",\"kind\":");
            write_text(&mut text, kind);
            text.extend_from_slice(b",\"id\":\"");
            text.into_boxed_slice()
        };
        let emitted = |emit: &Option<Emit>| {
            let fields = emit.iter().flat_map(|emit| &emit.fields);
            fields.map(|(name, _)| MemberName::new(name)).collect()
        };
        let steps = rule.pattern.steps.iter();
        RuleShape {
            name: rule.name.clone(),
            version: rule.version,
            match_head: head("match"),
            timeout_head: head("timeout"),
            steps: steps.map(|step| (step.name.clone(), MemberName::new(&step.name))).collect(),
            key: rule.key.iter().map(|part| MemberName::new(&part.name)).collect(),
            emit: emitted(&rule.emit),
            on_timeout: emitted(&rule.on_timeout),
        }
    }

    /// Writes the name of a step.
    #[inline]
    pub(super) fn write_step(&self, line: &mut Vec<u8>, comma: &mut Comma, name: &Arc<str>) {
        // All engines and shards share the names of a rule.
        match self.steps.iter().find(|(of, _)| Arc::ptr_eq(of, name)) {
            Some((_, name)) => comma.member(line, name),
            None => comma.name(line, name),
        }
    }
}

/// The shapes of the rules of an engine, by version and name.
#[derive(Debug, Default)]
pub(super) struct RuleShapes(HashTable<RuleShape>);

impl RuleShapes {
    pub(super) fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> RuleShapes {
        let mut shapes = HashTable::new();
        for rule in rules {
            shapes.insert_unique(rule.version, RuleShape::new(rule), |shape| shape.version);
        }
        RuleShapes(shapes)
    }

    /// Returns the shape of a rule. The version is a hash already.
    #[inline]
    pub(super) fn get(&self, rule: &Rule) -> Option<&RuleShape> {
        self.0
            .find(rule.version, |shape| shape.version == rule.version && *shape.name == *rule.name)
    }
}
