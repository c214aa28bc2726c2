//! What travels on the control stream: hello, welcome, pings and address records. Borsh.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use crate::{limits, records::RecordEntry};

/// Version of the messages in this file.
pub(crate) const HELLO_VERSION: u16 = 1;

/// What a node says of itself, first thing on a connection.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Hello {
    /// [`HELLO_VERSION`].
    pub(crate) version: u16,
    /// Chain id.
    pub(crate) chain_id: u64,
    /// Genesis hash.
    pub(crate) network: [u8; 32],
    /// Proof that this PeerId is a validator's; none on a full node.
    pub(crate) binding: Option<Vec<u8>>,
    /// Software.
    pub(crate) agent: String,
    /// Own signed address record.
    pub(crate) record: Vec<u8>,
}

/// One frame of the control stream.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Control {
    /// First frame of each side.
    Hello(Hello),
    /// The other side's hello is accepted; streams may be opened.
    Welcome,
    /// It is not, and why; the last frame.
    Refused(String),
    /// Asks for [`Self::Pong`] with the same number.
    Ping(u64),
    /// Answers [`Self::Ping`].
    Pong(u64),
    /// Validators' address records.
    Records(Vec<RecordEntry>),
}

impl Control {
    pub(crate) fn to_bytes(&self) -> Bytes {
        // Writing to memory cannot fail.
        borsh::to_vec(self).unwrap_or_default().into()
    }

    /// Decodes one frame and checks the bounds inside it. The frame itself is bounded by its
    /// reader, and borsh allocates no more than the bytes that are there.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let message: Self = borsh::from_slice(bytes).map_err(|error| error.to_string())?;
        match &message {
            Self::Hello(hello) if hello.agent.len() > limits::AGENT_BYTES_MAX => {
                Err("agent too long".to_owned())
            }
            Self::Records(records) if records.len() > limits::RECORDS_PER_FRAME_MAX => {
                Err("too many records".to_owned())
            }
            _ => Ok(message),
        }
    }
}

/// A remote's words, made safe for a log line.
pub(crate) fn printable(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(limits::AGENT_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_and_no_trailing_bytes() {
        let hello = Control::Hello(Hello {
            version: HELLO_VERSION,
            chain_id: 7,
            network: [1; 32],
            binding: Some(vec![2; 96]),
            agent: "rota/0.1".to_owned(),
            record: vec![3; 100],
        });
        let mut bytes = hello.to_bytes().to_vec();
        assert_eq!(Control::from_bytes(&bytes).unwrap(), hello);
        bytes.push(0);
        assert!(Control::from_bytes(&bytes).is_err());
    }

    #[test]
    fn hostile_lengths_are_errors() {
        // A hello whose binding claims 4 GiB; records that claim 2^32 entries.
        let mut bytes = vec![0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([0; 32]);
        bytes.extend([1, 0xff, 0xff, 0xff, 0xff]);
        assert!(Control::from_bytes(&bytes).is_err());
        assert!(Control::from_bytes(&[5, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
