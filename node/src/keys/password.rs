//! Passwords: where they come from and how they are normalised (EIP-2335: NFKD, control codes removed).

use super::error::KeyError;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Most bytes of a password.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Name of the systemd credential.
const CREDENTIAL: &str = "rota-password";

/// A password in memory that is wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Where a password comes from. There is none for arguments or the environment: others can read those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// The terminal, without echo.
    Prompt,
    /// First line of standard input.
    Stdin,
    /// First line of a file.
    File(PathBuf),
}

impl PasswordSource {
    /// The source when none was named: the file of the configuration, else the systemd credential `rota-password`
    /// under `$CREDENTIALS_DIRECTORY`, else the terminal.
    #[must_use]
    pub fn find(configured: Option<&Path>, credentials: Option<&Path>) -> Self {
        if let Some(path) = configured {
            return Self::File(path.to_path_buf());
        }
        match credentials.map(|folder| folder.join(CREDENTIAL)).filter(|path| path.is_file()) {
            Some(path) => Self::File(path),
            None => Self::Prompt,
        }
    }

    /// Reads the password; `what` is asked for at a prompt.
    ///
    /// # Errors
    /// [`KeyError::NoPassword`].
    pub fn read(&self, what: &str) -> Result<Password, KeyError> {
        let none = |reason: String| KeyError::NoPassword { reason };
        match self {
            Self::Prompt => {
                if !std::io::stdin().is_terminal() {
                    return Err(none("there is no terminal to ask on".to_owned()));
                }
                let text = rpassword::prompt_password(format!("{what}: "))
                    .map_err(|error| none(error.to_string()))?;
                Password::new(Zeroizing::new(text))
            }
            Self::Stdin => first_line(std::io::stdin().lock(), "standard input"),
            Self::File(path) => {
                let name = path.display().to_string();
                let file =
                    std::fs::File::open(path).map_err(|error| none(format!("{name}: {error}")))?;
                first_line(file, &name)
            }
        }
    }
}

fn first_line(source: impl std::io::Read, name: &str) -> Result<Password, KeyError> {
    let none = |reason: String| KeyError::NoPassword { reason: format!("{name}: {reason}") };
    let mut text = Zeroizing::new(String::new());
    let bound = u64::try_from(PASSWORD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    source.take(bound).read_to_string(&mut text).map_err(|error| none(error.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    Password::new(Zeroizing::new(line.to_owned()))
}

impl Password {
    /// From text of 1 to 1,024 bytes.
    ///
    /// # Errors
    /// [`KeyError::NoPassword`] if it is empty or longer.
    pub fn new(text: Zeroizing<String>) -> Result<Self, KeyError> {
        let refuse = |reason: &str| Err(KeyError::NoPassword { reason: reason.to_owned() });
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > PASSWORD_BYTES_MAX {
            return refuse("it is longer than 1024 bytes");
        }
        Ok(Self(text))
    }

    /// A fresh one of 128 random bits in hex, for files that unattended nodes read.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0u8; 16]);
        getrandom::fill(bytes.as_mut())
            .map_err(|error| KeyError::NoRandomness { reason: error.to_string() })?;
        Ok(Self(Zeroizing::new(hex::encode(*bytes))))
    }

    /// The text, to be written into a password file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The bytes that scrypt gets.
    pub(super) fn normalised(&self) -> Zeroizing<Vec<u8>> {
        let kept: Zeroizing<String> =
            Zeroizing::new(self.0.nfkd().filter(|c| !is_control_code(*c)).collect());
        Zeroizing::new(kept.as_bytes().to_vec())
    }
}

/// C0, C1 and Delete.
const fn is_control_code(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}')
}
