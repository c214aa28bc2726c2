//! The attacker's own stack: TCP, Noise, then multistream and Yamux frames by hand.
//!
//! Nothing here keeps to manners that the target should enforce: a stream may be opened and left,
//! a frame cut anywhere, a ping left unanswered. Only the send window is honoured, for a peer
//! that overruns it is cut off by Yamux itself.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, io::WriteHalf};
use libp2p::{
    core::upgrade::OutboundConnectionUpgrade,
    identity::Keypair,
    multiaddr::{Multiaddr, Protocol},
    noise,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{Semaphore, mpsc, watch},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Secure = noise::Output<Compat<TcpStream>>;

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const PING: u8 = 2;
const GO_AWAY: u8 = 3;
const SYN: u16 = 1;
const ACK: u16 = 2;
const FIN: u16 = 4;
const RST: u16 = 8;
/// Window each side of a stream begins with.
const WINDOW_BYTES: usize = 256 * 1024;
/// Received chunks that may wait on one stream; a chunk is at most 16 KiB.
const CHUNKS_MAX: usize = 4096;
/// Streams opened by the target that may wait for the test.
const INBOUND_MAX: usize = 64;
const MULTISTREAM: &str = "/multistream/1.0.0";

/// What the attacker does about Yamux pings, by which the target measures the round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pong {
    /// Answers at once.
    Prompt,
    /// Answers after this many milliseconds: the target believes the wire to be that long.
    After(u64),
}

struct Mux {
    writer: tokio::sync::Mutex<WriteHalf<Secure>>,
    streams: Mutex<HashMap<u32, Receiving>>,
    next: AtomicU32,
    closed: watch::Sender<bool>,
    /// How often the target told us to go away.
    refused: AtomicU32,
    pong: Pong,
}

struct Receiving {
    chunks: mpsc::Sender<Vec<u8>>,
    credit: Arc<Semaphore>,
}

/// One connection.
pub(crate) struct Wire {
    mux: Arc<Mux>,
    inbound: mpsc::Receiver<RawStream>,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Writes on one stream; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tap {
    id: u32,
    mux: Arc<Mux>,
    credit: Arc<Semaphore>,
}

/// One stream.
pub(crate) struct RawStream {
    pub(crate) tap: Tap,
    chunks: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

/// The socket address in a `/ip4/…/tcp/…`.
pub(crate) fn socket_address(address: &Multiaddr) -> SocketAddr {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) => (ip, port).into(),
        _ => panic!("{address} is not /ip4/…/tcp/…"),
    }
}

