//! Calls with a bare `true` or `false` as an argument, which does not say what it means.

use std::collections::BTreeSet;

use crate::text::{plain, tokens, without_tests};

/// Functions of the standard library, and setters of one option, whose names say what the flag
/// means.
const SETTERS: [&str; 23] = [
    "append",
    "create",
    "create_new",
    "fill",
    "flatten_event",
    "http_status_as_error",
    "include_imports",
    "insert",
    "map_or",
    "push",
    "read",
    "recursive",
    "replace",
    "resize",
    "set_nodelay",
    "store",
    "swap",
    "then_some",
    "truncate",
    "with_ansi",
    "with_target",
    "unwrap_or",
    "write",
];

/// Returns the functions that `text` calls with a bare flag.
pub(crate) fn flags(text: &str) -> BTreeSet<String> {
    let tokens = tokens(&without_tests(&plain(text)));
    // For each bracket that is open: the function whose arguments it holds.
    let mut open: Vec<Option<&str>> = Vec::new();
    let mut found = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |before| &*tokens[before]);
        match &**token {
            "(" => open.push(called(&tokens[..index])),
            "[" | "{" => open.push(None),
            ")" | "]" | "}" => drop(open.pop()),
            "true" | "false" => {
                let next = tokens.get(index + 1).map_or("", |next| &**next);
                let is_argument = matches!(before, "(" | ",") && matches!(next, ")" | ",");
                if let (true, Some(Some(name))) = (is_argument, open.last())
                    && !SETTERS.contains(name)
                {
                    found.insert((*name).to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns the function whose call a bracket opens behind these tokens. A name with a capital is
/// that of a variant or of a struct.
fn called(before: &[String]) -> Option<&str> {
    const KEYWORDS: [&str; 10] =
        ["as", "else", "for", "if", "in", "let", "match", "pub", "return", "while"];
    let (name, rest) = before.split_last()?;
    let is_definition = rest.last().is_some_and(|last| last == "fn");
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    (is_name && !is_definition && !KEYWORDS.contains(&&**name)).then_some(name)
}
