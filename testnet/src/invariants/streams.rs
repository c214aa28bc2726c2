//! Streams: a followed rollup comes without gap or repeat, the same from every node (`stream_gaps`).

use super::{Finding, Streamed, Trace};

/// Gaps, repeats and differences.
#[must_use]
pub fn check(trace: &Trace) -> Vec<Finding> {
    let mut found = Vec::new();
    for ((node, rollup), stream) in &trace.streams {
        for (before, after) in stream.iter().zip(stream.iter().skip(1)) {
            let (height, index) = before.place;
            let dense = after.place == (height, index.saturating_add(1))
                || (after.place.0 > height && after.place.1 == 0);
            if !dense {
                let what = format!(
                    "{node}, rollup {rollup}: {:?} follows {:?}",
                    after.place, before.place
                );
                found.push(Finding::one("streams", what));
            }
        }
        if let Some(first) = stream.first().filter(|first| first.place.1 != 0) {
            let what = format!("{node}, rollup {rollup}: begins at {:?}", first.place);
            found.push(Finding::one("streams", what));
        }
        check_counts(trace, node, *rollup, stream, &mut found);
    }
    check_equal(trace, &mut found);
    found
}

/// Each height gives as many as its slot says.
fn check_counts(
    trace: &Trace,
    node: &str,
    rollup: u64,
    stream: &[Streamed],
    found: &mut Vec<Finding>,
) {
    let Some(slots) = trace.slots.get(node) else { return };
    let last = stream.last().map_or(0, |tx| tx.place.0);
    let said: u64 = slots
        .range(..=last)
        .flat_map(|(_, slot)| slot.namespaces.iter())
        .filter(|(id, _)| *id == rollup)
        .map(|(_, count)| *count)
        .sum();
    let given = u64::try_from(stream.len()).unwrap_or(u64::MAX);
    if said != given {
        let what = format!("{node}, rollup {rollup}: slots say {said}, the stream gave {given}");
        found.push(Finding::one("streams", what));
    }
}

/// What two nodes both gave is the same.
fn check_equal(trace: &Trace, found: &mut Vec<Finding>) {
    let longest = trace.longest_streams();
    for ((node, rollup), stream) in &trace.streams {
        let Some(reference) = longest.get(rollup) else { continue };
        let differs =
            stream.iter().zip(*reference).find(|(a, b)| (a.place, a.id) != (b.place, b.id));
        if let Some((here, there)) = differs {
            let what = format!(
                "{node}, rollup {rollup}: {} at {:?}, another node has {} at {:?}",
                hex::encode(here.id),
                here.place,
                hex::encode(there.id),
                there.place
            );
            found.push(Finding::one("streams", what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::good;
    use super::*;

    fn stream(trace: &mut Trace) -> &mut Vec<Streamed> {
        trace.streams.get_mut(&("v2".into(), 10)).unwrap()
    }

    #[test]
    fn a_gap_a_repeat_and_another_order_are_found() {
        assert_eq!(check(&good()), vec![]);
        let mut gap = good();
        stream(&mut gap).remove(2);
        assert!(!check(&gap).is_empty());
        let mut repeat = good();
        let twice = stream(&mut repeat)[1];
        stream(&mut repeat).insert(1, twice);
        assert!(!check(&repeat).is_empty());
        let mut order = good();
        let first = stream(&mut order)[0].id;
        stream(&mut order)[0].id = stream(&mut order)[1].id;
        stream(&mut order)[1].id = first;
        assert!(!check(&order).is_empty());
    }

    #[test]
    fn a_stream_may_end_before_the_head_but_not_inside_a_slot() {
        let mut short = good();
        stream(&mut short).truncate(4);
        assert_eq!(check(&short), vec![]);
        stream(&mut short).truncate(3);
        assert!(!check(&short).is_empty());
    }
}
