//! What comes in: streams to their tasks, gossip to the application.

use std::sync::Arc;

use libp2p::PeerId;
use libp2p_gossipsub::{Event as GossipEvent, MessageAcceptance};

use super::Actor;
use crate::{
    Class, GossipId, NetworkEvent, Offence, RequestProtocol,
    behaviour::{Gossiped, InboundStream},
    clock,
    direct::Reader,
    limits,
    names::Meaning,
    requests::Serving,
};

impl Actor {
    /// A stream that is not handed to a task is dropped, which resets it.
    pub(super) fn on_inbound(&mut self, stream: InboundStream) {
        let (peer, id) = (stream.peer, stream.connection);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.streams.take(clock::now()) {
            self.offence(peer, Offence::Flood, "streams");
            return;
        }
        let meaning = self.context.names.meaning(&stream.protocol);
        if connection.up_at.is_none() && meaning != Some(Meaning::Hello) {
            if connection.parked.len() < limits::STREAMS_PARKED_MAX {
                connection.parked.push(stream);
            }
            return;
        }
        match meaning {
            Some(Meaning::Hello) => {
                if let Some(hello) = connection.hello.take() {
                    hello.send(stream.stream).ok();
                }
            }
            Some(Meaning::Direct(class)) => self.on_direct(class, stream),
            Some(Meaning::Request(protocol)) => self.on_request(protocol, stream),
            None => {}
        }
    }

    fn on_direct(&mut self, class: Class, stream: InboundStream) {
        let from = stream.peer;
        let Some(identity) = self.peers.get(&from).and_then(|peer| peer.identity) else {
            self.offence(from, Offence::Malformed, "direct stream without an identity");
            return;
        };
        let reader = Reader { from, identity, class, stream: stream.stream };
        let counters = Arc::clone(&self.shared.counters);
        let task = tokio::spawn(reader.run(Arc::clone(&self.context), counters));
        let Some(connection) = self.connections.get_mut(&stream.connection) else { return };
        // One stream per class: the sender that opens another has given up the first.
        if let Some(old) = connection.readers.insert(class, task.abort_handle()) {
            old.abort();
        }
    }

    fn on_request(&mut self, protocol: RequestProtocol, stream: InboundStream) {
        let from = stream.peer;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let permit = peer.admit(protocol, clock::now());
        let identity = peer.identity;
        let serving = Serving { from, identity, protocol, stream: stream.stream, permit };
        let counters = Arc::clone(&self.shared.counters);
        tokio::spawn(serving.run(Arc::clone(&self.context), counters));
    }

    pub(super) fn on_gossip(&mut self, gossiped: Gossiped) {
        let event = match gossiped {
            Gossiped::Event(event) => event,
            Gossiped::Crime(peer, crime) => return self.offence(peer, crime.offence, crime.what),
        };
        match event {
            GossipEvent::Message { propagation_source, message_id, message } => {
                let id = GossipId { message: message_id, source: propagation_source };
                self.on_message(propagation_source, id, message.data);
            }
            GossipEvent::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "peer does not speak gossipsub");
            }
            GossipEvent::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "peer is slow to take gossip");
            }
            _ => {}
        }
    }

    fn on_message(&mut self, source: PeerId, message: GossipId, data: Vec<u8>) {
        let event = NetworkEvent::Gossip { message: message.clone(), source, data: data.into() };
        if self.context.events.gossip.try_send(event).is_err() {
            // Our own want of room is nobody's fault.
            self.shared.counters.gossip_dropped.increment(1);
            let gossip = &mut self.swarm.behaviour_mut().gossip.inner;
            let ignore = MessageAcceptance::Ignore;
            gossip.report_message_validation_result(&message.message, &source, ignore);
        }
    }
}
