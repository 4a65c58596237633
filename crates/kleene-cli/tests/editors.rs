//! The editor support in `editors/`, held against the language: the grammar that colours rules
//! knows its words, and reads rule files as the language does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kleene_syntax::syntax::{TokenKind, reserved_words, tokens};
use regex::Regex;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn grammar() -> Value {
    json(&root().join("editors/vscode/syntaxes/cep.tmLanguage.json"))
}

/// The words of a grammar's alternatives: `\b(?:a|b)\b`.
fn words(pattern: &str) -> Vec<String> {
    let inner = pattern.strip_prefix(r"\b(?:").and_then(|rest| rest.strip_suffix(r")\b"));
    inner.unwrap_or_else(|| panic!("{pattern}")).split('|').map(String::from).collect()
}

/// The scope that colours a piece of text.
enum Pattern {
    Match { regex: Regex, scope: String, captures: Vec<(usize, String)> },
    Block { begin: Regex, end: Regex, scope: String, inner: Vec<Pattern> },
}

fn patterns(grammar: &Value, of: &Value) -> Vec<Pattern> {
    let mut all = Vec::new();
    for pattern in of.as_array().unwrap() {
        if let Some(name) = pattern["include"].as_str() {
            let included = &grammar["repository"][name.strip_prefix('#').unwrap()]["patterns"];
            assert!(included.is_array(), "{name} is in the repository");
            all.extend(patterns(grammar, included));
            continue;
        }
        let regex = |key: &str| Regex::new(pattern[key].as_str().unwrap()).unwrap();
        let scope = pattern["name"].as_str().unwrap_or_default().to_owned();
        all.push(if pattern["begin"].is_string() {
            let inner = patterns(grammar, &pattern["patterns"]);
            Pattern::Block { begin: regex("begin"), end: regex("end"), scope, inner }
        } else {
            let captures =
                pattern["captures"].as_object().into_iter().flatten().map(|(number, of)| {
                    (number.parse().unwrap(), of["name"].as_str().unwrap().to_owned())
                });
            Pattern::Match { regex: regex("match"), scope, captures: captures.collect() }
        });
    }
    all
}

/// The scope of each byte of a line, as an editor finds it: the first match counts, and of those
/// that start at the same place the first pattern.
fn coloured<'p>(line: &str, patterns: &'p [Pattern]) -> Vec<&'p str> {
    let mut scopes = vec![""; line.len()];
    let mut at = 0;
    // Where each pattern matches next; looked for again when that lies behind.
    let mut next: Vec<Option<usize>> = vec![Some(0); patterns.len()];
    let mut known = vec![false; patterns.len()];
    while at < line.len() {
        for (index, pattern) in patterns.iter().enumerate() {
            if known[index] && next[index].is_none_or(|start| start >= at) {
                continue;
            }
            let (Pattern::Match { regex, .. } | Pattern::Block { begin: regex, .. }) = pattern;
            next[index] = regex.find_at(line, at).map(|found| found.start());
            known[index] = true;
        }
        let starts = next.iter().enumerate();
        let starts = starts.filter_map(|(index, start)| Some(((*start)?, index)));
        let Some((_, index)) = starts.min() else { break };
        match &patterns[index] {
            Pattern::Match { regex, scope, captures } => {
                let found = regex.captures_at(line, at).unwrap();
                let whole = found.get(0).unwrap();
                assert!(!whole.is_empty(), "{regex} matches nothing at all in {line}");
                scopes[whole.range()].fill(scope);
                for (number, scope) in captures {
                    if let Some(group) = found.get(*number) {
                        scopes[group.range()].fill(scope);
                    }
                }
                at = whole.end();
            }
            Pattern::Block { begin, end, scope, inner } => {
                let start = begin.find_at(line, at).unwrap();
                let mut inside = start.end();
                let end = loop {
                    let end = end.find_at(line, inside).unwrap();
                    let escape = inner.iter().find_map(|inner| match inner {
                        Pattern::Match { regex, .. } => regex.find_at(line, inside),
                        Pattern::Block { .. } => None,
                    });
                    match escape.filter(|escape| escape.start() < end.start()) {
                        Some(escape) => inside = escape.end(),
                        None => break end,
                    }
                };
                scopes[start.start()..end.end()].fill(scope);
                at = end.end();
            }
        }
    }
    scopes
}

#[test]
fn the_grammar_has_the_reserved_words_and_no_others() {
    let grammar = grammar();
    let keywords = grammar["repository"]["keywords"]["patterns"].as_array().unwrap();
    let listed: Vec<String> =
        keywords.iter().flat_map(|pattern| words(pattern["match"].as_str().unwrap())).collect();
    let unique: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), listed.len(), "each once: {listed:?}");
    assert_eq!(unique, reserved_words().collect::<BTreeSet<_>>());
}

