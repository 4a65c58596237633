//! Durations, sizes and secrets as a configuration file spells them.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// A duration as rules spell it: `250ms`, `5s`, `1h30m`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        let millis = kleene_input::duration_from_text(&text).map_err(D::Error::custom)?;
        let millis = u64::try_from(millis).map_err(|_| D::Error::custom("expected no sign"))?;
        Ok(Span(Duration::from_millis(millis)))
    }
}

/// A size in bytes: a number, or a text such as `64 MiB`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size such as 1000000 or \"64 MiB\"")]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Size(bytes)),
            Written::Text(text) => size(&text)
                .map(Size)
                .ok_or_else(|| D::Error::custom("expected a size such as 1000000 or \"64 MiB\"")),
        }
    }
}

fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The place of a secret, which is never in the file itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum SecretPlace {
    /// The name of an environment variable.
    Env(String),
    /// The path of a file, which is read without the newline at its end.
    File(PathBuf),
}

/// A secret. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns the secret, to send or to compare it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretPlace {
    /// Returns the secret; fails with the reason if it is missing or empty.
    pub(crate) fn read(&self, folder: &Path) -> Result<Secret, String> {
        let text = match self {
            SecretPlace::Env(name) => {
                env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
            }
            SecretPlace::File(path) => {
                let path = folder.join(path);
                let text = fs::read_to_string(&path);
                text.map_err(|error| format!("cannot read {}: {error}", path.display()))?
            }
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(String::from("the secret is empty"));
        }
        Ok(Secret(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let cases = [("17", Some(17)), ("64 MiB", Some(64 << 20)), ("2kB", Some(2000))];
        for (text, expected) in cases {
            assert_eq!(size(text), expected, "{text}");
        }
        for text in ["", "MiB", "3 pounds", "99999999999999999999", "99999999999999 GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret(String::from("hunter2"))), "Secret(..)");
    }
}
