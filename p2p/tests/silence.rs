//! Connections that die without a word: noticed by pings, replaced, and not in anybody's way.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Node, config, guarded, identity, until};
use rota_p2p::{Class, Config, Limits, Multiaddr, limits};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A wire that can be cut without closing anything: bytes just stop.
struct Wire {
    address: Multiaddr,
    /// Connections up to this number stay dumb for ever.
    cut: watch::Sender<usize>,
}

async fn wire(to: &Multiaddr) -> Wire {
    let to = format!("127.0.0.1:{}", to.to_string().rsplit('/').next().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, cuts) = watch::channel(0);
    tokio::spawn(async move {
        for number in 1.. {
            let (near, _) = listener.accept().await.unwrap();
            let Ok(far) = TcpStream::connect(&to).await else { continue };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(pass(near_read, far_write, cuts.clone(), number));
            tokio::spawn(pass(far_read, near_write, cuts.clone(), number));
        }
    });
    Wire { address: format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(), cut }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut cuts: watch::Receiver<usize>,
    number: usize,
) {
    let cut = async { cuts.wait_for(|cut| *cut >= number).await.is_ok() };
    let is_cut = tokio::select! {
        copied = tokio::io::copy(&mut from, &mut to) => copied.is_err(),
        is_cut = cut => is_cut,
    };
    if is_cut {
        // Holds both ends open and moves nothing more.
        std::future::pending::<()>().await;
    }
}

fn quick(seed: u8) -> Config {
    let limits = Limits { ping_interval: Duration::from_millis(200), ..Limits::default() };
    Config { limits, ..config(seed) }
}

#[tokio::test]
async fn a_dead_wire_is_noticed_and_replaced() {
    let mut first = Node::start(quick(1), Some(identity(1)));
    let wire = wire(&first.address().await).await;
    let second = Config { listen: Vec::new(), bootstrap: vec![wire.address.clone()], ..quick(2) };
    let mut second = Node::start(second, Some(identity(2)));
    assert_eq!(first.up().await.1, Some(identity(2)));
    second.up().await;
    until(|| second.handle.peers().iter().all(|peer| peer.rtt.is_some())).await;
    wire.cut.send_replace(usize::MAX);
    // Pings miss, the peer is dialed where its record says, frames take the new connection.
    let (one_handle, two_handle) = (first.handle.clone(), second.handle.clone());
    for (from, to, name) in [(two_handle, &mut first, 1), (one_handle, &mut second, 2)] {
        guarded(async {
            loop {
                from.send(&identity(name), Class::Votes, Bytes::from_static(b"back"));
                if tokio::time::timeout(Duration::from_millis(100), to.direct()).await.is_ok() {
                    break;
                }
            }
        })
        .await;
    }
    let one = |node: &Node| node.handle.peers().first().is_some_and(|peer| peer.connections == 1);
    until(|| one(&first) && one(&second)).await;
}

#[tokio::test]
async fn with_no_other_way_a_dead_wire_is_a_lost_peer() {
    // The record of the first names the wire, so there is no way round it.
    let hidden = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hidden: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", hidden.port()).parse().unwrap();
    let wire = wire(&hidden).await;
    let (listen, external) = (vec![hidden], vec![wire.address.clone()]);
    let mut first = Node::start(Config { listen, external, ..quick(1) }, Some(identity(1)));
    let second = Config { listen: Vec::new(), bootstrap: vec![wire.address.clone()], ..quick(2) };
    let mut second = Node::start(second, Some(identity(2)));
    first.up().await;
    second.up().await;
    wire.cut.send_replace(usize::MAX);
    assert_eq!(first.down().await, second.peer());
    assert_eq!(second.down().await, first.peer());
    // Mended, and nobody has to do anything.
    wire.cut.send_replace(0);
    assert_eq!(second.up().await.0, first.peer());
    assert_eq!(first.up().await.0, second.peer());
}

#[tokio::test]
async fn a_restarted_peer_replaces_its_dead_connection_at_once() {
    // Pings would notice nothing within this test: the new connection itself must do it.
    let mut first = Node::start(config(1), Some(identity(1)));
    let wire = wire(&first.address().await).await;
    let dead = Config { listen: Vec::new(), bootstrap: vec![wire.address.clone()], ..config(2) };
    let dead = Node::start(dead, Some(identity(2)));
    first.up().await;
    until(|| dead.handle.is_connected(&identity(1))).await;
    // Older than a pair of simultaneous dials could be.
    let rtt = |node: &Node| node.handle.peers().first().and_then(|peer| peer.rtt);
    until(|| rtt(&first).is_some()).await;
    tokio::time::sleep(limits::SIMULTANEOUS_DIALS).await;
    wire.cut.send_replace(usize::MAX);
    let address = first.address().await;
    let again = Config { listen: Vec::new(), bootstrap: vec![address], ..config(2) };
    let mut again = Node::start(again, Some(identity(2)));
    again.up().await;
    until(|| first.handle.peers().first().is_some_and(|peer| peer.connections == 2)).await;
    let vote = Bytes::from_static(b"for the living");
    first.handle.send(&identity(2), Class::Votes, vote.clone());
    assert_eq!(again.direct().await.2, vote);
    guarded(again.handle.shutdown()).await;
    drop(dead);
}
