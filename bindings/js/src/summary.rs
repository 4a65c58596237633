//! The counts of a run, and what could not be taken.

use kleene::RuleSet;
use kleene::stream::Stats;
use kleene_explain::explain::Explanation;
use kleene_input::Origin;
use kleene_report::counts::Counts;
use kleene_report::tally::Tally;
use kleene_report::totals::Totals;
use serde::Serialize;

use crate::fault::Fault;
use crate::run::LimitNotes;

/// The number of rejects to keep.
const KEPT: usize = 1000;
/// The number of bytes of an input line to keep with a reject.
const START: usize = 1000;

/// An event that could not be taken.
#[derive(Clone, Debug, Serialize)]
pub struct Reject {
    line: u64,
    kind: &'static str,
    reason: String,
    input: String,
}

impl Reject {
    /// Returns a reject for the line of `origin`.
    pub fn of(origin: Origin<'_>, kind: &'static str, reason: &str) -> Reject {
        let input = String::from_utf8_lossy(Reject::start(origin.text)).into_owned();
        Reject { line: origin.line, kind, reason: reason.to_owned(), input }
    }

    /// As much of a line as is kept.
    pub fn start(text: &[u8]) -> &[u8] {
        &text[..text.len().min(START)]
    }
}

/// The lines and events that could not be taken: the first of them, and the number of all.
#[derive(Clone, Debug, Default)]
pub struct Rejects {
    kept: Vec<Reject>,
}

impl Rejects {
    /// Adds one, if there is room.
    pub fn add(&mut self, reject: Reject) {
        if self.kept.len() < KEPT {
            self.kept.push(reject);
        }
    }

    /// Those that were kept; there are none then.
    pub fn take(&mut self) -> Vec<Reject> {
        std::mem::take(&mut self.kept)
    }
}

/// The counts of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    #[serde(flatten)]
    totals: Totals,
    limit_notes: Vec<String>,
    rules: Vec<RuleSummary>,
    rejects: Vec<Reject>,
    /// Outputs that a page cannot ask for, as there were too many.
    pub outputs_not_kept: u64,
}

#[derive(Clone, Debug, Serialize)]
struct RuleSummary {
    rule: String,
    matches: u64,
    timeouts: u64,
    cost: Vec<String>,
}

/// Returns the counts of a run.
///
/// # Errors
/// A rule cannot be run.
pub fn summary(
    rules: &RuleSet,
    stats: &Stats,
    counts: &Counts,
    (tally, limits): (&Tally, &LimitNotes),
    mut rejects: Rejects,
) -> Result<Summary, Fault> {
    let mut of_rules = Vec::new();
    for rule in rules.rules() {
        let explanation = Explanation::new(rule, rules.schema());
        let cost = explanation.map_or_else(|_| Vec::new(), |explanation| explanation.cost());
        let [matches, timeouts] = tally.of(&rule.name);
        of_rules.push(RuleSummary { rule: rule.name.to_string(), matches, timeouts, cost });
    }
    let shown = rejects.take();
    Ok(Summary {
        totals: Totals::new(stats, counts),
        limit_notes: limits.texts().to_vec(),
        rules: of_rules,
        rejects: shown,
        outputs_not_kept: 0,
    })
}
