use referee_scoring::outcome::Tally;
use referee_scoring::statistics;
use referee_storage::StorageError;
use referee_storage::leaderboard::Split as BoardSplit;
use referee_storage::scorer::{self, RankRange, Ranking};
use uuid::Uuid;

use super::Scorer;
use super::judge::Split;

/// The family of paired tests: the first entries of a board. All 4,950 pairs of a hundred take milliseconds.
const FAMILY: usize = 100;
const ALPHA: f64 = 0.05;

impl Scorer {
    /// Computes the rank ranges of both splits' boards.
    pub(super) async fn rank(&self, challenge: Uuid) -> Result<(), StorageError> {
        for (board, split) in [
            (BoardSplit::Public, Split::Public),
            (BoardSplit::Private, Split::Private),
        ] {
            if let Some(ranking) = scorer::ranking(&self.db, challenge, board).await? {
                let ranges = self.ranges(challenge, &ranking, split).await?;
                scorer::store_rank_ranges(&self.db, challenge, board, &ranking, &ranges).await?;
            }
        }
        Ok(())
    }

    async fn ranges(
        &self,
        challenge: Uuid,
        ranking: &Ranking,
        split: Split,
    ) -> Result<Vec<RankRange>, StorageError> {
        let mut ranges = by_interval(&ranking.entries, ranking.ranks_top5);
        // With a ladder on the public split, only what it let out may shape what is shown.
        if !(ranking.uses_ladder && split == Split::Public) {
            let family: Vec<Uuid> = ranking
                .entries
                .iter()
                .take(FAMILY)
                .map(|(submission, _)| *submission)
                .collect();
            let key = self
                .judge
                .answer_key(challenge, ranking.label_version)
                .await?;
            let hits = scorer::hits(&self.db, ranking, &family, key.labels.len()).await?;
            let mask = key.mask(split);
            let tested = tokio::task::spawn_blocking(move || {
                let hits: Vec<_> = hits.iter().collect();
                statistics::rank_ranges(&hits, &mask, ALPHA)
            })
            .await
            .map_err(|_| StorageError::Corrupt("the rank tests did not come to their end"))?;
            let others = ranges.len() - tested.len();
            for (range, (low, high)) in ranges.iter_mut().zip(tested) {
                range.low = rank(low);
                // Ranks past the family are open to those that may be tied with its last.
                range.high = if high == family.len() && others > 0 {
                    range.high.max(rank(high))
                } else {
                    rank(high)
                };
            }
        }
        Ok(ranges)
    }
}

/// Conservative and unpaired: two entries differ where their 95 % Wilson intervals do not overlap. For entries past the
/// family and for ladders.
fn by_interval(entries: &[(Uuid, Tally)], ranks_top5: bool) -> Vec<RankRange> {
    let intervals: Vec<(f64, f64)> = entries
        .iter()
        .map(|(_, tally)| {
            if ranks_top5 {
                tally.top5_interval()
            } else {
                tally.top1_interval()
            }
        })
        .collect();
    let sorted = |ends: fn(&(f64, f64)) -> f64| {
        let mut ends: Vec<f64> = intervals.iter().map(ends).collect();
        ends.sort_by(f64::total_cmp);
        ends
    };
    let (lows, highs) = (sorted(|interval| interval.0), sorted(|interval| interval.1));
    entries
        .iter()
        .zip(&intervals)
        .map(|((submission, _), (low, high))| {
            let better = highs.partition_point(|end| end < low);
            let not_worse = lows.partition_point(|start| start <= high);
            RankRange {
                submission: *submission,
                low: rank(better + 1),
                high: rank(not_worse),
            }
        })
        .collect()
}

/// A board has far fewer than 2³¹ entries.
fn rank(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(misses: u32) -> (Uuid, Tally) {
        (
            Uuid::now_v7(),
            Tally {
                images: 10_000,
                top1_misses: misses,
                top5_misses: 0,
            },
        )
    }

    /// 95 % Wilson intervals of 1000, 1050 and 2000 of 10,000: about ±0.6, ±0.6 and ±0.8 points.
    #[test]
    fn entries_whose_intervals_overlap_share_ranks() {
        let ranges = by_interval(&[entry(1000), entry(1050), entry(2000)], false);
        let ranges: Vec<_> = ranges.iter().map(|range| (range.low, range.high)).collect();
        assert_eq!(ranges, [(1, 2), (1, 2), (3, 3)]);
    }
}
