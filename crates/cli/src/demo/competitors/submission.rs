//! The files that competitors send: one ranking of the classes, in any of the formats that the server takes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{Array2, ArrayRef1};
use referee_scoring::npy;

/// A prediction file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ILSVRC's: for each image a line of five classes, counted from 1.
    Text,
    /// The same, compressed.
    GzippedText,
    /// `image,label1,…,label5`, counted from 0.
    Csv,
    /// NPY, integers `[N, 5]`: five classes, counted from 0.
    NpyRanked,
    /// NPY, float32 `[N, classes]`: a score for every class.
    NpyScores,
    /// NPY, int32 `[N, 6]`: the first guess, then the five.
    CanonicalRecord,
}

/// How many classes a ranked prediction names.
const GUESSES: usize = 5;

impl Format {
    /// What a file of this format is usually called.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::GzippedText => "txt.gz",
            Self::Csv => "csv",
            Self::NpyRanked | Self::NpyScores | Self::CanonicalRecord => "npy",
        }
    }

    /// The file for `scores` `[N, classes]`.
    pub fn encode(self, scores: &Array2<f32>) -> Vec<u8> {
        let images = scores.nrows();
        let ranked = || scores.outer_iter().map(|scores| top_five(&scores));
        match self {
            Self::Text => ranked()
                .map(|five| joined(five.map(|class| class + 1), " ") + "\n")
                .collect::<String>()
                .into_bytes(),
            Self::GzippedText => gzipped(&Self::Text.encode(scores)),
            Self::Csv => {
                let rows = ranked()
                    .enumerate()
                    .map(|(image, five)| format!("{image},{}\n", joined(five, ",")));
                let header = "image,label1,label2,label3,label4,label5\n".to_owned();
                std::iter::once(header)
                    .chain(rows)
                    .collect::<String>()
                    .into_bytes()
            }
            Self::NpyRanked => {
                let classes = ranked().flatten().map(u64::from);
                array(
                    "<u8",
                    &[images, GUESSES],
                    classes.flat_map(u64::to_le_bytes),
                )
            }
            Self::NpyScores => {
                let elements = scores.iter().copied().flat_map(f32::to_le_bytes);
                array("<f4", &[images, scores.ncols()], elements)
            }
            Self::CanonicalRecord => {
                let columns = ranked().flat_map(|five| std::iter::once(five[0]).chain(five));
                array(
                    "<i4",
                    &[images, 1 + GUESSES],
                    columns.flat_map(u32::to_le_bytes),
                )
            }
        }
    }
}

/// An NPY file.
fn array(descr: &str, shape: &[usize], elements: impl Iterator<Item = u8>) -> Vec<u8> {
    npy::header(descr, shape)
        .into_iter()
        .chain(elements)
        .collect()
}

/// The five classes with the highest scores, the highest first; of equal ones, the lower class first.
fn top_five(scores: &ArrayRef1<f32>) -> [u32; GUESSES] {
    let mut classes: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    std::array::from_fn(|rank| classes[rank].0)
}

fn joined(classes: [u32; GUESSES], separator: &str) -> String {
    classes.map(|class| class.to_string()).join(separator)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn scores() -> Array2<f32> {
        array![
            [0.0, 5.0, 4.0, 5.0, 1.0, -1.0],
            [9.0, 8.0, 7.0, 6.0, 5.0, 4.0]
        ]
    }

    #[test]
    fn text_counts_from_1_and_csv_from_0() {
        assert_eq!(Format::Text.encode(&scores()), b"2 4 3 5 1\n1 2 3 4 5\n");
        let csv = b"image,label1,label2,label3,label4,label5\n0,1,3,2,4,0\n1,0,1,2,3,4\n";
        assert_eq!(Format::Csv.encode(&scores()), csv);
    }

    /// As `np.array([[1, 1, 3, 2, 4, 0], [0, 0, 1, 2, 3, 4]], dtype="<i4").tobytes()`.
    #[test]
    fn the_canonical_record_repeats_the_first_guess() {
        let file = Format::CanonicalRecord.encode(&scores());
        let elements: Vec<i32> = file[128..]
            .chunks_exact(4)
            .map(|e| i32::from_le_bytes([e[0], e[1], e[2], e[3]]))
            .collect();
        assert_eq!(elements, [1, 1, 3, 2, 4, 0, 0, 0, 1, 2, 3, 4]);
    }
}
