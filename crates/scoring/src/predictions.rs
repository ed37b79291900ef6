//! Prediction files: whatever is accepted, recognised by content and reduced to the canonical [`Record`].

mod arrays;
mod intake;
mod ranked;
mod scores;
mod table;
mod text;

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::classes::{ClassList, Over, WiderClasses};
use crate::format_error::FormatError;
use crate::images::ImageList;
use crate::npy;
use crate::record::Record;
use crate::stream::Stream;
pub use intake::refuse_by_leading_bytes;
pub(crate) use intake::{Purpose, refuse_by_leading_bytes_as};
pub use scores::{NotANumber, row_of_scores};

/// What a prediction file is checked against: public facts and what its sender says about it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub classes: &'a ClassList,
    pub images: &'a ImageList,
    /// Every class is followed by the four integers of a box (form field `boxes=true`); they are ignored.
    pub boxes: bool,
    /// Accept in a text file what the ILSVRC devkit accepts: guesses after the fifth are cut, repeated and out-of-range ones miss.
    pub devkit: bool,
}

/// The formats a prediction file can have, after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One line of class numbers from 1 per image, as ILSVRC's evaluation reads it.
    Text,
    /// `image,label1,…`.
    Csv,
    /// `ImageId,PredictionString`.
    Kaggle,
    /// NPY, integers `[N]` or `[N,k]`.
    Ranked,
    /// NPY, floating-point scores `[N,C]`.
    Scores,
    /// NPY, the canonical record `[N,6]`.
    Record,
}

impl Format {
    /// Whether rows say which image they are about; else their order does.
    pub fn names_images(self) -> bool {
        matches!(self, Self::Csv | Self::Kaggle)
    }
}

/// Something that was done to a file and that its sender should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub code: String,
    pub detail: String,
}

/// An accepted prediction file.
#[derive(Clone, Debug)]
pub struct Predictions {
    pub record: Record,
    pub format: Format,
    pub notices: Vec<Notice>,
}

/// Reads a prediction file of any accepted format, as it is or within one layer of gzip or zstd.
///
/// Memory: 24 bytes per image and buffers of a few hundred kilobytes (up to 8 MiB more for zstd), whatever the file's size. Reading
/// stops as soon as the file has more rows than there are images, a line of more than 16 KiB, or ten errors.
///
/// # Errors
/// Where the file is wrong and what was expected; [`FormatError::is_unreadable`] tells a failing `input` apart.
pub fn read(input: impl Read, expected: &Expected<'_>) -> Result<Predictions, FormatError> {
    read_over(input, expected, None)
}

/// The same for a challenge whose classes are some of a longer list: a file is `over` that list, or over the challenge's own
/// (`expected.classes`). The record is in the longer list's indices either way.
///
/// Of a score matrix over the longer list the columns that are no classes of the challenge are left out; a guess of such a class
/// stays in the record, where no label equals it.
///
/// # Errors
/// As [`read`].
pub fn read_within(
    input: impl Read,
    expected: &Expected<'_>,
    wider: &WiderClasses,
    over: Over,
) -> Result<Predictions, FormatError> {
    match over {
        Over::Wider => {
            let expected = Expected {
                classes: wider.list(),
                ..*expected
            };
            read_over(input, &expected, Some(wider))
        }
        Over::Challenge => {
            let read = read_over(input, expected, None)?;
            let rows = read.record.rows().iter().map(|row| wider.row(*row));
            Ok(Predictions {
                record: Record::from_rows(rows.collect()),
                ..read
            })
        }
    }
}

/// `within` is the longer list where the file is over that.
fn read_over(
    input: impl Read,
    expected: &Expected<'_>,
    within: Option<&WiderClasses>,
) -> Result<Predictions, FormatError> {
    let mut stream = Stream::open(input)?;
    let head = stream.head();
    if head.starts_with(npy::MAGIC) {
        return arrays::read(&mut stream, expected, within);
    }
    if let Some(sentence) = refuse_by_leading_bytes(head, None) {
        return Err(FormatError::whole(sentence));
    }
    if table::looks_like_csv(head) {
        return table::read(&mut stream, expected);
    }
    let rows = text::read(&mut stream, expected)?;
    Ok(Predictions {
        record: Record::from_rows(rows),
        format: Format::Text,
        notices: Vec::new(),
    })
}
