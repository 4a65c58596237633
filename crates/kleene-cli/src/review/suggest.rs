//! Suggestions from a line of the input: the field that holds the type or the time, and the name
//! that was meant.

use kleene::Timestamp;
use kleene_event::util::spelling::edit_distance;

use kleene_input::{Raw, TimeUnit, likely_unit};
use kleene_language::infer::{argument, name_rank};

/// The number of values of a line that are looked at, and their depth.
const LEAVES: usize = 500;
const DEPTH: usize = 6;

/// The values of a line that are no lists and no objects, with their paths.
pub(super) type Leaves = Vec<(String, Raw)>;

/// The leaves among the fields of a line.
pub(super) fn leaves(fields: Vec<(String, Raw)>) -> Leaves {
    fn collect(prefix: &str, fields: Vec<(String, Raw)>, depth: usize, into: &mut Leaves) {
        for (name, value) in fields {
            // Below the top, a name with dots is no path.
            if into.len() >= LEAVES || depth > 0 && name.contains('.') {
                continue;
            }
            let path = if depth > 0 { format!("{prefix}.{name}") } else { name };
            match value {
                Raw::Object(inner) if depth < DEPTH => collect(&path, inner, depth + 1, into),
                Raw::Object(_) | Raw::List(_) | Raw::Deep => {}
                value => into.push((path, value)),
            }
        }
    }
    let mut all = Vec::new();
    collect("", fields, 0, &mut all);
    all
}

/// The path whose values are event types that the rules declare, in the most of these lines.
pub(super) fn type_field(lines: &[Leaves], is_declared: impl Fn(&str) -> bool) -> Option<String> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for (path, value) in lines.iter().flatten() {
        let (Raw::Text(text) | Raw::Cell(text)) = value else { continue };
        if is_declared(text) {
            match found.iter_mut().find(|(known, _)| known == path) {
                Some((_, count)) => *count += 1,
                None => found.push((path, 1)),
            }
        }
    }
    let most = found.iter().rev().max_by_key(|(_, count)| *count);
    most.map(|(path, _)| (*path).to_owned())
}

/// The options that name the likeliest time of a line.
pub(super) fn time_options(line: &Leaves, unit: TimeUnit) -> Option<String> {
    let moment = |path: &str, value: &Raw| {
        let number = match value {
            Raw::Text(text) | Raw::Cell(text) => match text.parse::<f64>() {
                Ok(number) => number,
                // A date that is a key or a title is rare.
                Err(_) => return text.parse::<Timestamp>().is_ok().then_some(None),
            },
            #[expect(clippy::cast_precision_loss, reason = "the size is what matters")]
            Raw::Int(number) => *number as f64,
            Raw::Float(number) => *number,
            _ => return None,
        };
        // Any number could be a moment: its name has to speak of one.
        likely_unit(number).filter(|_| name_rank(path) > 0).map(Some)
    };
    let times = line.iter().filter_map(|(path, value)| Some((path, moment(path, value)?)));
    let best = times.rev().max_by_key(|(path, _)| (name_rank(path), !path.contains('.')));
    best.map(|(path, found)| {
        let unit = found.filter(|found| *found != unit).map(TimeUnit::as_str);
        let unit = unit.map_or(String::new(), |unit| format!(" --time-unit {unit}"));
        format!("--time-field {}{unit}", argument(path))
    })
}

/// Of `candidates`, the one that `name` most likely means, if one is near enough. Case and what
/// separates words count for nothing: `orderId` is `order_id`.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const CANDIDATES: usize = 1000;
    let wanted = letters(name);
    let length = wanted.chars().count();
    let limit = (length / 3).clamp(1, 5);
    let near = |candidate: &'a str| {
        let found = letters(candidate);
        if wanted.is_empty() || found.is_empty() {
            return None;
        }
        // `payment` and `payment_approved`: the shorter is one of the words of the longer.
        let (short, long) = if words(name).len() < words(candidate).len() {
            (words(name), words(candidate))
        } else {
            (words(candidate), words(name))
        };
        let is_part = !short.is_empty()
            && short.iter().all(|word| word.len() > 3 && long.contains(word))
            && short.len() < long.len();
        let distance = if length.abs_diff(found.chars().count()) > limit {
            usize::MAX
        } else {
            edit_distance(&wanted, &found)
        };
        if distance <= limit && distance < length {
            Some((distance, candidate))
        } else {
            is_part.then_some((limit + 1, candidate))
        }
    };
    let near = candidates.into_iter().take(CANDIDATES).filter_map(near);
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The letters and digits of a name, in lower case.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).take(64).collect()
}

/// The words of a name: `order_paid`, `orderPaid` and `order-paid` have two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars().take(64) {
        if !c.is_alphanumeric() || c.is_uppercase() && was_lower {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_spelled_otherwise_are_near() {
        let seen = ["delivered", "payment_approved", "OrderCreated", "login", "x"];
        for (name, expected) in [
            ("payment_aproved", Some("payment_approved")),
            ("PaymentApproved", Some("payment_approved")),
            ("payment", Some("payment_approved")),
            ("order_created", Some("OrderCreated")),
            ("logins", Some("login")),
            ("refund", None),
            ("y", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, seen), expected, "{name}");
        }
    }

    #[test]
    fn the_type_and_the_time_are_found_nested() {
        let text = |text: &str| Raw::Text(text.into());
        let meta = vec![("kind".into(), text("paid")), ("at".into(), Raw::Int(1_714_557_600))];
        let line = leaves(vec![
            ("id".into(), text("1714557600")),
            ("meta".into(), Raw::Object(meta)),
            ("tags".into(), Raw::List(Vec::new())),
        ]);
        let lines = [line];
        assert_eq!(type_field(&lines, |name| name == "paid").as_deref(), Some("meta.kind"));
        assert_eq!(type_field(&lines, |_| false), None);
        let options = time_options(&lines[0], TimeUnit::Millis);
        assert_eq!(options.as_deref(), Some("--time-field meta.at --time-unit s"));
        let plain = leaves(vec![("when it was".into(), text("2024-05-01"))]);
        let options = time_options(&plain, TimeUnit::Millis);
        assert_eq!(options.as_deref(), Some("--time-field 'when it was'"));
    }
}
