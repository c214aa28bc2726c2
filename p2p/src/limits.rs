//! Every bound of this crate, each with the reason for its number.
//!
//! Source: node.md, "p2p limits". What happens at a limit is said at the limit.

use std::time::Duration;

/// Longest gossip message; a bundle of transactions, protocol.md. Longer is refused at `publish`.
pub const GOSSIP_BYTES_MAX: usize = 128 * 1024;
/// What a gossip frame may carry beside the message: topic name and protobuf tags.
pub const GOSSIP_OVERHEAD_BYTES_MAX: usize = 1024;
/// What gossipsub's reader may hold of the next frame when it looks whether one is too long: it
/// measures all that it has read, in pieces of this size, and gives up the stream beyond its limit.
pub const GOSSIP_READ_AHEAD_BYTES: usize = 8 * 1024;
/// Longest gossip control part (graft, prune, ihave, iwant).
pub const GOSSIP_CONTROL_BYTES_MAX: usize = 16 * 1024;
/// Messages queued to one peer by gossip: 64 of 128 KiB are 8 MiB; the default of 5,000 is 625 MiB.
pub const GOSSIP_PEER_QUEUE_MESSAGES_MAX: usize = 64;
/// Topics a peer may subscribe to, and subscriptions in one request: there is one topic today.
pub const GOSSIP_TOPICS_PER_PEER_MAX: usize = 8;
/// Mesh degree wanted, and its lower and upper bound.
pub const GOSSIP_MESH: usize = 6;
/// Below this many mesh peers the heartbeat grafts more.
pub const GOSSIP_MESH_LOW: usize = 4;
/// Above this many mesh peers the heartbeat prunes.
pub const GOSSIP_MESH_HIGH: usize = 12;
/// Peers outside the mesh told about messages at each heartbeat.
pub const GOSSIP_LAZY: usize = 6;
/// Mesh peers that we dialed ourselves: an eclipse by inbound connections leaves at least these.
pub const GOSSIP_MESH_OUTBOUND_MIN: usize = 2;
/// Pace of mesh maintenance. A verdict must come within [`GOSSIP_HISTORY`] of these (4.2 s).
pub const GOSSIP_HEARTBEAT: Duration = Duration::from_millis(700);
/// Heartbeats that a message stays in the cache.
pub const GOSSIP_HISTORY: usize = 6;
/// Of these, heartbeats in which it is advertised.
pub const GOSSIP_HISTORY_ADVERTISED: usize = 3;
/// How long an id counts as seen.
pub const GOSSIP_SEEN: Duration = Duration::from_secs(120);

/// Subscriptions and their ends that one connection may announce, per second and at once: there is
/// one topic, announced once. More is a flood.
pub const GOSSIP_SUBSCRIPTIONS_PACE: (u32, u32) = (1, 32);
/// Control entries from one connection, per second and at once. An honest peer sends an idontwant
/// for each message of 1,000 bytes and more: 2,000 a second at the 2 MB/s that a node admits.
/// More is a flood.
pub const GOSSIP_CONTROL_PACE: (u32, u32) = (4096, 8192);
/// Messages from one connection, per second and at once; beyond it the connection is read more
/// slowly. Gossipsub remembers half a KiB of each for [`GOSSIP_SEEN`]: 125 MiB for a peer that
/// never stops. Who has more to say puts its transactions into bundles.
pub const GOSSIP_MESSAGES_PACE: (u32, u32) = (2048, 4096);
/// KiB of messages from one connection, per second and at once: four times what a node admits
/// from all of gossip. Beyond it the connection is read more slowly.
pub const GOSSIP_KIBIBYTES_PACE: (u32, u32) = (8 * 1024, 16 * 1024);
/// Gossip streams that a remote may open on one connection before each further one is an offence.
pub const GOSSIP_STREAMS_GRANTED: u32 = 1;
/// Gossip crimes of all peers on their way to the actor; at it a crime goes unpunished.
pub const GOSSIP_CRIMES_MAX: usize = 1024;

/// Longest vote frame.
pub const VOTE_FRAME_BYTES_MAX: usize = 2 * 1024;
/// Longest certificate frame.
pub const CERTIFICATE_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Longest proposal frame.
pub const PROPOSAL_FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest batch frame: a body of 512 KiB, its header and the certificates that ride with it.
pub const BATCH_FRAME_BYTES_MAX: usize = 516 * 1024;

