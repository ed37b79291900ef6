//! The Ladder: a submission moves its team's score only if it is convincingly better than the last one that did
//! (Blum & Hardt 2015, arXiv 1502.04585, the parameter-free variant).

use crate::outcome::Tally;

/// What a ladder tells of a score, the first one too: its errors rounded to 0.001, in whole images, so that a step tells at most ten
/// bits however many images there are.
#[must_use]
pub fn told(score: Tally) -> Tally {
    let images = u64::from(score.images);
    let rounded = |misses: u32| {
        if images <= 1000 {
            return misses;
        }
        let thousandths = (u64::from(misses) * 1000 + images / 2) / images;
        let misses = (thousandths * images + 500) / 1000;
        u32::try_from(misses.min(images)).unwrap_or(score.images)
    };
    Tally {
        images: score.images,
        top1_misses: rounded(score.top1_misses),
        top5_misses: rounded(score.top5_misses),
    }
}

/// When a submission counts as an improvement over the team's last accepted one.
///
/// For 0/1 losses the paper's paired t-step is exact in integers: with `fixed` images newly right and `broken` newly wrong, accept
/// where `(fixed − broken)² > z²·(fixed + broken)`, `z = 1`. With `z = 1` and about as many submissions as images, flipping two labels
/// at a time still reads the labels off; a larger `z`, a floor on the gain, or a quota closes that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ladder {
    /// Standard errors by which the paired difference must exceed zero; 1 is the paper's.
    pub z: f64,
    /// The least gain accepted, as a fraction of the images.
    pub min_gain: f64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            z: 1.0,
            min_gain: 0.0,
        }
    }
}

impl Ladder {
    /// Whether a submission that gets `fixed` of `images` right that the last accepted one had wrong, and `broken` the other way
    /// round, is accepted. A team's first submission has no predecessor and is always accepted; that is the caller's case.
    pub fn accepts(&self, fixed: u32, broken: u32, images: u32) -> bool {
        let gain = f64::from(fixed) - f64::from(broken);
        let discordant = f64::from(fixed) + f64::from(broken);
        gain > 0.0
            && gain * gain > self.z * self.z * discordant
            && gain >= self.min_gain * f64::from(images)
    }
}
