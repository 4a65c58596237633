//! The meaning of names: where they are declared, and a description.

use std::path::{Component, Path, PathBuf};

use kleene::diagnostic::{Source, Span};
use kleene_syntax::hir::functions;

use super::scan::{
    AliasScan, FieldScan, ItemKind, ItemScan, LocalKind, LocalScan, Mark, RecordOf, Role, RuleScan,
    Scan,
};
use super::words;

/// The longest chain of defines or instances that is followed.
const MAX_CHAIN: usize = 32;

/// A file with what its names are.
#[derive(Debug)]
pub struct File {
    /// Its text.
    pub source: Source,
    /// Its names.
    pub scan: Scan,
}

/// The files that belong to a document, itself first.
#[derive(Debug)]
pub struct Set {
    /// The files.
    pub files: Vec<File>,
}

/// The meaning of a name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Meaning {
    /// It in the language: a declaration, a type, a signature.
    pub code: String,
    /// A description in Markdown.
    pub about: String,
    /// The place of its declaration: the file's number, and the place in it.
    pub target: Option<(usize, Span)>,
}

impl Meaning {
    /// All of it in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        if !self.code.is_empty() {
            text = format!("```cep\n{}\n```\n", self.code);
        }
        text.push_str(&self.about);
        text
    }
}

/// A field that can stand somewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type.
    pub detail: String,
}

impl Set {
    /// The name at a byte of the first file.
    pub fn mark(&self, at: usize) -> Option<&Mark> {
        let marks = &self.files.first()?.scan.marks;
        // At the border of two, the one that starts there.
        let holds =
            |mark: &&Mark| (mark.span.start as usize..=mark.span.end as usize).contains(&at);
        marks.iter().filter(holds).max_by_key(|mark| mark.span.start)
    }

    /// All declarations of a kind, with the numbers of their files. Event types that rules make
    /// come last.
    pub fn items(&self, kind: ItemKind) -> impl Iterator<Item = (usize, &ItemScan)> {
        let files = || self.files.iter().enumerate();
        let declared =
            files().flat_map(|(file, of)| of.scan.items.iter().map(move |item| (file, item)));
        let emitted =
            files().flat_map(|(file, of)| of.scan.emitted.iter().map(move |item| (file, item)));
        declared.chain(emitted).filter(move |(_, item)| item.kind == kind)
    }

    /// The declaration of this name.
    pub fn item(&self, kind: ItemKind, name: &str) -> Option<(usize, &ItemScan)> {
        self.items(kind).find(|(_, item)| item.name == name)
    }

    /// A rule of the first file, by its number.
    pub fn rule(&self, rule: Option<usize>) -> Option<&RuleScan> {
        self.files.first()?.scan.rules.get(rule?)
    }

    /// The rule of this name, with the number of its file.
    pub fn rule_named(&self, name: &str) -> Option<(usize, &RuleScan)> {
        let (file, item) = self.item(ItemKind::Rule, name)?;
        Some((file, self.files.get(file)?.scan.rules.get(item.rule?)?))
    }

