//! Which ranks on a leaderboard are statistically tied.

use super::mcnemar;
use crate::outcome::Bitmap;

/// For submissions sorted best first, the range of ranks (from 1) that each may really have.
///
/// All pairs are compared by `McNemar`'s mid-p on the images of `mask`, with Holm's correction over all pairs shown, at level `alpha`.
/// A submission's range begins after those significantly better than it and ends before those significantly worse. Ties are not
/// transitive, so ranges overlap rather than form blocks.
///
/// # Panics
/// If the bitmaps are of different lengths.
pub fn rank_ranges(hits: &[&Bitmap], mask: &Bitmap, alpha: f64) -> Vec<(usize, usize)> {
    let masked: Vec<Bitmap> = hits.iter().map(|hits| hits.and(mask)).collect();
    let right: Vec<u64> = masked.iter().map(Bitmap::count).collect();
    let mut pairs = Vec::with_capacity(hits.len() * hits.len().saturating_sub(1) / 2);
    for first in 0..hits.len() {
        for second in first + 1..hits.len() {
            let both = masked[first].and_count(&masked[second]);
            let (b, c) = (right[first] - both, right[second] - both);
            let (better, worse) = if b > c {
                (first, second)
            } else {
                (second, first)
            };
            pairs.push((mcnemar(b, c).mid_p, better, worse));
        }
    }
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));

    let mut ranges = vec![(1, hits.len()); hits.len()];
    let mut remaining = u32::try_from(pairs.len()).map_or(f64::INFINITY, f64::from);
    for (p, better, worse) in pairs {
        if p * remaining > alpha {
            break;
        }
        remaining -= 1.0;
        ranges[worse].0 += 1;
        ranges[better].1 -= 1;
    }
    ranges
}
