//! What an engine reports, as lines, until sinks take it.

#[cfg(feature = "kafka")]
use std::fmt::Write as _;
use std::sync::Arc;

use kleene::stream::{Match, Overflow, Timeout};
use kleene::value::Value;
use kleene::{Engine, Record};
use kleene_input::Origin;
use kleene_report::output::{EventForm, LineForm, Shapes, write_text, write_value};
#[cfg(feature = "kafka")]
use kleene_report::reasons::INPUT_KEPT;
use kleene_report::reasons::write_reject;

/// The forms of captured events, in the order of a page.
const FORMS: [EventForm; 3] = [EventForm::None, EventForm::Ids, EventForm::Full];

/// The records that lines were made of, the first one at index 0.
#[derive(Debug, Default)]
pub(crate) struct RecordPlaces {
    pub(crate) partition: i32,
    pub(crate) offsets: Vec<i64>,
}

/// The place of a result in a page.
#[derive(Clone, Debug)]
struct ResultMark {
    rule: Arc<str>,
    /// The end of the line in each form.
    ends: [usize; 3],
    /// The end of the key, where keys are kept.
    key_end: usize,
}

/// Lines of results, in each form that a sink wants, and of rejected input.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: [Vec<u8>; 3],
    marks: Vec<ResultMark>,
    /// The keys of results, as text, where a sink wants them.
    keys: Vec<u8>,
    /// Lines of rejected and late events.
    pub(crate) rejects: Vec<u8>,
    /// The records that the input is made of, if it comes from Kafka.
    pub(crate) places: Option<RecordPlaces>,
}

/// A result of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageResult<'a> {
    pub(crate) rule: &'a Arc<str>,
    /// The line, with its newline.
    pub(crate) line: &'a [u8],
    /// The key as text: its value if it has one part, else a list. Empty if keys are not kept, and
    /// for a rule without a key.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "records of Kafka have it"))]
    pub(crate) key: &'a [u8],
}

impl Page {
    /// Returns the number of results.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn has_results(&self) -> bool {
        !self.marks.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.rejects.is_empty()
    }

    /// Returns the results with captured events in a form.
    pub(crate) fn results(&self, form: EventForm) -> impl Iterator<Item = PageResult<'_>> {
        let index = index_of(form);
        let (mut start, mut key_start) = (0, 0);
        self.marks.iter().map(move |mark| {
            let line = &self.lines[index][start..mark.ends[index]];
            let key = &self.keys[key_start..mark.key_end];
            (start, key_start) = (mark.ends[index], mark.key_end);
            PageResult { rule: &mark.rule, line, key }
        })
    }

    /// Returns the lines of all results in a form.
    pub(crate) fn all(&self, form: EventForm) -> &[u8] {
        &self.lines[index_of(form)]
    }

    /// Adds a line of rejected input, with its line, or the record that the line was made of.
    pub(crate) fn reject(&mut self, source: &str, origin: Origin<'_>, reason: &str) {
        let place = self.place(origin.line);
        let line = &mut self.rejects;
        line.extend_from_slice(b"{\"source\":");
        write_text(line, source);
        line.extend_from_slice(format!(",{place}").as_bytes());
        write_reject(line, reason, origin.text);
    }

    fn place(&self, line: u64) -> String {
        if let Some(RecordPlaces { partition, offsets }) = &self.places {
            let index = usize::try_from(line).unwrap_or(usize::MAX);
            let offset = offsets.get(index).copied().unwrap_or_default();
            return place_of(*partition, offset);
        }
        format!("\"line\":{line}")
    }

    /// Adds a line of a rejected record. Its value is not text: it is written in hexadecimal.
    #[cfg(feature = "kafka")]
    pub(crate) fn reject_record(
        &mut self,
        source: &str,
        (partition, offset): (i32, i64),
        (value, reason): (&[u8], &str),
    ) {
        let line = &mut self.rejects;
        line.extend_from_slice(b"{\"source\":");
        write_text(line, source);
        line.extend_from_slice(format!(",{}", place_of(partition, offset)).as_bytes());
        let mut digits = String::new();
        for byte in value.iter().take(INPUT_KEPT / 2) {
            // Writing to memory does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        write_reject(line, reason, digits.as_bytes());
    }

    pub(crate) fn clear(&mut self) {
        self.lines.iter_mut().for_each(Vec::clear);
        self.marks.clear();
        self.keys.clear();
        self.rejects.clear();
    }
}

