//! The recorded cases, as `testdata/conformance/FORMAT.md` describes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

/// A pattern, the events of one key, and what was reported for them.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The pattern of the case.
    pub pattern: CasePattern,
    /// `(time in milliseconds, type, v)`, in the order of time.
    #[serde(default)]
    pub events: Vec<(i64, String, i64)>,
    /// The outputs: for each distinct time, and at the end of time. Empty for patterns that were
    /// refused.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// The outputs of one step.
#[derive(Clone, Debug, Deserialize)]
pub struct Step {
    /// The matches.
    pub matches: Vec<Match>,
    /// The partial matches that ran out of time.
    pub timeouts: Vec<Timeout>,
}

/// The events that each stage captured, by number.
pub type Match = Vec<(String, Vec<usize>)>;

/// A partial match that ran out of time.
#[derive(Clone, Debug, Deserialize)]
pub struct Timeout {
    /// The time.
    pub at: i64,
    /// The events that it had captured.
    pub partial: Match,
}

/// A pattern of a case.
#[derive(Clone, Debug, Deserialize)]
pub struct CasePattern {
    /// The skip strategy: what a match drops.
    pub skip: CaseSkip,
    /// The bound from the first event to the last, in milliseconds.
    pub within: Option<i64>,
    /// The stages in order.
    pub stages: Vec<CaseStage>,
}

/// A skip strategy.
#[derive(Clone, Debug, Deserialize)]
pub struct CaseSkip {
    /// `no_skip`, `skip_to_next`, `skip_past_last_event`, `skip_to_first` or `skip_to_last`.
    pub strategy: String,
    /// The stage that the last two name.
    pub stage: Option<String>,
}

/// A stage or group.
#[derive(Clone, Debug, Deserialize)]
pub struct CaseStage {
    /// Its name; groups have none.
    pub name: Option<String>,
    /// The contiguity to the stage before; `None` for the first.
    pub contiguity: Option<String>,
    /// The condition on an event.
    pub condition: Option<CaseCondition>,
    /// The stages of a group.
    pub group: Option<Vec<CaseStage>>,
    /// The least and the greatest number of repetitions.
    pub times: Option<(i64, Option<i64>)>,
    /// True if it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// True if it keeps events from what follows.
    #[serde(default)]
    pub greedy: bool,
    /// The contiguity between two repetitions.
    pub inner: Option<String>,
    /// The end of the loop.
    pub until: Option<CaseCondition>,
    /// A bound on time, in milliseconds.
    pub within: Option<i64>,
    /// The kind of the bound: `first_last` or `previous_current`.
    pub within_kind: Option<String>,
}

/// A condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum CaseCondition {
    /// The event's type.
    Type {
        /// Its name.
        #[serde(rename = "type")]
        ty: String,
    },
    /// A comparison of `v` with a constant.
    Constant {
        /// The operator.
        op: String,
        /// The constant.
        #[serde(rename = "const")]
        constant: i64,
    },
    /// A comparison of `v` with an aggregate over what a stage has captured.
    Aggregate {
        /// The operator.
        op: String,
        /// The aggregate.
        agg: String,
        /// The stage.
        of: String,
    },
    /// All of them.
    And {
        /// The conditions.
        and: Vec<CaseCondition>,
    },
    /// Any of them.
    Or {
        /// The conditions.
        or: Vec<CaseCondition>,
    },
    /// Not it.
    Not {
        /// The condition.
        not: Box<CaseCondition>,
    },
    /// Always.
    True {
        /// `true`.
        #[serde(rename = "true")]
        always: bool,
    },
}

/// Reads the cases of one file, one a line.
///
/// # Errors
/// If the file cannot be read, or a line is no case; the error names the line.
pub fn read_cases(path: &Path) -> io::Result<Vec<Case>> {
    let text = fs::read_to_string(path)?;
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let case = serde_json::from_str(line).map_err(|error| {
            let place = format!("{}:{}: {error}", path.display(), number + 1);
            io::Error::new(io::ErrorKind::InvalidData, place)
        })?;
        cases.push(case);
    }
    Ok(cases)
}

/// Reads the marks of cases from `flags.tsv` in `dir`. There are none if there is no file.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn read_flags(dir: &Path) -> io::Result<BTreeMap<String, Vec<String>>> {
    let text = match fs::read_to_string(dir.join("flags.tsv")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let entries = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(entries
        .map(|(id, flags)| (id.to_owned(), flags.split(',').map(str::to_owned).collect()))
        .collect())
}
