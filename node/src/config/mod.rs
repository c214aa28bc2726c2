//! Configuration: one struct per section, whose field docs are the generated `config.toml`.
//!
//! Flags > environment (`ROTA_<SECTION>_<KEY>`) > file > defaults; each value knows where it came from. An unknown
//! key is an error that names the nearest known one. Durations are written `"500ms"`, sizes `"128 KiB"`.

mod define;
mod load;
mod sections;
#[cfg(test)]
mod tests;
mod value;

pub use load::{ConfigError, Effective, Source, nearest};
pub use sections::{
    Config, DiskConfig, HttpConfig, IndexConfig, KeyConfig, LogConfig, MempoolConfig,
    MetricsConfig, P2pConfig, RpcConfig,
};
pub use value::{ByteSize, IndexTransactions, LogFormat, Value};

/// One key of the configuration, as `config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `section.key`.
    pub key: String,
    /// Its documentation, one line per line.
    pub doc: String,
    /// What form its value has.
    pub form: &'static str,
    /// The value as TOML.
    pub value: String,
}
