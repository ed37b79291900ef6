//! Which images a submission gets right, and how many it gets wrong.

use crate::classes::Class;
use crate::labels::Labels;
use crate::record::{Record, Row};
use crate::statistics;

/// One bit per test image, bit `i % 8` of byte `i / 8` being image `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    len: usize,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// `len` images, none of them set.
    pub fn new(len: usize) -> Self {
        Self {
            len,
            bytes: vec![0; len.div_ceil(8)],
        }
    }

    /// `len` images, all of them set.
    pub fn full(len: usize) -> Self {
        (0..len).map(|_| true).collect()
    }

    /// What [`Bitmap::as_bytes`] gave; none where `bytes` is not exactly `len` bits padded with zeros to whole bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>, len: usize) -> Option<Self> {
        let bytes = bytes.into();
        let padding_is_zero =
            len.is_multiple_of(8) || bytes.last().is_some_and(|last| last >> (len % 8) == 0);
        (bytes.len() == len.div_ceil(8) && padding_is_zero).then_some(Self { len, bytes })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of images, set or not.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// # Panics
    /// If `image` is not below [`Bitmap::len`].
    pub fn get(&self, image: usize) -> bool {
        assert!(image < self.len, "image {image} of {}", self.len);
        self.bytes[image / 8] >> (image % 8) & 1 == 1
    }

    /// # Panics
    /// If `image` is not below [`Bitmap::len`].
    pub fn set(&mut self, image: usize, value: bool) {
        assert!(image < self.len, "image {image} of {}", self.len);
        let bit = 1 << (image % 8);
        if value {
            self.bytes[image / 8] |= bit;
        } else {
            self.bytes[image / 8] &= !bit;
        }
    }

    /// How many images are set.
    pub fn count(&self) -> u64 {
        self.words().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many images are set in both.
    ///
    /// # Panics
    /// If the two are of different length.
    pub fn and_count(&self, other: &Self) -> u64 {
        assert_eq!(
            self.len, other.len,
            "bitmaps of the same test set have the same length"
        );
        self.words()
            .zip(other.words())
            .map(|(a, b)| u64::from((a & b).count_ones()))
            .sum()
    }

    /// The images set in both.
    ///
    /// # Panics
    /// If the two are of different length.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        assert_eq!(
            self.len, other.len,
            "bitmaps of the same test set have the same length"
        );
        let bytes = self
            .bytes
            .iter()
            .zip(&other.bytes)
            .map(|(a, b)| a & b)
            .collect();
        Self {
            len: self.len,
            bytes,
        }
    }

    /// The images not set.
    #[must_use]
    pub fn not(&self) -> Self {
        let mut bytes: Vec<u8> = self.bytes.iter().map(|byte| !byte).collect();
        if let (Some(last), rest @ 1..) = (bytes.last_mut(), self.len % 8) {
            *last &= (1 << rest) - 1;
        }
        Self {
            len: self.len,
            bytes,
        }
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        let (words, rest) = self.bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words
            .iter()
            .copied()
            .chain(std::iter::once(last))
            .map(u64::from_le_bytes)
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut bitmap = Self::new(0);
        for bit in bits {
            if bitmap.len.is_multiple_of(8) {
                bitmap.bytes.push(0);
            }
            bitmap.len += 1;
            bitmap.set(bitmap.len - 1, bit);
        }
        bitmap
    }
}

/// For each test image, whether the first guess and whether any of the five is right. An image without labels is never right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub top1: Bitmap,
    pub top5: Bitmap,
}

/// Compares a record with the labels: an image is right where any class of its label set is predicted.
///
/// # Panics
/// If the two are not of the same length: [`crate::predictions::read`] makes records of the length it is asked for.
pub fn judge(record: &Record, labels: &Labels) -> Outcome {
    assert_eq!(
        record.len(),
        labels.len(),
        "a record and the labels it is judged by are of the same test set"
    );
    let mut outcome = Outcome {
        top1: Bitmap::new(record.len()),
        top5: Bitmap::new(record.len()),
    };
    let mut image = 0;
    for rows in record.rows().chunks(8) {
        let (mut top1, mut top5) = (0, 0);
        for (bit, row) in rows.iter().enumerate() {
            let (first, any) = hits(row, labels.get(image + bit));
            top1 |= u8::from(first) << bit;
            top5 |= u8::from(any) << bit;
        }
        outcome.top1.bytes[image / 8] = top1;
        outcome.top5.bytes[image / 8] = top5;
        image += rows.len();
    }
    outcome
}

/// Whether the first, and whether any of the five, is among the labels.
#[expect(
    clippy::unnecessary_fold,
    reason = "five comparisons without a branch are faster"
)]
fn hits(&[top1, top5 @ ..]: &Row, labels: &[Class]) -> (bool, bool) {
    labels.iter().fold((false, false), |(first, any), label| {
        let label = i32::from(label.0);
        (
            first || top1 == label,
            any || top5.iter().fold(false, |any, &class| any || class == label),
        )
    })
}

/// How many of the images that count are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Images that have labels (and lie in the split that is counted).
    pub images: u32,
    pub top1_misses: u32,
    pub top5_misses: u32,
}

impl Tally {
    /// Fraction of images whose first guess is wrong; NaN without images.
    pub fn top1_error(&self) -> f64 {
        f64::from(self.top1_misses) / f64::from(self.images)
    }

    /// Fraction of images none of whose five guesses is right; NaN without images.
    pub fn top5_error(&self) -> f64 {
        f64::from(self.top5_misses) / f64::from(self.images)
    }

    /// 95 % Wilson interval of the top-1 error.
    pub fn top1_interval(&self) -> (f64, f64) {
        statistics::wilson(self.top1_misses.into(), self.images.into(), 0.95)
    }

    /// 95 % Wilson interval of the top-5 error.
    pub fn top5_interval(&self) -> (f64, f64) {
        statistics::wilson(self.top5_misses.into(), self.images.into(), 0.95)
    }
}

impl Outcome {
    /// Counts the misses among the images of `scored` (those with labels, [`Labels::scored_mask`]), only those of `subset` if given.
    ///
    /// # Panics
    /// If the bitmaps are of different lengths.
    pub fn tally(&self, scored: &Bitmap, subset: Option<&Bitmap>) -> Tally {
        let both;
        let counted = match subset {
            None => scored,
            Some(subset) => {
                both = scored.and(subset);
                &both
            }
        };
        let small =
            |count: u64| u32::try_from(count).expect("a test set has less than 2^32 images");
        let images = counted.count();
        Tally {
            images: small(images),
            top1_misses: small(images - counted.and_count(&self.top1)),
            top5_misses: small(images - counted.and_count(&self.top5)),
        }
    }
}