    /// The rule and those that it is an instance of.
    pub fn with_bases<'s>(
        &'s self,
        rule: Option<&'s RuleScan>,
    ) -> impl Iterator<Item = (usize, &'s RuleScan)> {
        self.bases_from(rule.map(|rule| (0, rule)))
    }

    /// Returns a rule with the number of its file, and those that it is an instance of.
    fn bases_from<'s>(
        &'s self,
        rule: Option<(usize, &'s RuleScan)>,
    ) -> impl Iterator<Item = (usize, &'s RuleScan)> {
        std::iter::successors(rule, |(_, rule)| self.rule_named(rule.base.as_deref()?))
            .take(MAX_CHAIN)
    }

    /// The parameter or define of this name in a rule, or in those that it is an instance of.
    fn local<'s>(
        &'s self,
        rule: Option<&'s RuleScan>,
        name: &str,
        kind: LocalKind,
    ) -> Option<(usize, &'s LocalScan)> {
        self.with_bases(rule).find_map(|(file, rule)| {
            let mut locals = rule.locals.iter();
            let local = locals.find(|local| local.name == name && local.kind == kind);
            local.map(|local| (file, local))
        })
    }

    /// Returns the event type that a step takes: the type of its own name, or of the define.
    pub fn event_of<'s>(
        &'s self,
        rule: Option<&'s RuleScan>,
        step: &str,
    ) -> Option<(usize, &'s ItemScan)> {
        self.event_of_own(rule, step).or_else(|| {
            // The braces of a key name steps as they are captured.
            let captured = self.captured(rule);
            let (.., steps) = captured.iter().find(|(alias, ..)| *alias == step)?;
            self.event_of_own(rule, steps.first()?)
        })
    }

    /// As [`event_of`](Set::event_of), of the name of an event type or a define.
    fn event_of_own<'s>(
        &'s self,
        rule: Option<&'s RuleScan>,
        step: &str,
    ) -> Option<(usize, &'s ItemScan)> {
        let mut name = step;
        for _ in 0..MAX_CHAIN {
            let local =
                self.local(rule, name, LocalKind::Define).map(|(_, local)| local.detail.as_str());
            let define = || self.item(ItemKind::Define, name).map(|(_, item)| item.detail.as_str());
            match local.or_else(define) {
                Some(next) if next != name => name = next,
                _ => break,
            }
        }
        self.item(ItemKind::Event, name)
    }

    /// The names of steps that can be referred to, with the steps' own names.
    pub fn captured<'s>(
        &'s self,
        rule: Option<&'s RuleScan>,
    ) -> Vec<(&'s str, Span, usize, Vec<&'s str>)> {
        let mut found: Vec<(&str, Span, usize, Vec<&str>)> = Vec::new();
        for (file, rule) in self.with_bases(rule) {
            for alias in &rule.names {
                found.push((&alias.name, alias.span, file, steps_of(rule, alias)));
            }
            let own = rule.steps.iter().filter(|step| !step.negated && !step.renamed);
            for step in own {
                found.push((&step.name, step.span, file, vec![&step.name]));
            }
        }
        found
    }

    /// True if the rule captures something under this name.
    fn is_captured(&self, rule: Option<&RuleScan>, name: &str) -> bool {
        self.captured(rule).iter().any(|(captured, ..)| captured == &name)
    }

    /// The fields that `names` can go on with, in a rule and behind a step's candidate.
    pub fn members(
        &self,
        rule: Option<&RuleScan>,
        candidate: Option<&str>,
        names: &[String],
    ) -> Vec<Member> {
        let mut members = Vec::new();
        let fact = |(name, detail, _): &(&str, &str, &str)| Member {
            name: String::from(*name),
            detail: String::from(*detail),
        };
        let Some((first, rest)) = names.split_first() else { return members };
        if let Some((_, event)) = candidate.and_then(|step| self.event_of(rule, step)) {
            add_fields(&mut members, &event.fields, names);
        }
        match first.as_str() {
            "prev" => {
                let rules = self.with_bases(rule);
                let steps = rules.flat_map(|(_, rule)| &rule.steps).filter(|step| !step.negated);
                for (_, event) in steps.filter_map(|step| self.event_of(rule, &step.name)) {
                    add_fields(&mut members, &event.fields, rest);
                }
            }
            "match" => members.extend(words::FACTS.iter().map(fact)),
            "matches" if !self.is_captured(rule, first) => {
                members.extend(words::SET_FACTS.iter().map(fact));
            }
            _ => {
                let captured = self.captured(rule);
                let named = captured.iter().filter(|(name, ..)| name == first);
                for step in named.flat_map(|(.., steps)| steps) {
                    if let Some((_, event)) = self.event_of(rule, step) {
                        add_fields(&mut members, &event.fields, rest);
                    }
                }
            }
        }
        members
    }

    /// Returns the meaning of a name of the first file; `None` if it is unknown.
    pub fn meaning(&self, mark: &Mark) -> Option<Meaning> {
        let own = self.files.first()?;
        let text = own.source.text.get(mark.span.start as usize..mark.span.end as usize)?;
        let name = super::scan::bare(text);
        let rule = self.rule(mark.rule);
        match &mark.role {
            Role::Keyword => words::about(name).map(|about| Meaning {
                code: name.to_owned(),
                about: about.to_owned(),
                target: None,
            }),
            Role::Item(index) => self.declared(0, own.scan.items.get(*index)?),
            Role::Field(item, field) => {
                let item = own.scan.items.get(*item)?;
                Some(Self::field(0, item, item.fields.get(*field)?))
            }
            Role::Local => self
                .of_local(rule, name, LocalKind::Param)
                .or_else(|| self.of_local(rule, name, LocalKind::Define)),
            Role::Step => self
                .of_local(rule, name, LocalKind::Define)
                .or_else(|| self.of_item(ItemKind::Define, name))
                .or_else(|| self.of_item(ItemKind::Event, name)),
            Role::Event => self.of_item(ItemKind::Event, name),
            Role::Keyed => self
                .of_item(ItemKind::Event, name)
                .or_else(|| self.captured_as(rule?, name))
                .or_else(|| self.of_local(rule, name, LocalKind::Define))
                .or_else(|| self.of_item(ItemKind::Define, name)),
            Role::Alias(index) => {
                let rule = rule?;
                let alias = rule.names.get(*index)?;
                Some(self.step(rule, &alias.name, &steps_of(rule, alias), (0, alias.span)))
            }
            Role::StepName => self.captured_as(rule?, name),
            Role::Path { names, candidate } => self.path(rule, candidate.as_deref(), names),
            Role::Param => self
                .of_local(rule, name, LocalKind::Param)
                .or_else(|| self.of_item(ItemKind::Param, name)),
            Role::Used => self.used(text.trim_matches('"')),
            Role::Function => function(name),
            Role::Key => Some(self.key(rule?, name)),
            Role::Rule => self.of_item(ItemKind::Rule, name),
            Role::Argument(base) => {
                let (file, base) = self.rule_named(base)?;
                let mut bases = self.with_bases(Some(base));
                let (_, local) = bases.find_map(|(_, base)| {
                    let local = base.locals.iter().find(|local| local.name == name)?;
                    Some((file, local))
                })?;
                Some(self.of(file, local.span, local.name_span))
            }
            Role::Record(RecordOf::Event(event)) => {
                let (file, item) = self.item(ItemKind::Event, event)?;
                let names = [name.to_owned()];
                Self::field_at(file, item, &names).or_else(|| Self::undeclared(file, item, &names))
            }
            Role::Record(RecordOf::Rule(rule)) => {
                let (file, rule) = self.rule_named(rule)?;
                let mut rules = self.bases_from(Some((file, rule)));
                let (file, span) = rules.find_map(|(file, rule)| {
                    // A rule without `emit` reports its key.
                    let mut reported = rule.emits.iter().chain(&rule.key);
                    reported.find(|(reported, _)| reported == name).map(|(_, span)| (file, *span))
                })?;
                Some(Meaning {
                    code: name.to_owned(),
                    about: format!("reported by the rule `{}`", rule.name),
                    target: Some((file, span)),
                })
            }
        }
    }

    /// A file that is used, with what it declares.
    fn used(&self, path: &str) -> Option<Meaning> {
        const SHOWN: usize = 20;
        let own = Path::new(&*self.files.first()?.source.name).parent()?;
        let name = plain(&own.join(path)).display().to_string();
        let (index, file) =
            self.files.iter().enumerate().find(|(_, file)| *file.source.name == *name)?;
        let items = file.scan.items.iter().filter_map(|item| {
            let kind = match item.kind {
                ItemKind::Event => "event",
                ItemKind::List => "list",
                ItemKind::Param => "param",
                ItemKind::Define => "define",
                ItemKind::Rule => "rule",
                ItemKind::Test | ItemKind::Use => return None,
            };
            Some(format!("{kind} {}", item.name))
        });
        let mut declared: Vec<String> = items.take(SHOWN + 1).collect();
        if declared.len() > SHOWN {
            declared.truncate(SHOWN);
            declared.push(String::from("..."));
        }
        let about = String::from("what this file declares");
        Some(Meaning { code: declared.join("\n"), about, target: Some((index, Span::default())) })
    }

    /// Returns the meaning of a name in an expression.
    fn path(
        &self,
        rule: Option<&RuleScan>,
        candidate: Option<&str>,
        names: &[String],
    ) -> Option<Meaning> {
        let (first, rest) = names.split_first()?;
        if let Some((file, event)) = candidate.and_then(|step| self.event_of(rule, step))
            && let Some(found) = Self::field_at(file, event, names)
        {
            return Some(found);
        }
        if first == "matches" && !rest.is_empty() && !self.is_captured(rule, first) {
            let fact = words::SET_FACTS
                .iter()
                .find(|(name, ..)| Some(*name) == rest.first().map(String::as_str))?;
            return Some(Meaning { code: names.join("."), about: fact.2.to_owned(), target: None });
        }
        if first == "match" || first == "prev" && rest.is_empty() {
            let about = match rest.first() {
                Some(fact) => {
                    words::FACTS.iter().find(|(name, ..)| name == fact).map(|fact| fact.2)
                }
                None => words::about(first),
            };
            let code = names.join(".");
            return Some(Meaning { code, about: about?.to_owned(), target: None });
        }
        if first == "prev" {
            let bases = self.with_bases(rule);
            let mut steps = bases.flat_map(|(_, rule)| &rule.steps).filter(|step| !step.negated);
            return steps.find_map(|step| {
                let (file, event) = self.event_of(rule, &step.name)?;
                Self::field_at(file, event, rest).or_else(|| Self::undeclared(file, event, rest))
            });
        }
        let rule = rule?;
        if let Some((_, span, file, steps)) =
            self.captured(Some(rule)).iter().find(|(name, ..)| name == first)
        {
            if rest.is_empty() {
                return Some(self.step(rule, first, steps, (*file, *span)));
            }
            return steps.iter().find_map(|step| {
                let (file, event) = self.event_of(Some(rule), step)?;
                Self::field_at(file, event, rest).or_else(|| Self::undeclared(file, event, rest))
            });
        }
        let is_key = |rule: &RuleScan| rule.key.iter().any(|(key, _)| key == first);
        if rest.is_empty() && self.with_bases(Some(rule)).any(|(_, rule)| is_key(rule)) {
            return Some(self.key(rule, first));
        }
        let list = if rest.is_empty() { self.of_item(ItemKind::List, first) } else { None };
        list.or_else(|| {
            let (file, event) = candidate.and_then(|step| self.event_of(Some(rule), step))?;
            Self::undeclared(file, event, names)
        })
    }

    /// The field at a path, or the record in which the fields below it are.
    fn field_at(file: usize, event: &ItemScan, names: &[String]) -> Option<Meaning> {
        let name = names.join(".");
        let field = event.fields.iter().find(|field| field.name == name)?;
        Some(Self::field(file, event, field))
    }

    fn field(file: usize, event: &ItemScan, field: &FieldScan) -> Meaning {
        let prefix = format!("{}.", field.name);
        let is_record = event.fields.iter().any(|other| other.name.starts_with(&prefix));
        let ty = if field.ty.is_empty() && !is_record {
            // The emitted record of a rule has no declared types.
            return Meaning {
                code: field.name.clone(),
                about: format!("a field of `{}`, which a rule emits", event.name),
                target: Some((file, field.span)),
            };
        } else if field.ty.is_empty() {
            let below: Vec<String> = event
                .fields
                .iter()
                .filter_map(|other| other.name.strip_prefix(&field.name)?.strip_prefix('.'))
                .filter(|name| !name.contains('.'))
                .map(String::from)
                .collect();
            format!("{{ {} }}", below.join(", "))
        } else {
            field.ty.clone()
        };
        Meaning {
            code: format!("{}: {ty}", field.name),
            about: format!("a field of `{}`", event.name),
            target: Some((file, field.span)),
        }
    }

    /// A field that an event type allows without declaring it.
    fn undeclared(file: usize, event: &ItemScan, names: &[String]) -> Option<Meaning> {
        event.open.then(|| Meaning {
            code: names.join("."),
            about: format!("a field that `{}` allows by `..`; its type is not checked", event.name),
            target: Some((file, event.name_span)),
        })
    }

    fn key(&self, rule: &RuleScan, name: &str) -> Meaning {
        let mut types: Vec<&str> = Vec::new();
        let mut target = None;
        for step in self.with_bases(Some(rule)).flat_map(|(_, rule)| &rule.steps) {
            let Some((file, event)) = self.event_of(Some(rule), &step.name) else { continue };
            if let Some(field) = event.fields.iter().find(|field| field.name == name) {
                target = target.or(Some((file, field.span)));
                if !types.contains(&&*field.ty) {
                    types.push(&field.ty);
                }
            }
        }
        // Named differently per type: where the key says so.
        let part = rule.key.iter().find(|(key, _)| key == name).map(|(_, span)| (0, *span));
        let code = if types.is_empty() {
            name.to_owned()
        } else {
            format!("{name}: {}", types.join(" or "))
        };
        let about = format!("a part of the key of `{}`", rule.name);
        Meaning { code, about, target: target.or(part) }
    }

    fn captured_as(&self, rule: &RuleScan, name: &str) -> Option<Meaning> {
        let captured = self.captured(Some(rule));
        let (_, span, file, steps) = captured.iter().find(|(known, ..)| *known == name)?;
        Some(self.step(rule, name, steps, (*file, *span)))
    }

    fn step(&self, rule: &RuleScan, name: &str, steps: &[&str], target: (usize, Span)) -> Meaning {
        let mut code = String::new();
        let mut types: Vec<String> = Vec::new();
        for step in steps {
            if let Some((file, event)) = self.event_of(Some(rule), step) {
                let name = format!("`{}`", event.name);
                if !types.contains(&name) {
                    types.push(name);
                    code.push_str(if code.is_empty() { "" } else { "\n" });
                    code.push_str(&self.text(file, event.span));
                }
            }
        }
        let about = if types.is_empty() {
            format!("`{name}` is captured by this rule")
        } else {
            format!("`{name}` is an event of type {}, captured by this rule", types.join(" or "))
        };
        Meaning { code, about, target: Some(target) }
    }

    fn of_item(&self, kind: ItemKind, name: &str) -> Option<Meaning> {
        let (file, item) = self.item(kind, name)?;
        self.declared(file, item)
    }

    fn of_local(&self, rule: Option<&RuleScan>, name: &str, kind: LocalKind) -> Option<Meaning> {
        let (file, local) = self.local(rule, name, kind)?;
        let mut meaning = self.of(file, local.span, local.name_span);
        let word = match kind {
            LocalKind::Param => "param",
            LocalKind::Define => "define",
        };
        meaning.code = format!("{word} {}", meaning.code);
        Some(meaning)
    }

    fn declared(&self, file: usize, item: &ItemScan) -> Option<Meaning> {
        if item.name.is_empty() {
            return None;
        }
        let mut meaning = self.of(file, item.span, item.name_span);
        if item.kind == ItemKind::Event && item.rule.is_some() {
            meaning.code = format!("emit as {}", meaning.code);
        }
        Some(meaning)
    }

    /// Returns the meaning of the declaration at a place.
    fn of(&self, file: usize, span: Span, name: Span) -> Meaning {
        let mut about = self.comment(file, span);
        if file > 0
            && let Some(of) = self.files.get(file)
        {
            let name = of.source.name.rsplit(['/', '\\']).next().unwrap_or_default();
            let apart = if about.is_empty() { "" } else { "\n\n" };
            about = format!("{about}{apart}declared in `{name}`");
        }
        Meaning { code: self.text(file, span), about, target: Some((file, name)) }
    }

    /// The text of a place, cut after some lines.
    fn text(&self, file: usize, span: Span) -> String {
        const SHOWN: usize = 24;
        let text = self
            .files
            .get(file)
            .and_then(|file| file.source.text.get(span.start as usize..span.end as usize));
        let text = text.unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().take(SHOWN + 1).collect();
        if lines.len() > SHOWN {
            lines.truncate(SHOWN);
            lines.push("...");
        }
        lines.join("\n")
    }

    /// The comment above a place.
    fn comment(&self, file: usize, span: Span) -> String {
        const SHOWN: usize = 12;
        let text =
            self.files.get(file).and_then(|file| file.source.text.get(..span.start as usize));
        let above = text.unwrap_or_default();
        let Some(above) = above.strip_suffix('\n') else { return String::new() };
        let lines = above.rsplit('\n').take(SHOWN).map(str::trim);
        let mut lines: Vec<&str> = lines.map_while(|line| line.strip_prefix('#')).collect();
        lines.reverse();
        lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
    }
}

