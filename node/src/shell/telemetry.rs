//! Metrics and log lines of what the core reports: one INFO line per slot, nothing per transaction.

use super::view::View;
use crate::core::Notice;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// Counters that stay at zero on a healthy node.
const ALARMS: [&str; 4] = [
    "rota_guard_refusals_total",
    "rota_consensus_alarms_total",
    "rota_consensus_evidence_total",
    "rota_validator_offences_total",
];

/// The process's one metrics recorder; nodes that share a process share the page.
///
/// # Panics
/// If other code of the process installed a recorder before: ours is the only one that `/metrics` shows.
pub fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .install_recorder()
                .expect("no other recorder is installed in this process");
            // What operators alarm on is there from the start: a step from absent to 1 is no increase.
            for name in ALARMS {
                metrics::counter!(name).increment(0);
            }
            handle
        })
        .clone()
}

/// Counts and logs a notice before the view takes it in.
pub(super) fn on_notice(notice: &Notice, view: &View) {
    match notice {
        Notice::Authored { txs, .. } => {
            metrics::counter!("rota_sequencer_authored_batches_total").increment(1);
            metrics::counter!("rota_sequencer_authored_txs_total").increment(*txs);
        }
        Notice::Certified { .. } => {
            metrics::counter!("rota_sequencer_certificates_total").increment(1);
        }
        Notice::Ordered { height, round, .. } => {
            metrics::gauge!("rota_consensus_decided_height").set(as_gauge(height.0));
            metrics::counter!("rota_consensus_rounds_total")
                .increment(u64::from(round.0).saturating_add(1));
        }
        Notice::Executed(executed) => {
            let header = &executed.header;
            metrics::gauge!("rota_sequencer_executed_height").set(as_gauge(header.height.0));
            metrics::counter!("rota_sequencer_ordered_txs_total").increment(header.tx_count);
            metrics::counter!("rota_sequencer_ordered_bytes_total").increment(header.byte_count);
            metrics::counter!("rota_sequencer_skipped_txs_total").increment(header.skipped_count);
        }
        Notice::Sealed { height, header, seal } => {
            metrics::gauge!("rota_sequencer_sealed_height").set(as_gauge(height.0));
            let late = view.clock.now().0.saturating_sub(header.time.0);
            let round = view.read().heights.get(height).map(|info| info.round.0);
            let seals: u32 = seal.bitmap.iter().map(|byte| byte.count_ones()).sum();
            tracing::info!(
                height = height.0,
                slot = header.slot.0,
                round,
                txs = header.tx_count,
                bytes = header.byte_count,
                skipped = header.skipped_count,
                seals,
                ms_after_slot_end = late,
                header = %header.id(),
                "slot sealed"
            );
        }
        Notice::NilVote { height, round, reason } => {
            metrics::counter!("rota_consensus_nil_prevotes_total").increment(1);
            tracing::info!(height = height.0, round = round.0, reason, "prevoted nil");
        }
        Notice::GuardRefused => {
            metrics::counter!("rota_guard_refusals_total").increment(1);
        }
        Notice::Evidence { culprit, what } => {
            metrics::counter!("rota_consensus_evidence_total").increment(1);
            tracing::warn!(%culprit, what, "a validator signed two things");
        }
        Notice::RejoinTarget { height } => {
            tracing::info!(%height, "enough validators answered: signing again once this height is executed here");
        }
        Notice::Halted { what } => {
            metrics::counter!("rota_node_halts_total").increment(1);
            tracing::error!(what, "halted");
        }
        Notice::Alarm { what } => {
            metrics::counter!("rota_consensus_alarms_total").increment(1);
            tracing::error!(what, "alarm");
        }
    }
}

/// Heights stay far below 2⁵³, where `f64` is exact.
#[expect(clippy::cast_precision_loss, reason = "gauges are f64 by the exporter's format")]
pub(super) fn as_gauge(number: u64) -> f64 {
    number as f64
}
