//! `emit as`: the order in which rules are checked that feed each other, and the event types that
//! only rules make.
//!
//! The type that a rule feeds is either declared with `event`, and then the rule's record has to
//! fit; or the record declares its fields and their types. So a rule is checked after the rules
//! that feed it.

use std::collections::{BTreeMap, BTreeSet};

use super::clauses::{Clauses, Gathered};
use super::context::RuleLowerer;
use super::env::Env;
use super::fed::{Fed, FedField, FedRecord};
use super::names;
use super::terms::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::hir::expr::MatchFact;
use crate::hir::site::Site;
use crate::hir::{Expr, Rule};
use crate::syntax::ast::{self, Clause, Name, Part, Unit, Until};
use kleene_event::schema::{EventType, Field, FieldId, FieldType, TypeId};
use kleene_event::util::spelling::nearest;
use kleene_event::value::Kind;

/// The fed types that a rule makes and reads.
struct FeedNode<'a> {
    feeds: Vec<&'a str>,
    reads: BTreeSet<&'a str>,
}

/// Rules that feed each other in a circle: each with the type by which it feeds the next.
type Circle<'a> = Vec<(usize, &'a str)>;

impl<'a> Clauses<'a> {
    /// The names behind `emit as`, with their files.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (usize, &'a Name)> {
        ["emit", "on timeout"].into_iter().filter_map(|word| self.feed(word))
    }

    /// The name behind `emit as` in the clause that starts with `word`.
    fn feed(&self, word: &str) -> Option<(usize, &'a Name)> {
        let (source, clause) = self.get(word)?;
        match &clause.node {
            Clause::Emit(emit) | Clause::OnTimeout(emit) => Some((source, emit.as_type.as_ref()?)),
            _ => None,
        }
    }
}

impl<'a> Env<'a> {
    /// Notes the types that the rules feed. Returns the order in which the rules can be checked:
    /// each after the rules that feed it. Rules that feed each other in a circle are reported and
    /// put into `refused`.
    pub(super) fn plan(
        &mut self,
        rules: &[Gathered<'a>],
        refused: &mut BTreeSet<usize>,
    ) -> Vec<usize> {
        for (source, name) in rules.iter().flat_map(|rule| rule.clauses.feeds()) {
            if self.schema.type_id(&name.node).is_some() {
                continue;
            }
            let site = Site { source, span: name.span };
            let new = || Fed { site, waits: 0, records: Vec::new(), is_broken: false };
            let is_new = !self.fed.contains_key(name.node.as_str());
            self.fed.entry(&name.node).or_insert_with(new).waits += 1;
            if let Some(&(define_source, define)) =
                self.declarations.defines.get(name.node.as_str())
                && is_new
            {
                let message = format!("`{}` is already a define", name.node);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message);
                let first = Site { source: define_source, span: define.name.span };
                let diagnostic = self.point_at(diagnostic, source, first, "declared here");
                self.report(source, diagnostic.help("feed an event type with another name"));
            }
        }
        let nodes: Vec<_> = rules
            .iter()
            .map(|rule| FeedNode {
                feeds: rule.clauses.feeds().map(|(_, name)| name.node.as_str()).collect(),
                reads: self.reads(&rule.clauses),
            })
            .collect();
        let (order, circles) = order(&nodes);
        for circle in circles {
            self.report_circle(rules, &circle, refused);
        }
        order
    }

