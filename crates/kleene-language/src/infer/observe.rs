//! From an input to a sample.

use std::io;

use kleene_input::{Format, RawFeed, RawItem};

use super::sample::Sample;

/// The number of lines that are no events and are shown with their reasons.
const SHOWN: usize = 3;

/// The result of reading a sample.
#[derive(Debug, Default)]
pub struct Read {
    /// Lines that are events.
    pub events: u64,
    /// Lines that are no events.
    pub rejected: u64,
    /// Of these, those that only lack a type.
    pub typeless: u64,
    /// The first of them, with the reasons.
    pub reasons: Vec<String>,
    /// True if there is no more in the input.
    pub is_whole: bool,
    /// Why no event can be read from the input.
    unreadable: Option<String>,
}

/// Reads up to `lines` lines of an input.
///
/// # Errors
/// The input cannot be read any further.
pub fn observe(feed: &mut RawFeed, sample: &mut Sample, lines: u64) -> io::Result<Read> {
    let mut read = Read::default();
    // Lines that are no events count as well: an endless input of them has to end, too.
    while read.events + read.rejected < lines {
        match feed.next_item()? {
            RawItem::Event(fields) => match sample.add(fields) {
                Ok(()) => read.events += 1,
                Err(reason) => {
                    read.typeless += 1;
                    read.reject(None, reason);
                }
            },
            RawItem::Rejected(line, reason) => read.reject(Some(line), reason),
            RawItem::End => {
                read.is_whole = true;
                break;
            }
            RawItem::Unreadable(reason) => {
                read.unreadable = Some(reason);
                break;
            }
        }
    }
    Ok(read)
}

impl Read {
    fn reject(&mut self, line: Option<u64>, reason: String) {
        self.rejected += 1;
        if self.reasons.len() < SHOWN && !self.reasons.contains(&reason) {
            self.reasons.push(match line {
                Some(line) => format!("line {line}: {reason}"),
                None => reason,
            });
        }
    }

    /// Why nothing can be inferred, if there is no event.
    pub fn nothing(&self, feed: &RawFeed, sample: &Sample, format: Format) -> String {
        if let Some(reason) = &self.unreadable {
            return reason.clone();
        }
        if feed.is_empty() {
            return String::from("the input is empty");
        }
        let reasons = self.reasons.join("\n  ");
        if self.typeless > 0 {
            return format!("{reasons}\nhelp: {}", sample.hint());
        }
        let help = match format {
            _ if self.rejected == 0 => return String::from("the input contains no event"),
            Format::Jsonl => {
                "expected one JSON object per line; for CSV, add --format csv; convert a JSON array \
                 with `jq -c '.[]'`"
            }
            Format::Csv => {
                "expected CSV; for JSON, add --format jsonl; for another delimiter, add --delimiter"
            }
        };
        format!("no line could be read as an event:\n  {reasons}\nhelp: {help}")
    }
}
