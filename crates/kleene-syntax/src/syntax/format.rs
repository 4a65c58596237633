//! Text to the one spelling, with its comments.
//!
//! The tree is printed on one line, and that line's tokens are found again in the author's text:
//! they are the same but for what has several spellings (`{1..}`), parentheses that mean nothing
//! and commas at ends. So every comment has its place between two tokens, and goes to the first
//! place from there at which a line may break.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Severity, Source};

use super::layout::{Comment, Flat, MarkKind, Trivia, lay_out};
use super::lex::{self, Lexeme, LexemeKind};
use super::parse::parse;
use super::print::flat;

/// The text in the one spelling of the language, its comments kept: a clause a line, two blanks for
/// each level, at most one blank line where the author left some, at most 100 columns where lines
/// can be broken. The result means the same, and formats to itself.
///
/// Comments on lines of their own stay above what they precede, those behind something stay at the
/// end of its line.
///
/// # Errors
///
/// A text with mistakes is not formatted; they are the error.
///
/// ```
/// use kleene::diagnostic::Source;
/// use kleene_syntax::syntax::format;
///
/// let text = "rule r { # twice\n match a->b{1..} within 60s }";
/// let expected = "rule r {  # twice\n  match a -> b+\n  within 1m\n}\n";
/// assert_eq!(format(&Source::new("r.cep", text)).as_deref(), Ok(expected));
/// ```
pub fn format(source: &Source) -> Result<String, Vec<Diagnostic>> {
    let (file, diagnostics) = parse(source);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let flat = flat(&file);
    let trivia = trivia(&source.text, &flat);
    Ok(lay_out(&flat, &trivia))
}

/// The comments and blank lines of `text` by the marks of `flat` at which they go.
fn trivia(text: &str, flat: &Flat) -> BTreeMap<usize, Trivia> {
    let (theirs, _) = lex::tokens(text);
    let (ours, _) = lex::tokens(&flat.text);
    let mut trivia: BTreeMap<usize, Trivia> = BTreeMap::new();
    let mut mark = 0;
    // Everything before `matched` of our tokens has been found.
    let mut matched = 0_usize;
    let mut end = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut at = 0;
    while at < theirs.len() {
        let token = theirs[at];
        let place = matched.checked_sub(1).map_or(0, |last| ours[last].span.end as usize);
        while mark + 1 < flat.marks.len()
            && (flat.marks[mark].at < place
                || !matches!(flat.marks[mark].kind, MarkKind::Break { .. }))
        {
            mark += 1;
        }
        let next = ours[matched.min(ours.len() - 1)];
        let is_here = flat.marks[mark].at <= next.span.start as usize;
        let blanks = &text[end..token.span.start as usize];
        // Most tokens have nothing before them but a blank.
        if blanks.contains('\n') || blanks.contains('#') {
            let entry = trivia.entry(mark).or_default();
            let is_blank = add(entry, blanks);
            entry.blank = is_blank && is_here;
        }
        let used = if token.kind == LexemeKind::End {
            1
        } else {
            let used = find(text, &theirs[at..], flat, &ours, &mut matched);
            // Nobody comments inside of `{1..}`; whoever does is not forgotten.
            for pair in theirs[at..at + used].windows(2) {
                let blanks = &text[pair[0].span.end as usize..pair[1].span.start as usize];
                if blanks.contains('#') {
                    let entry = trivia.entry(mark).or_default();
                    add(entry, blanks);
                    entry.blank = false;
                }
            }
            used
        };
        at += used;
        end = theirs[at - 1].span.end as usize;
    }
    trivia
}

/// Finds the first of their tokens among ours, from `matched` on; how many of theirs that takes.
fn find(text: &str, theirs: &[Lexeme], flat: &Flat, ours: &[Lexeme], matched: &mut usize) -> usize {
    let word = |text: &str, token: Lexeme| -> String {
        text[token.span.start as usize..token.span.end as usize].trim_matches('`').to_owned()
    };
    let is_name = |kind| matches!(kind, LexemeKind::Word | LexemeKind::Quoted);
    let token = theirs[0];
    let Some(&our) = ours.get(*matched).filter(|our| our.kind != LexemeKind::End) else { return 1 };
    let is_same = |token: Lexeme, our: Lexeme| {
        if is_name(token.kind) && is_name(our.kind) {
            word(text, token) == word(&flat.text, our)
        } else {
            token.kind == our.kind
        }
    };
    let same = is_same(token, our);
    let is_swapped = || {
        let (Some(&next), Some(&our_next)) = (theirs.get(1), ours.get(*matched + 1)) else {
            return false;
        };
        is_name(token.kind) && is_same(token, our_next) && is_same(next, our)
    };
    let is_short = matches!(our.kind, LexemeKind::Plus | LexemeKind::Star | LexemeKind::Question);
    if same {
        *matched += 1;
        1
    } else if is_swapped() {
        // `{1..5 each any}` is `{1..5 any each}`.
        *matched += 2;
        2
    } else if token.kind == LexemeKind::OpenBrace && is_short {
        // `{1..}` is `+`.
        *matched += 1;
        let closer = theirs.iter().position(|token| token.kind == LexemeKind::CloseBrace);
        closer.map_or(1, |closer| closer + 1)
    } else {
        // Tokens that the formatter leaves out: a comma at an end, parentheses without effect,
        // `{}`, `..3` of `3..3`.
        1
    }
}

/// Reads what stands between two tokens. Returns true if a blank line is the last of it.
fn add(trivia: &mut Trivia, blanks: &str) -> bool {
    let mut blank = false;
    for (index, line) in blanks.split('\n').enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            let trailing = index == 0;
            trivia.comments.push(Comment { text: line.to_owned(), trailing, blank });
            blank = false;
        } else {
            // The rest of a line is no blank line, nor is what stands before the next token.
            blank |= index > 0 && index < blanks.matches('\n').count();
        }
    }
    blank
}
