//! What an engine reports, as lines, until sinks take it.

use std::sync::Arc;

use kleene::stream::{Match, Overflow, Timeout};
use kleene::{Engine, Record};
use kleene_report::output::{EventForm, LineForm, Shapes};

/// The forms of captured events, in the order of a page.
const FORMS: [EventForm; 3] = [EventForm::None, EventForm::Ids, EventForm::Full];

/// The kind of a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ResultKind {
    Match,
    Timeout,
    /// A limit was reached for a key of a rule.
    Limit,
}

/// The place of a result in a page.
#[derive(Clone, Debug)]
struct ResultMark {
    rule: Arc<str>,
    kind: ResultKind,
    /// The end of the line in each form.
    ends: [usize; 3],
}

/// Lines of results, in each form that a sink wants, and of rejected input.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: [Vec<u8>; 3],
    marks: Vec<ResultMark>,
    /// Lines of rejected and late events.
    pub(crate) rejects: Vec<u8>,
}

/// A result of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageResult<'a> {
    pub(crate) rule: &'a Arc<str>,
    pub(crate) kind: ResultKind,
    /// The line, with its newline.
    pub(crate) line: &'a [u8],
}

impl Page {
    /// Returns the number of results.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.rejects.is_empty()
    }

    /// Returns the results with captured events in a form.
    pub(crate) fn results(&self, form: EventForm) -> impl Iterator<Item = PageResult<'_>> {
        let index = index_of(form);
        let mut start = 0;
        self.marks.iter().map(move |mark| {
            let line = &self.lines[index][start..mark.ends[index]];
            start = mark.ends[index];
            PageResult { rule: &mark.rule, kind: mark.kind, line }
        })
    }

    /// Returns the lines of all results in a form.
    pub(crate) fn all(&self, form: EventForm) -> &[u8] {
        &self.lines[index_of(form)]
    }

    pub(crate) fn clear(&mut self) {
        self.lines.iter_mut().for_each(Vec::clear);
        self.marks.clear();
        self.rejects.clear();
    }
}

fn index_of(form: EventForm) -> usize {
    FORMS.iter().position(|known| *known == form).unwrap_or(2)
}

/// The layout of the lines of a page.
#[derive(Clone, Debug)]
pub(crate) struct PageShapes([Option<Shapes>; 3]);

impl PageShapes {
    /// Makes the layout of results of an engine in these forms.
    pub(crate) fn new(forms: &[EventForm], engine: &Engine<Record>) -> PageShapes {
        PageShapes(FORMS.map(|form| {
            forms.contains(&form).then(|| {
                // Events of several sources have one name for the time that no type declares.
                let shapes = Shapes::new(engine.schema(), "ts".into(), LineForm::Json);
                shapes.with_events(form).with_rules(engine.rules())
            })
        }))
    }

    fn add(
        &self,
        page: &mut Page,
        rule: &Arc<str>,
        kind: ResultKind,
        mut write: impl FnMut(&Shapes, &mut Vec<u8>),
    ) {
        let mut ends = [0; 3];
        for ((shapes, lines), end) in self.0.iter().zip(&mut page.lines).zip(&mut ends) {
            if let Some(shapes) = shapes {
                write(shapes, lines);
            }
            *end = lines.len();
        }
        page.marks.push(ResultMark { rule: rule.clone(), kind, ends });
    }

    pub(crate) fn matched(&self, page: &mut Page, found: &Match<'_, Record>) {
        let rule = &found.rule().name;
        self.add(page, rule, ResultKind::Match, |shapes, line| shapes.matched(line, found));
    }

    pub(crate) fn timed_out(&self, page: &mut Page, timeout: &Timeout<'_, Record>) {
        let rule = &timeout.rule().name;
        self.add(page, rule, ResultKind::Timeout, |shapes, line| shapes.timed_out(line, timeout));
    }

    /// Adds the limit that was reached for a key of a rule. Other limits have no line.
    pub(crate) fn limited(&self, page: &mut Page, overflow: &Overflow) {
        let Some(key) = &overflow.key else { return };
        let write = |shapes: &Shapes, line: &mut Vec<u8>| shapes.limited(line, overflow);
        self.add(page, &key.rule, ResultKind::Limit, write);
    }
}
