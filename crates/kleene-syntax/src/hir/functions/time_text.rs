//! `time(text, layout, zone)`: the way back from what `format` writes.

use super::function::{DEFAULTS, Function};
use super::zone::Zone;
use kleene_event::time::{Timestamp, civil_from_days, days_from_civil};
use kleene_event::value::{Kind, Value, ValueRef};

const DAY_MILLIS: i64 = 86_400_000;

pub(super) const TIME: Function = Function {
    name: "time",
    params: &[("text", Kind::STRING), ("layout", Kind::STRING), ("zone", Kind::STRING)],
    required: 1,
    result: Kind::TIME,
    about: "The time in a text: in RFC 3339, or in a layout with the letters of `format`. Without \
            an offset, the time is in UTC, or in the zone. Null if the text does not contain a \
            time in the layout.",
    examples: &[
        ("time(\"2024-03-01T22:30:05Z\")", "2024-03-01T22:30:05Z"),
        ("time(\"01.03.2024 22:30\", \"%d.%m.%Y %H:%M\")", "2024-03-01T22:30:00Z"),
        ("time(\"1.3.2024\", \"%d.%m.%Y\", \"+02:00\")", "2024-02-29T22:00:00Z"),
        ("time(\"20240301T223005.25-0130\", \"%Y%m%dT%H%M%S.%L%z\")", "2024-03-02T00:00:05.250Z"),
        ("time(\"Fri Mar 01 2024\", \"%a %b %d %Y\")", "2024-03-01T00:00:00Z"),
        ("time(\"2024 061 5 100%\", \"%Y %j %u 100%%\")", "2024-03-01T00:00:00Z"),
        ("time(\"Mon Mar 01 2024\", \"%a %b %d %Y\")", "null"),
        ("time(\"2024-02-30\", \"%Y-%m-%d\")", "null"),
        ("time(\"2024-03-01 10:00\", \"%Y-%m-%d\")", "null"),
        ("time(\"yesterday\")", "null"),
        ("time(null)", "null"),
    ],
    call: |args| read(args).map_or(Value::Null, Value::Time),
    ..DEFAULTS
};

fn read(args: &[ValueRef<'_>]) -> Option<Timestamp> {
    let Some(ValueRef::String(text)) = args.first() else { return None };
    match args.get(1..) {
        None | Some([]) => text.parse().ok(),
        Some([ValueRef::String(layout)]) => parse(text, layout, &Zone::UTC),
        Some([ValueRef::String(layout), ValueRef::String(zone)]) => {
            parse(text, layout, &Zone::parse(zone)?)
        }
        Some(_) => None,
    }
}

/// True if a text in this layout says which year it is.
pub(crate) fn reads_date(layout: &str) -> bool {
    let mut chars = layout.chars();
    while let Some(c) = chars.next() {
        if c == '%' && chars.next() == Some('Y') {
            return true;
        }
    }
    false
}

/// The parts of a moment that a text has named so far.
#[derive(Default)]
struct TimeParts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    weekday: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    offset: Option<i64>,
}

fn parse(text: &str, layout: &str, zone: &Zone) -> Option<Timestamp> {
    let mut rest = text;
    let mut parts = TimeParts::default();
    let mut chars = layout.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            rest = rest.strip_prefix(c)?;
            continue;
        }
        match chars.next() {
            None | Some('%') => rest = rest.strip_prefix('%')?,
            Some(letter) => rest = parts.read(letter, rest)?,
        }
    }
    if rest.is_empty() { parts.moment(zone) } else { None }
}

