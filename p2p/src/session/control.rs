//! The control stream after the hello: liveness by pings, address records both ways.
//!
//! Liveness counts intervals of our own timer, not time: a node that was itself paused does not
//! wake up and drop everybody.

use bytes::Bytes;
use futures::{AsyncReadExt, io::ReadHalf, io::WriteHalf};
use libp2p::Stream;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Control, Session};
use crate::{
    Offence, clock,
    frame::{self, FrameError},
    limits,
    rate::Bucket,
    records::{self, Offer, RecordEntry},
    tasks::{Context, End, Report},
};

type Read = (ReadHalf<Stream>, Result<Bytes, FrameError>);

/// What pings know of the other side.
struct Liveness {
    /// Intervals in a row in which nothing came.
    missed: u32,
    heard: bool,
    next: u64,
    sent: Option<(u64, Instant)>,
}

/// Buckets against a peer that talks too much.
struct Rates {
    frames: Bucket,
    records: Bucket,
}

/// Runs until the session ends.
pub(super) async fn run(context: &Context, session: &mut Session, stream: Stream) -> End {
    let (reader, mut writer) = stream.split();
    let mut read = Box::pin(read_one(reader));
    let mut pings = tokio::time::interval(context.ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut liveness = Liveness { missed: 0, heard: true, next: 0, sent: None };
    let now = clock::now();
    let (frames, records) = (limits::CONTROL_FRAMES_PER_SECOND, limits::RECORD_FRAMES_PER_SECOND);
    let mut rates = Rates {
        frames: Bucket::new(frames, 2 * frames, now),
        records: Bucket::new(records, limits::RECORD_FRAMES_BURST, now),
    };
    loop {
        let step = tokio::select! {
            (reader, frame) = &mut read => {
                // Not dropped half-way by the other branches: it lives across the loop.
                read.set(read_one(reader));
                liveness.heard = true;
                match frame {
                    Ok(frame) => on_frame(context, session, &mut liveness, &mut rates, &frame).await,
                    Err(error @ FrameError::Length { .. }) => {
                        Err(End::Offence(Offence::Oversize, error.to_string()))
                    }
                    Err(error) => Err(End::Broken(error.to_string())),
                }
            }
            Some(message) = session.outgoing.recv() => Ok(Some(message)),
            _ = pings.tick() => on_tick(context, session, &mut liveness).await.map(Some),
        };
        let written = match step {
            Ok(Some(message)) => write(&mut writer, &message).await,
            Ok(None) => Ok(()),
            Err(end) => Err(end),
        };
        if let Err(end) = written {
            return end;
        }
    }
}

async fn read_one(mut reader: ReadHalf<Stream>) -> Read {
    let frame = frame::read(&mut reader, limits::CONTROL_FRAME_BYTES_MAX).await;
    (reader, frame)
}

async fn write(writer: &mut WriteHalf<Stream>, message: &Control) -> Result<(), End> {
    let frames = [message.to_bytes()];
    match tokio::time::timeout(limits::WRITE_STUCK, frame::write_all(writer, &frames)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Broken(error.to_string())),
        Err(_) => Err(End::Silent),
    }
}

/// One interval has passed: judges it and gives the next ping.
async fn on_tick(
    context: &Context,
    session: &Session,
    liveness: &mut Liveness,
) -> Result<Control, End> {
    let connection = session.connection;
    if liveness.heard {
        if liveness.missed >= limits::QUIET_INTERVALS {
            context.report(Report::Quiet { connection, quiet: false }).await;
        }
        liveness.missed = 0;
    } else {
        liveness.missed += 1;
        if liveness.missed >= limits::DEAD_INTERVALS {
            return Err(End::Silent);
        }
        if liveness.missed == limits::QUIET_INTERVALS {
            context.report(Report::Quiet { connection, quiet: true }).await;
        }
    }
    liveness.heard = false;
    liveness.next = liveness.next.wrapping_add(1);
    // A ping still under way keeps its time of sending.
    liveness.sent.get_or_insert((liveness.next, clock::now()));
    Ok(Control::Ping(liveness.next))
}

/// One frame from the remote; gives what to answer.
async fn on_frame(
    context: &Context,
    session: &Session,
    liveness: &mut Liveness,
    rates: &mut Rates,
    frame: &[u8],
) -> Result<Option<Control>, End> {
    let now = clock::now();
    if !rates.frames.take(now) {
        return Err(End::Offence(Offence::Flood, "control frames".to_owned()));
    }
    let message =
        Control::from_bytes(frame).map_err(|error| End::Offence(Offence::Malformed, error))?;
    match message {
        Control::Ping(number) => Ok(Some(Control::Pong(number))),
        Control::Pong(number) => {
            if let Some((sent, at)) = liveness.sent
                && number >= sent
            {
                liveness.sent = None;
                let rtt = now.duration_since(at);
                context.report(Report::Rtt { connection: session.connection, rtt }).await;
            }
            Ok(None)
        }
        Control::Records(entries) => {
            if !rates.records.take(now) {
                return Err(End::Offence(Offence::Flood, "address records".to_owned()));
            }
            on_records(context, session, &entries).await.map(|()| None)
        }
        Control::Refused(reason) => Err(End::Broken(super::printable(&reason))),
        Control::Hello(_) | Control::Welcome => {
            Err(End::Offence(Offence::Malformed, "hello out of order".to_owned()))
        }
    }
}

/// Verifies records and keeps what is new. A wrong signature is the sender's fault, a binding
/// that we judge differently is not: validator sets change at different moments.
async fn on_records(
    context: &Context,
    session: &Session,
    entries: &[RecordEntry],
) -> Result<(), End> {
    let mut changed = false;
    for entry in entries {
        if context.book().has(entry) {
            continue;
        }
        let at = records::open(&entry.record)
            .map_err(|error| End::Offence(Offence::BadSignature, error.to_string()))?;
        if at.peer == context.local {
            continue;
        }
        let offer = if at.peer == session.peer { Offer::Own } else { Offer::Passed };
        match records::verify(&*context.policy, entry) {
            Ok(known) => changed |= context.book_mut().offer(known, offer),
            Err(error) => tracing::debug!(peer = %session.peer, %error, "record not kept"),
        }
    }
    if changed {
        context.report(Report::BookChanged).await;
    }
    Ok(())
}
