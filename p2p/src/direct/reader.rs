//! The task that reads one inbound stream of one class and hands its frames to the application.

use std::sync::Arc;

use libp2p::{PeerId, Stream};

use crate::{
    Class, Identity, NetworkEvent, Offence,
    frame::{self, FrameError},
    metrics::Counters,
    tasks::{Context, Report},
};

/// See the module. The next frame is read only after the application has room for this one, so
/// back-pressure reaches the sender of this stream and nobody else.
pub(crate) struct Reader {
    pub(crate) from: PeerId,
    pub(crate) identity: Identity,
    pub(crate) class: Class,
    pub(crate) stream: Stream,
}

impl Reader {
    /// Runs until the stream ends or breaks its rules; either way the stream is then reset.
    pub(crate) async fn run(self, context: Arc<Context>, counters: Arc<Counters>) {
        let Self { from, identity, class, mut stream } = self;
        loop {
            let data = match frame::read(&mut stream, class.frame_bytes_max()).await {
                Ok(data) => data,
                Err(error @ FrameError::Length { .. }) => {
                    let what = format!("{} stream: {error}", class.name());
                    let offence = Offence::Oversize;
                    context.report(Report::Offence { peer: from, offence, what }).await;
                    return;
                }
                Err(error) => {
                    tracing::debug!(peer = %from, class = class.name(), %error, "stream ended");
                    return;
                }
            };
            counters.received(class, data.len());
            let event = NetworkEvent::Direct { from, identity, class, data };
            if context.events.class(class).send(event).await.is_err() {
                return;
            }
        }
    }
}
