//! Frames on a stream: length as big-endian `u32`, then that many bytes.
//!
//! The length is checked before anything is allocated, and a frame once begun must be complete
//! in [`limits::FRAME_READ_TIMEOUT`].

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits;

/// Bytes before each frame.
pub(crate) const HEADER_BYTES: usize = 4;

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream ended between two frames.
    #[error("the stream ended")]
    Ended,
    /// The announced length is over the limit or zero; nothing was allocated.
    #[error("a frame of {bytes} bytes, allowed are 1 to {max}")]
    Length {
        /// Announced length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Begun and not finished in time.
    #[error("a frame was not finished in time")]
    Stalled,
    /// The stream broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads one frame of 1..=`max` bytes. Not cancel safe: a dropped read loses its place.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    stream: &mut R,
    max: usize,
) -> Result<Bytes, FrameError> {
    let mut first = [0; 1];
    // Waiting for a frame to begin may take for ever; the pings judge an idle connection.
    if stream.read(&mut first).await? == 0 {
        return Err(FrameError::Ended);
    }
    let body = async {
        let mut rest = [0; HEADER_BYTES - 1];
        stream.read_exact(&mut rest).await?;
        let ([a], [b, c, d]) = (first, rest);
        let bytes = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if bytes == 0 || bytes > max {
            return Err(FrameError::Length { bytes, max });
        }
        let mut body = vec![0; bytes];
        stream.read_exact(&mut body).await?;
        Ok(Bytes::from(body))
    };
    tokio::time::timeout(limits::FRAME_READ_TIMEOUT, body).await.unwrap_or(Err(FrameError::Stalled))
}

/// Appends the header of a frame of `bytes` bytes.
///
/// # Panics
/// If `bytes` exceeds `u32`; every class limit is far below.
pub(crate) fn put_header(buffer: &mut BytesMut, bytes: usize) {
    buffer.put_u32(u32::try_from(bytes).expect("frame limits are far below 4 GiB"));
}

/// Writes frames: small ones together, large ones from where they lie; then flushes.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
    stream: &mut W,
    frames: &[Bytes],
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(limits::WRITE_COALESCE_BYTES * 2);
    for frame in frames {
        put_header(&mut buffer, frame.len());
        // The head of a large frame fills the muxer's first frame of 16 KiB.
        let copied = frame.len().min(limits::WRITE_COALESCE_BYTES.saturating_sub(buffer.len()));
        let (head, tail) = frame.split_at_checked(copied).unwrap_or((frame, &[]));
        buffer.extend_from_slice(head);
        if tail.is_empty() && buffer.len() < limits::WRITE_COALESCE_BYTES {
            continue;
        }
        stream.write_all(&buffer).await?;
        stream.write_all(tail).await?;
        buffer.clear();
    }
    stream.write_all(&buffer).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn frames_of_all_sizes_come_back() {
        let sizes = [1_usize, 2, 100, 16_379, 16_380, 16_381, 16_384, 40_000, 516 * 1024, 7];
        let frames: Vec<Bytes> =
            sizes.iter().map(|size| Bytes::from(vec![size.to_le_bytes()[0]; *size])).collect();
        let mut wire = Vec::new();
        write_all(&mut wire, &frames).await.unwrap();
        assert_eq!(wire.len(), sizes.iter().sum::<usize>() + HEADER_BYTES * sizes.len());
        let mut wire = Cursor::new(wire);
        for frame in frames {
            assert_eq!(read(&mut wire, 516 * 1024).await.unwrap(), frame);
        }
        assert!(matches!(read(&mut wire, 10).await, Err(FrameError::Ended)));
    }

    #[tokio::test]
    async fn length_is_refused_before_the_body_is_there() {
        for announced in [0, 11, u32::MAX] {
            let mut wire = Cursor::new(announced.to_be_bytes().to_vec());
            assert!(matches!(read(&mut wire, 10).await, Err(FrameError::Length { max: 10, .. })));
        }
    }
}
