//! What goes to stdout and stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table};
use referee_client::ClientError;
use referee_client::documents::ProblemLine;
use referee_scoring::FormatError;
use serde::Serialize;

/// Prints a result. A reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let text = if stdout.is_terminal() {
        Cow::Owned(harmless(text))
    } else {
        Cow::Borrowed(text)
    };
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("stdout cannot be written")
        }
        _ => Ok(()),
    }
}

/// The text without what a terminal would obey: part of it may be a stranger's, such as a challenge's description.
fn harmless(text: &str) -> String {
    text.replace("\r\n", "\n").replace(
        |c: char| c.is_control() && !matches!(c, '\n' | '\t'),
        "\u{fffd}",
    )
}

/// Prints a line.
pub fn print_line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a document and nothing else.
pub fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string_pretty(document)?)
}

/// Which side of a column its cells line up on.
#[derive(Clone, Copy)]
pub enum Align {
    Left,
    Right,
}

/// An aligned table without lines, ending in a newline.
pub fn table<'c, R: Into<comfy_table::Row>>(
    columns: impl IntoIterator<Item = (&'c str, Align)>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    let columns: Vec<(&str, Align)> = columns.into_iter().collect();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(columns.iter().map(|(name, _)| *name));
    table.add_rows(rows);
    for (index, (_, align)) in columns.into_iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
    }
    table.trim_fmt() + "\n"
}

/// An error rate as people write it: `12.34 %`.
pub fn percent(error: f64) -> String {
    format!("{:.2} %", 100.0 * error)
}

/// An interval of error rates: `11.90–12.79 %`.
pub fn percent_interval([low, high]: [f64; 2]) -> String {
    format!("{:.2}–{:.2} %", 100.0 * low, 100.0 * high)
}

/// A number with its thousands set apart: `25,557,032`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Images a second, with a decimal where there are few: `5000`, `4.7`.
pub fn speed(images_per_second: f64) -> String {
    if images_per_second < 9.95 {
        format!("{images_per_second:.1}")
    } else {
        format!("{images_per_second:.0}")
    }
}

/// Says on stderr what is no error but should not be missed.
pub fn warn(sentence: &str) {
    let _ = writeln!(io::stderr().lock(), "referee: warning: {sentence}");
}

/// A file that was found wrong, with the places in it.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct WrongFile {
    pub detail: String,
    pub errors: Vec<ProblemLine>,
}

impl From<FormatError> for WrongFile {
    fn from(error: FormatError) -> Self {
        let errors = error.errors.iter().map(place).collect();
        Self {
            detail: error.detail,
            errors,
        }
    }
}

/// A place in a file as the documents have it.
fn place(error: &referee_scoring::LineError) -> ProblemLine {
    let (line, row) = match error.at {
        referee_scoring::At::Line(line) => (Some(line), None),
        referee_scoring::At::Row(row) => (None, Some(row)),
    };
    ProblemLine {
        line,
        row,
        detail: error.detail.clone(),
    }
}

/// Says on stderr, in one sentence, what could not be done; further wrong places of a file follow, one a line.
pub fn report(error: &anyhow::Error) {
    let mut sentence = format!("referee: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !sentence.contains(&cause) {
            let _ = write!(sentence, ": {cause}");
        }
    }
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{}", harmless(&sentence));
    let further = places(error)
        .iter()
        .map(ToString::to_string)
        .filter(|place| !sentence.contains(place.as_str()));
    for place in further {
        let _ = writeln!(stderr, "  {}", harmless(&place));
    }
}

fn places(error: &anyhow::Error) -> &[ProblemLine] {
    let of_file = || {
        error
            .downcast_ref::<WrongFile>()
            .map(|wrong| wrong.errors.as_slice())
    };
    let of_server = || {
        error
            .downcast_ref::<ClientError>()
            .and_then(ClientError::problem)
            .map(|problem| problem.errors.as_slice())
    };
    of_file().or_else(of_server).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["ada".to_owned(), "9.00 %".to_owned()],
            ["grace".to_owned(), "10.50 %".to_owned()],
        ];
        let text = table([("team", Align::Left), ("top-1", Align::Right)], rows);
        assert_eq!(text, "team     top-1\nada     9.00 %\ngrace  10.50 %\n");
    }

    #[test]
    fn a_strangers_text_gives_a_terminal_no_orders() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\r\nc\td\re\u{9b}f é\n"),
            "a\u{fffd}[2Jb\nc\td\u{fffd}e\u{fffd}f é\n"
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 999, 1000, 25_557_032, 138_357_544].map(count);
        assert_eq!(numbers, ["0", "999", "1,000", "25,557,032", "138,357,544"]);
    }

    #[test]
    fn slow_speeds_have_a_decimal() {
        let speeds = [0.04, 0.52, 9.94, 9.96, 11.4, 5000.4].map(speed);
        assert_eq!(speeds, ["0.0", "0.5", "9.9", "10", "11", "5000"]);
    }

    #[test]
    fn rates_are_percentages_with_two_digits() {
        assert_eq!(percent(0.0625), "6.25 %");
        assert_eq!(percent_interval([0.05811, 0.0672]), "5.81–6.72 %");
    }
}
