//! Ordered once: no transaction id occurs twice over all heights and rollups (`ordered_twice`).

use super::{Finding, Trace};

/// Repeats over the longest stream of each rollup; one finding for all, with the first of them.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut all: Vec<([u8; 16], u64, (u64, u64))> = Vec::new();
    for (rollup, stream) in trace.longest_streams() {
        all.extend(stream.iter().map(|tx| (tx.id, rollup, tx.place)));
    }
    all.sort_unstable();
    let mut count = 0u64;
    let mut first = None;
    for (a, b) in all.iter().zip(all.iter().skip(1)) {
        if a.0 == b.0 {
            count = count.saturating_add(1);
            first.get_or_insert((a, b));
        }
    }
    let Some(((id, rollup, one), (_, _, two))) = first else { return Vec::new() };
    let id = hex::encode(id);
    let what = format!("transaction {id}… of rollup {rollup} stands at {one:?} and at {two:?}");
    vec![Finding { invariant: "ordered_once", what, count }]
}

#[cfg(test)]
mod tests {
    use super::super::samples::good;
    use super::*;

    #[test]
    fn a_repeat_at_another_height_is_found() {
        let mut trace = good();
        assert_eq!(check(&trace), vec![]);
        for stream in trace.streams.values_mut() {
            stream[5].id = stream[0].id;
        }
        assert_eq!(super::super::total(&check(&trace)), 1);
    }
}
