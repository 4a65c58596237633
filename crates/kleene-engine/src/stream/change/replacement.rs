//! The report of a replacement: a verdict for each rule.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::stream::error::BuildError;

/// The result of replacing one rule set by another. `Display` gives a line for each rule.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Replacement {
    /// The new rules in their order, then the removed rules.
    pub rules: Vec<RuleChange>,
}

/// The result of a replacement for one rule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RuleChange {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The verdict on the rule.
    pub verdict: Verdict,
    /// The rule's [version](kleene_syntax::hir::Rule::version) before; `None` if the rule is new.
    pub old_version: Option<u64>,
    /// The rule's version after; `None` if the rule is gone.
    pub new_version: Option<u64>,
    /// The number of partial matches that continue, counted as
    /// [`Stats::partials`](crate::stream::Stats::partials).
    pub kept: u64,
    /// The number of partial matches that are dropped. They are reported neither as matches nor as
    /// timeouts. `u64::MAX` means that many or more. Expired partial matches may be included,
    /// unless [`Engine::sweep`](crate::stream::Engine::sweep) has dropped them before.
    pub dropped: u64,
}

/// The verdict on a rule and its partial matches.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The rule has the same meaning. All of its state continues.
    Unchanged,
    /// The rule changed, but no partial match has passed a changed part. All partial matches
    /// continue.
    Kept,
    /// Some partial matches have passed a changed part or exceed a bound that is shorter now, and
    /// are dropped. The others continue.
    KeptInPart,
    /// The rule starts without state, for the given reason. No partial match continues.
    Reset(String),
    /// The old rules had no rule with this name.
    Added,
    /// The new rules have no rule with this name.
    Removed,
    /// The rule cannot be run over these events. No rule is replaced.
    Refused(BuildError),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Unchanged => f.write_str("unchanged"),
            Verdict::Kept => f.write_str("kept"),
            Verdict::KeptInPart => f.write_str("kept in part"),
            Verdict::Reset(reason) => write!(f, "reset, {reason}"),
            Verdict::Added => f.write_str("added"),
            Verdict::Removed => f.write_str("removed"),
            Verdict::Refused(reason) => write!(f, "refused, {reason}"),
        }
    }
}

impl fmt::Display for RuleChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.verdict)?;
        let matches = |count| if count == 1 { "partial match" } else { "partial matches" };
        let shown = |count: u64| {
            let more = if count == u64::MAX { "at least " } else { "" };
            format!("{more}{count}")
        };
        match (self.kept, self.dropped) {
            (0, 0) => Ok(()),
            (kept, 0) => write!(f, " ({} {})", shown(kept), matches(kept)),
            (0, dropped) => write!(f, " ({} {} dropped)", shown(dropped), matches(dropped)),
            (kept, dropped) => {
                write!(f, " ({} {}, {} dropped)", shown(kept), matches(kept), shown(dropped))
            }
        }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            rule.fmt(f)?;
        }
        Ok(())
    }
}

impl Replacement {
    /// Returns the change of the rule with this name.
    pub fn rule(&self, name: &str) -> Option<&RuleChange> {
        self.rules.iter().find(|change| *change.rule == *name)
    }

    /// True if a rule is refused, so that no rule is replaced.
    pub fn is_refused(&self) -> bool {
        self.rules.iter().any(|change| matches!(change.verdict, Verdict::Refused(_)))
    }

    /// Returns the number of partial matches that are dropped, over all rules.
    pub fn dropped(&self) -> u64 {
        self.rules.iter().map(|change| change.dropped).fold(0, u64::saturating_add)
    }
}

/// The error of a replacement in which some new rules cannot be run over these events. The old
/// rules stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused(pub(super) Replacement);

impl Refused {
    /// Returns the refused replacement, with a verdict for each rule.
    pub fn replacement(&self) -> &Replacement {
        &self.0
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rules cannot be replaced")?;
        for change in &self.0.rules {
            if let Verdict::Refused(reason) = &change.verdict {
                write!(f, "; {reason}")?;
            }
        }
        Ok(())
    }
}

impl Error for Refused {}
