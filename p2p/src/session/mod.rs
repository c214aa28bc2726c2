//! One session per connection: hello, then pings and address records on the control stream.
//!
//! ```text
//! dialer                         listener
//!   Hello  ───────────────────────►  verify: version, chain, genesis, record, binding
//!   verify ◄───────────────────────  Hello
//!   accept gate, Welcome ─────────►
//!          ◄─────────────────────── accept gate, Welcome
//!   pass gate                        pass gate            (either side may say Refused instead)
//!   Ping, Pong, Records ◄─────────►  until silent, broken or closed
//! ```
//!
//! Both sides speak at once; nothing but hello is negotiated before the gate accepts.

mod control;
mod message;

use std::sync::Arc;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream, swarm::ConnectionId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) use self::message::Control;
use self::message::{HELLO_VERSION, Hello, printable};
use crate::{
    Identity,
    behaviour::{Gate, OpenError, Opener},
    error::HelloError,
    frame::{self, FrameError},
    limits,
    records::{self, Known, RecordEntry},
    tasks::{Context, End, Report},
};

/// Who opens the control stream.
pub(crate) enum Role {
    /// We dialed, we open it.
    Dialer,
    /// The remote does; the actor hands it over.
    Listener(oneshot::Receiver<Stream>),
}

/// Everything one session owns.
pub(crate) struct Session {
    pub(crate) connection: ConnectionId,
    pub(crate) peer: PeerId,
    pub(crate) role: Role,
    pub(crate) opener: Opener,
    pub(crate) gate: Arc<Gate>,
    /// Frames the actor wants sent.
    pub(crate) outgoing: mpsc::Receiver<Control>,
    pub(crate) cancel: CancellationToken,
}

/// A verified hello.
struct Greeted {
    stream: Stream,
    identity: Option<Identity>,
    agent: String,
    /// Its record for the book, if it is a validator.
    known: Option<Known>,
}

/// Runs a session to its end and reports it, unless the connection was closed from outside.
pub(crate) async fn run(context: Arc<Context>, mut session: Session) {
    let cancel = session.cancel.clone();
    let end = tokio::select! {
        () = cancel.cancelled() => return,
        end = drive(&context, &mut session) => end,
    };
    let Session { connection, peer, .. } = session;
    context.report(Report::Ended { connection, peer, end }).await;
}

async fn drive(context: &Context, session: &mut Session) -> End {
    let greeting = tokio::time::timeout(limits::HELLO_TIMEOUT, greet(context, session)).await;
    let greeted = match greeting.unwrap_or(Err(HelloError::Timeout)) {
        Ok(greeted) => greeted,
        Err(error) => return End::Hello(error),
    };
    let Greeted { stream, identity, agent, known } = greeted;
    let connection = session.connection;
    context.report(Report::Up { connection, identity, agent, known }).await;
    session.gate.pass();
    control::run(context, session, stream).await
}

async fn greet(context: &Context, session: &mut Session) -> Result<Greeted, HelloError> {
    let mut stream = match &mut session.role {
        Role::Dialer => {
            let hello = context.names.hello.clone();
            session.opener.open(hello).await.map_err(|error| match error {
                OpenError::NotSpoken(name) => HelloError::NotSpoken(name.to_string()),
                OpenError::Timeout => HelloError::Timeout,
                error @ (OpenError::Closed | OpenError::Io(_)) => {
                    HelloError::Stream(error.to_string())
                }
            })?
        }
        // The sender is dropped only with the connection.
        Role::Listener(stream) => stream.await.map_err(|_| HelloError::Timeout)?,
    };
    send(&mut stream, &Control::Hello(own_hello(context))).await?;
    let hello = match receive(&mut stream).await? {
        Control::Hello(hello) => hello,
        Control::Refused(reason) => return Err(HelloError::Refused(printable(&reason))),
        _ => return Err(HelloError::Malformed("hello expected".to_owned())),
    };
    let (identity, at) = match check(context, &session.peer, &hello) {
        Ok(checked) => checked,
        Err(error) => {
            // Told before the farewell: the remote may close the connection, and this session
            // with it, before the farewell is over.
            let (connection, peer) = (session.connection, session.peer);
            context.report(Report::Refused { connection, peer, error: error.clone() }).await;
            refuse(&mut stream, &error).await;
            return Err(error);
        }
    };
    session.gate.accept();
    send(&mut stream, &Control::Welcome).await?;
    match receive(&mut stream).await? {
        Control::Welcome => {}
        Control::Refused(reason) => return Err(HelloError::Refused(printable(&reason))),
        _ => return Err(HelloError::Malformed("welcome expected".to_owned())),
    }
    let Hello { agent, binding, record, .. } = hello;
    let known = identity
        .zip(binding)
        .map(|(identity, binding)| Known::new(identity, at, RecordEntry { record, binding }));
    Ok(Greeted { stream, identity, agent: printable(&agent), known })
}

fn own_hello(context: &Context) -> Hello {
    Hello {
        version: HELLO_VERSION,
        chain_id: context.chain_id,
        network: context.network,
        binding: context.policy.binding(&context.local).map(|binding| binding.to_vec()),
        agent: context.agent.clone(),
        record: context.own_record(),
    }
}

/// Everything a hello must satisfy.
fn check(
    context: &Context,
    peer: &PeerId,
    hello: &Hello,
) -> Result<(Option<Identity>, records::Addresses), HelloError> {
    if hello.version != HELLO_VERSION {
        return Err(HelloError::WrongVersion { theirs: hello.version, ours: HELLO_VERSION });
    }
    if hello.chain_id != context.chain_id {
        return Err(HelloError::WrongChain { theirs: hello.chain_id, ours: context.chain_id });
    }
    if hello.network != context.network {
        return Err(HelloError::WrongGenesis);
    }
    let at = records::open(&hello.record).map_err(|error| HelloError::Record(error.to_string()))?;
    if at.peer != *peer {
        return Err(HelloError::Record(format!("it is {}'s", at.peer)));
    }
    let binding = hello.binding.as_deref();
    if binding.is_some_and(|binding| binding.len() > limits::BINDING_BYTES_MAX) {
        return Err(HelloError::Binding("too long".to_owned()));
    }
    let identity = context.policy.check_binding(peer, binding).map_err(HelloError::Binding)?;
    Ok((identity, at))
}

/// Says why, and waits a moment for the remote to have read it: closing a connection at once
/// would drop the reason with it.
async fn refuse(stream: &mut Stream, error: &HelloError) {
    let farewell = async {
        send(stream, &Control::Refused(error.to_string())).await.ok();
        stream.close().await.ok();
        let mut rest = [0; 64];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(limits::HELLO_TIMEOUT / 10, farewell).await.ok();
}

async fn send(stream: &mut Stream, message: &Control) -> Result<(), HelloError> {
    frame::write_all(stream, &[message.to_bytes()])
        .await
        .map_err(|error| HelloError::Stream(error.to_string()))
}

async fn receive(stream: &mut Stream) -> Result<Control, HelloError> {
    let frame =
        frame::read(stream, limits::HELLO_FRAME_BYTES_MAX).await.map_err(|error| match error {
            error @ FrameError::Length { .. } => HelloError::Malformed(error.to_string()),
            error => HelloError::Stream(error.to_string()),
        })?;
    Control::from_bytes(&frame).map_err(HelloError::Malformed)
}
