//! Keys at rest: encrypted files of the ERC-2335 layout, 0600, and the passwords that open them.
//!
//! | file | secret | form |
//! |---|---|---|
//! | `node.json` | ed25519 seed of the libp2p identity | ERC-2335 layout |
//! | `validator.json` | ed25519 seed: batches, acknowledgements, votes, receipts | ERC-2335 layout |
//! | `seal.json` | BLS12-381 scalar: seals | plain ERC-2335 |
//!
//! A keystore wallet's key files have the same layout. Passwords come from a prompt, stdin, a file or a systemd
//! credential; never from arguments or the environment.

mod error;
mod file;
mod password;
mod store;
#[cfg(test)]
mod tests;

pub use error::KeyError;
pub use file::{Cost, KeyFile, KeyMeta};
pub use password::{Password, PasswordSource};
pub use store::{KeyRole, NodeKeys, create_keys, load_keys, read_key_file, write_key_file};
