//! Completions: the words and names that can be typed at a place.

use std::ops::Range;

use kleene_syntax::hir::functions;
use kleene_syntax::syntax::{TokenKind, is_name, tokens};

use super::names::Set;
use super::scan::{BracketKind, End, ItemKind, LocalKind, RecordOf, RuleScan, Slot, scan};
use super::words;

/// The words that start an item.
const ITEMS: &[&str] = &["event", "list", "param", "define", "rule", "test", "use"];

/// The words that start a clause.
const CLAUSES: &[&str] = &[
    "about",
    "severity",
    "tags",
    "meta",
    "param",
    "define",
    "from",
    "key",
    "match",
    "within",
    "skip",
    "report",
    "emit",
    "having",
    "on timeout emit",
    "suppress",
    "once",
    "limit",
];

const TEST_STEPS: &[&str] =
    &["at", "advance to", "expect match", "expect no match", "expect timeout"];

const TYPES: &[&str] = &["bool", "int", "float", "string", "time", "duration", "ip", "list"];

/// The kind of a completion.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// An event type, or a define of one.
    Event,
    /// A field.
    Field,
    /// A rule.
    Rule,
    /// A list.
    List,
    /// A step of a rule.
    Step,
    /// A parameter.
    Param,
    /// A function.
    Function,
}

/// Something that can be typed.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The label in the list.
    pub label: String,
    /// The kind.
    pub kind: CompletionKind,
    /// In the language: a type, a signature. May be empty.
    pub detail: String,
    /// A description in Markdown.
    pub about: Option<&'static str>,
    /// The text whose start is compared with the typed text.
    pub filter: String,
    /// Sorts it.
    pub sort: String,
    /// The bytes that it replaces.
    pub replaced: Range<usize>,
    /// The text that is inserted.
    pub text: String,
}

/// Returns the completions at the byte `at` of the first file of `set`.
pub fn complete(set: &Set, at: usize) -> Vec<Completion> {
    let Some(own) = set.files.first() else { return Vec::new() };
    let text = &*own.source.text;
    let Some(start) = word_start(text, at) else { return Vec::new() };
    let Some(before) = text.get(..start) else { return Vec::new() };
    let end = scan(before).end;
    let is_line_start = before
        .rsplit('\n')
        .next()
        .is_some_and(|line| line.trim_start_matches('\u{feff}').trim().is_empty());
    // The whole text knows more of the rule than what stands before: the rest of its steps.
    let rule = own.scan.rules.get(end.rule.unwrap_or(usize::MAX));
    let kind = end.kinds.last().unwrap_or(&BracketKind::File);
    let candidate = end.kinds.iter().rev().find_map(|kind| match kind {
        BracketKind::Condition(step) => Some(step.as_str()),
        // In the braces of a key, the name before the colon.
        BracketKind::KeyPaths => Some(end.last.as_str()),
        _ => None,
    });
    // The typed text is replaced, with the back-quotes around it.
    let is_quoted = text.get(start..).is_some_and(|rest| rest.starts_with('`'));
    let is_closed =
        is_quoted && start < at && text.get(at..).is_some_and(|rest| rest.starts_with('`'));
    let range = start..at + usize::from(is_closed);
    let mut offer = Offer { set, rule, range, is_quoted, items: Vec::new() };
    offer.slot(&end, kind, candidate);
    // A new line may start something else. Behind a dot or a dollar nothing does.
    let is_inside = matches!(end.slot, Slot::Member(_) | Slot::Param);
    match kind {
        BracketKind::File if end.slot == Slot::Item || is_line_start => offer.words(ITEMS),
        BracketKind::RuleBody if !is_inside => {
            let is_complete = matches!(end.slot, Slot::Clause | Slot::AfterStep);
            if is_line_start || is_complete {
                offer.words(CLAUSES);
            }
        }
        BracketKind::TestBody if is_line_start && !is_inside => offer.words(TEST_STEPS),
        _ => {}
    }
    offer.items
}

/// Returns the start of the word at the byte `at`; `None` inside of a text, a number or a comment.
fn word_start(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let mut last_end = 0;
    for token in tokens(text) {
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        if start >= at {
            break;
        }
        last_end = end.min(at);
        let is_inside = match token.kind {
            TokenKind::String => at < end,
            TokenKind::Number | TokenKind::Duration => at <= end,
            TokenKind::Bad => at <= end && !text.get(start..)?.starts_with('`'),
            _ => false,
        };
        if is_inside {
            return None;
        }
    }
    let blank = before.get(last_end..)?;
    let is_comment =
        blank.rfind('#') > blank.rfind('\n') || blank.contains('#') && !blank.contains('\n');
    if is_comment {
        return None;
    }
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    // A name in back-quotes that is not closed yet.
    Some(if word.ends_with('`') { word.len() - 1 } else { word.len() })
}

struct Offer<'s> {
    set: &'s Set,
    rule: Option<&'s RuleScan>,
    /// The range that is replaced.
    range: Range<usize>,
    /// True if it starts with a back-quote.
    is_quoted: bool,
    items: Vec<Completion>,
}

