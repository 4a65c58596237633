//! The choice of reports that fit on a screen.

use std::fmt;

use crate::ruleset::diagnostic::RuleDiagnostic;
use kleene_syntax::diagnostic::Severity;

/// The maximum number of lines that are printed. Beyond it, only the number of other reports
/// follows.
const MAX_LINES: usize = 50;

/// Writes reports with an empty line between them: all if they fit on a screen or `whole` asks for
/// them, else the first errors, then warnings, and the number of the others.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    reports: &[RuleDiagnostic],
    whole: bool,
) -> fmt::Result {
    let texts: Vec<String> = reports.iter().map(RuleDiagnostic::to_string).collect();
    let lines = |text: &String| text.lines().count() + 1;
    if whole || texts.iter().map(lines).sum::<usize>() <= MAX_LINES {
        return f.write_str(&texts.join("\n\n"));
    }
    let is_error = |index: &usize| reports[*index].diagnostic.severity == Severity::Error;
    let (errors, warnings): (Vec<usize>, Vec<usize>) = (0..reports.len()).partition(is_error);
    let order: Vec<usize> = errors.iter().chain(&warnings).copied().collect();
    let mut room = MAX_LINES;
    let mut shown = 0;
    for &index in &order {
        let needed = lines(&texts[index]);
        if needed > room && shown > 0 {
            break;
        }
        room = room.saturating_sub(needed);
        shown += 1;
        if shown > 1 {
            f.write_str("\n\n")?;
        }
        f.write_str(&texts[index])?;
    }
    let more = |of: &[usize], what: &str| {
        let number = of.iter().filter(|index| !order[..shown].contains(index)).count();
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} more {what}{plural}"))
    };
    let rest = [more(&errors, "error"), more(&warnings, "warning")];
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    if rest.is_empty() { Ok(()) } else { write!(f, "\n\n... and {}", rest.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use crate::ruleset::RuleSet;

    #[test]
    fn a_screen_is_filled_errors_first_and_the_rest_is_counted() {
        let rules = (0..20).map(|number| {
            format!(
                "rule w{number} {{ match a{{2}} within 1m }}\nrule e{number} {{ key k match b }}\n"
            )
        });
        let text = format!(
            "event a {{ k: string, at: time }}\n{}",
            rules.collect::<Vec<String>>().concat()
        );
        let error = RuleSet::parse(&text).unwrap_err();
        let printed = error.to_string();
        assert_eq!(error.diagnostics().len(), 40);
        assert!(printed.lines().count() <= super::MAX_LINES + 1, "{printed}");
        let shown = printed.matches("error[E0201]").count();
        assert_eq!(printed.matches("warning[").count(), 0);
        let rest = format!("\n\n... and {} more errors and 20 more warnings", 20 - shown);
        assert!(shown > 5 && printed.ends_with(&rest), "{printed}");
        assert_eq!(format!("{error:#}").matches("--> <rules>:").count(), 40);
    }
}
