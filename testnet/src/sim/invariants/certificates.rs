//! Batch certificates: each is valid, at most one batch is certified at a place, and honest nodes of more than a
//! third of all weight hold what is certified.

use super::weights::Weights;
use super::{Check, Said, broken};
use crate::sim::cast::CHAIN_ID;
use rota_sequencer::lanes::LaneMessage;
use rota_types::{BatchCertificate, Hash, LanePosition, ValidatorKey, ValidatorSet, Weight};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Certificates {
    set: ValidatorSet,
    weights: Weights,
    honest: BTreeSet<ValidatorKey>,
    certified: BTreeMap<LanePosition, Hash>,
}

impl Certificates {
    pub(super) fn new(set: ValidatorSet, honest: Vec<ValidatorKey>) -> Self {
        let (weights, honest) = (Weights::new(&set), honest.into_iter().collect());
        Self { set, weights, honest, certified: BTreeMap::new() }
    }

    /// From anyone: a certificate that verifies is one, whoever shows it.
    pub(super) fn on_message(&mut self, said: &Said) -> Check {
        let Said::Lanes(LaneMessage::Certificate(certificate)) = said else { return Ok(()) };
        let position = certificate.header().position;
        let digest = certificate.header().digest(CHAIN_ID);
        let signers = certificate.acks.iter().map(|(key, _)| key).chain([&position.lane]);
        if !self.weights.are_quorum(signers) && certificate.verify(CHAIN_ID, &self.set).is_ok() {
            let what = format!("{digest} at {position:?} passes for certified without a quorum");
            return broken("certificates are valid", what);
        }
        match self.certified.get(&position) {
            Some(known) if *known == digest => Ok(()),
            Some(known) => {
                if certificate.verify(CHAIN_ID, &self.set).is_err() {
                    return Ok(());
                }
                let what = format!("{digest} is certified at {position:?}, and {known}");
                broken("one certified batch a place", what)
            }
            None => self.first(certificate, position, digest),
        }
    }

    fn first(
        &mut self,
        certificate: &BatchCertificate,
        position: LanePosition,
        digest: Hash,
    ) -> Check {
        if certificate.verify(CHAIN_ID, &self.set).is_err() {
            // From an honest node it would be a violation of its own: its receivers penalise it.
            return Ok(());
        }
        let signers = certificate.acks.iter().map(|(key, _)| key).chain([&position.lane]);
        let honest = signers.filter(|key| self.honest.contains(key));
        let weight = honest.fold(0u64, |sum, key| sum.saturating_add(self.set.weight(key).0));
        if !self.set.is_more_than_third(Weight(weight)) && self.tolerates() {
            let what =
                format!("{digest} is certified, and honest nodes of weight {weight} hold it");
            broken("certified is retrievable", what)?;
        }
        self.certified.insert(position, digest);
        Ok(())
    }

    /// Whether the Byzantine are as few as the protocol promises to bear.
    fn tolerates(&self) -> bool {
        let honest = self.honest.iter().map(|key| self.set.weight(key).0).sum();
        self.set.is_quorum(Weight(honest))
    }
}
