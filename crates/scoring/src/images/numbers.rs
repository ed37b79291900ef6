//! What the names of images count by themselves: `000007.png` is number 7 to whoever numbers by names, wherever it stands.

use std::collections::HashMap;

use super::Name;
use crate::image_order::are_codes;

/// The numbers in the names of a list.
#[derive(Debug)]
pub(super) enum Numbers {
    /// No two readings: every name that holds a number stands in that place, or names do not count.
    AsPlaced,
    /// By number, the ordinal of the first image with it.
    Named(HashMap<u64, u32>),
}

impl Numbers {
    /// Names count by the run of digits in which all of them differ, the last one first, if most of them have it and they are no codes;
    /// and names that are nothing but digits count always.
    pub(super) fn of(names: &[String]) -> Self {
        let stem = |name: &'_ String| -> Vec<u64> { runs(Name::of(name).stem) };
        let mut numbers: Vec<Option<u64>> = Vec::new();
        let runs_of_digits = if are_codes(names) { 0 } else { 8 };
        for run in 0..runs_of_digits {
            let found: Vec<Option<u64>> = (names.iter())
                .map(|name| stem(name).iter().rev().nth(run).copied())
                .collect();
            let mut distinct: Vec<u64> = found.iter().flatten().copied().collect();
            let holding = distinct.len();
            if holding == 0 {
                break;
            }
            distinct.sort_unstable();
            distinct.dedup();
            if holding > 1 && 2 * holding >= names.len() && distinct.len() == holding {
                numbers = found;
                break;
            }
        }
        if numbers.is_empty() {
            let bare = |name: &String| {
                let stem = Name::of(name).stem;
                let is_number = stem.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| stem.parse().ok()).flatten()
            };
            numbers = names.iter().map(bare).collect();
        }
        let placed = |(number, place): (&Option<u64>, u64)| number.is_none_or(|it| it == place);
        if numbers.iter().zip(0..).all(placed) {
            return Self::AsPlaced;
        }
        let mut by_number = HashMap::with_capacity(numbers.len());
        for (number, ordinal) in numbers.into_iter().zip(0_u32..) {
            if let Some(number) = number {
                by_number.entry(number).or_insert(ordinal);
            }
        }
        Self::Named(by_number)
    }

    /// The image that a bare number may mean by its name.
    pub(super) fn ordinal(&self, number: u64) -> Option<u32> {
        match self {
            Self::AsPlaced => None,
            Self::Named(named) => named.get(&number).copied(),
        }
    }
}

/// The runs of ASCII digits in a text, by value; those beyond all integers left out.
fn runs(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|run| run.parse().ok())
        .collect()
}
