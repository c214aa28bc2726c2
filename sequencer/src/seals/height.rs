//! Signatures of one height.

use super::{Effect, SafetyAlarm, SealMessage, SealOffence};
use crate::limits::SEAL_HEADERS_MAX;
use rota_types::bls::{BlsSignature, SealKey, aggregate, verify_aggregate};
use rota_types::{
    Hash, Seal, SealSignature, SealedHeader, SlotHeader, ValidatorKey, ValidatorSet, Weight,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Vote {
    header_id: Hash,
    signature: BlsSignature,
    verified: bool,
}

/// What is known of one height.
#[derive(Clone, Debug, Default)]
pub(super) struct HeightSeals {
    header: Option<(Hash, SlotHeader)>,
    own: Option<SealSignature>,
    votes: BTreeMap<ValidatorKey, Vote>,
    /// The newest seal that was not verified yet, and who sent it.
    offered: Option<(SealedHeader, Option<ValidatorKey>)>,
    seal: Option<Seal>,
    /// Headers that others executed, as far as shown.
    headers: BTreeMap<Hash, SlotHeader>,
    /// Ids for which the alarm was raised.
    alarmed: BTreeSet<Hash>,
    /// Who was answered since the last tick.
    told: BTreeSet<ValidatorKey>,
}

impl HeightSeals {
    pub(super) const fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    fn sealed(&self) -> Option<SealedHeader> {
        let (header, seal) = (self.header.as_ref()?.1.clone(), self.seal.clone()?);
        Some(SealedHeader { header, seal })
    }

    pub(super) const fn own(&self) -> Option<&SealSignature> {
        self.own.as_ref()
    }

    /// Executed here and not sealed.
    pub(super) const fn is_open(&self) -> bool {
        self.header.is_some() && self.seal.is_none()
    }

    pub(super) fn forget_told(&mut self, validator: &ValidatorKey) {
        self.told.remove(validator);
    }

    pub(super) fn forget_all_told(&mut self) {
        self.told.clear();
    }

    pub(super) fn execute(&mut self, header: SlotHeader) {
        self.header = Some((header.id(), header));
    }

    pub(super) fn sign(&mut self, own: SealSignature) {
        let vote = Vote { header_id: own.header_id, signature: own.signature, verified: true };
        self.votes.insert(own.validator, vote);
        self.own = Some(own);
    }

    /// Keeps a signature, unless a verified one of this validator is here. Who signs a sealed height gets the seal;
    /// who signed another header is shown ours.
    pub(super) fn receive(&mut self, signature: SealSignature, effects: &mut Vec<Effect>) {
        let SealSignature { header_id, validator, signature, .. } = signature;
        let answer = match (self.sealed(), &self.header) {
            (Some(sealed), _) => Some(SealMessage::Seal(Box::new(sealed))),
            (None, Some((ours, header))) if *ours != header_id => {
                Some(SealMessage::Header(Box::new(header.clone())))
            }
            _ => None,
        };
        if let Some(message) = answer
            && self.told.insert(validator)
        {
            effects.push(Effect::Send { to: validator, message });
        }
        if self.seal.is_none() && self.votes.get(&validator).is_none_or(|vote| !vote.verified) {
            self.votes.insert(validator, Vote { header_id, signature, verified: false });
        }
    }

    pub(super) fn receive_seal(&mut self, sealed: SealedHeader, from: Option<ValidatorKey>) {
        if self.seal.is_none() {
            self.offered = Some((sealed, from));
        }
    }

    /// Keeps a header that somebody's signature names, and completes an alarm with it.
    pub(super) fn shown(&mut self, header: SlotHeader, effects: &mut Vec<Effect>) {
        let id = header.id();
        let named = self.votes.values().any(|vote| vote.header_id == id);
        let ours = self.header.as_ref().is_some_and(|(ours, _)| *ours == id);
        if !named || ours || self.headers.len() >= SEAL_HEADERS_MAX {
            return;
        }
        let new = self.headers.insert(id, header).is_none();
        if new && self.alarmed.contains(&id) {
            self.alarm(id, effects);
        }
    }

    /// Draws every conclusion that what is here allows.
    pub(super) fn settle(&mut self, chain_id: u64, set: &ValidatorSet, effects: &mut Vec<Effect>) {
        let Some((ours, _)) = self.header.as_ref().filter(|_| self.seal.is_none()) else {
            return;
        };
        let ours = *ours;
        self.judge_offered(chain_id, set, effects);
        if self.seal.is_none() && set.is_quorum(self.weight(set, &ours)) {
            self.verify(chain_id, set, &ours, effects);
            let verified: Vec<_> = self.verified(&ours).collect();
            if let Ok(seal) = Seal::aggregate(ours, set, &verified) {
                self.seal = Some(seal);
            }
        }
        let others: BTreeSet<Hash> =
            self.votes.values().map(|vote| vote.header_id).filter(|id| *id != ours).collect();
        for id in others {
            if set.is_more_than_third(self.weight(set, &id)) && !self.alarmed.contains(&id) {
                self.verify(chain_id, set, &id, effects);
                if set.is_more_than_third(self.weight(set, &id)) {
                    self.alarm(id, effects);
                }
            }
        }
        if let Some(sealed) = self.sealed() {
            effects.push(Effect::Sealed { sealed: Box::new(sealed) });
            self.votes.clear();
            self.headers.clear();
        }
    }

    fn judge_offered(&mut self, chain_id: u64, set: &ValidatorSet, effects: &mut Vec<Effect>) {
        let Some((sealed, from)) = self.offered.take() else { return };
        if sealed.verify(chain_id, set).is_err() {
            let offence = SealOffence::BadSeal;
            effects.extend(from.map(|validator| Effect::Penalise { validator, offence }));
            return;
        }
        let SealedHeader { header, seal } = sealed;
        let (id, signers) = (seal.header_id, seal.signers(set).unwrap_or_default());
        if self.header.as_ref().is_some_and(|(ours, _)| *ours == id) {
            self.seal = Some(seal);
        } else if self.alarmed.insert(id) {
            self.headers.insert(id, header);
            self.raise(id, signers, effects);
        }
    }

    fn weight(&self, set: &ValidatorSet, id: &Hash) -> Weight {
        let votes = self.votes.iter().filter(|(_, vote)| vote.header_id == *id);
        Weight(votes.map(|(key, _)| set.weight(key).0).fold(0, u64::saturating_add))
    }

    fn verified<'a>(
        &'a self,
        id: &'a Hash,
    ) -> impl Iterator<Item = (ValidatorKey, BlsSignature)> + 'a {
        let wanted = |vote: &Vote| vote.verified && vote.header_id == *id;
        self.votes
            .iter()
            .filter(move |(_, vote)| wanted(vote))
            .map(|(key, vote)| (*key, vote.signature))
    }

    /// Verifies what is not yet, all at once; a bad one is dropped and its sender named.
    fn verify(&mut self, chain_id: u64, set: &ValidatorSet, id: &Hash, effects: &mut Vec<Effect>) {
        let pending: Vec<(ValidatorKey, SealKey, BlsSignature)> = self
            .votes
            .iter()
            .filter(|(_, vote)| !vote.verified && vote.header_id == *id)
            .filter_map(|(key, vote)| Some((*key, set.get(key)?.seal_key, vote.signature)))
            .collect();
        let mut bad = BTreeSet::new();
        bisect(chain_id, id, &pending, &mut bad);
        for (validator, ..) in pending {
            if bad.contains(&validator) {
                self.votes.remove(&validator);
                let offence = SealOffence::BadSignature;
                effects.push(Effect::Penalise { validator, offence });
            } else if let Some(vote) = self.votes.get_mut(&validator) {
                vote.verified = true;
            }
        }
    }

    fn alarm(&mut self, id: Hash, effects: &mut Vec<Effect>) {
        self.alarmed.insert(id);
        let signers = self.verified(&id).map(|(key, _)| key).collect();
        self.raise(id, signers, effects);
    }

    fn raise(&self, theirs: Hash, signers: Vec<ValidatorKey>, effects: &mut Vec<Effect>) {
        if let Some((_, ours)) = &self.header {
            effects.push(Effect::SafetyAlarm(Box::new(SafetyAlarm {
                ours: ours.clone(),
                theirs,
                header: self.headers.get(&theirs).cloned(),
                signers,
            })));
        }
    }
}

/// Finds the signatures that do not verify: one pairing check if all are good, about log n for each bad one.
fn bisect(
    chain_id: u64,
    id: &Hash,
    items: &[(ValidatorKey, SealKey, BlsSignature)],
    bad: &mut BTreeSet<ValidatorKey>,
) {
    if items.is_empty() {
        return;
    }
    let signatures: Vec<_> = items.iter().map(|(_, _, signature)| *signature).collect();
    let keys: Vec<_> = items.iter().map(|(_, key, _)| *key).collect();
    let good =
        aggregate(&signatures).and_then(|sum| verify_aggregate(chain_id, id, &keys, &sum)).is_ok();
    match items {
        _ if good => {}
        [(validator, ..)] => {
            bad.insert(*validator);
        }
        _ => {
            let (left, right) = items.split_at_checked(items.len() / 2).unwrap_or((items, &[]));
            bisect(chain_id, id, left, bad);
            bisect(chain_id, id, right, bad);
        }
    }
}