/// Plain TCP from a chosen local address.
pub(crate) async fn tcp(to: &Multiaddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind((from, 0).into())?;
    }
    let stream = socket.connect(socket_address(to)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Wire {
    /// TCP, Noise and Yamux to `to`, in good form.
    pub(crate) async fn connect(
        to: &Multiaddr,
        from: Option<IpAddr>,
        keypair: &Keypair,
        pong: Pong,
    ) -> io::Result<Self> {
        let mut socket = tcp(to, from).await?.compat();
        select(&mut socket, "/noise").await?;
        let noise = noise::Config::new(keypair).map_err(io::Error::other)?;
        let (_, mut secure) =
            noise.upgrade_outbound(socket, "/noise").await.map_err(io::Error::other)?;
        select(&mut secure, "/yamux/1.0.0").await?;
        let (reader, writer) = secure.split();
        let mux = Arc::new(Mux {
            writer: tokio::sync::Mutex::new(writer),
            streams: Mutex::default(),
            next: AtomicU32::new(1),
            closed: watch::Sender::new(false),
            refused: AtomicU32::new(0),
            pong,
        });
        let (accepted, inbound) = mpsc::channel(INBOUND_MAX);
        let reading = Arc::clone(&mux);
        let reader = tokio::spawn(async move {
            read_all(&reading, reader, accepted).await.ok();
            reading.streams.lock().unwrap().clear();
            reading.closed.send_replace(true);
        });
        Ok(Self { mux, inbound, reader })
    }

    /// Waits until the target has closed the connection.
    pub(crate) async fn closed(&self) {
        self.mux.closed.subscribe().wait_for(|closed| *closed).await.ok();
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.mux.closed.borrow()
    }

    /// How often the target told us to go away; Yamux does so for each stream over its limit.
    pub(crate) fn refused(&self) -> u32 {
        self.mux.refused.load(Ordering::Relaxed)
    }

    /// Opens a stream and negotiates nothing.
    pub(crate) async fn open_raw(&self) -> io::Result<RawStream> {
        let id = self.mux.next.fetch_add(2, Ordering::Relaxed);
        let stream = self.mux.stream(id);
        self.mux.send(WINDOW_UPDATE, SYN, id, 0, &[]).await?;
        Ok(stream)
    }

    /// Opens a stream and agrees on a protocol.
    pub(crate) async fn open(&self, protocol: &str) -> io::Result<RawStream> {
        let mut stream = self.open_raw().await?;
        let offer = [proposal(MULTISTREAM), proposal(protocol)].concat();
        stream.tap.write(&offer).await?;
        for expected in [MULTISTREAM, protocol] {
            if stream.read_line().await? != expected {
                return Err(io::Error::other(format!("{protocol} is not spoken")));
            }
        }
        Ok(stream)
    }

    /// The next stream that the target opens, agreed to whatever it asks for.
    pub(crate) async fn accept(&mut self) -> io::Result<(String, RawStream)> {
        let mut stream = self.inbound.recv().await.ok_or(io::ErrorKind::ConnectionAborted)?;
        let mut protocol = stream.read_line().await?;
        if protocol == MULTISTREAM {
            stream.tap.write(&proposal(MULTISTREAM)).await?;
            protocol = stream.read_line().await?;
        }
        stream.tap.write(&proposal(&protocol)).await?;
        Ok((protocol, stream))
    }

    /// Bytes below Yamux, for headers that are none.
    pub(crate) async fn write_below(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.mux.writer.lock().await;
        writer.write_all(bytes).await?;
        writer.flush().await
    }
}

/// One line of multistream: length, name, newline.
fn proposal(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len() + 1).unwrap();
    assert!(length < 128, "one byte of varint");
    [&[length], name.as_bytes(), b"\n"].concat()
}

/// Agrees on a protocol on a bare transport.
async fn select<T: AsyncRead + futures::AsyncWrite + Unpin>(
    io: &mut T,
    protocol: &str,
) -> io::Result<()> {
    io.write_all(&[proposal(MULTISTREAM), proposal(protocol)].concat()).await?;
    io.flush().await?;
    for expected in [MULTISTREAM, protocol] {
        let mut line = vec![0; proposal(expected).len()];
        io.read_exact(&mut line).await?;
        if line != proposal(expected) {
            return Err(io::Error::other(format!("{protocol} is not spoken")));
        }
    }
    Ok(())
}

impl Mux {
    fn stream(self: &Arc<Self>, id: u32) -> RawStream {
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let credit = Arc::new(Semaphore::new(WINDOW_BYTES));
        let receiving = Receiving { chunks: sender, credit: Arc::clone(&credit) };
        self.streams.lock().unwrap().insert(id, receiving);
        let tap = Tap { id, mux: Arc::clone(self), credit };
        RawStream { tap, chunks, rest: Vec::new() }
    }

    async fn send(&self, kind: u8, flags: u16, id: u32, n: u32, body: &[u8]) -> io::Result<()> {
        let mut frame = vec![0, kind];
        frame.extend(flags.to_be_bytes());
        frame.extend(id.to_be_bytes());
        frame.extend(n.to_be_bytes());
        frame.extend(body);
        let mut writer = self.writer.lock().await;
        writer.write_all(&frame).await?;
        writer.flush().await
    }

    fn sender_of(&self, id: u32) -> Option<mpsc::Sender<Vec<u8>>> {
        self.streams.lock().unwrap().get(&id).map(|stream| stream.chunks.clone())
    }
}

