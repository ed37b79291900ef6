//! The canonical record: what every prediction reduces to, whether it came as a ranked list, a score matrix or from a model.

use std::io::{self, Write};

use crate::classes::Class;
use crate::npy;

/// One image of a record: column 0 is the class of rank 1 or −1, columns 1–5 the classes of rank ≤ 5, padded with −1. Read as the
/// devkit reads it, a guess that is no class is −1 in its place, and a class may be repeated.
pub type Row = [i32; 6];

/// The row of an image for which nothing was predicted.
pub const EMPTY: Row = [-1; 6];

/// The canonical record of a submission, one [`Row`] per test image in the order of the ordinals.
///
/// Ranks are pessimistic: the rank of a class is the number of classes, itself included, that score at least as high, so that ties
/// count against the submitter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    rows: Vec<Row>,
}

impl Record {
    /// The record of rows that hold it, such as [`crate::predictions::row_of_scores`] makes them.
    pub fn from_rows(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The class ranked first for this image; none where several share the best score.
    ///
    /// # Panics
    /// If `image` is not an ordinal of this record.
    pub fn top1(&self, image: usize) -> Option<Class> {
        class(self.rows[image][0])
    }

    /// The classes ranked fifth or better for this image, best first.
    ///
    /// # Panics
    /// If `image` is not an ordinal of this record.
    pub fn top5(&self, image: usize) -> impl Iterator<Item = Class> + '_ {
        self.rows[image][1..]
            .iter()
            .filter_map(|&index| class(index))
    }

    /// Writes the record as NPY, int32 little-endian `[N,6]`; [`crate::predictions::read`] reads it back.
    pub fn write_npy(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&npy::header("<i4", &[self.rows.len(), 6]))?;
        let mut bytes = Vec::with_capacity(24 * 4096);
        for rows in self.rows.chunks(4096) {
            bytes.clear();
            bytes.extend(
                rows.as_flattened()
                    .iter()
                    .flat_map(|index| index.to_le_bytes()),
            );
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

fn class(index: i32) -> Option<Class> {
    u16::try_from(index).ok().map(Class)
}
