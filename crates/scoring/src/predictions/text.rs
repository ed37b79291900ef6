//! ILSVRC's text format: line i holds the guesses for image i, as class numbers from 1, best first.

use super::Expected;
use super::ranked::{Ranking, Refused};
use crate::classes::{Class, is_canonical_integer};
use crate::format_error::{At, Findings, FormatError};
use crate::labels::shown;
use crate::record::{EMPTY, Row};
use crate::stream::{MAX_LINE, Stream, refuse_lone_cr};

pub(super) fn read(
    stream: &mut Stream<'_>,
    expected: &Expected<'_>,
) -> Result<Vec<Row>, FormatError> {
    let mut reader = Reader {
        expected,
        rows: Vec::with_capacity(expected.images.len()),
        findings: Findings::default(),
        zero_explained: false,
        line: 0,
        blank_tail: None,
    };
    while let Some(block) = stream.lines()? {
        reader.block(block)?;
    }
    reader.finish()
}

struct Reader<'e> {
    expected: &'e Expected<'e>,
    rows: Vec<Row>,
    findings: Findings,
    /// Whether a class 0 was met: the remedy is for the whole file and is given with the first.
    zero_explained: bool,
    /// Lines read so far.
    line: u64,
    /// The first of the blank lines that may still turn out to be the file's end, which the devkit tolerates.
    blank_tail: Option<u64>,
}

