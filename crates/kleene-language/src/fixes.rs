//! Quick fixes: the name that was most likely meant, where a diagnostic says so.

/// The words with which diagnostics name the likely name.
const MEANT: &str = "did you mean `";

/// A fix of a mistake: what to write in its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fix {
    /// The title of the fix, for people.
    pub title: String,
    /// The text to write.
    pub text: String,
}

/// The fix of a diagnostic, whose `message` is all that it says of `found`.
pub fn fix(message: &str, found: &str) -> Option<Fix> {
    let (_, meant) = message.split_once(MEANT)?;
    let (meant, _) = meant.split_once("`?")?;
    // The replaced text has to be one name, as the diagnostic may cover more than the name.
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    if found.is_empty() || !found.chars().all(is_name) || !meant.chars().all(is_name) {
        return None;
    }
    Some(Fix { title: format!("Write `{meant}`"), text: meant.to_owned() })
}

/// All that a diagnostic says, with the help below it.
pub fn message(reported: &kleene::diagnostic::Diagnostic) -> String {
    let mut message = reported.message.clone();
    if !reported.primary.text.is_empty() {
        message = format!("{message}: {}", reported.primary.text);
    }
    if let Some(help) = &reported.help {
        message = format!("{message}\nhelp: {help}");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_is_replaced() {
        let text = |message, found| fix(message, found).map(|fix| fix.text);
        let meant = "there is no event `payd`\nhelp: did you mean `paid`?";
        assert_eq!(text(meant, "payd").as_deref(), Some("paid"));
        assert_eq!(text(meant, "payd[x]"), None);
        assert_eq!(text(meant, ""), None);
        assert_eq!(text("did you mean `a b`?", "ab"), None);
        assert_eq!(text("did you mean it?", "it"), None);
    }
}
