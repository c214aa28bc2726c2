//! Byzantine roles, named for the crime: an honest core whose effects are rewritten, with its own keys, on their way out.
//!
//! A role forges nobody else's signature. Its own core may see signatures that it did not make and stop for safety;
//! it is then started again, which is one more thing that a Byzantine machine may do.

mod agreement;
mod lanes;
mod noise;

use super::cast::CHAIN_ID;
use super::dice::Dice;
use super::world::{What, World};
use bytes::Bytes;
use rota_node::core::{Effect, FrameClass};
use rota_types::{Ed25519Signer, Hash, Slot, TransactionList, ValidatorKey};
use std::collections::VecDeque;

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// As the protocol says.
    Honest,
    /// Says nothing to anybody, though it hears all.
    Silent,
    /// Votes one thing to some and another to others.
    EquivocateVotes,
    /// Proposes one thing to some and another to others.
    EquivocateProposals,
    /// Sends two branches of its lane.
    EquivocateBatches,
    /// Acknowledges whatever it is sent, stored or not, twice if need be.
    AckAnything,
    /// Shows its certificates to one voter only.
    ShowToOne,
    /// Sends its batches to a bare quorum, and answers no question for them.
    Withhold,
    /// Proposes nothing of what there is.
    EmptyProposals,
    /// Proposes on a parent that is not the one.
    StaleParent,
    /// Puts what others have batched into its own lane again.
    CopyLanes,
    /// Forgets what it signed at every start.
    Amnesia,
    /// Sends bytes that mean nothing.
    Garbage,
    /// Sends what it heard before again.
    Replay,
    /// Answers questions of catch-up with lies.
    LyingAnswers,
    /// Publishes bundles that nobody may accept.
    ForgedGossip,
    /// Shows certificates with too few acknowledgements, or with one of them many times.
    ThinCertificates,
    /// Batches transactions that live as long as any may, and again when they are about to expire.
    Postdate,
}

impl Role {
    pub(super) const CRIMES: [Self; 15] = [
        Self::Silent,
        Self::EquivocateVotes,
        Self::EquivocateProposals,
        Self::EquivocateBatches,
        Self::AckAnything,
        Self::ShowToOne,
        Self::Withhold,
        Self::EmptyProposals,
        Self::StaleParent,
        Self::CopyLanes,
        Self::Amnesia,
        Self::Garbage,
        Self::Replay,
        Self::LyingAnswers,
        Self::ForgedGossip,
    ];

    /// Crimes of few seeds.
    pub(super) const RARE_CRIMES: [Self; 2] = [Self::ThinCertificates, Self::Postdate];

    /// Its name in the summary.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Honest => "role: honest",
            Self::Silent => "role: silent",
            Self::EquivocateVotes => "role: equivocate votes",
            Self::EquivocateProposals => "role: equivocate proposals",
            Self::EquivocateBatches => "role: equivocate batches",
            Self::AckAnything => "role: acknowledge anything",
            Self::ShowToOne => "role: show certificates to one",
            Self::Withhold => "role: withhold batches",
            Self::EmptyProposals => "role: empty proposals",
            Self::StaleParent => "role: stale parent",
            Self::CopyLanes => "role: copy lanes",
            Self::Amnesia => "role: amnesia",
            Self::Garbage => "role: garbage",
            Self::Replay => "role: replay",
            Self::LyingAnswers => "role: lying answers",
            Self::ForgedGossip => "role: forged gossip",
            Self::ThinCertificates => "role: thin certificates",
            Self::Postdate => "role: postdate",
        }
    }
}

/// What becomes of an effect.
pub(super) enum Act {
    /// It goes as it is.
    As(Effect),
    /// These go instead.
    Instead(Vec<Effect>),
}

/// Frames that a machine heard, for those that replay them.
const HEARD_MAX: usize = 256;

/// What Byzantine machines need for their crimes.
pub(super) struct Criminal {
    pub(super) dice: Dice,
    pub(super) heard: VecDeque<(FrameClass, Bytes)>,
    /// Transactions that live long, by id, with the slot in which they expire.
    pub(super) postdated: Vec<(Hash, Slot, TransactionList)>,
}

impl Criminal {
    pub(super) const fn new(dice: Dice) -> Self {
        Self { dice, heard: VecDeque::new(), postdated: Vec::new() }
    }

    pub(super) fn hear(&mut self, class: FrameClass, bytes: &Bytes) {
        self.heard.push_back((class, bytes.clone()));
        if self.heard.len() > HEARD_MAX {
            self.heard.pop_front();
        }
    }
}

/// One criminal's surroundings while an effect leaves it.
struct Scene<'a> {
    signer: Ed25519Signer,
    me: ValidatorKey,
    others: Vec<ValidatorKey>,
    dice: &'a mut Dice,
}

impl Scene<'_> {
    /// Sends the first frame to some of the others, the second to the rest.
    fn two_ways(&mut self, class: FrameClass, first: &Bytes, second: &Bytes) -> Vec<Effect> {
        let mut effects = Vec::new();
        for to in self.others.clone() {
            let bytes = if self.dice.chance(500) { first } else { second };
            effects.push(Effect::Send { to, class, bytes: bytes.clone() });
        }
        effects
    }
}

impl World {
    /// Lets the role rewrite what its core wants to send.
    pub(super) fn commit_crime(&mut self, node: usize, effect: Effect) -> Act {
        let machine = self.machines.get_mut(node).expect("machines are numbered below their count");
        let role = machine.role;
        let (Some(identity), false) = (machine.identity, role == Role::Honest) else {
            return Act::As(effect);
        };
        let others = self.set.as_slice().iter().map(|v| v.key).filter(|k| *k != identity.key);
        let scene = Scene {
            signer: identity.signer(),
            me: identity.key,
            others: others.collect(),
            dice: &mut machine.criminal.dice,
        };
        let instead = match role {
            Role::Silent if effect.is_direct() => Some(Vec::new()),
            Role::EquivocateVotes => scene.equivocate_vote(&effect),
            Role::EquivocateProposals => scene.equivocate_proposal(&effect),
            Role::EmptyProposals => scene.empty_proposal(&effect),
            Role::StaleParent => scene.stale_parent(&effect),
            Role::EquivocateBatches => scene.equivocate_batch(&effect),
            Role::ShowToOne => scene.show_to_one(&effect),
            Role::Withhold => scene.withhold(&effect),
            Role::ThinCertificates => scene.thin_certificate(&effect),
            _ => None,
        };
        match instead {
            Some(effects) => {
                self.counts.add(role.name());
                Act::Instead(effects)
            }
            None => Act::As(effect),
        }
    }

    /// What a machine does beside rewriting, now and then.
    pub(super) fn mischief(&mut self, node: usize) {
        let role = self.machine(node).role;
        if self.faults.healed {
            return;
        }
        let pause_us = self.machine_mut(node).criminal.dice.between(50_000, 900_000);
        self.heap.after(pause_us, What::Mischief(node));
        if !self.is_up(node) {
            return;
        }
        let done = match role {
            Role::Garbage => self.send_garbage(node),
            Role::Replay => self.send_again(node),
            Role::ForgedGossip => self.publish_forged(node),
            Role::Amnesia => self.forget_all(node),
            Role::Postdate => self.postdate(node),
            _ => false,
        };
        if done {
            self.counts.add(role.name());
        }
    }
}