/// Frames queued to one peer in one class other than batches; at it `send` answers `Full`.
pub const SEND_QUEUE_MESSAGES_MAX: usize = 4096;
/// Bytes queued to one peer in one class other than batches.
pub const SEND_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes queued to one peer as batches: 31 full ones, half a second at 30 MB/s.
pub const SEND_QUEUE_BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes queued to all peers in all classes but votes; a clone counts again, though a broadcast
/// shares its bytes. With the event queues (below 160 MiB) and the answers this keeps the node under
/// the 512 MiB that are promised; at it `send` answers `Full`.
pub const SEND_QUEUES_BYTES_MAX: usize = 288 * 1024 * 1024;
/// Further bytes that only votes may use: a heap of batches must not stop agreement.
pub const SEND_QUEUES_VOTE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes taken from a queue for one write and flush.
pub const WRITE_CHUNK_BYTES: usize = 256 * 1024;
/// Frames up to this size are copied into one buffer; larger ones are written where they lie.
pub const WRITE_COALESCE_BYTES: usize = 16 * 1024;
/// A chunk not written after this time means a reader that has stopped: the stream is reset.
pub const WRITE_STUCK: Duration = Duration::from_secs(10);
/// Read from a TCP socket at a time, and held for each connection: 6 MiB for all 96 of them.
pub const SOCKET_READ_BYTES: usize = 64 * 1024;
/// A frame begun must be complete after this time: no peer holds a buffer by one byte at a time.
pub const FRAME_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Negotiating a stream longer than this is given up.
pub const STREAM_OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before a broken direct stream is opened again.
pub const STREAM_REOPEN_PAUSE: Duration = Duration::from_millis(100);

/// Votes waiting for the application (4 MiB); beyond it the sender's stream is not read.
pub const EVENT_VOTES_MAX: usize = 2048;
/// Certificates waiting for the application (8 MiB).
pub const EVENT_CERTIFICATES_MAX: usize = 512;
/// Proposals waiting for the application (32 MiB).
pub const EVENT_PROPOSALS_MAX: usize = 16;
/// Batches waiting for the application (32 MiB).
pub const EVENT_BATCHES_MAX: usize = 64;
/// Gossip messages waiting (64 MiB); beyond it a message is ignored, the sender not blamed.
pub const EVENT_GOSSIP_MAX: usize = 512;
/// Requests waiting (16 MiB); beyond it the answer is "busy".
pub const EVENT_REQUESTS_MAX: usize = 256;
/// Peers that came or went, waiting for the application: minutes of churn. At it the event is
/// lost and an error logged, for an application that reads nothing is broken anyway.
pub const EVENT_PEERS_MAX: usize = 4096;
/// Commands from handles to the actor.
pub const COMMANDS_MAX: usize = 1024;
/// Gossip messages from handles to the actor (8 MiB); beyond it `publish` answers `Busy`.
pub const PUBLISH_QUEUE_MAX: usize = 64;
/// Verdicts from handles to the actor: more than all gossip events that can wait.
pub const VERDICTS_MAX: usize = 4 * EVENT_GOSSIP_MAX;
/// Reports of the crate's own tasks to the actor; a task waits for room.
pub const TASK_EVENTS_MAX: usize = 1024;

/// Longest request.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest answer; longer ranges are asked in pieces.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of answers that are made or read, of all peers: a dozen of the longest. Beyond it the answer
/// is "busy", and who asked goes elsewhere.
pub const ANSWERS_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Of these, bytes that only validators may use: strangers that do not read must not keep one of them
/// from catching up.
pub const ANSWERS_VALIDATORS_BYTES: usize = ANSWERS_BYTES_MAX / 2;
/// Bytes of answers to one peer or validator, whatever its connections: one of slots and one of
/// batches.
pub const ANSWERS_PEER_BYTES_MAX: usize = 2 * RESPONSE_BYTES_MAX;
/// An answer is written in pieces of this many bytes, and each has this long to be read: who does not
/// read holds room no longer than that.
pub const ANSWER_PIECE_BYTES: usize = 256 * 1024;
/// See [`ANSWER_PIECE_BYTES`].
pub const ANSWER_PIECE_TIMEOUT: Duration = Duration::from_secs(2);
/// Further bytes that only answers of status may use: who is full must still be seen to live.
pub const ANSWERS_STATUS_BYTES: usize = 2 * 1024 * 1024;
/// What an answer of status counts for while it is made; the longest has the signatures of 128
/// validators.
pub const STATUS_ANSWER_RESERVE_BYTES: usize = 16 * 1024;
/// Requests under way per peer and protocol, each direction.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 2;
/// A request and its answer together.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Status requests a peer may make each second; node.md has 5 in 15 s as a long-term guide, but
/// a restarted node asks everybody at once.
pub const STATUS_PER_SECOND: u32 = 5;
/// Requests of any kind a peer may make each second; ranges are charged by the application.
pub const REQUESTS_PER_SECOND: u32 = 64;

