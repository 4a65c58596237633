//! Event declarations from a sample of events.

use kleene_input::RawFeed;
use kleene_language::infer::{Sample, Wanted, observe};

use crate::fault::Fault;
use crate::input::Input;
use crate::options::Options;

/// The maximum number of lines that are looked at.
const LINES: u64 = 100_000;

/// Declarations that fit the events.
///
/// # Errors
/// There is no event, or an option has no meaning.
pub fn infer(events: Vec<u8>, options: &Options) -> Result<String, Fault> {
    let input = Input::new(events, options)?;
    let (reading, form) = (input.reading, input.form);
    let mut feed = RawFeed::of(input.block, form);
    let mut sample = Sample::new(Wanted {
        type_field: reading.type_field,
        fixed_type: reading.fixed_type,
        time_field: reading.prefers_time_field.then_some(reading.time_field),
        unit: options.says_unit().then_some(reading.unit),
        form: Vec::new(),
    });
    let failed = |reason: String| Fault::events(&reason);
    let read = observe(&mut feed, &mut sample, LINES).map_err(|error| failed(error.to_string()))?;
    if read.events == 0 {
        return Err(failed(read.nothing(&feed, &sample, form.format)));
    }
    Ok(sample.declarations("the events"))
}