impl Offer<'_> {
    /// Offers what the place itself asks for, inside of brackets of `kind`.
    fn slot(&mut self, end: &End, kind: &BracketKind, candidate: Option<&str>) {
        match &end.slot {
            Slot::Item | Slot::Free | Slot::Clause => {}
            Slot::Words(words) => self.words(words),
            Slot::Type => self.words(TYPES),
            Slot::Rule => self.declared(ItemKind::Rule, CompletionKind::Rule),
            Slot::Event => {
                if *kind == BracketKind::KeyPaths {
                    self.captured();
                    self.steps();
                }
                self.declared(ItemKind::Event, CompletionKind::Event);
                if *kind == BracketKind::RuleBody && end.last == "from" {
                    self.words(&["*"]);
                }
            }
            Slot::Key => self.key_fields(),
            Slot::Step => {
                self.steps();
                if end.last == "->" {
                    self.words(&["next", "any"]);
                }
                self.words(&["not", "any event"]);
            }
            Slot::AfterStep => {
                self.words(&["->", "as", "until", "and", "or", "without", "for", "repeat"]);
                if matches!(kind, BracketKind::Group(_)) {
                    self.words(&["within"]);
                }
            }
            Slot::StepName => self.captured(),
            Slot::Duration => {
                self.params("$");
                self.captured();
            }
            Slot::Operand => {
                self.operand(candidate, &end.kinds);
                if matches!(end.last.as_str(), "" | "[" | "(" | "and" | "or" | "not") {
                    self.words(&["any", "all"]);
                }
                if matches!(end.last.as_str(), "in" | "like" | "~") {
                    self.declared(ItemKind::List, CompletionKind::List);
                }
            }
            Slot::Operator => {
                if !matches!(kind, BracketKind::Record(_)) {
                    self.words(&["and", "or", "in", "not in", "is null", "is not null", "like"]);
                    self.words(&["not like", "is true", "is not true", "nocase", "then", "else"]);
                }
            }
            Slot::RecordField => match kind {
                BracketKind::Record(given) => self.given(given),
                BracketKind::Emit => self.key(),
                _ => {}
            },
            Slot::Argument => {
                if let BracketKind::Arguments(base) = kind {
                    self.arguments(base);
                }
            }
            Slot::Member(names) => {
                for member in self.set.members(self.rule, candidate, names) {
                    self.add(&member.name, CompletionKind::Field, &member.detail, 0);
                }
            }
            Slot::Param => self.params(""),
            Slot::TestStep => self.words(TEST_STEPS),
        }
    }

    /// Adds something once; `rank` sorts.
    fn add(&mut self, label: &str, kind: CompletionKind, detail: &str, rank: u8) {
        if label.is_empty() || self.items.iter().any(|item| item.label == label) {
            return;
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let needs_quotes = match kind {
            CompletionKind::Keyword => false,
            // Fields are free to be called like words of the language.
            CompletionKind::Field => {
                !label.chars().all(is_plain) || label.starts_with(|c: char| c.is_ascii_digit())
            }
            _ => !is_name(label),
        };
        self.push(label, kind, detail, rank, needs_quotes);
    }

    fn push(
        &mut self,
        label: &str,
        kind: CompletionKind,
        detail: &str,
        rank: u8,
        needs_quotes: bool,
    ) {
        if self.is_quoted && kind == CompletionKind::Keyword {
            return;
        }
        let needs_quotes = needs_quotes || self.is_quoted;
        let new_text = if needs_quotes { format!("`{label}`") } else { label.to_owned() };
        self.items.push(Completion {
            label: label.to_owned(),
            kind,
            detail: detail.to_owned(),
            about: None,
            // Editors look for what is typed at the start of this.
            filter: if self.is_quoted { new_text.clone() } else { label.to_owned() },
            sort: format!("{rank}{label}"),
            replaced: self.range.clone(),
            text: new_text,
        });
    }

    fn document(&mut self, about: &'static str) {
        if let Some(item) = self.items.last_mut() {
            item.about = Some(about);
        }
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            let count = self.items.len();
            self.add(word, CompletionKind::Keyword, "", 8);
            let about = words::about(word.split(' ').next().unwrap_or_default());
            if let Some(about) = about.filter(|_| self.items.len() > count) {
                self.document(about);
            }
        }
    }

    fn declared(&mut self, of: ItemKind, kind: CompletionKind) {
        let set = self.set;
        for (_, item) in set.items(of) {
            let detail = match of {
                ItemKind::Event => {
                    let fields = item.fields.iter().filter(|field| !field.name.contains('.'));
                    let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
                    format!("event {{ {} }}", names.join(", "))
                }
                ItemKind::List => format!("list of {}", item.detail),
                ItemKind::Define => format!("define of {}", item.detail),
                _ => item.detail.clone(),
            };
            self.add(&item.name, kind, &detail, 2);
        }
    }

    /// Adds the names and words that can be a step.
    fn steps(&mut self) {
        for (_, rule) in self.set.with_bases(self.rule) {
            for local in rule.locals.iter().filter(|local| local.kind == LocalKind::Define) {
                let detail = format!("define of {}", local.detail);
                self.add(&local.name, CompletionKind::Event, &detail, 1);
            }
        }
        self.declared(ItemKind::Define, CompletionKind::Event);
        self.declared(ItemKind::Event, CompletionKind::Event);
    }

    /// The names of what the rule captures.
    fn captured(&mut self) {
        for (name, _, _, steps) in self.set.captured(self.rule) {
            self.add(name, CompletionKind::Step, &steps.join(" or "), 1);
        }
    }

    /// Adds the parameters, each behind `sign`.
    fn params(&mut self, sign: &str) {
        let mut params: Vec<(String, String)> = Vec::new();
        for (_, rule) in self.set.with_bases(self.rule) {
            let locals = rule.locals.iter().filter(|local| local.kind == LocalKind::Param);
            params.extend(locals.map(|local| (local.name.clone(), local.detail.clone())));
        }
        let items = self.set.items(ItemKind::Param);
        params.extend(items.map(|(_, item)| (item.name.clone(), item.detail.clone())));
        for (name, detail) in params {
            let label = format!("{sign}{name}");
            if !self.items.iter().any(|item| item.label == label) {
                self.push(&label, CompletionKind::Param, &detail, 1, false);
            }
        }
    }

    /// The parts of the key.
    fn key(&mut self) {
        for (_, rule) in self.set.with_bases(self.rule) {
            for (name, _) in &rule.key {
                self.add(name, CompletionKind::Field, "part of the key", 0);
            }
        }
    }

    /// Fields that could be the key: of all the rule's types first, then those of some.
    fn key_fields(&mut self) {
        let set = self.set;
        let rules = set.with_bases(self.rule);
        let mut types: Vec<_> = rules
            .flat_map(|(_, rule)| {
                rule.steps
                    .iter()
                    .map(|step| step.name.as_str())
                    .chain(rule.from.iter().map(String::as_str))
            })
            .filter_map(|step| set.event_of(self.rule, step))
            .map(|(_, event)| event)
            .collect();
        if types.is_empty() {
            types = set.items(ItemKind::Event).map(|(_, event)| event).collect();
        }
        for event in &types {
            for field in event.fields.iter().filter(|field| !field.name.contains('.')) {
                let in_all = types
                    .iter()
                    .all(|other| other.fields.iter().any(|candidate| candidate.name == field.name));
                let rank = if in_all { 0 } else { 5 };
                self.add(&field.name, CompletionKind::Field, &field.ty, rank);
            }
        }
    }

    /// Adds the names and words that can continue an expression.
    fn operand(&mut self, candidate: Option<&str>, kinds: &[BracketKind]) {
        let set = self.set;
        if let Some((_, event)) = candidate.and_then(|step| set.event_of(self.rule, step)) {
            for field in event.fields.iter().filter(|field| !field.name.contains('.')) {
                self.add(&field.name, CompletionKind::Field, &field.ty, 0);
            }
            self.words(&["prev"]);
        } else if kinds.contains(&BracketKind::Emit) {
            self.key();
            self.words(&["match"]);
            self.add("matches", CompletionKind::Keyword, "the set of matches", 8);
            self.document("All matches that the same event, or the same deadline, completes.");
        }
        // Constants are all that a test and a `meta` hold.
        if kinds.iter().any(|kind| matches!(kind, BracketKind::Record(_) | BracketKind::Meta)) {
            return self.words(&["null", "true", "false"]);
        }
        self.captured();
        self.params("$");
        for (name, signature, about) in words::CALLS {
            self.add(name, CompletionKind::Function, signature, 4);
            self.document(about);
        }
        for function in functions::FUNCTIONS {
            self.add(function.name, CompletionKind::Function, &function.signature(), 4);
            self.document(function.about);
        }
        self.words(&["not", "if", "null", "true", "false"]);
    }

    /// The fields of a record in a test.
    fn given(&mut self, given: &RecordOf) {
        let set = self.set;
        match given {
            RecordOf::Event(name) => {
                let Some((_, event)) = set.item(ItemKind::Event, name) else { return };
                for field in event.fields.iter().filter(|field| !field.name.contains('.')) {
                    self.add(&field.name, CompletionKind::Field, &field.ty, 0);
                }
            }
            RecordOf::Rule(name) => {
                let Some((_, rule)) = set.rule_named(name) else { return };
                for (_, rule) in set.with_bases(Some(rule)) {
                    let reported = if rule.emits.is_empty() { &rule.key } else { &rule.emits };
                    for (name, _) in reported {
                        self.add(name, CompletionKind::Field, "", 0);
                    }
                }
            }
        }
    }

    fn arguments(&mut self, base: &str) {
        let set = self.set;
        let Some((_, rule)) = set.rule_named(base) else { return };
        for (_, rule) in set.with_bases(Some(rule)) {
            for local in rule.locals.iter().filter(|local| local.kind == LocalKind::Param) {
                self.add(&local.name, CompletionKind::Field, &local.detail, 0);
            }
        }
    }
}
