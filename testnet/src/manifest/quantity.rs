//! Durations `"500ms"`, `"2s"` and rates `"1MB/s"` as manifests and flags write them.

use serde::{Deserialize, Deserializer};
use std::str::FromStr;

/// A duration of whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Duration {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(format!("a duration like \"500ms\" or \"2s\", not {text:?}")),
        };
        scaled(number, factor).map(Self).ok_or_else(|| format!("no duration: {text:?}"))
    }
}

/// Payload bytes per second; zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// The rate.
    pub bytes_per_second: u64,
}

impl Rate {
    /// In 10⁶ bytes per second.
    #[must_use]
    pub fn megabytes(self) -> f64 {
        self.bytes_per_second as f64 / 1e6
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("a rate like \"10MB/s\" or \"500KB/s\", not {text:?}");
        let (number, unit) = split(text);
        let factor = match unit {
            "B/s" => 1,
            "KB/s" | "kB/s" => 1_000,
            "MB/s" => 1_000_000,
            "KiB/s" => 1 << 10,
            "MiB/s" => 1 << 20,
            _ => return Err(wrong()),
        };
        let bytes_per_second = scaled(number, factor).ok_or_else(wrong)?;
        Ok(Self { bytes_per_second })
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(at).unwrap_or((text, ""));
    (number, unit.trim())
}

/// `number × factor` with up to three decimals.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let places = u32::try_from(decimals.len()).ok().filter(|n| *n <= 3)?;
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = decimals.parse().ok()?;
    let part = part.checked_mul(factor)?.checked_div(10u64.checked_pow(places)?)?;
    whole.checked_mul(factor)?.checked_add(part)
}

fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(d: D) -> Result<T, D::Error> {
    String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_text(d)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        from_text(d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units_and_decimals() {
        assert_eq!("500ms".parse(), Ok(Duration(500)));
        assert_eq!("1.5s".parse(), Ok(Duration(1_500)));
        assert_eq!("10MB/s".parse(), Ok(Rate { bytes_per_second: 10_000_000 }));
        assert_eq!("2.5 MB/s".parse(), Ok(Rate { bytes_per_second: 2_500_000 }));
        for wrong in ["", "5", "s", "-1s", "1e3s", "1.2345s", "99999999999999999999s"] {
            assert!(wrong.parse::<Duration>().is_err(), "{wrong}");
        }
        assert!("10MB".parse::<Rate>().is_err());
    }
}
