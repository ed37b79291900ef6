//! Top 1 and top 5 of a row of scores, ties counting against the submitter.

use std::cmp::Ordering;

use crate::classes::WiderClasses;
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

/// So many scores are compared at a time; a multiple of what any vector register holds.
const CHUNK: usize = 32;

/// The row of the record for one image, from the score of each class.
///
/// A class has rank r where r classes, itself included, score at least as high. Infinities are scores like any other, −0 equals 0.
///
/// # Errors
/// [`NotANumber`] with the first such column.
pub fn row_of_scores<S: Score>(scores: &[S]) -> Result<Row, NotANumber> {
    row_of(scores, |score| score)
}

/// [`row_of_scores`] for scores that are still encoded, such as bytes in a file: they are decoded twice instead of being copied.
///
/// Two passes over a row that fits the first-level cache, both of which compilers turn into vector code. The first finds a bar that at
/// least six classes reach; the second looks at the few scores above it. With six kept, the sixth-highest decides: a class is among the
/// top 5 exactly if it scores higher than that, and is top 1 exactly if it scores higher than the second.
pub(super) fn row_of<T: Copy, S: Score>(
    cells: &[T],
    decode: impl Fn(T) -> S + Copy,
) -> Result<Row, NotANumber> {
    if cells.len() < 6 {
        return few(cells, decode);
    }
    let (chunks, rest) = cells.as_chunks::<CHUNK>();
    let mut best = Six::all(reached_by_six(chunks, decode));
    for (index, chunk) in chunks.iter().enumerate() {
        if any_exceeds(chunk, best.bar(), decode) {
            best.offer(index * CHUNK, chunk, decode)?;
        }
    }
    best.offer(chunks.len() * CHUNK, rest, decode)?;
    Ok(best.row())
}

/// The row for scores over a longer list, of which only the challenge's classes are compared; its classes are the list's.
pub(super) fn row_of_own<T: Copy, S: Score>(
    cells: &[T],
    wider: &WiderClasses,
    decode: impl Fn(T) -> S + Copy,
) -> Result<Row, NotANumber> {
    let places = wider.places();
    let own: Vec<T> = (places.iter().map(|place| cells[usize::from(place.0)])).collect();
    row_of(&own, decode)
        .map(|row| wider.row(row))
        .map_err(|error| NotANumber {
            column: places[error.column].0.into(),
        })
}

#[expect(
    clippy::unnecessary_fold,
    reason = "looking at all of them is vector code, stopping early is not"
)]
fn any_exceeds<T: Copy, S: Score>(chunk: &[T; CHUNK], bar: S, decode: impl Fn(T) -> S) -> bool {
    chunk
        .iter()
        .fold(false, |any, &cell| any || exceeds(decode(cell), bar))
}

/// Whether a score is above the bar, or is NaN and must be looked at.
#[expect(
    clippy::neg_cmp_op_on_partial_ord,
    reason = "true for NaN, in one instruction"
)]
fn exceeds<S: Score>(score: S, bar: S) -> bool {
    !(score <= bar)
}

/// A score that at least six classes reach: each lane's maximum is a different class. The lowest score there is, if rows are short.
fn reached_by_six<T: Copy, S: Score>(chunks: &[[T; CHUNK]], decode: impl Fn(T) -> S + Copy) -> S {
    let mut highest = [S::LOWEST; CHUNK];
    for chunk in chunks {
        for (highest, &cell) in highest.iter_mut().zip(chunk) {
            let score = decode(cell);
            *highest = if score > *highest { score } else { *highest };
        }
    }
    let mut six = Six::all(S::LOWEST);
    for score in highest {
        if score > six.bar() {
            six.insert(score, -1);
        }
    }
    six.bar()
}

/// The six highest scores so far, with their classes.
struct Six<S> {
    scores: [S; 6],
    classes: [i32; 6],
}

impl<S: Score> Six<S> {
    /// Six classes are known to reach `bar`. Which ones does not matter: one that does not exceed it is never in the top 5.
    fn all(bar: S) -> Self {
        Self {
            scores: [bar; 6],
            classes: [-1; 6],
        }
    }

    /// What a score must exceed to matter.
    fn bar(&self) -> S {
        self.scores[5]
    }

    fn offer<T: Copy>(
        &mut self,
        first_class: usize,
        cells: &[T],
        decode: impl Fn(T) -> S,
    ) -> Result<(), NotANumber> {
        for (column, &cell) in (first_class..).zip(cells) {
            let score = decode(cell);
            if exceeds(score, self.bar()) {
                if score.partial_cmp(&score).is_none() {
                    return Err(NotANumber { column });
                }
                self.insert(score, index(column));
            }
        }
        Ok(())
    }

    /// Puts a score that exceeds the bar into its place, behind equal ones.
    fn insert(&mut self, score: S, class: i32) {
        let mut place = 5;
        while place > 0 && score > self.scores[place - 1] {
            self.scores[place] = self.scores[place - 1];
            self.classes[place] = self.classes[place - 1];
            place -= 1;
        }
        self.scores[place] = score;
        self.classes[place] = class;
    }

    fn row(&self) -> Row {
        let mut row = EMPTY;
        for place in 0..5 {
            if self.scores[place] > self.bar() {
                row[place + 1] = self.classes[place];
            }
        }
        if self.scores[0] > self.scores[1] {
            row[0] = self.classes[0];
        }
        row
    }
}

/// With five classes or fewer all are among the top 5, best first.
fn few<T: Copy, S: Score>(cells: &[T], decode: impl Fn(T) -> S) -> Result<Row, NotANumber> {
    let mut ranked: Vec<(S, i32)> = Vec::with_capacity(5);
    for (column, &cell) in cells.iter().enumerate() {
        let score = decode(cell);
        if score.partial_cmp(&score).is_none() {
            return Err(NotANumber { column });
        }
        ranked.push((score, index(column)));
    }
    ranked.sort_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
    let mut row = EMPTY;
    for (place, &(_, class)) in row[1..].iter_mut().zip(&ranked) {
        *place = class;
    }
    row[0] = match ranked.as_slice() {
        [(first, _), (second, _), ..] if first <= second => -1,
        _ => row[1],
    };
    Ok(row)
}

fn index(column: usize) -> i32 {
    i32::try_from(column).expect("a challenge has at most 32767 classes")
}

/// The value of a half-precision number. Multiplying by 2^112 moves its exponent to single precision's, subnormals included, in plain
/// arithmetic that compilers vectorise.
pub(super) fn half_precision(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, magnitude) = (bits & 0x8000, bits & 0x7fff);
    let scaled = (f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000)).to_bits();
    // What reaches 65536, the number after the largest finite one, is infinity or NaN.
    let special = if scaled >= 0x4780_0000 {
        0x7f80_0000
    } else {
        0
    };
    f32::from_bits(sign << 16 | scaled | special)
}
