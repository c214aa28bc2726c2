//! Batches parsed once for all machines: what a frame parses to does not depend on who parses it.

use super::cast::CHAIN_ID;
use bytes::Bytes;
use rota_sequencer::Batch;
use rota_types::TypesError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Frames remembered; each is parsed by every machine within about a second.
const FRAMES_KEPT: usize = 512;

/// Where a frame lies in memory, and its length.
type FramePlace = (usize, usize);

/// A frame, kept so that its place stays its own, and what it parsed to.
type Known = (Bytes, Result<Arc<Batch>, TypesError>);

/// Results by the frame's place in memory: a kept frame keeps its place.
#[derive(Default)]
pub(super) struct Parsed {
    known: BTreeMap<FramePlace, Known>,
    order: std::collections::VecDeque<FramePlace>,
}

impl Parsed {
    /// What a node's verifier makes of a frame.
    pub(super) fn batch(&mut self, frame: &Bytes) -> Result<Arc<Batch>, TypesError> {
        let place = (frame.as_ptr().addr(), frame.len());
        if let Some((_, result)) = self.known.get(&place) {
            return result.clone();
        }
        let result = Batch::from_frame(CHAIN_ID, frame.clone()).map(Arc::new);
        self.known.insert(place, (frame.clone(), result.clone()));
        self.order.push_back(place);
        if self.order.len() > FRAMES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        result
    }
}
