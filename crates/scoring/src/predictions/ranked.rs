//! A ranked list of guesses, growing into a row of the record.

use crate::classes::Class;
use crate::record::{EMPTY, Row};

/// The guesses of one image, best first: at most five, all different.
pub(super) struct Ranking {
    row: Row,
    len: usize,
}

/// Why a guess is refused.
pub(super) enum Refused {
    Repeated,
    SixthGuess,
}

impl Ranking {
    pub(super) fn new() -> Self {
        Self { row: EMPTY, len: 0 }
    }

    pub(super) fn push(&mut self, class: Class) -> Result<(), Refused> {
        if self.len == 5 {
            return Err(Refused::SixthGuess);
        }
        let class = i32::from(class.0);
        if self.row[1..].contains(&class) {
            return Err(Refused::Repeated);
        }
        self.len += 1;
        self.row[self.len] = class;
        Ok(())
    }

    /// The row of the record; its top 1 is the first guess.
    pub(super) fn row(mut self) -> Row {
        self.row[0] = self.row[1];
        self.row
    }
}