#[test]
fn each_reserved_word_is_coloured_as_one() {
    let grammar = grammar();
    let patterns = patterns(&grammar, &grammar["patterns"]);
    for word in reserved_words() {
        for line in [word.to_owned(), format!("  {word} (x"), format!("x {word} y")] {
            let scopes = coloured(&line, &patterns);
            let at = line.find(word).unwrap();
            for scope in &scopes[at..at + word.len()] {
                let is_one = ["keyword.", "constant.language.", "variable.language."]
                    .iter()
                    .any(|start| scope.starts_with(start));
                assert!(is_one, "`{word}` is {scope:?} in {line:?}");
            }
        }
    }
    let scopes = coloured("keyed matches within_5", &patterns);
    assert!(scopes.iter().all(|scope| !scope.starts_with("keyword")), "{scopes:?}");
}

/// True if a token of this kind may have this scope.
fn fits(kind: TokenKind, text: &str, scope: &str) -> bool {
    let starts = |starts: &[&str]| starts.iter().any(|start| scope.starts_with(start));
    match kind {
        TokenKind::String => starts(&["string.quoted."]),
        TokenKind::Number | TokenKind::Duration => starts(&["constant.numeric."]),
        TokenKind::Quoted => starts(&["variable.", "entity."]),
        // A reserved word that is not coloured as one is a field or parameter: `severity: 1`,
        // `x.from`, `param limit`.
        TokenKind::Word if reserved_words().any(|word| word == text) => starts(&[
            "keyword.",
            "constant.language.",
            "variable.language.",
            "variable.other.property.",
            "variable.other.member.",
            "variable.other.constant.",
            "variable.parameter.",
        ]),
        TokenKind::Word => starts(&["variable.", "entity.", "support.", "keyword.", "constant."]),
        TokenKind::Symbol => starts(&["keyword.operator.", "punctuation.", "variable.parameter."]),
        TokenKind::Bad => true,
    }
}

#[test]
fn rule_files_are_read_as_the_language_does() {
    let grammar = grammar();
    let patterns = patterns(&grammar, &grammar["patterns"]);
    let mut waiting = vec![root().join("patterns"), root().join("testdata/suite")];
    let (mut files, mut checked) = (0, 0);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "cep") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut scopes = Vec::new();
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end_matches(['\r', '\n']);
            let mut of_line = coloured(bare, &patterns);
            of_line.resize(line.len(), "");
            scopes.extend(of_line);
        }
        let mut end = 0;
        for token in tokens(&text) {
            let range = token.span.start as usize..token.span.end as usize;
            let place = &text[range.clone()];
            for scope in &scopes[range.clone()] {
                let line = text[..range.start].matches('\n').count() + 1;
                assert!(
                    fits(token.kind, place, scope),
                    "{}:{line}: `{place}` is coloured as {scope:?}",
                    path.display()
                );
            }
            // What stands between tokens is blank or a comment.
            let between = text[end..range.start].bytes().zip(&scopes[end..range.start]);
            for (byte, scope) in between {
                let is_blank = byte.is_ascii_whitespace() || scope.starts_with("comment.");
                assert!(is_blank, "{}: {}", path.display(), &text[end..range.start]);
            }
            end = range.end;
            checked += 1;
        }
        files += 1;
    }
    assert!(files > 20 && checked > 5000, "{files} files, {checked} tokens");
}

#[test]
fn what_the_extension_names_is_there() {
    let folder = root().join("editors/vscode");
    let package = json(&folder.join("package.json"));
    json(&folder.join("language-configuration.json"));
    json(&folder.join("syntaxes/markdown.tmLanguage.json"));
    let contributes = &package["contributes"];
    let grammars = contributes["grammars"].as_array().unwrap();
    let mut paths = vec![&package["main"], &contributes["languages"][0]["configuration"]];
    paths.extend(grammars.iter().map(|grammar| &grammar["path"]));
    for path in paths {
        let path = path.as_str().unwrap();
        assert!(folder.join(path).is_file(), "{path}");
    }
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    let dependencies: Vec<&String> = package["dependencies"].as_object().unwrap().keys().collect();
    assert_eq!(dependencies, ["vscode-languageclient"]);
    let code = fs::read_to_string(folder.join("extension.js")).unwrap();
    for (name, _) in contributes["configuration"]["properties"].as_object().unwrap() {
        let own = name.strip_prefix("kleene.").unwrap();
        // The client itself reads how much of the conversation is wanted.
        assert!(own == "trace.server" || code.contains(own), "{name} is read");
    }
    for command in contributes["commands"].as_array().unwrap() {
        assert!(code.contains(command["command"].as_str().unwrap()), "{command}");
    }
}