/// Returns the place of a record in a topic.
fn place_of(partition: i32, offset: i64) -> String {
    format!("\"partition\":{partition},\"offset\":{offset}")
}

fn index_of(form: EventForm) -> usize {
    FORMS.iter().position(|known| *known == form).unwrap_or(2)
}

/// The layout of the lines of a page.
#[derive(Clone, Debug)]
pub(crate) struct PageShapes {
    shapes: [Option<Shapes>; 3],
    keeps_keys: bool,
}

/// What a page holds of each result.
#[derive(Clone, Debug)]
pub(crate) struct PageContent {
    /// The forms of captured events that sinks want.
    pub(crate) forms: Vec<EventForm>,
    /// True if the keys of results are kept.
    pub(crate) keeps_keys: bool,
}

impl PageShapes {
    /// Makes the layout of results of an engine.
    pub(crate) fn new(content: &PageContent, engine: &Engine<Record>) -> PageShapes {
        let shapes = FORMS.map(|form| {
            content.forms.contains(&form).then(|| {
                // Events of several sources have one name for the time that no type declares.
                let shapes = Shapes::new(engine.schema(), "ts".into(), LineForm::Json);
                shapes.with_events(form).with_rules(engine.rules())
            })
        });
        PageShapes { shapes, keeps_keys: content.keeps_keys }
    }

    fn add(&self, page: &mut Page, rule: &Arc<str>, mut write: impl FnMut(&Shapes, &mut Vec<u8>)) {
        let mut ends = [0; 3];
        for ((shapes, lines), end) in self.shapes.iter().zip(&mut page.lines).zip(&mut ends) {
            if let Some(shapes) = shapes {
                write(shapes, lines);
            }
            *end = lines.len();
        }
        let key_end = page.keys.len();
        page.marks.push(ResultMark { rule: rule.clone(), ends, key_end });
    }

    pub(crate) fn matched(&self, page: &mut Page, found: &Match<'_, Record>) {
        self.add_key(page, found);
        let rule = &found.rule().name;
        self.add(page, rule, |shapes, line| shapes.matched(line, found));
    }

    pub(crate) fn timed_out(&self, page: &mut Page, timeout: &Timeout<'_, Record>) {
        self.add_key(page, timeout.as_match());
        let rule = &timeout.rule().name;
        self.add(page, rule, |shapes, line| shapes.timed_out(line, timeout));
    }

    fn add_key(&self, page: &mut Page, found: &Match<'_, Record>) {
        if !self.keeps_keys {
            return;
        }
        let mut values = found.key_values().map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => {}
            (Some(Value::String(text)), None) => page.keys.extend_from_slice(text.as_bytes()),
            (Some(value), None) => write_value(&mut page.keys, value.as_ref()),
            _ => {
                for (index, (_, value)) in found.key_values().enumerate() {
                    page.keys.push(if index == 0 { b'[' } else { b',' });
                    write_value(&mut page.keys, value.as_ref());
                }
                page.keys.push(b']');
            }
        }
    }

    /// Adds the limit that was reached for a key of a rule. Other limits have no line.
    pub(crate) fn limited(&self, page: &mut Page, overflow: &Overflow) {
        let Some(key) = &overflow.key else { return };
        let write = |shapes: &Shapes, line: &mut Vec<u8>| shapes.limited(line, overflow);
        self.add(page, &key.rule, write);
    }
}
