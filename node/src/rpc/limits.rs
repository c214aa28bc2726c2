//! Limits of the doors: why each number, and what happens at it.

use crate::config::RpcConfig;
use std::time::Duration;

/// Most bytes of a request body: one batch body. Above it the request is refused before it is read.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// Most transactions of a JSON submission: each costs JSON and hex work. Heavy senders use raw bytes.
pub const SUBMIT_TXS_MAX: usize = 256;
/// Most ids of one status request.
pub const STATUS_IDS_MAX: usize = 256;
/// Payload bytes of one page of a rollup's transactions: 2 MiB as hex, half of the 4 MiB of an answer.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of an answer: the largest finality bundle as hex, and its frame.
pub const ANSWER_BYTES_MAX: u32 = 9 * 1024 * 1024;
/// Most calls of a JSON-RPC batch.
pub const BATCH_CALLS_MAX: u32 = 32;
/// Subscriptions of one socket; the next is refused.
pub const SUBSCRIPTIONS_PER_SOCKET_MAX: u32 = 32;
/// WebSockets of one IP address; the next upgrade is refused. Loopback too.
pub const SOCKETS_PER_IP_MAX: u32 = 16;
/// Payload bytes of one stream message: 256 KiB as hex.
pub const STREAM_PAGE_BYTES: usize = 128 * 1024;
/// Messages waiting for one socket: with pages of 256 KiB about 4 MiB a reader.
pub const SOCKET_QUEUE_MESSAGES: u32 = 16;
/// How long a full socket queue is waited for; then the reader is closed with its resume height.
pub const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a stream of one transaction looks for a level that no height announces.
pub const TRANSACTION_POLL: Duration = Duration::from_millis(200);
/// Connections of a listener; the next is closed at once.
pub const CONNECTIONS_MAX: usize = 1024;
/// Connections of one IP address other than loopback; the next is closed at once.
pub const CONNECTIONS_PER_IP_MAX: u32 = 128;
/// How long the head of a request may take, an idle connection included.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of all bodies being read at a time, part of the 512 MiB of buffers promised; at it the request whose bytes
/// come next is refused as limited.
pub const BODIES_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How long a body may take.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer may leave an answer unread.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may take to end at shutdown.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Units a second and IP address; every method states its cost in units.
pub const UNITS_PER_SECOND: u32 = 100;
/// Work of signatures, in units of the keystore (some 50 µs of a core), that costs a caller one unit: an address spends
/// 40 ms of a core a second, and a full submission of the dearest signatures its whole burst.
pub const SIGNATURE_WORK_PER_UNIT: u64 = 8;
/// Units that may be spent at once.
pub const UNITS_BURST: u32 = 200;
/// Addresses whose units are counted; at it those without debt are forgotten, and if that frees none, strangers are
/// refused.
pub const METERED_IPS_MAX: usize = 64 * 1024;
/// Longest wait for a level.
pub const WAIT_MAX: Duration = Duration::from_secs(120);
/// Slots looked through for one page: bounds the work of a request about a rollup that is rarely seen.
pub const RANGE_SLOTS_MAX: u64 = 100;
/// Wait for a level if none is given, milliseconds.
pub const WAIT_MS_DEFAULT: u64 = 30_000;
/// Longest wait of a page request for its first transaction, milliseconds.
pub const PAGE_WAIT_MS_MAX: u64 = 30_000;

const _: () = assert!(BODY_BYTES_MAX >= rota_types::limits::TX_BYTES_MAX * 2);
const _: () = assert!(ANSWER_BYTES_MAX as usize > rota_types::limits::BUNDLE_FILE_BYTES_MAX * 2);
const _: () = assert!(BODIES_BYTES_MAX >= BODY_BYTES_MAX * 64);
const _: () = assert!(STREAM_PAGE_BYTES >= rota_types::limits::TX_BYTES_MAX);

/// What an operator may change about the doors; `rpc.*` of the configuration, never above the limits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcLimits {
    /// Most bytes of a request body.
    pub body_bytes_max: usize,
    /// Most transactions of a JSON submission.
    pub submit_txs_max: usize,
    /// Units a second and address, at least 1.
    pub units_per_second: u32,
    /// Units that may be spent at once, at least 1.
    pub units_burst: u32,
    /// Whether loopback is metered like any other address.
    pub limit_loopback: bool,
    /// Connections of a listener.
    pub connections_max: usize,
    /// WebSockets of one address.
    pub sockets_per_ip_max: u32,
    /// Subscriptions of one WebSocket.
    pub subscriptions_per_socket_max: u32,
    /// Messages waiting for one WebSocket.
    pub socket_queue_messages: u32,
    /// Most slots looked through for one page.
    pub range_slots_max: u64,
    /// How long a body may take.
    pub body_read_timeout: Duration,
    /// Longest wait for a level.
    pub wait_max: Duration,
}

impl Default for RpcLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX,
            submit_txs_max: SUBMIT_TXS_MAX,
            units_per_second: UNITS_PER_SECOND,
            units_burst: UNITS_BURST,
            limit_loopback: false,
            connections_max: CONNECTIONS_MAX,
            sockets_per_ip_max: SOCKETS_PER_IP_MAX,
            subscriptions_per_socket_max: SUBSCRIPTIONS_PER_SOCKET_MAX,
            socket_queue_messages: SOCKET_QUEUE_MESSAGES,
            range_slots_max: RANGE_SLOTS_MAX,
            body_read_timeout: BODY_READ_TIMEOUT,
            wait_max: WAIT_MAX,
        }
    }
}

impl From<&RpcConfig> for RpcLimits {
    fn from(config: &RpcConfig) -> Self {
        let bytes = |size: crate::config::ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let messages = bytes(config.reader_bytes_max) / (2 * STREAM_PAGE_BYTES);
        Self {
            body_bytes_max: bytes(config.body_bytes_max).min(BODY_BYTES_MAX),
            submit_txs_max: size(config.submit_transactions_max).min(SUBMIT_TXS_MAX),
            units_per_second: config.units_per_second,
            units_burst: config.units_burst,
            limit_loopback: config.limit_loopback,
            connections_max: size(config.connections_max).clamp(1, CONNECTIONS_MAX * 16),
            sockets_per_ip_max: config.sockets_per_ip_max,
            subscriptions_per_socket_max: config.subscriptions_per_socket_max,
            socket_queue_messages: u32::try_from(messages).unwrap_or(u32::MAX).clamp(1, 4096),
            range_slots_max: u64::from(config.range_slots_max).clamp(1, RANGE_SLOTS_MAX * 100),
            body_read_timeout: config.read_timeout,
            wait_max: config.wait_max,
        }
    }
}
