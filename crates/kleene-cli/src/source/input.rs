//! An input that is open: lines of text, or rows of columns.

use anyhow::{Result, bail};
use kleene_input::{Opened, Position, open_at};

use super::detect::{NOT_BUILT_IN, columns_of_file, columns_of_pipe, is_regular};
use super::topic::{open_topic, topic_of};
use crate::args::InputArgs;

/// What holds an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RowName {
    /// A line of text.
    Line,
    /// A row of columns.
    Row,
}

impl RowName {
    /// Returns the word in messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            RowName::Line => "line",
            RowName::Row => "row",
        }
    }
}

/// An input that is open, and what it holds.
pub(crate) struct OpenInput {
    pub(crate) opened: Opened,
    pub(crate) row_name: RowName,
    /// The position up to which it was read before. In columns it is a number of rows.
    #[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "text is open at it"))]
    pub(super) from: Position,
}

impl OpenInput {
    /// Opens an input at the position up to which it was read before. Columns are recognised by their
    /// first bytes.
    ///
    /// # Errors
    /// The input cannot be read, or is of another format than the arguments say.
    pub(crate) fn open(args: &InputArgs, from: Position) -> Result<OpenInput> {
        if let Some(topic) = topic_of(&args.input) {
            args.refuse_other_format(None)?;
            let opened = open_topic(topic)?;
            return Ok(OpenInput { opened, row_name: RowName::Line, from });
        }
        let mut columns = columns_of_file(&args.input);
        let place = if columns.is_some() { Position::default() } else { from };
        let mut opened = open_at(&args.input, place)?;
        if !is_regular(&args.input) && !args.is_typed() {
            columns = columns_of_pipe(&mut opened)?;
        }
        args.refuse_other_format(columns)?;
        let row_name = if columns.is_some() { RowName::Row } else { RowName::Line };
        if row_name == RowName::Row && !cfg!(feature = "arrow") {
            bail!(NOT_BUILT_IN);
        }
        Ok(OpenInput { opened, row_name, from })
    }
}
