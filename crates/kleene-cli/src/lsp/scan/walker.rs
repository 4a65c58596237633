//! From token to token, with what is open around them.

use kleene::diagnostic::Span;
use kleene::syntax::{Token, TokenKind};

use super::{
    AliasScan, End, FieldScan, Given, ItemKind, ItemScan, Kind, LocalScan, Mark, Role, RuleScan,
    Scan, Slot, StepScan, bare,
};

/// Words that start an item.
const ITEMS: [&str; 7] = ["event", "list", "param", "define", "rule", "test", "use"];

/// Words that start a clause, without those that start an item.
const CLAUSES: [&str; 15] = [
    "about", "severity", "tags", "meta", "from", "key", "match", "within", "skip", "emit",
    "having", "on", "suppress", "once", "limit",
];

/// Words that start a step of a test.
const TEST_STEPS: [&str; 3] = ["at", "advance", "expect"];

/// Words of expressions behind which an operand has to come.
const OPERATORS: [&str; 9] = ["and", "or", "not", "in", "like", "is", "if", "then", "else"];

/// Brackets nest no deeper in what is looked at; what is below is taken for one level.
const MAX_FRAMES: usize = 200;

/// Brackets that are open, and what goes on in them.
#[derive(Clone, Debug)]
struct Frame {
    kind: Kind,
    closer: &'static str,
    /// The word that started what is being read.
    head: String,
    slot: Slot,
    /// The path that is being read.
    path: Vec<String>,
    /// The steps of the last unit of a pattern.
    unit: (usize, usize),
    /// What the last name was, where that matters later.
    last: String,
    /// Whether the next step must not come.
    negated: bool,
    /// Of a group behind `not`, `without` or `until`: none of its steps is captured.
    all_negated: bool,
}

impl Frame {
    fn new(kind: Kind, closer: &'static str, slot: Slot) -> Frame {
        Frame {
            kind,
            closer,
            head: String::new(),
            slot,
            path: Vec::new(),
            unit: (0, 0),
            last: String::new(),
            negated: false,
            all_negated: false,
        }
    }

    fn is_expression(&self) -> bool {
        match self.kind {
            Kind::Condition(_) | Kind::Index | Kind::Inner => true,
            Kind::Emit | Kind::Meta | Kind::Given(_) => self.slot != Slot::RecordField,
            _ => false,
        }
    }

    fn is_pattern(&self) -> bool {
        matches!(self.kind, Kind::Group(_)) || self.kind == Kind::RuleBody && self.head == "match"
    }
}

/// Where the walk is.
pub(super) struct Walker<'t> {
    text: &'t str,
    frames: Vec<Frame>,
    scan: Scan,
    rule: Option<usize>,
    /// The token before this one.
    before: &'t str,
    /// Brackets that are open beyond [`MAX_FRAMES`].
    too_deep: usize,
}

impl<'t> Walker<'t> {
    /// At the start of a text.
    pub(super) fn new(text: &'t str) -> Walker<'t> {
        Walker {
            text,
            frames: vec![Frame::new(Kind::File, "", Slot::Item)],
            scan: Scan {
                marks: Vec::new(),
                items: Vec::new(),
                emitted: Vec::new(),
                rules: Vec::new(),
                end: End { slot: Slot::Item, kinds: Vec::new(), rule: None, last: String::new() },
            },
            rule: None,
            before: "",
            too_deep: 0,
        }
    }

    fn slice(&self, token: Token) -> &'t str {
        self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or_default()
    }

    /// What was found, and the state at the end.
    pub(super) fn finish(mut self) -> Scan {
        let kinds = self.frames.iter().map(|frame| frame.kind.clone()).collect();
        let rule = self.rule;
        let last = self.before.to_owned();
        let slot = self.top().slot.clone();
        self.scan.end = End { slot, kinds, rule, last };
        self.scan
    }

