//! From bytes to events: JSON lines and CSV, plain or packed with gzip, read as [`Record`]s of the
//! types that Kleene's rules declare.
//!
//! [`RecordReader`] is an iterator over the events of a file or of bytes:
//!
//! ```
//! use kleene::stream::Ignore;
//! use kleene::{Engine, RuleSet};
//! use kleene_input::RecordReader;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
//! let rules = RuleSet::from_path("examples/unpaid.cep")?;
//! let mut engine = Engine::builder().rules(&rules).build()?;
//! for event in RecordReader::open("examples/data/orders.jsonl", rules.schema())? {
//!     match event {
//!         Ok(event) => engine.push(&event, &mut Ignore)?,
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//! engine.end_input(&mut Ignore)?;
//! assert_eq!(engine.stats().matches, 6);
//! # Ok(())
//! # }
//! ```
//!
//! A line that cannot be read is reported with its number and a reason, and the other lines are
//! read. Memory does not grow beyond a few blocks and the longest allowed line.
//!
//! Two layers lie below. [`Feed`] takes all options and waits for input. [`Blocks`] cuts an input
//! into pieces of whole lines, and a [`BatchReader`], or a [`Parser`] for each thread, parses them.
//!
//! The version of this crate is a promise: a program that compiles against 0.1 compiles against
//! each 0.1.x, and reads the same events.
//!
//! [`Record`]: kleene::Record

#![forbid(unsafe_code)]

mod ahead;
mod batch_reader;
mod block;
mod csv;
mod feed;
mod form;
mod gzip;
mod json;
mod layout;
mod number;
mod option_names;
mod parser;
mod position;
mod raw;
mod reader;
mod reasons;
mod records;
mod repeated_texts;
mod scalar;
mod source;
mod time;
mod typed;

pub use ahead::{AheadBlock, AheadParser};
pub use batch_reader::BatchReader;
pub use block::Block;
pub use csv::{delimiter_argument, other_delimiter};
pub use feed::{Feed, Fill, Parsing};
pub use form::{Form, Format, delimiter_of};
pub use gzip::{is_gzip, unpack};
pub use kleene::event::TimeUnit;
pub use layout::Reading;
pub use option_names::OptionNames;
pub use parser::{InputItem, Parser};
pub use position::Position;
pub use raw::{MAX_DEPTH, Raw, RawFeed, RawItem, fields_of_line, list as list_from_cell};
pub use reader::{InputError, RecordReader};
pub use records::{Cursor, Origin};
pub use scalar::{quoted, wrong_element};
pub use source::{Arrival, Blocks, Counted, Opened, is_packed, open, open_at};
pub use time::{TIMES, duration_from_text, likely_unit, millis_of};
