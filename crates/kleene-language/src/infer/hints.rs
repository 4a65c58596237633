//! Hints for a sample of which no event has a type.

use super::decide::shown;
use super::seen::MAX_NAME;
use kleene_event::util::order;
use kleene_input::Raw;
use kleene_report::counts::counted;

/// Fields that could hold the event type: their values are few.
#[derive(Debug, Default)]
pub(super) struct Hints {
    fields: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Hints {
    const MAX_FIELDS: usize = 100;
    const MAX_VALUES: usize = 50;

    const MAX_DEPTH: usize = 4;

    /// Looks at the fields of an event without a type.
    pub(super) fn saw(&mut self, fields: &[(String, Raw)]) {
        self.saw_at("", fields, 0);
    }

    fn saw_at(&mut self, prefix: &str, fields: &[(String, Raw)], depth: usize) {
        for (name, value) in fields {
            let path = format!("{prefix}{name}");
            if let Raw::Object(inner) = value
                && depth < Self::MAX_DEPTH
            {
                self.saw_at(&format!("{path}."), inner, depth + 1);
            }
            let name = &path;
            let (Raw::Text(value) | Raw::Cell(value)) = value else { continue };
            if name.len() > MAX_NAME || value.len() > MAX_NAME || value.is_empty() {
                continue;
            }
            let known = match self.fields.iter().position(|(known, _)| **known == **name) {
                Some(index) => index,
                None if self.fields.len() < Self::MAX_FIELDS => {
                    self.fields.push((name.as_str().into(), Vec::new()));
                    self.fields.len() - 1
                }
                None => continue,
            };
            let values = &mut self.fields[known].1;
            if values.len() < Self::MAX_VALUES && !values.iter().any(|known| **known == **value) {
                values.push(value.as_str().into());
            }
        }
    }

    /// Returns what to do, with the fields that could hold the type.
    pub(super) fn text(&self) -> String {
        const SHOWN: usize = 3;
        let speaks = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["type", "event", "kind", "action", "name"].iter().any(|word| name.contains(word))
        };
        let mut likely: Vec<_> =
            self.fields.iter().filter(|(_, values)| values.len() < Self::MAX_VALUES).collect();
        order::sort_by_key(&mut likely, |(name, values)| (!speaks(name), values.len()));
        let likely: Vec<String> = likely
            .iter()
            .take(SHOWN)
            .map(|(name, values)| {
                format!("{} ({})", shown(&[name]), counted(values.len(), "value"))
            })
            .collect();
        let field = if likely.is_empty() {
            String::from("--type-field FIELD")
        } else {
            format!("--type-field FIELD, perhaps {}", likely.join(", "))
        };
        format!(
            "name the field that contains the type ({field}), or the type of all events (--type \
             NAME)"
        )
    }
}
