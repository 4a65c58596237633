//! Plain text with a caret. Other renderers (colour, editors) work from the same data.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Diagnostic, Label, Source, Span};
use kleene_event::util::order;

/// Longest part of a source line that is shown, in characters.
const MAX_WIDTH: usize = 120;

/// Longest message, label or help that is shown, in characters.
const MAX_TEXT: usize = 300;

impl Diagnostic {
    /// The diagnostic as plain text with the source line and a caret, ending in a newline.
    pub fn render(&self, source: &Source) -> String {
        let mut out = String::new();
        let Diagnostic { code, severity, message, primary, context, help } = self;
        let _ = writeln!(out, "{severity}[{code}]: {}", clipped(message));
        let margin = places(&mut out, source, primary, context);
        if let Some(help) = help {
            let _ = writeln!(out, "{:margin$} = help: {}", "", clipped(help));
        }
        out
    }
}

impl Source {
    /// Name, line and column of a place and the source line with the place underlined, as
    /// diagnostics show it, ending in a newline.
    pub fn excerpt(&self, span: Span) -> String {
        let mut out = String::new();
        let place = Label { span, text: String::new() };
        places(&mut out, self, &place, &[]);
        out
    }
}

/// Writes where it is, and the source lines with what is to be said of them. Gives the width of the
/// line numbers.
fn places(out: &mut String, source: &Source, primary: &Label, context: &[Label]) -> usize {
    let (line, column) = source.line_column(primary.span.start);
    let mut labels: Vec<_> = std::iter::once((primary, '^'))
        .chain(context.iter().map(|label| (label, '-')))
        .map(|(label, mark)| (source.line_column(label.span.start).0, label, mark))
        .collect();
    let margin = labels.iter().map(|(line, ..)| line.to_string().len()).max().unwrap_or(1);
    let _ = writeln!(out, "{:margin$}--> {}:{line}:{column}", "", source.name);
    let _ = writeln!(out, "{:margin$} |", "");
    order::sort_by_key(&mut labels, |(_, label, _)| label.span);
    let mut last_line = None;
    for (line, label, mark) in labels {
        let (text, underline) = excerpt(source, label.span, mark);
        if last_line.is_some_and(|last| line > last + 1) {
            let _ = writeln!(out, "{:margin$} ...", "");
        }
        if last_line != Some(line) {
            let _ = writeln!(out, "{line:margin$} | {text}");
        }
        let _ = writeln!(out, "{:margin$} | {underline} {}", "", clipped(&label.text));
        while out.ends_with(" \n") {
            out.truncate(out.len() - 2);
            out.push('\n');
        }
        last_line = Some(line);
    }
    margin
}

/// Returns the text in one line, without its middle if names in it are very long.
fn clipped(text: &str) -> Cow<'_, str> {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= MAX_TEXT && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let text: String = text.chars().map(printable).collect();
    let length = text.chars().count();
    if length <= MAX_TEXT {
        return Cow::Owned(text);
    }
    let half = MAX_TEXT / 2;
    let first: String = text.chars().take(half).collect();
    let last: String = text.chars().skip(length - half).collect();
    Cow::Owned(format!("{first} ... {last}"))
}

/// The line that `span` starts on, and the marks that underline it there.
fn excerpt(source: &Source, span: Span, mark: char) -> (String, String) {
    let text = &source.text;
    let start = text.floor_char_boundary((span.start as usize).min(text.len()));
    let end = text.ceil_char_boundary((span.end as usize).clamp(start, text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let before = text[line_start..start].chars().count();
    let width = text[start..end.min(line_end)].chars().count().max(1);
    // A long line is cut so that the marks are inside.
    let skip =
        if before + width.min(MAX_WIDTH) > MAX_WIDTH { before.saturating_sub(20) } else { 0 };
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String =
        text[line_start..line_end].chars().skip(skip).take(MAX_WIDTH).map(printable).collect();
    line.truncate(line.trim_end().len());
    let shown = width.min(MAX_WIDTH - (before - skip).min(MAX_WIDTH - 1));
    let mut underline = " ".repeat(before - skip);
    underline.extend(std::iter::repeat_n(mark, shown));
    (line, underline)
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, Diagnostic, Source, Span};

    #[test]
    fn a_diagnostic_shows_the_line_and_the_place() {
        let source = Source::new("shop.cep", "rule x {\n  match ordr\n}\n");
        let text = Diagnostic::error(Code::UnknownType, Span::new(17, 21), "no event type `ordr`")
            .label("not declared")
            .context(Span::new(5, 6), "in this rule")
            .help("did you mean `order`?")
            .render(&source);
        assert_eq!(
            text,
            "error[E0201]: no event type `ordr`\n --> shop.cep:2:9\n  |\n1 | rule x {\n  |      - in this rule\n2 |   match ordr\n  |         ^^^^ not declared\n  = help: did you mean `order`?\n"
        );
    }

    #[test]
    fn long_names_and_line_breaks_do_not_fill_the_screen() {
        let source = Source::new("x", "abc");
        let message = format!("there is no `{}`\nat all", "long".repeat(1000));
        let text = Diagnostic::error(Code::UnknownType, Span::new(0, 1), message).render(&source);
        assert_eq!(text.lines().count(), 5);
        assert!(
            text.len() < 400 && text.contains(" ... ") && text.contains("` at all\n"),
            "{text}"
        );
    }

    #[test]
    fn any_span_renders() {
        let source = Source::new("x", "\u{e9}\n\u{1f600}");
        for start in 0..10 {
            for end in 0..10 {
                let diagnostic = Diagnostic::error(Code::BadNumber, Span { start, end }, "m");
                assert!(diagnostic.render(&source).contains("E0103"));
            }
        }
        let long = Source::new("x", "a".repeat(1_000_000));
        let text =
            Diagnostic::error(Code::BadNumber, Span::new(500_000, 900_000), "m").render(&long);
        assert!(text.len() < 1000);
    }
}