/// Reads Yamux frames until the connection ends.
async fn read_all(
    mux: &Arc<Mux>,
    mut reader: impl AsyncRead + Unpin,
    accepted: mpsc::Sender<RawStream>,
) -> io::Result<()> {
    loop {
        let mut header = [0; 12];
        reader.read_exact(&mut header).await?;
        let [_, kind, f0, f1, i0, i1, i2, i3, n0, n1, n2, n3] = header;
        let flags = u16::from_be_bytes([f0, f1]);
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        let n = u32::from_be_bytes([n0, n1, n2, n3]);
        if flags & SYN != 0 && kind <= WINDOW_UPDATE {
            mux.send(WINDOW_UPDATE, ACK, id, 0, &[]).await?;
            accepted.try_send(mux.stream(id)).ok();
        }
        match kind {
            DATA => {
                let mut body = vec![0; usize::try_from(n).unwrap()];
                reader.read_exact(&mut body).await?;
                if let Some(sender) = mux.sender_of(id).filter(|_| n > 0) {
                    // What nobody reads is dropped; the target must not wait for us.
                    sender.try_send(body).ok();
                    mux.send(WINDOW_UPDATE, 0, id, n, &[]).await?;
                }
            }
            WINDOW_UPDATE => {
                if let Some(stream) = mux.streams.lock().unwrap().get(&id) {
                    stream.credit.add_permits(usize::try_from(n).unwrap());
                }
            }
            PING if flags & SYN != 0 => {
                let mux = Arc::clone(mux);
                tokio::spawn(async move {
                    if let Pong::After(millis) = mux.pong {
                        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                    }
                    mux.send(PING, ACK, 0, n, &[]).await.ok();
                });
            }
            GO_AWAY => {
                mux.refused.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        if flags & (FIN | RST) != 0 {
            mux.streams.lock().unwrap().remove(&id);
        }
    }
}

impl Tap {
    /// Writes within the window; an error once the connection is gone. A stream that the target
    /// has reset takes what the window still holds and nothing comes of it.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut closed = self.mux.closed.subscribe();
        for chunk in bytes.chunks(16 * 1024) {
            let length = u32::try_from(chunk.len()).unwrap();
            tokio::select! {
                permit = self.credit.acquire_many(length) => permit.unwrap().forget(),
                _ = closed.wait_for(|closed| *closed) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                () = self.gone() => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            self.mux.send(DATA, 0, self.id, length, chunk).await?;
        }
        Ok(())
    }

    /// Bytes of window left: what the target still takes without reading.
    pub(crate) fn credit(&self) -> usize {
        self.credit.available_permits()
    }

    /// Ends when the target has closed or reset the stream.
    async fn gone(&self) {
        let sender = self.mux.sender_of(self.id);
        if let Some(sender) = sender {
            let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
            while self.mux.streams.lock().unwrap().contains_key(&self.id) && !sender.is_closed() {
                look.tick().await;
            }
        }
    }

    /// A frame as the protocol wants it: length, then bytes.
    pub(crate) async fn write_frame(&self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.write(&[&length, frame].concat()).await
    }

    pub(crate) async fn close(&self) -> io::Result<()> {
        self.mux.send(DATA, FIN, self.id, 0, &[]).await
    }

    pub(crate) async fn reset(&self) -> io::Result<()> {
        self.mux.streams.lock().unwrap().remove(&self.id);
        self.mux.send(DATA, RST, self.id, 0, &[]).await
    }
}

impl RawStream {
    /// Exactly that many bytes.
    pub(crate) async fn read(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        while self.rest.len() < bytes {
            let chunk = self.chunks.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.rest.extend(chunk);
        }
        let tail = self.rest.split_off(bytes);
        Ok(std::mem::replace(&mut self.rest, tail))
    }

    /// One frame: length, then bytes.
    pub(crate) async fn read_frame(&mut self) -> io::Result<Vec<u8>> {
        let length = self.read(4).await?.try_into().unwrap();
        self.read(usize::try_from(u32::from_be_bytes(length)).unwrap()).await
    }

    /// Reads until the target closes or resets the stream.
    pub(crate) async fn ended(&mut self) {
        while self.chunks.recv().await.is_some() {}
    }

    async fn read_line(&mut self) -> io::Result<String> {
        let length = self.read(1).await?;
        let line = self.read(usize::from(length[0])).await?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
