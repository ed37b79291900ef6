//! How fast files are scored on one core, from memory: `bench_scoring FILE LABELS CLASSES`, one line of `name<TAB>value` per figure.
//!
//! `scripts/bench-scoring` runs it beside numpy and scikit-learn.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use referee_scoring::statistics::rank_ranges;
use referee_scoring::{
    Bitmap, ClassList, Expected, FormatError, ImageList, Labels, outcome, predictions,
};

const REPEATS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [predictions, labels, classes] = arguments.as_slice() else {
        return Err("usage: bench_scoring FILE LABELS CLASSES".into());
    };
    let classes = ClassList::numbered(classes.parse()?);
    let (labels, images) = Labels::parse_csv(fs::File::open(labels)?, &classes, None)?;
    let bytes = fs::read(predictions)?;

    let misses = score(&bytes, &classes, &images, &labels)?;
    let scoring = fastest(|| score(black_box(&bytes), &classes, &images, &labels));
    let summing = fastest(|| {
        black_box(&bytes)
            .iter()
            .map(|&byte| u64::from(byte))
            .sum::<u64>()
    });
    println!("rank_ranges_seconds\t{:.6}", rank_a_hundred().as_secs_f64());
    println!("bytes\t{}", bytes.len());
    println!("top1_misses\t{}", misses.top1_misses);
    println!("top5_misses\t{}", misses.top5_misses);
    println!("score_seconds\t{:.6}", scoring.as_secs_f64());
    println!("byte_sum_seconds\t{:.6}", summing.as_secs_f64());
    Ok(())
}

fn score(
    bytes: &[u8],
    classes: &ClassList,
    images: &ImageList,
    labels: &Labels,
) -> Result<outcome::Tally, FormatError> {
    let expected = Expected {
        classes,
        images,
        boxes: false,
        devkit: false,
    };
    let predictions = predictions::read(bytes, &expected)?;
    Ok(outcome::judge(&predictions.record, labels).tally(&labels.scored_mask(), None))
}

/// Tied ranks of 100 submissions on 100,000 images, each wrong on a tenth of its own.
fn rank_a_hundred() -> Duration {
    let images = 100_000_u64;
    let hits: Vec<Bitmap> = (1..=100_u64)
        .map(|seed| {
            (0..images)
                .map(|image| {
                    (image + 1).wrapping_mul(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32 & 1023
                        >= 102
                })
                .collect()
        })
        .collect();
    let hits: Vec<&Bitmap> = hits.iter().collect();
    let all = Bitmap::full(hits[0].len());
    fastest(|| rank_ranges(black_box(&hits), &all, 0.05))
}

/// The fastest of some runs: what the machine can do when nothing else takes its time.
fn fastest<T>(mut run: impl FnMut() -> T) -> Duration {
    let time = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(run());
        start.elapsed()
    };
    (0..REPEATS)
        .map(|_| time(&mut run))
        .min()
        .unwrap_or_default()
}
