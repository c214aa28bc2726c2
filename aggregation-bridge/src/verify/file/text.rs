//! Numbers in text: decimal or hexadecimal, of a fixed width in bytes.

use super::FileError;
use crate::limits::NUMBER_DIGITS_MAX;
use serde::Deserialize;

/// A number as JSON files have it: text, or a small number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Number {
    Text(String),
    Small(u64),
}

impl Number {
    /// Big-endian in `width` bytes, as it stands: not reduced.
    pub(super) fn bytes(&self, width: usize) -> Result<Vec<u8>, FileError> {
        match self {
            Self::Text(text) => number(text, width),
            Self::Small(value) => number(&value.to_string(), width),
        }
    }
}

/// A number's big-endian bytes; hexadecimal after `0x`, else decimal.
pub(super) fn number(text: &str, width: usize) -> Result<Vec<u8>, FileError> {
    let error = FileError::Number(width);
    if text.len() > NUMBER_DIGITS_MAX {
        return Err(error);
    }
    let (digits, base) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    if digits.is_empty() {
        return Err(error);
    }
    let mut bytes = vec![0_u8; width];
    for digit in digits.chars() {
        let mut carry = digit.to_digit(base).ok_or_else(|| error.clone())?;
        for byte in bytes.iter_mut().rev() {
            let [.., high, low] = (u32::from(*byte) * base + carry).to_be_bytes();
            *byte = low;
            carry = u32::from(high);
        }
        if carry != 0 {
            return Err(error);
        }
    }
    Ok(bytes)
}

/// Bytes in hexadecimal, with or without `0x`.
pub(super) fn hexadecimal(text: &str) -> Result<Vec<u8>, FileError> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    hex::decode(digits).map_err(|_| FileError::Number(text.len() / 2))
}

/// JSON of a known shape.
pub(super) fn json<'a, T: Deserialize<'a>>(
    part: &'static str,
    bytes: &'a [u8],
) -> Result<T, FileError> {
    serde_json::from_slice(bytes)
        .map_err(|error| FileError::Json { part, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_both_bases() {
        assert_eq!(number("0", 2), Ok(vec![0, 0]));
        assert_eq!(number("65535", 2), Ok(vec![255, 255]));
        assert_eq!(number("0xFf01", 2), Ok(vec![255, 1]));
        for wrong in ["65536", "0x10000", "", "0x", "-1", "1.5", "0xg", "f"] {
            assert_eq!(number(wrong, 2), Err(FileError::Number(2)), "{wrong}");
        }
        assert!(number(&"0".repeat(NUMBER_DIGITS_MAX + 1), 2).is_err());
        assert_eq!(Number::Small(258).bytes(2), Ok(vec![1, 2]));
    }
}
