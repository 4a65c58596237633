//! Text in conditions: comparison without case, regular expressions, and lists of patterns.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashSet;
use regex::bytes::{RegexSet, RegexSetBuilder};

/// The most bytes that one compiled regular expression may take.
const MAX_REGEX: usize = 1 << 20;

/// The most bytes that the patterns of a list may take together.
const MAX_PATTERNS: usize = 1 << 24;

/// The way in which capital and small letters compare.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TextCase {
    /// `A` and `a` differ.
    Exact,
    /// `A` and `a` are the same: `nocase`.
    Ignored,
}

/// Returns the character that stands for all characters which differ in case only: the simple case
/// folding of Unicode. One character gives one character.
///
/// `regex` folds in the same way, so that `~` agrees with the other operators.
pub(crate) fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    match c {
        // Its capital letter is `I`, whose small letter is `i`.
        '\u{131}' => return c,
        // They have no single capital letter in common, but differ in nothing.
        '\u{1fd3}' => return '\u{390}',
        '\u{1fe3}' => return '\u{3b0}',
        '\u{fb05}' => return '\u{fb06}',
        _ => {}
    }
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// Returns the only character, if there is no other.
fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

/// Returns a text with its [characters folded](fold_char). Nothing is copied if none changes.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| fold_char(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(fold_char).collect())
}

/// A regular expression that compares by its text and its case.
#[derive(Clone, Debug)]
pub struct Regex {
    compiled: regex::Regex,
    case: TextCase,
}

impl Regex {
    /// Compiles a regular expression; the reason why it does not compile.
    pub(crate) fn new(source: &str, case: TextCase) -> Result<Regex, String> {
        let compiled = regex::RegexBuilder::new(source)
            .size_limit(MAX_REGEX)
            .case_insensitive(case == TextCase::Ignored)
            .build();
        compiled.map(|compiled| Regex { compiled, case }).map_err(|error| reason(&error))
    }

    /// The regular expression as the rule has it.
    pub fn as_str(&self) -> &str {
        self.compiled.as_str()
    }

    /// The way in which letters compare.
    pub fn case(&self) -> TextCase {
        self.case
    }

    /// True if the text has a part that fits.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

/// The language of a pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PatternSyntax {
    /// `like`: `*` for any text, `?` for one character.
    Wildcards,
    /// `~`: regular expressions.
    Regex,
}

/// Several patterns, tested together by one automaton in one pass over the text.
#[derive(Clone, Debug)]
pub struct TextPatterns {
    /// The `list` that declares them, where one does.
    pub list: Option<Arc<str>>,
    syntax: PatternSyntax,
    case: TextCase,
    texts: Box<[Arc<str>]>,
    /// The patterns without a wildcard.
    whole: HashSet<Arc<str>>,
    /// The other ones.
    automaton: RegexSet,
}

/// The mistake in a list of patterns.
#[derive(Debug)]
pub(crate) enum PatternListError {
    /// The pattern with this index does not compile.
    Wrong(usize, String),
    /// They are too large together.
    TooLarge,
}

impl TextPatterns {
    /// Compiles patterns. `case` is for regular expressions; texts with wildcards are compared with
    /// a [folded](fold) text and are folded themselves.
    pub(crate) fn new(
        syntax: PatternSyntax,
        case: TextCase,
        texts: Vec<Arc<str>>,
    ) -> Result<TextPatterns, PatternListError> {
        let mut whole = HashSet::new();
        let mut sources = Vec::new();
        for text in &texts {
            match syntax {
                PatternSyntax::Regex => sources.push(text.to_string()),
                PatternSyntax::Wildcards if text.contains(['*', '?']) => {
                    sources.push(of_wildcards(text));
                }
                PatternSyntax::Wildcards => {
                    whole.insert(Arc::clone(text));
                }
            }
        }
        let is_folded = syntax == PatternSyntax::Regex && case == TextCase::Ignored;
        let automaton = RegexSetBuilder::new(&sources)
            .size_limit(MAX_PATTERNS)
            .case_insensitive(is_folded)
            .build();
        let Ok(automaton) = automaton else {
            let wrong = sources.iter().enumerate().find_map(|(index, source)| {
                let error = Regex::new(source, case).err()?;
                Some(PatternListError::Wrong(index, error))
            });
            return Err(wrong.unwrap_or(PatternListError::TooLarge));
        };
        Ok(TextPatterns { list: None, syntax, case, texts: texts.into(), whole, automaton })
    }

    /// The language of the patterns.
    pub fn syntax(&self) -> PatternSyntax {
        self.syntax
    }

