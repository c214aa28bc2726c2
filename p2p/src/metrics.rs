//! Two sources of numbers: our own counters by the `metrics` facade, and libp2p's registry.
//!
//! The registry's page is made to live beside another one (node.md, "Health, metrics, logs"):
//! names under `rota_libp2p_`, no `# EOF`, no `# UNIT`, and `# HELP`/`# TYPE` of a counter named
//! like its samples, `x_total`, or scrapers of the text format see an untyped family.

use std::collections::BTreeSet;

use ::metrics::{Counter, Gauge, counter, gauge};
use bytes::Bytes;
use libp2p::metrics::Registry;

use crate::{Class, frame::HEADER_BYTES};

/// Prefix of the registry; libp2p's own parts add `libp2p_`.
pub(crate) const PREFIX: &str = "rota";

#[derive(Clone)]
struct ClassCounters {
    sent_bytes: Counter,
    sent_frames: Counter,
    received_bytes: Counter,
    received_frames: Counter,
    full: Counter,
    broken: Counter,
}

/// Our counters, looked up once: install the recorder before [`crate::start`].
pub(crate) struct Counters {
    classes: [ClassCounters; 4],
    pub(crate) peers: Gauge,
    pub(crate) hello_failures: Counter,
    pub(crate) bans: Counter,
    pub(crate) offences: Counter,
    pub(crate) gossip_dropped: Counter,
    pub(crate) requests_refused: Counter,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let classes = Class::ALL.map(|class| ClassCounters {
            sent_bytes: counter!("rota_p2p_direct_sent_bytes_total", "class" => class.name()),
            sent_frames: counter!("rota_p2p_direct_sent_frames_total", "class" => class.name()),
            received_bytes: counter!("rota_p2p_direct_received_bytes_total", "class" => class.name()),
            received_frames: counter!("rota_p2p_direct_received_frames_total", "class" => class.name()),
            full: counter!("rota_p2p_direct_queue_full_total", "class" => class.name()),
            broken: counter!("rota_p2p_direct_streams_broken_total", "class" => class.name()),
        });
        Self {
            classes,
            peers: gauge!("rota_p2p_peers"),
            hello_failures: counter!("rota_p2p_hello_failures_total"),
            bans: counter!("rota_p2p_bans_total"),
            offences: counter!("rota_p2p_offences_total"),
            gossip_dropped: counter!("rota_p2p_gossip_dropped_total"),
            requests_refused: counter!("rota_p2p_requests_refused_total"),
        }
    }

    fn class(&self, class: Class) -> &ClassCounters {
        let [votes, certificates, proposals, batches] = &self.classes;
        match class {
            Class::Votes => votes,
            Class::Certificates => certificates,
            Class::Proposals => proposals,
            Class::Batches => batches,
        }
    }

    pub(crate) fn sent(&self, class: Class, chunk: &[Bytes]) {
        let bytes: usize = chunk.iter().map(|frame| frame.len() + HEADER_BYTES).sum();
        self.class(class).sent_bytes.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.class(class).sent_frames.increment(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
    }

    pub(crate) fn received(&self, class: Class, bytes: usize) {
        let bytes = u64::try_from(bytes + HEADER_BYTES).unwrap_or(u64::MAX);
        self.class(class).received_bytes.increment(bytes);
        self.class(class).received_frames.increment(1);
    }

    pub(crate) fn full(&self, class: Class) {
        self.class(class).full.increment(1);
    }

    pub(crate) fn stream_broke(&self, class: Class) {
        self.class(class).broken.increment(1);
    }
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

/// The registry as a page that can follow another one.
pub(crate) fn page(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    prometheus_client::encoding::text::encode(&mut text, registry).ok();
    rename(&text)
}

fn rename(text: &str) -> String {
    let counters: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut page = String::with_capacity(text.len() + counters.len() * 12);
    for line in text.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let renamed = ["# HELP ", "# TYPE "].into_iter().find_map(|kind| {
            let rest = line.strip_prefix(kind)?;
            let (name, tail) = rest.split_once(' ')?;
            counters.contains(name).then(|| format!("{kind}{name}_total {tail}"))
        });
        page.push_str(renamed.as_deref().unwrap_or(line));
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_renamed_and_the_rest_is_left() {
        let text = "# HELP rota_libp2p_x Things.\n# TYPE rota_libp2p_x counter\n\
                    # UNIT rota_libp2p_x bytes\nrota_libp2p_x_total{a=\"b\"} 1\n\
                    # HELP rota_libp2p_g Level.\n# TYPE rota_libp2p_g gauge\n\
                    rota_libp2p_g 2\n# EOF\n";
        assert_eq!(
            rename(text),
            "# HELP rota_libp2p_x_total Things.\n# TYPE rota_libp2p_x_total counter\n\
             rota_libp2p_x_total{a=\"b\"} 1\n# HELP rota_libp2p_g Level.\n\
             # TYPE rota_libp2p_g gauge\nrota_libp2p_g 2\n"
        );
    }
}
