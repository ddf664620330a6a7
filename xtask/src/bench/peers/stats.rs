//! What several rounds come to.

use serde::Serialize;

/// The middle of several figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// None of none.
    pub(super) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => mean(&sorted[middle - 1..=middle])?,
            _ => sorted[middle],
        };
        Some(Self { median, min, max })
    }
}

/// None of none.
pub(super) fn mean(figures: &[f64]) -> Option<f64> {
    let count = u32::try_from(figures.len()).ok().filter(|count| *count > 0)?;
    Some(figures.iter().sum::<f64>() / f64::from(count))
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
}

impl Better {
    /// How many times as fast as theirs ours is.
    pub(super) fn times_as_fast(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Higher => ours / theirs,
            Self::Lower => theirs / ours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        let spread = Spread::of(&[3.0, 1.0, 20.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 20.0 });
        assert_eq!(Spread::of(&[1.0, 4.0, 2.0, 8.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of(&[7.0]).unwrap(), Spread { median: 7.0, min: 7.0, max: 7.0 });
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_mean_is_of_what_there_is() {
        assert_eq!(mean(&[2.0, 4.0]), Some(3.0));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn above_one_ours_is_faster_whatever_is_measured() {
        assert_eq!(Better::Higher.times_as_fast(300.0, 100.0), 3.0);
        assert_eq!(Better::Lower.times_as_fast(2.0, 5.0), 2.5);
    }
}