    /// Reports circles that only `from *` closes: it reads every declared type that has the key.
    pub(super) fn check_circles(&mut self, rules: &[Gathered<'a>], checked: &mut [Option<Rule>]) {
        let mut names: BTreeSet<&'a str> = BTreeSet::new();
        let fed = rules.iter().flat_map(|rule| rule.clauses.feeds());
        names.extend(fed.map(|(_, name)| name.node.as_str()));
        if names.is_empty() {
            return;
        }
        let node = |(gathered, rule): (&Gathered<'a>, &Option<Rule>)| {
            let Some(rule) = rule else {
                return FeedNode { feeds: Vec::new(), reads: BTreeSet::new() };
            };
            let reads = rule.types.iter();
            let reads = reads.filter_map(|ty| names.get(&*self.schema.ty(*ty).name).copied());
            let feeds = gathered.clauses.feeds().map(|(_, name)| name.node.as_str());
            FeedNode { feeds: feeds.collect(), reads: reads.collect() }
        };
        let nodes: Vec<_> = rules.iter().zip(&*checked).map(node).collect();
        let mut refused = BTreeSet::new();
        for circle in order(&nodes).1 {
            self.report_circle(rules, &circle, &mut refused);
        }
        for index in refused {
            checked[index] = None;
        }
    }

    fn report_circle(
        &mut self,
        rules: &[Gathered<'a>],
        circle: &Circle<'a>,
        refused: &mut BTreeSet<usize>,
    ) {
        const SHOWN: usize = 8;
        let name = |index: usize| &rules[index].name.node;
        let mut links: Vec<String> = Vec::new();
        for (at, &(index, ty)) in circle.iter().enumerate() {
            let next = circle[(at + 1) % circle.len()].0;
            links.push(format!("`{}` feeds `{ty}` to `{}`", name(index), name(next)));
            refused.insert(index);
        }
        let length = links.len();
        links.truncate(SHOWN);
        if length > SHOWN {
            links.push("...".to_owned());
        }
        let (first, ty) = circle[0];
        let message = match circle.as_slice() {
            [_] => format!("the rule `{}` feeds itself", name(first)),
            _ => format!("the rule `{}` feeds itself through other rules", name(first)),
        };
        let feeds = rules[first].clauses.feeds();
        let Some((source, feed)) = feeds.into_iter().find(|(_, name)| name.node == ty) else {
            return;
        };
        let from_all = circle.iter().any(|(index, _)| rules[*index].clauses.is_from_all());
        let diagnostic = Diagnostic::error(Code::CyclicFeed, feed.span, message)
            .label(links.join(", "))
            .help(if from_all {
                "`from *` includes every declared event type: name the types instead"
            } else {
                "a rule can't read events that its own matches produce: feed another event type"
            });
        self.report(source, diagnostic);
    }

    /// The event types that a rule names, as far as names go.
    fn reads(&self, clauses: &Clauses<'a>) -> BTreeSet<&'a str> {
        let mut reads = BTreeSet::new();
        if let Some((_, clause)) = clauses.get("from")
            && let Clause::From(Some(types)) = &clause.node
        {
            reads.extend(types.iter().map(|name| name.node.as_str()));
        }
        if let Some((_, clause)) = clauses.get("key")
            && let Clause::Key(parts) = &clause.node
        {
            let owners = parts.iter().flat_map(|part| &part.paths);
            reads.extend(owners.map(|(owner, _)| owner.node.as_str()));
        }
        let mut steps = Vec::new();
        if let Some((_, clause)) = clauses.get("match")
            && let Clause::Match(body) = &clause.node
        {
            steps.extend(without(body));
            steps_of(&body.sequences, &mut steps);
        }
        let mut local: BTreeMap<&str, &'a ast::Define> = BTreeMap::new();
        let defines = clauses.defines.iter();
        local.extend(defines.map(|(_, define)| (define.name.node.as_str(), *define)));
        let mut seen = BTreeSet::new();
        for mut step in steps {
            // A circle of defines ends at no type; that is reported elsewhere.
            seen.clear();
            // The wildcard names no type.
            while !step.wildcard && seen.insert(step.name.node.as_str()) {
                let name = step.name.node.as_str();
                let global = || self.declarations.defines.get(name).map(|(_, define)| *define);
                let Some(define) = local.get(name).copied().or_else(global) else {
                    reads.insert(name);
                    break;
                };
                step = &define.step;
            }
        }
        reads
    }

    /// Notes the records of a rule that was checked (`None` if it was refused), and declares the
    /// types whose records are all known now.
    pub(super) fn note_fed(&mut self, rule: &Gathered<'a>, records: Option<Vec<FedRecord<'a>>>) {
        match records {
            Some(records) => {
                for (name, site, fields) in records {
                    if let Some(fed) = self.fed.get_mut(name) {
                        fed.waits -= 1;
                        fed.records.push((site, fields));
                    }
                }
            }
            None => {
                for (_, name) in rule.clauses.feeds() {
                    if let Some(fed) = self.fed.get_mut(name.node.as_str()) {
                        fed.waits -= 1;
                        fed.is_broken = true;
                    }
                }
            }
        }
        for (_, name) in rule.clauses.feeds() {
            self.declare_fed(&name.node);
        }
    }

    /// Declares a type that only rules make, once all of these rules were checked.
    fn declare_fed(&mut self, name: &'a str) {
        let Some(fed) = self.fed.get_mut(name) else { return };
        if fed.waits > 0 || fed.is_broken || self.schema.type_id(name).is_some() {
            return;
        }
        let records = std::mem::take(&mut fed.records);
        let Some(((first_site, first), others)) = records.split_first() else { return };
        let mut fields = first.clone();
        for (site, other) in others {
            let find = |name: &str| other.iter().find(|field| *field.name == *name);
            let lacks = fields.iter().find(|field| find(&field.name).is_none());
            let knows = |name: &str| first.iter().any(|field| *field.name == *name);
            let adds = other.iter().find(|field| !knows(&field.name));
            let difference = match (lacks, adds) {
                (Some(field), _) => format!("this record has no field `{}`", field.name),
                (None, Some(field)) => format!("only this record has the field `{}`", field.name),
                (None, None) => {
                    for field in &mut fields {
                        if let Some(other) = find(&field.name) {
                            field.kind = field.kind.or(other.kind);
                            field.is_end &= other.is_end;
                        }
                    }
                    continue;
                }
            };
            let message = format!("the records that feed `{name}` differ: {difference}");
            let diagnostic = Diagnostic::error(Code::BadFeed, site.span, message);
            let diagnostic = self.point_at(diagnostic, site.source, *first_site, "also fed here");
            let help = format!("emit the same fields, or declare `event {name} {{ ... }}`");
            self.report(site.source, diagnostic.help(help));
            return;
        }
        let time = fields.iter().position(|field| field.is_end).map(FieldId::new);
        let field = |field: FedField| Field {
            ty: field_type(field.kind),
            optional: field.kind.intersects(Kind::NULL) && !field.is_end,
            name: field.name,
        };
        self.schema.add(EventType {
            name: name.into(),
            fields: fields.into_iter().map(field).collect(),
            time,
            open: false,
        });
    }

    /// Connects the emits of a checked rule with the types that they feed; all of these are known
    /// now.
    pub(super) fn connect(&self, gathered: &Gathered<'a>, rule: &mut Rule) {
        for (word, emit) in [("emit", &mut rule.emit), ("on timeout", &mut rule.on_timeout)] {
            if let Some(emit) = emit
                && let Some((_, name)) = gathered.clauses.feed(word)
            {
                emit.feeds = self.schema.type_id(&name.node);
            }
        }
    }
}

/// The type of a field that holds values of `kind`.
fn field_type(kind: Kind) -> FieldType {
    let kind = kind.without(Kind::NULL);
    match kind {
        Kind::BOOL => FieldType::Bool,
        Kind::INT => FieldType::Int,
        Kind::STRING => FieldType::String,
        Kind::TIME => FieldType::Time,
        Kind::DURATION => FieldType::Duration,
        Kind::IP => FieldType::Ip,
        Kind::LIST => FieldType::List(Box::new(FieldType::Any)),
        _ if !kind.is_never() && kind.is_subset_of(Kind::NUMBER) => FieldType::Float,
        _ => FieldType::Any,
    }
}

/// Adds the steps of sequences, and of those inside.
fn steps_of<'a>(sequences: &'a [ast::Sequence], out: &mut Vec<&'a ast::Step>) {
    for (_, part) in sequences.iter().flat_map(|sequence| &sequence.parts) {
        match part {
            Part::Not { what, .. } => out.extend(&what.steps),
            Part::Take(take) => {
                match &take.unit {
                    Unit::Step(step) => out.push(step),
                    Unit::Group(body, _) => out.extend(without(body)),
                    Unit::Of(..) => {}
                }
                steps_of(take.unit.sequences(), out);
                if let Some(Until::Step(choice)) = &take.until {
                    out.extend(&choice.steps);
                }
            }
        }
    }
}

/// Returns the steps that a body forbids with `without`.
fn without(body: &ast::Body) -> impl Iterator<Item = &ast::Step> {
    body.without.iter().flat_map(|choice| &choice.steps)
}

/// Returns the rules in an order in which each comes after those that feed it, otherwise as they are
/// given, and the circles that had to be cut for it.
///
/// This is Kahn's algorithm on a graph of fed types and rules: a type waits for the rules that feed
/// it, and a rule waits for the fed types that it reads. `petgraph` would bring five crates and
/// save little: its sort does not return the circle, and does not keep the given order.
fn order<'a>(rules: &[FeedNode<'a>]) -> (Vec<usize>, Vec<Circle<'a>>) {
    let types: BTreeSet<&'a str> = rules.iter().flat_map(|rule| &rule.feeds).copied().collect();
    let types: Vec<&'a str> = types.into_iter().collect();
    // The nodes are the types, then the rules.
    let first_rule = types.len();
    let mut waits = vec![BTreeSet::new(); first_rule + rules.len()];
    let mut waiting = vec![BTreeSet::new(); waits.len()];
    for (rule, node) in (first_rule..).zip(rules) {
        let number = |ty: &&str| types.binary_search(ty).ok();
        let feeds = node.feeds.iter().filter_map(number).map(|ty| (rule, ty));
        let reads = node.reads.iter().filter_map(number).map(|ty| (ty, rule));
        for (earlier, later) in feeds.chain(reads) {
            waits[later].insert(earlier);
            waiting[earlier].insert(later);
        }
    }
    let mut ready: BTreeSet<usize> =
        (0..waits.len()).filter(|node| waits[*node].is_empty()).collect();
    let (mut order, mut circles) = (Vec::with_capacity(rules.len()), Vec::new());
    loop {
        while let Some(node) = ready.pop_first() {
            order.extend(node.checked_sub(first_rule));
            for &later in &waiting[node] {
                if waits[later].remove(&node) && waits[later].is_empty() {
                    ready.insert(later);
                }
            }
        }
        let rule = (first_rule..waits.len()).find(|rule| !waits[*rule].is_empty());
        let circle = rule.map(|rule| circle_before(rule, &waits)).unwrap_or_default();
        if circle.is_empty() {
            return (order, circles);
        }
        let readers = circle.iter().cycle().skip(1);
        for ((_, ty), (reader, _)) in circle.iter().zip(readers) {
            waits[*reader].remove(ty);
            if waits[*reader].is_empty() {
                ready.insert(*reader);
            }
        }
        circles.push(circle.iter().map(|(rule, ty)| (rule - first_rule, types[*ty])).collect());
    }
}

