//! The slope of Theil and Sen: the median of the slopes between every two points.

/// How much `y` grows for one of `x`; 0 for fewer than two points that differ in `x`.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> f64 {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(i, a)| points.iter().skip(i.saturating_add(1)).map(move |b| (a, b)))
        .filter(|(a, b)| b.0 != a.0)
        .map(|(a, b)| (b.1 - a.1) / (b.0 - a.0))
        .collect();
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    let upper = slopes.get(middle).copied().unwrap_or(0.0);
    if slopes.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|at| slopes.get(at)).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_spikes_do_not_move_it() {
        let mut points: Vec<(f64, f64)> =
            (0..30).map(|i| (f64::from(i), 100.0 + 2.5 * f64::from(i))).collect();
        assert!((theil_sen(&points) - 2.5).abs() < 1e-9);
        points[7].1 = 1e9;
        points[20].1 = -1e9;
        assert!((theil_sen(&points) - 2.5).abs() < 1e-6);
        assert_eq!(theil_sen(&points[..1]), 0.0);
        assert_eq!(theil_sen(&[(1.0, 5.0), (1.0, 9.0)]), 0.0);
    }

    #[test]
    fn steps_up_and_down_are_no_growth() {
        let points: Vec<(f64, f64)> =
            (0..40).map(|i| (f64::from(i), if i % 2 == 0 { 10.0 } else { 20.0 })).collect();
        assert!(theil_sen(&points).abs() < 1e-9);
    }
}
