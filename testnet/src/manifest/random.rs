//! Manifests drawn from a seed: one perturbation after another, each over before the next begins.
//!
//! At most one of four validators is hurt at a time, or all of them for so short that the network must go on
//! afterwards: what must hold is then the same for every seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Validators of a drawn network.
const VALIDATORS: u64 = 4;
/// Slots between the end of one perturbation and the next.
const PAUSE_SLOTS: u64 = 6;
/// Slots that a lasting one lasts at most.
const LAST_SLOTS_MAX: u64 = 4;
/// Slots of load.
const LOAD_SLOTS: u64 = 70;
/// Slots without anything at the end, to come back in.
const REST_SLOTS: u64 = 8;

struct Draw(ChaCha20Rng);

impl Draw {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound.max(1)).unwrap_or(0)
    }

    fn validator(&mut self) -> String {
        format!("v{}", self.below(VALIDATORS).saturating_add(1))
    }

    /// Name and value of something that one node goes through, and whether it lasts.
    fn of_one(&mut self) -> (String, bool) {
        match self.below(13) {
            0 => ("kill".into(), true),
            1 => ("restart".into(), false),
            2 => ("pause".into(), true),
            3 => ("disconnect".into(), true),
            4 => (format!("delay:{}ms", 20u64.saturating_mul(self.below(20)).max(20)), true),
            5 => (format!("rate:{}KB/s", self.below(400).saturating_add(100)), true),
            6 => (format!("loss:0.0{}", self.below(9).saturating_add(1)), true),
            7 => (format!("slow-disk:{}ms", self.below(150).saturating_add(10)), true),
            8 => {
                let sign = if self.below(2) == 0 { '+' } else { '-' };
                (format!("clock:{sign}{}ms", self.below(1_500).saturating_add(50)), true)
            }
            9 => ("wipe-index".into(), false),
            10 => (format!("tear-ledger:{}", self.below(4_096).saturating_add(1)), false),
            11 => (format!("tear-wal:{}", self.below(2_048).saturating_add(1)), false),
            _ => {
                let spot = ["ledger", "wal", "index"];
                let at = usize::try_from(self.below(3)).unwrap_or(0);
                (format!("flip-bit:{}", spot.get(at).copied().unwrap_or("ledger")), false)
            }
        }
    }
}

/// The text of the manifest of a seed.
#[must_use]
pub fn manifest(seed: u64) -> String {
    let mut draw = Draw(ChaCha20Rng::seed_from_u64(seed));
    let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut net = Vec::new();
    let mut at = 3;
    while at < LOAD_SLOTS.saturating_sub(REST_SLOTS.saturating_add(LAST_SLOTS_MAX)) {
        let slots = draw.below(LAST_SLOTS_MAX).saturating_add(1);
        let end = at.saturating_add(slots);
        match draw.below(10) {
            0 => net.extend([format!("kill-all@{at}"), format!("restart-all@{end}")]),
            1 => net.push(format!("partition:{},{}|rest@{at}+{slots}", "v1", "v2")),
            2 => {
                let from = draw.validator();
                net.push(format!("partition:{from}>rest@{at}+{slots}"));
            }
            _ => {
                let name = draw.validator();
                let (what, lasts) = draw.of_one();
                let list = nodes.entry(name).or_default();
                match (what.as_str(), lasts) {
                    ("kill", _) => {
                        list.extend([format!("kill@{at}"), format!("restart@{end}")]);
                    }
                    (_, true) => list.push(format!("{what}@{at}+{slots}")),
                    (_, false) => list.push(format!("{what}@{at}")),
                }
            }
        }
        at = end.saturating_add(PAUSE_SLOTS);
    }
    let late = draw.below(LOAD_SLOTS / 2);
    let quoted = |list: &[String]| {
        list.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "seed = {seed}\ngenesis = {{ slot = \"1s\", validators = {VALIDATORS} }}\n\
         load = {{ offered = \"200KB/s\", rollups = 2, via = [\"rpc\", \"gossip\"], slots = {LOAD_SLOTS} }}\n\n\
         [node]\n"
    );
    for (name, list) in &nodes {
        // Writing to a String cannot fail.
        writeln!(text, "{name} = {{ perturb = [{}] }}", quoted(list)).ok();
    }
    writeln!(text, "f1 = {{ mode = \"full\", start_at = {late} }}").ok();
    writeln!(text, "\n[net]\nperturb = [{}]", quoted(&net)).ok();
    text.push_str(
        "\n[expect]\nheight_min = 30\ncommitted_txs_min = 1000\nrecover_slots_max = 20\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;

    #[test]
    fn every_seed_draws_a_manifest_that_parses_and_the_same_one_again() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let text = manifest(seed);
            assert_eq!(text, manifest(seed));
            let drawn = Manifest::parse(&text).unwrap_or_else(|error| panic!("{seed}: {error}"));
            let all = drawn.perturbations().unwrap();
            assert!(all.len() >= 4, "{text}");
            kinds.extend(all.iter().map(|p| p.text.split([':', '@']).next().unwrap().to_owned()));
        }
        // Everything but what needs a disk of its own or a rejoin.
        assert_eq!(kinds.len(), 16, "{kinds:?}");
    }
}
