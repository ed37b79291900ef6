//! How much better than chance a guess is, and how often chance is allowed to look like a finding.

use crate::classes::Class;
use crate::statistics::binomial_tail;

/// Of test sets whose labels were drawn without regard to anything else, chance has a finding in one of a million at most.
const SIGNIFICANCE: f64 = 1e-6;

/// The level of each guess that is known beforehand: names that say the class (four), the order as given and of sorted names (six), and file
/// sizes (two). Together they have half of all.
pub(super) const KNOWN: f64 = SIGNIFICANCE / 24.0;

/// Of the images that chance leaves open, so many are guessed right: one in twenty.
pub(super) const EFFECT: f64 = 0.05;

/// How often a guess is right, and how often it would be by chance, which is labels drawn without regard to what is guessed from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Guess {
    pub hits: usize,
    /// Images that something is guessed for.
    pub guessed: usize,
    /// Images.
    pub trials: usize,
    pub expected: f64,
    /// By how much, as a logarithm, these labels are more probable with what was learnt elsewhere than with any shares of the classes at
    /// all; 0 where nothing was learnt.
    pub likelihood: f64,
}

impl Guess {
    /// Enough hits to matter, and more of them, or labels that fit better, than chance gives with the probability `level`.
    ///
    /// Each of the two gets half of it. Hits: the binomial tail; in a random order of given labels their variance is that of a binomial
    /// variable at most (but for a factor n/(n − 1)). Labels that fit: a ratio of likelihoods, of which the one above was fixed before these
    /// labels were seen and the one below is the largest that chance allows, exceeds 1/x with a probability of x at most (Wasserman, Ramdas
    /// and Balakrishnan 2020, "Universal inference"). The first is sharper for many classes, the second where several classes share what
    /// is seen.
    pub fn gives_away(&self, effect: f64, level: f64) -> bool {
        let half = level / 2.0;
        self.hits_give_away(effect, half) || self.matters(effect) && self.likelihood > -half.ln()
    }

    /// The same by hits alone.
    pub fn hits_give_away(&self, effect: f64, level: f64) -> bool {
        let chance = || self.expected / count(self.guessed);
        self.matters(effect)
            && binomial_tail(self.hits as u64, self.guessed as u64, chance()) < level
    }

    pub fn matters(&self, effect: f64) -> bool {
        let (hits, trials) = (count(self.hits), count(self.trials));
        hits > self.expected && hits - self.expected >= effect * (trials - self.expected)
    }

    /// Hits beyond those of chance.
    pub fn excess(&self) -> f64 {
        count(self.hits) - self.expected
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            guessed: self.guessed + other.guessed,
            trials: self.trials + other.trials,
            expected: self.expected + other.expected,
            likelihood: self.likelihood + other.likelihood,
        }
    }
}

/// Half of the chance for all learnt guesses together, however many there are: the k-th is made at 1/(k(k + 1)) of it, and these add up
/// to 1. Which guesses are made may depend on the images, never on the labels.
#[derive(Debug, Default)]
pub(super) struct Budget {
    guesses: usize,
}

impl Budget {
    /// The level of the next guess.
    pub fn next(&mut self) -> f64 {
        self.guesses += 1;
        SIGNIFICANCE / 2.0 / (count(self.guesses) * count(self.guesses + 1))
    }
}

/// How many of each class there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    counts: Vec<u32>,
    total: usize,
}

impl Shares {
    pub fn of(labels: impl IntoIterator<Item = Class>) -> Self {
        let mut shares = Self::default();
        for class in labels {
            let class = usize::from(class.0);
            if shares.counts.len() <= class {
                shares.counts.resize(class + 1, 0);
            }
            shares.counts[class] += 1;
            shares.total += 1;
        }
        shares
    }

    /// The share of a class among these labels.
    pub fn get(&self, class: Class) -> f64 {
        let of_class = self.counts.get(usize::from(class.0)).copied().unwrap_or(0);
        f64::from(of_class) / count(self.total.max(1))
    }

    /// The same, of `classes` classes, where none is impossible.
    pub fn smoothed(&self, class: Class, classes: usize) -> f64 {
        let of_class = self.counts.get(usize::from(class.0)).copied().unwrap_or(0);
        (f64::from(of_class) + 0.5) / (count(self.total) + 0.5 * count(classes))
    }

    /// The numbers of the classes that occur.
    pub fn counts(&self) -> impl Iterator<Item = f64> {
        self.counts
            .iter()
            .filter(|&&of_class| of_class > 0)
            .map(|&of_class| f64::from(of_class))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of images, far below 2^53"
)]
pub(super) fn count(images: usize) -> f64 {
    images as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_levels_together_are_one_in_a_million() {
        let mut budget = Budget::default();
        let spent: f64 = (0..100_000).map(|_| budget.next()).sum();
        let known = 12.0 * KNOWN;
        // The sum of 1/(k(k + 1)) up to n is 1 − 1/(n + 1).
        assert!(
            known + spent < 1e-6 && known + spent > 0.9999e-6,
            "{known} {spent}"
        );
    }
}
