//! How long something took in many runs.

use crate::time::Span;

/// Values in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    sorted: Vec<Span>,
}

impl FromIterator<Span> for Distribution {
    fn from_iter<I: IntoIterator<Item = Span>>(values: I) -> Distribution {
        let mut sorted: Vec<Span> = values.into_iter().collect();
        sorted.sort_unstable();
        Distribution { sorted }
    }
}

impl Distribution {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// All of them, the smallest first.
    #[must_use]
    pub fn values(&self) -> &[Span] {
        &self.sorted
    }

    /// The smallest.
    #[must_use]
    pub fn min(&self) -> Option<Span> {
        self.percentile(0)
    }

    /// The one in the middle.
    #[must_use]
    pub fn median(&self) -> Option<Span> {
        self.percentile(50)
    }

    /// The greatest.
    #[must_use]
    pub fn max(&self) -> Option<Span> {
        self.percentile(100)
    }

    /// The value at this per cent of the way from the smallest to the greatest: one that has
    /// occurred, the smaller one if it lies between two.
    ///
    /// # Panics
    /// If there is no such way to go: above 100.
    #[must_use]
    pub fn percentile(&self, per_cent: usize) -> Option<Span> {
        assert!(per_cent <= 100, "a hundred per cent are all");
        let last = self.sorted.len().checked_sub(1)?;
        // Split so that no number of values is too great.
        let at = last / 100 * per_cent + last % 100 * per_cent / 100;
        Some(self.sorted[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentile_is_a_value_that_has_occurred() {
        let ten: Distribution = [7, 3, 9, 1, 5, 10, 2, 8, 4, 6].into_iter().map(Span).collect();
        let at = |per_cent| ten.percentile(per_cent).unwrap().0;
        assert_eq!([0, 50, 90, 99, 100].map(at), [1, 5, 9, 9, 10]);
        assert_eq!(
            (ten.min(), ten.median(), ten.max()),
            (Some(Span(1)), Some(Span(5)), Some(Span(10)))
        );
        assert_eq!(Distribution::default().median(), None);
    }

    proptest! {
        #[test]
        fn percentiles_lie_where_they_should(values in prop::collection::vec(0_u64..1_000, 1..300), per_cent in 0_usize..=100) {
            let all: Distribution = values.iter().copied().map(Span).collect();
            let at = all.percentile(per_cent).unwrap().0;
            let below = values.iter().filter(|&&value| value < at).count();
            let not_above = values.iter().filter(|&&value| value <= at).count();
            let rank = (values.len() - 1) * per_cent / 100;
            prop_assert!(below <= rank && rank < not_above);
        }
    }
}
