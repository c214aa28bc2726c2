//! The one module that prints: data to standard output, all else to standard error.

use crate::error::{ExitCode, OperatorError};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write as _};

/// How a reading verb answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Form {
    /// Answer as JSON, one value a line
    #[arg(long)]
    pub json: bool,
}

fn failed(error: &io::Error) -> OperatorError {
    // Whoever read the output has seen enough: the end of a pipe is no failure.
    let exit = match error.kind() {
        io::ErrorKind::BrokenPipe => ExitCode::Ok,
        _ => ExitCode::Io,
    };
    OperatorError::new(exit, "cannot write to standard output").cause(error)
}

/// A line of data.
///
/// # Errors
/// I/O; exit 0 if the reader has gone.
pub fn line(text: impl Display) -> Result<(), OperatorError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| failed(&error))
}

/// Lines of data, flushed once.
///
/// # Errors
/// As [`line()`].
pub fn lines(all: impl IntoIterator<Item = impl Display>) -> Result<(), OperatorError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for text in all {
        writeln!(out, "{text}").map_err(|error| failed(&error))?;
    }
    out.flush().map_err(|error| failed(&error))
}

/// A value as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json<T: Serialize>(value: &T) -> Result<(), OperatorError> {
    line(to_json(value)?)
}

/// A value as JSON text.
///
/// # Errors
/// Bug: answers always have a JSON form.
pub fn to_json<T: Serialize>(value: &T) -> Result<String, OperatorError> {
    serde_json::to_string(value)
        .map_err(|error| OperatorError::new(ExitCode::Bug, "no JSON form").cause(error))
}

/// Text as it is, without a line's end of its own.
///
/// # Errors
/// As [`line()`].
pub fn text(text: &str) -> Result<(), OperatorError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| failed(&error))
}

/// A word to the operator, on standard error. A standard error that is closed is nobody's loss.
pub fn note(text: impl Display) {
    let mut err = io::stderr().lock();
    if writeln!(err, "{text}").is_err() {
        tracing::trace!("standard error is closed");
    }
}
