//! Strict canonical RLP: every value has one accepted encoding, every length is bounded before it is copied.
//!
//! Source: Ethereum yellow paper, appendix B. Numbers have no leading zero; a list is read to its end.

use crate::error::Malformed;
use alloy_rlp::{Encodable as _, Header};

/// Reads the items of one list, in order.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Opens `bytes`, which must be exactly one list.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Self { rest: bytes };
        let list = outer.list()?;
        outer.end()?;
        Ok(list)
    }

    pub(crate) fn list(&mut self) -> Result<Self, Malformed> {
        let rest = Header::decode_bytes(&mut self.rest, true).map_err(|_| Malformed)?;
        Ok(Reader { rest })
    }

    /// The items of a list of at most `items_max`, each read by `item`.
    pub(crate) fn items<T, E: From<Malformed>>(
        &mut self,
        items_max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut list = self.list()?;
        let mut items = Vec::new();
        while !list.is_empty() {
            if items.len() >= items_max {
                return Err(Malformed.into());
            }
            items.push(item(&mut list)?);
        }
        Ok(items)
    }

    pub(crate) fn bytes(&mut self, bytes_max: usize) -> Result<&'a [u8], Malformed> {
        let bytes = Header::decode_bytes(&mut self.rest, false).map_err(|_| Malformed)?;
        if bytes.len() > bytes_max { Err(Malformed) } else { Ok(bytes) }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    /// An absent value is the empty string, a present one has exactly `N` bytes.
    pub(crate) fn optional_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Malformed> {
        match self.bytes(N)? {
            [] => Ok(None),
            bytes => bytes.try_into().map(Some).map_err(|_| Malformed),
        }
    }

    pub(crate) fn number<T: TryFrom<u128>>(&mut self) -> Result<T, Malformed> {
        let bytes = self.bytes(16)?;
        if bytes.first() == Some(&0) {
            return Err(Malformed);
        }
        let number = bytes.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
        T::try_from(number).map_err(|_| Malformed)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Writes the items of one list, in order.
#[derive(Default)]
pub(crate) struct Writer {
    payload: Vec<u8>,
}

impl Writer {
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        bytes.encode(&mut self.payload);
        self
    }

    pub(crate) fn number(mut self, number: impl Into<u128>) -> Self {
        number.into().encode(&mut self.payload);
        self
    }

    pub(crate) fn list(mut self, list: Self) -> Self {
        self.payload.extend_from_slice(&list.finish());
        self
    }

    /// A list with one item per element.
    pub(crate) fn items<T>(self, items: &[T], write: impl Fn(Self, &T) -> Self) -> Self {
        let list = items.iter().fold(Self::default(), write);
        self.list(list)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len().saturating_add(9));
        Header { list: true, payload_length: self.payload.len() }.encode(&mut bytes);
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_encodings_are_refused() {
        let number = |bytes: &[u8]| Reader::open(bytes).and_then(|mut list| list.number::<u64>());
        assert_eq!(number(&[0xc1, 0x05]), Ok(5));
        assert_eq!(number(&[0xc1, 0x80]), Ok(0));
        assert_eq!(number(&[0xc1, 0x00]), Err(Malformed), "a zero byte is not zero");
        assert_eq!(number(&[0xc2, 0x81, 0x05]), Err(Malformed), "a single byte stands for itself");
        assert_eq!(number(&[0xc3, 0x82, 0x00, 0x05]), Err(Malformed), "no leading zero");
        assert_eq!(number(&[0xf8, 0x01, 0x05]), Err(Malformed), "short lists have a short header");
        assert!(Reader::open(&[0xc0, 0x00]).is_err(), "nothing after the list");
        assert!(Reader::open(&[0xff; 9]).is_err(), "a huge length allocates nothing");
    }

    #[test]
    fn writer_and_reader_agree() {
        let bytes = Writer::default()
            .number(u128::MAX)
            .bytes(&[7; 60])
            .items(&[1u64, 300], |list, item| list.number(*item))
            .finish();
        let mut list = Reader::open(&bytes).unwrap();
        assert_eq!(list.number::<u128>(), Ok(u128::MAX));
        assert_eq!(list.array::<60>(), Ok([7; 60]));
        assert_eq!(list.items(2, |item| item.number::<u64>()), Ok(vec![1, 300]));
        list.end().unwrap();
    }
}
