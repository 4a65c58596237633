//! Functions of moments, in UTC or in a [`Zone`].

use std::fmt::Write as _;

use super::function::{DEFAULTS, Function};
use super::zone::{Local, Zone};
use kleene_event::time::{civil_from_days, days_from_civil};
use kleene_event::value::{Kind, Value, ValueRef};

const ONE: &[(&str, Kind)] = &[("time", Kind::TIME), ("zone", Kind::STRING)];
const DAY_MILLIS: i64 = 86_400_000;

/// Returns the local time of the moment in the call's first argument; `args[at]` is its zone.
fn local(args: &[ValueRef<'_>], at: usize) -> Option<Local> {
    let Some(ValueRef::Time(time)) = args.first() else { return None };
    match args.get(at) {
        None => Zone::UTC.local(*time),
        Some(ValueRef::String(zone)) => Zone::parse(zone)?.local(*time),
        Some(_) => None,
    }
}

/// The function of a local time, for calls whose zone is not known before.
macro_rules! zoned {
    ($at:expr, $local:expr) => {
        Function {
            call: |args| local(args, $at).map_or(Value::Null, |local| $local(local, args)),
            zoned: Some(($at, $local)),
            ..DEFAULTS
        }
    };
}

/// Monday is 1, as ISO 8601 counts; 1970-01-01 was a Thursday.
fn weekday(millis: i64) -> i64 {
    (millis.div_euclid(DAY_MILLIS) + 3).rem_euclid(7) + 1
}

pub(super) const HOUR: Function = Function {
    name: "hour",
    params: ONE,
    required: 1,
    result: Kind::INT,
    about: "The hour of the day, 0 to 23, in UTC or in a zone such as \"Europe/Berlin\" or \"+02:00\".",
    examples: &[
        ("hour(\"2024-03-01T22:30:00Z\")", "22"),
        ("hour(\"2024-03-01T22:30:00Z\", \"+02:00\")", "0"),
    ],
    ..zoned!(1, |t: Local, _| Value::Int(t.millis.rem_euclid(DAY_MILLIS) / 3_600_000))
};

pub(super) const DAY: Function = Function {
    name: "day",
    params: ONE,
    required: 1,
    result: Kind::INT,
    about: "The day of the month, 1 to 31.",
    examples: &[("day(\"2024-02-29T23:00:00Z\", \"+0200\")", "1")],
    ..zoned!(1, |t: Local, _| Value::Int(civil_from_days(t.millis.div_euclid(DAY_MILLIS)).2))
};

pub(super) const WEEKDAY: Function = Function {
    name: "weekday",
    params: ONE,
    required: 1,
    result: Kind::INT,
    about: "The day of the week, from 1 for Monday to 7 for Sunday.",
    examples: &[
        ("weekday(\"1970-01-01T00:00:00Z\")", "4"),
        ("weekday(\"2024-03-03T12:00:00Z\")", "7"),
    ],
    ..zoned!(1, |t: Local, _| Value::Int(weekday(t.millis)))
};

pub(super) const DATE: Function = Function {
    name: "date",
    params: ONE,
    required: 1,
    result: Kind::STRING,
    about: "The date as text, year first.",
    examples: &[("date(\"2024-03-01T22:30:00Z\")", "\"2024-03-01\"")],
    ..zoned!(1, |t: Local, _| {
        let (year, month, day) = civil_from_days(t.millis.div_euclid(DAY_MILLIS));
        Value::from(format!("{year:04}-{month:02}-{day:02}"))
    })
};

pub(super) const FORMAT: Function = Function {
    name: "format",
    params: &[("time", Kind::TIME), ("pattern", Kind::STRING), ("zone", Kind::STRING)],
    required: 2,
    result: Kind::STRING,
    about: "The time as text: %Y %m %d %H %M %S are year to second, %L milliseconds, %j the day of \
            the year, %a and %b the short English day and month, %u the number of the weekday, %z \
            the offset from UTC, %% a percent sign.",
    examples: &[
        ("format(\"2024-03-01T22:30:05Z\", \"%d.%m.%Y %H:%M\")", "\"01.03.2024 22:30\""),
        ("format(\"2024-03-01T22:30:05Z\", \"%a %b %j %%\", \"-01:00\")", "\"Fri Mar 061 %\""),
        ("format(\"2024-03-01T22:30:05Z\", \"%H%z\", \"-03:30\")", "\"19-0330\""),
    ],
    ..zoned!(2, |t: Local, args: &[ValueRef<'_>]| match args.get(1) {
        Some(ValueRef::String(pattern)) => Value::from(format(t, pattern)),
        _ => Value::Null,
    })
};

fn format(Local { millis, offset }: Local, pattern: &str) -> String {
    const DAYS: &str = "MonTueWedThuFriSatSun";
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let days = millis.div_euclid(DAY_MILLIS);
    let in_day = millis.rem_euclid(DAY_MILLIS);
    let (year, month, day) = civil_from_days(days);
    let name = |names: &'static str, number: i64| {
        let start = usize::try_from(number - 1).unwrap_or_default() * 3;
        names.get(start..start + 3).unwrap_or_default()
    };
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        // Writing to a string does not fail.
        let _ = match chars.next() {
            Some('Y') => write!(out, "{year:04}"),
            Some('m') => write!(out, "{month:02}"),
            Some('d') => write!(out, "{day:02}"),
            Some('H') => write!(out, "{:02}", in_day / 3_600_000),
            Some('M') => write!(out, "{:02}", in_day / 60_000 % 60),
            Some('S') => write!(out, "{:02}", in_day / 1000 % 60),
            Some('L') => write!(out, "{:03}", in_day % 1000),
            Some('j') => write!(out, "{:03}", days - days_from_civil(year, 1, 1) + 1),
            Some('u') => write!(out, "{}", weekday(millis)),
            Some('z') => {
                let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60_000);
                write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            Some('a') => write!(out, "{}", name(DAYS, weekday(millis))),
            Some('b') => write!(out, "{}", name(MONTHS, month)),
            Some(other) => {
                if other != '%' {
                    out.push('%');
                }
                out.push(other);
                Ok(())
            }
            None => {
                out.push('%');
                Ok(())
            }
        };
    }
    out
}
