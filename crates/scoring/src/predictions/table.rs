//! CSV: `image,label1[,…,label5]`, and Kaggle's `ImageId,PredictionString`.

use super::ranked::{Ranking, Refused};
use super::text::maybe_boxes;
use super::{Expected, Format, Notice, Predictions};
use crate::classes::{ClassList, is_canonical_integer};
use crate::csv;
use crate::format_error::{At, Findings, FormatError};
use crate::labels::{missing_image, shown, unknown_class, unknown_image};
use crate::outcome::Bitmap;
use crate::record::{EMPTY, Record, Row};
use crate::stream::Stream;

/// Whether the first line is more than numbers and blanks: a comma, a quote, or a word.
pub(super) fn looks_like_csv(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let word = line
        .trim_ascii_start()
        .first()
        .is_some_and(u8::is_ascii_alphabetic);
    word || line.iter().any(|byte| matches!(byte, b',' | b';' | b'"'))
}

pub(super) fn read(
    stream: &mut Stream<'_>,
    expected: &Expected<'_>,
) -> Result<Predictions, FormatError> {
    let images = expected.images;
    let mut layout = Layout::Columns(0);
    let mut rows = vec![EMPTY; images.len()];
    let mut seen = Bitmap::new(images.len());
    let mut findings = Findings::default();
    let mut boxes = false;
    let lines = csv::each_line(stream, |number, line| {
        let at = At::Line(number);
        if number == 1 {
            layout = Layout::of_header(line, expected.classes)
                .map_err(|detail| FormatError::at(at, detail))?;
            return Ok(());
        }
        match layout.row(line, expected, &mut boxes) {
            Err(detail) => findings.push(at, detail),
            Ok((image, row)) => match images.resolve(&image) {
                None => findings.push(at, unknown_image(&image, images)),
                Some(ordinal) if seen.get(ordinal as usize) => findings.push(
                    at,
                    format!(
                        "image {} has a line already",
                        images.describe(ordinal as usize)
                    ),
                ),
                Some(ordinal) => {
                    seen.set(ordinal as usize, true);
                    rows[ordinal as usize] = row;
                    Ok(())
                }
            },
        }
    })?;
    findings.finish()?;
    if let Some(missing) = (0..images.len()).find(|&image| !seen.get(image)) {
        let absent = (0..images.len()).filter(|&image| !seen.get(image)).count();
        return Err(FormatError::at(
            At::Line(lines + 1),
            missing_image(missing, absent, images),
        ));
    }
    let notices = boxes.then(|| Notice {
        code: "boxes_ignored".to_owned(),
        detail: "the prediction strings hold boxes; only their classes are scored".to_owned(),
    });
    let format = if matches!(layout, Layout::Kaggle) {
        Format::Kaggle
    } else {
        Format::Csv
    };
    Ok(Predictions {
        record: Record::from_rows(rows),
        format,
        notices: notices.into_iter().collect(),
    })
}

#[derive(Clone, Copy)]
enum Layout {
    /// An image and up to so many labels.
    Columns(usize),
    /// An image and a string of labels or of boxes.
    Kaggle,
}

impl Layout {
    fn of_header(line: &str, classes: &ClassList) -> Result<Self, String> {
        let cells: Vec<String> = csv::cells(line)
            .map(|cell| cell.map(|cell| cell.to_ascii_lowercase()))
            .collect::<Result<_, _>>()?;
        let (first, others) = cells.split_first().ok_or("empty")?;
        if first == "imageid" && others == ["predictionstring"] {
            return Ok(Self::Kaggle);
        }
        let numbered = others
            .iter()
            .zip(1..)
            .all(|(cell, number)| *cell == format!("label{number}"));
        let single = others == ["label"];
        if first == "image" && (numbered || single) && (1..=5).contains(&others.len()) {
            return Ok(Self::Columns(others.len()));
        }
        let remedy = if line
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b' ')
        {
            "; add the header, or write class numbers from 1 separated by blanks (the text format)"
        } else if csv::is_header_of_scores(&cells, classes) {
            "; this looks like a table of scores, a column for each class: send the scores as NPY, np.save('scores.npy', table.to_numpy(np.float32))"
        } else {
            csv::remedy_of_header(line)
        };
        Err(format!(
            "expected the header `image,label1` (up to label5) or `ImageId,PredictionString`, found `{}`{remedy}",
            shown(line)
        ))
    }

    fn row(
        self,
        line: &str,
        expected: &Expected<'_>,
        boxes: &mut bool,
    ) -> Result<(String, Row), String> {
        if line.trim().is_empty() {
            return Err("blank; expected an image and its labels".to_owned());
        }
        let cells: Vec<_> = csv::cells(line).collect::<Result<_, _>>()?;
        let (image, labels) = cells.split_first().ok_or("empty")?;
        let most = if let Self::Columns(most) = self {
            most
        } else {
            1
        };
        if labels.len() > most {
            if let Some(sentence) = csv::unquoted_comma(&cells, expected.classes) {
                return Err(sentence);
            }
            return Err(format!(
                "{} cells; the header has {}",
                cells.len(),
                most + 1
            ));
        }
        if image.is_empty() {
            return Err("no image; expected its ordinal from 0 or its name".to_owned());
        }
        let mut guesses: Vec<&str> = match self {
            Self::Columns(_) => labels.iter().map(AsRef::as_ref).collect(),
            Self::Kaggle => {
                let words: Vec<&str> = labels
                    .first()
                    .map_or("", AsRef::as_ref)
                    .split_ascii_whitespace()
                    .collect();
                if expected.boxes || is_boxes(&words) {
                    *boxes = true;
                    classes_of_boxes(&words)?
                } else if words.len() > 5 && words.len().is_multiple_of(5) {
                    return Err(maybe_boxes(words.len(), "words"));
                } else {
                    words
                }
            }
        };
        while guesses.last().is_some_and(|guess| guess.is_empty()) {
            guesses.pop();
        }
        if guesses.is_empty() {
            return Err("no guess; expected at least one class".to_owned());
        }
        let mut ranking = Ranking::new();
        for (guess, number) in guesses.iter().zip(1..) {
            if guess.is_empty() {
                return Err(format!(
                    "guess {number} is empty and a later one is not; leave only trailing cells empty"
                ));
            }
            let class = expected
                .classes
                .resolve(guess)
                .ok_or_else(|| unknown_class(guess, expected.classes))?;
            ranking.push(class).map_err(|refused| match refused {
                Refused::Repeated => format!(
                    "class `{}` is repeated; expected up to 5 different classes",
                    shown(guess)
                ),
                Refused::SixthGuess => format!("{} classes; expected at most 5", guesses.len()),
            })?;
        }
        Ok((image.clone().into_owned(), ranking.row()))
    }
}

/// Whether a prediction string is groups of a class id and four integers. A group led by a number would be five class indices.
fn is_boxes(words: &[&str]) -> bool {
    let (groups, rest) = words.as_chunks::<5>();
    !groups.is_empty()
        && rest.is_empty()
        && groups.iter().all(|[class, side @ ..]| {
            !is_canonical_integer(class) && side.iter().all(|side| is_integer(side))
        })
}

fn classes_of_boxes<'w>(words: &[&'w str]) -> Result<Vec<&'w str>, String> {
    let (groups, rest) = words.as_chunks::<5>();
    if !rest.is_empty() {
        return Err(format!(
            "{} words; expected groups of a class and four integers",
            words.len()
        ));
    }
    Ok(groups.iter().map(|[class, ..]| *class).collect())
}

fn is_integer(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
