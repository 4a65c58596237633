//! The text of sources without comments, quotes and tests, in words.

/// Splits text into words, `::` and single other characters.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("::") {
            2
        } else if is_part(first) {
            rest.find(|c| !is_part(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Removes items that are for tests only.
pub(crate) fn without_tests(plain: &str) -> String {
    let mut kept = String::new();
    let mut rest = plain;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        let mut depth = 0;
        let end = after.char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        rest = end.map_or("", |(at, _)| &after[at + 1..]);
    }
    kept + rest
}

/// Removes comments, and what stands in quotes.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end_of = |from: usize, end: &str| {
            rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
        };
        let raw = rest.strip_prefix('r').map(|after| after.trim_start_matches('#'));
        let length = if rest.starts_with("//") {
            end_of(2, "\n") - 1
        } else if rest.starts_with("/*") {
            end_of(2, "*/")
        } else if raw.is_some_and(|after| after.starts_with('"')) && !plain.ends_with(is_name) {
            let marks = rest.len() - 1 - raw.map_or(0, str::len);
            end_of(marks + 2, &format!("\"{}", "#".repeat(marks)))
        } else if first == '"'
            || first == '\'' && (rest[1..].starts_with('\\') || is_char(&rest[1..]))
        {
            quoted(rest)
        } else {
            plain.push(first);
            first.len_utf8()
        };
        rest = &rest[length.min(rest.len())..];
    }
    plain
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// True if a character and a quote follow: not a lifetime.
fn is_char(rest: &str) -> bool {
    rest.chars().nth(1) == Some('\'')
}

/// Returns the length of what stands in quotes at the start of `text`.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    let quote = text.chars().next();
    for (at, c) in text.char_indices().skip(1) {
        if !is_escaped && Some(c) == quote {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}