/// Longest control frame before the hello is finished: what a stranger can make us hold.
pub const HELLO_FRAME_BYTES_MAX: usize = 8 * 1024;
/// Longest control frame afterwards: 16 records.
pub const CONTROL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Both hellos and both welcomes must be through by then.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest binding: the application's proof that a PeerId belongs to a validator.
pub const BINDING_BYTES_MAX: usize = 1024;
/// Longest agent string.
pub const AGENT_BYTES_MAX: usize = 128;
/// Longest signed address record.
pub const RECORD_BYTES_MAX: usize = 2048;
/// Addresses in one record.
pub const RECORD_ADDRESSES_MAX: usize = 16;
/// Records in one control frame.
pub const RECORDS_PER_FRAME_MAX: usize = 16;
/// Validators whose records are kept and passed on: the protocol is designed for 100.
pub const KNOWN_VALIDATORS_MAX: usize = 128;
/// Record frames accepted at once and per second afterwards; more is a flood.
pub const RECORD_FRAMES_BURST: u32 = 32;
/// Record frames per second in the long run.
pub const RECORD_FRAMES_PER_SECOND: u32 = 2;
/// Control frames of any kind per second.
pub const CONTROL_FRAMES_PER_SECOND: u32 = 32;
/// Control frames waiting to be sent to one peer.
pub const CONTROL_MAILBOX_MAX: usize = 32;
/// Pace of pings, unless [`crate::Limits`] says otherwise.
pub const PING_INTERVAL: Duration = Duration::from_secs(3);
/// Ping intervals without any control frame after which the connection counts as quiet: it no
/// longer fills the peer's connection limit, so that a restarted peer gets in.
pub const QUIET_INTERVALS: u32 = 2;
/// Ping intervals without any control frame after which the connection is closed.
pub const DEAD_INTERVALS: u32 = 5;

/// Connections being established, inbound.
pub const PENDING_INBOUND_MAX: usize = 16;
/// Connections being established, outbound.
pub const PENDING_OUTBOUND_MAX: usize = 16;
/// Established inbound connections, validators not counted.
pub const INBOUND_MAX: usize = 64;
/// Established outbound connections, validators not counted.
pub const OUTBOUND_MAX: usize = 32;
/// Connections to one peer: both sides may dial at once.
pub const PER_PEER_MAX: usize = 2;
/// Connections from one IPv4 address or IPv6 /64; loopback is exempt.
pub const PER_IP_MAX: usize = 4;
/// Inbound connections that one address may begin at once; each costs a handshake. Beyond it they
/// are refused before the handshake.
pub const INBOUND_PER_IP_BURST: u32 = 32;
/// Inbound connections that one address may begin per second in the long run.
pub const INBOUND_PER_IP_PER_SECOND: u32 = 4;
/// Addresses whose pace is remembered; at it the one that began a connection longest ago is
/// forgotten.
pub const INBOUND_PACES_MAX: usize = 4096;
/// A transport handshake must be through by then.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Streams of one connection: 1 control, 8 direct, 12 requests, gossip, and room.
pub const STREAMS_MAX: usize = 64;
/// Bytes that all streams of one connection may hold unread: 256 KiB for each of
/// [`STREAMS_MAX`], which Yamux grants in any case, and as much again for streams on long wires.
/// Without it the window grows to 1 GiB for a peer that answers Yamux pings late.
pub const CONNECTION_WINDOW_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Streams being negotiated on one connection.
pub const STREAMS_NEGOTIATING_MAX: usize = 32;
/// Streams a peer may open per second; a node that keeps to its streams opens a few.
pub const STREAMS_PER_SECOND: u32 = 128;
/// Streams parked while the remote's last hello frame is still on its way.
pub const STREAMS_PARKED_MAX: usize = 8;
/// Bytes in flight on one QUIC connection.
pub const QUIC_CONNECTION_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// First pause before a lost validator is dialed again.
pub const REDIAL_FIRST: Duration = Duration::from_millis(100);
/// Longest pause between dials of a validator or a bootstrap address.
pub const REDIAL_MAX: Duration = Duration::from_secs(5);
/// A connection that lasted this long resets the pause.
pub const REDIAL_STABLE: Duration = Duration::from_secs(5);
/// The node with the larger PeerId gives the other one this head start, against double dials.
pub const REDIAL_HEAD_START: Duration = Duration::from_millis(400);
/// Two connections of one peer that finish their hellos within this time come from dials of both
/// sides at once; a later one means that the peer has lost the first.
pub const SIMULTANEOUS_DIALS: Duration = Duration::from_secs(2);
/// Addresses dialed by hand or by configuration.
pub const DIAL_ADDRESSES_MAX: usize = 64;
/// Attempts at an address given to `dial`.
pub const DIAL_ONCE_ATTEMPTS_MAX: u32 = 8;
/// A full node stops dialing when it has this many validators.
pub const FULL_NODE_VALIDATORS: usize = 8;

