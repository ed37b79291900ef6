//! Comma-separated lines as RFC 4180 quotes them, without line breaks inside cells.

use std::borrow::Cow;

use crate::classes::ClassList;
use crate::format_error::{At, FormatError};
use crate::stream::{MAX_LINE, Stream, refuse_lone_cr};

/// The cells of one line. An error is a sentence about the line.
pub(crate) struct Cells<'l> {
    rest: Option<&'l str>,
}

pub(crate) fn cells(line: &str) -> Cells<'_> {
    Cells { rest: Some(line) }
}

impl<'l> Iterator for Cells<'l> {
    type Item = Result<Cow<'l, str>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        if let Some(quoted) = rest.strip_prefix('"') {
            let cell = self.quoted(quoted);
            if cell.is_err() {
                self.rest = None;
            }
            return Some(cell);
        }
        let (cell, rest) = match rest.split_once(',') {
            Some((cell, rest)) => (cell, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(Ok(Cow::Borrowed(cell.trim_matches([' ', '\t']))))
    }
}

impl<'l> Cells<'l> {
    /// A cell whose opening quote is already taken; a doubled quote inside stands for one.
    fn quoted(&mut self, text: &'l str) -> Result<Cow<'l, str>, &'static str> {
        let mut cell = Cow::Borrowed("");
        let mut rest = text;
        loop {
            let (part, after) = rest
                .split_once('"')
                .ok_or("a quote is opened and not closed on the same line")?;
            cell += part;
            match after.strip_prefix('"') {
                Some(after) => {
                    cell += "\"";
                    rest = after;
                }
                None if after.is_empty() => {
                    self.rest = None;
                    return Ok(cell);
                }
                None => {
                    let after = after
                        .strip_prefix(',')
                        .ok_or("a closing quote must be followed by a comma")?;
                    self.rest = Some(after);
                    return Ok(cell);
                }
            }
        }
    }
}

/// Calls `visit` with each line of the file, its number (from 1) and its text, without line break and byte-order mark.
///
/// Refuses overlong lines and bytes that are not UTF-8. One final newline is not a line.
pub(crate) fn each_line(
    stream: &mut Stream<'_>,
    mut visit: impl FnMut(u64, &str) -> Result<(), FormatError>,
) -> Result<u64, FormatError> {
    let mut number = 0;
    while let Some(block) = stream.lines()? {
        let block = block.strip_suffix(b"\n").unwrap_or(block);
        for line in block.split(|&byte| byte == b'\n') {
            number += 1;
            visit(number, text_of(number, line)?)?;
        }
    }
    Ok(number)
}

/// The text of a line, without its LF or CRLF and, on the first, without a byte-order mark.
pub(crate) fn text_of(number: u64, line: &[u8]) -> Result<&str, FormatError> {
    let at = At::Line(number);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    refuse_lone_cr(at, line)?;
    if line.len() > MAX_LINE {
        return Err(FormatError::at(
            at,
            format!("longer than {MAX_LINE} bytes; every image has a line of its own"),
        ));
    }
    let line = std::str::from_utf8(line)
        .map_err(|_| FormatError::at(at, "not UTF-8; save the file as CSV in UTF-8"))?;
    Ok(match line.strip_prefix('\u{feff}') {
        Some(text) if number == 1 => text,
        _ => line,
    })
}

/// The sentence for cells of which some would together be the name of a class: its comma was not quoted.
pub(crate) fn unquoted_comma<C: AsRef<str>>(cells: &[C], classes: &ClassList) -> Option<String> {
    for start in 1..cells.len() {
        for end in start + 2..=cells.len().min(start + 12) {
            for separator in [", ", ","] {
                let cells: Vec<&str> = cells[start..end].iter().map(AsRef::as_ref).collect();
                let name = cells.join(separator);
                if classes.resolve(&name).is_some() {
                    return Some(format!(
                        "the class name `{name}` holds a comma: put it in quotes, \"{name}\""
                    ));
                }
            }
        }
    }
    None
}

/// Whether a header names an image and then classes, as a table of scores or probabilities does.
pub(crate) fn is_header_of_scores<C: AsRef<str>>(cells: &[C], classes: &ClassList) -> bool {
    let is_class = |cell: &&C| {
        let cell = cell.as_ref();
        let number =
            cell.trim_start_matches(|c: char| c.is_ascii_alphabetic() || "_ -".contains(c));
        number.parse::<u32>().is_ok() && !cell.starts_with("label")
            || classes.resolve_whatever_its_case(cell)
    };
    let found = cells.iter().skip(1).filter(is_class).count();
    cells.len() > 3 && (found + 2 >= cells.len() || cells.len() == classes.len() + 1)
}

/// What to do about a header that is not the one expected, where that is known; to end its sentence with.
pub(crate) fn remedy_of_header(line: &str) -> &'static str {
    let commas = line.contains(',');
    let mut columns = line
        .split(',')
        .map(|column| column.trim().to_ascii_lowercase());
    let first = columns.next().unwrap_or_default();
    let second = columns.next().unwrap_or_default();
    if !commas && line.contains('\t') {
        "; separate the columns by commas, not by tabs"
    } else if !commas && line.contains(';') {
        "; separate the columns by commas"
    } else if second.starts_with("image") && (first.is_empty() || first == "unnamed: 0") {
        "; leave the index column out: df.to_csv(path, index=False)"
    } else {
        ""
    }
}
