//! A file of labels, row by row.

use std::collections::HashSet;

use super::forms::{self, Form};
use super::header::{Columns, without_boxes};
use super::numbering::{Written, classes_that_never_occur, refuse_two_readings};
use super::rows::{Image, Rows};
use super::{LabelFile, TestImages, shown, unknown_class};
use crate::classes::{Class, ClassList, is_canonical_integer};
use crate::csv;
use crate::format_error::{At, Findings, FormatError};
use crate::predictions::{Notice, Purpose, refuse_by_leading_bytes_as};
use crate::stream::Stream;

pub(super) fn read(
    input: impl std::io::Read,
    classes: &ClassList,
    images: TestImages<'_>,
) -> Result<LabelFile, FormatError> {
    let mut stream = Stream::open(input)?;
    if let Some(sentence) = refuse_by_leading_bytes_as(Purpose::Labels, stream.head()) {
        return Err(FormatError::whole(sentence));
    }
    let mut reader = Reader {
        classes,
        rows: Rows::new(images),
        written: Written::default(),
        findings: Findings::default(),
        set: Vec::new(),
        columns: None,
        line: 0,
        by_place: false,
    };
    match Form::of(stream.head()) {
        Form::Table => {
            reader.table(&mut stream)?;
            reader.finish(|row| At::Line(row as u64 + 2), None)
        }
        Form::NamesAndNumbers => {
            forms::refuse_other_order(classes, "a list of names and numbers, as Caffe's val.txt,")?;
            reader.names_and_numbers(&mut stream)?;
            reader.finish(|row| At::Line(row as u64 + 1), None)
        }
        Form::Numbers => {
            let notice = forms::numbers(&mut stream, &mut reader)?;
            reader.finish(|row| At::Line(row as u64 + 1), Some(notice))
        }
        Form::Json => {
            forms::json(&mut stream, &mut reader)?;
            reader.finish(|row| At::Row(row as u64), None)
        }
    }
}

pub(super) fn names_of_classes(input: impl std::io::Read) -> Result<Vec<String>, FormatError> {
    let mut stream = Stream::open(input)?;
    if let Some(sentence) = refuse_by_leading_bytes_as(Purpose::Labels, stream.head()) {
        return Err(FormatError::whole(sentence));
    }
    let classes = ClassList::uncounted();
    let (mut columns, mut seen, mut names) = (None, HashSet::new(), Vec::new());
    csv::each_line(&mut stream, |number, line| {
        let wrong = |detail: String| FormatError::at(At::Line(number), detail);
        let Some(Columns { label, .. }) = columns else {
            columns = Some(Columns::of_header(line, &classes).map_err(wrong)?);
            return Ok(());
        };
        let cell = csv::cells(line).nth(label).transpose();
        let cell = cell
            .map_err(|error| wrong(error.to_owned()))?
            .unwrap_or_default();
        for name in cell
            .split('|')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if seen.insert(name.to_owned()) {
                names.push(name.to_owned());
            }
        }
        Ok(())
    })?;
    Ok(names)
}

pub(super) struct Reader<'a> {
    pub classes: &'a ClassList,
    rows: Rows<'a>,
    pub written: Written,
    pub findings: Findings,
    /// Of the row at hand.
    set: Vec<Class>,
    /// Where a table has image and label, once its header is read.
    columns: Option<Columns>,
    line: u64,
    by_place: bool,
}