    /// The way in which letters compare.
    pub fn case(&self) -> TextCase {
        self.case
    }

    /// The patterns in the order of the rule.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// True if the text fits one of the patterns.
    pub fn fits(&self, text: &str) -> bool {
        self.whole.contains(text) || self.automaton.is_match(text.as_bytes())
    }
}

/// A regular expression of bytes that fits the texts that a pattern with wildcards fits. Any text
/// is any bytes, which takes one state instead of a dozen.
fn of_wildcards(pattern: &str) -> String {
    let mut source = String::from("\\A");
    let mut plain = String::new();
    for c in pattern.chars() {
        let wildcard = match c {
            '*' => "(?s-u:.)*",
            '?' => "(?s:.)",
            _ => {
                plain.push(c);
                continue;
            }
        };
        source.push_str(&regex::escape(&plain));
        plain.clear();
        source.push_str(wildcard);
    }
    source.push_str(&regex::escape(&plain));
    source.push_str("\\z");
    source
}

/// The last line of a message of `regex`; the lines before it repeat the text.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fold_as_regular_expressions_do() {
        let unknown = regex::Regex::new("^\\p{Cn}$").unwrap();
        let folded: Vec<(char, char)> = (char::MIN..=char::MAX)
            .map(|c| (c, fold_char(c)))
            .filter(|(c, folded)| c != folded && !unknown.is_match(c.encode_utf8(&mut [0; 4])))
            .collect();
        assert!(folded.len() > 1300, "{}", folded.len());
        for (c, folded) in &folded {
            let regex = Regex::new(&format!("^{folded}$"), TextCase::Ignored).unwrap();
            assert!(regex.is_match(&c.to_string()), "{c:?} {folded:?}");
            assert_eq!(fold_char(*folded), *folded, "{c:?}");
        }
        // No other characters are the same to a regular expression.
        let all: String = (char::MIN..=char::MAX).collect();
        let stands_for = |c: char| folded.iter().filter(move |(_, folded)| *folded == c).count();
        for c in folded.iter().map(|(_, folded)| *folded).filter(|c| u32::from(*c) % 16 == 1) {
            let regex = regex::Regex::new(&format!("(?i){c}")).unwrap();
            assert_eq!(regex.find_iter(&all).count(), 1 + stands_for(c), "{c:?}");
        }
    }

    #[test]
    fn a_list_of_wildcards_is_each_of_them() {
        let texts = |texts: &[&str]| texts.iter().map(|text| Arc::from(*text)).collect();
        let patterns = |of: &[&str]| {
            TextPatterns::new(PatternSyntax::Wildcards, TextCase::Exact, texts(of)).unwrap()
        };
        let some = patterns(&["a*", "?b", "whole", "*.e[x]e", "(", "l\u{e9}?"]);
        for (text, fits) in [
            ("a", true),
            ("a\nb", true),
            ("\u{e9}b", true),
            ("xxb", false),
            ("whole", true),
            ("whole ", false),
            ("c.e[x]e", true),
            ("c.exe", false),
            ("(", true),
            ("l\u{e9}\u{1f600}", true),
            ("l\u{e9}xx", false),
            ("", false),
        ] {
            assert_eq!(some.fits(text), fits, "{text:?}");
        }
        assert!(!patterns(&[]).fits(""));
        assert!(patterns(&["*"]).fits(""));
        let regexes =
            |of: &[&str]| TextPatterns::new(PatternSyntax::Regex, TextCase::Ignored, texts(of));
        // A comment ends with its pattern.
        let both = regexes(&["(?x)a$ # the end", "^b"]).unwrap();
        assert!(both.fits("CA") && both.fits("Bc") && !both.fits("cb"));
        assert!(matches!(regexes(&["a", "("]), Err(PatternListError::Wrong(1, _))));
    }

    #[test]
    fn many_patterns_take_one_pass() {
        let many = (0..2000).map(|n| Arc::from(format!("*\\dir{n}\\*.exe"))).collect();
        let many = TextPatterns::new(PatternSyntax::Wildcards, TextCase::Exact, many).unwrap();
        assert!(many.fits("c:\\x\\dir1999\\a.exe"));
        assert!(!many.fits("c:\\x\\dir2000\\a.exe"));
        let large = (0..200).map(|_| Arc::from("(\\w{50}){50}")).collect();
        let large = TextPatterns::new(PatternSyntax::Regex, TextCase::Exact, large);
        assert!(matches!(large, Err(PatternListError::TooLarge | PatternListError::Wrong(..))));
    }
}