/// Returns a circle that leads to a rule that still waits, with the least rule first: each rule with
/// the type that it feeds to the next one. Every node that is left waits for another one that is
/// left, so that the way back from the rule meets itself.
fn circle_before(rule: usize, waits: &[BTreeSet<usize>]) -> Vec<(usize, usize)> {
    let (mut path, mut places) = (Vec::new(), BTreeMap::new());
    let mut reader = rule;
    loop {
        if let Some(first) = places.insert(reader, path.len()) {
            path.drain(..first);
            break;
        }
        let Some(ty) = waits[reader].first() else { break };
        let Some(feeder) = waits[*ty].first() else { break };
        path.push((*feeder, *ty));
        reader = *feeder;
    }
    path.reverse();
    let least = (0..path.len()).min_by_key(|place| path[*place].0);
    path.rotate_left(least.unwrap_or_default());
    path
}

impl<'a> RuleLowerer<'_, 'a> {
    /// Checks a record that feeds `name`.
    pub(super) fn feed(&mut self, name: &'a Name, fields: &mut [(&'a Name, Typed)]) {
        let Some(ty) = self.env.schema.type_id(&name.node) else {
            let field = |(name, typed): &(&'a Name, Typed)| FedField {
                name: name.node.as_str().into(),
                // An event whose key is null is in no stream.
                kind: match typed.expr {
                    Expr::Key(_) => typed.kind.without(Kind::NULL),
                    _ => typed.kind,
                },
                is_end: is_end(&typed.expr),
            };
            let site = Site { source: self.source, span: name.span };
            self.reporting.fed.push((&name.node, site, fields.iter().map(field).collect()));
            return;
        };
        self.fit(name, ty, fields);
    }

    /// Reports where a record is not as the event type that it feeds.
    fn fit(&mut self, name: &'a Name, ty: TypeId, fields: &mut [(&'a Name, Typed)]) {
        let event = self.env.schema.ty(ty).clone();
        for (field_name, typed) in &mut *fields {
            if typed.kind.is_never() {
                continue;
            }
            let Some(id) = event.field_id(&field_name.node) else {
                if names::field(&self.env.schema, ty, &field_name.node).is_none() {
                    let schema = &self.env.schema;
                    let diagnostic =
                        names::unknown_field(schema, ty, &field_name.node, field_name.span);
                    self.report(diagnostic);
                }
                continue;
            };
            let field = event.field(id);
            if event.time == Some(id) {
                if !is_end(&typed.expr) {
                    let message = format!(
                        "`{}` is the event time of `{}`, which is always the time of the match",
                        field.name, event.name
                    );
                    let help = format!("remove it, or write `{}: match.end`", field.name);
                    self.error(Code::BadFeed, typed.span, message, help);
                }
                continue;
            }
            if !self.coerce(typed, field.ty.kind()) {
                continue;
            }
            let mut fits = field.ty.kind();
            if field.ty == FieldType::Float {
                fits = fits.or(Kind::INT);
            }
            let found = typed.kind.without(Kind::NULL);
            let is_null = found.is_never();
            if is_null && !field.optional || !is_null && !found.intersects(fits) {
                let message = format!("`{}` of `{}` is {}", field.name, event.name, field.kind());
                let diagnostic = Diagnostic::error(Code::TypeMismatch, typed.span, message);
                self.report(diagnostic.label(format!("this is {}", typed.kind)));
            }
        }
        let is_emitted = |field: &Field| fields.iter().any(|(name, _)| *name.node == *field.name);
        let missing = event.fields.iter().enumerate().find(|(index, field)| {
            !field.optional && event.time != Some(FieldId::new(*index)) && !is_emitted(field)
        });
        if let Some((_, field)) = missing {
            let message = format!("`{}` needs `{}`, which is not emitted", event.name, field.name);
            let given = fields.iter().map(|(name, _)| name.node.as_str());
            let given = given.filter(|name| event.field_id(name).is_none());
            let help = match nearest(&field.name, given) {
                // The missing field was reported already.
                Some(_) if !event.open => return,
                Some(near) => format!("if the emitted `{near}` is this field, rename it"),
                None => format!("emit it, or declare it as `{}: {}?`", field.name, field.ty),
            };
            self.error(Code::BadFeed, name.span, message, help);
        }
    }
}

/// True if an emitted value is the time of the match.
fn is_end(expr: &Expr) -> bool {
    matches!(expr, Expr::Match(MatchFact::End))
}
