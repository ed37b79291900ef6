//! Files of labels without a header: the ILSVRC devkit's numbers, Caffe's names and numbers, and JSON as `ReaL`'s.

use serde::Deserialize;

use super::read::Reader;
use super::rows::Image;
use super::shown;
use crate::classes::{ClassList, is_canonical_integer};
use crate::csv;
use crate::format_error::{At, FormatError};
use crate::predictions::Notice;
use crate::stream::Stream;

/// The classes of ILSVRC, whose several orders are mixed up most often.
const ILSVRC_CLASSES: usize = 1000;
/// More is no list of labels: `ReaL`'s is 1 MB for 50,000 images.
const LARGEST_JSON: usize = 256 << 20;

/// What a file of labels is, from its first line.
pub(super) enum Form {
    /// CSV with a header.
    Table,
    /// A name, a blank, and a class index from 0, as Caffe's `val.txt`.
    NamesAndNumbers,
    /// A number a line, as `ILSVRC2012_validation_ground_truth.txt`.
    Numbers,
    /// One entry an image.
    Json,
}

impl Form {
    pub(super) fn of(head: &[u8]) -> Self {
        let head = head
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(head)
            .trim_ascii_start();
        if let [b'{' | b'[', ..] = head {
            return Self::Json;
        }
        let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else {
            return Self::Table;
        };
        let is_separated = line.contains([',', ';', '"']);
        match line.trim().rsplit_once([' ', '\t']) {
            None if is_canonical_integer(line.trim()) => Self::Numbers,
            Some((name, number))
                if !is_separated
                    && is_canonical_integer(number)
                    && !is_canonical_integer(name.trim()) =>
            {
                Self::NamesAndNumbers
            }
            _ => Self::Table,
        }
    }
}

/// Numbers by themselves: from 0 where one is 0, else from 1, as the devkit counts.
pub(super) fn numbers(
    stream: &mut Stream<'_>,
    reader: &mut Reader<'_>,
) -> Result<Notice, FormatError> {
    let mut numbers: Vec<u32> = Vec::new();
    csv::each_line(stream, |number, line| match line.trim().parse() {
        Ok(class) if is_canonical_integer(line.trim()) => {
            numbers.push(class);
            Ok(())
        }
        _ => reader.note(
            At::Line(number),
            format!(
                "`{}` is no class number; expected one on every line, as on the first",
                shown(line)
            ),
        ),
    })?;
    std::mem::take(&mut reader.findings).finish()?;
    let first = u32::from(!numbers.contains(&0));
    if first == 1 {
        refuse_sorted_wnids(reader.classes)?;
        refuse_either_count(&numbers, reader.classes)?;
    }
    for (image, &number) in numbers.iter().enumerate() {
        let index = (number - first).to_string();
        let added = reader.add(Image::At(image), std::iter::once(index.as_str()));
        if let Err(detail) = added {
            // They were read from 1 already.
            reader.written.one_beyond &= first == 0;
            let detail = if first == 1 && number as usize > reader.classes.len() {
                format!(
                    "class {number}, but the {0} classes are numbered from 1 to {0}",
                    reader.classes.len()
                )
            } else {
                detail
            };
            reader.note(At::Line(image as u64 + 1), detail)?;
        }
    }
    Ok(Notice {
        code: "numbered_labels".to_owned(),
        detail: format!(
            "the labels are numbers without a header: line i is read as image i and its number as a class counted from {first} in the order of the class list"
        ),
    })
}

/// Numbers among which neither 0 nor the last class from 1 occurs, although nearly all others do, count from either.
fn refuse_either_count(numbers: &[u32], classes: &ClassList) -> Result<(), FormatError> {
    let greatest = numbers.iter().max().map_or(0, |&number| number as usize);
    let distinct: std::collections::HashSet<u32> = numbers.iter().copied().collect();
    let is_dense = 2 * distinct.len() >= classes.len() && numbers.len() >= 2 * classes.len();
    if !classes.is_counted() || classes.len() < 3 || greatest >= classes.len() || !is_dense {
        return Ok(());
    }
    Err(FormatError::whole(format!(
        "the labels run from {} to {greatest}, and the {} classes may be counted from 0 or from 1: write the names of the classes, or CSV with the header `image,label` and indices from 0",
        numbers.iter().min().unwrap_or(&0),
        classes.len()
    )))
}

/// The devkit's numbers follow its own order of the synsets, so that with any other list nearly all would be wrong.
fn refuse_sorted_wnids(classes: &ClassList) -> Result<(), FormatError> {
    if classes.len() == ILSVRC_CLASSES && classes.wnids_ascend() == Some(true) {
        return Err(FormatError::whole(
            "these are ILSVRC's own class numbers, which follow the order of the devkit's meta.mat, and the class list is in the order of the WNIDs: run `referee challenge import ilsvrc --help`, which translates them",
        ));
    }
    Ok(())
}

/// # Errors
/// Where the class list of ILSVRC is not in the order of the WNIDs, which this form counts by.
pub(super) fn refuse_other_order(classes: &ClassList, what: &str) -> Result<(), FormatError> {
    if classes.len() == ILSVRC_CLASSES && classes.wnids_ascend() == Some(false) {
        return Err(FormatError::whole(format!(
            "{what} counts the classes in the order of the WNIDs, and the class list is in another order: sort the class list by WNID, or write WNIDs as labels"
        )));
    }
    Ok(())
}

/// The labels of an image.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    One(Word),
    Several(Vec<Word>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Index(u32),
    Name(String),
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Index(index) => index.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl Answer {
    fn words(&self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word.text()],
            Self::Several(words) => words.iter().map(Word::text).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answers {
    InOrder(Vec<Answer>),
    ByName(std::collections::BTreeMap<String, Answer>),
}

/// `ReaL`'s `real.json`, a list of the right classes for each image, or an object of the same by image.
pub(super) fn json(stream: &mut Stream<'_>, reader: &mut Reader<'_>) -> Result<(), FormatError> {
    refuse_other_order(
        reader.classes,
        "JSON with class numbers, as ReaL's real.json,",
    )?;
    let mut text = Vec::new();
    while let Some(block) = stream.rows(1)? {
        text.extend_from_slice(block);
        if text.len() > LARGEST_JSON {
            return Err(FormatError::whole(
                "the JSON is longer than 256 MiB; send CSV with the header `image,label`",
            ));
        }
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let answers: Answers = serde_json::from_slice(text).map_err(|_| {
        FormatError::whole(
            "this looks like JSON, but not like labels: expected for each image a class or a list of classes (`[[3], [1, 4], []]`, or `{\"a.png\": [3]}`); or send CSV with the header `image,label`",
        )
    })?;
    let mut add = |image: Image<'_>, row: usize, answer: &Answer| {
        let words = answer.words();
        let added = reader.add(image, words.iter().map(String::as_str));
        added.or_else(|detail| reader.note(At::Row(row as u64), detail))
    };
    match answers {
        Answers::InOrder(answers) => (answers.iter().enumerate())
            .try_for_each(|(row, answer)| add(Image::At(row), row, answer)),
        Answers::ByName(answers) => (answers.iter().enumerate())
            .try_for_each(|(row, (image, answer))| add(Image::Called(image), row, answer)),
    }
}
