//! One direction of one connection: chunks in order, each at its due time, none while the link is cut.

use super::shape::{Direction, Links, Shape};
use crate::clock;
use crate::limits::{RELAY_CHUNK_BYTES, RELAY_CHUNKS_MAX, RELAY_RETRANSMIT, RELAY_SEGMENT_BYTES};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
}

/// Carries bytes until either side ends.
pub(super) async fn pump(
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    links: &Links,
    direction: &Direction,
) -> Result<(), std::io::Error> {
    let (sender, receiver) = mpsc::channel(RELAY_CHUNKS_MAX);
    // Reading ends before writing does: what is under way still arrives.
    let (gathered, delivered) = tokio::join!(
        gather(read, sender, links, direction),
        deliver(write, receiver, links, direction)
    );
    gathered.and(delivered)
}

async fn gather(
    mut read: OwnedReadHalf,
    chunks: mpsc::Sender<Chunk>,
    links: &Links,
    direction: &Direction,
) -> Result<(), std::io::Error> {
    let mut rng = ChaCha20Rng::seed_from_u64(links.next_seed());
    let mut last = clock::now();
    loop {
        let mut bytes = vec![0u8; RELAY_CHUNK_BYTES];
        let count = read.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        bytes.truncate(count);
        let late = lateness(&links.of(direction), count, &mut rng);
        // What was sent later never arrives earlier.
        last = clock::now().checked_add(late).map_or(last, |due| due.max(last));
        if chunks.send(Chunk { due: last, bytes }).await.is_err() {
            return Ok(());
        }
    }
}

async fn deliver(
    mut write: OwnedWriteHalf,
    mut chunks: mpsc::Receiver<Chunk>,
    links: &Links,
    direction: &Direction,
) -> Result<(), std::io::Error> {
    let mut free = clock::now();
    while let Some(Chunk { due, bytes }) = chunks.recv().await {
        tokio::time::sleep_until(due.into()).await;
        let rate = links.of(direction).bytes_per_second;
        if rate > 0 {
            let micros = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_mul(1_000_000);
            let takes = Duration::from_micros(micros.checked_div(rate).unwrap_or(0));
            free = free.max(clock::now()).checked_add(takes).unwrap_or(free);
            tokio::time::sleep_until(free.into()).await;
        }
        links.open(direction).await;
        write.write_all(&bytes).await?;
    }
    // The end is news too, and does not pass a cut link.
    links.open(direction).await;
    write.shutdown().await
}

/// A number of 0 up to 1.
fn unit(rng: &mut ChaCha20Rng) -> f64 {
    // 53 bits fit a float exactly.
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// How much later a chunk comes.
fn lateness(shape: &Shape, bytes: usize, rng: &mut ChaCha20Rng) -> Duration {
    let mut late = shape.delay;
    if !shape.jitter.is_zero() {
        late = late.saturating_add(shape.jitter.mul_f64(unit(rng)));
    }
    if shape.loss > 0.0 {
        let segments = bytes.div_ceil(RELAY_SEGMENT_BYTES);
        let lost = (0..segments).filter(|_| unit(rng) < shape.loss).count();
        // Segments lost together are sent again together.
        if lost > 0 {
            late = late.saturating_add(RELAY_RETRANSMIT);
        }
    }
    late
}
