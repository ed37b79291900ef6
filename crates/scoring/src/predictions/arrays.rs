//! NPY arrays: ranked classes, scores, or the canonical record.

use super::ranked::{Ranking, Refused};
use super::scores::{Score, half_precision, row_of, row_of_own};
use super::{Expected, Format, Notice, Predictions};
use crate::classes::{Class, MAX_CLASSES, WiderClasses};
use crate::format_error::{At, Findings, FormatError};
use crate::npy::{Dtype, Header, Kind};
use crate::record::{EMPTY, Record, Row};
use crate::stream::Stream;

pub(super) fn read(
    stream: &mut Stream<'_>,
    expected: &Expected<'_>,
    within: Option<&WiderClasses>,
) -> Result<Predictions, FormatError> {
    let header = stream.npy_header()?;
    let (format, columns) = layout(&header, expected, within)?;
    let part = within.filter(|_| format == Format::Scores);
    let is_own = part.is_some_and(|wider| columns == wider.places().len());
    let array = Array {
        columns,
        part,
        row_bytes: columns * header.dtype.bytes,
        expected,
    };
    let Dtype {
        kind,
        bytes,
        big_endian: big,
    } = header.dtype;
    let rows = match (kind, bytes, big) {
        (Kind::Float, 2, false) => {
            array.scores(stream, |bytes| half_precision(u16::from_le_bytes(bytes)))
        }
        (Kind::Float, 2, true) => {
            array.scores(stream, |bytes| half_precision(u16::from_be_bytes(bytes)))
        }
        (Kind::Float, 4, false) => array.scores(stream, f32::from_le_bytes),
        (Kind::Float, 4, true) => array.scores(stream, f32::from_be_bytes),
        (Kind::Float, _, false) => array.scores(stream, f64::from_le_bytes),
        (Kind::Float, _, true) => array.scores(stream, f64::from_be_bytes),
        (_, _, _) => array.integers(
            stream,
            header.dtype,
            if format == Format::Record {
                record_row
            } else {
                ranked_row
            },
        ),
    }?;
    let notice = Notice {
        code: "classes".to_owned(),
        detail: format!(
            "{columns} columns, as many as the challenge has classes: read as these, in their order (classes=challenge)"
        ),
    };
    Ok(Predictions {
        record: Record::from_rows(rows),
        format,
        notices: is_own.then_some(notice).into_iter().collect(),
    })
}

/// What an array of this type and shape is, and how many columns it has; or what was expected instead.
fn layout(
    header: &Header,
    expected: &Expected<'_>,
    within: Option<&WiderClasses>,
) -> Result<(Format, usize), FormatError> {
    let (dtype, shape) = (header.dtype, header.shape_text());
    let (images, classes) = (expected.images.len(), expected.classes.len());
    let float = dtype.kind == Kind::Float;
    let (rows, columns) = match *header.shape.as_slice() {
        [rows] if !float => (rows, 1),
        [rows, columns] => (rows, usize::try_from(columns).unwrap_or(usize::MAX)),
        [_] => {
            return Err(FormatError::whole(format!(
                "{dtype} {shape}: expected scores [{images},{classes}]; if these are class indices, send array.astype(np.int32)"
            )));
        }
        _ => {
            return Err(FormatError::whole(format!(
                "{dtype} {shape}: expected integers [{images}] or [{images},k] with k <= 5, or scores [{images},{classes}]"
            )));
        }
    };
    if rows != images as u64 && columns == images {
        return Err(FormatError::whole(format!(
            "{dtype} {shape}: a column for each test image, expected a row for each; send np.ascontiguousarray(array.T)"
        )));
    }
    if rows != images as u64 {
        return Err(FormatError::whole(format!(
            "{dtype} {shape}: {rows} rows, expected {images}, one for each test image"
        )));
    }
    match columns {
        1..=5 if !float => Ok((Format::Ranked, columns)),
        6 if !float => Ok((Format::Record, columns)),
        _ if !float => Err(FormatError::whole(format!(
            "{dtype} {shape}: expected at most 5 ranked classes per image (the canonical record has 6 columns); for scores use array.astype(np.float32)"
        ))),
        _ if within.is_some_and(|wider| columns == wider.places().len()) => {
            Ok((Format::Scores, columns))
        }
        _ if columns == classes
            || (!expected.classes.is_counted() && (1..=MAX_CLASSES).contains(&columns)) =>
        {
            Ok((Format::Scores, columns))
        }
        _ if columns == classes + 1 => Err(FormatError::whole(format!(
            "{dtype} {shape}: {columns} columns for {classes} classes; TensorFlow puts 'background' first: send array[:, 1:]"
        ))),
        1..=5 => Err(FormatError::whole(format!(
            "{dtype} {shape}: expected scores [{images},{classes}]; if these are class indices, send array.astype(np.int32)"
        ))),
        _ => {
            let own = within.map_or_else(String::new, |wider| {
                format!(
                    " of the longer list, or {}, one for each of the challenge's own",
                    wider.places().len()
                )
            });
            Err(FormatError::whole(format!(
                "{dtype} {shape}: {columns} columns, expected {classes}, one for each class{own}"
            )))
        }
    }
}

/// The array's data, row by row.
struct Array<'e> {
    columns: usize,
    /// Of scores, where only some of the columns count, or the columns are some of the classes.
    part: Option<&'e WiderClasses>,
    row_bytes: usize,
    expected: &'e Expected<'e>,
}

