//! Guesses from the order of the images: the same class as the one before, and the class that mostly followed that one.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::chance::{Guess, Shares, count};
use crate::classes::Class;

/// Wald and Wolfowitz's runs test for any number of classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunsTest {
    /// Stretches of equal labels.
    pub runs: u64,
    /// Their number in a random order, on average.
    pub expected: f64,
    /// Standard deviations above (below: negative) the average. Sorted labels have few runs and a large negative z.
    pub z: f64,
}

/// Tests whether these labels are in random order (Wald and Wolfowitz 1940; several classes: Barton and David 1957).
pub fn runs_test(labels: &[Class]) -> RunsTest {
    let n = count(labels.len());
    let (mut squares, mut cubes) = (0.0, 0.0);
    for of_class in Shares::of(labels.iter().copied()).counts() {
        squares += of_class * of_class;
        cubes += of_class * of_class * of_class;
    }
    let equal_neighbours = labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let runs = labels.len() - equal_neighbours;
    let expected = if labels.is_empty() {
        0.0
    } else {
        n + 1.0 - squares / n
    };
    let variance =
        (squares * (squares + n * (n + 1.0)) - 2.0 * n * cubes - n * n * n) / (n * n * (n - 1.0));
    let z = if variance > 0.0 {
        (count(runs) - expected) / variance.sqrt()
    } else {
        0.0
    };
    RunsTest {
        runs: runs as u64,
        expected,
        z,
    }
}

/// What an order tells.
pub(super) struct Told {
    pub guess: Guess,
    /// How, as a clause after "gives the labels away".
    pub how: String,
}

/// Two guesses at labels in this order: the same class as the image before, and the class that mostly followed that one in the first
/// half. The first finds sorted and clumped labels, the second those that take turns.
pub(super) fn in_order(
    labels: &[Class],
    effect: f64,
    mut level: impl FnMut() -> f64,
) -> Option<Told> {
    if labels.len() < 2 {
        return None;
    }
    let test = runs_test(labels);
    let same = Guess {
        hits: labels.len() - usize::try_from(test.runs).ok()?,
        guessed: labels.len() - 1,
        trials: labels.len() - 1,
        expected: count(labels.len()) - test.expected,
        likelihood: 0.0,
    };
    let told = |guess: Guess, how: String| Some(Told { guess, how });
    if same.hits_give_away(effect, level()) {
        let Guess {
            hits,
            trials,
            expected,
            ..
        } = same;
        return told(
            same,
            format!(
                "{hits} of {trials} images have the class of the one before, {expected:.0} would by chance"
            ),
        );
    }
    let next = successors(labels);
    if next.hits_give_away(effect, level()) {
        let Guess {
            hits,
            trials,
            expected,
            ..
        } = next;
        return told(
            next,
            format!(
                "the class of the image before tells that of {hits} of {trials} images, {expected:.0} by chance"
            ),
        );
    }
    None
}

/// Learns on the first half of the labels which class follows which, and guesses the second half.
fn successors(labels: &[Class]) -> Guess {
    let (first, second) = labels.split_at(labels.len() / 2);
    let mut followed: HashMap<(Class, Class), u32> = HashMap::new();
    for pair in first.windows(2) {
        *followed.entry((pair[0], pair[1])).or_default() += 1;
    }
    let mut usual: HashMap<Class, (u32, Class)> = HashMap::new();
    for ((before, after), times) in followed {
        let best = usual.entry(before).or_insert((times, after));
        *best = (*best).max((times, after));
    }
    let shares = Shares::of(second.iter().copied());
    let mut guess = Guess {
        trials: second.len() - 1,
        guessed: second.len() - 1,
        ..Guess::default()
    };
    for pair in second.windows(2) {
        if let Some(&(_, after)) = usual.get(&pair[0]) {
            guess.hits += usize::from(after == pair[1]);
            guess.expected += shares.get(after);
        }
    }
    guess
}

/// Sorts `image-9` before `image-10`: words and numbers one after the other in lower case, numbers first and by value.
pub(super) fn natural<'a>(a: &'a str, b: &'a str) -> Ordering {
    let (mut a, mut b) = (Pieces(a), Pieces(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some((is_number, x)), Some((is_number_too, y))) => {
                let order = is_number_too.cmp(&is_number).then_with(|| {
                    if is_number {
                        let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
                        x.chars()
                            .count()
                            .cmp(&y.chars().count())
                            .then_with(|| x.cmp(y))
                    } else {
                        let lower = |word: &'a str| word.chars().flat_map(char::to_lowercase);
                        lower(x).cmp(lower(y))
                    }
                });
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// The words and numbers of a text: whether it is a number, and the piece.
pub(super) struct Pieces<'a>(pub &'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = (bool, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = rest.chars().next()?;
        let is_number = first.is_numeric();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() || c.is_numeric() != is_number)
            .unwrap_or(rest.len());
        let (piece, rest) = rest.split_at(end);
        self.0 = rest;
        Some((is_number, piece))
    }
}