impl Reader<'_> {
    fn block(&mut self, block: &[u8]) -> Result<(), FormatError> {
        let classes = u32::try_from(self.expected.classes.len()).unwrap_or(u32::MAX);
        let mut rest = block;
        while !rest.is_empty() {
            let plain = self.rows.len() < self.expected.images.len()
                && self.blank_tail.is_none()
                && !self.expected.boxes;
            if let Some((row, length)) = plain_line(rest, classes).filter(|_| plain) {
                self.rows.push(row);
                self.line += 1;
                rest = &rest[length..];
                continue;
            }
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (line, after) = rest.split_at(length);
            self.line += 1;
            self.any_line(line)?;
            rest = after;
        }
        Ok(())
    }

    /// A line of whatever form: with boxes, for the devkit, or wrong.
    fn any_line(&mut self, line: &[u8]) -> Result<(), FormatError> {
        let at = At::Line(self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        refuse_lone_cr(at, line)?;
        if line.len() > MAX_LINE {
            return Err(FormatError::at(
                at,
                format!("longer than {MAX_LINE} bytes; expected up to 5 class numbers"),
            ));
        }
        let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
        let images = self.expected.images.len();
        if blank && self.expected.devkit {
            self.blank_tail.get_or_insert(self.line);
            return Ok(());
        }
        if let Some(blank) = self.blank_tail {
            return Err(FormatError::at(At::Line(blank), BLANK));
        }
        if self.rows.len() == images {
            let what = if blank { "a blank line" } else { "a line" };
            self.findings.push(
                at,
                format!("{what} after the last; expected {images} lines, one for each test image"),
            )?;
            return std::mem::take(&mut self.findings).finish();
        }
        let row = if blank {
            Err(BLANK.to_owned())
        } else {
            self.row(line)
        };
        match row {
            Ok(row) => self.rows.push(row),
            Err(detail) => {
                self.rows.push(EMPTY);
                self.findings.push(at, detail)?;
            }
        }
        Ok(())
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, String> {
        let text = std::str::from_utf8(line)
            .map_err(|_| "not ASCII; expected up to 5 class numbers".to_owned())?;
        if let Some(text) = text.strip_prefix('\u{feff}') {
            return Err(format!(
                "the file starts with a byte-order mark before `{}`; save it as plain ASCII",
                shown(text)
            ));
        }
        let tokens: Vec<&str> = text
            .split([' ', '\t'])
            .filter(|token| !token.is_empty())
            .collect();
        let guesses = if self.expected.boxes {
            without_boxes(&tokens)?
        } else {
            tokens
        };
        if self.expected.devkit {
            return self.as_the_devkit_does(&guesses);
        }
        // Before any class is looked at: a coordinate makes a strange class, and its remedy would lead astray.
        if !self.expected.boxes && guesses.len() > 5 && guesses.len().is_multiple_of(5) {
            return Err(maybe_boxes(guesses.len(), "numbers"));
        }
        let mut ranking = Ranking::new();
        for token in &guesses {
            let class = self.class(token)?;
            ranking.push(class).map_err(|refused| match refused {
                Refused::Repeated => {
                    format!("class {token} is repeated; expected up to 5 different classes")
                }
                Refused::SixthGuess => format!("{} classes; expected at most 5", guesses.len()),
            })?;
        }
        Ok(ranking.row())
    }

    fn class(&mut self, token: &str) -> Result<Class, String> {
        let classes = self.expected.classes.len();
        if token == "0" {
            let explained = std::mem::replace(&mut self.zero_explained, true);
            return Err(if explained {
                ZERO.to_owned()
            } else {
                format!("{ZERO}{ZERO_REMEDY}")
            });
        }
        if is_canonical_integer(token) {
            let class = token
                .parse()
                .ok()
                .and_then(|number: usize| self.expected.classes.class(number - 1));
            return class.ok_or_else(|| {
                format!(
                    "class {}, but this challenge has {classes} (ids run from 1 to {classes})",
                    shown(token)
                )
            });
        }
        let found = shown(token);
        Err(if !token.is_ascii() {
            format!(
                "`{found}` is not written in ASCII digits; expected a class number from 1 to {classes}"
            )
        } else if token.contains(',') {
            format!(
                "`{found}` holds commas; separate class numbers by blanks, or send CSV with the header `image,label1,…`"
            )
        } else if token.parse::<i64>().is_ok() {
            format!(
                "`{found}` has a sign or a leading zero; expected a class number from 1 to {classes}"
            )
        } else if token.parse::<f64>().is_ok() {
            format!(
                "`{found}` is not an integer; expected a class number from 1 to {classes} (np.savetxt writes them with fmt='%d')"
            )
        } else {
            format!("`{found}` is not a class number; expected 1 to {classes}")
        })
    }

    /// As `eval_flat.m` reads a line with five guesses: the first five numbers, of which those that are no class never match.
    fn as_the_devkit_does(&self, guesses: &[&str]) -> Result<Row, String> {
        let mut row = EMPTY;
        for (place, token) in row[1..].iter_mut().zip(guesses) {
            let number: f64 = token
                .parse()
                .map_err(|_| format!("`{}` is not a number", shown(token)))?;
            if number.is_nan() {
                return Err("NaN is not a class number".to_owned());
            }
            // An integer prints as one, so that `7` and `7.0` are the same class and `7.5` is none.
            let number: Option<usize> = number.to_string().parse().ok();
            let index = number.and_then(|number| number.checked_sub(1));
            let class = index.and_then(|index| self.expected.classes.class(index));
            // What is no class keeps its place too: the guesses after it do not become better ones.
            *place = class.map_or(-1, |class| class.0.into());
        }
        row[0] = row[1];
        Ok(row)
    }

    fn finish(mut self) -> Result<Vec<Row>, FormatError> {
        let images = self.expected.images.len();
        if self.line == 0 {
            return Err(FormatError::whole(format!(
                "the file is empty; expected {images} lines, one for each test image"
            )));
        }
        if self.rows.len() < images {
            let lines = self.rows.len();
            self.findings.push(
                At::Line(lines as u64 + 1),
                format!("missing; the file has {lines} lines, expected {images}, one for each test image"),
            )?;
        }
        self.findings.finish()?;
        Ok(self.rows)
    }
}

const ZERO: &str = "class 0; text files count from 1";
const ZERO_REMEDY: &str = ". This one looks numbered from 0: add 1, or send CSV or NPY";
/// The sentence for so many numbers or words that they may be classes with a box each.
pub(super) fn maybe_boxes(count: usize, what: &str) -> String {
    format!(
        "{count} {what}; expected at most 5 classes; if each class is followed by a box, say so with boxes=true"
    )
}

const BLANK: &str = "blank; expected 1 to 5 class numbers, best first";

/// The class of each group of five numbers, the others being its box.
fn without_boxes<'t>(tokens: &[&'t str]) -> Result<Vec<&'t str>, String> {
    let (groups, rest) = tokens.as_chunks::<5>();
    if !rest.is_empty() {
        return Err(format!(
            "{} numbers; with boxes=true expected groups of five: class xmin ymin xmax ymax",
            tokens.len()
        ));
    }
    groups
        .iter()
        .map(|&[class, ref side @ ..]| {
            match side.iter().find(|side| side.parse::<f64>().is_err()) {
                None => Ok(class),
                Some(side) => Err(format!(
                    "`{}` is not a coordinate; expected class xmin ymin xmax ymax",
                    shown(side)
                )),
            }
        })
        .collect()
}

/// Reads one line of one to five different class numbers with single blanks or tabs between them, and says how long it is; none
/// where it is anything else, or not ended by a newline.
fn plain_line(bytes: &[u8], classes: u32) -> Option<(Row, usize)> {
    let mut row = EMPTY;
    let mut at = 0;
    for place in 1..=5 {
        let mut number = u32::from(bytes.get(at)?.wrapping_sub(b'0'));
        if !(1..=9).contains(&number) {
            return None;
        }
        let start = at;
        let end = loop {
            at += 1;
            let byte = *bytes.get(at)?;
            let digit = u32::from(byte.wrapping_sub(b'0'));
            if digit > 9 {
                break byte;
            }
            number = number.wrapping_mul(10).wrapping_add(digit);
        };
        // Nine digits fit; a class has five at most.
        if number > classes || at - start > 9 {
            return None;
        }
        let class = i32::try_from(number).ok()? - 1;
        if row.contains(&class) {
            return None;
        }
        row[place] = class;
        at += 1;
        match end {
            b' ' | b'\t' => {}
            b'\n' => {
                row[0] = row[1];
                return Some((row, at));
            }
            b'\r' if bytes.get(at) == Some(&b'\n') => {
                row[0] = row[1];
                return Some((row, at + 1));
            }
            _ => return None,
        }
    }
    None
}