impl Array<'_> {
    fn scores<S: Score, const BYTES: usize>(
        &self,
        stream: &mut Stream<'_>,
        decode: impl Fn([u8; BYTES]) -> S + Copy,
    ) -> Result<Vec<Row>, FormatError> {
        self.rows(stream, |bytes| {
            let (cells, _) = bytes.as_chunks::<BYTES>();
            let row = match self.part {
                None => row_of(cells, decode),
                Some(wider) if cells.len() == wider.places().len() => {
                    row_of(cells, decode).map(|row| wider.row(row))
                }
                Some(wider) => row_of_own(cells, wider, decode),
            };
            row.map_err(|error| format!("{error}; scores must be numbers (infinities are allowed)"))
        })
    }

    fn integers(
        &self,
        stream: &mut Stream<'_>,
        dtype: Dtype,
        row: impl Fn(&[i64], &Expected<'_>) -> Result<Row, String>,
    ) -> Result<Vec<Row>, FormatError> {
        let mut cells = Vec::with_capacity(self.columns);
        self.rows(stream, |bytes| {
            cells.clear();
            cells.extend(
                bytes
                    .chunks_exact(dtype.bytes)
                    .map(|cell| integer(cell, dtype)),
            );
            row(&cells, self.expected)
        })
    }

    fn rows(
        &self,
        stream: &mut Stream<'_>,
        mut row: impl FnMut(&[u8]) -> Result<Row, String>,
    ) -> Result<Vec<Row>, FormatError> {
        let images = self.expected.images.len();
        let mut rows = Vec::with_capacity(images);
        let mut findings = Findings::default();
        while rows.len() < images {
            let Some(block) = stream.rows(self.row_bytes)? else {
                break;
            };
            for bytes in block.chunks_exact(self.row_bytes) {
                if rows.len() == images {
                    return Err(too_long(images));
                }
                match row(bytes) {
                    Ok(row) => rows.push(row),
                    Err(detail) => {
                        findings.push(At::Row(rows.len() as u64), detail)?;
                        rows.push(EMPTY);
                    }
                }
            }
        }
        if rows.len() < images {
            findings.push(
                At::Row(rows.len() as u64),
                format!("the file ends here; its header promises {images} rows: it is incomplete"),
            )?;
        } else if stream.rows(1)?.is_some() {
            return Err(too_long(images));
        }
        findings.finish()?;
        Ok(rows)
    }
}

fn too_long(images: usize) -> FormatError {
    FormatError::whole(format!(
        "there are bytes after the last of the {images} rows; save one array with np.save"
    ))
}

/// An integer of any type; what no class can be is −2 or less, or large.
fn integer(cell: &[u8], dtype: Dtype) -> i64 {
    let mut bytes = [0; 8];
    for (place, &byte) in bytes.iter_mut().zip(cell) {
        *place = byte;
    }
    if dtype.big_endian {
        bytes[..cell.len()].reverse();
    }
    let unused = 8 * (8 - cell.len());
    match dtype.kind {
        Kind::Signed => (i64::from_le_bytes(bytes) << unused) >> unused,
        _ => i64::try_from(u64::from_le_bytes(bytes)).unwrap_or(i64::MAX),
    }
}

fn class(index: i64, expected: &Expected<'_>) -> Result<Class, String> {
    let class = usize::try_from(index)
        .ok()
        .and_then(|index| expected.classes.class(index));
    class.ok_or_else(|| {
        format!(
            "class {index}, but class indices run from 0 to {} (-1 after the last guess)",
            expected.classes.len() - 1
        )
    })
}

/// Guesses, best first, −1 after the last.
fn ranked_row(cells: &[i64], expected: &Expected<'_>) -> Result<Row, String> {
    let guesses = guesses(cells)?;
    if guesses.is_empty() {
        return Err("no guess; expected at least one class".to_owned());
    }
    ranking(guesses, expected).map(Ranking::row)
}

/// A row of the canonical record: top 1 or −1, then the top 5 padded with −1.
fn record_row(cells: &[i64], expected: &Expected<'_>) -> Result<Row, String> {
    let (&top1, top5) = cells.split_first().ok_or("empty")?;
    let mut row = ranking(guesses(top5)?, expected)?.row();
    row[0] = match top1 {
        -1 => -1,
        _ if top5.contains(&top1) => i32::from(class(top1, expected)?.0),
        _ => {
            return Err(format!(
                "top 1 is {top1}, which is not among the top 5 in columns 1 to 5"
            ));
        }
    };
    Ok(row)
}

/// The cells before the first −1; behind it there may be nothing else.
fn guesses(cells: &[i64]) -> Result<&[i64], String> {
    let count = cells
        .iter()
        .position(|&cell| cell == -1)
        .unwrap_or(cells.len());
    match cells[count..].iter().find(|&&cell| cell != -1) {
        None => Ok(&cells[..count]),
        Some(cell) => Err(format!(
            "class {cell} after -1; -1 may only follow the last guess"
        )),
    }
}

fn ranking(guesses: &[i64], expected: &Expected<'_>) -> Result<Ranking, String> {
    let mut ranking = Ranking::new();
    for &index in guesses {
        ranking
            .push(class(index, expected)?)
            .map_err(|refused| match refused {
                Refused::Repeated => {
                    format!("class {index} is repeated; expected up to 5 different classes")
                }
                Refused::SixthGuess => format!("{} classes; expected at most 5", guesses.len()),
            })?;
    }
    Ok(ranking)
}
