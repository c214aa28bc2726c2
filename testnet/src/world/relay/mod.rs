//! A relay in front of every node: what others dial, so that a link can be cut, delayed, throttled or made lossy.
//!
//! ```text
//! v1 ──► front of v2 ──► chunks, each with its due time ──► v2        direction (v1, v2)
//!    ◄──             ◄── chunks, each with its due time ◄──           direction (v2, v1)
//! ```
//!
//! Nodes name their front in signed records and configuration, so nobody dials around it. Who dials is read from
//! `/proc`: Noise hides it, and the source port says nothing. A cut link holds bytes, and the end of a connection,
//! back: like a network that drops packets, it resets nothing.
//!
//! TCP inside a relay loses nothing for good: a lost segment is one that comes a retransmission time-out later, with
//! everything behind it.

mod dialer;
mod pump;
mod shape;

pub use dialer::Pids;
pub use shape::{Links, OUTSIDE, Shape};

use crate::error::TestnetError;
use crate::limits::RELAY_CONNECTIONS_MAX;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Front of one node.
#[derive(Clone, Debug)]
pub struct Front {
    /// Node behind it.
    pub name: String,
    /// Where others dial it.
    pub listen: SocketAddr,
    /// Where it listens itself.
    pub target: SocketAddr,
}

/// The fronts of a network. Dropping it ends them.
pub struct Relay {
    links: Links,
    tasks: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Listens at every front.
    ///
    /// # Errors
    /// If an address is taken.
    pub fn start(fronts: Vec<Front>, links: Links, pids: &Pids) -> Result<Self, TestnetError> {
        let mut tasks = Vec::with_capacity(fronts.len());
        for front in fronts {
            let listener = std::net::TcpListener::bind(front.listen)
                .and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    TcpListener::from_std(listener)
                })
                .map_err(TestnetError::file(front.listen.to_string()))?;
            tasks.push(tokio::spawn(serve(listener, front, links.clone(), pids.clone())));
        }
        Ok(Self { links, tasks })
    }

    /// What shapes them.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.links
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, front: Front, links: Links, pids: Pids) {
    let room = Arc::new(Semaphore::new(RELAY_CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (front, links, pids) = (front.clone(), links.clone(), pids.clone());
        connections.spawn(async move {
            let who = dialer::name_of(from, pids).await;
            if let Err(error) = relay(stream, &who, &front, &links).await {
                tracing::debug!(from = who, to = front.name, %error, "a relayed connection ended");
            }
            drop(permit);
        });
    }
}

async fn relay(
    near: TcpStream,
    who: &str,
    front: &Front,
    links: &Links,
) -> Result<(), std::io::Error> {
    let there = (who.to_owned(), front.name.clone());
    let back = (front.name.clone(), who.to_owned());
    // A dead link carries no handshake either.
    links.open(&there).await;
    let far = TcpStream::connect(front.target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // An end in one direction is the end of both: nobody here uses half a connection.
    tokio::select! {
        ended = pump::pump(near_read, far_write, links, &there) => ended,
        ended = pump::pump(far_read, near_write, links, &back) => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// An echo behind a front, and a connection through it.
    async fn echo(links: &Links) -> (Relay, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
            }
        });
        let held = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listen = held.local_addr().unwrap();
        drop(held);
        let front = Front { name: "v2".into(), listen, target };
        let pids = Pids::default();
        pids.set("v1", Some(std::process::id()));
        let relay = Relay::start(vec![front], links.clone(), &pids).unwrap();
        (relay, TcpStream::connect(listen).await.unwrap())
    }

    async fn round_trip(stream: &mut TcpStream) {
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0u8; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
    }

    #[tokio::test]
    async fn a_cut_link_holds_bytes_back_and_gives_them_when_it_is_whole_again() {
        let links = Links::new(Shape::default(), 7);
        let (_relay, mut stream) = echo(&links).await;
        round_trip(&mut stream).await;
        // One way is enough: the answer does not come.
        links.cut("v2", "v1");
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0u8; 5];
        let early = stream.read_exact(&mut answer);
        assert!(tokio::time::timeout(Duration::from_millis(200), early).await.is_err());
        links.mend("v2", "v1");
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
    }

    #[tokio::test]
    async fn a_delay_is_at_least_kept_in_both_directions() {
        let delay = Duration::from_millis(40);
        let links = Links::new(Shape { delay, ..Shape::default() }, 7);
        let (_relay, mut stream) = echo(&links).await;
        let begun = crate::clock::now();
        round_trip(&mut stream).await;
        assert!(crate::clock::now().duration_since(begun) >= delay * 2);
    }

    #[tokio::test]
    async fn everything_arrives_in_order_through_loss_jitter_and_a_rate() {
        let shape = Shape {
            jitter: Duration::from_millis(5),
            bytes_per_second: 4_000_000,
            loss: 0.02,
            ..Shape::default()
        };
        let links = Links::new(shape, 7);
        let (_relay, stream) = echo(&links).await;
        let sent: Vec<u8> = (0..200_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let copy = sent.clone();
        let (mut read, mut write) = stream.into_split();
        tokio::spawn(async move {
            write.write_all(&copy).await.unwrap();
            std::future::pending::<()>().await;
            drop(write);
        });
        let mut got = vec![0u8; sent.len()];
        read.read_exact(&mut got).await.unwrap();
        assert!(got == sent);
    }
}
