//! Values of the configuration: how each is read from TOML and from text, and written back.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A type that a configuration key may have.
pub trait Value: Sized {
    /// What is expected, for error messages.
    const FORM: &'static str;
    /// From text, as flags and the environment give it.
    fn from_text(text: &str) -> Option<Self>;
    /// From TOML; by default a string is read as text.
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_str().and_then(Self::from_text)
    }
    /// As TOML.
    fn to_toml(&self) -> String;
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for bool {
    const FORM: &'static str = "true or false";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_bool()
    }
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    const FORM: &'static str = "a whole number";
    fn from_text(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_integer().and_then(|number| number.try_into().ok())
    }
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const FORM: &'static str = "a text";
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn to_toml(&self) -> String {
        quoted(self)
    }
}

impl Value for Vec<String> {
    const FORM: &'static str = "a list of texts";
    fn from_text(text: &str) -> Option<Self> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Some(parts.map(str::to_owned).collect())
    }
    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    }
    fn to_toml(&self) -> String {
        let list = self.iter().cloned().map(toml::Value::String).collect();
        toml::Value::Array(list).to_string()
    }
}

impl Value for SocketAddr {
    const FORM: &'static str = "an address and port, as \"127.0.0.1:8645\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn to_toml(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Option<PathBuf> {
    const FORM: &'static str = "a path, or \"\" for none";
    fn from_text(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }
    fn to_toml(&self) -> String {
        quoted(&self.as_ref().map(|path| path.display().to_string()).unwrap_or_default())
    }
}

impl Value for Duration {
    const FORM: &'static str = "a duration, as \"500ms\" or \"30s\"";
    fn from_text(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }
    fn to_toml(&self) -> String {
        quoted(&humantime::format_duration(*self).to_string())
    }
}

/// A number of bytes, written as `"128 KiB"` or `"50 GB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Units, largest first within each family so that a value is written with the largest that divides it.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |unit: u64| self.0 >= unit && self.0.is_multiple_of(unit);
        let (name, unit) = UNITS.into_iter().find(|(_, unit)| fits(*unit)).unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0.checked_div(unit).unwrap_or(self.0))
    }
}

impl Value for ByteSize {
    const FORM: &'static str = "a size, as \"128 KiB\" or \"50 GB\"";
    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (digits, name) = text.split_at_checked(end)?;
        let number: u64 = digits.replace('_', "").parse().ok()?;
        let name = name.trim();
        let unit = if name.is_empty() {
            1
        } else {
            UNITS.into_iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name))?.1
        };
        number.checked_mul(unit).map(Self)
    }
    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Integer(bytes) => u64::try_from(*bytes).ok().map(Self),
            value => value.as_str().and_then(Self::from_text),
        }
    }
    fn to_toml(&self) -> String {
        quoted(&self.to_string())
    }
}

/// Which transactions the index knows by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexTransactions {
    /// All on a full node, none on a validator.
    Auto,
    /// All kept ones.
    All,
    /// None: only those of the replay window are found by id.
    None,
}

impl IndexTransactions {
    /// Whether a node indexes all transactions.
    #[must_use]
    pub const fn is_all(self, is_validator: bool) -> bool {
        match self {
            Self::Auto => !is_validator,
            Self::All => true,
            Self::None => false,
        }
    }
}

impl Value for IndexTransactions {
    const FORM: &'static str = "\"auto\", \"all\" or \"none\"";
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "all" => Some(Self::All),
            "none" => Some(Self::None),
            _ => None,
        }
    }
    fn to_toml(&self) -> String {
        quoted(match self {
            Self::Auto => "auto",
            Self::All => "all",
            Self::None => "none",
        })
    }
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
}

impl Value for LogFormat {
    const FORM: &'static str = "\"text\", \"json\" or \"logfmt\"";
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "logfmt" => Some(Self::Logfmt),
            _ => None,
        }
    }
    fn to_toml(&self) -> String {
        quoted(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
        })
    }
}