impl Reader<'_> {
    fn table(&mut self, stream: &mut Stream<'_>) -> Result<(), FormatError> {
        while let Some(block) = stream.lines()? {
            let mut rest = block;
            while !rest.is_empty() {
                if self.is_plain()
                    && let Some((ordinal, class, length)) = plain_row(rest, self.classes.len())
                    && self.rows.add_plain(ordinal, Class(class))
                {
                    self.written.index(class.into());
                    self.by_place = true;
                    self.line += 1;
                    rest = &rest[length..];
                    continue;
                }
                let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
                let (line, after) = rest.split_at(length);
                self.line += 1;
                let text = csv::text_of(self.line, line)?;
                self.line_of_table(text)?;
                rest = after;
            }
        }
        if self.line == 0 {
            return Err(FormatError::whole(
                "the file is empty; expected the header `image,label` and a line for each test image",
            ));
        }
        Ok(())
    }

    /// Whether two numbers and a comma between them can mean only one thing.
    fn is_plain(&self) -> bool {
        self.columns == Some(Columns::PLAIN)
            && self.classes.is_counted_by_index()
            && self.rows.are_ordinals()
    }

    fn line_of_table(&mut self, line: &str) -> Result<(), FormatError> {
        let at = At::Line(self.line);
        let Some(columns) = self.columns else {
            let columns = Columns::of_header(line, self.classes);
            self.columns = Some(columns.map_err(|detail| FormatError::at(at, detail))?);
            return Ok(());
        };
        match self.row(line, columns) {
            Ok(()) => Ok(()),
            Err(detail) => self.note(at, detail),
        }
    }

    fn row(&mut self, line: &str, columns: Columns) -> Result<(), String> {
        if line.trim().is_empty() {
            return Err("blank; expected an image and its label".to_owned());
        }
        let mut cells = csv::cells(line);
        let (first, second) = (cells.next().transpose()?, cells.next().transpose()?);
        let (Some(first), Some(second), None) = (first, second, cells.next()) else {
            let cells: Vec<_> = csv::cells(line).collect::<Result<_, _>>()?;
            return Err(csv::unquoted_comma(&cells, self.classes).unwrap_or_else(|| {
                format!(
                    "{} cells; expected two, the image and its label (several labels are joined by `|`)",
                    cells.len()
                )
            }));
        };
        let (image, label) = if columns.image == 0 {
            (first, second)
        } else {
            (second, first)
        };
        if columns.boxes {
            let names = without_boxes(&label)?;
            self.add(Image::Called(&image), names.into_iter())
        } else {
            self.add(
                Image::Called(&image),
                label.split('|').filter(|_| !label.is_empty()),
            )
        }
    }

    fn names_and_numbers(&mut self, stream: &mut Stream<'_>) -> Result<(), FormatError> {
        csv::each_line(stream, |number, line| {
            let row = match line.trim().rsplit_once([' ', '\t']) {
                Some((name, class)) => {
                    self.add(Image::Called(name.trim_end()), std::iter::once(class))
                }
                None => Err("expected an image and the number of its class".to_owned()),
            };
            row.or_else(|detail| self.note(At::Line(number), detail))
        })?;
        Ok(())
    }

    /// Adds an image with the classes that it is given. An error is a sentence about the row.
    pub(super) fn add<'n>(
        &mut self,
        image: Image<'_>,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<(), String> {
        if matches!(image, Image::Called("")) {
            return Err("no image; expected its ordinal from 0 or its name".to_owned());
        }
        self.by_place |= match image {
            Image::At(_) => true,
            Image::Called(text) => is_canonical_integer(text),
        };
        self.set.clear();
        for name in names.map(str::trim) {
            let Some(class) = self.classes.resolve(name) else {
                self.written.one_beyond |= name == self.classes.len().to_string();
                let is_none = matches!(name, "-1" | "NaN" | "nan" | "NA" | "None" | "null");
                let remedy = if is_none {
                    "; where an image has no label, leave the label empty, and it is skipped"
                } else {
                    ""
                };
                return Err(unknown_class(name, self.classes) + remedy);
            };
            if is_canonical_integer(name) {
                self.written.index(class.0.into());
            } else {
                self.written.names = true;
            }
            if self.set.contains(&class) {
                return Err(format!(
                    "class `{}` is given twice; give each label once",
                    shown(name)
                ));
            }
            self.set.push(class);
        }
        self.rows.add(image, &self.set)
    }

    /// Notes a wrong place.
    ///
    /// # Errors
    /// All that was found, once there is enough of it.
    pub(super) fn note(&mut self, at: At, detail: String) -> Result<(), FormatError> {
        let noted = self.findings.push(at, detail);
        noted.map_err(|error| self.written.explain(error))
    }

    fn finish(
        self,
        at: impl Fn(usize) -> At,
        notice: Option<Notice>,
    ) -> Result<LabelFile, FormatError> {
        let (written, by_place) = (self.written, self.by_place);
        self.findings
            .finish()
            .map_err(|error| written.explain(error))?;
        let (labels, images) = self.rows.arrange(at)?;
        if notice.is_none() {
            refuse_two_readings(&labels, self.classes, &written)?;
        }
        let absent = classes_that_never_occur(&labels, self.classes);
        Ok(LabelFile {
            labels,
            images,
            by_place,
            notices: notice.into_iter().chain(absent).collect(),
        })
    }
}

/// Reads `ordinal,class` with its newline, and says how long it is; none where it is anything else.
fn plain_row(bytes: &[u8], classes: usize) -> Option<(u32, u16, usize)> {
    let (ordinal, comma) = number(bytes)?;
    if bytes.get(comma) != Some(&b',') {
        return None;
    }
    let (class, digits) = number(&bytes[comma + 1..])?;
    let end = comma + 1 + digits;
    let end = match bytes.get(end)? {
        b'\n' => end + 1,
        b'\r' if bytes.get(end + 1) == Some(&b'\n') => end + 2,
        _ => return None,
    };
    let class = u16::try_from(class)
        .ok()
        .filter(|&class| usize::from(class) < classes)?;
    Some((ordinal, class, end))
}

/// The canonical integer at the start and its length.
fn number(bytes: &[u8]) -> Option<(u32, usize)> {
    let digit = |at: usize| {
        let digit = bytes.get(at)?.wrapping_sub(b'0');
        (digit < 10).then_some(u32::from(digit))
    };
    let mut value = digit(0)?;
    if value == 0 {
        return digit(1).is_none().then_some((0, 1));
    }
    let mut length = 1;
    while let Some(digit) = digit(length) {
        value = value.checked_mul(10)?.checked_add(digit)?;
        length += 1;
    }
    Some((value, length))
}