    /// The innermost brackets; the file itself is never closed.
    fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(Kind::File, "", Slot::Item));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn mark(&mut self, span: Span, role: Role) {
        self.scan.marks.push(Mark { span, role, rule: self.rule });
    }

    fn current(&mut self) -> Option<&mut RuleScan> {
        self.rule.and_then(|rule| self.scan.rules.get_mut(rule))
    }

    /// Takes the next token; `next` is the one behind it.
    pub(super) fn token(&mut self, token: Token, next: Option<Token>) {
        let text = self.slice(token);
        let next = next.map_or("", |next| self.slice(next));
        if self.too_deep > 0 {
            match text {
                "{" | "(" | "[" => self.too_deep += 1,
                "}" | ")" | "]" => self.too_deep -= 1,
                _ => {}
            }
            if !Self::starts_item(token, text, next) {
                return;
            }
            self.too_deep = 0;
        }
        if let Some(item) = self.scan.items.last_mut()
            && !ITEMS.contains(&text)
        {
            item.span.end = token.span.end;
        }
        self.recover(token, text, next);
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
        match text {
            "{" | "(" | "[" if token.kind == TokenKind::Symbol => self.open(text),
            "}" | ")" | "]" if token.kind == TokenKind::Symbol => self.close(text),
            _ if is_name => self.name(token, text, next),
            _ => self.other(token, text),
        }
        self.before = text;
        if let Some(item) = self.emitted() {
            item.span.end = token.span.end;
        }
        let body = self.frames.iter().find(|frame| frame.kind == Kind::RuleBody);
        let is_local = body.is_some_and(|body| {
            matches!(body.head.as_str(), "param" | "define") && !body.last.is_empty()
        });
        if is_local && let Some(local) = self.current().and_then(|rule| rule.locals.last_mut()) {
            local.span.end = token.span.end;
        }
    }

    /// Whether an item starts here, whatever brackets are open.
    fn starts_item(token: Token, text: &str, next: &str) -> bool {
        let is_name = next.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '`');
        token.first_on_line
            && token.kind == TokenKind::Word
            && match text {
                "event" | "list" | "rule" | "test" => is_name,
                "use" => next.starts_with('"'),
                _ => false,
            }
    }

    /// Leaves brackets that were never closed.
    fn recover(&mut self, token: Token, text: &str, next: &str) {
        if Self::starts_item(token, text, next) {
            self.frames.truncate(1);
            self.rule = None;
            self.top().slot = Slot::Item;
            return;
        }
        if !token.first_on_line || token.kind != TokenKind::Word {
            return;
        }
        let is_clause = CLAUSES.contains(&text) || matches!(text, "param" | "define");
        let body = if is_clause && !is_operator(next) {
            Kind::RuleBody
        } else if TEST_STEPS.contains(&text) && !is_operator(next) {
            Kind::TestBody
        } else {
            return;
        };
        // `within` ends a group, too.
        if matches!(self.top().kind, Kind::Group(_)) && text == "within" {
            return;
        }
        if let Some(at) = self.frames.iter().rposition(|frame| frame.kind == body) {
            self.frames.truncate(at + 1);
        }
    }

    fn open(&mut self, bracket: &str) {
        let before = self.before;
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        let is_operand_before = before == "]"
            || before == ")"
            || before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '`')
                && !OPERATORS.contains(&before);
        let (kind, slot) = match bracket {
            "{" => match (&top.kind, top.head.as_str()) {
                (Kind::File, "event") => (Kind::EventBody { prefix: String::new() }, Slot::Free),
                (Kind::EventBody { prefix }, _) => {
                    (Kind::EventBody { prefix: format!("{prefix}{}.", top.last) }, Slot::Free)
                }
                (Kind::File, "rule") => (Kind::RuleBody, Slot::Clause),
                (Kind::File, "test") => (Kind::TestBody, Slot::TestStep),
                (Kind::RuleBody, "emit" | "on") => (Kind::Emit, Slot::RecordField),
                (Kind::RuleBody, "meta") => (Kind::Meta, Slot::RecordField),
                (Kind::RuleBody, "key") => (Kind::KeyPaths, Slot::Event),
                (Kind::TestBody, "at") => {
                    (Kind::Given(Given::Event(top.last.clone())), Slot::RecordField)
                }
                (Kind::TestBody, "expect") => {
                    let rule = self.scan.items.last().map(|item| item.name.clone());
                    (Kind::Given(Given::Rule(rule.unwrap_or_default())), Slot::RecordField)
                }
                _ if top.is_pattern() => (Kind::Quant, Slot::Words(LOOP_WORDS)),
                _ => (Kind::Other, Slot::Free),
            },
            "(" => match (&top.kind, top.head.as_str()) {
                (Kind::File, "rule") => (Kind::Arguments(top.last.clone()), Slot::Argument),
                _ if top.is_expression() => (Kind::Inner, Slot::Operand),
                _ if top.is_pattern() => (Kind::Group(steps), Slot::Step(true)),
                _ => (Kind::Other, Slot::Free),
            },
            _ if top.is_expression() && is_operand_before => (Kind::Index, Slot::Free),
            _ if top.is_expression() => (Kind::Inner, Slot::Operand),
            _ if before == "->" => (Kind::Gap, Slot::Duration),
            _ if top.is_pattern() || top.head == "define" => {
                (Kind::Condition(top.last.clone()), Slot::Operand)
            }
            _ => (Kind::Other, Slot::Free),
        };
        let closer = match bracket {
            "{" => "}",
            "(" => ")",
            _ => "]",
        };
        let all_negated = matches!(kind, Kind::Group(_)) && std::mem::take(&mut self.top().negated);
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(Frame { all_negated, ..Frame::new(kind, closer, slot) });
        } else {
            self.too_deep = 1;
        }
    }

    fn close(&mut self, bracket: &str) {
        // A closer that nothing opened is passed over.
        let Some(at) = self.frames.iter().rposition(|frame| frame.closer == bracket) else {
            return;
        };
        let closed = self.frames.get(at).map(|frame| frame.kind.clone());
        let all_negated = self.frames.get(at).is_some_and(|frame| frame.all_negated);
        self.frames.truncate(at);
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        match (closed, &top.kind) {
            (Some(Kind::Group(from)), _) => {
                if !all_negated {
                    top.unit = (from, steps);
                }
                top.slot = Slot::AfterStep;
            }
            (Some(Kind::Gap), _) => top.slot = Slot::Step(true),
            (Some(Kind::Index | Kind::Inner), _) => top.slot = Slot::Operator,
            (_, Kind::File) if bracket == "}" => {
                top.slot = Slot::Item;
                top.head.clear();
                self.rule = None;
            }
            (_, Kind::File) => {}
            (_, Kind::TestBody) => top.slot = Slot::TestStep,
            (_, Kind::EventBody { .. } | Kind::Emit) => top.slot = Slot::Free,
            _ if top.is_pattern() || top.head == "define" => {
                top.negated = false;
                top.slot = Slot::AfterStep;
            }
            (_, Kind::RuleBody) => top.slot = Slot::Clause,
            _ => {}
        }
    }

    fn name(&mut self, token: Token, text: &str, next: &str) {
        let name = bare(text);
        let is_word = token.kind == TokenKind::Word;
        if self.before == "$" {
            self.mark(token.span, Role::Param);
            let top = self.top();
            top.slot = if top.is_pattern() { Slot::AfterStep } else { Slot::Operator };
            return;
        }
        let kind = self.top().kind.clone();
        match kind {
            Kind::File => self.in_file(token, name, is_word),
            Kind::EventBody { prefix } => self.in_event(token, name, &prefix),
            Kind::RuleBody => self.in_rule(token, name, is_word),
            Kind::TestBody => self.in_test(token, name, is_word),
            Kind::Group(_) => self.in_pattern(token, name, is_word),
            Kind::Quant => self.mark(token.span, Role::Keyword),
            Kind::Gap => self.path(token, name),
            Kind::KeyPaths => {
                if self.before == "{" || self.before == "," {
                    self.mark(token.span, Role::Event);
                    name.clone_into(&mut self.top().last);
                    self.top().slot = Slot::Free;
                } else {
                    self.path(token, name);
                }
            }
            Kind::Arguments(rule) => {
                if self.before == "(" || self.before == "," {
                    self.mark(token.span, Role::Argument(rule));
                }
                self.top().slot = Slot::Free;
            }
            Kind::Condition(_)
            | Kind::Index
            | Kind::Inner
            | Kind::Emit
            | Kind::Meta
            | Kind::Given(_) => self.in_expression(token, name, is_word, next),
            Kind::Other => {}
        }
    }

    /// Starts an item.
    fn item(&mut self, token: Token, kind: ItemKind) {
        self.scan.items.push(ItemScan {
            kind,
            name: String::new(),
            name_span: token.span,
            span: token.span,
            fields: Vec::new(),
            open: false,
            detail: String::new(),
            rule: None,
        });
        self.rule = None;
    }

    fn in_file(&mut self, token: Token, name: &str, is_word: bool) {
        let index = self.scan.items.len();
        let kind = match name {
            "event" => ItemKind::Event,
            "list" => ItemKind::List,
            "param" => ItemKind::Param,
            "define" => ItemKind::Define,
            "rule" => ItemKind::Rule,
            "test" => ItemKind::Test,
            _ => ItemKind::Use,
        };
        let top = self.top();
        let may_start = matches!(top.slot, Slot::Item | Slot::AfterStep) || token.first_on_line;
        if is_word && ITEMS.contains(&name) && may_start && top.slot != Slot::Type {
            name.clone_into(&mut top.head);
            top.slot = if name == "test" { Slot::Rule } else { Slot::Free };
            top.last.clear();
            self.mark(token.span, Role::Keyword);
            self.item(token, kind);
            return;
        }
        let (head, is_first) = (top.head.clone(), top.last.is_empty());
        match (head.as_str(), self.before) {
            ("event" | "list" | "param" | "define" | "rule" | "test", _) if is_first => {
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = match head.as_str() {
                    "rule" | "event" | "test" => Slot::Words(&[]),
                    _ => Slot::Free,
                };
                let index = index.saturating_sub(1);
                let is_rule = head == "rule";
                if is_rule {
                    let rule = RuleScan { name: name.to_owned(), ..RuleScan::default() };
                    self.scan.rules.push(rule);
                    self.rule = Some(self.scan.rules.len() - 1);
                }
                let rule = self.rule;
                if let Some(item) = self.scan.items.get_mut(index) {
                    name.clone_into(&mut item.name);
                    item.name_span = token.span;
                    item.rule = rule;
                }
                let role = if head == "test" { Role::Rule } else { Role::Item(index) };
                self.mark(token.span, role);
            }
            ("rule", "=") => {
                self.mark(token.span, Role::Rule);
                if let Some(rule) = self.current() {
                    rule.base = Some(name.to_owned());
                }
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            ("list" | "param", _) if name == "from" => {
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Free;
            }
            ("list" | "param", ":" | "<") => {
                if let Some(item) = self.scan.items.last_mut() {
                    name.clone_into(&mut item.detail);
                }
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(if head == "list" { &["from"] } else { &[] });
            }
            ("define", "=") => {
                if let Some(item) = self.scan.items.last_mut() {
                    name.clone_into(&mut item.detail);
                }
                self.mark(token.span, Role::Step);
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            _ => {}
        }
    }

    fn in_event(&mut self, token: Token, name: &str, prefix: &str) {
        let index = self.scan.items.len().saturating_sub(1);
        let Some(item) = self.scan.items.last_mut() else { return };
        match self.before {
            "{" | "," => {
                let full = format!("{prefix}{name}");
                item.fields.push(FieldScan { name: full, span: token.span, ty: String::new() });
                let field = item.fields.len() - 1;
                self.mark(token.span, Role::Field(index, field));
                let top = self.top();
                name.clone_into(&mut top.last);
                top.slot = Slot::Free;
            }
            ":" | "<" => {
                if let Some(field) = item.fields.last_mut() {
                    field.ty.push_str(name);
                }
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(&[]);
            }
            "=" | "event" => {
                self.mark(token.span, Role::Keyword);
                self.top().slot = Slot::Words(if name == "event" { &["time"] } else { &[] });
            }
            _ => {}
        }
    }

    fn in_rule(&mut self, token: Token, name: &str, is_word: bool) {
        let top = self.top();
        // Where a name is due, a word on the same line is one.
        let wants_name = matches!(top.slot, Slot::Key | Slot::StepName)
            || matches!(top.head.as_str(), "param" | "define" | "severity") && top.last.is_empty();
        let is_emit = top.head == "on" && name == "emit";
        let is_clause = is_word
            && (CLAUSES.contains(&name) || matches!(name, "param" | "define"))
            && (token.first_on_line || !wants_name)
            && !is_emit;
        if is_clause {
            name.clone_into(&mut top.head);
            top.last.clear();
            top.negated = false;
            top.slot = match name {
                "from" => Slot::Event,
                "key" => Slot::Key,
                "match" => Slot::Step(true),
                "within" | "suppress" => Slot::Duration,
                "skip" => Slot::Words(&["none", "past last", "to next", "to first", "to last"]),
                "emit" => Slot::Words(&["as"]),
                "having" => Slot::Operand,
                "once" => Slot::Words(&["per rule"]),
                "on" => Slot::Words(&["timeout"]),
                "severity" => Slot::Words(&["info", "low", "medium", "high", "critical"]),
                _ => Slot::Free,
            };
            self.mark(token.span, Role::Keyword);
            return;
        }
        let (head, before) = (top.head.clone(), self.before);
        let top = self.top();
        match head.as_str() {
            "match" => self.in_pattern(token, name, is_word),
            "from" => {
                top.slot = Slot::Clause;
                self.mark(token.span, Role::Event);
                if let Some(rule) = self.current() {
                    rule.from.push(name.to_owned());
                }
            }
            "key" if before == "key" || before == "," => {
                top.slot = Slot::Clause;
                self.mark(token.span, Role::Key);
                if let Some(rule) = self.current() {
                    rule.key.push((name.to_owned(), token.span));
                }
            }
            "having" if OPERATORS.contains(&name) => {
                top.slot = Slot::Operand;
                self.mark(token.span, Role::Keyword);
            }
            "within" | "having" => self.path(token, name),
            "suppress" => {
                if name == "by" {
                    top.slot = Slot::Key;
                    self.mark(token.span, Role::Keyword);
                } else if before == "by" || before == "," {
                    top.slot = Slot::Clause;
                    self.mark(token.span, Role::Key);
                } else {
                    self.path(token, name);
                }
            }
            "once" => {
                top.slot = if name == "per" { Slot::Words(&["rule"]) } else { Slot::Clause };
                self.mark(token.span, Role::Keyword);
            }
            "skip" => {
                let role = match (before, name) {
                    ("first" | "last", _) if name != "ordered" => Role::StepName,
                    _ => Role::Keyword,
                };
                top.slot = match (before, name) {
                    ("skip", "to") => Slot::Words(&["next", "first", "last"]),
                    ("skip", "past") => Slot::Words(&["last"]),
                    ("to", "first" | "last") => Slot::StepName,
                    (_, "none" | "ordered") => Slot::Clause,
                    _ => Slot::Words(&["ordered"]),
                };
                self.mark(token.span, role);
            }
            "emit" | "on" => {
                let role = if before == "as" { Role::Event } else { Role::Keyword };
                if before == "as" {
                    name.clone_into(&mut top.last);
                    self.emits_as(token, name);
                }
                self.top().slot = match name {
                    _ if before == "as" => Slot::Free,
                    "as" => Slot::Event,
                    "timeout" => Slot::Words(&["emit"]),
                    _ => Slot::Words(&["as"]),
                };
                self.mark(token.span, role);
            }
            "limit" => {
                top.slot = match name {
                    "partials" => Slot::Words(&["drop oldest", "drop newest", "fail"]),
                    "drop" => Slot::Words(&["oldest", "newest"]),
                    _ => Slot::Clause,
                };
                self.mark(token.span, Role::Keyword);
            }
            "param" | "define" => self.local(token, name, head == "param"),
            "severity" => {
                name.clone_into(&mut top.last);
                top.slot = Slot::Clause;
            }
            _ => {}
        }
    }

    /// The event type that the record is of which is being read, if it is of one.
    fn emitted(&mut self) -> Option<&mut ItemScan> {
        let body = self.frames.iter().rfind(|frame| frame.kind == Kind::RuleBody)?;
        let is_as = matches!(body.head.as_str(), "emit" | "on") && !body.last.is_empty();
        if is_as { self.scan.emitted.last_mut() } else { None }
    }

    /// The event type that an `emit as` makes, where none of its name is declared.
    fn emits_as(&mut self, token: Token, name: &str) {
        self.scan.emitted.push(ItemScan {
            kind: ItemKind::Event,
            name: name.to_owned(),
            name_span: token.span,
            span: token.span,
            fields: Vec::new(),
            open: false,
            detail: String::new(),
            rule: self.rule,
        });
    }

    /// A name in a `param` or `define` of a rule.
    fn local(&mut self, token: Token, name: &str, is_param: bool) {
        let before = self.before;
        let top = self.top();
        if top.last.is_empty() {
            name.clone_into(&mut top.last);
            top.slot = Slot::Free;
            self.mark(token.span, Role::Local);
            if let Some(rule) = self.current() {
                rule.locals.push(LocalScan {
                    is_param,
                    name: name.to_owned(),
                    name_span: token.span,
                    span: token.span,
                    detail: String::new(),
                });
            }
            return;
        }
        if before == ":" || before == "<" || before == "=" {
            top.slot = Slot::Clause;
            if !is_param {
                name.clone_into(&mut top.last);
            }
            let role = if is_param { Role::Keyword } else { Role::Step };
            self.mark(token.span, role);
            if let Some(local) = self.current().and_then(|rule| rule.locals.last_mut())
                && local.detail.is_empty()
            {
                name.clone_into(&mut local.detail);
            }
        }
    }

    fn in_pattern(&mut self, token: Token, name: &str, is_word: bool) {
        let before = self.before;
        let steps = self.current().map_or(0, |rule| rule.steps.len());
        let top = self.top();
        if before == "as" {
            let unit = top.unit;
            top.slot = Slot::AfterStep;
            let Some(rule) = self.current() else { return };
            // The steps of a group keep their names, but for a single one.
            if unit.1 == unit.0 + 1
                && let Some(step) = rule.steps.get_mut(unit.0)
            {
                step.renamed = true;
            }
            let index = rule.names.len();
            rule.names.push(AliasScan { name: name.to_owned(), span: token.span, steps: unit });
            self.mark(token.span, Role::Alias(index));
            return;
        }
        let slot = match name {
            _ if !is_word => None,
            "not" | "without" => {
                top.negated = true;
                Some(Slot::Step(false))
            }
            "next" | "any" | "and" | "or" | "until" => Some(Slot::Step(false)),
            "of" | "as" => Some(Slot::Free),
            "for" | "within" => Some(Slot::Duration),
            "repeat" if top.slot == Slot::AfterStep => Some(Slot::AfterStep),
            _ => None,
        };
        if let Some(slot) = slot {
            // What ends a loop is no step of it.
            if name == "until" {
                top.negated = true;
            }
            top.slot = slot;
            self.mark(token.span, Role::Keyword);
            return;
        }
        match top.slot {
            Slot::Step(_) => {
                let negated = std::mem::take(&mut top.negated) || top.all_negated;
                let wildcard = is_word && name == "event" && before == "any";
                let name = if wildcard { "any event" } else { name };
                let is_until = before == "until";
                name.clone_into(&mut top.last);
                top.slot = Slot::AfterStep;
                if !is_until {
                    top.unit = (steps, steps + 1);
                }
                self.mark(token.span, Role::Step);
                if let Some(rule) = self.current()
                    && !is_until
                {
                    let name = name.to_owned();
                    rule.steps.push(StepScan { name, span: token.span, negated, renamed: false });
                }
            }
            Slot::Duration | Slot::Member(_) => self.path(token, name),
            _ => {}
        }
    }

    fn in_test(&mut self, token: Token, name: &str, is_word: bool) {
        let before = self.before;
        let top = self.top();
        let is_step = is_word && TEST_STEPS.contains(&name);
        // `expect match {...} at 5s` goes on with `at`.
        if is_step && !(name == "at" && top.head == "expect" && !token.first_on_line) {
            name.clone_into(&mut top.head);
            top.last.clear();
            top.slot = match name {
                "advance" => Slot::Words(&["to"]),
                "expect" => Slot::Words(&["match", "no match", "timeout", "no timeout"]),
                _ => Slot::Free,
            };
            self.mark(token.span, Role::Keyword);
            return;
        }
        if top.head == "at" && top.last.is_empty() {
            name.clone_into(&mut top.last);
            top.slot = Slot::Free;
            self.mark(token.span, Role::Event);
        } else {
            top.slot = match name {
                "no" => Slot::Words(&["match", "timeout"]),
                "match" | "timeout" => Slot::Words(&["at"]),
                _ => Slot::Free,
            };
            if before != "at" {
                self.mark(token.span, Role::Keyword);
            }
        }
    }

    fn in_expression(&mut self, token: Token, name: &str, is_word: bool, next: &str) {
        let before = self.before;
        let top = self.top();
        if top.slot == Slot::RecordField {
            name.clone_into(&mut top.last);
            let is_short = next != ":";
            match top.kind.clone() {
                Kind::Given(given) => self.mark(token.span, Role::Given(given)),
                Kind::Emit => {
                    if let Some(rule) = self.current() {
                        rule.emits.push((name.to_owned(), token.span));
                    }
                    if let Some(item) = self.emitted() {
                        let (name, ty) = (name.to_owned(), String::new());
                        item.fields.push(FieldScan { name, span: token.span, ty });
                    }
                    // `{ user }` is `{ user: user }`.
                    if is_short {
                        let names = vec![name.to_owned()];
                        self.mark(token.span, Role::Path { names, candidate: None });
                    }
                }
                _ => {}
            }
            self.top().slot = if is_short { Slot::Operator } else { Slot::Free };
            return;
        }
        if before == "." {
            return self.path(token, name);
        }
        if is_word && next == "(" && !OPERATORS.contains(&name) {
            self.mark(token.span, Role::Function);
            self.top().slot = Slot::Operand;
        } else if is_word && OPERATORS.contains(&name) {
            top.slot = match name {
                "is" => Slot::Words(&["null", "not null"]),
                "not" if before == "is" => Slot::Words(&["null"]),
                _ => Slot::Operand,
            };
            self.mark(token.span, Role::Keyword);
        } else if is_word && matches!(name, "null" | "true" | "false") {
            top.slot = Slot::Operator;
            self.mark(token.span, Role::Keyword);
        } else {
            self.path(token, name);
        }
    }

    /// A name of a path.
    fn path(&mut self, token: Token, name: &str) {
        let goes_on = self.before == ".";
        let candidate = self.frames.iter().rev().find_map(|frame| match &frame.kind {
            Kind::Condition(step) => Some(step.clone()),
            Kind::KeyPaths => Some(frame.last.clone()),
            _ => None,
        });
        let top = self.top();
        if !goes_on {
            top.path.clear();
        }
        top.path.push(name.to_owned());
        let names = top.path.clone();
        top.slot = if top.is_expression() { Slot::Operator } else { Slot::AfterStep };
        if top.kind == Kind::RuleBody && top.head != "match" {
            top.slot = Slot::Clause;
        }
        self.mark(token.span, Role::Path { names, candidate });
    }

    /// Numbers, texts and symbols.
    fn other(&mut self, token: Token, text: &str) {
        let is_symbol = token.kind == TokenKind::Symbol;
        if text == "$" && is_symbol {
            self.top().slot = Slot::Param;
            return;
        }
        if text == "." && is_symbol {
            let top = self.top();
            let path = if top.kind == Kind::Other { Vec::new() } else { top.path.clone() };
            top.slot = Slot::Member(path);
            return;
        }
        let is_file_end = {
            let top = self.top();
            top.kind == Kind::File && token.kind != TokenKind::Symbol
        };
        if is_file_end {
            // `use "file"`, `param p: int = 5`, `list l: ip from "file"`
            let top = self.top();
            if top.head == "use"
                && let Some(item) = self.scan.items.last_mut()
            {
                text.trim_matches('"').clone_into(&mut item.name);
                item.name_span = token.span;
                self.mark(token.span, Role::Used);
            }
            self.top().slot = Slot::Item;
            return;
        }
        let top = self.top();
        match (&top.kind, text) {
            (Kind::File, ":" | "<") => top.slot = Slot::Type,
            (Kind::File, ">") => top.slot = Slot::Words(&["from"]),
            (Kind::File, "=") => {
                top.slot = match top.head.as_str() {
                    "rule" => Slot::Rule,
                    "define" => Slot::Step(false),
                    _ => Slot::Free,
                };
            }
            (Kind::EventBody { .. }, ":" | "<") => {
                top.slot = Slot::Type;
                if text == "<" {
                    self.append_type("<");
                }
            }
            (Kind::EventBody { .. }, ">" | "?") => self.append_type(text),
            (Kind::EventBody { .. }, "=") => top.slot = Slot::Words(&["event time"]),
            (Kind::EventBody { .. }, ",") => top.slot = Slot::Free,
            (Kind::EventBody { .. }, "..") => {
                if let Some(item) = self.scan.items.last_mut() {
                    item.open = true;
                }
            }
            (Kind::Emit | Kind::Meta | Kind::Given(_), ",") => top.slot = Slot::RecordField,
            (Kind::Emit | Kind::Meta | Kind::Given(_), ":") if top.slot != Slot::Operator => {
                top.slot = Slot::Operand;
            }
            (Kind::Arguments(_), ",") => top.slot = Slot::Argument,
            (Kind::KeyPaths, ",") => top.slot = Slot::Event,
            (Kind::KeyPaths, ":") => top.slot = Slot::Operand,
            (Kind::RuleBody, ",") if top.head == "key" => top.slot = Slot::Key,
            (Kind::RuleBody, ",") if top.head == "suppress" => top.slot = Slot::Key,
            (Kind::RuleBody, ",") if top.head == "from" => top.slot = Slot::Event,
            (Kind::RuleBody, ":" | "<") if top.head == "param" => top.slot = Slot::Type,
            (Kind::RuleBody, "=") if top.head == "define" => top.slot = Slot::Step(false),
            (Kind::RuleBody, "=") if top.head == "param" => top.slot = Slot::Free,
            (Kind::TestBody, _) if token.kind == TokenKind::Duration => {
                let is_event = top.head == "at";
                top.slot = if is_event { Slot::Event } else { Slot::TestStep };
            }
            (Kind::Gap, "..") => top.slot = Slot::Duration,
            _ if top.is_pattern() => match text {
                "->" | "," => top.slot = Slot::Step(true),
                _ if token.kind == TokenKind::Number => top.slot = Slot::Words(&["of"]),
                _ => top.slot = Slot::AfterStep,
            },
            (Kind::RuleBody, _) if is_symbol && top.head == "having" => top.slot = Slot::Operand,
            (Kind::RuleBody, _) if !is_symbol => {
                top.slot = match top.head.as_str() {
                    "suppress" => Slot::Words(&["by"]),
                    "limit" => Slot::Words(&["partials"]),
                    _ => Slot::Clause,
                };
            }
            _ if top.is_expression() => {
                let is_value = !is_symbol || text == "]" || text == ")";
                top.slot = if is_value { Slot::Operator } else { Slot::Operand };
            }
            _ => {}
        }
    }

    fn append_type(&mut self, text: &str) {
        let field = self.scan.items.last_mut().and_then(|item| item.fields.last_mut());
        if let Some(field) = field {
            field.ty.push_str(text);
        }
    }
}

/// The words of a quantifier.
const LOOP_WORDS: &[&str] = &["next", "any", "greedy", "each", "longest"];

/// What shows that the word before is no keyword.
fn is_operator(next: &str) -> bool {
    matches!(
        next,
        ":" | "."
            | ","
            | "=="
            | "!="
            | "<"
            | "<="
            | ">"
            | ">="
            | "~"
            | "+"
            | "*"
            | "/"
            | "%"
            | ")"
            | "]"
            | "in"
            | "is"
            | "like"
            | "and"
            | "or"
    )
}
