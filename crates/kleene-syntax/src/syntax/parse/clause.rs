//! Clauses of a rule.

use crate::diagnostic::{Code, Diagnostic, Span};

use super::super::ast::{
    Clause, Dur, Emit, Expr, KeyPart, LimitPolicy, Name, Once, Report, Skip, SkipStrategy, Spanned,
};
use super::super::lex::{self, LexemeKind};
use super::super::words;
use super::brackets::starts_clause;
use super::{AlreadyReported, Parsed, Parser};

const BOUND_OF_PART: &str =
    "the pattern ends before this; to bound a part of it, write `(a within 5m) -> b`";

/// The content of `{ ... }` in `emit`, `meta` and tests.
pub(super) type RecordFields = Vec<(Name, Option<Spanned<Expr>>)>;

impl Parser<'_> {
    /// The clauses in the braces at the index `open`, which is taken already; what is wrong with a
    /// clause is reported and the next one looked for.
    pub(super) fn clauses(&mut self, open: usize) -> Vec<Spanned<Clause>> {
        let depth = self.brackets.depth(open) + 1;
        let mut clauses: Vec<Spanned<Clause>> = Vec::new();
        // The first of each kind, by the words that start it.
        let mut seen: Vec<(&'static str, Span)> = Vec::new();
        loop {
            if self.eat(LexemeKind::CloseBrace) {
                break;
            }
            if self.is(LexemeKind::End) || self.at_item() && !self.at_clause() {
                let diagnostic = self.unclosed(open);
                self.report(diagnostic);
                break;
            }
            if self.semicolon() {
                continue;
            }
            let start = self.at;
            let span = self.peek().span;
            self.nesting = 0;
            if let Ok(node) = self.clause() {
                let clause = Spanned { node, span: self.since(span) };
                let head = clause.node.head();
                let first = seen.iter().find(|(seen, _)| *seen == head);
                if let Some((_, first)) = first.filter(|_| !repeats(&clause.node)) {
                    let message = format!("a second `{head}` in one rule");
                    let diagnostic = Diagnostic::error(Code::DuplicateClause, span, message)
                        .context(*first, "the first one is here")
                        .help("a rule can have only one: remove one of them");
                    self.diagnostics.push(diagnostic);
                } else {
                    seen.push((head, span));
                    clauses.push(clause);
                }
                continue;
            }
            let to_next_line = std::mem::take(&mut self.to_next_line);
            self.skip_in_body(start, open, depth, |this| {
                this.at_foreign_clause()
                    || this.at_clause() && (!to_next_line || this.peek().first_on_line)
            });
        }
        clauses
    }

    /// True if a clause starts here, as far as can be seen in the middle of something wrong.
    pub(super) fn at_clause(&self) -> bool {
        words::CLAUSES.contains(&self.word())
            && (self.peek().first_on_line
                && !matches!(
                    self.nth(1).kind,
                    LexemeKind::Colon | LexemeKind::Dot | LexemeKind::Comma
                )
                || starts_clause(self.text, self.tokens, self.at))
    }

    fn clause(&mut self) -> Parsed<Clause> {
        let word = self.word();
        let Some(word) = words::CLAUSES.iter().copied().find(|clause| *clause == word) else {
            return self.unknown_clause();
        };
        self.bump();
        if self.is(LexemeKind::Colon) {
            if !self.reported_colon {
                self.reported_colon = true;
                let message = format!("`{word}` takes no `:`");
                let place = self.peek().span;
                let help = "remove it here and in the other clauses";
                self.report_at(place, message, help);
            }
            self.bump();
        }
        self.clause_behind(word)
    }

    /// True if the token before is `*`, `+` or `?`.
    fn follows_quantifier(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.tokens[at].kind);
        matches!(before, Some(LexemeKind::Star | LexemeKind::Plus | LexemeKind::Question))
    }

    /// True if the token before closes the braces of a quantifier.
    fn follows_braces(&self) -> bool {
        let Some(before) = self.at.checked_sub(1) else { return false };
        let open = self.brackets.partner(before).map(|open| self.tokens[open + 1].kind);
        self.tokens[before].kind == LexemeKind::CloseBrace && open == Some(LexemeKind::Int)
    }

    /// `-> b` behind `within 5m`: the bound of a part, which is reported. What stands behind it is
    /// read for its own mistakes.
    fn pattern_behind_bound(&mut self) -> Parsed<Clause> {
        self.report_unexpected("a clause such as `match`, `within` or `emit`", BOUND_OF_PART);
        self.bump();
        self.body()?;
        Err(AlreadyReported)
    }

    /// A word that starts no clause. If one is near, it is read as that.
    fn unknown_clause(&mut self) -> Parsed<Clause> {
        if self.foreign_bound() {
            return self.clause_behind("within");
        }
        let word = self.word();
        let stray = word.is_empty()
            || !self.peek().first_on_line && self.misspelled(&words::CLAUSES).is_none();
        let phrase = self.phrase_elsewhere();
        if let Some(help) = phrase {
            self.to_next_line = true;
            let message = format!("no clause starts with `{word}`");
            let place = self.peek().span;
            return self.fail(Diagnostic::error(Code::UnexpectedToken, place, message).help(help));
        }
        let diagnostic = if stray {
            self.not_expected("a clause such as `match`, `within` or `emit`")
        } else {
            let message = format!("no clause starts with `{word}`");
            Diagnostic::error(Code::UnexpectedToken, self.peek().span, message)
        };
        let help = self.help_for_stray(word);
        if !help.is_empty() {
            return self.fail(diagnostic.help(help));
        }
        if matches!(word, "timeout" | "on_timeout" | "ontimeout" | "onTimeout") {
            self.report(diagnostic.help("write `on timeout emit { ... }`"));
            self.bump();
            self.expect_word("emit")?;
            return Ok(Clause::OnTimeout(self.emit()?));
        }
        if let Some(meant) = self.misspelled(&words::CLAUSES) {
            self.report(diagnostic.help(format!("did you mean `{meant}`?")));
            self.bump();
            // Mistakes behind the guess may be due to it.
            let reported = self.diagnostics.len();
            let clause = self.clause_behind(meant);
            if clause.is_err() {
                self.diagnostics.truncate(reported);
            }
            return clause;
        }
        let diagnostic = if let Some(help) = words::clause_elsewhere(word) {
            self.to_next_line = self.peek().first_on_line && words::starts_sentence(word);
            diagnostic.help(help)
        } else if words::ITEMS.contains(&word) {
            diagnostic.help(format!("`{word}` can't be used inside a rule"))
        } else if stray {
            diagnostic
        } else {
            diagnostic.help(format!("the clauses are {}", words::CLAUSES.join(", ")))
        };
        self.fail(diagnostic)
    }

    /// Returns the help for a word or sign that begins no clause; empty if there is no help.
    fn help_for_stray(&self, word: &str) -> &'static str {
        match self.kind() {
            LexemeKind::Arrow | LexemeKind::FatArrow => BOUND_OF_PART,
            LexemeKind::Minus if self.at_adjacent(LexemeKind::Minus) => words::COMMENT,
            LexemeKind::Tilde | LexemeKind::Gt | LexemeKind::Minus
                if matches!(
                    self.nth(1).kind,
                    LexemeKind::Gt | LexemeKind::Minus | LexemeKind::Arrow
                ) =>
            {
                words::JOINED
            }
            LexemeKind::Comma | LexemeKind::DotDot => words::JOINED,
            LexemeKind::Int if self.follows_quantifier() => words::HOW_OFTEN,
            LexemeKind::Question if self.follows_quantifier() => {
                "write `a{1.. each}` for a match for each length, the shortest first"
            }
            LexemeKind::Lt => "write the number of repetitions in braces: `a{2..5}`",
            LexemeKind::Word if matches!(word, "where" | "filter" | "if" | "when") => {
                "put conditions in brackets after a step, and a condition on several steps after \
                 the last of them: `login[not ok] as x -> pay[amount > x.amount]`"
            }
            LexemeKind::Star | LexemeKind::Plus | LexemeKind::Question => words::ONE_QUANTIFIER,
            LexemeKind::Word if word == "as" => "a step has only one name",
            LexemeKind::Word if word == "for" => {
                "`for` belongs to `not`: `a -> not b for 5m`; to bound the match, use `within`"
            }
            LexemeKind::Word if word == "without" => {
                "`without` belongs to the pattern, before `within`: `match a -> b without c  within 5m`"
            }
            LexemeKind::OpenParen if self.follows_key() => {
                "a key must be a field, not a computed value: `key user`"
            }
            LexemeKind::Eq | LexemeKind::Assign if self.follows_key() => {
                "use `key` to group events with the same value: `key user`"
            }
            LexemeKind::Word if word == "then" => "join steps with `->`",
            LexemeKind::OpenBracket => {
                "put the condition after the step's name, before the quantifier: `login[not ok]{3}`"
            }
            LexemeKind::OpenBrace if self.follows_braces() => words::ONE_QUANTIFIER,
            LexemeKind::OpenBrace => "use braces only after `emit`, `meta`, or a step that repeats",
            _ => "",
        }
    }

    /// True if the two tokens before are `key` and a name.
    fn follows_key(&self) -> bool {
        self.at.checked_sub(2).is_some_and(|at| self.text_of(self.tokens[at]) == "key")
    }

    /// The clause whose first word is taken already.
    fn clause_behind(&mut self, word: &str) -> Parsed<Clause> {
        Ok(match word {
            "about" => Clause::About(self.string("a description as a string")?),
            "severity" => Clause::Severity(self.severity()?),
            "tags" => Clause::Tags(self.tags()?),
            "meta" => Clause::Meta(self.meta()?),
            "param" => Clause::Param(self.param()?),
            "define" => Clause::Define(self.define()?),
            "from" => {
                if self.eat(LexemeKind::Star) {
                    Clause::From(None)
                } else if self.nth(1).kind == LexemeKind::Assign
                    || self.is_word("every")
                        && self.nth(1).kind == LexemeKind::Word
                        && !words::is_reserved(self.word_at(1))
                {
                    self.to_next_line = true;
                    let help = "write the pattern in the `match` clause: `match a as x -> b as y`";
                    return self.fail_unexpected("an event type or `*`", help);
                } else {
                    Clause::From(Some(self.names("an event type or `*`")?))
                }
            }
            "key" => Clause::Key(self.key()?),
            "match" => Clause::Match(self.body()?),
            "within" => {
                let dur = self.dur("a duration such as `10m`")?;
                if matches!(self.kind(), LexemeKind::Arrow | LexemeKind::FatArrow) {
                    return self.pattern_behind_bound();
                }
                let bound = self.shown(dur.span()).unwrap_or("10m");
                self.behind_bound(bound);
                Clause::Within(dur)
            }
            "skip" => Clause::Skip(self.skip()?),
            "report" => Clause::Report(self.report_clause()?),
            "emit" => Clause::Emit(self.emit()?),
            "on" => {
                const WHOLE: Option<&str> = Some("on timeout emit { ... }");
                self.expect_word_of("timeout", WHOLE)?;
                self.expect_word_of("emit", WHOLE)?;
                Clause::OnTimeout(self.emit()?)
            }
            "having" => Clause::Having(self.expr()?),
            "suppress" => {
                let dur = self.dur("a duration such as `1m`")?;
                let by = if self.foreign_by() || self.eat_word("by") {
                    self.names("a name")?
                } else {
                    Vec::new()
                };
                Clause::Suppress(dur, by)
            }
            "once" => Clause::Once(self.once()?),
            _ => self.limit()?,
        })
    }

    /// Reports the `per` of `suppress 10m per user`, and goes on as behind `by`.
    fn foreign_by(&mut self) -> bool {
        let name = self.word_at(1);
        let is_name = !name.is_empty() && !words::is_reserved(name);
        if self.peek().first_on_line || !is_name || !matches!(self.word(), "per" | "for" | "each") {
            return false;
        }
        self.report_unexpected("`by` or the next clause", format!("write `by {name}`"));
        self.bump();
        true
    }

    fn once(&mut self) -> Parsed<Once> {
        if !self.eat_word("per") {
            return Ok(Once::Key);
        }
        if !self.is_word("rule") && !self.peek().first_on_line {
            let help = "write `once` for once per key, `once per rule` for once in the whole rule";
            return self.fail_unexpected("`rule`", help);
        }
        self.expect_word_of("rule", Some("once"))?;
        Ok(Once::Rule)
    }

    fn severity(&mut self) -> Parsed<Name> {
        const EXPECTED: &str = "a severity such as `high`";
        if !self.is(LexemeKind::Str) {
            return self.name(EXPECTED);
        }
        // Quotes or not, it is plain what is meant.
        let Err(AlreadyReported) = self.name(EXPECTED) else { return Err(AlreadyReported) };
        let token = self.bump();
        Ok(Spanned { node: self.string_text(token), span: token.span })
    }

    fn names(&mut self, expected: &str) -> Parsed<Vec<Name>> {
        let mut names = vec![self.name(expected)?];
        while self.another_name() {
            names.push(self.name(expected)?);
        }
        Ok(names)
    }

    /// True if a comma and one more name follow; a comma that is missing is reported.
    fn another_name(&mut self) -> bool {
        if self.clause_behind_comma() {
            return false;
        }
        if self.eat(LexemeKind::Comma) {
            return true;
        }
        let token = self.peek();
        let word = self.word();
        let is_name = token.kind == LexemeKind::Quoted
            || !word.is_empty()
                && !words::is_reserved(word)
                && !words::ends_names(word)
                && self.misspelled(&words::CLAUSES).is_none();
        if token.first_on_line || !is_name {
            return false;
        }
        self.missing_comma();
        true
    }

    fn tags(&mut self) -> Parsed<Vec<Spanned<String>>> {
        let open = self.at;
        if !self.is(LexemeKind::OpenBracket) {
            let help = "write `tags [\"shop\", \"sla\"]`";
            return self.fail_unexpected("`[` and tags as strings", help);
        }
        self.bump();
        let mut tags = Vec::new();
        self.recover_in(open, |this| {
            this.comma_list(open, LexemeKind::CloseBracket, "a tag as a string", |this| {
                tags.push(this.string("a tag as a string")?);
                Ok(())
            })
        })?;
        Ok(tags)
    }

    fn meta(&mut self) -> Parsed<Vec<(Name, Spanned<Expr>)>> {
        if !self.is(LexemeKind::OpenBrace) {
            return self.unexpected("`{` and values such as `owner: \"fraud team\"`");
        }
        let mut meta = Vec::new();
        for (name, value) in self.record()? {
            let Some(value) = value else {
                let message = format!("`{}` has no value", name.node);
                let diagnostic = Diagnostic::error(Code::UnexpectedToken, name.span, message)
                    .help(format!("write `{}: \"...\"`", name.node));
                return self.fail(diagnostic);
            };
            meta.push((name, value));
        }
        Ok(meta)
    }

    fn key(&mut self) -> Parsed<Vec<KeyPart>> {
        const EXPECTED: &str = "a field such as `user`";
        let mut parts = Vec::new();
        if matches!(self.word(), "by" | "of") && self.nth(1).kind == LexemeKind::Word {
            let field = self.word_at(1);
            if !self.nth(1).first_on_line && !words::CLAUSES.contains(&field) {
                self.report_unexpected(EXPECTED, format!("write `key {field}`"));
                self.bump();
            }
        }
        if matches!(
            self.kind(),
            LexemeKind::OpenParen | LexemeKind::OpenBracket | LexemeKind::OpenBrace
        ) {
            let help = "write `key user, ip`; if a type names the field differently, `key user { \
                        login: user_id }`";
            return self.fail_unexpected(EXPECTED, help);
        }
        loop {
            let mut name = self.name(EXPECTED)?;
            if self.is(LexemeKind::Dot) {
                self.dotted_key(&mut name);
            }
            let mut paths = Vec::new();
            if self.is(LexemeKind::OpenBrace) {
                let open = self.bump_open();
                let expected = "an event type and its field, such as `login: user.id`";
                self.recover_in(open, |this| {
                    this.comma_list(open, LexemeKind::CloseBrace, expected, |this| {
                        let ty = this.free_name(expected)?;
                        this.expect(LexemeKind::Colon, "`:` and the field of this type")?;
                        paths.push((ty, this.path()?));
                        Ok(())
                    })
                })?;
            }
            parts.push(KeyPart { name, paths });
            if !self.another_name() {
                return Ok(parts);
            }
        }
    }

    /// Takes the rest of `process.entity_id`, which is reported and read as one name.
    fn dotted_key(&mut self, name: &mut Name) {
        let place = self.peek().span;
        while self.is(LexemeKind::Dot)
            && matches!(self.nth(1).kind, LexemeKind::Word | LexemeKind::Quoted)
        {
            self.bump();
            name.node = format!("{}.{}", name.node, self.any_name().node);
        }
        name.span = self.since(name.span);
        let nested = &name.node;
        let message = "a name with a dot needs back-quotes in a key";
        let (root, field) = nested.split_once('.').unwrap_or((nested, "user"));
        let help = format!(
            "for a nested field, write `` key `{nested}` ``; if `{root}` is an event type, `key \
             {field}`"
        );
        self.report_at(place, message, help);
    }

    fn skip(&mut self) -> Parsed<Skip> {
        const EXPECTED: &str = "`none`, `past last`, `to next`, `to first NAME` or `to last NAME`";
        let start = self.peek().span;
        let strategy = if self.eat_word("none") {
            SkipStrategy::None
        } else if self.eat_word("past") {
            self.expect_word_of("last", Some("skip past last"))?;
            SkipStrategy::PastLast
        } else if self.eat_word("to") {
            if self.eat_word("next") {
                SkipStrategy::ToNext
            } else if self.eat_word("first") {
                SkipStrategy::ToFirst(self.name("the name of a step")?)
            } else if self.eat_word("last") {
                SkipStrategy::ToLast(self.name("the name of a step")?)
            } else {
                let diagnostic = self.not_expected_word(
                    "`next`, `first NAME` or `last NAME`",
                    &["next", "first", "last"],
                );
                return self.fail(diagnostic);
            }
        } else {
            let diagnostic = self.not_expected_word(EXPECTED, &["none", "past"]);
            let help = match self.word() {
                "no" | "nothing" | "off" => Some("write `skip none`"),
                "past_last" | "last" => Some("write `skip past last`"),
                "next" | "to_next" => Some("write `skip to next`"),
                _ => None,
            };
            return self.fail(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        };
        let strategy_text = self.shown(self.since(start)).unwrap_or("past last");
        self.noun_behind(&format!("skip {strategy_text}"));
        let ordered = self.eat_word("ordered");
        Ok(Skip { strategy, ordered })
    }

    /// Takes the `row` of `skip past last row`, which is reported. `clause` is what is before it.
    fn noun_behind(&mut self, clause: &str) {
        let nouns = ["event", "events", "row", "rows", "matches", "step", "steps", "element"];
        if self.peek().first_on_line || !nouns.contains(&self.word()) {
            return;
        }
        let message = format!("unexpected {}", self.found());
        self.report_at(self.peek().span, message, format!("write `{clause}`"));
        self.bump();
    }

    /// Parses the word behind `report`.
    fn report_clause(&mut self) -> Parsed<Report> {
        const WORDS: [&str; 6] = ["all", "count", "first", "last", "longest", "shortest"];
        let word = self.word();
        let report = match word {
            "all" => Report::All,
            "count" => Report::Count,
            "longest" => Report::Longest,
            "shortest" => Report::Shortest,
            "first" => return self.counted("first").map(Report::First),
            "last" => return self.counted("last").map(Report::Last),
            _ => {
                let expected = "`all`, `count`, `first N`, `last N`, `longest` or `shortest`";
                let diagnostic = self.not_expected_word(expected, &WORDS);
                let help = match word {
                    "each" | "every" | "any" => "write `report all`",
                    "one" | "once" | "any_one" => "write `report first 1`",
                    "top" | "limit" | "only" => return self.top(),
                    "number" | "total" | "sum" => "write `report count`",
                    "max" | "maximal" => "write `report longest`",
                    "min" | "minimal" => "write `report shortest`",
                    _ => return self.fail(diagnostic),
                };
                return self.fail(diagnostic.help(help));
            }
        };
        self.bump();
        self.noun_behind(&format!("report {word}"));
        Ok(report)
    }

    /// `report top 3`, which is reported and read as `report first 3`.
    fn top(&mut self) -> Parsed<Report> {
        let number = self.nth(1);
        let is_number = number.kind == LexemeKind::Int && !number.first_on_line;
        let shown = if is_number { self.text_of(number) } else { "3" };
        let expected = "`all`, `count`, `first N`, `last N`, `longest` or `shortest`";
        let help = format!(
            "write `report first {shown}` for the matches that began first; to choose by the \
             number of events, use `longest` or `shortest`; by a value, `having`"
        );
        self.report_unexpected(expected, help);
        if is_number {
            return self.counted("first").map(Report::First);
        }
        Err(AlreadyReported)
    }

    /// The number behind `first` or `last`.
    fn counted(&mut self, word: &str) -> Parsed<Spanned<u64>> {
        self.bump();
        let token = self.peek();
        if token.kind != LexemeKind::Int || token.first_on_line {
            return self.fail_unexpected("a number", format!("write `report {word} 1`"));
        }
        let number = Spanned { node: lex::int(self.text_of(token)).unwrap_or(0), span: token.span };
        self.bump();
        self.noun_behind(&format!("report {word} {}", self.text_of(token)));
        Ok(number)
    }

    fn emit(&mut self) -> Parsed<Emit> {
        let as_type = if self.eat_word("as") { Some(self.name("an event type")?) } else { None };
        if !self.is(LexemeKind::OpenBrace) {
            let help = "write `emit { user, total: sum(t.amount) }`";
            return self.fail_unexpected("`{` and the fields to emit", help);
        }
        Ok(Emit { as_type, fields: self.record()? })
    }

    fn limit(&mut self) -> Parsed<Clause> {
        let token = self.peek();
        if token.kind != LexemeKind::Int {
            return self.fail_unexpected("a number", "write `limit 1000 partials drop oldest`");
        }
        let number = Spanned { node: lex::int(self.text_of(token)).unwrap_or(0), span: token.span };
        self.bump();
        if !self.is_word("partials") && self.misspelled(&["partials"]).is_none() {
            let shown = self.text_of(token);
            let help = format!(
                "to limit the partial matches of a key, write `limit {shown} partials drop \
                 oldest`; to limit the matches that one event completes, `report first {shown}`"
            );
            return self.fail_unexpected("`partials`", help);
        }
        self.expect_word_of("partials", Some("limit 1000 partials drop oldest"))?;
        let policy = if self.eat_word("fail") {
            LimitPolicy::Fail
        } else if self.eat_word("drop") {
            if self.eat_word("oldest") {
                LimitPolicy::DropOldest
            } else if self.eat_word("newest") {
                LimitPolicy::DropNewest
            } else {
                let words = ["oldest", "newest"];
                let diagnostic = self.not_expected_word("`oldest` or `newest`", &words);
                return self.fail(diagnostic);
            }
        } else {
            let expected = "`drop oldest`, `drop newest` or `fail`";
            let diagnostic = self.not_expected_word(expected, &["drop", "fail"]);
            return self.fail(diagnostic);
        };
        Ok(Clause::Limit(number, policy))
    }

    /// `{ name, name: value, ... }`. What is wrong inside is reported and the rest left out.
    pub(super) fn record(&mut self) -> Parsed<RecordFields> {
        const EXPECTED: &str = "a name such as `user` or `total: 5`";
        let open = self.bump_open();
        let mut fields = RecordFields::new();
        let whole = self.recover_in(open, |this| {
            this.comma_list(open, LexemeKind::CloseBrace, EXPECTED, |this| {
                fields.push(this.entry(EXPECTED)?);
                Ok(())
            })
        })?;
        if whole.is_none() {
            fields.clear();
        }
        Ok(fields)
    }

    fn entry(&mut self, expected: &str) -> Parsed<(Name, Option<Spanned<Expr>>)> {
        let is_key = self.nth(1).kind == LexemeKind::Colon;
        if is_key && self.is(LexemeKind::Str) {
            let text = self.string_text(self.peek());
            if words::is_word(&text) {
                let help = format!("write the name without quotes: `{text}:`");
                self.report_unexpected("a name", help);
            } else {
                let help = format!("write the name in back-quotes: `` `{text}`: ``");
                self.report_unexpected("a name", help);
            }
            let token = self.bump();
            self.bump();
            return Ok((Spanned { node: text, span: token.span }, Some(self.expr()?)));
        }
        if self.is(LexemeKind::Str) {
            let text = self.text_of(self.peek());
            let text = if text.len() <= 40 { text } else { "\"...\"" };
            let help =
                format!("a value needs a name here: `text: {text}`; write a name without quotes");
            return self.fail_unexpected(expected, help);
        }
        let operator = words::is_operator(self.word());
        if operator && !is_key {
            let word = self.word();
            let diagnostic = self.not_expected(expected);
            let help = if matches!(word, "true" | "false" | "null") {
                format!("give the value a name: `name: {word}`")
            } else {
                format!("if it is a name, write it in back-quotes: `` `{word}` ``")
            };
            return self.fail(diagnostic.help(help));
        }
        let start = self.at;
        let name = self.free_name(expected)?;
        match self.kind() {
            LexemeKind::Colon => {
                self.bump();
                Ok((name, Some(self.expr()?)))
            }
            LexemeKind::Assign => {
                self.colon_instead();
                Ok((name, Some(self.expr()?)))
            }
            LexemeKind::Dot | LexemeKind::OpenParen | LexemeKind::OpenBracket => {
                let diagnostic = self.not_expected("`:`, `,` or `}`");
                let last = self.word_at(1);
                let root = self.text_of(self.tokens[start]);
                let help = if root == "prev" {
                    words::PREV.to_owned()
                } else if self.is(LexemeKind::Dot) && !last.is_empty() {
                    format!("a value needs a name here: `{last}: {root}.{last}`")
                } else {
                    format!("a value needs a name here: `{}`", self.named_value(start))
                };
                self.fail(diagnostic.help(help))
            }
            _ => Ok((name, None)),
        }
    }

    /// The text of `count(a) as n`, which begins at the token `start`, as it is written here.
    fn named_value(&self, start: usize) -> String {
        let close = self.brackets.partner(self.at).unwrap_or(self.at);
        let value = self.shown(self.tokens[start].span.to(self.tokens[close].span));
        let next = |n: usize| self.text_of(self.tokens[(close + n).min(self.tokens.len() - 1)]);
        match value {
            Some(value) if next(1) == "as" && words::is_word(next(2)) => {
                format!("{}: {value}", next(2))
            }
            Some(value) if close > self.at => format!("name: {value}"),
            _ => {
                let root = self.text_of(self.tokens[start]);
                format!("name: {root}{}...", self.text_of(self.peek()))
            }
        }
    }

    /// Takes the words of `at least 5m`, `last 5m`, which are reported.
    fn words_before_duration(&mut self, expected: &str) {
        let width = match (self.word(), self.word_at(1)) {
            ("at", "least" | "most") | ("more" | "less", "than") | ("up", "to") => 2,
            ("last" | "exactly" | "about" | "max" | "next" | "for" | "every", _) => 1,
            _ => return,
        };
        let number = self.nth(width);
        let on_line = (1..=width).all(|n| !self.nth(n).first_on_line);
        if !on_line || !matches!(number.kind, LexemeKind::Int | LexemeKind::Duration) {
            return;
        }
        self.report_unexpected(expected, "write only the duration: `5m`");
        self.jump(self.at + width);
    }

    /// `interval '5' minute`, which is reported and read as `5m`.
    fn sql_interval(&mut self, expected: &str) -> Dur {
        let number = self.string_text(self.nth(1));
        let unit = lex::unit_elsewhere(self.word_at(2)).unwrap_or("");
        let width = if unit.is_empty() { 2 } else { 3 };
        let place = self.peek().span.to(self.nth(width - 1).span);
        let written = format!("{number}{unit}");
        let millis = lex::duration(&written).ok().and_then(|millis| i64::try_from(millis).ok());
        let mut diagnostic = self.not_expected(expected);
        diagnostic.primary.span = place;
        self.report(match millis {
            Some(_) if !written.is_empty() => diagnostic.help(format!("write `{written}`")),
            _ => diagnostic.help("write a duration as numbers with units, as in `5m` or `1h30m`"),
        });
        self.covered.push(place);
        self.jump(self.at + width);
        Dur::Literal(Spanned { node: millis.unwrap_or(60_000), span: place })
    }

    /// A duration, a parameter or a path to one.
    pub(super) fn dur(&mut self, expected: &str) -> Parsed<Dur> {
        self.words_before_duration(expected);
        if let Some(written) = iso_duration(self.word()) {
            let place = self.peek().span;
            self.report_at(
                place,
                "a duration needs a number and a unit",
                format!("write `{written}`"),
            );
            self.bump();
            // Any length will do: nothing runs with this mistake in it.
            return Ok(Dur::Literal(Spanned { node: 60_000, span: place }));
        }
        match self.kind() {
            LexemeKind::Duration => {
                let span = self.peek().span;
                let node = self.duration_literal(expected)?;
                Ok(Dur::Literal(Spanned { node, span }))
            }
            LexemeKind::Dollar => {
                self.bump();
                Ok(Dur::Param(self.free_name("the name of a parameter")?))
            }
            LexemeKind::Word
                if self.word().eq_ignore_ascii_case("interval")
                    && self.nth(1).kind == LexemeKind::Str =>
            {
                Ok(self.sql_interval(expected))
            }
            LexemeKind::Word | LexemeKind::Quoted
                if !words::is_reserved(self.word()) || self.is_word("prev") =>
            {
                Ok(Dur::Path(self.path()?))
            }
            _ => {
                let diagnostic = self.not_expected(expected);
                if self.is(LexemeKind::Str) {
                    let text = self.string_text(self.peek());
                    if lex::duration(&text).is_ok() && !text.is_empty() {
                        let help = format!("write `{text}` without quotes");
                        return self.fail(diagnostic.help(help));
                    }
                }
                let diagnostic = self.with_unit_help(diagnostic);
                if self.is(LexemeKind::Int) || self.is(LexemeKind::Float) {
                    // The unit is missing, or apart: the rest can be read.
                    self.report(diagnostic);
                    let token = self.bump();
                    if !self.peek().first_on_line && lex::unit_elsewhere(self.word()).is_some() {
                        self.bump();
                    }
                    while self.is(LexemeKind::Star) && self.nth(1).kind == LexemeKind::Int {
                        // `5 * 60`
                        self.jump(self.at + 2);
                    }
                    // Any length will do: nothing runs with this mistake in it.
                    return Ok(Dur::Literal(Spanned { node: 60_000, span: token.span }));
                }
                self.fail(diagnostic)
            }
        }
    }
}

/// Returns the spelling of a duration such as `PT5M` or `P1DT2H`.
fn iso_duration(word: &str) -> Option<String> {
    let rest = word.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let fits = |text: &str, units: &str| {
        text.is_empty()
            || digits(text)
                && text.ends_with(|c| units.contains(c))
                && text.chars().all(|c| c.is_ascii_digit() || units.contains(c))
    };
    let is_duration =
        !(days.is_empty() && time.is_empty()) && fits(days, "DW") && fits(time, "HMS");
    is_duration.then(|| format!("{days}{time}").to_ascii_lowercase())
}

/// True if a rule may have several clauses of this kind.
fn repeats(clause: &Clause) -> bool {
    matches!(clause, Clause::Param(_) | Clause::Define(_))
}
