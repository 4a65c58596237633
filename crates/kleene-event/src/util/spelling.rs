//! Names that are nearly right.

/// The maximum number of candidates: files can hold any number of mistakes and of names.
const MAX_CANDIDATES: usize = 1000;

/// Of `candidates`, the one that is most likely meant by `found`, if one is near enough.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = found.chars().count();
    let limit = (length / 3).clamp(1, 5);
    let first = found.chars().next();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (edit_distance(found, candidate), candidate))
        // Of a single letter, any other would be near.
        .filter(|(distance, _)| *distance <= limit && *distance < length)
        // Of two that are as near, the one that begins in the same way.
        .min_by_key(|(distance, candidate)| (*distance, candidate.chars().next() != first))
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance with adjacent transpositions, ignoring case.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).take(64).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).take(64).collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["order_created", "order_paid", "view"];
        assert_eq!(nearest("order_creatde", names), Some("order_created"));
        assert_eq!(nearest("veiw", names), Some("view"));
        assert_eq!(nearest("payment", names), None);
        assert_eq!(nearest("tok", ["ok", "took"]), Some("took"));
    }
}