/// The names of the steps that an alias stands for.
fn steps_of<'r>(rule: &'r RuleScan, alias: &AliasScan) -> Vec<&'r str> {
    let (from, to) = alias.steps;
    let steps = rule.steps.iter().take(to).skip(from).filter(|step| !step.negated);
    steps.map(|step| step.name.as_str()).collect()
}

fn add_fields(members: &mut Vec<Member>, fields: &[FieldScan], below: &[String]) {
    let prefix = if below.is_empty() { String::new() } else { below.join(".") + "." };
    for field in fields {
        let Some(name) = field.name.strip_prefix(&prefix) else { continue };
        let is_new = !members.iter().any(|member| member.name == name);
        if !name.contains('.') && !name.is_empty() && is_new {
            members.push(Member { name: name.to_owned(), detail: field.ty.clone() });
        }
    }
}

fn function(name: &str) -> Option<Meaning> {
    if let Some((_, signature, about)) = words::CALLS.iter().find(|(known, ..)| *known == name) {
        let (code, about) = (String::from(*signature), String::from(*about));
        return Some(Meaning { code, about, target: None });
    }
    let function = functions::lookup(name)?;
    let examples: Vec<String> =
        function.examples.iter().map(|(call, result)| format!("`{call}` is `{result}`")).collect();
    let about = format!("{}\n\n{}", function.about, examples.join("  \n"));
    Some(Meaning { code: function.signature(), about, target: None })
}

/// `a/../b` is `b`.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
