//! The saturation curve: the offer doubles until p99 of `ordered` exceeds a slot and two seconds.

use super::summary::Summary;

/// Whether a load of this outcome is past saturation.
#[must_use]
pub fn is_saturated(summary: &Summary) -> bool {
    let limit = summary.setting.slot_ms.saturating_add(2_000) as f64;
    summary.ordered.p99 > limit || summary.refused > 0
}

/// The curve as a table.
#[must_use]
pub fn table(curve: &[Summary]) -> String {
    let mut text = String::from(
        "offered MB/s  committed MB/s  ordered p50/p99 ms  certified p50/p99 ms  refused  MB per CPU-s\n",
    );
    for s in curve {
        text.push_str(&format!(
            "{:>12.1}  {:>14.1}  {:>18}  {:>20}  {:>7}  {:>12}\n",
            s.offered_mb_s,
            s.committed_mb_s,
            format!("{:.0}/{:.0}", s.ordered.p50, s.ordered.p99),
            format!("{:.0}/{:.0}", s.certified.p50, s.certified.p99),
            s.refused,
            s.mb_per_cpu_s.map_or_else(|| "?".into(), |value| format!("{value:.1}")),
        ));
    }
    text
}