impl TimeParts {
    /// Reads what a letter of the layout stands for. Gives what is left of the text.
    fn read<'t>(&mut self, letter: char, text: &'t str) -> Option<&'t str> {
        let rest;
        match letter {
            'Y' => {
                let year;
                (year, rest) = number(text, 4)?;
                self.year = Some(year);
            }
            'm' => (self.month, rest) = some(number(text, 2)?),
            'd' => (self.day, rest) = some(number(text, 2)?),
            'j' => (self.day_of_year, rest) = some(number(text, 3)?),
            'u' => (self.weekday, rest) = some(number(text, 1)?),
            'H' => (self.hour, rest) = number(text, 2)?,
            'M' => (self.minute, rest) = number(text, 2)?,
            'S' => (self.second, rest) = number(text, 2)?,
            'L' => (self.millis, rest) = fraction(text)?,
            'a' => {
                const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
                (self.weekday, rest) = some(name(text, &DAYS)?);
            }
            'b' => {
                const MONTHS: [&str; 12] = [
                    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
                    "Dec",
                ];
                (self.month, rest) = some(name(text, &MONTHS)?);
            }
            'z' => (self.offset, rest) = some(offset(text)?),
            // `format` writes an unknown letter as it stands.
            other => rest = text.strip_prefix('%')?.strip_prefix(other)?,
        }
        Some(rest)
    }

    fn moment(&self, zone: &Zone) -> Option<Timestamp> {
        let year = self.year?;
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let days = match self.day_of_year {
            Some(number) if self.month.is_none() && self.day.is_none() => {
                days_from_civil(year, 1, 1) + number - 1
            }
            _ => days_from_civil(year, month, day),
        };
        let (real_year, real_month, real_day) = civil_from_days(days);
        let day_of_year = days - days_from_civil(year, 1, 1) + 1;
        let is_date = real_year == year
            && self.month.is_none_or(|month| month == real_month)
            && self.day.is_none_or(|day| day == real_day)
            && self.day_of_year.is_none_or(|number| number == day_of_year)
            && self.weekday.is_none_or(|number| number == (days + 3).rem_euclid(7) + 1);
        if !is_date || self.hour > 23 || self.minute > 59 || self.second > 60 {
            return None;
        }
        let in_day = (self.hour * 60 + self.minute) * 60_000 + self.second * 1000 + self.millis;
        let shown = days * DAY_MILLIS + in_day;
        match self.offset {
            Some(offset) => Some(Timestamp::from_millis(shown - offset)),
            None => zone.moment(shown),
        }
    }
}

fn some((number, rest): (i64, &str)) -> (Option<i64>, &str) {
    (Some(number), rest)
}

/// Reads a number of one to `most` digits.
fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    digits.parse().ok().map(|number| (number, rest))
}

/// Reads the digits behind a point as milliseconds. What is finer is cut off.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    let millis: String = digits.chars().chain("00".chars()).take(3).collect();
    if digits.is_empty() { None } else { millis.parse().ok().map(|millis| (millis, rest)) }
}

/// Reads one of some names, in capitals or not. Gives its number from 1.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(i64, &'t str)> {
    let (found, rest) = text.split_at_checked(3)?;
    let (number, _) = (1..).zip(names).find(|(_, name)| found.eq_ignore_ascii_case(name))?;
    Some((number, rest))
}

/// Reads `Z`, `+02:00` or `-0530`. Gives milliseconds east of Greenwich.
fn offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let rest = text.strip_prefix(['+', '-'])?;
    let (hours, rest) = rest.split_at_checked(2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = rest.split_at_checked(2)?;
    let (hours, after_hours) = number(hours, 2)?;
    let (minutes, after_minutes) = number(minutes, 2)?;
    if !(after_hours.is_empty() && after_minutes.is_empty()) || hours > 23 || minutes > 59 {
        return None;
    }
    let millis = (hours * 60 + minutes) * 60_000;
    Some((if text.starts_with('-') { -millis } else { millis }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_written_is_read_back() {
        let layout = "%Y-%m-%d %H:%M:%S.%L %z %j %a %b %u";
        let mut millis = 1_i64;
        for zone in ["UTC", "+05:45", "-11:30"] {
            for _ in 0..500 {
                // A linear congruence: spreads over the years 0 to 9999.
                millis = millis.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let time = Timestamp::from_millis((millis >> 16).rem_euclid(250_000_000_000_000));
                let args = [ValueRef::Time(time), ValueRef::String(layout), ValueRef::String(zone)];
                let text = (super::super::time::FORMAT.call)(&args);
                let Value::String(text) = text else { panic!("{time} is not written") };
                assert_eq!(parse(&text, layout, &Zone::UTC), Some(time), "{text}");
            }
        }
    }

    #[cfg(feature = "tz")]
    #[test]
    fn clocks_that_are_put_forward_or_back() {
        let berlin = Zone::parse("Europe/Berlin").expect("it is known");
        for (text, moment) in [
            ("2024-03-31 01:59", Some("2024-03-31T00:59:00Z")),
            ("2024-03-31 02:30", Some("2024-03-31T01:30:00Z")),
            ("2024-10-27 02:30", Some("2024-10-27T00:30:00Z")),
            ("2024-10-27 03:00", Some("2024-10-27T02:00:00Z")),
            ("2024-10-27 24:00", None),
        ] {
            let read = parse(text, "%Y-%m-%d %H:%M", &berlin).map(|time| time.to_string());
            assert_eq!(read.as_deref(), moment, "{text}");
        }
    }

    #[test]
    fn no_text_and_no_layout_panics() {
        for layout in ["%Y%z", "%a%b", "%", "%%%", "%Q%Y", "%Y%j", "\u{e9}%Y", "%L"] {
            for text in [
                "",
                "\u{e9}",
                "2024+\u{e9}1",
                "2024+0\u{e9}",
                "9999",
                "%",
                "M\u{e9}",
                "2024999",
                "2024+01:00",
            ] {
                parse(text, layout, &Zone::UTC);
            }
        }
    }
}
