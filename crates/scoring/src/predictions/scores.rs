//! Top 1 and top 5 of a row of scores, ties counting against the submitter.

use crate::record::{EMPTY, Row};

/// A floating-point score. NaN is no score: nothing can be ranked above or below it.
pub trait Score: Copy + PartialOrd {
    const LOWEST: Self;
}

impl Score for f32 {
    const LOWEST: Self = f32::NEG_INFINITY;
}

impl Score for f64 {
    const LOWEST: Self = f64::NEG_INFINITY;
}

/// A score that is NaN, in this column of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} is NaN")]
pub struct NotANumber {
    pub column: usize,
}

/// Columns are compared in as many independent lanes.
const LANES: usize = 32;

/// The row of the record for one image, from the score of each class.
///
/// A class has rank r where r classes, itself included, score at least as high. So the sixth-highest score decides: a class is among
/// the top 5 exactly if it scores higher than that, and is top 1 exactly if it scores higher than the second-highest.
///
/// # Errors
/// [`NotANumber`] with the first such column. Infinities are scores like any other, and −0 equals 0.
pub fn row_of_scores<S: Score>(scores: &[S]) -> Result<Row, NotANumber> {
    let floor = floor(scores)?;
    let mut best = Best::above(floor, scores.len());
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for (index, chunk) in chunks.iter().enumerate() {
        let bar = best.bar();
        if chunk.iter().fold(false, |any, &score| any | (score > bar)) {
            best.offer(index * LANES, chunk);
        }
    }
    best.offer(chunks.len() * LANES, rest);
    Ok(best.row())
}

/// A score that at least six classes reach (the lowest possible one where nothing better is known); and the check for NaN.
fn floor<S: Score>(scores: &[S]) -> Result<S, NotANumber> {
    let (chunks, rest) = scores.as_chunks::<LANES>();
    let mut highest = [S::LOWEST; LANES];
    let mut not_a_number = [false; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            let score = chunk[lane];
            highest[lane] = if score > highest[lane] {
                score
            } else {
                highest[lane]
            };
            not_a_number[lane] |= is_nan(score);
        }
    }
    if not_a_number.contains(&true) || rest.iter().any(|&score| is_nan(score)) {
        let column = scores
            .iter()
            .position(|&score| is_nan(score))
            .unwrap_or_default();
        return Err(NotANumber { column });
    }
    let mut six = [S::LOWEST; 6];
    for score in highest {
        if score > six[5] {
            insert(&mut six, score);
        }
    }
    Ok(six[5])
}

#[expect(clippy::eq_op, reason = "NaN is what differs from itself")]
fn is_nan<S: Score>(score: S) -> bool {
    score != score
}

/// Puts a score that exceeds the last of `six` into its place.
fn insert<S: Score>(six: &mut [S; 6], score: S) -> usize {
    let mut place = 5;
    while place > 0 && score > six[place - 1] {
        six[place] = six[place - 1];
        place -= 1;
    }
    six[place] = score;
    place
}

/// The six highest scores so far, equal ones in the order of their classes.
struct Best<S> {
    scores: [S; 6],
    classes: [i32; 6],
    /// How many classes there are; with fewer than six, the places behind them are empty.
    of: usize,
}

impl<S: Score> Best<S> {
    /// Six classes reach `floor`; which ones does not matter, as none of them can be told from the sixth.
    fn above(floor: S, of: usize) -> Self {
        Self {
            scores: [floor; 6],
            classes: [-1; 6],
            of,
        }
    }

    /// What a score must exceed to matter.
    fn bar(&self) -> S {
        self.scores[5]
    }

    fn offer(&mut self, first_class: usize, scores: &[S]) {
        for (offset, &score) in scores.iter().enumerate() {
            if score > self.bar() {
                let place = insert(&mut self.scores, score);
                self.classes.copy_within(place..5, place + 1);
                self.classes[place] = i32::try_from(first_class + offset).unwrap_or(-1);
            }
        }
    }

    fn row(&self) -> Row {
        let mut row = EMPTY;
        for place in 0..5 {
            if self.scores[place] > self.scores[5] {
                row[place + 1] = self.classes[place];
            }
        }
        if self.scores[0] > self.scores[1] {
            row[0] = self.classes[0];
        }
        row
    }
}
