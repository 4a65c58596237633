//! Time zones: offsets, and with the feature `tz` the names of the IANA database.
//!
//! The tables are built into the library: a rule's answer must not depend on the machine that it
//! runs on.

use kleene_event::time::Timestamp;
use kleene_event::util::spelling::nearest;

/// A time zone that functions of times can be asked for.
#[derive(Clone, Debug)]
pub struct Zone(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// An offset in milliseconds east of Greenwich.
    Offset(i64),
    #[cfg(feature = "tz")]
    Named(jiff::tz::TimeZone),
}

/// A moment as clocks in some zone show it.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// Milliseconds since 1970-01-01T00:00 on that clock.
    pub(super) millis: i64,
    /// The difference between the clock and UTC, in milliseconds.
    pub(super) offset: i64,
}

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone(Repr::Offset(0));

    /// Reads a zone: `UTC`, `Z`, `+02:00`, `-0530`, or a name like `Europe/Berlin`.
    pub fn parse(text: &str) -> Option<Zone> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Some(Zone::UTC);
        }
        match parse_offset(text) {
            Some(offset) => Some(Zone(Repr::Offset(offset))),
            None => named(text),
        }
    }

    /// Returns the local time in the zone at a moment; `None` for moments that calendars do not
    /// reach.
    pub(super) fn local(&self, time: Timestamp) -> Option<Local> {
        let offset = match &self.0 {
            Repr::Offset(offset) => *offset,
            #[cfg(feature = "tz")]
            Repr::Named(zone) => {
                let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
                i64::from(zone.to_offset(time).seconds()) * 1000
            }
        };
        Some(Local { millis: time.as_millis().checked_add(offset)?, offset })
    }

    /// Returns the moment at which clocks in the zone show `millis` milliseconds since
    /// 1970-01-01T00:00. For an hour that clocks show twice, the first one counts; an hour that
    /// they skip is counted on from the hour before. `None` for moments that calendars do not
    /// reach.
    pub(super) fn moment(&self, millis: i64) -> Option<Timestamp> {
        let offset = match &self.0 {
            Repr::Offset(offset) => *offset,
            #[cfg(feature = "tz")]
            Repr::Named(zone) => {
                // In UTC, a local time is a timestamp.
                let shown = jiff::Timestamp::from_millisecond(millis).ok()?;
                let shown = jiff::tz::Offset::UTC.to_datetime(shown);
                return zone
                    .to_ambiguous_timestamp(shown)
                    .compatible()
                    .ok()
                    .map(|moment| Timestamp::from_millis(moment.as_millisecond()));
            }
        };
        millis.checked_sub(offset).map(Timestamp::from_millis)
    }

    /// Returns help for a text that is no zone: how zones are written, and which known one may be
    /// meant.
    pub(crate) fn help(text: &str) -> String {
        if let Some(near) = nearest_name(text) {
            return format!("did you mean {near:?}?");
        }
        if cfg!(feature = "tz") {
            "write a name such as \"Europe/Berlin\", an offset such as \"+02:00\", or \"UTC\""
                .into()
        } else {
            "write an offset such as \"+02:00\", or \"UTC\"; this build knows no zones by name"
                .into()
        }
    }
}

/// Milliseconds east of Greenwich.
fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes() {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digit = |b: u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
    let pair = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
    let (hours, minutes) = match *digits {
        [a, b] => (pair(a, b)?, 0),
        [a, b, b':', c, d] | [a, b, c, d] => (pair(a, b)?, pair(c, d)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

#[cfg(feature = "tz")]
fn named(text: &str) -> Option<Zone> {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(text).ok()?;
    (!zone.is_unknown()).then_some(Zone(Repr::Named(zone)))
}

#[cfg(not(feature = "tz"))]
fn named(_: &str) -> Option<Zone> {
    None
}

#[cfg(feature = "tz")]
fn nearest_name(text: &str) -> Option<String> {
    let zones = jiff::tz::TimeZoneDatabase::bundled();
    let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
    let names = || names.iter().map(String::as_str);
    // The city alone is what comes to mind.
    let city = |name: &&str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        name.contains('/') && last.eq_ignore_ascii_case(&text.replace(' ', "_"))
    };
    names().find(city).or_else(|| nearest(text, names())).map(str::to_owned)
}

#[cfg(not(feature = "tz"))]
fn nearest_name(text: &str) -> Option<String> {
    nearest(text, ["UTC"]).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read() {
        for (text, minutes) in
            [("UTC", 0), ("z", 0), ("+02:00", 120), ("-0530", -330), ("+14", 840), ("-00:30", -30)]
        {
            let local = Zone::parse(text).and_then(|zone| zone.local(Timestamp::from_millis(5)));
            assert_eq!(local.map(|local| local.offset), Some(minutes * 60_000), "{text}");
        }
        for text in ["", "+2", "02:00", "+24:00", "+01:60", "+01:5", "Mars", "+\u{e9}"] {
            assert!(Zone::parse(text).is_none(), "{text}");
        }
    }

    #[cfg(feature = "tz")]
    #[test]
    fn names_know_summer_time_and_the_past() {
        for (zone, time, minutes) in [
            ("Europe/Berlin", "2024-03-31T00:59:59Z", 60),
            ("Europe/Berlin", "2024-03-31T01:00:00Z", 120),
            ("Europe/Berlin", "2024-10-27T00:59:59Z", 120),
            ("Europe/Berlin", "2024-10-27T01:00:00Z", 60),
            ("europe/berlin", "2050-07-01T00:00:00Z", 120),
            ("America/New_York", "2024-07-01T00:00:00Z", -240),
            ("Asia/Kolkata", "2024-07-01T00:00:00Z", 330),
            ("Asia/Tokyo", "1950-07-01T00:00:00Z", 600),
        ] {
            let time = time.parse().expect("it is a time");
            let local = Zone::parse(zone).and_then(|zone| zone.local(time));
            assert_eq!(local.map(|local| local.offset), Some(minutes * 60_000), "{zone} {time}");
        }
        let far = Zone::parse("Europe/Berlin").and_then(|zone| zone.local(Timestamp::MAX));
        assert!(far.is_none());
        assert_eq!(Zone::help("Europe/Berln"), "did you mean \"Europe/Berlin\"?");
        assert_eq!(Zone::help("new york"), "did you mean \"America/New_York\"?");
        assert!(Zone::help("Middle Earth").starts_with("write a name such as"));
    }
}
