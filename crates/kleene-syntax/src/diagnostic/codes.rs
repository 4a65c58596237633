//! Every diagnostic's number in one place.
//!
//! A code that appeared in a release is never used again for something else. Ranges: `E01xx` text,
//! `E02xx` names, `E03xx` types, `E04xx` patterns, `E05xx` clauses, `E06xx` files and limits,
//! `E09xx` the rest; warnings count from `W0001`.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The stable code of a diagnostic.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code as users see it: `E0101`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                }
            }

            /// A long explanation with a wrong and a right example, as Markdown that reads well as
            /// plain text.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("explain/", $text, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// A character or word that does not belong there.
    UnexpectedToken = "E0101",
    /// A string without its closing quote.
    UnterminatedString = "E0102",
    /// A number or duration that cannot be read.
    BadNumber = "E0103",
    /// `and` and `or` mixed without parentheses.
    MixedAndOr = "E0104",
    /// A clause given twice in one rule.
    DuplicateClause = "E0105",
    /// A bracket that is never closed.
    UnclosedBracket = "E0106",
    /// An escape in a string that does not exist.
    BadEscape = "E0107",
    /// A character outside the language.
    BadCharacter = "E0108",

    /// No event type or define of this name.
    UnknownType = "E0201",
    /// No field of this name.
    UnknownField = "E0202",
    /// No step or alias of this name.
    UnknownAlias = "E0203",
    /// No list of this name.
    UnknownList = "E0204",
    /// No parameter of this name.
    UnknownParam = "E0205",
    /// No function of this name.
    UnknownFunction = "E0206",
    /// A name declared twice.
    DuplicateName = "E0207",
    /// A step's name used twice and referred to.
    AmbiguousAlias = "E0208",
    /// No rule of this name.
    UnknownRule = "E0209",
    /// A condition refers to a step that comes later.
    AliasNotYetCaptured = "E0210",
    /// A define that uses itself.
    CyclicDefine = "E0211",

    /// An operand or argument of the wrong type.
    TypeMismatch = "E0301",
    /// A function called with the wrong number of arguments.
    WrongArgumentCount = "E0302",
    /// A field of a step that can hold several events, without `first`, `last` or an aggregate.
    NeedsAggregate = "E0303",
    /// A regular expression that does not compile.
    BadRegex = "E0304",
    /// A condition that is not a bool.
    NotABool = "E0305",
    /// Something that cannot stand in this place, such as `prev` in an emit.
    NotAllowedHere = "E0306",
    /// A literal that is no IP address, network or time.
    BadLiteral = "E0307",
    /// `nocase` where no text is compared.
    MisplacedNoCase = "E0308",

    /// A `not` at the end or at the start without a bound.
    UnboundedNot = "E0401",
    /// `until` on what is no unbounded loop.
    UntilWithoutLoop = "E0402",
    /// A quantifier such as `{0}` or `{5..2}`.
    BadQuantifier = "E0403",
    /// A pattern that can match no event at all.
    MatchesNothing = "E0404",
    /// `longest` on what is not the last step.
    LongestNotLast = "E0405",
    /// Skip to a name that is no step.
    UnknownSkipTarget = "E0406",
    /// A `not` where it means nothing, such as at the start or the end of a group.
    MisplacedNot = "E0407",
    /// A loop over a group that can be empty.
    EmptyLoop = "E0408",
    /// A bound or gap that can never hold, or exceeds the bound around it.
    BadBound = "E0409",
    /// A contiguity that does not go with this quantifier.
    BadContiguity = "E0410",
    /// `matches` where no set of matches is known.
    MisplacedMatches = "E0414",
    /// `any event` in a rule whose stream has no event type.
    NoStream = "E0415",
    /// A `not .. for` as an operand of `and`, `or` or `of` where its time has no sure beginning.
    MisplacedSilence = "E0416",
    /// A step whose condition no event fulfils.
    ImpossibleStep = "E0411",
    /// A `within` that ends before the gaps and silences in it can have passed.
    ImpossibleTimes = "E0412",
    /// A pattern, or a step of it, that no stream of events reaches.
    Unreachable = "E0413",

    /// A comparison with the word `null`.
    NullCompared = "E0417",

    /// A rule without `match`.
    MissingMatch = "E0501",
    /// A clause that needs another one, such as `on timeout` without `within`.
    MissingClause = "E0502",
    /// A key that a type of the stream lacks.
    BadKey = "E0503",
    /// An event declaration that makes no sense, such as two event times.
    BadEvent = "E0504",
    /// A parameter value from outside that does not fit.
    BadParam = "E0505",
    /// A test that cannot happen: time goes back, or an event lacks a field.
    BadTest = "E0506",
    /// A function of the host that rules cannot call.
    BadFunction = "E0507",
    /// Rules that feed each other in a circle.
    CyclicFeed = "E0508",
    /// A record that is not as the event type that it feeds.
    BadFeed = "E0509",
    /// Clauses that contradict `once`.
    BadOnce = "E0510",
    /// A `repeat` that is not at the end, or beside what contradicts it.
    BadRepeat = "E0511",
    /// A name in the braces of `key` that is not clearly one event type or step.
    BadStepKey = "E0512",

    /// A file that cannot be read.
    UnreadableFile = "E0601",
    /// Nesting, repetitions or program size beyond the limits.
    LimitExceeded = "E0602",

    /// Part of the language, but not supported yet.
    Unsupported = "E0901",

    /// A rule without `key`: one stream for all events.
    NoKey = "W0001",
    /// A loop that can grow without bound and branch at each event.
    ExponentialLoop = "W0002",
    /// A condition that is always false.
    AlwaysFalse = "W0003",
    /// A pattern without `within` whose partial matches are never given up.
    NoWithin = "W0004",
    /// A loop at the end: it matches as soon as it holds its minimum.
    LastLoopEager = "W0005",
    /// A name that is never used.
    Unused = "W0006",
    /// A division by a constant zero, which is always null.
    DivisionByZero = "W0007",
    /// A step at the end, behind a greedy loop, is optional, but no match is reported without it.
    OptionalBehindLoop = "W0008",
    /// A negation of what may be null.
    NullInNegation = "W0009",
    /// A silence that repeats, and is over before it is reported a second time.
    NeverRepeated = "W0010",
    /// A `report` that chooses among one match.
    OneMatchAtMost = "W0011",
    /// A clause that says nothing: beside `once`, or for a pattern of one event.
    NothingToSay = "W0012",
    /// `any event` in a rule whose stream has one event type only.
    NarrowWildcard = "W0013",
    /// A set of matches that is counted or chosen from by listing it.
    ListedMatches = "W0014",
    /// A `like` whose text has no wildcard.
    NoWildcard = "W0015",
    /// A test without an expectation.
    NothingExpected = "W0016",
    /// A greedy loop with an upper bound, which one repetition too many ends.
    FullLoop = "W0017",
    /// What can be left out at the end, where the match is reported before it.
    NeverCaptured = "W0018",
    /// A field of the last step in what a timeout reports.
    NullInTimeout = "W0019",
    /// A network without a prefix length: a single address.
    OneAddress = "W0020",
    /// An `of` that is an `or` or an `and`.
    NeedlessOf = "W0021",
    /// A function that reads a constant text which does not hold a value.
    AlwaysNull = "W0022",
    /// Partial matches that multiply and are listed one by one.
    ListedPartials = "W0023",
    /// A key that is a list, which is compared as a whole.
    ListAsKey = "W0027",
}

impl Code {
    /// A title of a few words.
    pub fn title(self) -> &'static str {
        let first = self.explanation().lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, title)| title)
    }

    /// True if it refuses a pattern that has a meaning, but no match.
    pub const fn is_of_no_match(self) -> bool {
        matches!(self, Code::ImpossibleStep | Code::ImpossibleTimes | Code::Unreachable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a code as users see it, in capital letters or not.
impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Code, UnknownCode> {
        let mut codes = Code::ALL.iter().copied();
        codes.find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownCode(()))
    }
}

/// A text that is no code of a diagnostic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownCode(());

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such code")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn codes_are_read_back() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
        }
        assert!("E9999".parse::<Code>().is_err());
        assert_eq!(
            Code::UnboundedNot.title(),
            "a `not` at the end or at the start without a bound"
        );
    }
}
