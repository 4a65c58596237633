//! Reasons of rejects, those that differ only in what was found counted as one.

use kleene_input::Origin;

/// The maximum number of kinds that are distinguished.
const KINDS: usize = 50;
/// The maximum number of lines that are kept of a kind.
const SAMPLES: usize = 5;

/// The number of bytes of a line that are kept as a sample.
const SAMPLE: usize = 4096;

/// The reason why lines were rejected.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    kinds: Vec<ReasonKind>,
    /// The number of lines in all.
    pub(super) count: u64,
}

/// Reasons that are alike.
#[derive(Debug)]
pub(super) struct ReasonKind {
    /// The text that the reasons have in common.
    stem: String,
    pub(super) count: u64,
    /// The first of them.
    pub(super) reason: String,
    /// The first lines, with their numbers.
    pub(super) samples: Vec<(u64, String)>,
}

impl Reasons {
    pub(super) fn add(&mut self, origin: &Origin<'_>, reason: &str) {
        self.count += 1;
        let stem = stem(reason);
        let known = match self.kinds.iter().position(|kind| kind.stem == stem) {
            Some(known) => known,
            None if self.kinds.len() < KINDS => {
                let reason = reason.to_owned();
                self.kinds.push(ReasonKind { stem, count: 0, reason, samples: Vec::new() });
                self.kinds.len() - 1
            }
            None => return,
        };
        let kind = &mut self.kinds[known];
        kind.count += 1;
        if kind.samples.len() < SAMPLES {
            kind.samples.push((origin.line, sample(origin.text)));
        }
    }

    /// All kinds, the most frequent first.
    pub(super) fn top(&self) -> Vec<&ReasonKind> {
        let mut kinds: Vec<&ReasonKind> = self.kinds.iter().collect();
        kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.count), kind.first_line()));
        kinds
    }
}

impl ReasonKind {
    /// True if the lines are no JSON objects at all.
    pub(super) fn is_no_json(&self) -> bool {
        self.reason.starts_with("not JSON") || self.reason.starts_with("not an event")
    }

    /// The number of the first line.
    pub(super) fn first_line(&self) -> u64 {
        self.samples.first().map_or(0, |(line, _)| *line)
    }
}

/// A reason without what was found, and without numbers that are not part of a name.
fn stem(reason: &str) -> String {
    let what = reason.split(", found").next().unwrap_or(reason);
    let mut stem = String::with_capacity(what.len());
    for (index, part) in what.split('`').enumerate() {
        if index % 2 == 1 {
            stem.push('`');
            stem.push_str(part);
            stem.push('`');
        } else {
            stem.extend(part.chars().filter(|c| !c.is_ascii_digit()));
        }
    }
    stem
}

/// The start of a text of the input, with what is not UTF-8 replaced.
fn sample(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(SAMPLE)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_what_was_found_are_one_kind() {
        let mut reasons = Reasons::default();
        for (line, reason) in [
            "not JSON: expected value at column 1",
            "field `f1`: expected int, found the text \"x\"",
            "field `f2`: expected int, found the text \"x\"",
            "field `f1`: expected int, found null",
            "not JSON: expected value at column 17",
            "field `f1`: expected int, found the text \"y\"",
        ]
        .into_iter()
        .enumerate()
        {
            reasons.add(&Origin { line: line as u64 + 1, text: b"{}" }, reason);
        }
        let top: Vec<(u64, u64)> =
            reasons.top().iter().map(|kind| (kind.count, kind.first_line())).collect();
        assert_eq!(top, [(3, 2), (2, 1), (1, 3)]);
    }
}
