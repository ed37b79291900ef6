//! How sure an error rate is, and whether two submissions differ.

mod distributions;
mod ranks;

use serde::{Deserialize, Serialize};

use crate::outcome::Bitmap;
pub(crate) use distributions::binomial_tail;
use distributions::{beta_quantile, binomial_half, normal_quantile};
pub use ranks::rank_ranges;

/// Wilson's score interval for `misses` of `images` at the given confidence, such as 0.95.
///
/// Without images nothing is known: (0, 1).
pub fn wilson(misses: u64, images: u64, confidence: f64) -> (f64, f64) {
    if images == 0 {
        return (0.0, 1.0);
    }
    let (x, n) = (real(misses), real(images));
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let p = x / n;
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let low = if misses == 0 { 0.0 } else { centre - half };
    let high = if misses == images { 1.0 } else { centre + half };
    (low, high)
}

/// Clopper and Pearson's exact interval for `misses` of `images`, never narrower than the confidence promises.
pub fn clopper_pearson(misses: u64, images: u64, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    let (x, n) = (real(misses), real(images));
    let low = if misses == 0 {
        0.0
    } else {
        beta_quantile(tail, x, n - x + 1.0)
    };
    let high = if misses == images {
        1.0
    } else {
        beta_quantile(1.0 - tail, x + 1.0, n - x)
    };
    (low, high)
}

/// Two-sided p-values of `McNemar`'s test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Binomial, exact and conservative.
    pub exact: f64,
    /// Exact less the probability of the observed count: nearly always closer to its level (Fagerland et al. 2013).
    pub mid_p: f64,
}

/// Compares two submissions on the same images: `b` images that only the first gets right, `c` that only the second does.
pub fn mcnemar(b: u64, c: u64) -> McNemar {
    let trials = b + c;
    let (at_most, exactly) = binomial_half(b.min(c), trials);
    let exact = (2.0 * at_most).min(1.0);
    let mid_p = if b == c {
        1.0 - exactly / 2.0
    } else {
        exact - exactly
    };
    McNemar {
        exact,
        mid_p: if trials == 0 { 1.0 } else { mid_p },
    }
}

/// On how many images of `mask` only `a` is right, and on how many only `b` is.
///
/// # Panics
/// If the bitmaps are of different lengths.
pub fn discordant(a: &Bitmap, b: &Bitmap, mask: &Bitmap) -> (u64, u64) {
    let a = a.and(mask);
    let both = a.and_count(b);
    (a.count() - both, b.and_count(mask) - both)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of images, far below 2^53"
)]
fn real(count: u64) -> f64 {
    count as f64
}
