//! Overlaying defaults, file, environment and flags, remembering where each value came from.

use super::{Config, Entry};
use crate::error::{ExitCode, OperatorError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A configuration that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML.
    #[error("{origin}: {reason}")]
    Syntax {
        /// The file.
        origin: Source,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key}")]
    UnknownKey {
        /// Where it is.
        origin: Source,
        /// The key.
        key: String,
        /// The known one that is most like it.
        nearest: String,
    },
    /// A value of another form.
    #[error("{origin}: {key} = {found}, expected {expected}")]
    BadValue {
        /// Where it is.
        origin: Source,
        /// The key.
        key: String,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
}

impl From<ConfigError> for OperatorError {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::Syntax { .. } => {
                "rota config default prints a whole file to compare with".to_owned()
            }
            ConfigError::UnknownKey { nearest, .. } => format!("did you mean {nearest}?"),
            ConfigError::BadValue { key, .. } => {
                format!("rota config default shows {key} with its form")
            }
        };
        Self::new(ExitCode::Config, "the configuration cannot be used").cause(&error).hint(hint)
    }
}

/// A configuration and the source of each of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The values.
    pub config: Config,
    sources: BTreeMap<String, Source>,
}

/// The known name most like `given`.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    let distance = |name: &&str| strsim::damerau_levenshtein(&given.to_lowercase(), name);
    known.into_iter().min_by_key(distance).unwrap_or_default()
}

fn variable_name(key: &str) -> String {
    format!("ROTA_{}", key.replace('.', "_").to_uppercase())
}

impl Effective {
    /// Overlays a file's text, environment variables and flags (`section.key`, text) on the defaults.
    ///
    /// Environment variables count if they begin with `ROTA_<SECTION>_`; others, as `ROTA_HOME`, are left alone.
    ///
    /// # Errors
    /// The first key or value that is wrong.
    pub fn load(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut effective = Self { config: Config::default(), sources: BTreeMap::new() };
        if let Some((path, text)) = file {
            effective.overlay_file(path, text)?;
        }
        for (name, text) in environment {
            effective.overlay_variable(&name, &text)?;
        }
        for (key, text) in flags {
            effective.overlay_text(&key, &text, Source::Flag(key.clone()))?;
        }
        Ok(effective)
    }

    fn overlay_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let origin = Source::File(path.to_path_buf());
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            ConfigError::Syntax { origin: origin.clone(), reason: error.to_string() }
        })?;
        for (section, values) in &table {
            let Some(values) = values.as_table() else {
                return Err(unknown(origin, section.clone()));
            };
            if !Config::SECTIONS.iter().any(|(name, _)| name == section) {
                let key = values
                    .keys()
                    .next()
                    .map_or_else(|| section.clone(), |first| format!("{section}.{first}"));
                return Err(unknown(origin, key));
            }
            for (name, value) in values {
                let key = format!("{section}.{name}");
                match self.config.set_toml(&key, value) {
                    None => return Err(unknown(origin, key)),
                    Some(Ok(())) => {
                        self.sources.insert(key, origin.clone());
                    }
                    Some(Err(expected)) => {
                        let found = value.to_string();
                        return Err(ConfigError::BadValue { origin, key, found, expected });
                    }
                }
            }
        }
        Ok(())
    }

    fn overlay_variable(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let ours = |(section, _): &(&str, &str)| {
            name.starts_with(&format!("ROTA_{}_", section.to_uppercase()))
        };
        if !Config::SECTIONS.iter().any(ours) {
            return Ok(());
        }
        let key = Config::KEYS.iter().find(|key| variable_name(key) == name);
        let origin = Source::Environment(name.to_owned());
        match key {
            Some(key) => self.overlay_text(key, text, origin),
            None => {
                let names: Vec<String> =
                    Config::KEYS.iter().map(|key| variable_name(key)).collect();
                let best =
                    names.iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
                Err(ConfigError::UnknownKey {
                    origin,
                    key: name.to_owned(),
                    nearest: best.cloned().unwrap_or_default(),
                })
            }
        }
    }

    fn overlay_text(&mut self, key: &str, text: &str, origin: Source) -> Result<(), ConfigError> {
        match self.config.set_text(key, text) {
            None => Err(unknown(origin, key.to_owned())),
            Some(Ok(())) => {
                self.sources.insert(key.to_owned(), origin);
                Ok(())
            }
            Some(Err(expected)) => {
                let (key, found) = (key.to_owned(), text.to_owned());
                Err(ConfigError::BadValue { origin, key, found, expected })
            }
        }
    }

    /// Where the value of `section.key` came from.
    #[must_use]
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Every key with its value and source, for `config show --effective`.
    #[must_use]
    pub fn entries(&self) -> Vec<(Entry, Source)> {
        let entries = self.config.entries();
        entries.into_iter().map(|entry| (entry.clone(), self.source(&entry.key))).collect()
    }
}

fn unknown(origin: Source, key: String) -> ConfigError {
    let nearest = nearest(&key, Config::KEYS.iter().copied()).to_owned();
    ConfigError::UnknownKey { origin, key, nearest }
}

impl Config {
    /// A whole `config.toml` with every key documented. Values equal to the default are commented out, so that a
    /// later version's defaults apply.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let defaults = Self::default().entries();
        let entries = self.entries();
        let mut text = String::from(
            "# Configuration of a rota node. Flags (--section.key) and ROTA_SECTION_KEY come before this file.\n",
        );
        for (section, doc) in Self::SECTIONS {
            text.push('\n');
            doc.lines().for_each(|line| text.push_str(&format!("#{line}\n")));
            text.push_str(&format!("[{section}]\n"));
            for (entry, default) in entries.iter().zip(&defaults) {
                let Some((_, name)) =
                    entry.key.split_once('.').filter(|(found, _)| found == section)
                else {
                    continue;
                };
                entry.doc.lines().for_each(|line| text.push_str(&format!("#{line}\n")));
                let mark = if entry.value == default.value { "# " } else { "" };
                text.push_str(&format!("{mark}{name} = {}\n", entry.value));
            }
        }
        text
    }
}