/// Score at which a peer is no longer gossiped to.
pub const SCORE_GOSSIP: f64 = -500.0;
/// Score at which nothing of ours is published to it.
pub const SCORE_PUBLISH: f64 = -1_000.0;
/// Score at which it is ignored; at this much by its own offences it is banned.
pub const SCORE_GRAYLIST: f64 = -2_000.0;
/// Median mesh score below which better peers are grafted.
pub const SCORE_OPPORTUNISTIC_GRAFT: f64 = 5.0;
/// Half-life of offences.
pub const SCORE_HALF_LIFE: Duration = Duration::from_secs(600);
/// First ban.
pub const BAN_FIRST: Duration = Duration::from_secs(3600);
/// Every later ban.
pub const BAN_AGAIN: Duration = Duration::from_secs(12 * 3600);
/// Peers remembered as offenders or banned; at it the one that ends soonest is forgotten.
pub const OFFENDERS_MAX: usize = 4096;

/// Refused hellos kept for the operator to see.
pub const REFUSALS_KEPT_MAX: usize = 16;
/// Peers whose refusal was logged and is not logged again.
pub const REFUSALS_LOGGED_MAX: usize = 256;

const _: () = assert!(GOSSIP_HISTORY_ADVERTISED <= GOSSIP_HISTORY);
const _: () = assert!(VERDICTS_MAX > EVENT_GOSSIP_MAX);
const _: () = assert!(SEND_QUEUE_BYTES_MAX >= PROPOSAL_FRAME_BYTES_MAX);
const _: () = assert!(SEND_QUEUE_BATCH_BYTES_MAX >= BATCH_FRAME_BYTES_MAX);
const _: () = assert!(
    CONTROL_FRAME_BYTES_MAX > RECORDS_PER_FRAME_MAX * (RECORD_BYTES_MAX + BINDING_BYTES_MAX)
);
const _: () = assert!(
    EVENT_VOTES_MAX * VOTE_FRAME_BYTES_MAX
        + EVENT_CERTIFICATES_MAX * CERTIFICATE_FRAME_BYTES_MAX
        + EVENT_PROPOSALS_MAX * PROPOSAL_FRAME_BYTES_MAX
        + EVENT_BATCHES_MAX * BATCH_FRAME_BYTES_MAX
        + EVENT_GOSSIP_MAX * GOSSIP_BYTES_MAX
        + EVENT_REQUESTS_MAX * REQUEST_BYTES_MAX
        + SEND_QUEUES_BYTES_MAX
        + SEND_QUEUES_VOTE_BYTES
        + ANSWERS_BYTES_MAX
        + ANSWERS_STATUS_BYTES
        <= 512 * 1024 * 1024
);
const _: () = assert!(ANSWERS_PEER_BYTES_MAX <= ANSWERS_BYTES_MAX - ANSWERS_VALIDATORS_BYTES);
const _: () = assert!(STATUS_ANSWER_RESERVE_BYTES <= ANSWERS_STATUS_BYTES);
const _: () = assert!(QUIET_INTERVALS < DEAD_INTERVALS);
// Yamux panics at start if its own minimum does not fit.
const _: () = assert!(CONNECTION_WINDOW_BYTES_MAX >= STREAMS_MAX * 256 * 1024);
const _: () = assert!(CONNECTION_WINDOW_BYTES_MAX >= SEND_QUEUE_BATCH_BYTES_MAX);
